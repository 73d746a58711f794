"""Expressions that have a better name: what users write plainly, and a function computes without losing digits."""

from __future__ import annotations

from .tree import Node, built, call, multiply, names, negative, nodes, number


def recognised(root: Node) -> Node:
    """The expression with every part that is one of the functions below replaced by it."""
    found: dict[Node, Node] = {}
    for node in nodes(root):
        made = built(node, tuple(found[a] for a in node.args))
        while (better := _better(made)) is not None:
            made = better
        found[node] = made
    return found[root]


def _argument(node: Node, function: str) -> Node | None:
    """What a function is called with; None if the node is no call of it."""
    return node.args[0] if node.op == "call" and node.value == function else None


def _one_plus(node: Node) -> Node | None:
    """a of ``1 + a``."""
    if node.op == "+":
        for one, other in (node.args, node.args[::-1]):
            if one.equals(1.0):
                return other
    return None


def _opposite(a: Node, b: Node) -> bool:
    return a is negative(b)


def _better(node: Node) -> Node | None:
    match node.op, node.args:
        case "call", (u,) if node.value in ("log", "log1p"):
            inner = u if node.value == "log1p" else _one_plus(u)
            if inner is not None and (e := _argument(inner, "exp")) is not None:
                return call("softplus.value", e, number(1.0))
            if node.value == "log" and inner is not None:
                return call("log1p", inner)
        case "-", (a, b):
            if b.equals(1.0) and (v := _argument(a, "exp")) is not None:
                return call("expm1", v)
        case "/", (a, b):
            return _of_quotient(a, b)
        case "*", (a, b):
            return _gated(a, b) or _gated(b, a)
    return None


def _of_quotient(a: Node, b: Node) -> Node | None:
    """Logistic: 1 / (1 + e^-u) and e^u / (1 + e^u). Hyperbolic: the quotient of difference and sum of e^u and e^-u."""
    below = _one_plus(b)
    if below is not None and (u := _argument(below, "exp")) is not None:
        if _argument(a, "exp") is u:
            return call("sigmoid.value", u)
        gate = call("sigmoid.value", negative(u))
        return gate if a.equals(1.0) else multiply(a, gate)
    if a.op == "-" and b.op == "+" and set(a.args) == set(b.args):
        u, v = (_argument(e, "exp") for e in a.args)
        if u is not None and v is not None and _opposite(u, v):
            return call("tanh.value", u)
    return None


def _gated(a: Node, b: Node) -> Node | None:
    """a * sigmoid(k a) is silu, a * tanh(softplus(a)) mish, a * (1 + erf(a / sqrt(2))) twice gelu."""
    u = _argument(b, "sigmoid.value")
    if u is not None and (k := _multiple(u, a)) is not None:
        return call("silu.value", a, k)
    u = _argument(b, "tanh.value")
    if u is not None and u.op == "call" and u.value == "softplus.value" and u.args[0] is a and u.args[1].equals(1.0):
        return call("mish.value", a)
    inner = _one_plus(b)
    if inner is not None and (u := _argument(inner, "erf")) is not None:
        k = _multiple(u, a) or (_inverse(u, a))
        if k is not None and k.is_number and abs(k.value - 0.5**0.5) < 1e-12:
            return multiply(number(2.0), call("gelu.value", a))
    return None


def _multiple(u: Node, a: Node) -> Node | None:
    """k where ``u = k a`` and k does not depend on x."""
    if u is a:
        return number(1.0)
    if u is negative(a):
        return number(-1.0)
    sign = 1.0
    if u.op == "neg":
        sign, u = -1.0, u.args[0]
    if u.op == "*":
        for k, other in (u.args, u.args[::-1]):
            if other is a and "x" not in names(k):
                return multiply(number(sign), k)
    return None


def _inverse(u: Node, a: Node) -> Node | None:
    """1 / k where ``u = a / k`` for a number k."""
    if u.op == "/" and u.args[0] is a and u.args[1].is_number and u.args[1].value:
        return number(1.0 / u.args[1].value)
    return None
