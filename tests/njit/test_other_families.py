"""Row-wise functions, gated units and maxout inside @njit code: the bits of the package's own."""

import numpy as np
import pytest
from helpers import assert_same_bits, numbers

import fastact as fa

numba = pytest.importorskip("numba")

X = np.clip(numbers(4 * 6 * 34, np.float32), -30, 30).reshape(4, 6, 34)


def check(function, *arguments):
    """Compare what is compiled with the function as it is, result by result."""
    got, want = function(*arguments), function.py_func(*arguments)
    for g, w in zip(*(r if isinstance(r, tuple) else (r,) for r in (got, want)), strict=True):
        assert_same_bits(np.asarray(g, np.asarray(w).dtype), np.asarray(w))


@numba.njit
def rows(x, axis):
    return (
        fa.softmax(x, axis), fa.log_softmax(x, axis), fa.softmin(x, axis), fa.log_softmin(x, axis), fa.softmax1(x, axis),
        fa.hardmax(x, axis), fa.sparsemax(x, axis), fa.entmax15(x, axis), fa.softmax(x, axis=axis, temperature=0.3),
    )  # fmt: skip


@numba.njit
def sums(x, axis):
    return fa.logsumexp(x, axis), fa.logsumexp(x, axis, keepdims=True), fa.logsumexp(x, axis=axis, temperature=2.0)


@numba.njit
def slopes(grad, y, axis):
    return fa.softmax.backward(grad, y, axis), fa.log_softmax.backward(grad, y, axis), fa.sparsemax.backward(grad, y, axis)


@pytest.mark.parametrize("axis", [-1, 0, 1])
def test_rows(axis):
    check(rows, X, axis)
    check(sums, X, axis)
    y = fa.softmax(X, axis)
    check(slopes, X, y, axis)
    check(slopes, X[0, 0], y, axis)


def test_rows_of_doubles_and_of_one_dimension():
    x = X[0, 0].astype(np.float64)
    check(rows, x, 0)
    check(sums, x, -1)


def test_integers_promote_as_for_exp():
    @numba.njit
    def run(x):
        return fa.softmax(x), fa.logsumexp(x)

    check(run, np.arange(5))


def test_other_layouts_are_those_of_a_copy():
    for x in (X[:, ::2], X[::-1], X.transpose(2, 0, 1), np.asfortranarray(X), X[:, :, :1], X[:0]):
        for got, want in zip(rows(x, 1), rows.py_func(np.ascontiguousarray(x), 1), strict=True):
            assert_same_bits(got, want)


def test_infinities_in_sums():
    x = X[0].copy()
    x[0, 3], x[1, 2], x[1, 5], x[2] = np.inf, np.nan, np.inf, -np.inf
    check(sums, x, -1)
    check(sums, x, 0)
    check(sums, x[:, :0], 1)


@numba.njit
def softmax_into(x, y):
    return fa.softmax(x, temperature=0.7, out=y)


def test_rows_into_arrays():
    want = fa.softmax(X, temperature=0.7)
    for y in (np.zeros_like(X), np.zeros(X.shape[::-1], np.float32).T):
        assert softmax_into(X, y).ctypes.data == y.ctypes.data
        assert_same_bits(y, want)
    x = X.copy()
    softmax_into(x, x)
    assert_same_bits(x, want)
    with pytest.raises(ValueError, match=r"fastact\.softmax: out has another shape"):
        softmax_into(X, np.zeros((4, 6, 33), np.float32))
    with pytest.raises(ValueError, match=r"fastact\.softmax: out overlaps"):
        softmax_into(x[1:], x[:-1])


@numba.njit
def units(x, a, b):
    return (
        fa.glu(x), fa.swiglu(x, axis=0), fa.swiglu(x, interleaved=True), fa.glu(a, b), fa.bilinear(a, b), fa.reglu(a, b),
        fa.geglu(a, b), fa.seglu(a, b), fa.swiglu(a, b), fa.swiglu(a, b, limit=2.0, alpha=1.702, offset=1.0),
    )  # fmt: skip


@numba.njit
def unit_slopes(grad, x, a, b):
    by_a, by_b = fa.swiglu.backward(grad, a, b)
    limited, other = fa.swiglu.backward(grad, a, b, limit=2.0)
    steep, also = fa.seglu.backward(grad, a, b)
    return by_a, by_b, limited, other, steep, also, fa.glu.backward(grad, x, axis=0), fa.geglu.backward(grad, x, axis=0)


def test_units():
    """Products that overflow halfway, and infinities, among them."""
    a, b = X[:2].copy(), X[2:].copy()
    large, tiny, special = a.copy(), b * np.float32(1e-30), a.copy()
    large.reshape(-1)[::5] = 3e38
    special.reshape(-1)[::7] = np.resize(np.float32([np.inf, -np.inf, np.nan, -0.0]), special.size // 7 + 1)
    for first, second in ((a, b), (large, b), (large, large / 2), (tiny, large), (special, b), (b, special)):
        check(units, X, first, second)
        check(unit_slopes, a, np.concatenate([first, second]), first, second)
    check(units, X, a[0], b[:, :, ::-1])


def test_units_of_numbers_and_into_arrays():
    @numba.njit
    def single(a, b):
        return fa.swiglu(a, b), fa.glu.backward(a, a, b)[0]

    @numba.njit
    def into(a, b, y):
        return fa.swiglu(a, b, out=y)

    check(single, 0.5, -1.25)
    a = X.copy()
    into(a, X[::-1].copy(), a)
    assert_same_bits(a, fa.swiglu(X, X[::-1]))


@numba.njit
def largest(x, axis):
    return fa.maxout(x, 2, axis), fa.maxout(x, pieces=1, axis=axis)


def test_maxout():
    x = X.copy()
    x[0, 0, :3], x[1, 1, 4:6], x[2, 0] = np.nan, (-0.0, 0.0), np.inf
    for axis in (0, 1, -1):
        check(largest, x, axis)
        check(largest, np.arange(24).reshape(2, 2, 6)[::-1], axis)
    with pytest.raises(ValueError, match=r"fastact\.maxout: pieces does not divide the length of the axis"):
        largest(x[:, :, 1:], 2)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda x: fa.softmax(x[0, 0, 0]), r"fastact\.softmax: x is float32; expected an array with rows"),
        (lambda x: fa.softmax(x, axis=None), r"fastact\.softmax: axis is none; expected an integer"),
        (lambda x: fa.softmax(x, where=x > 0), "unexpected keyword argument 'where'"),
        (lambda x: fa.glu(x, x, axis=0), r"fastact\.glu: axis and interleaved go with one array"),
        (lambda x: fa.maxout(x, 2.0), r"fastact\.maxout: pieces is float64; expected an integer"),
        (lambda x: fa.entmax(x), r"fastact\.entmax cannot be called in compiled code"),
    ],
)
def test_what_is_refused(call, message):
    with pytest.raises(numba.TypingError, match=message):
        numba.njit(call)(X)


def test_numbers_that_are_refused():
    with pytest.raises(ValueError, match=r"fastact\.softmax: axis is out of range for an array of 3 dimensions"):
        rows(X, 3)
    with pytest.raises(ValueError, match=r"fastact\.glu: the axis of x that is split has an odd length"):
        units(X[:, :, 1:], X, X)
    with pytest.raises(ValueError, match=r"fastact\.softmax: temperature is out of range"):
        numba.njit(lambda x: fa.softmax(x, temperature=0.0))(X)
