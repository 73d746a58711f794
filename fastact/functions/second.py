"""Double backward: what a gradient of ``grad * f'(x)`` is made of. There are no kernels of its own on the CPU."""

from __future__ import annotations

from functools import partial
from typing import Any, NamedTuple

import numpy as np

from ..arguments import broadcast_shape, check_out, narrowed, stored, taken, work_dtype
from ..dispatch import Place, place_of
from ..language.kinds import ARRAYS
from ..language.registry import Spec
from .base import QUIET
from .containers import contained, elementwise
from .general import bind, chosen_variant, computed_on_gpu, dtype_of_argument, loop_of


class _Call(NamedTuple):
    """What the general path wants to know of a call."""

    title: str
    spec: Spec
    kind: str = "backward_backward"
    arrays: tuple[str, ...] = ARRAYS["backward_backward"]


def backward_backward(
    activation: Any, arrays: tuple[Any, ...], params: tuple[Any, ...], named: dict[str, Any], out: Any, device: Any
) -> tuple[Any, Any]:
    """``(grad_grad * f'(x), grad_grad * grad * f''(x))``; arguments are checked before anything is written."""
    title = activation._title("backward_backward")
    activation, named = chosen_variant(title, activation, named)
    if activation.second_derivative is None:
        raise TypeError(f"{title}: {activation.__name__} has no second derivative")
    call = _Call(title, activation.spec)
    values = bind(call, params, named)
    outputs = (None, None) if out is None else out
    if not isinstance(outputs, tuple) or len(outputs) != 2:
        raise TypeError(f"{title}: out is {type(out).__name__}; expected a tuple of two arrays")
    place = place_of(title, device, (*arrays, *values, *outputs))
    if place is not Place.CPU:
        return computed_on_gpu(call, place, arrays, values, {} if out is None else {"out": out})
    if contained(*arrays, *values):
        if out is not None:
            raise TypeError(f"{title}: out goes with plain arrays; expected none for containers")
        return elementwise(title, partial(_of_plain, activation, call, outputs), [*arrays, *values])
    return _of_plain(activation, call, outputs, *arrays, *values)


@QUIET
def _of_plain(activation: Any, call: _Call, outputs: tuple[Any, Any], *given: Any) -> tuple[Any, Any]:
    """Both products, of arrays and numbers."""
    names = [*call.arrays, *call.spec.params]
    operands = [taken(a) for a in given]
    dtypes = [dtype_of_argument(call, n, a) for n, a in zip(names, operands, strict=True)]
    dtype = loop_of(operands, dtypes, len(call.arrays))
    own = [np.asarray(a).astype(work_dtype(dtype), copy=False) for a in operands]
    shape = broadcast_shape(call.title, dict(zip(names, own, strict=True)))
    for out in outputs:
        if out is not None:
            check_out(call.title, out, shape, dtype)
    grad_grad, grad, x, *params = own
    by_grad = activation.backward(np.broadcast_to(grad_grad, shape), x, *params)
    by_x = product(activation.second_derivative(x, *params), grad, grad_grad)
    results = [narrowed(np.asarray(r), dtype) for r in (by_grad, by_x)]  # both are there before an output is written
    first, second = (r[()] if o is None else stored(o, r) for r, o in zip(results, outputs, strict=True))
    return first, second


def product(a: Any, b: Any, c: Any) -> Any:
    """``a b c`` within two roundings: the bits of the primitive of this name."""
    size_a, size_b, size_c = np.abs(a), np.abs(b), np.abs(c)
    larger, smaller = np.maximum(size_b, size_c), np.minimum(size_b, size_c)
    largest, other = np.maximum(size_a, larger), np.minimum(size_a, larger)
    middle, smallest = np.maximum(other, smaller), np.minimum(other, smaller)
    large = largest > 2.0**55
    if np.any(large):
        middle, smallest = np.where(large, smallest, middle), np.where(large, middle, smallest)
    negative = np.signbit(a) ^ np.signbit(b) ^ np.signbit(c)
    return largest * middle * np.where(negative, -smallest, smallest)
