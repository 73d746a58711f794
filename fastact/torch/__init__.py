"""The functions for PyTorch: differentiable twice, registered as operators, and as modules.

``fastact.torch.gelu(x)``, ``fastact.torch.softmax(x, dim=-1)`` and ``fastact.torch.swiglu(a, b)`` are functions of tensors by the
names of `fastact`; ``fastact.torch.GELU()``, ``LeakyReLU(0.2)`` and ``Softmax(dim=-1)`` are modules by the names that torch has,
or any other spelling with a capital letter in front. `function` and `module` make these of a function that a user defined.

Tensors of the CPU are computed where they lie, without a copy, those of CUDA by the kernels for GPUs. See docs/frameworks.md.
"""

from __future__ import annotations

from typing import Any

try:
    import torch
except ImportError as error:
    raise ImportError(f"fastact.torch: torch cannot be imported ({error}); pip install 'fastact[torch]'") from error

from ..functions import BY_NAME, Activation, GatedUnit, RowFunction, get
from . import elementwise, gated, modules, rows

__all__ = ["function", "module"]

_FUNCTIONS: dict[str, Any] = {}


def function(given: Any) -> Any:
    """Return a function of fastact as one of tensors.

    Parameters
    ----------
    given : str or object
        A name as for `fastact.get`, or the object: ``fastact.gelu``, what ``fastact.define`` gave.

    Returns
    -------
    callable
        Of tensors, with the parameters of the function; ``dim`` for ``axis``.

    Raises
    ------
    TypeError, ValueError
        For what is no activation, function of rows or gated unit.

    Examples
    --------
    >>> import torch
    >>> import fastact.torch
    >>> fastact.torch.function("swish")(torch.tensor([-1.0, 0.0, 1.0]))
    tensor([-0.2689,  0.0000,  0.7311])
    """
    found = get(given) if isinstance(given, str) else given
    for family, wing in ((Activation, elementwise), (RowFunction, rows), (GatedUnit, gated)):
        if isinstance(found, family):
            kept = _FUNCTIONS.get(found.__name__)
            if kept is None or kept.fastact is not found:
                kept = _FUNCTIONS[found.__name__] = wing.function(found)
            return kept
    name = getattr(found, "__name__", repr(found))
    raise TypeError(f"fastact.torch: there is no {name} of tensors; expected an activation, a function of rows or a gated unit")


def module(given: Any) -> type[torch.nn.Module]:
    """Return a function of fastact as a class of modules.

    Parameters
    ----------
    given : str or object
        As for `function`.

    Returns
    -------
    type
        A subclass of `torch.nn.Module`, whose constructor takes the parameters of the function.

    Raises
    ------
    TypeError, ValueError
        As `function`.

    Examples
    --------
    >>> import torch
    >>> import fastact.torch
    >>> fastact.torch.module("elu")(alpha=0.5)
    ELU(alpha=0.5)
    """
    return modules.module(function(given))


def __getattr__(name: str) -> Any:
    """Make a function or a class of modules when it is first asked for."""
    if name.startswith("_"):
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    try:
        found = module(name) if name[0].isupper() else function(name)
    except (TypeError, ValueError) as error:
        raise AttributeError(str(error)) from None
    globals()[name] = found
    return found


def __dir__() -> list[str]:
    made = [f for f in BY_NAME.values() if isinstance(f, Activation | RowFunction | GatedUnit)]
    return sorted({*__all__, *(f.__name__ for f in made), *(modules.class_name(f.__name__) for f in made)})
