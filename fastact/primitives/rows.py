"""The exponentials of a row, their sum and its inverse: the sum is that of unrounded exponentials."""

from ..language.atoms import fma, mul_add, select
from ..language.registry import primitive
from .exponential import expm1_of_parts
from .float64.exponential import exp_reduce_product_shifted
from .parts import fast_two_sum, quotient_parts


@primitive
def times(w, e):
    """w (1 + e) in two parts, for a power of two."""
    p = mul_add(w, e, w)
    return p, mul_add(w, e, w - p)


@primitive
def row_exp(u, t, t_low, b, floor, shift):
    """exp(u (t + t_low) - km ln 2) = w (1 + e)."""
    d = u - b
    d = select(d < floor, floor, d)
    r, r_low, w = exp_reduce_product_shifted(d, t, shift)
    return expm1_of_parts(r, mul_add(d, t_low, r_low)), w


@primitive
def add_exp(w, e, s, c):
    """p = w (1 + e) rounded, and s + c with the unrounded one: exact unless p is larger than s, then within half a ULP of p."""
    p = mul_add(w, e, w)
    total = s + p
    return p, total, c + mul_add(w, e, w - (total - s))


@primitive
def inverse_sum(s, c, t, t_low, m, b, floor, shift):
    """2^64/(s + c) in two parts, 0 of a row without a finite element; top: the exponential that becomes 1.

    The maximum alone makes up the sum of a confident row. Its exponential is rounded, the sum hardly, so that their
    quotient might miss 1.
    """
    e, w = row_exp(m, t, t_low, b, floor, shift)
    one, one_low = times(w, e)
    others = (s - one) + (c - one_low)
    d, d_low = fast_two_sum(s, c)
    high, rest = quotient_parts(18446744073709551616.0, 0.0, d, d_low)
    sure = (d + 4.0 * others == d) & (d > 0.0)
    return select(d == 0.0, 0.0, high), select(d == 0.0, 0.0, rest), select(sure, one, 1e30)


@primitive
def share(p, high, rest):
    """p (high + rest)/2^64; p rest would be too small a number for the least of results otherwise."""
    return fma(p, high, p * rest) * 5.421010862427522e-20
