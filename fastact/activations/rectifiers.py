"""Piecewise linear and quadratic functions: the rectifier and its variants, steps, clamps, shrinks."""

from ..language.atoms import abs, fma, select, sqrt
from ..language.registry import activation
from ..primitives.parts import keep_nan, two_product, two_sum


@activation(
    latex=r"f(x) = x", alias=("linear",), range=("-inf", "inf"), limits=("-inf", "inf"), slopes=("1", "1"), zero_centred=True,
    reference="The linear unit of the adaline: Widrow and Hoff 1960, Adaptive switching circuits.",
)  # fmt: skip
def identity(x):
    """Identity."""
    return x, keep_nan(1.0, x)


@identity.from_output
def identity_from_output(y):
    return keep_nan(1.0, y)


@activation(
    latex=r"f(x) = 1 \text{ if } x > \theta,\ h \text{ if } x = \theta,\ 0 \text{ if } x < \theta",
    params={"threshold": 0.0, "at": 1.0},
    alias=("heaviside", "binary_step", "perceptron"), range=("0", "1"), limits=("0", "1"), slopes=("0", "0"),
    kinks=("threshold",), saturates=("hard", "hard"), smoothness="discontinuous",
    notes="At the threshold the value is `at` (h): with 1 the unit fires there, with 0, as the perceptron's, only above. "
    "The derivative is 0 everywhere, at the threshold too.",
    reference="McCulloch and Pitts 1943, A logical calculus of the ideas immanent in nervous activity; Rosenblatt 1958.",
)  # fmt: skip
def step(x, threshold, at):
    """Unit step of the perceptron: 1 where x > threshold, 0 below, and at the threshold what is given."""
    zero = keep_nan(0.0, x)
    return select(x > threshold, 1.0, select(x == threshold, at, zero)), zero, zero, select(x == threshold, 1.0, zero)


@activation(
    latex=r"f(x) = \operatorname{sign}(x)", alias=("signum",), range=("-1", "1"), limits=("-1", "1"), slopes=("0", "0"),
    kinks=(0.0,), saturates=("hard", "hard"), smoothness="discontinuous",
    notes="Zeros keep their sign. The derivative is 0 everywhere.", zero_centred=True,
    reference="Rosenblatt 1958, The perceptron (the bipolar unit).",
)  # fmt: skip
def sign(x):
    """Sign of x: -1, 0 or 1."""
    return select(x > 0.0, 1.0, select(x < 0.0, -1.0, x)), keep_nan(0.0, x)


@activation(
    latex=r"f(x) = \max(x, 0)", alias=("rectifier", "ramp"), range=("0", "inf"), limits=("0", "inf"), slopes=("0", "1"),
    kinks=(0.0,), saturates=("hard", "no"), smoothness="C0", notes="The derivative at 0 is taken as 0.",
    reference="Fukushima 1969; Nair and Hinton 2010, Rectified linear units improve restricted Boltzmann machines.",
)  # fmt: skip
def relu(x):
    """Rectified linear unit: max(x, 0)."""
    return select(x <= 0.0, 0.0, x), select(x > 0.0, 1.0, keep_nan(0.0, x))


@relu.from_output
def relu_from_output(y):
    return select(y > 0.0, 1.0, keep_nan(0.0, y))


@activation(
    latex=r"f(x) = \min(\max(x, 0), 6)", range=("0", "6"), limits=("0", "6"), slopes=("0", "0"),
    kinks=(0.0, 6.0), saturates=("hard", "hard"), smoothness="C0", notes="The derivative at 0 and at 6 is taken as 0.",
    reference="Krizhevsky 2010, Convolutional deep belief networks on CIFAR-10.",
)  # fmt: skip
def relu6(x):
    """Rectified linear unit clipped at 6."""
    positive = select(x <= 0.0, 0.0, x)
    return select(positive > 6.0, 6.0, positive), select((x > 0.0) & (x < 6.0), 1.0, keep_nan(0.0, x))


@relu6.from_output
def relu6_from_output(y):
    return select((y > 0.0) & (y < 6.0), 1.0, keep_nan(0.0, y))


@activation(
    latex=r"f(x) = x \text{ if } x > 0 \text{ else } s x", params={"negative_slope": 0.01}, alias=("lrelu",),
    output_needs={"negative_slope": 0.0},
    range=("-inf", "inf"), limits=("-inf", "inf"), slopes=("negative_slope", "1"), kinks=(0.0,), smoothness="C0",
    notes="The default slope is torch's (keras 0.2 or 0.3). The derivative at 0 is the negative slope, as in torch; jax takes 1.",
    reference="Maas, Hannun and Ng 2013, Rectifier nonlinearities improve neural network acoustic models.",
)  # fmt: skip
def leaky_relu(x, negative_slope):
    """Leaky rectified linear unit: x for x > 0, else negative_slope * x."""
    return (
        select(x > 0.0, x, negative_slope * x),
        select(x > 0.0, 1.0, keep_nan(negative_slope, x)),
        select(x > 0.0, 0.0, x),
    )


@leaky_relu.from_output
def leaky_relu_from_output(y, negative_slope):
    # sqrt makes the NaN where either branch may have given y
    return select(negative_slope < 0.0, sqrt(negative_slope), select(y > 0.0, 1.0, keep_nan(negative_slope, y)))


@activation(
    latex=r"f(x) = x \text{ if } x > 0 \text{ else } w x", params={"weight": 0.25}, alias=("parametric_relu",),
    range=("-inf", "inf"), limits=("-inf", "inf"), slopes=("weight", "1"), kinks=(0.0,), smoothness="C0",
    notes="A weight of one element per channel broadcasts along the last axis; reshape it for another. "
    "The default is torch's initial value. The derivative at 0 is the weight.", trained=("weight",),
    reference="He, Zhang, Ren and Sun 2015, Delving deep into rectifiers, arXiv:1502.01852.",
)  # fmt: skip
def prelu(x, weight):
    """Parametric rectified linear unit: x for x > 0, else weight * x, with a trainable weight."""
    return (
        select(x > 0.0, x, weight * x),
        select(x > 0.0, 1.0, keep_nan(weight, x)),
        select(x > 0.0, 0.0, x),
    )


@activation(
    latex=r"f(x) = x \text{ if } x > \theta \text{ else } v", params={"threshold": 0.0, "value": 0.0},
    range=("value", "inf"), limits=("value", "inf"), slopes=("0", "1"), kinks=("threshold",), saturates=("hard", "no"),
    smoothness="C0", notes="With the defaults this is relu. The derivative at the threshold is taken as 0.",
    reference="torch.nn.Threshold.",
)  # fmt: skip
def threshold(x, threshold, value):
    """Thresholding: x where x > threshold, else value."""
    zero = keep_nan(0.0, x)
    above = x > threshold
    return select(above, x, keep_nan(value, x)), select(above, 1.0, zero), zero, select(above, 0.0, keep_nan(1.0, x))


@activation(
    latex=r"f(x) = x \text{ if } x > \alpha \text{ else } 0", params={"alpha": 1.0}, alias=("trec",),
    range=("0", "inf"), limits=("0", "inf"), slopes=("0", "1"), kinks=("alpha",), saturates=("hard", "no"),
    smoothness="discontinuous", notes="The derivative at alpha is taken as 0.",
    reference="Konda, Memisevic and Krueger 2014, Zero-bias autoencoders, arXiv:1402.3337.",
)  # fmt: skip
def thresholded_relu(x, alpha):
    """Thresholded rectified linear unit: x where x > alpha, else 0."""
    zero = keep_nan(0.0, x)
    return select(x > alpha, x, zero), select(x > alpha, 1.0, zero), zero


@activation(
    latex=r"f(x) = \max(x, 0)^2", alias=("relu2", "relu_squared"), range=("0", "inf"), limits=("0", "inf"),
    slopes=("0", "inf"), saturates=("hard", "no"), smoothness="C1",
    reference="So et al. 2021, Primer: searching for efficient transformers, arXiv:2109.08668.",
)  # fmt: skip
def squared_relu(x):
    """Squared rectified linear unit: max(x, 0)^2."""
    positive = select(x <= 0.0, 0.0, x)
    return positive * positive, 2.0 * positive


@squared_relu.from_output
def squared_relu_from_output(y):
    return 2.0 * sqrt(y)


@activation(
    latex=r"f(x) = y_0 + m (x - x_0), \quad m = m_\text{left} \text{ if } x \le x_0 \text{ else } m_\text{right}",
    params={"x0": 1.0, "y0": 1.0, "slope_left": 1.0, "slope_right": -1.0}, alias=("reflected_linear_unit",),
    range=("-inf", "1"), limits=("-inf", "-inf"), slopes=("slope_left", "slope_right"), kinks=("x0",), monotonic=False,
    smoothness="C0", notes="All four parameters are trainable. At x0 the left slope counts.",
    trained=("x0", "y0", "slope_left", "slope_right"),
    reference="None known: a tent map with free slopes.",
)  # fmt: skip
def reflu(x, x0, y0, slope_left, slope_right):
    """Reflected linear unit: two lines that meet at (x0, y0)."""
    right = x > x0
    m = select(right, slope_right, slope_left)
    # Near the roots y0 and m (x - x0) cancel, so both the difference and the product carry their
    # rounding errors; an infinite x makes these NaN, and they are dropped then.
    d, d_low = two_sum(x, -x0)
    p, p_low = two_product(m, d)
    y, y_low = two_sum(p, y0)
    low = y_low + (p_low + m * d_low)
    value = y + select(low == low, low, 0.0)
    left_part = select(right, 0.0, d)
    right_part = select(right, d, keep_nan(0.0, x))
    return value, keep_nan(m, x), keep_nan(-m, x), keep_nan(1.0, x), left_part, right_part


@activation(
    latex=r"f(x) = t_r + a_r (x - t_r) \text{ if } x \ge t_r,\ t_l + a_l (x - t_l) \text{ if } x \le t_l,\ \text{else } x",
    params={"t_r": 1.0, "a_r": 1.0, "t_l": 0.0, "a_l": 0.2}, alias=("s_shaped_relu",),
    range=("-inf", "inf"), limits=("-inf", "inf"), slopes=("a_l", "a_r"), kinks=("t_l unless a_l = 1", "t_r unless a_r = 1"),
    smoothness="C0", notes="All four parameters are trainable; the defaults make a leaky rectifier, where training may start. "
    "At t_r and t_l the slopes a_r and a_l count. t_l must not be above t_r; where it is, x >= t_r comes first.",
    trained=("t_r", "a_r", "t_l", "a_l"),
    reference="Jin et al. 2015, Deep learning with S-shaped rectified linear activation units, arXiv:1512.07030.",
)  # fmt: skip
def srelu(x, t_r, a_r, t_l, a_l):
    """S-shaped rectified linear unit: x between t_l and t_r, lines with slopes a_l and a_r beyond."""
    below = x < t_r
    inside = below & (x > t_l)
    t = select(below, t_l, t_r)
    a = select(below, a_l, a_r)
    # As in reflu; a product of 0 and an infinite difference is 0.
    d, d_low = two_sum(x, -t)
    p, p_low = two_product(a, d)
    y, y_low = two_sum(select(a == 0.0, 0.0, p), t)
    low = y_low + (p_low + a * d_low)
    value = keep_nan(y, x) + select(low == low, low, 0.0)
    zero = keep_nan(0.0, x)
    right = select(below, 0.0, 1.0)
    left = select(below, select(inside, 0.0, 1.0), 0.0)
    return (
        select(inside, x, value),
        select(inside, 1.0, keep_nan(a, x)),
        keep_nan(right * (1.0 - a), x),
        select(below, zero, d),
        keep_nan(left * (1.0 - a), x),
        select(below, select(inside, 0.0, d), zero),
    )


@activation(
    latex=r"f(x) = s \max(x, 0)^2 + b", params={"scale": 0.8944271909999159, "bias": -0.4472135954999579},
    range=("bias", "inf"), limits=("bias", "inf"), slopes=("0", "inf"), saturates=("hard", "no"),
    smoothness="C1", notes="The defaults give zero mean and unit variance for standard normal input.",
    zero_centred=True, trained=("scale", "bias"),
    reference="Yu et al. 2022, MetaFormer baselines for vision, arXiv:2210.13452.",
)  # fmt: skip
def star_relu(x, scale, bias):
    """StarReLU: scale * max(x, 0)^2 + bias."""
    positive = select(x <= 0.0, 0.0, x)
    # At the root the square and the bias cancel: the square and its product with scale carry errors.
    q, q_low = two_product(positive, positive)
    p, p_low = two_product(scale, q)
    y, y_low = two_sum(p, bias)
    low = y_low + (p_low + scale * q_low)
    value = select(q < 1e30, y + low, (scale * positive) * positive + bias)  # the square may overflow before its product
    return value, 2.0 * (scale * positive), positive * positive, keep_nan(1.0, x)


@activation(
    latex=r"f(x) = \max(x, 0); (x + \beta)^2 / 4 \beta \text{ on } |x| < \beta", params={"beta": 1.0},
    range=("0", "inf"), limits=("0", "inf"), slopes=("0", "1"), saturates=("hard", "no"), smoothness="C1",
    reference="Shamir, Lin and Coviello 2020, Smooth activations and reproducibility in deep networks, arXiv:2010.09931.",
)  # fmt: skip
def smelu(x, beta):
    """Smooth rectified linear unit: quadratic on |x| < beta."""
    t, t_low = two_sum(x, beta)
    half = (0.5 * t) / beta
    inside = fma(half, t_low, 0.5 * (half * t))
    zero = keep_nan(0.0, x)
    return (
        select(x >= beta, x, select(x <= -beta, zero, inside)),
        select(x >= beta, 1.0, select(x <= -beta, zero, half)),
        select(abs(x) >= beta, 0.0, 0.5 * half * ((beta - x) / beta)),
    )


@activation(
    latex=r"f(x) = 0,\ (x+1)^2/4,\ x \text{ on } x \le -1,\ |x| < 1,\ x \ge 1", range=("0", "inf"), limits=("0", "inf"),
    slopes=("0", "1"), saturates=("hard", "no"), smoothness="C1",
    reference="jax.nn.sparse_plus; Martins and Astudillo 2016, From softmax to sparsemax, arXiv:1602.02068.",
)  # fmt: skip
def sparse_plus(x):
    """Sparse plus: the softplus of sparsemax."""
    t, t_low = two_sum(x, 1.0)
    inside = fma(0.5 * t, t_low, 0.25 * (t * t))
    zero = keep_nan(0.0, x)
    return (
        select(x >= 1.0, x, select(x <= -1.0, zero, inside)),
        select(x >= 1.0, 1.0, select(x <= -1.0, zero, 0.5 * t)),
    )


@activation(
    latex=r"f(x) = \min(\max(x, a), b)", params={"min_val": -1.0, "max_val": 1.0}, range=("min_val", "max_val"),
    limits=("min_val", "max_val"), slopes=("0", "0"), kinks=("min_val", "max_val"), saturates=("hard", "hard"), smoothness="C0",
    notes="min_val must be below max_val. The derivative at the kinks is taken as 0, as in torch.", zero_centred=True,
    reference="Collobert 2004, Large scale machine learning.",
)  # fmt: skip
def hard_tanh(x, min_val, max_val):
    """Hard tanh: x clamped to [min_val, max_val]."""
    zero = keep_nan(0.0, x)
    low = select(x < min_val, min_val, x)
    return (
        select(low > max_val, max_val, low),
        select((x > min_val) & (x < max_val), 1.0, zero),
        select(x <= min_val, 1.0, zero),
        select(x >= max_val, 1.0, zero),
    )


@hard_tanh.from_output
def hard_tanh_from_output(y, min_val, max_val):
    return select((y > min_val) & (y < max_val), 1.0, keep_nan(0.0, y))


@activation(
    latex=r"f(x) = \min(\max(s x + o, 0), 1)", params={"slope": 1 / 6, "offset": 0.5}, range=("0", "1"), limits=("0", "1"),
    slopes=("0", "0"), kinks=("-offset / slope", "(1 - offset) / slope"), saturates=("hard", "hard"),
    smoothness="C0", notes="Slope and offset default to those of torch, jax and keras; ONNX has slope 0.2. "
    "The derivative at the kinks is taken as 0.",
    reference="Courbariaux, Bengio and David 2015, BinaryConnect, arXiv:1511.00363.",
)  # fmt: skip
def hard_sigmoid(x, slope, offset):
    """Hard sigmoid: slope * x + offset clamped to [0, 1]."""
    u = fma(slope, x, offset)  # rounded once
    lower = -offset / slope  # kinks are where they are rounded to
    upper = (1.0 - offset) / slope
    # Below 1, though it may round to 1: offset - 1 in two parts.
    rest, rest_low = two_sum(offset, -1.0)
    inside = (u > 0.0) & (fma(slope, x, rest) < -rest_low) & (x != lower) & (x != upper)
    zero = keep_nan(0.0, x)
    return (
        select((u <= 0.0) | (x == lower), 0.0, select((u >= 1.0) | (x == upper), 1.0, u)),
        select(inside, slope, zero),
        select(inside, x, zero),
        select(inside, 1.0, zero),
    )


@hard_sigmoid.from_output
def hard_sigmoid_from_output(y, slope, offset):
    return select((y > 0.0) & (y < 1.0), slope, keep_nan(0.0, y))


@activation(
    latex=r"f(x) = \min(\max((x + 1) / 2, 0), 1)", range=("0", "1"), limits=("0", "1"), slopes=("0", "0"), kinks=(-1.0, 1.0),
    saturates=("hard", "hard"), smoothness="C0", notes="The derivative at -1 and 1 is taken as 0.",
    reference="jax.nn.sparse_sigmoid; Martins and Astudillo 2016, From softmax to sparsemax, arXiv:1602.02068.",
)  # fmt: skip
def sparse_sigmoid(x):
    """Sparse sigmoid: (x + 1) / 2 clamped to [0, 1]; the derivative of sparse_plus."""
    u = 0.5 * (x + 1.0)
    return (
        select(x <= -1.0, 0.0, select(x >= 1.0, 1.0, u)),
        select((x > -1.0) & (x < 1.0), 0.5, keep_nan(0.0, x)),
    )


@sparse_sigmoid.from_output
def sparse_sigmoid_from_output(y):
    return select((y > 0.0) & (y < 1.0), 0.5, keep_nan(0.0, y))


@activation(
    latex=r"f(x) = \operatorname{sign}(x) \max(|x| - \lambda, 0)", params={"lambd": 0.5}, alias=("soft_threshold",),
    range=("-inf", "inf"), limits=("-inf", "inf"), slopes=("1", "1"), kinks=("-lambd", "lambd"), smoothness="C0",
    notes="The derivative at the kinks is taken as 0.", zero_centred=True,
    reference="Donoho 1995, De-noising by soft-thresholding, doi:10.1109/18.382009.",
)  # fmt: skip
def soft_shrink(x, lambd):
    """Soft shrinkage: x moved towards zero by lambd."""
    zero = keep_nan(0.0, x)
    least = select(lambd < 0.0, 0.0, lambd)
    right = x > least
    left = x < -least
    return (
        select(right, x - lambd, select(left, x + lambd, zero)),
        select(right | left, 1.0, zero),
        select(right, -1.0, select(left, 1.0, zero)),
    )


@activation(
    latex=r"f(x) = x \text{ if } |x| > \lambda \text{ else } 0", params={"lambd": 0.5}, alias=("hard_threshold",),
    range=("-inf", "inf"), limits=("-inf", "inf"), slopes=("1", "1"), kinks=("-lambd", "lambd"), smoothness="discontinuous",
    notes="The derivative at the kinks is taken as 0.", zero_centred=True,
    reference="Donoho and Johnstone 1994, Ideal spatial adaptation by wavelet shrinkage, doi:10.1093/biomet/81.3.425.",
)  # fmt: skip
def hard_shrink(x, lambd):
    """Hard shrinkage: x where |x| > lambd, else 0."""
    zero = keep_nan(0.0, x)
    outside = (x > lambd) | (x < -lambd)
    return select(outside, x, zero), select(outside, 1.0, zero), zero


@activation(
    latex=r"f(x) = x + b \text{ if } x < -\lambda,\ x - b \text{ if } x > \lambda,\ \text{else } 0",
    params={"lambd": 0.5, "bias": 0.0}, range=("-inf", "inf"), limits=("-inf", "inf"), slopes=("1", "1"),
    kinks=("-lambd", "lambd"), smoothness="discontinuous",
    notes="ONNX's operator and its defaults, with which this is hard_shrink; with bias = lambd it is soft_shrink. "
    "The derivative at the kinks is taken as 0.", zero_centred=True,
    reference="ONNX operator Shrink.",
)  # fmt: skip
def shrink(x, lambd, bias):
    """Shrinkage with a threshold and a bias: x moved towards zero by the bias where |x| > lambd, else 0."""
    zero = keep_nan(0.0, x)
    left = x < -lambd
    right = x > lambd
    return (
        select(left, x + bias, select(right, x - bias, zero)),
        select(left | right, 1.0, zero),
        zero,
        select(left, 1.0, select(right, -1.0, zero)),
    )
