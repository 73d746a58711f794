"""The grammar of formulas: what the decorators of `registry` accept, and where a refusal points.

Needed when formulas are compiled and for formulas from outside the package; a plain import of fastact
does not come here.
"""

from __future__ import annotations

import ast
import inspect
from collections.abc import Callable
from functools import lru_cache
from typing import Any

from .atoms import ATOMS
from .terms import Constant, FormulaError, Primitive, where


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
            raise FormulaError(f"{where(function)}: a formula is a def") from None
        return ast.increment_lineno(tree, start - 1)


_OPERATORS = (ast.Add, ast.Sub, ast.Mult, ast.Div, ast.BitAnd, ast.BitOr)
_COMPARISONS = (ast.Lt, ast.LtE, ast.Gt, ast.GtE, ast.Eq, ast.NotEq)


def check_grammar(function: Callable[..., Any]) -> None:
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
