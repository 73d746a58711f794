"""Tensors as the arrays that fastact computes, and its results as tensors: no copies, both ways."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import torch
from torch.autograd import forward_ad

from .tensors import Short, is_watched, take, watch

DTYPES = frozenset((torch.float16, torch.bfloat16, torch.float32, torch.float64))
_NUMPY = DTYPES - {torch.bfloat16}
#: What is a plain tensor.
OWN = frozenset((torch.Tensor, torch.nn.Parameter))
#: What the kernels call them (fastact/cpu/moves.h).
HELD = {torch.float32: 0, torch.float64: -1, torch.float16: 1, torch.bfloat16: 12}

try:  # what torch's own Python code asks; without it every call goes through the dispatcher, which is slower and as right
    _transformed = torch._C._are_functorch_transforms_active
    _level: Any = forward_ad
    _known = isinstance(forward_ad._current_level, int)
    if _known:
        watch((torch._C._len_torch_dispatch_stack, _transformed, torch._C._get_tracing_state), forward_ad)
except AttributeError:
    _known = False


def read_by(functions: Any) -> None:
    """Let short calls read tensors by DLPack's functions, or by their attributes where there are none."""
    kinds = {torch.float16: (2, 16), torch.float32: (2, 32), torch.float64: (2, 64), torch.bfloat16: (4, 16)}
    take(functions, OWN, torch.is_grad_enabled, torch.empty_like, kinds)


#: From torch 2.10 on.
FUNCTIONS = getattr(torch.Tensor, "__dlpack_c_exchange_api__", None)
if _known:
    read_by(FUNCTIONS)


def is_plain(arrays: Sequence[torch.Tensor], more: Sequence[torch.Tensor] = ()) -> bool:
    """Whether these are tensors of the CPU and nobody wants to know what is computed of them but autograd."""
    if is_watched():
        return False
    for t in arrays:
        if type(t) not in OWN or not t.is_cpu:
            return False
    return not more or all(type(t) in OWN and t.is_cpu for t in more)


def quick(short: Short, back: Callable[..., Any], of_output: bool = False) -> Short:
    """A short call (fastact/torch/tensors.pyx) with gradients.

    Parameters
    ----------
    short : Short
        What is computed.
    back : callable
        ``back(numbers, wanted, grad, *tensors)``, or of the output instead of the tensors: the gradients by the tensors, a
        sequence; wanted says which.
    of_output : bool
        Whether the output is kept for `back`.

    Returns
    -------
    Short
        The same, differentiable.
    """

    class Quick(torch.autograd.Function):
        forward = staticmethod(short.forward)

        @staticmethod
        def backward(ctx: Any, grad: torch.Tensor) -> Any:
            return None, *back(getattr(ctx, "numbers", ()), ctx.needs_input_grad[1:], grad, *ctx.saved_tensors)

    short.of_output = of_output
    # torch's own `apply` without what is for transforms, of which there are none where a call is short
    short.apply = super(torch.autograd.Function, Quick).apply
    return short


def large(call: Any, x: torch.Tensor, numbers: Any, grad: torch.Tensor | None = None) -> torch.Tensor:
    """A kind of an elementwise function over a tensor in one piece, and a gradient like it, in memory that fastact keeps."""
    if x.dtype in _NUMPY:
        return torch.from_numpy(call(*[a.numpy(force=True) for a in ([x] if grad is None else [grad, x])], *numbers))
    y = torch.empty_like(x)
    call.at(x.data_ptr(), y.data_ptr(), x.numel(), HELD[x.dtype], numbers, 0 if grad is None else grad.data_ptr())
    return y


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
    if value.layout is not torch.strided or value.is_nested:
        found = "is nested" if value.is_nested else f"has layout {value.layout}"
        raise TypeError(f"{title}: {name} {found}; expected a dense tensor")
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
