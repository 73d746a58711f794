"""The activations for Numba on the CPU, compiled from the same formulas as the package's own kernels.

``fastact.numba.gelu``, ``fastact.numba.gelu_derivative``, ``fastact.numba.gelu_backward`` and so on are
functions for ``@njit`` code, of scalars and arrays; ``fastact.numba.ufuncs`` has a NumPy ufunc of each name.
In ``@njit`` code ``fastact.gelu(x)`` itself works too, with nothing imported but fastact:

    >>> import numba, numpy as np, fastact as fa
    >>> @numba.njit
    ... def layer(x, w):
    ...     return fa.gelu(x @ w), fa.elu.derivative(x, alpha=0.5)

Results are those of `fastact` at the x86-64-v3 and v4 levels, to the last bit. Numba finds the types of
`fastact`'s objects through the entry point ``numba_extensions``, which imports this file.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import Any

try:
    from numba import njit, types, vectorize
except ImportError as error:
    raise ImportError(f"fastact.numba: Numba cannot be imported ({error}); pip install 'fastact[numba]'") from error
from numba.core.imputils import lower_getattr_generic
from numba.core.typing.templates import AttributeTemplate, infer_getattr
from numba.extending import models, register_model, typeof_impl

from ._activation import Activation, KindCall, get
from ._numba_codegen import ARRAYS, kinds, outputs
from ._numba_compile import OPTIONS, entry, title
from ._spec import REGISTRY

__all__ = ["function", "ufunc", "ufuncs"]


def function(name: str, kind: str = "value") -> Any:
    """Return a kind of an activation as an ``@njit`` function.

    It takes scalars and arrays of any layout, broadcast against each other, and gives float32 or
    float64: what np.exp would give for the arrays, parameters that are scalars having no say.

    Parameters
    ----------
    name : str
        A name or alias, as for `fastact.get`.
    kind : str
        "value", "derivative", "value_and_derivative", "backward" or "backward_from_output".

    Returns
    -------
    numba dispatcher
        With the arguments of that kind in `fastact`: ``elu(x, alpha=1.0)``, ``elu_backward(grad, x, alpha=1.0)``.

    Raises
    ------
    ValueError
        If there is no such activation or kind.

    Examples
    --------
    >>> import fastact as fa
    >>> fa.numba.function("swish", "derivative")(0.0)
    0.5
    """
    return _function(*_known("function", name, kind))


def ufunc(name: str, kind: str = "value") -> Any:
    """Return a kind of an activation as a ufunc made by ``@vectorize``, with loops for float32 and float64.

    It runs on one thread, takes parameters by position, all of them, and like other ufuncs of Numba may warn
    of floating-point events inside a formula; `fastact` itself has neither limit.

    Parameters
    ----------
    name : str
        A name or alias, as for `fastact.get`.
    kind : str
        "value", "derivative", "backward" or "backward_from_output".

    Raises
    ------
    ValueError
        If there is no such activation or kind, or the kind has two results.
    """
    name, kind = _known("ufunc", name, kind)
    if outputs(kind) > 1:
        raise ValueError(f"fastact.numba.ufunc: kind {kind!r} has two results, a ufunc of Numba one; use function()")
    return _ufunc(name, kind)


def _known(caller: str, name: str, kind: str) -> tuple[str, str]:
    """The canonical name and the kind, if there are such."""
    name = get(name).__name__
    known = kinds(REGISTRY[name])
    if kind not in known:
        raise ValueError(f"fastact.numba.{caller}: {name} has no kind {kind!r}; expected one of {', '.join(known)}")
    return name, kind


@cache
def _split(attribute: str) -> tuple[str, str] | None:
    """("gelu", "derivative") for "gelu_derivative", an alias for its activation; None if it is no such name."""
    for spec in REGISTRY.values():
        for name in (spec.name, *spec.alias):
            for kind in kinds(spec):
                if attribute == (name if kind == "value" else f"{name}_{kind}"):
                    return spec.name, kind
    return None


def __getattr__(attribute: str) -> Any:
    found = _split(attribute)
    if found is None:
        raise AttributeError(f"module 'fastact.numba' has no attribute {attribute!r}")
    return _function(*found)


class _Ufuncs:
    """The ufuncs by name, each compiled when it is asked for."""

    def __getattr__(self, attribute: str) -> Any:
        found = _split(attribute)
        if found is None:
            raise AttributeError(f"fastact.numba.ufuncs has no attribute {attribute!r}")
        return ufunc(*found)


ufuncs = _Ufuncs()


# ---------------------------------------------------------------------------------------------------
# Functions
# ---------------------------------------------------------------------------------------------------


def _named(name: str, kind: str, call: Any, defaults: bool) -> Callable[..., Any]:
    """A Python function with the arguments of a kind that hands them on as a tuple."""
    spec = REGISTRY[name]
    label = name if kind == "value" else f"{name}_{kind}"
    listed = [*ARRAYS[kind], *(f"{p}={d!r}" if defaults else p for p, d in spec.params.items())]
    passed = ", ".join([*ARRAYS[kind], *spec.params])
    scope = {"call": call, "__name__": __name__}
    exec(f"def {label}({', '.join(listed)}):\n    return call(({passed},))", scope)
    made: Any = scope[label]
    made.__doc__ = f"{title(name, kind)} for Numba: {spec.summary}"
    return made


@cache
def _function(name: str, kind: str) -> Any:
    return njit(**OPTIONS)(_named(name, kind, entry(name, kind), True))


@cache
def _ufunc(name: str, kind: str) -> Any:
    count = len(ARRAYS[kind]) + len(REGISTRY[name].params)
    signatures = [t(*[t] * count) for t in (types.float32, types.float64)]
    return vectorize(signatures, **OPTIONS)(_named(name, kind, entry(name, kind), False))


# ---------------------------------------------------------------------------------------------------
# The package's own objects inside @njit code
# ---------------------------------------------------------------------------------------------------


class CallType(types.Dispatcher):
    """The type of ``fastact.gelu`` or ``fastact.gelu.derivative``: that of the function that it stands for."""

    def __init__(self, name: str, kind: str) -> None:
        super().__init__(_function(name, kind))
        self.call = name, kind


register_model(CallType)(models.OpaqueModel)


@infer_getattr
class _Kinds(AttributeTemplate):
    key = CallType

    def generic_resolve(self, typ: Any, attribute: str) -> Any:
        name, kind = typ.call
        if kind == "value" and attribute != "value" and attribute in kinds(REGISTRY[name]):
            return CallType(name, attribute)
        return None


@lower_getattr_generic(CallType)
def _lower_kind(context: Any, builder: Any, typ: Any, value: Any, attribute: str) -> Any:
    return context.get_dummy_value()


@typeof_impl.register(Activation)
@typeof_impl.register(KindCall)
def _type_of(value: Any, _: Any) -> Any:
    return CallType(value.spec.name, value.kind)


def _init() -> None:
    """Entry point that Numba calls before it compiles anything: importing this file registers all that is needed."""
