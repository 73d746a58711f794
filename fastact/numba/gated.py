"""The gated units in compiled code: an activation of one half times the other, of one array that is split or of two.

As in the package's own kernels, products that overflow halfway are computed in another order.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from numba import types
from numba.core import cgutils, errors

from ..activations.units import UNITS
from ..language.registry import REGISTRY
from .atoms import Atoms
from .calls import empty, output_types, working_type
from .compiler import has_fma, title
from .emitter import emit
from .loops import Loop, Operand, common_shape, operand, refuse
from .modules import entry
from .rows import checked_axis

#: Keywords of swiglu after those of all.
MORE = {"limit": None, "alpha": 1.0, "offset": 0.0, "interleaved": False}


def _mended(atoms: Atoms, product: Any, first: Any, slope: Any, factor: Any, other: Any) -> Any:
    """slope * (factor * other) in place of a product whose first step is infinite, and neither of its factors is."""
    given = atoms.either(_infinite(atoms, factor), _infinite(atoms, slope))
    lost = atoms.both(_infinite(atoms, first), atoms.builder.not_(given))
    return atoms.select(lost, atoms.mul(slope, atoms.mul(factor, other)), product)


def _infinite(atoms: Atoms, value: Any) -> Any:
    return atoms.compare("==", atoms.abs(value), atoms.literal(float("inf")))


class Gated:
    """A gated unit, or its backward pass, for arguments of some types."""

    def __init__(self, name: str, kind: str, given: Sequence[Any]) -> None:
        self.name, self.kind, self.types = name, kind, tuple(given)
        self.where = where = title(name, kind)
        self.activation, gate = UNITS[name]
        self.first = gate == "first"
        self.back = kind == "backward"
        *grad, a, b, axis = given[: 3 + self.back]
        rest = list(given[3 + self.back :])
        out = types.none if self.back else rest.pop(0)
        self.limit: Any
        self.alpha: Any
        self.offset: Any
        self.limit, self.alpha, self.offset, interleaved = rest or (None, None, None, types.literal(False))
        self.split = isinstance(b, types.NoneType)
        if not isinstance(interleaved, types.BooleanLiteral):
            raise errors.TypingError(f"{where}: interleaved is {interleaved}; expected True or False, written there")
        self.interleaved = interleaved.literal_value
        self._check_axis(a, axis)
        self.given_arrays = [*grad, a, *([] if self.split else [b])]
        names = [*(["grad"] if self.back else []), *(["x"] if self.split else ["a", "b"])]
        self.dtype = working_type(where, dict(zip(names, self.given_arrays, strict=True)))
        self.more = [t for t in (self.limit, self.alpha, self.offset) if t is not None and not isinstance(t, types.NoneType)]
        for argument, t in zip(("limit", "alpha", "offset"), rest, strict=False):
            if t not in types.real_domain | types.integer_domain and not isinstance(t, types.NoneType):
                raise errors.TypingError(f"{where}: {argument} is {t}; expected a number")
        halves = [a.copy(layout="A")] * 2 if self.split else [a, b]
        self.inputs = [*grad, *halves, *self.more]
        ndim = max((t.ndim for t in halves if isinstance(t, types.Array)), default=0)
        if self.back and isinstance(grad[0], types.Array) and grad[0].ndim > ndim:
            raise errors.TypingError(f"{where}: grad is {grad[0]}; expected at most {ndim} dimensions")
        self.given = output_types(where, out, 1, self.dtype, ndim)
        self.count = 2 if self.back else 1
        self.new = types.Array(self.dtype, ndim, "C")
        self.scalar = ndim == 0 and not self.given and not any(isinstance(t, types.Array) for t in self.inputs)
        targets = self.given or [self.new.copy(layout="A") if self.back and self.split else self.new] * self.count
        self.loop = Loop(self.inputs, targets, self.dtype, self._compute)
        one = self.dtype if self.scalar else (self.given or [self.new])[0]
        self.result = types.UniTuple(one, 2) if self.back and not self.split else one

    def _check_axis(self, a: Any, axis: Any) -> None:
        if not isinstance(axis, types.NoneType | types.Integer):
            raise errors.TypingError(f"{self.where}: axis is {axis}; expected an integer")
        if self.split and (not isinstance(a, types.Array) or a.ndim == 0):
            raise errors.TypingError(f"{self.where}: x is {a}; expected an array, which is split, or a second one")
        if not self.split and (isinstance(axis, types.Integer) or self.interleaved):
            raise errors.TypingError(f"{self.where}: axis and interleaved go with one array, which is split; there are two")

    # -- one element ---------------------------------------------------------------------------------

    def define(self, context: Any, module: Any) -> Any:
        """The function of a module."""
        return self.loop.define(context, module)

    def entry(self, context: Any, builder: Any) -> Any:
        return entry(context, builder, Gated, self.name, self.kind, self.types)

    def _compute(self, context: Any, builder: Any, numbers: list[Any]) -> list[Any]:
        atoms = Atoms(builder, self.dtype.name, has_fma(context))
        spec = REGISTRY[self.activation]
        grows = spec.slopes[1] not in ("0", "1")
        *grad, a, b = numbers[: 2 + self.back]
        more = numbers[2 + self.back :]
        raw = gate, linear = (a, b) if self.first else (b, a)
        params = [atoms.literal(d) for d in spec.params.values()]
        limit = None
        if more:
            if len(more) == 3:
                limit = more.pop(0)
                gate = atoms.select(atoms.compare(">", gate, limit), limit, gate)
                low = atoms.negative(limit)
                linear = atoms.select(atoms.compare("<", linear, low), low, linear)
                linear = atoms.select(atoms.compare(">", linear, limit), limit, linear)
            params, offset = more[:1], more[1]
            # to which -0.0 adds nothing
            linear = atoms.add(
                linear, atoms.select(atoms.compare("==", offset, atoms.literal(0.0)), atoms.literal(-0.0), offset)
            )
        value, slope = emit(atoms, self.activation, "value_and_derivative", [gate, *params])
        if not self.back:
            found = atoms.mul(value, linear)
            return [_mended(atoms, found, value, slope, gate, linear) if grows else found]
        # The slope first: its product with an infinite or a tiny grad may be lost where that with the other half is not.
        step = atoms.mul(slope, linear)
        by_gate, by_linear = atoms.mul(step, grad[0]), atoms.mul(value, grad[0])
        if grows or not spec.monotonic:
            by_gate = _mended(atoms, by_gate, step, slope, linear, grad[0])
        if grows:
            by_linear = _mended(atoms, by_linear, value, slope, gate, grad[0])
        if limit is not None:
            zero, low = atoms.literal(0.0), atoms.negative(limit)
            by_gate = atoms.select(atoms.compare(">", raw[0], limit), zero, by_gate)
            beyond = atoms.either(atoms.compare("<", raw[1], low), atoms.compare(">", raw[1], limit))
            by_linear = atoms.select(beyond, zero, by_linear)
        return [by_gate, by_linear] if self.first else [by_linear, by_gate]

    # -- a call --------------------------------------------------------------------------------------

    def code(self, context: Any, builder: Any, signature: Any, values: Sequence[Any]) -> Any:
        """Append the instructions of the call."""
        packed, results = self.pack(context, builder, values)
        zero = context.get_constant(types.intp, 0)
        builder.call(self.entry(context, builder), [packed, zero, self.loop.total(builder, packed)])
        if self.scalar:
            arrays = [operand(context, builder, self.new, value) for value in results]
            found = [builder.load(a.value) for a in arrays]
            for value in results:
                context.nrt.decref(builder, self.new, value)
            results = found
        return self.joined(context, builder, results)

    def joined(self, context: Any, builder: Any, results: list[Any]) -> Any:
        """The result of the call."""
        return results[0] if len(results) == 1 else context.make_tuple(builder, self.result, results)

    def pack(self, context: Any, builder: Any, values: Sequence[Any]) -> tuple[Any, list[Any]]:
        """The structure of the loop, and the arrays that results go to."""
        *grad, a, b, axis = values[: 3 + self.back]
        out = None if self.back else values[3]
        rest = values[3 + self.back + (not self.back) :]
        numbers = [
            Operand(t, v)
            for t, v in zip((self.limit, self.alpha, self.offset), rest, strict=False)
            if not isinstance(t, types.NoneType)
        ]
        arrays = [operand(context, builder, t, v) for t, v in zip(self.given_arrays, [*grad, a, b], strict=False)]
        if self.split:
            whole = arrays[-1]
            number = self._axis(context, builder, axis, whole)
            halves = self._halves(builder, whole, number)
        else:
            halves = arrays[self.back :]
        inputs = [*arrays[: self.back], *halves, *numbers]
        message = f"{self.where}: the shapes of the arguments do not broadcast against each other"
        if self.given:
            results: list[Any] = [out]
            targets = [operand(context, builder, self.given[0], out)]
            message = f"{self.where}: out has another shape than the other arguments broadcast to"
        elif self.back and self.split:
            value, made = empty(context, builder, self.new, whole.shape)
            results, targets = [value], self._halves(builder, made, number)
        else:
            shape = common_shape(context, builder, [h.shape for h in halves], message)
            pairs = [empty(context, builder, self.new, shape) for _ in range(self.count)]
            results, targets = [p[0] for p in pairs], [p[1] for p in pairs]
        packed = self.loop.pack(context, builder, inputs, targets, not self.given, self.where, message)
        if self.given:
            context.nrt.incref(builder, self.given[0], out)
        return packed, results

    def _axis(self, context: Any, builder: Any, axis: Any, whole: Operand) -> Any:
        """The axis that is split, counted from the first; its length is even."""
        intp = context.get_value_type(types.intp)
        type_ = self.types[2 + self.back]
        given = (intp(-1), types.intp) if isinstance(type_, types.NoneType) else (axis, type_)
        axis = checked_axis(context, builder, self.where, *given, len(whole.shape))
        odd = cgutils.false_bit
        for d, size in enumerate(whole.shape):
            here = builder.icmp_signed("==", axis, intp(d))
            odd = builder.or_(odd, builder.and_(here, builder.trunc(size, cgutils.bool_t)))
        refuse(context, builder, odd, f"{self.where}: the axis of x that is split has an odd length; expected an even one")
        return axis

    def _halves(self, builder: Any, whole: Operand, axis: Any) -> list[Operand]:
        """Both halves of an array."""
        intp = axis.type
        shape, strides, apart = [], [], intp(0)
        for d, (size, stride) in enumerate(zip(whole.shape, whole.strides, strict=True)):
            here = builder.icmp_signed("==", axis, intp(d))
            half = builder.ashr(size, intp(1))
            shape.append(builder.select(here, half, size))
            strides.append(builder.select(here, builder.shl(stride, intp(1)), stride) if self.interleaved else stride)
            apart = builder.select(here, stride if self.interleaved else builder.mul(stride, half), apart)
        type_ = whole.type.copy(layout="A")
        return [
            Operand(type_, place, shape, strides)
            for place in (whole.value, cgutils.pointer_add(builder, whole.value, apart))
        ]
