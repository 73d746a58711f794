"""At what inputs `verify` measures functions of one number."""

from __future__ import annotations

import ast
from typing import Any

import numpy as np

from ..language.grammar import tree_of
from ..language.registry import REGISTRY

ENDS = (-745.1, -708.4, -37.5, -26.5, -18.7, 18.7, 26.5, 37.5, 708.4, 709.78)  # where float64 results end or saturate


def switch_points(name: str) -> list[float]:
    """Kinks, the root, and the numbers with which the formula compares something, of both signs."""
    spec = REGISTRY[name]
    points = [float(eval(str(k).partition(" unless ")[0], {"__builtins__": {}}, dict(spec.params))) for k in spec.kinks]
    root = spec.root()
    points += [] if root is None else [root]
    for node in ast.walk(tree_of(spec.formula)):
        if isinstance(node, ast.Compare):
            constants = [c.value for c in ast.walk(node) if isinstance(c, ast.Constant) and isinstance(c.value, float)]
            points += [s * c for c in constants for s in (1.0, -1.0) if 1e-3 < c < 1e30]
    return sorted(set(points))


def samples(name: str, count: int, reference: Any) -> Any:
    """Inputs in ascending order: one in every binade of both signs, plain ranges, neighbourhoods, ends, infinities, NaN."""
    rng = np.random.default_rng(sum(map(ord, name)))
    exponents = np.arange(-1074, 1024)
    binades = np.ldexp(rng.uniform(1, 2, (2, exponents.size)), exponents) * [[1], [-1]]
    parts = [
        binades.ravel(), reference.samples(np.float64, count // 2, rng, switch_points(name)),
        rng.uniform(-40, 40, count // 4), *(end + rng.uniform(-1, 1, 20) for end in ENDS), [np.inf, -np.inf, np.nan],
    ]  # fmt: skip
    return np.unique(np.concatenate(parts))
