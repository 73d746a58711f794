"""Softmax and its kin: the passes over a row that they are made of.

With m the largest element, softmax is exp(x - m) over the sum of these. The difference x - m would be rounded,
which costs up to 50 ULP of the exponential; so m is replaced by the near multiple km ln(2), and nothing is subtracted:
exp(x) = exp(r) 2^k with the r and k of the reduction of x itself, and exp(x - km ln 2) = exp(r) 2^(k - km); km is part of
the shift that rounds to k. Where m is so large that k would not be exact (1.9 times the width of the window in which
exponentials count), x - m is exact by Sterbenz's lemma for every x in that window, and b = m is subtracted first. A
temperature T enters by its inverse in two parts, t + t_low, and multiplies last.

Sums are compensated. What is computed once a row (``once``) takes the accumulators as inputs; what it returns are the
row's numbers for the next pass.
"""

from math import inf

from ..language.atoms import abs, exponent, fma, mul_add, scale_by_pow2, select
from ..language.registry import ROW_KERNELS, row_pass
from ..primitives.exponential import exp_rise, log1p_exp, log_sum
from ..primitives.float64.exponential import (
    clamp_low,
    counted,
    exp_raised,
    exp_reduce,
    ln2_times,
    row_exponents,
    shift_of,
)
from ..primitives.parts import fast_two_sum, quotient_parts, two_sum
from ..primitives.rows import add_exp, inverse_sum, row_exp, share, times

#: Above all exponentials of a row, in float32 and float64: sums that start with it are larger than what they grow by.
ABOVE = (2.0**25, 2.0**54)


#: The same of sums of a few exponentials.
FAR_ABOVE = (2.0**29, 2.0**58)


# -- the exponentials of a row ---------------------------------------------------------------------


@row_pass(inputs="x", state="m", start=(-inf, -inf))
def row_max(x, sign, m):
    """The largest element, NaN aside."""
    u = sign * x
    return select(u > m, u, m)


@row_pass(inputs="x", state="m")
def row_max_null(x, sign, m):
    """The largest of the elements and 0."""
    u = sign * x
    return select(u > m, u, m)


@row_pass(inputs="x", state="m", start=(-inf, -inf))
def largest(x, m):
    """The same of x itself."""
    return select(x > m, x, m)


@row_pass(inputs="m", state="b floor shift", once=True)
def exp_shift(m, t, b, floor, shift):
    """From the maximum: what is subtracted, where the exponential has underflowed, and the shift of exponents."""
    u = m * t
    far = abs(u) > -1.9 * clamp_low(-1e30)
    rest, k = exp_reduce(select(far, 0.0, u))
    origin, least = row_exponents(k)
    base, base_low = ln2_times(least)
    empty = (m < 0.0) & (m - m != 0.0)  # -inf: no element counts
    return select(empty, 0.0, select(far, m, 0.0)), base / t, shift_of(origin)


@row_pass(inputs="x", lanes="floor shift", state="s c", start=ABOVE)
def exp_sum(x, floor, shift, s, c):
    """exp(x - km ln 2) and the sum; where b is 0."""
    e, w = exp_rise(select(x < floor, floor, x), shift)
    p, total, rest = add_exp(w, e, s, c)
    return p, total, rest


@row_pass(inputs="x", lanes="floor shift", state="s", start=FAR_ABOVE, alone=False, short=True)
def exp_sum_short(x, floor, shift, s):
    """The same; some exponentials are added up before that is carried over."""
    e, w = exp_rise(select(x < floor, floor, x), shift)
    p = mul_add(w, e, w)
    return p, s + p


@row_pass(inputs="x", lanes="b floor shift", state="s c", start=ABOVE)
def exp_sum_scaled(x, sign, t, t_low, b, floor, shift, s, c):
    """The same for sign x/T."""
    e, w = row_exp(sign * x, t, t_low, b, floor, shift)
    p, total, rest = add_exp(w, e, s, c)
    return p, total, rest


@row_pass(inputs="x", lanes="b floor shift", state="s c", start=ABOVE)
def exp_total(x, sign, t, t_low, b, floor, shift, s, c):
    """The sum alone: where the exponentials are not kept."""
    e, w = row_exp(sign * x, t, t_low, b, floor, shift)
    p, total, rest = add_exp(w, e, s, c)
    return total, rest


@row_pass(inputs="s c", lanes="m b floor shift", state="high rest top", once=True)
def inverse(s, c, t, t_low, m, b, floor, shift, high, rest, top):
    """What the exponentials are divided by."""
    high, rest, top = inverse_sum(s, c, t, t_low, m, b, floor, shift)
    return high, rest, top


@row_pass(inputs="s c", lanes="m b floor shift", state="high rest top", once=True)
def inverse_null(s, c, t, t_low, m, b, floor, shift, high, rest, top):
    """The same with exp(0) among them."""
    e, w = row_exp(0.0, t, t_low, b, floor, shift)
    null, null_low = times(w, e)
    total, error = two_sum(s, null)
    high, rest, top = inverse_sum(total, c + (error + null_low), t, t_low, m, b, floor, shift)
    return high, rest, top


@row_pass(inputs="p", lanes="high rest")
def scaled(p, high, rest):
    """What the exponentials that were kept are of their sum."""
    return share(p, high, rest)


@row_pass(inputs="p", lanes="high rest top")
def scaled_sure(p, high, rest, top):
    """The same, and 1 from top on."""
    return select(p >= top, 1.0, share(p, high, rest))


@row_pass(inputs="x", lanes="b floor shift high rest top")
def exp_scaled(x, sign, t, t_low, b, floor, shift, high, rest, top):
    """The same of exp(sign x/T - km ln 2), after exp_total."""
    e, w = row_exp(sign * x, t, t_low, b, floor, shift)
    p = mul_add(w, e, w)
    return select(p >= top, 1.0, share(p, high, rest))


# -- logarithms -----------------------------------------------------------------------------------


@row_pass(inputs="x", lanes="floor shift m", state="s c count")
def exp_sum_others(x, floor, shift, m, s, c, count):
    """The sum of the exponentials below the maximum, and how many elements attain it; where b is 0."""
    e, w = exp_rise(select(x < floor, floor, x), shift)
    top = x == m
    p, total, rest = add_exp(select(top, 0.0, w), e, s, c)
    return total, rest, count + select(top, 1.0, 0.0)


@row_pass(inputs="m", state="peak", once=True, alone=False)
def finite(m, peak):
    """The maximum, 0 if that is -inf."""
    return select((m < 0.0) & (m - m != 0.0), 0.0, m)


@row_pass(inputs="x", lanes="floor shift m", state="s count", start=FAR_ABOVE, alone=False, short=True)
def exp_sum_others_short(x, floor, shift, m, s, count):
    """The same, as exp_sum_short."""
    e, w = exp_rise(select(x < floor, floor, x), shift)
    top = x == m
    own = select(top, 0.0, w)
    return s + mul_add(own, e, own), count + select(top, 1.0, 0.0)


@row_pass(inputs="x", lanes="b floor shift m", state="s c count")
def exp_sum_others_scaled(x, sign, t, t_low, b, floor, shift, m, s, c, count):
    """The same for sign x/T."""
    u = sign * x
    e, w = row_exp(u, t, t_low, b, floor, shift)
    top = u == m
    p, total, rest = add_exp(select(top, 0.0, w), e, s, c)
    return total, rest, count + select(top, 1.0, 0.0)


@row_pass(inputs="s c", lanes="count m b floor shift", state="total peak", once=True)
def log_total(s, c, t, t_low, count, m, b, floor, shift, total, peak):
    """log(sum of exp((x - m)/T)) = log(count + others): log1p of the others while they are below 1."""
    empty = (m < 0.0) & (m - m != 0.0)
    e, w = row_exp(select(empty, 0.0, m), t, t_low, b, floor, shift)
    one, one_low = times(w, e)
    others, others_low = fast_two_sum(s, c)
    v, v_low = quotient_parts(others, others_low, one, one_low)
    small = (count == 1.0) & (v <= 1.0)
    unit = select(small, v, 0.0)
    y, y_low = two_sum(count, v)
    y_low = y_low + v_low
    n = exponent(y)
    f = scale_by_pow2(y, -n) - 1.0
    result = select(small, log1p_exp(unit, select(small, v_low, 0.0)), log_sum(f, scale_by_pow2(y_low, -n), n))
    finite = select(empty, 0.0, m)
    return result + ((finite - finite) + (v - v)), finite  # NaN where m is inf or an element NaN


@row_pass(inputs="x", lanes="peak total")
def log_shifted(x, peak, total):
    """x - m - log(total): no cancellation, both terms are at most 0."""
    return (x - peak) - total


@row_pass(inputs="x", lanes="peak total")
def log_scaled(x, sign, t, t_low, peak, total):
    """The same for sign x/T."""
    d = sign * x - peak
    return mul_add(d, t, mul_add(select(d - d == 0.0, d, 0.0), t_low, -total))


@row_pass(inputs="m total", state="y", once=True)
def log_sum_exp(m, total, t, t_low, y):
    """m/T + log(total)."""
    finite = select(m - m == 0.0, m, 0.0)
    return mul_add(m, t, mul_add(finite, t_low, total))


# -- maxima ----------------------------------------------------------------------------------------


@row_pass(inputs="x", lanes="m", state="count rest")
def hard_count(x, m, count, rest):
    """How many elements attain the maximum; rest is NaN if an element is."""
    return count + select(x == m, 1.0, 0.0), rest + select(x == x, 0.0, x)


@row_pass(inputs="x", lanes="m rest")
def hard_part(x, m, rest):
    """1 at the maximum if that is finite, 0 elsewhere; NaN throughout where an element is inf or NaN."""
    empty = (m < 0.0) & (m - m != 0.0)
    return select(x == m, select(empty, 0.0, 1.0), 0.0) + (select(empty, 0.0, m - m) + rest)


@row_pass(inputs="x", state="m at i", start=(-inf, -inf))
def first_max(x, m, at, i):
    """The largest element and the place of the first of these; the first NaN before all numbers."""
    better = (x > m) | ((x != x) & (m == m))
    return select(better, x, m), select(better, i, at), i + 1.0


# -- backward, from the output ----------------------------------------------------------------------


@row_pass(inputs="grad y", state="s c")
def dot(grad, y, s, c):
    """The sum of grad y: exact unless a product is larger than s, then within half a ULP of it."""
    total = mul_add(grad, y, s)
    return total, c + mul_add(grad, y, s - total)


@row_pass(inputs="grad y", lanes="s c")
def softmax_slope(grad, y, sign, t, s, c):
    """y (grad - sum(grad y))/T."""
    return y * ((grad - s) - c) * (sign * t)


@row_pass(inputs="grad y", state="s c")
def grad_sum(grad, y, s, c):
    """The sum of grad where y is not -inf."""
    g = counted(grad, y)
    total = s + g
    return total, c + (g + (s - total))


@row_pass(inputs="grad y", lanes="s c")
def log_softmax_slope(grad, y, sign, t, s, c):
    """(grad - exp(y) sum(grad))/T, 0 where y is -inf."""
    high, down = exp_raised(clamp_low(y))
    p = high * down
    return mul_add(-p, c, fma(-p, s, counted(grad, y))) * (sign * t)


_BACKWARD = {"softmax_backward": ((dot,), (softmax_slope,)), "log_softmax_backward": ((grad_sum,), (log_softmax_slope,))}
#: All passes over a row in one kernel: forward where there is no temperature and no maximum is far, backward always.
ROW_KERNELS |= {
    "float32": {
        "softmax": ((largest, exp_shift), (exp_sum_short, inverse), (scaled,)),
        "log_softmax": ((largest, exp_shift, finite), (exp_sum_others_short, log_total), (log_shifted,)),
        **_BACKWARD,
    },
    "float64": {
        "softmax": ((largest, exp_shift), (exp_sum, inverse), (scaled_sure,)),
        "log_softmax": ((largest, exp_shift, finite), (exp_sum_others, log_total), (log_shifted,)),
        **_BACKWARD,
    },
}
