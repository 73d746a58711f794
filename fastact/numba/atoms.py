"""The atoms for the Numba targets (what each means: language/atoms.py), as instructions of LLVM.

Every instruction is written without fast-math flags, so that nothing is contracted, reassociated or
assumed of NaN and infinities. This file must not know any activation. A subclass of `Atoms` changes
what a target does otherwise.
"""

from __future__ import annotations

from typing import Any

from llvmlite import ir

Value = Any  # llvmlite has no types


class Atoms:
    """The atoms and the operators of one precision, appended to one block of instructions.

    Parameters
    ----------
    builder : llvmlite.ir.IRBuilder
    precision : str
        "float32" or "float64".
    has_fma : bool
        Whether the target has a fused multiply-add; without one ``fma`` is composed as in atoms.h.
    """

    def __init__(self, builder: Any, precision: str, has_fma: bool = True) -> None:
        self.builder = builder
        self.precision = precision
        self.has_fma = has_fma
        single = precision == "float32"
        self.type = ir.FloatType() if single else ir.DoubleType()
        self.bits = ir.IntType(32 if single else 64)
        self.digits = 23 if single else 52  # of the significand, without the leading one
        self.bias = 127 if single else 1023

    # -- numbers and operators -----------------------------------------------------------------

    def literal(self, value: float) -> Value:
        return ir.Constant(self.type, value)

    def integer(self, value: int) -> Value:
        return ir.Constant(self.bits, value)

    def add(self, a: Value, b: Value) -> Value:
        return self.builder.fadd(a, b)

    def sub(self, a: Value, b: Value) -> Value:
        return self.builder.fsub(a, b)

    def mul(self, a: Value, b: Value) -> Value:
        return self.builder.fmul(a, b)

    def div(self, a: Value, b: Value) -> Value:
        return self.builder.fdiv(a, b)

    def reciprocal(self, a: Value) -> Value:
        """1/a."""
        return self.div(self.literal(1.0), a)

    def negative(self, a: Value) -> Value:
        return self.builder.fneg(a)

    def compare(self, symbol: str, a: Value, b: Value) -> Value:
        """A condition; comparisons with NaN are false, ``!=`` true."""
        if symbol == "!=":
            return self.builder.fcmp_unordered("!=", a, b)
        return self.builder.fcmp_ordered(symbol, a, b)

    def both(self, a: Value, b: Value) -> Value:
        return self.builder.and_(a, b)

    def either(self, a: Value, b: Value) -> Value:
        return self.builder.or_(a, b)

    def to_bits(self, x: Value) -> Value:
        return self.builder.bitcast(x, self.bits)

    def from_bits(self, b: Value) -> Value:
        return self.builder.bitcast(b, self.type)

    # -- the atoms -----------------------------------------------------------------------------

    def select(self, condition: Value, a: Value, b: Value) -> Value:
        return self.builder.select(condition, a, b)

    def fma(self, a: Value, b: Value, c: Value) -> Value:
        if self.has_fma:
            return self.builder.fma(a, b, c)
        return self._fma_single(a, b, c) if self.precision == "float32" else self._fma_double(a, b, c)

    def mul_add(self, a: Value, b: Value, c: Value) -> Value:
        return self.fma(a, b, c) if self.has_fma else self.add(self.mul(a, b), c)

    def abs(self, x: Value) -> Value:
        mask = (1 << (self.bits.width - 1)) - 1
        return self.from_bits(self.builder.and_(self.to_bits(x), self.integer(mask)))

    def sqrt(self, x: Value) -> Value:
        function = self.builder.module.declare_intrinsic("llvm.sqrt", [self.type])
        return self.builder.call(function, [x])

    def copysign(self, magnitude: Value, sign: Value) -> Value:
        top = 1 << (self.bits.width - 1)
        kept = self.builder.and_(self.to_bits(magnitude), self.integer(top - 1))
        return self.from_bits(self.builder.or_(kept, self.builder.and_(self.to_bits(sign), self.integer(top))))

    def round_to_int(self, x: Value) -> Value:
        # From 2^23 (2^52) on every number is an integer already.
        one = self.literal(2.0**self.digits)
        m = self.abs(x)
        r = self.sub(self.add(m, one), one)
        return self.select(self.compare("<", m, one), self.copysign(r, x), x)

    def round_product(self, a: Value, b: Value) -> Value:
        # Adding 1.5 * 2^23 (2^52) leaves the nearest integer in the low bits of the sum.
        magic = self.literal(1.5 * 2.0**self.digits)
        return self.sub(self.mul_add(a, b, magic), magic)

    def scale_by_pow2(self, x: Value, k: Value) -> Value:
        return self.mul(x, self.pow2_shifted(self.add(k, self.literal(1.5 * 2.0**self.digits + self.bias))))

    def pow2_shifted(self, n: Value) -> Value:
        # The sum k + bias stands in the low bits, as above; shifted left it is the exponent of 2^k.
        return self.from_bits(self.builder.shl(self.to_bits(n), self.integer(self.digits)))

    def exponent(self, x: Value) -> Value:
        # Subtracting the bits of sqrt(1/2) puts the exponent's step at sqrt(1/2) * 2^k; the biased field
        # is turned into a float by placing it in the low bits of 2^23 (2^52).
        root, middle = (0x3F3504F3, 128) if self.precision == "float32" else (0x3FE6A09E667F3BCD, 1024)
        shifted = self.builder.add(self.to_bits(x), self.integer((middle << self.digits) - root))
        field = self.builder.lshr(shifted, self.integer(self.digits))
        power = self.integer((self.bias + self.digits) << self.digits)
        return self.sub(self.from_bits(self.builder.or_(field, power)), self.literal(2.0**self.digits + middle))

    # -- targets without a fused multiply-add --------------------------------------------------

    def _fma_single(self, a: Value, b: Value, c: Value) -> Value:
        wide = ir.DoubleType()
        a, b, c = (self.builder.fpext(v, wide) for v in (a, b, c))
        return self.builder.fptrunc(self.builder.fadd(self.builder.fmul(a, b), c), self.type)

    def _fma_double(self, a: Value, b: Value, c: Value) -> Value:
        add, sub, mul = self.add, self.sub, self.mul

        def split(v: Value) -> tuple[Value, Value]:
            t = mul(self.literal(134217729.0), v)  # 2^27 + 1
            high = sub(t, sub(t, v))
            return high, sub(v, high)

        p = mul(a, b)
        (ah, al), (bh, bl) = split(a), split(b)
        e = sub(mul(al, bl), sub(sub(sub(p, mul(ah, bh)), mul(al, bh)), mul(ah, bl)))
        s = add(p, c)
        v = sub(s, p)
        t = add(sub(p, sub(s, v)), sub(c, v))
        r = add(s, add(t, e))
        finite = self.compare("==", sub(r, r), self.literal(0.0))
        return self.select(self.both(finite, self.compare("!=", r, s)), r, s)
