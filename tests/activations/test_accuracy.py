"""Every activation against the mpmath reference, within the contract of ../contract.py."""

import math

import numpy as np
import pytest
from contract import SAMPLES, absolute, bound, check, inputs, measure
from helpers import DTYPES, NAMES, WITH_OUTPUT, WITH_PARAMS, assert_same_bits, parameter_sets
from mpmath import mpf
from reference import REFERENCE, rounded

import fastact as fa
from fastact.language.registry import REGISTRY

FEW_OR_MANY = [160, pytest.param(SAMPLES, marks=pytest.mark.release)]  # how many samples
THIRD_OR_ALL = [3, pytest.param(1, marks=pytest.mark.release)]  # every how many-th of a sample
ROOTS = [name for name in NAMES if REGISTRY[name].slope_root]


@pytest.mark.parametrize("name", ROOTS)
def test_roots_are_roots(name):
    root = REGISTRY[name].root()
    slope, r, step = REFERENCE[name].derivative, mpf(root), mpf("1e-14")
    assert slope(r - step) * slope(r + step) < 0
    assert all(rounded(slope(mpf(float(v))), np.float64) for v in np.nextafter(root, [-9, root, 9]))


@pytest.mark.parametrize(("n", "step"), [(240, 2), pytest.param(SAMPLES, 1, marks=pytest.mark.release)])
@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("name", NAMES)
def test_default_parameters(name, dtype, n, step):
    params = parameter_sets(name)[0]
    x = inputs(name, dtype, params, n)
    for i, kind in enumerate(("value", "derivative")):
        check(name, kind, dtype, params, x[i % step :: step])


@pytest.mark.parametrize("step", THIRD_OR_ALL)
@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("name", WITH_PARAMS)
def test_other_parameters(name, dtype, step):
    for choice, params in enumerate(parameter_sets(name)[1:]):
        x = inputs(name, dtype, params, 150)[choice % step :: step]
        for kind in ("value", "derivative"):
            check(name, kind, dtype, params, x)


@pytest.mark.parametrize("step", THIRD_OR_ALL)
@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("name", WITH_PARAMS)
def test_partials(name, dtype, step):
    for choice, params in enumerate(parameter_sets(name)):
        x = inputs(name, dtype, params, 150)[choice % step :: step]
        for i in range(len(params)):
            check(name, f"partial{i}", dtype, params, x)


def determined(name, y, params, dtype):
    """Whether half an ULP of y moves the derivative by no more than a few ULP, or y is an exact limit."""
    form, half = REFERENCE[name].from_output, mpf(2) ** -(np.finfo(dtype).nmant + 1)
    at = form(mpf(y), *params)
    moved = [form(mpf(y) * (1 + s * half), *params) for s in (-1, 1)]
    return at == 0 or all(abs(m - at) <= 4 * half * abs(at) for m in moved)


@pytest.mark.parametrize("n", FEW_OR_MANY)
@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("name", WITH_OUTPUT)
def test_from_output(name, dtype, n):
    for params in parameter_sets(name)[:2]:
        params = tuple(float(dtype(p)) for p in params)
        y = np.unique(getattr(fa, name)(inputs(name, dtype, params, 300), *params))
        y = y[np.isfinite(y)]
        y = y[:: max(1, y.size // n)]
        y = y[[determined(name, float(v), params, dtype) for v in y]]
        assert y.size > 20
        check(name, "from_output", dtype, params, y)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("name", NAMES)
def test_monotonic_and_in_range(name, dtype):
    """What the metadata say of the default function holds for the computed values, up to the bound."""
    spec = REGISTRY[name]
    x = np.sort(inputs(name, dtype, parameter_sets(name)[0], 150))
    y = getattr(fa, name)(x)
    scope = {"inf": math.inf, "pi": math.pi, "sqrt": math.sqrt, **spec.params}
    low, high = (eval(end, {}, scope) for end in spec.range)
    slack = 0.001 * max([abs(v) for v in (low, high) if math.isfinite(v)], default=0.0)
    assert np.nanmin(y) >= low - slack
    assert np.nanmax(y) <= high + slack
    if spec.monotonic:
        y = y[np.abs(y) < np.finfo(dtype).max / 2]
        with np.errstate(over="ignore"):
            fall = (y[:-1] - y[1:]) / np.spacing(np.abs(y[:-1]))
        assert fall.max() <= 2 * bound(name, "value", dtype)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("name", NAMES)
def test_both_in_one_pass(name, dtype):
    """value_and_derivative gives the bits of the two calls; backward is grad times derivative."""
    for params in parameter_sets(name):
        x = np.concatenate([inputs(name, dtype, params, 150), np.array([np.inf, -np.inf, np.nan], dtype)])
        value, derivative = getattr(fa, name).value_and_derivative(x, *params)
        assert_same_bits(value, getattr(fa, name)(x, *params), "value")
        assert_same_bits(derivative, getattr(fa, name).derivative(x, *params), "derivative")
        grad = np.random.default_rng(5).normal(size=x.size).astype(dtype)
        with np.errstate(all="ignore"):
            want = grad * derivative
        assert_same_bits(getattr(fa, name).backward(grad, x, *params), want, "backward")


def test_measure_sees_errors():
    x = np.array([-0.75, 1.0, 40.0], np.float64)
    error, got, _ = measure("gelu", "derivative", np.float64, (), x)
    assert error.max() < 4
    assert absolute("gelu", "derivative", (), x).tolist() == [True, False, False]
    assert [bound("tanh", "value", dtype) for dtype in (np.float32, np.float64)] == [4, 2]
    assert np.isfinite(got).all()
