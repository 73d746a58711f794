"""A bell and a wave."""

from ..language.atoms import abs, fma, mul_add, select
from ..language.registry import activation
from ..primitives.exponential import expm1_reduced
from ..primitives.float64.exponential import exp_reduce_product, scale_down
from ..primitives.float64.normal import clamp_gaussian
from ..primitives.float64.trigonometry import snake_series
from ..primitives.parts import two_product, two_sum
from ..primitives.trigonometry import half_turns, sine_squared


@activation(
    latex=r"f(x) = e^{-x^2}", alias=("rbf", "gaussian_activation"), range=("0", "1"), limits=("0", "0"), slopes=("0", "0"),
    monotonic=False, saturates=("soft", "soft"),
    reference="Broomhead and Lowe 1988, Multivariable functional interpolation and adaptive networks.",
)  # fmt: skip
def gaussian(x):
    """Gaussian: exp(-x^2)."""
    c = clamp_gaussian(x)
    r, k = exp_reduce_product(-c, c)
    p = 1.0 + expm1_reduced(r)
    return scale_down(p, k), scale_down(-2.0 * c * p, k)


@activation(
    latex=r"f(x) = x + \frac{1}{a} \sin^2(a x)", params={"a": 1.0}, range=("-inf", "inf"), limits=("-inf", "inf"),
    slopes=("nan", "nan"), notes="The derivative oscillates between 0 and 2 and has no limit; it is NaN at +-inf. The phase is "
    "that of the exact product a x up to 2^33 (float32) or 2^62 (float64), beyond that of the rounded one.",
    slope_absolute="abs(x) > 0.5 / abs(a)", trained=("a",),
    reference="Ziyin, Hartwig and Ueda 2020, Neural networks fail to learn periodic functions, arXiv:2006.08195.",
)  # fmt: skip
def snake(x, a):
    """Snake: x + sin(a x)^2 / a."""
    u, u_low = two_product(a, x)
    u = select((u == u) & (u - u != 0.0), x, u)  # a x overflows: any phase will do
    t, t_low = half_turns(u, u_low)
    h, h_low, sine = sine_squared(t, t_low)
    # 1 + sin(2u) = 2 sin(u + pi/4)^2, which keeps its digits at its roots
    q, q_low = two_sum(t, 0.25)
    slope, slope_low, cosine = sine_squared(select(q > 0.5, q - 1.0, q), q_low + t_low)
    # For x < 0 the two terms cancel in part: the square and its quotient by a carry what they round.
    inverse = 1.0 / a
    q = h * inverse
    q_low = (fma(-q, a, h) + h_low) * inverse
    y, y_low = two_sum(x, q)
    value = y + (y_low + q_low)
    # d/da = x sin(2u)/a - sin(u)^2/a^2, which is x^2 (1 + u^2 P(u^2)) near 0
    small = abs(u) < 0.785
    far = (x * sine - q) * inverse
    near = x * (x * snake_series(select(small, u, 0.0)))
    # An infinite x has no sine: the value is x. So it is for a = 0, but not for a = NaN.
    return select(value == value, value, mul_add(0.0, a, x)), 2.0 * (slope + slope_low), select(small, near, far)
