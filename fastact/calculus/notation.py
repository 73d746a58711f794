"""How users write a formula: an expression, a lambda or a def, as text or as a Python function, which is read and never run.

Beyond the formula language there are integers, powers, conditional expressions, ``and`` and ``or``, chained comparisons, every
activation by any of its names, and a module's name in front of a function (``np.exp``).
"""

from __future__ import annotations

import ast
import difflib
import inspect
import math
import textwrap
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from typing import Any, NoReturn

from ..language.registry import REGISTRY
from ..language.terms import FormulaError
from . import tree
from .derivatives import RULES
from .tree import Node

#: Other names of functions.
_ALIASES = {
    "absolute": "abs", "fabs": "abs", "max": "maximum", "fmax": "maximum", "min": "minimum", "fmin": "minimum", "where": "select",
}  # fmt: skip
_ARITY = {**dict.fromkeys(RULES, 1), "maximum": 2, "minimum": 2, "select": 3, "clip": 3, "fma": 3, "mul_add": 3, "copysign": 2}
#: What is not there, and what to write instead.
_INSTEAD = {
    "pow": "x ** n", "power": "x ** n", "square": "x * x", "exp2": "exp(0.6931471805599453 * x)",
    "sinh": "0.5 * (exp(x) - exp(-x))", "cosh": "0.5 * (exp(x) + exp(-x))", "tan": "sin(x) / cos(x)",
    "log2": "1.4426950408889634 * log(x)", "log10": "0.4342944819032518 * log(x)", "erfc": "1 - erf(x)",
    "round": "an activation without steps", "floor": "an activation without steps",
}  # fmt: skip
_STATEMENTS = {
    "For": "write the terms out", "While": "write the terms out", "If": "select(condition, a, b), or 'a if condition else b'",
    "AugAssign": "an assignment, as in 'y = y + 1'", "AnnAssign": "an assignment without a type",
    "Import": "the functions by their names", "ImportFrom": "the functions by their names",
    "Expr": "an assignment or a return", "FunctionDef": "one function",
}  # fmt: skip
_EXPRESSIONS = {
    "Not": "the opposite comparison", "FloorDiv": "a / b", "Mod": "a formula without a remainder", "MatMult": "*, for elements",
    "Subscript": "names for parts", "List": "names for parts", "Dict": "names for parts", "ListComp": "the terms one by one",
    "GeneratorExp": "the terms one by one", "JoinedStr": "numbers", "Lambda": "its body",
    "NamedExpr": "an assignment of its own line", "Is": "==", "IsNot": "!=", "In": "comparisons joined by 'or'",
    "NotIn": "comparisons joined by 'and'", "Await": "its value",
}  # fmt: skip
_ARITHMETIC: dict[type, Callable[[Node, Node], Node]] = {
    ast.Add: tree.add, ast.Sub: tree.subtract, ast.Mult: tree.multiply, ast.Div: tree.divide,
}
_COMPARISONS = {ast.Lt: "<", ast.LtE: "<=", ast.Gt: ">", ast.GtE: ">=", ast.Eq: "==", ast.NotEq: "!="}


@dataclass(frozen=True)
class Formula:
    """What a text says.

    Attributes
    ----------
    name : str
        Of a def; "" for others.
    source : str
        The formula alone, as text that reads to the same.
    params : dict of str to (float or None)
        The arguments after x, with their defaults.
    results : tuple of Node
        The value, and what else is given: the derivative by x, then one by each parameter.
    summary : str
        The docstring.
    """

    name: str
    source: str
    params: dict[str, float | None]
    results: tuple[Node, ...]
    summary: str


def read(given: Any, params: dict[str, float], title: str) -> Formula:
    """Read a formula.

    Parameters
    ----------
    given : str or callable
        An expression in x and the parameters, a lambda, a def, or a Python function whose text can be found.
    params : dict of str to float
        Parameters of an expression; of others their defaults.
    title : str
        Who asks, for errors.

    Raises
    ------
    FormulaError
        For what is not part of the language, with line, column and what to write instead.
    TypeError
        For what is neither text nor function.
    """
    if isinstance(given, str):
        text = textwrap.dedent(given).strip("\n")
        return _Reader(title, "", text).formula(_parsed(title, text), params)
    code = getattr(given, "__code__", None)
    if code is None:
        raise TypeError(f"{title}: formula is {type(given).__name__}; expected a text, a lambda or a def in the formula language")
    try:
        lines, _ = inspect.findsource(given)
        text = "".join(lines)
        found: list[Any] = [n for n in ast.walk(ast.parse(text)) if _is(n, code)]
    except (OSError, SyntaxError):
        found = []
    if len(found) > 1:  # lambdas in one line: by their columns
        columns = [c for _, _, c, end in code.co_positions() if c is not None and c != end]
        found = [n for n in found if n.col_offset <= min(columns) and max(columns) <= (n.end_col_offset or 0)] or found
    if len(found) != 1:
        raise FormulaError(f"{title}: the text of {code.co_name} cannot be found; give the formula as a text, 'x * sigmoid(x)'")
    return _Reader(title, code.co_filename, text).formula(found[0], params)


def _is(node: Any, code: Any) -> bool:
    """Whether a node is the function of that code."""
    if isinstance(node, ast.Lambda):
        return code.co_name == "<lambda>" and node.lineno == code.co_firstlineno
    if isinstance(node, ast.FunctionDef):
        return node.name == code.co_name and code.co_firstlineno in (node.lineno, *(d.lineno for d in node.decorator_list))
    return False


def _parsed(title: str, text: str) -> Any:
    """The lambda, def or expression of a text."""
    try:
        body = ast.parse(text).body
    except SyntaxError as error:
        raise FormulaError(f"{title}: line {error.lineno}, column {error.offset}: {error.msg}") from None
    if len(body) == 1 and isinstance(body[0], ast.FunctionDef):
        return body[0]
    if len(body) == 1 and isinstance(body[0], ast.Expr):
        return body[0].value
    raise FormulaError(f"{title}: line 1, column 1: a formula is one expression, one lambda or one def with a return")


class _Reader:
    """Reads one formula; refuses with the place and the alternative."""

    def __init__(self, title: str, filename: str, text: str) -> None:
        self.title, self.filename, self.text = title, filename, text
        self.scope: dict[str, Node] = {}

    def refuse(self, node: ast.AST, why: str) -> NoReturn:
        line, column = getattr(node, "lineno", 1), getattr(node, "col_offset", 0) + 1
        place = f"{self.filename}:{line}:{column}" if self.filename else f"line {line}, column {column}"
        raise FormulaError(f"{self.title}: {place}: {why}")

    def formula(self, node: Any, params: dict[str, float]) -> Formula:
        """Read a def, a lambda or an expression."""
        is_def = isinstance(node, ast.FunctionDef)
        if is_def or isinstance(node, ast.Lambda):
            listed = self.arguments(node)
            for name in params:
                if name not in listed:
                    self.refuse(node, f"params names {name!r}, which is no argument; these are x{', '.join(['', *listed])}")
            listed.update(params)
        else:
            listed = dict(params)
        self.scope = {name: tree.name(name) for name in ("x", *listed)}
        summary = ""
        if is_def:
            summary = " ".join((ast.get_docstring(node) or "").split())
            results = self.body(node, node.body[1:] if summary else node.body)
            plain = ast.FunctionDef(node.name, node.args, node.body, [], None, None, lineno=1, col_offset=0)
            source = ast.unparse(plain)
        else:
            body = node.body if isinstance(node, ast.Lambda) else node
            results = self.results(body)
            source = ast.unparse(node)
        return Formula(node.name if is_def else "", source, listed, results, summary)

    def arguments(self, node: Any) -> dict[str, float | None]:
        """The parameters of a function with their defaults."""
        given = node.args
        if given.vararg or given.kwarg or given.kwonlyargs or not (given.posonlyargs or given.args):
            self.refuse(node, "a formula takes x and its parameters, as in 'lambda x, beta: ...'")
        names = [a.arg for a in (*given.posonlyargs, *given.args)]
        if names[0] != "x":
            self.refuse(node, f"the first argument is {names[0]}; it must be called x")
        found: dict[str, float | None] = dict.fromkeys(names[1:])
        for name, default in zip(reversed(names), reversed(given.defaults), strict=False):
            value = self.expression(default)
            if name == "x" or not value.is_number:
                self.refuse(default, f"the default of {name} must be a number" if name != "x" else "x has no default")
            found[name] = value.value
        return found

    def body(self, function: ast.FunctionDef, statements: list[ast.stmt]) -> tuple[Node, ...]:
        """Read assignments and the return."""
        for statement in statements:
            match statement:
                case ast.Assign(targets=[ast.Name(id=name)], value=value):
                    self.scope[name] = self.expression(value)
                case ast.Return(value=value) if value is not None and statement is statements[-1]:
                    return self.results(value)
                case _:
                    kind = type(statement).__name__
                    instead = _STATEMENTS.get(kind)
                    hint = f"; write {instead}" if instead else "; there are assignments to one name and one return at the end"
                    self.refuse(statement, f"{kind} is not part of the formula language{hint}")
        self.refuse(function, "a formula ends with one return")

    def results(self, node: ast.expr) -> tuple[Node, ...]:
        """Read one result, or several."""
        found = tuple(self.expression(e) for e in (node.elts if isinstance(node, ast.Tuple) else [node]))
        for each in found:
            if tree.is_condition(each):
                self.refuse(node, "the result is a condition; write select(condition, 1.0, 0.0)")
        return found

    def expression(self, node: ast.expr) -> Node:
        match node:
            case ast.Constant(value=bool()) | ast.Constant(value=complex()) | ast.Constant(value=str()):
                self.refuse(node, f"{node.value!r} is not a number; expected one, as 1.0")
            case ast.Constant(value=int() | float()):
                return self.number(node)
            case ast.Name(id=name):
                return self.name(node, name)
            case ast.Attribute(value=ast.Name(id="np" | "numpy" | "math"), attr="pi" | "e" as name):
                return tree.number(getattr(math, name))
            case ast.UnaryOp(op=ast.USub(), operand=operand):
                return tree.negative(self.expression(operand))
            case ast.UnaryOp(op=ast.UAdd(), operand=operand):
                return self.expression(operand)
            case ast.BinOp(left=left, op=ast.Pow(), right=right):
                return self.power(node, left, right)
            case ast.BinOp(left=left, op=op, right=right) if type(op) in _ARITHMETIC:
                a, b = self.quantity(left), self.quantity(right)
                if isinstance(op, ast.Div) and b.equals(0.0):
                    self.refuse(right, "division by 0")
                return _ARITHMETIC[type(op)](a, b)
            case ast.BinOp(left=left, op=ast.BitAnd(), right=right):
                return tree.both(self.condition(left), self.condition(right))
            case ast.BinOp(left=left, op=ast.BitOr(), right=right):
                return tree.either(self.condition(left), self.condition(right))
            case ast.BoolOp(op=op, values=values):
                join = tree.both if isinstance(op, ast.And) else tree.either
                found = self.condition(values[0])
                for value in values[1:]:
                    found = join(found, self.condition(value))
                return found
            case ast.Compare(left=left, ops=ops, comparators=others):
                return self.comparison(node, [left, *others], ops)
            case ast.IfExp(test=test, body=body, orelse=other):
                return tree.select(self.condition(test), self.quantity(body), self.quantity(other))
            case ast.Call():
                return self.call(node)
        kind = type(getattr(node, "op", node)).__name__
        instead = _EXPRESSIONS.get(kind)
        self.refuse(node, f"{kind} is not part of the formula language" + (f"; write {instead}" if instead else ""))

    def number(self, node: ast.Constant) -> Node:
        value = float(node.value)  # type: ignore[arg-type]
        if not math.isfinite(value):
            self.refuse(node, f"{node.value!r} is not finite")
        return tree.number(value)

    def name(self, node: ast.expr, name: str) -> Node:
        if name in self.scope:
            return self.scope[name]
        if name in _ARITY or name in _names():
            self.refuse(node, f"{name} is a function; write {name}(x)")
        self.refuse(
            node, f"{name} is neither x nor a parameter nor assigned before; write the number, or make it a parameter: "
            f"params={{{name!r}: 1.0}}"
        )  # fmt: skip

    def quantity(self, node: ast.expr) -> Node:
        found = self.expression(node)
        if tree.is_condition(found):
            self.refuse(node, "a condition is no number; write select(condition, 1.0, 0.0)")
        return found

    def condition(self, node: ast.expr) -> Node:
        found = self.expression(node)
        if not tree.is_condition(found):
            self.refuse(node, "expected a comparison, as in x > 0")
        return found

    def power(self, node: ast.expr, left: ast.expr, right: ast.expr) -> Node:
        base, exponent = self.quantity(left), self.quantity(right)
        if exponent.is_number and exponent.value == round(exponent.value) and abs(exponent.value) <= 64:
            return tree.power(base, round(exponent.value))
        if exponent.is_number and 2 * exponent.value == round(2 * exponent.value) and abs(exponent.value) <= 64:
            whole = math.floor(exponent.value)
            return tree.multiply(tree.power(base, whole), tree.call("sqrt", base))
        self.refuse(node, "exponents are numbers, whole or halves, up to 64; write exp(p * log(a)) for a positive a")

    def comparison(self, node: ast.expr, operands: list[ast.expr], ops: list[ast.cmpop]) -> Node:
        values = [self.quantity(o) for o in operands]
        found = None
        for op, a, b in zip(ops, values, values[1:], strict=False):
            if type(op) not in _COMPARISONS:
                kind = type(op).__name__
                self.refuse(node, f"{kind} is not part of the formula language; write {_EXPRESSIONS[kind]}")
            one = tree.compare(_COMPARISONS[type(op)], a, b)
            found = one if found is None else tree.both(found, one)
        assert found is not None
        return found

    def call(self, node: ast.Call) -> Node:
        function, kind = self.function(node.func)
        if function not in _ARITY:
            return self.activation(node, function, kind)
        if node.keywords or len(node.args) != _ARITY[function]:
            self.refuse(node, f"{function} takes {_ARITY[function]} argument{'s' * (_ARITY[function] > 1)}, by position")
        if function == "select":
            return tree.select(self.condition(node.args[0]), self.quantity(node.args[1]), self.quantity(node.args[2]))
        args = [self.quantity(a) for a in node.args]
        if function in ("fma", "mul_add"):
            return tree.add(tree.multiply(args[0], args[1]), args[2])
        if function == "copysign":
            size = tree.call("abs", args[0])
            return tree.select(tree.compare("<", args[1], tree.number(0.0)), tree.negative(size), size)
        if function == "clip":
            args = [tree.select(tree.compare(">", args[0], args[1]), args[0], args[1]), args[2]]
            function = "minimum"
        if function in ("maximum", "minimum"):
            return tree.select(tree.compare(">" if function == "maximum" else "<", *args), *args)
        return tree.call(function, *args)

    def function(self, node: ast.expr) -> tuple[str, str]:
        """The name of what is called, and the kind of an activation."""
        match node:
            case ast.Name(id=name):
                pass
            case ast.Attribute(value=ast.Name(id=owner), attr=attr):
                if owner in _names():
                    return _names()[owner], attr
                name = attr
            case ast.Attribute(value=ast.Attribute(value=ast.Name(), attr=owner), attr=attr) if owner in _names():
                return _names()[owner], attr
            case _:
                self.refuse(node, "only functions with a name can be called")
        name = _ALIASES.get(name, name)
        if name in _ARITY:
            return name, ""
        if name in _names():
            return _names()[name], "value"
        near = difflib.get_close_matches(name, [*_ARITY, *_names()], 1)
        instead = _INSTEAD.get(name) or (near[0] if near else f"one of {', '.join(sorted(_ARITY))}, or an activation")
        self.refuse(node, f"there is no function {name} in formulas; write {instead}")

    def activation(self, node: ast.Call, name: str, kind: str) -> Node:
        """A call of an activation or its derivative, parameters by position or name, defaults where left out."""
        if kind not in ("value", "derivative"):
            self.refuse(node, f"{name}.{kind} is not part of the formula language; write {name}(x) or {name}.derivative(x)")
        defaults = REGISTRY[name].params
        listed = ["x", *defaults]
        if not 1 <= len(node.args) <= len(listed):
            self.refuse(node, f"{name} takes {', '.join(listed)}")
        values = dict(zip(listed, (self.quantity(a) for a in node.args), strict=False))
        for keyword in node.keywords:
            if keyword.arg not in defaults or keyword.arg in values:
                self.refuse(node, f"{name} takes {', '.join(listed)}; got {keyword.arg!r}")
            values[keyword.arg] = self.quantity(keyword.value)
        return tree.call(f"{name}.{kind}", *(values.get(n) or tree.number(defaults[n]) for n in listed))


@cache
def _names() -> dict[str, str]:
    """Every name of an activation, with the one of the registry."""
    return {name: spec.name for spec in REGISTRY.values() for name in (spec.name, *spec.alias)}
