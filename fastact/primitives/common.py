"""Primitives with one text for both precisions, built on those of float32.py and float64.py.

Several return a number in two parts, ``high + low`` with ``high`` the rounded sum: what a formula
needs to divide or add without the error of a first rounding.
"""

from .._atoms import abs, copysign, exponent, fma, mul_add, round_product, round_to_int, scale_by_pow2, select, sqrt
from .._spec import Constant, primitive
from . import float32  # noqa: F401  (registers the other text of each of these)
from .float64 import (
    atan_unit,
    clamp_exp,
    clamp_low,
    clamp_normal,
    erf_unit,
    exp_raised,
    exp_reduce,
    exp_series,
    ln2_times,
    log1p_rest,
    log_drop,
    mills,
    scale_down,
    sin_tail,
    square_scale,
    tanh_near,
    tanh_shrink_rest,
    turns_window,
)

SQRT_HALF_PI_INVERSE = Constant("0.3989422804014326779399460599343818684758586311649")  # 1 / sqrt(2 pi)
PI = Constant("3.1415926535897932384626433832795028841971693993751")
HALF_PI = Constant("1.5707963267948966192313216916397514420985846996876")
THIRD = Constant("0.33333333333333333333333333333333333333333333333333")
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


# -- exponentials --------------------------------------------------------------------------------


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


# -- sigmoid and tanh ----------------------------------------------------------------------------


@primitive
def one_plus_exp(r, k):
    """1 + exp(r) 2^k = (d + d_low) 2^max(k, 0) for |r| <= ln(2)/2: no power above 1, no product to round."""
    two_k = scale_down(1.0, -abs(k))
    u = mul_add(expm1_reduced(r), select(k <= 0.0, two_k, 1.0), two_k)
    d = 1.0 + u
    return d, u - (d - 1.0)


@primitive
def logistic_of(s, e):
    """The logistic at s, given e = exp(-|s|): 1/(1+e) on the right and e/(1+e) on the left."""
    d, d_low = fast_two_sum(1.0, e)
    return quotient(select(s >= 0.0, 1.0, e), d, d_low)


@primitive
def logistic_gate(x, c, r, k):
    """x times the logistic at s = -(r + k ln 2); c is x clamped to where the logistic is neither 0 nor 1."""
    d, d_low = one_plus_exp(r, k)
    right = k <= 0.0
    q = select(right, x, c) / d
    return select(right, q, scale_down(q, -abs(k)))


@primitive
def gate_slope_parts(g, r, k):
    """Numerator, denominator and a weight of the derivative of x sigma(s), s = -(r + k ln 2) and g = x s'(x).

    It is sigma(s) + g sigma(s) sigma(-s). With 1 + exp(-s) = d on the right that is (d + g (d - 1))/d^2, and with
    d 2^k on the left (d + g m)/d^2 2^-k, m = exp(r). The weight is that of an error of g in the numerator.
    """
    d, d_low = one_plus_exp(r, k)
    right = k <= 0.0
    t = expm1_reduced(r)
    m = 1.0 + t
    m_low = t - (m - 1.0)
    w = select(right, scale_down(m, -abs(k)), m)
    return fma(g, w, d), select(right, 0.0, mul_add(g, m_low, d_low)), d, d_low, w


@primitive
def gate_slope(n, n_low, d, d_low, k):
    """The derivative from those parts."""
    s, s_low = two_product(d, d)
    high, low = quotient_parts(n, n_low, s, mul_add(2.0 * d, d_low, s_low))
    slope = high + low
    return select(k <= 0.0, slope, scale_down(slope, -abs(k)))


@primitive
def logistic(x):
    """1 / (1 + exp(-x))."""
    c = clamp_exp(x)
    r, k = exp_reduce(-c)
    return logistic_gate(1.0, 1.0, r, k)


@primitive
def over_square_short(p, d, d_low):
    """p/(d + d_low)^2: the plain product, and what the rounding of 1/d took from it."""
    q = 1.0 / d
    residual = mul_add(-d, q, 1.0) - d_low * q
    w = p * q * q
    return mul_add(2.0 * residual, w, w)


@primitive
def gate_slope_short(g, r, k):
    """gate_slope of its parts with a rounded numerator: 1 + (1 + g)(d - 1) on the right, (1 + g) m + 2^-k on the left."""
    right = k <= 0.0
    t = expm1_reduced(r)
    two_k = scale_down(1.0, -abs(k))
    u = mul_add(t, select(right, two_k, 1.0), two_k)
    d = 1.0 + u
    slope = over_square_short(fma(1.0 + g, select(right, u, t), select(right, 1.0, (1.0 + g) + two_k)), d, u - (d - 1.0))
    return select(right, slope, scale_down(slope, -abs(k)))


@primitive
def logistic_slope(x):
    """exp(-x)/(1 + exp(-x))^2."""
    r, k = exp_reduce(-clamp_exp(x))
    d, d_low = one_plus_exp(r, k)
    return scale_down(over_square_short(1.0 + expm1_reduced(r), d, d_low), -abs(k))


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
def sech_squared(x):
    """1 / cosh(x)^2 = u (2 - u), u = 1 - tanh(|x|)."""
    u, down = tanh_rest(abs(x))
    return u * mul_add(u, -down, 2.0) * down


# -- the normal distribution ---------------------------------------------------------------------


@primitive
def normal_tail(t):
    """For a clamped t >= 0: phi(t) = (p + p_low) 2^k and Phi(-t) = phi(t) M(t) = (q + q_low) 2^k."""
    h, h_low = two_product(t, t)
    m, m_low, k = exp_parts_low(-0.5 * h, -0.5 * h_low)
    p, p_low = two_product(SQRT_HALF_PI_INVERSE.hi, m)
    p_low = mul_add(SQRT_HALF_PI_INVERSE.hi, m_low, mul_add(SQRT_HALF_PI_INVERSE.lo, m, p_low))
    n, d = mills(t)
    a, a_low = two_product(p, n)
    q, q_low = quotient_parts(a, mul_add(p_low, n, a_low), d, 0.0)
    return p, p_low, q, q_low, k


@primitive
def erf_positive(s, e):
    """erf(s) in two parts for s >= 0, given e = exp(-s^2): a polynomial up to 1, then 1 - 2 phi(t) M(t), t = sqrt(2) s."""
    t = clamp_normal(SQRT2.hi * s)
    n, d = mills(t)
    far = s > 1.0
    u = select(far, 1.0, s)
    rest = select(far, (-2.0 * SQRT_HALF_PI_INVERSE.hi) * e * (n / d), erf_unit(u))
    high, low = fast_two_sum(u, rest)
    return high, low


# -- square roots --------------------------------------------------------------------------------


@primitive
def hypot_squared(x, b):
    """sqrt(x^2 + b), the square scaled where it would overflow or underflow."""
    f, inverse = square_scale(abs(x), b)
    u = x * f
    return sqrt(fma(u, u, (b * f) * f)) * inverse


# -- trigonometry --------------------------------------------------------------------------------


@primitive
def fraction(x):
    """x minus the nearest integer."""
    return x - round_to_int(x)


@primitive
def half_turns(u, u_low):
    """(u + u_low)/pi minus the nearest integer, in two parts, for any u; u_low counts while it is below 1000.

    2u/(2 pi) is summed modulo 1 from exact products with the digits of 1/(2 pi) that matter.
    """
    w0, w1, w2, w3, factor = turns_window(abs(u))
    v0, v1, v2, v3, one = turns_window(0.0)
    y = (2.0 * factor) * u
    p0, e0 = two_product(y, w0)
    p1, e1 = two_product(y, w1)
    p2, e2 = two_product(y, w2)
    z = select(abs(u_low) < 1000.0, 2.0 * u_low, 0.0)
    q0, g0 = two_product(z, v0)
    s, a = two_sum(fraction(p0), fraction(e0))
    s, b = two_sum(s, fraction(p1))
    s, c = two_sum(s, fraction(e1))
    s, d = two_sum(s, fraction(p2))
    s, e = two_sum(s, fraction(q0))
    low = ((a + b) + (c + d)) + ((e + e2) + (mul_add(z, v1, g0) + y * w3))
    high, low = two_sum(fraction(s), low)
    return high, low


@primitive
def sine_squared(s, s_low):
    """sin(v)^2 in two parts, and sin(2v), for v = pi (s + s_low), |s| <= 1/2.

    With w the angle to the nearest multiple of pi/2 the square is sin(w)^2 or 1 - sin(w)^2.
    """
    t = abs(s)
    t_low = select(s < 0.0, -s_low, s_low)
    far = t > 0.25
    m = select(far, 0.5 - t, t)
    m_low = select(far, -t_low, t_low)
    w, w_low = two_product(PI.hi, m)
    w_low = w_low + mul_add(PI.hi, m_low, PI.lo * m)
    half = 0.5 * w
    g = half + sin_tail(half)
    cosine = 1.0 - 2.0 * (g * g)
    sine, sine_low = fast_two_sum(w, mul_add(w_low, cosine, sin_tail(w)))
    h, h_low = two_product(sine, sine)
    h_low = mul_add(2.0 * sine, sine_low, h_low)
    a, b = fast_two_sum(1.0, -h)
    return select(far, a, h), select(far, b - h_low, h_low), copysign(2.0 * sine * cosine, s)


@primitive
def atan(x):
    """atan(x): a polynomial up to 1, pi/2 - atan(1/x) beyond."""
    a = abs(x)
    far = a > 1.0
    t = select(far, 1.0 / a, a)
    y = atan_unit(t)
    return copysign(select(far, HALF_PI.hi - (t + (y - HALF_PI.lo)), t + y), x)
