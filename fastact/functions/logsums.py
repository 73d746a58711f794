"""Logarithms of sums and means of exponentials: logsumexp and logmeanexp."""

from __future__ import annotations

import math
from functools import partial
from typing import Any

import numpy as np

from ..arguments import broadcast_grad, check_out, dtype_with, narrowed, reduced, stored, work_dtype
from ..cpu.rows.layout import compute
from ..dispatch import require_cpu_device
from .base import QUIET, REQUIRED, real_array
from .containers import contained, mask_of, slope_elsewhere
from .gradients import summed
from .rows import LogRowFunction

_MORE = """\
keepdims : bool, default False
    Keep the axes of the row with length 1.
b : array_like, optional
    Weights of the exponentials, of either sign, broadcast to the shape of x; elements with weight 0 do not count. Arrays
    have their part in the dtype of the result, as in NumPy.
return_sign : bool, default False
    Return the logarithm of the magnitude of the sum, and its sign.
"""
_DOUBLE = np.dtype(np.float64)


class LogSumExp(LogRowFunction):
    masked = ""
    plain = shaped = shift_free = False
    more_parameters = _MORE
    returns = (
        "y : numpy.ndarray\n    Of the shape of x without the axes of the row; a NumPy scalar for one row. NaN where weights "
        "make a sum negative.\nsign : numpy.ndarray\n    With `return_sign`: -1, 0 or 1, in the dtype of y, which is no NaN then."
    )

    def __call__(
        self, x: Any = REQUIRED, axis: Any = -1, *, temperature: Any = 1.0, where: Any = None, out: Any = None,
        dtype: Any = None, device: Any = None, keepdims: bool = False, b: Any = None, return_sign: bool = False,
        casting: Any = "same_kind", **_unknown: Any,
    ) -> Any:  # documented by _docstring  # fmt: skip
        self._check("__call__", _unknown, x=x)
        title = self._title()
        if contained(x):
            keywords = {"temperature": temperature, "out": out, "dtype": dtype, "device": device, "keepdims": keepdims}
            return self._in_container(x, axis, where, **keywords, b=b, return_sign=return_sign, casting=casting)
        require_cpu_device(title, device)
        asked = dtype
        given, dtype, axes, scale = self._arguments(title, x, axis, temperature, where, dtype, casting)
        _, shape = _reduced(given.shape, axes, keepdims)
        weights, dtype = self._weights(title, b, given.shape, dtype, asked)
        if out is not None:
            out = check_out(title, out, shape, dtype, casting)
        if weights is None:
            result = self._plain_sum(given, axes, dtype, scale)
            sign: Any = np.where(np.isnan(result), result, result > -np.inf) if return_sign else None
        else:
            result, sign, *_ = _weighted_sum(given.astype(_DOUBLE), weights, axes, scale)
            if not return_sign:
                result[sign < 0] = np.nan
        result = self._of_sum(result, where, given.shape, axes).reshape(shape)
        result = narrowed(result, dtype)[()] if out is None else stored(out, result)
        return (result, sign.reshape(shape).astype(dtype)[()]) if return_sign else result

    def _plain_sum(self, x: np.ndarray, axes: tuple[int, ...], dtype: np.dtype, scale: Any) -> np.ndarray:
        """Without weights, in the working dtype."""
        with np.errstate(invalid="ignore"):
            result = compute(self.op, [x], axes, None, work_dtype(dtype), self.sign, scale)
            lost = np.isnan(result)
            if lost.any():  # +inf, where there is no NaN
                result[lost] = np.max(x, axis=axes, keepdims=True)[lost]
        return result

    def _of_sum(self, result: np.ndarray, where: Any, shape: tuple[int, ...], axes: tuple[int, ...]) -> np.ndarray:
        """The result from the logarithm of the sum."""
        return result

    def _weights(
        self, title: str, b: Any, shape: tuple[int, ...], dtype: np.dtype, asked: Any
    ) -> tuple[np.ndarray | None, np.dtype]:
        """The weights in the shape of x, and the dtype of the result."""
        if b is None:
            return None, dtype
        if contained(b):
            raise TypeError(f"{title}: b is a {type(b).__name__}; expected a number or a numpy.ndarray")
        given = real_array(title, "b", b)
        try:
            weights = np.broadcast_to(given.astype(_DOUBLE), shape)
        except ValueError:
            raise ValueError(f"{title}: b has shape {given.shape}, which does not broadcast to {shape} of x") from None
        return weights, dtype_with(dtype, b, given) if asked is None else dtype

    def _result_mask(self, mask: Any, axes: tuple[int, ...], keywords: dict[str, Any]) -> Any:
        return np.all(mask, axis=axes, keepdims=keywords["keepdims"])

    def backward(  # type: ignore[override]
        self, grad: Any = REQUIRED, x: Any = REQUIRED, axis: Any = -1, *, temperature: Any = 1.0, where: Any = None,
        keepdims: bool = False, b: Any = None, **_unknown: Any,
    ) -> np.ndarray:  # fmt: skip
        """Gradient by x: ``grad * softmax(x)``, from the input.

        Parameters
        ----------
        grad : array_like
            Gradient by the output, of its shape or broadcast against it.
        x : array_like
            Input of the forward pass.
        axis, temperature, where, keepdims, b
            As in the forward pass; with weights it is that of the logarithm of the magnitude, as of `return_sign`.

        Returns
        -------
        numpy.ndarray
            Of the shape of x.

        Examples
        --------
        >>> import numpy as np
        >>> import fastact as fa
        >>> fa.logsumexp.backward(1.0, np.array([1.0, 2.0, 4.0]))
        array([0.04201007, 0.1141952 , 0.84379473])
        """
        self._check("backward", _unknown, grad=grad, x=x)
        title = self._title("backward")
        if contained(grad, x):
            call = partial(self.backward, axis=axis, temperature=temperature, where=where, keepdims=keepdims, b=b)
            return slope_elsewhere(title, call, grad, "x", x, -np.inf, mask_of(x))
        given, dtype, axes, scale = self._arguments(title, x, axis, temperature, where)
        weights, dtype = self._weights(title, b, given.shape, dtype, None)
        incoming, dtype = self._incoming(title, grad, given.shape, axes, keepdims, dtype)
        work = work_dtype(dtype) if weights is None else _DOUBLE
        return narrowed(self._by_x(incoming, self._shares(given, weights, axes, work, scale), scale, work), dtype)

    def _shares(self, x: np.ndarray, weights: np.ndarray | None, axes: tuple[int, ...], work: np.dtype, scale: Any) -> np.ndarray:
        """What the terms are of their sum."""
        if weights is None:
            return compute("softmax", [x], axes, None, work, self.sign, scale)
        return _weighted_sum(x.astype(_DOUBLE), weights, axes, scale)[2]

    @QUIET
    def _by_x(self, grad: np.ndarray, shares: np.ndarray, scale: Any, work: np.dtype) -> np.ndarray:
        return np.multiply(shares, grad / np.asarray(scale, work), dtype=work)

    def _incoming(
        self, title: str, grad: Any, shape: tuple[int, ...], axes: tuple[int, ...], keepdims: bool, dtype: np.dtype
    ) -> tuple[np.ndarray, np.dtype]:
        """The gradient by the output, with axes of length 1 for those of the row, and the dtype of that by x."""
        incoming = real_array(title, "grad", grad)
        kept, without = _reduced(shape, axes, keepdims)
        return broadcast_grad(title, incoming, without).reshape(kept), dtype_with(dtype, grad, incoming)

    def parameter_gradients(
        self, grad: Any = REQUIRED, x: Any = REQUIRED, axis: Any = -1, *, temperature: Any = 1.0, where: Any = None,
        keepdims: bool = False, b: Any = None, **_unknown: Any,
    ) -> dict[str, Any]:  # fmt: skip
        """Gradients by the parameters, from the input.

        Parameters
        ----------
        grad : array_like
            Gradient by the output, of its shape or broadcast against it.
        x : array_like
            Input of the forward pass.
        axis, temperature, where, keepdims, b
            As in the forward pass; with weights it is that of the logarithm of the magnitude, as of `return_sign`.

        Returns
        -------
        dict of str to numpy.ndarray
            "temperature", and "b" if there is one: summed to their shapes. Computed in float64; the error is some ULP of
            the largest term of a sum.

        Examples
        --------
        >>> import numpy as np
        >>> import fastact as fa
        >>> fa.logsumexp.parameter_gradients(1.0, np.zeros(4), b=np.ones(4))["b"]
        array([0.25, 0.25, 0.25, 0.25])
        """
        self._check("parameter_gradients", _unknown, grad=grad, x=x)
        title = self._title("parameter_gradients")
        if contained(grad, x):
            call = partial(self.parameter_gradients, axis=axis, temperature=temperature, keepdims=keepdims, b=b)
            return self._sums_in_container(title, call, grad, x, where)
        given, dtype, axes, scale = self._arguments(title, x, axis, temperature, where)
        weights, dtype = self._weights(title, b, given.shape, dtype, None)
        incoming, dtype = self._incoming(title, grad, given.shape, axes, keepdims, dtype)
        given, incoming = given.astype(_DOUBLE), incoming.astype(_DOUBLE)
        slope = self._by_x(incoming, self._shares(given, weights, axes, _DOUBLE, scale), scale, _DOUBLE)
        found = {"temperature": self._by_temperature(given, slope, axes, temperature, scale)}
        if weights is not None:
            found["b"] = summed(_product(incoming, _weighted_sum(given, weights, axes, scale)[3]), np.shape(b), ())
        return {name: narrowed(np.asarray(value), dtype)[()] for name, value in found.items()}


class LogMeanExp(LogSumExp):
    direct = False

    def _of_sum(self, result: np.ndarray, where: Any, shape: tuple[int, ...], axes: tuple[int, ...]) -> np.ndarray:
        every = math.prod(shape[a] for a in axes)
        count = every if where is None else np.broadcast_to(where, shape).sum(axis=axes, keepdims=True)
        with np.errstate(divide="ignore", invalid="ignore"):
            return np.where(result == -np.inf, result, result - np.log(count, dtype=result.dtype))


@QUIET
def _weighted_sum(
    x: np.ndarray, b: np.ndarray, axes: tuple[int, ...], scale: Any
) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """log of the magnitude of the sum of b exp(x/T), its sign, what the terms are of it, and the exponentials; axes are kept.

    All terms are divided by the largest one, 1, of which the others are counted apart: sum = largest (1 + others). What
    rounding the differences of exponents costs counts by the exponentials of these.
    """
    counts = b != 0.0
    z = np.where(counts, x / scale + np.log(np.abs(b)), -np.inf)
    peak = np.max(z, axis=axes, keepdims=True, initial=-np.inf)
    first = _first(z == peak, axes)
    x_peak, b_peak = (np.sum(np.where(first, v, 0.0), axis=axes, keepdims=True) for v in (x, b))
    ratio, power = b / b_peak, np.exp((x - x_peak) / scale)
    terms = ratio * power
    extreme = ~(np.isfinite(ratio) & np.isfinite(power)) | (np.abs(ratio) < 1e-290) | (power < 1e-290)
    terms = np.where(extreme, np.sign(ratio) * np.exp(z - peak), terms)
    terms = np.where(counts, terms, 0.0)
    others = np.sum(np.where(first, 0.0, terms), axis=axes, keepdims=True)
    total = 1.0 + others
    value = x_peak / scale + np.log(np.abs(b_peak)) + np.where(others >= -1.0, np.log1p(others), np.log(-total))
    sign = np.sign(b_peak) * np.sign(total)
    infinite = z == np.inf
    above, below = (np.any(infinite & s, axis=axes, keepdims=True) for s in (b > 0.0, b < 0.0))
    value = np.where(above | below, np.where(above & below, np.nan, np.inf), value)
    sign = np.where(above | below, np.where(above & below, np.nan, np.where(above, 1.0, -1.0)), sign)
    lost, empty = np.isnan(peak), peak == -np.inf
    value = np.where(lost, np.nan, np.where(empty, -np.inf, value))
    sign = np.where(lost, np.nan, np.where(empty, 0.0, sign))
    shares = terms / total
    return value, sign, np.where(empty, 0.0, shares), np.where(empty, 0.0, np.where(counts, shares / b, power / b_peak / total))


@QUIET
def _product(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    return a * b


def _first(found: np.ndarray, axes: tuple[int, ...]) -> np.ndarray:
    """Of several true elements in a row the first."""
    last = tuple(range(found.ndim - len(axes), found.ndim))
    rows = np.moveaxis(found, axes, last)
    flat = rows.reshape(*rows.shape[: found.ndim - len(axes)], math.prod(rows.shape[found.ndim - len(axes) :]))
    first = flat & (np.cumsum(flat, axis=-1) == 1)
    return np.moveaxis(first.reshape(rows.shape), last, axes)


def _reduced(shape: tuple[int, ...], axes: tuple[int, ...], keepdims: bool) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """A shape with axes of length 1 for those of the row, and that of the result."""
    kept, without = reduced(shape, axes)
    return kept, kept if keepdims else without
