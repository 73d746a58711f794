"""The activations on NVIDIA GPUs, by Numba, from the same formulas as everywhere.

Arguments that live on a GPU (CuPy and torch arrays, Numba's device arrays, whatever has
``__cuda_array_interface__``) are computed there, on the current stream of their library, and come back as
an array of the same library. Nothing here need be called for that: ``fastact.gelu(x)`` sees where x is.
NumPy arrays are taken to a GPU and back by ``fastact.gelu(x, device="cuda")``.
"""

from __future__ import annotations

import sys

from .availability import is_available, why_unavailable

__all__ = ["empty_cache", "is_available", "why_unavailable"]


def empty_cache() -> None:
    """Let go of the pinned buffers and the GPU memory that calls on NumPy arrays keep for the next one.

    Examples
    --------
    >>> import fastact as fa
    >>> y = fa.relu([-1.0, 2.0], device="cuda" if fa.cuda.is_available() else "cpu")
    >>> fa.cuda.empty_cache()
    >>> y
    array([0., 2.])
    """
    host = sys.modules.get(f"{__name__}.host")
    if host is not None:
        host.empty_cache()
