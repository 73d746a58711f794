"""softmax and its kin in compiled code: calls of the package's C interface, `fastact.h`, whose kernels these are.

The capsule is looked up by the compiled code itself, when it first runs, so that nothing in it depends on the process. Arrays
that are no C-contiguous ones of the working dtype are copied to such.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import Any

from llvmlite import ir
from numba import types
from numba.core import cgutils, errors

from .calls import empty, output_types, working_type
from .compiler import title
from .loops import Loop, memory_met, operand, product, refuse
from .modules import ENTRY, define, entry
from .parallel import is_parallel

#: Those of the C interface, and whether it has a backward pass.
NAMES = {
    "softmax": True, "log_softmax": True, "softmin": True, "log_softmin": True, "softmax1": True, "sparsemax": True,
    "entmax15": True, "hardmax": False, "logsumexp": False,
}  # fmt: skip

_VERSION, _FIND, _ALONG = 0, 1, 7  # members of fa_interface
_INT, _INTP, _POINTER, _DOUBLE = ir.IntType(32), cgutils.intp_t, cgutils.voidptr_t, ir.DoubleType()
_FIND_TYPE = ir.FunctionType(_POINTER, [_POINTER, _POINTER, _INT])
_ALONG_TYPE = ir.FunctionType(_INT, [_POINTER, _INTP, _INTP, _INTP, _POINTER, _POINTER, _POINTER, _DOUBLE, _INT])
_MEMBERS = [_INT, _FIND_TYPE.as_pointer(), *[_POINTER] * 5, _ALONG_TYPE.as_pointer()]


def checked_axis(context: Any, builder: Any, where: str, axis: Any, type_: Any, count: int) -> Any:
    """An axis, counted from the first."""
    axis, ndim = context.cast(builder, axis, type_, types.intp), _INTP(count)
    axis = builder.select(builder.icmp_signed("<", axis, _INTP(0)), builder.add(axis, ndim), axis)
    message = f"{where}: axis is out of range for an array of {count} dimensions"
    refuse(context, builder, builder.icmp_unsigned(">=", axis, ndim), message)
    return axis


def checked_out(
    context: Any, builder: Any, where: str, type_: Any, out: Any, wanted: Sequence[Any], inputs: Sequence[Any], same: bool
) -> None:
    """Refuse an `out` of another shape, or that shares memory with an input, unless it is that, where it may be."""
    target = operand(context, builder, type_, out)
    differs = cgutils.false_bit
    for size, other in zip(target.shape, wanted, strict=True):
        differs = builder.or_(differs, builder.icmp_signed("!=", size, other))
    refuse(context, builder, differs, f"{where}: out has another shape than the result")
    for given, value in inputs:
        if isinstance(given, types.Array):
            apart, alike = memory_met(context, builder, target, operand(context, builder, given, value))
            met = builder.not_(builder.or_(apart, alike) if same else apart)
            refuse(context, builder, met, f"{where}: out overlaps another array; expected it apart{', or the same' * same}")


def move(context: Any, builder: Any, type_: Any, value: Any, to: Any, target: Any) -> None:
    """Copy an array into another, cast and broadcast."""
    loop = Move(type_, to)
    inputs, outputs = [operand(context, builder, type_, value)], [operand(context, builder, to, target)]
    packed = loop.pack(context, builder, inputs, outputs, True, "", "fastact: grad does not broadcast against y")
    function = entry(context, builder, Move, type_, to)
    builder.call(function, [packed, _INTP(0), loop.total(builder, packed)])


class Move(Loop):
    """Copies from one type of array to another."""

    def __init__(self, type_: Any, to: Any) -> None:
        super().__init__([type_], [to], to.dtype, lambda context, builder, numbers: numbers)


class Rows:
    """A row-wise function, or its backward pass, for arguments of some types."""

    def __init__(self, name: str, kind: str, given: Sequence[Any]) -> None:
        self.name, self.kind, self.types = name, kind, tuple(given)
        self.where = where = title(name, kind)
        names = ["x"] if kind == "value" else ["grad", "y"]
        *arrays, axis, temperature, out = given[: len(names) + 3]
        self.reduces = name == "logsumexp"
        keepdims = given[-1] if self.reduces else None
        self.inputs = arrays
        self.dtype = working_type(where, dict(zip(names, arrays, strict=True)))
        shaped = arrays[-1]
        if not isinstance(shaped, types.Array) or shaped.ndim == 0:
            raise errors.TypingError(f"{where}: {names[-1]} is {shaped}; expected an array with rows")
        if isinstance(arrays[0], types.Array) and arrays[0].ndim > shaped.ndim:
            raise errors.TypingError(f"{where}: grad is {arrays[0]}; expected it to broadcast against y, {shaped}")
        if name == "hardmax" and shaped.dtype not in types.real_domain:
            raise errors.TypingError(f"{where}: x is {shaped}; expected an array of float32 or float64 in compiled code")
        if not isinstance(axis, types.Integer):
            raise errors.TypingError(f"{where}: axis is {axis}; expected an integer in compiled code")
        if temperature not in types.real_domain | types.integer_domain:
            raise errors.TypingError(f"{where}: temperature is {temperature}; expected a number")
        if keepdims is not None and not isinstance(keepdims, types.BooleanLiteral):
            raise errors.TypingError(f"{where}: keepdims is {keepdims}; expected True or False, written there")
        self.keepdims = bool(keepdims and keepdims.literal_value)
        self.ndim = shaped.ndim
        ndim = self.ndim - (self.reduces and not self.keepdims)
        self.given = output_types(where, out, 1, self.dtype, ndim)
        if self.given and self.given[0].ndim != ndim:
            raise errors.TypingError(f"{where}: out is {out}; expected {ndim} dimensions")
        self.new = types.Array(self.dtype, ndim, "C")
        self.whole = types.Array(self.dtype, self.ndim, "C")
        self.result = self.given[0] if self.given else self.new if ndim else self.dtype

    def entry(self, context: Any, builder: Any) -> Any:
        return entry(context, builder, Rows, self.name, self.kind, self.types)

    def define(self, context: Any, module: Any) -> Any:
        """A function with the arguments of ``along`` but the kernel: what that gives, or -2 if there is none."""
        function, builder = define(module, ENTRY, _INT, _ALONG_TYPE.args[1:])
        function.attributes.add("noinline")
        kernel, interface = (
            cgutils.add_global_variable(module, _POINTER, module.get_unique_name(n)) for n in ("kernel", "interface")
        )
        for variable in (kernel, interface):
            variable.linkage, variable.initializer = "internal", ir.Constant(_POINTER, None)
        structure = ir.LiteralStructType(_MEMBERS).as_pointer()
        with builder.if_then(cgutils.is_null(builder, builder.load_atomic(kernel, "acquire", 8)), likely=False):
            python = context.get_python_api(builder)
            state = python.gil_ensure()
            import_ = cgutils.get_or_insert_function(module, ir.FunctionType(_POINTER, [_POINTER, _INT]), "PyCapsule_Import")
            text = [context.insert_const_string(module, t) for t in ("fastact._C_API", self.name, self.kind)]
            found = builder.call(import_, [text[0], _INT(0)])
            absent = cgutils.is_null(builder, found)
            with builder.if_else(absent) as (missing, there):
                with missing:
                    python.err_clear()
                with there:
                    api = builder.bitcast(found, structure)
                    new = builder.icmp_signed(">=", builder.load(cgutils.gep_inbounds(builder, api, 0, _VERSION)), _INT(2))
                    with builder.if_then(new):
                        find = builder.load(cgutils.gep_inbounds(builder, api, 0, _FIND))
                        number = _INT(1 if self.dtype == types.float32 else 2)
                        builder.store(found, interface)
                        builder.store_atomic(builder.call(find, [text[1], text[2], number]), kernel, "release", 8)
            python.gil_release(state)
        first = builder.load(kernel)
        with builder.if_then(cgutils.is_null(builder, first), likely=False):
            builder.ret(_INT(-2))
        api = builder.bitcast(builder.load(interface), structure)
        along = builder.load(cgutils.gep_inbounds(builder, api, 0, _ALONG))
        builder.ret(builder.call(along, [first, *function.args]))
        return function

    # -- a call ------------------------------------------------------------------------------------

    def code(self, context: Any, builder: Any, signature: Any, values: Sequence[Any]) -> Any:
        """Append the instructions of the call."""
        count = len(self.inputs)
        axis, temperature, out = values[count : count + 3]
        shape = operand(context, builder, self.inputs[-1], values[count - 1]).shape
        axis = checked_axis(context, builder, self.where, axis, self.types[count], self.ndim)
        temperature = context.cast(builder, temperature, self.types[count + 1], types.float64)
        bad = builder.not_(builder.and_(
            builder.fcmp_ordered(">=", temperature, _DOUBLE(1e-30)), builder.fcmp_ordered("<=", temperature, _DOUBLE(1e30))
        ))  # fmt: skip
        refuse(context, builder, bad, f"{self.where}: temperature is out of range; expected one from 1e-30 to 1e30")
        wanted = self._reduced(builder, shape, axis) if self.reduces else shape
        if self.given:
            inputs = list(zip(self.inputs, values, strict=False))
            checked_out(context, builder, self.where, self.given[0], out, wanted, inputs, not self.reduces)
        data, owned = [], []
        for type_, value in zip(self.inputs, values, strict=False):
            if type_ != self.whole and not (isinstance(type_, types.Array) and type_.copy(readonly=False) == self.whole):
                copied, _ = empty(context, builder, self.whole, shape)
                move(context, builder, type_, value, self.whole, copied)
                value = copied
                owned.append(value)
            data.append(context.make_array(self.whole)(context, builder, value).data)
        direct = self.given and self.given[0] == self.new
        result = out if direct else empty(context, builder, self.new, wanted)[0]
        target = context.make_array(self.new)(context, builder, result).data
        self._run(context, builder, shape, axis, temperature, [*data, target])
        for value in owned:
            context.nrt.decref(builder, self.whole, value)
        if self.given:
            if not direct:
                move(context, builder, self.new, result, self.given[0], out)
                context.nrt.decref(builder, self.new, result)
            context.nrt.incref(builder, self.given[0], out)
            return out
        if self.result == self.new:
            return result
        number = builder.load(target)
        context.nrt.decref(builder, self.new, result)
        return number

    def _reduced(self, builder: Any, shape: Sequence[Any], axis: Any) -> list[Any]:
        """The shape of the results of rows."""
        if self.keepdims:
            return [builder.select(builder.icmp_signed("==", axis, _INTP(d)), _INTP(1), n) for d, n in enumerate(shape)]
        return [builder.select(builder.icmp_signed("<", _INTP(d), axis), a, b) for d, (a, b) in enumerate(pairwise(shape))]

    def _run(self, context: Any, builder: Any, shape: Sequence[Any], axis: Any, temperature: Any, data: list[Any]) -> None:
        one = _INTP(1)
        sizes = []
        for symbol in ("<", "==", ">"):
            chosen = [builder.select(builder.icmp_signed(symbol, _INTP(d), axis), n, one) for d, n in enumerate(shape)]
            sizes.append(product(context, builder, chosen))
        x, *grad, y = [builder.bitcast(d, _POINTER) for d in data]
        if grad:
            x, grad = grad[0], [x]
        threads = _INT(int(is_parallel()))
        given = [*sizes, x, grad[0] if grad else ir.Constant(_POINTER, None), y, temperature, threads]
        failed = builder.call(self.entry(context, builder), given)
        for number, error, message in (
            (-1, MemoryError, "no memory for the accumulators of rows"),
            (-2, ImportError, "fastact cannot be imported, or is older than what this was compiled with"),
        ):
            with builder.if_then(builder.icmp_signed("==", failed, _INT(number)), likely=False):
                context.call_conv.return_user_exc(builder, error, (f"{self.where}: {message}",))
