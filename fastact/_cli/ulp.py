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

Array = npt.NDArray[Any]

PATTERNS = 1 << 32
CHUNK = 1 << 22  # patterns of a task
BLOCK = 1 << 15  # patterns of a pass: the buffers stay in cache

_HALF = 1 << 31
_MAX = float(np.finfo(np.float32).max)
_BIAS, _FRACTION = 1023, 52  # of float64
_LEAST, _GREATEST = _BIAS - 126, _BIAS + 127  # biased exponents of float32's least normal and greatest number
_QUARTER = _BIAS - 2


class Witness(NamedTuple):
    """An input, what came out, what should have, and the error in ULP."""

    error: float = -1.0
    x: Any = math.nan
    got: Any = math.nan
    want: Any = math.nan


@dataclass
class Task:
    """What one function's inputs are compared by.

    Attributes
    ----------
    call : callable
        ``call(x, *params, out=y)``, for both dtypes.
    params : tuple of float
        Numbers of the dtype that is measured.
    near : callable or None
        ``near(x)``: where the bound is absolute.
    monotonic : bool
        Whether to count falls.
    range : tuple of float
        Bounds of the values; infinite where there are none.
    """

    call: Callable[..., Any]
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
    contract: Witness = field(default_factory=Witness)  # by the rule of `add`
    last: Any = math.nan  # the value at the end of what was added

    def add(self, task: Task, x: Array, got: Array, want: Array, error: Array, size: Array, near: Array | None,
            scaled: Array | None) -> None:  # fmt: skip
        """Count ascending inputs.

        Parameters
        ----------
        task : Task
            What counts.
        x, got, want : numpy.ndarray
            Inputs, values of the kernel, exact values.
        error, size : numpy.ndarray
            The errors in ULP and absolutely; ``error`` is overwritten.
        near, scaled : numpy.ndarray or None
            Where the bound is absolute, and there the errors in ULP of max(abs(want), 1/4), which are
            those that the contract, the mean and the share of correctly rounded values take.
        """
        self.worst = _worse(self.worst, error, x, got, want)
        if near is not None and scaled is not None and near.size:
            self.inside = max(self.inside, float(size[near].max()))
            error[near] = 0.0
            self.outside = max(self.outside, float(error.max()))
            error[near] = scaled
        else:
            self.outside = max(self.outside, float(error.max()))
        self.contract = _worse(self.contract, error, x, got, want)
        self.count += x.size
        self.total += float(error.sum())
        self.rounded += int(np.count_nonzero(error <= 0.5))
        if task.monotonic:
            self.falls += int(np.count_nonzero(got[1:] < got[:-1])) + bool(got[0] < self.last)
            self.last = got[-1]
        low, high = task.range
        if low > -math.inf:
            self.strays += int(np.count_nonzero(got < low))
        if high < math.inf:
            self.strays += int(np.count_nonzero(got > high))

    def merge(self, other: Tally) -> None:
        """Take over the findings of another tally; what is equal stays as it is here."""
        for name in ("count", "nans", "total", "rounded", "falls", "strays"):
            setattr(self, name, getattr(self, name) + getattr(other, name))
        for name in ("worst", "contract"):
            if getattr(other, name).error > getattr(self, name).error:
                setattr(self, name, getattr(other, name))
        self.outside, self.inside = max(self.outside, other.outside), max(self.inside, other.inside)


def _worse(before: Witness, error: Array, x: Array, got: Array, want: Array) -> Witness:
    i = int(error.argmax())
    return Witness(float(error[i]), x[i], got[i], want[i]) if error[i] > before.error else before


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
    ordinals, flip = np.empty(BLOCK, np.uint32), np.empty(BLOCK, np.uint32)
    y = np.empty(BLOCK, np.float32)
    wide, want, size, error = (np.empty(BLOCK) for _ in range(4))
    exponent = np.empty(BLOCK, np.int64)
    with np.errstate(all="ignore"):
        for whole in ranges:
            tally.last = math.nan
            steps = np.arange(min(BLOCK, len(whole)), dtype=np.uint32) * np.uint32(whole.step)
            for first in range(0, len(whole), BLOCK):
                if stop.is_set():
                    return tally
                n = min(BLOCK, len(whole) - first)
                o, f = ordinals[:n], flip[:n]
                np.add(steps[:n], np.uint32(whole[first]), out=o)
                np.right_shift(o, np.uint32(31), out=f)
                np.subtract(f, np.uint32(1), out=f)
                np.bitwise_or(f, np.uint32(_HALF), out=f)  # the sign bit; below zero, all bits
                np.bitwise_xor(o, f, out=o)
                _block(tally, task, o.view(np.float32), y[:n], wide[:n], want[:n], size[:n], error[:n], exponent[:n])
    return tally


def _block(tally: Tally, task: Task, x: Array, y: Array, wide: Array, want: Array, size: Array, error: Array,
           exponent: Array) -> None:  # fmt: skip
    """Compare at x; the other arrays are room to work in."""
    task.call(x, *task.params, out=y)
    np.copyto(wide, x)
    task.call(wide, *task.params, out=want)
    np.copyto(wide, y)
    np.subtract(wide, want, out=size)
    np.abs(size, out=size)
    _per_ulp(want, _LEAST, exponent)
    np.multiply(size, exponent.view(np.float64), out=error)
    if not math.isfinite(float(error.sum())):
        _settle(error, size, wide, want)
        tally.nans += int(np.count_nonzero(np.isnan(x)))
    near = scaled = None
    if task.near is not None:
        near = np.flatnonzero(task.near(x))
        if near.size:
            unit = np.empty(near.size, np.int64)
            _per_ulp(want[near], _QUARTER, unit)
            scaled = size[near]
            np.multiply(scaled, unit.view(np.float64), out=scaled, where=scaled > 0)
    tally.add(task, x, y, want, error, size, near, scaled)


def _per_ulp(want: Array, least: int, out: Array) -> None:
    """Into ``out``, the bits of 1 / the float32 spacing at ``want``, whose biased exponent counts as ``least`` or more."""
    np.right_shift(want.view(np.int64), _FRACTION, out=out)
    np.bitwise_and(out, 0x7FF, out=out)
    np.clip(out, least, _GREATEST, out=out)
    np.subtract(2 * _BIAS + 23, out, out=out)
    np.left_shift(out, _FRACTION, out=out)


def _settle(error: Array, size: Array, got: Array, want: Array) -> None:
    """Make errors that are not finite 0 where the result is right (an infinity for what overflows, too), else infinite."""
    at = np.flatnonzero(~np.isfinite(error))
    g, w = got[at], want[at]
    right = (g == w) | (np.isnan(g) & np.isnan(w)) | ((np.abs(w) > _MAX) & (g == np.copysign(np.inf, w)))
    error[at] = size[at] = np.where(right, 0.0, np.inf)


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
