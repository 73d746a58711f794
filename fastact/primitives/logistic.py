"""The logistic function, what it is multiplied with, and their slopes."""

from ..language.atoms import abs, copysign, fma, mul_add, select
from ..language.registry import primitive
from ..language.terms import Constant
from .exponential import expm1_reduced
from .float64.exponential import clamp_exp, clamp_for, exp_reduce, exp_reduce_product, scale_down, scale_down_large
from .float64.normal import clamp_gelu_tanh
from .parts import fast_two_sum, over_square_short, quotient, quotient_parts, two_product, two_sum

QUICK = Constant("1.702")
TANH_A = Constant("1.5957691216057307117597842397375274739035")  # 2 sqrt(2/pi)
TANH_B = Constant("0.0713548162726002487763387522798635409956")  # 0.044715 times that


@primitive
def one_plus_exp(r, k):
    """1 + exp(r) 2^k = (d + d_low) 2^max(k, 0) for |r| <= ln(2)/2: no power above 1, no product to round."""
    two_k = scale_down(1.0, -abs(k))
    u = mul_add(expm1_reduced(r), select(k <= 0.0, two_k, 1.0), two_k)
    d = 1.0 + u
    return d, u - (d - 1.0)


@primitive
def logistic_of(s, e):
    """The logistic at s, given e = exp(-|s|): 1/(1+e) on the right and e/(1+e) on the left."""
    d, d_low = fast_two_sum(1.0, e)
    return quotient(select(s >= 0.0, 1.0, e), d, d_low)


@primitive
def logistic_gate(x, c, r, k):
    """x times the logistic at s = -(r + k ln 2); c is x clamped to where the logistic is neither 0 nor 1."""
    d, d_low = one_plus_exp(r, k)
    right = k <= 0.0
    q = select(right, x, c) / d
    return select(right, q, scale_down(q, -abs(k)))


@primitive
def gate_slope_parts(g, r, k):
    """Numerator, denominator and a weight of the derivative of x sigma(s), s = -(r + k ln 2) and g = x s'(x).

    It is sigma(s) + g sigma(s) sigma(-s). With 1 + exp(-s) = d on the right that is (d + g (d - 1))/d^2, and with
    d 2^k on the left (d + g m)/d^2 2^-k, m = exp(r). The weight is that of an error of g in the numerator.
    """
    d, d_low = one_plus_exp(r, k)
    right = k <= 0.0
    t = expm1_reduced(r)
    m = 1.0 + t
    m_low = t - (m - 1.0)
    w = select(right, scale_down(m, -abs(k)), m)
    return fma(g, w, d), select(right, 0.0, mul_add(g, m_low, d_low)), d, d_low, w


@primitive
def gate_slope(n, n_low, d, d_low, k):
    """The derivative from those parts."""
    s, s_low = two_product(d, d)
    high, low = quotient_parts(n, n_low, s, mul_add(2.0 * d, d_low, s_low))
    slope = high + low
    return select(k <= 0.0, slope, scale_down(slope, -abs(k)))


@primitive
def logistic(x):
    """1 / (1 + exp(-x))."""
    c = clamp_exp(x)
    r, k = exp_reduce(-c)
    return logistic_gate(1.0, 1.0, r, k)


@primitive
def gelu_tanh_exponent(c):
    """z = c w, w = A + B c^2 and b = B c^2, all in two parts, for an error of z is multiplied by it; -z = k ln(2) + r."""
    h, h_low = two_product(c, c)
    b, b_low = two_product(TANH_B.hi, h)
    w, w_low = two_sum(TANH_A.hi, b)
    w_low = w_low + (b_low + (TANH_A.lo + (TANH_B.lo * h + TANH_B.hi * h_low)))
    z, z_low = two_product(w, c)
    r, k = exp_reduce(-z)
    z_low = mul_add(w_low, c, z_low)
    return z, z_low, w, w_low, b, b_low, r - z_low, k


@primitive
def gelu_tanh_pair(x):
    """x / (1 + exp(-z)), z = 2 sqrt(2/pi) (x + 0.044715 x^3), and the derivative."""
    c = clamp_gelu_tanh(x)
    z, z_low, w, w_low, b, b_low, r, k = gelu_tanh_exponent(c)
    u, u_low = two_product(2.0 * b, c)
    g, g_low = two_sum(z, u)  # x z'(x) = x (A + 3 B x^2)
    g_low = g_low + mul_add(2.0 * b_low, c, u_low + z_low)
    n, n_low, d, d_low, weight = gate_slope_parts(g, r, k)
    return logistic_gate(x, c, r, k), gate_slope(n, mul_add(g_low, weight, n_low), d, d_low, k)


@primitive
def gate_slope_short(g, r, k):
    """gate_slope of its parts with a rounded numerator: 1 + (1 + g)(d - 1) on the right, (1 + g) m + 2^-k on the left."""
    right = k <= 0.0
    t = expm1_reduced(r)
    two_k = scale_down(1.0, -abs(k))
    u = mul_add(t, select(right, two_k, 1.0), two_k)
    d = 1.0 + u
    slope = over_square_short(fma(1.0 + g, select(right, u, t), select(right, 1.0, (1.0 + g) + two_k)), d, u - (d - 1.0))
    return select(right, slope, scale_down(slope, -abs(k)))


@primitive
def silu_pair(beta, x):
    """x / (1 + exp(-beta x)), and the derivative."""
    c = clamp_for(beta, x)
    r, k = exp_reduce_product(-beta, c)
    d, d_low = one_plus_exp(r, k)
    q = select(k <= 0.0, x, c) / d
    value = select(k <= 0.0, q, scale_down_large(q, -abs(k), 1.0 - abs(beta)))
    return value, gate_slope_short(beta * c, r, k)


@primitive
def quick_gelu_pair(x):
    """x / (1 + exp(-1.702 x)), and the derivative."""
    c = clamp_for(QUICK.hi, x)
    r, k = exp_reduce_product(-QUICK.hi, c)
    r = mul_add(-QUICK.lo, c, r)
    s, s_low = two_product(QUICK.hi, c)
    d, d_low = one_plus_exp(r, k)
    q = quotient(c, d, d_low)
    value = select(k <= 0.0, select(x == c, q, x), scale_down(q, -abs(k)))
    n, n_low, d, d_low, weight = gate_slope_parts(s, r, k)
    return copysign(value, x), gate_slope(n, mul_add(mul_add(QUICK.lo, c, s_low), weight, n_low), d, d_low, k)


@primitive
def logistic_slope(x):
    """exp(-x)/(1 + exp(-x))^2."""
    r, k = exp_reduce(-clamp_exp(x))
    d, d_low = one_plus_exp(r, k)
    return scale_down(over_square_short(1.0 + expm1_reduced(r), d, d_low), -abs(k))


@primitive
def sigmoid_slope(x):
    """The derivative of the logistic function."""
    return logistic_slope(x)
