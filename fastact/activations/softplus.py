"""The softplus."""

from ..language.atoms import abs, select
from ..language.registry import activation
from ..primitives.exponential import expm1_negative, expm1_reduced, log1p_exp
from ..primitives.float64.exponential import clamp_for, exp_reduce_product, scale_down
from ..primitives.softplus import softplus_parts


@activation(
    latex=r"f(x) = \frac{1}{\beta} \log(1 + e^{\beta x})", params={"beta": 1.0}, range=("0", "inf"), limits=("0", "inf"),
    slopes=("0", "1"), saturates=("soft", "no"), bound32=4.0,
    notes="There is no threshold beyond which x is returned (torch has one at 20): the formula is exact everywhere. "
    "For |beta| below 1e-8 (float32; 1e-100 in float64) the left tail beyond |beta x| = 128 (800) stays where it was.",
    reference="Dugas et al. 2000, Incorporating second-order functional knowledge for better option pricing.",
)  # fmt: skip
def softplus(x, beta):
    """Softplus: log(1 + exp(beta * x)) / beta."""
    # log(1 + e^s) = max(s, 0) + log1p(e^-|s|); and max(s, 0) / beta is x itself or 0.
    tail, slope = softplus_parts(beta, x)
    # The partial derivative is minus the entropy of the logistic at s over beta^2: two positive terms; e = exp(-|s|) = m 2^k.
    c = abs(clamp_for(beta, x))
    a = abs(beta) * c
    r, k = exp_reduce_product(-abs(beta), c)
    m = 1.0 + expm1_reduced(r)
    e = scale_down(m, k)
    far = a > 40.0
    entropy = log1p_exp(e, 0.0) + a * e / (1.0 + e)
    partial = -(select(far, m * (1.0 + a), entropy) / beta) / beta
    return select(beta * x > 0.0, x, 0.0) + tail, slope, select(far, scale_down(partial, k), partial)


@softplus.from_output
def softplus_from_output(y, beta):
    m, low = expm1_negative(-beta * y)  # 1 - exp(-beta y)
    return -m
