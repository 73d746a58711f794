"""What a formula does, seen from its values at some hundred points: whether its derivatives fit, its range, its kinks."""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import cached_property
from typing import Any

import numpy as np

from ..language.registry import REGISTRY
from ..language.text import Text
from . import tree
from .tree import COMPARISONS, Node
from .writing import written

#: Of central differences; errors of the order of the square are below what is tolerated.
_STEP, _TOLERANCE = 2e-5, 1e-5
_ORDER = ("discontinuous", "C0", "C1", "C2", "smooth")


class Sketch:
    """A formula at the defaults of its parameters.

    Parameters
    ----------
    value : Node
        Its value.
    arguments : list of str
        x and the parameters.
    params : list of float
        The defaults.
    evaluated : callable
        ``evaluated(text, arguments)`` gives the results.
    text : Text
        The formula with its derivatives.
    """

    def __init__(
        self, value: Node, arguments: list[str], params: list[float], evaluated: Callable[..., Any], text: Text
    ) -> None:
        self.value, self.arguments, self.params, self.evaluated, self.text = value, arguments, params, evaluated, text
        near = np.linspace(-10.0, 10.0, 401) + 0.00371  # off the numbers that people write
        far = np.geomspace(10.1, 1e4, 60)
        self.x = np.concatenate([-far[::-1], near, far])
        self.near = abs(self.x) <= 10.0

    def at(self, x: Any, params: list[float] | None = None) -> list[np.ndarray]:
        """All results."""
        found: list[np.ndarray] = self.evaluated(self.text, [x, *(self.params if params is None else params)])
        return found

    @cached_property
    def results(self) -> list[np.ndarray]:
        return self.at(self.x)

    def has_values(self) -> bool:
        return not bool(np.all(np.isnan(self.results[0][self.near])))

    def disagreement(self, index: int) -> tuple[float, float, float] | None:
        """Where the derivative of that number (1: by x) is not what differences give: (x, derivative, difference)."""
        x = self.x[self.near]
        sides = []
        for sign in (-1.0, 1.0):
            if index == 1:
                step = _STEP * np.maximum(1.0, abs(x))
                sides.append(self.at(x + sign * step)[0])
            else:
                moved = list(self.params)
                step = np.float64(_STEP * max(1.0, abs(moved[index - 2])))
                moved[index - 2] += sign * float(step)
                sides.append(self.at(x, moved)[0])
        with np.errstate(all="ignore"):
            middle, slope = self.results[0][self.near], self.results[index][self.near]
            left, right = (middle - sides[0]) / step, (sides[1] - middle) / step
            difference = 0.5 * (left + right)
            scale = 1.0 + abs(slope) + abs(difference) + abs(middle)
            kinked = abs(right - left) > 1e-2 * scale  # a kink between, or near a pole
            wrong = (abs(slope - difference) > _TOLERANCE * scale * 20.0) & np.isfinite(difference) & ~kinked
            wrong |= np.isnan(slope) & np.isfinite(difference) & ~kinked
        if not np.any(wrong):
            return None
        where = int(np.argmax(np.where(wrong, np.nan_to_num(abs(slope - difference), nan=np.inf) / scale, 0.0)))
        return float(x[where]), float(slope[where]), float(difference[where])

    # -- what is known of it -------------------------------------------------------------------

    def found(self) -> dict[str, Any]:
        """The fields of a `Spec` that can be seen."""
        value, slope = self.results[:2]
        ends = self.at(np.array([-math.inf, math.inf]))
        limits, slopes = ([float(v) for v in e] for e in ends[:2])
        seen = value[np.isfinite(value)]
        marked = self.at(np.array([0.0, *self.candidates]))[0]
        bounds = [*seen.tolist(), *marked[np.isfinite(marked)].tolist(), *(v for v in limits if not math.isnan(v))] or [math.nan]
        known = slope[~np.isnan(slope)]
        odd = np.allclose(self.at(-self.x)[0], -value, rtol=1e-12, atol=0.0, equal_nan=True)
        saturates = []
        for limit, end, tail in ((limits[0], slopes[0], slope[:60]), (limits[1], slopes[1], slope[-60:])):
            flat = end == 0.0 and math.isfinite(limit)
            saturates.append("no" if not flat else "hard" if np.all(tail == 0.0) and self.is_piecewise else "soft")
        return {
            "range": (repr(min(bounds)), repr(max(bounds))), "limits": tuple(map(repr, limits)),
            "slopes": tuple(map(repr, slopes)), "kinks": tuple(self.kinks), "monotonic": bool(np.all(known >= 0.0)),
            "zero_centred": bool(odd), "saturates": tuple(saturates), "smoothness": self.smoothness,
        }  # fmt: skip

    @cached_property
    def is_piecewise(self) -> bool:
        return any(n.op == "select" for n in tree.nodes(self.value)) or any(s != "smooth" for s in self._inner())

    def _inner(self) -> list[str]:
        """The smoothness of the activations that are called."""
        called = [n.value for n in tree.nodes(self.value) if n.op == "call" and "." in n.value]
        return [REGISTRY[c.split(".")[0]].smoothness for c in called]

    @cached_property
    def candidates(self) -> list[float]:
        """Where a comparison changes its mind, or an activation that is called has a kink."""
        differences = [tree.subtract(*n.args) for n in tree.nodes(self.value) if n.op in COMPARISONS]
        differences += [n.args[0] for n in tree.nodes(self.value) if n.op == "call" and n.value in ("abs", "sign")]
        for node in tree.nodes(self.value):
            if node.op == "call" and "." in node.value:
                spec = REGISTRY[node.value.split(".")[0]]
                params = [a.value for a in node.args[1:] if a.is_number]
                for kink in spec.kinks_at(*(params if len(params) == len(spec.params) else spec.params.values())):
                    differences.append(tree.subtract(node.args[0], tree.number(kink)))
        if not differences:
            return []
        text = written("", self.arguments, differences, [False] * len(differences))
        found: set[float] = set()
        for index, values in enumerate(self.evaluated(text, [self.x, *self.params])):
            for k in np.flatnonzero(np.diff(np.sign(values)) != 0.0):
                left, right = float(self.x[k]), float(self.x[k + 1])
                rising = values[k] < values[k + 1]
                for _ in range(80):
                    middle = 0.5 * (left + right)
                    here = float(self.evaluated(text, [middle, *self.params])[index])
                    if here == 0.0:
                        left = right = middle
                        break
                    left, right = (middle, right) if (here < 0.0) == rising else (left, middle)
                middle = 0.5 * (left + right)
                found.add(round(middle, 12) + 0.0)
        return sorted(found)

    @cached_property
    def kinks(self) -> list[float]:
        """Those where the value or the derivative jumps."""
        return [x for x in self.candidates if max(self._jumps(x)) > 1e-6]

    def _jumps(self, x: float) -> tuple[float, float]:
        step = 1e-9 * max(1.0, abs(x))
        value, slope = self.at(np.array([x - step, x, x + step]))[:2]
        return (
            max(abs(float(value[2] - value[0])), abs(float(value[1] - value[0]))),
            max(abs(float(slope[2] - slope[0])), abs(float(slope[1] - slope[0]))),
        )

    @cached_property
    def smoothness(self) -> str:
        worst = min((_ORDER.index(s) for s in self._inner() if s not in ("discontinuous", "C0")), default=4)
        for x in self.candidates:
            value, slope = self._jumps(x)
            worst = min(worst, 0 if value > 1e-6 else 1 if slope > 1e-6 else 2)
        return _ORDER[worst]
