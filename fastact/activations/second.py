"""The second derivatives by x of the smooth functions with transcendental parts; the others are in `second_pieces`.

Of an even or odd function it is even or odd too, and is computed for |x|. With e = exp(-|s|) those of the sigmoids are
e (1 - e)/(1 + e)^3 and those of the gates e (2 (1 + e) - |s| (1 - e))/(1 + e)^3, 1 - e being an expm1 (`curvature`). A gate's
has roots that no number represents, where the terms of its second factor cancel: what it counts as at least there stands in
`second_least` of the activation.
"""

from ..language.atoms import abs, copysign, fma, mul_add, select, sqrt
from ..primitives.curvature import exp_close, exp_pair, gate_bend, over_cube, sigmoid_bend
from ..primitives.exponential import exp, exp_parts, exp_parts_low, expm1_reduced, expm1_reduced_parts, log1p_exp
from ..primitives.float64.exponential import (
    clamp_exp,
    clamp_far,
    clamp_far_for,
    clamp_for,
    clamp_low,
    exp_reduce,
    exp_reduce_product,
    scale_down,
    scale_far,
)
from ..primitives.float64.normal import clamp_gaussian, clamp_gelu_tanh, clamp_normal
from ..primitives.logistic import QUICK, TANH_A, gelu_tanh_exponent, logistic_slope
from ..primitives.normal import SQRT_HALF_PI_INVERSE, normal_tail
from ..primitives.parts import fast_two_sum, over_square_short, quotient, scale_wide, two_product, two_sum
from ..primitives.trigonometry import half_turns, sine_squared
from .bell import gaussian, snake
from .exponential import celu, elish, elu, exponential, log1mexp, pelu
from .gated import (
    TWO_OVER_SQRT_PI,
    gelu,
    gelu_tanh,
    mish,
    phish,
    quick_gelu,
    serf,
    silu,
    telu,
)
from .sigmoids import laplace, lisht, log_sigmoid, scaled_tanh, sigmoid, softcap, tanh, tanh_shrink
from .softplus import softplus

# ---------------------------------------------------------------------------------------------------
# Sigmoids
# ---------------------------------------------------------------------------------------------------


@sigmoid.second
def sigmoid_second(x):
    r, k = exp_reduce(clamp_low(-abs(x)))
    return copysign(scale_down(sigmoid_bend(1.0, r, k), k), -x)


@log_sigmoid.second
def log_sigmoid_second(x):
    return -logistic_slope(x)


@tanh.second
def tanh_second(x):  # tanh(x) = 2 sigma(2x) - 1
    r, k = exp_reduce(clamp_low(-2.0 * abs(x)))
    return copysign(scale_down(sigmoid_bend(8.0, r, k), k), -x)


@tanh_shrink.second
def tanh_shrink_second(x):
    r, k = exp_reduce(clamp_low(-2.0 * abs(x)))
    return copysign(scale_down(sigmoid_bend(8.0, r, k), k), x)


@scaled_tanh.second
def scaled_tanh_second(x, alpha, beta):
    c = clamp_far_for(2.0 * beta, x)
    r, k = exp_reduce_product(-2.0 * abs(beta), abs(c))
    bend = sigmoid_bend(8.0, r, k)  # near 0 only where k is 0, and out of the reach of scale_far then
    factor = (alpha * beta) * beta
    y = select(k < 0.0, scale_far(factor, bend, k), factor * bend)
    return select(beta * x < 0.0, y, -y)


@softcap.second
def softcap_second(x, cap):
    a = abs(x)
    c = abs(cap)
    inverse = 1.0 / c
    q = a * inverse
    z = clamp_far(-2.0 * q)
    q_low = select(z == -2.0 * q, fma(-q, c, a) * inverse, 0.0)  # q in two parts, as in the derivative
    r, k = exp_reduce(z)
    bend = sigmoid_bend(8.0, r - 2.0 * q_low, k)
    return copysign(select(k < 0.0, scale_far(inverse, bend, k), inverse * bend), -x)


@laplace.second
def laplace_second(x, mu, sigma):
    # -q phi(q)/sigma^2, q = (x - mu)/sigma in two parts as in the derivative
    d, d_low = two_sum(x, -mu)
    inverse = 1.0 / sigma
    q = d * inverse
    q_low = (fma(-q, sigma, d) + d_low) * inverse
    h, h_low = two_product(q, q)
    h_low = mul_add(2.0 * q, q_low, h_low)
    e = clamp_far(-0.5 * h)
    m, m_low, k = exp_parts_low(e, select(e == -0.5 * h, -0.5 * h_low, 0.0))
    c = select(abs(q) > 100.0, copysign(100.0, q), q)  # there the density has long underflowed
    return scale_far(-(inverse * (inverse * c)), SQRT_HALF_PI_INVERSE.hi * m, k)


@lisht.second
def lisht_second(x):  # x tanh(x) = 2x sigma(2x) - x
    s = -clamp_low(-2.0 * abs(x))
    r, k = exp_reduce(-s)
    return scale_down(4.0 * gate_bend(s, 0.0, r, k), k)


@softplus.second
def softplus_second(x, beta):
    c = abs(clamp_far_for(beta, x))
    r, k = exp_reduce_product(-abs(beta), c)
    m, n = exp_pair(r, k)
    d = 2.0 + n
    return scale_far(beta, m / (d * d), k)


# ---------------------------------------------------------------------------------------------------
# Exponentials, a bell and a wave
# ---------------------------------------------------------------------------------------------------


@exponential.second
def exponential_second(x):
    return exp(x)


@log1mexp.second
def log1mexp_second(x):
    r, k = exp_reduce(clamp_low(-abs(x)))
    m, n = exp_pair(r, k)
    # Two quotients: near 0 the square of n underflows. sqrt makes the NaN where x < 0.
    return select(x >= 0.0, -scale_wide((m / abs(n)) / abs(n), k), sqrt(x))


@elu.second
def elu_second(x, alpha):
    r, k = exp_reduce(clamp_far(select(x > 0.0, 0.0, x)))
    return select(x > 0.0, 0.0, scale_far(alpha, 1.0 + expm1_reduced(r), k))


@celu.second
def celu_second(x, alpha):
    n = select(x > 0.0, 0.0, x)
    inverse = 1.0 / alpha
    q = n * inverse
    z = clamp_far(q)
    z_low = select(z == q, fma(-q, alpha, n) * inverse, 0.0)
    r, k = exp_reduce(z)
    e, e_low = expm1_reduced_parts(r)
    return select(x > 0.0, 0.0, scale_far(inverse, 1.0 + (e + mul_add(1.0 + e, z_low, e_low)), k))


@pelu.second
def pelu_second(x, a, b):
    n = select(x > 0.0, 0.0, x)
    inverse = 1.0 / b
    q = n * inverse
    z = clamp_far(q)
    z_low = select(z == q, fma(-q, b, n) * inverse, 0.0)
    r, k = exp_reduce(z)
    e, e_low = expm1_reduced_parts(r)
    return select(x > 0.0, 0.0, scale_far(a / b * inverse, 1.0 + (e + mul_add(1.0 + e, z_low, e_low)), k))


@elish.second
def elish_second(x):
    s = -clamp_low(-abs(x))
    r, k = exp_reduce(-s)
    m, n = exp_pair(r, k)
    e = scale_down(m, k)
    # On the left, with e = e^x, it is e (e^3 + 3 e^2 + 5 e - 1)/(1 + e)^3.
    factor = select(x >= 0.0, fma(s, n, 4.0 + 2.0 * n), fma(e, mul_add(e, e + 3.0, 5.0), -1.0))
    d, d_low = fast_two_sum(2.0, n)
    return scale_down(over_cube(m * factor, d, d_low), k)


@gaussian.second
def gaussian_second(x):
    c = clamp_gaussian(x)
    r, k = exp_reduce_product(-c, c)
    return scale_down(2.0 * fma(c + c, c, -1.0) * (1.0 + expm1_reduced(r)), k)


@snake.second
def snake_second(x, a):
    # 2a cos(2u), u = a x; it is sin(2v), v = u + pi/4, which the derivative squares
    u, u_low = two_product(a, x)
    u = select((u == u) & (u - u != 0.0), x, u)  # a x overflows: any phase will do
    t, t_low = half_turns(u, u_low)
    q, q_low = two_sum(t, 0.25)
    square, square_low, cosine = sine_squared(select(q > 0.5, q - 1.0, q), q_low + t_low)
    return (a + a) * cosine


# ---------------------------------------------------------------------------------------------------
# Gates
# ---------------------------------------------------------------------------------------------------


@silu.second
def silu_second(x, beta):
    c = abs(clamp_far_for(beta, x))
    b = abs(beta)
    r, k = exp_reduce_product(-b, c)
    s, s_low = two_product(b, c)
    return scale_far(beta, gate_bend(s, s_low, r, k), k)


@quick_gelu.second
def quick_gelu_second(x):
    c = abs(clamp_for(QUICK.hi, x))
    r, k = exp_reduce_product(-QUICK.hi, c)
    s, s_low = two_product(QUICK.hi, c)
    return scale_down(QUICK.hi * gate_bend(s, mul_add(QUICK.lo, c, s_low), mul_add(-QUICK.lo, c, r), k), k)


@gelu.second
def gelu_second(x):  # phi(x) (2 - x^2)
    t = clamp_normal(abs(x))
    r, k = exp_reduce_product(-0.5 * t, t)
    return scale_down(SQRT_HALF_PI_INVERSE.hi * (1.0 + expm1_reduced(r)) * fma(-t, t, 2.0), k)


@gelu_tanh.second
def gelu_tanh_second(x):
    # sigma'(z) (2 z' + x z'' - x z'^2 tanh(z/2)), z = x (A + B x^2)
    c = clamp_gelu_tanh(abs(x))
    z, z_low, w, w_low, b, b_low, r, k = gelu_tanh_exponent(c)
    m, n = exp_pair(r, k)
    slope, slope_low = two_sum(w, b + b)
    g, g_low = two_product(c, slope)
    p, p_low = two_product(g, slope)
    p_low = p_low + mul_add(g_low, slope, 2.0 * g * mul_add(2.0, b_low, slope_low + w_low))
    sides = mul_add(12.0, b, TANH_A.hi + TANH_A.hi)
    factor = fma(p, n, fma(n, sides, sides + sides)) + p_low * n
    d, d_low = fast_two_sum(2.0, n)
    return scale_down(over_cube(m * factor, d, d_low), k)


@mish.second
def mish_second(x):
    # With u = e^x it is 4u (2 (1 + u) D + x (2 + 2u - 3u^2 - 2u^3))/D^3, D = u^2 + 2u + 2; on the right numerator and
    # denominator over u^6, in e = 1/u, and e^2 before them.
    right = x >= 0.0
    a = clamp_low(select(right, -2.0 * x, x))
    a = select(right, 0.5 * a, a)
    m, m_low, k = exp_parts(a)
    e = scale_down(m, k)
    first = mul_add(e, mul_add(e, select(right, mul_add(e, 4.0, 8.0), mul_add(e, 2.0, 6.0)), select(right, 6.0, 8.0)),
                    select(right, 2.0, 4.0))  # fmt: skip
    then = mul_add(e, mul_add(e, select(right, mul_add(e, 2.0, 2.0), mul_add(e, -2.0, -3.0)), select(right, -3.0, 2.0)),
                   select(right, -2.0, 2.0))  # fmt: skip
    d, d_low = fast_two_sum(select(right, 1.0, 2.0), e * select(right, mul_add(e, 2.0, 2.0), 2.0 + e))
    power = select(right, mul_add(2.0 * m, m_low, m * m), m)
    n = 4.0 * power * fma(select(right, -a, a), then, first)
    return scale_down(over_cube(n, d, d_low), select(right, k + k, k))


@serf.second
def serf_second(x):
    # K exp(-s^2) sigma (2 + x ((1 - sigma) - 2 s sigma)), s = softplus(x) in two parts: s^2 stands in the exponent
    c = clamp_exp(x)
    right = c >= 0.0
    r, k = exp_reduce(-abs(c))
    m = 1.0 + expm1_reduced(r)
    e = scale_down(m, k)
    s, s_low = two_sum(select(right, c, 0.0), log1p_exp(e, 0.0))
    h, h_low = two_product(s, s)
    z = clamp_low(-h)
    density, density_low, j = exp_parts_low(z, select(z == -h, -mul_add(2.0 * s, s_low, h_low), 0.0))
    d = 1.0 + e
    gate = select(right, 1.0, e)  # sigma d
    factor = mul_add(c, fma(-2.0 * s, gate, select(right, e, 1.0)), d + d)
    n = TWO_OVER_SQRT_PI.hi * (density * select(right, 1.0, m)) * factor
    return scale_down(n / (d * d), select(right, j, j + k))


@phish.second
def phish_second(x):
    # sech(g)^2 (2 g' + x (g'' - 2 tanh(g) g'^2)), g = gelu(x); on the left g' and g'' are multiples of 2^k
    right = x >= 0.0
    t = clamp_normal(abs(x))
    p, p_low, q, q_low, k = normal_tail(t)
    tail = scale_down(t * q, k)
    c = clamp_exp(x)
    g, g_low = two_sum(select(right, c, 0.0), select(right, -tail, tail))  # |gelu(x)|
    z = clamp_low(-2.0 * g)
    r, j = exp_reduce(z)
    m, n = exp_pair(select(z == -2.0 * g, r - 2.0 * g_low, r), j)
    d, d_low = fast_two_sum(2.0, n)  # tanh(g) = -n/d, sech(g)^2 = 4 m/d^2 2^j
    tail_slope = fma(-t, p, q)
    slope = scale_down(tail_slope, k)
    one = 1.0 - slope
    slope_low = select(right, (1.0 - one) - slope, 0.0)
    slope = select(right, one, slope)
    own = select(right, slope, tail_slope)
    bend = p * fma(-t, t, 2.0)
    bend = select(right, scale_down(bend, k), bend)
    a = select(right, c, t)
    y, y_low = two_product(2.0 * a, quotient(n, d, d_low))
    w, w_low = two_product(own, slope)
    factor = fma(y, w, mul_add(select(right, a, -a), bend, own + own))
    factor = factor + (mul_add(y_low, w, y * mul_add(2.0 * own, slope_low, w_low)) + 2.0 * slope_low)
    return select(x < -t, 0.0, scale_down(over_square_short(4.0 * m * factor, d, d_low), select(right, j, j + k)))


@telu.second
def telu_second(x):
    # u sech(u)^2 (2 + x (1 - 2 u tanh(u))), u = e^x closely: its error is multiplied by 2u, up to 800
    c = clamp_exp(x)
    c = select(c > 6.0, 6.0, c)
    v, v_low, k = exp_close(c)
    u = scale_wide(v, k)
    z = clamp_low(-2.0 * u)
    u_low = scale_wide(v_low, k)
    r, j = exp_reduce(z)
    m, n = exp_pair(select(z == -2.0 * u, r - 2.0 * u_low, r), j)
    d, d_low = fast_two_sum(2.0, n)
    y = quotient(n, d, d_low)
    factor = fma(c, fma(2.0 * u, y, 1.0) + 2.0 * u_low * y, 2.0)
    return scale_down(over_square_short(4.0 * (v * m) * factor, d, d_low), j + k)
