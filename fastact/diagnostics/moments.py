"""The passes behind `Monitor`: counts and moments of f(z) and f'(z) for each unit, in blocks that stay in cache.

An array is cut into blocks of at most `BLOCK` elements along any of its axes, whatever its layout; a block is reduced to
sums for each unit before the next one, so that nothing of the array's size is allocated. Several threads take blocks; what
they find is merged in the order of the blocks, so that results are the same bits for any number of threads.
"""

from __future__ import annotations

import math
from itertools import product
from typing import Any

import numpy as np

from ..arguments import dtype_of, work_dtype
from ..cpu.threads import get_num_threads, num_threads
from ..functions import Activation

BLOCK = 1 << 16
#: Where f' is looked for: both signs, closely around 0, and far out.
_GRID = np.concatenate([-np.logspace(6, -6, 361), [0.0], np.logspace(-6, 6, 361)])
#: What is counted or summed for each unit, beside the moments.
COUNTS = ("inactive", "left", "right", "nan", "inf", "overflow")

Places = tuple[slice, ...]


def edges(activation: Activation, params: list[np.ndarray], saturation: float) -> tuple[Any, Any]:
    """Where f saturates: from -inf to the first number, and from the second to inf, |f'| is at most `saturation`.

    -inf and inf stand for no saturation on that side; both are 0 where f' is nowhere more. They have the shape that the
    parameters broadcast to, and the precision of float64.
    """
    given = np.broadcast_arrays(*params) if params else [np.zeros(())]
    shape, flat = given[0].shape, [p.reshape(-1).astype(np.float64) for p in given]
    left, right = np.empty(flat[0].size), np.empty(flat[0].size)
    for start in range(0, flat[0].size, 256):
        part = slice(start, start + 256)
        own = [p[part] for p in flat] if params else []
        left[part] = _edge(activation, own, _GRID, saturation, left[part].size)
        right[part] = _edge(activation, own, _GRID[::-1], saturation, left[part].size)
    nowhere = left > right
    left[nowhere] = right[nowhere] = 0.0
    return left.reshape(shape), right.reshape(shape)


def _edge(activation: Activation, params: list[np.ndarray], grid: np.ndarray, saturation: float, size: int) -> np.ndarray:
    """How far |f'| is at most `saturation` along the grid, from its beginning, for each set of parameters."""

    def flat_at(x: np.ndarray) -> Any:
        return np.abs(activation.derivative(x, *params)) <= saturation

    steep = ~flat_at(np.broadcast_to(grid[:, None], (grid.size, size)))
    first = np.where(steep.any(0), steep.argmax(0), grid.size - 1)
    inside, outside = grid[np.maximum(first - 1, 0)], grid[first]
    for _ in range(64):
        middle = 0.5 * (inside + outside)
        flat = flat_at(middle)
        inside, outside = np.where(flat, middle, inside), np.where(flat, outside, middle)
    return np.where(steep[0], np.copysign(np.inf, grid[0]), np.where(steep.any(0), inside, grid[-1]))


def blocks(shape: tuple[int, ...], axes: tuple[int, ...]) -> list[Places]:
    """Slices of an array of that shape that cover it, none of more than `BLOCK` elements; `axes` are those of the batch.

    Blocks are many elements of few units, for what is found is merged unit by unit.
    """
    units = [a for a in range(len(shape)) if a not in axes]
    steps = [1] * len(shape)
    room = max(BLOCK // 256, BLOCK // max(math.prod(shape[a] for a in axes), 1))
    for group in (units, axes):
        for a in reversed(group):
            steps[a] = max(1, min(shape[a], room))
            room //= steps[a]
        room = BLOCK // math.prod(steps)
    ranges = [range(0, n, step) for n, step in zip(shape, steps, strict=True)]
    return [tuple(slice(i, i + step) for i, step in zip(start, steps, strict=True)) for start in product(*ranges)]


def part_of(array: np.ndarray, places: Places) -> np.ndarray:
    """The part of an array that broadcasts against a block."""
    own = places[len(places) - array.ndim :]
    return array[tuple(p if n > 1 else slice(None) for p, n in zip(own, array.shape, strict=True))]


class Moments:
    """Counts and moments for each unit, with axes of length 1 for those of the batch.

    Attributes
    ----------
    elements : int
        Elements of each unit so far.
    count : ndarray
        Those of which the rest is made: z, f(z) and f'(z) are finite.
    mean, m2 : ndarray
        Of f(z): the mean, and the sum of squared distances from it.
    power : ndarray
        The mean of f'(z) squared.
    counts : dict of str to ndarray
        How many elements are what `COUNTS` names.
    """

    def __init__(self, shape: tuple[int, ...]) -> None:
        self.elements = 0
        self.count = np.zeros(shape, np.int64)
        self.mean, self.m2, self.power = np.zeros(shape), np.zeros(shape), np.zeros(shape)
        self.counts = {name: np.zeros(shape, np.int64) for name in COUNTS}

    def merge(self, places: Places, count: Any, mean: Any, m2: Any, power: Any, counts: list[Any]) -> None:
        """Add what has been found of some of the units (Chan, Golub and LeVeque 1979)."""
        before = self.count[places]
        total = before + count
        share = count / np.maximum(total, 1)
        distance = mean - self.mean[places]
        self.m2[places] += m2 + distance * distance * (before * share)
        self.mean[places] += distance * share
        self.power[places] += (power - self.power[places]) * share
        self.count[places] = total
        for name, found in zip(COUNTS, counts, strict=True):
            self.counts[name][places] += found

    def add(self, z: np.ndarray, axes: tuple[int, ...], activation: Activation, params: list[np.ndarray],
            limits: tuple[Any, Any], saturation: float) -> None:  # fmt: skip
        """Add the elements of a batch."""
        work = work_dtype(dtype_of(z))
        params = [p.astype(work) for p in params]

        def reduced(places: Places) -> tuple[Any, ...]:
            own = [part_of(p, places) if p.ndim else p.item() for p in params]
            bounds = [part_of(b, places) if b.ndim else b.item() for b in limits]
            with num_threads(1), np.errstate(all="ignore"):
                return _reduced(np.asarray(z[places], work), axes, activation, own, bounds, saturation)

        parts = blocks(z.shape, axes)
        workers = min(get_num_threads(), len(parts))
        if workers > 1:
            from concurrent.futures import ThreadPoolExecutor  # slow to import, and only wanted here

            with ThreadPoolExecutor(workers) as pool:
                for start in range(0, len(parts), 4 * workers):  # so that no more results than these wait to be merged
                    self._merge_all(parts[start : start + 4 * workers], pool.map, reduced, axes)
        else:
            self._merge_all(parts, map, reduced, axes)
        self.elements += math.prod(z.shape[a] for a in axes)

    def _merge_all(self, parts: list[Places], over: Any, reduced: Any, axes: tuple[int, ...]) -> None:
        for places, found in zip(parts, over(reduced, parts), strict=True):
            self.merge(tuple(slice(0, 1) if a in axes else p for a, p in enumerate(places)), *found)


def _reduced(z: np.ndarray, axes: tuple[int, ...], activation: Activation, params: list[Any], bounds: list[Any],
             saturation: float) -> tuple[Any, ...]:  # fmt: skip
    """What `Moments.merge` adds, of a block."""

    def count(mask: np.ndarray) -> Any:
        return np.add.reduce(mask, axes, np.int64, keepdims=True)

    value, slope = activation.value_and_derivative(z, *params)
    good = np.isfinite(value) & np.isfinite(slope) & np.isfinite(z)
    units = tuple(1 if a in axes else n for a, n in enumerate(z.shape))
    total: Any = np.full(units, z.size // max(math.prod(units), 1))
    nan = inf = overflow = 0
    whole = bool(good.all())
    if not whole:
        nan, inf = count(np.isnan(z)), count(np.isinf(z))
        used = count(good)
        overflow = total - used - nan - inf
        total = used
        value, slope = np.where(good, value, 0), np.where(good, slope, 0)
    flat, left, right = np.abs(slope) <= saturation, z <= bounds[0], z >= bounds[1]
    if not whole:
        flat, left, right = flat & good, left & good, right & good
    number = np.maximum(total, 1)
    value = value.astype(np.float64)
    mean = np.add.reduce(value, axes, keepdims=True) / number
    value -= mean
    if not whole:
        value[~good] = 0.0
    m2 = np.add.reduce(np.square(value, out=value), axes, keepdims=True)
    slope = slope.astype(np.float64)
    power = np.add.reduce(np.square(slope, out=slope), axes, keepdims=True) / number
    return total, mean, m2, power, [count(flat), count(left), count(right), nan, inf, overflow]
