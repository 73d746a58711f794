"""Sparse projections of rows onto the probability simplex: the passes of sparsemax and entmax15.

The threshold theta is found by Newton's method, from below; z is (sign x - m)/T with m the largest element.
"""

from ..language.atoms import select, sqrt
from ..language.registry import row_pass
from ..primitives.parts import keep_nan, two_product, two_sum


@row_pass(inputs="x", lanes="peak theta", state="s c count")
def sparse_excess(x, sign, t, peak, theta, s, c, count):
    """Sum and number of the positive z - theta, z = (sign x - m)/T."""
    v = (sign * x - peak) * t - theta
    total, error = two_sum(s, select(v <= 0.0, 0.0, v))
    return total, c + error, count + select(v <= 0.0, 0.0, 1.0)


@row_pass(inputs="s c", lanes="count", state="theta step", once=True)
def sparse_step(s, c, count, theta, step):
    """Newton's step for sum(z - theta) = 1; the sum is convex and falls, so theta rises to the root."""
    step = select(count > 0.0, ((s - 1.0) + c) / select(count > 0.0, count, 1.0), 0.0)
    moved = theta + step
    return select(moved <= theta, theta, moved), select(moved <= theta, 0.0, step)


@row_pass(inputs="x", lanes="peak theta")
def sparse_part(x, sign, t, peak, theta):
    """max(z - theta, 0)."""
    v = (sign * x - peak) * t - theta
    return select(v <= 0.0, 0.0, v)


@row_pass(inputs="x", lanes="peak theta", state="s c slope")
def entmax_excess(x, sign, t, peak, theta, s, c, slope):
    """Sum of the squares of the positive z/2 - theta, and of these themselves."""
    v = 0.5 * ((sign * x - peak) * t) - theta
    v = select(v <= 0.0, 0.0, v)
    p, p_low = two_product(v, v)
    total, error = two_sum(s, p)
    return total, c + (error + p_low), slope + v


@row_pass(inputs="s c", lanes="slope", state="theta step", once=True)
def entmax_step(s, c, slope, theta, step):
    """Newton's step for sum((z/2 - theta)^2) = 1."""
    step = select(slope <= 0.0, 0.0, ((s - 1.0) + c) / (2.0 * select(slope <= 0.0, 1.0, slope)))
    return theta + step, step


@row_pass(inputs="x", lanes="peak theta")
def entmax_part(x, sign, t, peak, theta):
    """max(z/2 - theta, 0)^2."""
    v = 0.5 * ((sign * x - peak) * t) - theta
    v = select(v <= 0.0, 0.0, v)
    return v * v


@row_pass(inputs="m", state="peak theta", once=True)
def sparse_start(m, peak, theta):
    """The maximum, 0 if that is -inf, NaN if it is inf; theta starts at -1: the maximum alone reaches 1 there."""
    finite = select((m < 0.0) & (m - m != 0.0), 0.0, m)
    return finite + (finite - finite), -1.0 + (finite - finite)


# -- backward, from the output ----------------------------------------------------------------------


@row_pass(inputs="grad y", state="s c weight")
def sparse_dot(grad, y, s, c, weight):
    """Sum of grad over the support of y, and the size of that."""
    on = y > 0.0
    high, error = two_sum(s, select(on, grad, 0.0))
    return high, c + error, weight + select(on, 1.0, keep_nan(0.0, y))


@row_pass(inputs="grad y", lanes="mean")
def sparse_slope(grad, y, sign, t, mean):
    """(grad - mean of grad over the support)/T on the support, 0 elsewhere."""
    return select(y > 0.0, (grad - mean) * (sign * t), keep_nan(0.0, y))


@row_pass(inputs="grad y", state="s c weight")
def entmax_dot(grad, y, s, c, weight):
    """The sum of grad w and of w = sqrt(y)."""
    w = sqrt(y)
    p, p_low = two_product(grad, w)
    high, error = two_sum(s, p)
    return high, c + (error + p_low), weight + w


@row_pass(inputs="grad y", lanes="mean")
def entmax_slope(grad, y, sign, t, mean):
    """w (grad - mean of grad weighted by w)/T, w = sqrt(y)."""
    return sqrt(y) * (grad - mean) * (sign * t)


@row_pass(inputs="s c", lanes="weight", state="mean", once=True)
def weighted_mean(s, c, weight, mean):
    """(s + c)/weight, 0 without a support."""
    return select(weight == 0.0, 0.0, (s + c) / select(weight == 0.0, 1.0, weight))
