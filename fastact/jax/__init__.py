"""The functions for JAX on the CPU: under jit, vmap, grad and jvp, and differentiable twice.

``fastact.jax.gelu(x)``, ``fastact.jax.softmax(x, axis=-1)`` and ``fastact.jax.swiglu(a, b)``, by the names of `fastact`. Calls go
through XLA's foreign functions to the kernels, without Python in between. What binds the two is compiled when it is first needed;
`build` does it at once. See docs/frameworks.md.
"""

from __future__ import annotations

from typing import Any

try:
    import jax  # noqa: F401
except ImportError as error:
    raise ImportError(f"fastact.jax: jax cannot be imported ({error}); pip install 'fastact[jax]'") from error

from ..functions import BY_NAME, Activation, GatedUnit, get
from .calls import ROWS, elementwise, gated, rows
from .library import build

__all__ = ["build", "function"]


def function(name: str) -> Any:
    """Return a function of fastact as one of JAX's arrays.

    Parameters
    ----------
    name : str
        As for `fastact.get`.

    Returns
    -------
    callable
        Of an array, with the parameters of the function, which are numbers.

    Raises
    ------
    TypeError, ValueError
        For what is no activation, function of rows or gated unit.
    """
    found = get(name)
    if isinstance(found, Activation):
        return elementwise(found)
    if isinstance(found, GatedUnit):
        return gated(found)
    if found.__name__ in ROWS:
        return rows(found)
    there = f"an activation, a gated unit, {', '.join(ROWS)}"
    raise TypeError(f"fastact.jax: there is no {found.__name__} of JAX's arrays; expected {there}")


def __getattr__(name: str) -> Any:
    """Make a function when it is first asked for."""
    if name.startswith("_"):
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    try:
        found = globals()[name] = function(name)
    except (TypeError, ValueError) as error:
        raise AttributeError(str(error)) from None
    return found


def __dir__() -> list[str]:
    made = [f for f in BY_NAME.values() if isinstance(f, Activation | GatedUnit) or f.__name__ in ROWS]
    return sorted({*__all__, *(f.__name__ for f in made)})
