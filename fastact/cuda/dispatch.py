"""Calls of activations and gated units whose arrays are on a GPU."""

from __future__ import annotations

import logging
import math
from typing import Any

import numpy as np
from numba import cuda

from ..arguments import axes_of, broadcast_shape, inverse_temperature, one_axis, work_dtype
from ..language.kinds import outputs
from ..language.registry import REGISTRY
from .arrays import Operand, empty, finished, operand, stream_of
from .availability import on_gpu
from .launch import contiguous, launch

#: At level DEBUG a line for each call that runs on a GPU; nothing is said of those that do not.
LOG = logging.getLogger("fastact")


def refuse_keywords(title: str, kwargs: dict[str, Any]) -> None:
    for keyword in kwargs:
        raise TypeError(f"{title}: {keyword} is not supported on a GPU; out is")


def described(title: str, names: list[str], values: list[Any], written: bool = False) -> list[Operand]:
    """The arrays of a call as operands: all on one GPU, and of one dtype."""
    for name, value in zip(names, values, strict=True):
        if not on_gpu(value):
            raise TypeError(f"{title}: {name} is {type(value).__name__} on the CPU; expected all arrays on one GPU")
    found = [operand(title, name, value, written) for name, value in zip(names, values, strict=True)]
    check_alike(title, names, found)
    return found


def check_alike(title: str, names: list[str], found: list[Operand]) -> None:
    """Refuse arrays that differ in dtype or device: nothing is converted or moved on a GPU."""
    first = found[0]
    for name, other in zip(names[1:], found[1:], strict=True):
        if other.dtype != first.dtype:
            raise TypeError(f"{title}: {name} has dtype {other.dtype} on a GPU; expected {first.dtype}, that of {names[0]}")
        if other.device != first.device:
            raise ValueError(f"{title}: {name} is on GPU {other.device}; expected {first.device}, that of {names[0]}")


def unpacked(out: Any, count: int, title: str) -> list[Any]:
    """The arrays given as ``out=``: one, or a tuple of as many as there are results."""
    given = list(out) if isinstance(out, tuple) else [out]
    if len(given) != count:
        raise TypeError(f"{title}: out has {len(given)} arrays; expected {count}")
    return given


def into(title: str, out: list[Any], inputs: list[Operand], shape: tuple[int, ...]) -> list[Operand]:
    """The arrays that a caller wants the results in, of their shape; each is an input or shares no memory with one."""
    found = described(title, ["out"] * len(out), out, written=True)
    check_alike(title, ["x", *["out"] * len(out)], [inputs[0], *found])
    for k, result in enumerate(found):
        if result.shape != shape:
            raise ValueError(f"{title}: out has shape {result.shape} on a GPU; expected {shape}")
        first, last = result.span()
        for j, other in enumerate([*inputs, *found[:k]]):
            start, end = other.span()
            same = j < len(inputs) and other[:3] == result[:3]  # address, shape, strides
            if first < end and start < last and not same:
                raise ValueError(f"{title}: out overlaps another array on a GPU; expected that array, or memory of its own")
    return found


def check_broadcasts(title: str, name: str, array: Operand, shape: tuple[int, ...], whose: str) -> None:
    """Refuse an array that does not broadcast to a shape."""
    missing = len(shape) - len(array.shape)
    if missing < 0 or any(n not in (1, m) for n, m in zip(array.shape, shape[max(missing, 0) :], strict=False)):
        raise ValueError(f"{title}: {name} has shape {array.shape}; expected {shape}{whose}")


def report(title: str, array: Operand, shape: tuple[int, ...]) -> None:
    """Say that a call ran on a GPU."""
    LOG.debug("%s: %s%s on GPU %d", title, array.dtype, shape, array.device)


def elementwise(title: str, spec: Any, kind: str, names: tuple[str, ...], arrays: tuple[Any, ...], params: list[Any],
           kwargs: dict[str, Any]) -> Any:  # fmt: skip
    """Compute a kind where its arrays are; the result is an array of the library of the first."""
    out = kwargs.pop("out", None)
    refuse_keywords(title, kwargs)
    labels, values = list(names), list(arrays)
    for name, value in zip(spec.params, params, strict=True):
        if not isinstance(value, int | float | np.number | np.bool_):
            labels.append(name)
            values.append(value)
    made = None if out is None else unpacked(out, outputs(kind), title)
    for value in made or ():
        if not on_gpu(value):
            raise TypeError(f"{title}: out is {type(value).__name__} on the CPU; expected all arrays on one GPU")
    given = described(title, labels, values)
    varying = iter(given[len(arrays) :])
    typed = [float(p) if isinstance(p, int | float | np.number | np.bool_) else next(varying) for p in params]
    shape = broadcast_shape(title, dict(zip(labels, given, strict=True)))
    first = given[0]
    with cuda.gpus[first.device]:
        stream = stream_of([*values, *(made or ())])
        if made is None:
            new = [empty(title, first, shape, first.dtype, stream) for _ in range(outputs(kind))]
            results = [operand(title, "out", array) for array in new]
        else:
            results = into(title, made, given, shape)
        launch(spec.name, kind, given[: len(arrays)], results, typed, stream)
        if made is None:
            made = [finished(array, first, stream) for array in new]
    report(title, first, shape)
    return tuple(made) if len(made) > 1 else made[0]


# ---------------------------------------------------------------------------------------------------
# Gated units
# ---------------------------------------------------------------------------------------------------


def _half(array: Operand, axis: int, second: bool) -> Operand:
    """One half of an array along an axis."""
    n = array.shape[axis] // 2
    shape = (*array.shape[:axis], n, *array.shape[axis + 1 :])
    skipped = n * array.steps[axis] if second else 0
    return array._replace(address=array.address + skipped, shape=shape, strides=array.steps)


def gated(title: str, unit: Any, grad: Any, a: Any, b: Any, axis: Any, out: Any) -> Any:
    """A gated unit of arrays on a GPU, or with a ``grad`` its gradients."""
    back = grad is not None
    named = [("grad", grad)] if back else []
    named += [("x", a)] if b is None else [("a", a), ("b", b)]
    names, values = [n for n, _ in named], [v for _, v in named]
    given = described(title, names, values)
    incoming, halves = (given[:1], given[1:]) if back else ([], given)
    number = None
    if b is None:
        number = one_axis(title, -1 if axis is None else axis, len(halves[0].shape))
        if halves[0].shape[number] % 2:
            raise ValueError(f"{title}: axis {number} of x has length {halves[0].shape[number]}; expected an even one")
        whole = halves[0]
        halves = [_half(whole, number, False), _half(whole, number, True)]
    elif axis is not None:
        raise TypeError(f"{title}: axis goes with one array, which it splits; there are two")
    shape = broadcast_shape(title, dict(zip(("a", "b"), halves, strict=True)))
    if back:
        check_broadcasts(title, "grad", incoming[0], shape, "")
    order = slice(None) if unit.gate == "first" else slice(None, None, -1)
    first, params = given[0], [float(p) for p in REGISTRY[unit.activation].params.values()]
    with cuda.gpus[first.device]:
        stream = stream_of([*values, *([] if out is None else [out])])
        kind = "gated_backward" if back else "gated"
        if out is not None:
            made = unpacked(out, 1, title)
            results = into(title, made, halves, shape)
        elif back and number is not None:
            made = [empty(title, first, whole.shape, first.dtype, stream)]
            joint = operand(title, "out", made[0])
            results = [_half(joint, number, False), _half(joint, number, True)]
        else:
            made = [empty(title, first, shape, first.dtype, stream) for _ in range(outputs(kind))]
            results = [operand(title, "out", array) for array in made]
        launch(unit.activation, kind, [*incoming, *halves[order]], results[order], params, stream)
        if out is None:
            made = [finished(array, first, stream) for array in made]
    report(title, first, shape)
    return tuple(made) if len(made) > 1 else made[0]


# ---------------------------------------------------------------------------------------------------
# Functions of rows
# ---------------------------------------------------------------------------------------------------


def rows(title: str, op: str, sign: float, arrays: dict[str, Any], axis: Any, temperature: float, out: Any) -> Any:
    """A function of rows of arrays on a GPU, or its gradient; `arrays` by argument, that of the rows last."""
    from .rows import launch_rows

    names, values = list(arrays), list(arrays.values())
    given = described(title, names, values)
    shape = given[-1].shape
    axes = axes_of(title, axis, len(shape))
    if axes[-1] - axes[0] + 1 != len(axes):
        raise ValueError(f"{title}: axis is {axis!r}; expected neighbouring axes on a GPU")
    for name, array in zip(names, given, strict=True):
        check_broadcasts(title, name, array, shape, f" of {names[-1]}")
    first = given[-1]
    sizes = [math.prod(shape[: axes[0]]), math.prod(shape[axes[0] : axes[-1] + 1]), math.prod(shape[axes[-1] + 1 :])]
    work = work_dtype(first.dtype)
    scalars = (sign, *inverse_temperature(temperature, work))
    with cuda.gpus[first.device]:
        stream = stream_of([*values, *([] if out is None else [out])])
        wanted = None
        if out is not None:
            (wanted,) = into(title, unpacked(out, 1, title), given, shape)
        if wanted is not None and wanted.strides is None:
            made, result = out, wanted
        else:
            made = empty(title, first, shape, first.dtype, stream)
            result = operand(title, "out", made)
        launch_rows(title, op, [contiguous(title, a, shape, stream) for a in given], result, sizes, scalars, stream)
        if wanted is not None and wanted is not result:
            launch("identity", "value", [result], [wanted], [], stream)
            made = out
        elif wanted is None:
            made = finished(made, first, stream)
    report(title, first, shape)
    return made[0] if isinstance(made, tuple) else made
