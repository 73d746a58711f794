"""The gated units as functions of tensors, of one tensor or two."""

from __future__ import annotations

import math
from typing import Any

import torch
from torch.compiler import is_dynamo_compiling as is_compiling

from ..functions import get
from . import bridge
from .elementwise import BACKWARD as SLOPE
from .elementwise import TWICE, number
from .elementwise import VALUE as ACTIVATION
from .operators import Call, Operator, Tensors
from .rows import _dims
from .signatures import describe
from .tensors import Gated

#: The parameters of swiglu, numbers, with what they are by default.
_MORE = {"limit": None, "alpha": 1.0, "offset": 0.0, "interleaved": False}


def _how(numbers: Any, dims: Any) -> dict[str, Any]:
    how: dict[str, Any] = {"axis": dims[0]} if dims else {}
    if numbers:
        limit, alpha, offset, interleaved = numbers
        how |= {"limit": None if limit == math.inf else limit, "alpha": alpha, "offset": offset, "interleaved": bool(interleaved)}
    return how


def _value(name: str, arrays: Tensors, tensors: Tensors, numbers: Any, dims: Any) -> torch.Tensor:
    return bridge.compute(get(name), arrays, (), **_how(numbers, dims))


def _backward(name: str, arrays: Tensors, tensors: Tensors, numbers: Any, dims: Any) -> list[torch.Tensor]:
    found = bridge.compute(get(name).backward, arrays, (), **_how(numbers, dims))
    return [found] if isinstance(found, torch.Tensor) else list(found)


def _like(name: str, arrays: Tensors, tensors: Tensors, numbers: Any, dims: Any) -> torch.Tensor:
    x = arrays[0]
    return x.new_empty([n // 2 if d in dims else n for d, n in enumerate(x.shape)])


def _like_arrays(name: str, arrays: Tensors, tensors: Tensors, numbers: Any, dims: Any) -> list[torch.Tensor]:
    return [a.new_empty(a.shape) for a in arrays[1:]]


def _of_value(call: Call, grad: torch.Tensor) -> tuple[list[Any], list[Any]]:
    return list(BACKWARD(call.name, (grad, *call.arrays), (), call.numbers, call.dims)), []


def _of_backward(call: Call, *grads: torch.Tensor) -> tuple[list[Any], list[Any]]:
    """By the rules, of the activation and its derivatives."""
    unit = get(call.name)
    order = slice(None) if unit.gate == "first" else slice(None, None, -1)
    limit, alpha, offset, interleaved = call.numbers or (math.inf, 1.0, 0.0, 0.0)
    grad, *arrays = call.arrays
    split = [*_split(arrays[0], call.dims[0], interleaved), *_split(grads[0], call.dims[0], interleaved)] if call.dims else []
    (gate, linear), (by_gate, by_linear) = (arrays[order], grads[order]) if not split else (split[:2][order], split[2:][order])
    numbers = (alpha,) if call.numbers else tuple(get(unit.activation).params.values())
    by_gate, by_linear = by_gate * (gate <= limit), by_linear * (linear.abs() <= limit)
    inside, m, c = gate <= limit, gate.clamp(max=limit), linear.clamp(-limit, limit) + offset
    first, second = TWICE(unit.activation, (by_gate * c, grad, m), (), numbers)
    by_grad = first + by_linear * ACTIVATION(unit.activation, (m,), (), numbers)
    found = [
        inside * (second + SLOPE(unit.activation, (by_linear * grad, m), (), numbers)),
        (linear.abs() <= limit) * SLOPE(unit.activation, (by_gate * grad, m), (), numbers),
    ][order]
    return [by_grad, *([_join(found, call.dims[0], interleaved)] if call.dims else found)], []


def _split(x: torch.Tensor, dim: int, interleaved: float) -> tuple[torch.Tensor, torch.Tensor]:
    """The halves of a tensor."""
    if interleaved:
        first, second = x.unflatten(dim, (x.shape[dim] // 2, 2)).unbind(dim + 1)
    else:
        first, second = x.chunk(2, dim)
    return first, second


def _join(halves: list[torch.Tensor], dim: int, interleaved: float) -> torch.Tensor:
    return torch.stack(halves, dim + 1).flatten(dim, dim + 1) if interleaved else torch.cat(halves, dim)


VALUE = Operator("gated", "Tensor", _value, _like, _of_value)
BACKWARD = Operator("gated_backward", "Tensor[]", _backward, _like_arrays, _of_backward)


def function(unit: Any) -> Any:
    """A gated unit as a function of tensors."""
    name = unit.__name__
    title, more = f"fastact.torch.{name}", _MORE if name == "swiglu" else {}

    def run(numbers: Any, *given: torch.Tensor) -> torch.Tensor:
        return bridge.compute(unit, given, (), **_how(*numbers))

    def back(numbers: Any, wanted: Any, grad: torch.Tensor, *given: torch.Tensor) -> Any:
        if torch.is_grad_enabled() or (found := short.backward(numbers, grad, *given)) is None:
            return BACKWARD(name, (grad, *given), (), *numbers)
        return found

    short = bridge.quick(Gated(unit.kernels.at, run), back)

    def split(a: torch.Tensor, dim: Any, named: dict[str, Any]) -> torch.Tensor:
        bridge.checked(title, "a", a)
        numbers = _numbers(title, more, named) if named else ()
        dims = _dims(title, -1 if dim is None else dim, a.dim())
        if len(dims) != 1 or a.shape[dims[0]] % 2:
            where = "its last dimension" if dim is None else f"dim {dim!r}"
            raise ValueError(f"{title}: a has shape {tuple(a.shape)}; expected an even length along {where}, which is split")
        if not is_compiling() and (found := short((numbers, dims), a)) is not None:
            return found
        return VALUE(name, (a,), (), numbers, dims)

    def of_tensors(a: torch.Tensor, b: torch.Tensor | None = None, *, dim: int | None = None, **named: Any) -> torch.Tensor:
        if not (named or dim is not None or is_compiling()) and isinstance(a, torch.Tensor):
            found = short(((), (a.dim() - 1,)), a) if b is None else short(((), ()), a, b)
            if found is not None:
                return found
        if b is None:
            return split(a, dim, named)
        bridge.checked(title, "a", a)
        numbers = _numbers(title, more, named) if named else ()
        if dim is not None:
            raise TypeError(f"{title}: dim goes with one tensor, which it splits; there are two")
        bridge.beside(title, "b", b, a, "a")
        if numbers and numbers[3]:
            raise TypeError(f"{title}: interleaved goes with one tensor, which is split; there are two")
        if a.dtype is not b.dtype:
            raise TypeError(f"{title}: a has dtype {a.dtype}, b {b.dtype}; expected one dtype")
        if a.shape != b.shape:
            try:
                a, b = torch.broadcast_tensors(a, b)
            except RuntimeError:
                raise ValueError(f"{title}: a has shape {tuple(a.shape)} and b {tuple(b.shape)}; they do not broadcast") from None
        return VALUE(name, (a, b), (), numbers)

    return describe(of_tensors, unit, ("a",), {"b": None}, {"dim": None, **more})


def _numbers(title: str, more: dict[str, Any], named: dict[str, Any]) -> tuple[float, ...]:
    """limit, alpha, offset and whether halves are interleaved."""
    for keyword in named:
        if keyword not in more:
            raise TypeError(f"{title}: there is no keyword {keyword!r}; expected {', '.join(['dim', *more])}")
    limit, alpha, offset, interleaved = {**more, **named}.values()
    given = {"limit": math.inf if limit is None else limit, "alpha": alpha, "offset": offset}
    if isinstance(limit, torch.Tensor) or any(isinstance(v, torch.Tensor) for v in given.values()):
        raise TypeError(f"{title}: limit, alpha and offset are numbers here; found a torch.Tensor")
    numbers = (*(number(title, n, v) for n, v in given.items()), float(bool(interleaved)))
    return () if numbers == (math.inf, 1.0, 0.0, 0.0) else numbers
