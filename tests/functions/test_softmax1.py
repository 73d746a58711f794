"""softmax1: softmax with one more logit, 0, that is left out."""

import numpy as np
import pytest
from helpers import DTYPES, assert_same_bits

import fastact as fa


@pytest.mark.parametrize("temperature", [1.0, 0.3])
@pytest.mark.parametrize("n", [1, 7, 33, 200, 3000])
@pytest.mark.parametrize("dtype", DTYPES)
def test_is_softmax_with_one_more_logit(dtype, n, temperature):
    """Within the errors of both, in rows, tiles and panels."""
    x = (8 * np.random.default_rng(n).normal(size=(40, n))).astype(dtype) - dtype(3)
    more = np.concatenate([x, np.zeros((40, 1), dtype)], axis=1)
    want = fa.softmax(more, temperature=temperature)[:, :-1]
    eps = float(np.finfo(dtype).eps)
    for got in (fa.softmax1(x, temperature=temperature), fa.softmax1(np.asfortranarray(x), temperature=temperature)):
        np.testing.assert_allclose(got, want, rtol=5 * eps)
    grad = np.random.default_rng(1).normal(size=x.shape).astype(dtype)
    padded = np.concatenate([grad, np.zeros((40, 1), dtype)], axis=1)
    y = fa.softmax1(x, temperature=temperature)
    slope = fa.softmax.backward(padded, fa.softmax(more, temperature=temperature), temperature=temperature)[:, :-1]
    np.testing.assert_allclose(fa.softmax1.backward(grad, y, temperature=temperature), slope, rtol=1e-2, atol=40 * eps)


@pytest.mark.parametrize("dtype", DTYPES)
def test_quiet_rows(dtype):
    """Far below 0 results are the exponentials, down to the least number; where nothing counts, and above, what they must be."""
    least = -103.0 if dtype == np.float32 else -744.0
    for n in (1, 5, 70, 300):
        for low in (-20.0, -80.0, least):
            x = np.full((3, n), low, dtype)
            want = np.exp(np.float64(low)) / (1 + n * np.exp(np.float64(low)))
            got = fa.softmax1(x).astype(float)
            spacing = float(np.spacing(np.asarray(want, dtype)))
            assert (np.abs(got - want) <= 2 * spacing).all()
            assert (got > 0).all()
        assert (fa.softmax1(np.full((2, n), -1e30, dtype)) == 0).all()
        assert (fa.softmax1(np.full((2, n), -np.inf, dtype)) == 0).all()
        assert (fa.softmax1(np.ones((2, n), dtype), where=np.zeros(n, bool)) == 0).all()
        assert_same_bits(fa.softmax1(np.zeros((2, n), dtype)), np.full((2, n), 1 / (1 + n), dtype))
        assert_same_bits(fa.softmax1(np.full((2, n), -0.0, dtype)), np.full((2, n), 1 / (1 + n), dtype))
        confident = np.full((2, n), -1e30, dtype)
        confident[:, 0] = 1e30
        assert (fa.softmax1(confident)[:, 0] == 1).all()
        assert (fa.softmax1(confident)[:, 1:] == 0).all()
    assert fa.quiet_softmax is fa.softmax1
