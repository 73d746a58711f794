"""DLPack, for libraries whose GPU arrays have no ``__cuda_array_interface__``: their memory lent to us, and ours to them."""

from __future__ import annotations

import ctypes
import sys
from ctypes import POINTER, Structure, c_char_p, c_int32, c_int64, c_uint8, c_uint16, c_uint32, c_uint64, c_void_p, py_object
from typing import Any

import numpy as np

_CPU, _CUDA, _MANAGED = 1, 2, 13
_FLOAT, _READ_ONLY = 2, 1
_DTYPES = {16: np.dtype(np.float16), 32: np.dtype(np.float32), 64: np.dtype(np.float64)}
_KINDS = {0: "int", 1: "uint", _FLOAT: "float", 4: "bfloat", 5: "complex", 6: "bool"}


class _Device(Structure):
    _fields_ = (("kind", c_int32), ("number", c_int32))


class _Type(Structure):
    _fields_ = (("code", c_uint8), ("bits", c_uint8), ("lanes", c_uint16))


class _Tensor(Structure):
    _fields_ = (("data", c_void_p), ("device", _Device), ("ndim", c_int32), ("dtype", _Type),
                ("shape", POINTER(c_int64)), ("strides", POINTER(c_int64)), ("first", c_uint64))  # fmt: skip


_DELETER = ctypes.CFUNCTYPE(None, c_void_p)


class _Managed(Structure):
    _fields_ = (("tensor", _Tensor), ("context", c_void_p), ("deleter", _DELETER))


class _Versioned(Structure):
    _fields_ = (("major", c_uint32), ("minor", c_uint32), ("context", c_void_p), ("deleter", c_void_p), ("flags", c_uint64),
                ("tensor", _Tensor))  # fmt: skip


def _api(name: str, result: Any, *arguments: Any) -> Any:
    function = ctypes.PYFUNCTYPE(result, *arguments)
    return function((name, ctypes.pythonapi))


_is_valid = _api("PyCapsule_IsValid", ctypes.c_int, py_object, c_char_p)
_pointer = _api("PyCapsule_GetPointer", c_void_p, py_object, c_char_p)
_new = _api("PyCapsule_New", py_object, c_void_p, c_char_p, c_void_p)


def is_on_gpu(value: Any) -> bool:
    """Whether an object that has ``__dlpack_device__`` is on a CUDA device."""
    return value.__dlpack_device__()[0] in (_CUDA, _MANAGED)


def borrow(value: Any, stream: int) -> tuple[int, tuple[int, ...], tuple[int, ...] | None, np.dtype[Any] | str, int, bool, Any]:
    """What is known of an array by DLPack, ready on a stream.

    Returns
    -------
    address, shape, strides, dtype, device, read_only, owner
        Strides are in bytes, or None for a C-contiguous array; the dtype is its name where NumPy has none here. The
        memory is ours for as long as the owner lives.
    """
    try:
        capsule = value.__dlpack__(stream=stream, max_version=(1, 0))
    except TypeError:
        capsule = value.__dlpack__(stream=stream)
    read_only = False
    if _is_valid(capsule, b"dltensor_versioned"):
        managed = ctypes.cast(_pointer(capsule, b"dltensor_versioned"), POINTER(_Versioned)).contents
        if managed.major != 1:
            raise ValueError(f"DLPack version {managed.major}.{managed.minor} is not known here; expected 1")
        tensor, read_only = managed.tensor, bool(managed.flags & _READ_ONLY)
    else:
        tensor = ctypes.cast(_pointer(capsule, b"dltensor"), POINTER(_Managed)).contents.tensor
    kind = tensor.dtype
    dtype: Any = f"{_KINDS.get(kind.code, 'unknown')}{kind.bits}"
    if kind.code == _FLOAT and kind.lanes == 1 and kind.bits in _DTYPES:
        dtype = _DTYPES[kind.bits]
    shape = tuple(tensor.shape[i] for i in range(tensor.ndim))
    strides = tuple(tensor.strides[i] * (kind.bits // 8) for i in range(tensor.ndim)) if tensor.strides else None
    return (tensor.data or 0) + tensor.first, shape, strides, dtype, tensor.device.number, read_only, (value, capsule)


_lent: dict[int, Any] = {}  # what each of our tensors consists of, until its borrower lets go of it


@_DELETER
def _take_back(address: int) -> None:
    _lent.pop(address, None)


class _Lender:
    """What a library's ``from_dlpack`` is given."""

    def __init__(self, array: Any, address: int, device: int, on_host: bool) -> None:
        dtype, ndim = array.dtype, len(array.shape)
        self.device = (_CPU if on_host else _CUDA, device)
        shape = (c_int64 * ndim)(*array.shape)
        strides = (c_int64 * ndim)(*(s // dtype.itemsize for s in array.strides))
        tensor = _Tensor(address, _Device(*self.device), ndim, _Type(_FLOAT, dtype.itemsize * 8, 1), shape, strides, 0)
        self.managed = _Managed(tensor, None, _take_back)
        self.parts = array, shape, strides, self.managed

    def __dlpack_device__(self) -> tuple[int, int]:
        return self.device

    def __dlpack__(self, **_: Any) -> Any:
        address = ctypes.addressof(self.managed)
        _lent[address] = self.parts
        return _new(ctypes.cast(ctypes.byref(self.managed), c_void_p), b"dltensor", None)


def lend(array: Any, address: int, device: int, borrower: Any, on_host: bool = False) -> Any:
    """Turn an array of Numba, computed and at rest, into one of a library, given by its ``from_dlpack``."""
    lender = _Lender(array, address, device, on_host)
    try:
        return borrower(lender)
    except BaseException:
        _take_back(ctypes.addressof(lender.managed))
        raise


def borrower(value: Any) -> Any:
    """The ``from_dlpack`` of the library of an array, or None if that has none."""
    if hasattr(value, "__array_namespace__"):
        found = getattr(value.__array_namespace__(), "from_dlpack", None)
        if found is not None:
            return found
    module = sys.modules.get(type(value).__module__.partition(".")[0])
    for place in (module, getattr(module, "dlpack", None), getattr(getattr(module, "utils", None), "dlpack", None)):
        found = getattr(place, "from_dlpack", None)
        if found is not None:
            return found
    return None
