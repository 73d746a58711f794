"""maxout in compiled code: the maximum of each group of neighbours along an axis; a NaN is greater than any number."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from llvmlite import ir
from numba import types
from numba.core import cgutils, errors

from .calls import REAL, empty, output_types, working_type
from .compiler import title
from .loops import operand, product, refuse
from .modules import ENTRY, define, entry
from .rows import checked_axis, checked_out, move

_INTP = cgutils.intp_t


class Maxout:
    """A call with arguments of some types."""

    def __init__(self, name: str, kind: str, given: Sequence[Any]) -> None:
        self.name, self.kind, self.types = name, kind, tuple(given)
        self.where = where = title(name, kind)
        x, pieces, axis, out = given
        if not isinstance(x, types.Array) or x.ndim == 0:
            raise errors.TypingError(f"{where}: x is {x}; expected an array with groups")
        for argument, type_ in (("pieces", pieces), ("axis", axis)):
            if not isinstance(type_, types.Integer):
                raise errors.TypingError(f"{where}: {argument} is {type_}; expected an integer")
        whole = isinstance(x.dtype, types.Integer)
        self.dtype = x.dtype if whole and x.dtype in REAL else working_type(where, {"x": x})
        self.whole = types.Array(self.dtype, x.ndim, "C")
        self.given = output_types(where, out, 1, self.dtype, x.ndim)
        self.result = self.given[0] if self.given else self.whole

    def entry(self, context: Any, builder: Any) -> Any:
        return entry(context, builder, Maxout, self.name, self.kind, self.types)

    def define(self, context: Any, module: Any) -> Any:
        """``(groups, pieces, inner, x, y)``: C-contiguous (groups, pieces, inner) to (groups, inner)."""
        memory = context.get_data_type(self.dtype).as_pointer()
        function, builder = define(module, ENTRY, ir.VoidType(), [_INTP, _INTP, _INTP, memory, memory])
        groups, pieces, inner, x, y = function.args
        y.add_attribute("noalias")
        with cgutils.for_range(builder, groups, intp=_INTP) as group:
            source = builder.gep(x, [builder.mul(builder.mul(group.index, pieces), inner)])
            target = builder.gep(y, [builder.mul(group.index, inner)])
            with cgutils.for_range(builder, inner, intp=_INTP) as place:
                first = builder.load(builder.gep(source, [place.index]))
                builder.store(first, builder.gep(target, [place.index]))
            with cgutils.for_range(builder, pieces, start=_INTP(1), intp=_INTP) as piece:
                row = builder.gep(source, [builder.mul(piece.index, inner)])
                with cgutils.for_range(builder, inner, intp=_INTP) as place:
                    best = builder.gep(target, [place.index])
                    value, so_far = builder.load(builder.gep(row, [place.index])), builder.load(best)
                    builder.store(builder.select(self._better(builder, value, so_far), value, so_far), best)
        builder.ret_void()
        return function

    def _better(self, builder: Any, value: Any, best: Any) -> Any:
        if isinstance(self.dtype, types.Integer):
            compare = builder.icmp_signed if self.dtype.signed else builder.icmp_unsigned
            return compare(">", value, best)
        # greater, or one of them no number, if the best is one
        return builder.and_(builder.fcmp_unordered(">", value, best), builder.fcmp_ordered("==", best, best))

    def code(self, context: Any, builder: Any, signature: Any, values: Sequence[Any]) -> Any:
        """Append the instructions of the call."""
        x_type, pieces_type, axis_type, _ = self.types
        x, pieces, axis, out = values
        shape = operand(context, builder, x_type, x).shape
        axis = checked_axis(context, builder, self.where, axis, axis_type, len(shape))
        pieces = context.cast(builder, pieces, pieces_type, types.intp)
        low = builder.icmp_signed("<", pieces, _INTP(1))
        refuse(context, builder, low, f"{self.where}: pieces is not positive")
        wanted, rest = [], _INTP(0)
        for d, size in enumerate(shape):
            here = builder.icmp_signed("==", axis, _INTP(d))
            rest = builder.select(here, builder.srem(size, pieces), rest)
            wanted.append(builder.select(here, builder.sdiv(size, pieces), size))
        uneven = builder.icmp_signed("!=", rest, _INTP(0))
        refuse(context, builder, uneven, f"{self.where}: pieces does not divide the length of the axis")
        if self.given:
            checked_out(context, builder, self.where, self.given[0], out, wanted, [(x_type, x)], False)
        owned = None
        if x_type.copy(readonly=False) != self.whole:
            owned, _ = empty(context, builder, self.whole, shape)
            move(context, builder, x_type, x, self.whole, owned)
            x = owned
        direct = self.given and self.given[0] == self.whole
        result = out if direct else empty(context, builder, self.whole, wanted)[0]
        inner = [builder.select(builder.icmp_signed(">", _INTP(d), axis), n, _INTP(1)) for d, n in enumerate(shape)]
        outer = [builder.select(builder.icmp_signed("<=", _INTP(d), axis), n, _INTP(1)) for d, n in enumerate(wanted)]
        data = [context.make_array(self.whole)(context, builder, v).data for v in (x, result)]
        sizes = [product(context, builder, outer), pieces, product(context, builder, inner)]
        builder.call(self.entry(context, builder), [*sizes, *data])
        if owned is not None:
            context.nrt.decref(builder, self.whole, owned)
        if not self.given:
            return result
        if not direct:
            move(context, builder, self.whole, result, self.given[0], out)
            context.nrt.decref(builder, self.whole, result)
        context.nrt.incref(builder, self.given[0], out)
        return out
