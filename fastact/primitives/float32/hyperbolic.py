"""tanh and its kin."""

from ...language.atoms import mul_add
from ...language.registry import primitive


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
