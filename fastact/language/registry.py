"""``@activation``, ``@primitive`` and ``@row_pass``, and what has been registered by them."""

from __future__ import annotations

import math
import re
import sys
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any
from weakref import WeakValueDictionary

from .terms import SCALARS, FormulaError, Primitive, RowPass, where


class Formulas(list[Any]):
    """Formulas of a kind, none or one; to call it is to register one, so that it is a decorator."""

    def __call__(self, function: Callable[..., Any]) -> Callable[..., Any]:
        """Register a formula."""
        check(function)
        self.append(function)
        return function


@dataclass(frozen=True)
class Spec:
    """One activation: its formula and everything that is known of it.

    Attributes
    ----------
    name : str
        The canonical name (jax.nn's spelling).
    formula : callable or Text
        The text that is compiled; never called.
    params : dict
        Parameter names and defaults, in the formula's order.
    alias : tuple of str
        Other names: torch's, ONNX's, keras's, the paper's.
    latex, summary : str
        The formula for people, and the first sentence of the docstring.
    notes : str
        What else the docstring says: conventions at kinks, peers whose defaults differ.
    range : tuple of str
        Infimum and supremum of the values with default parameters.
    limits : tuple of str
        The values at -inf and +inf; strings may name parameters.
    slopes : tuple of str
        The derivative at -inf and +inf.
    kinks : tuple
        Points (numbers or expressions in the parameters) where the derivative jumps.
    monotonic, zero_centred : bool
        With default parameters; zero-centred means that outputs for standard normal inputs have mean 0, as those of odd
        functions do.
    trained : tuple of str
        Parameters that are learned with the weights, in the paper at least.
    saturates : tuple of str
        Left and right saturation: "hard" (constant beyond a point), "soft" (in the limit) or "no".
    smoothness : str
        "discontinuous", "C0", "C1", "C2" or "smooth", with default parameters.
    bound : float
        What the value keeps to, in ULP: 2, or 4 where two transcendental functions meet. Derivatives keep to 4.
    bound32 : float
        The same in float32, where it is another: 4 for a form that takes much less time than one within 2.
    slope_root : str
        A root of the derivative that is no binary number, an expression in the parameters; "" for none.
    slope_absolute : str
        Where the derivative is the difference of larger terms, a condition on x: there its bound is absolute,
        as if it were at least 1/4. With a root the default is "abs(x - root) < 1".
    value_absolute : str
        The same of the value.
    second : Formulas
        The second derivative by x, if there is one: ``@gelu.second`` registers ``f(x, *params)``, or ``f(x)`` where it depends
        on no parameter.
    second_least : str
        What the second derivative counts as at least in its bound, an expression in x and the parameters that is 0 away from
        its roots; "" for nothing.
    output_needs : dict
        The least values of parameters for which the derivative is a function of the output.
    reference : str
        The first paper.
    variants : dict
        Keywords that select another activation: ``{"approximate": {"tanh": "gelu_tanh"}}``.
    """

    name: str
    formula: Any
    params: dict[str, float]
    alias: tuple[str, ...]
    latex: str
    summary: str
    notes: str
    range: tuple[str, str]
    limits: tuple[str, str]
    slopes: tuple[str, str]
    kinks: tuple[Any, ...]
    monotonic: bool
    zero_centred: bool
    trained: tuple[str, ...]
    saturates: tuple[str, str]
    smoothness: str
    bound: float
    slope_root: str
    slope_absolute: str
    value_absolute: str
    reference: str
    family: str
    variants: dict[str, dict[str, str]] = field(default_factory=dict)
    output_needs: dict[str, float] = field(default_factory=dict)
    inverse: list[Callable[..., Any]] = field(default_factory=list)
    second: Formulas = field(default_factory=Formulas)
    second_least: str = ""
    bound32: float = 2.0

    def root(self, *params: float) -> float | None:
        """The root of the derivative at the parameters (their defaults, without any); None for none."""
        return float(self._eval(self.slope_root, params)) if self.slope_root else None

    def most(self, kind: str, dtype: Any) -> float:
        """The contract of a value or derivative, in ULP."""
        return 4.0 if kind != "value" else self.bound if dtype == "float64" else self.bound32

    def absolute(self, kind: str, x: Any, *params: float) -> Any:
        """Where among x the bound of the value or the derivative is absolute; None for nowhere."""
        text = {"value": self.value_absolute, "derivative": self.slope_absolute}.get(kind, "")
        return self._eval(text, params, x=x, root=self.root(*params)) if text else None

    def least(self, x: Any, *params: float) -> Any:
        """What the second derivative at x counts as at least in its bound."""
        return self._eval(self.second_least or "0 * abs(x)", params, x=x)

    def number(self, text: str, *params: float) -> float:
        """What a string of range, limits or slopes stands for at the parameters (their defaults, without any)."""
        return float(self._eval(text, params))

    def kinks_at(self, *params: float) -> list[float]:
        """The kinks that there are at the parameters (their defaults, without any), sorted."""
        found = []
        for kink in self.kinks:
            place, _, but = str(kink).partition(" unless ")
            if not (but and self._eval(re.sub("(?<![<>=])=(?!=)", "==", but), params)):
                found.append(self.number(place, *params))
        return sorted(set(found))

    def _eval(self, text: str, params: tuple[float, ...], **scope: Any) -> Any:
        names = dict(zip(self.params, params or self.params.values(), strict=True))
        known = {"abs": abs, "sqrt": math.sqrt, "pi": math.pi, "inf": math.inf, "nan": math.nan}
        return eval(text, {"__builtins__": {}}, {**known, **names, **scope})

    def from_output(self, function: Callable[..., Any]) -> Callable[..., Any]:
        """Register the derivative as a function of the output: ``f(y, *params)``."""
        check(function)
        self.inverse.append(function)
        return function


_PACKAGE = __name__.partition(".")[0]
# setup.py, which compiles the formulas, says so on the package; afterwards these need no check again.
_BUILDING = getattr(sys.modules[_PACKAGE], "building", False)


def check(function: Callable[..., Any]) -> None:
    """Refuse a function outside the formula language, unless the build has checked it."""
    if _BUILDING or not function.__module__.startswith(f"{_PACKAGE}."):
        from .grammar import check_grammar  # which parses files: a plain import of fastact has no use for it

        check_grammar(function)


class _Registry(dict[str, Spec]):
    """The activations of the package by name. Those that users define are found by their names too, but not listed."""

    def __init__(self) -> None:
        self.defined: WeakValueDictionary[str, Spec] = WeakValueDictionary()

    def __missing__(self, name: str) -> Spec:
        return self.defined[name]

    def knows(self, name: str) -> bool:
        """Whether there is an activation of that name, the package's or a user's."""
        return name in self or name in self.defined


REGISTRY = _Registry()
ROW_PASSES: dict[str, RowPass] = {}
#: Row-wise functions as one kernel: the passes that may be a row ahead, those that follow, and those of the results; backward
#: the last two.
ROW_KERNELS: dict[str, dict[str, tuple[tuple[RowPass, ...], ...]]] = {}  # by precision
PRIMITIVES: dict[tuple[str, str | None], Primitive] = {}


def primitive(function: Callable[..., Any]) -> Primitive:
    """Register a primitive; a package named float32 or float64 holds texts for that precision."""
    precision = next((p for p in function.__module__.split(".") if p in ("float32", "float64")), None)
    check(function)
    entry = Primitive(function.__name__, function, precision)
    PRIMITIVES[entry.name, precision] = entry
    return entry


def activation(
    *,
    latex: str,
    limits: tuple[str, str],
    slopes: tuple[str, str],
    range: tuple[str, str],
    reference: str,
    params: dict[str, float] | None = None,
    alias: tuple[str, ...] = (),
    notes: str = "",
    kinks: tuple[Any, ...] = (),
    monotonic: bool = True,
    zero_centred: bool = False,
    trained: tuple[str, ...] = (),
    saturates: tuple[str, str] = ("no", "no"),
    smoothness: str = "smooth",
    bound: float = 2.0,
    bound32: float | None = None,
    slope_root: str = "",
    slope_absolute: str = "",
    value_absolute: str = "",
    variants: dict[str, dict[str, str]] | None = None,
    output_needs: dict[str, float] | None = None,
    second_least: str = "",
) -> Callable[[Callable[..., Any]], Spec]:
    """Register a formula as an activation; the fields are those of `Spec`."""

    def register(function: Callable[..., Any]) -> Spec:
        check(function)
        name = function.__name__
        arguments = function.__code__.co_varnames[: function.__code__.co_argcount]
        if arguments != ("x", *(params or {})):
            raise FormulaError(f"{where(function)}: {name} takes {arguments}, but params names {params}")
        for other in trained:
            if other not in (params or {}):
                raise FormulaError(f"{where(function)}: {name} trains {other!r}, which is no parameter")
        for taken in (name, *alias):
            if taken in REGISTRY or any(taken in s.alias for s in REGISTRY.values()):
                raise FormulaError(f"{where(function)}: the name {taken!r} is taken")
        spec = Spec(
            name=name, formula=function, params=dict(params or {}), alias=alias, latex=latex,
            summary=" ".join((function.__doc__ or "").split()), notes=notes, range=range,
            limits=limits, slopes=slopes, kinks=kinks, monotonic=monotonic,
            zero_centred=zero_centred, trained=trained, saturates=saturates, smoothness=smoothness,
            bound=bound, slope_root=slope_root, slope_absolute=slope_absolute or ("abs(x - root) < 1" if slope_root else ""),
            value_absolute=value_absolute, reference=reference, family=function.__module__.rpartition(".")[2],
            variants=variants or {}, output_needs=output_needs or {}, second_least=second_least, bound32=bound32 or bound,
        )
        REGISTRY[name] = spec
        return spec

    return register


def row_pass(
    *, inputs: str, lanes: str = "", state: str = "", once: bool = False, start: tuple[float, float] = (0.0, 0.0),
    alone: bool = True, short: bool = False,
) -> Callable[[Callable[..., Any]], RowPass]:
    """Register a pass over rows; the fields are those of `RowPass`, names separated by spaces."""

    def register(function: Callable[..., Any]) -> RowPass:
        check(function)
        names = tuple(inputs.split()), tuple(lanes.split()), tuple(state.split())
        entry = RowPass(function.__name__, function, *names, once, start, alone, short)
        arguments = function.__code__.co_varnames[: function.__code__.co_argcount]
        scalars = tuple(a for a in arguments if a in SCALARS)
        if arguments != (*entry.inputs, *scalars, *entry.lanes, *entry.state):
            raise FormulaError(f"{where(function)}: {entry.name} takes {arguments}, not inputs, scalars, lanes, state")
        ROW_PASSES[entry.name] = entry
        return entry

    return register
