"""What JAX is told of a function: how it is called, batched and differentiated.

Derivatives are forward rules, which JAX transposes itself; those of rows are written in JAX, of the output, so that there is
one of any order.
"""

from __future__ import annotations

import numbers
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax.custom_derivatives import SymbolicZero

from ..functions import get
from ..functions.general import bind
from ..functions.plain import FORMULAS
from .library import build

#: The functions of rows, and whether their slope is made of the result itself or of its exponential.
ROWS = ("softmax", "log_softmax", "softmin", "log_softmin", "softmax1", "logsumexp", "hardmax", "sparsemax", "entmax15")
_KINDS = ("value", "derivative", "second_derivative")


def _call(target: str, results: int, x: Any, shape: tuple[int, ...], **attributes: Any) -> Any:
    """Compute; bfloat16, and float16 of rows, through float32, rounded once."""
    build()
    own = x.dtype
    if own == jnp.bfloat16 or (target == "rows" and own == jnp.float16):
        x = x.astype(jnp.float32)
    like = jax.ShapeDtypeStruct(shape, x.dtype)
    found = jax.ffi.ffi_call(f"fastact_{target}", [like] * results if results > 1 else like, vmap_method="broadcast_all")(
        x, **attributes
    )
    return tuple(f.astype(own) for f in found) if results > 1 else found.astype(own)


@partial(jax.custom_jvp, nondiff_argnums=(0, 1, 2))
def _one(name: str, order: int, params: tuple[float, ...], x: Any) -> Any:
    return _call("one", 1, x, x.shape, name=name, kind=_KINDS[order], params=np.array(params, np.float64))


@partial(jax.custom_jvp, nondiff_argnums=(0, 1))
def _both(name: str, params: tuple[float, ...], x: Any) -> Any:
    """Value and derivative, in one pass over memory."""
    return _call("both", 2, x, x.shape, name=name, params=np.array(params, np.float64))


@_one.defjvp
def _one_jvp(name: str, order: int, params: tuple[float, ...], primals: Any, tangents: Any) -> Any:
    (x,), (t,) = primals, tangents
    if order == 0:
        y, slope = _both(name, params, x)
        return y, t * slope
    if order == 2:
        raise NotImplementedError(f"fastact.jax.{name}: third derivatives; there are none")
    return _one(name, order, params, x), t * _one(name, order + 1, params, x)


@_both.defjvp
def _both_jvp(name: str, params: tuple[float, ...], primals: Any, tangents: Any) -> Any:
    (x,), (t,) = primals, tangents
    y, slope = _both(name, params, x)
    return (y, slope), (t * slope, t * _one(name, 2, params, x))


class _Operations:
    """What the formulas of `plain` are computed with."""

    where, exp, expm1, log1p, tanh, sqrt, sin = jnp.where, jnp.exp, jnp.expm1, jnp.log1p, jnp.tanh, jnp.sqrt, jnp.sin
    erf, sigmoid = jax.scipy.special.erf, jax.nn.sigmoid


@partial(jax.custom_jvp, nondiff_argnums=(0, 1))
def _many(name: str, kind: str, x: Any, *params: Any) -> Any:
    """A kind of an elementwise function with parameters that are arrays, of the shape and dtype of x."""
    build()
    like = jax.ShapeDtypeStruct(x.shape, x.dtype)
    return jax.ffi.ffi_call("fastact_many", like, vmap_method="broadcast_all")(x, *params, name=name, kind=kind)


@partial(_many.defjvp, symbolic_zeros=True)
def _many_jvp(name: str, kind: str, primals: Any, tangents: Any) -> Any:
    """Derivatives of values by kernels, and so those of slopes by x; those of slopes by parameters by XLA."""
    x, y = primals[0], _many(name, kind, *primals)
    given = [None if isinstance(t, SymbolicZero) else t for t in tangents]
    names, found = list(get(name).params), jnp.zeros_like(y)
    if kind == "value":
        for which, t in zip(["derivative", *(f"derivative_by_{n}" for n in names)], given, strict=True):
            found = found if t is None else found + t * _many(name, which, *primals)
        return y, found
    if kind == "second_derivative":
        raise NotImplementedError(f"fastact.jax.{name}: third derivatives by x; there are none")
    if kind == "derivative" and given[0] is not None:
        found, given[0] = given[0] * _many(name, "second_derivative", *primals), None
    if any(t is not None for t in given):
        if name not in FORMULAS:
            known = ", ".join(names)
            raise NotImplementedError(f"fastact.jax.{name}: second derivatives by parameters ({known}); there are none")
        number = 0 if kind == "derivative" else 1 + names.index(kind.removeprefix("derivative_by_"))

        def slope(*values: Any) -> Any:
            rest = partial(FORMULAS[name], _Operations)
            of_one = lambda v: rest(*values[:number], v, *values[number + 1 :]) + 0 * v  # noqa: E731
            return jax.jvp(of_one, (values[number],), (jnp.ones_like(x),))[1]

        along = tuple(jnp.zeros_like(p) if t is None else t for p, t in zip(primals, given, strict=True))
        found = found + jax.jvp(slope, tuple(primals), along)[1]
    return y, found


@partial(jax.custom_jvp, nondiff_argnums=(0, 1, 2))
def _rows(name: str, axis: int, temperature: float, x: Any) -> Any:
    shape = list(x.shape)
    if name == "logsumexp":
        shape[axis] = 1
    return _call("rows", 1, x, tuple(shape), name=name, axis=np.int64(axis), temperature=np.float64(temperature))


@_rows.defjvp
def _rows_jvp(name: str, axis: int, temperature: float, primals: Any, tangents: Any) -> Any:
    (x,), (t,) = primals, tangents
    y = _rows(name, axis, temperature, x)
    total = partial(jnp.sum, axis=axis, keepdims=True)
    t = t * (get(name).sign / temperature)
    if name == "hardmax":
        return y, jnp.zeros_like(y)
    if name == "logsumexp":
        return y, total(_rows("softmax", axis, temperature, x) * t)
    if name.startswith("log_"):
        p = jnp.exp(y)
        t = jnp.where(p > 0, t, 0)
        return y, t - total(p * t)
    if name in ("sparsemax", "entmax15"):
        w = jnp.where(y > 0, jnp.sqrt(jnp.where(y > 0, y, 1)) if name == "entmax15" else 1, 0).astype(y.dtype)
        return y, w * (t - total(w * t) / total(w))
    return y, y * (t - total(y * t))


class _Title:
    """What `bind` wants to know of a call."""

    def __init__(self, activation: Any) -> None:
        self.spec, self.title, self.arrays = activation.spec, f"fastact.jax.{activation.__name__}", ("x",)
        self.keywords = ()


def _array(title: str, name: str, value: Any) -> Any:
    try:
        found = jnp.asarray(value)
    except (TypeError, ValueError) as error:
        raise TypeError(f"{title}: {name} is {type(value).__name__}; expected an array: {error}") from None
    if found.dtype not in (jnp.float16, jnp.bfloat16, jnp.float32, jnp.float64):
        raise TypeError(f"{title}: {name} has dtype {found.dtype}; expected float16, bfloat16, float32 or float64")
    return found


def _number(title: str, name: str, value: Any) -> float:
    if isinstance(value, bool) or not isinstance(value, numbers.Real):
        raise TypeError(f"{title}: {name} is {type(value).__name__}; expected a number; arrays are not taken here")
    return float(value)


def _arrays(title: str, names: Any, x: Any, values: Any) -> list[Any]:
    """x and the parameters, in the dtype that is computed with and of one shape."""
    work = jnp.float64 if x.dtype == jnp.float64 else jnp.float32
    given = [x.astype(work)]
    for name, value in zip(names, values, strict=True):
        if isinstance(value, bool | str):
            raise TypeError(f"{title}: {name} is {value!r}; expected a number or an array")
        given.append((jnp.asarray(value, work) if isinstance(value, numbers.Real) else _array(title, name, value)).astype(work))
    try:
        return jnp.broadcast_arrays(*given)
    except ValueError:
        shapes = ", ".join(f"{n} {g.shape}" for n, g in zip(("x", *names), given, strict=True))
        raise ValueError(f"{title}: shapes {shapes} do not broadcast") from None


def _named(call: Any, function: Any) -> Any:
    call.__name__ = call.__qualname__ = function.__name__
    call.__module__ = "fastact.jax"
    call.__doc__ = f"{function.summary}\n\nOf JAX's arrays: `fastact.{function.__name__}`, which see."
    return call


def elementwise(activation: Any) -> Any:
    """An activation as a function of JAX's arrays."""
    name, call = activation.__name__, _Title(activation)

    def of_array(x: Any, *params: Any, **named: Any) -> Any:
        values, x = bind(call, params, named), _array(call.title, "x", x)
        if all(isinstance(v, numbers.Real) and not isinstance(v, bool) for v in values):
            return _one(name, 0, tuple(map(float, values)), x)
        return _many(name, "value", *_arrays(call.title, activation.params, x, values)).astype(x.dtype)

    return _named(of_array, activation)


def _axis(title: str, axis: Any, rank: int) -> None:
    """Refuse what is no axis."""
    if isinstance(axis, bool) or not isinstance(axis, int | np.integer) or not -rank <= axis < rank:
        raise ValueError(f"{title}: axis is {axis!r}; expected an int, one of the {rank} axes of the array")


def rows(of_rows: Any) -> Any:
    """A function of rows as one of JAX's arrays."""
    name, title = of_rows.__name__, f"fastact.jax.{of_rows.__name__}"

    def of_array(x: Any, axis: int = -1, *, temperature: float = 1.0) -> Any:
        x = _array(title, "x", x)
        _axis(title, axis, max(x.ndim, 1))
        scale = _number(title, "temperature", temperature)
        if not 1e-30 <= scale <= 1e30:
            raise ValueError(f"{title}: temperature is {scale!r}; expected a number between 1e-30 and 1e30")
        if x.ndim == 0:  # one element
            return jnp.squeeze(_rows(name, -1, scale, x.reshape(1)), 0)
        axis = axis if axis < 0 else axis - x.ndim
        found = _rows(name, axis, scale, x)
        return jnp.squeeze(found, axis) if name == "logsumexp" else found

    return _named(of_array, of_rows)


def gated(unit: Any) -> Any:
    """A gated unit as a function of JAX's arrays: its activation by fastact, the product by XLA."""
    title, activation = f"fastact.jax.{unit.__name__}", get(unit.activation)
    params = tuple(map(float, activation.params.values()))

    def of_array(a: Any, b: Any = None, *, axis: int = -1) -> Any:
        a = _array(title, "a", a)
        if b is None:
            _axis(title, axis, a.ndim)
            if a.shape[axis] % 2:
                raise ValueError(f"{title}: axis {axis} has length {a.shape[axis]}; expected an even one")
            a, b = jnp.split(a, 2, axis)
        b = _array(title, "b", b)
        try:
            jnp.broadcast_shapes(a.shape, b.shape)
        except ValueError:
            raise ValueError(f"{title}: a has shape {a.shape} and b {b.shape}; they do not broadcast") from None
        gate, linear = (a, b) if unit.gate == "first" else (b, a)
        return _one(activation.__name__, 0, params, gate) * linear

    return _named(of_array, unit)
