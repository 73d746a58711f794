"""How many operations a formula takes: it is run on symbols, and the results that its value needs are counted.

The unit is an operation of the compiled formula on one element: an addition, multiplication, division, comparison, selection,
fused multiplication, sign change, rounding or any other atom, each counted once however often its result is used. Which of
these a processor does faster is left out, so that the number says how long a formula is, not how long a call takes.
"""

from __future__ import annotations

import ast
from collections.abc import Callable
from fractions import Fraction
from functools import lru_cache, partial
from types import CodeType, FunctionType
from typing import Any

from . import atoms
from .registry import PRIMITIVES, REGISTRY
from .terms import Constant, Primitive
from .text import Text, calls_in


class _Symbol:
    """A result in a formula that is being counted: the operation and its operands."""

    def __init__(self, key: tuple[Any, ...]) -> None:
        self.key = key

    def __neg__(self) -> _Symbol:
        return _of("-", self)

    def __add__(self, other: Any) -> _Symbol:
        return _of("+", self, other)

    def __radd__(self, other: Any) -> _Symbol:
        return _of("+", other, self)

    def __sub__(self, other: Any) -> _Symbol:
        return _of("-", self, other)

    def __rsub__(self, other: Any) -> _Symbol:
        return _of("-", other, self)

    def __mul__(self, other: Any) -> _Symbol:
        return _of("*", self, other)

    def __rmul__(self, other: Any) -> _Symbol:
        return _of("*", other, self)

    def __truediv__(self, other: Any) -> _Symbol:
        return _of("/", self, other)

    def __rtruediv__(self, other: Any) -> _Symbol:
        return _of("/", other, self)

    def __and__(self, other: Any) -> _Symbol:
        return _of("&", self, other)

    def __or__(self, other: Any) -> _Symbol:
        return _of("|", self, other)

    def __lt__(self, other: Any) -> _Symbol:
        return _of("<", self, other)

    def __le__(self, other: Any) -> _Symbol:
        return _of("<=", self, other)

    def __gt__(self, other: Any) -> _Symbol:
        return _of(">", self, other)

    def __ge__(self, other: Any) -> _Symbol:
        return _of(">=", self, other)

    def __eq__(self, other: object) -> _Symbol:  # type: ignore[override]
        return _of("==", self, other)

    def __ne__(self, other: object) -> _Symbol:  # type: ignore[override]
        return _of("!=", self, other)

    __hash__ = object.__hash__


_SEEN: dict[tuple[Any, ...], _Symbol] = {}


def _of(operation: str, *operands: Any) -> _Symbol:
    """The result of an operation; the same one for the same operands."""
    key = (operation, *(id(o) if isinstance(o, _Symbol) else repr(o) for o in operands))
    if key not in _SEEN:
        _SEEN[key] = _Symbol((operation, *operands))
    return _SEEN[key]


def _run(function: Callable[..., Any], precision: str, arguments: list[Any]) -> Any:
    """The results of a formula or primitive on symbols."""
    names: dict[str, Any] = {}
    for name, value in function.__globals__.items():
        if isinstance(value, Primitive):
            names[name] = _primitive(value.name, precision)
        elif isinstance(value, tuple):  # an activation and its kind
            names[name] = partial(_activation, *value, precision)
        elif name in atoms.ATOMS and value is getattr(atoms, name):
            names[name] = lambda *given, of=name: _of(of, *given)
        else:
            names[name] = _Constant(value) if isinstance(value, Constant) else value
    return FunctionType(function.__code__, names)(*arguments)


def _primitive(name: str, precision: str) -> Callable[..., Any]:
    entry = PRIMITIVES.get((name, precision)) or PRIMITIVES[name, None]
    return lambda *given: _run(entry.function, precision, list(given))


def _activation(name: str, kind: str, precision: str, *arguments: Any) -> Any:
    """The result of a kind of an activation on symbols."""
    spec = REGISTRY[name]
    if kind == "second_derivative":
        formula = _function(spec.second[0])
        return _run(formula, precision, list(arguments[: formula.__code__.co_argcount]))
    index = {"value": 0, "derivative": 1}.get(kind)
    results = _run(_function(spec.formula), precision, list(arguments))
    return results[2 + int(kind.removeprefix("partial")) if index is None else index]


def _function(formula: Any) -> Callable[..., Any]:
    """A formula as a Python function; one that is a text becomes one."""
    if not isinstance(formula, Text):
        return formula
    body: list[ast.stmt] = [
        ast.Assign([ast.Name(targets[0], ast.Store()) if len(targets) == 1 else
                    ast.Tuple([ast.Name(t, ast.Store()) for t in targets], ast.Store())], value)
        for targets, value in formula.body
    ]  # fmt: skip
    body.append(ast.Return(ast.Tuple(formula.results, ast.Load())))
    given = ast.arguments([], [ast.arg(a) for a in formula.arguments], None, [], [], None, [])
    module = ast.fix_missing_locations(ast.Module([ast.FunctionDef("formula", given, body, [])], []))
    code = next(c for c in compile(module, "<formula>", "exec").co_consts if isinstance(c, CodeType))
    names: dict[str, Any] = dict(formula.globals)
    for name in {c for e in [v for _, v in formula.body] + formula.results for c in calls_in([e])}:
        if name in atoms.ATOMS:
            names[name] = getattr(atoms, name)
        else:
            names[name] = tuple(name.split(".")) if "." in name else Primitive(name, formula.of, None)
    return FunctionType(code, names)


class _Constant:
    """A constant in two parts, as numbers: what is computed of these alone is no operation."""

    def __init__(self, constant: Constant) -> None:
        self.hi = float(constant.digits)
        self.lo = float(Fraction(constant.digits) - Fraction(self.hi))


@lru_cache
def operations(name: str, precision: str = "float32") -> int:
    """The operations that the value of an activation takes in a precision, for one element."""
    formula = _function(REGISTRY[name].formula)
    arguments = [_Symbol((argument,)) for argument in ("x", *REGISTRY[name].params)]
    try:
        results = _run(formula, precision, arguments)
        left = [results[0] if isinstance(results, tuple) else results]
        found: set[int] = set()
        while left:
            symbol = left.pop()
            if isinstance(symbol, _Symbol) and id(symbol) not in found and len(symbol.key) > 1:
                found.add(id(symbol))
                left.extend(symbol.key[1:])
        return len(found)
    finally:
        _SEEN.clear()
