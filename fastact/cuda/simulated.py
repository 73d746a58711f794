"""What Numba's simulator of CUDA runs in place of the emitted kernels: the same loop and formulas, over NumPy.

Slow; for tests of whatever surrounds the kernels on a machine without a GPU.
"""

from __future__ import annotations

import ctypes
import math
import re
from collections.abc import Callable
from functools import cache, lru_cache
from types import SimpleNamespace
from typing import Any

import numpy as np

from ..numba.emitter import emit, emit_pass
from ..numba.evaluation import NumpyAtoms
from .emit import PRECISIONS
from .passes import SAVED, arguments_of, fold, neutral, settle, start_of


class _Recorder:
    """Stands for the atoms while a formula is emitted, and keeps a line of Python for each operation."""

    def __init__(self, precision: str) -> None:
        self.precision = precision
        self.lines: list[tuple[str, str, tuple[str, ...]]] = []

    def literal(self, value: float) -> str:
        return f"(c({value!r}))" if math.isfinite(value) else f"(c('{value}'))"

    def compare(self, symbol: str, a: str, b: str) -> str:
        return self._record("compare", repr(symbol), a, b)

    def __getattr__(self, operation: str) -> Callable[..., str]:
        return lambda *arguments: self._record(operation, *arguments)

    def _record(self, operation: str, *arguments: str) -> str:
        self.lines.append((f"t{len(self.lines)}", operation, arguments))
        return self.lines[-1][0]


def recorded(atoms: NumpyAtoms, produce: Callable[[Any, list[str]], list[str]], count: int) -> Callable[..., tuple[Any, ...]]:
    """A function of ``count`` arguments that computes what ``produce(atoms, arguments)`` emits."""
    recorder, arguments = _Recorder(atoms.precision), [f"a{i}" for i in range(count)]
    results = produce(recorder, arguments)
    needed, kept = set(results), []
    for name, operation, given in reversed(recorder.lines):
        if name in needed:
            needed.update(given)
            kept.append(f"    {name} = atoms.{operation}({', '.join(given)})")
    last = f"    return ({''.join(f'{r}, ' for r in results)})"
    text = "\n".join([f"def computed({', '.join(arguments)}):", *kept[::-1], last])
    scope: dict[str, Any] = {"atoms": atoms, "c": cache(atoms.type)}
    exec(text, scope)
    return scope["computed"]


def elements(address: int, count: int, dtype: Any) -> np.ndarray:
    """The elements at an address of the host."""
    raw: Any = (ctypes.c_char * (count * np.dtype(dtype).itemsize)).from_address(address)
    return np.frombuffer(raw, dtype)


def simulated(variant: Any) -> Callable[..., None]:
    """A thread's part of a kernel: what `kernels.sweep` emits, on addresses of the host."""
    atoms = NumpyAtoms(PRECISIONS[variant.dtype])
    dtype, width, rank, size = variant.dtype, variant.width, variant.rank, np.dtype(variant.dtype).itemsize
    spread = variant.spread or (False,) * variant.inputs
    formula = recorded(
        atoms, lambda a, given: emit(a, variant.name, variant.kind, given), len(variant.ordered([0] * variant.inputs, [0] * 99))
    )

    def run(arguments: tuple[Any, ...], thread: int, threads: int) -> None:
        addresses, integers = arguments[: variant.arrays], arguments[variant.arrays :][: variant.integers]
        numbers = [atoms.type(p) for p in arguments[variant.arrays + variant.integers :]]
        n, sizes, strides = integers[0], integers[1 : max(rank, 1)], integers[max(rank, 1) :]

        def places(index: int, lanes: int) -> list[int]:
            if not rank:
                return [base + index * lanes * size for base in addresses]
            indices: list[int] = []
            for s in sizes[::-1]:
                index, within = divmod(index, s)
                indices.insert(0, within)
            indices.insert(0, index)
            return [
                base + sum(i * s for i, s in zip(indices, strides[k * rank :], strict=False))
                for k, base in enumerate(addresses)
            ]

        def compute(index: int, lanes: int) -> None:
            found = places(index, lanes)
            given = [
                elements(a, 1 if one else lanes, dtype).astype(atoms.type) for a, one in zip(found, spread, strict=False)
            ]
            with np.errstate(all="ignore"):
                results = formula(*variant.ordered(given, numbers))
                for address, values in zip(found[variant.inputs :], results, strict=True):
                    elements(address, lanes, dtype)[:] = values

        for group in range(thread, n // width, threads):
            compute(group, width)
        last = n // width * width + thread
        if width > 1 and not rank and last < n:
            compute(last, 1)

    return run


class _Thread:
    """What a kernel calls ``cuda``, for one thread of a block."""

    def __init__(self, number: int, grid: tuple[int, int], block: tuple[int, int], board: dict[int, Any], kept: dict[str, Any]):
        self.number, self.board = number, board
        self.threadIdx = SimpleNamespace(x=number % block[0], y=number // block[0])
        self.blockIdx, self.blockDim = SimpleNamespace(x=grid[0], y=grid[1]), SimpleNamespace(x=block[0], y=block[1])
        self.shared = SimpleNamespace(array=lambda shape, dtype: kept.setdefault("shared", np.full(shape, np.nan, dtype)))


class SimulatedKernel:
    """A kernel of rows on a grid, launched as one of Numba: the threads of a block take turns, from exchange to exchange.

    Numba's simulator gives each of them a thread of Python and waits for them busily, which takes a hundred times as long.
    """

    def __init__(self, text: str, scope: dict[str, Any]) -> None:
        text = text.replace("def kernel(", "def kernel(cuda, ").replace("cuda.syncthreads()", "yield")
        exec(re.sub(r"= (fold_\w+)\(", r"= yield from \1(cuda, ", text), scope)
        self.kernel = scope["kernel"]

    def __getitem__(self, configuration: Any) -> Callable[..., None]:
        grid, block, _ = configuration
        return lambda *arguments: self.run(grid, block, arguments)

    def run(self, grid: tuple[int, int], block: tuple[int, int], arguments: tuple[Any, ...]) -> None:
        for place in np.ndindex(*grid):
            board: dict[int, Any] = {}
            kept: dict[str, Any] = {}
            threads = [_Thread(i, place, block, board, kept) for i in range(block[0] * block[1])]
            live = [self.kernel(thread, *arguments) for thread in threads]
            while live:
                live = [t for t in live if next(t, "done") is None]


class SimulatedRows:
    """What `passes.Emitted` makes, on addresses of the host."""

    def __init__(self, variant: Any) -> None:
        self.variant = variant
        self.precision = PRECISIONS[variant.dtype]
        self.number = np.dtype(self.precision)
        self.atoms = NumpyAtoms(self.precision)

    def _computed(self, entry: Any) -> Callable[..., tuple[Any, ...]]:
        count = entry.function.__code__.co_argcount
        return recorded(self.atoms, lambda atoms, given: emit_pass(atoms, entry, given), count)

    def _typed(self, values: Any) -> list[Any]:
        return [self.atoms.type(v) for v in values]

    def _places(self, addresses: Any, row: int, n: int, inner: int, first: int, step: int) -> Any:
        """(addresses, elements there) of a thread, step by step."""
        variant, size = self.variant, np.dtype(self.variant.dtype).itemsize
        start = (row // inner * n * inner + row % inner if variant.apart else row * n) * size
        between = inner * size if variant.apart else size
        for group in range(first, n // variant.width, step):
            yield [a + start + group * variant.width * between for a in addresses], variant.width
        for i in range(n // variant.width * variant.width + first, n, step) if variant.width > 1 else ():
            yield [a + start + i * between for a in addresses], 1

    def reduce(self, entry: Any) -> Any:
        formula = self._computed(entry)

        def run(addresses: Any, row: int, n: int, inner: int, first: int, step: int, scalars: Any, lanes: Any) -> Any:
            state, typed = self._typed(start_of(entry, self.precision)), self._typed(scalars)
            with np.errstate(all="ignore"):
                for places, width in self._places(addresses, row, n, inner, first, step):
                    for given in zip(*(elements(a, width, self.variant.dtype) for a in places), strict=True):
                        got = formula(*arguments_of(entry, self._typed(given), typed, list(lanes), state))
                        state = list(got[len(got) - len(state) :])
                return tuple(self._typed(settle(self.atoms, entry, state, self.precision)))

        return run

    def write(self, entry: Any) -> Any:
        formula = self._computed(entry)

        def run(addresses: Any, row: int, n: int, inner: int, first: int, step: int, scalars: Any, lanes: Any, out: int,
                inside: bool) -> None:  # fmt: skip
            if not inside:
                return
            with np.errstate(all="ignore"):
                for places, width in self._places((*addresses, out), row, n, inner, first, step):
                    columns = [elements(a, width, self.variant.dtype).astype(self.atoms.type) for a in places[:-1]]
                    given = arguments_of(entry, columns, self._typed(scalars), list(lanes), [])
                    elements(places[-1], width, self.variant.dtype)[:] = formula(*given)[0]

        return run

    def once(self, entry: Any) -> Any:
        formula = self._computed(entry)

        @lru_cache  # all threads of a row compute the same
        def computed(key: bytes, count: int) -> Any:
            given = np.frombuffer(key, self.number)
            numbers, scalars, state = given[:count], list(given[count:]), self._typed([0.0] * len(entry.state))
            inputs, lanes = list(numbers[: len(entry.inputs)]), list(numbers[len(entry.inputs) :])
            with np.errstate(all="ignore"):
                return tuple(self._typed(formula(*arguments_of(entry, inputs, scalars, lanes, state))))

        return lambda numbers, scalars: computed(np.array([*numbers, *scalars], self.number).tobytes(), len(numbers))

    def fold(self, entry: Any) -> Any:
        count = len(entry.state)
        formula = recorded(self.atoms, lambda atoms, given: fold(atoms, entry, given[:count], given[count:]), 2 * count)

        def run(thread: _Thread, state: Any, distance: int) -> Any:
            thread.board[thread.number] = state
            yield
            other = thread.board[thread.number ^ distance]
            yield
            with np.errstate(all="ignore"):
                return formula(*state, *other)

        return run

    def neutral(self, entry: Any) -> Any:
        return lambda: tuple(self._typed(neutral(entry)))

    def _slot(self, saved: int, stage: int, row: int, rows: int, part: int, parts: int) -> np.ndarray:
        index = (stage * rows + row) * parts + part
        return elements(saved + index * SAVED * self.number.itemsize, SAVED, self.number)

    def save(self, entry: Any) -> Any:
        def run(saved: int, stage: int, row: int, rows: int, part: int, parts: int, state: Any) -> None:
            self._slot(saved, stage, row, rows, part, parts)[: len(state)] = state

        return run

    def saved(self, entry: Any) -> Any:
        def run(saved: int, stage: int, row: int, rows: int, part: int, parts: int) -> Any:
            if part >= parts:
                return tuple(self._typed(neutral(entry)))
            return tuple(self._slot(saved, stage, row, rows, part, parts)[: len(entry.state)].copy())

        return run
