"""The picture of a diagnosis: histograms, and which units are dead."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..plotting import require_matplotlib
from .words import Diagnosis, call_of, counted, share

# Okabe and Ito's colours, which colour-blind people tell apart; in print they differ in darkness.
BLUE, RED, GREY = "#0072B2", "#D55E00", "0.85"


def draw(found: Diagnosis, axes: Any) -> Any:
    """Draw on four axes, or on a new figure; returns the figure."""
    pyplot = require_matplotlib("fastact.Diagnosis.plot", "matplotlib.pyplot")
    if axes is None:
        figure, axes = pyplot.subplots(2, 2, figsize=(8.0, 5.6), layout="constrained")
        figure.suptitle(f"{call_of(found)}: {counted(found.units, 'unit')}, each over {counted(found.batch, 'element')}")
    axes = np.asarray(axes, object).reshape(-1)
    if axes.size != 4:
        raise ValueError(f"fastact.Diagnosis.plot: axes has {axes.size} elements; expected 4")
    for ax, values, label in zip(axes, found.sample, ("z", "f(z)", "f'(z)"), strict=False):
        _histogram(ax, values, label)
    _saturated(axes[0], found)
    _units(axes[3], found)
    return axes[0].figure


def _histogram(ax: Any, values: np.ndarray, label: str) -> None:
    values = np.asarray(values, np.float64)
    values = values[np.isfinite(values)]
    if values.size:
        counts, bounds = np.histogram(values, bins=60)
        ax.stairs(counts / values.size, bounds, fill=True, color=BLUE)
    ax.set(xlabel=label, ylabel="share of elements")


def _saturated(ax: Any, found: Diagnosis) -> None:
    """Grey where the function is saturated; parameters for each unit have too many such regions."""
    low, high = ax.get_xlim()
    left, right = found.edges
    if np.ndim(left) or np.ndim(right):
        return
    sides = [s for s in ((low, min(left, high)), (max(right, low), high)) if s[0] < s[1]]
    for side in sides:
        ax.axvspan(*side, color=GREY, zorder=0, label="saturated" if side is sides[0] else None)
    ax.set_xlim(low, high)
    if sides:
        ax.legend(frameon=False)


def _units(ax: Any, found: Diagnosis) -> None:
    """The inactive share of every unit, from the least to the greatest; dead units in another colour."""
    inactive = found.inactive.reshape(-1)
    dead = found.dead.reshape(-1)
    order = np.argsort(np.where(dead, 2.0, inactive), kind="stable")
    inactive, dead = inactive[order], dead[order]
    place = np.arange(inactive.size + 1)
    if inactive.size:
        ax.stairs(np.where(dead, 0.0, np.nan_to_num(inactive)), place, fill=True, color=BLUE)
        ax.stairs(np.where(dead, 1.0, 0.0), place, fill=True, color=RED, label=f"dead: {share(found.overall['dead'])}")
    if dead.any():
        ax.legend(frameon=False, loc="upper left")
    ax.set(xlabel="units, sorted", ylabel=f"share with |f'| <= {found.saturation:g}")
    ax.set(ylim=(0.0, 1.05), xlim=(0, max(inactive.size, 1)))
