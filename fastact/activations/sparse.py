"""Sparse projections of rows onto the probability simplex: the passes of sparsemax, entmax15 and entmax.

The threshold theta is found by Newton's method, from below; z is (sign x - m)/T with m the largest element.

For any alpha = 1 + a results are (1 + a (z - theta))^(1/a), which tends to exp(z - theta) with a to 0. While a <= 1 the
power a of their sum S is a norm of what is linear in theta, so convex, and Newton's method for it stays on one side. From a
sum S and W, that of results over 1 + a (z - theta), its step is S (1 - S^-a)/(a W).

For a > 1 results rise infinitely steeply where they begin, and small numbers hide in 1 - a theta. There the largest result q
is sought by bisection: others are q (1 + a z q^-a)^(1/a). Between the two neighbouring q at which the sum is less than 1 and
not less, results are drawn out so that it is 1: what a steep one gets is what the others leave.
"""

from ..language.atoms import abs, exponent, scale_by_pow2, select, sqrt
from ..language.registry import primitive, row_pass
from ..primitives.exponential import exp, expm1_parts, log_reduce, log_sum
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


@primitive
def power(d, a, a_inverse):
    """(1 + a d)^(1/a) and 1 + a d for d <= 0; 0 and 1 where that is not positive."""
    w, w_low = two_product(a, d)
    y, y_low = two_sum(1.0, w)
    outside = y <= 0.0
    base = select(outside, 1.0, y)
    f, f_low, k = log_reduce(base, select(outside, 0.0, y_low + w_low))
    return select(outside, 0.0, exp(log_sum(f, f_low, k) * a_inverse)), base


@row_pass(inputs="m", state="theta step low", once=True)
def power_start(m, theta, step, low):
    """Everything is sought from 0 upwards."""
    return 0.0, 0.0, 0.0


@row_pass(inputs="x", lanes="peak theta", state="s c slope")
def power_excess(x, sign, t, a, a_inverse, peak, theta, s, c, slope):
    """Sum of the results, and of these over 1 + a (z - theta)."""
    p, y = power((sign * x - peak) * t - theta, a, a_inverse)
    total, error = two_sum(s, p)
    return total, c + error, slope + p / y


@row_pass(inputs="s c", lanes="slope", state="theta step", once=True)
def power_step(s, c, a, a_inverse, slope, theta, step):
    """A step towards a sum of 1; it is 0 or less where there is nothing more to be gained."""
    rest = (s - 1.0) + c
    total = s + c
    more = select(total > 1.0, total, 1.0)
    n = exponent(more)
    e, e_low = expm1_parts(-a * log_sum(scale_by_pow2(more, -n) - 1.0, 0.0, n))
    gain = select(abs(rest) < 1e-3, rest, -e * a_inverse * total)
    move = gain / select(slope > 0.0, slope, 1.0)
    newton = theta + move
    return newton + (rest - rest), select(newton <= theta, 0.0, move)


@row_pass(inputs="x", lanes="peak theta")
def power_part(x, sign, t, a, a_inverse, peak, theta):
    """(1 + a (z - theta))^(1/a)."""
    p, y = power((sign * x - peak) * t - theta, a, a_inverse)
    return p


@primitive
def rising(z, scale, a, a_inverse):
    """(1 + a z scale)^(1/a) for z <= 0; 1 at 0, be the scale infinite."""
    p, y = power(select(z < 0.0, z * scale, z), a, a_inverse)
    return p


@primitive
def steepness(q, a):
    """q^-a; for q = 0 of something else."""
    f, f_low, k = log_reduce(select(q > 0.0, q, 1.0), 0.0)
    return exp(-a * log_sum(f, f_low, k))


@row_pass(inputs="m", state="high over lost", once=True)
def steep_start(m, high, over, lost):
    """q lies between 0 and 2, so that 1 is tried first; what the sums there are beyond 1."""
    return 2.0, 1.0, -1.0


@row_pass(inputs="low high", lanes="over", state="theta scale step", once=True)
def steep_step(low, high, a, over, theta, scale, step):
    """The middle, and its scale; the step is 0 where there is none, and where the sum is 1."""
    middle = low + 0.5 * (high - low)
    done = (middle <= low) | (middle >= high) | (over <= 0.0)
    return middle, steepness(middle, a), select(done, 0.0, high - low)


@row_pass(inputs="x", lanes="peak theta scale", state="s c")
def steep_excess(x, sign, t, a, a_inverse, peak, theta, scale, s, c):
    """Sum of the results."""
    total, error = two_sum(s, theta * rising((sign * x - peak) * t, scale, a, a_inverse))
    return total, c + error


@row_pass(inputs="s c", lanes="theta", state="low lost", once=True)
def steep_low(s, c, theta, low, lost):
    """The largest q of those tried whose sum is less than 1, or no number."""
    rest = (s - 1.0) + c
    return select(rest >= 0.0, low, theta), select(rest >= 0.0, lost, rest)


@row_pass(inputs="s c", lanes="theta", state="high over", once=True)
def steep_high(s, c, theta, high, over):
    """The smallest q of those tried whose sum is not less."""
    rest = (s - 1.0) + c
    return select(rest >= 0.0, theta, high), select(rest >= 0.0, rest, over)


@row_pass(inputs="low high", lanes="lost over", state="scale other share", once=True)
def steep_end(low, high, a, lost, over, scale, other, share):
    """The scales of both, and how far from the lower one a sum of 1 lies."""
    return steepness(low, a), steepness(high, a), lost / (lost - over)


@row_pass(inputs="x", lanes="peak low high scale other share")
def steep_part(x, sign, t, a, a_inverse, peak, low, high, scale, other, share):
    """Drawn out between the results of both."""
    z = (sign * x - peak) * t
    p = low * rising(z, scale, a, a_inverse)
    return p + share * (high * rising(z, other, a, a_inverse) - p)


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
