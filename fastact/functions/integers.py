"""Integers stay integers where a function maps integers to integers: exactly, as ``np.maximum(x, 0)`` keeps them.

The kernels know floats alone, and float64 holds no integer beyond 2**53, so NumPy computes these. Values only: slopes, gradients
and whatever has a float among its parameters are floats.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from ..arguments import broadcast_shape

#: For each function: the ufunc that makes the result, with what it is given; `of` makes a number of the dtype.
_OF: dict[str, Callable[..., tuple[Any, ...]]] = {
    "identity": lambda of, x: (np.positive, x),
    "sign": lambda of, x: (np.sign, x),
    "relu": lambda of, x: (np.maximum, x, of(0)),
    "relu6": lambda of, x: (np.minimum, np.maximum(x, of(0)), of(6)),
    "squared_relu": lambda of, x: (np.square, np.maximum(x, of(0))),
    "hard_tanh": lambda of, x, low, high: (np.minimum, np.maximum(x, low), high),
    "threshold": lambda of, x, threshold, value: (np.add, x * (x > threshold), value * (x <= threshold)),
    "step": lambda of, x, threshold, at: (np.add, of(1) * (x > threshold), at * (x == threshold)),
}
#: Parameters that x is only compared with, which may lie anywhere.
_COMPARED = "threshold"

FUNCTIONS = frozenset(_OF)


def whole(call: Any, operands: Sequence[Any], dtypes: Sequence[Any]) -> tuple[Any, ...] | None:
    """The ufunc that computes a value on integers, and what it is given; None where the result is a float.

    Parameters
    ----------
    call : Call
        The value of one of `FUNCTIONS`.
    operands : sequence
        x and the parameters; a parameter at its default counts as an integer if it is one.
    dtypes : sequence of numpy.dtype or None
        Theirs.

    Raises
    ------
    ValueError
        For a number that the dtype does not hold, and shapes that do not broadcast.
    """
    spec = call.spec
    if dtypes[0] is None or dtypes[0].kind not in "iu":
        return None
    x, *params = operands
    for j, (value, default, dtype) in enumerate(zip(params, spec.params.values(), dtypes[1:], strict=True)):
        if value is default and default.is_integer():
            params[j] = int(default)
        elif dtype is None or dtype.kind not in "iu":
            return None
    strong = [d for a, d in zip([x, *params], dtypes, strict=True) if type(a) is not int]
    dtype = np.result_type(*(strong or dtypes[:1]))
    if dtype.kind not in "iu":  # int64 and uint64 have none in common
        return None
    limits = np.iinfo(dtype)
    for j, (name, value) in enumerate(zip(spec.params, params, strict=True)):
        if type(value) is not int or name == _COMPARED:
            continue
        if spec.name == "hard_tanh":  # a bound that no element can reach
            value = max(value, limits.min) if name == "min_val" else min(value, limits.max)
        if not limits.min <= value <= limits.max:
            raise ValueError(f"{call.title}: {name} is {value}, which {dtype} does not hold; convert x")
        params[j] = dtype.type(value)
    if any(isinstance(p, np.ndarray) for p in params):
        broadcast_shape(call.title, {n: np.asarray(a) for n, a in zip([*call.arrays, *spec.params], [x, *params], strict=True)})
    return _OF[spec.name](dtype.type, dtype.type(x) if type(x) is int else x, *params)
