"""Randomised functions: distributions, seeds, threads, gradients for the numbers drawn, errors."""

import numpy as np
import pytest
from helpers import DTYPES, assert_same_bits

import fastact as fa

CALLS = {
    "rrelu": lambda x, rng: fa.rrelu(x, training=True, rng=rng),
    "noisy_relu": lambda x, rng: fa.noisy_relu(x, rng),
    "gumbel_softmax": lambda x, rng: fa.gumbel_softmax(x, rng=rng),
}


@pytest.mark.parametrize("name", CALLS)
@pytest.mark.parametrize("dtype", [np.float16, *DTYPES])
def test_a_seed_gives_the_same_for_any_number_of_threads(name, dtype, threads):
    x = np.random.default_rng(0).normal(size=(40, 1000)).astype(dtype)
    threads(1)
    want = CALLS[name](x, 7)
    assert want.dtype == dtype
    threads(3)
    assert_same_bits(CALLS[name](x, 7), want)
    assert_same_bits(CALLS[name](x, np.random.default_rng(7)), want)
    assert not np.array_equal(CALLS[name](x, 8), want)
    assert_same_bits(CALLS[name](np.asfortranarray(x), 7), want)
    assert CALLS[name](x.tolist(), 7).dtype == np.float64


def test_rrelu():
    x = np.random.default_rng(0).normal(size=100_000)
    y, slopes = fa.rrelu(x, training=True, rng=1, return_slopes=True)
    np.testing.assert_array_equal(y, np.where(x > 0, x, slopes * x))
    assert slopes.min() >= 1 / 8
    assert slopes.max() <= 1 / 3
    assert slopes.mean() == pytest.approx((1 / 8 + 1 / 3) / 2, abs=1e-3)
    assert slopes.std() == pytest.approx((1 / 3 - 1 / 8) / 12**0.5, rel=1e-2)
    y, slopes = fa.rrelu(x, return_slopes=True)
    assert slopes == (1 / 8 + 1 / 3) / 2
    np.testing.assert_array_equal(y, np.where(x > 0, x, slopes * x))
    np.testing.assert_array_equal(fa.rrelu.backward(2.0, x), np.where(x > 0, 2.0, 2 * slopes))
    np.testing.assert_array_equal(fa.rrelu(x, 0.5, 0.5, training=True), np.where(x > 0, x, 0.5 * x))


def test_parameter_gradients_of_rrelu():
    """Against differences with the same random numbers."""
    x, grad = np.random.default_rng(0).normal(size=(2, 300))
    _, slopes = fa.rrelu(x, 0.2, 0.4, training=True, rng=3, return_slopes=True)
    found = fa.rrelu.parameter_gradients(grad, x, slopes, 0.2, 0.4)
    np.testing.assert_array_equal(fa.rrelu.backward(grad, x, slopes), grad * np.where(x > 0, 1, slopes))
    h = 1e-4
    for name, low, high in (("lower", (0.2 + h, 0.4), (0.2 - h, 0.4)), ("upper", (0.2, 0.4 + h), (0.2, 0.4 - h))):
        up, down = ((grad * fa.rrelu(x, *p, training=True, rng=3)).sum() for p in (low, high))
        assert found[name] == pytest.approx((up - down) / (2 * h), rel=1e-8)
    mean = fa.rrelu.parameter_gradients(grad, x, 0.3, 0.3, 0.3)
    assert mean["lower"] == mean["upper"] == pytest.approx((grad * np.minimum(x, 0)).sum() / 2)


def test_noisy_relu():
    rng = np.random.default_rng(0)
    for x0 in (-2.0, 0.0, 3.0):
        y, noise = fa.noisy_relu(np.full(200_000, x0), rng, return_noise=True)
        variance = 1 / (1 + np.exp(-x0))
        np.testing.assert_allclose(y, np.maximum(0, x0 + np.sqrt(variance) * noise), rtol=1e-14, atol=1e-14)
        assert (x0 + np.sqrt(variance) * noise).var() == pytest.approx(variance, rel=2e-2)
    x = np.linspace(-3, 3, 50)
    assert_same_bits(fa.noisy_relu(x, training=False), fa.relu(x))
    assert (fa.noisy_relu([np.nan, np.inf, -np.inf], 0)[1:] == [np.inf, 0]).all()


def test_noisy_relu_backward():
    x = np.linspace(-3, 3, 101)
    y, noise = fa.noisy_relu(x, 5, return_noise=True)
    h = 1e-5

    def value(v):
        return np.maximum(0, v + noise / np.sqrt(1 + np.exp(-v)))

    clear = np.abs(x + noise / np.sqrt(1 + np.exp(-x))) > 1e-3
    want = (value(x + h) - value(x - h)) / (2 * h)
    np.testing.assert_allclose(fa.noisy_relu.backward(1.0, x, noise)[clear], want[clear], rtol=1e-8, atol=1e-9)
    assert (fa.noisy_relu.backward(np.ones(101), x, noise)[y == 0] == 0).all()
    assert fa.noisy_relu.backward(np.ones(101, "e"), x.astype("e"), noise).dtype == np.float16


def test_gumbel_softmax():
    """Hard samples follow softmax(x), soft ones sum to 1, and the two belong together."""
    x = np.log(np.array([0.1, 0.2, 0.7]))
    hard, soft = fa.gumbel_softmax(np.broadcast_to(x, (100_000, 3)), tau=0.5, hard=True, rng=0, return_soft=True)
    np.testing.assert_allclose(hard.mean(0), [0.1, 0.2, 0.7], atol=5e-3)
    np.testing.assert_allclose(soft.sum(1), 1, rtol=1e-14)
    np.testing.assert_array_equal(hard.argmax(1), soft.argmax(1))
    again = fa.gumbel_softmax(np.broadcast_to(x, (100_000, 3)), tau=0.5, rng=0)
    assert_same_bits(again, soft)
    grad = np.random.default_rng(1).normal(size=soft.shape)
    assert_same_bits(fa.gumbel_softmax.backward(grad, soft, 0.5), fa.softmax.backward(grad, soft, temperature=0.5))
    along = fa.gumbel_softmax(np.zeros((3, 50)), axis=0, rng=2)
    np.testing.assert_allclose(along.sum(0), 1, rtol=1e-14)


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda x: fa.rrelu(x, 0.5, 0.2), ValueError, r"fastact\.rrelu: lower is 0\.5 and upper 0\.2; expected lower <= upper"),
        (lambda x: fa.rrelu(x, "a"), TypeError, r"fastact\.rrelu: lower is 'a'; expected a finite number"),
        (lambda x: fa.rrelu(x, rng="seed"), TypeError, r"fastact\.rrelu: rng is 'seed'; expected a numpy\.random\.Generator"),
        (lambda x: fa.rrelu(x * 1j), TypeError, r"fastact\.rrelu: x has dtype complex128"),
        (lambda x: fa.noisy_relu(x, -1), TypeError, r"fastact\.noisy_relu: rng is -1"),
        (lambda x: fa.noisy_relu(x, np.random), TypeError, r"fastact\.noisy_relu: rng is <module"),
        (lambda x: fa.gumbel_softmax(x, 0.0), ValueError, r"fastact\.gumbel_softmax: tau is 0\.0; expected a number between"),
        (lambda x: fa.gumbel_softmax(x, axis=2), ValueError, r"fastact\.gumbel_softmax: axis 2 is out of bounds"),
        (
            lambda x: fa.gumbel_softmax(x, axis=(0, 1)),
            ValueError,
            r"fastact\.gumbel_softmax: axis is \(0, 1\); expected one axis",
        ),
    ],
)
def test_errors(call, error, message):
    with pytest.raises(error, match=message):
        call(np.ones((2, 4)))
