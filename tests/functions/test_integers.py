"""Functions that map integers to integers keep them, exactly, and with every keyword of a ufunc."""

import itertools

import numpy as np
import pytest
from fastact.cpu.call import SPREAD_FROM
from helpers import assert_same_bits

import fastact as fa
from fastact.functions import integers

CHARS = "bBhHiIlLqQ"
#: The same in Python, where integers have no end.
IN_PYTHON = {
    "identity": lambda x: x,
    "sign": lambda x: (x > 0) - (x < 0),
    "relu": lambda x: max(x, 0),
    "relu6": lambda x: min(max(x, 0), 6),
    "squared_relu": lambda x: max(x, 0) ** 2,
    "hard_tanh": lambda x, low=-1, high=1: min(max(x, low), high),
    "threshold": lambda x, threshold=0, value=0: x if x > threshold else value,
    "step": lambda x, threshold=0, at=1: at if x == threshold else int(x > threshold),
}
PARAMETERS = {"hard_tanh": [(), (2, 5), (-300, 3), (-4, 70_000)], "threshold": [(), (3,), (3, 7), (-300, 1), (300, 1)],
              "step": [(), (3,), (-300,), (300,), (3, 7)]}  # fmt: skip
every = pytest.mark.parametrize("name", sorted(integers.FUNCTIONS))


def wrapped(values, dtype):
    """Python's integers in a dtype, modulo its range."""
    return np.array([int(v) % 2 ** (8 * dtype.itemsize) for v in values], np.uint64).astype(dtype)


@every
@pytest.mark.parametrize("char", CHARS)
def test_exactly(name, char):
    dtype = np.dtype(char)
    ends = np.iinfo(dtype)
    values = [v for v in (ends.min, ends.min + 1, -7, -1, 0, 1, 2, 3, 4, 6, 7, 11, 100, ends.max - 1, ends.max) if v >= ends.min]
    x = np.array(values, dtype)
    for params in PARAMETERS.get(name, [()]):
        want = wrapped([IN_PYTHON[name](v, *params) for v in values], dtype)
        function = getattr(fa, name)
        with np.errstate(all="ignore"):
            assert_same_bits(function(x, *params), want, f"{params}")
            assert_same_bits(function(np.repeat(x, 2)[::2], *params), want, f"{params}, strided")
            assert_same_bits(function(x, *params, out=x.copy()), want, f"{params}, out")
            assert_same_bits(np.array([function(v, *params) for v in x]), want, f"{params}, scalars")
            large = np.resize(x, SPREAD_FROM + 3)
            assert_same_bits(function(large, *params), np.resize(want, large.shape), f"{params}, large")


@every
def test_keywords(name):
    function, x = getattr(fa, name), np.arange(-4, 9)
    want = np.array([IN_PYTHON[name](int(v)) for v in x])
    assert_same_bits(function(x, dtype=np.int16), want.astype(np.int16))
    assert_same_bits(function(x, dtype=np.float32), want.astype(np.float32))
    assert_same_bits(function(x, out=np.empty(13)), want.astype(float))
    assert_same_bits(function(x, where=x > 2, out=np.full(13, 99)), np.where(x > 2, want, 99))
    inplace = x.copy()
    assert function(inplace, out=inplace) is inplace
    assert_same_bits(inplace, want)
    assert function(7).dtype == np.int64
    with pytest.raises(ValueError, match=rf"fastact\.{name}: "):
        function(x, out=np.empty(5, int))
    with pytest.raises(TypeError, match=rf"fastact\.{name}: "):
        function(x, out=np.empty(13, bool))


@every
def test_what_is_a_float_stays_one(name):
    """Bools, float parameters, what has no common integer dtype, slopes and gradients."""
    function, x = getattr(fa, name), np.arange(-4, 9)
    assert function(x > 0).dtype == np.float16
    for kind in ("derivative", "value_and_derivative"):
        assert np.asarray(getattr(function, kind)(x)).dtype == np.float64
    assert function.backward(x, x).dtype == np.float64
    for params in PARAMETERS.get(name, [()])[1:2]:
        assert function(x, *map(float, params)).dtype == np.float64
        assert function(x, *(np.full(13, p, np.uint64) for p in params)).dtype == np.float64
        assert function(x, *(np.full(13, p, np.int16) for p in params)).dtype == np.int64
        assert function(x.astype("h"), *(np.full(13, p, np.int32) for p in params)).dtype == np.int32


@every
def test_containers(name):
    pd, da, xr = (pytest.importorskip(m) for m in ("pandas", "dask.array", "xarray"))
    function, x = getattr(fa, name), np.arange(-4, 8)
    want = function(x)
    for made in (pd.Series(x), xr.DataArray(x), da.from_array(x, chunks=5), pd.DataFrame(x.reshape(3, 4))):
        found = function(made)
        assert type(found) is type(made)
        assert_same_bits(np.asarray(found).ravel(), want)
    found = function(np.ma.array(x, mask=x == 2))
    assert found.mask.tolist() == (x == 2).tolist()
    assert_same_bits(found.compressed(), want[x != 2])


def test_numbers_that_do_not_fit():
    x = np.arange(5, dtype=np.uint8)
    for call, name in [
        (lambda: fa.threshold(x, 2, 300), "threshold: value is 300"), (lambda: fa.threshold(x, 2, -1), "threshold: value is -1"),
        (lambda: fa.hard_tanh(x, 256), "hard_tanh: min_val is 256"),
        (lambda: fa.hard_tanh(x, -9, -3), "hard_tanh: max_val is -3"),
    ]:  # fmt: skip
        with pytest.raises(ValueError, match=rf"fastact\.{name}, which uint8 does not hold"):
            call()
    with pytest.raises(ValueError, match=r"fastact\.threshold: shapes do not broadcast"):
        fa.threshold(x, np.zeros(3, int), 0)


@pytest.mark.parametrize("char", CHARS)
def test_pieces(char):
    ends = np.iinfo(char)
    x = np.array([[3, ends.max, ends.max - 1, 0], [ends.min, ends.min, ends.min, 7]], char)
    y, winner = fa.maxout(x, 2, return_index=True)
    assert_same_bits(y, np.array([[ends.max, ends.max - 1], [ends.min, 7]], char))
    assert winner.tolist() == [[1, 0], [0, 1]]
    for axis, out in itertools.product((0, 1), (True, False)):
        want = x.max(axis=axis, keepdims=True)
        assert_same_bits(fa.maxout(x, x.shape[axis], axis, out=np.empty_like(want) if out else None), want)
    masked = fa.maxout(np.ma.array(x, mask=x == ends.max), 2)
    assert_same_bits(masked.data[0], np.array([3, ends.max - 1], char))
    short = x[:1]
    assert_same_bits(fa.crelu(short), np.concatenate([short, np.zeros_like(short)], axis=1))
    signed = np.array([-3, 2], char) if ends.min else np.array([3, 2], char)
    assert fa.crelu(signed).tolist() == ([0, 2, 3, 0] if ends.min else [3, 2, 0, 0])


@pytest.mark.parametrize("char", CHARS)
def test_hardmax(char):
    """Integers that are the same in float64 are told apart."""
    ends = np.iinfo(char)
    x = np.array([[ends.max - 1, ends.max, 0, ends.max], [ends.min, ends.min + 1, ends.min, ends.min]], char)
    want = np.array([[0, 1, 0, 0], [0, 1, 0, 0]], char)
    assert_same_bits(fa.hardmax(x), want)
    assert_same_bits(fa.hardmax(x.T, axis=0), want.T)
    assert_same_bits(fa.hardmax(x, axis=None), want * np.array([[1], [0]], char))
    assert_same_bits(fa.hardmax(x, where=x != ends.max), np.array([[1, 0, 0, 0], [0, 1, 0, 0]], char))
    assert_same_bits(fa.hardmax(x, where=False), np.zeros_like(x))
    assert_same_bits(fa.hardmax(x, dtype=np.float64), fa.hardmax(x.astype(float)))
    assert_same_bits(fa.hardmax(x, out=np.empty(x.shape, char)), want)
    assert fa.hardmax(x[:0]).shape == (0, 4)
    masked = fa.hardmax(np.ma.array(x, mask=x == ends.max))
    assert_same_bits(masked.data, np.array([[1, 0, 0, 0], [0, 1, 0, 0]], char))
    lazy = pytest.importorskip("dask.array").from_array(x, chunks=(1, 4))
    assert fa.hardmax(lazy).dtype == x.dtype
    assert_same_bits(fa.hardmax(lazy).compute(), want)
    assert fa.softmax(lazy, dtype=np.float32).dtype == np.float32
