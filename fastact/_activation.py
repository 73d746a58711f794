"""The Activation object: a callable with its derivative, gradients and metadata.

Plain arrays take the fast path of ``_call``; whatever else NumPy accepts comes to `general` here,
which names errors, settles the parameters' dtype, and calls the ufunc. No arithmetic stands here.
"""

from __future__ import annotations

import inspect
import math
from functools import lru_cache
from typing import Any

import numpy as np

from . import _cpu, ufuncs
from . import activations as _formulas  # noqa: F401  (fills the registry)
from ._buffers import keeping
from ._call import SPREAD_FROM, Call, is_redirected
from ._device import checked, on_gpu, require_gpu
from ._device import current as current_device
from ._docs import docstring
from ._gradients import parameter_gradients
from ._kernels import Kernel
from ._layouts import spread
from ._spec import REGISTRY, Spec
from ._target import ran_on_cpu

#: The loop that np.exp chooses for a dtype; the same is chosen here when parameters are Python scalars.
_LOOPS = {**dict.fromkeys("?bBe", "e"), **dict.fromkeys("hHf", "f"), **dict.fromkeys("iIlLqQd", "d")}

_ARRAYS = {"backward": ("grad", "x"), "backward_from_output": ("grad", "y")}

_UFUNC_KEYWORDS = {"out", "where", "casting", "order", "dtype", "subok", "signature"}


class _Documentation:
    """``__doc__``: the class's own text on the class, the text made from the metadata on an instance."""

    def __init__(self, text: str) -> None:
        self.text = text

    def __get__(self, instance: Any, owner: type) -> str:
        return self.text if instance is None else docstring(instance.spec, instance.kind)


class _Described(Call):
    """A kind of an activation with what `help`, `repr` and `inspect` want; made when it is asked for."""

    def __init__(self, spec: Spec, kernel: Kernel) -> None:
        defaults = tuple(spec.params.values())
        super().__init__(kernel, tuple(spec.params), defaults, general)
        self.spec = spec
        self.kind = kernel.kind
        self.arrays = _ARRAYS.get(kernel.kind, ("x",))
        self.__module__ = "fastact"

    def __getattr__(self, name: str) -> Any:
        if name != "__signature__":
            raise AttributeError(f"{_title(self)} has no attribute {name!r}")
        return signature(self.spec, self.arrays)


class Activation(_Described):
    __doc__ = _Documentation(
        """An activation function, called like a NumPy ufunc.

        Not made by users: ``fastact.gelu`` is one, `fastact.get` finds one by name.

        Attributes
        ----------
        derivative : callable
            ``derivative(x, *parameters)``: the derivative by x.
        value_and_derivative : callable
            Both in one pass over memory.
        backward : callable
            ``backward(grad, x, *parameters)``: ``grad * derivative(x)``, fused.
        backward_from_output : callable or None
            ``backward_from_output(grad, y, *parameters)``, where the derivative is a function of the output.
        ufunc : numpy.ufunc
            The ufunc underneath; derivative and the others have theirs.
        aliases, params, latex, range, limits, slopes, kinks, monotonic, zero_centred, saturates, smoothness, reference
            What is known of the function; see `fastact._spec.Spec`.
        """
    )

    def __init__(self, spec: Spec, tables: tuple[dict[Any, Any], dict[Any, Any]]) -> None:
        kernels = {
            kind: Kernel(
                spec.name if kind == "value" else f"{spec.name}_{kind}",
                f"{spec.name}: {spec.summary}", kind, tables, (spec.name, printed), len(spec.params),
                2 if kind == "value_and_derivative" else 1, kind.startswith("backward"),
            )
            for kind, printed in _kinds(spec)
        }  # fmt: skip
        super().__init__(spec, kernels["value"])
        self.__name__ = self.__qualname__ = spec.name
        self.backward_from_output: KindCall | None = None
        for kind, kernel in kernels.items():
            setattr(ufuncs, kernel.ufunc.__name__, kernel.ufunc)
            if kind != "value":
                setattr(self, kind, KindCall(spec, kernel))
        self.aliases = spec.alias
        self.params = dict(spec.params)
        for name in ("latex", "range", "limits", "slopes", "kinks", "monotonic", "zero_centred", "saturates",
                     "smoothness", "reference", "family"):  # fmt: skip
            setattr(self, name, getattr(spec, name))

    def parameter_gradients(self, grad: Any, x: Any, *params: Any, **named: Any) -> dict[str, Any]:
        """Return the gradient by each parameter, summed to that parameter's shape.

        Parameters
        ----------
        grad : array_like
            Gradient by the output, broadcast against x.
        x : array_like
            Input of the forward pass.
        *params, **named : array_like
            The parameters as in the call; defaults where left out.

        Returns
        -------
        dict of str to numpy.ndarray
            ``sum(grad * d f / d parameter)`` over the axes along which the parameter was broadcast. Sums
            are carried in float64, pairwise, and block totals exactly.

        Raises
        ------
        TypeError
            If the activation has no parameters, or for arguments that are not real numbers.
        ValueError
            If shapes do not broadcast.
        """
        values = _bind(self, params, named)
        return parameter_gradients(self, grad, x, values)

    def __reduce__(self) -> tuple[Any, tuple[str]]:
        return get, (self.__name__,)

    def __repr__(self) -> str:
        params = "".join(f", {n}={d!r}" for n, d in self.params.items())
        return f"<activation fastact.{self.__name__}(x{params})>"


class KindCall(_Described):
    __doc__ = _Documentation("The derivative, backward or value_and_derivative of an activation, called like a ufunc.")

    def __init__(self, spec: Spec, kernel: Kernel) -> None:
        super().__init__(spec, kernel)
        self.__name__ = kernel.kind
        self.__qualname__ = f"{spec.name}.{kernel.kind}"

    def __reduce__(self) -> tuple[Any, tuple[Any, str]]:
        return getattr, (get(self.spec.name), self.__name__)

    def __repr__(self) -> str:
        return f"<{self.__name__} of activation fastact.{self.spec.name}>"


def _kinds(spec: Spec) -> list[tuple[str, str]]:
    """The kinds of an activation, each with the printed kernel that it runs on."""
    kinds = [("value", "value"), ("derivative", "derivative"), ("value_and_derivative", "both"), ("backward", "backward")]
    return kinds + ([("backward_from_output", "backward_from_output")] if spec.inverse else [])


def signature(spec: Spec, arrays: tuple[str, ...]) -> inspect.Signature:
    """The signature of a kind: arrays, parameters, and the keywords of a ufunc."""
    keywords = [("out", None), ("where", True), ("casting", "same_kind"), ("order", "K"), ("dtype", None), ("subok", True)]
    kinds = inspect.Parameter
    found = [kinds(a, kinds.POSITIONAL_ONLY) for a in arrays]
    found += [kinds(n, kinds.POSITIONAL_OR_KEYWORD, default=d) for n, d in spec.params.items()]
    found += [kinds(n, kinds.KEYWORD_ONLY, default=d) for n, d in keywords]
    return inspect.Signature(found)


# ---------------------------------------------------------------------------------------------------
# The general path
# ---------------------------------------------------------------------------------------------------


def general(call: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    """Call the ufunc with whatever NumPy accepts."""
    spec = call.spec
    if spec.variants:
        call, kwargs = _variant(call, kwargs)
        spec = call.spec
    target = current_device()
    if "device" in kwargs:
        kwargs = dict(kwargs)
        target = checked(kwargs.pop("device"), f"{_title(call)}: device")
    nin = call.ufunc.nin - len(spec.params)
    if len(args) < nin:
        names = call.arrays
        raise TypeError(f"{_title(call)}: missing argument {names[len(args)]!r}; expected {', '.join(names)}")
    arrays, params = args[:nin], args[nin:]
    named = {k: kwargs.pop(k) for k in [k for k in kwargs if k not in _UFUNC_KEYWORDS]}
    values = _bind(call, params, named)
    there = any(map(on_gpu, (*arrays, *values, *_outputs(kwargs))))
    if there or target == "cuda":
        return _on_cuda(call, there, target, arrays, values, kwargs)
    ran_on_cpu()
    if is_redirected() and (found := call.direct(args, {**kwargs, **named})) is not None:
        return found
    dtypes = [_dtype(call, name, a) for name, a in zip([*call.arrays, *spec.params], [*arrays, *values], strict=True)]
    ufunc = call.ufunc
    plain = all(d is not None for d in dtypes)
    if plain and not kwargs.keys() - {"out"} and (found := _spread(call, [*arrays, *values], dtypes, kwargs.get("out"))):
        return found[0] if ufunc.nout == 1 else found
    if values and plain and all(map(_weak, values)) and not {"dtype", "signature"} & kwargs.keys():
        # Python scalars have no say in the dtype; float16 arrays take them as float32.
        loop = _loop(arrays, dtypes)
        param = "f" if loop == "e" else loop
        kwargs["signature"] = loop * nin + param * len(values) + "->" + loop * ufunc.nout
        ufunc = call.mixed_ufunc if loop == "e" else ufunc
    return keeping(ufunc, *arrays, *values, **kwargs)


def _spread(call: Any, arrays: list[Any], dtypes: list[Any], out: Any) -> tuple[Any, ...] | None:
    """Compute a large result on all threads whatever the layouts and dtypes; None for what is left to the ufunc."""
    if math.prod(getattr(a, "size", 1) for a in arrays) < SPREAD_FROM:
        return None
    nout = call.ufunc.nout
    outputs = [None] * nout if out is None else list(out) if isinstance(out, tuple) else [out]
    given = [a for a in [*arrays, *outputs] if a is not None and not _weak(a)]
    try:
        if np.broadcast(*given).size < SPREAD_FROM or len(outputs) != nout:
            return None
    except ValueError:  # which the ufunc says better
        return None
    if not all(type(a) is np.ndarray and a.dtype.isnative and a.flags.aligned for a in given):
        return None
    weak = [_weak(a) for a in arrays[call.ufunc.nin - len(call.spec.params) :]]
    dtype = np.dtype(_loop(tuple(arrays), dtypes))
    if any(o is not None and o.dtype != dtype for o in outputs) or (dtype == "e" and any(weak) and not all(weak)):
        return None
    flags = [["readonly", "overlap_assume_elementwise"]] * len(arrays)
    flags += [["writeonly", "allocate", "no_broadcast", "overlap_assume_elementwise"]] * nout
    try:
        visit = keeping(np.nditer, [*arrays, *outputs], ["copy_if_overlap"], flags, [None] * len(arrays) + [dtype] * nout)
    except ValueError:
        return None
    with visit:
        spread(call.kernel, dtype == "d", visit.itviews)
        return tuple(made if o is None else o for made, o in zip(visit.operands[-nout:], outputs, strict=True))


def _loop(arrays: tuple[Any, ...], dtypes: list[Any]) -> str:
    """The type character of the loop for arrays of these dtypes."""
    return _LOOPS[np.result_type(*(a if _weak(a) else d for a, d in zip(arrays, dtypes, strict=False))).char]


def _outputs(kwargs: dict[str, Any]) -> tuple[Any, ...]:
    """The arrays given as ``out=``."""
    out = kwargs.get("out")
    return out if isinstance(out, tuple) else (out,)


def _on_cuda(
    call: Any, there: bool, target: str | None, arrays: tuple[Any, ...], values: list[Any], kwargs: dict[str, Any]
) -> Any:
    """Compute on a GPU, because arrays are there or the caller says so."""
    title = _title(call)
    require_gpu(title, there, target)
    common = title, call.spec, call.kind, call.arrays
    if there:
        from ._cuda_dispatch import on_arrays_there

        return on_arrays_there(*common, arrays, values, kwargs)
    from ._cuda_host import on_host_arrays

    given = [*arrays, *(v for v in values if not _weak(v))]
    names = [*call.arrays, *(n for n, v in zip(call.spec.params, values, strict=True) if not _weak(v))]
    dtypes = [_dtype(call, name, a) for name, a in zip(names, given, strict=True)]
    for name, value, dtype in zip(names, given, dtypes, strict=True):
        if dtype is None or (isinstance(value, np.ndarray) and type(value) is not np.ndarray):
            raise TypeError(f"{title}: {name} is {type(value).__name__}; device='cuda' takes plain NumPy arrays and numbers")
    return on_host_arrays(*common, list(arrays), values, np.dtype(_loop(tuple(given), dtypes)), kwargs)


def _weak(value: Any) -> bool:
    """Whether a value is a Python scalar, which NumPy promotes to the dtype of the others."""
    return type(value) in (float, int, bool)


def _title(call: Any) -> str:
    return f"fastact.{call.__qualname__}"


def _dtype(call: Any, name: str, value: Any) -> np.dtype[Any] | None:
    """The dtype of an argument, refused if no kernel can take it; None if the argument overrides ufuncs."""
    if type(value) is float:
        return np.dtype("d")
    if not isinstance(value, np.ndarray) and hasattr(value, "__array_ufunc__") and not isinstance(value, np.generic):
        return None
    dtype = value.dtype if isinstance(value, np.ndarray | np.generic) else np.asarray(value).dtype
    if dtype.char not in _LOOPS:
        raise TypeError(
            f"{_title(call)}: {name} has dtype {dtype}; expected float16, float32, float64, an integer or bool dtype"
        )
    return dtype


def _bind(call: Any, params: tuple[Any, ...], named: dict[str, Any]) -> list[Any]:
    """The parameters in order, from positions, names and defaults."""
    defaults = call.spec.params
    if len(params) > len(defaults):
        expected = ", ".join([*call.arrays, *defaults])
        raise TypeError(f"{_title(call)}: too many arguments; expected {expected}")
    values = dict(zip(defaults, params, strict=False))
    for name, value in named.items():
        if name not in defaults:
            known = ", ".join([*defaults, *sorted(_UFUNC_KEYWORDS)])
            raise TypeError(f"{_title(call)}: unexpected keyword {name!r}; known are {known}")
        if name in values:
            raise TypeError(f"{_title(call)}: {name!r} is given twice, by position and by name")
        values[name] = value
    return [values.get(name, default) for name, default in defaults.items()]


def _variant(call: Any, kwargs: dict[str, Any]) -> tuple[Any, dict[str, Any]]:
    """Follow a keyword that selects another activation: gelu's ``approximate="tanh"``."""
    for keyword, choices in call.spec.variants.items():
        if keyword in kwargs:
            kwargs = dict(kwargs)
            choice = kwargs.pop(keyword)
            if not isinstance(choice, str) or choice not in choices:
                raise ValueError(f"{_title(call)}: {keyword} is {choice!r}; expected one of {', '.join(map(repr, choices))}")
            target = get(choices[choice])
            return target if isinstance(call, Activation) else getattr(target, call.__name__), kwargs
    return call, kwargs


# ---------------------------------------------------------------------------------------------------
# All of them
# ---------------------------------------------------------------------------------------------------


def _build() -> dict[str, Activation]:
    tables = _cpu.tables()
    found = {name: Activation(spec, tables) for name, spec in REGISTRY.items()}
    return {**found, **{alias: found[name] for name, spec in REGISTRY.items() for alias in spec.alias}}


#: Every activation by every one of its names.
BY_NAME = _build()


def get(name: str) -> Any:
    """Return the activation or other function of that name or alias; case, "-" and "_" do not matter.

    Parameters
    ----------
    name : str
        Canonical name or alias: ``"silu"``, ``"swish"``, ``"SiLU"``.

    Raises
    ------
    ValueError
        If there is none; the message suggests near names.

    Examples
    --------
    >>> import fastact as fa
    >>> fa.get("swish") is fa.silu
    True
    """
    try:
        return BY_NAME[name]
    except (KeyError, TypeError):
        pass
    if not isinstance(name, str):
        raise TypeError(f"fastact.get: name must be a str, got {type(name).__name__}")
    folded = _folded()
    found = folded.get(_fold(name))
    if found is None:
        import difflib

        near = difflib.get_close_matches(_fold(name), folded, n=3)
        hint = f"; did you mean {' or '.join(dict.fromkeys(folded[n].__name__ for n in near))}?" if near else ""
        raise ValueError(f"fastact.get: there is no activation {name!r}{hint}")
    return found


def _fold(name: str) -> str:
    return name.lower().replace("_", "").replace("-", "").replace(" ", "")


@lru_cache
def _folded() -> dict[str, Any]:
    from ._functions import BY_NAME as EVERY  # some of these are made of activations

    return {_fold(name): function for name, function in EVERY.items()}


def activations() -> list[str]:
    """Return the canonical names of all elementwise activations, sorted.

    Examples
    --------
    >>> import fastact as fa
    >>> "gelu" in fa.activations()
    True
    """
    return sorted(REGISTRY)
