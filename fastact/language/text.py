"""The text of a formula: its assignments in order, and the slice of them that an output needs."""

from __future__ import annotations

import ast
import struct
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

from .grammar import tree_of

#: The operators, as C and Python write them.
SYMBOLS = {
    ast.Add: "+", ast.Sub: "-", ast.Mult: "*", ast.Div: "/", ast.BitAnd: "&", ast.BitOr: "|",
    ast.Lt: "<", ast.LtE: "<=", ast.Gt: ">", ast.GtE: ">=", ast.Eq: "==", ast.NotEq: "!=",
}  # fmt: skip


def nearest(value: Fraction, precision: str) -> float:
    """The number of the given precision nearest to a real one (normal range)."""
    if precision == "float64":
        return float(value)
    low = struct.unpack("<f", struct.pack("<f", float(value)))[0]
    steps = [low]
    bits = struct.unpack("<I", struct.pack("<f", low))[0]
    for near in (bits - 1, bits + 1):
        if 0 <= near < 2**32:
            steps.append(struct.unpack("<f", struct.pack("<I", near))[0])
    return min((s for s in steps if s - s == 0.0), key=lambda s: abs(Fraction(s) - value))


@dataclass(eq=False)
class Text:
    """A formula or primitive, parsed: assignments in order, then the returned expressions.

    A call in it is of an atom, of a primitive, or of a kind of an activation by a name with a point: ``gelu.derivative``.
    """

    name: str
    arguments: list[str]
    body: list[tuple[list[str], ast.expr]]
    results: list[ast.expr]
    globals: dict[str, Any]

    @classmethod
    def of(cls, function: Callable[..., Any] | Text) -> Text:
        """Parse a checked function; a text is what it is."""
        if isinstance(function, Text):
            return function
        tree = tree_of(function)
        body = []
        for statement in tree.body:
            if isinstance(statement, ast.Assign):
                target = statement.targets[0]
                names = target.elts if isinstance(target, ast.Tuple) else [target]
                body.append(([n.id for n in names if isinstance(n, ast.Name)], statement.value))
            elif isinstance(statement, ast.Return):
                value = statement.value
                assert value is not None
                results = value.elts if isinstance(value, ast.Tuple) else [value]
        arguments = [a.arg for a in tree.args.args]
        return cls(tree.name, arguments, body, results, function.__globals__)

    def slice(self, results: Iterable[ast.expr]) -> list[tuple[list[str], ast.expr]]:
        """The assignments that the given expressions depend on, in order."""
        needed = {name for expr in results for name in names_in(expr)}
        kept = []
        for targets, expr in reversed(self.body):
            if needed.intersection(targets):
                needed = (needed - set(targets)) | names_in(expr)
                kept.append((targets, expr))
        return kept[::-1]


def names_in(expr: ast.expr) -> set[str]:
    called = {id(n.func) for n in ast.walk(expr) if isinstance(n, ast.Call)}
    return {n.id for n in ast.walk(expr) if isinstance(n, ast.Name) and id(n) not in called}


def calls_in(exprs: Iterable[ast.expr]) -> list[str]:
    return [n.func.id for e in exprs for n in ast.walk(e) if isinstance(n, ast.Call) and isinstance(n.func, ast.Name)]
