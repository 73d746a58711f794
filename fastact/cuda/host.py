"""Arrays of the host on a GPU: copied there, computed and copied back in overlapping chunks through pinned buffers.

An array is cut along its first axis into units that can be computed one without the other: single elements, or whole
rows. Buffers are kept for the next call (`empty_cache` lets go of them).
"""

from __future__ import annotations

import math
import threading
from collections.abc import Callable
from typing import Any

import numpy as np
from numba import cuda

from ..arguments import broadcast_shape
from ..language.kinds import outputs
from ..language.registry import REGISTRY
from .arrays import Operand, is_out_of_memory
from .dispatch import LOG, refuse_keywords, unpacked
from .emit import PRECISIONS, SIMULATED
from .launch import launch

#: Bytes of a chunk of a host array, and how many chunks are on their way at a time.
CHUNK, SLOTS = 1 << 23, 3

Compute = Callable[[list[Operand], list[Operand], Any], None]


class _Slot:
    """A chunk on its way: pinned buffers of the host, arrays of the GPU, and a stream."""

    def __init__(self) -> None:
        self.stream = cuda.stream()
        self.pinned: list[np.ndarray] = []
        self.gpu: list[Any] = []
        self.pending: tuple[int, int] | None = None

    def make_room(self, sizes: list[int]) -> None:
        """Have at least as many buffers as sizes, each of as many bytes."""
        del self.pinned[len(self.gpu) :]
        for i, size in enumerate(sizes):
            if i < len(self.gpu) and self.pinned[i].size >= size:
                continue
            del self.pinned[i:], self.gpu[i:]
            self.pinned.append(cuda.pinned_array(size, np.uint8))
            self.gpu.append(cuda.device_array(size, np.uint8))

    def address(self, i: int) -> int:
        if SIMULATED:
            return int(self.gpu[i]._ary.ctypes.data)
        return int(self.gpu[i].__cuda_array_interface__["data"][0])

    def start(self, arrays: list[np.ndarray], results: list[np.ndarray], part: tuple[int, int], compute: Compute) -> None:
        """Copy a part of the arrays in, compute it, and copy the results out; returns before that is done."""
        first, last = part
        described = []
        for i, array in enumerate([*arrays, *results]):
            shape = (last - first, *array.shape[1:])
            described.append(Operand(self.address(i), shape, None, array.dtype, 0, None))
            size = math.prod(shape) * array.dtype.itemsize
            if i < len(arrays):
                self.pinned[i][:size].view(array.dtype).reshape(shape)[...] = array[first:last]
                self.gpu[i][:size].copy_to_device(self.pinned[i][:size], stream=self.stream)
        self.pending = part
        compute(described[: len(arrays)], described[len(arrays) :], self.stream)
        for i in range(len(arrays), len(described)):
            size = math.prod(described[i].shape) * described[i].dtype.itemsize
            self.gpu[i][:size].copy_to_host(self.pinned[i][:size], stream=self.stream)

    def finish(self, results: list[np.ndarray], read: int) -> None:
        """Wait for the part that was started and put its results in their place."""
        if self.pending is None:
            return
        self.stream.synchronize()
        first, last = self.pending
        self.pending = None
        for pinned, result in zip(self.pinned[read:], results, strict=False):
            shape = (last - first, *result.shape[1:])
            size = math.prod(shape) * result.dtype.itemsize
            result[first:last] = pinned[:size].view(result.dtype).reshape(shape)


_lock = threading.Lock()
_free: dict[int, list[_Slot]] = {}  # by the number of the GPU


def empty_cache() -> None:
    """Let go of the buffers that calls on host arrays keep for the next one."""
    with _lock:
        _free.clear()


def _current() -> int:
    return 0 if SIMULATED else int(cuda.get_current_device().id)


def _slots(title: str, count: int, unit_sizes: list[int], step: int) -> tuple[list[_Slot], int]:
    """Slots with room for ``step`` units, or for as many as there is memory for; and how many units that is."""
    with _lock:
        kept = _free.setdefault(_current(), [])
        found = [kept.pop() for _ in range(min(count, len(kept)))]
    ready: list[_Slot] = []
    while True:
        try:
            while len(ready) < count:
                slot = found[len(ready)] if len(ready) < len(found) else _Slot()
                slot.make_room([step * size for size in unit_sizes])
                ready.append(slot)
            return ready, step
        except Exception as error:
            if not is_out_of_memory(error):
                raise
            if ready:
                return ready, step
            found.clear()  # what is kept may be what is missing
            empty_cache()
            if step == 1:
                size = sum(unit_sizes)
                raise MemoryError(f"{title}: neither GPU nor pinned memory for {size} bytes, the least to be computed") from error
            step = -(-step // 2)


def run(title: str, arrays: list[np.ndarray], results: list[np.ndarray], compute: Compute) -> int:
    """Compute over the units of arrays; returns in how many chunks.

    Parameters
    ----------
    title : str
        Of the call, for errors.
    arrays, results : list of numpy.ndarray
        Of one length along the first axis, the units. A result is an array, or shares no memory with one.
    compute : callable
        ``compute(inputs, results, stream)`` starts the computation of some units, given as operands.
    """
    units = len(results[0])
    if math.prod(results[0].shape) == 0:
        return 0
    unit_sizes = [math.prod(a.shape[1:]) * a.dtype.itemsize for a in (*arrays, *results)]
    step = max(1, min(units, CHUNK // max(unit_sizes)))
    slots, step = _slots(title, min(SLOTS, -(-units // step)), unit_sizes, step)
    parts = [(first, min(first + step, units)) for first in range(0, units, step)]
    try:
        for i, part in enumerate(parts):
            slot = slots[i % len(slots)]
            slot.finish(results, len(arrays))
            slot.start(arrays, results, part, compute)
        for i in range(len(parts), len(parts) + len(slots)):
            slots[i % len(slots)].finish(results, len(arrays))
    except BaseException:
        for slot in slots:  # nothing may be under way when the buffers go
            slot.stream.synchronize()
        raise
    with _lock:
        kept = _free.setdefault(_current(), [])
        kept.extend(slots[: SLOTS - len(kept)])
    return len(parts)


def _separate(arrays: list[np.ndarray], results: list[np.ndarray]) -> list[np.ndarray]:
    """The arrays, copied where they overlap a result otherwise than by being it: chunks are written before others are read."""
    return [
        a.copy() if any(np.may_share_memory(a, r) and a.ctypes.data != r.ctypes.data for r in results) else a for a in arrays
    ]


def _report(title: str, dtype: np.dtype[Any], shape: tuple[int, ...], chunks: int) -> None:
    LOG.debug("%s: %s%s of the host on a GPU, in %d chunk(s)", title, dtype, shape, chunks)


def _targets(title: str, out: Any, count: int, shape: tuple[int, ...], dtype: np.dtype[Any]) -> list[np.ndarray]:
    """New arrays for the results, or the caller's; refused where there are no kernels for their dtype."""
    if dtype.name not in PRECISIONS:
        raise TypeError(f"{title}: arrays have dtype {dtype}; on a GPU expected float16, float32 or float64")
    if out is None:
        return [np.empty(shape, dtype) for _ in range(count)]
    made = unpacked(out, count, title)
    for array in made:
        if not isinstance(array, np.ndarray) or array.shape != shape or array.dtype != dtype or not array.flags.c_contiguous:
            raise ValueError(f"{title}: out is not a C-contiguous NumPy array of shape {shape} and dtype {dtype}")
        if not array.flags.writeable:
            raise ValueError(f"{title}: out is read-only")
    return made


def elementwise(
    title: str, spec: Any, kind: str, names: tuple[str, ...], arrays: list[Any], params: list[Any], dtype: np.dtype[Any],
    kwargs: dict[str, Any],
) -> Any:  # fmt: skip
    """Compute an elementwise kind of NumPy arrays on a GPU, which need not have room for them."""
    out = kwargs.pop("out", None)
    refuse_keywords(title, kwargs)
    labels, given = list(names), [np.asarray(a) for a in arrays]
    for name, value in zip(spec.params, params, strict=True):
        if not isinstance(value, int | float | np.number | np.bool_):
            labels.append(name)
            given.append(np.asarray(value))
    shape = broadcast_shape(title, dict(zip(labels, given, strict=True)))
    count = outputs(kind)
    made = _targets(title, out, count, shape, dtype)
    results = [array.reshape(-1) for array in made]
    flat = _separate([np.ascontiguousarray(np.broadcast_to(a, shape), dtype).reshape(-1) for a in given], results)

    def compute(inputs: list[Operand], targets: list[Operand], stream: Any) -> None:
        varying = iter(inputs[len(arrays) :])
        typed = [float(p) if isinstance(p, int | float | np.number | np.bool_) else next(varying) for p in params]
        launch(spec.name, kind, inputs[: len(arrays)], targets, typed, stream)

    _report(title, dtype, shape, run(title, flat, results, compute))
    final = [array if shape or out is not None else array[()] for array in made]
    return tuple(final) if count > 1 else final[0]


def gated(title: str, unit: Any, grad: Any, a: np.ndarray, b: np.ndarray, dtype: np.dtype[Any], out: Any) -> Any:
    """A gated unit of two NumPy arrays of one shape on a GPU, or with a ``grad`` its gradients."""
    back = grad is not None
    made = _targets(title, out, 2 if back else 1, a.shape, dtype)
    results = [array.reshape(-1) for array in made]
    order = slice(None) if unit.gate == "first" else slice(None, None, -1)
    given = [np.ascontiguousarray(v, dtype).reshape(-1) for v in ([grad] if back else []) + [a, b][order]]
    params = [float(p) for p in REGISTRY[unit.activation].params.values()]
    kind = "gated_backward" if back else "gated"

    def compute(inputs: list[Operand], targets: list[Operand], stream: Any) -> None:
        launch(unit.activation, kind, inputs, targets[order], params, stream)

    _report(title, dtype, a.shape, run(title, _separate(given, results), results, compute))
    return tuple(made) if back else made[0]


def rows(
    title: str, op: str, arrays: list[np.ndarray], axes: tuple[int, ...], scalars: tuple[float, ...], dtype: np.dtype[Any],
    out: Any,
) -> np.ndarray:  # fmt: skip
    """A function of rows of NumPy arrays of one shape on a GPU, or its gradient."""
    from .rows import launch_rows

    shape = arrays[0].shape
    order = [d for d in range(len(shape)) if d not in axes] + list(axes)
    n = math.prod(shape[a] for a in axes)
    made = _targets(title, out, 1, shape, dtype)[0]
    folded = [np.ascontiguousarray(a.transpose(order), dtype).reshape(-1, n) for a in arrays] if n else []
    in_place = order == list(range(len(shape)))
    result = made.reshape(-1, n) if in_place and n else np.empty((made.size // max(n, 1), n), dtype)

    def compute(inputs: list[Operand], targets: list[Operand], stream: Any) -> None:
        launch_rows(title, op, inputs, targets[0], [targets[0].shape[0], n, 1], scalars, stream)

    _report(title, dtype, shape, run(title, _separate(folded, [result]), [result], compute))
    if not in_place:
        made[...] = result.reshape([shape[d] for d in order]).transpose(np.argsort(order))
    return made
