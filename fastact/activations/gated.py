"""x times a gate: SiLU, GELU, Mish and their relatives.

With e = exp(-|x|) every gate is a quotient of polynomials in e on either side of 0. On the left the
gate vanishes like e^x; there the power of two of e^x = p 2^k is applied last, after the product with
x, so that results far below the smallest normal e^x keep all their digits.
"""

from ..language.atoms import abs, fma, mul_add, select
from ..language.registry import activation
from ..language.terms import Constant
from ..primitives.exponential import exp_parts, exp_parts_low, expm1_reduced, log1p_exp
from ..primitives.float64.exponential import clamp_exp, clamp_for, clamp_low, exp_reduce_product, scale_down
from ..primitives.float64.normal import clamp_normal, normal_quotient
from ..primitives.float64.parts import sixth
from ..primitives.hyperbolic import tanh_parts
from ..primitives.logistic import gelu_tanh_pair, logistic_of, one_plus_exp, quick_gelu_pair, silu_pair
from ..primitives.normal import SQRT_HALF_PI_INVERSE, erf_positive, normal_tail
from ..primitives.parts import fast_two_sum, scale_wide, square, two_product, two_sum
from ..primitives.softplus import mish_pair

TWO_OVER_SQRT_PI = Constant("1.1283791670955125738961589031215451716881")


@activation(
    latex=r"f(x) = x \sigma(\beta x)", params={"beta": 1.0}, alias=("swish", "sil"), range=("-0.2785", "inf"),
    limits=("-0.0", "inf"), slopes=("0", "1"), monotonic=False, saturates=("soft", "no"),
    notes="For |beta| below 1e-8 (float32; 1e-100 in float64) the left tail beyond |beta x| = 128 (800) stays where it was; "
    "in float32 that beyond 85 for |beta| below 2e-19.",
    bound32=4.0, slope_root="-1.2784645427610737951 / beta", slope_absolute="abs(x - root) < 1 / abs(beta)", trained=("beta",),
    second_least="abs(beta) / 16 * (abs(abs(beta * x) - 2.4) < 1)",
    reference="Elfwing, Uchibe and Doya 2017, arXiv:1702.03118; Ramachandran, Zoph and Le 2017, arXiv:1710.05941 (beta).",
)  # fmt: skip
def silu(x, beta):
    """Sigmoid linear unit: x * sigmoid(beta * x)."""
    value, slope = silu_pair(beta, x)
    c = clamp_for(beta, x)
    r, k = exp_reduce_product(-beta, c)
    d, d_low = one_plus_exp(r, k)
    rise = c * (1.0 + expm1_reduced(r)) * c / (d * d)  # x^2 sigma (1 - sigma)
    return value, slope, scale_down(rise, -abs(k))


@activation(
    latex=r"f(x) = x \sigma(1.702 x)", range=("-0.1636", "inf"), limits=("-0.0", "inf"), slopes=("0", "1"), monotonic=False,
    saturates=("soft", "no"),
    bound32=4.0, slope_root="-0.7511542554412889513",
    second_least="(abs(abs(x) - 1.41) < 0.6) / 8",
    reference="Hendrycks and Gimpel 2016, Gaussian error linear units, arXiv:1606.08415.",
)  # fmt: skip
def quick_gelu(x):
    """Quick GELU: x * sigmoid(1.702 * x), an approximation of gelu."""
    value, slope = quick_gelu_pair(x)
    return value, slope


@activation(
    latex=r"f(x) = x \Phi(x)", alias=("gelu_python",), range=("-0.17", "inf"), limits=("-0.0", "inf"), slopes=("0", "1"),
    monotonic=False, saturates=("soft", "no"), variants={"approximate": {"none": "gelu", "tanh": "gelu_tanh"}},
    notes="The exact form, torch's default; jax's default is the tanh approximation, here gelu_tanh or approximate='tanh'.",
    bound=4.0, slope_root="-0.75179152469356445746",
    reference="Hendrycks and Gimpel 2016, Gaussian error linear units, arXiv:1606.08415.",
)  # fmt: skip
def gelu(x):
    """Gaussian error linear unit: x * Phi(x), Phi the standard normal distribution function."""
    # With t = |x| and phi the density the value is -t Phi(-t) on the left and t - t Phi(-t) on the right;
    # the derivative is Phi(-t) - t phi(t), and 1 minus that. Both are exp(-t^2/2) times a quotient.
    t = clamp_normal(abs(x))
    r, k = exp_reduce_product(-0.5 * t, t)
    e = expm1_reduced(r)
    p, n, d = normal_quotient(t)
    tail = scale_down(mul_add(n, e, n) / d, k)
    g = mul_add(-SQRT_HALF_PI_INVERSE.hi, t, p / d)
    slope = scale_down(mul_add(g, e, g), k)
    return select(x >= 0.0, x - tail, -tail), select(x > 0.0, 1.0 - slope, slope)


@activation(
    latex=r"f(x) = \tfrac{1}{2} x \left(1 + \tanh\left(\sqrt{2/\pi} (x + 0.044715 x^3)\right)\right)",
    alias=("gelu_new", "gelu_pytorch_tanh", "gelu_fast"), range=("-0.17", "inf"), limits=("-0.0", "inf"), slopes=("0", "1"),
    monotonic=False, saturates=("soft", "no"),
    bound=4.0, slope_root="-0.75246142207101625849",
    second_least="(abs(abs(x) - 1.42) < 0.6) / 8",
    reference="Hendrycks and Gimpel 2016, Gaussian error linear units, arXiv:1606.08415.",
)  # fmt: skip
def gelu_tanh(x):
    """Tanh approximation of gelu."""
    # x sigma(z), z = x (A + B x^2)
    value, slope = gelu_tanh_pair(x)
    return value, slope


@activation(
    latex=r"f(x) = x \tanh(\log(1 + e^x))", range=("-0.3088", "inf"), limits=("-0.0", "inf"), slopes=("0", "1"),
    monotonic=False, saturates=("soft", "no"),
    bound=4.0, slope_root="-1.1924312145154952121",
    second_least="((abs(x - 1.49) < 0.7) | (abs(x + 2.26) < 0.7)) / 16",
    reference="Misra 2019, Mish, arXiv:1908.08681.",
)  # fmt: skip
def mish(x):
    """Mish: x * tanh(softplus(x))."""
    value, slope = mish_pair(x)
    return value, slope


@activation(
    latex=r"f(x) = x \operatorname{erf}(\log(1 + e^x))", range=("-0.3484", "inf"), limits=("-0.0", "inf"), slopes=("0", "1"),
    monotonic=False, saturates=("soft", "no"),
    bound=4.0, slope_root="-1.1930599689281879662",
    second_least="((abs(x - 1.1) < 0.5) | (abs(x + 2.26) < 0.7)) / 8",
    reference="Nag and Bhattacharyya 2021, SERF: towards better training of deep neural networks, arXiv:2108.09598.",
)  # fmt: skip
def serf(x):
    """Serf: x * erf(softplus(x))."""
    c = clamp_exp(x)
    p, p_low, k = exp_parts(-abs(c))
    e = scale_down(p, k)
    s = select(x > 0.0, c, 0.0) + log1p_exp(e, scale_down(p_low, k))
    s = select(s > 30.0, 30.0, s)
    h, h_low = two_product(s, s)
    density, density_low, j = exp_parts_low(clamp_low(-h), -h_low)
    density = scale_down(density, j)
    density_low = scale_down(density_low, j)
    y, y_low = erf_positive(s, density)
    gate = logistic_of(x, e)
    gate_low = select(x < 0.0, scale_down(p_low, k) * square(1.0 - gate), 0.0)
    # Far on the left erf(log(1 + u)) = 2/sqrt(pi) u to the last digit, u = e^x = p 2^k.
    far = x < -40.0
    a = TWO_OVER_SQRT_PI.hi * p
    # x erf'(s) sigma(x) in two parts, for on the left it cancels with erf(s)
    b, b_low = two_product(c, density)
    w, w_low = two_product(b, gate)
    w_low = mul_add(mul_add(c, density_low, b_low), gate, mul_add(b, gate_low, w_low))
    w_low = mul_add(TWO_OVER_SQRT_PI.hi, w_low, TWO_OVER_SQRT_PI.lo * w)
    return (
        select(far, scale_down(a * c, k), mul_add(x, y, c * y_low)),
        select(far, scale_down(mul_add(a, c, a), k), fma(TWO_OVER_SQRT_PI.hi, w, y) + (y_low + w_low)),
    )


@activation(
    latex=r"f(x) = x \tanh(\operatorname{gelu}(x))", range=("0", "inf"), limits=("0", "inf"), slopes=("0", "1"),
    monotonic=False, saturates=("soft", "no"),
    bound=4.0, slope_root="-1.1954312013879124569",
    second_least="((abs(x - 1.2) < 0.6) | (abs(x + 0.47) < 0.3) | (abs(x + 1.88) < 0.6)) / 4",
    reference="Naveen 2022, Phish: a novel hyper-optimizable activation function.",
)  # fmt: skip
def phish(x):
    """Phish: x * tanh(gelu(x))."""
    t = clamp_normal(abs(x))
    p, p_low, q, q_low, k = normal_tail(t)
    tail, tail_low = two_product(t, q)
    tail_low = mul_add(t, q_low, tail_low)
    # |gelu(x)| in two parts; for x > 30 it is x
    h = scale_down(tail, k)
    h_low = scale_down(tail_low, k)
    g = select(x >= 0.0, x - h, h)
    g_low = select(x >= 0.0, select(x > 30.0, 0.0, ((x - g) - h) - h_low), h_low)
    tp, tp_low = two_product(t, p)
    slope, slope_low = fast_two_sum(-tp, q)  # t p < q only below 0.75, where neither is small
    slope_low = scale_down(slope_low + (mul_add(-t, p_low, q_low) - tp_low), k)
    slope = scale_down(slope, k)
    one = 1.0 - slope
    slope_low = select(x > 0.0, ((1.0 - one) - slope) - slope_low, slope_low)
    slope = select(x > 0.0, one, slope)
    y, y_low = tanh_parts(g)
    y_low = mul_add(g_low, mul_add(-y, y, 1.0), y_low)
    value, value_low = two_product(abs(x), y)
    value = value + mul_add(abs(x), y_low, value_low)
    sign = select(x >= 0.0, 1.0, -1.0)
    # x (1 - y^2) g' + y, every part of it with its rounding error: on the left they cancel
    unit = mul_add(-2.0 * y, y_low, fma(-y, y, 1.0))
    c = clamp_exp(x)
    a, a_low = two_product(c, slope)
    b, b_low = two_product(a, unit)
    b_low = mul_add(mul_add(c, slope_low, a_low), unit, b_low) + sign * y_low
    d, d_low = two_sum(b, sign * y)
    # Far on the left tanh(g) = g to the last digit: the value is t^2 phi M, the derivative t (t phi - 2 phi M).
    far = x < -7.0
    far_slope = fma(t, p, -2.0 * q) + mul_add(t, p_low, -2.0 * q_low)
    return (
        select(far, scale_down(mul_add(t, tail, t * tail_low), k), select(abs(x) > 1e3, abs(x), value)),
        select(far, scale_down(t * far_slope, k), d + (d_low + b_low)),
    )


@activation(
    latex=r"f(x) = x \tanh(e^x)", range=("-0.3533", "inf"), limits=("-0.0", "inf"), slopes=("0", "1"), monotonic=False,
    saturates=("soft", "no"),
    bound=4.0, slope_root="-1.0788600584646240567",
    second_least="((abs(x - 0.7) < 0.4) | (abs(x + 2.07) < 0.7)) / 8",
    reference="Fernandez and Mali 2024, Stable and robust deep learning by TeLU, arXiv:2412.20269.",
)  # fmt: skip
def telu(x):
    """Hyperbolic tangent exponential linear unit: x * tanh(exp(x))."""
    c = clamp_exp(x)
    p, p_low, k = exp_parts(select(c > 6.0, 6.0, c))  # tanh(e^6) is 1 and its derivative 0
    u = scale_wide(p, k)
    u_low = scale_wide(p_low, k)
    y, y_low = tanh_parts(u)
    # x u (1 - y^2) + y, every part of it with its rounding error: on the left they cancel
    unit = mul_add(-2.0 * y, y_low, fma(-y, y, 1.0))
    y_low = mul_add(unit, u_low, y_low)
    a, a_low = two_product(c, u)
    b, b_low = two_product(a, unit)
    b_low = mul_add(mul_add(c, u_low, a_low), unit, b_low) + y_low
    d, d_low = two_sum(b, y)
    # Far on the left tanh(u) = u to the last digit.
    far = x < -20.0
    return (
        select(far, scale_wide(p * c, k), x * (y + y_low)),
        select(far, scale_wide(mul_add(p, c, p), k), d + (d_low + b_low)),
    )


@activation(
    latex=r"f(x) = x \min(\max(x + 3, 0), 6) / 6", alias=("hardswish", "hard_silu"), range=("-0.375", "inf"),
    limits=("-0.0", "inf"), slopes=("0", "1"), kinks=(-3.0, 3.0), monotonic=False, saturates=("hard", "no"), smoothness="C0",
    notes="At the kinks the derivative is that of the outer branch. thinc's function of this name is another one.",
    reference="Howard et al. 2019, Searching for MobileNetV3, arXiv:1905.02244.",
)  # fmt: skip
def hard_swish(x):
    """Hard swish: x * relu6(x + 3) / 6."""
    inside = sixth(x * (x + 3.0))
    return (
        select(x >= 3.0, x, select(x <= -3.0, -0.0, inside)),
        select(x >= 3.0, 1.0, select(x <= -3.0, 0.0, sixth(2.0 * x + 3.0))),
    )
