"""Arrays on a GPU: what is known of them, which library makes their like, and on which stream it works.

What CuPy, torch, Numba and the libraries that have DLPack alone do differently stands in this file.
"""

from __future__ import annotations

import math
from functools import lru_cache
from typing import Any, NamedTuple

import numpy as np
from numba import cuda

from . import dlpack
from .emit import PRECISIONS, SIMULATED

#: Libraries whose streams and allocations are known here; of others DLPack is asked first, which says what waits for what.
_KNOWN = ("numba", "cupy", "torch")


class Operand(NamedTuple):
    """An array on a GPU; ``strides`` are in bytes, or None where it is C-contiguous."""

    address: int
    shape: tuple[int, ...]
    strides: tuple[int, ...] | None
    dtype: np.dtype[Any]
    device: int
    owner: Any

    @property
    def steps(self) -> tuple[int, ...]:
        """The strides, of a contiguous array too."""
        if self.strides is not None:
            return self.strides
        found = [self.dtype.itemsize] * len(self.shape)
        for d in range(len(self.shape) - 2, -1, -1):
            found[d] = found[d + 1] * self.shape[d + 1]
        return tuple(found)

    def span(self) -> tuple[int, int]:
        """The first address and the one after the last."""
        reach = [(n - 1) * s for n, s in zip(self.shape, self.steps, strict=True)]
        return (
            self.address + sum(r for r in reach if r < 0),
            self.address + sum(r for r in reach if r > 0) + self.dtype.itemsize * (math.prod(self.shape) > 0),
        )


def _library(value: Any) -> str:
    return type(value).__module__.partition(".")[0]


def operand(title: str, name: str, value: Any, written: bool = False) -> Operand:
    """Describe an array, or refuse what no kernel takes."""
    owner, read_only = value, False
    if SIMULATED and hasattr(value, "_ary"):
        host = value._ary
        address, shape, strides, dtype, device = host.ctypes.data, tuple(host.shape), host.strides, host.dtype, 0
    elif _library(value) in _KNOWN or not hasattr(value, "__dlpack__"):
        interface = value.__cuda_array_interface__
        shape, dtype, strides = tuple(interface["shape"]), np.dtype(interface["typestr"]), interface.get("strides")
        address, read_only = interface["data"]
        device = _device(value)
    else:
        address, shape, strides, dtype, device, read_only, owner = dlpack.borrow(value, max(stream_pointer(value), 1))
    if str(dtype) not in PRECISIONS or not dtype.isnative:
        raise TypeError(f"{title}: {name} has dtype {dtype} on a GPU; expected float16, float32 or float64")
    if written and read_only:
        raise ValueError(f"{title}: {name} is read-only; expected an array that can be written")
    if strides is not None and _is_contiguous(shape, strides, dtype.itemsize):
        strides = None
    return Operand(address or 0, shape, strides, dtype, device, owner)


def _is_contiguous(shape: tuple[int, ...], strides: tuple[int, ...], step: int) -> bool:
    for size, stride in zip(shape[::-1], strides[::-1], strict=True):
        if size != 1 and stride != step:
            return 0 in shape
        step *= size
    return True


def _device(value: Any) -> int:
    """The number of the GPU that an array is on."""
    if SIMULATED:
        return int(getattr(getattr(value, "device", None), "id", 0))
    device = getattr(value, "device", None)
    for attribute in ("index", "id"):  # torch's, CuPy's
        number = getattr(device, attribute, None)
        if isinstance(number, int):
            return number
    if hasattr(value, "__dlpack_device__"):
        return int(value.__dlpack_device__()[1])
    return cuda.get_current_device().id


def empty(title: str, like: Operand, shape: tuple[int, ...], dtype: Any, stream: Any) -> Any:
    """A new C-contiguous array of the library and on the device of another.

    For a library that has DLPack alone it is one of Numba's, which `finished` turns into one of that library.
    """
    owner = like.owner[0] if isinstance(like.owner, tuple) else like.owner
    library = _library(owner)
    dtype = np.dtype(dtype)
    if library == "torch":
        torch = __import__(library)
        return torch.empty(shape, dtype=getattr(torch, dtype.name), device=owner.device)
    if library == "cupy":
        return __import__(library).empty(shape, dtype)
    return numba_array(title, shape, dtype, stream)


def numba_array(title: str, shape: tuple[int, ...], dtype: Any, stream: Any) -> Any:
    """A new array of Numba; where there is no memory, what Numba keeps for later is freed first."""
    try:
        return cuda.device_array(shape, dtype, stream=stream)
    except Exception as error:
        if not is_out_of_memory(error):
            raise
    cuda.current_context().deallocations.clear()
    try:
        return cuda.device_array(shape, dtype, stream=stream)
    except Exception as error:
        if not is_out_of_memory(error):
            raise
        size = math.prod(shape) * np.dtype(dtype).itemsize
        raise MemoryError(f"{title}: the GPU has no memory for {size} bytes of the result") from error


def is_out_of_memory(error: Exception) -> bool:
    """Whether an exception of Numba, CuPy or torch says that the memory of a GPU is used up."""
    return isinstance(error, MemoryError) or "OUT_OF_MEMORY" in str(error) or "OutOfMemory" in type(error).__name__


def finished(array: Any, like: Operand, stream: Any) -> Any:
    """A new array that has been computed, as the library of another has it."""
    owner = like.owner[0] if isinstance(like.owner, tuple) else like.owner
    if _library(owner) in _KNOWN or type(array) is type(owner):
        return array
    borrower = dlpack.borrower(owner)
    if borrower is None:
        return array
    wait_for(stream)
    address = operand("", "", array).address
    return dlpack.lend(array, address, like.device, borrower, on_host=SIMULATED)


def wait_for(stream: Any) -> None:
    """Return when all that has been started on a stream is done."""
    if stream == 0:
        cuda.synchronize()
    else:
        stream.synchronize()


def stream_pointer(value: Any) -> int:
    """The stream that the library of an array works on at the moment, as the driver names it."""
    library = _library(value)
    if library == "torch":
        return int(__import__(library).cuda.current_stream(value.device).cuda_stream)
    if library == "cupy":
        return int(__import__(library).cuda.get_current_stream().ptr)
    return getattr(value, "__cuda_array_interface__", {}).get("stream") or 0


def stream_of(arrays: list[Any]) -> Any:
    """The stream of the first array, once it has been told to wait for those of the others."""
    asked, pointers = set(), []
    for array in arrays:
        library = _library(array)
        if library not in asked:
            pointers.append(max(stream_pointer(array), 1))
        if library in ("cupy", "torch"):  # one stream is current for all of their arrays
            asked.add(library)
    first, *others = dict.fromkeys(pointers)
    mine = _external(first)
    for pointer in others:
        ready = cuda.event(timing=False)
        ready.record(_external(pointer))
        ready.wait(mine)
    return mine


@lru_cache(maxsize=64)
def _external(pointer: int) -> Any:
    """What Numba takes for a stream; 0 and 1 are the default one."""
    return cuda.external_stream(pointer) if pointer > 1 else 0
