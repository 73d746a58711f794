"""The functions of `fastact.numba`: ``@njit`` functions and ufuncs with the arguments of those of the package."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import Any

from numba import config, njit, types, vectorize

from ..language.kinds import ARRAYS
from ..language.registry import REGISTRY
from .compiler import OPTIONS, entry, title, without_compiler


def _named(name: str, kind: str, call: Any, defaults: bool) -> Callable[..., Any]:
    """A Python function with the arguments of a kind that hands them on as a tuple."""
    spec = REGISTRY[name]
    label = name if kind == "value" else f"{name}_{kind}"
    listed = [*ARRAYS[kind], *(f"{p}={d!r}" if defaults else p for p, d in spec.params.items())]
    passed = ", ".join([*ARRAYS[kind], *spec.params])
    scope = {"call": call, "__name__": __package__}
    exec(f"def {label}({', '.join(listed)}):\n    return call(({passed},))", scope)
    made: Any = scope[label]
    made.__doc__ = f"{title(name, kind)} for Numba: {spec.summary}"
    return made


def _pickled_by_name(made: Any, maker: Callable[[str, str], Any], name: str, kind: str) -> Any:
    """Make a compiled object pickle as a call of its maker: what Numba would pickle of it lacks the overload of ``call``."""
    made.__reduce__ = lambda: (maker, (name, kind))
    return made


@cache
def compiled_function(name: str, kind: str) -> Any:
    """The ``@njit`` function of a kind."""
    made = njit(**OPTIONS)(_named(name, kind, entry(name, kind), True))
    return _pickled_by_name(made, compiled_function, name, kind)


@cache
def compiled_ufunc(name: str, kind: str) -> Any:
    """The ufunc of a kind; NumPy's own where Numba is told not to compile, which would stop it halfway through this one."""
    if config.DISABLE_JIT:
        return without_compiler(name, kind).ufunc
    count = len(ARRAYS[kind]) + len(REGISTRY[name].params)
    signatures = [t(*[t] * count) for t in (types.float32, types.float64)]
    made = vectorize(signatures, **OPTIONS)(_named(name, kind, entry(name, kind), False))
    return _pickled_by_name(made, compiled_ufunc, name, kind)
