"""What `verify` measures of functions that are not elementwise: row-wise ones, gated units, pieces, and what is not drawn.

Row-wise functions get rows of many kinds and lengths, along the last axis and across it; gated units a gate in every
binade. float32 is compared with the package's own float64 kernels at the same numbers, float64 with mpmath. What an
error is measured in stands in `unit`; the bounds are those of the contract.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from ..language.registry import REGISTRY
from .families import WITHOUT_DEFAULT, has_axis, reduces
from .findings import number, told
from .inputs import switch_points

Array = npt.NDArray[Any]

LENGTHS = (1, 2, 3, 10, 16, 33, 64, 65, 100, 150, 256, 1000, 4098)
SHORT = (1, 2, 3, 10, 33, 66, 150)  # for mpmath

#: Rows of standard normal numbers become ordinary ones, some with one large element, near each other, ...
ROWS: dict[str, Callable[[Array], Array]] = {
    "ordinary": lambda x: x, "confident": lambda x: 30 * x, "near each other": lambda x: 5 + 1e-3 * x,
    "far apart": lambda x: 1e4 * x, "tiny": lambda x: 1e-30 * x, "with ties": np.round, "large": lambda x: 250 + 40 * x,
    "very negative": lambda x: 60 * x - 1000, "equal": lambda x: np.full_like(x, x[0, 0]),
    "falling": lambda x: -np.abs(x) * np.linspace(0, 60, x.shape[1]), "with -inf": lambda x: np.where(x < -0.4, -np.inf, x),
    "all -inf": lambda x: np.full_like(x, -np.inf), "with inf": lambda x: np.where(x > 1.5, np.inf, x),
    "with NaN": lambda x: np.where(x > 1.5, np.nan, x), "huge": lambda x: 1e37 * x,
}  # fmt: skip

#: By function: the bound of values, where it is another than 2; and in float32 alone.
BOUNDS = {"sparsemax": 4.0, "entmax15": 8.0, "entmax": 8.0, "hardmax": 0.0, "maxout": 0.0, "crelu": 0.0}
BOUNDS32 = dict.fromkeys(("softmax", "softmin", "softmax1", "log_softmax", "log_softmin"), 4.0)

#: How functions are called that are not called with an array alone: without drawing, where they draw.
KEYWORDS = {**WITHOUT_DEFAULT, "rrelu": {"training": False}, "noisy_relu": {"training": False}}

#: Whose backward pass has the terms of another operation's.
KIN = {"softmax1": "softmax", "entmax": "entmax15"}


def known(function: Any) -> bool:
    """Whether there is something to compare a function with."""
    return function.family in ("rowwise", "gated units", "pieces") or function.__name__ in KEYWORDS


def kinds_of(function: Any, wanted: tuple[str, ...]) -> list[str]:
    """The kinds to verify: for "derivative" the backward pass."""
    backward = function.family in ("rowwise", "gated units")
    return [{"derivative": "backward"}.get(kind, kind) for kind in wanted if kind == "value" or backward]


def bound(function: Any, kind: str, dtype: str) -> float:
    """The contract, in `unit`."""
    if function.family == "gated units":
        return 4.0 if kind == "value" else 5.0
    if kind == "backward":
        return 4.0
    return ((BOUNDS32 if dtype == "float32" else {}) | BOUNDS).get(function.__name__, 2.0)


@dataclass
class Sample:
    """Arrays of one call.

    Attributes
    ----------
    x : numpy.ndarray
        What the function is called with, rows along `axis`; of gated units the two halves, one above the other.
    axis : int
        -1, or 0 for rows that stand side by side.
    rows : list of str
        Of what kind each row is.
    """

    x: Array
    axis: int
    rows: list[str]

    def place(self, at: tuple[int, ...]) -> str:
        """Words for where an element of the result is."""
        return f"a row {self.rows[self._row(at)]} of {self.x.shape[self.axis]}" if self.rows else ""

    def number(self, at: tuple[int, ...], function: Any) -> Any:
        """The element of x that an element of the result is of: that of the gate, or the first of a row if there is no other."""
        if not self.rows:
            return self.x[0 if function.gate == "first" else 1, at[-1]]
        return self.x[at] if len(at) == 2 and function.family == "rowwise" else np.take(self.x, 0, self.axis)[self._row(at)]

    def _row(self, at: tuple[int, ...]) -> int:
        return at[1] if self.axis == 0 and len(at) == 2 else at[0]


def samples(function: Any, dtype: str, count: int) -> Iterator[Sample]:
    """Arrays with about so many elements in all."""
    rng = np.random.default_rng(sum(map(ord, function.__name__)))
    if function.family == "gated units":
        yield Sample(_halves(function, dtype, count, rng), 0, [])
        return
    lengths = [n for n in (LENGTHS if dtype == "float32" else SHORT) if n % 2 == 0 or function.__name__ != "maxout"]
    each = count / (2 * len(lengths) * len(ROWS))
    for n in lengths:
        for axis in (-1, 0):
            rows = max(1, round(each / n))
            with np.errstate(over="ignore"):
                x = np.concatenate([kind(rng.normal(size=(rows, n))) for kind in ROWS.values()]).astype(dtype)
            x = -x if function.__name__.endswith("min") else x
            yield Sample(x if axis else np.ascontiguousarray(x.T), axis, [kind for kind in ROWS for _ in range(rows)])


def _halves(function: Any, dtype: str, count: int, rng: np.random.Generator) -> Array:
    """A gate from every binade, about its switch-over points and of ordinary size; the other half within 8.

    But for the last binade, where selu itself is infinite, and its product with a small number therefore as well.
    """
    info = np.finfo(dtype)
    least, most = info.minexp - info.nmant, info.maxexp
    part = count // 4
    exponents = np.floor(np.linspace(least, most - 2, part)).astype(int)
    binades = np.ldexp(rng.uniform(1, 2, part) * rng.choice([-1, 1], part), exponents)
    near = [p + s * np.ldexp(rng.uniform(0, 1, 50), -8) for p in switch_points(function.activation) for s in (1, -1)]
    ends = np.array([0.0, -0.0, np.inf, -np.inf, np.nan, info.max / 2, -info.max / 2])
    gate = np.concatenate([binades, rng.normal(0, 4, part), *near, ends]).astype(dtype)
    other = np.ldexp(rng.uniform(1, 2, gate.size), rng.integers(-3, 3, gate.size)) * rng.choice([-1, 1], gate.size)
    other = other.astype(dtype)
    return np.stack([gate, other] if function.gate == "first" else [other, gate])


def compute(function: Any, kind: str, sample: Sample, grad: Array | None, y: Array | None, dtype: str) -> Array:
    """A kind, in another dtype if need be; of a gated unit's gradients, one above the other."""
    x, axis = sample.x.astype(dtype, copy=False), sample.axis
    keywords = KEYWORDS.get(function.__name__, {})
    if grad is None:
        return np.atleast_1d(function(x, **({"axis": axis} if has_axis(function) else {}), **keywords))
    if y is None or function.family == "gated units" or reduces(function):
        return np.atleast_1d(function.backward(grad.astype(dtype), x, axis=axis))
    return np.atleast_1d(function.backward(grad.astype(dtype), y.astype(dtype), axis=axis))


def unit(function: Any, kind: str, sample: Sample, grad: Array | None, y: Array, want: Array, dtype: str) -> Array:
    """What errors are measured in: one ULP of the result, unless the contract has it otherwise.

    Of results that sums and differences make: eps times the size of their terms. sparsemax, entmax15: eps. Gated units:
    eps times the result, where the derivative of the activation has a root times its factor/4; a least unit covers what
    the factors lose below the normal numbers.
    """
    info, name = np.finfo(dtype), function.__name__
    eps, least = float(info.eps), float(info.smallest_subnormal)
    x = sample.x.astype(np.float64)
    if function.family == "gated units":
        gate, other = x if function.gate == "first" else x[::-1]
        factor = np.ones_like(gate) if grad is None else grad.astype(np.float64).reshape(-1)
        size = np.abs(want)
        if kind == "backward":
            near = REGISTRY[function.activation].absolute("derivative", gate)
            row = 0 if function.gate == "first" else 1
            if near is not None:
                size[row] = np.where(near, np.maximum(size[row], np.abs(other * factor) / 4), size[row])
        return eps * size + least * np.maximum(1, (1 + np.abs(other)) * (1 + np.abs(factor)) / 2)
    if kind == "value" and name in BOUNDS:
        return np.full(want.shape, eps)
    if kind == "value" and reduces(function):
        count = math.log(x.shape[sample.axis]) if name == "logmeanexp" else 0.0
        return eps * np.maximum(np.abs(want), np.max(np.where(np.isfinite(x), np.abs(x), count), axis=sample.axis, initial=count))
    if kind == "backward" and grad is not None:
        g, y = grad.astype(np.float64), y.astype(np.float64)
        def sum_of(terms: Array) -> Array:
            """The size of a sum, but for what cancels in it: the largest of its terms is the least."""
            total = np.abs(np.sum(terms, sample.axis, keepdims=True))
            return np.maximum(total, np.max(np.abs(terms), sample.axis, keepdims=True))

        terms = {"softmax": lambda: y * (np.abs(g) + sum_of(np.where(y > 0, g * y, 0))),
                 "log_softmax": lambda: np.abs(g) + np.exp(y) * sum_of(g * (y > -np.inf)),
                 "logsumexp": lambda: np.abs(want), "hardmax": lambda: np.abs(want),
                 "sparsemax": lambda: np.max(np.abs(g) * (y > 0), sample.axis, keepdims=True) + np.abs(g) * (y > 0),
                 "entmax15": lambda: np.sqrt(y) * (np.max(np.abs(g) * (y > 0), sample.axis, keepdims=True) + np.abs(g)),
                 }[KIN.get(function.op, function.op)]()  # fmt: skip
        return np.broadcast_to(eps * terms + least, want.shape)
    _, exponent = np.frexp(np.where(np.isfinite(want), want, 1.0))
    return np.ldexp(1.0, np.maximum(exponent - 1, info.minexp) - info.nmant)


class Tally:
    """What has been found so far."""

    def __init__(self) -> None:
        self.count = self.numbers = self.rounded = self.strays = 0
        self.total, self.worst = 0.0, -1.0
        self.witness: tuple[Any, ...] = (math.nan, math.nan, math.nan)
        self.place = ""

    def add(self, function: Any, kind: str, sample: Sample, got: Array, want: Array, error: Array, units: Array) -> None:
        """Count results; `want` is the nearest float64, `error` how far the exact result is from `got`."""
        with np.errstate(all="ignore"):
            right = (got == want) | (np.isnan(got) & np.isnan(want))
            right |= (np.abs(want) > np.finfo(got.dtype).max) & (got == np.copysign(np.inf, want))
            unlike = ~np.isfinite(error)
            scaled = np.where(unlike, np.where(right, 0.0, np.inf), np.where(error == 0, 0.0, error / units))
        finite = ~np.isnan(want)
        self.count += got.size
        self.numbers += int(finite.sum())
        self.rounded += int((scaled[finite] <= 0.5).sum())
        self.total += float(scaled.sum())
        if kind == "value" and function.range:
            low, high = map(float, function.range)
            self.strays += int(((got < low) | (got > high)).sum())
        at = tuple(map(int, np.unravel_index(int(np.argmax(scaled)), scaled.shape)))
        if scaled[at] > self.worst:
            self.worst = float(scaled[at])
            self.witness, self.place = (sample.number(at, function), got[at], want[at]), sample.place(at)


def measure(tally: Tally, function: Any, kind: str, dtype: str, count: int, references: tuple[Any, Any] | None,
            update: Callable[[int], None]) -> None:  # fmt: skip
    """Compare a kind over all samples, into ``tally``."""
    rng = np.random.default_rng(0)
    for sample in samples(function, dtype, count):
        y = compute(function, "value", sample, None, None, dtype)
        grad = None if kind == "value" else rng.normal(size=y.shape).astype(dtype)
        got = y if grad is None else compute(function, kind, sample, grad, y, dtype)
        if references is None:
            want = compute(function, kind, sample, grad, y, "float64")
            with np.errstate(invalid="ignore"):
                error = np.abs(got.astype(np.float64) - want)
        else:
            want, error = exact(function, sample, grad, y, got, references)
        with np.errstate(all="ignore"):
            units = unit(function, kind, sample, grad, y, want, dtype)
        tally.add(function, kind, sample, got, want, error, units)
        update(got.size)


def exact(function: Any, sample: Sample, grad: Array | None, y: Array, got: Array, references: tuple[Any, Any],
          ) -> tuple[Array, Array]:  # fmt: skip
    """(float64 numbers nearest to the exact results, how far what was computed is from the exact ones), by mpmath."""
    elementwise, by_rows = references
    name, axis = function.__name__, sample.axis
    if function.family == "gated units":
        values = lambda kind, x: elementwise.evaluate(function.activation, kind, x)[1]  # noqa: E731
        results = by_rows.gated(values, function.gate, sample.x, grad)
        found = np.array([by_rows.distance(e, v) for e, v in zip(results, got.ravel().tolist(), strict=True)])
        return found[:, 0].reshape(got.shape), found[:, 1].reshape(got.shape)
    x = np.moveaxis(sample.x, axis, -1)
    shape = np.moveaxis(got, axis, -1).shape if got.ndim == 2 else got.shape
    lines = np.moveaxis(got, axis, -1).reshape(len(x), -1)
    given = x if grad is None or reduces(function) else np.moveaxis(y, axis, -1)
    slopes = [None] * len(x) if grad is None else np.moveaxis(grad, axis, -1).reshape(len(x), -1)
    found = np.array([
        [by_rows.distance(e, v) for e, v in zip(by_rows.results(name, row, slope), line.tolist(), strict=True)]
        for row, slope, line in zip(given, slopes, lines, strict=True)
    ])  # fmt: skip
    near, error = (found[..., i].reshape(shape) for i in (0, 1))
    return (near, error) if got.ndim == 1 else (np.moveaxis(near, -1, axis), np.moveaxis(error, -1, axis))


def report(function: Any, kind: str, dtype: str, tally: Tally, size: int) -> dict[str, Any]:
    """The finding, with the keys of those of elementwise functions; `place` says in what row an error was met."""
    numbers, limit = max(tally.numbers, 1), bound(function, kind, dtype)
    return {
        "function": function.__name__, "dtype": dtype, "kind": kind, "count": tally.count, "planned": size,
        "exhaustive": False, "complete": tally.count == size, "bound": limit, "holds": tally.worst <= limit,
        "max_ulp": number(max(tally.worst, 0.0)), "mean_ulp": number(tally.total / numbers),
        **told(tally.worst, *tally.witness), "place": tally.place if tally.worst > 0 else "",
        "correctly_rounded": tally.rounded / numbers, "monotonicity_violations": None,
        "range_violations": tally.strays if kind == "value" else None,
    }  # fmt: skip


def size_of(function: Any, kind: str, dtype: str, count: int) -> int:
    """How many results `measure` will compare."""
    given = samples(function, dtype, count)
    if kind == "backward":
        return sum(sample.x.size for sample in given)
    return sum(compute(function, "value", sample, None, None, dtype).size for sample in given)
