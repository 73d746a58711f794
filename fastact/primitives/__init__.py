"""The functions that formulas are written over, in the same language as the formulas.

``float32`` and ``float64`` hold what depends on the precision (polynomials, clamps), under the same
names; ``common`` builds on either.
"""
