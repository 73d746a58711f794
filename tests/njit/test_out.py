"""`out=` inside @njit code: where results go, in place too, and what is refused before anything is written."""

import numpy as np
import pytest
from helpers import assert_same_bits, numbers

import fastact as fa

numba = pytest.importorskip("numba")

X = numbers(24, np.float32).reshape(4, 6)


@numba.njit
def into(x, y):
    return fa.gelu(x, out=y)


@numba.njit
def both_into(x, y, z):
    return fa.elu.value_and_derivative(x, alpha=0.5, out=(y, z))


@numba.njit
def backward_into(grad, x, y):
    return fa.gelu.backward(grad, x, out=y)


@pytest.mark.parametrize("order", ["C", "F"])
def test_results_go_there(order):
    x, y, z = X.copy(order), np.zeros_like(X, order="C"), np.zeros_like(X)
    assert into(x, y).ctypes.data == y.ctypes.data
    assert_same_bits(y, fa.gelu(x))
    both_into(x, y, z)
    for got, want in zip((y, z), fa.elu.value_and_derivative(x, alpha=0.5), strict=True):
        assert_same_bits(got, want)
    backward_into(x[0], x, y)
    assert_same_bits(y, fa.gelu.backward(x[0], x))


def test_in_place():
    long = np.tile(numbers(1000, np.float32), 3)
    x = long.copy()
    assert into(x, x).ctypes.data == x.ctypes.data
    assert_same_bits(x, fa.gelu(long))
    x = long.copy()
    into(x[::2], x[::2])
    assert_same_bits(x[::2], fa.gelu(long[::2]))
    assert_same_bits(x[1::2], long[1::2])
    grad, x = long[::-1].copy(), long.copy()
    want = fa.gelu.backward(grad, x)
    backward_into(grad, x, grad)
    assert_same_bits(grad, want)


def test_arguments_broadcast_to_it():
    wide = np.zeros((3, 4, 6), np.float32)
    into(X, wide)
    for part in wide:
        assert_same_bits(part, fa.gelu(X))
    assert_same_bits(into(np.float32(1.5), wide[0, 0]), np.full(6, fa.gelu(np.float32(1.5))))
    turned = np.zeros((6, 4), np.float32)
    into(X, turned.T)
    assert_same_bits(turned.T, fa.gelu(X))
    zero = np.zeros((), np.float32)
    assert_same_bits(into(np.array(1.5, np.float32), zero), np.asarray(fa.gelu(np.float32(1.5))))


def test_from_integers_and_without_alignment():
    y = np.zeros(7)
    into(np.arange(7), y)
    assert_same_bits(y, fa.gelu(np.arange(7)))
    memory = np.zeros(4 * 24 + 1, np.uint8)
    odd = memory[1:].view(np.float32).reshape(4, 6)
    into(X, odd)
    assert_same_bits(odd.copy(), fa.gelu(X))
    odd[...] = X
    into(odd, odd)
    assert_same_bits(odd.copy(), fa.gelu(X))


READ_ONLY = np.zeros_like(X)
READ_ONLY.flags.writeable = False


@pytest.mark.parametrize(
    ("out", "message"),
    [
        (np.zeros(X.shape), r"fastact\.gelu: out is array\(float64, 2d, C\); expected an array of float32"),
        (np.zeros(6, np.float32), r"fastact\.gelu: out is array\(float32, 1d, C\); expected 2 dimensions"),
        (READ_ONLY, r"fastact\.gelu: out is .*read-only"),
        (1.0, r"fastact\.gelu: out is float64; expected an array of float32"),
    ],
)
def test_types_that_are_refused(out, message):
    with pytest.raises(numba.TypingError, match=message):
        into(X, out)


def test_shapes_that_are_refused():
    y = np.full((1, 6), 7.0, np.float32)
    with pytest.raises(ValueError, match=r"fastact\.gelu: out has another shape than the other arguments broadcast to"):
        into(X, y)
    assert (y == 7.0).all()
    with pytest.raises(ValueError, match="out has another shape"):
        both_into(X, np.zeros_like(X), y)


def test_memory_that_is_shared_is_refused():
    x = X.copy()
    for given in [(x[1:], x[:-1]), (x[::-1], x), (x[0], x)]:
        with pytest.raises(ValueError, match=r"fastact\.gelu: out overlaps another array"):
            into(*given)
    with pytest.raises(ValueError, match=r"fastact\.elu\.value_and_derivative: out overlaps"):
        both_into(X, x, x)
    assert_same_bits(x, X)


def test_loops_are_vectorised():
    into(X, np.zeros_like(X))
    (assembly,) = [a for s, a in into.inspect_asm().items() if s[0] == numba.typeof(X) and s[1] == numba.typeof(X)]
    if not any(word in assembly for word in ("ymm", "zmm")):
        pytest.skip("looks for the registers of AVX")
    assert "mulps" in assembly
