"""Maxout, max_affine and crelu: values, winners, gradients, errors; docs of these and of the randomised functions."""

import inspect
import pickle
import tracemalloc

import numpy as np
import pytest
from helpers import DTYPES, assert_same_bits
from hypothesis import given, seed
from hypothesis import strategies as st

import fastact as fa
from fastact.functions import pieces, stochastic

NAMES = [f.__name__ for f in (*pieces.FUNCTIONS, *stochastic.FUNCTIONS)]


@seed(8)
@given(st.data())
def test_maxout_of_any_shape(data):
    shape = data.draw(st.lists(st.integers(1, 4), min_size=1, max_size=3))
    axis = data.draw(st.integers(-len(shape), len(shape) - 1))
    k = data.draw(st.integers(1, 5))
    shape[axis] *= k
    dtype = data.draw(st.sampled_from([np.float16, *DTYPES]))
    x = np.round(np.random.default_rng(sum(shape)).normal(size=shape) * 2).astype(dtype)
    x = data.draw(st.sampled_from([x, np.asfortranarray(x), x[::-1], -x]))
    moved = np.moveaxis(x, axis, -1)
    grouped = moved.reshape(*moved.shape[:-1], -1, k)
    y, winner = fa.maxout(x, k, axis, return_index=True)
    assert_same_bits(y, np.moveaxis(grouped.max(-1), -1, axis))
    np.testing.assert_array_equal(winner, np.moveaxis(grouped.argmax(-1), -1, axis))
    assert_same_bits(fa.maxout(x, k, axis), y)
    grad = np.random.default_rng(1).normal(size=y.shape).astype(dtype)
    back = fa.maxout.backward(grad, winner, k, axis)
    assert back.shape == x.shape
    assert back.dtype == dtype
    np.testing.assert_array_equal(np.count_nonzero(back), np.count_nonzero(grad))
    picked = np.moveaxis(back, axis, -1).reshape(grouped.shape)
    np.testing.assert_array_equal(
        np.take_along_axis(picked, grouped.argmax(-1)[..., None], -1)[..., 0], np.moveaxis(grad, axis, -1)
    )


def test_maxout_of_nan_and_large_arrays():
    y, winner = fa.maxout([1.0, np.nan, 2.0, np.nan, -np.inf, -np.inf], 2, return_index=True)
    assert np.isnan(y[:2]).all()
    assert y[2] == -np.inf
    assert winner.tolist() == [1, 1, 0]
    x = np.random.default_rng(0).normal(size=(3000, 120)).astype(np.float32)
    np.testing.assert_array_equal(fa.maxout(x, 4), x.reshape(3000, 30, 4).max(-1))
    out = np.empty((3000, 30), np.float32)
    assert fa.maxout(x, 4, out=out) is out
    np.testing.assert_array_equal(out, fa.maxout(x, 4))
    assert_same_bits(fa.maxout(x, 4, out=x[:, :30].T.copy().T), out)
    fa.maxout(x, 4, out=x[:, 5:35])
    np.testing.assert_array_equal(x[:, 5:35], out)


@pytest.mark.parametrize("axis", [0, 1])
def test_maxout_of_many_pieces(axis):
    """Along the last axis and across it; more pieces than int16 counts."""
    x = np.random.default_rng(0).normal(size=(1, 70_000) if axis else (70_000, 3)).astype(np.float32)
    for k in (1000, 35_000):
        y, winner = fa.maxout(x, k, axis, return_index=True)
        grouped = x.reshape(1, -1, k) if axis else x.reshape(-1, k, 3)
        np.testing.assert_array_equal(y, grouped.max(2 if axis else 1))
        np.testing.assert_array_equal(winner, grouped.argmax(2 if axis else 1))
        assert winner.dtype == (np.int16 if k < 1 << 15 else np.int64)


@pytest.mark.parametrize(("w", "b"), [((3,), (3,)), ((3, 5), (3, 5)), ((2, 4, 1), (2, 1, 5)), ((3,), (3, 5)), ((4, 4, 5), (4,))])
def test_max_affine(w, b):
    rng = np.random.default_rng(0)
    x, weight, bias = rng.normal(size=(4, 5)), rng.normal(size=w), rng.normal(size=b)
    lines = np.stack([weight[j] * x + bias[j] for j in range(w[0])])
    y, winner = fa.max_affine(x, weight, bias, return_index=True)
    np.testing.assert_array_equal(y, lines.max(0))
    np.testing.assert_array_equal(winner, lines.argmax(0))
    out = np.empty(lines.shape[1:])
    assert fa.max_affine(x, weight, bias, out=out) is out
    np.testing.assert_array_equal(out, y)
    grad = rng.normal(size=(4, 5))
    found = fa.max_affine.backward(grad, x, weight, bias)
    h = 1e-6
    for name, array in (("x", x), ("weight", weight), ("bias", bias)):
        want = np.empty(array.shape)
        for i in np.ndindex(array.shape):
            sides = []
            for step in (h, -h):
                moved = {"x": x, "weight": weight, "bias": bias, name: array.copy()}
                moved[name][i] += step
                sides.append((grad * fa.max_affine(**moved)).sum())
            want[i] = (sides[0] - sides[1]) / (2 * h)
        np.testing.assert_allclose(found[name], want, rtol=1e-6, atol=1e-8)
    assert {v.dtype.char for v in fa.max_affine.backward(grad, x.astype("f"), weight, bias).values()} == {"f"}


@pytest.mark.parametrize("axis", [-1, 0, 1])
@pytest.mark.parametrize("dtype", [np.float16, *DTYPES])
def test_crelu(dtype, axis):
    x = np.random.default_rng(0).normal(size=(3, 4, 5)).astype(dtype)
    x[0, 0, :3] = 0, -0.0, np.nan
    want = np.concatenate([fa.relu(x), fa.relu(-x)], axis)
    assert_same_bits(fa.crelu(x, axis), want)
    assert_same_bits(fa.crelu(np.asfortranarray(x), axis), want)
    out = np.empty_like(want)
    assert fa.crelu(x, axis, out=out) is out
    assert_same_bits(out, want)
    grad = np.random.default_rng(1).normal(size=want.shape).astype(dtype)
    a, b = np.split(grad, 2, axis)
    assert_same_bits(fa.crelu.backward(grad, x, axis), np.where(np.isnan(x), x, a * (x > 0) - b * (x < 0)).astype(dtype))
    assert_same_bits(fa.crelu.backward(dtype(2), x, axis), fa.crelu.backward(np.full_like(grad, 2), x, axis))


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda x: fa.maxout(x, 3), ValueError, r"fastact\.maxout: pieces is 3; expected a divisor of the length 4 of axis 1"),
        (lambda x: fa.maxout(x, 0), ValueError, r"fastact\.maxout: pieces is 0; expected a positive"),
        (lambda x: fa.maxout(x, 2.0), TypeError, r"fastact\.maxout: pieces is 2\.0; expected a positive integer"),
        (lambda x: fa.maxout(x, 2, 5), ValueError, r"fastact\.maxout: axis 5 is out of bounds"),
        (lambda x: fa.maxout(x, 2, (0, 1)), ValueError, r"fastact\.maxout: axis is \(0, 1\); expected one axis"),
        (lambda x: fa.maxout(x * 1j, 2), TypeError, r"fastact\.maxout: x has dtype complex128"),
        (
            lambda x: fa.maxout.backward(x, np.zeros((2, 2), int), 2),
            ValueError,
            r"grad has shape \(2, 4\); expected \(2, 2\) of index",
        ),
        (lambda x: fa.maxout.backward(1.0, x, 2), TypeError, r"maxout\.backward: index has dtype float64; expected integers"),
        (lambda x: fa.maxout.backward(1.0, np.array([2]), 2), ValueError, r"index reaches from 2 to 2; expected 0 to 1"),
        (lambda x: fa.maxout(x, 2, out=x), ValueError, r"fastact\.maxout: out has shape \(2, 4\); expected \(2, 2\)"),
        (lambda x: fa.max_affine(x, [1.0, 2.0], [1.0]), ValueError, r"weight has shape \(2,\) and bias \(1,\); expected a first"),
        (
            lambda x: fa.max_affine(x, np.ones((2, 3)), [1.0, 2.0]),
            ValueError,
            r"fastact\.max_affine: x \(2, 4\), weight \(2, 3\)",
        ),
        (lambda x: fa.max_affine(x, ["a"], [1.0]), TypeError, r"fastact\.max_affine: weight has dtype"),
        (lambda x: fa.crelu(x, 2), ValueError, r"fastact\.crelu: axis 2 is out of bounds"),
        (lambda x: fa.crelu(x, out=x), ValueError, r"fastact\.crelu: out has shape \(2, 4\); expected \(2, 8\)"),
        (lambda x: fa.crelu.backward(x, x), ValueError, r"crelu\.backward: grad has shape \(2, 4\); expected \(2, 8\)"),
    ],
)
def test_errors(call, error, message):
    with pytest.raises(error, match=message):
        call(np.ones((2, 4)))


@pytest.mark.parametrize("name", NAMES)
def test_docs_and_metadata(name):
    function = getattr(fa, name)
    doc = inspect.getdoc(function)
    for section in ("Parameters", "Returns", "Raises", "Notes", "References", "Examples"):
        assert f"\n{section}\n{'-' * len(section)}\n" in doc
    for parameter in inspect.signature(function).parameters:
        assert any(line.startswith(parameter) or f", {parameter}" in line for line in doc.splitlines() if " : " in line)
    assert function.latex in doc
    assert function.reference
    assert function.summary.endswith(".")
    assert name in fa.__all__
    assert fa.get(name) is function
    assert pickle.loads(pickle.dumps(function)) is function


@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64])
def test_groups_of_thousands(dtype):
    """The same maxima and winners as of short groups, in little memory."""
    x = np.round(np.random.default_rng(0).normal(size=(3, 2 * 5000)), 2).astype(dtype)
    x[1, 17] = x[1, 6000] = np.nan
    x[2] = 0
    x[2, ::2] = -0.0
    y, winner = fa.maxout(x, 5000, return_index=True)
    for row, piece in np.ndindex(3, 2):
        group = x[row, 5000 * piece : 5000 * (piece + 1)]
        first = int(np.argmax(group))
        assert winner[row, piece] == first
        assert_same_bits(y[row, piece], group[first])
    along = fa.maxout(x.T.copy(), 5000, 0)
    assert_same_bits(along.T, y)
    out = np.empty((3, 2), np.float64)
    assert fa.maxout(x, 5000, out=out) is out
    assert_same_bits(out, y.astype(np.float64))
    big = np.zeros(4_000_000, np.float32)
    tracemalloc.start()
    assert fa.maxout(big, big.size).tolist() == [0]
    assert tracemalloc.get_traced_memory()[1] < 1 << 20
    tracemalloc.stop()


@pytest.mark.parametrize("step", [1, 2, 3, 4, 5])
@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64])
def test_crelu_of_strided_arrays(dtype, step):
    """NumPy 2.4.6's negation is wrong where input and output are strided by four float32."""
    x = np.random.default_rng(0).normal(size=(7, 64)).astype(dtype)[:, ::step]
    out = np.empty((7, 2 * x.shape[1] * step), dtype)[:, ::step]
    want = np.concatenate([np.maximum(x, 0), np.maximum(-x.copy(), 0)], axis=-1)
    assert fa.crelu(x, out=out) is out
    np.testing.assert_array_equal(out, want)
