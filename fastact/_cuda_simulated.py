"""What Numba's simulator of CUDA runs in place of the emitted kernels: the same loop and formulas, over NumPy.

Slow; for tests of whatever surrounds the kernels on a machine without a GPU.
"""

from __future__ import annotations

import ctypes
import operator
from collections.abc import Callable
from typing import Any

import numpy as np

from ._numba_atoms import Atoms
from ._numba_codegen import ARRAYS, emit, outputs

_COMPARE = {
    "<": operator.lt, "<=": operator.le, ">": operator.gt, ">=": operator.ge, "==": operator.eq, "!=": operator.ne,
}  # fmt: skip


class NumpyAtoms(Atoms):
    """The atoms and operators over NumPy arrays of one precision."""

    def __init__(self, precision: str) -> None:
        self.precision = precision
        self.has_fma = False
        self.type = np.dtype(precision).type
        self.bits = np.dtype({"float32": "u4", "float64": "u8"}[precision]).type
        self.digits, self.bias = (23, 127) if precision == "float32" else (52, 1023)

    def literal(self, value: float) -> Any:
        return self.type(value)

    def integer(self, value: int) -> Any:
        return self.bits(value)

    def add(self, a: Any, b: Any) -> Any:
        return a + b

    def sub(self, a: Any, b: Any) -> Any:
        return a - b

    def mul(self, a: Any, b: Any) -> Any:
        return a * b

    def div(self, a: Any, b: Any) -> Any:
        return a / b

    def negative(self, a: Any) -> Any:
        return -a

    def compare(self, symbol: str, a: Any, b: Any) -> Any:
        return _COMPARE[symbol](a, b)

    def both(self, a: Any, b: Any) -> Any:
        return a & b

    def either(self, a: Any, b: Any) -> Any:
        return a | b

    def to_bits(self, x: Any) -> Any:
        return np.asarray(x).view(self.bits)

    def from_bits(self, b: Any) -> Any:
        return np.asarray(b).view(self.type)

    def select(self, condition: Any, a: Any, b: Any) -> Any:
        return np.where(condition, a, b)

    def abs(self, x: Any) -> Any:
        return np.abs(x)

    def sqrt(self, x: Any) -> Any:
        return np.sqrt(x)

    def copysign(self, magnitude: Any, sign: Any) -> Any:
        return np.copysign(magnitude, sign)

    def scale_by_pow2(self, x: Any, k: Any) -> Any:
        return x * np.ldexp(self.type(1), np.asarray(k).astype(np.int32))

    def exponent(self, x: Any) -> Any:
        m, e = np.frexp(x)  # m in [1/2, 1)
        return (e - (m < self.type(0.5**0.5))).astype(self.type)

    def _fma_single(self, a: Any, b: Any, c: Any) -> Any:
        return (np.float64(a) * np.float64(b) + np.float64(c)).astype(self.type)


def memory(address: int, size: int, dtype: np.dtype[Any]) -> Any:
    """The elements at an address, as the simulator's device array."""
    from numba.cuda.simulator.cudadrv.devicearray import FakeCUDAArray

    raw: Any = (ctypes.c_char * (size * dtype.itemsize)).from_address(address)
    return FakeCUDAArray(np.frombuffer(raw, dtype))


def simulated(name: str, kind: str, dtype: str, width: int) -> Callable[..., None]:
    """A thread's part of a kernel, called with the tuple of its arguments; arrays stand for their addresses."""
    count = len(ARRAYS[kind])
    end = count + outputs(kind)
    atoms = NumpyAtoms("float64" if dtype == "float64" else "float32")

    def run(arguments: tuple[Any, ...], thread: int, threads: int) -> None:
        n, params = int(arguments[end]), [atoms.type(p) for p in arguments[end + 1 :]]
        parts = [(i * width, (i + 1) * width) for i in range(thread, n // width, threads)]
        if n // width * width + thread < n:
            parts.append((n // width * width + thread, n // width * width + thread + 1))
        for first, last in parts:
            given = [np.array([a[i] for i in range(first, last)], atoms.type) for a in arguments[:count]]
            with np.errstate(all="ignore"):
                results = emit(atoms, name, kind, [*given, *params])
            for out, values in zip(arguments[count:end], results, strict=True):
                for i, value in enumerate(np.broadcast_to(values, last - first).astype(dtype)):
                    out[first + i] = value

    return run
