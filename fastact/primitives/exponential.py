"""Exponentials and logarithms."""

from ..language.atoms import copysign, exponent, mul_add, scale_by_pow2, select
from ..language.registry import primitive
from .float64.exponential import (
    clamp_exp,
    clamp_far,
    clamp_low,
    exp_reduce,
    exp_reduce_shifted,
    exp_series,
    ln2_times,
    log1p_rest,
    log_drop,
    scale_down,
)
from .parts import fast_two_sum, scale_wide, two_product


@primitive
def expm1_reduced_parts(r):
    """expm1(r) in two parts, for |r| <= ln(2)/2."""
    high, low = fast_two_sum(r, r * r * exp_series(r))
    return high, low


@primitive
def exp_parts(x):
    """exp(x) = (high + low) 2^k for a clamped x: high is within 0.8 ULP."""
    r, k = exp_reduce(x)
    e, e_low = expm1_reduced_parts(r)
    high, low = fast_two_sum(1.0, e)
    return high, low + e_low, k


@primitive
def exp_parts_low(x, x_low):
    """exp(x + x_low) = (high + low) 2^k for a clamped x and |x_low| << 1."""
    r, k = exp_reduce(x)
    e, e_low = expm1_reduced_parts(r + x_low)
    high, low = fast_two_sum(1.0, e)
    return high, low + e_low, k


@primitive
def expm1_reduced(r):
    """expm1(r) for |r| <= ln(2)/2."""
    return mul_add(r * r, exp_series(r), r)


@primitive
def expm1_of_parts(r, r_low):
    """expm1(r + r_low), the same but that the sum is not rounded."""
    both = r + r_low
    return r + mul_add(both * both, exp_series(both), r_low)


@primitive
def exp_rise(x, shift):
    """exp(x) = w (1 + e), w the power of two that is shifted."""
    r, r_low, w = exp_reduce_shifted(x, shift)
    return expm1_of_parts(r, r_low), w


@primitive
def exp_short(x):
    """exp(x) = m 2^k for a clamped x, within 1 ULP: what a gate needs, a third cheaper than exp_parts."""
    r, k = exp_reduce(x)
    return 1.0 + expm1_reduced(r), k


@primitive
def exp(x):
    """exp(x), any x."""
    m, k = exp_short(clamp_exp(x))
    return scale_wide(m, k)


@primitive
def exp_negative(x):
    """exp(x) in two parts, for x <= 0."""
    m, low, k = exp_parts(clamp_low(x))
    return scale_down(m, k), scale_down(low, k)


@primitive
def expm1_scaled(e, e_low, k):
    """2^k (1 + e + e_low) - 1 in two parts, for k <= 0; products with 2^k are exact, below 2^-100 it does not count."""
    two_k = scale_by_pow2(1.0, select(k < -100.0, -100.0, k))
    a = two_k - 1.0
    high = mul_add(two_k, e, a)
    return high, mul_add(two_k, e, a - high) + mul_add(two_k, e_low, two_k - (a + 1.0))


@primitive
def expm1_parts(x):
    """expm1(x) in two parts, for x <= 0; at -0.0 it is 0."""
    r, k = exp_reduce(clamp_low(x))
    e, e_low = expm1_reduced_parts(r)
    high, low = expm1_scaled(e, e_low, k)
    return high, low


@primitive
def expm1_negative(x):
    """expm1(x) in two parts, for x <= 0."""
    high, low = expm1_parts(x)
    return copysign(high, x), low


@primitive
def elu_parts(alpha, x):
    """alpha expm1(x) and expm1(x) for x <= 0, and exp(x) = p 2^k."""
    r, k = exp_reduce(clamp_far(x))
    e, e_low = expm1_reduced_parts(r)
    m, m_low = expm1_scaled(e, e_low, k)
    return mul_add(alpha, m_low, alpha * m), m, 1.0 + e, k


@primitive
def log1p_exp(e, e_low):
    """log1p(e + e_low) for 0 <= e <= 1: the low part weighs 1/(1+e), for which 1 - e/2 is near enough."""
    h, h_low = two_product(0.5 * e, e)
    s, s_low = fast_two_sum(e, -h)
    return s + (log1p_rest(e) + mul_add(e_low, 1.0 - 0.5 * e, s_low - h_low))


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
