"""Elementary functions of any real argument, for formulas that users write; the package's own need none of them as a whole."""

from ..language.atoms import abs, copysign, mul_add, scale_by_pow2, select, sqrt
from ..language.registry import primitive
from .exponential import exp_negative, expm1_reduced, expm1_reduced_parts, expm1_scaled, log_reduce, log_sum
from .float64.elementary import far_point
from .float64.exponential import clamp_exp, exp_reduce
from .logistic import logistic_gate
from .normal import erf_positive
from .parts import fast_two_sum, scale_wide, two_product, two_sum
from .trigonometry import half_turns, sine_squared


@primitive
def with_low(c, x, x_low):
    """x_low, or 0 where clamping has made another number c of x."""
    return select(c == x, x_low, 0.0)


@primitive
def exp_of(x, x_low):
    """exp(x + x_low)."""
    c = clamp_exp(x)
    r, k = exp_reduce(c)
    return scale_wide(1.0 + expm1_reduced(r + with_low(c, x, x_low)), k)


@primitive
def logistic_of_parts(x, x_low):
    """The logistic at x + x_low."""
    c = clamp_exp(x)
    r, k = exp_reduce(-c)
    return logistic_gate(1.0, 1.0, r - with_low(c, x, x_low), k)


@primitive
def expm1_of(x, x_low):
    """expm1(x + x_low) = 2^k (1 + e) - 1; where k is large the 1 has no weight."""
    c = clamp_exp(x)
    r, k = exp_reduce(c)
    e, e_low = expm1_reduced_parts(r + with_low(c, x, x_low))
    most = select(k > 64.0, 64.0, k)
    high, low = expm1_scaled(e, e_low, most)
    return select(x == 0.0, x + x_low, scale_by_pow2(high + low, k - most))


@primitive
def expm1(x):
    """expm1(x)."""
    return expm1_of(x, 0.0)


@primitive
def log_of_parts(y, y_low):
    """log(y + y_low) for a positive y."""
    large = y > 1e30
    scale = select(large, 5.421010862427522e-20, 1.0)  # 2^-64, so that the powers of log_reduce are normal
    f, f_low, k = log_reduce(y * scale, y_low * scale)
    found = log_sum(f, f_low, k + select(large, 64.0, 0.0))
    # beyond the positive numbers: -inf at 0, NaN below, inf at inf
    return select(y - y == 0.0, select(y > 0.0, found, select(y == 0.0, -1.0 / (y * y), sqrt(y))), sqrt(y))


@primitive
def log(x):
    """log(x)."""
    return log_of_parts(x, 0.0)


@primitive
def log1p(x):
    """log(1 + x)."""
    high, low = two_sum(1.0, x)
    return select(abs(x) < 1e-30, x, log_of_parts(high, select(low - low == 0.0, low, 0.0)))


@primitive
def signum(x):
    """-1, 0 or 1; NaN of NaN."""
    return select(abs(x) > 0.0, copysign(1.0, x), x)


@primitive
def sine(x, x_low):
    """sin(x + x_low): sin(2 pi s) for s turns."""
    s, s_low = half_turns(0.5 * x, 0.5 * x_low)
    square, square_low, double = sine_squared(s, s_low)
    return select(x == 0.0, x, double)


@primitive
def cosine(x, x_low):
    """cos(x + x_low): the sine a quarter of a turn further."""
    s, s_low = half_turns(0.5 * x, 0.5 * x_low)
    t, t_low = two_sum(s, 0.25)
    wrapped = select(t > 0.5, t - 1.0, t)
    u, u_low = fast_two_sum(wrapped, t_low + s_low)
    square, square_low, double = sine_squared(u, u_low)
    return double


@primitive
def erf(x):
    """The error function; beyond what rounds to 1 the exponential plays no part."""
    a = abs(x)
    s = select(a > 30.0, 30.0, a)
    h, h_low = two_product(s, s)
    e, e_low = exp_negative(-h)
    high, low = erf_positive(s, mul_add(-h_low, e, e))
    return select(x == x, copysign(high + low, x), x)


@primitive
def damped(slope, inner):
    """slope * inner, 0 where the slope has vanished."""
    return select(slope == 0.0, slope, slope * inner)


@primitive
def ending(x):
    """x, or far out where it is infinite: what formulas are computed at that would give NaN at infinity."""
    return select(x - x == 0.0, x, select(x == x, copysign(far_point(x), x), x))


@primitive
def ended(y, x):
    """The result at `ending`: what has grown there is infinite at infinity, and what has all but vanished is 0."""
    settled = select(abs(y) > 1e6, copysign(1e999, y), select(abs(y) < 1e-12, copysign(0.0, y), y))
    return select(x - x != 0.0, settled, y)
