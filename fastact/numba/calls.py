"""A call of one of the package's functions in compiled code: its arguments, the type of its result, its instructions.

An elementwise kind is computed inline for numbers, and by a `Loop` where there are arrays. This file knows no formula; the
arithmetic comes from ``emitter``.
"""

from __future__ import annotations

from collections.abc import Sequence
from inspect import Parameter, Signature
from typing import Any

from llvmlite import ir
from numba import types
from numba.core import cgutils, errors
from numba.np import arrayobj

from ..language.kinds import ARRAYS, outputs
from ..language.registry import REGISTRY
from .atoms import Atoms
from .compiler import has_fma, title
from .emitter import emit
from .loops import Loop, Operand, common_shape, operand
from .modules import ENTRY, define, entry

REAL = types.real_domain | types.integer_domain | {types.boolean}


def signature_of(required: Sequence[str], defaults: dict[str, Any]) -> Signature:
    """What Numba binds arguments to: it has no arguments that are keywords only, which `Call.bind` sees to."""
    of = Parameter
    found = [of(a, of.POSITIONAL_OR_KEYWORD) for a in required]
    return Signature(found + [of(n, of.POSITIONAL_OR_KEYWORD, default=d) for n, d in defaults.items()])


def working_type(where: str, named: dict[str, Any], weak: Sequence[str] = ()) -> Any:
    """The type to compute in: what `numpy.exp` would give, weak arguments having no say where they are numbers."""
    found = types.float32
    for argument, type_ in named.items():
        number = type_.dtype if isinstance(type_, types.Array) else type_
        if number not in REAL:
            raise errors.TypingError(
                f"{where}: {argument} is {type_}; expected a number of float32, float64, an integer or bool type, or an array of "
                "such"
            )
        single = number == types.float32 or number == types.boolean or (number in types.integer_domain and number.bitwidth <= 16)
        if not single and (argument not in weak or isinstance(type_, types.Array)):
            found = types.float64
    return found


def output_types(where: str, out: Any, count: int, dtype: Any, ndim: int) -> list[Any] | None:
    """The arrays that results go to, checked; None: new ones."""
    if isinstance(out, types.NoneType):
        return None
    given = list(out) if isinstance(out, types.BaseTuple) and count > 1 else [out]
    wanted = f"an array of {dtype}" if count == 1 else f"{count} arrays of {dtype}"
    if len(given) != count or not all(isinstance(t, types.Array) and t.dtype == dtype for t in given):
        raise errors.TypingError(f"{where}: out is {out}; expected {wanted}")
    for t in given:
        if not t.mutable:
            raise errors.TypingError(f"{where}: out is {out}, which is read-only; expected one that can be written")
        if t.ndim < ndim or t.ndim != given[0].ndim:
            raise errors.TypingError(f"{where}: out is {out}; expected {ndim} dimensions")
    return given


def empty(context: Any, builder: Any, type_: Any, shape: Sequence[Any]) -> tuple[Any, Operand]:
    """A new array."""
    value = arrayobj._empty_nd_impl(context, builder, type_, shape)._getvalue()
    return value, operand(context, builder, type_, value)


class Elementwise:
    """A kind of an activation for arguments of some types."""

    def __init__(self, name: str, kind: str, given: Sequence[Any]) -> None:
        self.name, self.kind, self.types = name, kind, tuple(given)
        self.where = title(name, kind)
        arrays, params = ARRAYS[kind], list(REGISTRY[name].params)
        *self.inputs, out = given
        self.dtype = working_type(self.where, dict(zip([*arrays, *params], self.inputs, strict=True)), params)
        self.count = outputs(kind)
        found = [t for t in self.inputs if isinstance(t, types.Array)]
        self.given = output_types(self.where, out, self.count, self.dtype, max((t.ndim for t in found), default=0))
        self.loop = None
        results = [self.dtype] * self.count
        if found or self.given:
            layout = found[0].layout if len(found) == 1 and found[0].layout == "F" else "C"
            new = types.Array(self.dtype, max((t.ndim for t in found), default=0), layout)
            results = self.given or [new] * self.count
            self.loop = Loop(self.inputs, results, self.dtype, self._compute)
        self.results = results
        self.result = results[0] if self.count == 1 else types.Tuple(results)

    def define(self, context: Any, module: Any) -> Any:
        """The function of a module: that of the loop, or one of numbers."""
        if self.loop is not None:
            return self.loop.define(context, module)
        number = context.get_value_type(self.dtype)
        result = number if self.count == 1 else ir.LiteralStructType([number] * self.count)
        function, builder = define(module, ENTRY, result, [number] * len(self.inputs))
        function.attributes.add("alwaysinline")
        found = self._compute(context, builder, list(function.args))
        if self.count == 1:
            builder.ret(found[0])
        else:
            builder.ret(cgutils.make_anonymous_struct(builder, found, result))
        return function

    def _compute(self, context: Any, builder: Any, numbers: list[Any]) -> list[Any]:
        return emit(Atoms(builder, self.dtype.name, has_fma(context)), self.name, self.kind, numbers)

    def entry(self, context: Any, builder: Any) -> Any:
        """The function that is called; see `define`."""
        return entry(context, builder, Elementwise, self.name, self.kind, self.types)

    def code(self, context: Any, builder: Any, signature: Any, values: Sequence[Any]) -> Any:
        """Append the instructions of the call."""
        if self.loop is None:
            numbers = [context.cast(builder, v, t, self.dtype) for v, t in zip(values, self.inputs, strict=False)]
            found = builder.call(self.entry(context, builder), numbers)
            results = [found] if self.count == 1 else cgutils.unpack_tuple(builder, found, self.count)
            return self.joined(context, builder, results)
        made, results = self.pack(context, builder, values)
        builder.call(self.entry(context, builder), [made, context.get_constant(types.intp, 0), self.loop.total(builder, made)])
        return self.joined(context, builder, results)

    def pack(self, context: Any, builder: Any, values: Sequence[Any]) -> tuple[Any, list[Any]]:
        """The structure of the loop, and the arrays that results go to."""
        assert self.loop is not None
        inputs = [operand(context, builder, t, v) for t, v in zip(self.inputs, values, strict=False)]
        message = f"{self.where}: the shapes of the arguments do not broadcast against each other"
        if self.given:
            message = f"{self.where}: out has another shape than the other arguments broadcast to"
            results = [values[-1]] if self.count == 1 else cgutils.unpack_tuple(builder, values[-1], self.count)
        else:
            shapes = [i.shape for i in inputs if isinstance(i.type, types.Array)]
            shape = common_shape(context, builder, shapes, message)
            results = [empty(context, builder, t, shape)[0] for t in self.results]
        targets = [operand(context, builder, t, v) for t, v in zip(self.results, results, strict=True)]
        made = self.loop.pack(context, builder, inputs, targets, not self.given, self.where, message)
        if self.given:
            for type_, value in zip(self.results, results, strict=True):
                context.nrt.incref(builder, type_, value)
        return made, results

    def joined(self, context: Any, builder: Any, results: list[Any]) -> Any:
        """The result of the call."""
        return results[0] if self.count == 1 else context.make_tuple(builder, self.result, results)
