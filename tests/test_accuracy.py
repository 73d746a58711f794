"""Every activation against the mpmath reference, in units in the last place.

Values keep within 2 ULP (4 where two transcendental functions meet), derivatives within 4. Near the
roots of derivatives (`Spec.slope_root`) the bound is absolute: there errors count in ULP of max(|exact|, 1/4), so that they are
at most 2^-23 in float32 and 2^-52 in float64.
"""

import ast
import math

import numpy as np
import pytest
from conftest import DTYPES, NAMES, WITH_OUTPUT, WITH_PARAMS, assert_same_bits, function, parameter_sets
from mpmath import mpf
from reference import REFERENCE, evaluate, rounded, samples, ulp_error

import fastact as fa
from fastact._grammar import tree_of
from fastact._spec import REGISTRY

PARTIAL_BOUND = 8.0
SAMPLES = 600

ROOTS = [name for name in NAMES if REGISTRY[name].slope_root]


def bound(name, kind):
    """The contract for one kind, in ULP."""
    if kind == "value":
        return REGISTRY[name].bound
    return PARTIAL_BOUND if kind.startswith("partial") else 4.0


def absolute(name, kind, params, x):
    """Where among x the bound is absolute."""
    where = REGISTRY[name].absolute(x, *params) if kind == "derivative" or (name, kind) == ("snake", "partial0") else None
    return np.zeros(x.shape, bool) if where is None else where


def switch_points(name, params):
    """Kinks, roots, and the numbers with which the formula compares something, of both signs."""
    spec = REGISTRY[name]
    scope = dict(zip(spec.params, params, strict=True))
    points = [eval(str(kink).partition(" unless ")[0], {}, scope) for kink in spec.kinks]
    root = spec.root(*params)
    points += [] if root is None else [root]
    for node in ast.walk(tree_of(spec.formula)):
        if isinstance(node, ast.Compare):
            constants = [c.value for c in ast.walk(node) if isinstance(c, ast.Constant)]
            points += [s * c for c in constants for s in (1, -1) if 1e-3 < c < 1e30]
    return sorted(set(points))


def compute(name, kind, x, params):
    """What the package gives for a kind of the reference, element by element."""
    activation = getattr(fa, name)
    if kind == "from_output":
        return activation.backward_from_output(np.ones_like(x), x, *params)
    if kind.startswith("partial"):
        each = {p: np.full_like(x, v) for p, v in zip(activation.params, params, strict=True)}
        gradients = activation.parameter_gradients(np.ones_like(x), x, **each)
        return gradients[list(activation.params)[int(kind[7:])]]
    return function(name, kind)(x, *params)


def measure(name, kind, dtype, params, x):
    """(errors in ULP, absolute ones where those count; got; wanted) over x."""
    got = compute(name, kind, x, params)
    assert got.dtype == dtype
    want, exact = evaluate(name, kind, x, params, dtype)
    error = ulp_error(got, exact, dtype)
    # The terms of snake's partial derivative that cancel are of the size of 1/a^2.
    least = dtype(0.25 / params[0] ** 2 if name == "snake" and kind == "partial0" else 0.25)
    for i in np.flatnonzero(absolute(name, kind, params, x) & np.isfinite(got) & np.isfinite(want)):
        unit = np.spacing(max(abs(want[i]), least))
        error[i] = float(abs(mpf(float(got[i])) - exact[i]) / mpf(float(unit)))
    return error, got, want


def check(name, kind, dtype, params, x):
    """Assert the contract, naming the worst input."""
    error, got, want = measure(name, kind, dtype, params, x)
    i = int(np.argmax(error))
    witness = f"at x = {float(x[i]).hex()} = {x[i]!r}: got {got[i]!r}, want {want[i]!r}"
    missed = np.count_nonzero(error > bound(name, kind))
    assert error[i] <= bound(name, kind), f"{name}{params} {kind}: {error[i]:.4g} ULP {witness}; {missed} of {x.size} miss"


def inputs(name, dtype, params, n=SAMPLES):
    """Samples over all binades, plain ranges, and neighbourhoods of the switch-over points."""
    rng = np.random.default_rng(sum(map(ord, name)))
    info = np.finfo(dtype)
    huge = np.array([m * info.max**p for p in (0.1, 0.25, 0.5, 0.75, 0.9, 1.0) for m in (-1.0, 1.0, 0.71)], dtype)
    least = np.array([m * s * info.smallest_subnormal for m in (1, 2, 3, 1001) for s in (-1, 1)], dtype)
    x = np.concatenate([samples(dtype, n, rng, switch_points(name, params)), huge, least])
    if name == "snake" and params[0] != 1.0:  # farther out the phase is that of the rounded product a x, by contract
        x = x[np.abs(x) < (2.0**33 if dtype == np.float32 else 2.0**62) / params[0]]
    return x


@pytest.mark.parametrize("name", ROOTS)
def test_roots_are_roots(name):
    root = REGISTRY[name].root()
    slope, r, step = REFERENCE[name].derivative, mpf(root), mpf("1e-14")
    assert slope(r - step) * slope(r + step) < 0
    assert all(rounded(slope(mpf(float(v))), np.float64) for v in np.nextafter(root, [-9, root, 9]))


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("kind", ["value", "derivative"])
@pytest.mark.parametrize("name", NAMES)
def test_default_parameters(name, kind, dtype):
    params = parameter_sets(name)[0]
    check(name, kind, dtype, params, inputs(name, dtype, params))


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("choice", [1, 2, 3])
@pytest.mark.parametrize("kind", ["value", "derivative"])
@pytest.mark.parametrize("name", WITH_PARAMS)
def test_other_parameters(name, kind, choice, dtype):
    params = parameter_sets(name)[choice]
    check(name, kind, dtype, params, inputs(name, dtype, params, 150))


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("choice", [0, 1, 2, 3])
@pytest.mark.parametrize("name", WITH_PARAMS)
def test_partials(name, choice, dtype):
    params = parameter_sets(name)[choice]
    x = inputs(name, dtype, params, 150)
    for i in range(len(params)):
        check(name, f"partial{i}", dtype, params, x)


def determined(name, y, params, dtype):
    """Whether half an ULP of y moves the derivative by no more than a few ULP, or y is an exact limit."""
    form, half = REFERENCE[name].from_output, mpf(2) ** -(np.finfo(dtype).nmant + 1)
    at = form(mpf(y), *params)
    moved = [form(mpf(y) * (1 + s * half), *params) for s in (-1, 1)]
    return at == 0 or all(abs(m - at) <= 4 * half * abs(at) for m in moved)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("name", WITH_OUTPUT)
def test_from_output(name, dtype):
    for params in parameter_sets(name)[:2]:
        params = tuple(float(dtype(p)) for p in params)
        y = np.unique(getattr(fa, name)(inputs(name, dtype, params, 300), *params))
        y = y[np.isfinite(y)]
        y = y[:: max(1, y.size // 600)]
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
        assert fall.max() <= 2 * bound(name, "value")
    if spec.zero_centred:
        assert getattr(fa, name)(dtype(0)) == 0


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
    assert bound("relu", "value") == 2
    assert np.isfinite(got).all()
