"""Logarithms of sums of exponentials: logsumexp."""

from __future__ import annotations

from functools import partial
from typing import Any

import numpy as np

from ..arguments import broadcast_grad, check_out, dtype_of, narrowed, stored, work_dtype
from ..cpu.rows.layout import compute
from ..dispatch import require_cpu_device
from .base import QUIET, REQUIRED, real_array
from .containers import Masked, bare, contained, elsewhere, mask_of, masked
from .rows import LogRowFunction


class LogSumExp(LogRowFunction):
    masked = ""
    plain = shaped = shift_free = False
    more_parameters = "keepdims : bool, default False\n    Keep the axes of the row with length 1.\n"
    returns = "y : numpy.ndarray\n    Of the shape of x without the axes of the row; a NumPy scalar for one row."

    def __call__(
        self, x: Any = REQUIRED, axis: Any = -1, *, temperature: Any = 1.0, where: Any = None, out: Any = None,
        dtype: Any = None, device: Any = None, keepdims: bool = False, **_unknown: Any,
    ) -> Any:  # documented by _docstring  # fmt: skip
        self._check("__call__", _unknown, x=x)
        title = self._title()
        if contained(x):
            keywords = {"temperature": temperature, "out": out, "dtype": dtype, "device": device, "keepdims": keepdims}
            return self._in_container(x, axis, where, **keywords)
        require_cpu_device(title, device)
        given, dtype, axes, scale = self._arguments(title, x, axis, temperature, where, dtype)
        _, shape = _reduced(given.shape, axes, keepdims)
        if out is not None:
            out = check_out(title, out, shape, dtype)
        with np.errstate(invalid="ignore"):
            result = compute(self.op, [given], axes, None, dtype, self.sign, scale)
        lost = np.isnan(result)
        if lost.any():  # +inf, where there is no NaN
            result[lost] = np.max(given, axis=axes, keepdims=True)[lost]
        if out is None:
            return result.reshape(shape)[()]
        return stored(out, result.reshape(shape))

    def _result_mask(self, mask: Any, axes: tuple[int, ...], keywords: dict[str, Any]) -> Any:
        return np.all(mask, axis=axes, keepdims=keywords["keepdims"])

    def backward(  # type: ignore[override]
        self, grad: Any = REQUIRED, x: Any = REQUIRED, axis: Any = -1, *, temperature: Any = 1.0, where: Any = None,
        keepdims: bool = False, **_unknown: Any,
    ) -> np.ndarray:  # fmt: skip
        """Gradient by x: ``grad * softmax(x)``, from the input.

        Parameters
        ----------
        grad : array_like
            Gradient by the output, of its shape or broadcast against it.
        x : array_like
            Input of the forward pass.
        axis, temperature, where, keepdims
            As in the forward pass.

        Returns
        -------
        numpy.ndarray
            Of the shape of x.
        """
        self._check("backward", _unknown, grad=grad, x=x)
        title = self._title("backward")
        if contained(grad, x):
            call = partial(self.backward, axis=axis, temperature=temperature, where=where, keepdims=keepdims)
            if not isinstance(grad, Masked) and not isinstance(x, Masked):
                return elsewhere(title, call, [grad, x])
            return masked(call(bare(title, "grad", grad, 0.0), bare(title, "x", x, -np.inf)), mask_of(x))
        given, dtype, axes, scale = self._arguments(title, x, axis, temperature, where)
        incoming, dtype = self._incoming(title, grad, given.shape, axes, keepdims, dtype)
        return narrowed(self._weighted(incoming, given, axes, work_dtype(dtype), scale), dtype)

    @QUIET
    def _weighted(self, grad: np.ndarray, x: np.ndarray, axes: tuple[int, ...], work: np.dtype, scale: Any) -> np.ndarray:
        """The gradient by x."""
        weights = compute("softmax", [x], axes, None, work, self.sign, scale)
        return np.multiply(weights, grad / np.asarray(scale, work), dtype=work)

    def _incoming(
        self, title: str, grad: Any, shape: tuple[int, ...], axes: tuple[int, ...], keepdims: bool, dtype: np.dtype
    ) -> tuple[np.ndarray, np.dtype]:
        """The gradient by the output, with axes of length 1 for those of the row, and the dtype of that by x."""
        incoming = real_array(title, "grad", grad)
        kept, without = _reduced(shape, axes, keepdims)
        return broadcast_grad(title, incoming, without).reshape(kept), np.result_type(dtype, dtype_of(incoming))

    def parameter_gradients(
        self, grad: Any = REQUIRED, x: Any = REQUIRED, axis: Any = -1, *, temperature: Any = 1.0, where: Any = None,
        keepdims: bool = False, **_unknown: Any,
    ) -> dict[str, Any]:  # fmt: skip
        """Gradients by the parameters, from the input.

        Parameters
        ----------
        grad : array_like
            Gradient by the output, of its shape or broadcast against it.
        x : array_like
            Input of the forward pass.
        axis, temperature, where, keepdims
            As in the forward pass.

        Returns
        -------
        dict of str to numpy.ndarray
            "temperature": summed to its shape. Computed in float64; the error is some ULP of the largest term of a sum.
        """
        self._check("parameter_gradients", _unknown, grad=grad, x=x)
        title = self._title("parameter_gradients")
        if contained(grad, x):
            call = partial(self.parameter_gradients, axis=axis, temperature=temperature, keepdims=keepdims)
            return self._sums_in_container(title, call, grad, x, where)
        given, dtype, axes, scale = self._arguments(title, x, axis, temperature, where)
        incoming, dtype = self._incoming(title, grad, given.shape, axes, keepdims, dtype)
        given, double = given.astype(np.float64), np.dtype(np.float64)
        slope = self._weighted(incoming.astype(double), given, axes, double, scale)
        return {"temperature": narrowed(self._by_temperature(given, slope, axes, temperature, scale), dtype)[()]}


def _reduced(shape: tuple[int, ...], axes: tuple[int, ...], keepdims: bool) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """A shape with axes of length 1 for those of the row, and that of the result."""
    kept = tuple(1 if a in axes else n for a, n in enumerate(shape))
    return kept, kept if keepdims else tuple(n for a, n in enumerate(shape) if a not in axes)
