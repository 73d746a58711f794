"""Numbers in two parts, ``high + low`` with ``high`` the rounded sum: exact sums, products and quotients.

That is what a formula needs to divide or add without the error of a first rounding.
"""

from ..language.atoms import abs, fma, mul_add, round_product, scale_by_pow2, select, sqrt
from ..language.registry import primitive
from .float64.normal import square_scale


@primitive
def keep_nan(y, x):
    """y, or NaN where x is NaN."""
    return select(x == x, y, x)


@primitive
def two_sum(a, b):
    """a + b and its rounding error."""
    s = a + b
    v = s - a
    return s, (a - (s - v)) + (b - v)


@primitive
def fast_two_sum(a, b):
    """a + b and its rounding error, for |a| >= |b| or a = 0."""
    s = a + b
    return s, b - (s - a)


@primitive
def two_product(a, b):
    """a * b and its rounding error."""
    p = a * b
    return p, fma(a, b, -p)


@primitive
def quotient_parts(n, n_low, d, d_low):
    """(n + n_low) / (d + d_low) in two parts: the residual of a rounded quotient is divided once more."""
    r = 1.0 / d
    q = n * r
    return q, (fma(-q, d, n) + (n_low - q * d_low)) * r


@primitive
def quotient(n, d, d_low):
    """n / (d + d_low)."""
    r = 1.0 / d
    q = n * r
    return mul_add(mul_add(-q, d_low, fma(-q, d, n)), r, q)


@primitive
def over_square(n, d, d_low):
    """n / (d + d_low)^2."""
    s, s_low = two_product(d, d)
    return quotient(n, s, mul_add(2.0 * d, d_low, s_low))


@primitive
def square(x):
    """x^2."""
    return x * x


@primitive
def scale_wide(x, k):
    """x * 2^k, rounded once also where the result is subnormal or 2^k is no number."""
    h = round_product(k, 0.5)
    return scale_by_pow2(scale_by_pow2(x, h), k - h)


@primitive
def over_square_short(p, d, d_low):
    """p/(d + d_low)^2: the plain product, and what the rounding of 1/d took from it."""
    q = 1.0 / d
    residual = mul_add(-d, q, 1.0) - d_low * q
    w = p * q * q
    return mul_add(2.0 * residual, w, w)


@primitive
def hypot_squared(x, b):
    """sqrt(x^2 + b), the square scaled where it would overflow or underflow."""
    f, inverse = square_scale(abs(x), b)
    u = x * f
    return sqrt(fma(u, u, (b * f) * f)) * inverse
