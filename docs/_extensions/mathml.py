"""Formulas as MathML, which browsers typeset themselves: no JavaScript, nothing from another server."""

import re

from docutils import nodes
from latex2mathml.converter import convert

#: A function after a letter or a parenthesis needs a space: ``x tanh(x)``, not ``xtanh(x)``.
BESIDE = re.compile(r"(?<=[\w})])\s*(?=\\(?:tanh|log|exp|max|min|sin|arctan|operatorname)\b)")


def mathml(latex, display):
    """A formula; what the converter does not know is an error."""
    return convert(BESIDE.sub(r"\\,", latex), display=display)


def inline(self, node):
    """Write a formula in a line."""
    self.body.append(mathml(node.astext(), "inline"))
    raise nodes.SkipNode


def block(self, node):
    """Write a formula of its own, which scrolls where it is too wide."""
    self.body.append(f'<div class="formula">{mathml(node.astext(), "block")}</div>')
    raise nodes.SkipNode


def setup(app):
    """Register the renderer."""
    app.add_html_math_renderer("mathml", (inline, None), (block, None))
    return {"version": "1", "parallel_read_safe": True, "parallel_write_safe": True}
