"""Loops over arrays of any layout, as instructions of LLVM, around what is computed for one element.

A `Loop` packs its arguments into a structure, and works on a part of its elements: of one piece of memory as they lie, of
others row by row, where what does not follow each other goes through a buffer. Knows no formula.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from llvmlite import ir
from numba import types
from numba.core import cgutils

from .modules import ENTRY, define

#: Elements that go through a buffer at a time.
CHUNK = 256


@dataclass(eq=False)
class Operand:
    """A number, or an array with what is known of it: a shape and the bytes from one element to the next."""

    type: Any
    value: Any
    shape: Sequence[Any] = ()
    strides: Sequence[Any] = ()

    @property
    def streams(self) -> bool:
        """Whether its elements differ; an array of no dimensions is a number in memory."""
        return isinstance(self.type, types.Array) and self.type.ndim > 0


def operand(context: Any, builder: Any, type_: Any, value: Any) -> Operand:
    """What an argument is."""
    if not isinstance(type_, types.Array):
        return Operand(type_, value)
    array = context.make_array(type_)(context, builder, value)
    shape, strides = (cgutils.unpack_tuple(builder, t, type_.ndim) for t in (array.shape, array.strides))
    return Operand(type_, array.data, shape, strides)


def alignment(type_: Any) -> int | None:
    """What loads and stores are told; None: the natural one."""
    return None if type_.aligned else 1


def refuse(context: Any, builder: Any, condition: Any, message: str) -> None:
    """Raise a ValueError where a condition holds."""
    with builder.if_then(condition, likely=False):
        context.call_conv.return_user_exc(builder, ValueError, (message,))


def common_shape(context: Any, builder: Any, shapes: Sequence[Sequence[Any]], message: str) -> list[Any]:
    """The shape that shapes broadcast to."""
    one, refused = context.get_constant(types.intp, 1), cgutils.false_bit
    sizes = [one] * max(map(len, shapes))
    for shape in shapes:
        for k, size in enumerate(shape, len(sizes) - len(shape)):
            free = builder.icmp_signed("==", sizes[k], one)
            fits = builder.or_(builder.icmp_signed("==", size, one), builder.icmp_signed("==", size, sizes[k]))
            refused = builder.or_(refused, builder.not_(builder.or_(free, fits)))
            sizes[k] = builder.select(free, size, sizes[k])
    refuse(context, builder, refused, message)
    return sizes


def product(context: Any, builder: Any, sizes: Sequence[Any]) -> Any:
    """The product of some sizes."""
    total = context.get_constant(types.intp, 1)
    for size in sizes:
        total = builder.mul(total, size)
    return total


def memory_met(context: Any, builder: Any, a: Operand, b: Operand) -> tuple[Any, Any]:
    """Whether two arrays share no memory; whether the elements of both lie at the same places."""
    intp = context.get_value_type(types.intp)
    ends = []
    for given in (a, b):
        low = high = builder.ptrtoint(given.value, intp)
        empty = cgutils.false_bit
        for size, stride in zip(given.shape, given.strides, strict=True):
            span = builder.mul(builder.sub(size, intp(1)), stride)
            down = builder.icmp_signed("<", span, intp(0))
            low = builder.select(down, builder.add(low, span), low)
            high = builder.select(down, high, builder.add(high, span))
            empty = builder.or_(empty, builder.icmp_signed("==", size, intp(0)))
        size = intp(context.get_abi_sizeof(context.get_data_type(given.type.dtype)))
        ends.append((low, builder.add(high, size), empty))
    (low, high, empty), (other_low, other_high, other_empty) = ends
    apart = builder.or_(builder.icmp_unsigned(">=", low, other_high), builder.icmp_unsigned(">=", other_low, high))
    apart = builder.or_(apart, builder.or_(empty, other_empty))
    if a.type.dtype != b.type.dtype or a.type.ndim != b.type.ndim:
        return apart, cgutils.false_bit
    alike = builder.icmp_unsigned("==", builder.ptrtoint(a.value, intp), builder.ptrtoint(b.value, intp))
    for size, other, stride, step in zip(a.shape, b.shape, a.strides, b.strides, strict=True):
        even = builder.or_(builder.icmp_signed("==", stride, step), builder.icmp_signed("==", size, intp(1)))
        alike = builder.and_(alike, builder.and_(even, builder.icmp_signed("==", size, other)))
    return apart, alike


class Loop:
    """Computes outputs from inputs, element by element; one for the types of a call.

    Parameters
    ----------
    inputs : sequence of Numba types
        Numbers, and arrays that broadcast.
    outputs : sequence of Numba types
        Arrays of one shape.
    dtype : Numba type
        What is computed in.
    compute : callable
        ``compute(context, builder, numbers)``: the outputs of one element.
    """

    def __init__(self, inputs: Sequence[Any], outputs: Sequence[Any], dtype: Any, compute: Callable[..., list[Any]]) -> None:
        self.inputs, self.outputs, self.dtype, self.compute = list(inputs), list(outputs), dtype, compute
        self.ndim = outputs[0].ndim
        self.arrays = [t for t in self.inputs if isinstance(t, types.Array) and t.ndim > 0]
        everything = [*self.arrays, *self.outputs]
        # in one piece each, in the same order
        self.flat = len({(t.ndim, t.layout) for t in everything}) == 1 and everything[0].layout in "CF" and self.aligned
        self.flat |= self.ndim == 0

    @property
    def aligned(self) -> bool:
        return all(t.aligned for t in [*self.arrays, *self.outputs])

    # -- the structure -------------------------------------------------------------------------------

    def _structure(self, context: Any) -> Any:
        """total, length of a row, direct; sizes before the last; each input; each output."""
        intp = context.get_value_type(types.intp)
        outer = max(self.ndim - 1, 0)
        member = ir.LiteralStructType([cgutils.voidptr_t, intp, ir.ArrayType(intp, outer)])
        number = context.get_value_type(self.dtype)
        fields = [intp, intp, intp, ir.ArrayType(intp, outer)]
        fields += [member if t in self.arrays else number for t in self.inputs]
        return ir.LiteralStructType([*fields, *[member] * len(self.outputs)])

    def pack(
        self, context: Any, builder: Any, inputs: Sequence[Operand], outputs: Sequence[Operand], own: bool, title: str,
        message: str,
    ) -> Any:  # fmt: skip
        """Check shapes and memory and return the address of the structure.

        ``own``: the outputs are new, so that they share no memory with anything; the message is that of shapes that do not fit.
        """
        intp = context.get_value_type(types.intp)
        one, zero = intp(1), intp(0)
        shape = list(outputs[0].shape)
        same, direct = cgutils.true_bit, cgutils.true_bit
        refused = cgutils.false_bit
        for given in [*inputs, *outputs]:
            if not given.streams:
                continue
            for size, wanted in zip(given.shape, shape[self.ndim - len(given.shape) :], strict=True):
                equal = builder.icmp_signed("==", size, wanted)
                same = builder.and_(same, equal)
                stretched = builder.icmp_signed("==", size, one) if given in inputs else cgutils.false_bit
                refused = builder.or_(refused, builder.not_(builder.or_(equal, stretched)))
        refuse(context, builder, refused, message)
        if not own:
            for number, out in enumerate(outputs):
                for other in [*inputs, *outputs[number + 1 :]]:
                    if isinstance(other.type, types.Array):
                        apart, alike = memory_met(context, builder, out, other)
                        met = builder.not_(builder.or_(apart, alike if other in inputs else cgutils.false_bit))
                        refuse(context, builder, met, f"{title}: out overlaps another array; expected it apart, or the same")
                        direct = builder.and_(direct, apart)
        flat = same if self.flat else cgutils.false_bit
        total = product(context, builder, shape)
        length = builder.select(flat, total, shape[-1] if shape else one)
        # in one piece there is one row, whatever the sizes
        made = cgutils.alloca_once(builder, self._structure(context))

        def put(value: Any, *place: int) -> None:
            builder.store(value, cgutils.gep_inbounds(builder, made, 0, *place))

        place = 4
        for given in [*inputs, *outputs]:
            if not given.streams and given not in outputs:
                value = given.value
                if isinstance(given.type, types.Array):
                    value = context.unpack_value(builder, given.type.dtype, value, alignment(given.type))
                put(context.cast(builder, value, getattr(given.type, "dtype", given.type), self.dtype), place)
            else:
                strides = [
                    builder.select(builder.icmp_signed("==", size, one), zero, stride)
                    for size, stride in zip(given.shape, given.strides, strict=True)
                ]
                strides = [zero] * (self.ndim - len(strides)) + strides
                itemsize = intp(context.get_abi_sizeof(context.get_data_type(given.type.dtype)))
                last = builder.select(flat, itemsize, strides[-1] if strides else itemsize)
                # a row of one element is in one piece
                last = builder.select(builder.icmp_signed("<=", length, one), itemsize, last)
                direct = builder.and_(direct, builder.icmp_signed("==", last, itemsize))
                put(builder.bitcast(given.value, cgutils.voidptr_t), place, 0)
                put(last, place, 1)
                for d, stride in enumerate(strides[:-1]):
                    put(stride, place, 2, d)
            place += 1
        if not self.aligned:
            direct = cgutils.false_bit
        put(total, 0)
        put(length, 1)
        put(builder.zext(direct, intp), 2)
        for d, size in enumerate(shape[:-1]):
            put(size, 3, d)
        return made

    def total(self, builder: Any, made: Any) -> Any:
        """The number of elements."""
        return builder.load(cgutils.gep_inbounds(builder, made, 0, 0))

    # -- the code ------------------------------------------------------------------------------------

    def _block(self, context: Any, module: Any) -> Any:
        """A function that computes elements which follow each other."""
        intp = context.get_value_type(types.intp)
        number = context.get_value_type(self.dtype)
        arguments = [context.get_data_type(t.dtype).as_pointer() if t in self.arrays else number for t in self.inputs]
        arguments += [context.get_data_type(t.dtype).as_pointer() for t in self.outputs]
        function, builder = define(module, "block", ir.VoidType(), [intp, *arguments])
        function.attributes.add("noinline")
        count, *given = function.args
        for argument in given:
            if isinstance(argument.type, ir.PointerType):
                argument.add_attribute("noalias")
        with cgutils.for_range(builder, count, intp=intp) as loop:
            numbers = []
            for type_, value in zip(self.inputs, given, strict=False):
                if type_ in self.arrays:
                    value = context.unpack_value(builder, type_.dtype, builder.gep(value, [loop.index], inbounds=True))
                    value = context.cast(builder, value, type_.dtype, self.dtype)
                numbers.append(value)
            for target, value in zip(given[len(self.inputs) :], self.compute(context, builder, numbers), strict=True):
                context.pack_value(builder, self.dtype, value, builder.gep(target, [loop.index], inbounds=True))
        builder.ret_void()
        return function

    def define(self, context: Any, module: Any) -> Any:
        """A function that computes elements ``start`` to ``stop`` of a structure."""
        intp = context.get_value_type(types.intp)
        block = self._block(context, module)
        function, builder = define(module, ENTRY, ir.VoidType(), [self._structure(context).as_pointer(), intp, intp])
        function.attributes.add("optsize")  # which is compiled in less time, and no slower around blocks
        made, start, stop = function.args

        def get(*place: int) -> Any:
            return builder.load(cgutils.gep_inbounds(builder, made, 0, *place))

        length, direct = get(1), builder.icmp_signed("!=", get(2), intp(0))
        divisor = builder.select(builder.icmp_signed(">", length, intp(0)), length, intp(1))
        done = cgutils.alloca_once_value(builder, start)
        most = builder.select(direct, stop, intp(CHUNK))
        buffers = {
            place: cgutils.alloca_once(builder, context.get_data_type(t.dtype), size=intp(CHUNK))
            for place, t in enumerate([*self.inputs, *self.outputs], 4)
            if place >= 4 + len(self.inputs) or t in self.arrays
        }
        with _while(builder) as while_true:
            position = builder.load(done)
            while_true(builder.icmp_signed("<", position, stop))
            column, row = builder.srem(position, divisor), builder.sdiv(position, divisor)
            indices: list[Any] = []
            for d in range(self.ndim - 2, -1, -1):
                # the first needs no remainder: what is beyond it is not there; in one piece all are 0
                size = get(3, d)
                indices.insert(0, row if d == 0 else builder.srem(row, size))
                row = row if d == 0 else builder.sdiv(row, size)
            count = _least(builder, _least(builder, builder.sub(stop, position), builder.sub(length, column)), most)
            arguments, outputs = [], []
            for place, type_ in enumerate([*self.inputs, *self.outputs], 4):
                if place not in buffers:
                    arguments.append(get(place))
                    continue
                step, offset = get(place, 1), builder.mul(column, get(place, 1))
                for d, index in enumerate(indices):
                    offset = builder.add(offset, builder.mul(index, get(place, 2, d)))
                memory = builder.gep(get(place, 0), [offset])
                memory = builder.bitcast(memory, buffers[place].type)
                if place < 4 + len(self.inputs):
                    arguments.append(self._source(context, builder, type_, memory, step, count, buffers[place]))
                else:
                    outputs.append((type_, memory, step, buffers[place]))
                    arguments.append(builder.select(direct, memory, buffers[place]))
            builder.call(block, [count, *arguments])
            with builder.if_then(builder.not_(direct)):
                for type_, memory, step, buffer in outputs:
                    _copy(context, builder, type_, buffer, None, memory, step, count)
            builder.store(builder.add(position, count), done)
        builder.ret_void()
        return function

    def _source(
        self, context: Any, builder: Any, type_: Any, memory: Any, step: Any, count: Any, buffer: Any
    ) -> Any:
        """Where elements follow each other: where they are, or in the buffer."""
        itemsize = step.type(context.get_abi_sizeof(context.get_data_type(type_.dtype)))
        if not type_.aligned:
            _copy(context, builder, type_, memory, step, buffer, None, count)
            return buffer
        apart = builder.icmp_signed("!=", step, itemsize)
        with builder.if_then(apart):
            _copy(context, builder, type_, memory, step, buffer, None, count)
        return builder.select(apart, buffer, memory)


@contextmanager
def _while(builder: Any) -> Iterator[Callable[[Any], None]]:
    """A loop; what it gives ends it where a condition is false."""
    head, end = (builder.append_basic_block(name) for name in ("while", "while.end"))
    builder.branch(head)
    builder.position_at_end(head)

    def while_true(condition: Any) -> None:
        body = builder.append_basic_block("while.body")
        builder.cbranch(condition, body, end)
        builder.position_at_end(body)

    yield while_true
    builder.branch(head)
    builder.position_at_end(end)


def _least(builder: Any, a: Any, b: Any) -> Any:
    return builder.select(builder.icmp_signed("<", a, b), a, b)


def _copy(context: Any, builder: Any, type_: Any, source: Any, by: Any, target: Any, to: Any, count: Any) -> None:
    """Copy elements, some bytes apart, or following each other in a buffer (None)."""
    align = alignment(type_)
    with cgutils.for_range(builder, count, intp=count.type) as loop:
        places = []
        for memory, step in ((source, by), (target, to)):
            if step is None:
                places.append(builder.gep(memory, [loop.index], inbounds=True))
            else:
                place = builder.gep(builder.bitcast(memory, cgutils.voidptr_t), [builder.mul(loop.index, step)])
                places.append(builder.bitcast(place, memory.type))
        value = builder.load(places[0], align=align if by is not None else None)
        builder.store(value, places[1], align=align if to is not None else None)
