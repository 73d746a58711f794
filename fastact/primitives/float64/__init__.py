"""Primitives whose polynomials and limits are those of float64. The fits: tools/fit_polynomials.py."""

from . import elementary, exponential, hyperbolic, normal, parts, trigonometry

__all__ = ["elementary", "exponential", "hyperbolic", "normal", "parts", "trigonometry"]
