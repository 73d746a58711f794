"""Neural-network activation functions and their derivatives for NumPy arrays, as SIMD kernels.

Every activation is an object that is called like a NumPy ufunc::

    >>> import numpy as np
    >>> import fastact as fa
    >>> x = np.array([-1.0, 0.0, 1.0])
    >>> fa.relu(x)
    array([0., 0., 1.])
    >>> fa.relu.derivative(x)
    array([0., 0., 1.])

`activations` lists their names, `get` finds one by any of its names, `find` those with wanted properties; ``fa.gelu.info``
tells what is known of one, ``fa.gelu.plot()`` draws it, `show_config` tells what runs.
"""

import sys as _sys
from typing import Any as _Any

from . import cpu, cuda, diagnostics, dispatch, functions  # noqa: F401
from ._config import show_config
from .cpu import threadpool as _threadpool  # noqa: F401
from .cpu.api import capsule as _C_API  # noqa: F401
from .cpu.buffers import clear_cache, set_cache_limit
from .cpu.threads import get_num_threads, num_threads, set_num_threads
from .diagnostics import Diagnosis, GradientFlow, Monitor, diagnose, gradient_flow, init_gain
from .dispatch import device, last_target
from .functions import BY_NAME as _FUNCTIONS
from .functions import (
    Activation,
    DefinedActivation,
    Function,
    GatedUnit,
    Info,
    RowFunction,
    activations,
    define,
    find,
    get,
    get_include,
    plot,
    plot_all,
    properties,
)

__version__ = "0.1.0"
__all__ = [
    "Activation", "DefinedActivation", "Diagnosis", "Function", "GatedUnit", "GradientFlow", "Info", "Monitor", "RowFunction",
    "activations", "clear_cache", "define", "device", "diagnose", "find", "get", "get_include", "get_num_threads",
    "gradient_flow", "init_gain", "last_target", "num_threads", "plot", "plot_all", "properties", "set_cache_limit",
    "set_num_threads", "show_config", *_FUNCTIONS,
]  # fmt: skip

globals().update(_FUNCTIONS)

# Where users, and pickles, find them.
for _public in (
    Activation, DefinedActivation, Diagnosis, Function, GatedUnit, GradientFlow, Info, Monitor, RowFunction, activations,
    clear_cache, define, device, diagnose, find, get, get_include, get_num_threads, gradient_flow, init_gain, last_target,
    num_threads, plot, plot_all, properties, set_cache_limit, set_num_threads, show_config,
):  # fmt: skip
    _public.__module__ = __name__

# Pickles of 0.1 find classes and functions in these modules.
_sys.modules |= {
    f"{__name__}.{old}": new
    for old, new in {"_activation": functions, "_buffers": cpu.buffers, "_device": dispatch, "_target": dispatch,
                     "_threads": cpu.threads}.items()
}  # fmt: skip


def __getattr__(name: str) -> _Any:
    """Import ``fastact.numba`` and its like when they are first asked for: they are optional, and slow to import."""
    if name in ("jax", "numba", "sklearn", "thinc", "torch"):
        from importlib import import_module

        return import_module(f"{__name__}.{name}")
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
