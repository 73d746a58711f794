"""The same bits for any memory layout, alignment, offset, length and number of threads."""

import itertools

import numpy as np
import pytest
from helpers import DTYPES, NAMES, arrays, assert_same_bits, every_kind, function, numbers, results

import fastact as fa

SHAPE = (6, 37)


def misaligned(x):
    """A copy of x that starts one byte past an aligned address."""
    memory = np.zeros(x.nbytes + 17, np.uint8)
    start = 16 - memory.ctypes.data % 16 + 1
    y = memory[start : start + x.nbytes].view(x.dtype).reshape(x.shape)
    y[...] = x
    return y


def off_by_one_element(x):
    memory = np.zeros(x.size + 1, x.dtype)
    memory[1:] = x.ravel()
    return memory[1:].reshape(x.shape)


def read_only(x):
    y = x.copy()
    y.flags.writeable = False
    return y


def strided(x, step):
    memory = np.zeros((*x.shape[:-1], x.shape[-1] * abs(step)), x.dtype)
    y = memory[..., ::step]
    y[...] = x
    return y


def record_field(x):
    y = np.zeros(x.shape, [("a", "u1"), ("x", x.dtype)])
    y["x"] = x
    return y["x"]


LAYOUTS = {  # each gives an array equal to a contiguous one, laid out in another way
    "every second": lambda x: strided(x, 2),
    "every third": lambda x: strided(x, 3),
    "reversed": lambda x: strided(x, -1),
    "backwards by two": lambda x: strided(x, -2),
    "rows reversed": lambda x: x[::-1].copy()[::-1],
    "rows of a wider array": lambda x: np.pad(x, ((0, 0), (1, 2)))[:, 1:-2],
    "every second row": lambda x: np.repeat(x, 2, axis=0)[::2],
    "Fortran": np.asfortranarray,
    "transposed": lambda x: x.T.copy().T,
    "misaligned": misaligned,
    "odd elements": off_by_one_element,
    "packed record": record_field,
    "byte-swapped": lambda x: x.astype(x.dtype.newbyteorder()),
    "read-only": read_only,
}


@every_kind
def test_input(name, kind):
    """Whatever the layout of the inputs, all alike or only one of them."""
    for dtype in (np.float16, *DTYPES):
        call = function(name, kind)
        given = arrays(name, kind, numbers(SHAPE, dtype))
        want = results(call(*given))
        for layout, make in LAYOUTS.items():
            laid = [make(a) for a in given]
            mixed = [[make(a) if i == j else a for i, a in enumerate(given)] for j in range(len(given))]
            for each in [laid, *mixed[: len(given) - 1], *mixed[1:]]:
                for got, w in zip(results(call(*each)), want, strict=True):
                    assert_same_bits(got, w, f"{dtype.__name__} {layout}")


@every_kind
def test_output(name, kind):
    """Whatever the layout of the outputs; and they are returned."""
    for dtype in DTYPES:
        call = function(name, kind)
        given = arrays(name, kind, numbers(SHAPE, dtype))
        want = results(call(*given))
        for layout, make in LAYOUTS.items():
            if layout == "read-only":
                continue
            out = tuple(make(np.full(SHAPE, 7, dtype)) for _ in want)
            got = results(call(*given, out=out if len(out) > 1 else out[0]))
            assert all(g is o for g, o in zip(got, out, strict=True)), (dtype, layout)
            for o, w in zip(out, want, strict=True):
                assert_same_bits(o.astype(dtype), w, f"{dtype.__name__} {layout}")
            got = results(call(*[make(a) for a in given], out=out))
            for o, w in zip(out, want, strict=True):
                assert_same_bits(o.astype(dtype), w, f"{dtype.__name__} {layout}")


@every_kind
def test_in_place_and_overlapping(name, kind):
    """As if the inputs had been copied first."""
    for dtype in DTYPES:
        call = function(name, kind)
        n = 1300
        base = arrays(name, kind, numbers(n + 40, dtype))
        nout = 2 if kind == "value_and_derivative" else 1
        for shift in (0, 1, -1, 16, -40):
            here, there = max(0, -shift), max(0, shift)
            want = results(call(*[b[here : here + n].copy() for b in base]))
            for step in (1, -1, 2):
                for which in range(len(base)):
                    memory, other = [b.copy() for b in base], np.empty(n, dtype)
                    given, target = [m[here : here + n] for m in memory], memory[which][there : there + n]
                    if step == 2:
                        given, target, other = [g[: n // 2] for g in given], target[::2], other[: n // 2]
                    elif step == -1:
                        target = target[::-1]
                    call(*given, out=(target, other)[:nout])
                    for o, w in zip((target, other), want, strict=False):
                        assert_same_bits(o, w[: o.size], f"{dtype.__name__} shift {shift} step {step} argument {which}")


@every_kind
def test_overlapping_on_several_threads(name, kind, threads):
    """No thread reads what another has written already."""
    call = function(name, kind)
    n = 40_000
    base = arrays(name, kind, np.resize(numbers(1999, np.float64), n + 3000))
    threads(3)
    for shift in (0, 1, -1, 700, -3000):
        here, there = max(0, -shift), max(0, shift)
        want = results(call(*[b[here : here + n].copy() for b in base]))
        for which in range(len(base)):
            memory, other = [b.copy() for b in base], np.empty(n)
            target = memory[which][there : there + n]
            call(*[m[here : here + n] for m in memory], out=(target, other)[: len(want)])
            for o, w in zip((target, other), want, strict=False):
                assert_same_bits(o, w, f"shift {shift} argument {which}")


@pytest.mark.parametrize("dtype", DTYPES)
def test_both_outputs_overlap_the_input(dtype):
    for name in ("gelu", "elu", "relu"):
        memory = numbers(2100, dtype)
        value, derivative = getattr(fa, name).value_and_derivative(memory[500:1500].copy())
        outputs = memory[480:1480], memory[1490:][:600]
        getattr(fa, name).value_and_derivative(memory[500:1100], out=(outputs[0][:600], outputs[1]))
        assert_same_bits(outputs[0][:600], value[:600])
        assert_same_bits(outputs[1], derivative[:600])


@every_kind
def test_one_array_as_every_argument(name, kind):
    if not kind.startswith("backward"):
        return
    call = function(name, kind)
    x = np.abs(numbers(1100, np.float32, scale=0.4)) + np.float32(0.01)
    want = call(x.copy(), x.copy())
    assert_same_bits(call(x, x), want)
    assert_same_bits(call(x, x, out=x), want)


@every_kind
def test_shapes(name, kind):
    """Results have the input's shape; 0-d input gives a scalar, as with np.exp."""
    shapes = [(0,), (0, 3), (3, 0, 2), (), (1,), (1, 1, 1), (2, 3, 4, 5), (1, 1000, 1)]
    for shape, dtype in itertools.product(shapes, DTYPES):
        case = f"{dtype.__name__}{shape}"
        x = np.asarray(numbers(int(np.prod(shape)), dtype).reshape(shape))
        given = arrays(name, kind, x)
        flat = results(function(name, kind)(*[np.atleast_1d(g).ravel() for g in given]))
        with np.errstate(over="ignore"):
            like = np.exp(x)
        for got, want in zip(results(function(name, kind)(*given)), flat, strict=True):
            assert type(got) is type(like), case
            assert_same_bits(got, want.reshape(shape), case)
        outs = tuple(np.empty(shape, dtype) for _ in flat)
        function(name, kind)(*given, out=outs)
        for out, want in zip(outs, flat, strict=True):
            assert_same_bits(out, want.reshape(shape), case)


@every_kind
def test_broadcast(name, kind):
    """Arrays of stride 0, and array arguments of different shapes."""
    x = numbers((5, 33), np.float64)
    call = function(name, kind)
    given = arrays(name, kind, np.broadcast_to(x[:, None, :], (5, 4, 33)))
    for got, want in zip(results(call(*given)), results(call(*[g.copy() for g in given])), strict=True):
        assert_same_bits(got, want)
    wide = arrays(name, kind, np.broadcast_to(np.float64(0.75), (3, 70)))
    for got in results(call(*wide[-1:] * len(wide))):
        assert got.shape == (3, 70)
        assert np.all(got == got[0, 0])
    if len(given) == 2:
        grad, column = np.linspace(-1, 1, 33), arrays(name, kind, x)[1][:, :1]
        full = np.broadcast_arrays(grad, column)
        assert_same_bits(call(grad, column), call(*[f.copy() for f in full]))
        assert_same_bits(call(column, grad), call(*[f.copy() for f in full[::-1]]))


@every_kind
def test_any_piece_has_the_bits_of_the_whole(name, kind, threads):
    """Offsets, lengths and thread counts do not change a bit."""
    for dtype in DTYPES:
        call = function(name, kind)
        block = numbers(4096 + 7, dtype)
        whole = np.resize(block, 200_003)
        given = arrays(name, kind, whole)
        threads(1)
        want = results(call(*given))
        lengths = [*range(71), 127, 128, 129, 1007, 1008, 1009, 1023, 1024, 1025, 1039, 1040, 1041, 2047, 2048, 2049, 5000]
        offsets = np.random.default_rng(1).integers(0, 4000, len(lengths))
        for n, at in zip(lengths, offsets.tolist(), strict=True):
            for got, w in zip(results(call(*[g[at : at + n] for g in given])), want, strict=True):
                assert_same_bits(got, w[at : at + n], f"{dtype.__name__}, {n} elements from {at}")
        for count in (2, 3):
            threads(count)
            for got, w in zip(results(call(*given)), want, strict=True):
                assert_same_bits(got, w, f"{dtype.__name__}, {count} threads")


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("name", NAMES)
def test_large(name, dtype, threads):
    """A million elements, on every number of threads, against small pieces of other alignment."""
    block = numbers(1999, dtype)
    threads(1)
    value, derivative = getattr(fa, name).value_and_derivative(block)
    x = np.resize(block, 1_000_000)
    for count in (1, 2, 3):
        threads(count)
        for got, want in ((getattr(fa, name)(x), value), (getattr(fa, name).derivative(x), derivative)):
            whole = got[: got.size // 1999 * 1999].reshape(-1, 1999)
            first = whole[0]
            assert_same_bits(first, want)
            assert np.array_equal(whole.view(f"u{got.itemsize}"), np.broadcast_to(first, whole.shape).view(f"u{got.itemsize}"))
            assert_same_bits(got[whole.size :], want[: got.size - whole.size])


@pytest.mark.parametrize("dtype", DTYPES)
def test_larger_than_the_caches(dtype, threads):
    """Arrays that are written past the caches; also in place, and where an output starts off alignment."""
    n = (36 << 20) // np.dtype(dtype).itemsize + 5
    block = numbers(4099, dtype)
    x = np.resize(block, n + 1)
    want = np.resize(fa.gelu(block), n)
    for count in (1, 3):
        threads(count)
        assert np.array_equal(fa.gelu(x[:n]), want)
        out = np.empty(n + 1, dtype)
        assert np.array_equal(fa.gelu(x[:n], out=out[1:]), want)
        assert np.array_equal(fa.gelu(misaligned(x[:n])), want)
    y = x[:n].copy()
    fa.gelu(y, out=y)
    assert np.array_equal(y, want)
    value, derivative = fa.elu.value_and_derivative(x[:n])
    assert_same_bits(value[-9000:], fa.elu(x[n - 9000 : n]))
    assert_same_bits(derivative[-9000:], fa.elu.derivative(x[n - 9000 : n]))


@pytest.mark.parametrize("dtype", DTYPES)
def test_outputs_past_the_caches(dtype):
    """Stores that bypass the caches, to an output that begins anywhere in a cache line."""
    n = (1 << 25) // np.dtype(dtype).itemsize + 777
    x, grad = (np.random.default_rng(s).normal(size=n).astype(dtype) for s in (0, 1))
    values = np.concatenate([fa.silu(p) for p in np.array_split(x, 7)])
    pieces = zip(np.array_split(grad, 7), np.array_split(x, 7), strict=True)
    gradients = np.concatenate([fa.silu.backward(g, p) for g, p in pieces])
    for offset in (0, 1, 3):
        out = np.zeros(n + 4, dtype)
        part = out[offset : offset + n]
        fa.silu(x, out=part)
        assert_same_bits(part, values, f"offset {offset}")
        assert not out[:offset].any()
        assert not out[offset + n :].any()
        fa.silu.backward(grad, x, out=part)
        assert_same_bits(part, gradients, f"offset {offset}, backward")
