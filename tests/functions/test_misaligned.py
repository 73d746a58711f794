"""Arrays whose elements lie where none of their type may: kernels never get them, results are those of other arrays."""

import numpy as np
import pytest
from fastact.cpu.rows.call import plain
from fastact.cpu.rows.functions import OPS
from helpers import DTYPES, assert_same_bits

import fastact as fa
from fastact.cpu.rows import layout
from fastact.functions import gates
from fastact.functions.gated import FUNCTIONS as UNITS
from fastact.functions.rowwise import FUNCTIONS as ROWS

SHAPES = [(5, 8), (3, 200), (40, 6), (1, 1), (7,)]
LARGE = (140, 260)  # which gated units take from ufuncs to themselves
SHIFTS = [(np.float32, 1), (np.float64, 1), (np.float64, 4)]
ORDERS = {"C": lambda x: x, "Fortran": np.asfortranarray, "strided": lambda x: np.repeat(x, 2, -1)[..., ::2]}


def shifted(array, by=1):
    """The same elements at the same distances, some bytes further on."""
    strides = array.strides
    memory = np.zeros(sum((n - 1) * s for n, s in zip(array.shape, strides, strict=True)) + array.itemsize + by, np.uint8)
    found = np.ndarray(array.shape, array.dtype, memory, by, strides)
    found[...] = array
    assert not found.flags.aligned
    return found


def numbers(shape, dtype, order="C", seed=0):
    return ORDERS[order](np.random.default_rng(seed).normal(0, 3, shape).astype(dtype))


@pytest.fixture
def seen(monkeypatch):
    """How many arrays the kernels have got; all are aligned, or the call fails."""
    count = []

    def watch(call):
        def checked(*args):
            arrays = [a for a in args if isinstance(a, np.ndarray)]
            assert all(a.flags.aligned for a in arrays), [(a.shape, a.strides, a.ctypes.data % 8) for a in arrays]
            count.extend(arrays)
            return call(*args)

        return checked

    monkeypatch.setattr(layout, "run", watch(layout.run))
    monkeypatch.setattr(gates, "run", watch(gates.run))
    return count


def cases(shape):
    """Axes along which functions of rows, and of halves, work."""
    return range(-len(shape), 0)


@pytest.mark.parametrize("order", ORDERS)
@pytest.mark.parametrize(("dtype", "by"), SHIFTS)
@pytest.mark.parametrize("function", ROWS, ids=lambda f: f.__name__)
def test_rowwise(function, dtype, order, by, seen):
    for shape in SHAPES:
        x, grad = numbers(shape, dtype, order), numbers(shape, dtype, order, 1)
        far = shifted(x, by)
        for axis in cases(shape):
            want = function(x, axis=axis)
            assert_same_bits(function(far, axis=axis), want)
            assert_same_bits(function(far, axis=axis, temperature=1.5), function(x, axis=axis, temperature=1.5))
            for given in (x, far):
                out = shifted(np.zeros_like(want), by)
                assert function(given, axis=axis, out=out) is out
                assert_same_bits(out, want)
            if function.shaped:
                function(far, axis=axis, out=far)
                assert_same_bits(far, want)
                far[...] = x
            gradient = numbers(np.shape(want), dtype, seed=1) if not function.shaped else grad
            kept = want if function.shaped else x
            back = function.backward(gradient, kept, axis=axis)
            moved = shifted(np.asarray(kept), by)
            assert_same_bits(function.backward(gradient, moved, axis=axis), back)
            if np.ndim(gradient):
                assert_same_bits(function.backward(shifted(gradient, by), moved, axis=axis), back)
            if function.shaped:
                out = shifted(np.zeros_like(want), by)
                assert function.backward(gradient, moved, axis=axis, out=out) is out
                assert_same_bits(out, back)
    assert seen


@pytest.mark.parametrize("order", ORDERS)
@pytest.mark.parametrize(("dtype", "by"), SHIFTS)
@pytest.mark.parametrize("unit", UNITS, ids=lambda f: f.__name__)
def test_gated(unit, dtype, order, by, seen):
    for shape in [*SHAPES, LARGE]:
        a, b, grad = (numbers(shape, dtype, order, i) for i in range(3))
        want, back = unit(a, b), unit.backward(grad, a, b)
        moved = [shifted(v, by) for v in (a, b)]
        assert_same_bits(unit(*moved), want)
        assert_same_bits(unit(moved[0], b), want)
        for given in ((a, b), moved):
            out = shifted(np.zeros_like(want), by)
            assert unit(*given, out=out) is out
            assert_same_bits(out, want)
        for found, by_half in zip(unit.backward(shifted(grad, by), *moved), back, strict=True):
            assert_same_bits(found, by_half)
        for axis in cases(shape):
            x = np.concatenate([a, b], axis)
            assert_same_bits(unit(shifted(x, by), axis=axis), unit(x, axis=axis))
            assert_same_bits(unit.backward(shifted(grad, by), shifted(x, by), axis=axis), unit.backward(grad, x, axis=axis))
            unit(far := shifted(x, by), axis=axis, out=np.split(far, 2, axis)[0])
            assert_same_bits(np.split(far, 2, axis)[0], want)
    assert seen


@pytest.mark.parametrize("order", ORDERS)
@pytest.mark.parametrize("dtype", DTYPES)
def test_maxout(dtype, order, seen):
    x = numbers((6, 12), dtype, order)
    far = shifted(x)
    for axis in (0, 1):
        want, winner = fa.maxout(x, 3, axis, return_index=True)
        got, same = fa.maxout(far, 3, axis, return_index=True, out=shifted(np.zeros_like(want)))
        assert_same_bits(got, want)
        np.testing.assert_array_equal(same, winner)
    assert seen


@pytest.mark.parametrize("dtype", DTYPES)
def test_the_fast_path_leaves_them_alone(dtype):
    x = numbers((3, 5), dtype)
    for op in ("softmax", "sparsemax"):
        assert plain(OPS[op], x, None, -1, 1.0, None) is not None
        assert plain(OPS[op], shifted(x), None, -1, 1.0, None) is None
        assert plain(OPS[op], x, None, -1, 1.0, shifted(x)) is None
        assert plain(OPS[f"{op}_backward"], shifted(x), x, -1, 1.0, None) is None
        assert plain(OPS[f"{op}_backward"], x, shifted(x), -1, 1.0, None) is None


@pytest.mark.parametrize("function", [*ROWS, *UNITS], ids=lambda f: f.__name__)
def test_half_precision(function, seen):
    x = numbers(LARGE, np.float16)
    assert_same_bits(function(shifted(x)), function(x))
    assert seen
