"""second_derivative as a call, and double backward: products, shapes, dtypes, outputs, refusals."""

import itertools
from fractions import Fraction

import numpy as np
import pytest
from helpers import DTYPES, NAMES, assert_same_bits, numbers, parameter_sets

import fastact as fa
from fastact import ufuncs
from fastact.functions.second import product
from fastact.language.kinds import kinds
from fastact.language.registry import REGISTRY, Spec

SOME = ["gelu", "elu", "silu", "relu", "snake"]


@pytest.mark.parametrize("dtype", [np.float16, *DTYPES])
@pytest.mark.parametrize("name", NAMES)
def test_every_layout_has_the_same_bits(name, dtype):
    """Contiguous, strided, many elements, parameters one by one, an output; float16 is float32 rounded."""
    activation = getattr(fa, name)
    x = np.random.default_rng(4).normal(0, 3, (50, 40)).astype(dtype)
    call = activation.second_derivative
    for params in parameter_sets(name)[:2]:
        with np.errstate(over="ignore"):
            want = call(x.astype(np.float32), *params).astype(np.float16) if dtype == np.float16 else call(x, *params)
        assert_same_bits(call(x, *params), want)
        assert_same_bits(call(x[:, ::3], *params), want[:, ::3])
        assert_same_bits(call(np.asfortranarray(x), *params), want)
        full = [np.full(x.shape, p, np.promote_types(dtype, np.float32)) for p in params]
        assert_same_bits(call(x, *full).astype(dtype), want)
        out = x.copy()
        assert call(out, *params, out=out) is out
        assert_same_bits(out, want)
    assert getattr(ufuncs, f"{name}_second_derivative") is call.ufunc
    assert float(call(0.75)) == call(np.array([0.75]))[0]


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("name", SOME)
def test_products(name, dtype):
    activation = getattr(fa, name)
    rng = np.random.default_rng(1)
    x, grad, grad_grad = (rng.normal(size=(9, 31)).astype(dtype) for _ in range(3))
    for params in parameter_sets(name)[:2]:
        by_grad, by_x = activation.backward_backward(grad_grad, grad, x, *params)
        assert_same_bits(by_grad, activation.backward(grad_grad, x, *params))
        want = activation.second_derivative(x, *params).astype(float) * grad * grad_grad
        np.testing.assert_allclose(by_x, want, rtol=4 * np.finfo(dtype).eps)
        assert by_x.dtype == dtype
        named = dict(zip(activation.params, params, strict=True))
        for got, same in zip(activation.backward_backward(grad_grad, grad, x, **named), (by_grad, by_x), strict=True):
            assert_same_bits(got, same)


def test_double_backward_is_the_derivative_of_backward():
    """Central differences of grad * f'(x), contracted with grad_grad."""
    rng = np.random.default_rng(2)
    h = 1e-5
    for name in ("gelu", "mish", "tanh", "softplus", "isru"):
        f = getattr(fa, name)
        x, grad, grad_grad = rng.normal(size=(3, 40))
        by_grad, by_x = f.backward_backward(grad_grad, grad, x)
        np.testing.assert_allclose(by_x, grad_grad * (f.backward(grad, x + h) - f.backward(grad, x - h)) / (2 * h), atol=1e-8)
        np.testing.assert_allclose(by_grad, grad_grad * (f.backward(grad + h, x) - f.backward(grad - h, x)) / (2 * h), atol=1e-8)


def test_broadcasting_and_dtypes():
    x = numbers((4, 5), np.float32)
    row, column = np.ones(5, np.float32), np.ones((4, 1), np.float64)
    for r in fa.gelu.backward_backward(row, 2.0, x):
        assert (r.shape, r.dtype) == ((4, 5), np.float32)
    for r in fa.gelu.backward_backward(column, row, x[:1]):
        assert (r.shape, r.dtype) == ((4, 5), np.float64)
    weight = np.linspace(0.5, 1.5, 5, dtype=np.float32)
    by_grad, by_x = fa.silu.backward_backward(row, row, x, weight)
    assert_same_bits(by_grad, fa.silu.derivative(x, weight))
    assert_same_bits(by_x, fa.silu.second_derivative(x, weight))
    for r in fa.tanh.backward_backward(1.0, 1, 0.5):
        assert isinstance(r, np.float64)
    half = fa.tanh.backward_backward(*np.ones((3, 7), np.float16))
    assert all(r.dtype == np.float16 for r in half)
    assert fa.tanh.backward_backward([1, 2], 1, [3, 4])[0].dtype == fa.tanh.backward(1, [3, 4]).dtype
    assert fa.tanh.backward_backward(np.ones((0, 3)), 1.0, 1.0)[1].shape == (0, 3)


def test_outputs_may_be_arguments():
    x, grad, grad_grad = np.random.default_rng(3).normal(size=(3, 6))
    want = fa.gelu.backward_backward(grad_grad, grad, x)
    ours = [a.copy() for a in (grad_grad, grad, x)]
    got = fa.gelu.backward_backward(*ours, out=(ours[2], ours[0]))
    assert got[0] is ours[2]
    assert got[1] is ours[0]
    for g, w in zip(got, want, strict=True):
        assert_same_bits(g, w)
    only = np.empty(6)
    assert fa.gelu.backward_backward(grad_grad, grad, x, out=(None, only))[1] is only
    assert_same_bits(only, want[1])


def test_products_neither_overflow_nor_underflow_halfway():
    tiny, huge = 1e-200, 1e200
    for a in (tiny, 1e-3, 1.0, 1e3, huge):
        for b, c in ((tiny, huge), (huge, tiny), (tiny, 1.0), (1.0, huge)):
            exact = Fraction(a) * Fraction(b) * Fraction(c)
            if 1e-300 < exact < 1e300:
                assert product(np.float64(a), np.float64(b), np.float64(c)) == pytest.approx(float(exact), rel=1e-15)
    for dtype in DTYPES:  # nor lose digits in a subnormal number on the way, which the last factor would multiply
        info = np.finfo(dtype)
        sizes = [info.smallest_subnormal * 13, info.tiny, 1e-20, 0.11, 1.1, 25.7, 1e5, 3e15, 7e16, info.max / 3, 0.0]
        for a, b, c in itertools.product(np.array(sizes, dtype), repeat=3):
            exact = Fraction(float(a)) * Fraction(float(b)) * Fraction(float(c))
            if exact < Fraction(float(info.max)):
                error = abs(Fraction(float(product(a, -b, c))) + exact)
                assert error <= exact * Fraction(float(info.eps)) + Fraction(float(info.smallest_subnormal)), (a, b, c)
    assert np.isnan(product(1.0, np.nan, np.inf))
    _, by_x = fa.exponential.backward_backward(1e-250, 1e250, 600.0)
    assert by_x == pytest.approx(np.exp(600.0))


def test_masked_subclasses_and_variants():
    masked = np.ma.array([1.0, 2.0, 3.0], mask=[False, True, False])
    for r in fa.gelu.backward_backward(1.0, 1.0, masked):
        assert r.mask.tolist() == [False, True, False]
    plain = fa.gelu.backward_backward(1.0, 1.0, np.array([1.0, 3.0]), approximate="tanh")
    for got, want in zip(plain, fa.gelu_tanh.backward_backward(1.0, 1.0, np.array([1.0, 3.0])), strict=True):
        assert_same_bits(got, want)
    assert_same_bits(fa.gelu.second_derivative([1.0], approximate="tanh"), fa.gelu_tanh.second_derivative([1.0]))


def test_errors():
    x = np.ones(3)
    title = r"fastact\.gelu\.backward_backward: "
    call = fa.gelu.backward_backward
    for wrong, error, message in (
        (lambda: call(x, x, x.astype(complex)), TypeError, "x has dtype complex128; expected float16"),
        (lambda: call(x, np.ones(2), x), ValueError, r"shapes do not broadcast: grad_grad \(3,\), grad \(2,\), x \(3,\)"),
        (lambda: call(x, x, x, out=x), TypeError, "out is ndarray; expected a tuple of two arrays"),
        (lambda: call(x, x, x, out=(x, np.ones(2))), ValueError, r"out has shape \(2,\); expected \(3,\)"),
        (lambda: call(x, x, x, beta=1), TypeError, "unexpected keyword 'beta'"),
        (lambda: call(x, x, x, device="tpu"), ValueError, "device is 'tpu'; expected 'cpu' or 'cuda'"),
    ):
        with pytest.raises(error, match=title + message):
            wrong()
    assert x.tolist() == [1, 1, 1], "nothing is written where an argument is refused"


def test_without_a_second_derivative():
    """A formula need not have one; then there is no such kind."""
    spec = REGISTRY["gelu"]
    assert "second_derivative" in kinds(spec)
    bare = Spec(**{**{f: getattr(spec, f) for f in Spec.__dataclass_fields__}, "second": type(spec.second)()})
    assert "second_derivative" not in kinds(bare)


def test_numba():
    numba = pytest.importorskip("numba")
    x = numbers(60, np.float64)

    @numba.njit
    def bends(x, y):
        for i in range(x.size):
            y[i] = fa.gelu.second_derivative(x[i]) - fa.relu.second_derivative(x[i]) + fa.elu.second_derivative(x[i], alpha=0.5)
        return y

    want = fa.gelu.second_derivative(x) - fa.relu.second_derivative(x) + fa.elu.second_derivative(x, 0.5)
    np.testing.assert_allclose(bends(x, np.empty_like(x)), want, rtol=1e-15, atol=0)
