"""Arrays on a GPU: what is known of them, which library makes their like, and launches over them.

This file knows no formula and, but for its results' type, no library: what CuPy, torch and Numba do
differently stands in `_empty_like`, `_contiguous` and `_stream`.
"""

from __future__ import annotations

import math
from functools import cache, lru_cache
from typing import Any, NamedTuple

import numpy as np
from numba import cuda

from ._cuda_kernels import GROUP, PRECISIONS, SIMULATED, compiled
from ._cuda_simulated import memory

#: Threads of a block, and blocks for each multiprocessor where there is work for them.
BLOCK, BLOCKS_PER_PROCESSOR = 256, 16
#: Elements of one launch; indices are 32 bits wide.
LAUNCH = 1 << 30


class Operand(NamedTuple):
    """An array on a GPU."""

    address: int
    shape: tuple[int, ...]
    dtype: np.dtype[Any]
    device: int
    owner: Any

    def part(self, first: int, size: int) -> Any:
        """What a kernel is given for the elements from ``first`` on."""
        address = self.address + first * self.dtype.itemsize
        return memory(address, size, self.dtype) if SIMULATED else address


def _library(value: Any) -> str:
    return type(value).__module__.partition(".")[0]


def operand(title: str, name: str, value: Any, copy: bool = True) -> Operand:
    """Describe an array; one that is not contiguous is copied, or refused if it is to be written."""
    if SIMULATED and not hasattr(value, "__cuda_array_interface__"):
        host = value._ary
        strides = None if host.flags.c_contiguous else host.strides
        address, shape, dtype = host.ctypes.data, host.shape, host.dtype
    else:
        interface = value.__cuda_array_interface__
        shape, dtype, strides = interface["shape"], np.dtype(interface["typestr"]), interface.get("strides")
        address = interface["data"][0]
        if not copy and interface["data"][1]:
            raise ValueError(f"{title}: {name} is read-only; expected an array that can be written")
    if dtype.name not in PRECISIONS or not dtype.isnative:
        raise TypeError(f"{title}: {name} has dtype {dtype} on a GPU; expected float16, float32 or float64")
    if strides is not None and not _is_contiguous(shape, strides, dtype.itemsize):
        if not copy:
            raise ValueError(f"{title}: {name} is not contiguous; expected a C-contiguous array on a GPU")
        return operand(title, name, _contiguous(title, name, value))
    return Operand(address, tuple(shape), dtype, _device(value), value)


def _is_contiguous(shape: tuple[int, ...], strides: tuple[int, ...], step: int) -> bool:
    for size, stride in zip(shape[::-1], strides[::-1], strict=True):
        if size != 1 and stride != step:
            return 0 in shape
        step *= size
    return True


def _contiguous(title: str, name: str, value: Any) -> Any:
    """A C-contiguous copy, made by the array's library."""
    library = _library(value)
    if library == "torch":
        return value.contiguous()
    if library == "cupy":
        return value.copy(order="C")
    raise ValueError(f"{title}: {name} is not contiguous; expected a C-contiguous array, or one of CuPy or torch")


def _device(value: Any) -> int:
    """The number of the GPU that an array is on."""
    if SIMULATED:
        return 0
    device = getattr(value, "device", None)
    for attribute in ("index", "id"):  # torch's, CuPy's
        number = getattr(device, attribute, None)
        if isinstance(number, int):
            return number
    return cuda.get_current_device().id


def empty_like(like: Operand, stream: Any) -> Any:
    """A new array of the library, shape, dtype and device of another."""
    library = _library(like.owner)
    if library in ("torch", "cupy"):
        module = __import__(library)
        if library == "torch":
            return module.empty_like(like.owner, memory_format=module.contiguous_format)
        return module.empty(like.shape, like.dtype)
    return cuda.device_array(like.shape, like.dtype, stream=stream)


def stream_of(value: Any) -> Any:
    """The stream that the library of an array works on at the moment."""
    library = _library(value)
    if library == "torch":
        return _external(__import__(library).cuda.current_stream(value.device).cuda_stream)
    if library == "cupy":
        return _external(__import__(library).cuda.get_current_stream().ptr)
    interface = getattr(value, "__cuda_array_interface__", {})
    return _external(interface.get("stream") or 0)


@lru_cache(maxsize=64)
def _external(pointer: int) -> Any:
    """What Numba takes for a stream; 0 and 1 are the default one."""
    return cuda.external_stream(pointer) if pointer > 1 else 0


@cache
def _blocks_at_most(device: int) -> int:
    return 4 if SIMULATED else cuda.gpus[device].MULTIPROCESSOR_COUNT * BLOCKS_PER_PROCESSOR


@lru_cache(maxsize=4096)
def _launcher(name: str, kind: str, dtype: str, width: int, blocks: int, device: int, stream: Any) -> Any:
    """A kernel with its grid; kept, because Numba's own cache of these is small."""
    return compiled(name, kind, dtype, width)[blocks, 8 if SIMULATED else BLOCK, stream]


def launch(name: str, kind: str, operands: list[Operand], params: list[Any], stream: Any) -> None:
    """Compute a kind over arrays of equal shape and dtype, results last; returns before it is done.

    The caller has made the arrays' device the current one.
    """
    dtype, device = operands[0].dtype, operands[0].device
    total = math.prod(operands[0].shape)
    number = np.dtype(PRECISIONS[dtype.name]).type
    typed = [number(p) for p in params]
    aligned = all(o.address % GROUP == 0 for o in operands)
    width = GROUP // dtype.itemsize if aligned else 1
    for first in range(0, total, LAUNCH):
        size = min(LAUNCH, total - first)
        wanted = -(-size // (width * BLOCK))
        blocks = min(1 << max(wanted - 1, 0).bit_length(), _blocks_at_most(device))
        kernel = _launcher(name, kind, dtype.name, width, blocks, device, stream)
        kernel(*(o.part(first, size) for o in operands), size, *typed)
