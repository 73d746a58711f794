"""What users may write as a formula, how it is read, and how the rest is refused: with the place and what to write instead."""

import textwrap

import numpy as np
import pytest

import fastact as fa
from fastact.calculus import tree
from fastact.calculus.derivatives import derivative
from fastact.calculus.identities import recognised
from fastact.calculus.latex import latex_of
from fastact.calculus.notation import read
from fastact.calculus.writing import written
from fastact.language.terms import FormulaError

pytest.importorskip("numba")
from fastact.numba.evaluation import evaluated

REFUSED = {  # text: (line, column, what the message says)
    "x + q": (1, 5, "q is neither x nor a parameter"),
    "sinh(x)": (1, 1, r"no function sinh .* write 0\.5 \* \(exp\(x\) - exp\(-x\)\)"),
    "gelo(x)": (1, 1, "write gelu"),
    "x +": (1, 4, "invalid syntax"),
    "x ** y": (1, 6, "y is neither"),
    "x ** x": (1, 1, r"write exp\(p \* log\(a\)\)"),
    "x ** 0.3": (1, 1, r"write exp\(p \* log\(a\)\)"),
    "1 + x % 2": (1, 5, "Mod .* without a remainder"),
    "x // 2": (1, 1, "FloorDiv .* write a / b"),
    "x if x else 1": (1, 6, "expected a comparison"),
    "x and 1": (1, 1, "expected a comparison"),
    "not x > 0": (1, 1, "Not .* opposite comparison"),
    "x is 1": (1, 1, "Is .* write =="),
    "x > 0": (1, 1, r"write select\(condition, 1\.0, 0\.0\)"),
    "1 + (x > 0)": (1, 6, "a condition is no number"),
    "select(x > 0, 1)": (1, 1, "select takes 3 arguments"),
    "exp(x, x)": (1, 1, "exp takes 1 argument, by position"),
    "gelu(x, 2)": (1, 1, "gelu takes x"),
    "elu(x, beta=2)": (1, 1, "elu takes x, alpha; got 'beta'"),
    "gelu.backward(x)": (1, 1, r"write gelu\(x\) or gelu\.derivative\(x\)"),
    "gelu": (1, 1, r"gelu is a function; write gelu\(x\)"),
    "x.real": (1, 1, "Attribute"),
    "x[0]": (1, 1, "Subscript"),
    "'a' + x": (1, 1, "not a number"),
    "x + 1j": (1, 5, "not a number"),
    "x + True": (1, 5, "not a number"),
    "x * 1e999": (1, 5, "not finite"),
    "x / 0": (1, 5, "division by 0"),
    "[x for _ in x]": (1, 1, "ListComp"),
    "(y := x)": (1, 2, "NamedExpr .* assignment of its own line"),
    "f'{x}'": (1, 1, "JoinedStr"),
    "__import__('os').system('true')": (1, 1, "only functions with a name"),
    "().__class__": (1, 1, "Attribute"),
    "import os": (1, 1, "one expression, one lambda or one def"),
    "x; x": (1, 1, "one expression"),
    "": (1, 1, "one expression"),
    "lambda y: y": (1, 1, "must be called x"),
    "lambda: 1": (1, 1, "takes x and its parameters"),
    "lambda *x: x": (1, 1, "takes x and its parameters"),
    "lambda x=1: x": (1, 10, "x has no default"),
    "lambda x, a=x: a": (1, 13, "x is neither"),
    "def f(x):\n    if x > 0:\n        return x\n    return 0": (2, 5, "If .* 'a if condition else b'"),
    "def f(x):\n    for i in x:\n        y = i\n    return y": (2, 5, "For .* write the terms out"),
    "def f(x):\n    y = x\n    y += 1\n    return y": (3, 5, "AugAssign .* 'y = y \\+ 1'"),
    "def f(x):\n    y = x\n    return y + z": (3, 16, "z is neither"),
    "def f(x):\n    y, z = x, x\n    return y": (2, 5, "Assign .* one name"),
    "def f(x):\n    return x\n    return x": (2, 5, "one return at the end"),
    "def f(x):\n    y = x": (1, 1, "ends with one return"),
}

#: Text and parameters, and the same for NumPy.
READ = {
    "2*x - 1": lambda x, a: 2 * x - 1,
    "-x ** 2 / 3": lambda x, a: -(x**2) / 3,
    "x**-3 + x**2.5": lambda x, a: x**-3 + x**2.5,
    "a if x > a else -a": lambda x, a: np.where(x > a, a, -a),
    "select(0.5 < x <= 2 or x == 3, x, a)": lambda x, a: np.where((x > 0.5) & (x <= 2) | (x == 3), x, a),
    "np.where((x > 1) & (x != 2), np.exp(x), math.sqrt(x))": lambda x, a: np.where((x > 1) & (x != 2), np.exp(x), np.sqrt(x)),
    "max(x, a) + minimum(x, 1) - clip(x, 1, 2)": lambda x, a: np.maximum(x, a) + np.minimum(x, 1) - np.clip(x, 1, 2),
    "mul_add(x, a, 1) + fma(x, x, a) + copysign(2, x - 1)": lambda x, a: x * a + 1 + x * x + a + np.copysign(2, x - 1),
    "log(x) + log1p(x) + expm1(x)": lambda x, a: np.log(x) + np.log1p(x) + np.expm1(x),
    "sin(x) * cos(a * x) + abs(x - a) * sign(x - 1)": lambda x, a: np.sin(x) * np.cos(a * x) + abs(x - a) * np.sign(x - 1),
    "fa.swish(x, beta=a) + gelu.derivative(x)": lambda x, a: fa.silu(x, a) + fa.gelu.derivative(x),
    "elu(x - 2, a) + math.pi": lambda x, a: fa.elu(x - 2, a) + np.pi,
    "lambda x, a=0.7: +x * a": lambda x, a: x * a,
    "def f(x, a):\n    '''Text.'''\n    u = x * a\n    return u * tanh(u)": lambda x, a: x * a * np.tanh(x * a),
}

RECOGNISED = {
    "1 / (1 + exp(-x))": "sigmoid(x)", "x / (exp(-x) + 1)": "silu(x)", "exp(x) / (1 + exp(x))": "sigmoid(x)",
    "log(1 + exp(x))": "softplus(x)", "log(exp(x) + 1)": "softplus(x)", "log1p(exp(2 * x))": "softplus(2 * x)",
    "exp(x) - 1": "expm1(x)", "log(1 + x)": "log1p(x)", "(exp(x) - exp(-x)) / (exp(x) + exp(-x))": "tanh(x)",
    "x * sigmoid(x)": "silu(x)", "sigmoid(1.702 * x) * x": "silu(x, 1.702)", "x * sigmoid(-a * x)": "silu(x, -a)",
    "x * tanh(log(1 + exp(x)))": "mish(x)", "0.5 * x * (1 + erf(x / 1.4142135623730951))": "gelu(x)",
}  # fmt: skip


def result(text, params=None):
    return read(text, {"a": 0.7} if params is None else params, "here").results[0]


@pytest.mark.parametrize("text", REFUSED)
def test_refused(text):
    line, column, message = REFUSED[text]
    with pytest.raises(FormulaError, match=f"^here: line {line}, column {column}: .*{message}"):
        read(text, {}, "here")


@pytest.mark.parametrize("text", READ)
def test_read(text):
    x = np.array([0.25, 0.7, 1.0, 1.5, 2.0, 3.0, 4.5])
    formula = read(text, {"a": 0.7}, "here")
    (found,) = evaluated(written("f", ["x", "a"], formula.results[:1], [False]), [x, 0.7])
    np.testing.assert_allclose(found, np.broadcast_to(READ[text](x, 0.7), x.shape), rtol=4e-15)
    again = read(formula.source, formula.params if "lambda" not in text and "def" not in text else {"a": 0.7}, "here")
    assert again.results == formula.results  # what is kept in a pickle reads to the same


@pytest.mark.parametrize("text", RECOGNISED)
def test_recognised(text):
    assert recognised(result(text)) is result(RECOGNISED[text])


def test_what_only_looks_like_it_is_not_recognised():
    near = ("x * sigmoid(x * x)", "x * sigmoid(a + x)", "log(2 + exp(x))", "1 / (1 + exp(x) * x)", "x * tanh(softplus(a * x))")
    for text in near:
        assert recognised(result(text)) is result(text)


def test_a_place_in_a_file(tmp_path):
    """A function's file stands before line and column, as compilers write it."""
    path = tmp_path / "mine.py"
    path.write_text(textwrap.dedent("""
        def right(x):
            return x

        def wrong(x):
            y = x * x
            return y % 2
    """))  # fmt: skip
    scope = {}
    exec(compile(path.read_text(), str(path), "exec"), scope)
    assert read(scope["right"], {}, "here").results == (tree.name("x"),)
    with pytest.raises(FormulaError, match=rf"^here: {path}:7:12: Mod"):
        read(scope["wrong"], {}, "here")


def test_lambdas_in_one_line_are_told_apart():
    first, second = read(lambda x: x + 1, {}, "here"), read(lambda x: x + 2, {}, "here")
    pair = [lambda x: x * 3, lambda x: x * 4]
    assert [f.results[0] for f in (first, second)] == [result("x + 1"), result("x + 2")]
    assert [read(f, {}, "here").results[0] for f in pair] == [result("x * 3"), result("x * 4")]


def test_a_function_without_a_text():
    scope = {}
    exec("def f(x): return x", scope)
    with pytest.raises(FormulaError, match="the text of f cannot be found; give the formula as a text"):
        read(scope["f"], {}, "here")
    with pytest.raises(TypeError, match="formula is int"):
        read(3, {}, "here")


def test_equal_expressions_are_one():
    assert result("2 * x + a * 3") is result("x * 2 + 3 * a")
    assert result("--x * 1 + 0") is tree.name("x")
    assert derivative(result("3.0"), "x").equals(0.0)


def test_latex():
    assert latex_of(result("x / (1 + abs(x))")) == r"f(x) = \frac{x}{1 + \left|x\right|}"
    assert latex_of(result("alpha * (x - 1)", {"alpha": 1.0})) == r"f(x) = \alpha \left(x - 1\right)"
