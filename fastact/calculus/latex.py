"""Expressions in LaTeX, for people."""

from __future__ import annotations

from .tree import Node

_GREEK = {
    "alpha", "beta", "gamma", "delta", "epsilon", "zeta", "eta", "theta", "kappa", "lambda", "mu", "nu", "rho", "sigma", "tau",
    "phi", "omega",
}  # fmt: skip
_SYMBOLS = {"<=": r"\le", ">=": r"\ge", "==": "=", "!=": r"\ne", "&": r"\wedge", "|": r"\vee"}
_KNOWN = {"exp", "log", "sin", "cos", "tanh"}


def latex_of(node: Node) -> str:
    """The formula as ``f(x) = ...``."""
    return f"f(x) = {_of(node)}"


def _name(name: str) -> str:
    head, _, tail = name.partition("_")
    head = f"\\{head}" if head in _GREEK else head if len(head) == 1 else rf"\mathrm{{{head}}}"
    return f"{head}_{{{tail}}}".replace("_{}", "") if tail else head


def _factor(node: Node) -> str:
    return rf"\left({_of(node)}\right)" if node.op in ("+", "-", "neg", "select") else _of(node)


def _of(node: Node) -> str:
    args = node.args
    match node.op:
        case "number":
            return f"{node.value:g}" if float(f"{node.value:g}") == node.value else repr(node.value)
        case "name":
            return _name(node.value)
        case "neg":
            return f"-{_factor(args[0])}"
        case "+":
            return f"{_of(args[0])} + {_of(args[1])}"
        case "-":
            return f"{_of(args[0])} - {_factor(args[1])}"
        case "*":
            if args[0] is args[1]:
                return f"{{{_factor(args[0])}}}^2"
            dot = r" \cdot " if args[1].is_number else " "
            return f"{_factor(args[0])}{dot}{_factor(args[1])}"
        case "/":
            return rf"\frac{{{_of(args[0])}}}{{{_of(args[1])}}}"
        case "select":
            return rf"{_factor(args[1])} \text{{ if }} {_of(args[0])} \text{{ else }} {_factor(args[2])}"
        case "call":
            return _call(node)
    return f"{_of(args[0])} {_SYMBOLS.get(node.op, node.op)} {_of(args[1])}"


def _call(node: Node) -> str:
    name, _, kind = node.value.partition(".")
    if name == "abs":
        return rf"\left|{_of(node.args[0])}\right|"
    if name == "sqrt":
        return rf"\sqrt{{{_of(node.args[0])}}}"
    shown = f"\\{name}" if name in _KNOWN else rf"\operatorname{{{name.replace('_', chr(92) + '_')}}}"
    mark = "'" if kind == "derivative" else ""
    inner = ", ".join(_of(a) for a in node.args)
    return rf"{shown}{mark}\left({inner}\right)"
