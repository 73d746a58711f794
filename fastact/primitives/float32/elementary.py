"""For elementary functions."""

from ...language.registry import primitive


@primitive
def far_point(x):
    """Far out, where exponentials have long settled and a square or two do not overflow; x is of no account."""
    return 1e+18
