"""Prints formulas as typed Cython: one module text per precision, compiled once per ISA level.

For each activation the printer takes the backward slice of its formula for the outputs that a kernel
needs, and prints it as a block: a loop over a multiple of ``GROUP`` elements, reached through a
pointer, that the C compiler vectorises. It knows the language of formulas and no mathematics; it
needs the standard library alone.
"""

from __future__ import annotations

import ast
import hashlib
import re
from collections.abc import Iterable, Sequence
from fractions import Fraction
from typing import Any

from ..language.atoms import ATOMS
from ..language.registry import PRIMITIVES, Spec
from ..language.text import SYMBOLS, Text, calls_in, names_in, nearest

#: Blocks run over multiples of this many elements, so that no loop needs a scalar remainder.
GROUP = 16

#: Rough costs in vector instructions, for the threading threshold.
_COSTS = {"select": 1, "sqrt": 12, "scale_by_pow2": 3, "round_product": 2, "round_to_int": 5, "exponent": 5}


# select(x < c, c, x) and its mirror image for a literal c: C has functions that become one instruction (atoms.h). They are
# put into the finished text, because the bits of results, for which a digest stands, are the same.
_CLAMP = re.compile(r"fa_select_(f\d\d)\(\((\w+) ([<>]) (\(-?\(?<\w+>[\d.e+-]+\)?\))\), \4, \2\)")
_CLAMPS = {"<": "at_least", ">": "at_most"}


def _clamp(found: re.Match[str]) -> str:
    suffix, x, side, bound = found.groups()
    return f"fa_{_CLAMPS[side]}_{suffix}({x}, {bound})"


def _multiply(x, grad):  # what backward does to the derivative
    return x * grad


class Printer:
    """Prints all kernels of one precision as the text of a Cython module."""

    def __init__(self, precision: str) -> None:
        self.precision = precision
        self.type = {"float32": "float", "float64": "double"}[precision]
        self.suffix = {"float32": "f32", "float64": "f64"}[precision]
        self.primitives: dict[str, Text] = {}  # in the order of definition
        self.head: list[str] = []  # what is declared beside the atoms
        self.lines: list[str] = []
        self.table: list[str] = []
        self.shared: dict[str, str] = {}  # entries of the table, by the name of a formula of x alone

    # -- expressions ---------------------------------------------------------------------------

    def expression(self, node: ast.expr, scope: dict[str, Any]) -> str:
        """Print an expression, fully parenthesised, literals typed."""
        match node:
            case ast.Constant(value=float(value)):
                return self.literal(value)
            case ast.Name(id=name):
                return name
            case ast.UnaryOp(operand=operand):
                return f"(-{self.expression(operand, scope)})"
            case ast.BinOp(left=left, op=op, right=right):
                return self.infix(left, op, right, scope)
            case ast.Compare(left=left, ops=[op], comparators=[right]):
                return self.infix(left, op, right, scope)
            case ast.Attribute(value=ast.Name(id=name), attr=attr):
                exact = Fraction(scope[name].digits)
                high = nearest(exact, self.precision)
                part = high if attr == "hi" else nearest(exact - Fraction(high), self.precision)
                return self.literal(part)
            case ast.Call(func=ast.Name(id=name), args=args):
                inner = ", ".join(self.expression(a, scope) for a in args)
                if name in ATOMS:
                    return f"fa_{name}_{self.suffix}({inner})"
                self.require(name)
                return f"p_{name}({inner})"
        raise AssertionError(ast.dump(node))

    def infix(self, left: ast.expr, op: ast.AST, right: ast.expr, scope: dict[str, Any]) -> str:
        return f"({self.expression(left, scope)} {SYMBOLS[type(op)]} {self.expression(right, scope)})"

    def literal(self, value: float) -> str:
        return f"(<{self.type}>{value!r})".replace("inf", "1e999")  # which is infinity in C

    def is_bool(self, node: ast.expr) -> bool:
        match node:
            case ast.Compare():
                return True
            case ast.BinOp(op=ast.BitAnd() | ast.BitOr()):
                return True
        return False

    def declarations(self, body: list[tuple[list[str], ast.expr]], indent: str, declared: Sequence[str] = ()) -> list[str]:
        """``cdef`` lines for the names that a body assigns and that are not declared already."""
        numbers: list[str] = []
        conditions: list[str] = []
        for targets, expr in body:
            for name in targets:
                group = conditions if self.is_bool(expr) else numbers
                if name not in group and name not in declared:
                    group.append(name)
        groups = ((self.type, numbers), ("bint", conditions))
        return [f"{indent}cdef {kind} {', '.join(names)}" for kind, names in groups if names]

    def statements(self, body: list[tuple[list[str], ast.expr]], scope: dict[str, Any], indent: str) -> list[str]:
        return [f"{indent}{', '.join(targets)} = {self.expression(expr, scope)}" for targets, expr in body]

    # -- primitives ----------------------------------------------------------------------------

    def text_of(self, name: str) -> Text:
        entry = PRIMITIVES.get((name, self.precision)) or PRIMITIVES[name, None]
        return Text.of(entry.function)

    def require(self, name: str) -> None:
        """Print a primitive (and first those that it calls) once."""
        if name in self.primitives:
            return
        text = self.text_of(name)
        result = self.type
        if len(text.results) > 1:
            result = "(" + ", ".join([self.type] * len(text.results)) + ")"
        body = self.statements(text.body, text.globals, "    ")
        values = ", ".join(self.expression(r, text.globals) for r in text.results)
        arguments = ", ".join(f"{self.type} {a}" for a in text.arguments)
        self.primitives[name] = text
        self.lines += [f"cdef inline {result} p_{name}({arguments}) noexcept nogil:"]
        self.lines += self.declarations(text.body, "    ", text.arguments) + body
        self.lines += [f"    return ({values})" if len(text.results) > 1 else f"    return {values}", "", ""]

    def cost(self, body: list[tuple[list[str], ast.expr]], results: Iterable[ast.expr]) -> int:
        """An estimate of the vector instructions an element costs, for the threading threshold."""
        exprs = [e for _, e in body] + list(results)
        total = 0
        for node in (n for e in exprs for n in ast.walk(e)):
            if isinstance(node, ast.BinOp):
                total += 8 if isinstance(node.op, ast.Div) else 1
            elif isinstance(node, ast.Compare | ast.UnaryOp):
                total += 1
        for name in calls_in(exprs):
            if name in ATOMS:
                total += _COSTS.get(name, 1)
            else:
                text = self.primitives[name]
                total += self.cost(text.body, text.results)
        return total

    # -- blocks --------------------------------------------------------------------------------

    def block(
        self, key: str, text: Text, results: list[ast.expr], params: list[str], kind: str, vary: bool, grad: bool = False
    ) -> str:
        """Print one kernel: ``outputs[j][i] = results[j](x[i], params)`` for i < n, times ``grad[i]`` in a backward pass.

        Returns its entry in the table.
        """
        name = f"b_{key}_{kind}" + ("_v" if vary else "")
        body = text.slice(results)
        used = {n for _, e in body for n in names_in(e)} | {n for r in results for n in names_in(r)}
        statements = self.statements(body, text.globals, "        ")
        values = [self.expression(r, text.globals) + (" * grad_[i_]" if grad else "") for r in results]
        pointers = ", ".join(f"fa_{role}_{self.suffix} {role}{j}_" for role, j in (("in", ""), ("out", 0), ("out", 1)))
        lines = [f"cdef void {name}({pointers}, Py_ssize_t n_, const void* const* p_) noexcept nogil:"]
        argument = text.arguments[0]
        for j, param in enumerate(params):
            if param in used and vary:
                lines += [f"    cdef fa_in_{self.suffix} p{j}_ = <fa_in_{self.suffix}> p_[{j}]", f"    cdef {self.type} {param}"]
            elif param in used:
                lines += [f"    cdef {self.type} {param} = (<const {self.type}*> p_[{j}])[0]"]
        if grad:
            lines += [f"    cdef fa_in_{self.suffix} grad_ = <fa_in_{self.suffix}> p_[{len(params)}]"]
        lines += [f"    cdef {self.type} {argument}", *self.declarations(body, "    ")]
        lines += ["    cdef Py_ssize_t i_", f"    for i_ in range(n_ & ~{GROUP - 1}):", f"        {argument} = in_[i_]"]
        if vary:
            lines += [f"        {param} = p{j}_[i_]" for j, param in enumerate(params) if param in used]
        lines += [*statements, *(f"        out{j}_[i_] = {value}" for j, value in enumerate(values))]
        self.lines += [*lines, "", ""]
        entry = f"<size_t> &{name}, {self.cost(body, results)}"
        self.table.append(f'    table["{key}", "{kind}", {vary}] = ({entry})')
        return entry

    def activation(self, spec: Spec) -> None:
        """Print the kernels of an activation."""
        text = Text.of(spec.formula)
        params = list(spec.params)
        wanted = 2 + len(params)
        if len(text.results) != wanted:
            found = len(text.results)
            raise SyntaxError(f"{spec.name}: returns {found} expressions; value, derivative and one per parameter are {wanted}")
        value, derivative, *partials = text.results
        for vary in (False, True) if params else (False,):
            self.block(spec.name, text, [value], params, "value", vary)
            self.block(spec.name, text, [derivative], params, "derivative", vary)
            self.block(spec.name, text, [value, derivative], params, "both", vary)
        for j, partial in enumerate(partials):
            self.block(spec.name, text, [partial], params, f"partial{j}", True)

    def backward(self, spec: Spec) -> None:
        """Print the products of the derivative, and of that from the output, with an incoming gradient."""
        texts = [("backward", text := Text.of(spec.formula), [text.results[1]])]
        texts += [("backward_from_output", text := Text.of(f), text.results) for f in spec.inverse]
        for kind, text, results in texts:
            for vary in (False, True) if spec.params else (False,):
                self.block(spec.name, text, results, list(spec.params), kind, vary, grad=True)

    def second(self, spec: Spec) -> None:
        """Print the second derivative; one of x alone is printed once, for all activations and parameters that it is of."""
        for text in map(Text.of, spec.second):
            for vary in (False, True) if spec.params else (False,):
                if text.name in self.shared:
                    self.table.append(f'    table["{spec.name}", "second_derivative", {vary}] = ({self.shared[text.name]})')
                else:
                    entry = self.block(spec.name, text, text.results, list(spec.params), "second_derivative", vary)
                    self.shared |= {text.name: entry} if len(text.arguments) == 1 else {}

    def finished(self) -> str:
        """The module's text, of all that has been printed."""
        s, t = self.suffix, self.type
        head = [
            "# Printed by fastact/cpu/printer.py from fastact/activations; do not edit.",
            "# cython: language_level=3, cdivision=True, boundscheck=False, wraparound=False, initializedcheck=False",
            "",
            'cdef extern from "atoms.h" nogil:',
            f'    ctypedef const {t}* fa_in_{s} "fa_in_{s}"',
            f'    ctypedef {t}* fa_out_{s} "fa_out_{s}"',
        ]
        for name, (arity, _) in ATOMS.items():
            kinds = ["bint", t, t] if name == "select" else [t] * arity
            head.append(f"    {t} fa_{name}_{s}({', '.join(kinds)})")
        head += [f"    {t} fa_{name}_{s}({t}, {t})" for name in _CLAMPS.values()]
        tail = ["table = {}", "", "", "def _fill():", *self.table, "", "", "_fill()", ""]
        return _CLAMP.sub(_clamp, "\n".join([*head, *self.head, "", "", *self.lines, *tail]))


def module_text(precision: str, specs: Sequence[Spec]) -> str:
    """The Cython text of all kernels of activations in one precision."""
    printer = Printer(precision)
    product = Text.of(_multiply)
    printer.block("multiply", product, product.results, ["grad"], "value", True)
    for spec in specs:
        printer.activation(spec)
        printer.backward(spec)
        printer.second(spec)
    return printer.finished()


def digest(spec: Spec, precision: str, second: bool = False) -> str:
    """A mark of what values and derivatives, or second ones, are made of: as long as it stays, so do they at one ISA level."""
    printer = Printer(precision)
    (printer.second if second else printer.activation)(spec)
    return hashlib.sha256("\n".join(printer.lines).encode()).hexdigest()[:12]
