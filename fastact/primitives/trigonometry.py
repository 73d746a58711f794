"""Sine and arctangent."""

from ..language.atoms import abs, copysign, mul_add, round_to_int, select
from ..language.registry import primitive
from ..language.terms import Constant
from .float64.trigonometry import atan_unit, sin_tail, turns_window
from .parts import fast_two_sum, two_product, two_sum

PI = Constant("3.1415926535897932384626433832795028841971693993751")
HALF_PI = Constant("1.5707963267948966192313216916397514420985846996876")


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
