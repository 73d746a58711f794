"""tanh and its kin."""

from ...language.atoms import abs, copysign, fma, mul_add, pow2_shifted, select
from ...language.registry import primitive
from .exponential import expm1_half, shift_of


@primitive
def tanh_near(x):
    """tanh(x) - x for 0 <= x <= 0.75: x^3 P(x^2), fit TANH_F32."""
    z = x * x
    p = mul_add(z, 0.0017417484, -0.0076658046)
    p = mul_add(z, p, 0.021457791)
    p = mul_add(z, p, -0.053894535)
    p = mul_add(z, p, 0.1333272)
    p = mul_add(z, p, -0.33333316)
    return x * z * p


@primitive
def tanh_shrink_rest(z):
    """(x - tanh(x)) / x^3 - 1/3 for z = x^2 <= 1: z (3P - Q)/z / (3Q), fit TANH_SHRINK_F32 of P/Q."""
    n = mul_add(z, -0.047259197, -1.1999998)
    q = mul_add(z, 0.14177759, 3.9972942)
    q = mul_add(z, q, 9.0)
    return z * n / q


@primitive
def softcap_part(x):
    """tanh(x) - x sech(x)^2 for 0 <= x <= 0.75: x^3 P(x^2), fit SOFTCAP_PART_F32."""
    z = x * x
    p = mul_add(z, 0.0095241, -0.036894504)
    p = mul_add(z, p, 0.08687204)
    p = mul_add(z, p, -0.17474237)
    p = mul_add(z, p, 0.32380667)
    p = mul_add(z, p, -0.53333426)
    p = mul_add(z, p, 0.6666667)
    return x * z * p


@primitive
def tanh_rounded(x):
    """tanh(x) = m / -(2 + m) for x >= 0, m = expm1(-2x), within 4 ULP; the denominator has the sign.

    -x = k ln(2)/2 + h. ln 2 rounded is 2e-9 off, which matters where k is large and 2^k small. m = -0.0 at 0.
    """
    low = -abs(x)
    a = select(low < -20.0, -20.0, low)
    n = mul_add(a, 2.88539, shift_of(-1.0))
    k = n - shift_of(-1.0)
    w = pow2_shifted(n)  # 2^(k + 1)
    m = mul_add(w, expm1_half(fma(k, -0.3465736, a)), -mul_add(w, -0.5, 1.0))
    return m / copysign(2.0 + m, -x)
