"""CUDA kernels of every elementwise kind, from the same formulas.

A kernel is one grid-stride loop over groups of 16 bytes or over single elements, of arrays that are contiguous and
alike, or of arrays of any layout that are broadcast against each other. The simulator, which runs no intrinsics,
runs the same loop in Python (``simulated``).
"""

from __future__ import annotations

from functools import cache
from typing import Any, NamedTuple

import numpy as np
from numba import cuda, types

from .. import activations as _formulas  # noqa: F401  (fills the registry)
from ..language.kinds import ARRAYS, outputs
from ..language.registry import REGISTRY
from ..numba.atoms import Atoms, Value
from ..numba.emitter import emit
from .emit import ADDRESS, GROUP, INDEX, PRECISIONS, REGISTERS, SIMULATED, CudaAtoms, load, offset, repeat, special, store


class Variant(NamedTuple):
    """What a kernel is compiled for.

    Attributes
    ----------
    name, kind : str
        A name of the registry and a kind of the emitter.
    dtype : str
        Of the arrays.
    width : int
        Elements of an access: 1, or as many as ``GROUP`` bytes hold where all arrays allow that.
    rank : int
        Dimensions that the arrays are walked along; 0: they are contiguous and of one shape.
    varying : tuple of bool
        Which parameters are arrays; rank 0 has none.
    spread : tuple of bool
        With a width above 1 and a rank: which of the inputs have one element along the last dimension.
    """

    name: str
    kind: str
    dtype: str
    width: int
    rank: int = 0
    varying: tuple[bool, ...] = ()
    spread: tuple[bool, ...] = ()

    @property
    def inputs(self) -> int:
        """How many arrays are read: those of the kind, and the parameters that are arrays."""
        return len(ARRAYS[self.kind]) + sum(self.varying)

    @property
    def arrays(self) -> int:
        """How many arrays there are, results among them."""
        return self.inputs + outputs(self.kind)

    @property
    def numbers(self) -> int:
        """How many parameters are numbers."""
        return len(REGISTRY[self.name].params) - sum(self.varying)

    @property
    def integers(self) -> int:
        """How many integers a kernel takes: the number of elements, the inner sizes, and the strides of each array."""
        return 1 + max(self.rank - 1, 0) + self.arrays * self.rank

    def ordered(self, elements: list[Any], numbers: list[Any]) -> list[Any]:
        """The arguments of the formula, from those that are elements of arrays and those that are numbers."""
        count = len(ARRAYS[self.kind])
        varying, rest = iter(elements[count:]), iter(numbers)
        flags = self.varying or (False,) * len(REGISTRY[self.name].params)
        return [*elements[:count], *(next(varying) if flag else next(rest) for flag in flags)]


def sweep(atoms: Atoms, variant: Variant, arguments: list[Value], thread: Value, threads: Value) -> None:
    """Emit a thread's part of a kernel.

    Parameters
    ----------
    atoms : Atoms
        Of the precision of the arithmetic.
    variant : Variant
        Of the kernel.
    arguments : list of llvmlite values
        Addresses of the arrays and of the results; the number of elements (below 2^31); with a rank the sizes of
        all dimensions but the first, the last counted in groups, and the strides in bytes, array by array, the last
        from group to group; the parameters that are numbers.
    thread, threads : llvmlite values
        This thread's number, and how many there are; at least ``width``.
    """
    builder, dtype, width, rank = atoms.builder, variant.dtype, variant.width, variant.rank
    addresses, integers = arguments[: variant.arrays], arguments[variant.arrays :][: variant.integers]
    numbers = arguments[variant.arrays + variant.integers :]
    n, *rest = [builder.trunc(v, INDEX) for v in integers[:rank or 1]]
    strides = [integers[max(rank, 1) + k * rank :][:rank] for k in range(variant.arrays)]
    spread = variant.spread or (False,) * variant.inputs

    def places(index: Value, lanes: int) -> list[Value]:
        if not rank:
            return [offset(builder, base, index, ADDRESS(lanes * np.dtype(dtype).itemsize)) for base in addresses]
        found = list(addresses)
        for d in range(rank - 1, -1, -1):
            within = index
            if d:
                index = builder.udiv(within, rest[d - 1])
                within = builder.sub(within, builder.mul(index, rest[d - 1]))
            found = [offset(builder, base, within, s[d]) for base, s in zip(found, strides, strict=True)]
        return found

    def elements(index: Value, lanes: int) -> list[Value]:
        """Compute the ``lanes`` elements from ``lanes * index`` on."""
        found = places(index, lanes)
        loaded = [
            load(atoms, address, dtype, 1) * lanes if one else load(atoms, address, dtype, lanes)
            for address, one in zip(found, spread, strict=False)
        ]
        columns = [
            emit(atoms, variant.name, variant.kind, variant.ordered(list(lane), numbers)) for lane in zip(*loaded, strict=True)
        ]
        for address, values in zip(found[variant.inputs :], zip(*columns, strict=True), strict=True):
            store(atoms, address, dtype, list(values))
        return []

    groups = builder.udiv(n, INDEX(width))
    repeat(builder, thread, groups, threads, [], lambda index, _: elements(index, width))
    if width > 1 and not rank:
        last = builder.add(builder.mul(groups, INDEX(width)), thread)
        with builder.if_then(builder.icmp_unsigned("<", last, n)):
            elements(last, 1)


def _intrinsic(variant: Variant) -> Any:
    """The whole of a kernel, called with the tuple of its arguments."""
    from numba.core import cgutils
    from numba.cuda.extending import intrinsic

    @intrinsic
    def run(typingctx: Any, arguments: Any) -> Any:
        def code(context: Any, builder: Any, signature: Any, values: Any) -> Any:
            size = special(builder, "ntid")
            thread = builder.add(builder.mul(special(builder, "ctaid"), size), special(builder, "tid"))
            threads = builder.mul(special(builder, "nctaid"), size)
            given = cgutils.unpack_tuple(builder, values[0])
            sweep(CudaAtoms(builder, PRECISIONS[variant.dtype]), variant, given, thread, threads)
            return context.get_dummy_value()

        return types.void(arguments), code

    return run


@cache
def kernel(variant: Variant) -> Any:
    """The Python function that ``cuda.jit`` compiles; its arguments are those of `sweep`."""
    count = variant.arrays + variant.integers + variant.numbers
    listed = ", ".join(f"a{i}" for i in range(count))
    label = f"{variant.name}_{variant.kind}_{variant.dtype}_{variant.width}" + (f"_{variant.rank}d" if variant.rank else "")
    if SIMULATED:
        from .simulated import simulated

        call, run = f"run(({listed},), cuda.grid(1), cuda.gridsize(1))", simulated(variant)
    else:
        call, run = f"run(({listed},))", _intrinsic(variant)
    scope: dict[str, Any] = {"run": run, "cuda": cuda}
    exec(f"def {label}({listed}):\n    {call}", scope)
    return scope[label]


def signature(variant: Variant) -> tuple[Any, ...]:
    """The types of a kernel's arguments: addresses, integers, numbers of the working precision."""
    number = getattr(types, PRECISIONS[variant.dtype])
    return (*[types.uint64] * variant.arrays, *[types.int64] * variant.integers, *[number] * variant.numbers)


@cache
def compiled(variant: Variant) -> Any:
    """The kernel, ready to be launched; it is compiled for the current GPU on the first launch."""
    options = {} if SIMULATED else {"max_registers": REGISTERS}
    return cuda.jit(**options)(kernel(variant))


def width_of(dtype: Any) -> int:
    """Elements of a group."""
    return GROUP // np.dtype(dtype).itemsize
