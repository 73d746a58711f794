"""The functions of `fastact.numba`: ``@njit`` functions and ufuncs with the arguments of those of the package."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import Any

from numba import config, njit, types, vectorize

from ..language.kinds import ARRAYS
from ..language.registry import REGISTRY
from .compiler import OPTIONS, title, without_compiler


class Stub:
    """Stands for a kind of an activation in compiled code that this wing writes; without a compiler, calls the package's own."""

    def __init__(self, name: str, kind: str) -> None:
        self.name, self.kind = name, kind

    def __call__(self, *arguments: Any, out: Any = None) -> Any:
        return without_compiler(self.name, self.kind)(*arguments, **{} if out is None else {"out": out})


def _named(name: str, kind: str, count: int | None = None) -> Callable[..., Any]:
    """A Python function with the arguments of a kind and their defaults, or with the first `count` and none."""
    spec = REGISTRY[name]
    label = name if kind == "value" else f"{name}_{kind}"
    listed = [*ARRAYS[kind], *(f"{p}={d!r}" if count is None else p for p, d in spec.params.items()), "out=None"][:count]
    passed = ", ".join([*ARRAYS[kind], *spec.params, "out=out"][:count])
    scope = {"call": Stub(name, kind), "__name__": __package__}
    exec(f"def {label}({', '.join(listed)}):\n    return call({passed})", scope)
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
    made = njit(**OPTIONS)(_named(name, kind))
    if not config.DISABLE_JIT:
        whole = made.get_compile_result
        # asked for by what is declared as a FunctionType, whose arguments have no defaults
        made.get_compile_result = lambda sig: (
            whole(sig) if len(sig.args) == len(made.py_func.__code__.co_varnames) else _short(name, kind, len(sig.args))(sig)
        )
    return _pickled_by_name(made, compiled_function, name, kind)


@cache
def _short(name: str, kind: str, count: int) -> Callable[[Any], Any]:
    """What compiles the function of a kind with the first `count` of its arguments."""
    return njit(**OPTIONS)(_named(name, kind, count)).get_compile_result


@cache
def compiled_ufunc(name: str, kind: str) -> Any:
    """The ufunc of a kind; NumPy's own where Numba is told not to compile, which would stop it halfway through this one."""
    if config.DISABLE_JIT:
        return without_compiler(name, kind).ufunc
    count = len(ARRAYS[kind]) + len(REGISTRY[name].params)
    signatures = [t(*[t] * count) for t in (types.float32, types.float64)]
    made = vectorize(signatures, **OPTIONS)(_named(name, kind, len(ARRAYS[kind]) + len(REGISTRY[name].params)))
    return _pickled_by_name(made, compiled_ufunc, name, kind)
