"""Calls of an activation whose arrays are on a GPU, or that are to run there with arrays of the host."""

from __future__ import annotations

import logging
import math
from functools import cache
from typing import Any

import numpy as np
from numba import cuda

from ._cuda_arrays import Operand, empty_like, launch, operand, stream_of
from ._device import on_gpu
from ._numba_codegen import outputs

#: At level DEBUG a line for each call that runs on a GPU; nothing is said of those that do not.
LOG = logging.getLogger("fastact")

#: Bytes of a chunk of a host array, and how many chunks are on their way at a time.
CHUNK, SLOTS = 1 << 23, 3


def _refuse_keywords(title: str, kwargs: dict[str, Any]) -> None:
    for keyword in kwargs:
        raise TypeError(f"{title}: {keyword} is not supported on a GPU; out is")


def numbers(title: str, names: list[str], values: list[Any]) -> list[float]:
    """The parameters, which are single numbers on a GPU."""
    for name, value in zip(names, values, strict=True):
        if not isinstance(value, int | float | np.number | np.bool_):
            raise TypeError(f"{title}: {name} is {type(value).__name__} on a GPU; expected a number")
    return [float(v) for v in values]


def _unpacked(out: Any, count: int, title: str) -> list[Any]:
    """The arrays given as ``out=``: one, or a tuple of as many as there are results."""
    given = list(out) if isinstance(out, tuple) else [out]
    if len(given) != count:
        raise TypeError(f"{title}: out has {len(given)} arrays; expected {count}")
    return given


def on_arrays_there(title: str, spec: Any, kind: str, names: tuple[str, ...], arrays: tuple[Any, ...], params: list[Any],
           kwargs: dict[str, Any]) -> Any:  # fmt: skip
    """Compute a kind where its arrays are; the result is an array of the library of the first."""
    out = kwargs.pop("out", None)
    _refuse_keywords(title, kwargs)
    params = numbers(title, list(spec.params), params)
    made = [] if out is None else _unpacked(out, outputs(kind), title)
    for name, value in zip((*names, *["out"] * len(made)), (*arrays, *made), strict=True):
        if not on_gpu(value):
            raise TypeError(f"{title}: {name} is {type(value).__name__} on the CPU; expected all arrays on one GPU")
    given = [operand(title, name, value) for name, value in zip(names, arrays, strict=True)]
    _check_alike(title, names, given)
    with cuda.gpus[given[0].device]:
        stream = stream_of(arrays[0])
        made = made or [empty_like(given[0], stream) for _ in range(outputs(kind))]
        results = [operand(title, "out", array, copy=False) for array in made]
        _check_alike(title, (*names, *["out"] * len(made)), [*given, *results])
        launch(spec.name, kind, [*given, *results], params, stream)
    LOG.debug("%s: %s%s on GPU %d", title, given[0].dtype, given[0].shape, given[0].device)
    return tuple(made) if len(made) > 1 else made[0]


def _check_alike(title: str, names: tuple[str, ...], operands: list[Operand]) -> None:
    """Refuse arrays that differ in shape, dtype or device: nothing is broadcast or converted on a GPU."""
    first = operands[0]
    for name, other in zip(names[1:], operands[1:], strict=True):
        if other.shape != first.shape:
            raise ValueError(f"{title}: {name} has shape {other.shape} on a GPU; expected {first.shape}, that of {names[0]}")
        if other.dtype != first.dtype:
            raise TypeError(f"{title}: {name} has dtype {other.dtype} on a GPU; expected {first.dtype}, that of {names[0]}")
        if other.device != first.device:
            raise ValueError(f"{title}: {name} is on GPU {other.device}; expected {first.device}, that of {names[0]}")


@cache
def _streams() -> list[Any]:
    """The streams that chunks take in turn; kept, as launchers are kept for each stream."""
    return [cuda.stream() for _ in range(SLOTS)]


class _Slot:
    """A chunk on its way: pinned buffers of the host, arrays of the GPU, and a stream."""

    def __init__(self, stream: Any, count: int, results: int, size: int, dtype: np.dtype[Any]) -> None:
        self.stream = stream
        self.host = [cuda.pinned_array(size, dtype) for _ in range(count + results)]
        self.gpu = [cuda.device_array(size, dtype) for _ in range(count + results)]
        self.count = count
        self.pending: tuple[int, int] | None = None

    def start(self, title: str, name: str, kind: str, arrays: list[np.ndarray], part: tuple[int, int], params: list[Any]) -> None:
        """Copy a part of the arrays in, compute it, and copy the results out; returns before that is done."""
        size = part[1] - part[0]
        for buffer, array, target in zip(self.host, arrays, self.gpu, strict=False):
            buffer[:size] = array[part[0] : part[1]]
            target[:size].copy_to_device(buffer[:size], stream=self.stream)
        launch(name, kind, [operand(title, "x", g[:size]) for g in self.gpu], params, self.stream)
        for buffer, source in zip(self.host[self.count :], self.gpu[self.count :], strict=True):
            source[:size].copy_to_host(buffer[:size], stream=self.stream)
        self.pending = part

    def finish(self, results: list[np.ndarray]) -> None:
        """Wait for the part that was started and put its results in their place."""
        if self.pending is not None:
            self.stream.synchronize()
            first, last = self.pending
            for buffer, result in zip(self.host[self.count :], results, strict=True):
                result[first:last] = buffer[: last - first]
            self.pending = None


def on_host_arrays(title: str, spec: Any, kind: str, arrays: list[np.ndarray], params: list[Any], dtype: np.dtype[Any],
            kwargs: dict[str, Any]) -> Any:  # fmt: skip
    """Compute a kind over NumPy arrays on a GPU, which need not have room for them."""
    out = kwargs.pop("out", None)
    _refuse_keywords(title, kwargs)
    params = numbers(title, list(spec.params), params)
    try:
        shape = np.broadcast_shapes(*(a.shape for a in arrays))
    except ValueError as error:
        shapes = ", ".join(str(a.shape) for a in arrays)
        raise ValueError(f"{title}: shapes do not broadcast: {shapes}") from error
    count = outputs(kind)
    made = [np.empty(shape, dtype) for _ in range(count)] if out is None else _unpacked(out, count, title)
    for array in made:
        if not isinstance(array, np.ndarray) or array.shape != shape or array.dtype != dtype or not array.flags.c_contiguous:
            raise ValueError(f"{title}: out is not a C-contiguous NumPy array of shape {shape} and dtype {dtype}")
    flat = [np.ascontiguousarray(np.broadcast_to(a, shape), dtype).reshape(-1) for a in arrays]
    results = [array.reshape(-1) for array in made]
    # Chunks are written while later ones are still to be read: an array that is the output may stay, another overlap not.
    for i, array in enumerate(flat):
        if any(np.may_share_memory(array, r) and array.ctypes.data != r.ctypes.data for r in results):
            flat[i] = array.copy()
    total = math.prod(shape)
    step = min(total, CHUNK // dtype.itemsize)
    parts = [(first, min(first + step, total)) for first in range(0, total, step)] if total else []
    slots = [_Slot(stream, len(flat), count, step, dtype) for stream in _streams()[: len(parts)]]
    for i, part in enumerate(parts):
        slot = slots[i % len(slots)]
        slot.finish(results)
        slot.start(title, spec.name, kind, flat, part, params)
    for i in range(len(parts), len(parts) + len(slots)):
        slots[i % len(slots)].finish(results)
    LOG.debug("%s: %s%s of the host on a GPU, in %d chunk(s)", title, dtype, shape, len(parts))
    final = [array if shape or out is not None else array[()] for array in made]
    return tuple(final) if count > 1 else final[0]
