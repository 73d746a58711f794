"""The second derivatives by x of algebraic functions and of those made of pieces.

Where a second derivative jumps, it is that of the side whose derivative is taken there; softsign's, which is odd, is 0 at 0.
Of what is linear in pieces it is 0, at kinks and jumps too.
"""

from ..language.atoms import abs, copysign, fma, select, sqrt
from ..primitives.exponential import exp, exp_parts, expm1_reduced
from ..primitives.float64.exponential import clamp_far, clamp_low, exp_reduce, scale_down, scale_far
from ..primitives.float64.parts import sixth
from ..primitives.parts import hypot_squared, keep_nan
from .algebraic import arctan, bent_identity, dish, isrlu, isru, softsign, squareplus
from .exponential import SELU_SCALE_ALPHA, hard_elish, selu, xielu
from .gated import hard_swish
from .rectifiers import (
    hard_shrink,
    hard_sigmoid,
    hard_tanh,
    identity,
    leaky_relu,
    prelu,
    reflu,
    relu,
    relu6,
    shrink,
    sign,
    smelu,
    soft_shrink,
    sparse_plus,
    sparse_sigmoid,
    squared_relu,
    srelu,
    star_relu,
    step,
    threshold,
    thresholded_relu,
)

# ---------------------------------------------------------------------------------------------------
# Algebraic functions
# ---------------------------------------------------------------------------------------------------


@softsign.second
def softsign_second(x):
    r = 1.0 / (1.0 + abs(x))
    return select(x == 0.0, 0.0, copysign(2.0 * r * r * r, -x))


@isru.second
def isru_second(x, alpha):
    # -3 alpha x/d^(5/2); where d overflows, it has underflowed
    d = fma(alpha * x, x, 1.0)
    r = 1.0 / d
    return select(r == 0.0, 0.0, -3.0 * (alpha * x * r) * r / sqrt(d))


@isrlu.second
def isrlu_second(x, alpha):
    n = select(x >= 0.0, 0.0, x)
    d = fma(alpha * n, n, 1.0)
    r = 1.0 / d
    return select(r == 0.0, 0.0, -3.0 * (alpha * n * r) * r / sqrt(d))


@squareplus.second
def squareplus_second(x, b):
    # b/2 s^-3; for b = 0, which makes a rectifier, the root may be 0
    s = hypot_squared(x, b)
    r = select(s == 0.0, 0.0, 1.0 / s)
    return 0.5 * b * r * r * r


@bent_identity.second
def bent_identity_second(x):
    r = 1.0 / sqrt(fma(x, x, 1.0))
    return r * r * (0.5 * r)


@dish.second
def dish_second(x):
    # (2 - x^2)/2 s^-5, s^2 = 1 + x^2; beyond 1e9 it is -1/2 |x|^-3
    a = abs(x)
    t = select(a > 1e9, 1e9, a)
    c = fma(t, t, 1.0)
    r = 1.0 / c
    i = 1.0 / a
    return select(a > 1e9, i * i * (-0.5 * i), 0.5 * fma(-t, t, 2.0) * r * r / sqrt(c))


@arctan.second
def arctan_second(x):
    r = 1.0 / fma(x, x, 1.0)
    return select(r == 0.0, 0.0, -2.0 * (x * r) * r)


# ---------------------------------------------------------------------------------------------------
# Pieces
# ---------------------------------------------------------------------------------------------------


@identity.second
@step.second
@sign.second
@relu.second
@relu6.second
@leaky_relu.second
@prelu.second
@threshold.second
@thresholded_relu.second
@reflu.second
@srelu.second
@hard_tanh.second
@hard_sigmoid.second
@sparse_sigmoid.second
@soft_shrink.second
@hard_shrink.second
@shrink.second
def flat(x):
    return keep_nan(0.0, x)


@squared_relu.second
def squared_relu_second(x):
    return select(x > 0.0, 2.0, keep_nan(0.0, x))


@star_relu.second
def star_relu_second(x, scale, bias):
    return select(x > 0.0, 2.0 * scale, keep_nan(0.0, x))


@smelu.second
def smelu_second(x, beta):
    return select(abs(x) < beta, 0.5 / beta, keep_nan(0.0, x))


@sparse_plus.second
def sparse_plus_second(x):
    return select(abs(x) < 1.0, 0.5, keep_nan(0.0, x))


@hard_swish.second
def hard_swish_second(x):
    return select(abs(x) < 3.0, sixth(2.0), keep_nan(0.0, x))


@hard_elish.second
def hard_elish_second(x):
    left = 0.5 * (exp(select(x > 0.0, 0.0, x)) * (x + 3.0))
    return select((x >= 1.0) | (x <= -1.0), 0.0, select(x >= 0.0, 1.0, left))


@selu.second
def selu_second(x):
    p, low, k = exp_parts(clamp_low(select(x > 0.0, 0.0, x)))
    slope = fma(SELU_SCALE_ALPHA.hi, p, fma(SELU_SCALE_ALPHA.hi, low, SELU_SCALE_ALPHA.lo * p))
    return select(x > 0.0, 0.0, scale_down(slope, k))


@xielu.second
def xielu_second(x, alpha_p, alpha_n, beta, eps):
    n = select(x > 0.0, 0.0, x)
    r, k = exp_reduce(clamp_far(n))
    left = select(n <= eps, scale_far(alpha_n, 1.0 + expm1_reduced(r), k), keep_nan(0.0, x))
    return select(x > 0.0, 2.0 * alpha_p, left)
