"""What runs here: ISA level, threads, compiler, Numba, CUDA."""

from __future__ import annotations

import platform
from typing import Any

import numpy as np

from ._kernels import build_info
from .cpu import buffers, levels
from .cpu.threads import get_num_threads
from .cuda.availability import why_unavailable


def _installed(name: str) -> str:
    from importlib.metadata import PackageNotFoundError, version  # slow to import, and only wanted here

    try:
        return version(name)
    except PackageNotFoundError:
        return "not installed"


def config() -> dict[str, Any]:
    """Return the configuration as a dictionary."""
    build = build_info()
    reason = why_unavailable()
    cache = buffers.cache_info()
    return {
        "fastact": _installed("fastact"),
        "python": platform.python_version(),
        "numpy": np.__version__,
        "cpu level": levels.LEVEL,
        "cpu levels usable": ", ".join(levels.usable_levels()),
        "cpu levels built": ", ".join(levels.built_levels()),
        "threads": get_num_threads(),
        "output cache": f"{cache['held'] / 2**20:.1f} of {cache['limit'] / 2**20:.0f} MiB held, "
        f"{cache['hits']} outputs of 128 KiB or more found a block, {cache['misses']} did not",
        "compiler": build["compiler"],
        "numba": _installed("numba"),
        "numba-cuda": _installed("numba-cuda"),
        "cuda": f"no: {reason}" if reason else "usable",
    }


def show_config() -> None:
    """Print the ISA level in use, threads, compiler, Numba and CUDA state.

    Examples
    --------
    >>> import fastact as fa
    >>> fa.show_config()  # doctest: +ELLIPSIS
    fastact ...
    numpy ...
    cpu level ...
    threads ...
    """
    for key, value in config().items():
        print(f"{key:<18} {value}")
