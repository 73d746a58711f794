"""The dtype of a result: the same for every size and path, whatever the dtypes that meet."""

import itertools
import warnings

import numpy as np
import pytest
from fastact.cpu.call import SPREAD_FROM
from helpers import HALVES, assert_same_bits

import fastact as fa
from fastact.arguments import LOOPS

CHARS = "?bBhHiIlLqQefd"
SIZES = [0, 1, 10, SPREAD_FROM - 1, SPREAD_FROM, SPREAD_FROM + 3]
CALLS = [fa.tanh, fa.elu, fa.softplus.derivative, fa.soft_shrink]
PAIRS = [fa.relu.backward, fa.tanh.backward, fa.elu.backward, fa.tanh.backward_from_output]


def full(char, size, value=1):
    return np.full(size, value, char)


@pytest.mark.parametrize("char", CHARS)
def test_one_array(char):
    """As np.exp has it; parameters that are Python numbers have no say."""
    for call, size in itertools.product(CALLS, SIZES):
        x = full(char, size)
        assert call(x).dtype == np.exp(x).dtype == LOOPS[np.dtype(char).num], (call, size)
        assert call(np.repeat(x, 2)[::2]).dtype == np.exp(x).dtype
    for size in SIZES:
        for alpha in (2, 0.5, True):
            assert fa.elu(full(char, size), alpha).dtype == np.exp(full(char, 1)).dtype
            assert fa.elu.backward(full(char, size), full(char, size), alpha).dtype == np.exp(full(char, 1)).dtype


@pytest.mark.parametrize(("first", "second"), list(itertools.product(CHARS, CHARS)))
def test_two_arrays(first, second):
    """The wider of what each has alone, at every size."""
    expected = np.promote_types(np.exp(full(first, 1)).dtype, np.exp(full(second, 1)).dtype)
    for call, size in itertools.product(PAIRS, SIZES):
        assert call(full(first, size), full(second, size)).dtype == expected, (call, size)
    for size in SIZES:
        assert fa.elu(full(first, size), full(second, size)).dtype == expected, size
        assert fa.elu(full(first, size), full(second, 1)).dtype == expected, size


@pytest.mark.parametrize("char", CHARS)
def test_a_number_beside_an_array(char):
    for number, size in itertools.product((2.0, 1), SIZES):
        assert fa.tanh.backward(full(char, size), number).dtype == np.exp(full(char, 1)).dtype
        assert fa.tanh.backward(number, full(char, size)).dtype == np.exp(full(char, 1)).dtype


def test_parameters_of_float16_arrays_are_not_rounded():
    """A number is taken as float32, alone, beside an array, and with dtype=."""
    x = np.linspace(-4, 4, 33).astype(np.float16)
    low = np.full(33, -0.3, np.float16)
    for size in (1, 1000):
        a, b = np.tile(x, size), np.tile(low, size)
        want = np.clip(a.astype(np.float32), b, np.float32(0.3001)).astype(np.float16)
        assert_same_bits(fa.hard_tanh(a, b, 0.3001), want)
        assert_same_bits(fa.hard_tanh(a, b, max_val=0.3001, dtype=np.float16), want)
        assert_same_bits(fa.elu(a, 0.3001, dtype="e"), fa.elu(a.astype("f"), 0.3001).astype("e"))


def test_dtype_of_the_call():
    x = np.linspace(-4, 4, 33)
    for size in (1, 1000):
        a = np.tile(x, size)
        assert_same_bits(fa.elu(a.astype("f"), 0.3, dtype="d"), fa.elu(a.astype("f").astype("d"), 0.3))
        assert_same_bits(fa.tanh(a.astype("f"), dtype=np.float64), fa.tanh(a.astype("f").astype("d")))
        with pytest.raises(TypeError):
            fa.elu(a, 0.3, dtype=np.complex128)
        with pytest.raises(TypeError):
            fa.elu(a, 0.3, casting="safe", dtype=np.float32)


def test_no_warnings():
    """What float16 cannot hold, infinities and NaN are no news, in any family."""
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        odd = [np.inf, -np.inf, np.nan, 0, 1, 2, 6e4, -6e4]
        brains = [np.array(v, half) for v in ([3e38] * 8, odd) for half in HALVES[1:]]
        for x in (np.full(8, 6e4, "e"), np.array(odd, "e"), np.full(8, 3e38, "f"), *brains):
            grad, half = x[::-1].copy(), x[:4]
            for name in ("glu", "bilinear", "reglu", "geglu", "swiglu", "seglu"):
                unit = getattr(fa, name)
                for _ in (unit(x), unit(x, grad), unit.backward(half, x), unit.backward(x, x, grad), unit(x, out=half.copy())):
                    pass
            for name in ("softmax", "log_softmax", "softmin", "log_softmin", "logsumexp", "hardmax", "sparsemax", "entmax15"):
                rows = getattr(fa, name)
                y = rows(x, temperature=0.1)
                rows.backward(np.float16(6e4) if name == "logsumexp" else grad, x if name == "logsumexp" else y, temperature=0.1)
            for call in (fa.elu, fa.squareplus, fa.prelu, fa.reflu):
                call.parameter_gradients(grad, x)
            _, winner = fa.maxout(x, 2, return_index=True)
            fa.maxout.backward(half, winner, 2)
            fa.max_affine(x, [3.0, -2.0], [0.0, 1.0])
            fa.max_affine.backward(grad, x, [3.0, -2.0], [0.0, 1.0])
            fa.crelu.backward(np.concatenate([x, x]), x)
            fa.crelu(x)
            _, slopes = fa.rrelu(x, -3, -2, training=True, rng=0, return_slopes=True)
            fa.rrelu.backward(grad, x, slopes)
            fa.rrelu.parameter_gradients(grad, x, slopes)
            _, noise = fa.noisy_relu(x, 0, return_noise=True)
            fa.noisy_relu.backward(grad, x, noise)
            _, soft = fa.gumbel_softmax(x, rng=0, return_soft=True)
            fa.gumbel_softmax.backward(grad, soft)


@pytest.mark.parametrize("name", ["softmax", "log_softmax", "softmin", "logsumexp", "sparsemax", "entmax15", "hardmax"])
def test_dtype_of_rows(name):
    """What is computed, from an input that is cast to it."""
    call, x = getattr(fa, name), np.random.default_rng(0).normal(size=(4, 9)).astype(np.float16)
    where = x > -1
    for dtype in (np.float16, np.float32, np.float64, "f4"):
        for keywords in ({}, {"where": where}, {"temperature": 0.5}):
            assert_same_bits(call(x, dtype=dtype, **keywords), call(x.astype(dtype), **keywords))
    assert_same_bits(call(x.astype("d"), dtype="f"), call(x.astype("f")))
    assert_same_bits(np.asarray(call(np.ma.array(x), dtype="f")), call(x.astype("f")))
    for bad in (np.int32, np.complex64, "U3"):
        with pytest.raises(TypeError, match=rf"fastact\.{name}: dtype is .*; expected float16, bfloat16, float32 or float64"):
            call(x, dtype=bad)
