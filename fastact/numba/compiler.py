"""What Numba's compiler does with a kind of an activation: its types, its scalar code, its loops over arrays.

`entry` gives the function that compiled code calls with a tuple of all arguments. This file knows no
formula; the arithmetic comes from ``emitter``.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from importlib import import_module
from typing import Any

import numpy as np
from numba import njit, types
from numba.core import cgutils, errors
from numba.extending import intrinsic, overload

from .. import activations as _formulas  # noqa: F401  (fills the registry)
from ..language.kinds import ARRAYS, outputs
from ..language.registry import REGISTRY
from .atoms import Atoms
from .emitter import emit

#: Said to every compilation, or a caller's fastmath=True would be inherited, and kept for all other callers.
OPTIONS = {"fastmath": False}


def title(name: str, kind: str) -> str:
    return f"fastact.{name}" + ("" if kind == "value" else f".{kind}")


def _working_type(name: str, kind: str, given: tuple[Any, ...]) -> Any:
    """The type to compute in, from the types of all arguments."""
    arrays = ARRAYS[kind]
    found = types.float32
    for i, (argument, type_) in enumerate(zip([*arrays, *REGISTRY[name].params], given, strict=True)):
        number = type_.dtype if isinstance(type_, types.Array) else type_
        if number not in types.real_domain | types.integer_domain | {types.boolean}:
            raise errors.TypingError(
                f"{title(name, kind)}: {argument} is {type_}; expected a number of float32, float64, an integer or "
                "bool type, or an array of such"
            )
        single = number == types.float32 or number == types.boolean or (number in types.integer_domain and number.bitwidth <= 16)
        if not single and (i < len(arrays) or isinstance(type_, types.Array)):
            found = types.float64
    return found


def without_compiler(name: str, kind: str) -> Any:
    """The package's own function of a kind: what there is where Numba is told not to compile (``NUMBA_DISABLE_JIT``).

    It is looked up where users find it, for this wing knows none of the others.
    """
    function = getattr(import_module("fastact"), name)
    return function if kind == "value" else getattr(function, kind)


def has_fma(context: Any) -> bool:
    """Whether Numba compiles for a processor with a fused multiply-add, as every one but an old x86 is."""
    triple, _, features = context.codegen().magic_tuple()
    return not triple.startswith(("x86", "i")) or "+fma" in features.split(",")


@cache
def computation(name: str, kind: str, dtype: Any) -> Any:
    """An intrinsic that computes a kind from a tuple of numbers."""
    result = types.UniTuple(dtype, outputs(kind)) if outputs(kind) > 1 else dtype

    @intrinsic
    def scalar(typingctx: Any, arguments: Any) -> Any:
        def code(context: Any, builder: Any, signature: Any, values: Any) -> Any:
            numbers = [
                context.cast(builder, v, t, dtype)
                for v, t in zip(cgutils.unpack_tuple(builder, values[0]), signature.args[0], strict=True)
            ]
            got = emit(Atoms(builder, dtype.name, has_fma(context)), name, kind, numbers)
            return context.make_tuple(builder, result, got) if len(got) > 1 else got[0]

        return result(arguments), code

    return scalar


def _data(context: Any, builder: Any, type_: Any, value: Any) -> Any:
    return context.make_array(type_)(context, builder, value)


@intrinsic
def _element(typingctx: Any, arguments: Any, index: Any) -> Any:
    """Element number ``index`` in memory of each contiguous array of a tuple; scalars as they are."""

    def code(context: Any, builder: Any, signature: Any, values: Any) -> Any:
        found = []
        for value, type_ in zip(cgutils.unpack_tuple(builder, values[0]), signature.args[0], strict=True):
            if isinstance(type_, types.Array):
                place = builder.gep(_data(context, builder, type_, value).data, [values[1]], inbounds=True)
                value = context.unpack_value(builder, type_.dtype, place, None if type_.aligned else 1)
            found.append(value)
        return context.make_tuple(builder, signature.return_type, found)

    return types.Tuple([getattr(t, "dtype", t) for t in arguments])(arguments, types.intp), code


@intrinsic
def _element_of_row(typingctx: Any, arguments: Any, shape: Any, row: Any, index: Any) -> Any:
    """The same for arrays of any layout, broadcast to a shape: the element at ``index`` of a row of that."""

    def code(context: Any, builder: Any, signature: Any, values: Any) -> Any:
        one, zero = (context.get_constant(types.intp, n) for n in (1, 0))
        sizes = cgutils.unpack_tuple(builder, values[1])
        rest, indices = values[2], [values[3]]
        for size in sizes[-2::-1]:
            indices.insert(0, builder.urem(rest, size))
            rest = builder.udiv(rest, size)
        found = []
        for value, type_ in zip(cgutils.unpack_tuple(builder, values[0]), signature.args[0], strict=True):
            if isinstance(type_, types.Array):
                array = _data(context, builder, type_, value)
                given, strides = (cgutils.unpack_tuple(builder, t) for t in (array.shape, array.strides))
                own = indices[len(indices) - type_.ndim :]
                offset = zero
                for i, size, stride in zip(own, given, strides, strict=True):
                    step = builder.select(builder.icmp_signed("==", size, one), zero, stride)
                    offset = builder.add(offset, builder.mul(i, step))
                place = cgutils.pointer_add(builder, array.data, offset)
                value = context.unpack_value(builder, type_.dtype, place, None if type_.aligned else 1)
            found.append(value)
        return context.make_tuple(builder, signature.return_type, found)

    result = types.Tuple([getattr(t, "dtype", t) for t in arguments])
    return result(arguments, shape, types.intp, types.intp), code


@intrinsic
def _store(typingctx: Any, array: Any, index: Any, value: Any) -> Any:
    """Write element number ``index`` in memory of a contiguous array."""

    def code(context: Any, builder: Any, signature: Any, values: Any) -> Any:
        data = _data(context, builder, signature.args[0], values[0]).data
        builder.store(values[2], builder.gep(data, [values[1]], inbounds=True))

    return types.void(array, types.intp, array.dtype), code


@cache
def _common_shape(where: str) -> Any:
    """An intrinsic: the shape that the arrays of a tuple broadcast to, and whether all have it."""

    @intrinsic
    def common_shape(typingctx: Any, arguments: Any) -> Any:
        ndim = max(t.ndim for t in arguments if isinstance(t, types.Array))
        result = types.Tuple([types.UniTuple(types.intp, ndim), types.boolean])

        def code(context: Any, builder: Any, signature: Any, values: Any) -> Any:
            one = context.get_constant(types.intp, 1)
            false = context.get_constant(types.boolean, False)
            sizes, refused, differ = [one] * ndim, false, false
            shapes = [
                cgutils.unpack_tuple(builder, _data(context, builder, t, v).shape)
                for v, t in zip(cgutils.unpack_tuple(builder, values[0]), signature.args[0], strict=True)
                if isinstance(t, types.Array)
            ]
            for shape in shapes:
                for k, size in enumerate(shape, ndim - len(shape)):
                    free = builder.icmp_signed("==", sizes[k], one)
                    stretched = builder.or_(free, builder.icmp_signed("==", size, one))
                    unequal = builder.icmp_signed("!=", size, sizes[k])
                    refused = builder.or_(refused, builder.and_(unequal, builder.not_(stretched)))
                    sizes[k] = builder.select(free, size, sizes[k])
            for shape in shapes:
                for k, size in enumerate(shape, ndim - len(shape)):
                    differ = builder.or_(differ, builder.icmp_signed("!=", size, sizes[k]))
            with builder.if_then(refused, likely=False):
                message = f"{where}: the shapes of the arguments do not broadcast against each other"
                context.call_conv.return_user_exc(builder, ValueError, (message,))
            parts = [context.make_tuple(builder, result[0], sizes), builder.not_(differ)]
            return context.make_tuple(builder, result, parts)

        return result(arguments), code

    return common_shape


@cache
def entry(name: str, kind: str) -> Callable[..., Any]:
    """What the functions of a kind call with the tuple of all their arguments."""
    where = title(name, kind)
    pair = outputs(kind) == 2
    common_shape = _common_shape(where)

    def call(arguments):
        return without_compiler(name, kind)(*arguments)

    @overload(call, jit_options=OPTIONS)
    def choose(arguments):
        dtype = _working_type(name, kind, tuple(arguments))
        scalar = computation(name, kind, dtype)
        arrays = [i for i, t in enumerate(arguments) if isinstance(t, types.Array)]
        if not arrays:
            return lambda arguments: scalar(arguments)
        first, number = arrays[0], np.dtype(dtype.name)
        layouts = {(arguments[i].ndim, arguments[i].layout) for i in arrays}
        flat = len(layouts) == 1 and arguments[first].layout == "C"

        def contiguous(arguments):
            out = np.empty_like(arguments[first], number)
            for i in range(out.size):
                _store(out, i, scalar(_element(arguments, i)))
            return out

        def contiguous_pair(arguments):
            out = np.empty_like(arguments[first], number)
            other = np.empty_like(arguments[first], number)
            for i in range(out.size):
                y, z = scalar(_element(arguments, i))
                _store(out, i, y)
                _store(other, i, z)
            return out, other

        def general(arguments):
            shape, same = common_shape(arguments)
            if flat and same:
                return fast(arguments)
            out = np.empty(shape, number)
            length = shape[-1]
            for row in range(out.size // max(length, 1)):
                for i in range(length):
                    _store(out, row * length + i, scalar(_element_of_row(arguments, shape, row, i)))
            return out

        def general_pair(arguments):
            shape, same = common_shape(arguments)
            if flat and same:
                return fast(arguments)
            out, other = np.empty(shape, number), np.empty(shape, number)
            length = shape[-1]
            for row in range(out.size // max(length, 1)):
                for i in range(length):
                    y, z = scalar(_element_of_row(arguments, shape, row, i))
                    _store(out, row * length + i, y)
                    _store(other, row * length + i, z)
            return out, other

        simple = contiguous_pair if pair else contiguous
        if (len(arrays) == 1 and arguments[first].layout in "CF") or layouts == {(0, "C")}:
            return simple
        fast = njit(**OPTIONS)(simple)
        return general_pair if pair else general

    return call
