"""Curves in axes: values, derivatives, and what marks them.

Kinks are dots; where a line breaks, the filled dot is what is taken there and the open ones what the sides tend to.
Asymptotes are dotted lines, saturated tails are shaded, with hatching where the derivative is exactly 0.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from . import style

_POINTS = 1201


def window(curves: list[Any]) -> tuple[float, float]:
    """Where the curves are worth looking at: symmetric about 0, but for those that begin there."""
    reach = [3.0]
    for curve in curves:
        reach += [1.6 * abs(k.x) for k in curve.kinks]
        reach += [1.1 * abs(p) for p in (*curve.settled(0.02), *curve.saturated) if math.isfinite(p)]
        reach += [1.6 * abs(e.x) for e in curve.extrema]
    half = _rounded(min(max(reach), 400.0))
    return (0.0 if all(c.domain[0] == 0.0 for c in curves) else -half), half


def _rounded(number: float) -> float:
    """Up to the next whole number, or to two digits."""
    unit = 10.0 ** max(0, math.floor(math.log10(number)) - 1)
    return math.ceil(number / unit) * unit


def sampled(curve: Any, left: float, right: float, derivative: bool) -> tuple[np.ndarray, np.ndarray]:
    """Points and values for a line, dense, with both sides of the kinks; a NaN breaks it where it jumps."""
    x = np.linspace(left, right, _POINTS)
    near = np.unique([p for k in curve.kinks for p in (k.x - 1e-9 * max(1.0, abs(k.x)), k.x + 1e-9 * max(1.0, abs(k.x)))])
    x = np.unique(np.concatenate([x[(x != 0.0) | (curve.domain[0] < 0.0)], near[(near >= left) & (near <= right)]]))
    y = np.array((curve.derivative if derivative else curve.value)(x))
    for kink in curve.kinks:
        if left < kink.x < right and (derivative or kink.jumps):
            x, y = x[x != kink.x], y[x != kink.x]
            at = int(np.searchsorted(x, kink.x))
            x, y = np.insert(x, at, kink.x), np.insert(y, at, np.nan)
    return x, y


def heights(values: list[np.ndarray], left: float, right: float) -> tuple[float, float]:
    """Where the vertical axis ends: what grows beyond the width of the window is cut off."""
    limit = max(1.0, abs(left), abs(right))
    finite = np.concatenate([v[np.isfinite(v)] for v in values])
    low, high = max(float(finite.min()), -limit), min(float(finite.max()), limit)
    low, high = min(low, 0.0), max(high, 0.0)
    room = 0.09 * (high - low or 1.0)
    return low - room, high + room


def draw_line(axes: Any, curve: Any, span: tuple[float, float], derivative: bool, **look: Any) -> np.ndarray:
    """The line of a curve or its derivative; returns its values."""
    x, y = sampled(curve, *span, derivative)
    axes.plot(x, y, zorder=4 if derivative else 3, **look)
    return y


def draw_kinks(axes: Any, curve: Any, span: tuple[float, float], derivative: bool, color: str, size: float) -> None:
    """Dots at kinks: filled for what is taken, open for what a side tends to and is not taken."""
    look = {"linestyle": "none", "marker": "o", "markersize": size, "color": color, "zorder": 5 + derivative}
    for kink in curve.kinks:
        if not span[0] < kink.x < span[1]:
            continue
        taken, sides = (kink.derivative, kink.derivatives) if derivative else (kink.value, kink.values)
        axes.plot([kink.x], [taken], **look)
        for side in sides:
            if (derivative or kink.jumps) and abs(side - taken) > 1e-6:
                axes.plot([kink.x], [side], **look, markerfacecolor=axes.get_facecolor(), markeredgewidth=1.2)


def draw_asymptotes(axes: Any, curve: Any, span: tuple[float, float], height: tuple[float, float], named: bool) -> None:
    """The lines that the curve approaches without being on them, each with its equation."""
    drawn: set[tuple[float, float]] = set()
    for side, asymptote in enumerate(curve.asymptotes):
        end = span[side]
        if asymptote is None or asymptote in drawn or end == 0.0:
            continue
        slope, intercept = asymptote
        there = np.linspace(0.3 * end, end, 50)
        if slope and np.allclose(curve.value(there), slope * there + intercept, atol=1e-6 * abs(end)):
            continue
        drawn.add(asymptote)
        x = np.array(span if slope == 0.0 else sorted((0.0, end)))
        look = {"color": style.GREY, "linewidth": 1.0, "linestyle": (0, (1, 2)), "zorder": 2}
        axes.plot(x, slope * x + intercept, **look)
        if named and (slope or intercept):
            _name(axes, curve, (slope, intercept), side, span, height)


def _name(
    axes: Any, curve: Any, asymptote: tuple[float, float], side: int, span: tuple[float, float], height: tuple[float, float]
) -> None:  # fmt: skip
    """The equation beside an asymptote, on the side where the curve is not."""
    slope, intercept = asymptote
    width = span[1] - span[0]
    if slope == 0.0:
        above = float(curve.value(0.98 * span[side])) <= intercept
        axes.annotate(
            style.line(slope, intercept), (span[side] - (0.01 if side else -0.01) * width, intercept),
            xytext=(0, 2 if above else -2), textcoords="offset points", ha="right" if side else "left",
            va="bottom" if above else "top", fontsize=8.5, color=style.GREY,
        )  # fmt: skip
        return
    low, high = height[0] + 0.06 * (height[1] - height[0]), height[1] - 0.1 * (height[1] - height[0])
    x = np.linspace(0.15, 0.95, 81) * span[side]
    x = x[(slope * x + intercept > low) & (slope * x + intercept < high)]
    if not x.size:
        return
    below = float(curve.value(x[-1])) > slope * float(x[-1]) + intercept
    right = below == (slope > 0)
    at = float(x[int((0.5 if right == bool(side) else 0.6) * x.size)])  # the text has room within the axes
    axes.annotate(
        style.line(slope, intercept), (at, slope * at + intercept), xytext=(4 if right else -4, -4 if below else 4),
        textcoords="offset points", ha="left" if right else "right", va="top" if below else "bottom",
        fontsize=8.5, color=style.GREY,
    )  # fmt: skip


def draw_saturation(axes: Any, curve: Any, span: tuple[float, float], hatch: str = "////") -> list[str]:
    """Shades over the saturated tails; says which kinds there are."""
    kinds = []
    for side, (end, how) in enumerate(zip(curve.saturated, curve.saturates, strict=True)):
        if how == "no" or not span[0] < end < span[1]:
            continue
        kinds.append(how)
        low, high = (span[0], end) if side == 0 else (end, span[1])
        axes.axvspan(low, high, facecolor=style.SHADE, alpha=0.13, linewidth=0, zorder=0.2)
        if how == "hard":
            axes.axvspan(low, high, facecolor="none", edgecolor=style.HATCH, hatch=hatch, linewidth=0, zorder=0.3)
    return kinds


def draw_tracks(axes: Any, curves: list[Any], span: tuple[float, float]) -> None:
    """For several curves: below the axes a track for each, filled where it is saturated, hatched where exactly."""
    height, frame = 0.022, axes.get_xaxis_transform()
    low, high = axes.get_ylim()
    axes.set_ylim(low - (high - low) * height * 1.35 * (len(curves) + 2.5), high)
    top = height * 1.35 * len(curves) + 0.4 * height
    text = "saturated: $|f\\,'| < 0.01$, hatched $f\\,' = 0$"
    if any(span[0] < end < span[1] for curve in curves for end in curve.saturated):
        axes.text(0.005, top, text, transform=axes.transAxes, fontsize=7.5, color=style.GREY, va="bottom", zorder=6)
    for number, curve in enumerate(curves):
        at = height * 1.35 * (len(curves) - 1 - number) + 0.3 * height
        for side, (end, how) in enumerate(zip(curve.saturated, curve.saturates, strict=True)):
            if how == "no" or not span[0] < end < span[1]:
                continue
            width = (end - span[0]) if side == 0 else (span[1] - end)
            color = style.of(number)["color"]
            axes.barh(
                at, width, height, left=span[0] if side == 0 else end, align="edge", transform=frame, zorder=5,
                facecolor=color if how == "soft" else "none", edgecolor=color, alpha=0.75, linewidth=0.8,
                hatch="////////" if how == "hard" else None,
            )  # fmt: skip


def draw_one(axes: Any, curve: Any, label: str, span: tuple[float, float], derivative: bool, marks: bool) -> None:
    """One function, with its derivative, in one picture."""
    style.tidy(axes)
    drawn = [draw_line(axes, curve, span, False, label="$f$", linewidth=style.THICK, **style.of(0))]
    if derivative:
        drawn.append(draw_line(axes, curve, span, True, label="$f\\,'$", linewidth=1.7, **style.of(1)))
    height = heights(drawn, *span)
    axes.set(xlim=span, ylim=height, xlabel="x")
    axes.set_title(label, loc="left", fontsize=12, fontweight="bold")
    axes.set_title(style.formula(curve.latex), loc="right", fontsize=10, color=style.GREY)
    if marks:
        draw_asymptotes(axes, curve, span, height, named=True)
        for which in (True, False)[not derivative :]:
            draw_kinks(axes, curve, span, which, style.of(which)["color"], 5.0)
        draw_saturation(axes, curve, span)
    _legend(axes, [curve] if marks else [], span)


def draw_several(
    panels: list[Any], curves: list[Any], labels: list[str], span: tuple[float, float], derivative: bool, marks: bool
) -> None:  # fmt: skip
    """Several functions: values in the first panel, derivatives in the second; in one panel derivatives are thin."""
    apart = len(panels) == 2
    shown = [(panels[0], False), *([(panels[-1], True)] if derivative else [])]
    for axes in panels:
        style.tidy(axes)
        axes.set(xlim=span, xlabel="x")
    drawn: dict[int, list[np.ndarray]] = {0: [], len(panels) - 1: []}
    for axes, which in shown:
        for number, (curve, label) in enumerate(zip(curves, labels, strict=True)):
            look = {**style.of(number), "linewidth": style.THIN if which and not apart else style.THICK - 0.2}
            name = None if which and not apart else label
            drawn[panels.index(axes)].append(draw_line(axes, curve, span, which, label=name, **look))
            if marks:
                draw_kinks(axes, curve, span, which, style.of(number)["color"], 4.5)
    for at, axes in enumerate(panels):
        height = heights(drawn[at], *span)
        axes.set_ylim(height)
        if marks and at == 0:
            for curve in curves:
                draw_asymptotes(axes, curve, span, height, named=False)
    if apart:
        for axes, title in zip(panels, ("value", "derivative"), strict=True):
            axes.set_title(title, loc="left", fontsize=11, fontweight="bold")
    if marks:
        draw_tracks(panels[-1], curves, span)
    _legend(panels[0], [], span, "thin: the derivative" if derivative and not apart else "")


def _legend(axes: Any, curves: list[Any], span: tuple[float, float], note: str = "") -> None:
    """Which line is which, and what shades and dots mean."""
    from matplotlib.lines import Line2D
    from matplotlib.patches import Patch

    handles, labels = axes.get_legend_handles_labels()
    for curve in curves:
        kinds = [h for h, e in zip(curve.saturates, curve.saturated, strict=True) if h != "no" and span[0] < e < span[1]]
        if "soft" in kinds:
            handles.append(Patch(facecolor=style.SHADE, alpha=0.25, linewidth=0))
            labels.append("saturated: $|f\\,'| < 0.01$")
        if "hard" in kinds:
            handles.append(Patch(facecolor=style.PALE, edgecolor=style.HATCH, hatch="////", linewidth=0))
            labels.append("saturated: $f\\,' = 0$")
        if any(span[0] < k.x < span[1] for k in curve.kinks):
            handles.append(Line2D([], [], marker="o", linestyle="none", color=style.GREY, markersize=5))
            labels.append("kink; filled: what is taken")
    axes.legend(handles, labels, title=note or None, framealpha=0.85, edgecolor="none", fontsize=9, handlelength=2.8)
