"""Emits formulas as instructions of LLVM, over the atoms of ``atoms``.

A formula is straight-line code, so one walk over its syntax tree is all it takes; primitives are
emitted where they are called. What is computed and not used is left to LLVM to remove. This file
knows the language of formulas and no mathematics.
"""

from __future__ import annotations

import ast
from collections.abc import Callable
from fractions import Fraction
from functools import cache
from typing import Any

from ..language.atoms import ATOMS
from ..language.registry import PRIMITIVES, REGISTRY
from ..language.terms import RowPass
from ..language.text import SYMBOLS, Text, nearest
from .atoms import Atoms, Value

_METHODS = {ast.Add: "add", ast.Sub: "sub", ast.Mult: "mul", ast.Div: "div", ast.BitAnd: "both", ast.BitOr: "either"}


@cache
def _text(function: Callable[..., Any]) -> Text:
    return Text.of(function)


@cache
def _slice(text: Text, start: int | None, stop: int | None) -> list[tuple[list[str], ast.expr]]:
    return text.slice(text.results[start:stop])


def emit(atoms: Atoms, name: str, kind: str, arguments: list[Value]) -> list[Value]:
    """Append the code of a kind of an activation and return its results.

    Parameters
    ----------
    atoms : Atoms
        Where the instructions go, and of which precision they are.
    name, kind : str
        A name of the registry and a kind of ``language/kinds.py``.
    arguments : list of llvmlite values
        The arrays' elements and the parameters, of that precision.
    """
    spec = REGISTRY[name]
    if kind == "backward_backward":
        grad_grad, grad, *rest = arguments
        (bend,) = emit(atoms, name, "second_derivative", rest)
        return [*emit(atoms, name, "backward", [grad_grad, *rest]), *emit_primitive(atoms, "product", [bend, grad, grad_grad])]
    if kind == "backward_from_output":
        (slope,) = _emit(atoms, _text(spec.inverse[0]), arguments[1:], slice(None))
    elif kind == "second_derivative":
        text = _text(spec.second[0])
        return _emit(atoms, text, arguments[: len(text.arguments)], slice(None))
    elif kind == "gated":
        gate, linear, *params = arguments
        (value,) = _emit(atoms, _text(spec.formula), [gate, *params], slice(0, 1))
        return [atoms.mul(value, linear)]
    elif kind == "gated_backward":
        grad, gate, linear, *params = arguments
        value, slope = _emit(atoms, _text(spec.formula), [gate, *params], slice(0, 2))
        # The slope first: its product with an infinite or a tiny grad may be lost where that with the other half is not.
        return [atoms.mul(atoms.mul(slope, linear), grad), atoms.mul(value, grad)]
    elif kind == "backward":
        (slope,) = _emit(atoms, _text(spec.formula), arguments[1:], slice(1, 2))
    elif kind.startswith("partial"):
        index = 2 + int(kind.removeprefix("partial"))
        return _emit(atoms, _text(spec.formula), arguments, slice(index, index + 1))
    else:
        wanted = {"value": slice(0, 1), "derivative": slice(1, 2), "value_and_derivative": slice(0, 2)}[kind]
        return _emit(atoms, _text(spec.formula), arguments, wanted)
    return [atoms.mul(slope, arguments[0])]


def emit_text(atoms: Atoms, text: Text, arguments: list[Value]) -> list[Value]:
    """Append the code of all results of a text."""
    return _emit(atoms, text, arguments, slice(None))


def emit_pass(atoms: Atoms, entry: RowPass, arguments: list[Value]) -> list[Value]:
    """Append the code of a pass over rows for one element: its output, if it has one, and the new accumulators."""
    return _emit(atoms, _text(entry.function), arguments, slice(None))


def emit_primitive(atoms: Atoms, name: str, arguments: list[Value]) -> list[Value]:
    """Append the code of a primitive and return its results."""
    primitive = PRIMITIVES.get((name, atoms.precision)) or PRIMITIVES[name, None]
    return _emit(atoms, _text(primitive.function), arguments, slice(None))


def _emit(atoms: Atoms, text: Text, arguments: list[Value], wanted: slice) -> list[Value]:
    """Emit the returned expressions that are wanted, and what they depend on."""
    scope = dict(zip(text.arguments, arguments, strict=True))
    results = text.results[wanted]

    def expression(node: ast.expr) -> Value:
        match node:
            case ast.Constant(value=float(value)):
                return atoms.literal(value)
            case ast.Name(id=name):
                return scope[name]
            case ast.UnaryOp(operand=operand):
                return atoms.negative(expression(operand))
            case ast.BinOp(left=ast.Constant(value=1.0), op=ast.Div(), right=right):
                return atoms.reciprocal(expression(right))
            case ast.BinOp(left=left, op=op, right=right):
                return getattr(atoms, _METHODS[type(op)])(expression(left), expression(right))
            case ast.Compare(left=left, ops=[op], comparators=[right]):
                return atoms.compare(SYMBOLS[type(op)], expression(left), expression(right))
            case ast.Attribute(value=ast.Name(id=name), attr=attr):
                exact = Fraction(text.globals[name].digits)
                high = nearest(exact, atoms.precision)
                return atoms.literal(high if attr == "hi" else nearest(exact - Fraction(high), atoms.precision))
            case ast.Call(func=ast.Name(id=name), args=args):
                values = [expression(a) for a in args]
                if name in ATOMS:
                    return getattr(atoms, name)(*values)
                activation, _, kind = name.partition(".")
                parts = emit(atoms, activation, kind, values) if kind else emit_primitive(atoms, name, values)
                return parts[0] if len(parts) == 1 else parts
        raise AssertionError(ast.dump(node))

    for targets, expr in _slice(text, wanted.start, wanted.stop):
        value = expression(expr)
        scope.update(zip(targets, value, strict=True) if len(targets) > 1 else [(targets[0], value)])
    return [expression(r) for r in results]
