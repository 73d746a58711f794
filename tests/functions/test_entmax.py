"""entmax of any alpha: values by bisection in mpmath, gradients, limits, alphas of rows, errors."""

import inspect

import numpy as np
import pytest
from helpers import DTYPES, assert_same_bits, run_python
from mpmath import mp, mpf

import fastact as fa
from fastact.cpu import levels

INF, NAN = np.inf, np.nan
ALPHAS = [1.0 + 2.0**-40, 1.001, 1.2, 1.4999, 1.5, 1.7, 2.0, 2.0001, 2.5, 4.0, 7.0]


def exact(row, alpha, temperature=1.0):
    """One row by bisection for the threshold."""
    digits = 160 + int(60 * max(alpha - 4, 0))  # what rises steeply is as exact as the threshold to the power 1/(alpha - 1)
    with mp.workprec(digits):
        z = [mpf(float(v)) / mpf(temperature) for v in row]
        a, top = mpf(alpha) - 1, max(z)
        z = [a * (v - top) for v in z]
        low, high = mpf(-1), mpf(0)
        for _ in range(120 if alpha < 1.01 else digits - 80):
            theta = (low + high) / 2
            if sum(max(v - theta, 0) ** (1 / a) for v in z) >= 1:
                low = theta
            else:
                high = theta
        return [max(v - low, mpf(0)) ** (1 / a) for v in z]


def rows_of(dtype, n):
    rng = np.random.default_rng(n)
    x = rng.normal(size=(6, n))
    x[1] *= 10
    x[2] *= 1e-3
    x[3] = np.round(x[3])
    x[4] = 40 + 4 * x[4]
    x[5, ::3] = -INF
    x[5, -1] = 0
    return x.astype(dtype)


def check(dtype, alphas, lengths):
    """The documented bound; beyond 2 results are those of an argument that is off by as much, and their sum is 1."""
    eps = float(np.finfo(dtype).eps)
    for alpha in alphas:
        alpha = float(dtype(alpha - 1)) + 1.0  # what is computed with
        for n in lengths:
            x = rows_of(dtype, n)
            results = [exact(row, alpha) for row in x]
            for got in (fa.entmax(x, alpha), fa.entmax(np.asfortranarray(x), alpha)):
                assert got.dtype == dtype
                np.testing.assert_allclose(got.sum(-1, dtype=float), 1, atol=(8 + n) * eps)
                for row, values, want in zip(x, got, results, strict=True):
                    for g, w in zip(values, want, strict=True):
                        slack = 8 * eps
                        if alpha > 2:
                            slack = float((w ** (mpf(alpha) - 1) + 16 * eps * alpha) ** (1 / (mpf(alpha) - 1)) - w) + 8 * eps
                        assert abs(float(g) - w) <= slack, (alpha, row, g, float(w))


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("alpha", ALPHAS)
def test_values(alpha, dtype):
    if dtype == np.float32 and alpha < 1.001:
        alpha = 1.0 + 2.0**-20
    check(dtype, [alpha], [1, 3, 33])


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("alpha", [2.5, 4.0, 6.0, 12.0, 40.0, 1e4])
def test_steep_results_are_what_others_leave(dtype, alpha):
    """Of two elements, of several that are equal, and of these below one that is larger: to 8 ULP of 1, sums of 1."""
    eps = float(np.finfo(dtype).eps)
    for gap in (0.0, 1e-30, 1e-6, 0.01, 0.1, 0.3, 0.9, 5.0):
        for equal, less in ((1, 1), (3, 0), (2, 3), (1, 4)):
            row = np.array([0.0] * equal + [-gap] * less, dtype)
            got = fa.entmax(row, alpha)
            assert len(set(got[:equal])) == 1
            assert len(set(got[equal:])) <= 1
            with mp.workprec(300):  # by the largest result q, for what the threshold hides
                a, d = mpf(float(dtype(alpha - 1))), mpf(float(row[0])) - mpf(float(row[-1]))
                low, high = mpf(0), mpf(1)
                for _ in range(200):
                    q = (low + high) / 2
                    other = max(1 - a * d * q**-a, mpf(0)) ** (1 / a) * q
                    low, high = (low, q) if equal * q + less * other >= 1 else (q, high)
                rest = (1 - equal * low) / less if less else mpf(0)
            assert abs(float(got[0]) - low) <= 8 * eps
            assert not less or abs(float(got[-1]) - rest) <= 8 * eps * equal
            assert abs(float(got.sum(dtype=float)) - 1) <= 4 * eps


@pytest.mark.parametrize("alpha", [3.0, 5.0, 9.0])
def test_gradients_of_steep_results(alpha):
    """By x from exact results, by alpha against differences in mpmath; one slope may outgrow all others by far."""
    rng = np.random.default_rng(8)
    x, grad = rng.normal(0, 0.1, size=(2, 2, 4))
    for row, g in zip(x, grad, strict=True):
        a = mpf(alpha - 1)
        with mp.workprec(400):
            y = exact(row, alpha)
            weights = [v ** (1 - a) if v else mpf(0) for v in y]
            mean = sum(w * mpf(d) for w, d in zip(weights, g, strict=True)) / sum(weights)
            want = [float(w * (mpf(d) - mean)) for w, d in zip(weights, g, strict=True)]
            h = mpf(2) ** -40
            ends = [exact(row, mpf(alpha) + s * h) for s in (1, -1)]
            by_alpha = float(sum(mpf(d) * (u - v) for d, u, v in zip(g, *ends, strict=True)) / (2 * h))
        size = np.max(np.abs(want)) + 1e-12
        got = fa.entmax.backward(g, np.array([float(v) for v in y]), alpha)
        np.testing.assert_allclose(got, want, rtol=1e-9, atol=1e-9 * size)
        assert fa.entmax.parameter_gradients(g, row, alpha)["alpha"] == pytest.approx(by_alpha, rel=1e-6, abs=1e-8)


def test_a_slope_that_outgrows_the_others():
    """The gradient of an element that holds almost nothing is what those of the others leave, in digits that float64 has."""
    y, grad = np.array([0.7, 0.3, 1e-30]), np.array([1.0, -2.0, 0.5])
    for alpha in (4.0, 9.0, 40.0):
        a = mpf(alpha - 1)
        with mp.workprec(9000):
            weights = [mpf(v) ** (1 - a) for v in y]
            mean = sum(w * mpf(d) for w, d in zip(weights, grad, strict=True)) / sum(weights)
            want = [float(w * (mpf(d) - mean)) for w, d in zip(weights, grad, strict=True)]
        np.testing.assert_allclose(fa.entmax.backward(grad, y, alpha), want, rtol=1e-12)


@pytest.mark.parametrize("dtype", [np.float16, *DTYPES])
def test_kin(dtype):
    """entmax15 and sparsemax to the bit; nearly these, and softmax, for an alpha nearby."""
    x = (3 * np.random.default_rng(0).normal(size=(40, 50))).astype(dtype)
    eps = float(np.finfo(dtype).eps)
    for alpha, kin in ((1.5, fa.entmax15), (2.0, fa.sparsemax), (2, fa.sparsemax)):
        assert_same_bits(fa.entmax(x, alpha), kin(x))
        assert_same_bits(fa.entmax(x, alpha, 0, temperature=0.7), kin(x, 0, temperature=0.7))
        grad = x[::-1]
        assert_same_bits(fa.entmax.backward(grad, kin(x), alpha), kin.backward(grad, kin(x)))
        each = fa.entmax(x, np.full(40, float(alpha)))
        np.testing.assert_allclose(each.astype(float), kin(x).astype(float), rtol=0, atol=16 * eps)
        slope = fa.entmax.backward(grad, kin(x), np.full(40, float(alpha)))
        np.testing.assert_allclose(slope.astype(float), kin.backward(grad, kin(x)).astype(float), rtol=0, atol=64 * eps)
    assert_same_bits(fa.entmax(x), fa.entmax15(x))
    np.testing.assert_allclose(fa.entmax(x, 1 + 1e-9).astype(float), fa.softmax(x).astype(float), rtol=8 * eps, atol=1e-7)


@pytest.mark.parametrize("shape", [(7, 300), (300, 7), (2, 70_000), (3, 5, 40), (500, 3)])
@pytest.mark.parametrize("dtype", DTYPES)
def test_layouts_and_threads(dtype, shape, threads):
    """Sums of 1, the same bits for any number of threads, in place, along any axis; an alpha for each row too."""
    x = (4 * np.random.default_rng(1).normal(size=shape)).astype(dtype)
    eps = float(np.finfo(dtype).eps)
    for axis in range(len(shape)):
        alphas = np.random.default_rng(2).uniform(1.01, 2, [n for a, n in enumerate(shape) if a != axis])
        for alpha in (1.3, alphas):
            threads(1)
            want = fa.entmax(x, alpha, axis)
            np.testing.assert_allclose(want.sum(axis, dtype=float), 1, atol=8 * eps + 0.5 * eps * shape[axis] ** 0.5)
            threads(3)
            assert_same_bits(fa.entmax(x, alpha, axis), want)
            y = x.copy()
            assert fa.entmax(y, alpha, axis, out=y) is y
            assert_same_bits(y, want)
        rows = np.moveaxis(x, axis, -1).reshape(-1, shape[axis])[:20]
        each = np.stack([fa.entmax(r, float(a)) for r, a in zip(rows, alphas.ravel(), strict=False)])
        got = np.moveaxis(fa.entmax(x, alphas, axis), axis, -1).reshape(-1, shape[axis])[:20]
        np.testing.assert_allclose(got, each, rtol=0, atol=16 * eps)
    whole = fa.entmax(x, 1.3, None)
    np.testing.assert_allclose(whole.ravel(), fa.entmax(x.ravel(), 1.3), rtol=0, atol=8 * eps)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("alpha", ALPHAS)
def test_limits(alpha, dtype):
    big = np.finfo(dtype).max
    for n in (3, 70):
        x = np.zeros((7, n), dtype)
        x[0] = -INF
        x[1, 1], x[2, 2] = NAN, INF
        x[3] = -big
        x[3, 1] = big
        x[4] = -INF
        x[4, 2] = 5
        x[5] = big
        x[6] = -0.0
        got = fa.entmax(x, alpha)
        assert (got[0] == 0).all()
        assert np.isnan(got[1:3]).all()
        for row, i in ((3, 1), (4, 2)):
            assert got[row, i] == pytest.approx(1, abs=4 * float(np.finfo(dtype).eps))
            assert (np.delete(got[row], i) == 0).all()
        eps, power = float(np.finfo(dtype).eps), max(1.0, alpha - 1)
        np.testing.assert_allclose(got[5:], 1 / n, atol=(n**-power + 16 * eps * alpha) ** (1 / power) - 1 / n + 8 * eps)
        mask = x[6:] == 0
        mask[0, 1] = False
        hidden = fa.entmax(np.where(mask, x[6:], NAN), alpha, where=mask)
        assert hidden[0, 1] == 0
        np.testing.assert_allclose(hidden[mask], 1 / (n - 1), rtol=1e-3 if alpha < 4 else 2e-2)
        m = fa.entmax(np.ma.array(np.where(mask, x[6:], NAN), mask=~mask), alpha)
        assert_same_bits(m.data, hidden)
        assert_same_bits(m.mask, ~mask)
    assert fa.entmax(np.zeros((3, 0), dtype), alpha).shape == (3, 0)
    assert fa.entmax(dtype(3), alpha) == pytest.approx(1)


@pytest.mark.parametrize("alpha", [1 + 2.0**-30, 1.05, 1.3, 1.5, 1.8, 2.0, 2.2])
@pytest.mark.parametrize("dtype", [np.float16, *DTYPES])
def test_gradients(dtype, alpha):
    """By x, alpha and the temperature, against central differences; of the shapes of alpha and of the temperature."""
    rng = np.random.default_rng(3)
    x = rng.normal(size=(4, 3, 6))
    grad = rng.normal(size=x.shape)
    x, grad = (v.astype(dtype).astype(float) for v in (x, grad))
    h = 2.0**-16 if alpha > 1.01 else 2.0**-9
    tolerance = 2e-6 if dtype == np.float64 else 40 * float(np.finfo(dtype).eps)

    def differences(function, point):
        found = np.empty(point.shape)
        for i in np.ndindex(point.shape):
            sums = []
            for step in (1, -1):
                moved = point.copy()
                moved[i] += step * h
                sums.append((grad * function(moved)).sum())
            found[i] = (sums[0] - sums[1]) / (2 * h)
        return found

    y = fa.entmax(x, alpha)
    got = fa.entmax.backward(grad.astype(dtype), y.astype(dtype), alpha)
    assert got.dtype == dtype
    loose = 20 * tolerance if dtype != np.float64 else max(tolerance, 4 * h * h)
    np.testing.assert_allclose(got.astype(float), differences(lambda v: fa.entmax(v, alpha), x), rtol=loose, atol=20 * loose)
    temperature = np.full(3, 1.25)
    for shape in ((), (3,), (4, 1), (4, 3, 1)):
        given = np.full(shape, alpha)
        found = fa.entmax.parameter_gradients(grad.astype(dtype), x.astype(dtype), given, temperature=temperature)
        assert found["alpha"].shape == shape
        assert found["temperature"].shape == (3,)
        assert found["alpha"].dtype == found["temperature"].dtype == dtype
        want = differences(lambda v: fa.entmax(x, alpha, temperature=v), temperature)
        np.testing.assert_allclose(found["temperature"].astype(float), want, rtol=loose, atol=40 * loose)
        if alpha > 1.01:
            want = differences(lambda v: fa.entmax(x, v, temperature=temperature), given)
            np.testing.assert_allclose(found["alpha"].astype(float), want, rtol=20 * tolerance, atol=100 * tolerance)


def test_gradient_by_alpha_has_a_limit_at_1():
    """Half the covariance of the gradient and the squared logarithms, by the series at alpha = 1."""
    rng = np.random.default_rng(0)
    x, grad = rng.normal(size=(2, 5, 9))
    p = fa.softmax(x)
    square = -0.5 * p * np.log(p) ** 2
    want = (grad * (square - p * square.sum(-1, keepdims=True))).sum()
    for alpha in (1 + 1e-7, 1 + 1e-12):
        np.testing.assert_allclose(fa.entmax.parameter_gradients(grad, x, alpha)["alpha"], want, rtol=2e-6)


def test_backward_of_what_has_no_part():
    y = np.array([[0.0, 0.25, 0.75], [0.0, 0.0, 0.0], [NAN, 0.5, 0.5]])
    grad = np.array([[NAN, 1.0, 2.0], [1.0, 2.0, 3.0], [1.0, 1.0, 2.0]])
    for alpha in (1.2, 1.7, 3.0):
        got = fa.entmax.backward(grad, y, alpha)
        assert got[0, 0] == 0
        assert np.isfinite(got[0]).all()
        assert got[0].sum() == pytest.approx(0, abs=1e-15)
        assert (got[1] == 0).all()
        assert np.isnan(got[2, 0])
        out = np.full(3, 7.0)
        assert fa.entmax.backward(grad[0], y[0], alpha, out=out) is out
        np.testing.assert_array_equal(out, got[0])


def test_dask():
    array = pytest.importorskip("dask.array")
    x, alphas = np.random.default_rng(0).normal(size=(7, 4)), np.linspace(1.1, 3, 7)
    lazy = array.from_array(x, chunks=(3, 4))
    for alpha in (1.5, 1.3, alphas, alphas[:, None]):
        got = fa.entmax(lazy, alpha)
        assert type(got) is array.Array
        assert_same_bits(got.compute(), fa.entmax(x, alpha))


def test_errors_and_documentation():
    x = np.ones((2, 3))
    for error, message, args in (
        (ValueError, r"alpha is 1, or has an element that is; expected numbers greater than 1", (x, 1.0)),
        (ValueError, r"alpha is -1\.0; expected a number between 1 and 1e\+30", (x, -1)),
        (ValueError, r"alpha has an element 0\.5; expected a number between", (x, [0.5, 2.0])),
        (ValueError, r"alpha has shape \(3,\); expected one that broadcasts to \(2,\) or \(2, 1\)", (x, np.full(3, 1.5))),
        (TypeError, r"alpha is None; expected a positive number", (x, None)),
        (ValueError, r"axis 2 is out of bounds", (x, 1.5, 2)),
    ):
        with pytest.raises(error, match=r"fastact\.entmax: " + message):
            fa.entmax(*args)
        with pytest.raises(error, match=r"fastact\.entmax\.backward: " + message):
            fa.entmax.backward(x, *args)
        with pytest.raises(error, match=r"fastact\.entmax\.parameter_gradients: " + message):
            fa.entmax.parameter_gradients(x, *args)
    doc = inspect.getdoc(fa.entmax)
    for parameter in inspect.signature(fa.entmax).parameters:
        assert f"\n{parameter} : " in doc


CODE = """
import numpy as np
from fastact.cpu import levels
from test_entmax import check
for dtype in (np.float32, np.float64):
    check(dtype, [1.2, 1.7, 2.5], [5, 33])
print(levels.LEVEL)
"""


@pytest.mark.parametrize("level", [level for level in levels.usable_levels() if level != levels.LEVEL])
def test_levels(level):
    done = run_python(CODE, FASTACT_CPU=level if level != "generic" else "")
    assert done.stdout.strip() == level, done.stderr[-2000:]
