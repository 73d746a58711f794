"""Primitives whose polynomials are fitted to float32. The fits: tools/fit_polynomials.py."""

from .._atoms import mul_add, round_small, select
from .._spec import primitive


@primitive
def clamp_exp(x):
    """Clamp to where exp has long underflowed or overflowed; exponents then fit two scalings."""
    low = select(x < -128.0, -128.0, x)
    return select(low > 128.0, 128.0, low)


@primitive
def exp_reduce(x):
    """x = k ln 2 + r + r_low with |r| <= ln(2)/2: k ln2_hi is exact for |k| < 2^9."""
    k = round_small(x * 1.442695)
    a = mul_add(k, -0.69314575, x)
    b = k * 1.4286068e-06
    r = a - b
    return r, (a - r) - b, k


@primitive
def exp_tail(r, r_low):
    """exp(r + r_low) - 1 - r: fit EXP_F32."""
    q = mul_add(r, 0.0013820906, 0.008368672)
    q = mul_add(r, q, 0.041668262)
    q = mul_add(r, q, 0.16666521)
    q = mul_add(r, q, 0.49999994)
    return mul_add(r, mul_add(r, q, r_low), r_low)


@primitive
def expm1_tail(r, r_low):
    """exp(r + r_low) - 1 - r, exact relative to expm1 at 0: fit EXPM1_HI_F32."""
    q = mul_add(r, 0.0001976182, 0.0013932325)
    q = mul_add(r, q, 0.008333546)
    q = mul_add(r, q, 0.041666493)
    q = mul_add(r, q, 0.16666666)
    q = mul_add(r, q, 0.5)
    return mul_add(r, mul_add(r, q, r_low), r_low)


@primitive
def log1p_unit(e):
    """e - log1p(e) for 0 <= e <= 1: e^2 P(e), fit LOG1P01_F32."""
    p = mul_add(e, 0.0032904686, -0.020086242)
    p = mul_add(e, p, 0.05745723)
    p = mul_add(e, p, -0.10661128)
    p = mul_add(e, p, 0.1534488)
    p = mul_add(e, p, -0.19692102)
    p = mul_add(e, p, 0.24958019)
    p = mul_add(e, p, -0.33330464)
    p = mul_add(e, p, 0.4999993)
    return e * e * p


@primitive
def log_drop(f):
    """f - log(1 + f) = s (f - s^2 P(s^2)), s = f/(2 + f), for -0.3 <= f <= 0.42; fit LOG_ATANH_F32."""
    s = f / (2.0 + f)
    z = s * s
    p = mul_add(z, 0.29870692, 0.39977586)
    p = mul_add(z, p, 0.66666776)
    return s * (f - z * p)


@primitive
def ln2_times(k):
    """k ln 2 in two parts."""
    return k * 0.69314575, k * 1.4286068e-06


@primitive
def clamp_gelu_tanh(x):
    """Clamp to where the exponent of gelu_tanh is within that of clamp_exp, its tail long underflowed."""
    low = select(x < -11.5, -11.5, x)
    return select(low > 11.5, 11.5, low)


@primitive
def clamp_normal(t):
    """Clamp t >= 0 to where the normal tail has long underflowed."""
    return select(t > 14.8, 14.8, t)


@primitive
def mills(t):
    """Mills ratio Phi(-t)/phi(t) = P / (t P + S) for t >= 0: numerator and denominator; fit MILLS_F32."""
    p = mul_add(t, 0.0031229237, 0.037390966)
    p = mul_add(t, p, 0.21404403)
    p = mul_add(t, p, 0.7093132)
    p = mul_add(t, p, 1.3606552)
    p = mul_add(t, p, 1.2533141)
    s = mul_add(t, 0.0031232224, 0.037375666)
    s = mul_add(t, s, 0.20813516)
    s = mul_add(t, s, 0.6302162)
    s = mul_add(t, s, 1.0)
    return p, mul_add(t, p, s)


@primitive
def erf_unit(x):
    """erf(x) - x for 0 <= x <= 1: x P(x^2), fit ERF_F32."""
    z = x * x
    p = mul_add(z, 7.806904e-05, -0.0007997853)
    p = mul_add(z, p, 0.005187162)
    p = mul_add(z, p, -0.026853347)
    p = mul_add(z, p, 0.11283579)
    p = mul_add(z, p, -0.37612626)
    p = mul_add(z, p, 0.12837917)
    return x * p


@primitive
def square_scale(a, b):
    """A power of two f for which (a f)^2 + b f^2 neither overflows nor loses digits: 2^-100, 1 or 2^60."""
    small = (a < 8.881784197001252e-16) & (b < 7.888609052210118e-31)
    return select(a > 1125899906842624.0, 7.888609052210118e-31, select(small, 1.152921504606847e+18, 1.0))
