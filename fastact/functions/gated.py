"""The gated units: glu, bilinear, reglu, geglu, swiglu, seglu.

An activation of one half of an array times the other half, in one pass over memory. The arithmetic is that of the
elementwise activations, strung together by ``cpu/gated.pyx``.
"""

from __future__ import annotations

from functools import partial
from typing import Any

import numpy as np

from ..activations.units import UNITS
from ..arguments import broadcast_grad, dtype_of, dtype_with, one_axis, weak
from ..cpu.halves import narrowed
from ..dispatch import Place
from .base import QUIET, REQUIRED, real_array
from .containers import Masked, bare, contained, data_of, elsewhere, mask_of
from .elementwise import ACTIVATIONS
from .gates import GatedUnit, asked_of
from .registry import register
from .variants import Variant, variant_of


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
        limit: float | None = None, alpha: float = 1.0, offset: float = 0.0, interleaved: bool = False, where: Any = True,
        casting: Any = "same_kind", order: Any = "K", dtype: Any = None, subok: Any = True, **_unknown: Any,
    ) -> Any:  # fmt: skip
        self._check("__call__", _unknown, a=a)
        title, asked = self._title(), asked_of(where, casting, order, dtype, subok)
        return self._forward(title, a, b, axis, out, device, variant_of(title, limit, alpha, offset, interleaved), asked)

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
        gates, others, dtype, _ = self._halves(title, a, b, axis, variant)
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
            where = one_axis(title, -1 if axis is None else axis, np.ndim(a))
            mask = np.logical_or(*variant.split(np.ma.getmaskarray(a), where))
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
