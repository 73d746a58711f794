"""The row-wise functions: softmax, log_softmax, softmin, log_softmin, logsumexp, hardmax, sparsemax, entmax15."""

from __future__ import annotations

from functools import partial
from typing import Any

import numpy as np

from ..arguments import (
    axes_of,
    broadcast_grad,
    broadcast_mask,
    check_out,
    dtype_of,
    inverse_temperature,
    result_dtype,
    stored,
    temperature_of,
    work_dtype,
)
from ..cpu.call import is_redirected
from ..cpu.rows.functions import OPS
from ..cpu.rows.layout import compute
from ..cpu.rows.ways import plain
from ..dispatch import Place, gpu, place_of, require_cpu_device
from .base import REQUIRED, Function, real_array
from .containers import Masked, bare, contained, elsewhere, mask_of, masked
from .registry import register

_ROWS = (
    "A row whose elements are all masked or -inf gives {empty}. A row with +inf or NaN that is not masked gives NaN, as in "
    "torch, jax and scipy."
)
_TEMPERATURE = "temperature : float, default 1.0\n    x is divided by it; between 1e-30 and 1e30.\n"
_AXIS = "axis : int, tuple of int or None, default -1\n    Axes that make up a row; None: all.\n"
_WHERE = "where : array_like of bool, optional\n    Broadcast to the shape of x; elements that are False do not count{masked}.\n"
_OUT = "out : numpy.ndarray, optional\n    Where the result goes, of its shape; may be x.\n"
_DTYPE = "dtype : dtype, optional\n    Of the result: float16, float32 or float64; x is cast to it.\n"
_DEVICE = 'device : {"cpu", "cuda"}, optional\n    Where NumPy arrays are computed; see docs/cuda.md.\n'
_NO_DEVICE = 'device : {"cpu"}, optional\n    There are no kernels for GPUs.\n'
_X = (
    "x : array_like\n    Input: float16 (computed in float32), float32, float64; integers and bools as for `numpy.exp`. Masked "
    "elements of a\n    masked array do not count and stay masked; dask arrays are computed lazily.\n"
)
_RAISES = """\
TypeError
    For input that is not real, an axis that is no integer, a mask that is not bool, an unsuitable `out`; for containers
    whose labels or chunks would be lost (the message says what to do).
ValueError
    For an axis that x does not have or that is given twice, a mask that does not broadcast, a temperature out of its
    range, an `out` of another shape. Nothing has been written then.
"""


class RowFunction(Function):
    """A function of rows, called like ``fastact.softmax(x, axis=-1)``; not made by users."""

    family = "rowwise"
    word, call = "row-wise function", "(x, axis=-1)"
    empty = "zeros"
    masked = " and give 0"
    absent = 0.0  # the result for elements that do not count
    plain = True  # has passes of its own, and the result the shape of x
    shaped = True  # the result has the shape of x
    more_parameters = ""
    returns = "y : numpy.ndarray\n    Of the shape of x; float16, float32 or float64."
    raises = _RAISES
    example = (
        ">>> import numpy as np\n>>> import fastact as fa\n>>> y = fa.{name}(np.array([[1.0, 2.0, 4.0]]), axis=-1)"
    )  # fmt: skip

    def __init__(self, name: str, op: str, *, sign: float = 1.0, **known: Any) -> None:
        super().__init__(name, **known)
        self.op, self.sign = op, sign

    @property
    def on_gpu(self) -> bool:
        """Whether there are kernels for GPUs."""
        return self.op in ("softmax", "log_softmax")

    def _parameters(self) -> str:
        device = _DEVICE if self.on_gpu else _NO_DEVICE
        return _X + _AXIS + _TEMPERATURE + _WHERE.format(masked=self.masked) + _OUT + _DTYPE + device + self.more_parameters

    def _notes(self) -> list[str]:
        return [*super()._notes(), _ROWS.format(empty=self.empty), f"Values in [{self.range[0]}, {self.range[1]}]."]

    # -- forward -----------------------------------------------------------------------------------

    def __call__(
        self, x: Any = REQUIRED, axis: Any = -1, *, temperature: Any = 1.0, where: Any = None, out: Any = None,
        dtype: Any = None, device: Any = None, **_unknown: Any,
    ) -> Any:  # documented by _docstring  # fmt: skip
        if self._is_plain(temperature, device) and where is None and dtype is None and not _unknown:
            result = plain(OPS[self.op], x, None, axis, self.sign, out)
            if result is not None:
                return result
        self._check("__call__", _unknown, x=x)
        title = self._title()
        if contained(x):
            return self._in_container(x, axis, where, temperature=temperature, out=out, dtype=dtype, device=device)
        if self.on_gpu:
            place = place_of(title, device, (x, where, out))
            if place is Place.THERE and (where is not None or dtype is not None):
                raise TypeError(f"{title}: {'dtype' if where is None else 'where'} is not supported on a GPU; out is")
            if place is Place.THERE:
                return self._there(title, self.op, {"x": x}, axis, temperature, out)
            if place is Place.HOST:
                given, dtype, axes, scale = self._arguments(title, x, axis, temperature, where, dtype)
                return self._through_gpu(title, self.op, [given], axes, scale, dtype, out)
        else:
            require_cpu_device(title, device)
        given, dtype, axes, scale = self._arguments(title, x, axis, temperature, where, dtype)
        if out is not None:
            out = check_out(title, out, given.shape, dtype)
        result = self._forward(given, axes, out, dtype, scale)
        return result if out is not None or given.ndim else result[()]

    def _in_container(self, x: Any, axis: Any, where: Any, **keywords: Any) -> Any:
        """The result for what is more than an array."""
        axes = axes_of(self._title(), axis, x.ndim)
        if not isinstance(x, Masked):
            call = partial(self, axis=axis, where=where, **keywords)
            return elsewhere(self._title(), call, [x], axes if self.shaped else None)
        mask = mask_of(x)
        keep = ~mask if where is None else broadcast_mask(self._title(), where, x.shape) & ~mask
        return masked(self(np.asarray(x), axis, where=keep, **keywords), self._result_mask(mask, axes, keywords))

    def _result_mask(self, mask: Any, axes: tuple[int, ...], keywords: dict[str, Any]) -> Any:
        return mask

    def _is_plain(self, temperature: Any, device: Any) -> bool:
        """Whether a call may be one for the fast path, which knows no temperature and no device."""
        return self.plain and type(temperature) is float and temperature == 1.0 and device is None and not is_redirected()

    def _forward(self, x: np.ndarray, axes: tuple[int, ...], out: Any, dtype: np.dtype, temperature: float) -> np.ndarray:
        return compute(self.op, [x], axes, out, dtype, self.sign, temperature)

    def _arguments(
        self, title: str, x: Any, axis: Any, temperature: Any, where: Any, dtype: Any = None
    ) -> tuple[np.ndarray, np.dtype, tuple[int, ...], float]:
        given = real_array(title, "x", x)
        dtype = result_dtype(title, dtype, given)
        axes = axes_of(title, axis, given.ndim)
        scale = temperature_of(title, temperature)
        if where is not None:
            mask = broadcast_mask(title, where, given.shape)
            given = np.where(mask, given, dtype.type(-self.sign * np.inf))
        return given, dtype, axes, scale

    # -- backward ----------------------------------------------------------------------------------

    def backward(
        self, grad: Any = REQUIRED, y: Any = REQUIRED, axis: Any = -1, *, temperature: Any = 1.0, out: Any = None,
        device: Any = None, **_unknown: Any,
    ) -> np.ndarray:  # fmt: skip
        """Gradient by x, from the output y.

        Parameters
        ----------
        grad : array_like
            Gradient by the output, broadcast against y.
        y : array_like
            Output of the forward pass.
        axis, temperature
            As in the forward pass.
        out : numpy.ndarray, optional
            Where the result goes; may be grad or y.
        device : {"cpu", "cuda"}, optional
            As in the forward pass.

        Returns
        -------
        numpy.ndarray
            Of the shape of y. Elements that were masked get 0. The differences from which it is made cancel where the
            gradient is small: the error is a few ULP of the largest ``y * grad`` of the row.
        """
        if self._is_plain(temperature, device) and not _unknown:
            result = plain(OPS[f"{self.op}_backward"], grad, y, axis, self.sign, out)
            if result is not None:
                return result
        self._check("backward", _unknown, grad=grad, y=y)
        title = self._title("backward")
        if contained(grad, y):
            call = partial(self.backward, axis=axis, temperature=temperature, out=out, device=device)
            if not isinstance(grad, Masked) and not isinstance(y, Masked):
                return elsewhere(title, call, [grad, y])
            return masked(call(bare(title, "grad", grad, 0.0), bare(title, "y", y, self.absent)), mask_of(grad, y))
        place = Place.CPU
        if self.on_gpu:
            place = place_of(title, device, (grad, y, out))
            if place is Place.THERE:
                return self._there(title, f"{self.op}_backward", {"grad": grad, "y": y}, axis, temperature, out)
        else:
            require_cpu_device(title, device)
        grad_array, y_array = real_array(title, "grad", grad), real_array(title, "y", y)
        dtype = dtype_of(grad_array, y_array)
        axes = axes_of(title, axis, y_array.ndim)
        scale = temperature_of(title, temperature)
        if place is Place.HOST:
            grad_array = broadcast_grad(title, grad_array, y_array.shape, " of y")
            return self._through_gpu(title, f"{self.op}_backward", [grad_array, y_array], axes, scale, dtype, out)
        if out is not None:
            out = check_out(title, out, y_array.shape, dtype)
        grad_array = broadcast_grad(title, grad_array, y_array.shape, " of y")
        return self._slope(grad_array, y_array, axes, out, dtype, scale)

    def _slope(self, grad: Any, y: Any, axes: tuple[int, ...], out: Any, dtype: np.dtype, temperature: float) -> np.ndarray:
        return compute(f"{self.op}_backward", [y, grad], axes, out, dtype, self.sign, temperature)

    def _there(self, title: str, op: str, arrays: dict[str, Any], axis: Any, temperature: Any, out: Any) -> Any:
        """Compute arrays that are on a GPU."""
        scale = temperature_of(title, temperature)
        with gpu(Place.THERE) as there:
            return there.rows(title, op, self.sign, arrays, axis, scale, out)

    def _through_gpu(
        self, title: str, op: str, arrays: list[np.ndarray], axes: tuple[int, ...], temperature: float, dtype: np.dtype, out: Any
    ) -> np.ndarray:
        """Compute NumPy arrays on a GPU."""
        scalars = (self.sign, *inverse_temperature(temperature, work_dtype(dtype)))
        with gpu(Place.HOST) as host:
            return host.rows(title, op, arrays, axes, scalars, dtype, out)


class LogRowFunction(RowFunction):
    empty = "-inf"
    masked = " and give -inf"
    absent = -np.inf


class LogSumExp(LogRowFunction):
    masked = ""
    plain = shaped = False
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
        weights = compute("softmax", [given], axes, None, dtype, self.sign, scale)
        incoming = real_array(title, "grad", grad)
        dtype = np.result_type(dtype, dtype_of(incoming))
        kept, shape = _reduced(given.shape, axes, keepdims)
        incoming = broadcast_grad(title, incoming, shape).reshape(kept)
        with np.errstate(all="ignore"):
            return np.multiply(weights, incoming / dtype.type(scale), dtype=dtype)


def _reduced(shape: tuple[int, ...], axes: tuple[int, ...], keepdims: bool) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """A shape with axes of length 1 for those of the row, and that of the result."""
    kept = tuple(1 if a in axes else n for a, n in enumerate(shape))
    return kept, kept if keepdims else tuple(n for a, n in enumerate(shape) if a not in axes)


class Hardmax(RowFunction):
    plain = False

    def _slope(self, grad: Any, y: Any, axes: tuple[int, ...], out: Any, dtype: np.dtype, temperature: float) -> np.ndarray:
        with np.errstate(invalid="ignore"):
            return np.multiply(y, 0, out=out, dtype=dtype, casting="same_kind")  # NaN where y is


_BRIDLE = "Bridle 1990, Training stochastic model recognition algorithms as networks can lead to maximum mutual information."
_SUMS = "Within 2 ULP where the result is a normal number, 2.5 with a temperature. A row with one finite element gives 1."

FUNCTIONS = [
    RowFunction(
        "softmax", "softmax", summary="Softmax of each row: exp(x / T) over the sum of these.",
        latex=r"f(x)_i = \frac{\exp(x_i / T)}{\sum_j \exp(x_j / T)}", range=("0", "1"), notes=_SUMS, reference=_BRIDLE,
    ),
    LogRowFunction(
        "log_softmax", "log_softmax", summary="Logarithm of softmax, exact at the maximum too.",
        latex=r"f(x)_i = x_i / T - \log \sum_j \exp(x_j / T)", range=("-inf", "0"), aliases=("logsoftmax",),
        notes="At the maximum it is -log1p of the sum of the other exponentials: a confident row keeps all its digits.",
        reference=_BRIDLE,
    ),
    RowFunction(
        "softmin", "softmax", summary="Softmin of each row: softmax of -x.", sign=-1.0,
        latex=r"f(x)_i = \frac{\exp(-x_i / T)}{\sum_j \exp(-x_j / T)}", range=("0", "1"), notes=_SUMS
        + " Where softmax says -inf read +inf and the reverse.", reference="torch.nn.Softmin.",
    ),
    LogRowFunction(
        "log_softmin", "log_softmax", summary="Logarithm of softmin.", sign=-1.0, aliases=("logsoftmin",),
        latex=r"f(x)_i = -x_i / T - \log \sum_j \exp(-x_j / T)", range=("-inf", "0"),
        notes="Where log_softmax says -inf of the input read +inf and the reverse.", reference="torch.nn.Softmin.",
    ),
    LogSumExp(
        "logsumexp", "logsumexp", summary="Logarithm of the sum of exponentials of each row.", range=("-inf", "inf"),
        latex=r"f(x) = \log \sum_j \exp(x_j / T)", aliases=("log_sum_exp",),
        notes="Unlike the other functions a row with +inf and no NaN gives +inf. Where the result is near 0 the error is "
        "2 ULP of the maximum. `backward` takes the input.",
        reference="Blanchard, Higham and Higham 2021, Accurately computing the log-sum-exp and softmax functions.",
    ),
    Hardmax(
        "hardmax", "hardmax", summary="Hardmax of each row: 1 at the first maximum, 0 elsewhere.", range=("0", "1"),
        latex=r"f(x)_i = 1 \text{ if } i = \min \operatorname{argmax}_j x_j \text{ else } 0",
        notes="The temperature has no effect. The gradient is 0 everywhere.", reference="ONNX operator Hardmax.",
    ),
    RowFunction(
        "sparsemax", "sparsemax", summary="Sparsemax: the point of the probability simplex nearest to x / T.",
        latex=r"f(x)_i = \max(x_i / T - \theta, 0), \quad \sum_i f(x)_i = 1", range=("0", "1"),
        notes="The threshold is found by Newton's method, which ends at it. Errors are absolute: 4 ULP of 1.",
        reference="Martins and Astudillo 2016, From softmax to sparsemax, arXiv:1602.02068.",
    ),
    RowFunction(
        "entmax15", "entmax15", summary="1.5-entmax, between softmax and sparsemax.",
        latex=r"f(x)_i = \max(x_i / 2T - \theta, 0)^2, \quad \sum_i f(x)_i = 1", range=("0", "1"), aliases=("entmax",),
        notes="The threshold is found by Newton's method, which ends at it. Errors are absolute: 8 ULP of 1.",
        reference="Peters, Niculae and Martins 2019, Sparse sequence-to-sequence models, arXiv:1905.05702.",
    ),
]  # fmt: skip

#: Every row-wise function by every one of its names.
ROWWISE = register(FUNCTIONS)
