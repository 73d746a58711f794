"""Parameters at the ends of what they can be: 0, negative, tiny, huge, infinite, NaN."""

import math

import numpy as np
import pytest
from contract import absolute, bound
from helpers import DTYPES, WITH_PARAMS, function
from reference import evaluate, ulp_error

import fastact as fa
from fastact.language.registry import REGISTRY

X = [-90.0, -50.0, -2.5, -0.7, -1e-3, -0.0, 0.0, 1e-3, 0.7, 2.5, 50.0, 90.0]
SIZES = [0.0, -1.0, -0.3, 1e-30, -1e-30, 1e-8, 1e8, 1e30, -1e30]

POSITIVE = {("celu", "alpha"), ("smelu", "beta"), ("pelu", "b")}
NOT_NEGATIVE = {("isru", "alpha"), ("isrlu", "alpha"), ("squareplus", "b")}
NOT_ZERO = {("softplus", "beta"), ("snake", "a"), ("softcap", "cap"), ("laplace", "sigma"), *POSITIVE}
# The phase of snake is that of a x rounded once |a x| is beyond 2^33 (2^62).
LEAST_ABSOLUTE = {("snake", "a"): 1e7}

COMPARED = {  # parameters that the value is not computed from
    ("step", "threshold"), ("threshold", "threshold"), ("thresholded_relu", "alpha"), ("hard_tanh", "min_val"),
    ("hard_tanh", "max_val"), ("hard_shrink", "lambd"), ("soft_shrink", "lambd"), ("shrink", "lambd"),
}  # fmt: skip

CASES = [(name, param) for name in WITH_PARAMS for param in REGISTRY[name].params]


def allowed(case, value):
    """Whether the formula has a meaning there."""
    if value == 0:
        return case not in NOT_ZERO and case != ("squareplus", "b")  # a kink at 0
    return (value > 0 or case not in POSITIVE | NOT_NEGATIVE) and abs(value) <= LEAST_ABSOLUTE.get(case, math.inf)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize(("name", "param"), CASES)
def test_sizes(name, param, dtype):
    x = np.array(X, dtype)
    for value in SIZES:
        if not allowed((name, param), value):
            continue
        params = tuple(float(dtype(p)) for p in {**REGISTRY[name].params, param: value}.values())
        for kind in ("value", "derivative"):
            with np.errstate(all="ignore"):
                got = function(name, kind)(x, *params)
            want, exact = evaluate(name, kind, x, params, dtype)
            error = ulp_error(got, exact, dtype)
            if params[0] != 0:
                near = absolute(name, kind, params, x) & np.isfinite(want)
                error[near] = np.abs(got - want)[near] / np.spacing(np.maximum(np.abs(want), dtype(0.25)))[near]
            i = int(error.argmax())
            where = f"{name} {kind}, {param} = {value}: at {x[i]} got {got[i]}, want {want[i]}"
            assert error[i] <= bound(name, kind, dtype), where


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize(("name", "param"), CASES)
def test_nan(name, param, dtype):
    """NaN where the value depends on the parameter."""
    x = np.array(X, dtype)
    with np.errstate(all="ignore"):
        got = fa.get(name)(x, **{param: math.nan})
        others = [fa.get(name)(x, **{param: v}) for v in (0.3, 0.9, 7.0)]
    if (name, param) in COMPARED:
        return
    depends = (others[0] != others[1]) | (others[1] != others[2])
    assert np.isnan(got[depends]).all(), (x[depends], got[depends])


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize(("name", "param"), CASES)
def test_infinite(name, param, dtype):
    """No trap, no hang, no warning; the same in the SIMD body and its remainder, alone and in an array of parameters."""
    x = np.array(X * 3, dtype)
    for value in (math.inf, -math.inf):
        body = fa.get(name)(x, **{param: value})
        np.testing.assert_array_equal(fa.get(name)(x[:5], **{param: value}), body[:5])
        np.testing.assert_array_equal(fa.get(name)(x, **{param: np.full(x.shape, value, dtype)}), body)
