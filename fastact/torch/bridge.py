"""Tensors as the arrays that fastact computes, and its results as tensors: no copies, both ways."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import torch
from torch.autograd import forward_ad

DTYPES = frozenset((torch.float16, torch.bfloat16, torch.float32, torch.float64))
_NUMPY = DTYPES - {torch.bfloat16}
_OWN = frozenset((torch.Tensor, torch.nn.Parameter))

try:  # what torch's own Python code asks; without it every call goes through the dispatcher, which is slower and as right
    _transformed = torch._C._are_functorch_transforms_active
    _modes = torch._C._len_torch_dispatch_stack
    _tracing = torch._C._get_tracing_state
    _level: Any = forward_ad
    _known = isinstance(forward_ad._current_level, int)
except AttributeError:
    _known = False


def _is_watched() -> bool:
    """Whether anybody but autograd may want to know what is computed."""
    return not _known or _modes() or _transformed() or _level._current_level >= 0 or _tracing() is not None


def is_plain(tensors: Sequence[torch.Tensor], more: Sequence[torch.Tensor] = ()) -> bool:
    """Whether these are tensors of the CPU and nobody wants to know what is computed of them but autograd."""
    if _is_watched():
        return False
    for t in tensors:
        if type(t) not in _OWN or not t.is_cpu:
            return False
    return not more or all(type(t) in _OWN and t.is_cpu for t in more)


class _Quick(torch.autograd.Function):
    """The short way of `quick`, with gradients."""

    @staticmethod
    def forward(ctx: Any, call: Any, numbers: Any, back: Any, of_output: bool, x: torch.Tensor) -> torch.Tensor:
        result = _tensor(call(x.numpy(force=True), *numbers), x.dtype)
        ctx.save_for_backward(result if of_output else x)
        ctx.back, ctx.numbers = back, numbers
        return result

    @staticmethod
    def backward(ctx: Any, grad: torch.Tensor) -> Any:
        return None, None, None, None, ctx.back(ctx.numbers, grad, *ctx.saved_tensors)


def quick(
    call: Callable[..., Any], tensors: Sequence[torch.Tensor], numbers: Sequence[Any], back: Any = None, of_output: bool = False
) -> torch.Tensor | None:
    """``call(*tensors, *numbers)`` where nobody wants to know what is computed but autograd; None for all else.

    ``back(numbers, grad, x)``, or of the output instead of x, is the gradient by a single tensor; without it none may be wanted.
    """
    if _is_watched():
        return None
    given = []
    for t in tensors:
        if type(t) is not torch.Tensor or t.dtype not in _NUMPY or not t.is_cpu:
            return None
        if t.requires_grad and torch.is_grad_enabled():
            return None if back is None else _Quick.apply(call, numbers, back, of_output, t)
        given.append(t.numpy(force=True))
    result = call(*given, *numbers)
    return torch.from_numpy(result if type(result) is np.ndarray else np.asarray(result))


def is_transformed() -> bool:
    """Whether a transform of `torch.func` is at work."""
    return _known and _transformed()


def is_forward() -> bool:
    """Whether forward derivatives may be carried along."""
    return _known and _level._current_level >= 0


def checked(title: str, name: str, value: Any) -> torch.Tensor:
    """A tensor of numbers that there are kernels for."""
    if not isinstance(value, torch.Tensor):
        raise TypeError(f"{title}: {name} is {type(value).__name__}; expected a torch.Tensor; fastact's functions take arrays")
    if value.dtype not in DTYPES:
        raise TypeError(f"{title}: {name} has dtype {value.dtype}; expected float16, bfloat16, float32 or float64")
    return value


def beside(title: str, name: str, value: Any, x: torch.Tensor, like: str = "x") -> torch.Tensor:
    """A further tensor, on the device of the first."""
    checked(title, name, value)
    if value.device != x.device:
        raise ValueError(f"{title}: {name} is on {value.device}, {like} on {x.device}; expected one device")
    return value


def working(dtype: torch.dtype) -> torch.dtype:
    """What is computed with for tensors of a dtype."""
    return torch.float64 if dtype is torch.float64 else torch.float32


def compute(call: Callable[..., Any], arrays: Sequence[torch.Tensor], parameters: Sequence[Any], **how: Any) -> Any:
    """``call(*arrays, *parameters)``, with all of them as arrays.

    Parameters
    ----------
    call : callable
        Of fastact.
    arrays : sequence of torch.Tensor
        Of the dtype of the results.
    parameters : sequence of float or torch.Tensor
        The tensors are of the working dtype.
    **how
        Keywords; tensors among them become arrays too.

    Returns
    -------
    torch.Tensor or tuple of them
        Fresh.
    """
    dtype = arrays[0].dtype
    if dtype is torch.bfloat16 or (dtype is torch.float16 and any(isinstance(p, torch.Tensor) for p in parameters)):
        arrays = [a.float() for a in arrays]  # and the results are rounded once
    given = [_array(v) for v in (*arrays, *parameters)]
    if how:
        how = {name: _array(v) for name, v in how.items()}
    result = call(*given, **how)
    if type(result) is np.ndarray:
        found = torch.from_numpy(result)
        return found if found.dtype is dtype else found.to(dtype)
    return tuple([_tensor(r, dtype) for r in result]) if type(result) is tuple else _tensor(result, dtype)


def _array(value: Any) -> Any:
    """What fastact takes of a tensor, its memory; anything else as it is."""
    if not isinstance(value, torch.Tensor):
        return value
    return value.numpy(force=True) if value.is_cpu else value.detach()


def _tensor(result: Any, dtype: torch.dtype) -> torch.Tensor:
    if not isinstance(result, torch.Tensor):
        result = torch.from_numpy(result if type(result) is np.ndarray else np.asarray(result))
    return result if result.dtype is dtype else result.to(dtype)


def like(tensor: torch.Tensor, shape: torch.Tensor) -> torch.Tensor:
    """A result with the strides that were promised of it, those of ``torch.empty_like(shape)``."""
    if tensor.is_contiguous() and shape.is_contiguous():
        return tensor
    promised = torch.empty_like(shape, dtype=tensor.dtype)
    return tensor if tensor.stride() == promised.stride() else promised.copy_(tensor)
