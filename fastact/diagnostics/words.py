"""What a diagnosis says: a table of numbers, and what follows from them in words."""

from __future__ import annotations

import math
import textwrap
from typing import Any

import numpy as np

#: What `units` makes and this file reads.
Diagnosis = Any


def share(number: float) -> str:
    """A share in per cent; what is not nothing, or not all, does not look so."""
    if math.isnan(number):
        return "-"
    if 0.0 < number < 0.0005:
        return "< 0.1 %"
    if 0.9995 <= number < 1.0:
        return "> 99.9 %"
    return f"{100 * number:.1f} %"


def figure(number: float) -> str:
    """A number in three digits."""
    return "-" if math.isnan(number) else f"{number:.3g}"


def counted(number: int, what: str) -> str:
    """``1 unit``, ``2,000 units``."""
    return f"{number:,} {what}{'' if number == 1 else 's'}"


def call_of(found: Diagnosis) -> str:
    """The function with the parameters that are not its defaults."""
    own = found.function.params
    given = [
        f"{n}={p:g}" if isinstance(p, float | int) else f"{n} per unit"
        for n, p in found.params.items() if not isinstance(p, float | int) or p != own[n]
    ]  # fmt: skip
    return f"{found.function.__name__}({', '.join(given)})" if given else found.function.__name__


def table(found: Diagnosis) -> str:
    """The text of a diagnosis."""
    head = f"{call_of(found)}: {counted(found.units, 'unit')}, each over {counted(found.batch, 'element')}"
    rows: list[tuple[str, ...]] = [("", "overall", "least", "median", "greatest")]
    level = f"|f'| <= {found.saturation:g}"
    for label, name, form in (
        (f"inactive, {level}", "inactive", share), ("saturated on the left", "left", share),
        ("saturated on the right", "right", share), ("mean of f(z)", "mean", figure),
        ("variance of f(z)", "variance", figure), ("mean of f'(z)^2", "power", figure),
    ):  # fmt: skip
        values = getattr(found, name)
        values = values[~np.isnan(values)]
        units = [values.min(), np.median(values), values.max()] if values.size else [math.nan] * 3
        rows.append((label, form(found.overall[name]), *map(form, map(float, units))))
    lines = ["  {:<26}{:>10}{:>12}{:>10}{:>10}".format(*row).rstrip() for row in rows]
    return "\n".join([head, *lines, *(textwrap.fill(t, 88) for t in findings(found))])


def findings(found: Diagnosis) -> list[str]:
    """What follows from the numbers, each in a sentence or two."""
    overall, name = found.overall, found.function.__name__
    said: list[str] = []
    broken = [f"{overall[n]:,} {what}" for n, what in (("nan", "NaN"), ("inf", "infinite")) if overall[n]]
    if broken:
        said.append(f"z is not finite: {' and '.join(broken)} of {counted(found.units * found.batch, 'element')}.")
    if overall["overflow"]:
        said.append(f"{name} or its slope is not finite for {counted(overall['overflow'], 'finite element')} of z.")
    if math.isnan(overall["inactive"]):
        return [*said, "There are no finite elements."]
    dead = int(np.count_nonzero(found.dead))
    if dead:
        some = "All units are" if dead == found.units > 1 else f"{counted(dead, 'unit')} of {found.units:,} " + _is(dead)
        whose, much = "their" if dead > 1 else "its", "nothing" if _nothing(found) else "next to nothing"
        said.append(
            f"{some} dead ({share(overall['dead'])}): |f'(z)| is at most {found.saturation:g} on every element, so that "
            f"{whose} weights learn {much}. {_cure(found)}"
        )
    else:
        said.append("No unit is dead.")
    if two_sided(found) and overall["left"] + overall["right"] > 0.5:
        said.append(
            f"{name} saturates on {share(overall['left'] + overall['right'])} of the elements: a gradient comes through with "
            f"{share(math.sqrt(overall['power']))} of its size."
        )
    return said


def _is(number: int) -> str:
    return "is" if number == 1 else "are"


def _nothing(found: Diagnosis) -> bool:
    """Whether no gradient at all comes through the dead units."""
    return not np.any(found.power[found.dead])


def two_sided(found: Any) -> bool:
    """Whether the function saturates on both sides, as sigmoids do."""
    return "no" not in found.function.saturates


def _cure(found: Diagnosis) -> str:
    if found.function.__name__ == "step":
        return "No gradient passes a step: train with sigmoid, of which it is the limit."
    if two_sided(found):
        return "Let z be smaller (smaller weights, normalisation), or take a function that does not saturate on both sides."
    return "Lower the learning rate; if units still die, take leaky_relu."
