"""Softmax and its kin: arguments, layouts and errors. The arithmetic is in ``_rowwise`` and its passes.

An array is brought to (outer, n, inner) by sorting its axes by stride, so that transposed and Fortran arrays are
worked on as they lie; what does not fit without a copy is copied once.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from operator import index
from typing import Any

import numpy as np

from . import _cpu
from ._buffers import keeping
from ._device import on_gpu
from ._passes import load
from ._rowwise import OPS, run
from ._spec import ROW_PASSES
from ._target import ran_on_cpu

load(_cpu.tables("r"), ROW_PASSES)

#: The working dtype for an input dtype: as np.exp, with float16 through float32.
_WORK: dict[str, np.dtype[Any]] = {**dict.fromkeys("?bBehHf", np.dtype("f")), **dict.fromkeys("iIlLqQd", np.dtype("d"))}
#: The dtype of the result where that is not float64.
_GIVEN: dict[str, np.dtype[Any]] = {**dict.fromkeys("?bBe", np.dtype("e")), **dict.fromkeys("hHf", np.dtype("f"))}


def real_array(title: str, name: str, value: Any) -> np.ndarray:
    """The argument as an array, refused if its dtype is not real."""
    if on_gpu(value):
        raise TypeError(f"{title}: {name} is {type(value).__name__} on a GPU; expected arrays of the CPU alone")
    ran_on_cpu()
    array = np.asarray(value)
    if array.dtype.char not in _WORK:
        raise TypeError(f"{title}: {name} has dtype {array.dtype}; expected float16, float32, float64, an integer or bool dtype")
    return array


def dtype_of(*arrays: np.ndarray) -> np.dtype[Any]:
    """The dtype of the result: float16, float32 or float64, as np.exp chooses it."""
    return np.result_type(*(_GIVEN.get(a.dtype.char, np.dtype("d")) for a in arrays))


def axes_of(title: str, axis: Any, ndim: int) -> tuple[int, ...]:
    """The axes as a sorted tuple of distinct numbers from 0."""
    given = axis if isinstance(axis, tuple | list) else (axis,)
    found = []
    for a in given:
        try:
            number = index(a)
        except TypeError:
            raise TypeError(f"{title}: axis is {axis!r}; expected an integer or a tuple of integers") from None
        if not -ndim <= number < ndim:
            raise np.exceptions.AxisError(f"{title}: axis {number} is out of bounds for x of {ndim} dimensions")
        found.append(number % ndim)
    if len(set(found)) < len(found) or not found:
        raise ValueError(f"{title}: axis is {axis!r}; expected one or more different axes")
    return tuple(sorted(found))


def one_axis(title: str, axis: Any, ndim: int) -> int:
    """The number of one axis."""
    found = axes_of(title, axis, ndim)
    if len(found) != 1:
        raise ValueError(f"{title}: axis is {axis!r}; expected one axis")
    return found[0]


def temperature_of(title: str, temperature: Any, name: str = "temperature") -> float:
    """The temperature as a number in the range where its inverse and products with it are exact enough."""
    if isinstance(temperature, bool) or not isinstance(temperature, int | float | np.floating | np.integer):
        raise TypeError(f"{title}: {name} is {temperature!r}; expected a positive number")
    if not 1e-30 <= temperature <= 1e30:
        raise ValueError(f"{title}: {name} is {temperature!r}; expected a number between 1e-30 and 1e30")
    return float(temperature)


def broadcast_mask(title: str, where: Any, shape: tuple[int, ...]) -> np.ndarray:
    """The mask in the shape of x."""
    mask = np.asarray(where)
    if mask.dtype != np.bool_:
        raise TypeError(f"{title}: where has dtype {mask.dtype}; expected bool")
    try:
        return np.broadcast_to(mask, shape)
    except ValueError:
        raise ValueError(f"{title}: where has shape {mask.shape}, which does not broadcast to {shape} of x") from None


def broadcast_grad(title: str, grad: np.ndarray, shape: tuple[int, ...], whose: str = "") -> np.ndarray:
    """The gradient by the output in the output's shape, which is that of an argument, if `whose` says of which."""
    try:
        return np.broadcast_to(grad, shape)
    except ValueError:
        raise ValueError(f"{title}: grad has shape {grad.shape}; expected {shape}{whose}") from None


def check_out(title: str, out: Any, shape: tuple[int, ...], dtype: np.dtype) -> np.ndarray:
    """The output array, refused unless it can take the result."""
    if isinstance(out, tuple) and len(out) == 1:
        out = out[0]
    if not isinstance(out, np.ndarray):
        raise TypeError(f"{title}: out is a {type(out).__name__}; expected a numpy.ndarray")
    if out.shape != shape:
        raise ValueError(f"{title}: out has shape {out.shape}; expected {shape}")
    if not np.can_cast(dtype, out.dtype, "same_kind"):
        raise TypeError(f"{title}: out has dtype {out.dtype}; expected {dtype} or one that it casts to")
    if not out.flags.writeable:
        raise ValueError(f"{title}: out is read-only")
    return out


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
        return np.ascontiguousarray(array.transpose(self.order).reshape(self.shape)) if found is None else found

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
        return np.ascontiguousarray(array.transpose(self.order).reshape(outer, n * inner)) if found is None else found

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


def inverse_temperature(temperature: float, work: np.dtype) -> tuple[float, float]:
    """1/T in two parts of the working dtype."""
    if temperature == 1.0:
        return 1.0, 0.0
    from fractions import Fraction  # slow to import, and only wanted here

    exact = 1 / Fraction(temperature)
    high = float(work.type(float(exact)))
    return high, float(work.type(float(exact - Fraction(high))))


def maximum_of(x: np.ndarray, axis: int, dtype: np.dtype, out: np.ndarray | None, winner: np.ndarray | None) -> np.ndarray:
    """The maximum along an axis, and in `winner` (C-ordered int16 or int64, without the axis) its first place."""
    work = _WORK[dtype.char] if x.shape[axis] <= 1 << 24 else np.dtype("d")
    shape = tuple(n for a, n in enumerate(x.shape) if a != axis)
    layout = Layout(tuple(range(x.ndim)), (math.prod(shape[:axis]), x.shape[axis], math.prod(shape[axis:])))
    folded = layout.fold(np.asarray(x, work))
    direct = out is not None and out.dtype == work and out.flags.c_contiguous and not np.may_share_memory(out, folded)
    result = out if out is not None and direct else keeping(np.empty, shape, work)
    run(OPS["maxout"], folded, None, result.reshape(layout.shape[0], 1, layout.shape[2]), 1.0, 1.0, 0.0, winner)
    if out is None:
        return result.astype(dtype, copy=False)
    if result is not out:
        np.copyto(out, result, casting="same_kind")
    return out


def compute(
    op: str, arrays: Sequence[np.ndarray], axes: tuple[int, ...], out: np.ndarray | None, dtype: np.dtype,
    sign: float, temperature: float,
) -> np.ndarray:  # fmt: skip
    """Run an operation over equal-shaped arrays of any layout; the result has the same shape."""
    work = _WORK[dtype.char]
    layout = layout_of(arrays[0], axes)
    shape = arrays[0].shape
    target: np.ndarray | None
    folded = [layout.fold(np.asarray(a, work)) for a in arrays]
    if op == "logsumexp":
        shape = tuple(1 if a in axes else n for a, n in enumerate(shape))
        target = np.full((layout.shape[0], 1, layout.shape[2]), -np.inf, work)
        result = layout.unfold(target, shape)
    else:
        result = keeping(np.empty_like, arrays[0], dtype=work, subok=False) if out is None else out
        target = layout.view(result) if result.dtype == work else None
        if target is None or any(overlap(target, f) for f in folded):
            target = keeping(np.empty, layout.shape, work)
            result = layout.unfold(target, shape)
    high, low = inverse_temperature(temperature, work)
    if op.endswith("_backward"):
        folded.reverse()  # grad, y
    run(OPS[op], folded[0], folded[1] if len(folded) > 1 else None, target, sign, high, low)
    if out is None:
        return result if dtype == work else result.astype(dtype)
    if result is not out:
        np.copyto(out, result, casting="same_kind")
    return out


def overlap(a: np.ndarray, b: np.ndarray) -> bool:
    """Whether two arrays share memory otherwise than by being the same."""
    same = a.__array_interface__["data"] == b.__array_interface__["data"] and a.strides == b.strides
    return not same and np.may_share_memory(a, b)
