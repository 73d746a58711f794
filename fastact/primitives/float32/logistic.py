"""The logistic function, within 4 ULP and not 2: what that saves is a third of the time and more."""

from ...language.atoms import abs, fma, mul_add, pow2_shifted, select
from ...language.registry import primitive
from .exponential import clamp_for, exp2_unit, exp_product_shifted, exp_shifted, shift_of


@primitive
def logistic(x):
    """1 / (1 + exp(-x)).

    Numerator and denominator are 2^-24 times that: so exp(-x) does not overflow where the least of results stand, and the
    quotient is rounded once there. Where exp(-x) 2^-24 is no normal number it does not count.
    """
    low = select(x < -104.0, -104.0, x)
    c = select(low > 70.0, 70.0, low)
    p, w = exp_shifted(-c, shift_of(24.0))
    return 5.9604644775390625e-08 / mul_add(p, w, 5.9604644775390625e-08)


@primitive
def logistic_bend(x):
    """exp(-|x|)/(1 + exp(-|x|))^2, 2^32 times as large: no subnormal number until a power of two is taken off."""
    low = -abs(x)
    p, w = exp_shifted(select(low < -106.0, -106.0, low), shift_of(-32.0))
    e = p * w
    u = e * 2.3283064365386963e-10
    return e / mul_add(u, 2.0 + u, 1.0)


@primitive
def sigmoid_slope(x):
    """The derivative of the logistic function."""
    return logistic_bend(x) * 2.3283064365386963e-10


@primitive
def gate_parts(s, p, two_k, one):
    """t and e t: 1/(1 + e) over one, and 1 less that, from exp(-s) = e = p 2^k / one; the latter from what is small."""
    t = 1.0 / mul_add(p, two_k, one)
    return t, select(s < 0.0, fma(-t, one, 1.0), (p * two_k) * t)


@primitive
def silu_pair(beta, x):
    """x t, t = 1 / (1 + e) and e = exp(-s), s = beta x; and the derivative t (1 + s e t).

    The denominator is 2^-58 times what it should be. Where beta is so small that this would make quotients of a large x
    overflow, it is not, and the left tail ends where exp is about to overflow.
    """
    tiny = abs(beta) < 2.168404344971009e-19
    c = clamp_for(select(tiny, 1.5 * beta, beta), x)
    one = select(tiny, 1.0, 3.469446951953614e-18)
    p, two_k = exp_product_shifted(-beta, c, 0.0, shift_of(select(tiny, 0.0, 58.0)))
    s = beta * c
    t, rest = gate_parts(s, p, two_k, one)
    far = s > 20.0
    return select(far, x, (c * t) * one), select(far, 1.0, (t * mul_add(s, rest, 1.0)) * one)


@primitive
def quick_gelu_pair(x):
    """The same for s = 1.702 x; 1.702 is in two parts, and so is s."""
    c = clamp_for(1.702, x)
    low = -2.193451e-08 * c
    p, two_k = exp_product_shifted(-1.702, c, low, shift_of(58.0))
    s = fma(1.702, c, low)
    t, rest = gate_parts(s, p, two_k, 3.469446951953614e-18)
    bend = mul_add(s, rest, mul_add(fma(1.702, c, -s) + low, rest, 1.0))
    far = s > 20.0
    return select(far, x, (c * t) * 3.469446951953614e-18), select(far, 1.0, (t * bend) * 3.469446951953614e-18)


@primitive
def gelu_tanh_pair(x):
    """x / (1 + exp(-z)), z = 2 sqrt(2/pi) (x + 0.044715 x^3), and the derivative.

    -z log2(e) = c v, v = a + b c^2, for an error of z is multiplied by it: what c^2 and v lose in rounding comes after. The first
    part of a has 22 bits, so that a - v is exact. The denominator d is 2^-64 times what it should be; beyond 6 the results are
    x and 1. The derivative is t (1 + g e t), t = 1/d and g = x z'(x), which carry what they round, for the sum cancels.
    """
    one = 5.421010862427522e-20
    c = select(x < -11.0, -11.0, x)
    h = c * c
    h_low = fma(c, c, -h)
    v = fma(h, -0.10294324, -2.302208)
    n = mul_add(c, v, shift_of(64.0))
    rest = fma(c, v, shift_of(64.0) - n)
    lost = mul_add(h_low, -0.10294324, fma(h, -0.10294324, -2.302208 - v)) + mul_add(h, 2.0161985e-09, -2.5136697e-07)
    p = exp2_unit(mul_add(c, lost, rest))
    two_k = pow2_shifted(n)
    e = p * two_k
    d = mul_add(p, two_k, one)
    t = 1.0 / d
    left = x < 0.0
    d_low = select(left, one, e) - (d - select(left, e, one))
    w = fma(h, 0.21406445, 1.5957692)
    w_low = mul_add(h_low, 0.21406445, fma(h, 0.21406445, 1.5957692 - w))
    g = c * w
    g_low = mul_add(c, w_low, fma(c, w, -g))
    part = select(left, fma(-t, one, 1.0), e * t)
    bend = mul_add(g_low, part, fma(g, part, 1.0))
    slope = mul_add(t * (fma(-d, t, 1.0) - d_low * t), bend, t * bend)
    far = x > 6.0
    return select(far, x, (c * t) * one), select(far, 1.0, slope * one)
