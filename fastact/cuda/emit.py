"""What all CUDA kernels are emitted with: the atoms on a GPU, accesses to memory, loops, exchanges between threads.

Everything is LLVM instructions: indices are 32 bits wide, one 128-bit access moves a group, and nothing of a
formula passes through Numba's types, where a literal would become float64.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from llvmlite import ir
from numba import config

from ..numba.atoms import Atoms, Value

#: Whether NUMBA_ENABLE_CUDASIM is set: kernels run in Python, on memory of the host.
SIMULATED = bool(config.ENABLE_CUDASIM)

#: Bytes of one access.
GROUP = 16

#: Registers of a thread at most, so that a multiprocessor holds 1024 threads.
REGISTERS = 64

#: dtype of an array -> precision of the arithmetic; float16 is computed in float32.
PRECISIONS = {"float16": "float32", "float32": "float32", "float64": "float64"}
_STORED = {"float16": ir.HalfType(), "float32": ir.FloatType(), "float64": ir.DoubleType()}

INDEX, ADDRESS = ir.IntType(32), ir.IntType(64)


class CudaAtoms(Atoms):
    """The atoms on a GPU: the operations that NVVM would contract or approximate name their rounding."""

    def _rounded(self, operation: str, *values: Value) -> Value:
        name = f"llvm.nvvm.{operation}.rn.{'f' if self.precision == 'float32' else 'd'}"
        function = self.builder.module.declare_intrinsic(name, fnty=ir.FunctionType(self.type, [self.type] * len(values)))
        return self.builder.call(function, values)

    def add(self, a: Value, b: Value) -> Value:
        return self._rounded("add", a, b)

    def negative(self, a: Value) -> Value:
        return self.builder.fsub(self.literal(-0.0), a)  # NVVM's language has no fneg for most processors

    def sub(self, a: Value, b: Value) -> Value:
        return self._rounded("add", a, self.negative(b))

    def mul(self, a: Value, b: Value) -> Value:
        return self._rounded("mul", a, b)

    def div(self, a: Value, b: Value) -> Value:
        return self._rounded("div", a, b)

    def reciprocal(self, a: Value) -> Value:
        """1/a: in float32 the hardware's approximation and a Newton step, without the branch of a rounded division.

        The approximation is within 1 ULP; from any such the step yields the rounded quotient, but for the one
        significand of all ones, where it may be the neighbour (tests/cuda/test_reciprocal.py goes through all of them).
        Where the step has no meaning (0, infinities, NaN, quotients beyond the largest number) the approximation is
        the quotient.
        """
        if self.precision == "float64":
            return self._rounded("rcp", a)
        return self.newton(a, self._approximate_reciprocal(a))

    def newton(self, a: Value, r: Value) -> Value:
        """A Newton step from r, which is near 1/a."""
        residual = self.fma(self.negative(a), r, self.literal(1.0))
        near = self.compare("<", self.abs(residual), self.literal(1.0))
        return self.select(near, self.fma(residual, r, r), r)

    def _approximate_reciprocal(self, a: Value) -> Value:
        code = ir.InlineAsm(ir.FunctionType(self.type, [self.type]), "rcp.approx.f32 $0, $1;", "=f,f", False)
        return self.builder.call(code, [a])

    def fma(self, a: Value, b: Value, c: Value) -> Value:
        return self._rounded("fma", a, b, c)

    def sqrt(self, x: Value) -> Value:
        return self._rounded("sqrt", x)


def special(builder: Any, name: str) -> Value:
    """A number of this thread: "tid", "ntid", "ctaid", "nctaid", along x."""
    function = builder.module.declare_intrinsic(f"llvm.nvvm.read.ptx.sreg.{name}.x", fnty=ir.FunctionType(INDEX, []))
    return builder.call(function, [])


def exchange(atoms: Atoms, value: Value, distance: Value) -> Value:
    """The value that the thread of this warp holds whose number differs by the bits of ``distance``."""
    builder = atoms.builder
    name = "llvm.nvvm.shfl.sync.bfly.i32"
    shuffle = builder.module.declare_intrinsic(name, fnty=ir.FunctionType(INDEX, [INDEX] * 4))

    def word(bits: Value) -> Value:
        return builder.call(shuffle, [INDEX(-1), bits, distance, INDEX(31)])

    bits = atoms.to_bits(value)
    if atoms.precision == "float32":
        return atoms.from_bits(word(bits))
    high = builder.zext(word(builder.trunc(builder.lshr(bits, ADDRESS(32)), INDEX)), ADDRESS)
    low = builder.zext(word(builder.trunc(bits, INDEX)), ADDRESS)
    return atoms.from_bits(builder.or_(builder.shl(high, ADDRESS(32)), low))


def offset(builder: Any, base: Value, index: Value, step: Value) -> Value:
    """``base + index * step``, addresses and bytes in 64 bits, the index in 32."""
    return builder.add(base, builder.mul(builder.zext(index, ADDRESS), step))


def load(atoms: Atoms, address: Value, dtype: str, lanes: int) -> list[Value]:
    """Elements side by side, in the working precision; more than one are one aligned access."""
    builder, stored = atoms.builder, _STORED[dtype]
    if lanes == 1:
        found = [builder.load(builder.inttoptr(address, stored.as_pointer(1)), align=np.dtype(dtype).itemsize)]
    else:
        # NVVM splits vectors of half, but not those of integers.
        word = ir.VectorType(INDEX, GROUP // 4)
        group = builder.load(builder.inttoptr(address, word.as_pointer(1)), align=GROUP)
        group = builder.bitcast(group, ir.VectorType(stored, lanes))
        found = [builder.extract_element(group, INDEX(lane)) for lane in range(lanes)]
    return [builder.fpext(v, atoms.type) for v in found] if dtype == "float16" else found


def store(atoms: Atoms, address: Value, dtype: str, values: list[Value]) -> None:
    """Write elements side by side; more than one are one aligned access."""
    builder, stored = atoms.builder, _STORED[dtype]
    if dtype == "float16":
        values = [builder.fptrunc(v, stored) for v in values]
    if len(values) == 1:
        builder.store(values[0], builder.inttoptr(address, stored.as_pointer(1)), align=np.dtype(dtype).itemsize)
        return
    word = ir.VectorType(INDEX, GROUP // 4)
    group = ir.Constant(ir.VectorType(stored, len(values)), ir.Undefined)
    for lane, value in enumerate(values):
        group = builder.insert_element(group, value, INDEX(lane))
    builder.store(builder.bitcast(group, word), builder.inttoptr(address, word.as_pointer(1)), align=GROUP)


def repeat(
    builder: Any, first: Value, end: Value, step: Value, carried: list[Value],
    body: Callable[[Value, list[Value]], list[Value]],
) -> list[Value]:  # fmt: skip
    """Emit ``for index in range(first, end, step): carried = body(index, carried)``; returns what is carried at the end."""
    before = builder.block
    loop, done = builder.append_basic_block("loop"), builder.append_basic_block("done")
    builder.cbranch(builder.icmp_unsigned("<", first, end), loop, done)
    builder.position_at_end(loop)
    phis = [builder.phi(v.type) for v in (first, *carried)]
    for phi, value in zip(phis, (first, *carried), strict=True):
        phi.add_incoming(value, before)
    got = body(phis[0], list(phis[1:]))
    following = builder.add(phis[0], step)
    after = builder.block
    for phi, value in zip(phis, (following, *got), strict=True):
        phi.add_incoming(value, after)
    builder.cbranch(builder.icmp_unsigned("<", following, end), loop, done)
    builder.position_at_end(done)
    results = []
    for initial, value in zip(carried, got, strict=True):
        phi = builder.phi(initial.type)
        phi.add_incoming(initial, before)
        phi.add_incoming(value, after)
        results.append(phi)
    return results
