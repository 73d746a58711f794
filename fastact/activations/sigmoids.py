"""The logistic sigmoid, the hyperbolic tangent, and functions made of one of them."""

from ..language.atoms import abs, copysign, fma, mul_add, select
from ..language.registry import activation
from ..primitives.exponential import exp_negative, expm1_negative, log1p_exp
from ..primitives.float64.hyperbolic import tanh_near
from ..primitives.hyperbolic import sech_squared, tanh_parts, tanh_positive, tanh_rest, tanh_shrink_unit
from ..primitives.logistic import logistic, logistic_of, logistic_slope
from ..primitives.parts import square


@activation(
    latex=r"f(x) = \frac{1}{1 + e^{-x}}", alias=("logistic", "expit"), range=("0", "1"), limits=("0", "1"), slopes=("0", "0"),
    zero_centred=False, saturates=("soft", "soft"),
    reference="Rumelhart, Hinton and Williams 1986, Learning representations by back-propagating errors.",
)  # fmt: skip
def sigmoid(x):
    """Logistic sigmoid: 1 / (1 + exp(-x))."""
    return logistic(x), logistic_slope(x)


@sigmoid.from_output
def sigmoid_from_output(y):
    return y * (1.0 - y)


@activation(
    latex=r"f(x) = \log \frac{1}{1 + e^{-x}}", alias=("logsigmoid",), range=("-inf", "0"), limits=("-inf", "-0.0"),
    slopes=("1", "0"), zero_centred=False, saturates=("no", "soft"), reference="torch.nn.LogSigmoid; jax.nn.log_sigmoid.",
)  # fmt: skip
def log_sigmoid(x):
    """Logarithm of the logistic sigmoid."""
    e, e_low = exp_negative(-abs(x))
    return select(x > 0.0, 0.0, x) - log1p_exp(e, e_low), logistic_of(-x, e)


@log_sigmoid.from_output
def log_sigmoid_from_output(y):
    m, low = expm1_negative(y)  # 1 - exp(y)
    return -m


@activation(
    latex=r"f(x) = \tanh(x)", range=("-1", "1"), limits=("-1", "1"), slopes=("0", "0"), saturates=("soft", "soft"),
    reference="LeCun et al. 1998, Efficient backprop.",
)  # fmt: skip
def tanh(x):
    """Hyperbolic tangent."""
    return copysign(tanh_positive(abs(x)), x), sech_squared(x)


@tanh.from_output
def tanh_from_output(y):
    return (1.0 - y) * (1.0 + y)


@activation(
    latex=r"f(x) = x - \tanh(x)", alias=("tanhshrink",), range=("-inf", "inf"), limits=("-inf", "inf"), slopes=("1", "1"),
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
    reference="Roy et al. 2019, LiSHT: non-parametric linearly scaled hyperbolic tangent, arXiv:1901.05894.",
)  # fmt: skip
def lisht(x):
    """Linearly scaled hyperbolic tangent: x * tanh(x)."""
    a = abs(x)
    u, down = tanh_rest(a)
    c = select(a > 1e3, 1e3, a)  # beyond that tanh is 1 and sech^2 is 0, and inf * 0 would be NaN
    y = select(a <= 0.75, a * (a + tanh_near(a)), fma(c, -(u * down), a))
    return y, copysign(mul_add(c, sech_squared(x), tanh_positive(a)), x)
