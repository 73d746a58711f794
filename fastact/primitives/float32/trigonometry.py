"""Sine and arctangent."""

from ...language.atoms import mul_add, select
from ...language.registry import primitive


@primitive
def sin_tail(r):
    """sin(r) - r for |r| <= pi/4: r^3 P(r^2), fit SIN_F32."""
    z = r * r
    p = mul_add(z, -0.0001951829, 0.008332189)
    p = mul_add(z, p, -0.16666655)
    return r * (z * p)


@primitive
def turns_window(a):
    """Digits of 1/(2 pi) in four parts that matter for |x| = a, and the factor for x; fit TURNS_F32.

    The digits before them make whole turns. Rows after the first are scaled by 2^64, and x by its inverse.
    """
    w0 = 2.8011504e-05
    w0 = select(a < 2.5353012e+30, -7273141.5, w0)
    w0 = select(a < 4.611686e+18, 0.15915494, w0)
    w1 = -6.351664e-13
    w1 = select(a < 2.5353012e+30, -0.0037561683, w1)
    w1 = select(a < 4.611686e+18, 6.4206382e-09, w1)
    w2 = 1.16141506e-20
    w2 = select(a < 2.5353012e+30, 1.1396117e-10, w2)
    w2 = select(a < 4.611686e+18, 7.342739e-17, w2)
    w3 = -3.2426789e-28
    w3 = select(a < 2.5353012e+30, -8.557476e-19, w3)
    w3 = select(a < 4.611686e+18, 1.5185067e-24, w3)
    return w0, w1, w2, w3, select(a < 4.611686e+18, 1.0, 5.421010862427522e-20)


@primitive
def atan_unit(x):
    """atan(x) - x for 0 <= x <= 1: x^3 P(x^2), fit ATAN_F32."""
    z = x * x
    p = mul_add(z, -0.0017824693, 0.010867556)
    p = mul_add(z, p, -0.031095592)
    p = mul_add(z, p, 0.057880573)
    p = mul_add(z, p, -0.08399284)
    p = mul_add(z, p, 0.10950878)
    p = mul_add(z, p, -0.14264016)
    p = mul_add(z, p, 0.1999853)
    p = mul_add(z, p, -0.333333)
    return x * (z * p)


@primitive
def snake_series(u):
    """(u sin(2u) - sin(u)^2) / u^2 for |u| <= pi/4: 1 + u^2 P(u^2), fit SNAKE_PART_F32."""
    z = u * u
    p = mul_add(z, 0.0011976878, -0.022182994)
    p = mul_add(z, p, 0.22221366)
    p = mul_add(z, p, -0.9999994)
    return mul_add(z, p, 1.0)
