"""Second derivatives against mpmath: within 8 ULP, near their roots of what `Spec.second_least` says; ends, kinks, NaN."""

import numpy as np
import pytest
from contract import switch_points
from helpers import DTYPES, NAMES, assert_same_bits, parameter_sets
from mpmath import mp, mpf
from reference import REFERENCE, evaluate, samples, ulp_error

import fastact as fa
from fastact.cpu.levels import LEVEL
from fastact.language.registry import REGISTRY

BOUND = 10.0 if LEVEL == "x86-64" else 8.0
FLAT = {
    "identity", "step", "sign", "relu", "relu6", "leaky_relu", "prelu", "threshold", "thresholded_relu", "reflu", "srelu",
    "hard_tanh", "hard_sigmoid", "sparse_sigmoid", "soft_shrink", "hard_shrink", "shrink",
}  # fmt: skip
SPREAD = [7, pytest.param(1, marks=pytest.mark.release)]  # every how many-th of a sample


def errors(name, dtype, params, x):
    """Errors in ULP, of what the bound counts as at least."""
    got = getattr(fa, name).second_derivative(x, *params)
    assert got.dtype == dtype
    want, exact = evaluate(name, "second_derivative", x, params, dtype)
    error = ulp_error(got, exact, dtype)
    with np.errstate(over="ignore"):
        least = np.broadcast_to(REGISTRY[name].least(x, *params), x.shape).astype(dtype)
    for i in np.flatnonzero((least > 0) & np.isfinite(got)):
        error[i] = float(abs(mpf(float(got[i])) - exact[i]) / mpf(float(np.spacing(max(abs(want[i]), least[i])))))
    return error, got, want


def inputs(name, dtype, params, n):
    """Every binade, plain ranges, neighbourhoods of kinks, of 0 and of where roots and switch-overs are."""
    rng = np.random.default_rng(sum(map(ord, name)))
    x = np.concatenate([samples(dtype, n, rng, [*switch_points(name, params), 1.4, -2.1]), rng.uniform(-6, 6, n)]).astype(dtype)
    if name == "snake":  # farther out the phase is that of the rounded product a x
        x = x[np.abs(x) < (2.0**33 if dtype == np.float32 else 2.0**62) / params[0]]
    return rng.permutation(x)


@pytest.mark.parametrize("step", SPREAD)
@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("name", [n for n in NAMES if n not in FLAT])
def test_within_the_bound(name, dtype, step):
    for params in parameter_sets(name):
        x = inputs(name, dtype, params, 200)[:: step if params == parameter_sets(name)[0] else 4 * step]
        error, got, want = errors(name, dtype, params, x)
        i = int(np.argmax(error))
        assert error[i] <= BOUND, f"{params}: {error[i]:.4g} ULP at {x[i]!r}: got {got[i]!r}, want {want[i]!r}"


def test_a_wrong_one_is_seen():
    x = np.linspace(-3, 3, 50)
    want, exact = evaluate("gelu", "second_derivative", x)
    assert ulp_error(want * (1 + 1e-14), exact, np.float64).max() > BOUND
    assert REGISTRY["silu"].least(np.array([2.4, 5.0, 9.6]), 0.25).tolist() == [0.0, 0.0, 0.25 / 16]


@pytest.mark.parametrize("name", NAMES)
def test_reference_is_the_slope_of_the_derivative(name):
    """The formulas of the reference itself, against differences of the first derivative with 60 digits more."""
    slope, bend = REFERENCE[name].derivative, REFERENCE[name].second_derivative
    for params in parameter_sets(name)[:2]:
        given = [mpf(p) for p in params]
        for v in (-3.3, -0.7, 0.3, 0.61, 2.2):
            x, h = mpf(abs(v) if name == "log1mexp" else v), mpf(2) ** -100
            with mp.workprec(600):
                difference = (slope(x + h, *given) - slope(x - h, *given)) / (2 * h)
            assert abs(difference - bend(x, *given)) <= mpf(2) ** -90 * max(1, abs(difference)), (v, params)


@pytest.mark.parametrize("name", NAMES)
def test_ends_and_nan(name):
    for dtype in DTYPES:
        for params in parameter_sets(name)[:2]:
            x = np.array([np.nan, -np.nan, np.inf, -np.inf, 0.0, -0.0, np.finfo(dtype).max, -np.finfo(dtype).max] * 3, dtype)
            got = getattr(fa, name).second_derivative(x, *params)
            want, _ = evaluate(name, "second_derivative", x, params, dtype)
            if name == "snake":
                x, got, want = x[:6], got[:6], want[:6]
            np.testing.assert_array_equal(np.isnan(got), np.isnan(want), err_msg=str(params))
            with np.errstate(over="ignore"):
                np.testing.assert_allclose(got, want, rtol=8 * np.finfo(dtype).eps, atol=0)
            for n in (1, 5, 16, 33):
                one = np.ones(n, dtype)
                one[n // 2] = np.nan
                found = np.flatnonzero(np.isnan(getattr(fa, name).second_derivative(one, *params)))
                assert found.tolist() == [n // 2]


KINKS = [  # name, x, below, at, above
    ("elu", 0.0, 1.0, 1.0, 0.0), ("celu", 0.0, 1.0, 1.0, 0.0), ("pelu", 0.0, 1.0, 1.0, 0.0), ("softsign", 0.0, 2.0, 0.0, -2.0),
    ("squared_relu", 0.0, 0.0, 0.0, 2.0), ("sparse_plus", -1.0, 0.0, 0.0, 0.5), ("sparse_plus", 1.0, 0.5, 0.0, 0.0),
    ("smelu", -1.0, 0.0, 0.0, 0.5), ("hard_swish", 3.0, 1 / 3, 0.0, 0.0), ("elish", 0.0, 1.0, 0.5, 0.5),
    ("hard_elish", 0.0, 1.5, 1.0, 1.0), ("xielu", 0.0, 0.0, 0.0, 1.6), ("xielu", -1e-6, 0.8, 0.8, 0.0),
]  # fmt: skip


@pytest.mark.parametrize(("name", "x", "below", "at", "above"), KINKS)
def test_at_a_kink_it_is_that_of_the_side_that_is_taken(name, x, below, at, above):
    near = [np.nextafter(x, -np.inf), x, np.nextafter(x, np.inf)]
    np.testing.assert_allclose(getattr(fa, name).second_derivative(near), [below, at, above], rtol=1e-5)


@pytest.mark.parametrize("name", sorted(FLAT))
def test_flat(name):
    params = parameter_sets(name)[-1]
    x = np.array([-7.0, -1.0, -0.5, -0.0, 0.0, 0.5, 1.0, 6.0, 1e30, np.inf, np.nan])
    for data in (x, x.astype(np.float32), np.array([0.5, 2.0, np.nan], np.float16)):
        assert_same_bits(getattr(fa, name).second_derivative(data, *params), np.where(np.isnan(data), data, 0).astype(data.dtype))
