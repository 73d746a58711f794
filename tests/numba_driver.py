"""The activations as Numba compiles them, in the shape of the package: one jitted loop per function and dtype.

`package` stands in for ``fastact`` in the tests that the Cython kernels pass; compiling each kind by itself would
take ten times as long.
"""

from functools import cache
from types import SimpleNamespace

import numpy as np
from helpers import KINDS, NAMES
from numba import njit, types
from numba.core.registry import cpu_target

import fastact as fa
from fastact.cpu import levels
from fastact.numba.compiler import computation, has_fma

#: Whether every operation is the same as in the kernels: both have a fused multiply-add, or neither has.
SAME = has_fma(cpu_target.target_context) == (levels.LEVEL != "x86-64")

ROWS = {kind: slice(i, i + 1) for i, kind in enumerate(k for k in KINDS if k != "value_and_derivative")}
ROWS["value_and_derivative"] = slice(len(ROWS), len(ROWS) + 2)


@cache
def driver(name, dtype):
    """run(grad, x, params, out): all kinds at each x, which is also the output that backward_from_output takes."""
    made = {kind: computation(name, kind, getattr(types, dtype)) for kind in ROWS if getattr(fa.get(name), kind, True)}
    value, derivative, backward = (made[kind] for kind in ("value", "derivative", "backward"))
    both, from_output = made["value_and_derivative"], made.get("backward_from_output", backward)

    @njit
    def run(grad, x, params, out):
        for i in range(x.size):
            out[0, i] = value((x[i], *params))
            out[1, i] = derivative((x[i], *params))
            out[2, i] = backward((grad[i], x[i], *params))
            out[3, i] = from_output((grad[i], x[i], *params))
            out[4, i], out[5, i] = both((x[i], *params))

    return run


def compute(name, kind, *arguments):
    """What Numba gives for a kind: arrays of equal shape, then the parameters."""
    activation = fa.get(name)
    count = 2 if kind.startswith("backward") else 1
    arrays, params = [np.asarray(a) for a in arguments[:count]], arguments[count:]
    params = (*params, *list(activation.params.values())[len(params) :])
    dtype, shape = arrays[-1].dtype, arrays[-1].shape
    flat = [np.ascontiguousarray(a).reshape(-1) for a in arrays]
    out = np.empty((6, flat[0].size), dtype)
    driver(name, dtype.name)(flat[0], flat[-1], tuple(map(float, params)), out)
    parts = tuple(row.reshape(shape) for row in out[ROWS[kind]])
    return parts if len(parts) > 1 else parts[0]


class Compiled:
    """An activation whose kinds are Numba's and whose metadata are the package's."""

    def __init__(self, name):
        self.name = name

    def __call__(self, *arguments):
        return compute(self.name, "value", *arguments)

    def __getattr__(self, attribute):
        found = getattr(fa.get(self.name), attribute)
        if attribute not in KINDS or found is None:
            return found
        return lambda *arguments: compute(self.name, attribute, *arguments)


package = SimpleNamespace(get=Compiled, **{name: Compiled(name) for name in NAMES})


def function(name, kind="value"):
    """`conftest.function` for Numba."""
    return lambda *arguments: compute(name, kind, *arguments)
