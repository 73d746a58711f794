"""Arrays that are more than arrays, through every family: nothing of them is lost without a word."""

import numpy as np
import pytest
from helpers import NAMES, assert_same_bits

import fastact as fa

DTYPES = [np.float16, np.float32, np.float64]
ROWS = ["softmax", "log_softmax", "softmin", "log_softmin", "softmax1", "hardmax", "sparsemax", "entmax15"]
GATED = ["glu", "bilinear", "reglu", "geglu", "swiglu", "seglu"]
#: What each family makes of one array, in the order of the table of functions.
CALLS = {
    "elementwise": lambda x: fa.silu(x, 0.5),
    **{name: lambda x, name=name: getattr(fa, name)(x) for name in [*ROWS, "logsumexp", "logmeanexp", *GATED]},
    "maxout": lambda x: fa.maxout(x, 2),
    "max_affine": lambda x: fa.max_affine(x, [1.0, -0.5], [0.0, 0.0]),
    "crelu": fa.crelu,
    "rrelu": fa.rrelu,
    "noisy_relu": lambda x: fa.noisy_relu(x, training=False),
    "gumbel_softmax": lambda x: fa.gumbel_softmax(x, rng=0),
}


class Tagged(np.ndarray):
    """A subclass."""


class OnlyDLPack:
    def __init__(self, array):
        self.array = array

    def __dlpack__(self, **keywords):
        return self.array.__dlpack__(**keywords)

    def __dlpack_device__(self):
        return self.array.__dlpack_device__()


class OnlyArray:
    """As torch's tensors have: `size` is a method."""

    def __init__(self, array):
        self.array = array

    def size(self):
        return self.array.shape

    def __array__(self, dtype=None, copy=None):
        return np.asarray(self.array, dtype)


def numbers(dtype):
    return np.random.default_rng(3).normal(size=(3, 4)).astype(dtype)


def same(got, want):
    assert_same_bits(np.asarray(got), np.asarray(want))


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("family", CALLS)
def test_foreign_arrays(family, dtype):
    """Whatever NumPy takes, and what has DLPack alone."""
    x = numbers(dtype)
    want = CALLS[family](x)
    for foreign in (OnlyArray(x), OnlyDLPack(x), memoryview(x)):
        same(CALLS[family](foreign), want)


@pytest.mark.parametrize("family", CALLS)
def test_torch(family):
    torch = pytest.importorskip("torch")
    x = numbers(np.float32)
    same(CALLS[family](torch.from_numpy(x)), CALLS[family](x))


@pytest.mark.parametrize("name", NAMES)
def test_foreign_arguments(name):
    """As input, gradient and parameter, in every kind, and beside arrays."""
    x = numbers(np.float32)
    call = getattr(fa, name)
    for given in (OnlyArray(x), OnlyDLPack(x)):
        same(call.derivative(given), call.derivative(x))
        same(call.value_and_derivative(given)[1], call.derivative(x))
        same(call.backward(given, x), call.backward(x, x))
        same(call.backward(x, given), call.backward(x, x))
        for param, default in call.params.items():
            values = np.full_like(x, default)
            wrapped = type(given)(values)
            same(call(x, **{param: wrapped}), call(x, **{param: values}))


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("family", CALLS)
def test_subclasses(family, dtype):
    x = numbers(dtype)
    got = CALLS[family](x.view(Tagged))
    assert type(got) is Tagged
    same(got, CALLS[family](x))


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("name", ROWS)
def test_masked_rows(name, dtype):
    """As where= does it, and the result is masked; whatever stands there, and for the gradient."""
    call, x = getattr(fa, name), numbers(dtype)
    mask = x > 0.4
    x[mask] = np.nan
    m = np.ma.array(x, mask=mask)
    y = call(m)
    assert type(y) is np.ma.MaskedArray
    np.testing.assert_array_equal(y.mask, mask)
    same(y.data, call(x, where=~mask))
    keep = np.arange(4) > 0
    same(call(m, where=keep).data, call(x, where=~mask & keep))
    grad = np.ones(x.shape, dtype)
    back = call.backward(np.ma.array(grad * 3, mask=mask), y)
    np.testing.assert_array_equal(back.mask, mask)
    same(back.data[~mask], call.backward(np.where(mask, 0, grad * 3).astype(dtype), y.data)[~mask])


@pytest.mark.parametrize("dtype", DTYPES)
def test_masked_values(dtype):
    """The examples of the documentation of masks, by hand."""
    m = np.ma.array(np.array([1.0, 2.0, 100.0], dtype), mask=[0, 0, 1])
    eps = float(np.finfo(dtype).eps)
    y = fa.softmax(m)
    assert y.mask.tolist() == [False, False, True]
    np.testing.assert_allclose(y.compressed().astype(float), [0.2689414213699951, 0.7310585786300049], rtol=2 * eps)
    np.testing.assert_allclose(float(fa.logsumexp(m)), 2.3132616875182226, rtol=2 * eps)
    assert fa.logsumexp(np.ma.array([[1.0, 2.0]] * 2, mask=[[0, 0], [1, 1]])).mask.tolist() == [False, True]
    np.testing.assert_allclose(fa.logsumexp.backward(dtype(2), m).compressed().astype(float), 2 * y.compressed(), rtol=4 * eps)
    pair = np.ma.array(np.array([1.0, 2.0, 3.0, 4.0], dtype), mask=[0, 0, 0, 1])
    for call in (fa.swiglu, fa.glu):
        assert call(pair).mask.tolist() == [False, True]
        assert call(pair, pair[::-1]).mask.tolist() == [True, False, False, True]
        assert call.backward(np.ones(2, dtype), pair).mask.tolist() == [False, True, False, True]
        assert [g.mask.tolist() for g in call.backward(np.ones(4, dtype), pair, pair)] == [pair.mask.tolist()] * 2
        same(call(pair).data[:1], call(pair.data)[:1])
    assert fa.maxout(np.ma.array([5.0, 9.0, 1.0, 2.0], mask=[0, 1, 1, 1]), 2).tolist() == [5.0, None]
    assert fa.crelu(m).tolist() == [1.0, 2.0, None, 0.0, 0.0, None]
    assert fa.crelu.backward(np.ones(6, dtype), m).tolist() == [1.0, 1.0, None]
    assert fa.max_affine(m, [1.0], [0.0]).tolist() == [1.0, 2.0, None]
    assert fa.rrelu(m).tolist() == fa.noisy_relu(m, training=False).tolist() == [1.0, 2.0, None]
    sample = fa.gumbel_softmax(m, hard=True, rng=1)
    assert sample.mask.tolist() == [False, False, True]
    assert sample.sum() == 1


@pytest.mark.parametrize("dtype", DTYPES)
def test_masked_parameter_gradients(dtype):
    """What is masked has no part in the sums, be it NaN."""
    x = -np.abs(numbers(dtype))
    mask = x < -0.7
    dirty = np.where(mask, np.nan, x).astype(dtype)
    grad = np.ones_like(x)
    want = fa.elu.parameter_gradients(np.where(mask, 0, grad).astype(dtype), np.where(mask, 1, x).astype(dtype))
    for given in ((grad, np.ma.array(dirty, mask=mask)), (np.ma.array(grad, mask=mask), np.where(mask, 1, x).astype(dtype))):
        got = fa.elu.parameter_gradients(*given)
        assert_same_bits(np.asarray(got["alpha"]), np.asarray(want["alpha"]))


REFUSED = [*ROWS, "logsumexp", "logmeanexp", *GATED, "maxout", "crelu", "max_affine", "rrelu", "noisy_relu", "gumbel_softmax"]


@pytest.mark.parametrize("dtype", DTYPES)
def test_pandas(dtype):
    """Elementwise calls keep index and dtype; the others say what to do."""
    pandas = pytest.importorskip("pandas")
    x = numbers(dtype)
    frame = pandas.DataFrame(x, index=list("abc"), columns=list("wxyz"))
    for name in NAMES:
        call = getattr(fa, name)
        for got in (call(frame), call.derivative(frame)):
            assert type(got) is pandas.DataFrame
            assert got.index.tolist() == list("abc")
            assert set(got.dtypes) == {np.dtype(dtype)}, name
        assert call(frame["w"]).dtype == dtype
        same(call(frame), call(x))
    for family in REFUSED:
        with pytest.raises(TypeError, match=rf"fastact\.{family}: pandas\.DataFrame .* use numpy\.asarray"):
            CALLS[family](frame)


def test_xarray():
    xarray = pytest.importorskip("xarray")
    x = numbers(np.float32)
    array = xarray.DataArray(x, dims=("a", "b"))
    got = fa.silu(array, 0.5)
    assert (type(got), got.dims, got.dtype) == (xarray.DataArray, ("a", "b"), np.float32)
    for family in REFUSED:
        with pytest.raises(TypeError, match=rf"fastact\.{family}: xarray\.DataArray .* use xarray\.apply_ufunc"):
            CALLS[family](array)
    rows = xarray.apply_ufunc(fa.softmax, array, input_core_dims=[["b"]], output_core_dims=[["b"]])
    same(rows, fa.softmax(x))


def test_dask():
    """Lazily, block by block; a row in several chunks is refused, with the remedy."""
    array = pytest.importorskip("dask.array")
    x = numbers(np.float32)
    lazy = array.from_array(x, chunks=(2, 4))
    for family in ["elementwise", *ROWS]:
        got = CALLS[family](lazy)
        assert type(got) is array.Array
        assert got.dtype == np.float32
        same(got.compute(), CALLS[family](x))
    for family in ROWS:
        with pytest.raises(TypeError, match=rf"fastact\.{family}: dask\.Array .* use x\.rechunk\(\{{1: -1\}}\) first"):
            CALLS[family](array.from_array(x, chunks=(3, 2)))
    for family in set(REFUSED) - set(ROWS):
        with pytest.raises(TypeError, match=rf"fastact\.{family}: dask\.Array .* use map_blocks"):
            CALLS[family](lazy)
