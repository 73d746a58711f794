"""Writes expressions in the language of formulas, with what keeps their digits.

Products and sums are fused where the hardware does. The argument of a function that multiplies a relative error of it (an
exponential, a sine) carries what its own rounding lost, as a second part, which corrects the result to first order.
"""

from __future__ import annotations

import ast
import math
from collections.abc import Callable, Sequence
from decimal import Decimal

import numpy as np

from ..language.terms import Constant
from ..language.text import Text
from . import tree
from .tree import Node

_OPERATORS: dict[str, ast.operator] = {
    "+": ast.Add(), "-": ast.Sub(), "*": ast.Mult(), "/": ast.Div(), "&": ast.BitAnd(), "|": ast.BitOr(),
}
_COMPARISONS: dict[str, ast.cmpop] = {
    "<": ast.Lt(), "<=": ast.LtE(), ">": ast.Gt(), ">=": ast.GtE(), "==": ast.Eq(), "!=": ast.NotEq(),
}
#: Functions of the vocabulary that are called otherwise in the language.
_PRIMITIVES = {"sign": "signum"}
#: Functions that take the second part of their argument themselves.
_IN_PARTS = {
    "sin": "sine", "cos": "cosine", "exp": "exp_of", "expm1": "expm1_of", "sigmoid.value": "logistic_of_parts",
}


class _Writer:
    """Collects assignments; every expression is one."""

    def __init__(self) -> None:
        self.body: list[tuple[list[str], ast.expr]] = []
        self.done: dict[Node, ast.expr] = {}
        self.parts: dict[Node, tuple[ast.expr, ast.expr] | None] = {}
        self.constants: dict[str, Constant] = {}

    def assign(self, value: ast.expr) -> ast.expr:
        name = f"t{len(self.body)}_"
        self.body.append(([name], value))
        return ast.Name(name, ast.Load())

    def binary(self, a: ast.expr, op: str, b: ast.expr) -> ast.expr:
        return self.assign(ast.BinOp(a, _OPERATORS[op], b))

    def call(self, function: str, *args: ast.expr) -> ast.expr:
        return self.assign(_call(function, *args))

    def pair(self, function: str, *args: ast.expr) -> tuple[ast.expr, ast.expr]:
        names = [f"t{len(self.body)}_", f"t{len(self.body)}_low_"]
        self.body.append((names, _call(function, *args)))
        high, low = (ast.Name(n, ast.Load()) for n in names)
        return high, low

    def negative(self, a: ast.expr) -> ast.expr:
        return self.assign(ast.UnaryOp(ast.USub(), a))

    def of(self, node: Node) -> ast.expr:
        """The expression, as a name or a number."""
        if node not in self.done:
            for each in tree.nodes(node):
                if each not in self.done:
                    self.done[each] = self.write(each)
        return self.done[node]

    def write(self, node: Node) -> ast.expr:
        args = [self.done[a] for a in node.args]
        match node.op:
            case "number":
                return _literal(node.value)
            case "name":
                return ast.Name(node.value, ast.Load())
            case "neg":
                return self.negative(args[0])
            case "+" | "-":
                return self.sum(node, args)
            case "select":
                return self.call("select", *args)
            case "call":
                return self.function(node, args)
            case op if op in _COMPARISONS:
                return self.assign(ast.Compare(args[0], [_COMPARISONS[op]], [args[1]]))
        return self.binary(args[0], node.op, args[1])

    def sum(self, node: Node, args: list[ast.expr]) -> ast.expr:
        """A sum or difference, fused with a product that is one of its terms."""
        a, b = node.args
        if a.op == "*":
            factors = [self.done[f] for f in a.args]
            return self.call("mul_add", *factors, args[1] if node.op == "+" else self.negative(args[1]))
        if b.op == "*":
            first, second = (self.done[f] for f in b.args)
            return self.call("mul_add", first if node.op == "+" else self.negative(first), second, args[0])
        return self.binary(args[0], node.op, args[1])

    def function(self, node: Node, args: list[ast.expr]) -> ast.expr:
        name = node.value
        low = self.low(node.args[0]) if name in _IN_PARTS or name in _STEEP else None
        if name in _IN_PARTS and (low is not None or name in ("sin", "cos")):
            return self.call(_IN_PARTS[name], args[0], _literal(0.0) if low is None else low)
        found = self.call(_PRIMITIVES.get(name, name), *args)
        if low is None:
            return found
        slope = _STEEP[name](self, args[0], found)
        corrected = self.call("mul_add", low, slope, found)
        small = self.assign(ast.Compare(_call("abs", low), [ast.Lt()], [_literal(1.0)]))  # neither NaN nor infinite
        number = self.assign(ast.Compare(corrected, [ast.Eq()], [corrected]))
        return self.call("select", self.binary(small, "&", number), corrected, found)

    # -- what the rounding of an argument lost -------------------------------------------------

    def low(self, node: Node) -> ast.expr | None:
        """What rounding lost of an expression, to first order; None for nothing worth a thought."""
        found = self.in_parts(node)
        return None if found is None else found[1]

    def in_parts(self, node: Node) -> tuple[ast.expr, ast.expr] | None:
        if node not in self.parts:
            self.parts[node] = self._in_parts(node)
        return self.parts[node]

    def _in_parts(self, node: Node) -> tuple[ast.expr, ast.expr] | None:
        if node.op == "neg":
            inner = self.in_parts(node.args[0])
            return None if inner is None else (self.of(node), self.negative(inner[1]))
        if node.is_number and float(np.float32(node.value)) != node.value:
            name = f"c{len(self.constants)}_"
            self.constants[name] = Constant(str(Decimal(node.value)))
            return self.of(node), ast.Attribute(ast.Name(name, ast.Load()), "lo", ast.Load())
        if node.op not in ("+", "-", "*", "/"):
            return None
        value = self.of(node)
        a, b = (self.of(n) for n in node.args)
        a_low, b_low = (self.low(n) for n in node.args)
        if node.op == "*":
            if a_low is b_low is None and node.args[0].is_number and _power_of_two(node.args[0].value):
                return None
            high, low = self.pair("two_product", a, b)
            for factor, other in ((a_low, b), (b_low, a)):
                if factor is not None:
                    low = self.call("mul_add", factor, other, low)
            return high, low
        if node.op == "/":
            rest = self.call("fma", self.negative(value), b, a)
            rest = rest if a_low is None else self.binary(rest, "+", a_low)
            rest = rest if b_low is None else self.call("mul_add", self.negative(value), b_low, rest)
            return value, self.binary(rest, "/", b)
        if node.op == "-":
            b, b_low = self.negative(b), b_low and self.negative(b_low)
        high, low = self.pair("two_sum", a, b)
        for each in (a_low, b_low):
            low = low if each is None else self.binary(low, "+", each)
        # The plain sum may be fused with a product; what that kept is not lost.
        return value, self.binary(self.binary(high, "-", value), "+", low)


def _steep_slope(w: _Writer, u: ast.expr, y: ast.expr) -> ast.expr:
    """Of the derivatives of sigmoid and tanh, about: y times -u / (2 + |u|) and twice that."""
    return w.binary(y, "*", w.binary(w.negative(u), "/", w.assign(ast.BinOp(_literal(2.0), ast.Add(), _call("abs", u)))))


def _steep_softplus(w: _Writer, u: ast.expr, y: ast.expr) -> ast.expr:
    return w.binary(y, "/", w.assign(ast.BinOp(_literal(1.0), ast.Add(), _call("abs", y))))


#: Functions whose relative condition number grows with their argument u: their derivative, about, given u and the value.
_STEEP: dict[str, Callable[[_Writer, ast.expr, ast.expr], ast.expr]] = {
    "sigmoid.derivative": _steep_slope, "tanh.derivative": _steep_slope, "softplus.value": _steep_softplus,
}  # fmt: skip


def _literal(value: float) -> ast.expr:
    return ast.UnaryOp(ast.USub(), ast.Constant(-value)) if value < 0 else ast.Constant(value)


def _call(function: str, *args: ast.expr) -> ast.expr:
    return ast.Call(ast.Name(function, ast.Load()), list(args), [])


def _power_of_two(value: float) -> bool:
    return abs(math.frexp(value)[0]) == 0.5


def written(name: str, arguments: Sequence[str], results: Sequence[Node], guarded: Sequence[bool]) -> Text:
    """The text of a formula.

    Parameters
    ----------
    name : str
        For messages.
    arguments : sequence of str
        x and the parameters.
    results : sequence of Node
        What it returns.
    guarded : sequence of bool
        Which results are NaN at an infinity although they have a limit: these are taken far out.
    """
    writer = _Writer()
    wanted = {"x", *tree.names(results[0])}
    found: list[ast.expr] = []
    plain = {argument: ast.Name(argument, ast.Load()) for argument in arguments}
    for node, guard in zip(results, guarded, strict=True):
        if guard:
            x = writer.call("ending", plain["x"])
            kept, writer.done, writer.parts = (writer.done, writer.parts), {tree.name("x"): x}, {}
            value = writer.call("ended", writer.of(node), plain["x"])
            writer.done, writer.parts = kept
        else:
            value = writer.of(node)
        found.append(_keeping_nan(writer, value, node, [plain[a] for a in arguments if a in wanted]))
    return Text(name, list(arguments), writer.body, found, dict(writer.constants))


def _keeping_nan(writer: _Writer, value: ast.expr, node: Node, arguments: list[ast.expr]) -> ast.expr:
    """The value, NaN where an argument is: what a comparison or a derivative may have lost."""
    branches = any(n.op == "select" or n.value == "sign" for n in tree.nodes(node))
    depends = tree.names(node)
    lost = [a for a in arguments if branches or a.id not in depends]  # type: ignore[attr-defined]
    for argument in lost:
        value = writer.call("keep_nan", value, argument)
    return value
