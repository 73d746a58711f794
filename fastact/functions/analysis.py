"""What a curve does, found numerically: kinks, extrema, asymptotes, where it saturates, its Lipschitz constant.

A `Curve` is an activation at some parameters, in float64. What its registry entry declares (where kinks are, the limits)
is taken from there; tests hold it against the values.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import cached_property, partial
from typing import Any, NamedTuple

import numpy as np

#: A function counts as saturated where the magnitude of its derivative is below this.
SATURATED = 0.01
#: How far from a kink its two sides are looked at (kinks that are computed may be off by some ULP), and what is a jump.
_BESIDE, _JUMP = 2e-14, 1e-7
#: Where asymptotes are read off, and the farthest tail that is looked at.
_FAR, _FARTHEST = 1e6, 1e4
_TINY = float(np.finfo(np.float64).smallest_subnormal)


class Kink(NamedTuple):
    """A point where a function or its derivative jumps.

    Attributes
    ----------
    x : float
        The point.
    value, derivative : float
        What the function and its derivative give there: the convention that is taken.
    values, derivatives : tuple of float
        Their limits from the left and from the right.
    """

    x: float
    value: float
    derivative: float
    values: tuple[float, float]
    derivatives: tuple[float, float]

    @property
    def jumps(self) -> bool:
        """Whether the value, not only the derivative, jumps."""
        return abs(self.values[1] - self.values[0]) > _JUMP


class Extremum(NamedTuple):
    """A strict local extremum: "minimum" or "maximum", where, and the value."""

    kind: str
    x: float
    value: float


class Curve:
    """An activation at given parameters.

    Parameters
    ----------
    activation : Activation
        The function.
    params : dict of str to float
        Those that differ from the defaults.
    """

    def __init__(self, activation: Any, params: dict[str, float] | None = None) -> None:
        self.activation, self.spec = activation, activation.spec
        self.latex = activation.latex
        self.params = {**activation.spec.params, **(params or {})}

    def value(self, x: Any) -> Any:
        return self.activation(np.asarray(x, np.float64), **self.params)

    def derivative(self, x: Any) -> Any:
        return self.activation.derivative(np.asarray(x, np.float64), **self.params)

    def _numbers(self, texts: tuple[str, ...]) -> tuple[float, float]:
        left, right = (self.spec.number(t, *self.params.values()) + 0.0 for t in texts)
        return left, right

    @cached_property
    def limits(self) -> tuple[float, float]:
        """The values at -inf and +inf; NaN where there is none."""
        return self._numbers(self.spec.limits)

    @cached_property
    def slopes(self) -> tuple[float, float]:
        """The derivative at -inf and +inf; NaN where there is none."""
        return self._numbers(self.spec.slopes)

    @cached_property
    def saturates(self) -> tuple[str, str]:
        """On the left and on the right "hard" (constant beyond a point), "soft" (in the limit) or "no"."""
        left, right = ("no" if slope else how for slope, how in zip(self.slopes, self.spec.saturates, strict=True))
        return left, right

    @cached_property
    def domain(self) -> tuple[float, float]:
        """Where there are values."""
        left, right = (not math.isnan(float(self.value(s * _FAR))) for s in (-1, 1))
        return (-math.inf if left else 0.0, math.inf if right else 0.0)

    @cached_property
    def kinks(self) -> tuple[Kink, ...]:
        """Where the function or its derivative jumps, at these parameters."""
        found = []
        for x in self.spec.kinks_at(*self.params.values()):
            step = _BESIDE * max(1.0, abs(x))
            at = np.array([x - step, x, x + step])
            value, derivative = self.value(at).tolist(), self.derivative(at).tolist()
            if max(abs(value[2] - value[0]), abs(derivative[2] - derivative[0])) > _JUMP:
                sides = [tuple(round(v, 12) + 0.0 for v in (side[0], side[2])) for side in (value, derivative)]
                found.append(Kink(x + 0.0, value[1] + 0.0, derivative[1] + 0.0, *sides))
        return tuple(found)

    @cached_property
    def asymptotes(self) -> tuple[tuple[float, float] | None, tuple[float, float] | None]:
        """On the left and on the right the slope and intercept of the line that the curve approaches, if there is one."""
        return self._asymptote(0), self._asymptote(1)

    def _asymptote(self, side: int) -> tuple[float, float] | None:
        slope, limit = self.slopes[side], self.limits[side]
        if slope == 0.0 and math.isfinite(limit):
            return 0.0, limit
        if slope == 0.0 or not math.isfinite(slope):
            return None
        x = np.array([1.0, 2.0]) * (_FAR if side else -_FAR)
        near, far = (self.value(x) - slope * x).tolist()
        return slope, round(2.0 * far - near, 8) + 0.0  # what falls like 1/x cancels

    @cached_property
    def saturated(self) -> tuple[float, float]:
        """The points beyond which, on the left and on the right, the derivative is below `SATURATED`; infinite for none."""
        ends = []
        for sign, how in zip((-1.0, 1.0), self.saturates, strict=True):
            end = math.inf if how == "no" else self._last(sign, SATURATED if how == "soft" else _TINY, 0.0)
            ends.append(sign * (round(end, 12) if how == "hard" else end) + 0.0)
        return ends[0], ends[1]

    def settled(self, tolerance: float) -> tuple[float, float]:
        """The points beyond which the derivative is that at infinity, up to the tolerance; 0 where it has no such limit."""
        left, right = (
            s * self._last(s, tolerance * max(1.0, abs(slope)), slope) if math.isfinite(slope) else 0.0
            for s, slope in zip((-1.0, 1.0), self.slopes, strict=True)
        )
        return left, right

    def _last(self, sign: float, tolerance: float, slope: float) -> float:
        """How far out, in the direction of the sign, the derivative still differs from a slope by the tolerance."""

        def differs(x: Any) -> Any:
            return abs(self.derivative(sign * x) - slope) >= tolerance

        grid = np.concatenate([np.linspace(-20.0, 20.0, 4001), np.geomspace(20.0, _FARTHEST, 2001)[1:]])
        where = np.flatnonzero(differs(grid))
        if not where.size:  # a step
            return max((sign * k.x for k in self.kinks), default=0.0)
        at = int(where[-1])
        return _FARTHEST if at == grid.size - 1 else bisect(differs, float(grid[at]), float(grid[at + 1]))

    @cached_property
    def grid(self) -> np.ndarray:
        """Points everywhere, dense near 0, with both sides of the kinks, in the domain."""
        out = np.geomspace(1e-9, _FARTHEST, 4001)
        sides = [k.x + s * _BESIDE * max(1.0, abs(k.x)) for k in self.kinks for s in (-1, 1)]
        x = np.unique(np.concatenate([-out, out, np.linspace(-10.0, 10.0, 8001), sides, [k.x for k in self.kinks]]))
        return x[(x >= self.domain[0]) & (x <= self.domain[1])]

    @cached_property
    def extrema(self) -> tuple[Extremum, ...]:
        """Strict local extrema, from left to right."""
        found = []
        x, slope = self.grid, self.derivative(self.grid)
        moving = np.flatnonzero(slope != 0.0)
        turns = np.flatnonzero(np.diff(np.sign(slope[moving])) != 0)
        for left, right in zip(moving[turns], moving[turns + 1], strict=True):
            if right - left > 2:  # a plateau
                continue
            rises = bool(slope[left] > 0)
            root = float(x[left + 1])
            if right - left == 1:
                root = bisect(partial(self._moves, rises), float(x[left]), root)
            root = next((k.x for k in self.kinks if abs(k.x - root) < 2 * _BESIDE * max(1.0, abs(k.x))), root)
            found.append(Extremum("maximum" if rises else "minimum", root, float(self.value(root))))
        return tuple(found)

    def _moves(self, up: bool, x: float) -> bool:
        return bool(self.derivative(x) > 0) == up

    @cached_property
    def range(self) -> tuple[float, float]:
        """Infimum and supremum of the values."""
        ends = [v for v in self.limits if not math.isnan(v)]
        ends += [e.value for e in self.extrema]
        ends += [v for k in self.kinks for v in (k.value, *k.values)]
        values = self.value(self.grid)
        bounds = [*ends, float(np.nanmin(values)), float(np.nanmax(values))]
        return min(bounds), max(bounds)

    @cached_property
    def lipschitz(self) -> float:
        """The least L with |f(a) - f(b)| <= L |a - b|: the supremum of the derivative's magnitude, infinite at a jump."""
        edge = abs(float(self.derivative(_TINY))) if math.isfinite(self.domain[0]) else 0.0
        if any(k.jumps for k in self.kinks) or edge > 1.0 / SATURATED**2:
            return math.inf
        slope = abs(self.derivative(self.grid))
        at = int(np.argmax(slope))
        left, right = float(self.grid[max(at - 1, 0)]), float(self.grid[min(at + 1, slope.size - 1)])
        greatest = float(slope[at])
        for _ in range(8):  # closer to where it is greatest
            x = np.linspace(left, right, 65)
            slope = abs(self.derivative(x))
            at = int(np.argmax(slope))
            left, right, greatest = float(x[max(at - 1, 0)]), float(x[min(at + 1, 64)]), max(greatest, float(slope[at]))
        sides = [abs(d) for k in self.kinks for d in k.derivatives]
        return max([greatest, *sides, *(abs(s) for s in self.slopes if not math.isnan(s))])

    @cached_property
    def mean(self) -> float:
        """The mean output for standard normal inputs; NaN where there is none for some of these."""
        edges = np.unique(np.concatenate([np.arange(-12.0, 12.25, 0.25), [k.x for k in self.kinks if abs(k.x) < 12.0]]))
        nodes, weights = np.polynomial.legendre.leggauss(20)
        half = np.diff(edges)[:, None] / 2.0
        x = edges[:-1, None] + half * (nodes + 1.0)
        total = float(np.sum(half * weights * self.value(x) * np.exp(-0.5 * x * x))) / math.sqrt(2.0 * math.pi)
        return 0.0 if abs(total) < 1e-14 else total


def bisect(holds: Callable[[Any], Any], left: float, right: float) -> float:
    """Where a condition that holds on the left and not on the right ends, to the last digit."""
    for _ in range(200):
        middle = 0.5 * (left + right)
        if middle in (left, right):
            break
        if holds(middle):
            left = middle
        else:
            right = middle
    return 0.5 * (left + right) + 0.0
