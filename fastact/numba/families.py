"""Which functions of the package compiled code can call, by what arguments, and what compiles them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from typing import Any

from ..activations.units import UNITS
from ..language.kinds import ARRAYS, kinds
from ..language.registry import REGISTRY
from . import gated, maxout, rows
from .calls import Elementwise


@dataclass(frozen=True)
class Form:
    """How a kind of a function is called.

    Attributes
    ----------
    maker : callable
        ``maker(name, kind, types)``: what compiles a call with arguments of these types, those left out included.
    required : tuple of str
        Arguments without a default.
    defaults : dict
        The others.
    positional : int
        How many may be given without their names.
    """

    maker: Callable[..., Any]
    required: tuple[str, ...]
    defaults: dict[str, Any]
    positional: int

    @property
    def shared(self) -> bool:
        """Whether Numba's threads can share out what a call computes; that of rows is done by those of the package."""
        return self.maker in (Elementwise, gated.Gated)


@cache
def form(name: str, kind: str) -> Form | None:
    """How a kind of a function is called; None: not at all."""
    if REGISTRY.knows(name) and kind in kinds(REGISTRY[name]):
        arrays, params = ARRAYS[kind], REGISTRY[name].params
        return Form(Elementwise, arrays, {**params, "out": None}, len(arrays) + len(params))
    if name in rows.NAMES and (kind == "value" or (kind == "backward" and rows.NAMES[name])):
        arrays = ("x",) if kind == "value" else ("grad", "y")
        more = {"keepdims": False} if name == "logsumexp" else {}
        return Form(rows.Rows, arrays, {"axis": -1, "temperature": 1.0, "out": None, **more}, len(arrays) + 1)
    if name in UNITS and kind in ("value", "backward"):
        arrays = ("a",) if kind == "value" else ("grad", "a")
        of_swiglu = gated.MORE if name == "swiglu" else {}
        out = {"out": None} if kind == "value" else {}
        return Form(gated.Gated, arrays, {"b": None, "axis": None, **out, **of_swiglu}, len(arrays) + 1)
    if (name, kind) == ("maxout", "value"):
        return Form(maxout.Maxout, ("x", "pieces"), {"axis": -1, "out": None}, 3)
    return None
