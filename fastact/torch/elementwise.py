"""The elementwise activations as functions of tensors: their operators, which are each other's derivatives."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from torch.compiler import is_dynamo_compiling as is_compiling

from ..functions import get
from ..functions.general import bind, chosen_variant
from . import bridge, mixed
from .operators import Call, Operator, Tensors, only_once
from .signatures import describe
from .tensors import Elementwise


def _given(tensors: Tensors, numbers: Sequence[float]) -> tuple[Any, ...]:
    """The parameters; a tensor of one number on the CPU as that number."""
    return tuple([t.item() if t.numel() == 1 and t.is_cpu else t for t in tensors]) if tensors else tuple(numbers)


def _value(name: str, arrays: Tensors, tensors: Tensors, numbers: Any, dims: Any) -> Any:
    return bridge.compute(get(name), arrays, _given(tensors, numbers))


def _backward(name: str, arrays: Tensors, tensors: Tensors, numbers: Any, dims: Any) -> Any:
    return bridge.compute(get(name).backward, arrays, _given(tensors, numbers))


def _twice(name: str, arrays: Tensors, tensors: Tensors, numbers: Any, dims: Any) -> Any:
    return bridge.compute(get(name).backward_backward, arrays, _given(tensors, numbers))


def _by_parameters(name: str, arrays: Tensors, tensors: Tensors, numbers: Any, dims: Any) -> list[torch.Tensor]:
    """The gradients by the parameters, in the dtype that they have."""
    arrays = [a.to(bridge.working(a.dtype)) for a in arrays]
    found = bridge.compute(lambda *given: tuple(get(name).parameter_gradients(*given).values()), arrays, tensors)
    return [f.reshape(t.shape) for f, t in zip(found, tensors, strict=True)]


def _like(name: str, arrays: Tensors, tensors: Tensors, numbers: Any, dims: Any) -> torch.Tensor:
    return torch.empty_like(arrays[-1])


def _like_both(name: str, arrays: Tensors, tensors: Tensors, numbers: Any, dims: Any) -> tuple[torch.Tensor, torch.Tensor]:
    return torch.empty_like(arrays[-1]), torch.empty_like(arrays[-1])


def _like_tensors(name: str, arrays: Tensors, tensors: Tensors, numbers: Any, dims: Any) -> list[torch.Tensor]:
    return [t.new_empty(t.shape) for t in tensors]


def _of_value(call: Call, grad: torch.Tensor) -> tuple[list[Any], list[Any]]:
    (x,) = call.arrays
    by_x = BACKWARD(call.name, (grad, x), call.tensors, call.numbers) if call.by_array[0] else None
    if not any(call.by_tensor):
        return [by_x], [None] * len(call.tensors)
    found = PARAMETERS(call.name, (grad, x), call.tensors, call.numbers)
    return [by_x], [f if wanted else None for f, wanted in zip(found, call.by_tensor, strict=True)]


def _of_backward(call: Call, grad_grad: torch.Tensor) -> tuple[list[Any], list[Any]]:
    grad, x = call.arrays
    found: Any = [None] * len(call.tensors)
    if any(call.by_tensor):
        found = mixed.by_parameters(call, grad_grad * grad)
    if not call.by_array[1]:
        return [BACKWARD(call.name, (grad_grad, x), call.tensors, call.numbers), None], found
    return list(TWICE(call.name, (grad_grad, grad, x), call.tensors, call.numbers)), found


def _along_value(call: Call, by_x: Any, *by_tensors: Any) -> torch.Tensor:
    if any(t is not None for t in by_tensors):
        raise only_once(call, "a forward derivative by a parameter; there is none")
    return BACKWARD(call.name, (by_x, *call.arrays), call.tensors, call.numbers)


def _along_backward(call: Call, by_grad: Any, by_x: Any, *by_tensors: Any) -> torch.Tensor:
    if any(t is not None for t in by_tensors):
        raise only_once(call, "a forward derivative by a parameter; there is none")
    grad, x = call.arrays
    found = 0 if by_grad is None else BACKWARD(call.name, (by_grad, x), call.tensors, call.numbers)
    return found if by_x is None else found + TWICE(call.name, (by_x, grad, x), call.tensors, call.numbers)[1]


def _of_twice(call: Call, *grads: torch.Tensor) -> Any:
    raise only_once(call, "third derivatives by x; there are none")


def _of_parameters(call: Call, *grads: torch.Tensor) -> Any:
    return mixed.of_gradients(call, grads)


def _narrow(results: list[torch.Tensor], shapes: list[Any]) -> list[torch.Tensor]:
    return [r.reshape(s) for r, s in zip(results, shapes, strict=True)]


VALUE = Operator("elementwise", "Tensor", _value, _like, _of_value, tangent=_along_value)
BACKWARD = Operator("elementwise_backward", "Tensor", _backward, _like, _of_backward, tangent=_along_backward)
TWICE = Operator("elementwise_backward_backward", "(Tensor, Tensor)", _twice, _like_both, _of_twice)
PARAMETERS = Operator("elementwise_parameters", "Tensor[]", _by_parameters, _like_tensors, _of_parameters, batched=_narrow)


class _Title:
    """What `bind` wants to know of a call."""

    def __init__(self, activation: Any) -> None:
        self.spec, self.title, self.arrays = activation.spec, f"fastact.torch.{activation.__name__}", ("x",)
        self.keywords = tuple(activation.spec.variants)


def function(activation: Any) -> Any:
    """An activation as a function of tensors."""
    name, call = activation.__name__, _Title(activation)
    title, parameters = call.title, tuple(activation.params)
    default = tuple(map(float, activation.params.values()))
    if get_or_none(name) is not activation:
        raise ValueError(f"fastact.torch: {activation!r} is not what fastact.get({name!r}) gives; expected a name of its own")
    variants = activation.spec.variants


    def back(numbers: Any, wanted: Any, grad: torch.Tensor, x: torch.Tensor, *tensors: torch.Tensor) -> Any:
        if tensors:
            by_array, by_tensor = _of_value(Call(name, (x,), tensors, (), (), None, wanted[:1], wanted[1:]), grad)
            return *by_array, *by_tensor
        if torch.is_grad_enabled() or (found := short.backward(numbers, grad, x)) is None:
            return (BACKWARD(name, (grad, x), (), numbers or default),)
        return (found,)

    short = bridge.quick(Elementwise(activation, bridge.large), back)

    def of_tensors(x: torch.Tensor, *params: Any, **named: Any) -> torch.Tensor:
        if not is_compiling() and (found := short.bound(x, params, named)) is not None:
            return found
        if not params and not named:
            return VALUE(name, (bridge.checked(title, "x", x),), (), default)
        bridge.checked(title, "x", x)
        if variants:
            chosen, named = chosen_variant(title, activation, named)
            if chosen is not activation:
                return VALUE(chosen.__name__, (x,), (), tuple(chosen.params.values()))
        x, tensors, plain = _bound(title, parameters, x, bind(call, params, named))
        return VALUE(name, (x,), tensors, plain)

    return describe(of_tensors, activation, ("x",), activation.params, {k: next(iter(v)) for k, v in variants.items()})


def _bound(title: str, names: Sequence[str], x: torch.Tensor, values: list[Any]) -> tuple[torch.Tensor, list[Any], list[float]]:
    """x and the parameters: all as tensors where one is, else as numbers; x has the shape of the result."""
    if not any(isinstance(v, torch.Tensor) for v in values):
        return x, [], [number(title, n, v) for n, v in zip(names, values, strict=True)]
    work = bridge.working(x.dtype)
    tensors = []
    for name, value in zip(names, values, strict=True):
        if isinstance(value, torch.Tensor):
            tensors.append(bridge.beside(title, name, value, x).to(work))
        else:
            tensors.append(torch.tensor(number(title, name, value), dtype=work, device=x.device))
    if all(not t.dim() or t.shape == x.shape for t in tensors):
        return x, tensors, []
    try:
        shape = torch.broadcast_shapes(x.shape, *(t.shape for t in tensors))
    except RuntimeError:
        given = ", ".join(f"{n} {tuple(t.shape)}" for n, t in zip(names, tensors, strict=True))
        raise ValueError(f"{title}: x has shape {tuple(x.shape)} and {given}; they do not broadcast") from None
    return (x if x.shape == shape else x.expand(shape)), tensors, []


def number(title: str, name: str, value: Any) -> float:
    """A parameter that is no tensor."""
    if isinstance(value, bool) or not isinstance(value, float | int | np.floating | np.integer | torch.SymFloat | torch.SymInt):
        raise TypeError(f"{title}: {name} is {value!r}; expected a number or a torch.Tensor")
    return value if isinstance(value, float) else float(value)


def get_or_none(name: str) -> Any:
    """What fastact has by a name."""
    try:
        return get(name)
    except ValueError:
        return None
