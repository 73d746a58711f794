"""The logarithm of 1 + exp, and its hyperbolic tangent."""

from ..language.atoms import abs, copysign, fma, mul_add, select
from ..language.registry import primitive
from .exponential import exp_negative, exp_parts, expm1_reduced, log1p_exp
from .float64.exponential import clamp_exp, clamp_for, exp_reduce_product, scale_down, scale_down_large
from .logistic import logistic_of
from .parts import fast_two_sum, over_square, quotient, two_product


@primitive
def softplus_parts(beta, x):
    """log1p(exp(-|beta x|)) / beta and the logistic at beta x."""
    c = abs(clamp_for(beta, x))
    r, k = exp_reduce_product(-abs(beta), c)
    m = 1.0 + expm1_reduced(r)
    e = scale_down(m, k)
    # Far out log1p(e) is e = m 2^k to the last digit, and the power of two comes last.
    far = abs(beta) * c > 40.0
    tail = select(far, m, log1p_exp(e, 0.0)) / beta
    return select(far, scale_down_large(tail, k, 1.0 - abs(beta)), tail), logistic_of(beta * x, e)


@primitive
def log_logistic_parts(x):
    """log1p(exp(-|x|)) and the logistic at -x."""
    e, e_low = exp_negative(-abs(x))
    return log1p_exp(e, e_low), logistic_of(-x, e)


@primitive
def mish_pair(x):
    """x tanh(log(1 + e^x)), and the derivative."""
    c = clamp_exp(x)
    p, p_low, k = exp_parts(-abs(c))
    e = scale_down(p, k)
    right = x >= 0.0
    # tanh(log(1 + u)) = (u^2 + 2u)/(u^2 + 2u + 2), u = e^x: numerator and denominator over u^2 on the right
    # 1 + 2e over 1 + 2e(1 + e) on the right, and p(2 + e) 2^k over 2 + e(2 + e) on the left
    base = select(right, 1.0, 2.0)
    f, f_low = fast_two_sum(base, e)
    h, h_low = two_product(select(right, 2.0 * e, e), f)
    d, d_low = fast_two_sum(base, h)
    d_low = d_low + h_low
    n = select(right, mul_add(2.0, e, 1.0), p * f)
    q = quotient(c * n, d, d_low)
    value = select(right, select(x == c, copysign(q, x), x), scale_down(q, k))
    # The derivative needs the denominator closer, with what e and base + e lost.
    d_low = d_low + mul_add(2.0 * scale_down(p_low, k), e + 1.0, e * f_low)
    # gate' = 4 u (1 + u)/(u^2 + 2u + 2)^2; on the left gate + x gate' is u ((u^3 + 4u^2 + 6u + 4) + 4x (1 + u))
    # over the square of the denominator, on the right that over u^4.
    g = fma(c, e, c)
    left = mul_add(4.0, g, fma(e, mul_add(e, e + 4.0, 6.0), 4.0))
    left = fma(p, left, p_low * mul_add(e, mul_add(8.0, e, 6.0), left))
    slope = over_square(select(right, mul_add(1.0 + 2.0 * e, d, 4.0 * (e * e * g)), left), d, d_low)
    return value, select(right, slope, scale_down(slope, k))
