"""Primitives whose polynomials and limits are those of float64. The fits: tools/fit_polynomials.py."""

from . import exponential, hyperbolic, normal, parts, trigonometry

__all__ = ["exponential", "hyperbolic", "normal", "parts", "trigonometry"]
