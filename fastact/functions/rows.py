"""What row-wise functions are: called with rows along any axes, a temperature, a mask, forward and backward."""

from __future__ import annotations

from functools import partial
from typing import Any

import numpy as np

from .. import ufuncs
from ..arguments import (
    axes_of,
    broadcast_grad,
    broadcast_mask,
    check_out,
    computed,
    dtype_of_both,
    dtype_with,
    inverse_temperature,
    narrowed,
    result_dtype,
    row_numbers,
    temperature_of,
    work_dtype,
)
from ..cpu.direct import is_redirected
from ..cpu.rows.call import RowCall, halves, plain
from ..cpu.rows.functions import OPS
from ..cpu.rows.layout import compute
from ..cpu.rows.ufuncs import gufunc
from ..dispatch import Place, gpu, place_of, require_cpu_device
from .base import QUIET, REQUIRED, Function, by_ufunc, real_array
from .containers import Masked, bare, by_block, contained, elsewhere, mask_of, masked, slope_elsewhere
from .gradients import summed

_ROWS = (
    "A row whose elements are all masked or -inf gives {empty}. A row with +inf or NaN that is not masked gives NaN, as in "
    "torch, jax and scipy."
)
_TEMPERATURE = (
    "temperature : float or array_like, default 1.0\n    x is divided by it; between 1e-30 and 1e30. An array is broadcast "
    "against x without the axes of the row\n    (or with these, of length 1): one number for each row. It has no part in the "
    "choice of a dtype.\n"
)
_AXIS = "axis : int, tuple of int or None, default -1\n    Axes that make up a row; None: all.\n"
_WHERE = "where : array_like of bool, optional\n    Broadcast to the shape of x; elements that are False do not count{masked}.\n"
_OUT = "out : numpy.ndarray, optional\n    Where the result goes, of its shape; may be x.\n"
_DTYPE = "dtype : dtype, optional\n    Of the result: float16, bfloat16, float32 or float64; x is cast to it.\n"
_CASTING = (
    'casting : {"no", "equiv", "safe", "same_kind", "unsafe"}, default "same_kind"\n    Which casts of x and of the result are '
    "allowed, as of ufuncs.\n"
)
_DEVICE = 'device : {"cpu", "cuda"}, optional\n    Where NumPy arrays are computed; see docs/cuda.md.\n'
_NO_DEVICE = 'device : {"cpu"}, optional\n    There are no kernels for GPUs.\n'
_X = (
    "x : array_like\n    Input: float16 and bfloat16 (computed in float32), float32, float64; integers and bools as for "
    "`numpy.exp`.\n    Masked elements of a masked array do not count and stay masked; dask arrays are computed lazily.\n"
)
_RAISES = """\
TypeError
    For input that is not real, an axis that is no integer, a mask that is not bool, an unsuitable `out`; for containers
    whose labels or chunks would be lost (the message says what to do).
ValueError
    For an axis that x does not have or that is given twice, a mask that does not broadcast, a temperature out of its
    range or of another shape than rows have, an `out` of another shape. Nothing has been written then.
"""


class RowFunction(Function, RowCall):
    """A function of rows, called like ``fastact.softmax(x, axis=-1)``; not made by users."""

    family = "rowwise"
    word, call = "row-wise function", "(x, axis=-1)"
    empty = "zeros"
    masked = " and give 0"
    absent = 0.0  # the result for elements that do not count
    direct = True  # the fast path takes calls
    plain = True  # and backward
    shaped = True  # the result has the shape of x
    shift_free = True  # a constant added to x does not matter to slopes
    more_parameters = ""
    returns = "y : numpy.ndarray\n    Of the shape of x; float16, bfloat16, float32 or float64."
    raises = _RAISES

    def __init__(self, name: str, op: str, *, sign: float = 1.0, **known: Any) -> None:
        super().__init__(name, **known)
        self.op, self.sign = op, sign
        self.number = OPS[op] if self.direct else -1
        for kind in ("", "_backward") if self.direct else ():
            if (op + kind) in OPS:
                setattr(ufuncs, name + kind, gufunc(name + kind, f"{name}: {self.summary}", OPS[op + kind], sign, bool(kind)))

    @property
    def ufunc(self) -> np.ufunc | None:
        """The generalised ufunc underneath, of the last axis; that of `backward` is in `fastact.ufuncs`. None: there is none."""
        return getattr(ufuncs, self.__name__, None)

    @property
    def on_gpu(self) -> bool:
        """Whether there are kernels for GPUs."""
        return self.op in ("softmax", "log_softmax", "softmax1")

    def _parameters(self) -> str:
        device = _DEVICE if self.on_gpu else _NO_DEVICE
        where = _WHERE.format(masked=self.masked)
        return _X + _AXIS + _TEMPERATURE + where + _OUT + _DTYPE + _CASTING + device + self.more_parameters

    def _notes(self) -> list[str]:
        return [*super()._notes(), _ROWS.format(empty=self.empty), f"Values in [{self.range[0]}, {self.range[1]}]."]

    def _example(self) -> str:
        call = f"fa.{self.__name__}(np.array([[1.0, 2.0, 4.0]]), axis=-1)"
        found = self(np.array([[1.0, 2.0, 4.0]]), device="cpu")
        return f">>> import numpy as np\n>>> import fastact as fa\n>>> {call}\n{found!r}"

    # -- forward -----------------------------------------------------------------------------------

    def __call__(
        self, x: Any = REQUIRED, axis: Any = -1, *, temperature: Any = 1.0, where: Any = None, out: Any = None,
        dtype: Any = None, device: Any = None, casting: Any = "same_kind", **_unknown: Any,
    ) -> Any:  # documented by _docstring  # fmt: skip
        self._check("__call__", _unknown, x=x)
        title = self._title()
        if contained(x):
            keywords = {"temperature": temperature, "out": out, "dtype": dtype, "device": device, "casting": casting}
            return self._in_container(x, axis, where, **keywords)
        if self.on_gpu:
            place = place_of(title, device, (x, where, out))
            if place is Place.THERE and (where is not None or dtype is not None):
                raise TypeError(f"{title}: {'dtype' if where is None else 'where'} is not supported on a GPU; out is")
            if place is Place.THERE:
                return self._there(title, self.op, {"x": x}, axis, temperature, out)
            if place is Place.HOST:
                given, dtype, axes, scale = self._arguments(title, x, axis, temperature, where, dtype, casting)
                return self._through_gpu(title, self.op, [given], axes, scale, dtype, out)
        else:
            require_cpu_device(title, device)
        given, dtype, axes, scale = self._arguments(title, x, axis, temperature, where, dtype, casting)
        if out is not None:
            out = check_out(title, out, given.shape, dtype, casting)
        result = self._forward(given, axes, out, dtype, scale)
        return result if out is not None or given.ndim else result[()]

    def _in_container(self, x: Any, axis: Any, where: Any, **keywords: Any) -> Any:
        """The result for what is more than an array."""
        axes = axes_of(self._title(), axis, x.ndim)
        if self._is_for_ufunc(x, axes, where, keywords):
            usual = {"dtype": None, "casting": "same_kind", "keepdims": False}
            given = {name: keywords[name] for name, value in usual.items() if keywords.get(name, value) != value}
            return by_ufunc(self._title(), getattr(ufuncs, self.__name__), x, axis=axes[0], out=keywords["out"], **given)
        if not isinstance(x, Masked):
            own = {name: keywords.pop(name) for name in ("temperature", "alpha") if name in keywords}
            named = self._per_row(x, axes, own | {"where": where})
            call = by_block(partial(self, axis=axis, **keywords), named, x.ndim)
            dtype = keywords["dtype"] or (self._made_of(x.dtype) if hasattr(x, "dtype") else None)
            return elsewhere(self._title(), call, [x], axes if self.shaped else None, dtype)
        mask = mask_of(x)
        keep = ~mask if where is None else broadcast_mask(self._title(), where, x.shape) & ~mask
        return masked(self(np.asarray(x), axis=axis, where=keep, **keywords), self._result_mask(mask, axes, keywords))

    def _is_for_ufunc(self, x: Any, axes: tuple[int, ...], where: Any, keywords: dict[str, Any]) -> bool:
        """Whether a container is for the generalised ufunc, so that it is the container's, or NumPy's, what becomes of it.

        pandas would hand over its transposed blocks, and xarray refuses; Dask cannot say which axis is in several chunks.
        """
        ours = {"temperature": 1.0, "alpha": None, "b": None, "return_sign": False, "device": None}
        if self.ufunc is None or isinstance(x, Masked) or len(axes) != 1 or where is not None:
            return False
        given = ((keywords.get(name, usual), usual) for name, usual in ours.items())
        if not all(type(value) is type(usual) and value == usual for value, usual in given):
            return False
        return not any(hasattr(x, name) for name in ("iloc", "dims", "numblocks"))

    def _made_of(self, dtype: np.dtype) -> np.dtype | None:
        """The dtype of the result for an array of that dtype."""
        return computed(dtype)

    def _per_row(self, x: Any, axes: tuple[int, ...], named: dict[str, Any]) -> dict[str, Any]:
        """Arguments with numbers of their own for rows or elements, as arrays whose axes are those of x."""
        title, found = self._title(), dict(named)
        for name, value in named.items():
            if name == "where" and value is not None:
                found[name] = broadcast_mask(title, value, x.shape)
            elif name != "where" and np.ndim(value):
                found[name] = self._row_numbers(title, name, value, x.shape, axes)
        return found

    def _row_numbers(self, title: str, name: str, value: Any, shape: tuple[int, ...], axes: tuple[int, ...]) -> Any:
        """An argument that may have a number for each row."""
        return row_numbers(title, name, value, shape, axes, 1e-30, 1e30)

    def _result_mask(self, mask: Any, axes: tuple[int, ...], keywords: dict[str, Any]) -> Any:
        return mask

    def _forward(self, x: np.ndarray, axes: tuple[int, ...], out: Any, dtype: np.dtype, temperature: Any) -> np.ndarray:
        return compute(self.op, [x], axes, out, dtype, self.sign, temperature)

    def _arguments(
        self, title: str, x: Any, axis: Any, temperature: Any, where: Any, dtype: Any = None, casting: Any = "same_kind"
    ) -> tuple[np.ndarray, np.dtype, tuple[int, ...], Any]:
        given = real_array(title, "x", x)
        dtype = result_dtype(title, dtype, given, casting)
        axes = axes_of(title, axis, given.ndim)
        scale = self._row_numbers(title, "temperature", temperature, given.shape, axes)
        if where is not None:
            mask = broadcast_mask(title, where, given.shape)
            given = np.where(mask, given, work_dtype(dtype).type(-self.sign * np.inf))
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
            gradient is small: the error is at most 4 ULP of its terms, of softmax of ``y * (abs(grad) + s)``, s being the
            sum of ``y * grad`` over the row or, where that cancels too, the largest of these.

        Examples
        --------
        >>> import numpy as np
        >>> import fastact as fa
        >>> y = fa.softmax(np.array([1.0, 2.0, 4.0]))
        >>> fa.softmax.backward(np.array([0.0, 0.0, 1.0]), y)
        array([-0.03544787, -0.09635731,  0.13180518])
        """
        if y is not None and self.plain and _is_default(temperature) and device is None and not is_redirected() and not _unknown:
            result = plain(OPS[f"{self.op}_backward"], grad, y, axis, self.sign, out)
            if result is None and out is None:
                result = halves(OPS[f"{self.op}_backward"], grad, y, axis, self.sign)
            if result is not None:
                return result
        self._check("backward", _unknown, grad=grad, y=y)
        title = self._title("backward")
        if contained(grad, y):
            call = partial(self.backward, axis=axis, temperature=temperature, out=out, device=device)
            return slope_elsewhere(title, call, grad, "y", y, self.absent, mask_of(grad, y))
        place = Place.CPU
        if self.on_gpu:
            place = place_of(title, device, (grad, y, out))
            if place is Place.THERE:
                return self._there(title, f"{self.op}_backward", {"grad": grad, "y": y}, axis, temperature, out)
        else:
            require_cpu_device(title, device)
        grad_array, y_array = real_array(title, "grad", grad), real_array(title, "y", y)
        dtype = dtype_of_both(grad, y, grad_array, y_array)
        axes = axes_of(title, axis, y_array.ndim)
        scale = self._row_numbers(title, "temperature", temperature, y_array.shape, axes)
        if place is Place.HOST:
            grad_array = broadcast_grad(title, grad_array, y_array.shape, " of y")
            return self._through_gpu(title, f"{self.op}_backward", [grad_array, y_array], axes, scale, dtype, out)
        if out is not None:
            out = check_out(title, out, y_array.shape, dtype)
        grad_array = broadcast_grad(title, grad_array, y_array.shape, " of y")
        result = self._slope(grad_array, y_array, axes, out, dtype, scale)
        return result if out is not None or y_array.ndim else result[()]

    def _slope(self, grad: Any, y: Any, axes: tuple[int, ...], out: Any, dtype: np.dtype, temperature: Any) -> np.ndarray:
        return compute(f"{self.op}_backward", [y, grad], axes, out, dtype, self.sign, temperature)

    def _there(self, title: str, op: str, arrays: dict[str, Any], axis: Any, temperature: Any, out: Any) -> Any:
        """Compute arrays that are on a GPU."""
        scale = temperature_of(title, _single(title, temperature))
        with gpu(Place.THERE) as there:
            return there.rows(title, op, self.sign, arrays, axis, scale, out)

    def _through_gpu(
        self, title: str, op: str, arrays: list[np.ndarray], axes: tuple[int, ...], temperature: Any, dtype: np.dtype, out: Any
    ) -> np.ndarray:
        """Compute NumPy arrays on a GPU."""
        scalars = (self.sign, *inverse_temperature(_single(title, temperature), work_dtype(dtype)))
        with gpu(Place.HOST) as host:
            return host.rows(title, op, arrays, axes, scalars, dtype, out)


    # -- gradients by parameters -------------------------------------------------------------------

    def parameter_gradients(
        self, grad: Any = REQUIRED, x: Any = REQUIRED, axis: Any = -1, *, temperature: Any = 1.0, where: Any = None,
        **_unknown: Any,
    ) -> dict[str, Any]:  # fmt: skip
        """Gradients by the parameters, from the input.

        Parameters
        ----------
        grad : array_like
            Gradient by the output, broadcast against it.
        x : array_like
            Input of the forward pass.
        axis, temperature, where
            As in the forward pass.

        Returns
        -------
        dict of str to numpy.ndarray
            "temperature": summed to its shape. Computed in float64; the error is some ULP of the largest term of a sum.

        Examples
        --------
        >>> import numpy as np
        >>> import fastact as fa
        >>> grads = fa.softmax.parameter_gradients(np.array([0.0, 0.0, 1.0]), np.array([1.0, 2.0, 4.0]))
        >>> round(float(grads["temperature"]), 4)
        -0.2991
        """
        self._check("parameter_gradients", _unknown, grad=grad, x=x)
        title = self._title("parameter_gradients")
        if contained(grad, x):
            call = partial(self.parameter_gradients, axis=axis, temperature=temperature)
            return self._sums_in_container(title, call, grad, x, where)
        require_cpu_device(title, None)
        given, dtype, axes, scale = self._arguments(title, x, axis, temperature, where)
        incoming = real_array(title, "grad", grad)
        dtype, double = dtype_with(dtype, grad, incoming), np.dtype(np.float64)
        incoming = broadcast_grad(title, incoming, given.shape, " of x").astype(double)
        given = given.astype(double)
        y = self._forward(given, axes, None, double, scale)
        slope = self._slope(incoming, y, axes, None, double, scale)
        return {"temperature": narrowed(self._by_temperature(given, slope, axes, temperature, scale), dtype)[()]}

    @QUIET
    def _by_temperature(
        self, x: np.ndarray, slope: np.ndarray, axes: tuple[int, ...], temperature: Any, scale: Any
    ) -> np.ndarray:
        """The gradient by T from that by x: -x/T times it, summed. Where a constant may be added to x the maximum is 0."""
        if self.shift_free:
            x = x - self.sign * np.max(self.sign * x, axis=axes, keepdims=True, initial=-np.inf)
        terms = np.where(slope == 0.0, 0.0, x * slope).sum(axis=axes, keepdims=True) / scale
        return summed(-terms, np.shape(temperature), axes)

    def _sums_in_container(self, title: str, call: Any, grad: Any, x: Any, where: Any) -> Any:
        """Gradients by parameters for what is more than an array: what is masked has no part in the sums."""
        if not isinstance(grad, Masked) and not isinstance(x, Masked):
            return elsewhere(title, partial(call, where=where), [grad, x])
        keep = ~np.ma.getmaskarray(x)
        keep = keep if where is None else broadcast_mask(title, where, keep.shape) & keep
        return call(bare(title, "grad", grad, 0.0), np.asarray(x), where=keep)


def _is_default(temperature: Any) -> bool:
    return type(temperature) is float and temperature == 1.0


def _single(title: str, temperature: Any) -> Any:
    """A temperature on a GPU."""
    if np.ndim(temperature):
        raise TypeError(f"{title}: temperature has a number for each row; on a GPU expected a number")
    return temperature


class LogRowFunction(RowFunction):
    empty = "-inf"
    masked = " and give -inf"
    absent = -np.inf
