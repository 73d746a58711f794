"""What torch is told of an operator: its schema, kernels, derivative, shapes, and how it is batched.

All operators have one form, ``name, arrays, tensors, numbers, dims``: the name of a function, the arrays that it is computed of,
its parameters, which are tensors or numbers, and the dimensions of rows. They are ``torch.ops.fastact.*``.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import torch
from torch.compiler import is_compiling

from . import bridge
from .bridge import is_plain

Tensors = Sequence[torch.Tensor]

_LIBRARY = torch.library.Library("fastact", "DEF")


class Call(NamedTuple):
    """A call that is differentiated: what it was made of, its result if that was kept, and whose gradients are wanted."""

    name: str
    arrays: Tensors
    tensors: Tensors
    numbers: Sequence[float]
    dims: Sequence[int]
    output: Any
    by_array: Sequence[bool]
    by_tensor: Sequence[bool]


class Operator:
    """An operator, called with ``name, arrays, tensors, numbers, dims``.

    Plain tensors of the CPU take a short way, through an `autograd.Function` of the old kind or nothing at all: torch's
    dispatcher and its functions of the new kind cost ten times what the call does. The transforms of `torch.func` and forward
    derivatives go through a function of the new kind, for operators have no way there. All else (compilers, modes, subclasses,
    other devices) goes to the registered operator. All ways have the same kernel and the same derivative.

    Parameters
    ----------
    name : str
        In ``torch.ops.fastact``.
    returns : str
        "Tensor", "(Tensor, Tensor)" or "Tensor[]".
    kernel : callable
        ``kernel(name, arrays, tensors, numbers, dims)``: what is computed.
    shapes : callable
        The same, of tensors without data: what the results look like.
    gradients : callable
        ``gradients(call, *grads)``: the gradients by the arrays and those by the tensors, two lists, with None for 0.
    keeps : callable
        ``keeps(name, tensors)``: whether the derivative needs the arrays, and whether it needs the output.
    batched : callable
        ``batched(results, shapes)``: the results of a batch from those of the call over all of it.
    tangent : callable
        ``tangent(call, *tangents)``: the forward derivative, from tangents of the arrays and tensors, None for 0.
    """

    def __init__(
        self, name: str, returns: str, kernel: Callable[..., Any], shapes: Callable[..., Any], gradients: Callable[..., Any],
        keeps: Callable[[str, Tensors], tuple[bool, bool]] = lambda name, tensors: (True, False),
        batched: Callable[..., Any] | None = None, tangent: Callable[..., Any] | None = None,
    ) -> None:  # fmt: skip
        self.tangent = tangent
        self.kernel, self.gradients, self.keeps, self.shapes, self.batched = kernel, gradients, keeps, shapes, batched
        _LIBRARY.define(f"{name}(str name, Tensor[] arrays, Tensor[] tensors, float[] numbers, int[] dims) -> {returns}")
        self.overload = getattr(torch.ops.fastact, name).default
        title = f"fastact::{name}"
        for device in ("CPU", "CUDA"):
            _LIBRARY.impl(name, self._registered, device)
        torch.library.register_fake(title, shapes, lib=_LIBRARY)
        torch.library.register_autograd(title, self._backward, setup_context=self._context, lib=_LIBRARY)
        torch.library.register_vmap(title, self._batch, lib=_LIBRARY)
        self.short = _short(self)
        self.long = _long(self)

    def __call__(self, name: str, arrays: Any, tensors: Any = (), numbers: Any = (), dims: Any = ()) -> Any:
        """Compute."""
        if is_compiling():
            return self.overload(name, list(arrays), list(tensors), list(numbers), list(dims))
        if not is_plain(arrays, tensors):
            if bridge.is_transformed() or bridge.is_forward():
                return self.long.apply(name, len(arrays), numbers, dims, *arrays, *tensors)
            return self.overload(name, list(arrays), list(tensors), list(numbers), list(dims))
        if torch.is_grad_enabled():
            for t in (*arrays, *tensors):
                if t.requires_grad:
                    return self.short.apply(name, len(arrays), numbers, dims, *arrays, *tensors)
        return self.kernel(name, arrays, tensors, numbers, dims)

    def _registered(self, name: str, arrays: Tensors, tensors: Tensors, numbers: Any, dims: Any) -> Any:
        """The kernel with the strides that `shapes` promises."""
        results = self.kernel(name, arrays, tensors, numbers, dims)
        if all(t.is_contiguous() for t in (*arrays, *_tuple(results))):
            return results
        promised = _tuple(self.shapes(name, arrays, tensors, numbers, dims))
        found = tuple(map(bridge.like, _tuple(results), promised))
        return found[0] if isinstance(results, torch.Tensor) else found

    def _context(self, ctx: Any, inputs: tuple[Any, ...], output: Any) -> None:
        name, arrays, tensors, numbers, dims = inputs
        _keep(self, ctx, name, arrays, tensors, numbers, dims, output)

    def _backward(self, ctx: Any, *grads: Any) -> tuple[Any, ...]:
        grads = tuple(grads[0]) if len(grads) == 1 and isinstance(grads[0], list | tuple) else grads
        needs = ctx.needs_input_grad
        by_array, by_tensor = (n if isinstance(n, list | tuple) else [n] * k for n, k in zip(needs[1:3], ctx.counts, strict=True))
        found = self.gradients(_call(ctx, by_array, by_tensor), *grads)
        # An empty list passes for one of tensors, whose gradient is a list.
        return None, *(list(f) for f in found), *(None if n else [] for n in ctx.rest[1:3])

    def _batch(self, info: Any, in_dims: Any, name: str, arrays: Any, tensors: Any, numbers: Any, dims: Any) -> Any:
        return self.over_batch(self.overload, info.batch_size, in_dims[1], in_dims[2], name, arrays, tensors, numbers, dims)

    def over_batch(
        self, call: Any, size: int, by_array: Any, by_tensor: Any, name: str, arrays: Any, tensors: Any, numbers: Any, dims: Any
    ) -> Any:
        """The results of a batch, by one call over all of it, and where the batch is in them."""
        rank = max(a.dim() - (d is not None) for a, d in zip(arrays, by_array, strict=True))
        arrays = [_first(a, d, size) for a, d in zip(arrays, by_array, strict=True)]
        tensors = [_first(t, d, size) for t, d in zip(tensors, by_tensor, strict=True)]
        wide = [t.reshape(size, *[1] * (rank - t.dim() + 1), *t.shape[1:]) for t in tensors]
        results = call(name, arrays, wide, list(numbers), [d + 1 for d in dims])
        if self.batched is not None:
            results = self.batched(results, [t.shape for t in tensors])
        return results, 0 if isinstance(results, torch.Tensor) else type(results)([0] * len(results))


def _tuple(results: Any) -> tuple[torch.Tensor, ...]:
    return (results,) if isinstance(results, torch.Tensor) else tuple(results)


def _first(tensor: torch.Tensor, dim: int | None, size: int) -> torch.Tensor:
    """A tensor with the batch first."""
    return tensor.expand(size, *tensor.shape) if dim is None else tensor.movedim(dim, 0)


def _keep(op: Operator, ctx: Any, name: str, arrays: Any, tensors: Any, numbers: Any, dims: Any, output: Any) -> None:
    """Keep what the derivative needs."""
    of_arrays, of_output = op.keeps(name, tensors)
    kept = (*(arrays if of_arrays else ()), *tensors, *((output,) if of_output else ()))
    ctx.save_for_backward(*kept)
    ctx.rest = name, numbers, dims, of_arrays, of_output
    ctx.counts = len(arrays), len(tensors)


def _call(ctx: Any, by_array: Any, by_tensor: Any) -> Call:
    """The call that a context is of."""
    name, numbers, dims, of_arrays, of_output = ctx.rest
    kept = ctx.saved_tensors
    count = ctx.counts[0] if of_arrays else 0
    tensors = kept[count : count + ctx.counts[1]]
    return Call(name, kept[:count], tensors, numbers, dims, kept[-1] if of_output else None, by_array, by_tensor)


def _short(op: Operator) -> Any:
    """The way of plain tensors that need gradients."""

    class Short(torch.autograd.Function):
        @staticmethod
        def forward(ctx: Any, name: str, count: int, numbers: Any, dims: Any, *given: torch.Tensor) -> Any:
            arrays, tensors = given[:count], given[count:]
            output = op.kernel(name, arrays, tensors, numbers, dims)
            _keep(op, ctx, name, arrays, tensors, numbers, dims, output)
            return tuple(output) if isinstance(output, list) else output

        @staticmethod
        def backward(ctx: Any, *grads: torch.Tensor) -> Any:
            needs, count = ctx.needs_input_grad[4:], ctx.counts[0]
            by_array, by_tensor = op.gradients(_call(ctx, needs[:count], needs[count:]), *grads)
            return None, None, None, None, *by_array, *by_tensor

    Short.__name__ = Short.__qualname__ = str(op.overload)
    return Short


def _long(op: Operator) -> Any:
    """The way of transforms: each level of them is taken off, and the call made again."""

    class Long(torch.autograd.Function):
        @staticmethod
        def forward(name: str, count: int, numbers: Any, dims: Any, *given: torch.Tensor) -> Any:
            arrays, tensors = list(given[:count]), list(given[count:])
            call = op.overload if bridge.is_forward() and not bridge.is_transformed() else op
            results = call(name, arrays, tensors, list(numbers), list(dims))
            return results if isinstance(results, torch.Tensor) else tuple(results)

        @staticmethod
        def setup_context(ctx: Any, inputs: tuple[Any, ...], output: Any) -> None:
            name, count, numbers, dims, *given = inputs
            _keep(op, ctx, name, given[:count], given[count:], numbers, dims, output)
            ctx.save_for_forward(*ctx.to_save)  # what has just been kept

        backward = staticmethod(op.short.backward)

        @staticmethod
        def jvp(ctx: Any, *tangents: Any) -> Any:
            call = _call(ctx, (), ())
            if op.tangent is None:
                raise only_once(call, "a forward derivative, which there is none of here")
            return op.tangent(call, *tangents[4:])

        @staticmethod
        def vmap(info: Any, in_dims: Any, name: str, count: int, numbers: Any, dims: Any, *given: torch.Tensor) -> Any:
            by, size = in_dims[4:], info.batch_size
            results, where = op.over_batch(op, size, by[:count], by[count:], name, given[:count], given[count:], numbers, dims)
            return (results, where) if isinstance(results, torch.Tensor) else (tuple(results), tuple(where))

    Long.__name__ = Long.__qualname__ = str(op.overload)
    return Long


def only_once(call: Call, what: str) -> NotImplementedError:
    """What is raised where a derivative of higher order is asked for than there is."""
    return NotImplementedError(f"fastact.torch.{call.name}: {what}")
