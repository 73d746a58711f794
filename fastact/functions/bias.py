"""A bias along the last axis: ``fa.gelu(h, bias=b)`` is ``fa.gelu(h + b)`` in one pass over memory, and so is backward.

Plain arrays of one dtype have been computed by ``cpu/call.pyx`` before they come here. Other contiguous ones, and the gradient
by the bias, are ``cpu/bias.pyx``'s; for everything else the sum is computed first, by whatever the arrays are, and the function
is called with it. The results are the same.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from ..arguments import (
    broadcast_shape,
    check_out,
    is_computed,
    is_number,
    narrowed,
    stored,
    taken,
    unknown_keyword,
    weak,
    work_dtype,
)
from ..cpu.bias import biased, column_sums
from ..cpu.buffers import keeping
from ..cuda.availability import on_gpu
from ..dispatch import Place, place_of
from .base import QUIET
from .containers import Masked, contained, mask_of
from .general import bias_keywords, dtype_of_argument, given_outputs, loop_of, own_dtype, parsed
from .general import general as unbiased

_SUMMED_ELSEWHERE = "call it without, and sum what comes back over all axes but the last"


def general(call: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    """The general path of calls, with a bias or without."""
    known = bias_keywords(call)
    given = {k: kwargs[k] for k in known if k in kwargs}
    if not given:
        return unbiased(call, args, kwargs)
    kwargs = {k: v for k, v in kwargs.items() if k not in known}
    bias, wanted = given.get("bias"), given.get("return_bias_grad", False)
    if not isinstance(wanted, bool | np.bool_):
        raise TypeError(f"{call.title}: return_bias_grad is {wanted!r}; expected a bool")
    if bias is not None:
        return _with_bias(*parsed(call, args, kwargs), bias, bool(wanted))
    if wanted:
        raise TypeError(f"{call.title}: return_bias_grad goes with bias, which is missing")
    return call(*args, **kwargs)


def _with_bias(
    call: Any, arrays: tuple[Any, ...], values: list[Any], device: Any, kwargs: dict[str, Any], bias: Any, wanted: bool
) -> Any:
    """A call with all that it was given."""
    title, names = call.title, [*call.arrays, *call.spec.params, "bias"]
    if "bias" in call.spec.params:  # the variant's
        raise unknown_keyword(title, "return_bias_grad", names)
    place = place_of(title, device, (*arrays, *values, bias, *given_outputs(kwargs)))
    if place is Place.THERE:
        return _there(call, arrays, values, device, kwargs, bias, wanted)
    operands = [taken(v) for v in (*arrays, *values, bias)]
    dtypes = [dtype_of_argument(call, name, v) for name, v in zip(names, operands, strict=True)]
    *grads, x = operands[: len(arrays)]
    params, bias = operands[len(arrays) : -1], operands[-1]
    _check(title, x, bias)
    known = [*map(own_dtype, operands, dtypes)]
    loop = loop_of(operands, known, len(arrays))
    added = known[len(grads)], known[-1]
    summed = loop_of([x, bias], added, 2)  # float16 and bfloat16 are added in float32, integers are as such
    floats = summed is not None and any(map(is_computed, added))
    if place is Place.CPU and floats and not kwargs.keys() - {"out"} and _fusible([*grads, x], params, bias, loop, summed):
        found = _fused(call, [*grads, x], params, bias, loop, given_outputs(kwargs), wanted)
        if found is not None:
            return found
    if device is not None:
        kwargs = {**kwargs, "device": device}
    return _by_sum(call, [*grads, x], params, kwargs, bias, floats and summed.itemsize <= 4, loop, wanted)


@QUIET
def _by_sum(
    call: Any, arrays: list[Any], params: list[Any], kwargs: dict[str, Any], bias: Any, single: bool, loop: Any, wanted: bool
) -> Any:
    """Compute the sum, in float32 if that is told, then the function."""
    *grads, x = arrays
    total = x.astype(np.float32) + bias.astype(np.float32) if single else x + bias
    if wanted:
        return _with_gradient(call, [*grads, total], params, kwargs, bias, loop)
    found = call(*grads, total, *params, **kwargs)
    if single and loop.itemsize == 2 and kwargs.get("dtype") is None:
        return _halves(found, given_outputs(kwargs), loop)
    return found


def _check(title: str, x: Any, bias: Any) -> None:
    """Refuse a bias that does not lie along the last axis of x."""
    if contained(bias) and not isinstance(bias, Masked):
        name = f"{type(bias).__module__.partition('.')[0]}.{type(bias).__name__}"
        raise TypeError(f"{title}: bias is a {name}; expected a NumPy array, or call it with x + bias")
    shape = np.shape(x) if weak(x) else getattr(x, "shape", None)
    if not isinstance(shape, tuple):
        raise TypeError(f"{title}: x is a {type(x).__name__}, which has no last axis for bias; call it with x + bias")
    if not shape:
        raise ValueError(f"{title}: x has no axis; expected one for bias to lie along")
    if np.shape(bias) != shape[-1:]:
        raise ValueError(f"{title}: bias has shape {np.shape(bias)}; expected {shape[-1:]}, the length of the last axis of x")


def _fusible(arrays: list[Any], params: list[Any], bias: Any, loop: Any, summed: Any) -> bool:
    """Whether blocks can be taken from the arrays, with the same parameters everywhere, and are added in the kernel's dtype."""
    shape = arrays[-1].shape
    plain = all(type(a) is np.ndarray and a.shape == shape and _lies(a) for a in arrays) and type(bias) is np.ndarray
    uniform = all(type(p) is float or (isinstance(p, np.generic) and is_number(p)) for p in params)
    return plain and uniform and work_dtype(loop) == work_dtype(summed)


def _lies(array: np.ndarray) -> bool:
    """Whether an array is contiguous, aligned and of the machine's byte order."""
    return array.flags.c_contiguous and array.flags.aligned and array.dtype.isnative


def _fused(
    call: Any, arrays: list[Any], params: list[Any], bias: Any, dtype: np.dtype[Any], outputs: tuple[Any, ...], wanted: bool
) -> Any:
    """Compute in one pass over memory; None where an output is in the way."""
    shape, work = arrays[-1].shape, work_dtype(dtype)
    nout = call.ufunc.nout
    outputs = outputs * nout if len(outputs) == 1 and outputs[0] is None else outputs
    if len(outputs) != nout:
        return None
    for out in outputs:
        if out is None:
            continue
        if type(out) is not np.ndarray or out.shape != shape or out.dtype != dtype or not (_lies(out) and out.flags.writeable):
            return None
    results = tuple(keeping(np.empty, shape, dtype) if out is None else out for out in outputs)
    whole = np.ascontiguousarray(bias, work)
    sums = biased(call.kernel, work == np.float64, tuple(arrays), whole, tuple(map(float, params)), results, wanted)
    if sums is False:
        return None
    found = results[0] if nout == 1 else results
    return (found, _narrowed(sums, bias, dtype)) if wanted else found


def _narrowed(sums: np.ndarray, bias: Any, dtype: np.dtype[Any]) -> np.ndarray:
    """The gradient by a bias in its dtype, or in that of the other gradient if it is one of integers."""
    return narrowed(sums, bias.dtype if is_computed(bias.dtype) else dtype)


def _halves(found: Any, outputs: tuple[Any, ...], dtype: np.dtype[Any]) -> Any:
    """Results as float16 or bfloat16, but for those that are outputs."""
    if isinstance(found, tuple):
        return tuple(_halves(f, (o,), dtype) for f, o in zip(found, outputs if len(outputs) > 1 else (None, None), strict=True))
    return found if outputs[0] is not None else found.astype(dtype)


def _with_gradient(call: Any, arrays: list[Any], params: list[Any], kwargs: dict[str, Any], bias: Any, loop: Any) -> Any:
    """Backward of a sum, and the gradient by the bias; what is masked has no part in it."""
    title, out = call.title, kwargs.get("out")
    if "where" in kwargs:
        raise TypeError(f"{title}: return_bias_grad does not go with where; call it with grad * where")
    for name, value in zip(call.arrays, arrays, strict=True):
        if contained(value) and not isinstance(value, np.ndarray):
            kind = f"{type(value).__module__.partition('.')[0]}.{type(value).__name__}"
            raise TypeError(f"{title}: return_bias_grad takes NumPy arrays, and {name} is a {kind}; {_SUMMED_ELSEWHERE}")
    named = zip([*call.arrays, *call.spec.params], map(np.asarray, [*arrays, *params]), strict=True)
    shape = broadcast_shape(title, dict(named))
    dtype = loop if kwargs.get("dtype") is None else np.dtype(kwargs["dtype"])
    if out is not None:
        out = check_out(title, out, shape, dtype)
    kept = {k: v for k, v in kwargs.items() if k != "out" and (k != "dtype" or dtype.itemsize != 2)}
    found = call(*arrays, *params, **kept)
    terms = np.where(mask_of(found), found.dtype.type(0), found) if isinstance(found, Masked) else np.asarray(found)
    if bias.size != shape[-1]:  # the axis of x is broadcast against that of grad
        terms = terms.reshape(-1, 1)
    sums = column_sums(np.ascontiguousarray(terms, work_dtype(terms.dtype)), bias.size)
    found = found.astype(dtype) if found.dtype != dtype else found
    return found if out is None else stored(out, found), _narrowed(sums, bias, dtype)


def _there(
    call: Any, arrays: tuple[Any, ...], values: list[Any], device: Any, kwargs: dict[str, Any], bias: Any, wanted: bool
) -> Any:
    """A call on a GPU, where the sum is computed by what the arrays are."""
    title, x = call.title, arrays[-1]
    if wanted:
        raise TypeError(f"{title}: return_bias_grad is not supported on a GPU; {_SUMMED_ELSEWHERE}")
    if not (on_gpu(x) and on_gpu(bias)):
        raise TypeError(f"{title}: bias is a {type(bias).__name__} and x a {type(x).__name__}; expected both on the GPU")
    _check(title, x, bias)
    try:
        total = x + bias
    except TypeError:
        raise TypeError(f"{title}: a {type(x).__name__} has no sum with bias; call it with x + bias") from None
    return call(*arrays[:-1], total, *values, **kwargs, **({} if device is None else {"device": device}))
