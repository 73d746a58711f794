"""Arrays of any layout as rows: what the kernels of row-wise functions are called with.

An array is brought to (outer, n, inner) by sorting its axes by stride, so that transposed and Fortran arrays are
worked on as they lie; what does not fit without a copy is copied once.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from ... import activations as _formulas  # noqa: F401  (fills the registry)
from ...arguments import inverse_temperature, reduced, stored, work_dtype
from ...language.registry import ROW_PASSES
from .. import levels
from ..buffers import keeping
from ..halves import narrowed, widened
from .functions import OPS
from .table import load
from .ways import run

load(levels.tables("r"), ROW_PASSES, OPS)


#: Elements of a group from which on NumPy finds the maximum: tiles of many rows would take too much memory.
LONG_GROUP = 4096


def aligned(array: np.ndarray) -> np.ndarray:
    """The array in C order and at an address that its elements may have; `numpy.ascontiguousarray` looks at the order alone."""
    return np.require(array, requirements=["C", "A"])


@dataclass(frozen=True)
class Layout:
    """The order of axes in which arrays are (outer, n, inner)."""

    order: tuple[int, ...]
    shape: tuple[int, int, int]

    def view(self, array: np.ndarray) -> np.ndarray | None:
        """The array as (outer, n, inner), or None where its memory does not allow that."""
        found = array.transpose(self.order).reshape(self.shape)
        size = array.itemsize
        fits = found.flags.aligned and all(s % size == 0 for s in found.strides)
        fits &= found.strides[2] == size if self.shape[2] > 1 else found.strides[1] == size or self.shape[1] == 1
        return found if fits and np.may_share_memory(found, array) else None

    def fold(self, array: np.ndarray) -> np.ndarray:
        """The array as (outer, n, inner), copied if need be."""
        found = self.view(array)
        return aligned(array.transpose(self.order).reshape(self.shape)) if found is None else found

    def runs_view(self, array: np.ndarray) -> np.ndarray | None:
        """The array as (outer, n * inner) with contiguous runs, or None where its memory does not allow that."""
        outer, n, inner = self.shape
        found = array.transpose(self.order).reshape(outer, n * inner)
        fits = found.flags.aligned and (found.strides[1] == array.itemsize or n * inner == 1)
        return found if fits and np.may_share_memory(found, array) else None

    def runs(self, array: np.ndarray) -> np.ndarray:
        """The same, copied if need be."""
        found = self.runs_view(array)
        outer, n, inner = self.shape
        return aligned(array.transpose(self.order).reshape(outer, n * inner)) if found is None else found

    def unfold(self, folded: np.ndarray, shape: Sequence[int]) -> np.ndarray:
        """The way back, to an array of the given shape."""
        ordered = folded.reshape([shape[a] for a in self.order])
        return ordered.transpose(np.argsort(self.order))


def layout_of(array: np.ndarray, axes: tuple[int, ...], ordered: bool = False) -> Layout:
    """The order in which the array lies in memory, the axes side by side; `ordered`: and in their own order."""
    order = sorted(range(array.ndim), key=lambda a: -abs(array.strides[a]) if array.shape[a] > 1 else -math.inf)
    first = min((order.index(a) for a in axes), default=array.ndim)
    if sorted(order[first : first + len(axes)]) != list(axes):
        order = [a for a in order if a not in axes] + list(axes)
        first = len(order) - len(axes)
    elif ordered:
        order[first : first + len(axes)] = axes
    sizes = [array.shape[a] for a in order]
    last = first + len(axes)
    return Layout(tuple(order), (math.prod(sizes[:first]), math.prod(sizes[first:last]), math.prod(sizes[last:])))


def rows_of(array: np.ndarray, axes: tuple[int, ...]) -> Layout:
    """The axes last and in their order, so that each row lies by itself, the others as in memory."""
    order = sorted((a for a in range(array.ndim) if a not in axes), key=lambda a: -abs(array.strides[a]))
    sizes = [array.shape[a] for a in order]
    return Layout((*order, *axes), (math.prod(sizes), math.prod(array.shape[a] for a in axes), 1))


def maximum_of(x: np.ndarray, axis: int, dtype: np.dtype, out: np.ndarray | None, winner: np.ndarray | None) -> np.ndarray:
    """The maximum along an axis, and in `winner` (C-ordered int16 or int64, without the axis) its first place."""
    shape = tuple(n for a, n in enumerate(x.shape) if a != axis)
    if x.shape[axis] > LONG_GROUP or dtype.kind in "iu":
        first = np.argmax(x, axis=axis, keepdims=True)
        if winner is not None:
            winner[...] = first.reshape(shape)
        best = narrowed(np.take_along_axis(x, first, axis).reshape(shape), dtype)
        return best if out is None else stored(out, best)
    work = work_dtype(dtype)
    layout = Layout(tuple(range(x.ndim)), (math.prod(shape[:axis]), x.shape[axis], math.prod(shape[axis:])))
    folded = layout.fold(widened(x, work))
    direct = out is not None and out.dtype == work and out.flags.carray and not np.may_share_memory(out, folded)
    result = out if out is not None and direct else keeping(np.empty, shape, work)
    run(OPS["maxout"], folded, None, result.reshape(layout.shape[0], 1, layout.shape[2]), 1.0, 1.0, 0.0, winner)
    if out is None:
        return narrowed(result, dtype)
    return stored(out, narrowed(result, out.dtype) if out.dtype.itemsize == 2 else result)


def compute(
    op: str, arrays: Sequence[np.ndarray], axes: tuple[int, ...], out: np.ndarray | None, dtype: np.dtype,
    sign: float, temperature: float | np.ndarray, power: float | np.ndarray = 1.0,
) -> np.ndarray:  # fmt: skip
    """Run an operation over equal-shaped arrays of any layout; the result has the same shape.

    A temperature for each row is an array with axes of length 1 for those of the row, and so is `power`, alpha - 1 of entmax.
    """
    work = work_dtype(dtype)
    ordered = op == "hardmax"  # whose first maximum is not that in memory
    each = isinstance(temperature, np.ndarray) or isinstance(power, np.ndarray)
    layout = rows_of(arrays[0], axes) if each else layout_of(arrays[0], axes, ordered)
    shape = arrays[0].shape
    target: np.ndarray | None
    folded = [layout.fold(widened(a, work)) for a in arrays]
    if op == "logsumexp":
        shape, _ = reduced(shape, axes)
        target = np.full((layout.shape[0], 1, layout.shape[2]), -np.inf, work)
        result = layout.unfold(target, shape)
    else:
        result = keeping(np.empty_like, arrays[0], dtype=work, subok=False) if out is None else out
        target = layout.view(result) if result.dtype == work else None
        if target is None or any(overlap(target, f) for f in folded):
            target = keeping(np.empty, layout.shape, work)
            result = layout.unfold(target, shape)
    if op.endswith("_backward"):
        folded.reverse()  # grad, y
    second = folded[1] if len(folded) > 1 else None
    if isinstance(temperature, np.ndarray) or isinstance(power, np.ndarray):
        kept, _ = reduced(arrays[0].shape, axes)
        t, a = (np.broadcast_to(v, kept).transpose(layout.order).reshape(-1) for v in (temperature, power))
        numbers = np.stack([np.full_like(t, sign), *inverse_temperature(t, work), a, 1.0 / a], axis=1).astype(work)
        run(OPS[op], folded[0], second, target, sign, 1.0, 0.0, None, numbers)
    else:
        run(OPS[op], folded[0], second, target, sign, *inverse_temperature(temperature, work), None, None, power)
    if out is None:
        return narrowed(result, dtype)
    return stored(out, narrowed(result, out.dtype) if out.dtype.itemsize == 2 else result)


def overlap(a: np.ndarray, b: np.ndarray) -> bool:
    """Whether two arrays share memory otherwise than by being the same."""
    same = a.__array_interface__["data"] == b.__array_interface__["data"] and a.strides == b.strides
    return not same and np.may_share_memory(a, b)


def fastest(array: np.ndarray) -> tuple[int, ...]:
    """The axis along which elements lie nearest to each other, if there is one."""
    fast = min(range(array.ndim), key=lambda i: (array.shape[i] == 1, abs(array.strides[i])), default=None)
    return () if fast is None else (fast,)


def some_runs(layout: Layout, array: np.ndarray) -> np.ndarray:
    """The array as (outer, n * inner) with runs of elements that follow each other, or every other one; copied if need be."""
    side_by_side = layout.runs_view(array)
    if side_by_side is not None:
        return side_by_side
    outer, n, inner = layout.shape
    found = array.transpose(layout.order).reshape(outer, n * inner)
    apart = found.flags.aligned and found.strides[1] == 2 * found.itemsize and np.may_share_memory(found, array)
    return found if apart and n * inner > 1 else layout.runs(array)
