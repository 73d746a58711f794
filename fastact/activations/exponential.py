"""The exponential, the exponential linear units, and log(1 - exp(-x))."""

from ..language.atoms import abs, fma, mul_add, select, sqrt
from ..language.registry import activation
from ..language.terms import Constant
from ..primitives.exponential import (
    elu_parts,
    exp,
    exp_parts,
    expm1_negative,
    expm1_reduced_parts,
    expm1_scaled,
    log_reduce,
    log_sum,
)
from ..primitives.float64.exponential import celu_series, clamp_far, clamp_low, exp_reduce, scale_down, scale_far, xielu_series
from ..primitives.parts import fast_two_sum, keep_nan, over_square, quotient, scale_wide, two_product, two_sum

SELU_SCALE = Constant("1.0507009873554804934193349852946")
SELU_SCALE_ALPHA = Constant("1.7580993408473768599402175208123193421")  # times 1.6732632423543772848170429916717


@activation(
    latex=r"f(x) = e^x", alias=("exp",), range=("0", "inf"), limits=("0", "inf"), slopes=("0", "inf"),
    saturates=("soft", "no"), notes="Overflow to inf gives no warning.", reference="keras.activations.exponential.",
)  # fmt: skip
def exponential(x):
    """Exponential: exp(x)."""
    e = exp(x)
    return e, e


@exponential.from_output
def exponential_from_output(y):
    return y


@activation(
    latex=r"f(x) = x \text{ if } x > 0 \text{ else } \alpha (e^x - 1)", params={"alpha": 1.0}, range=("-alpha", "inf"),
    limits=("-alpha", "inf"), slopes=("0", "1"), kinks=("0 unless alpha = 1",), saturates=("soft", "no"), smoothness="C1",
    notes="The derivative at 0 is alpha.", output_needs={"alpha": 0.0},
    reference="Clevert, Unterthiner and Hochreiter 2015, Fast and accurate deep network learning by ELUs, arXiv:1511.07289.",
)  # fmt: skip
def elu(x, alpha):
    """Exponential linear unit: x for x > 0, else alpha * (exp(x) - 1)."""
    left, m, p, k = elu_parts(alpha, select(x > 0.0, 0.0, x))
    return (
        select(x < 0.0, left, x),  # x is also -0.0 or NaN
        select(x > 0.0, 1.0, scale_far(alpha, p, k)),
        select(x > 0.0, 0.0, m),
    )


@elu.from_output
def elu_from_output(y, alpha):
    # sqrt makes the NaN where either branch may have given y
    return select(alpha < 0.0, sqrt(alpha), select(y > 0.0, 1.0, y + alpha))


@activation(
    latex=r"f(x) = \lambda x \text{ if } x > 0 \text{ else } \lambda \alpha (e^x - 1)", range=("-1.758", "inf"),
    limits=("-1.7580993408473768", "inf"), slopes=("0", "1.0507009873554805"), kinks=(0.0,), saturates=("soft", "no"),
    smoothness="C0", notes="The derivative at 0 is that of the left branch.", zero_centred=True,
    reference="Klambauer et al. 2017, Self-normalizing neural networks, arXiv:1706.02515.",
)  # fmt: skip
def selu(x):
    """Scaled exponential linear unit, with the self-normalising scale and alpha."""
    n = select(x > 0.0, 0.0, x)
    m, m_low = expm1_negative(n)
    p, low, k = exp_parts(clamp_low(n))
    left = fma(SELU_SCALE_ALPHA.hi, m, mul_add(SELU_SCALE_ALPHA.hi, m_low, SELU_SCALE_ALPHA.lo * m))
    right = select(abs(x) > 1e30, SELU_SCALE.hi * x, fma(SELU_SCALE.hi, x, SELU_SCALE.lo * x))
    slope = fma(SELU_SCALE_ALPHA.hi, p, mul_add(SELU_SCALE_ALPHA.hi, low, SELU_SCALE_ALPHA.lo * p))
    return select(x < 0.0, left, select(x == 0.0, x, right)), select(x > 0.0, SELU_SCALE.hi, scale_down(slope, k))


@selu.from_output
def selu_from_output(y):
    return select(y > 0.0, SELU_SCALE.hi, (y + SELU_SCALE_ALPHA.hi) + SELU_SCALE_ALPHA.lo)


@activation(
    latex=r"f(x) = x \text{ if } x > 0 \text{ else } \alpha (e^{x/\alpha} - 1)", params={"alpha": 1.0},
    range=("-alpha", "inf"), limits=("-alpha", "inf"), slopes=("0", "1"), saturates=("soft", "no"), smoothness="C1",
    reference="Barron 2017, Continuously differentiable exponential linear units, arXiv:1704.07483.",
)  # fmt: skip
def celu(x, alpha):
    """Continuously differentiable exponential linear unit: x for x > 0, else alpha * (exp(x/alpha) - 1)."""
    n = select(x > 0.0, 0.0, x)
    # x / alpha in two parts, for its rounding error is multiplied by |x / alpha| in the exponential
    inverse = 1.0 / alpha
    q = n * inverse
    z = clamp_low(q)
    z_low = select(z == q, fma(-q, alpha, n) * inverse, 0.0)
    r, k = exp_reduce(z)
    e, e_low = expm1_reduced_parts(r)
    e_low = mul_add(1.0 + e, z_low, e_low)
    m, m_low = expm1_scaled(e, e_low, k)
    p = 1.0 + (e + e_low)
    direct = m - scale_down(z * p, k)
    return (
        select(x < 0.0, mul_add(alpha, m_low, alpha * m), x),  # x is also -0.0 or NaN
        select(x > 0.0, 1.0, scale_down(p, k)),
        select(x > 0.0, 0.0, select(z > -1.0, celu_series(select(z > -1.0, z, -1.0)), direct)),
    )


@celu.from_output
def celu_from_output(y, alpha):
    return select(y > 0.0, 1.0, y / alpha + 1.0)


@activation(
    latex=r"f(x) = \tfrac{a}{b} x \text{ if } x \ge 0 \text{ else } a (e^{x/b} - 1)", params={"a": 1.0, "b": 1.0},
    alias=("parametric_elu",), range=("-a", "inf"), limits=("-a", "inf"), slopes=("0", "a / b"), saturates=("soft", "no"),
    smoothness="C1", notes="Both parameters are positive and trainable; b must be.", output_needs={"b": 0.0}, trained=("a", "b"),
    reference="Trottier, Giguere and Chaib-draa 2016, Parametric exponential linear unit, arXiv:1605.09332.",
)  # fmt: skip
def pelu(x, a, b):
    """Parametric exponential linear unit: (a / b) * x for x >= 0, else a * (exp(x / b) - 1)."""
    n = select(x > 0.0, 0.0, x)
    # x / b in two parts, as in celu
    inverse = 1.0 / b
    q = n * inverse
    z = clamp_far(q)
    z_low = select(z == q, fma(-q, b, n) * inverse, 0.0)
    r, k = exp_reduce(z)
    e, e_low = expm1_reduced_parts(r)
    e_low = mul_add(1.0 + e, z_low, e_low)
    m, m_low = expm1_scaled(e, e_low, k)
    p = 1.0 + (e + e_low)
    slope = a / b
    return (
        select(z > -1e-20, slope * x, mul_add(a, m_low, a * m)),  # x / b may be subnormal where the value is not
        select(x > 0.0, slope, scale_far(slope, p, k)),
        select(x > 0.0, x * inverse, m),
        select(x > 0.0, -(slope * (x * inverse)), scale_far(-(slope * z), p, k)),
    )


@pelu.from_output
def pelu_from_output(y, a, b):
    slope = a / b
    # slope y is positive on the right alone; sqrt makes the NaN where b has no meaning
    return select(b < 0.0, sqrt(b), select(slope * y > 0.0, slope, (y + a) / b))


@activation(
    latex=r"f(x) = \alpha_p x^2 + \beta x \text{ if } x > 0 \text{ else } \alpha_n (e^{\min(x, \epsilon)} - 1 - x) + \beta x",
    params={"alpha_p": 0.8, "alpha_n": 0.8, "beta": 0.5, "eps": -1e-6}, range=("-0.2058", "inf"), limits=("inf", "inf"),
    slopes=("beta - alpha_n", "inf"), kinks=("eps unless eps >= 0", "0 unless eps >= 0"), monotonic=False,
    smoothness="discontinuous", value_absolute="x < -1", slope_absolute="x < -0.5",
    notes="The parameters are the effective ones. The paper trains others, p and n, with alpha_p = softplus(p) and "
    "alpha_n = beta + softplus(n), beta fixed; so alpha_n > beta, which makes the limit at -inf +inf. With eps < 0, as in the "
    "authors' code, the value jumps at 0 by alpha_n * expm1(eps); eps = 0 gives the paper's formula, which is C1. "
    "Errors of values are absolute for x < -1, where the terms cancel.", trained=("alpha_p", "alpha_n"),
    reference="Huang and Schlag 2024, Deriving activation functions using integration, arXiv:2411.13010.",
)  # fmt: skip
def xielu(x, alpha_p, alpha_n, beta, eps):
    """Expanded integral of the ELU: alpha_p * x^2 + beta * x for x > 0, else alpha_n * (expm1(min(x, eps)) - x) + beta * x."""
    n = select(x > 0.0, 0.0, x)
    c = select(n < eps, n, keep_nan(eps, n))
    own = c == n
    r, k = exp_reduce(clamp_far(c))
    e, e_low = expm1_reduced_parts(r)
    m, m_low = expm1_scaled(e, e_low, k)
    # Near 0 expm1(x) - x is a series; elsewhere the value is (beta - alpha_n) x + alpha_n expm1(x), whose terms cancel at
    # its root, so that they carry what they round. That drops out where it is infinite.
    near = c > -0.75
    s = select(near, c, 0.0)
    bend = xielu_series(s)
    d, d_low = two_sum(beta, -alpha_n)
    p, p_low = two_product(d, n)
    h, h_low = two_product(alpha_n, m)
    y, y_low = two_sum(p, h)
    low = y_low + (mul_add(d_low, n, p_low) + mul_add(alpha_n, m_low, h_low))
    far = y + select(low == low, low, 0.0)
    left = select(near & own, n * fma(alpha_n, bend, beta), far)
    w, w_low = two_sum(m, -n)
    right = x > 0.0
    zero = keep_nan(0.0, x)
    return (
        select(right, x * fma(alpha_p, x, beta), left),
        select(right, fma(2.0 * alpha_p, x, beta), select(own, fma(alpha_n, m, beta) + alpha_n * m_low, keep_nan(d, x))),
        select(x <= 0.0, 0.0, x * x),
        select(right, 0.0, select(near, mul_add(s, bend, c - n), w + select(w - w == 0.0, w_low + m_low, 0.0))),
        x,
        select(right | own, zero, scale_far(alpha_n, 1.0 + e, k)),
    )


@activation(
    latex=r"f(x) = \log(1 - e^{-x})", range=("-inf", "0"), limits=("nan", "-0.0"), slopes=("nan", "0"),
    saturates=("no", "soft"), notes="Defined for x >= 0: -inf at 0, where the derivative is +inf; NaN for x < 0.",
    reference="Maechler 2012, Accurately computing log(1 - exp(-|a|)).",
)  # fmt: skip
def log1mexp(x):
    """Logarithm of 1 - exp(-x), for x >= 0."""
    a = abs(x)
    m, m_low = expm1_negative(-a)
    p, low, k = exp_parts(clamp_low(-a))
    # Up to ln 4 the logarithm of -expm1(-x); from there on 1 - e is within a factor sqrt(2) of 1, and
    # log1p(-e) keeps its digits.
    far = a > 1.3862943611198906
    f, f_low, n = log_reduce(-m, -m_low)
    f = select(far, -scale_down(p, k), f)
    f_low = select(far, -scale_down(low, k), f_low)
    value = select(a > 0.0, log_sum(f, f_low, select(far, 0.0, n)), -1.0 / a)
    # sqrt makes the NaN where x < 0
    return select(x >= 0.0, value, sqrt(x)), select(x >= 0.0, scale_wide(p / -m, k), sqrt(x))


@log1mexp.from_output
def log1mexp_from_output(y):
    m, low = expm1_negative(y)
    return -m * exp(-y)


@activation(
    latex=r"f(x) = x \sigma(x) \text{ if } x \ge 0 \text{ else } (e^x - 1) \sigma(x)", range=("-0.172", "inf"),
    limits=("-0.0", "inf"), slopes=("0", "1"), monotonic=False, saturates=("soft", "no"), smoothness="C1",
    bound=4.0, slope_root="-0.88137358701954302523",
    second_least="((abs(x - 2.4) < 1) | (abs(x + 1.72) < 0.7)) / 16",
    reference="Basirat and Roth 2018, The quest for the golden activation function, arXiv:1808.00783.",
)  # fmt: skip
def elish(x):
    """Exponential linear sigmoid squashing: x * sigmoid(x) for x >= 0, else expm1(x) * sigmoid(x)."""
    a = abs(x)
    m, m_low = expm1_negative(-a)
    p, low, k = exp_parts(clamp_low(-a))
    e = scale_down(p, k)
    d, d_low = fast_two_sum(1.0, e)
    right = x >= 0.0
    c = select(a > 1e3, 1e3, a)
    # On the left e^x is scaled by 2^k last, so that subnormal results are rounded once. The derivative
    # there is e (e (1 + e) + e - 1) / (1 + e)^2.
    left_value = scale_down(quotient(p * m, d, d_low), k)
    left_slope = scale_down(over_square(p * mul_add(e, d, m), d, d_low), k)
    return (
        select(right, x / d, left_value),
        select(right, (1.0 + c * (e / d)) / d, left_slope),
    )


@activation(
    latex=r"f(x) = x h(x) \text{ if } x \ge 0 \text{ else } (e^x - 1) h(x), \quad h(x) = \min(\max((x + 1) / 2, 0), 1)",
    range=("-0.0997", "inf"), limits=("-0.0", "inf"), slopes=("0", "1"), kinks=(-1.0, 1.0), monotonic=False,
    saturates=("hard", "no"), smoothness="C0",
    notes="The derivative at -1 is taken as 0 and at 1 as 1.",
    slope_root="-0.44285440100238858314",
    reference="Basirat and Roth 2018, The quest for the golden activation function, arXiv:1808.00783.",
)  # fmt: skip
def hard_elish(x):
    """Hard ELiSH: the exponential linear unit squashed by a hard sigmoid."""
    n = select(x > 0.0, 0.0, x)
    m, m_low = expm1_negative(n)
    gate = 0.5 * (x + 1.0)
    left = select(x <= -1.0, -0.0, mul_add(m, gate, m_low * gate))
    # (e^x (x + 2) - 1) / 2 = (expm1(x) (x + 2) + x + 1) / 2
    left_slope = select(x <= -1.0, 0.0, 0.5 * mul_add(m, x + 2.0, x + 1.0))
    return (
        select(x >= 1.0, x, select(x >= 0.0, x * gate, left)),
        select(x >= 1.0, 1.0, select(x >= 0.0, x + 0.5, left_slope)),
    )
