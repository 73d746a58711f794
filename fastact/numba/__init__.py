"""The activations for Numba on the CPU, compiled from the same formulas as the package's own kernels.

``fastact.numba.gelu``, ``fastact.numba.gelu_derivative``, ``fastact.numba.gelu_backward`` and so on are
functions for ``@njit`` code, of scalars and arrays; ``fastact.numba.ufuncs`` has a NumPy ufunc of each name.
In ``@njit`` code ``fastact.gelu(x)`` itself works too, with nothing imported but fastact:

    >>> import numba, numpy as np, fastact as fa
    >>> @numba.njit
    ... def layer(x, w):
    ...     return fa.gelu(x @ w), fa.elu.derivative(x, alpha=0.5)

Results are those of `fastact` at the x86-64-v3 and v4 levels, to the last bit. Row-wise functions, gated units and maxout work
there as well.
"""

from __future__ import annotations

from functools import cache
from typing import Any

try:
    import numba as _numba
except ImportError as error:
    raise ImportError(f"fastact.numba: Numba cannot be imported ({error}); pip install 'fastact[numba]'") from error
if tuple(map(int, _numba.__version__.split(".")[:2])) < (0, 63):
    raise ImportError(f"fastact.numba: Numba {_numba.__version__} is too old; expected 0.63 or later")

from ..arguments import folded, look_up
from ..language.kinds import kinds, outputs
from ..language.registry import REGISTRY, Spec
from .callables import compiled_function, compiled_ufunc
from .objects import call_type  # noqa: F401  (makes the package's own objects known to Numba)

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
    return compiled_function(*_known("function", name, kind))


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

    Examples
    --------
    >>> import fastact as fa
    >>> float(fa.numba.ufunc("sigmoid", "derivative")(0.0))
    0.25
    """
    name, kind = _known("ufunc", name, kind)
    if outputs(kind) > 1:
        raise ValueError(f"fastact.numba.ufunc: kind {kind!r} has two results, a ufunc of Numba one; use function()")
    return compiled_ufunc(name, kind)


def _known(caller: str, name: str, kind: str) -> tuple[str, str]:
    """The canonical name and the kind, if there are such."""
    spec = look_up(f"fastact.numba.{caller}", name, _names())
    known = kinds(spec)
    if kind not in known:
        raise ValueError(f"fastact.numba.{caller}: {spec.name} has no kind {kind!r}; expected one of {', '.join(known)}")
    return spec.name, kind


@cache
def _names() -> dict[str, Spec]:
    """The activations by all their names, as `look_up` wants them."""
    return {folded(name): spec for spec in REGISTRY.values() for name in (spec.name, *spec.alias)}


@cache
def _attributes(ufuncs: bool) -> list[str]:
    """The names of all functions, or of all ufuncs, aliases included."""
    return [
        name if kind == "value" else f"{name}_{kind}"
        for spec in REGISTRY.values()
        for name in (spec.name, *spec.alias)
        for kind in kinds(spec)
        if not ufuncs or outputs(kind) == 1
    ]


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
    return compiled_function(*found)


def __dir__() -> list[str]:
    return sorted({*globals(), *_attributes(False)})


class _Ufuncs:
    """The ufuncs by name, each compiled when it is asked for."""

    def __getattr__(self, attribute: str) -> Any:
        found = _split(attribute)
        if found is None:
            raise AttributeError(f"fastact.numba.ufuncs has no attribute {attribute!r}")
        return ufunc(*found)

    def __dir__(self) -> list[str]:
        return sorted({*super().__dir__(), *_attributes(True)})


ufuncs = _Ufuncs()
