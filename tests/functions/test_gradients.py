"""Gradients by x and by the parameters: shapes, sums against float64 and exact ones, cancellation."""

import math

import numpy as np
import pytest
from helpers import DTYPES, NAMES, WITH_OUTPUT, WITH_PARAMS, arrays, assert_same_bits, function, numbers, parameter_sets
from mpmath import mpf
from reference import REFERENCE, evaluate

import fastact as fa
from fastact.functions import gradients


def partial(name, index, x, params):
    """The partial derivative of each element in float64, from the reference."""
    return evaluate(name, f"partial{index}", x, params)[0]


def smooth_points(name, shape, seed=0):
    """Points away from the default and the other kinks, within every domain."""
    x = np.random.default_rng(seed).uniform(0.02, 0.98, shape) + np.random.default_rng(seed + 1).integers(-4, 5, shape)
    return np.abs(x) if name == "log1mexp" else x


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("name", NAMES)
def test_value_and_derivative_is_both_calls(name, dtype):
    """Bit for bit, contiguous or not, parameters scalar or per element."""
    activation = getattr(fa, name)
    x = numbers((9, 131), dtype)
    for params in parameter_sets(name):
        full = [np.full(x.shape, p, dtype) for p in params]
        for data in (x, x[:, ::3], np.asfortranarray(x), x[:, :1]):
            given = (params, [f[:, : data.shape[1]] for f in full]) if params else (params,)
            for each in given:
                value, derivative = activation.value_and_derivative(data, *each)
                assert_same_bits(value, activation(data, *each))
                assert_same_bits(derivative, activation.derivative(data, *each))


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("name", NAMES)
def test_backward_is_the_product(name, dtype):
    """Bit for bit grad * derivative in the working dtype, and grad comes first."""
    activation = getattr(fa, name)
    x = numbers((9, 131), dtype)
    grad = np.random.default_rng(3).normal(size=x.shape).astype(dtype)
    for params in parameter_sets(name):
        pairs = [
            (grad, x),
            (grad[:, ::2], x[:, ::2]),
            (np.asfortranarray(grad), x),
            (grad[:1], x),
            (grad, x[:, :1]),
            (dtype(-2), x),
        ]
        for g, data in pairs:
            with np.errstate(all="ignore"):
                want = g * activation.derivative(data, *params)
            assert_same_bits(activation.backward(g, data, *params), want)


@pytest.mark.parametrize("name", NAMES)
def test_derivative_is_the_slope(name):
    """Against central differences of the function itself, where it is smooth."""
    x = smooth_points(name, 200)
    h = 2.0**-20
    for params in parameter_sets(name)[:1]:
        activation = getattr(fa, name)
        slope = (activation(x + h, *params) - activation(x - h, *params)) / (2 * h)
        np.testing.assert_allclose(activation.derivative(x, *params), slope, rtol=1e-7, atol=1e-7)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("name", WITH_OUTPUT)
def test_backward_from_output_agrees(name, dtype):
    """With backward, as far as the rounding of y allows."""
    activation = getattr(fa, name)
    x = smooth_points(name, 300).astype(dtype)
    for params in parameter_sets(name)[:2]:
        y, derivative = activation.value_and_derivative(x, *params)
        grad = np.linspace(-2, 3, x.size, dtype=dtype)
        got = activation.backward_from_output(grad, y, *params)
        exact = [REFERENCE[name].from_output(mpf(float(v)), *[float(dtype(p)) for p in params]) for v in y]
        want = np.array([float(g) * float(e) for g, e in zip(grad, exact, strict=True)])
        eps = float(np.finfo(dtype).eps)
        np.testing.assert_allclose(got, want, rtol=6 * eps, atol=3 * eps * np.abs(grad).max())
        np.testing.assert_allclose(got, grad * derivative, rtol=2e3 * eps, atol=8 * eps)


@pytest.mark.parametrize("name", WITH_PARAMS)
def test_shapes_of_parameter_gradients(name):
    """Each gradient has its parameter's shape and the working dtype; a scalar's is a scalar."""
    activation = getattr(fa, name)
    defaults = list(activation.params.values())
    x, grad = smooth_points(name, (3, 4, 5)), numbers((3, 4, 5), np.float64, scale=1.0, seed=4)
    grad = np.clip(grad, -5, 5)
    for shape in ((), (1,), (5,), (4, 1), (3, 1, 1), (4, 5), (3, 1, 5), (3, 4, 5), (2, 1, 1, 1), (2, 3, 4, 5)):
        for i, param in enumerate(activation.params):
            values = defaults.copy()
            values[i] = np.full(shape, defaults[i]) + np.random.default_rng(7).uniform(0.001, 0.01, shape)
            got = activation.parameter_gradients(grad, x, *values)
            assert list(got) == list(activation.params)
            for j, gradient in enumerate(got.values()):
                assert np.shape(gradient) == (shape if j == i else ())
                assert gradient.dtype == np.float64
            full = np.broadcast_arrays(grad, x, values[i])
            others = [full[2] if j == i else np.full(full[0].shape, d) for j, d in enumerate(defaults)]
            each = activation.parameter_gradients(full[0].copy(), full[1].copy(), *others)[param]
            padded = (1,) * (each.ndim - len(shape)) + shape
            axes = tuple(a for a in range(each.ndim) if padded[a] == 1)
            np.testing.assert_allclose(got[param], each.sum(axis=axes, keepdims=True).reshape(shape), rtol=1e-12, atol=1e-13)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("name", WITH_PARAMS)
def test_parameter_gradients_against_the_reference(name, dtype):
    """Scalar parameters: the float64 sum of grad times the exact partial derivative."""
    activation = getattr(fa, name)
    x = smooth_points(name, 700).astype(dtype)
    grad = np.random.default_rng(8).normal(size=700).astype(dtype)
    for params in parameter_sets(name)[:2]:
        params = tuple(float(dtype(p)) for p in params)
        got = activation.parameter_gradients(grad, x, *params)
        for i, gradient in enumerate(got.values()):
            terms = grad.astype(np.float64) * partial(name, i, x.astype(np.float64), params)
            slack = 8 * float(np.finfo(dtype).eps) * math.fsum(np.abs(terms))
            assert gradient.dtype == dtype
            assert abs(float(gradient) - math.fsum(terms)) <= slack


@pytest.mark.parametrize("name", WITH_PARAMS)
def test_parameter_gradients_take_any_arrays(name):
    """Layouts, broadcasting gradients, keywords, defaults, integers and float16."""
    activation = getattr(fa, name)
    defaults = list(activation.params.values())
    x, grad = smooth_points(name, (6, 50)), np.linspace(-1, 2, 300).reshape(6, 50)
    want = activation.parameter_gradients(grad, x)
    fortran = np.asfortranarray
    for g, data in ((fortran(grad), x), (grad, fortran(x)), (grad.astype(">f8"), x), (grad.tolist(), x.tolist())):
        for key, value in activation.parameter_gradients(g, data, *defaults).items():
            np.testing.assert_allclose(value, want[key], rtol=1e-13, atol=1e-14)
    named = activation.parameter_gradients(grad, x, **activation.params)
    assert named == want
    ones = activation.parameter_gradients(1.0, x)
    for key, value in activation.parameter_gradients(np.ones_like(x), x).items():
        np.testing.assert_allclose(ones[key], value, rtol=1e-14)
    integers = np.array([1, 2, 4, 5, 6])  # not 3: a kink of hard_sigmoid, on a side that depends on how 1/6 is rounded
    whole = activation.parameter_gradients(np.ones(5, np.int64), integers)
    assert all(v.dtype == np.float64 for v in whole.values())
    half = activation.parameter_gradients(np.ones(5, np.float16), integers.astype(np.float16))
    for key, value in half.items():
        assert value.dtype == np.float16
        assert float(value) == pytest.approx(float(whole[key]), rel=2e-3, abs=1e-6)
    single = activation.parameter_gradients(grad.astype("f"), x.astype("f"), *map(np.float32, defaults))
    assert all(v.dtype == np.float32 for v in single.values())
    empty = activation.parameter_gradients(np.ones((0, 3)), np.ones((0, 3)), *[np.full(3, d) for d in defaults])
    assert all(np.array_equal(v, np.zeros(3)) for v in empty.values())
    empty = activation.parameter_gradients(np.ones(0), np.ones(0))
    assert all(v == 0 for v in empty.values())


@pytest.mark.parametrize("name", WITH_PARAMS)
def test_parameter_gradients_do_not_depend_on_layout_or_threads(name, threads):
    activation = getattr(fa, name)
    x = np.resize(smooth_points(name, 5003), 150_001)
    grad = np.resize(np.linspace(-1, 1, 4001), x.size)
    threads(1)
    want = activation.parameter_gradients(grad, x)
    threads(3)
    assert activation.parameter_gradients(grad, x) == want
    assert activation.parameter_gradients(np.repeat(grad, 2)[::2], np.repeat(x, 2)[::2]) == want


@pytest.mark.parametrize("layout", ["scalar", "last axis", "first axis", "middle axis"])
def test_cancelling_float32_sums(layout):
    """A million and more float32 terms whose sum is far smaller than any of them: every digit is there."""
    rng = np.random.default_rng(11)
    n = 1_500_000
    x = -rng.uniform(0.5, 2.0, n).astype(np.float32)
    grad = rng.normal(size=n).astype(np.float32)
    order = rng.permutation(n)
    x = np.concatenate([x, x[order]])
    grad = np.concatenate([grad, -grad[order]]) * np.float32(1e3)
    grad[-1] += np.float32(0.25)
    shape, weight = {
        "scalar": ((-1,), np.float32(0.25)),
        "last axis": ((-1, 2), np.full(2, 0.25, np.float32)),
        "first axis": ((3, -1), np.full((3, 1), 0.25, np.float32)),
        "middle axis": ((10, 2, -1), np.full((2, 1), 0.25, np.float32)),
    }[layout]
    x, grad = x.reshape(shape), grad.reshape(shape)
    got = fa.prelu.parameter_gradients(grad, x, weight)["weight"]
    assert got.dtype == np.float32
    terms = grad.astype(np.float64) * x
    index = {"scalar": [...], "last axis": [(..., 0), (..., 1)], "first axis": [(i,) for i in range(3)],
             "middle axis": [(slice(None), i) for i in range(2)]}[layout]  # fmt: skip
    exact = np.array([math.fsum(terms[i].ravel()) for i in index])
    size = math.fsum(np.abs(terms).ravel())
    np.testing.assert_allclose(np.ravel(got), exact, rtol=1e-6, atol=1e-15 * size)
    if layout == "scalar":
        naive = float(np.cumsum((grad * x), dtype=np.float32)[-1])
        assert abs(naive - exact[0]) > 1e3 * abs(float(got) - exact[0])


def test_long_float32_sum_keeps_its_digits():
    """Equal terms: a float32 accumulator would stop growing at 2**24 of them."""
    x = np.full(17_000_000, -1.0, np.float32)
    got = fa.leaky_relu.parameter_gradients(np.broadcast_to(np.float32(1.0), x.shape), x)["negative_slope"]
    assert got == np.float32(-1.7e7)


@pytest.mark.parametrize("kind", ["derivative", "backward"])
@pytest.mark.parametrize("name", NAMES)
def test_out(name, kind):
    x = numbers(33, np.float64)
    call, given = function(name, kind), arrays(name, kind, numbers(33, np.float64))
    want = call(*given)
    assert call(*given, out=x) is x
    assert_same_bits(x, want)


@pytest.mark.parametrize("name", ["prelu", "silu", "reflu", "elu", "softplus"])
def test_parameter_gradients_per_channel_last(name):
    """Many rows: one walk over the array gives what each channel alone gives, in any order of axes."""
    activation = getattr(fa, name)
    x, grad = smooth_points(name, (40, 700, 6)), np.random.default_rng(2).normal(size=(40, 700, 6))
    params = [np.full(6, p) + 0.01 * np.arange(6) for p in activation.params.values()]
    got = activation.parameter_gradients(grad, x, *params)
    first = activation.parameter_gradients(grad.transpose(2, 0, 1), x.transpose(2, 0, 1), *(p[:, None, None] for p in params))
    for channel in range(6):
        want = activation.parameter_gradients(grad[..., channel], x[..., channel], *(p[channel] for p in params))
        for key, value in want.items():
            np.testing.assert_allclose(got[key][channel], value, rtol=1e-12, atol=1e-11)
            np.testing.assert_allclose(first[key][channel, 0, 0], value, rtol=1e-12, atol=1e-11)


def test_partials_keep_their_names():
    """NumPy holds a ufunc's name by its address."""
    fa.elu.parameter_gradients(np.ones(3), np.ones(3))
    junk = [bytes(40 + n % 9) for n in range(10_000)]
    assert gradients.partial(fa.elu, 0).ufunc.__name__ == "elu_partial0", len(junk)
