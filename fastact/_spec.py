"""``@activation``, ``@primitive``, the registry, and the grammar that a formula keeps to.

A formula is a short function in a restricted Python (assignments, ``+ - * /``, comparisons, float
literals, calls to atoms and primitives, ``select``). It returns the value, then the partial
derivative by x, then one by each parameter. It knows no dtype: the printer (``_codegen``) types the
text for the compiled targets. Only the standard library is used here, so that the build can import it.
"""

from __future__ import annotations

import ast
import inspect
from collections.abc import Callable
from dataclasses import dataclass, field
from fractions import Fraction
from functools import lru_cache
from typing import Any

from ._atoms import ATOMS


class FormulaError(SyntaxError):
    """A formula leaves the restricted language; the message names file and line."""


class Constant:
    """A real number carried in two parts: ``C.hi`` is it rounded, ``C.lo`` what the rounding lost."""

    def __init__(self, digits: str) -> None:
        self.value = Fraction(digits)

    def __repr__(self) -> str:
        return f"Constant({float(self.value)!r})"


@dataclass(frozen=True)
class Primitive:
    """A function of the restricted language that formulas and other primitives may call."""

    name: str
    function: Callable[..., Any]
    precision: str | None  # "float32", "float64", or None: one text for both

    def __call__(self, *args: Any) -> Any:
        raise RuntimeError(f"fastact: {self.name}() exists only in compiled formulas")


@dataclass(frozen=True)
class Spec:
    """One activation: its formula and everything that is known of it.

    Attributes
    ----------
    name : str
        The canonical name (jax.nn's spelling).
    formula : callable
        The text that is compiled; never called.
    params : dict
        Parameter names and defaults, in the formula's order.
    alias : tuple of str
        Other names: torch's, ONNX's, keras's, the paper's.
    latex, summary : str
        The formula for people, and the first sentence of the docstring.
    notes : str
        What else the docstring says: conventions at kinks, peers whose defaults differ.
    range : tuple of str
        Infimum and supremum of the values with default parameters.
    limits : tuple of str
        The values at -inf and +inf; strings may name parameters.
    slopes : tuple of str
        The derivative at -inf and +inf.
    kinks : tuple
        Points (numbers or expressions in the parameters) where the derivative jumps.
    monotonic, zero_centred : bool
        With default parameters; zero-centred means f(0) = 0.
    saturates : tuple of str
        Left and right saturation: "hard" (constant beyond a point), "soft" (in the limit) or "no".
    smoothness : str
        "discontinuous", "C0", "C1" or "smooth", with default parameters.
    reference : str
        The first paper.
    variants : dict
        Keywords that select another activation: ``{"approximate": {"tanh": "gelu_tanh"}}``.
    """

    name: str
    formula: Callable[..., Any]
    params: dict[str, float]
    alias: tuple[str, ...]
    latex: str
    summary: str
    notes: str
    range: tuple[str, str]
    limits: tuple[str, str]
    slopes: tuple[str, str]
    kinks: tuple[Any, ...]
    monotonic: bool
    zero_centred: bool
    saturates: tuple[str, str]
    smoothness: str
    reference: str
    family: str
    variants: dict[str, dict[str, str]] = field(default_factory=dict)
    inverse: list[Callable[..., Any]] = field(default_factory=list)

    def from_output(self, function: Callable[..., Any]) -> Callable[..., Any]:
        """Register the derivative as a function of the output: ``f(y, *params)``."""
        check(function)
        self.inverse.append(function)
        return function


REGISTRY: dict[str, Spec] = {}
PRIMITIVES: dict[tuple[str, str | None], Primitive] = {}


def primitive(function: Callable[..., Any]) -> Primitive:
    """Register a primitive; a module named float32 or float64 holds texts for that precision."""
    tail = function.__module__.rpartition(".")[2]
    precision = tail if tail in ("float32", "float64") else None
    check(function)
    entry = Primitive(function.__name__, function, precision)
    PRIMITIVES[entry.name, precision] = entry
    return entry


def activation(
    *,
    latex: str,
    limits: tuple[str, str],
    slopes: tuple[str, str],
    range: tuple[str, str],
    reference: str,
    params: dict[str, float] | None = None,
    alias: tuple[str, ...] = (),
    notes: str = "",
    kinks: tuple[Any, ...] = (),
    monotonic: bool = True,
    zero_centred: bool = True,
    saturates: tuple[str, str] = ("no", "no"),
    smoothness: str = "smooth",
    variants: dict[str, dict[str, str]] | None = None,
) -> Callable[[Callable[..., Any]], Spec]:
    """Register a formula as an activation; the fields are those of `Spec`."""

    def register(function: Callable[..., Any]) -> Spec:
        check(function)
        name = function.__name__
        arguments = function.__code__.co_varnames[: function.__code__.co_argcount]
        if arguments != ("x", *(params or {})):
            raise FormulaError(f"{_where(function)}: {name} takes {arguments}, but params names {params}")
        for taken in (name, *alias):
            if taken in REGISTRY or any(taken in s.alias for s in REGISTRY.values()):
                raise FormulaError(f"{_where(function)}: the name {taken!r} is taken")
        spec = Spec(
            name=name, formula=function, params=dict(params or {}), alias=alias, latex=latex,
            summary=" ".join((function.__doc__ or "").split()), notes=notes, range=range,
            limits=limits, slopes=slopes, kinks=kinks, monotonic=monotonic,
            zero_centred=zero_centred, saturates=saturates, smoothness=smoothness,
            reference=reference, family=function.__module__.rpartition(".")[2],
            variants=variants or {},
        )
        REGISTRY[name] = spec
        return spec

    return register


# ---------------------------------------------------------------------------------------------------
# The grammar
# ---------------------------------------------------------------------------------------------------


@lru_cache
def _module_functions(filename: str) -> dict[int, ast.FunctionDef]:
    """The function definitions of a source file by line (of the ``def`` or its first decorator)."""
    with open(filename, encoding="utf-8") as file:
        tree = ast.parse(file.read(), filename)
    found: dict[int, ast.FunctionDef] = {}
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef):
            first = min([node.lineno, *(d.lineno for d in node.decorator_list)])
            found[first] = node
    return found


def tree_of(function: Callable[..., Any]) -> ast.FunctionDef:
    """The syntax tree of a formula, with the line numbers of its file."""
    code = function.__code__
    try:
        return _module_functions(code.co_filename)[code.co_firstlineno]
    except (OSError, KeyError):  # typed at a prompt: linecache knows the text
        lines, start = inspect.getsourcelines(function)
        tree = ast.parse(inspect.cleandoc("".join(lines))).body[0]
        if not isinstance(tree, ast.FunctionDef):
            raise FormulaError(f"{_where(function)}: a formula is a def") from None
        return ast.increment_lineno(tree, start - 1)


def _where(function: Callable[..., Any]) -> str:
    return f"{function.__code__.co_filename}:{function.__code__.co_firstlineno}"


_OPERATORS = (ast.Add, ast.Sub, ast.Mult, ast.Div, ast.BitAnd, ast.BitOr)
_COMPARISONS = (ast.Lt, ast.LtE, ast.Gt, ast.GtE, ast.Eq, ast.NotEq)


def check(function: Callable[..., Any]) -> None:
    """Refuse anything outside the restricted language.

    Raises
    ------
    FormulaError
        Naming file, line and the construct.
    """
    tree = tree_of(function)
    filename = function.__code__.co_filename

    def refuse(node: ast.AST, why: str) -> None:
        line = getattr(node, "lineno", tree.lineno)
        raise FormulaError(f"{filename}:{line}: in {tree.name}: {why}")

    if tree.args.defaults or tree.args.kwonlyargs or tree.args.vararg or tree.args.kwarg:
        refuse(tree, "a formula takes plain positional arguments (defaults stand in params)")
    known = {a.arg for a in tree.args.args}
    body = tree.body
    if body and isinstance(body[0], ast.Expr) and isinstance(body[0].value, ast.Constant):
        body = body[1:]  # the docstring

    def expression(node: ast.expr) -> None:
        match node:
            case ast.Constant(value=float()):
                pass
            case ast.Constant():
                refuse(node, f"{node.value!r} is not a float literal")
            case ast.Name(id=name):
                if name not in known:
                    refuse(node, f"{name} is used before it is assigned")
            case ast.UnaryOp(op=ast.USub(), operand=operand):
                expression(operand)
            case ast.BinOp(left=left, op=op, right=right) if isinstance(op, _OPERATORS):
                expression(left)
                expression(right)
            case ast.Compare(left=left, ops=[op], comparators=[right]) if isinstance(op, _COMPARISONS):
                expression(left)
                expression(right)
            case ast.Attribute(value=ast.Name(id=name), attr="hi" | "lo"):
                if not isinstance(function.__globals__.get(name), Constant):
                    refuse(node, f"{name} is not a module-level Constant")
            case ast.Call(func=ast.Name(id=name), args=args, keywords=[]):
                if name in ATOMS:
                    if len(args) != ATOMS[name][0]:
                        refuse(node, f"{name} takes {ATOMS[name][0]} arguments, not {len(args)}")
                elif not isinstance(function.__globals__.get(name), Primitive):
                    refuse(node, f"{name} is neither an atom nor a primitive")
                for arg in args:
                    expression(arg)
            case _:
                refuse(node, f"{type(node).__name__} is not part of the formula language")

    if not body or not isinstance(body[-1], ast.Return) or body[-1].value is None:
        refuse(tree, "a formula ends with one return")
    for statement in body[:-1]:
        match statement:
            case ast.Assign(targets=[ast.Name(id=name)], value=value):
                expression(value)
                known.add(name)
            case ast.Assign(targets=[ast.Tuple(elts=names)], value=ast.Call() as value):
                expression(value)
                for name_node in names:
                    if not isinstance(name_node, ast.Name):
                        refuse(statement, "only names can be assigned")
                    known.add(name_node.id)  # type: ignore[attr-defined]
            case _:
                refuse(statement, f"{type(statement).__name__} is not part of the formula language")
    result = body[-1].value  # type: ignore[attr-defined]
    for element in result.elts if isinstance(result, ast.Tuple) else [result]:
        expression(element)
