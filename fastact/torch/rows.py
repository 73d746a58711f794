"""Softmax and its kin as functions of tensors."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from torch.compiler import is_dynamo_compiling as is_compiling

from ..cpu.api import FLOAT32, FLOAT64, address_of
from ..functions import get
from . import bridge
from .elementwise import number
from .operators import Call, Operator, Tensors, only_once
from .signatures import describe
from .tensors import Rows

#: Those whose derivative is made of the input.
_SUMS = ("logsumexp", "logmeanexp")
_LOGS = ("log_softmax", "log_softmin")
#: What an element is to the power of where slopes are made of it; of entmax 2 - alpha.
_POWERS = {"entmax15": 0.5, "sparsemax": 0.0}


def _how(name: str, tensors: Tensors, numbers: Sequence[float], dims: Sequence[int]) -> dict[str, Any]:
    """The keywords of a call of fastact."""
    given = [t.item() if not t.dim() and t.is_cpu else t for t in tensors] or numbers
    return {**dict(zip(_parameters(name), given, strict=True)), "axis": dims[0] if len(dims) == 1 else tuple(dims)}


def _parameters(name: str) -> tuple[str, ...]:
    return ("alpha", "temperature") if name == "entmax" else ("temperature",)


def _value(name: str, arrays: Tensors, tensors: Tensors, numbers: Any, dims: Any) -> torch.Tensor:
    how = _how(name, tensors, numbers, dims)
    if name in _SUMS:
        how["keepdims"] = True
    if len(arrays) == 2:
        how["where"] = arrays[1]
    return bridge.compute(get(name), arrays[:1], (), **how)


def _backward(name: str, arrays: Tensors, tensors: Tensors, numbers: Any, dims: Any) -> torch.Tensor:
    return bridge.compute(get(name).backward, arrays, (), **_how(name, tensors, numbers, dims))


def _by_parameters(name: str, arrays: Tensors, tensors: Tensors, numbers: Any, dims: Any) -> list[torch.Tensor]:
    how = _how(name, tensors, numbers, dims) | dict(zip(_parameters(name), tensors, strict=True))
    if len(arrays) == 3:
        how["where"] = arrays[2]
    arrays = [a.to(bridge.working(a.dtype)) for a in arrays[:2]]
    if name in _SUMS:
        how["keepdims"] = True
    found = bridge.compute(lambda *given, **how: tuple(get(name).parameter_gradients(*given, **how).values()), arrays, (), **how)
    return [f.reshape(t.shape) for f, t in zip(found, tensors, strict=True)]


def _like(name: str, arrays: Tensors, tensors: Tensors, numbers: Any, dims: Any) -> torch.Tensor:
    x = arrays[0]
    return x.new_empty([1 if d in dims else n for d, n in enumerate(x.shape)]) if name in _SUMS else torch.empty_like(x)


def _like_last(name: str, arrays: Tensors, tensors: Tensors, numbers: Any, dims: Any) -> torch.Tensor:
    return torch.empty_like(arrays[1])


def _like_tensors(name: str, arrays: Tensors, tensors: Tensors, numbers: Any, dims: Any) -> list[torch.Tensor]:
    return [t.new_empty(t.shape) for t in tensors]


def _of_value(call: Call, grad: torch.Tensor) -> tuple[list[Any], list[Any]]:
    name, none = call.name, [None] * (len(call.by_array) - 1)  # the mask has no gradient
    by_x = None
    if call.by_array[0] and name in _SUMS:
        temperature = call.tensors[0].to(grad.dtype) if call.tensors else call.numbers[0]
        by_x = VALUE("softmax", call.arrays, call.tensors, call.numbers, call.dims) * (grad / temperature)
    elif call.by_array[0]:
        by_x = BACKWARD(name, (grad, call.output), call.tensors, call.numbers, call.dims)
    if not any(call.by_tensor):
        return [by_x, *none], [None] * len(call.tensors)
    found = PARAMETERS(name, (grad, *call.arrays), call.tensors, call.numbers, call.dims)
    return [by_x, *none], [f if wanted else None for f, wanted in zip(found, call.by_tensor, strict=True)]


def _along_value(call: Call, by_x: Any, *others: Any) -> torch.Tensor:
    """The slope is its own transpose, but of logarithms."""
    if any(t is not None for t in others) or call.name in _SUMS:
        raise only_once(call, "a forward derivative; there is none of logarithms of sums and by parameters")
    if call.name not in _LOGS:
        return BACKWARD(call.name, (by_x, call.output), call.tensors, call.numbers, call.dims)
    scale = get(call.name).sign / (call.tensors[0].to(by_x.dtype) if call.tensors else call.numbers[0])
    p = call.output.exp()
    by_x = torch.where(p > 0, by_x, 0)
    return scale * (by_x - (p * by_x).sum(list(call.dims), keepdim=True))


def _of_backward(call: Call, grad_grad: torch.Tensor) -> tuple[list[Any], list[Any]]:
    """By grad the transpose of the same slope, by y what that changes by."""
    if any(call.by_tensor):
        names = " or ".join(_parameters(call.name))
        raise only_once(call, f"derivatives by x and by {names}, a tensor that requires gradients; there are none")
    (grad, y), dims, dtype = call.arrays, list(call.dims), call.arrays[1].dtype
    given = [t.to(dtype) for t in call.tensors] or list(call.numbers)
    scale = get(call.name).sign / given[-1]
    by_grad = by_y = None

    def total(terms: torch.Tensor) -> torch.Tensor:
        return terms.sum(dims, keepdim=True)

    if call.name in _LOGS:
        p = y.exp()
        grad_grad = torch.where(p > 0, grad_grad, 0)
        by_grad = scale * (grad_grad - total(p * grad_grad))
        by_y = -scale * grad_grad * p * total(grad) if call.by_array[1] else None
        return [by_grad, by_y], [None] * len(given)
    if call.by_array[0]:
        by_grad = BACKWARD(call.name, (grad_grad, y), call.tensors, call.numbers, call.dims)
    if call.by_array[1] and call.name in ("softmax", "softmin", "softmax1"):
        by_y = scale * (grad_grad * (grad - total(y * grad)) - grad * total(y * grad_grad))
    elif call.by_array[1] and call.name != "hardmax":
        power = 2 - given[0] if call.name == "entmax" else _POWERS[call.name]
        support = y > 0
        kept = torch.where(support, y, 1)
        w = torch.where(support, kept**power, 0)
        weight = total(w)
        both = (grad - total(w * grad) / weight) * (grad_grad - total(w * grad_grad) / weight)
        by_y = torch.where(support, scale * power * kept ** (power - 1) * both, 0)
    return [by_grad, by_y], [None] * len(call.tensors)


def _of_parameters(call: Call, *grads: torch.Tensor) -> Any:
    raise only_once(call, f"second derivatives by {' or '.join(_parameters(call.name))}; there are none")


def _keeps(name: str, tensors: Tensors) -> tuple[bool, bool]:
    return bool(tensors) or name in _SUMS, name not in _SUMS


def _narrow(results: list[torch.Tensor], shapes: list[Any]) -> list[torch.Tensor]:
    return [r.reshape(s) for r, s in zip(results, shapes, strict=True)]


VALUE = Operator("rows", "Tensor", _value, _like, _of_value, _keeps, tangent=_along_value)
BACKWARD = Operator("rows_backward", "Tensor", _backward, _like_last, _of_backward)
PARAMETERS = Operator("rows_parameters", "Tensor[]", _by_parameters, _like_tensors, _of_parameters, batched=_narrow)


def function(of_rows: Any) -> Any:
    """A function of rows as one of tensors."""
    name = of_rows.__name__
    title, sums, names = f"fastact.torch.{name}", name in _SUMS, _parameters(name)

    def computed(
        x: torch.Tensor, dim: Any, temperature: Any, where: Any, keepdim: bool = False, more: tuple[Any, ...] = ()
    ) -> torch.Tensor:
        bridge.checked(title, "x", x)
        if not x.dim():  # one element
            _dims(title, dim, 1)
            return computed(x.reshape(1), 0, temperature, where, keepdim, more).reshape(())
        dims = _dims(title, dim, x.dim())
        arrays = [x] if where is None else [x, _mask(title, where, x)]
        given: tuple[Any, ...] = (*more, temperature)
        tensors: list[torch.Tensor] = []
        if any(isinstance(g, torch.Tensor) for g in given):
            tensors = [_per_row(title, n, g, x, dims) for n, g in zip(names, given, strict=True)]
            given = ()
        else:
            given = tuple([g if type(g) is float else number(title, n, g) for n, g in zip(names, given, strict=True)])
        found = VALUE(name, arrays, tensors, given, dims)
        return found if keepdim or not sums else found.squeeze(dims)

    def run(numbers: tuple[int, float, bool], x: torch.Tensor) -> torch.Tensor:
        dim, temperature, keepdim = numbers
        return bridge.compute(of_rows, (x,), (dim,), temperature=temperature, **({"keepdims": keepdim} if sums else {}))

    def back(numbers: tuple[int, float, bool], wanted: Any, grad: torch.Tensor, kept: torch.Tensor) -> tuple[torch.Tensor]:
        dim, temperature, keepdim = numbers
        dims = (dim % kept.dim(),)
        if sums:
            grad = grad if keepdim else grad.unsqueeze(dim)
            return (_of_value(Call(name, (kept,), (), (temperature,), dims, None, (True,), ()), grad)[0][0],)
        if torch.is_grad_enabled() or (found := short.backward(numbers, grad, kept)) is None:
            return (BACKWARD(name, (grad, kept), (), (temperature,), dims),)
        return (found,)

    kernels = [[address_of(name, kind, n) for n in (FLOAT32, FLOAT64)] for kind in ("value", "backward")]
    short = bridge.quick(Rows(kernels, sums, run), back, not sums)

    if sums:

        def of_tensors(
            x: torch.Tensor, dim: Any = -1, *, keepdim: bool = False, temperature: Any = 1.0, where: Any = None
        ) -> torch.Tensor:
            if where is None and not is_compiling() and (found := short((dim, temperature, keepdim), x)) is not None:
                return found
            return computed(x, dim, temperature, where, keepdim)

    elif name == "entmax":

        def of_tensors(  # type: ignore[misc]
            x: torch.Tensor, alpha: Any = 1.5, dim: Any = -1, *, temperature: Any = 1.0, where: Any = None
        ) -> torch.Tensor:
            return computed(x, dim, temperature, where, more=(alpha,))

    else:

        def of_tensors(x: torch.Tensor, dim: Any = -1, *, temperature: Any = 1.0, where: Any = None) -> torch.Tensor:  # type: ignore[misc]
            if where is None and not is_compiling() and (found := short((dim, temperature, False), x)) is not None:
                return found
            return computed(x, dim, temperature, where)

    positional = {**({"alpha": 1.5} if name == "entmax" else {}), "dim": -1}
    return describe(
        of_tensors, of_rows, ("x",), positional, {**({"keepdim": False} if sums else {}), "temperature": 1.0, "where": None}
    )


def _dims(title: str, dim: Any, rank: int) -> tuple[int, ...]:
    """The dimensions of a row, counted from the front, in order."""
    given = tuple(range(rank)) if dim is None else (dim,) if isinstance(dim, int | np.integer) else dim
    if not isinstance(given, tuple | list) or any(isinstance(d, bool) or not isinstance(d, int | np.integer) for d in given):
        raise TypeError(f"{title}: dim is {dim!r}; expected an int, a tuple of ints or None")
    if not given:
        raise ValueError(f"{title}: dim is {dim!r}; expected one dimension or several")
    for d in given:
        if not -rank <= d < rank:
            raise ValueError(f"{title}: dim is {d}; expected one of the {rank} dimensions of x")
    found = sorted(int(d) % rank for d in given)
    if len(set(found)) < len(found):
        raise ValueError(f"{title}: dim is {dim!r}, which names a dimension twice")
    return tuple(found)


def _mask(title: str, where: Any, x: torch.Tensor) -> torch.Tensor:
    if not isinstance(where, torch.Tensor) or where.dtype is not torch.bool:
        found = f"has dtype {where.dtype}" if isinstance(where, torch.Tensor) else f"is {type(where).__name__}"
        raise TypeError(f"{title}: where {found}; expected a torch.Tensor of bool")
    if where.device != x.device:
        raise ValueError(f"{title}: where is on {where.device}, x on {x.device}; expected one device")
    try:
        return where.expand(x.shape)
    except RuntimeError:
        shape = tuple(x.shape)
        raise ValueError(f"{title}: where has shape {tuple(where.shape)}; expected one that broadcasts to {shape}") from None


def _per_row(title: str, name: str, value: Any, x: torch.Tensor, dims: tuple[int, ...]) -> torch.Tensor:
    """A parameter as a tensor, with dimensions of length 1 for those of the row."""
    work = bridge.working(x.dtype)
    if not isinstance(value, torch.Tensor):
        return torch.tensor(number(title, name, value), dtype=work, device=x.device)
    value = bridge.beside(title, name, value, x).to(work)
    kept = [1 if d in dims else n for d, n in enumerate(x.shape)]
    rows = [n for d, n in enumerate(x.shape) if d not in dims]
    if value.dim() not in (0, len(kept)) and value.dim() <= len(rows):
        value = value.reshape([1] * (len(rows) - value.dim()) + list(value.shape))
        for d in dims:
            value = value.unsqueeze(d)
    if value.dim() > len(kept) or any(n not in (1, k) for n, k in zip(value.shape, kept if value.dim() else [], strict=True)):
        raise ValueError(f"{title}: {name} has shape {tuple(value.shape)}; expected one that broadcasts to {rows} or {kept}")
    return value
