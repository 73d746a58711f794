"""The exponentials of a row, their sum and its inverse, within 4 ULP: exponentials are rounded, and the sum is theirs."""

from ...language.atoms import fma, mul_add, select
from ...language.registry import primitive
from ..parts import fast_two_sum, quotient_parts


@primitive
def add_exp(w, e, s, c):
    """p = w (1 + e), rounded, and s + c with it, exact unless p is larger than s."""
    p = mul_add(w, e, w)
    total = s + p
    return p, total, c + (p - (total - s))


@primitive
def inverse_sum(s, c, t, t_low, m, b, floor, shift):
    """1/(s + c) in two parts, 0 of a row without a finite element. An exponential over a sum of it alone is 1."""
    d, d_low = fast_two_sum(s, c)
    high, rest = quotient_parts(1.0, 0.0, d, d_low)
    return select(d == 0.0, 0.0, high), select(d == 0.0, 0.0, rest), 1e30


@primitive
def share(p, high, rest):
    """p (high + rest); where p rest is too small a number, it counts for less than an ULP."""
    return fma(p, high, p * rest)
