"""The gated units: glu, bilinear, reglu, geglu, swiglu, seglu.

An activation of one half of an array times the other half, in one pass over memory. The arithmetic is that of the
elementwise activations, strung together by ``cpu/gated.pyx``.
"""

from __future__ import annotations

from functools import partial
from typing import Any

import numpy as np

from .. import activations as _formulas  # noqa: F401  (fills the registry)
from ..activations.units import UNITS
from ..arguments import broadcast_grad, check_out, dtype_of, dtype_of_both, dtype_with, one_axis, stored, weak, work_dtype
from ..cpu import levels
from ..cpu.buffers import keeping
from ..cpu.gated import Gate
from ..cpu.halves import narrowed, widened
from ..cpu.rows.layout import Layout, fastest, layout_of, overlap, some_runs
from ..dispatch import Place, gpu, place_of
from ..language.registry import REGISTRY
from .base import QUIET, REQUIRED, Function, real_array
from .containers import Masked, bare, contained, data_of, elsewhere, mask_of, masked
from .elementwise import ACTIVATIONS
from .registry import register
from .variants import PLAIN, Variant, variant_of

_RAISES = """\
TypeError
    For input that is not real, or an unsuitable `out`.
ValueError
    For an axis of odd length, an axis that the array does not have, arrays that do not broadcast, an `out` of another
    shape. Nothing has been written then.
"""


_NO_MORE = 1.0, 0.0, False  # what swiglu takes


class GatedUnit(Function):
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
        steep = grows or not spec.monotonic
        self._kernels = Gate(levels.tables(), activation, tuple(spec.params.values()), steep, grows, gate == "first")

    def _example(self) -> str:
        found = self(np.array([-1.0, 0.0, 2.0]), np.array([3.0, 1.0, -0.5]), device="cpu")
        return self.example.format(name=self.__name__, found=found)

    def _notes(self) -> list[str]:
        order = {"first": "a (the first half of x)", "second": "b (the second half of x)"}[self.gate]
        formula, notes = super()._notes()
        return [formula, f"The gate is {order}, as in the reference.", notes]

    def __call__(
        self, a: Any = REQUIRED, b: Any = None, *, axis: Any = None, out: Any = None, device: Any = None, **_unknown: Any
    ) -> Any:
        if axis is out is device is None and not _unknown and (found := self._kernels.plain(a, b, None)) is not None:
            return found
        self._check("__call__", _unknown, a=a)
        return self._forward(self._title(), a, b, axis, out, device, PLAIN)

    def _forward(self, title: str, a: Any, b: Any, axis: Any, out: Any, device: Any, variant: Variant) -> Any:
        if contained(a, b):
            call = partial(self._forward, title, axis=axis, out=out, device=device, variant=variant)
            return self._in_container(title, lambda *v: call(*v, *[None] * (2 - len(v))), [], a, b, axis, variant)
        place = place_of(title, device, (a, b, out))
        variant.check(title, b, place)
        if place is Place.THERE:
            with gpu(place) as there:
                return there.gated(title, self, None, a, b, axis, out)
        first, second, dtype, _, layout = self._halves(title, a, b, axis, variant)
        if place is Place.HOST:
            with gpu(place) as host:
                return host.gated(title, self, None, first, second, dtype, out)[()]
        if out is not None:
            out = check_out(title, out, first.shape, dtype)
        halves = [some_runs(layout, h) for h in (first, second)]
        result = keeping(np.empty_like, first, dtype=first.dtype, subok=False) if out is None else out
        target = layout.runs_view(result) if result.dtype == first.dtype else None
        if target is None or any(overlap(target, h) for h in halves):
            result = keeping(np.empty_like, first, subok=False)
            target = layout.runs(result)
        gate, linear = halves if self.gate == "first" else halves[::-1]
        self._kernels.run(gate, linear, target, **variant.numbers)
        if out is None:
            return narrowed(result, dtype)[()]
        return stored(out, narrowed(result, out.dtype) if out.dtype.itemsize == 2 else result)

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
        if axis is device is None and not _unknown and (found := self._kernels.plain(a, b, grad)) is not None:
            return found
        self._check("backward", _unknown, grad=grad, a=a)
        return self._back(self._title("backward"), grad, a, b, axis, device, PLAIN)

    def _back(self, title: str, grad: Any, a: Any, b: Any, axis: Any, device: Any, variant: Variant) -> Any:
        if contained(grad, a, b):
            call = partial(self._back, title, axis=axis, device=device, variant=variant)
            return self._in_container(title, lambda *v: call(*v, *[None] * (3 - len(v))), [grad], a, b, axis, variant)
        place = place_of(title, device, (grad, a, b))
        variant.check(title, b, place)
        if place is Place.THERE:
            with gpu(place) as there:
                return there.gated(title, self, grad, a, b, axis, None)
        first, second, dtype, whole, layout = self._halves(title, a, b, axis, variant)
        incoming = real_array(title, "grad", grad)
        dtype = dtype_with(dtype, grad, incoming)
        work = work_dtype(dtype)
        incoming = broadcast_grad(title, incoming, first.shape)
        if place is Place.HOST:
            with gpu(place) as host:
                found = host.gated(title, self, incoming, first, second, dtype, None)
            return found if whole is None else np.concatenate(found, axis=whole[1])
        if whole is None:
            outputs = [keeping(np.empty_like, first, dtype=work, subok=False) for _ in range(2)]
            result: Any = tuple(outputs)
        else:
            result = keeping(np.empty_like, whole[0], dtype=work, subok=False)
            outputs = variant.split(result, whole[1])
        arrays = [some_runs(layout, widened(h, work)) for h in (first, second, incoming)]
        targets = [some_runs(layout, o) for o in outputs]
        order = slice(None) if self.gate == "first" else slice(None, None, -1)
        (gate, linear), (by_gate, by_linear) = arrays[:2][order], targets[order]
        self._kernels.run(gate, linear, by_gate, arrays[2], by_linear, **variant.numbers)
        for output, target in zip(outputs, targets, strict=True):
            if not np.may_share_memory(output, target):
                output[...] = layout.unfold(target, output.shape)
        if whole is None:
            return tuple(narrowed(r, dtype)[()] for r in result)
        return narrowed(result, dtype)

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

    def _halves(self, title: str, a: Any, b: Any, axis: Any, variant: Variant) -> tuple[Any, Any, np.dtype, Any, Layout]:
        """Both halves in the working dtype, the dtype of the result, the array that was split, and the layout."""
        first = real_array(title, "x" if b is None else "a", a)
        if b is not None:
            if axis is not None:
                raise TypeError(f"{title}: axis goes with one array, which it splits; there are two")
            if isinstance(b, int | np.integer):
                raise TypeError(f"{title}: b is {b!r}; expected an array; axis={b} is what splits one array along that axis")
            second = real_array(title, "b", b)
            dtype = dtype_of_both(a, b, first, second)
            work = work_dtype(dtype)
            try:
                first, second = np.broadcast_arrays(widened(first, work), widened(second, work))
            except ValueError:
                raise ValueError(f"{title}: a has shape {first.shape} and b {second.shape}; they do not broadcast") from None
            return first, second, dtype, None, layout_of(first, fastest(first))
        number = one_axis(title, -1 if axis is None else axis, first.ndim)
        if first.shape[number] % 2:
            raise ValueError(f"{title}: axis {number} of x has length {first.shape[number]}; expected an even one")
        dtype = dtype_of(first)
        whole = widened(first, work_dtype(dtype))
        first, second = variant.split(whole, number)
        axes = fastest(first) if variant.interleaved else (number,)
        return first, second, dtype, (whole, number), layout_of(first, axes)


class SwiGLU(GatedUnit):
    call = "(a, b)"
    parameters = GatedUnit.parameters + """\
limit : float, optional
    The gate is clamped above to it, the other array to [-limit, limit].
alpha : float, default 1.0
    The gate is multiplied by sigmoid(alpha * gate).
offset : float, default 0.0
    Added to the other array, after it is clamped.
interleaved : bool, default False
    Of one array: a is its elements 0, 2, 4, ... along the axis and b its elements 1, 3, 5, ..., instead of halves.
"""

    def __call__(
        self, a: Any = REQUIRED, b: Any = None, *, axis: Any = None, out: Any = None, device: Any = None,
        limit: float | None = None, alpha: float = 1.0, offset: float = 0.0, interleaved: bool = False, **_unknown: Any,
    ) -> Any:  # fmt: skip
        none = axis is out is device is limit is None and (alpha, offset, interleaved) == _NO_MORE and not _unknown
        if none and (found := self._kernels.plain(a, b, None)) is not None:
            return found
        self._check("__call__", _unknown, a=a)
        title = self._title()
        return self._forward(title, a, b, axis, out, device, variant_of(title, limit, alpha, offset, interleaved))

    def backward(
        self, grad: Any = REQUIRED, a: Any = REQUIRED, b: Any = None, *, axis: Any = None, device: Any = None,
        limit: float | None = None, alpha: float = 1.0, offset: float = 0.0, interleaved: bool = False, **_unknown: Any,
    ) -> Any:  # fmt: skip
        """Gradients by the input or by both inputs, fused.

        Parameters
        ----------
        grad : array_like
            Gradient by the output, broadcast against it.
        a, b, axis, device, limit, alpha, offset, interleaved
            As in the forward pass. Beyond the limit the gradient is 0, at it that from within.

        Returns
        -------
        numpy.ndarray or tuple of numpy.ndarray
            The gradient by x for ``backward(grad, x)``; those by a and by b, each of the broadcast shape, for
            ``backward(grad, a, b)``.

        Examples
        --------
        >>> import numpy as np
        >>> import fastact as fa
        >>> by_a, by_b = fa.swiglu.backward(np.ones(2), np.zeros(2), np.array([3.0, 9.0]), limit=7.0)
        >>> by_a
        array([1.5, 3.5])
        """
        none = axis is device is limit is None and (alpha, offset, interleaved) == _NO_MORE and not _unknown
        if none and (found := self._kernels.plain(a, b, grad)) is not None:
            return found
        self._check("backward", _unknown, grad=grad, a=a)
        title = self._title("backward")
        return self._back(title, grad, a, b, axis, device, variant_of(title, limit, alpha, offset, interleaved))

    @QUIET
    def parameter_gradients(
        self, grad: Any = REQUIRED, a: Any = REQUIRED, b: Any = None, *, axis: Any = None, limit: float | None = None,
        alpha: float = 1.0, offset: float = 0.0, interleaved: bool = False, **_unknown: Any,
    ) -> dict[str, Any]:  # fmt: skip
        """Gradients by the parameters, summed over all elements.

        Parameters
        ----------
        grad : array_like
            Gradient by the output, broadcast against it.
        a, b, axis, limit, alpha, offset, interleaved
            As in the forward pass.

        Returns
        -------
        dict of str to numpy.floating
            "alpha", "offset" and, if there is one, "limit": elements beyond it move with it, those at it do not. Computed
            in float64.

        Examples
        --------
        >>> import numpy as np
        >>> import fastact as fa
        >>> x = np.array([1.0, 2.0, 3.0, 4.0])
        >>> gradients = fa.swiglu.parameter_gradients(np.ones(2), x)
        >>> {name: round(float(value), 6) for name, value in gradients.items()}
        {'alpha': 2.269733, 'offset': 2.492653}
        """
        self._check("parameter_gradients", _unknown, grad=grad, a=a)
        title = self._title("parameter_gradients")
        variant = variant_of(title, limit, alpha, offset, interleaved)
        variant.check(title, b, Place.CPU)
        if contained(grad, a, b):
            return self._sums_in_container(title, grad, a, b, axis, variant, limit=limit, alpha=alpha, offset=offset)
        gates, others, dtype, _, _ = self._halves(title, a, b, axis, variant)
        incoming = real_array(title, "grad", grad)
        dtype = dtype_with(dtype, grad, incoming)
        incoming = broadcast_grad(title, incoming, gates.shape).astype(np.float64)
        most = np.inf if limit is None else gates.dtype.type(limit)
        gate = np.minimum(gates, most).astype(np.float64)
        linear = np.clip(others, -most, most).astype(np.float64) + offset
        value, slope = ACTIVATIONS["silu"].value_and_derivative(gate, float(alpha))
        (by_alpha,) = ACTIVATIONS["silu"].parameter_gradients(incoming * linear, gate, float(alpha)).values()
        found = {"alpha": by_alpha, "offset": np.sum(incoming * value)}
        if limit is not None:
            moved = np.where(gates > most, slope * linear, 0.0) + np.where(np.abs(others) > most, np.sign(others) * value, 0.0)
            found["limit"] = np.sum(incoming * moved)
        return {name: narrowed(np.asarray(v), dtype)[()] for name, v in found.items()}

    def _sums_in_container(self, title: str, grad: Any, a: Any, b: Any, axis: Any, variant: Variant, **named: Any) -> Any:
        """Gradients by parameters for what is more than an array: what is masked has no part in the sums."""
        call: Any = partial(self.parameter_gradients, axis=axis, interleaved=variant.interleaved, **named)
        arrays = [a] if b is None else [a, b]
        if not any(isinstance(v, Masked) for v in (grad, *arrays)):
            return elsewhere(title, call, [grad, *arrays])
        mask = mask_of(*arrays)
        if b is None:
            mask = np.logical_or(*variant.split(np.ma.getmaskarray(a), -1 if axis is None else axis))
        bared = [bare(title, name, v, 0.0) for name, v in zip("ab", arrays, strict=False)]
        kept = np.where(mask | mask_of(grad), 0.0, data_of(grad))
        return call(kept.astype(dtype_of(*map(np.asarray, bared if weak(grad) else [data_of(grad)]))), *bared)


_SHAZEER = "Shazeer 2020, GLU variants improve transformer, arXiv:2002.05202."

FUNCTIONS = [
    GatedUnit(
        "glu", *UNITS["glu"], summary="Gated linear unit: a * sigmoid(b).", latex=r"f(a, b) = a\, \sigma(b)",
        reference="Dauphin et al. 2017, Language modeling with gated convolutional networks, arXiv:1612.08083; torch.nn.GLU.",
    ),
    GatedUnit(
        "bilinear", *UNITS["bilinear"], summary="Bilinear unit: a * b.", latex=r"f(a, b) = a\, b", reference=_SHAZEER,
    ),
    GatedUnit(
        "reglu", *UNITS["reglu"], summary="Rectified gated unit: relu(a) * b.", latex=r"f(a, b) = \max(a, 0)\, b",
        reference=_SHAZEER,
    ),
    GatedUnit(
        "geglu", *UNITS["geglu"], summary="Gaussian error gated unit: gelu(a) * b.", latex=r"f(a, b) = a \Phi(a)\, b",
        notes="Some libraries (diffusers) gate with the second half instead: exchange the arguments for those.",
        reference=_SHAZEER,
    ),
    SwiGLU(
        "swiglu", *UNITS["swiglu"], summary="Swish gated unit: silu(a) * b; also clamped, as in gpt-oss.",
        latex=r"f(a, b) = a \sigma(a)\, b",
        notes="The order of LLaMA: a from gate_proj, b from up_proj. With all parameters it is m sigmoid(alpha m) (c + offset), "
        "m = min(a, limit), c = b clamped to [-limit, limit]; gpt-oss has limit=7, alpha=1.702, offset=1, interleaved=True.",
        reference=f"{_SHAZEER[:-1]}; clamped: OpenAI 2025, gpt-oss-120b and gpt-oss-20b model card, arXiv:2508.10925.",
    ),
    GatedUnit(
        "seglu", *UNITS["seglu"], summary="Scaled exponential gated unit: selu(a) * b.",
        latex=r"f(a, b) = \operatorname{selu}(a)\, b",
        reference="Narang et al. 2021, Do transformer modifications transfer across implementations?, arXiv:2102.11972.",
    ),
]  # fmt: skip

register(FUNCTIONS)
