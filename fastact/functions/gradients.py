"""Gradients by parameters: partial derivatives times the incoming gradient, summed to a parameter's shape.

The sums lose no digits: float32 products are exact in float64, NumPy sums each block pairwise, and
the totals of the blocks are added exactly (`math.fsum`), compensated, or pairwise again.
"""

from __future__ import annotations

import math
from functools import cache
from typing import Any

import numpy as np

from .._kernels import Kernel
from ..arguments import broadcast_shape, common_dtype, computed, narrowed, unpacked, weak, work_dtype
from ..dispatch import require_cpu
from .base import QUIET
from .containers import Masked, mask_of

#: Elements per block of the sum: the temporaries stay in the second-level cache.
BLOCK = 1 << 16


@cache
def partial(activation: Any, index: int) -> Kernel:
    """The partial derivative of an activation by its parameter number ``index``; the kernel holds the name of its ufunc."""
    name = activation.spec.name
    key = name, f"partial{index}"
    return Kernel(f"{name}_partial{index}", "", "partial", activation.tables, key, len(activation.spec.params), 1, False)


@QUIET
def parameter_gradients(activation: Any, grad: Any, x: Any, values: list[Any]) -> dict[str, Any]:
    """``{parameter: sum of grad * partial}``, each in its parameter's shape and the working dtype."""
    title = f"fastact.{activation.__name__}.parameter_gradients"
    names = list(activation.params)
    if not names:
        raise TypeError(f"{title}: {activation.__name__} has no parameters")
    for name, value in zip(("grad", "x", *names), (grad, x, *values), strict=True):
        require_cpu(title, name, value)
    strong = [n for n, v in (("grad", grad), ("x", x)) if not weak(v)]
    strong += [n for n, v in zip(names, values, strict=True) if not isinstance(v, float | int)]
    if any(isinstance(v, Masked) for v in (grad, x, *values)):  # what is masked has no part in the sums
        mask = mask_of(grad, x, *values)
        shape = np.broadcast_shapes(*(np.shape(v) for v in (grad, x, *values)))
        grad = np.where(np.broadcast_to(mask, shape), np.asarray(grad).dtype.type(0), np.asarray(grad))
        x, *values = (v.filled(1) if isinstance(v, Masked) else v for v in (x, *values))
    operands = {n: unpacked(np.asarray(v)) for n, v in zip(("grad", "x", *names), (grad, x, *values), strict=True)}
    for name, operand in operands.items():
        if computed(operand.dtype) is None:
            raise TypeError(f"{title}: {name} has dtype {operand.dtype}; expected a real dtype up to float64")
    dtype = common_dtype(*(operands[n].dtype for n in strong or operands))
    work = work_dtype(dtype)
    shape = broadcast_shape(title, operands)
    arrays = [np.broadcast_to(a.astype(work, copy=False), shape) for a in operands.values()]
    result = {}
    for index, name in enumerate(names):
        ufunc = partial(activation, index).ufunc
        result[name] = _reduce(ufunc, arrays, operands[name].shape, dtype)
    return result


def summed(terms: np.ndarray, shape: tuple[int, ...], axes: tuple[int, ...]) -> np.ndarray:
    """Terms of rows, whose axes have length 1, summed to the shape of what is broadcast against them with or without these."""
    if len(shape) != terms.ndim:
        terms = terms.reshape([n for a, n in enumerate(terms.shape) if a not in axes])
    padded = (1,) * (terms.ndim - len(shape)) + shape
    return terms.sum(axis=tuple(a for a, n in enumerate(terms.shape) if padded[a] == 1), keepdims=True).reshape(shape)


def _reduce(ufunc: np.ufunc, arrays: list[np.ndarray], shape: tuple[int, ...], dtype: np.dtype) -> Any:
    """Sum ``arrays[0] * ufunc(*arrays[1:])`` over the axes that ``shape`` lacks or has once."""
    full = arrays[0].shape
    padded = (1,) * (len(full) - len(shape)) + shape
    summed = [axis for axis, n in enumerate(full) if padded[axis] == 1 and n != 1]
    kept = [axis for axis in range(len(full)) if axis not in summed]
    strides = arrays[1].strides
    if kept and summed and min(range(len(full)), key=lambda a: (full[a] == 1, abs(strides[a]))) in kept:
        order = [*sorted(summed, key=lambda a: -abs(strides[a])), *kept]
        found = _columns(ufunc, [np.transpose(a, order) for a in arrays], len(summed))
        if found is not None:
            return narrowed(found, dtype).reshape(shape)[()]
    # Kept axes first: one row per element of the result, its terms along the second axis.
    rows = [np.transpose(a, [*kept, *summed]) for a in arrays]
    nterms = math.prod(full[a] for a in summed)
    outer = [full[a] for a in kept]
    out = np.empty(outer, np.float64)
    flat = out.reshape(-1)
    if not summed:
        products = np.multiply(arrays[0], ufunc(*arrays[1:]), dtype=np.float64)
        return narrowed(products, dtype).reshape(shape)[()]
    if len(kept) == 0:
        flat[0] = _sum_all(ufunc, rows)
    elif nterms <= BLOCK:
        step = max(1, BLOCK // max(nterms, 1))
        for index in np.ndindex(*outer[:-1]):
            for start in range(0, outer[-1], step):
                chunk = [r[index][start : start + step] for r in rows]
                terms = np.multiply(chunk[0], ufunc(*chunk[1:]), dtype=np.float64, order="C")
                out[index][start : start + step] = terms.reshape(len(terms), -1).sum(axis=1)
    else:
        for number, index in enumerate(np.ndindex(*outer)):
            flat[number] = _sum_all(ufunc, [r[index] for r in rows])
    return narrowed(out, dtype).reshape(shape)[()]


def _columns(ufunc: np.ufunc, arrays: list[np.ndarray], nsummed: int) -> np.ndarray | None:
    """The sums along the first axes where elements side by side are kept: one walk, a block of rows at a time.

    None where the first axes cannot be joined without a copy.
    """
    tail = arrays[0].shape[nsummed:]
    nterms = math.prod(arrays[0].shape[:nsummed])
    joined = [a.reshape(nterms, *tail) for a in arrays]
    if not all(np.may_share_memory(a, j) for a, j in zip(arrays, joined, strict=True)):
        return None
    total, error = np.zeros(tail), np.zeros(tail)
    step = max(1, BLOCK // max(1, math.prod(tail)))
    for start in range(0, nterms, step):
        grad, *rest = (j[start : start + step] for j in joined)
        terms = np.multiply(grad, ufunc(*rest), dtype=np.float64, order="C")
        while len(terms) > 1:  # pairwise
            half = len(terms) // 2
            terms[:half] += terms[-half:]
            terms = terms[: len(terms) - half]
        with np.errstate(invalid="ignore"):
            high = total + terms[0]
            v = high - total
            error += (total - (high - v)) + (terms[0] - v)
        total = high
    return np.where(np.isfinite(error), total + error, total)


def _sum_all(ufunc: np.ufunc, arrays: list[np.ndarray]) -> float:
    """The sum of all terms of equal-shaped arrays, block by block."""
    iterator = np.nditer(
        [*arrays], ["external_loop", "buffered", "zerosize_ok"], [["readonly"]] * len(arrays), buffersize=BLOCK, order="K"
    )
    totals = []
    for grad, *rest in iterator:
        terms = np.multiply(grad, ufunc(*rest), dtype=np.float64)
        totals.append(float(terms.sum()))
    try:
        return math.fsum(totals)
    except (ValueError, OverflowError):  # infinities of both signs, or beyond the largest number
        return float(np.sum(totals))
