"""The functions that formulas are written over, in the same language as the formulas.

``float32`` and ``float64`` hold what depends on the precision (polynomials, clamps), under the same names; the
other files have one text for both, built on either.
"""

from . import (
    curvature,
    elementary,
    exponential,
    float32,
    float64,
    hyperbolic,
    logistic,
    normal,
    parts,
    rows,
    softplus,
    trigonometry,
)

__all__ = [
    "curvature", "elementary", "exponential", "float32", "float64", "hyperbolic", "logistic", "normal", "parts", "rows",
    "softplus", "trigonometry",
]  # fmt: skip
