"""The atoms over NumPy arrays: formulas computed without a compiler, slowly, for checks and for the simulator of CUDA."""

from __future__ import annotations

import operator
from typing import Any

import numpy as np

from ..language.text import Text
from .atoms import Atoms
from .emitter import emit_text

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
        # By the bits, as the others do: the power below the least normal number is 0.
        return x * self.pow2_shifted(k + self.type(1.5 * 2.0**self.digits + self.bias))

    def pow2_shifted(self, n: Any) -> Any:
        return self.from_bits(self.to_bits(n) << self.bits(self.digits))

    def exponent(self, x: Any) -> Any:
        m, e = np.frexp(x)  # m in [1/2, 1)
        return (e - (m < self.type(0.5**0.5))).astype(self.type)

    def _fma_single(self, a: Any, b: Any, c: Any) -> Any:
        return (np.float64(a) * np.float64(b) + np.float64(c)).astype(self.type)


def evaluated(text: Text, arguments: list[Any]) -> list[np.ndarray]:
    """The results of a formula in float64."""
    given = [np.asarray(a, np.float64) for a in arguments]
    shape = np.broadcast_shapes(*(a.shape for a in given))
    with np.errstate(all="ignore"):
        return [np.broadcast_to(r, shape) for r in emit_text(NumpyAtoms("float64"), text, given)]
