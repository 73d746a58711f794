"""Second derivatives of elementwise functions by x and by parameters, or by parameters alone, by torch's own operations."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import torch

from ..functions import get
from ..functions.plain import FORMULAS
from . import bridge
from .operators import Call, only_once


def _formula(call: Call) -> Callable[..., torch.Tensor]:
    """The function of a call in torch's operations."""
    try:
        found = FORMULAS[call.name]
    except KeyError:
        names = ", ".join(getattr(get(call.name), "params", ()))
        what = f"second derivatives by parameters ({names}) that are tensors which require gradients; there are none"
        raise only_once(call, what) from None
    return lambda x, *given: found(torch, x, *given)


def by_parameters(call: Call, weights: torch.Tensor) -> Sequence[torch.Tensor | None]:
    """The gradients by the parameters of a sum of the derivative by x with these weights."""
    formula, x = _formula(call), call.arrays[1].to(bridge.working(call.arrays[1].dtype))

    def slope(*given: torch.Tensor) -> torch.Tensor:
        _, back = torch.func.vjp(lambda v: formula(v, *given) + 0 * v, x)
        return back(torch.ones_like(x))[0]

    _, back = torch.func.vjp(slope, *call.tensors)
    found = back(weights.to(x.dtype).expand(x.shape))
    return [f if wanted else None for f, wanted in zip(found, call.by_tensor, strict=True)]


def of_gradients(call: Call, directions: Sequence[torch.Tensor | None]) -> tuple[list[Any], list[Any]]:
    """The gradients of what the gradients by the parameters are, times directions: by grad and x, and by the parameters."""
    formula, (grad, x) = _formula(call), call.arrays
    work = bridge.working(x.dtype)
    along = tuple(torch.zeros_like(t) if d is None else d for t, d in zip(call.tensors, directions, strict=True))

    def tangent(v: torch.Tensor, *given: torch.Tensor) -> torch.Tensor:
        return torch.func.jvp(lambda *p: formula(v, *p) + 0 * v, given, along)[1]

    by_grad, back = torch.func.vjp(tangent, x.to(work), *call.tensors)
    by_x, *found = back(grad.to(work).expand(x.shape))
    return [by_grad.to(grad.dtype), by_x.to(x.dtype)], [f if w else None for f, w in zip(found, call.by_tensor, strict=True)]
