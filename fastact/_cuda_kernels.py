"""CUDA kernels of every kind, from the same formulas: the intrinsics, and the kernels made of them.

A kernel is one grid-stride loop over groups of 16 bytes, emitted as LLVM instructions: the indices are
32 bits wide, one 128-bit access moves a group, and nothing of the formula passes through Numba's types,
where a literal would become float64. The simulator, which runs no intrinsics, runs the same loop in Python.
"""

from __future__ import annotations

from functools import cache
from typing import Any

import numpy as np
from llvmlite import ir
from numba import config, cuda, types

from . import activations as _formulas  # noqa: F401  (fills the registry)
from ._cuda_simulated import simulated
from ._numba_atoms import Atoms, Value
from ._numba_codegen import ARRAYS, emit, outputs
from ._spec import REGISTRY

#: Whether NUMBA_ENABLE_CUDASIM is set: kernels run in Python, and arrays stand for their addresses.
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

    def fma(self, a: Value, b: Value, c: Value) -> Value:
        return self._rounded("fma", a, b, c)

    def sqrt(self, x: Value) -> Value:
        return self._rounded("sqrt", x)


def sweep(
    atoms: Atoms, name: str, kind: str, dtype: str, width: int, arguments: list[Value], thread: Value, threads: Value
) -> None:
    """Emit a thread's part of a kernel.

    Parameters
    ----------
    atoms : Atoms
        Of the precision of the arithmetic.
    name, kind : str
        A name of the registry and a kind that it has.
    dtype : str
        Of the arrays.
    width : int
        Elements of an access: 1, or as many as ``GROUP`` bytes hold if all arrays are aligned to that.
    arguments : list of llvmlite values
        Addresses of the arrays and of the results, the number of elements (below 2^31), the parameters.
    thread, threads : llvmlite values
        This thread's number, and how many there are; at least ``width``.
    """
    builder, stored = atoms.builder, _STORED[dtype]
    count = len(ARRAYS[kind])
    end = count + outputs(kind)
    inputs, results, params = arguments[:count], arguments[count:end], arguments[end + 1 :]
    n = builder.trunc(arguments[end], INDEX)
    size = np.dtype(dtype).itemsize

    def at(base: Value, index: Value, step: int, type_: Any) -> Value:
        offset = builder.mul(builder.zext(index, ADDRESS), ADDRESS(step))
        return builder.inttoptr(builder.add(base, offset), type_.as_pointer(1))

    def elements(index: Value, lanes: int) -> None:
        """Compute the ``lanes`` elements from ``lanes * index`` on."""
        vector = ir.VectorType(stored, lanes)
        word = ir.VectorType(INDEX, GROUP // 4)  # NVVM splits vectors of half, but not those of integers
        loaded = []
        for base in inputs:
            if lanes == 1:
                loaded.append([builder.load(at(base, index, size, stored), align=size)])
            else:
                group = builder.bitcast(builder.load(at(base, index, GROUP, word), align=GROUP), vector)
                loaded.append([builder.extract_element(group, INDEX(lane)) for lane in range(lanes)])
        widen = dtype == "float16"
        columns = [
            emit(atoms, name, kind, [*(builder.fpext(v, atoms.type) if widen else v for v in lane), *params])
            for lane in zip(*loaded, strict=True)
        ]
        for base, values in zip(results, zip(*columns, strict=True), strict=True):
            narrow = [builder.fptrunc(v, stored) if widen else v for v in values]
            if lanes == 1:
                builder.store(narrow[0], at(base, index, size, stored), align=size)
            else:
                group = ir.Constant(vector, ir.Undefined)
                for lane, value in enumerate(narrow):
                    group = builder.insert_element(group, value, INDEX(lane))
                builder.store(builder.bitcast(group, word), at(base, index, GROUP, word), align=GROUP)

    groups = builder.udiv(n, INDEX(width))
    before = builder.block
    loop, done = builder.append_basic_block("loop"), builder.append_basic_block("done")
    builder.cbranch(builder.icmp_unsigned("<", thread, groups), loop, done)
    builder.position_at_end(loop)
    index = builder.phi(INDEX)
    index.add_incoming(thread, before)
    elements(index, width)
    following = builder.add(index, threads)
    index.add_incoming(following, builder.block)
    builder.cbranch(builder.icmp_unsigned("<", following, groups), loop, done)
    builder.position_at_end(done)
    if width > 1:
        last = builder.add(builder.mul(groups, INDEX(width)), thread)
        with builder.if_then(builder.icmp_unsigned("<", last, n)):
            elements(last, 1)


def _special(builder: Any, name: str) -> Value:
    function = builder.module.declare_intrinsic(f"llvm.nvvm.read.ptx.sreg.{name}.x", fnty=ir.FunctionType(INDEX, []))
    return builder.call(function, [])


def _intrinsic(name: str, kind: str, dtype: str, width: int) -> Any:
    """The whole of a kernel, called with the tuple of its arguments."""
    from numba.core import cgutils
    from numba.cuda.extending import intrinsic

    @intrinsic
    def run(typingctx: Any, arguments: Any) -> Any:
        def code(context: Any, builder: Any, signature: Any, values: Any) -> Any:
            block, size = _special(builder, "ctaid"), _special(builder, "ntid")
            thread = builder.add(builder.mul(block, size), _special(builder, "tid"))
            threads = builder.mul(_special(builder, "nctaid"), size)
            given = cgutils.unpack_tuple(builder, values[0])
            sweep(CudaAtoms(builder, PRECISIONS[dtype]), name, kind, dtype, width, given, thread, threads)
            return context.get_dummy_value()

        return types.void(arguments), code

    return run


@cache
def kernel(name: str, kind: str, dtype: str, width: int) -> Any:
    """The Python function that ``cuda.jit`` compiles: arrays, results, number of elements, parameters."""
    spec = REGISTRY[name]
    results = ["out", "out1"][: outputs(kind)]
    listed = ", ".join([*ARRAYS[kind], *results, "n", *spec.params])
    label = f"{name}_{kind}_{dtype}_{width}"
    if SIMULATED:
        call, run = f"run(({listed},), cuda.grid(1), cuda.gridsize(1))", simulated(name, kind, dtype, width)
    else:
        call, run = f"run(({listed},))", _intrinsic(name, kind, dtype, width)
    scope: dict[str, Any] = {"run": run, "cuda": cuda}
    exec(f"def {label}({listed}):\n    {call}", scope)
    return scope[label]


def signature(name: str, kind: str, dtype: str) -> tuple[Any, ...]:
    """The types of a kernel's arguments: addresses, a number of elements, numbers of the working precision."""
    addresses = len(ARRAYS[kind]) + outputs(kind)
    number = getattr(types, PRECISIONS[dtype])
    return (*[types.uint64] * addresses, types.int64, *[number] * len(REGISTRY[name].params))


@cache
def compiled(name: str, kind: str, dtype: str, width: int) -> Any:
    """The kernel, ready to be launched; it is compiled for the current GPU on the first launch."""
    options = {} if SIMULATED else {"max_registers": REGISTERS}
    return cuda.jit(**options)(kernel(name, kind, dtype, width))
