"""Numbers in two parts, ``high + low`` with ``high`` the rounded sum: exact sums, products and quotients."""

from ...language.atoms import fma
from ...language.registry import primitive


@primitive
def sixth(x):
    """x / 6: two products take less time than a division. Both parts of 1/6 are positive, so that -0.0 stays what it is."""
    return fma(x, 0.16666666, x * 9.9341078e-09)
