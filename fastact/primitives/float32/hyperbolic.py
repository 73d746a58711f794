"""tanh and its kin."""

from ...language.atoms import fma, mul_add, select
from ...language.registry import primitive
from .logistic import logistic_bend


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
    """tanh(x) = 2t / (1 + t^2), t = tanh(x/2), within 4 ULP: t = (m/2)/q, m = x P(x^2), q = Q(x^2), fit TANH_HALF_F32.

    Where tanh is near 1, an error of t hardly counts. At the bound of the argument the quotient is 1, and nowhere far above.
    """
    low = select(x < -9.01091, -9.01091, x)
    c = select(low > 9.01091, 9.01091, low)
    z = c * c
    p = mul_add(z, 0.00011433184, 0.029777385)
    q = mul_add(z, 1.2306526e-06, 0.0012069251)
    q = mul_add(z, q, 0.113110684)
    q = mul_add(z, q, 1.0)
    m = fma(c * z, p, c)
    h = 0.5 * m
    y = m * (q / fma(q, q, h * h))
    low = select(y < -1.0, -1.0, y)
    return select(low > 1.0, 1.0, low)


@primitive
def tanh_slope(x):
    """sech(x)^2, four times the derivative of the logistic function at 2x."""
    return logistic_bend(x + x) * 9.313225746154785e-10
