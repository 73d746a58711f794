"""Many functions in one figure, each in a small picture of its own, in sections."""

from __future__ import annotations

import math
from typing import Any

from . import style
from .axes import draw_asymptotes, draw_kinks, draw_line, draw_saturation, heights, window

#: Sizes in inches: a picture with its title, what lies between two, the head of a section, the margins.
_WIDTH, _HEIGHT, _GAP, _HEAD, _MARGIN, _TOP = 1.75, 1.62, (0.32, 0.62), 0.62, 0.4, 1.05


def draw_sheet(figure: Any, sections: dict[str, list[tuple[str, Any]]], columns: int, derivative: bool) -> None:
    """Draw sections of labelled curves; the figure gets the size that they need."""
    rows = [math.ceil(len(curves) / columns) for curves in sections.values()]
    width = 2 * _MARGIN + columns * (_WIDTH + _GAP[0]) - _GAP[0]
    height = _TOP + sum(_HEAD + r * (_HEIGHT + _GAP[1]) for r in rows) + _MARGIN / 2
    figure.set_size_inches(width, height)
    figure.text(_MARGIN / width, 1 - 0.42 / height, "Activation functions", fontsize=22, fontweight="bold", va="center")
    _key(figure, width, height, derivative)
    top = height - _TOP
    for (title, curves), count in zip(sections.items(), rows, strict=True):
        figure.text(_MARGIN / width, (top - 0.12) / height, title, fontsize=13, fontweight="bold", color=style.GREY, va="top")
        line = [(top + 0.02) / height] * 2
        figure.add_artist(_line([_MARGIN / width, 1 - _MARGIN / width], line, color=style.FAINT, linewidth=0.8))
        top -= _HEAD
        for number, (label, curve) in enumerate(curves):
            left = _MARGIN + number % columns * (_WIDTH + _GAP[0])
            bottom = top - (number // columns + 1) * _HEIGHT - number // columns * _GAP[1] + 0.1
            axes = figure.add_axes((left / width, bottom / height, _WIDTH / width, (_HEIGHT - 0.1) / height))
            _small(axes, label, curve, derivative)
        top -= count * (_HEIGHT + _GAP[1])


def _small(axes: Any, label: str, curve: Any, derivative: bool) -> None:
    from matplotlib.ticker import MaxNLocator

    style.tidy(axes)
    axes.spines[:].set_visible(False)
    span = window([curve])
    drawn = [draw_line(axes, curve, span, False, **{**style.of(0), "linewidth": 2.0})]
    if derivative:
        drawn.append(draw_line(axes, curve, span, True, **{**style.of(1), "linewidth": 1.3}))
    height = heights(drawn, *span)
    axes.set(xlim=span, ylim=height)
    draw_asymptotes(axes, curve, span, height, named=False)
    for which in (True, False)[not derivative :]:
        draw_kinks(axes, curve, span, which, style.of(which)["color"], 3.6)
    draw_saturation(axes, curve, span, hatch="//////")
    axes.set_title(label, loc="left", fontsize=10.5, fontweight="bold", pad=3)
    axes.set_xticks([span[0], span[1]], [style.signed(span[0]), style.signed(span[1])])
    axes.xaxis.get_ticklabels()[0].set_horizontalalignment("left")
    axes.xaxis.get_ticklabels()[-1].set_horizontalalignment("right")
    values = [v for v in MaxNLocator(4, steps=[1, 2, 5, 10]).tick_values(*height) if height[0] <= v <= height[1]]
    kept = sorted({min(values), 0.0, max(values)}, key=float)
    axes.set_yticks(kept, [style.signed(v) for v in kept])
    axes.tick_params(length=0, labelsize=7.5, pad=1.5, labelcolor=style.GREY)


def _key(figure: Any, width: float, height: float, derivative: bool) -> None:
    """What lines, dots and shades mean, at the top."""
    from matplotlib.lines import Line2D
    from matplotlib.patches import Patch

    entries: list[tuple[Any, str]] = [(Line2D([], [], **style.of(0), linewidth=2.0), "value")]
    if derivative:
        entries.append((Line2D([], [], **style.of(1), linewidth=1.3), "derivative"))
    dot: dict[str, Any] = {"marker": "o", "linestyle": "none", "color": style.GREY, "markersize": 4.5}
    entries += [
        (Line2D([], [], color=style.GREY, linewidth=1.0, linestyle=(0, (1, 2))), "limit or asymptote"),
        (Line2D([], [], **dot), "kink, value taken"),
        (Line2D([], [], **dot, markerfacecolor="white"), "not taken"),
        (Patch(facecolor=style.SHADE, alpha=0.25, linewidth=0), "saturated: $|f\\,'| < 0.01$"),
        (Patch(facecolor=style.PALE, edgecolor=style.HATCH, hatch="////", linewidth=0), "saturated: $f\\,' = 0$"),
    ]
    figure.legend(
        *zip(*entries, strict=True), loc="upper right", bbox_to_anchor=(1 - 0.8 * _MARGIN / width, 1 - 0.2 / height),
        frameon=False, ncols=len(entries) if width > 13 else 4, fontsize=10, columnspacing=1.6, handlelength=2.6,
    )  # fmt: skip


def _line(x: Any, y: Any, **look: Any) -> Any:
    from matplotlib.lines import Line2D

    return Line2D(x, y, **look)
