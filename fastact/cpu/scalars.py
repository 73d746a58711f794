"""Prints formulas as a C header: each function with two derivatives as inline functions of one number and the parameters."""

from __future__ import annotations

import ast
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from ..language.registry import Spec
from ..language.text import Text, names_in
from .printer import _CLAMP, Printer, _clamp

_HEAD = """\
/* Printed by fastact/cpu/scalars.py from fastact/activations; do not edit.
 *
 * Each function of one number as an inline function: fa_gelu_f32(x), fa_gelu_derivative_f32(x),
 * fa_gelu_second_derivative_f32(x), fa_elu_f64(x, alpha), for C (from C99 on) and C++. The arithmetic is that of the
 * kernels; for their bits compile with -ffp-contract=off and with the processor's fused multiply-add (-march=x86-64-v3,
 * say), and never with -ffast-math: NaN and infinities are results. */
#ifndef FASTACT_SCALARS_H
#define FASTACT_SCALARS_H

#ifdef __FAST_MATH__
#error "fastact_scalars.h: -ffast-math takes away what these functions compute with"
#endif

"""


class Scalars(Printer):
    """Prints the functions of one precision; names of formulas get an underscore, lest they be words of C."""

    def expression(self, node: ast.expr, scope: dict[str, Any]) -> str:
        return f"{node.id}_" if isinstance(node, ast.Name) else super().expression(node, scope)

    def statements(self, body: list[tuple[list[str], ast.expr]], scope: dict[str, Any], indent: str) -> list[str]:
        lines = []
        for targets, value in body:
            text = self.expression(value, scope)
            if len(targets) > 1:  # a primitive with several results
                lines.append(f"{indent}{text[:-1]}, {', '.join(f'&{t}_' for t in targets)});")
            else:
                lines.append(f"{indent}{targets[0]}_ = {text};")
        return lines

    def declarations(self, body: list[tuple[list[str], ast.expr]], indent: str, declared: Sequence[str] = ()) -> list[str]:
        kinds = {t: "int" if self.is_bool(e) else self.type for targets, e in body for t in targets if t not in declared}
        return [f"{indent}{kind} {name}_;" for name, kind in kinds.items()]

    def require(self, name: str) -> None:
        if name in self.primitives:
            return
        text = self.text_of(name)
        body = self.statements(text.body, text.globals, "    ")
        values = [self.expression(r, text.globals) for r in text.results]
        arguments = [f"{self.type} {a}_" for a in text.arguments]
        self.primitives[name] = text
        if len(values) == 1:
            result, end = self.type, [f"    return {values[0]};"]
        else:
            result, end = "void", [f"    *r{j}_ = {value};" for j, value in enumerate(values)]
            arguments += [f"{self.type} *r{j}_" for j in range(len(values))]
        self.lines += [f"FA_ATOM {result} p_{name}({', '.join(arguments)})", "{"]
        self.lines += [*self.declarations(text.body, "    ", text.arguments), *body, *end, "}"]

    def function(self, spec: Spec, kind: str, text: Text, result: ast.expr) -> None:
        """Print one function."""
        body = text.slice([result])
        statements = self.statements(body, text.globals, "    ")
        value = self.expression(result, text.globals)
        arguments = [text.arguments[0], *spec.params]
        used = {n for _, e in body for n in names_in(e)} | names_in(result)
        given = ", ".join(f"{self.type} {a}_" for a in arguments)
        self.lines += [f"FA_ATOM {self.type} fa_{spec.name}{kind}_{self.suffix}({given})", "{"]
        self.lines += [*self.declarations(body, "    "), *(f"    (void){a}_;" for a in arguments if a not in used)]
        self.lines += [*statements, f"    return {value};", "}", ""]

    def activation(self, spec: Spec) -> None:
        text = Text.of(spec.formula)
        self.function(spec, "", text, text.results[0])
        self.function(spec, "_derivative", text, text.results[1])
        for second in map(Text.of, spec.second):
            self.function(spec, "_second_derivative", second, second.results[0])

    def finished(self) -> str:
        text = _CLAMP.sub(_clamp, "\n".join(self.lines)).replace(f"<{self.type}>", f"({self.type})").replace("1e999", "INFINITY")
        return re.sub(r"\bp_(\w+)\(", rf"fa_p_\1_{self.suffix}(", text)


def header_text(specs: Sequence[Spec]) -> str:
    """The header: the atoms, then every function in both precisions."""
    atoms = (Path(__file__).parent / "atoms.h").read_text(encoding="utf-8")
    texts = []
    for precision in ("float32", "float64"):
        printer = Scalars(precision)
        for spec in specs:
            printer.activation(spec)
        texts.append(printer.finished())
    return "\n".join([_HEAD + atoms, *texts, "#endif", ""])
