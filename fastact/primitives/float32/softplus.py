"""The logarithm of 1 + exp, and its hyperbolic tangent, within 4 ULP and not 2."""

from ...language.atoms import abs, fma, mul_add, select
from ...language.registry import primitive
from .exponential import clamp_for, exp_product_shifted, exp_shifted, log1p_drop, shift_of


@primitive
def exp_falling(a, b):
    """exp(-a b) for a b >= 0, 2^64 times as large, and as it is."""
    p, two_k = exp_product_shifted(-a, b, 0.0, shift_of(-64.0))
    e = p * two_k
    return e, e * 5.421010862427522e-20


@primitive
def softplus_parts(beta, x):
    """log1p(exp(-|beta x|)) / beta and the logistic at beta x; powers of two come last, where results are subnormal."""
    b = abs(beta)
    far = clamp_for(beta, 3.4028235e+38)
    a = abs(x)
    e, u = exp_falling(b, select(a > far, far, a))
    small = b < 1.0
    tail = mul_add(e, log1p_drop(u), e) * (1.0 / (beta * select(small, 18446744073709551616.0, 1.0)))
    rise = select(beta * x > 0.0, 18446744073709551616.0, e) / (1.0 + u)
    return tail * select(small, 1.0, 5.421010862427522e-20), rise * 5.421010862427522e-20


@primitive
def log_logistic_parts(x):
    """log1p(exp(-|x|)) and the logistic at -x."""
    a = abs(x)
    e, u = exp_falling(1.0, select(a > 128.0, 128.0, a))
    rise = select(x < 0.0, 18446744073709551616.0, e) / (1.0 + u)
    return mul_add(e, log1p_drop(u), e) * 5.421010862427522e-20, rise * 5.421010862427522e-20


@primitive
def mish_pair(x):
    """x tanh(log(1 + u)) = x w/(w + 2), u = e^x and w = u (u + 2), and the derivative.

    That is u (4 (1 + x) + u (6 + 4 x + u (4 + u))) over (w + 2)^2. All numerators are 2^40 times as large.
    """
    low = select(x < -110.0, -110.0, x)
    c = select(low > 11.0, 11.0, low)
    p, two_k = exp_shifted(c, shift_of(-40.0))
    e = p * two_k
    u = e * 9.094947017729282e-13
    w = fma(e, u, e + e)
    d = mul_add(w, 9.094947017729282e-13, 2.0)
    value = (c * w) / d * 9.094947017729282e-13
    # The square of w + 2 with what w and the sum lost.
    d_low = mul_add(fma(e, u, (e + e) - w), 9.094947017729282e-13, mul_add(w, 9.094947017729282e-13, 2.0 - d))
    s = d * d
    s_low = mul_add(d + d, d_low, fma(d, d, -s))
    n = e * mul_add(u, mul_add(u, u + 4.0, mul_add(4.0, c, 6.0)), mul_add(4.0, c, 4.0))
    r = 1.0 / s
    q = n * r
    slope = mul_add(mul_add(-q, s_low, fma(-q, s, n)), r, q) * 9.094947017729282e-13
    far = x > 11.0
    return select(far, x, value), select(far, 1.0, slope)
