"""Symbolic derivatives against mpmath's, which differentiates other functions numerically at 50 digits."""

import mpmath as mp
import numpy as np
import pytest

from fastact.calculus.derivatives import NoDerivative, derivative
from fastact.calculus.identities import recognised
from fastact.calculus.notation import read
from fastact.calculus.writing import written

pytest.importorskip("numba")
from fastact.numba.evaluation import evaluated


def sigmoid(x):
    return 1 / (1 + mp.exp(-x))


CASES = {
    "x * exp(-x * x / 2)": lambda x, a: x * mp.exp(-x * x / 2),
    "sin(a * x) + cos(x) * x": lambda x, a: mp.sin(a * x) + mp.cos(x) * x,
    "log(2 + x * x) - log1p(a * x * x)": lambda x, a: mp.log(2 + x * x) - mp.log1p(a * x * x),
    "sqrt(x * x + a) / (3 + x)": lambda x, a: mp.sqrt(x * x + a) / (3 + x),
    "erf(x) * expm1(a * x)": lambda x, a: mp.erf(x) * mp.expm1(a * x),
    "tanh(x - a) * sigmoid(2 * x)": lambda x, a: mp.tanh(x - a) * sigmoid(2 * x),
    "x**5 - x**-2 + x**1.5": lambda x, a: x**5 - x**-2 + x * mp.sqrt(x),
    "abs(x) * x + (x if x > 0 else a * x)": lambda x, a: abs(x) * x + (x if x > 0 else a * x),
    "softplus(x, a) + elu(x, a)": lambda x, a: mp.log1p(mp.exp(a * x)) / a + (x if x > 0 else a * mp.expm1(x)),
    "x * tanh(exp(x))": lambda x, a: x * mp.tanh(mp.exp(x)),
    "x * sigmoid(a * x) + x / (1 + exp(-x))": lambda x, a: x * sigmoid(a * x) + x * sigmoid(x),
}
POINTS = [-2.3, -0.6, 0.4, 1.1, 2.7]


@pytest.mark.parametrize("text", CASES)
def test_derivatives(text):
    """By x, and by the parameter; and again by x where the rules go that far."""
    points = [x for x in POINTS if x > 0 or "x**1.5" not in text]
    value = recognised(read(text, {"a": 0.8}, "here").results[0])
    results = [value, derivative(value, "x"), derivative(value, "a")]
    wanted = [(0, 0), (1, 0), (0, 1)]
    try:
        results.append(derivative(results[1], "x"))
        wanted.append((2, 0))
    except NoDerivative:
        pass
    found = evaluated(written("f", ["x", "a"], results, [False] * len(results)), [np.array(points), 0.8])
    with mp.workdps(50):
        for got, order in zip(found, wanted, strict=True):
            true = [float(mp.diff(CASES[text], (x, 0.8), order)) for x in points]
            np.testing.assert_allclose(got, true, rtol=2e-14, atol=1e-15, err_msg=f"{text} {order}")


def test_at_a_kink_the_derivative_is_that_of_the_branch():
    for text, at_zero in {"x if x > 0 else 2 * x": 2.0, "x if x >= 0 else 2 * x": 1.0, "max(x, 0)": 0.0, "abs(x)": 0.0}.items():
        value = read(text, {}, "here").results[0]
        (found,) = evaluated(written("f", ["x"], [derivative(value, "x")], [False]), [0.0])
        assert found == at_zero, text


def test_a_derivative_that_there_is_not():
    value = read("elu.derivative(x, a * x)", {"a": 1.0}, "here").results[0]
    with pytest.raises(NoDerivative, match=r"elu.derivative has no derivative by (x|alpha)"):
        derivative(value, "x")
