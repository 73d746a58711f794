"""Launches of the elementwise kernels: which one suits the arrays, over how many threads."""

from __future__ import annotations

import math
from functools import cache, lru_cache
from typing import Any

import numpy as np
from numba import cuda

from .arrays import Operand, empty, operand
from .emit import GROUP, PRECISIONS, SIMULATED
from .kernels import Variant, compiled, width_of

#: Threads of a block, and blocks for each multiprocessor where there is work for them.
BLOCK, BLOCKS_PER_PROCESSOR = (8 if SIMULATED else 256), 16
#: Elements of one launch; indices are 32 bits wide.
LAUNCH = 1 << 30


@cache
def processors(device: int) -> int:
    """How many multiprocessors a GPU has."""
    return 4 if SIMULATED else int(cuda.gpus[device].MULTIPROCESSOR_COUNT)


@lru_cache(maxsize=4096)
def _launcher(variant: Variant, blocks: int, device: int, stream: Any) -> Any:
    """A kernel with its grid; kept, because Numba's own cache of these is small."""
    return compiled(variant)[blocks, BLOCK, stream]


def _start(variant: Variant, arguments: list[Any], n: int, device: int, stream: Any) -> None:
    wanted = -(-n // (variant.width * BLOCK))
    most = 4 if SIMULATED else processors(device) * BLOCKS_PER_PROCESSOR
    blocks = min(1 << max(wanted - 1, 0).bit_length(), most)
    _launcher(variant, blocks, device, stream)(*arguments)


def launch(name: str, kind: str, inputs: list[Operand], results: list[Operand], params: list[Any], stream: Any) -> None:
    """Compute a kind over arrays of one dtype and device; returns before it is done.

    Parameters
    ----------
    name, kind : str
        A name of the registry and a kind of the emitter.
    inputs : list of Operand
        Broadcast against each other.
    results : list of Operand
        Of the shape that the inputs and the parameters broadcast to.
    params : list of float or Operand
        The parameters; those that are arrays are broadcast too.
    stream : numba stream, or 0
        Where it is launched.

    The caller has made the arrays' device the current one.
    """
    dtype, device = inputs[0].dtype, inputs[0].device
    number = np.dtype(PRECISIONS[dtype.name]).type
    varying = [p for p in params if isinstance(p, Operand)]
    numbers = [number(p) for p in params if not isinstance(p, Operand)]
    shape, arrays = results[0].shape, [*inputs, *varying, *results]
    n = math.prod(shape)
    if n == 0:
        return
    if not varying and all(a.strides is None and a.shape == shape for a in arrays):
        _launch_flat(name, kind, arrays, n, numbers, device, stream)
        return
    flags = tuple(isinstance(p, Operand) for p in params) if varying else ()
    sizes, strides = collapse(shape, [broadcast_strides(a, shape) for a in arrays])
    _launch_strided((name, kind, dtype.name, flags), arrays, len(results), sizes, strides, numbers, stream)


def _launch_flat(name: str, kind: str, arrays: list[Operand], n: int, numbers: list[Any], device: int, stream: Any) -> None:
    """Contiguous arrays of one shape."""
    dtype = arrays[0].dtype
    width = width_of(dtype) if all(a.address % GROUP == 0 for a in arrays) else 1
    variant = Variant(name, kind, dtype.name, width)
    for first in range(0, n, LAUNCH):
        size, skipped = min(LAUNCH, n - first), first * dtype.itemsize
        _start(variant, [*(a.address + skipped for a in arrays), size, *numbers], size, device, stream)


def _launch_strided(
    what: tuple[str, str, str, tuple[bool, ...]], arrays: list[Operand], outputs: int, sizes: list[int],
    strides: list[list[int]], numbers: list[Any], stream: Any, skipped: list[int] | None = None,
) -> None:  # fmt: skip
    """Arrays of any layout, in collapsed dimensions."""
    skipped = skipped or [0] * len(arrays)
    n = math.prod(sizes)
    if n > LAUNCH:  # in two halves, however often that takes
        d = max(range(len(sizes)), key=lambda i: sizes[i])
        half = sizes[d] // 2
        for first, size in ((0, half), (half, sizes[d] - half)):
            part = [k + first * s[d] for k, s in zip(skipped, strides, strict=True)]
            _launch_strided(what, arrays, outputs, [*sizes[:d], size, *sizes[d + 1 :]], strides, numbers, stream, part)
        return
    name, kind, dtype, flags = what
    device, item, width = arrays[0].device, arrays[0].dtype.itemsize, width_of(arrays[0].dtype)
    addresses = [a.address + k for a, k in zip(arrays, skipped, strict=True)]
    spread = [s[-1] == 0 for s in strides]
    fits = sizes[-1] % width == 0
    for k, (address, s, one) in enumerate(zip(addresses, strides, spread, strict=True)):
        alone = one and k < len(arrays) - outputs
        fits = fits and (alone or (s[-1] == item and address % GROUP == 0 and all(step % GROUP == 0 for step in s[:-1])))
    if fits:
        variant = Variant(name, kind, dtype, width, len(sizes), flags, tuple(spread[: len(arrays) - outputs]))
        sizes = [*sizes[:-1], sizes[-1] // width]
        strides = [[*s[:-1], s[-1] * width] for s in strides]
    else:
        variant = Variant(name, kind, dtype, 1, len(sizes), flags)
    steps = [k for s in strides for k in s]
    _start(variant, [*addresses, n, *sizes[1:], *steps, *numbers], n, device, stream)


def broadcast_strides(array: Operand, shape: tuple[int, ...]) -> list[int]:
    """The strides that walk an array as if it had another shape, to which it broadcasts."""
    given = (0,) * (len(shape) - len(array.shape)) + array.steps
    sizes = (1,) * (len(shape) - len(array.shape)) + array.shape
    return [0 if size == 1 else stride for size, stride in zip(sizes, given, strict=True)]


def collapse(shape: tuple[int, ...], strides: list[list[int]]) -> tuple[list[int], list[list[int]]]:
    """The fewest dimensions that walk the same elements of all arrays; the last array, a result, sets the order."""
    order = sorted((d for d in range(len(shape)) if shape[d] != 1), key=lambda d: -abs(strides[-1][d]))
    sizes: list[int] = []
    steps: list[list[int]] = [[] for _ in strides]
    for d in order:
        if sizes and all(own[-1] == s[d] * shape[d] for own, s in zip(steps, strides, strict=True)):
            sizes[-1] *= shape[d]
            for own, s in zip(steps, strides, strict=True):
                own[-1] = s[d]
            continue
        sizes.append(shape[d])
        for own, s in zip(steps, strides, strict=True):
            own.append(s[d])
    return (sizes, steps) if sizes else ([1], [[0] for _ in strides])


def contiguous(title: str, array: Operand, shape: tuple[int, ...], stream: Any) -> Operand:
    """An array as a C-contiguous one of the shape to which it broadcasts; copied if it is not such."""
    if array.strides is None and array.shape == shape:
        return array
    copy = operand(title, "a copy", empty(title, array, shape, array.dtype, stream))
    launch("identity", "value", [array], [copy], [], stream)
    return copy
