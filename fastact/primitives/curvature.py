"""What second derivatives of gates and sigmoids are made of."""

from ..language.atoms import abs, fma, mul_add, scale_by_pow2, select
from ..language.registry import primitive
from .exponential import expm1_reduced
from .float64.exponential import exp_reduce, ln2_times
from .parts import fast_two_sum, two_product, two_sum


@primitive
def exp_pair(r, k):
    """m and exp(x) - 1, given exp(x) = m 2^k <= 1, m = exp(r), |r| <= ln(2)/2; below 2^-100 the power does not count."""
    two_k = scale_by_pow2(1.0, select(k < -100.0, -100.0, k))
    t = expm1_reduced(r)
    return 1.0 + t, mul_add(two_k, t, two_k - 1.0)


@primitive
def over_cube(p, d, d_low):
    """p/(d + d_low)^3: the plain product, and what the roundings of d and 1/d took from it."""
    q = 1.0 / d
    residual = mul_add(-d, q, 1.0) - d_low * q
    w = p * q * q * q
    return mul_add(3.0 * residual, w, w)


@primitive
def sigmoid_bend(a, r, k):
    """a e (1 - e)/(1 + e)^3 2^-k, given e = exp(r) 2^k with k <= 0: at s >= 0 it is -a sigma''(s), e = exp(-s)."""
    m, n = exp_pair(r, k)
    d, d_low = fast_two_sum(2.0, n)
    return over_cube(m * (a * -n), d, d_low)


@primitive
def gate_bend(s, s_low, r, k):
    """The second derivative of s sigma(s) at s >= 0 times 2^-k, given exp(-s) = exp(r) 2^k.

    It is sigma'(s) (2 - s tanh(s/2)) = e (2 (1 + e) - s (1 - e))/(1 + e)^3, and the same at -s.
    """
    two_k = scale_by_pow2(1.0, select(k < -100.0, -100.0, k))
    t = expm1_reduced(r)
    n, n_low = fast_two_sum(two_k - 1.0, two_k * t)
    d, d_low = fast_two_sum(2.0, n)
    factor = fma(s, n, 4.0 + 2.0 * n) + mul_add(s_low, n, s * n_low)
    m, m_low = fast_two_sum(1.0, t)
    return over_cube(mul_add(m_low, factor, m * factor), d, d_low)


@primitive
def exp_close(x):
    """exp(x) = (high + low) 2^k for a clamped x, within 2^-10 ULP: up to r^3/6 its series is summed in two parts."""
    rounded, k = exp_reduce(x)
    a, b = ln2_times(k)
    r, r_low = two_sum(x - a, -b)
    h, h_low = two_product(0.5 * r, r)
    c, c_low = two_product(h, r)
    t = c * 0.3333333333333333
    t_low = (fma(t, -3.0, c) + c_low) * 0.3333333333333333
    p = mul_add(r, 7.647163731819816e-13, 1.1470745597729725e-11)  # 1/15!, 1/14!, ...
    p = mul_add(r, p, 1.6059043836821613e-10)
    p = mul_add(r, p, 2.08767569878681e-09)
    p = mul_add(r, p, 2.505210838544172e-08)
    p = mul_add(r, p, 2.755731922398589e-07)
    p = mul_add(r, p, 2.7557319223985893e-06)
    p = mul_add(r, p, 2.48015873015873e-05)
    p = mul_add(r, p, 0.0001984126984126984)
    p = mul_add(r, p, 0.001388888888888889)
    p = mul_add(r, p, 0.008333333333333333)
    p = mul_add(r, p, 0.041666666666666664)
    high, d = fast_two_sum(1.0, r)
    high, e = fast_two_sum(high, h)
    high, f = fast_two_sum(high, t)
    rest = mul_add(h * h, 4.0 * p, t_low) + mul_add(0.3333333333333333 * r, h_low, h_low)
    high, low = fast_two_sum(high, ((d + e) + f) + (rest + mul_add(r + h, r_low, r_low)))
    return high, low, k


@primitive
def product(a, b, c):
    """a b c within two roundings: the smallest comes last, unless the other two may overflow.

    Then the largest is above 2^55, and its product with the smallest no subnormal number.
    """
    swap = abs(b) < abs(c)
    larger = select(swap, c, b)
    smaller = select(swap, b, c)
    above = abs(a) > abs(larger)
    largest = select(above, a, larger)
    other = select(above, larger, a)
    below = abs(other) < abs(smaller)
    middle = select(below, smaller, other)
    smallest = select(below, other, smaller)
    moderate = abs(largest) <= 36028797018963968.0
    return (largest * select(moderate, middle, smallest)) * select(moderate, smallest, middle)
