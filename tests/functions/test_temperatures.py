"""A temperature for each row, and gradients by temperatures."""

import numpy as np
import pytest
from helpers import DTYPES, assert_same_bits
from reference_rows import errors
from test_rowwise import LOGS, SUMS, rows_of

import fastact as fa
from fastact.functions.rowwise import FUNCTIONS

NAMES = [f.__name__ for f in FUNCTIONS if f.__name__ != "entmax"]  # whose second argument is alpha
SMOOTH = [n for n in NAMES if n != "hardmax"]



def alone(function, x, temperatures):
    """Row by row, each with its number."""
    return np.stack([function(row, temperature=float(t)) for row, t in zip(x, temperatures, strict=True)])


@pytest.mark.parametrize("n", [1, 3, 31, 33, 70, 300, 70_000])
@pytest.mark.parametrize("dtype", [np.float16, *DTYPES])
@pytest.mark.parametrize("name", NAMES)
def test_each_row_is_what_it_is_alone(name, dtype, n, threads):
    """In both forms, along both axes, in place, for any number of threads, and backward."""
    function, rng = getattr(fa, name), np.random.default_rng(n)
    x = (4 * rng.normal(size=(9 if n < 1000 else 3, n))).astype(dtype)
    given = rng.uniform(0.05, 20, len(x)).astype(dtype)
    eps = float(np.finfo(dtype).eps)
    rtol = 8 * eps if n < 1000 else 64 * eps
    want = alone(function, x, given)
    for count in (1, 3):
        threads(count)
        got = function(x, temperature=given)
        assert got.dtype == dtype
        np.testing.assert_allclose(got.astype(float), want.astype(float), rtol=rtol, atol=16 * eps)
    assert_same_bits(function(x, temperature=given[:, None]), got)
    assert_same_bits(function(x, temperature=given.tolist()), got)
    columns = function(np.asfortranarray(x).T, 0, temperature=given)
    assert_same_bits(columns if name in SUMS else columns.T, got)
    grad = rng.normal(size=got.shape).astype(dtype)
    back = function.backward(grad, x if name in SUMS else got, temperature=given)
    each = zip(grad, x if name in SUMS else got, given, strict=True)
    slopes = np.stack([function.backward(g, y, temperature=float(t)) for g, y, t in each])
    np.testing.assert_allclose(back.astype(float), slopes.astype(float), rtol=rtol, atol=64 * eps / float(given.min()))
    if name not in SUMS:
        out = np.empty_like(x)
        assert function(x, temperature=given, out=out) is out
        assert_same_bits(out, got)
        y = x.copy()
        function(y, temperature=given, out=y)
        assert_same_bits(y, got)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("name", ["softmax", "log_softmax", "softmin", "log_softmin"])
def test_errors_are_those_of_one_temperature(name, dtype):
    """1/T in two parts, in float64 too."""
    x = rows_of(dtype, 20)
    x = -x if name.endswith("min") else x
    temperatures = np.random.default_rng(1).uniform(0.1, 30, len(x))
    for row, values, t in zip(x, getattr(fa, name)(x, temperature=temperatures), temperatures, strict=True):
        near, error = errors(name, values, row, t)
        finite = np.isfinite(near)
        assert (values[~finite] == near[~finite]).all()
        ulp = np.spacing(np.maximum(np.abs(near[finite]), np.finfo(dtype).tiny).astype(dtype)).astype(float)
        assert (error[finite] <= 2.5 * ulp).all()


@pytest.mark.parametrize("name", SMOOTH)
def test_axes_masks_and_limits(name):
    function, rng = getattr(fa, name), np.random.default_rng(0)
    x = rng.normal(size=(2, 3, 4, 5))
    given = rng.uniform(0.3, 3, (3, 5))
    got = function(x, (0, 2), temperature=given)
    rows = np.moveaxis(x, (0, 2), (2, 3)).reshape(15, 8)
    want = alone(function, rows, given.ravel())
    if name not in SUMS:
        want = np.moveaxis(want.reshape(3, 5, 2, 4), (2, 3), (0, 2))
    np.testing.assert_allclose(got, want.reshape(got.shape), rtol=1e-13, atol=1e-15)
    np.testing.assert_array_equal(function(x, (0, 2), temperature=given[None, :, None]), got)
    shared = function(x, (0, 2), temperature=np.tile(given[:1], (3, 1)))
    np.testing.assert_array_equal(function(x, (0, 2), temperature=given[:1]), shared)
    one = function(x, None, temperature=np.full((1, 1, 1, 1), 0.5))
    np.testing.assert_allclose(one, function(x, None, temperature=np.array(0.5)), rtol=1e-13, atol=1e-15)
    mask = rng.random(x.shape) < 0.6
    mask[0, 0] = mask[1, 0] = False
    hidden = function(np.where(mask, x, np.nan), (0, 2), temperature=given, where=mask)
    sign = -1 if name.endswith("min") else 1
    if name != "logmeanexp":  # which counts what is -inf
        np.testing.assert_array_equal(hidden, function(np.where(mask, x, -sign * np.inf), (0, 2), temperature=given))
    edge = sign * np.array([[-np.inf, -np.inf], [-np.inf, 3], [np.nan, 1], [np.inf, 1]])
    got = function(edge, temperature=[0.5, 2.0, 3.0, 4.0])
    np.testing.assert_array_equal(got, alone(function, edge, [0.5, 2.0, 3.0, 4.0]))
    assert function(np.ones((0, 3)), temperature=np.ones(0)).shape == ((0,) if name in SUMS else (0, 3))
    assert function(np.ones((3, 0)), temperature=np.ones(3)).shape == ((3,) if name in SUMS else (3, 0))
    assert_same_bits(function(x.astype("f"), 0, temperature=1.5), function(x.astype("f"), 0, temperature=np.float64(1.5)))


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("dtype", [np.float16, *DTYPES])
def test_gradient(name, dtype):
    """Against central differences; of the shape of the temperature, and summed where rows share one."""
    function, rng = getattr(fa, name), np.random.default_rng(4)
    x = rng.normal(size=(4, 3, 6)).astype(dtype)
    grad = rng.normal(size=function(x).shape).astype(dtype)
    h = 2.0**-16
    tolerance = 2e-8 if dtype == np.float64 else 8 * float(np.finfo(dtype).eps)
    wide = grad.astype(float)
    for given in (np.array(0.7), rng.uniform(0.3, 3, 3), rng.uniform(0.3, 3, (4, 1)), rng.uniform(0.3, 3, (4, 3, 1))):
        got = function.parameter_gradients(grad, x, temperature=given)["temperature"]
        assert got.shape == given.shape
        assert got.dtype == dtype
        want = np.zeros(given.shape)
        for i in np.ndindex(given.shape):
            sums = []
            for step in (2, 1, -1, -2):
                moved = given.copy()
                moved[i] += step * h
                y = function(x.astype(float), temperature=moved if moved.ndim else float(moved))
                sums.append(float((wide * y).sum()))
            want[i] = (-sums[0] + 8 * sums[1] - 8 * sums[2] + sums[3]) / (12 * h)
        np.testing.assert_allclose(got.astype(float), want, rtol=tolerance, atol=tolerance * 20)
    assert function.parameter_gradients(grad, x).keys() == {"temperature"}


@pytest.mark.parametrize("name", SMOOTH)
def test_gradient_where_elements_do_not_count(name):
    """What is masked or -inf has no part in it, and a number added to all elements none but in logsumexp."""
    function = getattr(fa, name)
    sign = -1.0 if name.endswith("min") else 1.0
    x = sign * np.array([[0.5, -np.inf, -1.0, 0.25], [-np.inf] * 4])
    few = x[:1, [0, 2, 3]]
    grad = np.array([[1.0, 7.0, 2.0, -3.0], [5.0] * 4])
    if name in SUMS:
        grad = grad[:, 0]
        part, shown = grad[:1], [np.where(np.isinf(x), 9.0, x), ~np.isinf(x)]
    else:
        part, shown = grad[:1, [0, 2, 3]], [np.where(np.isinf(x), 9.0, x), ~np.isinf(x)]
    want = function.parameter_gradients(part, few, temperature=0.5)["temperature"]
    assert np.isfinite(want)
    got = [
        function.parameter_gradients(grad, x, temperature=0.5),
        function.parameter_gradients(grad, shown[0], temperature=0.5, where=shown[1]),
        function.parameter_gradients(grad, np.ma.array(shown[0], mask=~shown[1]), temperature=0.5),
    ]
    np.testing.assert_allclose([g["temperature"] for g in got], want, rtol=1e-14)
    if name not in (*SUMS, "softmax1"):
        far = function.parameter_gradients(part, few + 2.0**30, temperature=0.5)["temperature"]
        np.testing.assert_allclose(far, want, rtol=1e-9 if name in LOGS else 1e-12, atol=1e-15)
    bad = np.where(np.isinf(x), np.nan, x)
    assert np.isnan(function.parameter_gradients(grad, bad, temperature=0.5)["temperature"])


def test_refused():
    x = np.ones((2, 3))
    for error, message, args, keywords in (
        (TypeError, r"missing argument 'x'", (x,), {}),
        (TypeError, r"unexpected keyword 'temprature'; did you mean temperature", (x, x), {"temprature": 1}),
        (ValueError, r"grad has shape \(4,\); expected \(2, 3\) of x", (np.ones(4), x), {}),
        (ValueError, r"temperature has shape \(3,\)", (x, x), {"temperature": np.ones(3)}),
        (TypeError, r"grad has dtype complex128", (x * 1j, x), {}),
    ):
        with pytest.raises(error, match=r"fastact\.softmax\.parameter_gradients: " + message):
            fa.softmax.parameter_gradients(*args, **keywords)
    with pytest.raises(ValueError, match=r"fastact\.logsumexp\.parameter_gradients: grad has shape \(3,\); expected \(2,\)"):
        fa.logsumexp.parameter_gradients(np.ones(3), x)


def test_dask():
    """Blocks take the numbers and the masks of their own rows."""
    array = pytest.importorskip("dask.array")
    rng = np.random.default_rng(2)
    x = rng.normal(size=(7, 4))
    lazy = array.from_array(x, chunks=(3, 4))
    given, mask = rng.uniform(0.5, 2, 7), rng.random((7, 4)) < 0.7
    for t in (given, given[:, None], given[:1], 0.5):
        got = fa.softmax(lazy, temperature=t)
        assert type(got) is array.Array
        assert_same_bits(got.compute(), fa.softmax(x, temperature=t))
        assert_same_bits(fa.softmax(lazy, temperature=t, where=mask).compute(), fa.softmax(x, temperature=t, where=mask))
    with pytest.raises(ValueError, match=r"fastact\.softmax: temperature has shape \(4,\)"):
        fa.softmax(lazy, temperature=np.ones(4))
    with pytest.raises(ValueError, match=r"fastact\.softmax: where has shape \(3,\)"):
        fa.softmax(lazy, where=np.ones(3, bool))
