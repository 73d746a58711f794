"""CUDA kernels of softmax and its kin, from the passes of ``activations/rowwise.py``.

A row is worked on by some threads of a warp, by a block, or by several blocks; each thread accumulates what it sees,
and the accumulators are folded within the warp, the block, and the row. The exponentials of a row are not kept: the
last pass computes them again, from elements that the caches still hold.

The text of a kernel is Python; what reads and writes elements and computes with them is emitted (`Emitted`). Without a
GPU the text runs on simulated threads, over what ``simulated`` has in its place.
"""

from __future__ import annotations

from functools import cache, lru_cache
from typing import Any, NamedTuple

import numpy as np
from numba import cuda, types

from .. import activations as _formulas  # noqa: F401  (fills the registry)
from ..language.registry import ROW_PASSES
from .arrays import Operand, empty, operand
from .emit import GROUP, PRECISIONS, REGISTERS, SIMULATED
from .kernels import width_of
from .launch import processors
from .passes import SAVED, Emitted

#: What a function does: passes that accumulate, each with what is computed from its accumulators, then the last pass.
OPS: dict[str, tuple[tuple[tuple[str, str], ...], str]] = {
    "softmax": ((("row_max", "exp_shift"), ("exp_total", "inverse")), "exp_scaled"),
    "softmax1": ((("row_max_null", "exp_shift"), ("exp_total", "inverse_null")), "exp_scaled"),
    "log_softmax": ((("row_max", "exp_shift"), ("exp_sum_others_scaled", "log_total")), "log_scaled"),
    "softmax_backward": ((("dot", ""),), "softmax_slope"),
    "softmax1_backward": ((("dot", ""),), "softmax_slope"),
    "log_softmax_backward": ((("grad_sum", ""),), "log_softmax_slope"),
}

#: Threads of a block, of a warp; elements of a row for which a warp will do.
BLOCK, WARP, SHORT = (8, 4, 20) if SIMULATED else (256, 32, 2048)
#: Elements of a row's part, at least, where several blocks share a row.
PART = 8 if SIMULATED else 8192


class RowVariant(NamedTuple):
    """What a kernel is compiled for.

    Attributes
    ----------
    op : str
        One of `OPS`.
    dtype : str
        Of the arrays.
    width : int
        Elements of an access.
    apart : bool
        Whether neighbouring elements of a row lie apart in memory.
    block : bool
        Whether a whole block works on a row, or on part of one; else some threads of a warp.
    stage : int
        -1: the kernel does everything; else it does the pass of that number over part of a row.
    """

    op: str
    dtype: str
    width: int
    apart: bool
    block: bool
    stage: int

    @property
    def inputs(self) -> int:
        return len(ROW_PASSES[OPS[self.op][1]].inputs)


# ---------------------------------------------------------------------------------------------------
# The text of a kernel
# ---------------------------------------------------------------------------------------------------


def _folded(variant: RowVariant, name: str) -> list[str]:
    """Lines that fold the accumulators of all threads of a row, or of its part, into those of each of them."""
    names = ROW_PASSES[name].state
    state = ", ".join(names)
    exchanged = [
        f"distance = {'WARP' if variant.block else 'lanes'} >> 1",
        "while distance > 0:",
        f"    {state}, = fold_{name}(({state},), distance)",
        "    distance >>= 1",
    ]
    if not variant.block:
        return exchanged
    return [
        *exchanged,
        "if (thread & (WARP - 1)) == 0:",
        *(f"    shared[thread // WARP, {j}] = {n}" for j, n in enumerate(names)),
        "cuda.syncthreads()",
        f"{state}, = neutral_{name}()",
        "if (thread & (WARP - 1)) < lanes // WARP:",
        *(f"    {n} = shared[thread & (WARP - 1), {j}]" for j, n in enumerate(names)),
        *exchanged,
        "cuda.syncthreads()",
    ]


def _listed(names: tuple[str, ...]) -> str:
    return "(" + "".join(f"{n}, " for n in names) + ")"


def text_of(variant: RowVariant) -> str:
    """The Python text of a kernel.

    Arguments: the addresses of the inputs, of the output, and of the accumulators of parts; the numbers of rows, of
    elements of a row, of elements from one of a row to the next, and of parts of a row; sign, t, t_low.
    """
    stages, last = OPS[variant.op]
    parts = variant.stage >= 0
    lines = ["thread, lanes = cuda.threadIdx.x, cuda.blockDim.x"]
    if parts:
        lines += ["row, inside = cuda.blockIdx.y, True", "first, step = thread + cuda.blockIdx.x * lanes, lanes * parts"]
    elif variant.block:
        lines += ["row, inside = cuda.blockIdx.x, True", "first, step = thread, lanes"]
    else:
        lines += ["row = cuda.blockIdx.x * cuda.blockDim.y + cuda.threadIdx.y", "first, step, inside = thread, lanes, row < rows"]
        lines += ["if not inside:", "    row = rows - 1"]  # all threads of a warp take part in its exchanges
    if variant.block:
        lines.append("shared = cuda.shared.array((32, 3), number)")
    given = tuple(f"x{i}" for i in range(variant.inputs))
    place = f"{_listed(given)}, row, n, inner, first, step, (sign, t, t_low)"
    for stage, (name, after) in enumerate(stages):
        entry = ROW_PASSES[name]
        state = ", ".join(entry.state)
        if parts and stage < variant.stage:
            lines.append(f"{state}, = saved_{name}(saved, {stage}, row, rows, thread, parts)")
        elif parts and stage > variant.stage:
            break
        else:
            lines.append(f"{state}, = reduce_{name}({place}, {_listed(entry.lanes)})")
        lines += _folded(variant, name)
        if stage == variant.stage:
            lines += ["if thread == 0:", f"    save_{name}(saved, {stage}, row, rows, cuda.blockIdx.x, parts, ({state},))"]
        elif after:
            once = ROW_PASSES[after]
            lines.append(f"{', '.join(once.state)}, = once_{after}({_listed((*once.inputs, *once.lanes))}, (sign, t, t_low))")
    if not parts or variant.stage == len(stages):
        lines.append(f"write_{last}({place}, {_listed(ROW_PASSES[last].lanes)}, out, inside)")
    body = "\n    ".join(lines)
    return f"def kernel({', '.join(given)}, out, saved, rows, n, inner, parts, sign, t, t_low):\n    {body}\n"


# ---------------------------------------------------------------------------------------------------
# Kernels and their launches
# ---------------------------------------------------------------------------------------------------


def _scope(variant: RowVariant, made: Any) -> dict[str, Any]:
    """The names that the text of a kernel uses."""
    scope: dict[str, Any] = {"cuda": cuda, "WARP": WARP, "number": made.number}
    stages, last = OPS[variant.op]
    scope[f"write_{last}"] = made.write(ROW_PASSES[last])
    for name, after in stages:
        for what in ("reduce", "fold", "neutral", "save", "saved"):
            scope[f"{what}_{name}"] = getattr(made, what)(ROW_PASSES[name])
        if after:
            scope[f"once_{after}"] = made.once(ROW_PASSES[after])
    return scope


@cache
def kernel(variant: RowVariant) -> Any:
    """The Python function that ``cuda.jit`` compiles."""
    scope = _scope(variant, Emitted(variant))
    exec(text_of(variant), scope)
    return scope["kernel"]


def signature(variant: RowVariant) -> tuple[Any, ...]:
    """The types of a kernel's arguments."""
    number = getattr(types, PRECISIONS[variant.dtype])
    return (*[types.uint64] * (variant.inputs + 2), *[types.int64] * 4, *[number] * 3)


@cache
def compiled(variant: RowVariant) -> Any:
    """The kernel, ready to be launched."""
    if SIMULATED:
        from .simulated import SimulatedKernel, SimulatedRows

        return SimulatedKernel(text_of(variant), _scope(variant, SimulatedRows(variant)))
    return cuda.jit(max_registers=REGISTERS)(kernel(variant))


@lru_cache(maxsize=1024)
def _launcher(variant: RowVariant, grid: tuple[int, int], block: tuple[int, int], device: int, stream: Any) -> Any:
    return compiled(variant)[grid, block, stream]


def launch_rows(
    title: str, op: str, inputs: list[Operand], result: Operand, sizes: list[int], scalars: tuple[float, ...], stream: Any
) -> None:
    """Compute a function of rows; returns before it is done.

    Parameters
    ----------
    title : str
        Of the call, for errors.
    op : str
        One of `OPS`.
    inputs : list of Operand
        Contiguous, of the shape, dtype and device of the result.
    result : Operand
        May be an input.
    sizes : list of int
        What is before the axis of the rows, along it, and behind it.
    scalars : tuple of float
        sign, t, t_low.
    stream : numba stream, or 0
        Where it is launched.
    """
    outer, n, inner = sizes
    rows = outer * inner
    if rows * n == 0:
        return
    if max(rows, n) >= 1 << 31:
        raise ValueError(f"{title}: {rows} rows of {n} elements on a GPU; expected fewer than 2^31 of either")
    dtype, device, apart = result.dtype, result.device, inner > 1
    precision = np.dtype(PRECISIONS[dtype.name])
    arrays = [*inputs, result]
    width = width_of(dtype)
    if apart or any(a.address % GROUP for a in arrays) or (rows > 1 and n % width):
        width = 1
    addresses = [a.address for a in arrays]
    numbers = [precision.type(v) for v in scalars]
    few = 4 * processors(device)  # blocks that keep a GPU busy
    parts = min(BLOCK, few // rows, n // PART) if rows < few else 1
    if parts > 1:
        stages = len(OPS[op][0])
        room = empty(title, result, (stages * rows * parts * SAVED,), precision, stream)
        saved = operand(title, "accumulators", room).address
        for stage in range(stages + 1):
            variant = RowVariant(op, dtype.name, width, apart, True, stage)
            kernel = _launcher(variant, (parts, rows), (BLOCK, 1), device, stream)
            kernel(*addresses, saved, rows, n, inner, parts, *numbers)
        return
    if n > SHORT and not (apart and rows >= few * BLOCK):
        kernel = _launcher(RowVariant(op, dtype.name, width, apart, True, -1), (rows, 1), (BLOCK, 1), device, stream)
    else:
        # As many threads as find work; where the elements of a row lie apart, those of neighbouring rows lie together.
        lanes = 1 if apart and rows >= few * WARP else min(WARP, 1 << max(-(-n // width) - 1, 0).bit_length())
        variant = RowVariant(op, dtype.name, width, apart, False, -1)
        kernel = _launcher(variant, (-(-rows * lanes // BLOCK), 1), (lanes, BLOCK // lanes), device, stream)
    kernel(*addresses, 0, rows, n, inner, 1, *numbers)
