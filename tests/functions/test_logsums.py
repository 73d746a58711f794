"""logsumexp and logmeanexp with weights and signs: values against mpmath and scipy, gradients, limits, errors."""

import itertools

import numpy as np
import pytest
from helpers import DTYPES, assert_same_bits
from mpmath import exp, log, mp, mpf

import fastact as fa

NAMES = ["logsumexp", "logmeanexp"]
INF, NAN = np.inf, np.nan


def exact(x, b, temperature, mean):
    """(log of the magnitude, sign, that of the sum of magnitudes) of one row."""
    with mp.workprec(2500):
        terms = [mpf(float(w)) * exp(mpf(float(v)) / mpf(temperature)) for v, w in zip(x, b, strict=True)]
        total, size = sum(terms), sum(abs(t) for t in terms)
        count = log(len(terms)) if mean else 0
        return log(abs(total)) - count, int(mp.sign(total)), size / abs(total)


@pytest.mark.parametrize("temperature", [1.0, 0.3])
@pytest.mark.parametrize("dtype", [np.float16, *DTYPES])
@pytest.mark.parametrize("name", NAMES)
def test_values(name, dtype, temperature):
    """The documented bound, for weights of either sign and of any size, along all ways of an array."""
    rng, function, eps = np.random.default_rng(0), getattr(fa, name), float(np.finfo(dtype).eps)
    limits = (-650, 650) if dtype == np.float64 else (-80, 80)
    spread = 2 if dtype == np.float16 else 200 if dtype == np.float64 else 30
    for n, scale, size in itertools.product((1, 2, 7, 40), (1e-3, 1.0, 30.0), (0.0, 1.0, spread)):
        x = (scale * rng.normal(size=(6, n))).astype(dtype)
        b = (rng.normal(size=(6, n)) * np.exp(np.clip(size * rng.normal(size=(6, n)), *limits))).astype(dtype)
        b[1] = np.abs(b[1]) + dtype(0.01)
        b[2, ::2] = 0
        b[2, -1] = 1
        y, sign = function(x, b=b, temperature=temperature, return_sign=True)
        assert y.dtype == sign.dtype == dtype
        for row, weights, got, s in zip(x, b, y, sign, strict=True):
            want, turned, loss = exact(row, weights, temperature, name == "logmeanexp")
            live = weights[weights != 0].astype(float)
            largest = max(np.abs(row.astype(float)).max() / temperature, np.abs(np.log(np.abs(live))).max(), np.log(n), 1.0)
            assert s == turned
            unit = max(eps * abs(want), 4 * largest * (2.0**-52 * loss + (eps if dtype == np.float64 else 0)))
            assert abs(mpf(float(got)) - want) <= unit, (row, weights, got, want)
        plain = function(x, b=b, temperature=temperature)
        assert_same_bits(plain, np.where(sign < 0, NAN, y).astype(dtype))
        across = function(np.asfortranarray(x).T, 0, b=b.T, temperature=temperature)
        np.testing.assert_allclose(across, plain, rtol=1e5 * eps if dtype == np.float64 else 4 * eps, atol=1e5 * 2.0**-52)


@pytest.mark.parametrize("name", NAMES)
def test_against_scipy(name):
    """Axes, masks, broadcast weights and outputs; SciPy has no mean, no mask and no temperature."""
    rng, function = np.random.default_rng(1), getattr(fa, name)
    x = rng.normal(size=(2, 3, 4))
    for axis, shape in itertools.product((0, -1, (0, 2), None), ((2, 3, 4), (4,), (3, 1), ())):
        b = rng.normal(size=shape)
        for keepdims in (False, True):
            want, sign = scipy.special.logsumexp(x, axis=axis, b=b, keepdims=keepdims, return_sign=True)
            axes = range(3) if axis is None else np.atleast_1d(axis)
            want = want - (np.log(np.prod([x.shape[a] for a in axes])) if name == "logmeanexp" else 0)
            got, turned = function(x, axis, b=b, keepdims=keepdims, return_sign=True)
            assert got.shape == turned.shape == want.shape
            np.testing.assert_allclose(got, want, rtol=1e-12, atol=1e-14)
            np.testing.assert_array_equal(turned, sign)
            out = np.empty(want.shape)
            pair = function(x, axis, b=b, keepdims=keepdims, return_sign=True, out=out)
            assert pair[0] is out
            np.testing.assert_array_equal(out, got)
    mask, b = rng.random(x.shape) < 0.6, rng.normal(size=x.shape)
    dirty = np.where(mask, x, NAN)
    got = function(dirty, where=mask, b=b, return_sign=True)
    want = scipy.special.logsumexp(x, axis=-1, b=np.where(mask, b, 0), return_sign=True)
    count = np.log(mask.sum(-1)) if name == "logmeanexp" else 0
    np.testing.assert_allclose(got[0], want[0] - count, rtol=1e-12)
    np.testing.assert_array_equal(got[1], want[1])
    m, sign = function(np.ma.array(dirty, mask=~mask), b=b, return_sign=True)
    np.testing.assert_array_equal(m.data, got[0])
    np.testing.assert_array_equal(sign.data, got[1])
    assert not m.mask.any()
    unweighted = function(x, return_sign=True)
    assert_same_bits(unweighted[0], function(x))
    assert (unweighted[1] == 1).all()


@pytest.mark.parametrize(("x", "b", "want", "sign"), [
    ([-INF, -INF], None, -INF, 0), ([1, 2], [0, 0], -INF, 0), ([1, 1], [1, -1], -INF, 0), ([INF, 1], [1, 1], INF, 1),
    ([INF, 1], [-1, 1], INF, -1), ([INF, INF], [1, -1], NAN, NAN), ([INF, INF], [-1, -2], INF, -1), ([INF, 1], [0, 1], 1, 1),
    ([NAN, 1], [0, 1], 1, 1), ([NAN, 1], [1, 1], NAN, NAN), ([NAN, 1], None, NAN, NAN), ([INF, 1], None, INF, 1),
    ([-INF, 1], [INF, 1], NAN, NAN), ([0, 1], [INF, 1], INF, 1), ([0, 1], [NAN, 1], NAN, NAN),
    ([-INF, 1], [-1, 2], 1 + np.log(2), 1),
    ([1e308, 1e308], [1, -0.0], 1e308, 1), ([800, 0], [1e-300, 1e300], 300 * np.log(10), 1),
])  # fmt: skip
def test_limits(x, b, want, sign):
    """As SciPy's: what has weight 0 does not count, whatever it is."""
    got = fa.logsumexp(np.array(x, float), b=b, return_sign=True)
    np.testing.assert_allclose(got, (want, sign), rtol=1e-14)
    shown = fa.logsumexp(np.array(x, float), b=b)
    np.testing.assert_array_equal(shown, NAN if sign == -1 else got[0])
    mean = fa.logmeanexp(np.array(x, float), b=b, return_sign=True)
    np.testing.assert_allclose(mean, (want - np.log(2), sign), rtol=1e-14)


def test_means():
    """Of equal numbers that number; of none -inf; of some the number of these."""
    for value in (0.0, -3.5, 700.0, 1e300):
        np.testing.assert_allclose(fa.logmeanexp(np.full((2, 9), value)), value, rtol=1e-15, atol=1e-15)
    assert fa.logmeanexp(np.zeros((2, 0))).tolist() == [-INF] * 2
    assert fa.logmeanexp([1.0, 2.0], where=False) == -INF
    assert fa.logmeanexp([5.0, 2.0, NAN], where=[True, False, False]) == 5.0
    assert fa.logmeanexp([0.0, -INF]) == pytest.approx(-np.log(2), rel=1e-15)
    assert fa.logmeanexp(np.float16([1, 1, 1])) == 1
    assert fa.log_mean_exp is fa.logmeanexp


@pytest.mark.parametrize("dtype", [np.float16, *DTYPES])
@pytest.mark.parametrize("name", NAMES)
def test_gradients(name, dtype):
    """By x, weights and temperature, against central differences of the logarithm of the magnitude."""
    function, rng = getattr(fa, name), np.random.default_rng(5)
    x = rng.normal(size=(3, 2, 5)).astype(dtype)
    grad = rng.normal(size=(3, 2)).astype(dtype)
    wide = grad.astype(float)
    tolerance = 1e-7 if dtype == np.float64 else 16 * float(np.finfo(dtype).eps)
    for shape in ((3, 2, 5), (5,), (2, 1)):
        b = (rng.normal(size=shape) + 2).astype(dtype)
        b.flat[0] = 0 if shape == (3, 2, 5) else -3
        arrays = {"x": x.astype(float), "b": b.astype(float), "temperature": np.array([0.8, 1.3])}

        def total(x, b, temperature):
            return (wide * function(x, b=b, temperature=temperature, return_sign=True)[0]).sum()

        want = {}
        for key, array in arrays.items():
            want[key] = np.empty(array.shape)
            for i in np.ndindex(array.shape):
                moved = [array.copy() for _ in range(4)]
                for a, step in zip(moved, (2, 1, -1, -2), strict=True):
                    a[i] += step * 2.0**-12
                p, q, r, s = (total(**{**arrays, key: a}) for a in moved)
                want[key][i] = (-p + 8 * q - 8 * r + s) / 12 * 2.0**12
        given = {"b": b, "temperature": arrays["temperature"]}
        got = {"x": function.backward(grad, x, **given), **function.parameter_gradients(grad, x, **given)}
        for key, value in got.items():
            assert value.dtype == dtype
            np.testing.assert_allclose(value.astype(float), want[key], rtol=tolerance, atol=20 * tolerance, err_msg=key)
    assert function.parameter_gradients(grad, x).keys() == {"temperature"}
    empty = function.backward(np.ones(2), [[-INF, 2.0], [1.0, 1.0]], b=[[1, 0], [0, 0]])
    np.testing.assert_array_equal(empty, 0)


@pytest.mark.parametrize("name", NAMES)
def test_dtypes_and_errors(name):
    function = getattr(fa, name)
    x = np.ones((2, 3), np.float32)
    ones = np.ones(3)
    for b, want in ((2.0, "f"), (2, "f"), (ones, "d"), (ones.astype("e"), "f"), (ones.astype(int), "d"), (ones > 0, "f")):
        assert function(x, b=b).dtype == want
        assert function(x, b=b, dtype="f").dtype == np.float32
    title = rf"fastact\.{name}: "
    for error, message, keywords in (
        (ValueError, r"b has shape \(2,\), which does not broadcast to \(2, 3\) of x", {"b": np.ones(2)}),
        (TypeError, r"b has dtype complex128; expected", {"b": 1j}),
        (TypeError, r"b is a MaskedArray; expected a number or a numpy\.ndarray", {"b": np.ma.ones(3)}),
        (ValueError, r"out has shape \(3,\); expected \(2,\)", {"b": 1.0, "out": np.ones(3)}),
    ):
        with pytest.raises(error, match=title + message):
            function(x, **keywords)
    for method in (function.backward, function.parameter_gradients):
        with pytest.raises(ValueError, match=r": b has shape \(2,\)"):
            method(np.ones(2), x, b=np.ones(2))

scipy = pytest.importorskip("scipy")

