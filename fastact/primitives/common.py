"""Primitives with one text for both precisions, built on those of float32.py and float64.py.

Several return a number in two parts, ``high + low`` with ``high`` the rounded sum: what a formula
needs to divide or add without the error of a first rounding.
"""

from .._atoms import abs, copysign, exponent, fma, mul_add, round_small, scale_by_pow2, select, sqrt
from .._spec import Constant, primitive
from . import float32  # noqa: F401  (registers the other text of each of these)
from .float64 import (
    clamp_exp,
    clamp_gelu_tanh,
    clamp_normal,
    erf_unit,
    exp_reduce,
    exp_tail,
    expm1_tail,
    ln2_times,
    log1p_unit,
    log_drop,
    mills,
    square_scale,
)

SQRT_HALF_PI_INVERSE = Constant("0.3989422804014326779399460599343818684758586311649")  # 1 / sqrt(2 pi)
SQRT2 = Constant("1.4142135623730950488016887242096980785696718753769")


@primitive
def keep_nan(y, x):
    """y, or NaN where x is NaN."""
    return select(x == x, y, x)


# -- two-part arithmetic -------------------------------------------------------------------------


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
def quotient(n, n_low, d, d_low):
    """(n + n_low) / (d + d_low): the residual of the rounded quotient is divided once more."""
    r = 1.0 / d
    q = n * r
    return mul_add(mul_add(-q, d, n) + (n_low - q * d_low), r, q)


@primitive
def scale_wide(x, k):
    """x * 2^k, rounded once also where the result is subnormal or 2^k is no number."""
    h = round_small(0.5 * k)
    return scale_by_pow2(scale_by_pow2(x, h), k - h)


# -- exponentials --------------------------------------------------------------------------------


@primitive
def exp_parts(x):
    """exp(x) = (high + low) 2^k for a clamped x."""
    r, r_low, k = exp_reduce(x)
    a, b = fast_two_sum(1.0, r)
    high, low = fast_two_sum(a, b + exp_tail(r, r_low))
    return high, low, k


@primitive
def exp_parts_low(x, x_low):
    """exp(x + x_low) = (high + low) 2^k for a clamped x and |x_low| << 1: exp(x) (1 + x_low)."""
    r, r_low, k = exp_reduce(x)
    a, b = fast_two_sum(1.0, r)
    s = b + exp_tail(r, r_low)
    high, low = fast_two_sum(a, mul_add(a + s, x_low, s))
    return high, low, k


@primitive
def exp(x):
    """exp(x), any x."""
    m, low, k = exp_parts(clamp_exp(x))
    return scale_wide(m, k)


@primitive
def exp_negative(x):
    """exp(x) in two parts, for x <= 0."""
    m, low, k = exp_parts(clamp_exp(x))
    return scale_wide(m, k), scale_wide(low, k)


@primitive
def expm1_sum(x, r, s, k):
    """2^k (1 + r + s) - 1 = (2^k - 1) + 2^k r + 2^k s in two parts, with the sign of x <= 0."""
    two_k = scale_by_pow2(1.0, k)
    a, a_low = fast_two_sum(-1.0, two_k)
    b, b_low = fast_two_sum(a, two_k * r)
    high, low = fast_two_sum(b, two_k * s + (b_low + a_low))
    return copysign(high, x), low


@primitive
def expm1_negative(x):
    """expm1(x) in two parts, for x <= 0."""
    r, r_low, k = exp_reduce(select(x < -64.0, -64.0, x))
    high, low = expm1_sum(x, r, expm1_tail(r, r_low), k)
    return high, low


@primitive
def expm1_negative_low(x, x_low):
    """expm1(x + x_low) in two parts, for x <= 0 and |x_low| << 1."""
    r, r_low, k = exp_reduce(select(x < -64.0, -64.0, x))
    s = expm1_tail(r, r_low)
    high, low = expm1_sum(x, r, mul_add(1.0 + (r + s), select(x < -64.0, 0.0, x_low), s), k)
    return high, low


@primitive
def log1p_exp(e, e_low):
    """log1p(e + e_low) for 0 <= e <= 1: the low part weighs 1/(1+e), for which 1 - e/2 is near enough."""
    return (e - log1p_unit(e)) + e_low * (1.0 - 0.5 * e)


@primitive
def log_reduce(y, y_low):
    """y + y_low = 2^k (1 + f + f_low) with 1 + f in [sqrt(1/2), sqrt(2)), for 0 < y <= 1."""
    tiny = y < 1e-30
    scaled = select(tiny, y * 18446744073709551616.0, y)  # 2^64: no exponent can be read off a subnormal
    n = exponent(scaled)
    f = scale_by_pow2(scaled, -n) - 1.0
    return f, select(tiny, 0.0, scale_by_pow2(y_low, -n)), n - select(tiny, 64.0, 0.0)


@primitive
def log_sum(f, f_low, k):
    """k ln 2 + log(1 + f + f_low)."""
    a, b = ln2_times(k)
    return a + (f + ((b + f_low * (1.0 - f)) - log_drop(f)))


# -- sigmoid and tanh ----------------------------------------------------------------------------


@primitive
def exp_of_product(b, x):
    """s = b x and exp(-|b x|) = (high + low) 2^k; the product's rounding error goes into the exponent."""
    s, s_low = two_product(b, x)
    n = clamp_exp(-abs(s))
    low = select(n == -abs(s), select(s > 0.0, -s_low, s_low), 0.0)
    m, m_low, k = exp_parts_low(n, low)
    return s, m, m_low, k


@primitive
def logistic_of(s, e, e_low):
    """The logistic at s, given e = exp(-|s|) in two parts: 1/(1+e) on the right and e/(1+e) on the left."""
    d, d_low = fast_two_sum(1.0, e)
    return quotient(select(s >= 0.0, 1.0, e), select(s >= 0.0, 0.0, e_low), d, d_low + e_low)


@primitive
def logistic(x):
    """1 / (1 + exp(-x))."""
    e, e_low = exp_negative(-abs(x))
    return logistic_of(x, e, e_low)


@primitive
def logistic_slope(x):
    """e/(1+e)^2, e = exp(-|x|): the plain product, and what the roundings of e and 1/(1+e) took from it."""
    e, e_low = exp_negative(-abs(x))
    d, d_low = fast_two_sum(1.0, e)
    r = 1.0 / d
    residual = mul_add(-d, r, 1.0) - (d_low + e_low) * r
    p, p_low = two_product(e, r)
    return p * r + mul_add(2.0 * residual, p, mul_add(e_low, r, p_low)) * r


@primitive
def tanh_positive(x):
    """tanh(x) for x >= 0: -m/(2 + m), m = expm1(-2x)."""
    m, low = expm1_negative(-2.0 * x)
    d, d_low = fast_two_sum(2.0, m)
    return quotient(-m, -low, d, d_low + low)


@primitive
def sech_squared(x):
    """1 / cosh(x)^2 = 4t/(1+t)^2, t = exp(-2|x|)."""
    return 4.0 * logistic_slope(2.0 * x)


# -- the normal distribution ---------------------------------------------------------------------


@primitive
def normal_tail(t):
    """For a clamped t >= 0: p, M, q, k with phi(t) = p 2^k, M(t) = M and t Phi(-t) = q 2^k."""
    h = t * t
    h_low = fma(t, t, -h)
    m, low, k = exp_parts_low(-0.5 * h, -0.5 * h_low)
    p = SQRT_HALF_PI_INVERSE.hi * m
    n, d = mills(t)
    ratio = n / d
    return p, ratio, t * (p * ratio), k


@primitive
def erf_positive(s, e):
    """erf(s) for s >= 0, given e = exp(-s^2): a polynomial up to 1, then 1 - 2 phi(t) M(t), t = sqrt(2) s."""
    t = clamp_normal(SQRT2.hi * s)
    n, d = mills(t)
    right = 1.0 - (2.0 * SQRT_HALF_PI_INVERSE.hi) * e * (n / d)
    u = select(s > 1.0, 1.0, s)
    return select(s > 1.0, right, u + erf_unit(u))


# -- square roots --------------------------------------------------------------------------------


@primitive
def hypot_squared(x, b):
    """sqrt(x^2 + b), the square scaled where it would overflow or underflow."""
    f = square_scale(abs(x), b)
    u = x * f
    return sqrt(fma(u, u, (b * f) * f)) / f


@primitive
def celu_series(z):
    return z


@primitive
def tanh_shrink_unit(z):
    return z
