"""tanh and its kin."""

from ..language.atoms import abs, copysign, fma, mul_add, scale_by_pow2, select
from ..language.registry import primitive
from ..language.terms import Constant
from .exponential import expm1_parts, expm1_reduced
from .float64.exponential import clamp_low, exp_raised
from .float64.hyperbolic import tanh_near, tanh_shrink_rest
from .parts import fast_two_sum, over_square, quotient, quotient_parts, two_product

THIRD = Constant("0.33333333333333333333333333333333333333333333333333")


@primitive
def tanh_fraction(x):
    """m, m_low, d and d_low with tanh(x) = -(m + m_low)/(d + d_low), for x >= 0: m = expm1(-2x), d = 2 + m."""
    m, m_low = expm1_parts(-2.0 * x)
    d, d_low = fast_two_sum(2.0, m)
    return m, m_low, d, d_low + m_low


@primitive
def tanh_parts(x):
    """tanh(x) in two parts for x >= 0."""
    m, m_low, d, d_low = tanh_fraction(x)
    high, low = quotient_parts(m, m_low, d, d_low)
    return 0.0 - high, 0.0 - low  # 0 at 0


@primitive
def tanh_shrink_unit(x):
    """x - tanh(x) for 0 <= x <= 1: x^3/3 with its rounding errors, and the rest of the series."""
    z, z_low = two_product(x, x)
    c, c_low = two_product(x, z)
    c_low = mul_add(x, z_low, c_low)
    return fma(c, THIRD.hi, mul_add(c, tanh_shrink_rest(z), mul_add(c, THIRD.lo, c_low * THIRD.hi)))


@primitive
def tanh_rest(x):
    """1 - tanh(x) = 2t/(1+t), t = exp(-2x), for x >= 0: as large as exp_raised makes it, and what takes it back."""
    t, down = exp_raised(clamp_low(-2.0 * x))
    return (t + t) / mul_add(t, down, 1.0), down


@primitive
def tanh_positive(x):
    """tanh(x) for x >= 0: from its rest, near 0 by a polynomial because the difference would lose digits."""
    u, down = tanh_rest(x)
    return select(x <= 0.75, x + tanh_near(x), mul_add(u, -down, 1.0))


@primitive
def tanh_rounded(x):
    """tanh(x)."""
    return copysign(tanh_positive(abs(x)), x)


@primitive
def sech_squared(x):
    """1 / cosh(x)^2 = u (2 - u), u = 1 - tanh(|x|)."""
    u, down = tanh_rest(abs(x))
    return u * mul_add(u, -down, 2.0) * down


@primitive
def tanh_slope(x):
    """sech(x)^2."""
    return sech_squared(x)


@primitive
def tanh_ends(r, k):
    """1 - tanh(x), and sech(x)^2 2^-k, given exp(-2 x) = exp(r) 2^k with k <= 0 and |r| <= ln(2)/2."""
    c = select(k < -100.0, -100.0, k)
    two_k = scale_by_pow2(1.0, c)
    t = expm1_reduced(r)
    m = 1.0 + t
    d, d_low = fast_two_sum(1.0, mul_add(t, two_k, two_k))
    return scale_by_pow2(quotient(2.0 * m, d, d_low), c), over_square(4.0 * m, d, d_low)
