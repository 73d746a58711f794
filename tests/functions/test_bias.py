"""A bias added on the way: the bits of the function of a sum, in every layout, and what is refused."""

import inspect
import math

import numpy as np
import pytest
from helpers import DTYPES, NAMES, arrays, assert_same_bits, every_kind, function, numbers, results

import fastact as fa

SHAPES = [(5,), (3, 7), (70, 10), (2, 3, 33), (3, 1030), (2, 2048), (7, 1), (0, 4), (4, 0), (1, 16)]
OWN = ["star_relu", "shrink"]  # have a parameter of that name
SPECIAL = np.array([np.nan, np.inf, -np.inf, 0.0, -0.0, 1e-310, -1e-40, 3e38, -1.7e308, 1.0])


@pytest.fixture(autouse=True)
def _quiet():
    with np.errstate(all="ignore"):  # of the sums that results are compared with
        yield


def bias_of(x, seed=9):
    return np.random.default_rng(seed).normal(size=x.shape[-1]).astype(x.dtype)


def kinds_with(name, kind):
    return name not in OWN and kind != "backward_from_output"


@every_kind
def test_bits_of_the_sum(name, kind):
    """Rows short and long, remainders, nothing at all; fresh outputs and in place."""
    if not kinds_with(name, kind):
        return
    call = function(name, kind)
    for dtype in DTYPES:
        for shape in SHAPES:
            x = numbers(shape, dtype)
            bias = bias_of(x)
            given, summed = arrays(name, kind, x), arrays(name, kind, x + bias)
            want = results(call(*given[:-1], summed[-1]))
            kept = x.copy()
            for got, w in zip(results(call(*given, bias=bias)), want, strict=True):
                assert_same_bits(got, w, f"{shape} {dtype}")
            assert_same_bits(x, kept)
            if len(want) == 1:
                assert call(*given, bias=bias, out=x) is x
                assert_same_bits(x, want[0], f"in place {shape}")


@every_kind
def test_special_values(name, kind):
    if not kinds_with(name, kind):
        return
    call = function(name, kind)
    for dtype in DTYPES:
        x = np.tile(SPECIAL.astype(dtype), (SPECIAL.size, 1))
        for shift in range(SPECIAL.size):
            bias = np.roll(SPECIAL.astype(dtype), shift)
            grad = np.ones_like(x)
            given = (grad,) if kind == "backward" else ()
            for got, want in zip(results(call(*given, x, bias=bias)), results(call(*given, x + bias)), strict=True):
                assert_same_bits(got, want, f"{dtype} {shift}")


@every_kind
def test_halves(name, kind):
    """Added in float32 and rounded once, at the end."""
    if not kinds_with(name, kind):
        return
    call = function(name, kind)
    x = numbers((30, 21), np.float16, scale=2.0)
    x[np.abs(x) > 100] = 3.0
    bias = bias_of(x)
    given = arrays(name, kind, x)
    wide = [g.astype(np.float32) for g in given[:-1]], x.astype(np.float32) + bias.astype(np.float32)
    want = results(call(*wide[0], wide[1]))
    for step in (1, -1):  # fused, and by the sum
        laid = [g[:, ::step] for g in given]
        for got, w in zip(results(call(*laid, bias=bias[::step])), want, strict=True):
            assert_same_bits(got, w.astype(np.float16)[:, ::step], f"{name} {step}")


@pytest.mark.parametrize("name", ["relu", "silu"])
@pytest.mark.parametrize("shape", [(500, 333), (40000, 10), (17, 9000), (1, 200_001)])
def test_threads_change_nothing(name, shape, threads):
    call = getattr(fa, name)
    for dtype in (np.float16, *DTYPES):
        x = numbers(shape, np.float32, scale=2.0).clip(-9, 9).astype(dtype)
        grad, bias = numbers(shape, np.float32, seed=1).clip(-9, 9).astype(dtype), bias_of(x)
        found = []
        for count in (1, 2, 3):
            threads(count)
            y = x.copy()
            call(y, bias=bias, out=y)
            found.append((y, call(x, bias=bias), *call.backward(grad, x, bias=bias, return_bias_grad=True)))
        for other in found[1:]:
            for got, want in zip(other, found[0], strict=True):
                assert_same_bits(got, want, f"{dtype}")
        assert_same_bits(found[0][0], found[0][1])


def test_past_the_caches(threads):
    """More than 32 MiB, where results are streamed unless they are inputs."""
    threads(2)
    x, grad = (np.resize(numbers(100_003, np.float32, seed=s), (2100, 4100)) for s in (0, 1))
    bias = bias_of(x)
    value, slope = fa.relu(x + bias), fa.relu.backward(grad, x + bias)
    assert_same_bits(fa.relu(x, bias=bias), value)
    got, sums = fa.relu.backward(grad, x, bias=bias, return_bias_grad=True)
    assert_same_bits(got, slope)
    _, few = fa.relu.backward(grad[:, :4099], x[:, :4099], bias=bias[:4099], return_bias_grad=True)
    assert_same_bits(sums[:4099], few)
    for out in (x.copy(), grad):
        got = fa.relu.backward(grad, x if out is grad else out, bias=bias, return_bias_grad=True, out=out)
        assert got[0] is out
        assert_same_bits(out, slope)
        assert_same_bits(got[1], sums)


LAYOUTS = {
    "reversed": lambda a: a[..., ::-1].copy()[..., ::-1],
    "every other": lambda a: np.repeat(a, 2, axis=-1)[..., ::2],
    "rows of more": lambda a: np.concatenate([a, a], axis=-1)[..., : a.shape[-1]],
    "Fortran": np.asfortranarray,
    "misaligned": lambda a: np.frombuffer(b"\0" + a.tobytes(), np.uint8)[1:].view(a.dtype).reshape(a.shape),
    "swapped": lambda a: a.astype(a.dtype.newbyteorder()),
    "list": lambda a: a.tolist(),
}


@pytest.mark.parametrize("dtype", [np.float16, *DTYPES])
@pytest.mark.parametrize("layout", LAYOUTS)
def test_layouts(layout, dtype):
    """Of every argument; the gradient by the bias has the same bits too."""
    if layout == "list" and dtype != np.float64:
        pytest.skip("lists are of float64")
    lay = LAYOUTS[layout]
    x, grad = (numbers((4, 50, 13), np.float32, seed=s).clip(-9, 9).astype(dtype) for s in (0, 1))
    bias = bias_of(x)
    value, (by_x, by_bias) = fa.silu(x, bias=bias), fa.silu.backward(grad, x, bias=bias, return_bias_grad=True)
    assert by_bias.dtype == dtype
    for a, b, c in [(lay(x), bias, grad), (x, lay(bias), grad), (x, bias, lay(grad)), (lay(x), lay(bias), lay(grad))]:
        assert_same_bits(np.asarray(fa.silu(a, bias=b), dtype), value)
        assert_same_bits(np.asarray(fa.silu.backward(c, a, bias=b), dtype), by_x)
        got = fa.silu.backward(c, a, bias=b, return_bias_grad=True)
        assert_same_bits(np.asarray(got[0], dtype), by_x)
        assert_same_bits(np.asarray(got[1], dtype), by_bias)
    if layout not in ("list", "swapped"):
        out = lay(np.zeros_like(x))
        if out.flags.writeable:
            assert fa.silu(x, bias=bias, out=out) is out
            assert_same_bits(out.copy(), value)
            assert fa.silu.backward(grad, x, bias=bias, return_bias_grad=True, out=out)[0] is out
            assert_same_bits(out.copy(), by_x)


def test_memory_order_is_kept():
    x = np.asfortranarray(numbers((30, 40), np.float32))
    assert fa.gelu(x, bias=np.ones(40, np.float32)).flags.f_contiguous


@pytest.mark.parametrize("x_code", "?bBhHiIlLqQefd")
@pytest.mark.parametrize("bias_code", "efdi")
def test_dtypes(x_code, bias_code):
    """NumPy's promotion of x and bias; integers are added as integers."""
    rng = np.random.default_rng(0)
    x, bias = rng.integers(0, 2 if x_code == "?" else 40, (6, 9)).astype(x_code), rng.integers(-3, 4, 9).astype(bias_code)
    for call in (fa.relu, fa.tanh):
        want = call(x + bias)
        got = call(x, bias=bias)
        assert got.dtype == want.dtype
        np.testing.assert_array_equal(got, want)  # no sum of these needs rounding
        wider = call.backward(np.ones((6, 9)), x, bias=bias)
        np.testing.assert_array_equal(wider, call.backward(np.ones((6, 9)), x + bias))
    by_x, by_bias = fa.tanh.backward(np.ones((6, 9), np.float32), x, bias=bias, return_bias_grad=True)
    assert by_bias.dtype == (by_x.dtype if bias_code == "i" else bias_code)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("shape", [(3000, 7), (900, 1500), (12, 5), (5,)])
def test_gradients_are_exact(shape, dtype):
    """Sums of what backward gives, as if in twice the digits."""
    x, grad = numbers(shape, dtype, scale=1.0).clip(-50, 50), numbers(shape, dtype, seed=1).clip(-50, 50)
    bias = bias_of(x)
    by_x, by_bias = fa.gelu.backward(grad, x, bias=bias, return_bias_grad=True)
    assert_same_bits(by_x, fa.gelu.backward(grad, x + bias))
    assert by_bias.shape == bias.shape
    rows = by_x.reshape(-1, shape[-1]).astype(float)
    exact = [math.fsum(column) for column in rows.T[:40]]
    np.testing.assert_allclose(by_bias[:40], exact, rtol=2 * np.finfo(dtype).eps, atol=1e-300)


def test_gradients_cancel():
    """What float64 alone would lose; infinities and NaN come through, empty sums are 0."""
    grad = np.array([1e16, 1.0, -1e16, np.inf, np.nan, -np.inf])[:, None] * np.ones(3)
    ones, bias = np.ones((6, 3)), np.zeros(3)
    for first, last, want in ((0, 3, 1.0), (1, 4, np.inf), (3, 5, np.nan), (3, 6, np.nan), (0, 0, 0.0)):
        for x in (ones[first:last], np.asfortranarray(ones)[first:last]):
            _, got = fa.relu.backward(grad[first:last], x, bias=bias, return_bias_grad=True)
            np.testing.assert_array_equal(got, np.full(3, want))
    many = np.tile(np.array([[1e16], [1.0], [-1e16], [1.0]]), (30_000, 3))
    _, got = fa.relu.backward(many, np.ones_like(many), bias=bias, return_bias_grad=True)
    np.testing.assert_array_equal(got, np.full(3, 60_000.0))


def test_gradients_of_broadcast_arrays():
    x, bias = numbers((6, 5), np.float64).clip(-9, 9), np.linspace(-1, 1, 5)
    want = fa.tanh.backward(np.ones((6, 5)), x, bias=bias, return_bias_grad=True)
    for grad in (1.0, np.ones(5), np.ones((6, 1))):
        for got, w in zip(fa.tanh.backward(grad, x, bias=bias, return_bias_grad=True), want, strict=True):
            np.testing.assert_array_equal(got, w)
    by_x, by_bias = fa.tanh.backward(np.ones((6, 5)), x[:1], bias=bias, return_bias_grad=True)
    assert by_x.shape == (6, 5)
    np.testing.assert_allclose(by_bias, by_x.sum(axis=0))
    by_x, by_bias = fa.tanh.backward(np.ones((6, 5)), x[:, :1], bias=bias[:1], return_bias_grad=True)
    np.testing.assert_allclose(by_bias, [by_x.sum()])


def test_overlaps():
    x, bias = numbers((40, 30), np.float32), np.linspace(-1, 1, 30, dtype=np.float32)
    want, slope = fa.gelu(x + bias), fa.gelu.derivative(x + bias)
    y = np.concatenate([x.ravel(), bias])
    fa.gelu(y[:1200].reshape(40, 30), bias=y[1200:], out=y[30:].reshape(40, 30))  # over x, shifted, and over the bias
    assert_same_bits(y[30:].reshape(40, 30), want)
    for grad in (x.copy(), None):
        y = x.copy()
        g = y if grad is None else grad
        assert fa.gelu.backward(g, y, bias=bias, out=g) is g  # over grad, which may be x
        assert_same_bits(g, fa.gelu.backward(x, x + bias))
    y, z = x.copy(), np.empty_like(x)
    got = fa.gelu.value_and_derivative(y, bias=bias, out=(y, z))
    assert got[0] is y
    assert_same_bits(y, want)
    assert_same_bits(z, slope)
    half = np.zeros((40, 60), np.float16)
    half[:] = 1.0
    single = half.view(np.float32)  # of the same memory
    fa.relu(half[:, ::2], bias=bias, out=single)
    assert_same_bits(single, fa.relu(np.ones((40, 30), np.float32) + bias))


def test_parameters():
    x = numbers((20, 30), np.float32)
    bias, weight = bias_of(x), np.linspace(0, 1, 30, dtype=np.float32)
    total = x + bias
    assert_same_bits(fa.elu(x, 0.5, bias=bias), fa.elu(total, 0.5))
    assert_same_bits(fa.elu(x, bias=bias, alpha=np.float32(0.5)), fa.elu(total, 0.5))
    assert_same_bits(fa.elu(x, np.float64(0.3), bias=bias), fa.elu(total, np.float64(0.3)))
    assert_same_bits(fa.prelu(x, weight, bias=bias), fa.prelu(total, weight))
    assert_same_bits(fa.prelu(x, weight[:20, None], bias=bias), fa.prelu(total, weight[:20, None]))
    by_x, by_bias = fa.prelu.backward(x, x, weight, bias=bias, return_bias_grad=True)
    assert_same_bits(by_x, fa.prelu.backward(x, total, weight))
    np.testing.assert_allclose(by_bias, by_x.sum(axis=0, dtype=float), rtol=1e-6)
    assert_same_bits(fa.gelu(x, bias=bias, approximate="tanh"), fa.gelu_tanh(total))
    assert_same_bits(fa.gelu(x=x, bias=bias), fa.gelu(total))
    assert_same_bits(fa.gelu(x, bias=None), fa.gelu(x))


def test_keywords_of_ufuncs():
    x, where = numbers((20, 30), np.float32), np.arange(30) % 3 > 0
    bias = bias_of(x)
    out = np.full_like(x, 7)
    assert fa.gelu(x, bias=bias, where=where, out=out) is out
    assert_same_bits(out, np.where(where, fa.gelu(x + bias), np.float32(7)))
    assert_same_bits(fa.gelu(x, bias=bias, dtype=np.float64), fa.gelu(x + bias, dtype=np.float64))
    half = fa.gelu(x.astype(np.float16), bias=bias.astype(np.float16), order="F")
    assert half.flags.f_contiguous
    assert half.dtype == np.float16
    with fa.device("cpu"):
        assert_same_bits(fa.gelu(x, bias=bias), fa.gelu(x + bias))
    assert_same_bits(fa.gelu(x, bias=bias, device="cpu"), fa.gelu(x + bias))


def test_containers():
    """As they add themselves; what is lost otherwise is refused."""
    pandas, xarray, dask = map(pytest.importorskip, ("pandas", "xarray", "dask.array"))
    x, mask = numbers((6, 4), np.float32), np.arange(24).reshape(6, 4) % 5 == 0
    bias = bias_of(x)
    want = fa.silu(x + bias)
    frame = fa.silu(pandas.DataFrame(x, columns=list("abcd")), bias=bias)
    assert list(frame.columns) == list("abcd")
    labelled = fa.silu(xarray.DataArray(x, dims=("row", "unit")), bias=bias)
    assert labelled.dims == ("row", "unit")
    lazy = fa.silu(dask.from_array(x, chunks=(2, 2)), bias=bias)
    for got in (frame.to_numpy(), labelled.to_numpy(), lazy.compute()):
        assert_same_bits(got, want)
    masked = np.ma.array(x, mask=mask)
    got = fa.silu(masked, bias=bias)
    assert_same_bits(got.filled(0), np.where(mask, np.float32(0), want))
    assert fa.silu(masked.astype(np.float16), bias=bias.astype(np.float16)).dtype == np.float16
    hidden = np.ma.array(bias, mask=[True, False, False, False])
    np.testing.assert_array_equal(np.ma.getmaskarray(fa.silu(x, bias=hidden)), np.broadcast_to(hidden.mask, (6, 4)))
    _, by_bias = fa.silu.backward(np.ones_like(x), masked, bias=bias, return_bias_grad=True)
    slopes = fa.silu.derivative(x + bias).astype(float)
    np.testing.assert_allclose(by_bias, np.where(mask, 0, slopes).sum(axis=0), rtol=1e-6)
    for foreign in (pandas.DataFrame(x), xarray.DataArray(x), dask.from_array(x)):
        with pytest.raises(TypeError, match=r"fastact\.silu\.backward: return_bias_grad takes NumPy arrays, and x is a"):
            fa.silu.backward(x, foreign, bias=bias, return_bias_grad=True)
    with pytest.raises(TypeError, match=r"fastact\.silu: bias is a pandas\.Series; .*x \+ bias"):
        fa.silu(x, bias=pandas.Series(bias))
    with pytest.raises(TypeError, match=r"fastact\.silu: x is a Dataset, .*x \+ bias"):
        fa.silu(xarray.Dataset({"a": ("unit", bias)}), bias=bias)


class Tagged(np.ndarray):
    pass


def test_subclasses():
    x = numbers((6, 4), np.float32)
    got = fa.relu(x.view(Tagged), bias=bias_of(x))
    assert type(got) is Tagged
    assert_same_bits(np.asarray(got), fa.relu(x + bias_of(x)))


@every_kind
def test_signatures(name, kind):
    call = function(name, kind)
    parameters = inspect.signature(call).parameters
    there = kinds_with(name, kind)
    assert ("bias" in parameters) == (there or name in OWN)
    assert ("return_bias_grad" in parameters) == (there and kind == "backward")
    assert ("bias : array_like, optional" in call.__doc__) == there


def test_a_parameter_of_that_name():
    """Stays what it is, and of these functions the sum has to be written down."""
    x = numbers((6, 4), np.float32)
    column = np.linspace(0, 1, 4, dtype=np.float32)
    assert_same_bits(fa.star_relu(x, bias=column), fa.star_relu(x, 0.8944271909999159, column))
    assert_same_bits(fa.shrink(x, bias=0.25), fa.shrink(x, 0.5, 0.25))
    for name in OWN:
        with pytest.raises(TypeError, match=rf"fastact\.{name}\.backward: unexpected keyword 'return_bias_grad'"):
            getattr(fa, name).backward(x, x, bias=column, return_bias_grad=True)


@pytest.mark.parametrize("name", ["relu", "elu", "gelu"])
@pytest.mark.parametrize("kind", ["value", "derivative", "value_and_derivative", "backward"])
def test_refused(name, kind):
    """Each by a message that names function and argument, and nothing is written."""
    call, x = function(name, kind), np.ones((3, 4), np.float32)
    given = (x,) * (2 if kind == "backward" else 1)
    title = f"fastact.{name}" if kind == "value" else rf"fastact\.{name}\.{kind}"
    out = tuple(np.full_like(x, 7) for _ in range(call.ufunc.nout))
    for bad, error, message in [
        (np.ones(3), ValueError, r"bias has shape \(3,\); expected \(4,\)"), (1.0, ValueError, r"bias has shape \(\)"),
        (np.ones((1, 4)), ValueError, r"bias has shape \(1, 4\)"), (np.ones(0), ValueError, "bias has shape"),
        (np.ones(4, complex), TypeError, "bias has dtype complex128"), (["a"] * 4, TypeError, "bias has dtype <U1"),
        (np.ones(4, object), TypeError, "bias has dtype object"), (np.ones(4, np.longdouble), TypeError, "bias has dtype"),
    ]:  # fmt: skip
        with pytest.raises(error, match=f"{title}: {message}"):
            call(*given, bias=bad, out=out)
    for scalar in (1.0, np.float32(1.0), np.array(1.0)):
        with pytest.raises(ValueError, match=f"{title}: x has no axis"):
            call(*given[1:], scalar, bias=np.ones(1))
    bias = np.ones(4, np.float32)
    for wrong in (np.full((4, 3), 7.0), np.full((3, 4), 7), "text", np.full((3, 4), 7.0, np.float16)[::-1, ::-1].astype(np.int8)):
        with pytest.raises((TypeError, ValueError)):
            call(*given, bias=bias, out=(wrong,) * len(out))
        if kind == "backward":
            with pytest.raises((TypeError, ValueError), match=rf"{title}.*out"):
                call(*given, bias=bias, out=wrong, return_bias_grad=True)
    if kind == "backward":
        with pytest.raises(TypeError, match=f"{title}: return_bias_grad goes with bias"):
            call(*given, return_bias_grad=True)
        with pytest.raises(TypeError, match=f"{title}: return_bias_grad is 'yes'; expected a bool"):
            call(*given, bias=bias, return_bias_grad="yes")
        with pytest.raises(TypeError, match=f"{title}: return_bias_grad does not go with where"):
            call(*given, bias=bias, return_bias_grad=True, where=x > 0)
        with pytest.raises(ValueError, match=f"{title}: shapes do not broadcast"):
            call(np.ones((2, 4)), x, bias=bias, return_bias_grad=True)
    else:
        with pytest.raises(TypeError, match=f"{title}: unexpected keyword 'return_bias_grad'; known are .*bias"):
            call(*given, bias=bias, return_bias_grad=True)
    if not fa.cuda.is_available():
        with pytest.raises(RuntimeError, match=f"{title}: a GPU is asked for"):
            call(*given, bias=bias, device="cuda")
    assert all(np.all(o == 7) for o in out)


@pytest.mark.parametrize("name", [n for n in NAMES if fa.get(n).backward_from_output])
def test_kinds_without(name):
    with pytest.raises(TypeError, match=rf"fastact\.{name}\.backward_from_output: unexpected keyword 'bias'"):
        getattr(fa, name).backward_from_output(np.ones(3), np.ones(3), bias=np.ones(3))


def test_families_without():
    for name in ("softmax", "glu", "crelu", "rrelu"):
        with pytest.raises(TypeError, match=rf"fastact\.{name}: unexpected keyword 'bias'"):
            getattr(fa, name)(np.ones(4), bias=np.ones(4))
    with pytest.raises(TypeError, match=r"fastact\.elu\.?.*: unexpected keyword 'bias'"):
        fa.elu.parameter_gradients(np.ones(4), np.ones(4), bias=np.ones(4))
