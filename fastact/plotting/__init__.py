"""Pictures of curves, with matplotlib: `axes` draws them and what marks them, `sheet` many in one figure, `style` how it looks.

Knows curves by their values and facts (`fastact.functions.analysis.Curve`); knows no function. Imported when a plot is
asked for; matplotlib is the extra ``plot``.
"""

from __future__ import annotations

from importlib import import_module
from typing import Any


def require_matplotlib(title: str, module: str = "matplotlib") -> Any:
    """A module of matplotlib; where it is not there the message says which extra brings it."""
    try:
        return import_module(module)
    except ImportError as error:
        raise ImportError(f'{title}: needs matplotlib, which an extra brings: pip install "fastact[plot]"') from error
