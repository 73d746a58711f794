"""The normal distribution: its density and its tail."""

from ...language.atoms import mul_add, select
from ...language.registry import primitive


@primitive
def clamp_gelu_tanh(x):
    """Clamp to where the exponent of gelu_tanh is within that of clamp_exp, its tail long underflowed."""
    low = select(x < -11.5, -11.5, x)
    return select(low > 11.5, 11.5, low)


@primitive
def clamp_gaussian(x):
    """Clamp to where exp(-x^2) has long underflowed and -x^2 is within clamp_low."""
    low = select(x < -11.3, -11.3, x)
    return select(low > 11.3, 11.3, low)


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
def normal_quotient(t):
    """p, n = t p and d with Phi(-t) = exp(-t^2/2) p/d for t >= 0: d = sqrt(2 pi) n + 1 + t s; fit NORMAL_F32.

    q is -2 (p - 1/2)/t: the square is that of the exponent, and near 0 n is rounded once.
    """
    q = mul_add(t, -0.0024956816, -0.029865503)
    q = mul_add(t, q, -0.17090873)
    q = mul_add(t, q, -0.566221)
    q = mul_add(t, q, -1.0859176)
    s = mul_add(t, 0.0031281735, 0.037415594)
    s = mul_add(t, s, 0.2082824)
    s = mul_add(t, s, 0.630488)
    h = -0.5 * t
    n = mul_add(h * t, q, -h)
    return mul_add(h, q, 0.5), n, 1.0 + mul_add(n, 2.5066283, t * s)


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
    """f and 1/f, a power of two for which (a f)^2 + b f^2 neither overflows nor loses digits: 2^-100, 1 or 2^60."""
    small = (a < 8.881784197001252e-16) & (b < 7.888609052210118e-31)
    large = a > 1125899906842624.0
    f = select(large, 7.888609052210118e-31, select(small, 1.152921504606847e+18, 1.0))
    return f, select(large, 1.2676506002282294e+30, select(small, 8.673617379884035e-19, 1.0))
