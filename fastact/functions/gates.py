"""What gated units are: called with one array or two, forward and backward, as ufuncs where there are two arrays."""

from __future__ import annotations

from functools import partial
from typing import Any

import numpy as np

from .. import activations as _formulas  # noqa: F401  (fills the registry)
from .. import ufuncs
from ..arguments import (
    broadcast_grad,
    check_out,
    dtype_of,
    dtype_of_both,
    dtype_with,
    one_axis,
    stored,
    work_dtype,
)
from ..cpu import levels
from ..cpu.buffers import keeping
from ..cpu.call import SPREAD_FROM
from ..cpu.direct import is_redirected
from ..cpu.gated_call import Gate, GateCall, run
from ..cpu.halves import widened
from ..cpu.rows.layout import fastest, layout_of, overlap, some_runs
from ..dispatch import Place, gpu, place_of
from ..language.registry import REGISTRY
from .base import REQUIRED, Function, by_ufunc, real_array
from .containers import Masked, contained, data_of, elsewhere, mask_of, masked
from .variants import PLAIN, Variant

_RAISES = """\
TypeError
    For input that is not real, or an unsuitable `out`.
ValueError
    For an axis of odd length, an axis that the array does not have, arrays that do not broadcast, an `out` of another
    shape. Nothing has been written then.
"""


class GatedUnit(Function, GateCall):
    """A gated unit, called like ``fastact.swiglu(x, axis=-1)`` or ``fastact.swiglu(a, b)``; not made by users.

    Attributes
    ----------
    activation : str
        What the gate goes through.
    gate : str
        The half that is the gate: "first" or "second".
    """

    family = "gated units"
    word, call = "gated unit", "(a, b)"
    parameters = """\
a : array_like
    The first array; or x, to be split into halves a and b, if there is no second one.
b : array_like, optional
    The second array, broadcast against a.
axis : int, default -1
    The axis along which x is split.
out : numpy.ndarray, optional
    Where the result goes; may be a or b.
device : {"cpu", "cuda"}, optional
    Where NumPy arrays are computed; see docs/cuda.md.
where, casting, order, dtype, subok
    As for any ufunc of NumPy, see `numpy.ufunc`; a dtype is float16, bfloat16, float32 or float64.
"""
    returns = "y : numpy.ndarray\n    Of the shape of a half: float16 or bfloat16 (computed in float32), float32 or float64."
    raises = _RAISES
    example = """\
>>> import numpy as np
>>> import fastact as fa
>>> a, b = np.array([-1.0, 0.0, 2.0]), np.array([3.0, 1.0, -0.5])
>>> fa.{name}(a, b)
{found!r}
>>> fa.{name}(np.concatenate([a, b]))
{found!r}
"""

    def __init__(self, name: str, activation: str, gate: str, **known: Any) -> None:
        super().__init__(name, **known)
        self.activation, self.gate = activation, gate
        spec = REGISTRY[activation]
        grows = spec.slopes[1] not in ("0", "1")
        # Those that are not monotonic are steeper than 1 before they become straight.
        doc, params, steep = f"{name}: {self.summary}", tuple(spec.params.values()), grows or not spec.monotonic
        self.kernels = Gate(name, doc, levels.tables(), activation, params, steep, grows, gate == "second")
        for ufunc in (self.kernels.ufunc, self.kernels.ufunc_backward):
            setattr(ufuncs, ufunc.__name__, ufunc)

    @property
    def ufunc(self) -> np.ufunc:
        """The NumPy ufunc underneath, of two arrays; that of `backward` is in `fastact.ufuncs`."""
        return self.kernels.ufunc

    def _example(self) -> str:
        found = self(np.array([-1.0, 0.0, 2.0]), np.array([3.0, 1.0, -0.5]), device="cpu")
        return self.example.format(name=self.__name__, found=found)

    def _notes(self) -> list[str]:
        order = {"first": "a (the first half of x)", "second": "b (the second half of x)"}[self.gate]
        formula, notes = super()._notes()
        return [formula, f"The gate is {order}, as in the reference.", notes]

    def __call__(
        self, a: Any = REQUIRED, b: Any = None, *, axis: Any = None, out: Any = None, device: Any = None, where: Any = True,
        casting: Any = "same_kind", order: Any = "K", dtype: Any = None, subok: Any = True, **_unknown: Any,
    ) -> Any:  # fmt: skip
        self._check("__call__", _unknown, a=a)
        asked = asked_of(where, casting, order, dtype, subok)
        return self._forward(self._title(), a, b, axis, out, device, PLAIN, asked)

    def _forward(
        self, title: str, a: Any, b: Any, axis: Any, out: Any, device: Any, variant: Variant, asked: dict[str, Any]
    ) -> Any:
        place = place_of(title, device, (a, b, out))
        variant.check(title, b, place, list(asked))
        if contained(a, b):
            if b is not None and not variant.numbers and not isinstance(a, Masked) and not isinstance(b, Masked):
                self._refuse_axis(title, axis, b)
                return by_ufunc(title, self.ufunc, a, b, out=out, **asked)
            call = partial(self._forward, title, axis=axis, out=out, device=device, variant=variant, asked=asked)
            return self._in_container(title, lambda *v: call(*v, *[None] * (2 - len(v))), [], a, b, axis, variant)
        if place is Place.THERE:
            with gpu(place) as there:
                return there.gated(title, self, None, a, b, axis, out)
        first, second, dtype, _ = self._halves(title, a, b, axis, variant)
        if place is Place.HOST:
            with gpu(place) as host:
                work = work_dtype(dtype)
                return host.gated(title, self, None, widened(first, work), widened(second, work), dtype, out)[()]
        if asked:
            return by_ufunc(title, self.ufunc, first, second, out=out, **({} if "dtype" in asked else {"dtype": dtype}), **asked)
        if out is not None:
            out = check_out(title, out, first.shape, dtype)
        if first.size < SPREAD_FROM and not variant.numbers:
            return by_ufunc(title, self.ufunc, first, second, out=out, dtype=dtype)
        layout = layout_of(first, fastest(first))
        halves = [some_runs(layout, h) for h in (first, second)]
        result = keeping(np.empty_like, first, dtype=dtype, subok=False) if out is None else out
        target = layout.runs_view(result) if result.dtype == dtype else None
        if target is None or any(overlap(target, h) for h in halves):
            result = keeping(np.empty_like, first, dtype=dtype, subok=False)
            target = layout.runs(result)
        gate, linear = halves if self.gate == "first" else halves[::-1]
        run(self.kernels, gate, linear, target, dtype == np.float64, **variant.numbers)
        return result[()] if out is None else stored(out, result)

    def backward(
        self, grad: Any = REQUIRED, a: Any = REQUIRED, b: Any = None, *, axis: Any = None, device: Any = None, **_unknown: Any
    ) -> Any:
        """Gradients by the input or by both inputs, fused.

        Parameters
        ----------
        grad : array_like
            Gradient by the output, broadcast against it.
        a, b, axis, device
            As in the forward pass.

        Returns
        -------
        numpy.ndarray or tuple of numpy.ndarray
            The gradient by x for ``backward(grad, x)``; those by a and by b, each of the broadcast shape, for
            ``backward(grad, a, b)``.

        Examples
        --------
        >>> import numpy as np
        >>> import fastact as fa
        >>> by_a, by_b = fa.glu.backward(np.ones(2), np.array([1.0, 2.0]), np.zeros(2))
        >>> by_a
        array([0.5, 0.5])
        >>> by_b
        array([0.25, 0.5 ])
        """
        self._check("backward", _unknown, grad=grad, a=a)
        return self._back(self._title("backward"), grad, a, b, axis, device, PLAIN)

    def _back(self, title: str, grad: Any, a: Any, b: Any, axis: Any, device: Any, variant: Variant) -> Any:
        if variant is PLAIN and axis is device is None and not is_redirected():
            found = self.kernels.slopes(a, b, grad)
            if found is not None:
                return found
        if contained(grad, a, b):
            call = partial(self._back, title, axis=axis, device=device, variant=variant)
            return self._in_container(title, lambda *v: call(*v, *[None] * (3 - len(v))), [grad], a, b, axis, variant)
        place = place_of(title, device, (grad, a, b))
        variant.check(title, b, place)
        if place is Place.THERE:
            with gpu(place) as there:
                return there.gated(title, self, grad, a, b, axis, None)
        first, second, dtype, whole = self._halves(title, a, b, axis, variant)
        incoming = _native(real_array(title, "grad", grad))
        dtype = dtype_with(dtype, grad, incoming)
        incoming = broadcast_grad(title, incoming, first.shape)
        if place is Place.HOST:
            with gpu(place) as host:
                work = work_dtype(dtype)
                found = host.gated(title, self, incoming, widened(first, work), widened(second, work), dtype, None)
            return found if whole is None else np.concatenate(found, axis=whole[1])
        if whole is None:
            outputs = [keeping(np.empty_like, first, dtype=dtype, subok=False) for _ in range(2)]
            result: Any = tuple(outputs)
        else:
            result = keeping(np.empty_like, whole[0], dtype=dtype, subok=False)
            outputs = variant.split(result, whole[1])
        if first.size < SPREAD_FROM and not variant.numbers:
            by_ufunc(title, self.kernels.ufunc_backward, incoming, first, second, out=tuple(outputs), dtype=dtype)
            return result if whole is not None else tuple(r[()] for r in result)
        layout = layout_of(first, fastest(first))
        arrays = [some_runs(layout, h) for h in (first, second, incoming)]
        targets = [some_runs(layout, o) for o in outputs]
        order = slice(None) if self.gate == "first" else slice(None, None, -1)
        (gate, linear), (by_gate, by_linear) = arrays[:2][order], targets[order]
        run(self.kernels, gate, linear, by_gate, dtype == np.float64, arrays[2], by_linear, **variant.numbers)
        for output, target in zip(outputs, targets, strict=True):
            if not np.may_share_memory(output, target):
                output[...] = layout.unfold(target, output.shape)
        return result if whole is not None else tuple(r[()] for r in result)

    def _refuse_axis(self, title: str, axis: Any, b: Any) -> None:
        """Refuse what splits one array where there are two."""
        if axis is not None:
            raise TypeError(f"{title}: axis goes with one array, which it splits; there are two")
        if isinstance(b, int | np.integer):
            raise TypeError(f"{title}: b is {b!r}; expected an array; axis={b} is what splits one array along that axis")

    def _in_container(self, title: str, call: Any, grad: list[Any], a: Any, b: Any, axis: Any, variant: Variant) -> Any:
        """The result for what is more than an array: masked where either half, or the gradient, is."""
        arrays = [a] if b is None else [a, b]
        values = [*grad, *arrays]
        if not any(isinstance(v, Masked) for v in values):
            return elsewhere(title, call, values)
        result = call(*map(data_of, values))
        if len(arrays) == 2:
            return masked(result, mask_of(*values))
        along = -1 if axis is None else axis
        mask = np.logical_or(*variant.split(np.ma.getmaskarray(arrays[0]), along)) | mask_of(*grad)
        return masked(result, variant.join(mask, along) if grad else mask)

    def _halves(self, title: str, a: Any, b: Any, axis: Any, variant: Variant) -> tuple[Any, Any, np.dtype, Any]:
        """Both halves, the dtype of the result, and the array that was split with the number of the axis."""
        first = _native(real_array(title, "x" if b is None else "a", a))
        if b is not None:
            self._refuse_axis(title, axis, b)
            second = _native(real_array(title, "b", b))
            dtype = dtype_of_both(a, b, first, second)
            try:
                first, second = np.broadcast_arrays(first, second)
            except ValueError:
                raise ValueError(f"{title}: a has shape {first.shape} and b {second.shape}; they do not broadcast") from None
            return first, second, dtype, None
        number = one_axis(title, -1 if axis is None else axis, first.ndim)
        if first.shape[number] % 2:
            raise ValueError(f"{title}: axis {number} of x has length {first.shape[number]}; expected an even one")
        halves = variant.split(first, number)
        return halves[0], halves[1], dtype_of(first), (first, number)


def _native(array: np.ndarray) -> np.ndarray:
    """The array in the byte order of the machine, which the kernels read."""
    return array if array.dtype.isnative else array.astype(array.dtype.newbyteorder("="))


def asked_of(where: Any, casting: Any, order: Any, dtype: Any, subok: Any) -> dict[str, Any]:
    """The keywords of ufuncs that a call has given."""
    found = {} if where is True else {"where": where}
    found |= {} if casting == "same_kind" else {"casting": casting}
    found |= {} if order == "K" else {"order": order}
    found |= {} if dtype is None else {"dtype": dtype}
    return found if subok is True else found | {"subok": subok}
