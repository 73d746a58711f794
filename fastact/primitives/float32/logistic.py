"""The logistic function, within 4 ULP and not 2: what that saves is a third of the time and more."""

from ...language.atoms import fma, mul_add, pow2_shifted, select
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
def gelu_tanh_gate(x):
    """x / (1 + exp(-z)), z = 2 sqrt(2/pi) (x + 0.044715 x^3).

    -z log2(e) = a x + b x^3 = k + f: of both terms the integers are taken off one after the other, and x^3 is carried in two
    parts, for an error of z is multiplied by it. As above, the denominator is 2^-32 times what it should be; beyond 6 the
    result is x.
    """
    c = select(x < -10.8, -10.8, x)
    h = c * c
    q = c * h
    q_low = fma(c, fma(c, c, -h), fma(c, h, -q))
    n = mul_add(c, -2.3022082, shift_of(32.0))
    k = n - shift_of(32.0)
    rest = fma(c, -2.3022082, -k)
    shift = 12582912.0
    more = (fma(q, -0.10294324, rest) + shift) - shift
    low = mul_add(q_low, -0.10294324, mul_add(q, 2.0161985e-09, mul_add(c, -1.2948402e-08, rest)))
    p = exp2_unit(fma(q, -0.10294324, -more) + low)
    t = 1.0 / mul_add(p, pow2_shifted(n + more), 2.3283064365386963e-10)
    return select(x > 6.0, x, (c * t) * 2.3283064365386963e-10)
