"""Arrays that are more than arrays, in the functions that are no ufuncs: masked, of a subclass, computed lazily.

A masked array is computed without its masked elements and comes back masked; a subclass comes back as its own class; what
computes block by block does so where no row is cut. Everything else that overrides ufuncs is refused, with the way: silently
losing an index, a chunk or a unit would be worse. Elementwise functions need none of this, NumPy does it for ufuncs.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from ..arguments import dtype_of, kept_dtype, weak
from ..cuda.availability import on_gpu
from .base import real_array

Masked = np.ma.MaskedArray


def contained(*values: Any) -> bool:
    """Whether any of these is more than an array."""
    return any(
        type(v) is not np.ndarray and hasattr(v, "__array_ufunc__") and not isinstance(v, np.generic) and not on_gpu(v)
        for v in values
    )


def mask_of(*values: Any) -> Any:
    """Where any of these is masked, False if none is."""
    found: Any = False
    for value in values:
        found = found | np.ma.getmaskarray(value) if isinstance(value, Masked) else found
    return found


def masked(result: Any, mask: Any) -> Any:
    """A result, or a pair of them, masked."""
    if isinstance(result, tuple):
        return tuple(masked(r, mask) for r in result)
    return np.ma.array(result, mask=np.broadcast_to(mask, np.shape(result)))


def elementwise(title: str, call: Callable[..., Any], values: Sequence[Any]) -> Any:
    """Compute what has an element of the result for each element: masked where any argument is."""
    if not any(isinstance(v, Masked) for v in values):
        return elsewhere(title, call, values)
    return masked(call(*map(data_of, values)), mask_of(*values))


def data_of(value: Any) -> Any:
    """The data of an array, whatever its class; anything else as it is."""
    return np.asarray(value) if isinstance(value, np.ndarray) else value


def bare(title: str, name: str, value: Any, fill: float) -> Any:
    """The data of an argument, with another number where it is masked; Python's numbers as they are."""
    if weak(value):
        return value
    data = real_array(title, name, np.asarray(value))
    if not isinstance(value, Masked):
        return data
    dtype = kept_dtype(data) if type(fill) is int else dtype_of(data)
    return np.where(np.ma.getmaskarray(value), dtype.type(fill), data.astype(dtype))


def slope_elsewhere(title: str, call: Callable[..., Any], grad: Any, name: str, value: Any, fill: float, mask: Any) -> Any:
    """The gradient from that by the output and another array: what is masked has no part in it, and it is masked."""
    if not isinstance(grad, Masked) and not isinstance(value, Masked):
        return elsewhere(title, call, [grad, value])
    return masked(call(bare(title, "grad", grad, 0.0), bare(title, name, value, fill)), mask)


def by_block(call: Callable[..., Any], named: dict[str, Any], ndim: int) -> Callable[..., Any]:
    """A call with keywords of which the arrays have the axes of x, so that blocks of x take their own parts of them."""

    def block(x: Any, block_info: Any = None) -> Any:
        if not block_info:
            return call(x, **named)
        place = block_info[0]["array-location"]
        own = dict(named)
        for name, value in named.items():
            if np.ndim(value) == ndim and ndim:
                own[name] = value[tuple(slice(*p) if n > 1 else slice(None) for p, n in zip(place, value.shape, strict=True))]
        return call(x, **own)

    return block


def elsewhere(
    title: str, call: Callable[..., Any], values: Sequence[Any], axes: Sequence[int] | None = None, dtype: Any = None
) -> Any:
    """Compute what is neither a plain nor a masked array: subclasses, then what has blocks.

    Parameters
    ----------
    title : str
        Of the call.
    call : callable
        What computes plain arrays.
    values : sequence
        The arrays, one of which is `contained`.
    axes : sequence of int, optional
        Where the result has the shape of the first array: along these no block may be cut.
    dtype : numpy.dtype, optional
        The result's, where it is computed later.

    Raises
    ------
    TypeError
        For what cannot be honoured; the message says what can be done.
    """
    first = next(v for v in values if contained(v))
    if isinstance(first, np.ndarray):
        result = call(*(np.asarray(v) if isinstance(v, np.ndarray) else v for v in values))
        results = result if isinstance(result, tuple) else (result,)
        wrapped = tuple(first.__array_wrap__(r) if isinstance(r, np.ndarray) else r for r in results)
        return wrapped if isinstance(result, tuple) else wrapped[0]
    name = f"{type(first).__module__.partition('.')[0]}.{type(first).__name__}"
    if hasattr(first, "map_blocks") and hasattr(first, "numblocks"):
        cut = [a for a in axes or () if first.numblocks[a] > 1]
        if axes is not None and not cut and len(values) == 1:
            return first.map_blocks(call, dtype=dtype)
        remedy = f"x.rechunk({{{cut[0]}: -1}}) first, for axis {cut[0]} is in several chunks" if cut else "map_blocks"
    elif hasattr(first, "dims"):
        remedy = "xarray.apply_ufunc, with input_core_dims for the axis"
    else:
        remedy = "numpy.asarray(x), and what it came in around the result"
    raise TypeError(f"{title}: {name} is not an array that this function knows; use {remedy}")
