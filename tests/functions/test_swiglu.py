"""Clamped and interleaved SwiGLU: values and gradients against the definition, layouts, limits, errors."""

import numpy as np
import pytest
from helpers import DTYPES, assert_same_bits
from hypothesis import given, seed
from hypothesis import strategies as st
from mpmath import exp, mp, mpf

import fastact as fa

INF, NAN = np.inf, np.nan
GPT_OSS = {"limit": 7.0, "alpha": 1.702, "offset": 1.0}


def exact(a, b, limit, alpha, offset):
    """(value, derivative by a, derivative by b) of one pair of numbers."""
    a, b, alpha, offset = (mpf(float(v)) for v in (a, b, alpha, offset))
    m, c = (a, b) if limit is None else (min(a, mpf(limit)), max(min(b, mpf(limit)), -mpf(limit)))
    s = 1 / (1 + exp(-alpha * m))
    slope = s + m * alpha * s * (1 - s)
    return m * s * (c + offset), slope * (c + offset) * (a == m), m * s * (b == c)


@pytest.mark.parametrize("numbers", [GPT_OSS, {"limit": 0.5}, {"alpha": -0.7}, {"offset": -2.5}, {"alpha": 1.702, "limit": 3}])
@pytest.mark.parametrize("dtype", DTYPES)
def test_values_and_gradients(dtype, numbers):
    """Near the root of the slope the error is that of numbers of the size of 1."""
    rng, eps = np.random.default_rng(0), float(np.finfo(dtype).eps)
    a, b = (4 * rng.normal(size=(2, 300))).astype(dtype)
    grad = rng.normal(size=300).astype(dtype)
    got, (by_a, by_b) = fa.swiglu(a, b, **numbers), fa.swiglu.backward(grad, a, b, **numbers)
    full = {"limit": None, "alpha": 1.0, "offset": 0.0, **numbers}
    full["alpha"] = float(dtype(full["alpha"]))
    with mp.workprec(200):
        for i in range(300):
            value, slope_a, slope_b = exact(a[i], b[i], **full)
            g = mpf(float(grad[i]))
            floor = eps * abs(float(b[i]) + float(full["offset"]))
            assert abs(float(got[i]) - value) <= 6 * eps * abs(value)
            assert abs(float(by_a[i]) - g * slope_a) <= (8 * eps * abs(slope_a) + 4 * floor) * abs(g)
            assert abs(float(by_b[i]) - g * slope_b) <= 6 * eps * abs(slope_b * g)


@seed(8)
@given(st.data())
def test_interleaved_is_what_halves_give(data):
    """Along any axis, of any layout, forward and backward, to the bit."""
    shape = data.draw(st.lists(st.sampled_from([2, 4, 6, 34, 70]), min_size=1, max_size=3))
    axis = data.draw(st.integers(-len(shape), len(shape) - 1))
    dtype = data.draw(st.sampled_from([np.float16, *DTYPES]))
    numbers = data.draw(st.sampled_from([{}, GPT_OSS, {"limit": 0.5}]))
    x = np.random.default_rng(sum(shape)).normal(size=shape).astype(dtype)
    layout = data.draw(st.sampled_from(["C", "F", "reversed", "swapped", "repeated"]))
    if layout == "F":
        x = np.asfortranarray(x)
    elif layout == "reversed":
        x = x[::-1]
    elif layout == "swapped":
        x = x.astype(x.dtype.newbyteorder())
    elif layout == "repeated":
        x = np.repeat(x, 2, axis)
    moved = np.moveaxis(x, axis, -1)
    a, b = (np.ascontiguousarray(np.moveaxis(moved[..., k::2], -1, axis)) for k in range(2))
    want = fa.swiglu(a, b, **numbers)
    assert_same_bits(fa.swiglu(x, axis=axis, interleaved=True, **numbers), want)
    assert_same_bits(fa.swiglu(np.concatenate([a, b], axis), axis=axis, **numbers), want)
    out = np.full(want.shape, NAN, dtype).T.copy().T
    assert fa.swiglu(x, axis=axis, interleaved=True, out=out, **numbers) is out
    assert_same_bits(out, want)
    grad = np.random.default_rng(1).normal(size=want.shape).astype(dtype)
    by_a, by_b = fa.swiglu.backward(grad, a, b, **numbers)
    got = np.moveaxis(fa.swiglu.backward(grad, x, axis=axis, interleaved=True, **numbers), axis, -1)
    assert_same_bits(got[..., ::2], np.moveaxis(by_a, axis, -1))
    assert_same_bits(got[..., 1::2], np.moveaxis(by_b, axis, -1))


@pytest.mark.parametrize("dtype", DTYPES)
def test_large_arrays_and_threads(dtype, threads):
    """Past the caches, and for any number of threads; in place too."""
    x = np.random.default_rng(0).normal(size=(2300, 2 * 1031)).astype(dtype) * 3
    grad = np.random.default_rng(1).normal(size=(2300, 1031)).astype(dtype)
    even, odd = np.ascontiguousarray(x[:, ::2]), np.ascontiguousarray(x[:, 1::2])
    threads(1)
    want = np.concatenate([fa.swiglu(even[i : i + 100], odd[i : i + 100], **GPT_OSS) for i in range(0, 2300, 100)])
    by_even, by_odd = fa.swiglu.backward(grad, even, odd, **GPT_OSS)
    for count in (1, 3):
        threads(count)
        assert_same_bits(fa.swiglu(x, interleaved=True, **GPT_OSS), want)
        assert_same_bits(fa.swiglu(even, odd, **GPT_OSS), want)
        back = fa.swiglu.backward(grad, x, interleaved=True, **GPT_OSS)
        assert_same_bits(back[:, ::2], by_even)
        assert_same_bits(back[:, 1::2], by_odd)
    fa.swiglu(x, interleaved=True, out=x[:, ::2], **GPT_OSS)
    assert_same_bits(x[:, ::2], want)
    assert_same_bits(x[:, 1::2], odd)


@pytest.mark.parametrize("dtype", DTYPES)
def test_limits(dtype):
    """At the limit the gradient is that from within; beyond it 0; NaN stays, infinities are clamped, zeros keep their sign."""
    a = np.array([7, np.nextafter(dtype(7), dtype(8)), INF, -INF, NAN, 1, 1, 1, -0.0, 1], dtype)
    b = np.array([1, 1, 1, 1, 1, 7, -7, 8, 3, NAN], dtype)
    for repeat in (1, 40):
        got = fa.swiglu(np.tile(a, repeat), np.tile(b, repeat), **GPT_OSS)[-10:]
        by_a, by_b = (g[-10:] for g in fa.swiglu.backward(dtype(1), np.tile(a, repeat), np.tile(b, repeat), **GPT_OSS))
        top = fa.silu(dtype(7), 1.702) * 2
        assert got[0] == got[1] == got[2] == top
        assert got[3] == 0
        assert np.isnan(got[[4, 9]]).all()
        one = fa.silu(dtype(1), 1.702)
        np.testing.assert_array_equal(got[5:8], [one * 8, one * -6, one * 8])
        assert got[8] == 0
        assert np.signbit(got[8])
        assert by_a[0] == fa.silu.derivative(dtype(7), 1.702) * 2
        assert (by_a[1:3] == 0).all()
        assert np.isnan(by_a[[4, 9]]).all()
        assert (by_b[5:7] == one).all()
        assert by_b[7] == 0
    assert_same_bits(fa.swiglu(a, b, limit=INF), fa.swiglu(a, b))
    assert_same_bits(fa.swiglu(a, b, alpha=1, offset=0), fa.swiglu(a, b))


def test_masked_and_errors():
    x = np.arange(8.0).reshape(2, 4)
    m = np.ma.array(x, mask=[[0, 1, 0, 0], [0, 0, 0, 0]])
    got = fa.swiglu(m, interleaved=True, **GPT_OSS)
    np.testing.assert_array_equal(got.mask, [[True, False], [False, False]])
    np.testing.assert_array_equal(got.data[1], fa.swiglu(x, interleaved=True, **GPT_OSS)[1])
    back = fa.swiglu.backward(np.ones((2, 2)), m, interleaved=True)
    np.testing.assert_array_equal(back.mask, [[True, True, False, False], [False] * 4])
    assert fa.swiglu(x.astype("e"), interleaved=True, **GPT_OSS).dtype == np.float16
    assert fa.swiglu(np.zeros((0, 4)), interleaved=True).shape == (0, 2)
    for error, message, args, keywords in (
        (TypeError, r"interleaved goes with one array", (x, x), {"interleaved": True}),
        (TypeError, r"interleaved is 1; expected a bool", (x,), {"interleaved": 1}),
        (ValueError, r"limit is 0; expected a positive number", (x,), {"limit": 0}),
        (ValueError, r"limit is nan; expected a positive number", (x,), {"limit": NAN}),
        (TypeError, r"limit is '7'; expected a number", (x,), {"limit": "7"}),
        (ValueError, r"alpha is inf; expected a finite number", (x,), {"alpha": INF}),
        (TypeError, r"alpha is None; expected a number", (x,), {"alpha": None}),
        (TypeError, r"offset is True; expected a number", (x,), {"offset": True}),
        (ValueError, r"axis 1 of x has length 3; expected an even one", (x[:, :3],), {"interleaved": True}),
    ):
        with pytest.raises(error, match=r"fastact\.swiglu: " + message):
            fa.swiglu(*args, **keywords)
        with pytest.raises(error, match=r"fastact\.swiglu\.backward: " + message):
            fa.swiglu.backward(x[:, :2], *args, **keywords)
    with pytest.raises(TypeError, match=r"fastact\.geglu: unexpected keyword 'limit'"):
        fa.geglu(x, limit=7)


@pytest.mark.parametrize("dtype", [np.float16, *DTYPES])
def test_gradients_by_parameters(dtype):
    """Against differences in mpmath, of either form; what is masked has no part, and what is at the limit none by it."""
    rng = np.random.default_rng(5)
    a, b, grad = (rng.normal(0, s, 60).astype(dtype) for s in (5, 5, 1))
    point = {"limit": 3.0, "alpha": 1.5, "offset": 0.5}

    def loss(**moved):
        p = {n: mpf(v) for n, v in (point | moved).items()}
        gates = [min(mpf(float(v)), p["limit"]) for v in a]
        others = [max(min(mpf(float(v)), p["limit"]), -p["limit"]) + p["offset"] for v in b]
        return sum(mpf(float(d)) * m / (1 + mp.exp(-p["alpha"] * m)) * o for d, m, o in zip(grad, gates, others, strict=True))

    got = fa.swiglu.parameter_gradients(grad, a, b, **point)
    assert set(got) == set(point)
    with mp.workprec(200):
        for name, value in point.items():
            h = mpf(2) ** -60
            want = float((loss(**{name: value + h}) - loss(**{name: value - h})) / (2 * h))
            assert got[name].dtype == dtype
            assert float(got[name]) == pytest.approx(want, rel=2 * float(np.finfo(dtype).eps) + 1e-13)
    whole = np.stack([a, b], -1).reshape(-1)
    assert fa.swiglu.parameter_gradients(grad, whole, interleaved=True, **point) == got
    assert fa.swiglu.parameter_gradients(grad, np.concatenate([a, b]), **point) == got
    assert set(fa.swiglu.parameter_gradients(grad, a, b)) == {"alpha", "offset"}
    mask = b > 2
    dirty = np.ma.array(np.where(mask, NAN, b).astype(dtype), mask=mask)
    left = fa.swiglu.parameter_gradients(grad, a, dirty, **point)
    zeroed = fa.swiglu.parameter_gradients(np.where(mask, 0, grad).astype(dtype), a, np.where(mask, 0, b).astype(dtype), **point)
    assert left == zeroed
    assert fa.swiglu.parameter_gradients(1.0, dtype(3), dtype(-3), limit=3.0)["limit"] == 0
    assert np.isnan(fa.swiglu.parameter_gradients(grad[:1], [NAN], [1.0])["offset"])
    with pytest.raises(ValueError, match=r"fastact\.swiglu\.parameter_gradients: limit is -1; expected a positive number"):
        fa.swiglu.parameter_gradients(grad, a, b, limit=-1)
    with pytest.raises(ValueError, match=r"fastact\.swiglu\.parameter_gradients: grad has shape \(60,\); expected \(30,\)"):
        fa.swiglu.parameter_gradients(grad, a)


def test_a_masked_number_has_no_halves():
    for grad, a in ((np.ma.masked, 1.0), (np.ones(3), np.ma.masked)):
        with pytest.raises(ValueError, match=r"fastact\.swiglu\.parameter_gradients: axis is -1; expected one axis"):
            fa.swiglu.parameter_gradients(grad, a)
