"""The logistic function, within 4 ULP and not 2: what that saves is a third of the time and more."""

from ...language.atoms import abs, fma, mul_add, pow2_shifted, select
from ...language.registry import primitive
from .exponential import exp2_unit, exp_shifted, shift_of


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
def gelu_tanh_gate(x):
    """x / (1 + exp(-z)), z = 2 sqrt(2/pi) (x + 0.044715 x^3).

    -z log2(e) = c v, v = a + b c^2, for an error of z is multiplied by it: what c^2 and v lose in rounding comes after. The first
    part of a has 22 bits, so that a - v is exact. As above, the denominator is 2^-32 times what it should be; beyond 6 the
    result is x.
    """
    c = select(x < -10.8, -10.8, x)
    h = c * c
    v = fma(h, -0.10294324, -2.302208)
    n = mul_add(c, v, shift_of(32.0))
    rest = fma(c, v, shift_of(32.0) - n)
    lost = mul_add(fma(c, c, -h), -0.10294324, fma(h, -0.10294324, -2.302208 - v)) + mul_add(h, 2.0161985e-09, -2.5136697e-07)
    t = 1.0 / mul_add(exp2_unit(mul_add(c, lost, rest)), pow2_shifted(n), 2.3283064365386963e-10)
    return select(x > 6.0, x, (c * t) * 2.3283064365386963e-10)
