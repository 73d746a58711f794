"""How a call of a gated unit departs from activation(gate) * other: clamped halves, an offset, interleaved ones."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from ..arguments import is_number
from ..dispatch import Place


@dataclass(frozen=True)
class Variant:
    """How a call departs from activation(gate) * other, and from halves side by side."""

    interleaved: bool = False
    #: Of the kernels: params, limit, offset.
    numbers: dict[str, Any] = field(default_factory=dict)

    def check(self, title: str, b: Any, place: Place, asked: Sequence[str] = ()) -> None:
        """Refuse what there is not; `asked` are the keywords of ufuncs that are given."""
        if asked and (place is not Place.CPU or self.numbers):
            elsewhere = "on a GPU" if place is not Place.CPU else f"with {', '.join(self._given())}"
            raise TypeError(f"{title}: {', '.join(asked)} not supported {elsewhere}")
        if self.interleaved and b is not None:
            raise TypeError(f"{title}: interleaved goes with one array, which is split; there are two")
        if place is not Place.CPU and self != PLAIN:
            raise TypeError(f"{title}: {', '.join(self._given())} not supported on a GPU; expected the default")

    def _given(self) -> list[str]:
        """The arguments that depart from their defaults."""
        found = ["interleaved"] if self.interleaved else []
        found += [] if self.numbers.get("limit") is None else ["limit"]
        found += [] if self.numbers.get("params", (1.0,)) == (1.0,) else ["alpha"]
        return [*found, *(["offset"] if self.numbers.get("offset") else [])]

    def split(self, array: np.ndarray, axis: int) -> list[np.ndarray]:
        """The halves of an array."""
        if not self.interleaved:
            return np.split(array, 2, axis=axis)
        moved = np.moveaxis(array, axis, -1)
        return [np.moveaxis(moved[..., k::2], -1, axis) for k in range(2)]

    def join(self, half: np.ndarray, axis: int) -> np.ndarray:
        """An array with both halves equal."""
        return np.repeat(half, 2, axis=axis) if self.interleaved else np.concatenate([half, half], axis=axis)


PLAIN = Variant()


def variant_of(title: str, limit: Any, alpha: Any, offset: Any, interleaved: Any) -> Variant:
    """What a call of swiglu asks for; most ask for nothing, which must not cost what the checks do."""
    if limit is None and interleaved is False and type(alpha) is type(offset) is float and alpha == 1.0 and offset == 0.0:
        return PLAIN
    for name, value in {"alpha": alpha, "offset": offset, "limit": 1.0 if limit is None else limit}.items():
        if not is_number(value):
            raise TypeError(f"{title}: {name} is {value!r}; expected a number")
        if name != "limit" and not np.isfinite(value):
            raise ValueError(f"{title}: {name} is {value!r}; expected a finite number")
    if limit is not None and not limit > 0:
        raise ValueError(f"{title}: limit is {limit!r}; expected a positive number")
    if not isinstance(interleaved, bool | np.bool_):
        raise TypeError(f"{title}: interleaved is {interleaved!r}; expected a bool")
    if limit is None and alpha == 1.0 and offset == 0.0:
        return Variant(bool(interleaved))
    return Variant(bool(interleaved), {"params": (float(alpha),), "limit": limit, "offset": float(offset)})
