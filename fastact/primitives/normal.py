"""The normal distribution: its density and its tail."""

from ..language.atoms import mul_add, select
from ..language.registry import primitive
from ..language.terms import Constant
from .exponential import exp_parts_low
from .float64.normal import clamp_normal, erf_unit, mills
from .parts import fast_two_sum, quotient_parts, two_product

SQRT_HALF_PI_INVERSE = Constant("0.3989422804014326779399460599343818684758586311649")  # 1 / sqrt(2 pi)
SQRT2 = Constant("1.4142135623730950488016887242096980785696718753769")


@primitive
def normal_tail(t):
    """For a clamped t >= 0: phi(t) = (p + p_low) 2^k and Phi(-t) = phi(t) M(t) = (q + q_low) 2^k."""
    h, h_low = two_product(t, t)
    m, m_low, k = exp_parts_low(-0.5 * h, -0.5 * h_low)
    p, p_low = two_product(SQRT_HALF_PI_INVERSE.hi, m)
    p_low = mul_add(SQRT_HALF_PI_INVERSE.hi, m_low, mul_add(SQRT_HALF_PI_INVERSE.lo, m, p_low))
    n, d = mills(t)
    a, a_low = two_product(p, n)
    q, q_low = quotient_parts(a, mul_add(p_low, n, a_low), d, 0.0)
    return p, p_low, q, q_low, k


@primitive
def erf_positive(s, e):
    """erf(s) in two parts for s >= 0, given e = exp(-s^2): a polynomial up to 1, then 1 - 2 phi(t) M(t), t = sqrt(2) s."""
    t = clamp_normal(SQRT2.hi * s)
    n, d = mills(t)
    far = s > 1.0
    u = select(far, 1.0, s)
    rest = select(far, (-2.0 * SQRT_HALF_PI_INVERSE.hi) * e * (n / d), erf_unit(u))
    high, low = fast_two_sum(u, rest)
    return high, low
