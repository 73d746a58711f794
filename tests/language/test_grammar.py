"""The restricted language: what it accepts, and how it refuses the rest."""

import importlib.util
import itertools
import re
import textwrap

import pytest
from helpers import NAMES

import fastact as fa
from fastact.language.atoms import ATOMS
from fastact.language.grammar import tree_of
from fastact.language.registry import PRIMITIVES, REGISTRY, activation, check, primitive
from fastact.language.terms import Constant, FormulaError

HEAD = """\
from fastact.language.atoms import abs, copysign, fma, mul_add, select, sqrt
from fastact.language.registry import activation
from fastact.language.terms import Constant
from fastact.primitives.exponential import exp
from fastact.primitives.parts import two_sum
C = Constant("0.1")
number = 3.0

"""
REFUSED = {  # body of f(x, a): what the message says
    "a loop": ("for i in x:\n    y = i\nreturn y, x", "For"),
    "a while loop": ("while x > 0.0:\n    x = x - 1.0\nreturn x, x", "While"),
    "a branch": ("if x > 0.0:\n    y = x\nreturn x, x", "If"),
    "a conditional expression": ("return x if x > 0.0 else 0.0, x", "IfExp"),
    "an int": ("return x * 2, x", "2 is not a float literal"),
    "a negative int": ("return x + -1, x", "1 is not a float literal"),
    "a bool": ("return select(True, x, a), x", "True is not a float literal"),
    "a string": ("return x + 'a', x", "'a' is not a float literal"),
    "a complex number": ("return x * 2j, x", "not a float literal"),
    "an unknown call": ("return sin(x), x", "sin"),
    "a builtin": ("return max(x, 0.0), x", "max"),
    "an attribute's call": ("return x.exp(), x", "not part"),
    "too few arguments": ("return select(x > 0.0, x), x", "select takes 3 arguments, not 2"),
    "too many arguments": ("return sqrt(x, x), x", "sqrt takes 1 arguments, not 2"),
    "a keyword": ("return sqrt(x=x), x", "not part|Call"),
    "use before assignment": ("y = z + 1.0\nz = x\nreturn y, z", "z is used before it is assigned"),
    "an unknown name": ("return x + q, x", "q"),
    "a global number": ("return x + number, x", "number"),
    "a constant as a whole": ("return x + C, x", "C"),
    "another part of a constant": ("return x + C.middle, x", "not part|middle"),
    "a part of something else": ("return x + a.hi, x", "a is not a module-level Constant"),
    "power": ("return x ** 2.0, x", "BinOp"),
    "floor division": ("return x // 2.0, x", "BinOp"),
    "modulo": ("return x % 2.0, x", "BinOp"),
    "not": ("return select(not x, x, a), x", "UnaryOp"),
    "and": ("return select(x > 0.0 and x < 1.0, x, a), x", "BoolOp"),
    "a chained comparison": ("return select(0.0 < x < 1.0, x, a), x", "Compare"),
    "identity": ("return select(x is a, x, a), x", "Compare"),
    "a lambda": ("y = lambda t: t\nreturn x, x", "Lambda"),
    "a list": ("return [x][0], x", "Subscript|List"),
    "augmented assignment": ("y = x\ny += 1.0\nreturn y, x", "AugAssign"),
    "annotated assignment": ("y: float = x\nreturn y, x", "AnnAssign"),
    "chained assignment": ("y = z = x\nreturn y, z", "Assign"),
    "assignment to an element": ("x[0] = 1.0\nreturn x, x", "Assign"),
    "a starred target": ("y, *z = two_sum(x, a)\nreturn y, x", "only names|Starred|not part"),
    "an import": ("import math\nreturn x, x", "Import"),
    "an assertion": ("assert x > 0.0\nreturn x, x", "Assert"),
    "a bare expression": ("sqrt(x)\nreturn x, x", "Expr"),
    "an early return": ("return x, x\nreturn x, x", "Return"),
    "no return": ("y = x", "ends with one return"),
    "an empty return": ("return", "ends with one return"),
    "a nested function": ("def g(t):\n    return t\nreturn x, x", "FunctionDef"),
    "a walrus": ("return (y := x) + y, x", "NamedExpr"),
    "an f-string": ("return x + f'{x}', x", "JoinedStr"),
}
ACCEPTED = [
    "return x, 1.0",
    '"""A docstring."""\nreturn x, 1.0',
    "y = x * a + 1.0\nz = y / a - x\nreturn y, -z",
    "h, l = two_sum(x, a)\nreturn h, l",
    "return select((x > 0.0) & (x < a), x, a), select((x <= 0.0) | (x != x), 1.0, 0.0)",
    "x = abs(x)\nreturn x, x",
    "return x * C.hi + x * C.lo, exp(copysign(x, a))",
    "big = x >= 1e30\nreturn select(big, x, fma(x, a, 2.5e-3)), mul_add(x, x, x)",
]
numbered = itertools.count()


def load(body, tmp_path, arguments="x, a", decorator=""):
    """The module of one formula f, from a file of its own; and the line where f starts."""
    path = tmp_path / f"formula{next(numbered)}.py"
    text = HEAD + decorator + f"def f({arguments}):\n" + textwrap.indent(body, "    ") + "\n"
    path.write_text(text)
    spec = importlib.util.spec_from_file_location(path.stem, path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module, path, HEAD.count("\n") + 1


@pytest.mark.parametrize("what", REFUSED)
def test_refused(what, tmp_path):
    """FormulaError, a SyntaxError, whose message begins with file and line and names the construct."""
    body, message = REFUSED[what]
    module, path, first = load(body, tmp_path)
    with pytest.raises(FormulaError, match=message) as caught:
        check(module.f)
    file, line = re.match(r"(.*?):(\d+): ", str(caught.value)).groups()
    assert file == str(path)
    assert first <= int(line) <= first + body.count("\n") + 1
    assert "in f:" in str(caught.value)
    assert isinstance(caught.value, SyntaxError)


def test_the_line_is_that_of_the_fault(tmp_path):
    module, _, first = load("y = x\nz = y + 1.0\nw = z * 3\nreturn w, z", tmp_path)
    with pytest.raises(FormulaError, match=rf":{first + 3}: in f: 3 is not a float literal"):
        check(module.f)


@pytest.mark.parametrize("arguments", ["x, a=1.0", "x, *a", "x, *, a", "x, **a"])
def test_refused_arguments(arguments, tmp_path):
    module, path, _ = load("return x, x", tmp_path, arguments)
    with pytest.raises(FormulaError, match=re.escape(str(path)) + r":\d+:"):
        check(module.f)


@pytest.mark.parametrize("body", ACCEPTED)
def test_accepted(body, tmp_path):
    module, _, _ = load(body, tmp_path)
    check(module.f)


FIELDS = 'latex="f(x) = x", limits=("0", "inf"), slopes=("0", "1"), range=("0", "inf"), reference="none"'


def test_the_decorator_checks(tmp_path):
    """A bad formula is refused at import and not registered."""
    before = dict(REGISTRY)
    for body in ("return x * 2, x", "for i in x:\n    pass\nreturn x, x"):
        with pytest.raises(FormulaError, match=r"formula\d+\.py:\d+: in f:"):
            load(body, tmp_path, "x", f"@activation({FIELDS})\n")
    with pytest.raises(FormulaError, match="params"):
        load("return x, x", tmp_path, "x, a", f"@activation({FIELDS})\n")
    with pytest.raises(FormulaError, match="'relu' is taken"):
        load("return x, x", tmp_path, "x", f'@activation({FIELDS}, alias=("relu",))\n')
    with pytest.raises(FormulaError, match="'swish' is taken"):
        load("return x, x", tmp_path, "x", f'@activation({FIELDS}, alias=("swish",))\n')
    assert before == REGISTRY


def test_the_decorator_registers(tmp_path):
    decorator = f'@activation({FIELDS}, params={{"a": 2.0}}, alias=("f_of_the_tests",), kinks=(0.0,))\n'
    try:
        module, _, _ = load('"""Just a test."""\nreturn x * a, a, x', tmp_path, "x, a", decorator)
        spec = REGISTRY["f"]
        assert module.f is spec
        assert spec.summary == "Just a test."
        assert spec.params == {"a": 2.0}
        assert spec.alias == ("f_of_the_tests",)
        assert spec.inverse == []
    finally:
        REGISTRY.pop("f", None)
    assert sorted(REGISTRY) == NAMES


def test_required_fields():
    with pytest.raises(TypeError, match="latex"):
        activation(limits=("0", "0"))


@pytest.mark.parametrize("name", NAMES)
def test_every_formula_keeps_to_the_language(name):
    spec = REGISTRY[name]
    check(spec.formula)
    for inverse in spec.inverse:
        check(inverse)
    assert tree_of(spec.formula).name == name
    assert spec.summary


def test_formulas_are_texts_only():
    """Atoms and primitives cannot be called from Python by mistake."""
    with pytest.raises(RuntimeError, match="compiled"):
        REGISTRY["softsign"].formula(1.0)
    one = next(iter(PRIMITIVES.values()))
    with pytest.raises(RuntimeError, match="compiled"):
        one(1.0)
    assert {"select", "fma", "abs", "sqrt", "copysign"} <= set(ATOMS)


def test_primitives_exist_for_both_precisions():
    names = {name for name, _ in PRIMITIVES}
    for name in names:
        texts = {precision for n, precision in PRIMITIVES if n == name}
        # One for both, one for each, or one for both and another that takes less time in float32; and its parts.
        assert texts in ({None}, {"float32", "float64"}, {None, "float32"}, {"float32"}), name
    for entry in PRIMITIVES.values():
        check(entry.function)


def test_primitive_decorator_checks(tmp_path):
    module, _, _ = load("return x * 2", tmp_path)
    before = dict(PRIMITIVES)
    with pytest.raises(FormulaError, match="2 is not a float literal"):
        primitive(module.f)
    assert before == PRIMITIVES


def test_constants():
    assert repr(Constant("0.5")) == "Constant('0.5')"
    assert len(fa.activations()) == len(REGISTRY)
