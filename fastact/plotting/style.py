"""How plots look: colours that colour-blind people tell apart (Okabe and Ito 2008), each with a line style, for print."""

from __future__ import annotations

import re
from typing import Any

#: Blue, vermilion, bluish green, reddish purple, orange, sky blue, black.
COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000")
#: Solid, dashed, dash-dotted, dotted, long dashes, dash-dot-dotted.
STYLES: tuple[Any, ...] = (
    "-", (0, (5, 1.8)), (0, (6, 1.6, 1.2, 1.6)), (0, (1.2, 1.4)), (0, (10, 2)), (0, (6, 1.5, 1, 1.5, 1, 1.5)),
)  # fmt: skip
#: Lines that stand behind: axes, asymptotes; shades of saturation.
GREY, FAINT, SHADE, PALE, HATCH = "#777777", "#88888890", "#8A8A8A", "#8A8A8A28", "#8A8A8A60"  # seen on black, too
THICK, THIN = 2.2, 1.3


def of(number: int) -> dict[str, Any]:
    """Colour and line style of the curve of a number; the first 42 differ."""
    return {
        "color": COLOURS[number % len(COLOURS)], "linestyle": STYLES[(number + number // len(COLOURS)) % len(STYLES)],
        "dash_capstyle": "butt", "solid_capstyle": "round",
    }  # fmt: skip


def formula(latex: str) -> str:
    """A formula in what matplotlib typesets of LaTeX; nothing where that would not fit above a picture."""
    text = re.sub(r"\\(le|ge)(?![a-z])", r"\\\1q", latex.replace(r"\tfrac", r"\frac"))
    text = re.sub(r"(?<=[a-z0-9)}]) \\(?=(tanh|sin|log|min|max|Phi|sigma|operatorname)\b)", r" \\,\\", text)
    return f"${text}$" if len(text) < 85 else ""


def signed(number: float) -> str:
    """A number for people: four digits, with a minus sign."""
    return f"{number:.4g}".replace("-", "\N{MINUS SIGN}")


def line(slope: float, intercept: float) -> str:
    """``y = x - 1``."""
    if slope == 0.0:
        return f"y = {signed(intercept)}"
    factor = {1.0: "", -1.0: "\N{MINUS SIGN}"}.get(slope, f"{signed(slope)} ")
    rest = f" {'+' if intercept > 0 else chr(0x2212)} {signed(abs(intercept))}" if intercept else ""
    return f"y = {factor}x{rest}"


def tidy(axes: Any) -> None:
    """Axes without a frame; lines through 0 instead."""
    for side in ("top", "right"):
        axes.spines[side].set_visible(False)
    for side in ("left", "bottom"):
        axes.spines[side].set_color(GREY)
    axes.axhline(0.0, color=FAINT, linewidth=0.8, zorder=0.5)
    axes.axvline(0.0, color=FAINT, linewidth=0.8, zorder=0.5)
    axes.tick_params(color=GREY, labelsize=9)
