"""How a function of any family is called on one array: along which axis, with which parameters, and backward."""

from __future__ import annotations

import copy
import inspect
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import numpy.typing as npt

import fastact as fa

from .common import TAKES, CommandError

Array = npt.NDArray[Any]


def _switch(text: str) -> bool:
    return {"true": True, "1": True, "false": False, "0": False}[text.lower()]


def _numbers(text: str) -> Array:
    return np.array([float(number) for number in text.split(",")])


def _generator(text: str) -> np.random.Generator:
    """One for all pieces of an array."""
    return np.random.default_rng(int(text))


#: Parameters beside those of elementwise activations: what to make of the text, and what is expected.
PARAMETERS: dict[str, tuple[Callable[[str], Any], str]] = {
    **dict.fromkeys(("temperature", "tau", "lower", "upper"), (float, "a number")),
    **dict.fromkeys(("training", "hard"), (_switch, "true or false")),
    **dict.fromkeys(("weight", "bias"), (_numbers, "numbers, as in 0.5,1")),
    "pieces": (int, "a whole number"), "rng": (_generator, "a seed"),
}  # fmt: skip

#: What `run` and `verify` take for parameters that have no default.
WITHOUT_DEFAULT: dict[str, dict[str, Any]] = {
    "maxout": {"pieces": 2}, "max_affine": {"weight": np.array([0.25, 1.0]), "bias": np.array([0.0, 0.0])},
}  # fmt: skip


def is_elementwise(function: Any) -> bool:
    """Whether a function is of the family that has derivatives."""
    return isinstance(function, fa.Activation)


def reduces(function: Any) -> bool:
    """Whether there is one number for each row; then `backward` takes the input."""
    return "keepdims" in inspect.signature(function).parameters


def has_axis(function: Any) -> bool:
    """Whether a function works along an axis; else each element is by itself."""
    return not is_elementwise(function) and "axis" in inspect.signature(function).parameters


def known_parameters(function: Any) -> list[str]:
    """The parameters that the command line can give."""
    if is_elementwise(function):
        return [*function.params, *function.spec.variants]
    return [name for name in inspect.signature(function).parameters if name in PARAMETERS]


def parse_params(function: Any, texts: list[str]) -> dict[str, Any]:
    """Return the parameters given as ``name=value``.

    Raises
    ------
    CommandError
        For an unknown or repeated name and for a value that is not a number or not a choice.
    """
    name, known = function.__name__, known_parameters(function)
    variants = function.spec.variants if is_elementwise(function) else {}
    params: dict[str, Any] = {}
    for text in texts:
        key, equals, value = text.partition("=")
        if not equals:
            raise CommandError(f"--param {text}: expected NAME=VALUE")
        if key not in known:
            has = f"it has {', '.join(known)}" if known else "it has none"
            raise CommandError(f"--param {text}: {name} has no parameter {key!r}; {has}")
        if key in params:
            raise CommandError(f"--param {text}: {key} is given twice")
        if key in variants:
            if value not in variants[key]:
                raise CommandError(f"--param {text}: expected {key} to be one of {', '.join(variants[key])}")
            params[key] = value
            continue
        parse, what = PARAMETERS.get(key, (float, "a number"))
        try:
            params[key] = parse(value)
        except (ValueError, KeyError):
            raise CommandError(f"--param {text}: {value!r} is not {what}") from None
    return params


@dataclass
class Call:
    """A function with its parameters, ready for an array.

    Attributes
    ----------
    function : callable
        One of the package's functions.
    kind : str
        "value", or for elementwise activations "derivative".
    axis : int or None
        Along which it works; None where each element is by itself.
    params : dict
        Its other arguments.
    """

    function: Any
    kind: str = "value"
    axis: int | None = None
    params: dict[str, Any] = field(default_factory=dict)

    @classmethod
    def of(cls, function: Any, kind: str, axis: int | None, params: dict[str, Any]) -> Call:
        """What the arguments of a command say.

        Raises
        ------
        CommandError
            For an axis or a derivative of what has none, a parameter that is missing.
        """
        name = function.__name__
        if kind == "derivative" and not is_elementwise(function):
            raise CommandError(f"{name} is a {function.word}: it has a backward pass and no derivative for each element")
        if axis is not None and not has_axis(function):
            raise CommandError(f"--axis {axis}: {name} works on each element by itself")
        for missing in sorted(WITHOUT_DEFAULT.get(name, {}).keys() - params.keys()):
            raise CommandError(f"{name} needs --param {missing}={'N' if missing == 'pieces' else 'NUMBER,NUMBER'}")
        return cls(function, kind, -1 if axis is None and has_axis(function) else axis, params)

    def __call__(self, x: Array, axis: int | None = None) -> Array:
        """The result for an array, along another axis if one is given."""
        call = self.function if self.kind == "value" else self.function.derivative
        if self.axis is None:
            return np.asarray(call(x, **self.params))
        return np.asarray(call(x, axis=self.axis if axis is None else axis, **self.params))

    def result(self, shape: tuple[int, ...], dtype: np.dtype[Any], path: str) -> tuple[tuple[int, ...], np.dtype[Any]]:
        """Shape and dtype of the result for an array of such; `axis` is counted from 0 afterwards.

        Raises
        ------
        CommandError
            If the function does not take the array.
        """
        if self.axis is None:
            return shape, self._tried((0,), dtype, path).dtype
        rest = [d for d in range(len(shape)) if d != self.axis % len(shape)]
        found = self._tried(tuple(0 if d in rest else n for d, n in enumerate(shape)), dtype, path)
        self.axis = self.axis % len(shape) if shape else 0
        if found.ndim < len(shape):
            return tuple(shape[d] for d in rest), found.dtype
        return tuple(shape[d] if d in rest else n for d, n in enumerate(found.shape)), found.dtype

    def _tried(self, shape: tuple[int, ...], dtype: np.dtype[Any], path: str) -> Array:
        name = self.function.__name__
        alone = replace(self, params=copy.deepcopy(self.params))  # a generator must not draw for this
        try:
            return alone(np.zeros(shape, dtype))
        except (TypeError, ValueError, IndexError) as error:
            if isinstance(error, TypeError) and "dtype" in str(error):
                raise CommandError(f"{path}: has dtype {dtype}; {name} {TAKES}") from None
            raise CommandError(f"{path}: {error}") from None


def backward(call: Call, x: Array) -> Callable[[Any], Any]:
    """The backward pass as ``pass(x)``, for a gradient of ones; what the forward pass leaves for it is computed here."""
    function, axis, params = call.function, call.axis, dict(call.params)
    name, family = function.__name__, function.family
    if is_elementwise(function):
        return lambda x: function.derivative(x)
    if name == "maxout":
        y, index = function(x, params["pieces"], axis, return_index=True)
        return lambda x: function.backward(np.ones_like(y), index, params["pieces"], axis)
    if name in ("rrelu", "noisy_relu"):
        y, noise = function(x, **params, **{"return_slopes" if name == "rrelu" else "return_noise": True})
        return lambda x: function.backward(np.ones_like(y), x, noise)
    if name == "gumbel_softmax":
        _, y = function(x, axis=axis, return_soft=True, **params)
        return lambda x: function.backward(np.ones_like(y), y, params.get("tau", 1.0), axis)
    y = call(x)
    grad = np.ones_like(y)
    if name == "max_affine":
        return lambda x: function.backward(grad, x, **params)
    if family == "rowwise" and not reduces(function):
        return lambda x: function.backward(grad, y, axis=axis, **params)
    return lambda x: function.backward(grad, x, axis=axis, **params)
