"""Bells and waves."""

from .._atoms import select
from .._spec import activation
from ..primitives.common import clamp_exp, exp_parts_low, scale_wide, two_product


@activation(
    latex=r"f(x) = e^{-x^2}", alias=("rbf", "gaussian_activation"), range=("0", "1"), limits=("0", "0"), slopes=("0", "0"),
    monotonic=False, zero_centred=False, saturates=("soft", "soft"),
    reference="Broomhead and Lowe 1988, Multivariable functional interpolation and adaptive networks.",
)  # fmt: skip
def gaussian(x):
    """Gaussian: exp(-x^2)."""
    c = select(x > 40.0, 40.0, select(x < -40.0, -40.0, x))  # exp(-1600) is 0
    h, h_low = two_product(c, c)
    n = clamp_exp(-h)
    p, p_low, k = exp_parts_low(n, select(n == -h, -h_low, 0.0))
    return scale_wide(p, k), scale_wide(-2.0 * c * p, k)
