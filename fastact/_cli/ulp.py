"""Errors in ULP over ranges of float32 bit patterns, with the float64 kernels as the exact side.

Patterns are numbered in ascending order of what they stand for: NaN with the sign bit set, -inf, ...,
-0.0, 0.0, ..., inf, NaN. Adjacent ordinals are adjacent numbers, so that a range of them shows
whether a function falls.
"""

from __future__ import annotations

import itertools
import math
import threading
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from . import counting  # type: ignore[attr-defined]

Array = npt.NDArray[Any]

PATTERNS = 1 << 32
CHUNK = 1 << 22  # patterns of a task
BLOCK = 1 << 15  # patterns of a pass: the buffers stay in cache

_HALF = 1 << 31
_NOWHERE = np.empty(0, np.uint8)


class Witness(NamedTuple):
    """An input, what came out, what should have, and the error in ULP."""

    error: float = -1.0
    x: Any = math.nan
    got: Any = math.nan
    want: Any = math.nan


class Errors(NamedTuple):
    """Where the bound is absolute (empty: nowhere), and errors in ULP, absolutely, and as the contract counts them.

    The contract takes ULP of max(abs(want), 1/4) where the bound is absolute.
    """

    near: Array
    error: Array
    size: Array
    scaled: Array


@dataclass
class Task:
    """What one function's inputs are compared by.

    Attributes
    ----------
    call : callable
        ``call(x, *params, out=y)``: what is measured.
    exact : callable
        The same in float64, what float32 is compared with.
    params : tuple of float
        Numbers of the dtype that is measured.
    near : callable or None
        ``near(x)``: where the bound is absolute; a boolean array, or None for nowhere.
    monotonic : bool
        Whether to count falls.
    range : tuple of float
        Bounds of the values; infinite where there are none.
    """

    call: Callable[..., Any]
    exact: Callable[..., Any]
    params: tuple[float, ...] = ()
    near: Callable[[Array], Array] | None = None
    monotonic: bool = False
    range: tuple[float, float] = (-math.inf, math.inf)


@dataclass
class Tally:
    """What has been found so far; see `add`."""

    count: int = 0
    nans: int = 0  # among the inputs
    total: float = 0.0
    rounded: int = 0
    falls: int = 0
    strays: int = 0
    worst: Witness = field(default_factory=Witness)  # in ULP, everywhere
    outside: float = 0.0  # the greatest error in ULP where that is what counts
    inside: float = 0.0  # the greatest absolute error elsewhere
    contract: Witness = field(default_factory=Witness)  # by the contract
    last: Any = math.nan  # the value at the end of what was added

    def add(self, task: Task, x: Array, got: Array, want: Array, errors: Errors) -> None:
        """Count ascending inputs.

        Parameters
        ----------
        task : Task
            What counts.
        x, got, want : numpy.ndarray
            Inputs, values of the kernel, exact values.
        errors : Errors
            How wrong they are.
        """
        low, high = task.range
        error, scaled = errors.error, errors.scaled
        found = counting.count(x, got, errors.near, error, errors.size, scaled, task.monotonic, low, high, self.last)
        worst, i, outside, inside, nans, total, rounded, falls, strays = found
        self.worst = max(self.worst, Witness(float(error[worst]), x[worst], got[worst], want[worst]), key=_error)
        self.contract = max(self.contract, Witness(float(scaled[i]), x[i], got[i], want[i]), key=_error)
        self.outside, self.inside = max(self.outside, outside), max(self.inside, inside)
        self.count += x.size
        self.nans += nans
        self.total += total
        self.rounded += rounded
        self.falls += falls
        self.strays += strays
        self.last = got[-1]

    def merge(self, other: Tally) -> None:
        """Take over the findings of another tally; what is equal stays as it is here."""
        for name in ("count", "nans", "total", "rounded", "falls", "strays"):
            setattr(self, name, getattr(self, name) + getattr(other, name))
        for name in ("worst", "contract"):
            if getattr(other, name).error > getattr(self, name).error:
                setattr(self, name, getattr(other, name))
        self.outside, self.inside = max(self.outside, other.outside), max(self.inside, other.inside)


def _error(witness: Witness) -> float:
    return witness.error


def ordinal(value: float) -> int:
    """The number of a float32 among the bit patterns in ascending order."""
    bits = int(np.float32(value).view(np.uint32))
    return bits + _HALF if bits < _HALF else PATTERNS - 1 - bits


def sample(count: int, points: Iterable[float]) -> list[range]:
    """Ordinals: about ``count`` with one odd stride, and neighbourhoods.

    Parameters
    ----------
    count : int
        How many.
    points : iterable of float
        About each, 8192 patterns follow one another; about powers of two and at the ends, 129.
    """
    found = [range(0, PATTERNS, (PATTERNS // count) | 1)]
    powers = [s * 2.0**e for e in range(-149, 128) for s in (1, -1)]
    for reach, places in ((64, [*powers, math.inf, -math.inf, 0.0]), (4096, points)):
        for at in map(ordinal, places):
            found.append(range(max(at - reach, 0), min(at + reach + 1, PATTERNS)))
    return found


def chunks(ranges: list[range]) -> Iterator[list[range]]:
    """Split and gather ranges into tasks of about `CHUNK` patterns."""
    batch: list[range] = []
    for whole in ranges:
        for first in range(0, len(whole), CHUNK):
            batch.append(whole[first : first + CHUNK])
            if sum(map(len, batch)) >= CHUNK:
                yield batch
                batch = []
    if batch:
        yield batch


def measure(task: Task, ranges: list[range], stop: threading.Event) -> Tally:
    """Compare the float32 kernel with the float64 kernel over ordinals, until ``stop`` is set."""
    tally = Tally()
    patterns, y = np.empty(BLOCK, np.uint32), np.empty(BLOCK, np.float32)
    wide, want, *room = (np.empty(BLOCK) for _ in range(5))
    with np.errstate(all="ignore"):
        for whole in ranges:
            tally.last = math.nan
            for first in range(0, len(whole), BLOCK):
                if stop.is_set():
                    return tally
                n = min(BLOCK, len(whole) - first)
                counting.patterns(whole[first], whole.step, patterns[:n])
                x = patterns[:n].view(np.float32)
                task.call(x, *task.params, out=y[:n])
                np.copyto(wide[:n], x)
                task.exact(wide[:n], *task.params, out=want[:n])
                near = _NOWHERE if task.near is None else task.near(x).view(np.uint8)
                errors = Errors(near, *(array[:n] for array in room))
                counting.errors(y[:n], want[:n], *errors)
                tally.add(task, x, y[:n], want[:n], errors)
    return tally


def measure_all(tally: Tally, task: Task, ranges: list[range], threads: int, update: Callable[[int], None]) -> None:
    """Compare over ordinals on several threads, into ``tally``.

    Parameters
    ----------
    tally : Tally
        Where the findings go; after an exception it holds what was found until then.
    task : Task
        What is called.
    ranges : list of range
        The ordinals.
    threads : int
        How many chunks at a time.
    update : callable
        ``update(count)`` is called as patterns are done.
    """
    stop = threading.Event()
    work = chunks(ranges)
    waiting: list[Future[Tally]] = []
    pool = ThreadPoolExecutor(threads)
    try:
        waiting += [pool.submit(measure, task, batch, stop) for batch in itertools.islice(work, 2 * threads)]
        while waiting:  # in order, so that equal errors have one witness
            found = waiting[0].result()
            waiting.pop(0)
            tally.merge(found)
            waiting += [pool.submit(measure, task, batch, stop) for batch in itertools.islice(work, 1)]
            update(found.count)
    finally:
        stop.set()
        pool.shutdown(cancel_futures=True)
        for future in waiting:
            if not future.cancelled() and future.exception() is None:
                tally.merge(future.result())
