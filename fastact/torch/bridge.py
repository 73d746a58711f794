"""Tensors as the arrays that fastact computes, and its results as tensors: no copies, both ways."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import torch
from torch.autograd import forward_ad

from ..cpu.api import rows_at as _rows_at
from ..cpu.direct import is_redirected

DTYPES = frozenset((torch.float16, torch.bfloat16, torch.float32, torch.float64))
_NUMPY = DTYPES - {torch.bfloat16}
#: What is a plain tensor.
OWN = frozenset((torch.Tensor, torch.nn.Parameter))
_TENSOR, _is_wanted = torch.Tensor, torch.is_grad_enabled
#: What the kernels call them (fastact/cpu/moves.h).
HELD = {torch.float32: 0, torch.float64: -1, torch.float16: 1, torch.bfloat16: 12}
_LARGE = 1 << 14

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
        if type(t) not in OWN or not t.is_cpu:
            return False
    return not more or all(type(t) in OWN and t.is_cpu for t in more)


def quick(run: Callable[..., torch.Tensor], back: Callable[..., Any], of_output: bool = False) -> Callable[..., Any]:
    """``run(numbers, *tensors)`` without torch's dispatcher, for tensors of the CPU that lie in one piece.

    Parameters
    ----------
    run : callable
        What is computed.
    back : callable
        ``back(numbers, wanted, grad, *tensors)``, or of the output instead of the tensors: the gradients by the tensors, a
        sequence; wanted says which.
    of_output : bool
        Whether the output is kept for `back`.

    Returns
    -------
    callable
        The same, differentiable; None is what it gives where somebody but autograd wants to know what is computed, and for
        tensors of other kinds.
    """

    class Quick(torch.autograd.Function):
        @staticmethod
        def forward(ctx: Any, numbers: Any, *tensors: torch.Tensor) -> torch.Tensor:
            result = run(numbers, *tensors)
            if of_output:
                ctx.save_for_backward(result)
            else:
                ctx.save_for_backward(*tensors)
            ctx.numbers = numbers
            return result

        @staticmethod
        def backward(ctx: Any, grad: torch.Tensor) -> Any:
            return None, *back(ctx.numbers, ctx.needs_input_grad[1:], grad, *ctx.saved_tensors)

    apply = Quick.apply

    def called(numbers: Any, *tensors: torch.Tensor) -> torch.Tensor | None:
        wanted = False
        for t in tensors:
            if type(t) not in OWN or t.dtype not in HELD or not t.is_cpu or not t.is_contiguous():
                return None
            wanted = wanted or t.requires_grad
        if _is_watched() or is_redirected():
            return None
        return apply(numbers, *tensors) if wanted and _is_wanted() else run(numbers, *tensors)

    return called


def is_short(grad: torch.Tensor, x: torch.Tensor, shape: Any = None) -> bool:
    """Whether a gradient, of the shape of x or of another, is such a tensor too, beside x."""
    alike = type(grad) is _TENSOR and grad.dtype is x.dtype and grad.shape == (x.shape if shape is None else shape)
    return alike and grad.is_contiguous() and not _is_watched() and not is_redirected()


def is_large(x: torch.Tensor) -> bool:
    """Whether the memory of a result is better taken from fastact, which keeps it for the next one; or there is none."""
    return not 0 < x.numel() < _LARGE


def rows_at(
    kernel: int, dim: int, temperature: float, x: torch.Tensor, grad: torch.Tensor | None = None, shape: Any = None
) -> torch.Tensor:
    """A kernel of rows over such a tensor; with the gradient, x is the output. shape: of the result, if not that of x."""
    y, columns, rank = torch.empty_like(x) if shape is None else x.new_empty(shape), x.shape[dim], x.dim()
    inner = 1 if dim in (-1, rank - 1) else math.prod(x.shape[dim % rank + 1 :])
    addresses = x.data_ptr(), 0 if grad is None else grad.data_ptr(), y.data_ptr()
    _rows_at(kernel, x.numel() // (columns * inner), columns, inner, *addresses, temperature)
    return y


def at(call: Any, *arrays: torch.Tensor, numbers: Any = ()) -> torch.Tensor:
    """A kind of an elementwise function over tensors of the CPU that lie in one piece: (grad and) x."""
    x = arrays[-1]
    if is_large(x) and x.dtype in _NUMPY:
        return torch.from_numpy(call(*[a.numpy(force=True) for a in arrays], *numbers))
    y = torch.empty_like(x)
    call.at(x.data_ptr(), y.data_ptr(), x.numel(), HELD[x.dtype], numbers, arrays[0].data_ptr() if len(arrays) == 2 else 0)
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
