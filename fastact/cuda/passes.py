"""The passes over rows as CUDA kernels want them: accumulators folded between threads, and all emitted as instructions."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from llvmlite import ir
from numba import types

from ..language.terms import SCALARS, RowPass
from ..numba.atoms import Value
from ..numba.emitter import emit_pass, emit_primitive
from .emit import ADDRESS, INDEX, PRECISIONS, CudaAtoms, exchange, load, offset, repeat, store

#: Numbers of the accumulators of a part, at most.
SAVED = 3

_BIT = ir.IntType(1)


def start_of(entry: RowPass, precision: str) -> tuple[float, ...]:
    """What the accumulators of a pass start with."""
    return (entry.start[precision == "float64"], *[0.0] * (len(entry.state) - 1))


def neutral(entry: RowPass) -> tuple[float, ...]:
    """What changes nothing when accumulators are folded."""
    return (-math.inf,) if entry.state == ("m",) else (0.0,) * len(entry.state)


def fold(atoms: Any, entry: RowPass, mine: list[Value], other: list[Value]) -> list[Value]:
    """The accumulators of two parts of a row as one: the maximum, or compensated sums."""
    if entry.state == ("m",):
        return [atoms.select(atoms.compare(">", other[0], mine[0]), other[0], mine[0])]
    total, error = emit_primitive(atoms, "two_sum", [mine[0], other[0]])
    low = atoms.add(atoms.add(mine[1], other[1]), error)
    return [total, low, *(atoms.add(a, b) for a, b in zip(mine[2:], other[2:], strict=True))]


def settle(atoms: Any, entry: RowPass, state: list[Value], precision: str) -> list[Value]:
    """Accumulators without what they started with."""
    first = start_of(entry, precision)[0]
    return [atoms.sub(state[0], atoms.literal(first)), *state[1:]] if math.isfinite(first) and first else state


def arguments_of(entry: RowPass, elements: list[Any], scalars: list[Any], lanes: list[Any], state: list[Any]) -> list[Any]:
    """The arguments of a pass, in the order of its text."""
    known = dict(zip(entry.inputs, elements, strict=True))
    known |= dict(zip(SCALARS, scalars, strict=False)) | dict(zip(entry.lanes, lanes, strict=True))
    known |= dict(zip(entry.state, state, strict=True))
    code = entry.function.__code__
    return [known[name] for name in code.co_varnames[: code.co_argcount]]


class Emitted:
    """The intrinsics of one kernel, a `RowVariant` of ``rows``."""

    def __init__(self, variant: Any) -> None:
        self.variant = variant
        self.precision = PRECISIONS[variant.dtype]
        self.number = getattr(types, self.precision)

    def _intrinsic(self, arity: int, results: int, code: Any) -> Any:
        """An intrinsic of some arguments, tuples given as lists of values, integers in 32 bits, addresses in 64."""
        from numba.core import cgutils
        from numba.cuda.extending import intrinsic

        result = types.UniTuple(self.number, results) if results else types.void

        def generated(context: Any, builder: Any, signature: Any, values: Any) -> Any:
            given = []
            for value, type_ in zip(values, signature.args, strict=True):
                if isinstance(type_, types.BaseTuple):
                    given.append(cgutils.unpack_tuple(builder, value))
                elif type_ == types.uint64 or type_ == types.boolean:
                    given.append(value)
                else:
                    given.append(builder.trunc(value, INDEX) if value.type.width > 32 else value)
            got = code(CudaAtoms(builder, self.precision), *given)
            return context.make_tuple(builder, result, got) if results else context.get_dummy_value()

        names = ", ".join(f"a{i}" for i in range(arity))
        scope: dict[str, Any] = {"result": result, "generated": generated}
        exec(f"def typed(typingctx{', ' if arity else ''}{names}):\n    return result({names}), generated", scope)
        return intrinsic(scope["typed"])

    def _walk(self, atoms: Any, addresses: list[Value], row: Value, n: Value, inner: Value, first: Value, step: Value,
              state: list[Value], body: Any) -> list[Value]:  # fmt: skip
        """Emit the loops over a thread's elements: ``state = body(addresses of the elements, lanes, state)``."""
        builder, variant = atoms.builder, self.variant
        size = np.dtype(variant.dtype).itemsize
        count, between = builder.zext(n, ADDRESS), ADDRESS(size)
        if variant.apart:
            outer, within = builder.udiv(row, inner), builder.urem(row, inner)
            between = builder.mul(builder.zext(inner, ADDRESS), ADDRESS(size))
            starts = [offset(builder, offset(builder, a, outer, builder.mul(count, between)), within, ADDRESS(size))
                      for a in addresses]  # fmt: skip
        else:
            starts = [offset(builder, a, row, builder.mul(count, between)) for a in addresses]

        def loop(lanes: int, begin: Value, end: Value, state: list[Value]) -> list[Value]:
            distance = builder.mul(between, ADDRESS(lanes))
            return repeat(builder, begin, end, step, state,
                          lambda i, s: body([offset(builder, a, i, distance) for a in starts], lanes, s))  # fmt: skip

        if variant.width == 1:
            return loop(1, first, n, state)
        groups = builder.udiv(n, INDEX(variant.width))
        state = loop(variant.width, first, groups, state)
        return loop(1, builder.add(builder.mul(groups, INDEX(variant.width)), first), n, state)

    def reduce(self, entry: RowPass) -> Any:
        """A thread's accumulators of a pass."""

        def code(atoms: Any, addresses: Any, row: Any, n: Any, inner: Any, first: Any, step: Any, scalars: Any,
                 lanes: Any) -> Any:  # fmt: skip
            def body(places: list[Value], width: int, state: list[Value]) -> list[Value]:
                for elements in zip(*(load(atoms, a, self.variant.dtype, width) for a in places), strict=True):
                    got = emit_pass(atoms, entry, arguments_of(entry, list(elements), scalars, lanes, state))
                    state = got[len(got) - len(state) :]
                return state

            begin = [atoms.literal(v) for v in start_of(entry, self.precision)]
            state = self._walk(atoms, addresses, row, n, inner, first, step, begin, body)
            return settle(atoms, entry, state, self.precision)

        return self._intrinsic(8, len(entry.state), code)

    def write(self, entry: RowPass) -> Any:
        """The last pass: the results."""

        def code(atoms: Any, addresses: Any, row: Any, n: Any, inner: Any, first: Any, step: Any, scalars: Any, lanes: Any,
                 out: Any, inside: Any) -> None:  # fmt: skip
            def body(places: list[Value], width: int, _: list[Value]) -> list[Value]:
                columns = [load(atoms, a, self.variant.dtype, width) for a in places[:-1]]
                results = [
                    emit_pass(atoms, entry, arguments_of(entry, list(elements), scalars, lanes, []))[0]
                    for elements in zip(*columns, strict=True)
                ]
                store(atoms, places[-1], self.variant.dtype, results)
                return []

            with atoms.builder.if_then(atoms.builder.trunc(inside, _BIT)):
                self._walk(atoms, [*addresses, out], row, n, inner, first, step, [], body)

        return self._intrinsic(10, 0, code)

    def once(self, entry: RowPass) -> Any:
        """What is computed once a row."""

        def code(atoms: Any, numbers: Any, scalars: Any) -> Any:
            inputs, lanes = numbers[: len(entry.inputs)], numbers[len(entry.inputs) :]
            state = [atoms.literal(0.0)] * len(entry.state)
            return emit_pass(atoms, entry, arguments_of(entry, inputs, scalars, lanes, state))

        return self._intrinsic(2, len(entry.state), code)

    def fold(self, entry: RowPass) -> Any:
        """The accumulators of this thread and of another one."""

        def code(atoms: Any, state: Any, distance: Any) -> Any:
            return fold(atoms, entry, state, [exchange(atoms, v, distance) for v in state])

        return self._intrinsic(2, len(entry.state), code)

    def neutral(self, entry: RowPass) -> Any:
        """Accumulators that change nothing."""
        return self._intrinsic(0, len(entry.state), lambda atoms: [atoms.literal(v) for v in neutral(entry)])

    def _slot(self, atoms: Any, saved: Value, stage: Value, row: Value, rows: Value, part: Value, parts: Value) -> Value:
        builder = atoms.builder
        index = builder.add(builder.mul(stage, rows), row)
        index = builder.add(builder.mul(index, parts), part)
        return offset(builder, saved, index, ADDRESS(SAVED * np.dtype(self.precision).itemsize))

    def save(self, entry: RowPass) -> Any:
        """Keep the accumulators of a part."""

        def code(atoms: Any, saved: Any, stage: Any, row: Any, rows: Any, part: Any, parts: Any, state: Any) -> None:
            store_at = self._slot(atoms, saved, stage, row, rows, part, parts)
            for j, value in enumerate(state):
                place = atoms.builder.add(store_at, ADDRESS(j * np.dtype(self.precision).itemsize))
                store(atoms, place, self.precision, [value])

        return self._intrinsic(7, 0, code)

    def saved(self, entry: RowPass) -> Any:
        """The accumulators of a part, or what changes nothing beyond the last."""

        def code(atoms: Any, saved: Any, stage: Any, row: Any, rows: Any, part: Any, parts: Any) -> Any:
            builder = atoms.builder
            there = builder.icmp_unsigned("<", part, parts)
            place = self._slot(atoms, saved, stage, row, rows, builder.select(there, part, INDEX(0)), parts)
            size = np.dtype(self.precision).itemsize
            found = [load(atoms, builder.add(place, ADDRESS(j * size)), self.precision, 1)[0] for j in range(len(entry.state))]
            return [atoms.select(there, v, atoms.literal(e)) for v, e in zip(found, neutral(entry), strict=True)]

        return self._intrinsic(6, len(entry.state), code)
