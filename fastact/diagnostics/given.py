"""What all diagnostics are given: an elementwise activation with parameters, real arrays."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..arguments import unknown_keyword
from ..functions import Activation, get
from ..functions.base import real_array
from ..functions.general import chosen_variant

#: |f'| at most this is as good as none. leaky_relu's slope of 0.01 is more.
SATURATION = 0.001


def activation_of(title: str, function: Any, named: dict[str, Any], argument: str = "function") -> tuple[Activation, list[Any]]:
    """An elementwise activation, by its name or itself, and its parameters in order.

    Raises
    ------
    TypeError
        For anything else, and for parameters that it does not have.
    ValueError
        For a name that is none.
    """
    found = function
    if isinstance(function, str):
        try:
            found = get(function)
        except ValueError as error:
            raise ValueError(str(error).replace("fastact.get", f"{title}: {argument}", 1)) from None
    if not isinstance(found, Activation):
        what = getattr(found, "word", type(found).__name__)
        raise TypeError(f"{title}: {argument} is {function!r}, a {what}; expected an elementwise activation or its name")
    found, named = chosen_variant(title, found, named)
    for name in named:
        if name not in found.params:
            raise unknown_keyword(title, name, [*found.params, *found.spec.variants] or ["none"])
    params = {n: real_array(title, n, named[n]) if n in named else np.asarray(d) for n, d in found.params.items()}
    return found, list(params.values())


def plain(title: str, name: str, value: Any) -> np.ndarray:
    """A real array, float32 or float64; refused if some of it is masked, which arithmetic here would not see."""
    if isinstance(value, np.ma.MaskedArray):
        raise TypeError(f"{title}: {name} is a masked array; expected a plain one, as {name}.filled(numpy.nan) gives")
    return real_array(title, name, value)


def fraction_of(title: str, name: str, value: Any) -> float:
    """A number from 0 to below infinity."""
    if isinstance(value, bool) or not isinstance(value, int | float | np.floating | np.integer):
        raise TypeError(f"{title}: {name} is {value!r}; expected a number from 0")
    if not 0.0 <= value < np.inf:
        raise ValueError(f"{title}: {name} is {value!r}; expected a number from 0")
    return float(value)
