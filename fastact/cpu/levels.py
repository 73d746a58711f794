"""Picks the build of the kernels for this CPU: one per x86-64 level, one elsewhere."""

from __future__ import annotations

import importlib
import os
from typing import Any

from .._kernels import build_info, set_moves

#: Level names in ascending order with the ``build_info()["cpu_level"]`` that each needs.
X86_LEVELS = {"x86-64": 0, "x86-64-v3": 3, "x86-64-v4": 4}


def built_levels() -> list[str]:
    """The levels that this installation holds, lowest first."""
    folder = os.path.join(os.path.dirname(__file__), "_isa")
    names = [n for n in X86_LEVELS if os.path.isdir(os.path.join(folder, n.replace("-", "_")))]
    return names or ["generic"]


def usable_levels() -> list[str]:
    """The levels built here that this CPU can run, lowest first."""
    best = build_info()["cpu_level"]
    return [n for n in built_levels() if X86_LEVELS.get(n, 0) <= best]


def pick_level() -> str:
    """The level to load: the best usable one, or what ``FASTACT_CPU`` asks for.

    Raises
    ------
    ImportError
        If ``FASTACT_CPU`` names a level that does not exist, was not built, or that this CPU lacks.
    """
    usable = usable_levels()
    wanted = os.environ.get("FASTACT_CPU")
    if not wanted:
        return usable[-1]
    if wanted not in usable:
        reason = "this CPU cannot run it" if wanted in built_levels() else "it is not a level of this build"
        raise ImportError(f"fastact: FASTACT_CPU={wanted!r}: {reason}; choose one of {', '.join(usable)}")
    return wanted


LEVEL = pick_level()


def tables(kind: str = "f") -> tuple[dict[Any, Any], dict[Any, Any]]:
    """The kernel tables of the picked level, for float32 and float64: "f" the formulas, "r" the passes over rows."""
    folder = LEVEL.replace("-", "_")
    single, double = (importlib.import_module(f"{__package__}._isa.{folder}.{kind}{n}").table for n in ("32", "64"))
    return single, double


set_moves(importlib.import_module(f"{__package__}._isa.{LEVEL.replace('-', '_')}.moves").table)
