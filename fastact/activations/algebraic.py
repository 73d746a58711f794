"""Functions of square roots and quotients: no transcendental but the arc tangent."""

from ..language.atoms import abs, copysign, fma, mul_add, select, sqrt
from ..language.registry import activation
from ..primitives.parts import fast_two_sum, hypot_squared, keep_nan, quotient, two_product, two_sum
from ..primitives.trigonometry import atan


@activation(
    latex=r"f(x) = \frac{x}{1 + |x|}", alias=("elliot",), range=("-1", "1"), limits=("-1", "1"), slopes=("0", "0"),
    saturates=("soft", "soft"), smoothness="C1", zero_centred=True,
    reference="Elliott 1993, A better activation function for artificial neural networks; Turian et al. 2009.",
)  # fmt: skip
def softsign(x):
    """Softsign: x / (1 + |x|)."""
    a = abs(x)
    d = 1.0 + a
    r = 1.0 / d
    # a / d by the quotient that the derivative needs, and what its rounding took. Beyond 1e30 it is 1 to the last digit;
    # inf / inf would be NaN.
    q = a * r
    y = select(a > 1e30, 1.0, mul_add(fma(-q, d, a), r, q))
    return copysign(y, x), r * r


@softsign.from_output
def softsign_from_output(y):
    t = 1.0 - abs(y)
    return t * t


@activation(
    latex=r"f(x) = \frac{x}{\sqrt{1 + \alpha x^2}}", params={"alpha": 1.0}, range=("-1/sqrt(alpha)", "1/sqrt(alpha)"),
    limits=("-1/sqrt(alpha)", "1/sqrt(alpha)"), slopes=("0", "0"), saturates=("soft", "soft"), zero_centred=True,
    reference="Carlile et al. 2017, Improving deep learning by inverse square root linear units, arXiv:1710.09967.",
)  # fmt: skip
def isru(x, alpha):
    """Inverse square root unit: x / sqrt(1 + alpha x^2)."""
    d = fma(alpha * x, x, 1.0)
    s = sqrt(d)
    # From 1e20 on the 1 has no weight and the value has reached its limit; d may have overflowed.
    y = select(d > 1e20, copysign(1.0 / sqrt(alpha), x), x / s)
    return y, (1.0 / d) / s, -0.5 * (y * y * y)


@isru.from_output
def isru_from_output(y, alpha):
    p, p_low = two_product(alpha, y)
    c = fma(-p, y, 1.0) - p_low * y
    c = select(c < 0.0, 0.0, c)
    return c * sqrt(c)


@activation(
    latex=r"f(x) = x \text{ if } x \ge 0 \text{ else } \frac{x}{\sqrt{1 + \alpha x^2}}", params={"alpha": 1.0},
    range=("-1/sqrt(alpha)", "inf"), limits=("-1/sqrt(alpha)", "inf"), slopes=("0", "1"), saturates=("soft", "no"),
    smoothness="C2",
    reference="Carlile et al. 2017, Improving deep learning by inverse square root linear units, arXiv:1710.09967.",
)  # fmt: skip
def isrlu(x, alpha):
    """Inverse square root linear unit: x for x >= 0, else x / sqrt(1 + alpha x^2)."""
    n = select(x >= 0.0, 0.0, x)
    d = fma(alpha * n, n, 1.0)
    s = sqrt(d)
    y = select(d > 1e20, copysign(1.0 / sqrt(alpha), n), n / s)
    return select(x >= 0.0, x, y), select(x >= 0.0, 1.0, (1.0 / d) / s), -0.5 * (y * y * y)


@activation(
    latex=r"f(x) = \tfrac{1}{2} (x + \sqrt{x^2 + b})", params={"b": 4.0}, range=("0", "inf"), limits=("0", "inf"),
    slopes=("0", "1"), saturates=("soft", "no"),
    reference="Barron 2021, Squareplus: a softplus-like algebraic rectifier, arXiv:2112.11687.",
)  # fmt: skip
def squareplus(x, b):
    """Squareplus: (x + sqrt(x^2 + b)) / 2."""
    s = hypot_squared(x, b)
    # On the left x + s cancels; (s + x)(s - x) = b.
    y = select(x >= 0.0, 0.5 * x + 0.5 * s, b / (2.0 * s - 2.0 * x))
    # One Newton step for y (y - x) = b/4, the product in two parts, removes what sqrt and the sum rounded.
    t, t_low = two_sum(y, -x)
    p, p_low = two_product(y, t)
    step = ((p - 0.25 * b) + (p_low + y * t_low)) / s
    y = y - select(step == step, step, 0.0)
    # (1 + x/s)/2 = y/s
    return y, select(y == s, 1.0, y / s), 0.25 / s


@activation(
    latex=r"f(x) = \tfrac{1}{2} (\sqrt{x^2 + 1} - 1) + x", range=("-inf", "inf"), limits=("-inf", "inf"),
    slopes=("0.5", "1.5"), reference="Godin et al. 2017, Dual rectified linear units, arXiv:1707.08214 (as folklore before).",
)  # fmt: skip
def bent_identity(x):
    """Bent identity: (sqrt(x^2 + 1) - 1) / 2 + x."""
    far = abs(x) > 1e18  # there neither 1 has weight, and x^2 may overflow
    c = select(far, 1.0, x)
    s = sqrt(fma(c, c, 1.0))
    # sqrt(x^2 + 1) - 1 = x^2 / (sqrt(x^2 + 1) + 1), which keeps its digits at 0. The root's rounding error
    # matters on the left, where the terms cancel; there 1/2s is near enough to 1/2d.
    d, d_low = fast_two_sum(s, 1.0)
    p, p_low = two_product(s, s)
    d_low = mul_add((fma(c, c, -p) + 1.0) - p_low, 0.5 / d, d_low)
    h = select(far, copysign(0.5, x), quotient(0.5 * c, d, d_low))
    slope = select(far, copysign(0.5, x), (0.5 * c) / s)
    return select(far, x * (1.0 + h), fma(x, h, x)), keep_nan(1.0 + slope, x)


@activation(
    latex=r"f(x) = \tfrac{1}{2} x \left(1 + \frac{x}{\sqrt{1 + x^2}}\right)", range=("-0.15", "inf"), limits=("-0.0", "inf"),
    slopes=("0", "1"), monotonic=False, saturates=("soft", "no"),
    slope_root="-0.78615137775742328607",
    reference="thinc.api.Dish (Explosion, 2022).",
)  # fmt: skip
def dish(x):
    """Dish: a swish with an algebraic gate."""
    a = abs(x)
    large = a > 1e9  # there the 1 has no weight, and powers of x may overflow
    t = select(large, 1e9, a)
    h, h_low = two_product(t, t)
    c, c_low = two_sum(h, 1.0)
    c_low = c_low + h_low
    s = sqrt(c)
    q = t / s
    # 1 - a/s = 1/(s (s + a)), s (s + a) = c + a s; what the roundings of c, s and this sum took is in d_low.
    d, e = fast_two_sum(c, t * s)
    d_low = e + c_low + fma(t, s, -(t * s)) + 0.5 * q * (fma(-s, s, c) + c_low)
    left = select(large, -0.25 / a, quotient(-0.5 * t, d, d_low))
    # On the left the derivative is (1 + x s)/(2 s^3 (s - x)).
    b, b_low = two_product(c, d)
    near = quotient(0.5 * fma(-t, s, 1.0), b, b_low + mul_add(c, d_low, c_low * d))
    slope = select(large, (-0.25 / a) / a, near)
    return (
        select(x >= 0.0, 0.5 * x * (1.0 + q), select(x == x, copysign(left, x), x)),
        select(x >= 0.0, fma(0.5 * q, 1.0 / c, 0.5 * (1.0 + q)), keep_nan(slope, x)),
    )


@activation(
    latex=r"f(x) = \arctan(x)", alias=("atan",), range=("-pi/2", "pi/2"), limits=("-pi/2", "pi/2"), slopes=("0", "0"),
    saturates=("soft", "soft"), zero_centred=True, reference="LeCun et al. 1998, Efficient backprop (sigmoid shapes).",
)  # fmt: skip
def arctan(x):
    """Arc tangent."""
    r = 1.0 / abs(x)
    # Where x^2 overflows, 1 / x^2 may still be a subnormal number.
    return atan(x), select(abs(x) > 1e10, r * r, 1.0 / fma(x, x, 1.0))
