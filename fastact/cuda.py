"""The activations on NVIDIA GPUs, by Numba, from the same formulas as everywhere.

Arguments that live on a GPU (CuPy and torch arrays, Numba's device arrays, whatever has
``__cuda_array_interface__``) are computed there, on the current stream of their library, and come back as
an array of the same library. Nothing here need be called for that: ``fastact.gelu(x)`` sees where x is.
NumPy arrays are taken to a GPU and back by ``fastact.gelu(x, device="cuda")``.
"""

from __future__ import annotations

import sys
from functools import cache

__all__ = ["empty_cache", "is_available", "why_unavailable"]


@cache
def why_unavailable() -> str | None:
    """Return the reason why no GPU can be used, or None if one can.

    Examples
    --------
    >>> import fastact as fa
    >>> fa.cuda.why_unavailable()  # doctest: +SKIP
    "Numba cannot be imported (No module named 'numba'); pip install 'fastact[cuda]'"
    """
    try:
        from numba import config, cuda
    except ImportError as error:
        return f"Numba cannot be imported ({error}); pip install 'fastact[cuda]'"
    if config.ENABLE_CUDASIM or cuda.is_available():
        return None
    cause = cuda.cuda_error()
    if cause:
        return f"there is no usable driver or GPU ({' '.join(str(cause).split())})"
    return "Numba finds no GPU or not the compiler NVVM of a CUDA toolkit; pip install 'fastact[cuda]' brings the latter"


def is_available() -> bool:
    """Return whether arrays can be computed on a GPU; `why_unavailable` tells why not.

    Examples
    --------
    >>> import fastact as fa
    >>> fa.cuda.is_available()  # doctest: +SKIP
    False
    """
    return why_unavailable() is None


def empty_cache() -> None:
    """Let go of the pinned buffers and the GPU memory that calls on NumPy arrays keep for the next one.

    Examples
    --------
    >>> import fastact as fa
    >>> fa.cuda.empty_cache()
    """
    host = sys.modules.get(f"{__package__}._cuda_host")
    if host is not None:
        host.empty_cache()
