"""Large arrays of any layout and dtype: the same bits as contiguous ones, on any number of threads."""

import itertools
import threading
from functools import cache

import numpy as np
import pytest
from helpers import CALLS, arrays, assert_same_bits, function, results

import fastact as fa
from fastact.functions import general

#: Plain arrays of one shape are arranged at C level; what is told the device goes through NumPy's iterator, like mixed dtypes.
WAYS = [{}, {"device": "cpu"}]
FLOATS = [np.float16, np.float32, np.float64]
SHAPE = (48, 53, 67)

LAYOUTS = {
    "outer step": lambda x: x[::2],
    "middle step": lambda x: x[:, ::2],
    "inner step": lambda x: x[:, :, ::2],
    "reversed": lambda x: x[::-1, :, ::-1],
    "transposed": lambda x: x.T,
    "two axes swapped": lambda x: x.transpose(1, 0, 2),
    "rows of 1": lambda x: x.reshape(-1, 2)[:, :1],
    "rows of 7": lambda x: x[:, :, 5:12],
    "columns first": lambda x: x[:, :, :9].transpose(2, 0, 1),
    "cut": lambda x: x[1:, 1:, 1:],
    "long rows": lambda x: x.reshape(16, -1)[:, 3:-50],
    "broadcast rows": lambda x: np.broadcast_to(x[0, 0], (1000, SHAPE[2])),
    "broadcast columns": lambda x: np.broadcast_to(x[:, 0, :1], (48, 1000)),
    "whole": lambda x: x,
}


@pytest.fixture
def spreading(monkeypatch):
    """How often the path under test was taken."""
    taken = []
    right = general.spread
    monkeypatch.setattr(general, "spread", lambda *a: (taken.append(1), right(*a)))
    return taken


@cache
def numbers(dtype, shape=SHAPE, seed=0):
    x = np.random.default_rng(seed).normal(0, 4, shape).astype(dtype)
    x.reshape(-1)[::991] = -0.0
    x.flags.writeable = False
    return x


@pytest.mark.parametrize("dtype", FLOATS)
@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("name", ["gelu", "leaky_relu", "silu"])
def test_layouts(name, layout, dtype, spreading):
    x = LAYOUTS[layout](numbers(dtype))
    grad = LAYOUTS[layout](numbers(dtype, seed=1))
    activation = getattr(fa, name)
    for call, given in [
        (activation, [x]), (activation.derivative, [x]), (activation.value_and_derivative, [x]),
        (activation.backward, [grad, x]), (activation.backward, [np.ascontiguousarray(grad), x]),
    ]:  # fmt: skip
        want = results(call(*[np.ascontiguousarray(a) for a in given]))
        for got, w in zip(results(call(*given)), want, strict=True):
            assert_same_bits(got, w.reshape(x.shape), f"{name} {layout}")
        for got, w in zip(results(call(*given, device="cpu")), want, strict=True):
            assert_same_bits(got, w.reshape(x.shape), f"{name} {layout}, by NumPy's iterator")
    assert len(spreading) >= 5


@pytest.mark.parametrize("way", WAYS, ids=["arranged", "iterated"])
@pytest.mark.parametrize("dtype", FLOATS)
@pytest.mark.parametrize("order", [(0, 2, 3, 1), (3, 2, 1, 0), (1, 3, 0, 2), (3, 0, 1, 2)])
def test_arrays_across_each_other(order, dtype, way, threads, spreading):
    """Memory in one order of the axes for x, in another for grad, in a third for the output; a few axes are short."""
    x, grad = numbers(dtype, (7, 3, 35, 70)), numbers(dtype, (7, 3, 35, 70), seed=1)
    slopes = np.array([0.1, 0.25, 0.5], dtype)[:, None, None]
    want = fa.leaky_relu.backward(grad, x, np.broadcast_to(slopes, x.shape).copy())

    def laid(a, axes):
        return a.transpose(axes).copy().transpose(np.argsort(axes))

    for count in (1, 3):
        threads(count)
        for given in (laid(x, order), laid(x[..., ::-1], order)[..., ::-1], x):
            out = laid(np.zeros_like(x), order[::-1])
            assert fa.leaky_relu.backward(laid(grad, order[1:] + order[:1]), given, slopes, out=out, **way) is out
            assert_same_bits(out.copy(), want)
    assert len(spreading) // 6 == (way != {} or dtype == np.float16)  # halves have no arrays of parameters there


@pytest.mark.parametrize("way", WAYS, ids=["arranged", "iterated"])
@pytest.mark.parametrize("shape", [(33, 40, 48), (3, 70, 20), (20, 2, 90), (17, 16, 33)])
def test_every_order_beside_every_other(shape, way):
    """Three axes, each order of memory for each array: which of them lie across the rows depends on which axis is taken."""
    x, grad, slope = (numbers(np.float32, shape, seed) for seed in range(3))
    want = fa.prelu.backward(grad, x, slope)
    orders = list(itertools.permutations(range(3)))
    laid = [[a.transpose(order).copy().transpose(np.argsort(order)) for order in orders] for a in (grad, x, slope)]
    outs = [np.zeros(np.take(shape, order), np.float32).transpose(np.argsort(order)) for order in orders]
    for g, h, s in itertools.product(*laid):
        for out in outs:
            fa.prelu.backward(g, h, s, out=out, **way)
            assert_same_bits(out, want, f"{g.strides} {h.strides} {s.strides} {out.strides}")


@pytest.mark.parametrize("way", WAYS, ids=["arranged", "iterated"])
@pytest.mark.parametrize("dtype", FLOATS)
@pytest.mark.parametrize("shape", [(130, 203), (64, 512), (17, 1500), (2, 9001), (9001, 2), (700, 31)])
def test_tiles_and_what_is_left_of_them(shape, dtype, way, threads, spreading):
    """Two dimensions, one argument or result after the other across; in place too, and with parameters that are arrays."""
    x, grad, slope = (numbers(dtype, shape, seed) for seed in range(3))
    want = fa.prelu.backward(grad, x, slope)
    for count in (1, 3):
        threads(count)
        for turned in range(1, 15):
            given = [np.array(a, order="F" if turned >> k & 1 else "C") for k, a in enumerate((grad, x, slope))]
            out = np.zeros(shape, dtype, order="F" if turned >> 3 & 1 else "C")
            assert_same_bits(fa.prelu.backward(*given, out=out, **way), want, f"{turned}")
            for k in range(3):
                again = [b.copy(order="K") for b in given]
                assert_same_bits(fa.prelu.backward(*again, out=again[k], **way), want, f"{turned} in place of {k}")
    assert bool(spreading) == bool(way or dtype == np.float16)


@pytest.mark.parametrize("way", WAYS, ids=["arranged", "iterated"])
@pytest.mark.parametrize(("name", "kind"), CALLS)
def test_every_kernel(name, kind, way, spreading):
    """Rows and gathered blocks, remainders included."""
    for shape in ((70, 300), (2500, 13)):
        given = [a[:, :-1] for a in arrays(name, kind, numbers(np.float32, shape))]
        want = results(function(name, kind)(*[np.ascontiguousarray(a) for a in given]))
        for got, w in zip(results(function(name, kind)(*given, **way)), want, strict=True):
            assert_same_bits(got, w, f"{name} {kind}")
    assert len(spreading) == (2 if way else 0)


@pytest.mark.parametrize("code", "?bBhHiIlLqQefd")
def test_dtypes(code, spreading):
    """Converted on the way, to what the ufunc converts them to."""
    x = np.random.default_rng(0).integers(0, 120, (150, 200)).astype(code)
    for view in (x, x[:, ::2], x.T[::2], x[:, :150].reshape(2, -1)[:, 7:]):
        got = fa.gelu(view)
        small = [fa.gelu(row) for row in view]
        assert got.dtype == small[0].dtype
        np.testing.assert_array_equal(got, np.array(small))
    assert bool(spreading) == (code not in "efd")


@pytest.mark.parametrize(("first", "second"), [("e", "f"), ("f", "d"), ("d", "e"), ("i", "f"), ("h", "e"), ("B", "d")])
def test_mixed_dtypes(first, second, spreading):
    rng = np.random.default_rng(0)
    grad, x = (rng.integers(-9, 9, (150, 200)).astype(c) for c in (first, second))
    got = fa.tanh.backward(grad, x)
    assert got.dtype == fa.tanh.backward(grad[0], x[0]).dtype
    np.testing.assert_array_equal(got, [fa.tanh.backward(g, r) for g, r in zip(grad, x, strict=True)])
    assert spreading


@pytest.mark.parametrize("dtype", FLOATS)
def test_parameters_that_are_arrays(dtype, spreading):
    """Along the rows, across them, everywhere; and a broadcast gradient."""
    x = numbers(dtype, (120, 300))
    for alpha in (np.linspace(0, 1, 300), np.linspace(0, 1, 120)[:, None], np.full((120, 300), 0.25), np.full((1, 1), 0.5)):
        alpha = alpha.astype(dtype)
        whole = np.ascontiguousarray(np.broadcast_to(alpha, x.shape))
        for call in (fa.prelu, fa.elu, fa.elu.derivative):
            want = np.array([call(r, a) for r, a in zip(x, whole, strict=True)])
            assert_same_bits(call(x, alpha), want)
            assert_same_bits(call(x[:, :280], alpha[..., :280]), want[:, :280])
    column = x[:, :1]
    want = [fa.elu.backward(np.repeat(c, 300), row) for c, row in zip(column, x, strict=True)]
    assert_same_bits(fa.elu.backward(column, x), np.array(want))
    assert spreading


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("shape", [(3, 5), (40, 33), (130, 203), (2, 3, 50)])
def test_arrays_of_parameters_that_broadcast(shape, dtype):
    """Arranged at C level, against the ufunc: every stretched axis, short shapes, strides, in place of the parameters too."""
    x, grad = numbers(dtype, shape), numbers(dtype, shape, seed=1)
    for at in range(2 ** len(shape)):
        stretched = tuple(1 if at >> k & 1 else n for k, n in enumerate(shape))
        slope = np.random.default_rng(at).random(stretched, dtype)
        for view in (slope, slope[..., ::-1], np.asfortranarray(slope), slope[0], np.repeat(slope, 2, -1)[..., ::2]):
            want = fa.prelu.ufunc(x, view)
            assert_same_bits(fa.prelu(x, view), want)
            assert_same_bits(fa.prelu(x, weight=view), want)
            assert_same_bits(fa.prelu(x.T.copy().T, view), want)
            assert_same_bits(fa.prelu.backward(grad, x, view), grad * fa.prelu.derivative(x, view))
    whole = np.random.default_rng(9).random(shape, dtype)
    want = fa.prelu.ufunc(x, whole)
    assert fa.prelu(x, whole, out=whole) is whole
    assert_same_bits(whole, want)
    row = np.random.default_rng(9).random(shape, dtype)
    want = fa.prelu.ufunc(x, row[:1].copy())
    assert_same_bits(fa.prelu(x, row[:1], out=row), want)
    for wrong in (np.ones(7, dtype), np.ones((2, *shape), dtype)):
        expected = fa.prelu.ufunc(x, wrong).shape if wrong.ndim > x.ndim else None
        if expected is None:
            with pytest.raises(ValueError, match="broadcast"):
                fa.prelu(x, wrong)
        else:
            assert fa.prelu(x, wrong).shape == expected


def test_integers_as_parameters():
    x = numbers(np.float32, (40, 33))
    for layout in (x, x.T, x[:, ::2]):
        assert_same_bits(fa.elu(layout, 2), fa.elu(layout, 2.0))
        assert_same_bits(fa.elu(layout, alpha=2), fa.elu(layout, 2.0))
        assert_same_bits(fa.elu(layout, 1 << 60), fa.elu(layout, float(1 << 60)))
        assert_same_bits(fa.elu(layout, True), fa.elu(layout, 1.0))
    with pytest.raises(TypeError, match="alpha has dtype object"):
        fa.elu(x, 10**400)
    assert type(fa.gelu(np.float64(1.0))) is np.float64
    assert fa.gelu(np.float64(1.0)) == fa.gelu(1.0)


@pytest.mark.parametrize("way", WAYS, ids=["arranged", "iterated"])
@pytest.mark.parametrize("dtype", FLOATS)
def test_out(dtype, way, spreading):
    x = numbers(dtype, (200, 150))
    want = fa.gelu(x)
    for make in (
        lambda: np.empty((150, 200), dtype).T, lambda: np.empty((200, 300), dtype)[:, ::2],
        lambda: np.empty((400, 151), dtype)[::2, 1:],
    ):  # fmt: skip
        out = make()
        assert fa.gelu(x, out=out, **way) is out
        assert_same_bits(out, want)
    y, z = make(), make()
    got = fa.gelu.value_and_derivative(x, out=(y, z), **way)
    assert got[0] is y
    assert got[1] is z
    assert_same_bits(y, want)
    assert_same_bits(z, fa.gelu.derivative(x))
    assert bool(spreading) == bool(way)


def test_in_place_and_overlaps(spreading):
    x = numbers(np.float32, (200, 150))
    want = fa.gelu(x)
    for view in (np.s_[:, ::2], np.s_[::-1, 3:], np.s_[:, :10], np.s_[::3]):
        y = x.copy()
        fa.gelu(y[view], out=y[view])
        assert_same_bits(y[view], want[view])
        mask = np.ones(x.shape, bool)
        mask[view] = False
        assert_same_bits(y[mask], x[mask])
    for source, target in ((np.s_[:, :-1], np.s_[:, 1:]), (np.s_[1:], np.s_[:-1]), (np.s_[:, ::-1], np.s_[:, :])):
        y = x.copy()
        fa.gelu(y[source], out=y[target])
        assert_same_bits(y[target], want[source])
    y = x.copy()
    fa.gelu.backward(y[:, ::2], x[:, ::2], out=y[:, ::2])
    assert_same_bits(y[:, ::2], fa.gelu.backward(np.ascontiguousarray(x[:, ::2]), np.ascontiguousarray(x[:, ::2])))
    assert spreading


def test_outputs_that_cross_themselves_or_another():
    """What cannot be computed in any order is what NumPy makes of it."""
    x = numbers(np.float32, (200, 150))
    for size in (200, 8):
        for steps in ((4, 4), (0, 4)):
            out, want = (np.lib.stride_tricks.as_strided(np.zeros(400, np.float32), (size, 150), steps) for _ in range(2))
            np.negative(fa.gelu(x[:size]), out=want)
            assert fa.gelu(x[:size], out=out) is out
            assert_same_bits(out, -want)
    y = np.zeros((200, 300), np.float32)
    fa.gelu.value_and_derivative(x, out=(y[:, ::2], y[:, 1::2]))
    assert_same_bits(y[:, ::2], fa.gelu(x))
    assert_same_bits(y[:, 1::2], fa.gelu.derivative(x))


@pytest.mark.parametrize("dtype", FLOATS)
@pytest.mark.parametrize("shape", [(0, 5), (1, 1), (1, 9), (2, 3, 1, 5), (3, 31), (33, 47), (5, 129), (1, 2, 3, 4, 5, 6)])
def test_small_arrays(shape, dtype):
    """Every order of the axes, reversed, stretched and cut, against contiguous ones; new results and given ones."""
    x, grad = (np.random.default_rng(seed).normal(0, 4, shape).astype(dtype) for seed in range(2))
    want, slopes = fa.gelu(x), fa.gelu.backward(grad, x)
    for axes in {tuple(np.roll(range(x.ndim), k)) for k in range(x.ndim)} | {tuple(range(x.ndim))[::-1]}:
        for step in (1, -1, 2, -3):
            held, turned, out = (np.zeros([n * abs(step) for n in np.take(shape, axes)], dtype) for _ in range(3))
            held, turned, out = (a[(slice(None, None, step),) * x.ndim].transpose(np.argsort(axes)) for a in (held, turned, out))
            held[...], turned[...] = x, grad
            assert_same_bits(fa.gelu(held), want)
            assert fa.gelu(x, out=out) is out
            assert_same_bits(out, want)
            assert_same_bits(fa.gelu.backward(turned, x), slopes)
            assert_same_bits(fa.gelu.backward(turned, held, out=turned), slopes)
            assert_same_bits(fa.gelu(held, out=held), want)


def test_errors_are_the_ufunc_s():
    x = numbers(np.float32, (200, 150))
    frozen = np.empty((200, 300), np.float32)[:, ::2]
    frozen.flags.writeable = False
    with pytest.raises(ValueError, match="read-only"):
        fa.gelu(x, out=frozen)
    with pytest.raises(ValueError, match="broadcast"):
        fa.gelu(x[:, ::2], out=np.empty((200, 150), np.float32))
    with pytest.raises(ValueError, match="broadcast"):
        fa.gelu.backward(x[:7], x)
    with pytest.raises(TypeError):
        fa.gelu(x[:, ::2], out=np.empty((200, 75), np.int32))


def test_foreign_byte_order_and_unaligned():
    x = numbers(np.float32, (200, 150))
    want = fa.gelu(x)
    np.testing.assert_array_equal(fa.gelu(x.astype(">f4")), want)
    raw = np.empty(x.nbytes + 1, np.uint8)
    odd = raw[1:].view(np.float32).reshape(x.shape)
    odd[...] = x
    np.testing.assert_array_equal(fa.gelu(odd), want)


def test_memory_order_is_kept():
    x = numbers(np.float32).transpose(2, 0, 1)
    assert fa.gelu(x).strides == np.exp(x).strides
    cut = x[:, ::2]
    assert fa.gelu(cut).strides == np.exp(cut).strides
    flat = numbers(np.float32, (200, 150))
    both = flat[:, ::2], flat[:, ::2].T.copy().T
    for a, b in ((flat, flat.T.copy().T), both, (flat[::-1].T, flat[:, ::-1].T), (flat[:1], flat[1:2])):
        assert fa.gelu(b).strides == np.exp(b).strides
        assert fa.gelu.backward(a, b).strides == np.add(a, b).strides
        assert fa.gelu.backward(b, a).strides == np.add(b, a).strides


@pytest.mark.parametrize("count", [1, 2, 3, 5])
def test_threads_change_nothing(count, threads):
    x = numbers(np.float64, (300, 301))
    threads(1)
    want = [fa.mish(x[:, ::2]), fa.mish(x[:, :11])]
    threads(count)
    for _ in range(5):
        for view, w in zip((x[:, ::2], x[:, :11]), want, strict=True):
            assert_same_bits(fa.mish(view), w)



@pytest.mark.parametrize("dtype", [np.float16, np.float32])
def test_outputs_in_front_of_the_scratch(dtype, threads):
    """A block is written even if the address that it would have in a contiguous float32 output is that of the thread's own room.

    A thread's room lies behind what it allocated before; the outputs are float16, or reversed float32, at each distance from it.
    """
    n = 80_000 // np.dtype(dtype).itemsize + 1  # the last element lies as the first does
    x = np.linspace(-4, 4, n).astype(dtype)
    way = slice(None, None, 1 if dtype is np.float16 else -1)
    want, wrong = fa.tanh(x), []

    def work():
        rooms = [np.empty(96 << 10, np.uint8) for _ in range(4)]
        for room in rooms:
            for start in range(-room.ctypes.data % 64, 4096, 64):
                out = room[start : start + x.nbytes].view(dtype)[way]
                out.fill(7)
                fa.tanh(x, out=out)
                if not np.array_equal(out, want):
                    wrong.append(np.flatnonzero(out != want))

    threads(1)
    for _ in range(3):
        thread = threading.Thread(target=work)
        thread.start()
        thread.join()
    assert wrong == []
