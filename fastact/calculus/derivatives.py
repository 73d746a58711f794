"""Derivatives of expressions, by the rules of calculus.

The derivative at a kink is that of the branch that a comparison takes there; of abs it is 0 at 0.
"""

from __future__ import annotations

from collections.abc import Callable

from ..language.registry import REGISTRY
from .tree import Node, add, call, divide, is_condition, multiply, names, negative, nodes, number, select, subtract

_TWO_OVER_ROOT_PI = 1.1283791670955126

#: Functions of one argument: their derivative, given the argument and the value.
RULES: dict[str, Callable[[Node, Node], Node]] = {
    "exp": lambda u, y: y,
    "expm1": lambda u, y: call("exp", u),
    "log": lambda u, y: divide(number(1.0), u),
    "log1p": lambda u, y: divide(number(1.0), add(number(1.0), u)),
    "sqrt": lambda u, y: divide(number(0.5), y),
    "abs": lambda u, y: call("sign", u),
    "sign": lambda u, y: number(0.0),
    "sin": lambda u, y: call("cos", u),
    "cos": lambda u, y: negative(call("sin", u)),
    "erf": lambda u, y: multiply(number(_TWO_OVER_ROOT_PI), call("exp", negative(multiply(u, u)))),
}


class NoDerivative(ArithmeticError):
    """There is no rule: the message says of what."""


def derivative(node: Node, by: str, known: dict[Node, Node] | None = None) -> Node:
    """The derivative of an expression by one of its arguments.

    Raises
    ------
    NoDerivative
        Where a built-in function would have to be differentiated more often than its formulas allow.
    """
    known = {} if known is None else known
    if node not in known:
        known[node] = _derivative(node, by, known)
    return known[node]


def _derivative(node: Node, by: str, known: dict[Node, Node]) -> Node:
    zero = number(0.0)
    if node.op == "name":
        return number(1.0) if node.value == by else zero
    if node.is_number or by not in names(node):
        return zero
    parts = [zero if is_condition(a) else derivative(a, by, known) for a in node.args]
    match node.op, node.args:
        case "+", _:
            return add(*parts)
        case "-", _:
            return subtract(*parts)
        case "neg", _:
            return negative(parts[0])
        case "*", (a, b):
            return add(multiply(parts[0], b), multiply(parts[1], a))
        case "/", (_, b):
            return divide(subtract(parts[0], multiply(parts[1], node)), b)
        case "select", (condition, _, _):
            return select(condition, parts[1], parts[2])
    if node.value == "damped":
        slope, inner = node.args
        return add(_chained(parts[0], inner), _chained(slope, parts[1]))
    total = zero
    for index, part in enumerate(parts):
        if not part.equals(0.0):
            total = add(total, _chained(_partial(node, index), part))
    return total


def _chained(slope: Node, inner: Node) -> Node:
    """The product of a chain; where the inner derivative may overflow and the outer has vanished it is 0 and not NaN."""
    if slope.is_number or not any(n.value in ("exp", "expm1") for n in nodes(inner)):
        return multiply(inner, slope)
    return call("damped", slope, inner)


def _partial(node: Node, index: int) -> Node:
    """The derivative of a call by its argument of that number."""
    function, args = node.value, node.args
    if function in RULES:
        return RULES[function](args[0], node)
    activation, _, kind = function.partition(".")
    spec = REGISTRY[activation]
    if kind == "value":
        return call(f"{activation}.partial{index - 1}" if index else f"{activation}.derivative", *args)
    if kind == "derivative" and index == 0 and spec.second:
        return call(f"{activation}.second_derivative", *args)
    of = activation if kind == "value" else f"{activation}.{kind}"
    raise NoDerivative(f"{of} has no derivative by {['x', *spec.params][index]} here")
