"""Errors against the mpmath reference, in units in the last place, and the contract that they keep.

Values keep within 2 ULP (4 where the registry says so, by dtype), derivatives within 4. Near the
roots of derivatives (`Spec.slope_root`) the bound is absolute: there errors count in ULP of max(|exact|, 1/4), so that they are
at most 2^-23 in float32 and 2^-52 in float64. `Spec.value_absolute` says where that holds for a value.
"""

import ast

import numpy as np
from helpers import function
from mpmath import mpf
from reference import evaluate, samples, ulp_error

import fastact as fa
from fastact.language.grammar import tree_of
from fastact.language.registry import REGISTRY

PARTIAL_BOUND = 8.0
SAMPLES = 600

def bound(name, kind, dtype):
    """The contract for one kind, in ULP."""
    return PARTIAL_BOUND if kind.startswith("partial") else REGISTRY[name].most(kind, np.dtype(dtype).name)


def absolute(name, kind, params, x):
    """Where among x the bound is absolute."""
    where = REGISTRY[name].absolute("derivative" if (name, kind) == ("snake", "partial0") else kind, x, *params)
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
    most = bound(name, kind, dtype)
    missed = np.count_nonzero(error > most)
    assert error[i] <= most, f"{name}{params} {kind}: {error[i]:.4g} ULP {witness}; {missed} of {x.size} miss"


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
