"""entmax for any alpha greater than 1, with its gradients by x, by alpha and by the temperature."""

from __future__ import annotations

from functools import partial
from typing import Any

import numpy as np

from ..arguments import axes_of, broadcast_grad, check_out, dtype_of_both, dtype_with, narrowed, row_numbers, stored
from ..cpu.rows.layout import compute
from ..dispatch import require_cpu_device
from .base import QUIET, REQUIRED, real_array
from .containers import contained, mask_of, slope_elsewhere
from .gradients import summed
from .rows import RowFunction

#: alpha - 1 for which there are functions of their own.
_OWN = {0.5: "entmax15", 1.0: "sparsemax"}
_DOUBLE = np.dtype(np.float64)
_ALPHA = """\
alpha : float or array_like, default 1.5
    Greater than 1. An array has one number for each row, as of the temperature. Near 1 it is softmax, 1.5 is
    entmax15, 2 sparsemax.
"""


class Entmax(RowFunction):
    call = "(x, alpha=1.5, axis=-1)"
    direct = plain = False

    def _parameters(self) -> str:
        first, axis, rest = super()._parameters().partition("axis :")
        return first + _ALPHA + axis + rest

    def __call__(  # type: ignore[override]
        self, x: Any = REQUIRED, alpha: Any = 1.5, axis: Any = -1, *, temperature: Any = 1.0, where: Any = None,
        out: Any = None, dtype: Any = None, device: Any = None, casting: Any = "same_kind", **_unknown: Any,
    ) -> Any:  # documented by _docstring  # fmt: skip
        self._check("__call__", _unknown, x=x)
        title = self._title()
        if contained(x):
            keywords = {"alpha": alpha, "temperature": temperature, "out": out, "dtype": dtype, "device": device}
            return self._in_container(x, axis, where, **keywords, casting=casting)
        require_cpu_device(title, device)
        given, dtype, axes, scale = self._arguments(title, x, axis, temperature, where, dtype, casting)
        power = self._power(title, alpha, given.shape, axes)
        if out is not None:
            out = check_out(title, out, given.shape, dtype, casting)
        result = self._solved(given, axes, out, dtype, scale, power)
        return result if out is not None or given.ndim else result[()]

    def _row_numbers(self, title: str, name: str, value: Any, shape: tuple[int, ...], axes: tuple[int, ...]) -> Any:
        if name == "alpha":
            return row_numbers(title, name, value, shape, axes, 1.0, 1e30)
        return super()._row_numbers(title, name, value, shape, axes)

    def _power(self, title: str, alpha: Any, shape: tuple[int, ...], axes: tuple[int, ...]) -> Any:
        """alpha - 1."""
        power = self._row_numbers(title, "alpha", alpha, shape, axes) - 1.0
        if not np.all(power > 0.0):
            raise ValueError(f"{title}: alpha is 1, or has an element that is; expected numbers greater than 1; 1 is softmax")
        return power

    def _solved(self, x: np.ndarray, axes: tuple[int, ...], out: Any, dtype: np.dtype, scale: Any, power: Any) -> np.ndarray:
        if isinstance(power, float) and power in _OWN:
            return compute(_OWN[power], [x], axes, out, dtype, self.sign, scale)
        steep = np.greater(power, 1.0)
        if steep.all() or not steep.any():
            return compute("entmax_steep" if steep.any() else self.op, [x], axes, out, dtype, self.sign, scale, power)
        found = np.where(steep, *(  # how a row is computed must not depend on the others
            compute(op, [x], axes, None, dtype, self.sign, scale, own)
            for op, own in (("entmax_steep", np.maximum(power, 1.0)), (self.op, np.minimum(power, 1.0)))
        ))  # fmt: skip
        return found if out is None else stored(out, found)

    def backward(  # type: ignore[override]
        self, grad: Any = REQUIRED, y: Any = REQUIRED, alpha: Any = 1.5, axis: Any = -1, *, temperature: Any = 1.0,
        out: Any = None, device: Any = None, **_unknown: Any,
    ) -> np.ndarray:  # fmt: skip
        """Gradient by x, from the output y.

        Parameters
        ----------
        grad : array_like
            Gradient by the output, broadcast against y.
        y : array_like
            Output of the forward pass.
        alpha, axis, temperature
            As in the forward pass.
        out : numpy.ndarray, optional
            Where the result goes; may be grad or y.
        device : {"cpu"}, optional
            As in the forward pass.

        Returns
        -------
        numpy.ndarray
            Of the shape of y; 0 where y is. But for alpha 1.5 and 2 computed in float64, with NumPy.

        Examples
        --------
        >>> import numpy as np
        >>> import fastact as fa
        >>> y = fa.entmax(np.array([1.0, 2.0, 2.5]), 1.5)
        >>> fa.entmax.backward(np.array([0.0, 0.0, 1.0]), y, 1.5)
        array([-0.03891612, -0.31991517,  0.35883129])
        """
        self._check("backward", _unknown, grad=grad, y=y)
        title = self._title("backward")
        if contained(grad, y):
            call = partial(self.backward, alpha=alpha, axis=axis, temperature=temperature, out=out, device=device)
            return slope_elsewhere(title, call, grad, "y", y, 0.0, mask_of(grad, y))
        require_cpu_device(title, device)
        incoming, given = real_array(title, "grad", grad), real_array(title, "y", y)
        dtype = dtype_of_both(grad, y, incoming, given)
        axes = axes_of(title, axis, given.ndim)
        scale = self._row_numbers(title, "temperature", temperature, given.shape, axes)
        power = self._power(title, alpha, given.shape, axes)
        if out is not None:
            out = check_out(title, out, given.shape, dtype)
        incoming = broadcast_grad(title, incoming, given.shape, " of y")
        if isinstance(power, float) and power in _OWN:
            result = compute(f"{_OWN[power]}_backward", [given, incoming], axes, out, dtype, self.sign, scale)
            return result if out is not None else result[()]
        slope, _ = _slopes(incoming.astype(_DOUBLE), given.astype(_DOUBLE), axes, power)
        result = narrowed(slope * self.sign / scale, dtype)
        return result[()] if out is None else stored(out, result)

    def parameter_gradients(  # type: ignore[override]
        self, grad: Any = REQUIRED, x: Any = REQUIRED, alpha: Any = 1.5, axis: Any = -1, *, temperature: Any = 1.0,
        where: Any = None, **_unknown: Any,
    ) -> dict[str, Any]:  # fmt: skip
        """Gradients by the parameters, from the input.

        Parameters
        ----------
        grad : array_like
            Gradient by the output, broadcast against it.
        x : array_like
            Input of the forward pass.
        alpha, axis, temperature, where
            As in the forward pass.

        Returns
        -------
        dict of str to numpy.ndarray
            "alpha" and "temperature", each summed to its shape. Computed in float64.

        Examples
        --------
        >>> import numpy as np
        >>> import fastact as fa
        >>> sorted(fa.entmax.parameter_gradients(np.array([0.0, 0.0, 1.0]), np.array([1.0, 2.0, 2.5])))
        ['alpha', 'temperature']
        """
        self._check("parameter_gradients", _unknown, grad=grad, x=x)
        title = self._title("parameter_gradients")
        if contained(grad, x):
            call = partial(self.parameter_gradients, alpha=alpha, axis=axis, temperature=temperature)
            return self._sums_in_container(title, call, grad, x, where)
        given, dtype, axes, scale = self._arguments(title, x, axis, temperature, where)
        power = self._power(title, alpha, given.shape, axes)
        incoming = real_array(title, "grad", grad)
        dtype = dtype_with(dtype, grad, incoming)
        incoming = broadcast_grad(title, incoming, given.shape, " of x").astype(_DOUBLE)
        given = given.astype(_DOUBLE)
        slope, terms = _slopes(incoming, self._solved(given, axes, None, _DOUBLE, scale, power), axes, power)
        slope = slope * self.sign / scale
        found = {
            "alpha": summed(terms.sum(axis=axes, keepdims=True), np.shape(alpha), axes),
            "temperature": self._by_temperature(given, slope, axes, temperature, scale),
        }
        return {name: narrowed(np.asarray(value), dtype)[()] for name, value in found.items()}


@QUIET
def _slopes(grad: np.ndarray, y: np.ndarray, axes: tuple[int, ...], power: Any) -> tuple[np.ndarray, np.ndarray]:
    """The gradient by x/T, and the terms of which that by alpha is the sum.

    With a = alpha - 1 the derivative of y by its argument is w = y^(1 - a), and its derivative by a where z and theta stay
    is -y (expm1(l a) - l a)/a^2 with l = -log(y): nothing of it cancels where a is small. theta moves so that the sum of
    what y changes by is 0; that takes from grad its mean with weights w. For a > 1 one weight may outgrow all others: grad is
    counted from that at the largest, and the slope there is what the others leave, for their sum is 0.
    """
    support = y > 0.0
    log = np.log(np.where(support, y, 1.0))
    exponents = np.where(support, (1.0 - power) * log, -np.inf)
    most = np.max(exponents, axis=axes, keepdims=True, initial=-np.inf)
    most = np.where(np.isfinite(most), most, 0.0)
    shares = np.exp(exponents - most)
    weight = shares.sum(axis=axes, keepdims=True)
    top = support & (exponents == most)
    tied = np.maximum(top.sum(axis=axes, keepdims=True), 1)
    counted = np.where(support, grad - np.where(top, grad, 0.0).sum(axis=axes, keepdims=True) / tied, 0.0)
    mean = (counted * shares).sum(axis=axes, keepdims=True) / np.where(weight == 0.0, 1.0, weight)
    apart = np.where(support, counted - mean, 0.0)
    slope = apart * np.exp(np.minimum(exponents, 700.0))
    slope = np.where(top & (tied == 1), -np.where(top, 0.0, slope).sum(axis=axes, keepdims=True), slope)
    lost = np.where(y == y, 0.0, np.nan)
    turned = -power * log
    series = 0.0
    for k in range(14, 1, -1):  # (exp(u) - 1 - u)/u^2 = 1/2! + u/3! + ...
        series = (series * turned + 1.0) / k
    near = y * log * log * series * apart
    # y expm1(u) is w - y: it may be much larger than y.
    wide = (slope - y * (1.0 + turned) * apart) / np.square(power)
    return slope + lost, lost - np.where(np.abs(turned) < 0.5, near, wide)
