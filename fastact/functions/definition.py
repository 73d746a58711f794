"""What `define` finds in a formula: its derivatives, whether they fit, and what is known of it."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from ..calculus import tree
from ..calculus.derivatives import NoDerivative, derivative
from ..calculus.identities import recognised
from ..calculus.latex import latex_of
from ..calculus.notation import Formula, read
from ..calculus.sketch import Sketch
from ..calculus.writing import written
from ..language.registry import Formulas, Spec
from ..language.terms import FormulaError
from ..numba.evaluation import evaluated

_TITLE = "fastact.define"
#: Parameters that a kernel takes at most.
_MOST = 4


class Definition:
    """A formula that has been read.

    Parameters
    ----------
    given : str or callable
        The formula.
    params : dict of str to float
        Parameters with their defaults.
    """

    def __init__(self, given: Any, params: Any) -> None:
        self.formula = read(given, _numbers(params), _TITLE)
        self.params = _defaults(self.formula)

    def spec(self, key: str, name: str, options: dict[str, Any]) -> Spec:
        """Differentiate, check, and say what there is to know."""
        formula, params, arguments = self.formula, self.params, ["x", *self.params]
        results, second = _results(formula, params)
        guards = _guards(arguments, [*results, *second], params)
        text = written(key, arguments, results, guards[: len(results)])
        seconds = [written(key, arguments, second, guards[len(results) :])] if second else []
        sketch = Sketch(results[0], arguments, list(params.values()), evaluated, text)
        _check(name, formula, sketch)
        return Spec(
            name=key, formula=text, params=params, alias=options["alias"],
            latex=options["latex"] or latex_of(formula.results[0]), summary=formula.summary or f"Defined as {formula.source}.",
            notes=options["notes"], reference=options["reference"], family="defined", trained=(), bound=math.nan, slope_root="",
            slope_absolute="", value_absolute="", second=Formulas(seconds), **sketch.found(),
        )  # fmt: skip


def _numbers(params: Any) -> dict[str, float]:
    """The parameters given, as numbers."""
    if not isinstance(params, dict):
        raise TypeError(f"{_TITLE}: params is {type(params).__name__}; expected a dict of names and their defaults")
    for name, value in params.items():
        if not isinstance(name, str) or not name.isidentifier() or name == "x":
            raise ValueError(f"{_TITLE}: params has {name!r}; expected names other than x")
        if isinstance(value, bool) or not isinstance(value, int | float | np.floating | np.integer) or not math.isfinite(value):
            raise TypeError(f"{_TITLE}: params has {name}={value!r}; expected a finite number as its default")
    return {name: float(value) for name, value in params.items()}


def _defaults(formula: Formula) -> dict[str, float]:
    """The parameters with their defaults, which all must have."""
    for name, value in formula.params.items():
        if value is None:
            raise ValueError(f"{_TITLE}: {name} has no default; give one, params={{{name!r}: 1.0}}")
    if len(formula.params) > _MOST:
        raise ValueError(f"{_TITLE}: there are {len(formula.params)} parameters; expected at most {_MOST}")
    return {name: float(value) for name, value in formula.params.items() if value is not None}


def _results(formula: Formula, params: dict[str, float]) -> tuple[list[tree.Node], list[tree.Node]]:
    """Value, derivative and one by each parameter; and the second derivative, if there is one."""
    given = [recognised(r) for r in formula.results]
    if len(given) not in (1, 2, 2 + len(params)):
        raise FormulaError(
            f"{_TITLE}: the formula returns {len(given)} results; expected the value, the value and its derivative, or these and "
            f"a derivative by each of {', '.join(params) or 'no parameters'}"
        )
    try:
        first = given[1] if len(given) > 1 else derivative(given[0], "x")
        partials = given[2:] if len(given) > 2 else [derivative(given[0], p) for p in params]
    except NoDerivative as error:
        raise FormulaError(f"{_TITLE}: {error}; return the derivative too, as in 'return value, derivative'") from None
    try:
        second = [derivative(first, "x")]
    except NoDerivative:
        second = []
    return [given[0], first, *partials], second


def _guards(arguments: list[str], results: list[tree.Node], params: dict[str, float]) -> list[bool]:
    """Which results are NaN at an infinity, but not far out; what oscillates has no limit."""
    if any(n.value in ("sin", "cos", "snake.value", "snake.derivative") for n in tree.nodes(*results)):
        return [False] * len(results)
    ends = [np.array([-math.inf, math.inf]), *params.values()]
    plain = evaluated(written("", arguments, results, [False] * len(results)), ends)
    guarded = evaluated(written("", arguments, results, [True] * len(results)), ends)
    return [bool(np.any(np.isnan(p) & ~np.isnan(g))) for p, g in zip(plain, guarded, strict=True)]


def _check(name: str, formula: Formula, sketch: Sketch) -> None:
    """Refuse a derivative that differences of the values do not confirm."""
    for index, label in enumerate(["derivative", *(f"derivative by {p}" for p in formula.params)], 1):
        wrong = sketch.disagreement(index)
        if wrong is not None:
            x, found, expected = wrong
            raise FormulaError(
                f"{_TITLE}: the {label} of {name} at x = {x:.6g} is {found:.6g}, "
                f"but differences of the values give {expected:.6g}"
            )
    if not sketch.has_values():
        raise FormulaError(f"{_TITLE}: {name} is NaN everywhere on [-10, 10]")
