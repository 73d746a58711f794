"""The softplus."""

from ..language.atoms import abs, select
from ..language.registry import activation
from ..primitives.exponential import expm1_negative, expm1_reduced, log1p_exp
from ..primitives.float64.exponential import clamp_for, exp_reduce_product, scale_down, scale_down_large
from ..primitives.logistic import logistic_of


@activation(
    latex=r"f(x) = \frac{1}{\beta} \log(1 + e^{\beta x})", params={"beta": 1.0}, range=("0", "inf"), limits=("0", "inf"),
    slopes=("0", "1"), saturates=("soft", "no"),
    notes="There is no threshold beyond which x is returned (torch has one at 20): the formula is exact everywhere. "
    "For |beta| below 1e-8 (float32; 1e-100 in float64) the left tail beyond |beta x| = 128 (800) stays where it was.",
    reference="Dugas et al. 2000, Incorporating second-order functional knowledge for better option pricing.",
)  # fmt: skip
def softplus(x, beta):
    """Softplus: log(1 + exp(beta * x)) / beta."""
    # log(1 + e^s) = max(s, 0) + log1p(e^-|s|); and max(s, 0) / beta is x itself or 0.
    c = abs(clamp_for(beta, x))
    a = abs(beta) * c
    r, k = exp_reduce_product(-abs(beta), c)
    m = 1.0 + expm1_reduced(r)
    s = beta * x
    e = scale_down(m, k)
    # Far on the left log1p(e) is e = m 2^k to the last digit, and the power of two comes last.
    far = a > 40.0
    tail = select(far, m, log1p_exp(e, 0.0)) / beta
    tail = select(far, scale_down_large(tail, k, 1.0 - abs(beta)), tail)
    # The partial derivative is minus the entropy of the logistic at s over beta^2: two positive terms.
    entropy = log1p_exp(e, 0.0) + a * e / (1.0 + e)
    slope = -(select(far, m * (1.0 + a), entropy) / beta) / beta
    return select(s > 0.0, x, 0.0) + tail, logistic_of(s, e), select(far, scale_down(slope, k), slope)


@softplus.from_output
def softplus_from_output(y, beta):
    m, low = expm1_negative(-beta * y)  # 1 - exp(-beta y)
    return -m
