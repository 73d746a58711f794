"""What a formula is made of besides Python: constants, primitives, passes over rows; and the error of one that is none."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any


class FormulaError(SyntaxError):
    """A formula leaves the restricted language; the message names file and line."""


class Constant:
    """A real number carried in two parts: ``C.hi`` is it rounded, ``C.lo`` what the rounding lost."""

    def __init__(self, digits: str) -> None:
        self.digits = digits

    def __repr__(self) -> str:
        return f"Constant({self.digits!r})"


@dataclass(frozen=True)
class Primitive:
    """A function of the restricted language that formulas and other primitives may call."""

    name: str
    function: Callable[..., Any]
    precision: str | None  # "float32", "float64", or None: one text for both

    def __call__(self, *args: Any) -> Any:
        raise RuntimeError(f"fastact: {self.name}() exists only in compiled formulas")


def where(function: Callable[..., Any]) -> str:
    """``file:line`` of a function, for messages."""
    return f"{function.__code__.co_filename}:{function.__code__.co_firstlineno}"


@dataclass(frozen=True)
class RowPass:
    """One pass over rows, the step of which row-wise functions are made (``activations/rowwise.py``).

    A pass takes, in this order, elements of one or two arrays, numbers of the whole call (`SCALARS`), numbers
    of the row, and what has been accumulated over the row so far. It returns at most one element of the
    output, then the new accumulators.
    """

    name: str
    function: Callable[..., Any]
    inputs: tuple[str, ...]
    lanes: tuple[str, ...]
    state: tuple[str, ...]
    once: bool  # computed once per row, from its accumulators
    start: tuple[float, float]  # of the first accumulator, in float32 and float64; the others start with 0
    alone: bool  # run by itself too, not only within a kernel of whole rows
    short: bool  # its first accumulator is a plain sum: after a few elements a kernel adds it to one in two parts


#: Numbers of a whole call that a pass may take: -1 for softmin and its kin, 1/temperature in two parts, and of entmax
#: alpha - 1 and its inverse.
SCALARS = ("sign", "t", "t_low", "a", "a_inverse")
