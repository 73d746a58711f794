"""The logistic sigmoid, the hyperbolic tangent, functions made of one of them, and the normal distribution function."""

from ..language.atoms import abs, copysign, fma, mul_add, select
from ..language.registry import activation
from ..primitives.exponential import exp_parts_low, expm1_negative
from ..primitives.float64.exponential import (
    clamp_far,
    clamp_far_for,
    clamp_low,
    exp_reduce,
    exp_reduce_product,
    scale_down,
    scale_far,
)
from ..primitives.float64.hyperbolic import softcap_part, tanh_near
from ..primitives.float64.normal import clamp_normal, mills
from ..primitives.hyperbolic import (
    sech_squared,
    tanh_ends,
    tanh_parts,
    tanh_positive,
    tanh_rest,
    tanh_rounded,
    tanh_shrink_unit,
    tanh_slope,
)
from ..primitives.logistic import logistic, sigmoid_slope
from ..primitives.normal import SQRT_HALF_PI_INVERSE
from ..primitives.parts import quotient_parts, square, two_product, two_sum
from ..primitives.softplus import log_logistic_parts


@activation(
    latex=r"f(x) = \frac{1}{1 + e^{-x}}", alias=("logistic", "expit"), range=("0", "1"), limits=("0", "1"), slopes=("0", "0"),
    saturates=("soft", "soft"), bound32=4.0,
    reference="Rumelhart, Hinton and Williams 1986, Learning representations by back-propagating errors.",
)  # fmt: skip
def sigmoid(x):
    """Logistic sigmoid: 1 / (1 + exp(-x))."""
    return logistic(x), sigmoid_slope(x)


@sigmoid.from_output
def sigmoid_from_output(y):
    return y * (1.0 - y)


@activation(
    latex=r"f(x) = \log \frac{1}{1 + e^{-x}}", alias=("logsigmoid",), range=("-inf", "0"), limits=("-inf", "-0.0"),
    slopes=("1", "0"), saturates=("no", "soft"), bound32=4.0, reference="torch.nn.LogSigmoid; jax.nn.log_sigmoid.",
)  # fmt: skip
def log_sigmoid(x):
    """Logarithm of the logistic sigmoid."""
    tail, slope = log_logistic_parts(x)
    return select(x > 0.0, 0.0, x) - tail, slope


@log_sigmoid.from_output
def log_sigmoid_from_output(y):
    m, low = expm1_negative(y)  # 1 - exp(y)
    return -m


@activation(
    latex=r"f(x) = \tanh(x)", range=("-1", "1"), limits=("-1", "1"), slopes=("0", "0"), saturates=("soft", "soft"),
    zero_centred=True, bound32=4.0,
    reference="LeCun et al. 1998, Efficient backprop.",
)  # fmt: skip
def tanh(x):
    """Hyperbolic tangent."""
    return tanh_rounded(x), tanh_slope(x)


@tanh.from_output
def tanh_from_output(y):
    return (1.0 - y) * (1.0 + y)


@activation(
    latex=r"f(x) = x - \tanh(x)", alias=("tanhshrink",), range=("-inf", "inf"), limits=("-inf", "inf"), slopes=("1", "1"),
    zero_centred=True,
    reference="torch.nn.Tanhshrink.",
)  # fmt: skip
def tanh_shrink(x):
    """Tanh shrinkage: x - tanh(x)."""
    a = abs(x)
    t, t_low = tanh_parts(a)
    # Up to 3/4 the difference loses digits; the series does not.
    near = a <= 0.75
    y = select(near, tanh_shrink_unit(select(near, a, 0.75)), (a - t) - t_low)
    return copysign(y, x), square(t + t_low)


@activation(
    latex=r"f(x) = x \tanh(x)", range=("0", "inf"), limits=("inf", "inf"), slopes=("-1", "1"), monotonic=False,
    second_least="(abs(abs(x) - 1.2) < 0.5) / 4",
    reference="Roy et al. 2019, LiSHT: non-parametric linearly scaled hyperbolic tangent, arXiv:1901.05894.",
)  # fmt: skip
def lisht(x):
    """Linearly scaled hyperbolic tangent: x * tanh(x)."""
    a = abs(x)
    u, down = tanh_rest(a)
    c = select(a > 1e3, 1e3, a)  # beyond that tanh is 1 and sech^2 is 0, and inf * 0 would be NaN
    y = select(a <= 0.75, a * (a + tanh_near(a)), fma(c, -(u * down), a))
    return y, copysign(mul_add(c, sech_squared(x), tanh_positive(a)), x)


@activation(
    latex=r"f(x) = \alpha \tanh(\beta x)", params={"alpha": 1.7159, "beta": 2 / 3}, alias=("lecun_tanh",),
    range=("-alpha", "alpha"), limits=("-alpha", "alpha"), slopes=("0", "0"), saturates=("soft", "soft"),
    notes="With the defaults, LeCun's, f(1) and f(-1) are 1 and -1 to five digits.", zero_centred=True,
    reference="LeCun et al. 1998, Efficient backprop; ONNX's ScaledTanh.",
)  # fmt: skip
def scaled_tanh(x, alpha, beta):
    """Scaled hyperbolic tangent: alpha * tanh(beta * x)."""
    # The exponent -2 |beta x| is that of the exact product, for its error is multiplied by |beta x|.
    c = clamp_far_for(2.0 * beta, x)
    r, k = exp_reduce_product(-2.0 * abs(beta), abs(c))
    rest, slope = tanh_ends(r, k)
    far = fma(-alpha, rest, alpha)
    # Up to 3/4 beta x is carried in two parts, and out of the way of subnormal numbers.
    s = beta * x
    near = abs(s) <= 0.75
    tiny = abs(s) < 5.421010862427522e-20
    z, z_low = two_product(beta, select(tiny, x * 18446744073709551616.0, x))
    w, w_low = two_product(alpha, z)
    bend = tanh_near(select(near, s, 0.75))
    y = w + mul_add(alpha, z_low + bend, w_low)
    y = select(z == 0.0, w, select(tiny, y * 5.421010862427522e-20, y))
    left = s < 0.0
    tanh_far = 1.0 - rest
    return (
        select(near, y, select(left, -far, far)),
        scale_far(alpha * beta, slope, k),
        select(near, s + bend, select(left, -tanh_far, tanh_far)),
        scale_far(alpha * c, slope, k),
    )


@activation(
    latex=r"f(x) = c \tanh(x / c)", params={"cap": 50.0}, alias=("soft_cap", "logit_softcap"),
    range=("-cap", "cap"), limits=("-abs(cap)", "abs(cap)"), slopes=("0", "0"), saturates=("soft", "soft"),
    notes="The default is Gemma 2's for the logits of attention; its final logits have 30. The cap must not be 0.",
    zero_centred=True,
    reference="Gemma Team 2024, Gemma 2: improving open language models at a practical size, arXiv:2408.00118.",
)  # fmt: skip
def softcap(x, cap):
    """Soft capping: cap * tanh(x / cap)."""
    a = abs(x)
    c = abs(cap)
    # |x / cap| in two parts, for its rounding error is multiplied by it in the exponential
    inverse = 1.0 / c
    q = a * inverse
    z = clamp_low(-2.0 * q)
    q_low = select(z == -2.0 * q, fma(-q, c, a) * inverse, 0.0)
    r, k = exp_reduce(z)
    rest, slope = tanh_ends(r - 2.0 * q_low, k)
    near = q <= 0.75
    u = select(near, q, 0.75)
    slope = scale_down(slope, k)
    # tanh(q) - q sech(q)^2, about 2/3 q^3
    partial = select(near, mul_add(2.0 * u, u * q_low, softcap_part(u)), 1.0 - mul_add(-0.5 * z, slope, rest))
    return (
        copysign(select(near, mul_add(c, tanh_near(u), a), fma(-c, rest, c)), x),
        slope,
        select((x < 0.0) & (cap > 0.0) | (x > 0.0) & (cap < 0.0), -partial, partial),
    )

@activation(
    latex=r"f(x) = \tfrac{1}{2} \left(1 + \operatorname{erf} \frac{x - \mu}{\sigma \sqrt{2}}\right)",
    params={"mu": 0.7071067811865476, "sigma": 0.28209479177387814}, range=("0", "1"), limits=("0", "1"), slopes=("0", "0"),
    saturates=("soft", "soft"), bound=4.0,
    notes="The distribution function of a normal variable with mean mu and deviation sigma, which must not be 0. The defaults, "
    "sqrt(1/2) and sqrt(1/(4 pi)), give the value and the slope of squared_relu at sqrt(1/2).",
    reference="Ma et al. 2022, Mega: moving average equipped gated attention, arXiv:2209.10655.",
)  # fmt: skip
def laplace(x, mu, sigma):
    """Laplace function of Mega: Phi((x - mu) / sigma), Phi the standard normal distribution function."""
    # (x - mu)/sigma in two parts, for its error is multiplied by its square in the exponential
    d, d_low = two_sum(x, -mu)
    inverse = 1.0 / sigma
    q = d * inverse
    q_low = (fma(-q, sigma, d) + d_low) * inverse
    h, h_low = two_product(q, q)
    h_low = mul_add(2.0 * q, q_low, h_low)
    e = clamp_far(-0.5 * h)
    m, m_low, k = exp_parts_low(e, select(e == -0.5 * h, -0.5 * h_low, 0.0))
    density, w = two_product(SQRT_HALF_PI_INVERSE.hi, m)
    w = mul_add(SQRT_HALF_PI_INVERSE.hi, m_low, mul_add(SQRT_HALF_PI_INVERSE.lo, m, w))
    # Phi(-t) = phi(t) M(t), t = |q|; M'(t) = t M - 1 brings in the low part of t
    t = clamp_normal(abs(q))
    n, b = mills(t)
    a, a_low = two_product(density, n)
    u, u_low = quotient_parts(a, mul_add(w, n, a_low), b, 0.0)
    t_low = select(t == abs(q), select(q < 0.0, -q_low, q_low), 0.0)
    tail = scale_far(1.0, u + mul_add(mul_add(t, u, -density), t_low, u_low), k)
    density = density + w
    slope = scale_far(inverse, density, k)
    bounded = select(abs(q) > 100.0, 100.0, q)  # there the density has long underflowed
    return select(q >= 0.0, 1.0 - tail, tail), slope, -slope, scale_far(-(inverse * bounded), density, k)
