"""The atoms: the dozen operations that exist once per target, and nothing else.

Formulas and primitives are written over these names. Here stand only their arity, their result and
their meaning; the C versions are in ``cpu/atoms.h``. A formula is a text to be compiled, so calling an
atom from plain Python is an error.
"""

from __future__ import annotations

from typing import Any, NoReturn

#: name -> (number of arguments, number of results)
ATOMS = {
    "select": (3, 1),
    "fma": (3, 1),
    "mul_add": (3, 1),
    "abs": (1, 1),
    "sqrt": (1, 1),
    "copysign": (2, 1),
    "round_to_int": (1, 1),
    "round_product": (2, 1),
    "scale_by_pow2": (2, 1),
    "pow2_shifted": (1, 1),
    "exponent": (1, 1),
}


def _compiled_only(name: str) -> NoReturn:
    raise RuntimeError(f"fastact: {name}() exists only in compiled formulas")


def select(condition: Any, a: Any, b: Any) -> Any:
    """``a`` where the condition holds, else ``b``; both are computed."""
    _compiled_only("select")


def fma(a: Any, b: Any, c: Any) -> Any:
    """``a * b + c``, rounded once on every target (slow where the hardware has none)."""
    _compiled_only("fma")


def mul_add(a: Any, b: Any, c: Any) -> Any:
    """``a * b + c``, rounded once or twice, whichever the target does faster."""
    _compiled_only("mul_add")


def abs(x: Any) -> Any:
    """The magnitude; clears the sign bit, of a NaN too."""
    _compiled_only("abs")


def sqrt(x: Any) -> Any:
    """The square root, correctly rounded."""
    _compiled_only("sqrt")


def copysign(magnitude: Any, sign: Any) -> Any:
    """The magnitude of the first argument with the sign bit of the second."""
    _compiled_only("copysign")


def round_to_int(x: Any) -> Any:
    """The nearest integer, ties to even, for any magnitude."""
    _compiled_only("round_to_int")


def round_product(a: Any, b: Any) -> Any:
    """The integer nearest to ``a * b``, either one near a tie, for |a b| < 2^22 (float32), 2^51 (float64)."""
    _compiled_only("round_product")


def scale_by_pow2(x: Any, k: Any) -> Any:
    """``x * 2**k`` for an integer-valued ``k`` with 2**k a normal number."""
    _compiled_only("scale_by_pow2")


def pow2_shifted(n: Any) -> Any:
    """``2**k`` for n = k + 1.5 * 2^23 + 127 (float32), k + 1.5 * 2^52 + 1023 (float64); 0 for the k below all normal powers."""
    _compiled_only("pow2_shifted")


def exponent(x: Any) -> Any:
    """The integer k with x * 2**-k in [sqrt(1/2), sqrt(2)), for a positive normal ``x``."""
    _compiled_only("exponent")
