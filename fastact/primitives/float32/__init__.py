"""Primitives whose polynomials and limits are those of float32. The fits: tools/fit_polynomials.py."""

from . import elementary, exponential, hyperbolic, logistic, normal, parts, rows, softplus, trigonometry

__all__ = ["elementary", "exponential", "hyperbolic", "logistic", "normal", "parts", "rows", "softplus", "trigonometry"]
