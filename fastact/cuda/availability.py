"""Whether a GPU can be used, and which values live on one. Nothing of Numba is imported before somebody asks."""

from __future__ import annotations

from functools import cache
from typing import Any

import numpy as np

#: The least version of Numba.
NUMBA = (0, 63)

@cache
def why_unavailable() -> str | None:
    """Return the reason why no GPU can be used, or None if one can.

    Examples
    --------
    >>> import fastact as fa
    >>> reason = fa.cuda.why_unavailable()  # "Numba cannot be imported (...); pip install 'fastact[cuda]'"
    >>> fa.cuda.is_available() or isinstance(reason, str)
    True
    """
    try:
        import numba
    except ImportError as error:
        return f"Numba cannot be imported ({error}); pip install 'fastact[cuda]'"
    if tuple(map(int, numba.__version__.split(".")[:2])) < NUMBA:
        return f"Numba {numba.__version__} is too old; expected {NUMBA[0]}.{NUMBA[1]} or later"
    try:
        from numba import config, cuda
    except ImportError as error:
        return f"Numba has no target for CUDA ({error}); pip install 'fastact[cuda]' brings numba-cuda"
    if config.ENABLE_CUDASIM:
        return None
    if cuda.is_available():
        return too_old(**_versions())
    cause = cuda.cuda_error()
    if cause:
        return f"there is no usable driver or GPU ({' '.join(str(cause).split())})"
    return "Numba finds no GPU or not the compiler NVVM of a CUDA toolkit; pip install 'fastact[cuda]' brings the latter"


def _versions() -> dict[str, Any]:
    """The versions that have to fit each other; those that Numba does not tell are missing."""
    from numba import cuda

    def driver() -> Any:
        return cuda.cudadrv.driver.driver.get_version()

    def toolkit() -> Any:
        return cuda.runtime.get_version()

    def gpu() -> Any:
        return cuda.gpus[0].compute_capability

    def least() -> Any:
        from numba.cuda.cudadrv import nvrtc, nvvm  # the latter in the target that is built into Numba

        return min((nvvm if hasattr(nvvm, "get_supported_ccs") else nvrtc).get_supported_ccs())

    found = {}
    for ask in (driver, toolkit, gpu, least):
        try:
            found[ask.__name__] = tuple(ask())[:2]
        except (ImportError, AttributeError, ValueError, TypeError, OSError, RuntimeError):
            continue
    return found


def too_old(
    driver: tuple[int, int] | None = None, toolkit: tuple[int, int] | None = None, gpu: tuple[int, int] | None = None,
    least: tuple[int, int] | None = None,
) -> str | None:  # fmt: skip
    """Return what is too old for the rest, or None.

    Parameters
    ----------
    driver, toolkit : tuple of int, optional
        The versions of CUDA that the driver supports and the toolkit is of.
    gpu, least : tuple of int, optional
        The compute capability of the GPU, and the least that the toolkit compiles for.
    """
    if driver and toolkit and driver[0] < toolkit[0]:
        return (
            f"the driver is too old: it supports CUDA {driver[0]}.{driver[1]}, and the toolkit is of {toolkit[0]}.{toolkit[1]}; "
            f"update it or pip install 'numba-cuda[cu{driver[0]}]'"
        )
    if gpu and least and gpu < least:
        return f"the GPU is too old: its compute capability is {gpu[0]}.{gpu[1]}, and the toolkit needs {least[0]}.{least[1]}"
    return None


def is_available() -> bool:
    """Return whether arrays can be computed on a GPU; `why_unavailable` tells why not.

    Examples
    --------
    >>> import fastact as fa
    >>> fa.cuda.is_available() is (fa.cuda.why_unavailable() is None)
    True
    """
    return why_unavailable() is None


_HOST = (np.ndarray, np.generic, float, int, list, tuple, type(None))


def on_gpu(value: Any) -> bool:
    """Whether a value is an array in the memory of a GPU."""
    if isinstance(value, _HOST):
        return False
    if hasattr(value, "__cuda_array_interface__") or getattr(value, "__cuda_ndarray__", False):
        return True
    if hasattr(value, "__dlpack_device__"):
        from .dlpack import is_on_gpu  # which needs ctypes

        return is_on_gpu(value)
    return False
