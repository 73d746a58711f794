"""What happens at and near the ends of the number line: NaN, infinities, zeros, subnormals, warnings."""

import math
import warnings

import numpy as np
import pytest
from helpers import (
    DTYPES,
    FLOATS,
    NAMES,
    WITH_PARAMS,
    arrays,
    assert_same_bits,
    every_kind,
    function,
    parameter_sets,
    results,
)
from reference import evaluate

import fastact as fa

INF = np.inf
KEEPS_ZERO_SIGN = {  # odd functions, and x times a positive gate
    "identity", "sign", "tanh", "arctan", "softsign", "isru", "isrlu", "silu", "gelu", "gelu_tanh", "quick_gelu", "mish", "serf",
    "telu", "dish", "leaky_relu", "prelu", "elu", "selu", "celu", "hard_swish", "elish", "hard_elish", "hard_tanh",
    "softcap", "scaled_tanh", "pelu",
}  # fmt: skip
NEGATIVE_ZERO_AT_MINUS_INFINITY = ["silu", "mish", "gelu", "hard_swish"]

RIGHT_VALUES = [  # name, kind, dtype, x, value, digits that count
    ("gelu", "value", "fd", -5.5, -1.04442593562e-7, 6e-12),
    ("gelu", "value", "fd", -6, -5.91952587e-9, 1e-9),
    ("gelu", "value", "fd", -8, -4.97676846e-15, 1e-9),
    ("gelu", "value", "fd", -10, -7.61985302e-23, 1e-9),
    ("gelu", "value", "fd", -13, -7.95231372e-38, 1e-9),
    ("gelu", "value", "d", -20, -5.50724823721e-88, 1e-11),
    ("gelu", "value", "d", -38, -1.09646e-314, 1e-5),
    ("gelu", "derivative", "fd", -6, -3.54687095e-8, 1e-8),
    ("gelu", "derivative", "fd", -10, -7.61840010e-22, 1e-8),
    ("gelu_tanh", "value", "fd", -6, -8.43964670e-11, 1e-8),
    ("gelu_tanh", "value", "fd", -10, -1.20409235e-37, 1e-8),
    ("silu", "value", "fd", -90, -7.37461136e-38, 1e-8),
    ("silu", "derivative", "d", -709, -8.61480771441e-306, 1e-11),
    ("sigmoid", "value", "f", -100, 3.78e-44, 2e-3),
    ("sigmoid", "derivative", "fd", 20, 2.06115361e-9, 1e-8),
    ("sigmoid", "derivative", "fd", 40, 4.24835426e-18, 1e-8),
    ("tanh", "derivative", "fd", 10, 8.24461446e-9, 1e-8),
    ("tanh", "derivative", "fd", 20, 1.69934170e-17, 1e-8),
    ("log_sigmoid", "value", "f", 88, -6.0546e-39, 1e-4),
    ("elu", "value", "d", -1e-8, -9.99999995e-9, 1e-10),
    ("tanh_shrink", "value", "d", 1e-3, 3.333332e-10, 1e-6),
    ("squareplus", "value", "fd", -1e4, 9.9999999e-5, 2e-8),
]


def ends(spec_strings, name, dtype, params):
    """The numbers that the strings of Spec.limits or Spec.slopes stand for."""
    scope = {"inf": INF, "nan": math.nan, "pi": math.pi, "sqrt": math.sqrt}
    scope |= {p: float(dtype(v)) for p, v in zip(fa.get(name).params, params, strict=True)}
    return np.array([eval(s, {}, scope) for s in spec_strings], dtype)


def partials(name, x):
    """The partial derivatives of each element, by name."""
    activation = getattr(fa, name)
    each = {p: np.full_like(x, v) for p, v in activation.params.items()}
    return activation.parameter_gradients(np.ones_like(x), x, **each)


def check_nan(name, kind, dtype):
    """NaN in gives NaN out and nothing else becomes NaN, for every length of the tail and position in it."""
    call = function(name, kind)
    for n in range(1, 41):
        x = np.full(n, np.nan, dtype)
        for sign in (1.0, -1.0):
            x = np.copysign(x, dtype(sign))
            assert all(np.isnan(r).all() for r in results(call(*[x] * len(arrays(name, kind, x))))), (dtype, n)
    ones = np.ones(4, dtype)
    clean = results(call(*arrays(name, kind, ones)))
    assert not any(np.isnan(r).any() for r in clean), dtype
    for n in (1, 2, 3, 7, 15, 16, 17, 31, 40, 1037):
        for at in {0, n // 2, n - 1}:
            for which in range(len(arrays(name, kind, ones))):
                given = [a.copy() for a in arrays(name, kind, np.ones(n, dtype))]
                given[which][at] = np.nan
                for r in results(call(*given)):
                    assert np.flatnonzero(np.isnan(r)).tolist() == [at], (dtype, n, which)


@every_kind
def test_nan(name, kind):
    for dtype in DTYPES:
        check_nan(name, kind, dtype)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("name", WITH_PARAMS)
def test_nan_partials(name, dtype):
    for n in (1, 5, 16, 37):
        x = np.ones(n, dtype)
        x[n // 2] = np.nan
        for gradient in partials(name, x).values():
            assert np.flatnonzero(np.isnan(gradient)).tolist() == [n // 2]


@pytest.mark.parametrize("dtype", [np.float16, *DTYPES])
@pytest.mark.parametrize("name", NAMES)
def test_limits(name, dtype):
    """The values and slopes at the infinities that the metadata state, with every set of parameters."""
    activation, x = getattr(fa, name), np.array([-INF, INF], dtype)
    for params in parameter_sets(name):
        work = np.float32 if dtype == np.float16 else dtype
        limits = ends(activation.limits, name, work, params).astype(dtype)
        slopes = ends(activation.slopes, name, work, params).astype(dtype)
        for size in (2, 34):
            value, derivative = activation.value_and_derivative(np.tile(x, size // 2), *params)
            for got, want in ((value, limits), (derivative, slopes)):
                np.testing.assert_allclose(got, np.tile(want, size // 2), rtol=4 * np.finfo(dtype).eps, atol=0)
            if limits[0] == 0:  # at +inf either zero will do
                assert np.all(np.signbit(value[::2]) == np.signbit(limits[0]))


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("name", NAMES)
def test_limits_agree_with_the_reference(name, dtype):
    x = np.array([-INF, INF], dtype)
    for params in parameter_sets(name):
        for kind in ("value", "derivative"):
            got, (want, _) = function(name, kind)(x, *params), evaluate(name, kind, x, params, dtype)
            np.testing.assert_allclose(got, want, rtol=4 * np.finfo(dtype).eps, atol=0)


@pytest.mark.parametrize("name", WITH_PARAMS)
def test_limits_of_partials(name):
    x = np.array([-INF, INF])
    for i, got in enumerate(partials(name, x).values()):
        np.testing.assert_allclose(got, evaluate(name, f"partial{i}", x)[0], rtol=1e-15, atol=0)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("name", NEGATIVE_ZERO_AT_MINUS_INFINITY)
def test_gates_at_infinity(name, dtype):
    value, derivative = getattr(fa, name).value_and_derivative(np.array([-INF, INF], dtype))
    assert value.tolist() == [0, INF]
    assert np.signbit(value).tolist() == [True, False]
    assert derivative.tolist() == [0, 1]


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("name", NAMES)
def test_signed_zeros(name, dtype):
    value = getattr(fa, name)(np.array([0.0, -0.0], dtype))
    assert value[0] == value[1]
    if value[0] == 0:
        assert not np.signbit(value[0])
        if name in KEEPS_ZERO_SIGN:
            assert np.signbit(value[1])
    if name in ("relu", "relu6", "squared_relu"):
        assert not np.signbit(value[1])


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("length", [3, 40])
def test_subnormals(dtype, length, threads):
    """Subnormals go in and come out, on every thread of a team too."""
    tiny = np.finfo(dtype).smallest_subnormal
    x = np.full(length, 5 * tiny, dtype)
    for name in ("identity", "relu", "tanh", "arctan", "softsign", "selu", "elu", "celu", "soft_shrink", "isru"):
        got = getattr(fa, name)(x, 0.0) if name == "soft_shrink" else getattr(fa, name)(x)
        assert np.all(got == x), name
    low = -100.0 if dtype == np.float32 else -740.0
    threads(3)
    for n in (length, 300_000):
        for name in ("sigmoid", "softplus", "exponential"):
            got = getattr(fa, name)(np.full(n, low, dtype))
            want = evaluate(name, "value", [low], dtype=dtype)[0]
            assert np.all(np.abs(got - want) <= tiny), name
            assert 0 < got.min() < np.finfo(dtype).tiny


@pytest.mark.parametrize(("name", "kind", "dtypes", "x", "value", "digits"), RIGHT_VALUES)
def test_right_values(name, kind, dtypes, x, value, digits):
    for letter in dtypes:
        dtype = FLOATS[letter]
        got = float(function(name, kind)(np.full(3, x, dtype))[1])
        relative = max(digits, float(4 * np.finfo(dtype).eps))
        if dtype == np.float32 and abs(value) < np.finfo(np.float32).tiny:
            relative = max(relative, float(np.finfo(np.float32).smallest_subnormal) / abs(value))
        assert got == pytest.approx(value, rel=relative, abs=0)


@pytest.mark.parametrize("dtype", DTYPES)
def test_scales_that_undo_each_other(dtype):
    """What is divided by a parameter before it is multiplied by another may be subnormal where the value is not."""
    x = np.array([3, -7, 1e3], dtype) * np.finfo(dtype).smallest_subnormal
    for size in (1e3, 1e12, 1e30):
        np.testing.assert_allclose(fa.softcap(x, size), x, rtol=0)
        np.testing.assert_allclose(fa.pelu(x, size, size), x, rtol=0)
        np.testing.assert_allclose(fa.scaled_tanh(x, 2.0**50, 2.0**-50), x, rtol=0)


def test_laplace_fits_squared_relu():
    x = np.sqrt(0.5)
    assert fa.laplace(x) == pytest.approx(fa.squared_relu(x), rel=1e-15)
    assert fa.laplace.derivative(x) == pytest.approx(fa.squared_relu.derivative(x), rel=1e-15)


def test_tails_without_cancellation():
    assert fa.softplus(20.1) - 20.1 == pytest.approx(1.86500892e-9, rel=1e-5)
    assert fa.hard_swish(np.float32(1e38)) == np.float32(1e38)
    assert fa.softsign(np.array([-INF, INF])).tolist() == [-1, 1]
    assert fa.elu.derivative(np.array([np.nan])).tolist() != [1]


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("name", NAMES)
def test_no_spurious_overflow(name, dtype):
    """Finite results of large and tiny arguments are finite, and infinite ones infinite."""
    info = np.finfo(dtype)
    sizes = [float(info.max) ** p for p in (0.2, 0.3, 0.45, 0.5, 0.55, 0.7, 0.9)] + [float(info.max), float(info.max) / 3]
    x = np.array([s * v for v in sizes for s in (1, -1)], dtype)
    x = np.concatenate([x, 1 / x])
    for params in parameter_sets(name):
        for kind in ("value", "derivative"):
            got, (want, _) = function(name, kind)(x, *params), evaluate(name, kind, x, params, dtype)
            assert np.array_equal(np.isfinite(got), np.isfinite(want)), (kind, params, x[np.isfinite(got) != np.isfinite(want)])


def awkward(dtype):
    """Inputs that would raise every floating-point flag in a careless formula."""
    info = np.finfo(dtype)
    each = [0.0, 1.0, 3.0, 88.0, 103.0, 700.0, 745.0, INF, np.nan]
    each += [info.eps, info.tiny, info.smallest_subnormal, info.max, info.max / 2, float(info.max) ** 0.5]
    with np.errstate(all="ignore"):
        return np.array([s * v for v in each for s in (1, -1)] + [0.5], dtype)


@every_kind
def test_no_floating_point_warning(name, kind):
    call = function(name, kind)
    for dtype in (np.float16, *DTYPES):
        x = awkward(dtype)
        given = arrays(name, kind, x)
        with np.errstate(all="raise"), warnings.catch_warnings():
            warnings.simplefilter("error")
            plain = results(call(*given))
            strided = results(call(*[np.repeat(a, 2)[::2] for a in given]))
            scalars = [results(call(*[a[i] for a in given])) for i in range(x.size)]
            call(*[np.repeat(a, 2)[::2].reshape(1, -1) for a in given], *parameter_sets(name)[-1])
        for j, r in enumerate(plain):
            assert_same_bits(strided[j], r, f"{dtype.__name__}, strided")
            assert_same_bits(np.array([s[j] for s in scalars]), r, f"{dtype.__name__}, scalars")


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("name", WITH_PARAMS)
def test_no_floating_point_warning_from_parameter_gradients(name, dtype):
    activation = getattr(fa, name)
    with np.errstate(all="raise"):
        partials(name, awkward(dtype))
        for x in ([np.nan, 1.0, -3.0], [INF, 0.0, -0.0, 0.5], [-INF, 2.0], [-np.nan] * 33):
            activation.parameter_gradients(np.ones(len(x), dtype), np.array(x, dtype))


def test_flags_of_the_caller_are_left_alone():
    """A kernel's own flags do not show up in the next NumPy operation."""
    x = awkward(np.float32)
    with np.errstate(all="raise"):
        fa.gelu(x)
        fa.gelu(x[::2])
        assert (np.float32(1) / np.array([3.0], np.float32))[0] < 1
