"""Gated units as ufuncs, functions of rows as generalised ones: NumPy's keywords, containers that take part in ufuncs."""

import numpy as np
import pytest
from helpers import DTYPES, assert_same_bits

import fastact as fa
from fastact.functions.gated import FUNCTIONS as UNITS
from fastact.functions.rowwise import FUNCTIONS

ROWS = [f for f in FUNCTIONS if f.ufunc is not None]
BACK = [f for f in ROWS if hasattr(fa.ufuncs, f"{f.__name__}_backward")]
LAYOUTS = {
    "C": lambda x: x, "Fortran": np.asfortranarray, "every other": lambda x: np.repeat(x, 2, -1)[..., ::2],
    "reversed": lambda x: x[..., ::-1], "one row for all": lambda x: np.broadcast_to(x[:1], x.shape),
    "byte-swapped": lambda x: x.astype(x.dtype.newbyteorder()),
}  # fmt: skip


class Duck:
    """No array, but what takes part in ufuncs."""

    ndim, dtype, shape = 2, np.dtype(np.float32), (3, 4)

    def __array_ufunc__(self, ufunc, method, *inputs, **kwargs):
        return ufunc.__name__, ufunc.signature, method, kwargs


def numbers(shape, dtype, seed=0):
    return np.random.default_rng(seed).normal(0, 3, shape).astype(dtype)


def test_which():
    assert [f.__name__ for f in FUNCTIONS if f.ufunc is None] == ["logmeanexp", "entmax"]
    assert [f.__name__ for f in ROWS if f not in BACK] == ["logsumexp", "hardmax"]
    assert fa.softmax.ufunc is fa.ufuncs.softmax
    assert fa.swiglu.ufunc is fa.ufuncs.swiglu
    signatures = {f.ufunc.signature for f in ROWS}, {getattr(fa.ufuncs, f"{f.__name__}_backward").signature for f in BACK}
    assert signatures == ({"(n)->(n)", "(n)->()"}, {"(n),(n)->(n)"})


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("function", ROWS, ids=lambda f: f.__name__)
def test_rows(function, dtype, layout):
    """The same bits as the function, whatever the axis, the layout and the length."""
    for shape in ((3, 4), (2, 5, 33), (3, 300), (1, 1), (5, 0), (0, 5)):
        x = LAYOUTS[layout](numbers(shape, dtype))
        for axis in range(len(shape)):
            got, want = function.ufunc(x, axis=axis), function(x.copy(), axis=axis)
            assert got.dtype == want.dtype
            assert_same_bits(np.asarray(got), np.asarray(want))
        if function in BACK and 0 not in shape:
            y = function(np.ascontiguousarray(x.astype(dtype)))
            grad = LAYOUTS[layout](numbers(shape, dtype, 1))
            assert_same_bits(getattr(fa.ufuncs, f"{function.__name__}_backward")(grad, y), function.backward(grad.copy(), y))


@pytest.mark.parametrize("dtype", DTYPES)
def test_special_rows(dtype):
    inf, nan = np.inf, np.nan
    x = np.array([[1, 2, inf], [1, nan, inf], [-inf, -inf, -inf], [-inf, 0, -inf]], dtype)
    want = np.array([inf, nan, -inf, 0], dtype)
    assert_same_bits(fa.ufuncs.logsumexp(x), want)
    assert_same_bits(fa.logsumexp(x), want)
    assert_same_bits(fa.ufuncs.logsumexp(np.asfortranarray(x)), want)
    assert fa.logsumexp(x[0]) == inf
    assert type(fa.logsumexp(x[3])) is dtype
    out = np.ones((4, 6), dtype)
    assert fa.ufuncs.softmax(x, out=out[:, ::2]).base is out
    assert_same_bits(out[:, ::2], fa.softmax(x))
    assert np.all(out[:, 1::2] == 1)
    assert_same_bits(fa.ufuncs.softmax(x, out=x), out[:, ::2])


def test_rows_bfloat16():
    bfloat16 = pytest.importorskip("ml_dtypes").bfloat16
    x = numbers((4, 40), np.float32).astype(bfloat16)
    for function in ROWS:
        got = function.ufunc(x, axis=0)
        assert got.dtype == bfloat16
        np.testing.assert_array_equal(got.astype(float), function(x, axis=0).astype(float))


@pytest.mark.parametrize("function", [*ROWS, fa.entmax, fa.logmeanexp], ids=lambda f: f.__name__)
def test_casting_of_rows(function):
    title, ints, x = f"fastact.{function.__name__}", np.arange(6).reshape(2, 3), numbers((2, 3), np.float64)
    assert function(x, casting="no").dtype == np.float64
    assert function(x, casting="unsafe", dtype=np.float32).dtype == np.float32
    with pytest.raises(TypeError, match=rf"{title}: x has dtype float64, which does not cast to float32 with casting='safe'"):
        function(x, casting="safe", dtype=np.float32)
    with pytest.raises(TypeError, match=rf"{title}: out has dtype float32"):
        function(x, casting="safe", out=np.zeros(np.shape(function(x)), np.float32))
    with pytest.raises(ValueError, match=rf"{title}: casting is 'some'; expected one of 'no'"):
        function(x, casting="some")
    if function is not fa.hardmax:
        with pytest.raises(TypeError, match=rf"{title}: x has dtype int64, which does not cast to float64 with casting='no'"):
            function(ints, casting="no")
        rounded = np.full(np.shape(function(ints)), 9)
        assert function(ints, casting="unsafe", out=rounded) is rounded
        np.testing.assert_array_equal(rounded, np.trunc(function(ints)))


def test_what_takes_part():
    """A generalised ufunc for whatever knows what to do with one; nothing where the call asks for more than there is in it."""
    assert fa.softmax(Duck(), axis=0) == ("softmax", "(n)->(n)", "__call__", {"axis": 0})
    assert fa.logsumexp(Duck(), keepdims=True)[3]["keepdims"] is True
    assert fa.swiglu(Duck(), 1.0) == ("swiglu", None, "__call__", {})
    assert fa.glu(np.ones(3), Duck(), where=False)[3] == {"where": False}
    for call in (lambda x: fa.softmax(x, temperature=2.0), lambda x: fa.softmax(x, (0, 1)), fa.entmax, fa.swiglu):
        with pytest.raises(TypeError, match="not an array that this function knows"):
            call(Duck())
    with pytest.raises(TypeError, match=r"fastact.swiglu: .* not an array"):
        fa.swiglu(Duck(), Duck(), limit=7.0)


@pytest.mark.parametrize("function", ROWS, ids=lambda f: f.__name__)
def test_dask(function):
    """Lazily, by Dask's own way with generalised ufuncs."""
    array = pytest.importorskip("dask.array")
    x = numbers((8, 6), np.float32)
    lazy = function.ufunc(array.from_array(x, chunks=(3, 6)))
    assert type(lazy) is array.Array
    assert lazy.dtype == np.float32
    assert_same_bits(lazy.compute(), np.asarray(function(x)))
    with pytest.raises(ValueError, match="multiple chunks"):
        function.ufunc(array.from_array(x, chunks=(8, 3)))


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("unit", UNITS, ids=lambda f: f.__name__)
def test_units(unit, dtype):
    """Small arrays go by the ufunc, large ones do not: the same bits, in any layout and when broadcast."""
    large = [numbers((200, 120), dtype, i) for i in range(3)]
    for layout in LAYOUTS.values():
        a, b, grad = map(layout, large)
        few = [v[:7, :50] for v in (a, b, grad)]
        assert_same_bits(unit(*few[:2]), unit(a, b)[:7, :50])
        assert_same_bits(unit.ufunc(a, b), unit(a, b))
        backward = getattr(fa.ufuncs, f"{unit.__name__}_backward")
        for got, want, some in zip(backward(grad, a, b), unit.backward(grad, a, b), unit.backward(few[2], *few[:2]), strict=True):
            assert_same_bits(got, want)
            assert_same_bits(some, want[:7, :50])
    a, b, _ = large
    assert_same_bits(unit(a[:, :1], b[:1]), unit(np.repeat(a[:, :1], 120, 1), np.repeat(b[:1], 200, 0)))
    want, moved = unit(a[:-1], b[1:]), a.copy()
    unit.ufunc(moved[:-1], b[1:], out=moved[1:])  # somewhat behind its input
    assert_same_bits(moved[1:], want)
    moved = a.copy()
    unit.ufunc(moved[1:], b[:-1], out=moved[:-1])  # and before
    assert_same_bits(moved[:-1], unit(a[1:], b[:-1]))


@pytest.mark.parametrize("unit", UNITS, ids=lambda f: f.__name__)
def test_keywords_of_units(unit):
    title, (a, b) = f"fastact.{unit.__name__}", numbers((2, 3, 4), np.float64)
    want, where = unit(a, b), a > 0
    got = unit(a, b, out=np.full((3, 4), 5.0), where=where)
    assert_same_bits(got, np.where(where, want, 5.0))
    x = np.concatenate([a, b], 1)
    assert_same_bits(unit(x, axis=1, out=np.full((3, 4), 5.0), where=where), got)
    single = unit(a, b, dtype=np.float32)
    assert_same_bits(single, unit(a.astype(np.float32), b.astype(np.float32)))
    assert_same_bits(unit(x, dtype="f4"), single)
    assert unit(a, b, order="F").flags.f_contiguous
    assert unit([1, 2], [3, 4]).dtype == unit([1, 2], [3, 4], casting="safe").dtype == np.float64
    with pytest.raises(TypeError, match=rf"{title}: Cannot cast ufunc"):
        unit(a, b, dtype=np.float32, casting="safe")
    with pytest.raises(ValueError, match=rf"{title}: casting must be"):
        unit(a, b, casting="some")
    with pytest.raises(TypeError, match=rf"{title}: No loop matching"):
        unit(a, b, dtype=np.int32)


def test_keywords_that_there_are_not():
    a = np.ones(4)
    with pytest.raises(TypeError, match=r"fastact.swiglu: where, dtype not supported with limit"):
        fa.swiglu(a, a, limit=7.0, where=a > 0, dtype="f4")
    x = np.arange(8.0)
    assert_same_bits(fa.swiglu(x, interleaved=True, dtype="f4"), fa.swiglu(x[::2].astype("f4"), x[1::2].astype("f4")))


@pytest.mark.parametrize("unit", UNITS, ids=lambda f: f.__name__)
def test_containers_of_units(unit):
    """Two arrays go as those of elementwise functions do."""
    pandas, xarray = pytest.importorskip("pandas"), pytest.importorskip("xarray")
    array = pytest.importorskip("dask.array")
    a, b = numbers((2, 6, 4), np.float32)
    want = unit(a, b)
    frame = unit(pandas.DataFrame(a, columns=list("wxyz")), pandas.DataFrame(b, columns=list("wxyz")))
    assert list(frame.columns) == list("wxyz")
    assert_same_bits(frame.to_numpy(), want)
    assert type(unit(pandas.Series(a[:, 0]), pandas.Series(b[:, 0]))) is pandas.Series
    both = unit(xarray.DataArray(a, dims=("n", "c")), xarray.DataArray(b, dims=("n", "c")))
    assert both.dims == ("n", "c")
    assert_same_bits(both.to_numpy(), want)
    lazy = unit(array.from_array(a, chunks=2), array.from_array(b, chunks=2))
    assert type(lazy) is array.Array
    assert_same_bits(lazy.compute(), want)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("ufunc", [*(f.ufunc for f in UNITS), fa.tanh.backward.ufunc], ids=lambda u: u.__name__)
def test_reduce_and_accumulate(ufunc, dtype):
    """Each result from the one before it, as `numpy.frompyfunc` does it."""
    slow = np.frompyfunc(lambda a, b: ufunc(dtype(a), dtype(b)), 2, 1)
    x = numbers((3, 40), dtype) / dtype(2)
    for axis in (0, 1):
        for array in (x, x[:, ::-1], np.asfortranarray(x)):
            assert_same_bits(ufunc.accumulate(array, axis), slow.accumulate(array, axis, dtype=object).astype(dtype))
            assert_same_bits(ufunc.reduce(array, axis), slow.reduce(array, axis).astype(dtype))
    assert_same_bits(ufunc.outer(x[0], x[1]), ufunc(x[0][:, None], x[1]))


CALLS = [*UNITS, *FUNCTIONS, fa.gelu, fa.elu, fa.prelu, fa.gelu.derivative, fa.elu.value_and_derivative]


@pytest.mark.parametrize("call", CALLS, ids=lambda f: f.__name__)
def test_both_entries(call):
    """Python calls an object by its fast entry, or by `__call__`, which must not be told apart."""
    x = numbers((4, 6), np.float32)
    for args, kwargs in (((x,), {}), ((x.T,), {}), (([1.0, 2.0],), {}), ((x.astype(int),), {})):
        got, want = call(*args, **kwargs), call.__call__(*args, **kwargs)
        for g, w in zip(np.atleast_1d(got), np.atleast_1d(want), strict=True):
            assert_same_bits(np.asarray(g), np.asarray(w))
    for args, kwargs in (((), {}), ((1, 2, 3, 4, 5, 6), {}), ((x,), {"nothing": 1}), ((x,), {"out": 3}), ((x, x), {"axis": 9})):
        errors = []
        for entry in (call, call.__call__):
            with pytest.raises((TypeError, ValueError)) as info:
                entry(*args, **kwargs)
            errors.append((info.type, str(info.value)))
        assert errors[0] == errors[1]
