"""The mathematics: one function per activation, by family.

A formula returns the value, then the derivative by x, then the derivative by each parameter. The
texts here are compiled (fastact/cpu/printer.py), so they read like the paper and know no dtype. Where a
textbook form would cancel or overflow, a comment derives the form that does not.
"""

from . import algebraic, bell, exponential, gated, rectifiers, rowwise, second, second_pieces, sigmoids, softplus, sparse

__all__ = [
    "algebraic", "bell", "exponential", "gated", "rectifiers", "rowwise", "second", "second_pieces", "sigmoids", "softplus",
    "sparse",
]  # fmt: skip
