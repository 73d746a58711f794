"""Row-wise functions: values against mpmath and scipy, layouts, masks, limits, threads, gradients."""

import math

import numpy as np
import pytest
from helpers import DTYPES, assert_same_bits, run_python
from hypothesis import given, seed
from hypothesis import strategies as st
from reference_rows import ROWS, errors

import fastact as fa
from fastact.cpu import levels

NAMES = [n for n in ROWS if n != "entmax"]  # whose second argument is alpha
LOGS = ["log_softmax", "log_softmin"]
SUMS = ["logsumexp", "logmeanexp"]
ABSOLUTE = {"sparsemax": 4.0, "entmax15": 8.0, "hardmax": 0.0}  # units of eps
LENGTHS = [1, 2, 3, 10, 16, 33, 64, 65, 100, 1000]


def rows_of(dtype, n, seed=0):
    """Rows of length n: ordinary, confident, nearly equal, large, tiny, with ties and with -inf."""
    rng = np.random.default_rng(seed)
    x = rng.normal(size=(9, n))
    x[1] *= 30
    x[2] = 1e-3 * x[2] + 5
    x[3] = 1e4 * x[3]
    x[4] *= 1e-30
    x[5] = np.round(x[5])
    x[6] = 250 + 40 * x[6]
    x[7] = -1000 + 60 * x[7]
    x[8, ::3] = -np.inf
    return x.astype(dtype)


def check(name, got, x, dtype, temperature=1.0, bound=2.0):
    """Each row of got against the reference."""
    eps, tiny = float(np.finfo(dtype).eps), float(np.finfo(dtype).tiny)
    for row, values in zip(x, got, strict=True):
        values = np.atleast_1d(values)
        nearest, error = errors(name, values, row, temperature)
        finite = np.isfinite(nearest)
        np.testing.assert_array_equal(values[~finite], nearest[~finite], err_msg=f"{name} {row.tolist()[:20]}")
        if name in ABSOLUTE:
            slack = np.full(nearest.shape, ABSOLUTE[name] * eps)
        elif name in SUMS:
            least = math.log(row.size) if name == "logmeanexp" else 0.0
            largest = np.abs(row[np.isfinite(row)]).max(initial=0.0) / temperature
            slack = 2 * eps * np.maximum(np.abs(nearest), max(largest, least))
        else:
            ulp = np.spacing(np.abs(nearest).astype(dtype)).astype(np.float64)
            slack = np.where(np.abs(nearest) < tiny, 2 * tiny * eps, bound * ulp)
        for i in np.flatnonzero(finite & ~(error <= slack)):
            raise AssertionError((name, dtype, float(values[i]), nearest[i], row.tolist()[:20]))


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("name", NAMES)
def test_values(name, dtype):
    """Rows, tiles and panels, of lengths on both sides of every limit."""
    function = getattr(fa, name)
    for n in LENGTHS:
        x = rows_of(dtype, n)
        x = x if n < 1000 else x[[0, 1, 3, 6]]
        x = -x if name.endswith("min") else x
        check(name, function(x), x, dtype)
        check(name, function(np.asfortranarray(x)), x, dtype)
        for row, value in zip(x[:2], function(x[:2]), strict=True):
            check(name, np.asarray(function(row)).reshape(1, -1), row[None], dtype)
            np.testing.assert_allclose(function(row), value, rtol=1e-6)


@pytest.mark.parametrize("shape", [(130, 2), (67, 3), (1001, 10), (515, 17), (200, 64), (2, 300, 7), (1000, 49)])
@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("name", NAMES)
def test_few_columns(name, dtype, shape):
    """Several positions side by side in a vector give what rows of their own give; backward and in place too."""
    function, rng = getattr(fa, name), np.random.default_rng(2)
    x = np.round(3 * rng.normal(size=shape), 1).astype(dtype)
    x[..., ::5, 0] = -np.inf
    axis, eps = len(shape) - 2, float(np.finfo(dtype).eps)
    rows = np.ascontiguousarray(np.moveaxis(x, axis, -1))
    want, got = function(rows), function(x, axis)
    if name in SUMS:
        np.testing.assert_allclose(got, want, rtol=2 * eps)
        return
    if name == "hardmax":
        assert_same_bits(np.moveaxis(got, axis, -1), want)
    np.testing.assert_allclose(np.moveaxis(got, axis, -1), want, rtol=4 * eps, atol=8 * eps)
    grad = rng.normal(size=shape).astype(dtype)
    back = function.backward(grad, got, axis)
    slope = function.backward(np.moveaxis(grad, axis, -1), np.moveaxis(got, axis, -1))
    np.testing.assert_allclose(np.moveaxis(back, axis, -1), slope, rtol=8 * eps, atol=32 * eps * shape[axis] ** 0.5)
    assert_same_bits(function(x, axis, out=x), got)


@pytest.mark.parametrize("n", [193, 513, 1000, 1025, 2079])
@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("name", ["softmax", "log_softmax", "sparsemax", "entmax15"])
def test_rows_that_are_fetched_ahead(name, dtype, n):
    """Piece by piece in arrays that no cache holds, forward and backward, past the caches too: the same bits as a few rows."""
    function, rng = getattr(fa, name), np.random.default_rng(5)
    for size in (3 << 20, 34 << 20) if n == 1000 and "softmax" in name else (3 << 20,):
        shape = size // (n * np.dtype(dtype).itemsize), n
        x, grad = rng.normal(size=shape).astype(dtype), rng.normal(size=shape).astype(dtype)
        y = function(x)
        back = function.backward(grad, y)
        for part in (slice(0, 1), slice(1, 20), slice(-18, None)):
            assert_same_bits(y[part], function(x[part]))
            assert_same_bits(back[part], function.backward(grad[part], y[part]))


@pytest.mark.parametrize("n", [145, 190, 1000, 2048, 2049, 4096, 4097])
@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("name", ["softmax", "log_softmax"])
def test_rows_of_all_kinds_side_by_side(name, dtype, n, threads):
    """By one kernel or pass by pass (in place), for any number of threads, each row is what it is alone."""
    function, rng = getattr(fa, name), np.random.default_rng(6)
    x = rng.normal(size=(70, n)).astype(dtype) * 3
    far = 400 if dtype == np.float32 else 4000
    x[3] += far
    x[17:40] -= far
    x[69] += far
    x[5, 7] = 90 if dtype == np.float32 else 800  # confident
    x[41, ::5] = x[41].max()
    x[43, ::3] = x[44] = -np.inf
    x[45, n - 1], x[46, 1], x[47] = np.inf, np.nan, 1
    want = np.concatenate([function(row[None]) for row in x])
    for count in (1, 2, 3):
        threads(count)
        assert_same_bits(function(x), want)
        y = x.copy()
        assert_same_bits(function(y, out=y), want)
    plain = rows_of(dtype, n)
    plain = plain if n < 1000 else plain[[6 * (n % 2)]]  # the others: below
    check(name, function(plain), plain, dtype, bound=2.5)


@pytest.mark.release
@pytest.mark.parametrize("n", [1000, 2048, 2049, 4096, 4097])
@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("name", ["softmax", "log_softmax"])
def test_long_rows_of_all_kinds(name, dtype, n):
    plain = rows_of(dtype, n)
    check(name, getattr(fa, name)(plain), plain, dtype, bound=2.5)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("name", ["softmax", "log_softmax", "hardmax"])
def test_large_outputs(name, dtype):
    """What goes past the caches, with rows that begin anywhere in a cache line, is what goes through them."""
    function, n = getattr(fa, name), 4001
    x = np.random.default_rng(4).normal(size=(2400, n)).astype(dtype)
    got, across = function(x), function(x, 0)
    assert got.nbytes > 1 << 25
    for part in (slice(0, 40), slice(2300, 2400)):
        assert_same_bits(got[part], function(x[part]))
    for part in (slice(0, 128), slice(3900, None)):
        assert_same_bits(across[:, part], function(np.ascontiguousarray(x[:, part]), 0))
    memory = np.empty(x.size + 1, dtype)
    out = memory[1:].reshape(x.shape)
    assert_same_bits(function(x, out=out), got)


@pytest.mark.parametrize("temperature", [0.1, 0.7, 3, 1e4, np.float32(1.5)])
@pytest.mark.parametrize("name", [n for n in NAMES if n != "hardmax"])
def test_temperature(name, temperature):
    for dtype in DTYPES:
        x = rows_of(dtype, 20)[[0, 1, 2, 4, 5]]
        bound = 4 * max(1, 1 / float(temperature))
        if name in ABSOLUTE:
            eps = float(np.finfo(dtype).eps)
            want = [[float(v) for v in ROWS[name]([float(v) for v in row], float(temperature))] for row in x]
            np.testing.assert_allclose(getattr(fa, name)(x, temperature=temperature), want, rtol=0, atol=bound * 2 * eps * 90)
        else:
            check(name, getattr(fa, name)(x, temperature=temperature), x, dtype, float(temperature), 2.5)


@pytest.mark.parametrize(("shape", "axis"), [((3000, 10), -1), ((80, 1000), -1), ((2, 200_000), -1), ((1000, 70), 0)])
@pytest.mark.parametrize("name", ["softmax", "log_softmax"])
def test_float32_against_float64(name, shape, axis):
    """4 ULP on long rows too; row sums within 2 ULP log2(n) of 1."""
    rng = np.random.default_rng(1)
    for scale in (0.01, 1, 3, 10, 30, 100):
        x = (scale * rng.normal(size=shape)).astype(np.float32)
        got, want = getattr(fa, name)(x, axis), getattr(fa, name)(x.astype(np.float64), axis)
        normal = np.abs(want) >= np.finfo(np.float32).tiny
        ulp = np.spacing(np.abs(want[normal]).astype(np.float32))
        assert (np.abs(got[normal] - want[normal]) <= 4 * ulp).all()
        if name == "softmax":
            assert np.abs(got.sum(axis, dtype=np.float64) - 1).max() <= 2 * 2.0**-23 * math.log2(shape[axis])


@pytest.mark.parametrize(("name", "peer"), [("softmax", "softmax"), ("log_softmax", "log_softmax"), ("logsumexp", "logsumexp")])
@seed(5)
@given(st.data())
def test_any_shape_axis_and_layout(name, peer, data):
    """Against scipy, which is right on moderate numbers."""
    shape = data.draw(st.lists(st.integers(1, 7), min_size=1, max_size=4).map(tuple))
    numbers = st.integers(-len(shape), len(shape) - 1)
    axes = data.draw(st.lists(numbers, min_size=1, unique_by=lambda a: a % len(shape)).map(tuple))
    axis = axes[0] if len(axes) == 1 else axes
    x = np.random.default_rng(math.prod(shape)).normal(size=shape) * 3
    order = data.draw(st.permutations(range(len(shape))))
    x = x.transpose(np.argsort(order)).copy().transpose(order)
    steps = data.draw(st.lists(st.sampled_from([1, -1, 2]), min_size=len(shape), max_size=len(shape)))
    x = x[tuple(slice(None, None, s) for s in steps)]
    want = getattr(scipy.special, peer)(x, axis=axis)
    np.testing.assert_allclose(getattr(fa, name)(x, axis), want, rtol=1e-13, atol=1e-14)
    if name not in SUMS:
        out = np.full(x.shape, np.nan).T.copy().T
        assert getattr(fa, name)(x, axis, out=out) is out
        np.testing.assert_allclose(out, want, rtol=1e-13, atol=1e-14)


@pytest.mark.parametrize("name", NAMES)
@seed(6)
@given(st.data())
def test_masks(name, data):
    """The elements that count give what they give alone; the others 0 or -inf."""
    shape = data.draw(st.sampled_from([(5, 6), (3, 70), (20, 3), (2, 3, 4)]))
    axis = data.draw(st.integers(0, len(shape) - 1))
    rng = np.random.default_rng(data.draw(st.integers(0, 99)))
    x = rng.normal(size=shape)
    mask = rng.random(shape) < data.draw(st.sampled_from([0.0, 0.3, 0.8, 1.0]))
    x[~mask] = rng.choice([np.nan, np.inf, 3.0], (~mask).sum())
    function = getattr(fa, name)
    got = function(x, axis, where=mask)
    got = np.moveaxis(np.expand_dims(got, axis) if name in SUMS else got, axis, -1)
    empty = -np.inf if name.startswith("log") else 0.0
    for index in np.ndindex(got.shape[:-1]):
        counts = np.moveaxis(mask, axis, -1)[index]
        alone = np.moveaxis(x, axis, -1)[index][counts]
        if name in SUMS:
            np.testing.assert_allclose(got[index], function(alone) if counts.any() else -np.inf, rtol=1e-14)
            continue
        assert (got[index][~counts] == empty).all()
        if counts.any():
            np.testing.assert_allclose(got[index][counts], function(alone), rtol=1e-13, atol=1e-15)


@pytest.mark.parametrize("name", NAMES)
def test_limits(name):
    """Empty, infinite and NaN rows; a single element; finite numbers of any size."""
    function = getattr(fa, name)
    sign = -1 if name.endswith("min") else 1
    empty, one = (-np.inf, 0.0) if name.startswith("log") else (0.0, 1.0)
    for dtype in DTYPES:
        big = np.finfo(dtype).max
        for n in (3, 70):
            x = np.zeros((6, n), dtype)
            x[0] = -np.inf
            x[1, 1] = np.nan
            x[2, 2] = np.inf
            x[3] = -big
            x[3, 1] = big
            x[4] = -np.inf
            x[4, 2] = 500
            x[5] = big
            got = function(sign * x)
            assert (got[0] == empty).all()
            assert np.isnan(got[1]).all()
            if name in SUMS:
                mean = 500.0 - (math.log(n) if name == "logmeanexp" else 0.0)
                np.testing.assert_allclose(got[2:6], [np.inf, float(big), mean, float(big)], rtol=1e-6)
                continue
            assert np.isnan(got[2]).all()
            assert got[3, 1] == got[4, 2] == one
            assert np.delete(got[3], 1).max() in (0.0, -np.inf)
            assert np.isfinite(got[5]).all()
        assert function(np.array([[500]], dtype)).ravel()[0] == (500 if name in SUMS else one)
        assert function(np.zeros((3, 0), dtype)).shape == ((3,) if name in SUMS else (3, 0))
        assert function(np.zeros((0, 3), dtype)).shape == ((0,) if name in SUMS else (0, 3))


def test_confident_rows_keep_their_digits():
    """log_softmax at the maximum is -log1p of the sum of the others."""
    assert fa.log_softmax([100.0, 80.0])[0] == pytest.approx(-2.0611536181902037e-09, rel=1e-15)
    x = np.full(1000, -60.0)
    x[3] = 0
    assert fa.log_softmax(x)[3] == pytest.approx(-999 * math.exp(-60), rel=1e-14)
    assert float(fa.log_softmax(np.array([0, -100], np.float32))[0]) == pytest.approx(-math.exp(-100), rel=1e-1)


@pytest.mark.parametrize("name", NAMES)
def test_dtypes(name):
    function = getattr(fa, name)
    x = np.array([[1, 2, 0], [3, -1, 1]])
    for dtype, want in [*zip("efd?", "efde", strict=True), ("i4", "d"), ("i8", "d"), ("i2", "f"), ("i1", "e"), (">f4", "f")]:
        got = function(x.astype(dtype))
        assert got.dtype == np.dtype(dtype if name == "hardmax" and dtype[0] == "i" else want)
        np.testing.assert_allclose(got, function(x.astype(dtype).astype("d")), rtol=1e-3)
    assert_same_bits(function(x.tolist()), function(x.astype(int if name == "hardmax" else "d")))
    if name not in SUMS:
        out = np.empty(x.shape, "e")
        function(x.astype("f"), out=out)
        assert_same_bits(out, function(x.astype("f")).astype("e"))


@pytest.mark.parametrize(("shape", "axis"), [((3, 400_001), -1), ((3000, 40), -1), ((300, 999), 0), ((70, 3), 0), ((9, 500), 1)])
@pytest.mark.parametrize("name", NAMES)
def test_same_bits_for_any_number_of_threads_and_in_place(name, shape, axis, threads):
    function = getattr(fa, name)
    x = np.random.default_rng(0).normal(size=shape).astype(np.float32)
    threads(1)
    want = function(x, axis)
    for n in (2, 3):
        threads(n)
        assert_same_bits(function(x, axis), want)
    if name not in SUMS:
        y = x.copy()
        function(y, axis, out=y)
        assert_same_bits(y, want)
        memory = np.zeros(x.size + 8, np.float32)
        memory[4 : 4 + x.size] = x.ravel()
        overlapping = memory[: x.size].reshape(shape)
        function(memory[4 : 4 + x.size].reshape(shape), axis, out=overlapping)
        assert_same_bits(overlapping, want)


def jacobian_times(function, grad, x):
    """The gradient by x from central differences of fourth order."""
    h = 2.0**-10
    found = np.empty_like(x)
    for i in np.ndindex(x.shape):
        shifted = [x.copy() for _ in range(4)]
        for s, step in zip(shifted, (2, 1, -1, -2), strict=True):
            s[i] += step * h
        a, b, c, d = ((grad * function(s)).sum() for s in shifted)
        found[i] = (-a + 8 * b - 8 * c + d) / (12 * h)
    return found


@pytest.mark.parametrize("temperature", [1.0, 0.6])
@pytest.mark.parametrize(("shape", "axis"), [((4, 6), -1), ((6, 4), 0), ((2, 3, 2), (0, 2)), ((1, 70), -1)])
@pytest.mark.parametrize("name", NAMES)
def test_backward(name, shape, axis, temperature):
    rng = np.random.default_rng(3)
    x = rng.normal(size=shape)
    function = getattr(fa, name)

    def forward(v):
        return function(v, axis, temperature=temperature)

    y = forward(x)
    grad = rng.normal(size=np.shape(y))
    given = x if name in SUMS else y
    got = function.backward(grad, given, axis, temperature=temperature)
    np.testing.assert_allclose(got, jacobian_times(forward, grad, x), rtol=1e-6, atol=2e-9)
    single = function.backward(grad.astype("f"), given.astype("f"), axis, temperature=temperature)
    assert single.dtype == np.float32
    np.testing.assert_allclose(single, got, rtol=1e-4, atol=4e-6)
    if name not in SUMS:
        target = grad.copy()
        assert function.backward(target, y, axis, temperature=temperature, out=target) is target
        np.testing.assert_array_equal(target, got)
        np.testing.assert_array_equal(function.backward(grad, np.asfortranarray(y), axis, temperature=temperature).shape, y.shape)


@pytest.mark.parametrize("name", NAMES)
def test_backward_of_masked_elements_is_zero(name):
    x = np.random.default_rng(0).normal(size=(5, 9))
    mask = x > -0.5
    mask[2] = False
    function = getattr(fa, name)
    if name in SUMS:
        got = function.backward(np.ones(5), x, where=mask)
    else:
        got = function.backward(np.ones((5, 9)), function(x, where=mask))
    assert (got[~mask] == 0).all()
    assert np.isfinite(got).all()


LEVEL_CODE = """
import numpy as np, fastact as fa
from fastact.cpu import levels
from helpers import DTYPES
from test_rowwise import NAMES, check, rows_of
for name in NAMES:
    for dtype in DTYPES:
        for n in (5, 70):
            x = rows_of(dtype, n)
            x = -x if name.endswith("min") else x
            check(name, getattr(fa, name)(x), x, dtype, bound=2.5)
            check(name, getattr(fa, name)(np.asfortranarray(x)), x, dtype, bound=2.5)
print(levels.LEVEL)
"""


@pytest.mark.parametrize("level", [level for level in levels.usable_levels() if level != levels.LEVEL])
def test_levels(level):
    done = run_python(LEVEL_CODE, FASTACT_CPU=level if level != "generic" else "")
    assert done.stdout.strip() == level, done.stderr[-2000:]

scipy = pytest.importorskip("scipy")

