"""Expressions as trees. Equal expressions are one object, and constructors do the arithmetic that needs no thought."""

from __future__ import annotations

import math
import operator
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any
from weakref import WeakValueDictionary

COMPARISONS = ("<", "<=", ">", ">=", "==", "!=")
_FOLDED = {"+": operator.add, "-": operator.sub, "*": operator.mul}


@dataclass(frozen=True, eq=False)
class Node:
    """An expression.

    Attributes
    ----------
    op : str
        "number", "name", an operator or comparison as Python writes it, "neg", "select" or "call".
    args : tuple of Node
        Its operands.
    value : float or str or None
        The number, or the name of an argument or of the function that is called.
    """

    op: str
    args: tuple[Node, ...] = ()
    value: Any = None

    @property
    def is_number(self) -> bool:
        return self.op == "number"

    def equals(self, number: float) -> bool:
        """Whether it is this number."""
        return self.op == "number" and self.value == number


_KNOWN: WeakValueDictionary[tuple[Any, ...], Node] = WeakValueDictionary()


def _node(op: str, *args: Node, value: Any = None) -> Node:
    key = (op, args, repr(value))
    found = _KNOWN.get(key)
    if found is None:
        found = _KNOWN[key] = Node(op, args, value)
    return found


def number(value: float) -> Node:
    return _node("number", value=float(value))


def name(value: str) -> Node:
    return _node("name", value=value)


def negative(a: Node) -> Node:
    if a.is_number:
        return number(-a.value)
    if a.op == "neg":
        return a.args[0]
    return _node("neg", a)


def _of_numbers(op: str, a: Node, b: Node) -> Node | None:
    """The result, if both are numbers and it is finite."""
    if not (a.is_number and b.is_number) or (op == "/" and not b.value):
        return None
    found = a.value / b.value if op == "/" else _FOLDED[op](a.value, b.value)
    return number(found) if math.isfinite(found) else None


def add(a: Node, b: Node) -> Node:
    if (found := _of_numbers("+", a, b)) is not None:
        return found
    if a.equals(0.0):
        return b
    if b.equals(0.0):
        return a
    if b.op == "neg":
        return subtract(a, b.args[0])
    if a.op == "neg":
        return subtract(b, a.args[0])
    return _node("+", a, b)


def subtract(a: Node, b: Node) -> Node:
    if (found := _of_numbers("-", a, b)) is not None:
        return found
    if b.equals(0.0):
        return a
    if a.equals(0.0):
        return negative(b)
    if b.op == "neg":
        return add(a, b.args[0])
    return _node("-", a, b)


def multiply(a: Node, b: Node) -> Node:
    if (found := _of_numbers("*", a, b)) is not None:
        return found
    if b.is_number:
        a, b = b, a
    if a.equals(0.0):
        return number(0.0)
    if a.equals(1.0):
        return b
    if a.equals(-1.0):
        return negative(b)
    if a.op == "neg":
        return negative(multiply(a.args[0], b))
    if b.op == "neg":
        return negative(multiply(a, b.args[0]))
    if a.is_number and b.op == "*" and b.args[0].is_number:
        return multiply(multiply(a, b.args[0]), b.args[1])
    for one, other in ((a, b), (b, a)):  # numbers stand first
        if one.op == "*" and one.args[0].is_number and not other.is_number:
            return multiply(one.args[0], multiply(one.args[1], other) if one is a else multiply(other, one.args[1]))
    return _node("*", a, b)


def divide(a: Node, b: Node) -> Node:
    if (found := _of_numbers("/", a, b)) is not None:
        return found
    if b.equals(1.0):
        return a
    if a.equals(0.0):
        return a
    if a.op == "neg":
        return negative(divide(a.args[0], b))
    if b.op == "neg":
        return negative(divide(a, b.args[0]))
    if b.is_number and b.value and math.frexp(b.value)[0] in (0.5, -0.5) and abs(b.value) < 1e30:  # an exact reciprocal
        return multiply(number(1.0 / b.value), a)
    return _node("/", a, b)


def compare(symbol: str, a: Node, b: Node) -> Node:
    return _node(symbol, a, b)


def both(a: Node, b: Node) -> Node:
    return _node("&", a, b)


def either(a: Node, b: Node) -> Node:
    return _node("|", a, b)


def select(condition: Node, a: Node, b: Node) -> Node:
    return a if a is b else _node("select", condition, a, b)


def call(function: str, *args: Node) -> Node:
    return _node("call", *args, value=function)


def is_condition(node: Node) -> bool:
    return node.op in (*COMPARISONS, "&", "|")


def built(node: Node, args: tuple[Node, ...]) -> Node:
    """The same operation on other operands."""
    makers: dict[str, Callable[..., Node]] = {
        "+": add, "-": subtract, "*": multiply, "/": divide, "neg": negative, "select": select,
    }  # fmt: skip
    if node.op in makers:
        return makers[node.op](*args)
    return _node(node.op, *args, value=node.value)


def power(a: Node, n: int) -> Node:
    """The n-th power of a, by squaring."""
    if n < 0:
        return divide(number(1.0), power(a, -n))
    if n == 0:
        return number(1.0)
    half = power(a, n // 2)
    square = multiply(half, half)
    return multiply(square, a) if n % 2 else square


def nodes(*roots: Node) -> Iterator[Node]:
    """All nodes of expressions, operands before what is made of them."""
    seen: set[int] = set()
    stack = [(root, False) for root in reversed(roots)]
    while stack:
        node, done = stack.pop()
        if done:
            yield node
        elif id(node) not in seen:
            seen.add(id(node))
            stack.append((node, True))
            stack.extend((a, False) for a in reversed(node.args))


def names(*roots: Node) -> set[str]:
    """The arguments that expressions depend on."""
    return {node.value for node in nodes(*roots) if node.op == "name"}
