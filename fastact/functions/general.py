"""The general path of elementwise calls: whatever NumPy accepts, ending in the real ufunc.

Plain arrays do not come here (``cpu/call.pyx``). What does is named in errors, its parameters' dtype is settled, and then
either a GPU, all threads (large arrays of any layout) or the ufunc computes. No arithmetic stands here.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from ..arguments import REAL, broadcast_shape, common_dtype, computed, is_computed, taken, unknown_keyword
from ..cpu.buffers import keeping
from ..cpu.call import SPREAD_FROM
from ..cpu.direct import is_redirected
from ..cpu.layouts import spread
from ..dispatch import Place, gpu, place_of
from . import integers
from .base import by_ufunc
from .registry import BY_NAME

#: The keywords of `bias`, by the arrays of a kind that has them, with their defaults.
BIAS: dict[tuple[str, ...], dict[str, Any]] = {("x",): {"bias": None}, ("grad", "x"): {"bias": None, "return_bias_grad": False}}

_UFUNC_KEYWORDS = {"out", "where", "casting", "order", "dtype", "subok", "signature"}


def general(call: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    """Call the ufunc with whatever NumPy accepts."""
    call, arrays, values, device, kwargs = parsed(call, args, kwargs)
    spec, nin = call.spec, len(arrays)
    place = place_of(call.title, device, (*arrays, *values, *given_outputs(kwargs)))
    if place is not Place.CPU:
        return computed_on_gpu(call, place, arrays, values, kwargs)
    if is_redirected() and (found := call.direct((*arrays, *values), kwargs)) is not None:
        return found
    operands = [taken(a) for a in (*arrays, *values)]
    dtypes = [dtype_of_argument(call, name, a) for name, a in zip([*call.arrays, *spec.params], operands, strict=True)]
    if call.kind == "value" and spec.name in integers.FUNCTIONS and _keeps(kwargs):
        found = integers.whole(call, operands, [*map(own_dtype, operands, dtypes)])
        if found is not None:
            return by_ufunc(call.title, *found, **kwargs)
    if call.kind == "backward_from_output":
        _require_output(call, dict(zip(spec.params, operands[nin:], strict=True)))
    return _on_cpu(call, operands, dtypes, kwargs)


def parsed(
    call: Any, args: tuple[Any, ...], kwargs: dict[str, Any]
) -> tuple[Any, tuple[Any, ...], list[Any], Any, dict[str, Any]]:
    """The call, or the variant of it that is asked for, its arrays, parameters, device, and what is left: a ufunc's keywords."""
    spec = call.spec
    if spec.variants:
        chosen, kwargs = chosen_variant(call.title, call, kwargs)
        if chosen is not call:
            call = chosen if call.kind == "value" else getattr(chosen, call.kind)
        spec = call.spec
    device = None
    if "device" in kwargs:
        kwargs = dict(kwargs)
        device = kwargs.pop("device")
    nin = call.ufunc.nin - len(spec.params)
    for name in call.arrays[len(args) :]:
        if name not in kwargs:
            raise TypeError(f"{call.title}: missing argument {name!r}; expected {', '.join(call.arrays)}")
        args = (*args, kwargs[name])
        kwargs = {k: v for k, v in kwargs.items() if k != name}
    arrays, params = args[:nin], args[nin:]
    named = {k: kwargs[k] for k in kwargs if k not in _UFUNC_KEYWORDS}
    kwargs = {k: v for k, v in kwargs.items() if k not in named}
    return call, arrays, bind(call, params, named), device, kwargs


def _keeps(kwargs: dict[str, Any]) -> bool:
    """Whether the caller leaves integers what they are."""
    return "signature" not in kwargs and (kwargs.get("dtype") is None or np.dtype(kwargs["dtype"]).kind in "iu")


def _require_output(call: Any, params: dict[str, Any]) -> None:
    """Refuse a parameter with which the output does not determine the derivative; elements of an array give NaN."""
    for name, least in call.spec.output_needs.items():
        value = params[name]
        if (_weak(value) or (isinstance(value, np.ndarray | np.generic) and value.ndim == 0)) and value < least:
            raise ValueError(
                f"{call.title}: {name} is {value!r}; expected at least {least:g}: below, the output does not "
                "determine the derivative, so use backward"
            )


def _on_cpu(call: Any, operands: list[Any], dtypes: list[Any], kwargs: dict[str, Any]) -> Any:
    """Compute by all threads or by the ufunc, in the loop that `loop_of` says, for any size."""
    ufunc, nin, nout = call.ufunc, call.ufunc.nin - len(call.spec.params), call.ufunc.nout
    plain = all(type(a) is np.ndarray or isinstance(a, np.generic) or _weak(a) for a in operands)
    if plain and not kwargs.keys() - {"out"} and (found := _spread(operands, dtypes, nin, call, kwargs.get("out"))):
        return found[0] if nout == 1 else found
    overridden = any(d is None for d in dtypes)  # None equals float64
    settled = len(operands) == nin and not (plain and nin > 1 and any(map(_weak, operands)))  # by the ufunc, as here
    chosen = kwargs.get("dtype") is not None
    if settled or "signature" in kwargs or (overridden and chosen):
        return _by_ufunc(call, ufunc, operands, kwargs)
    loop = _chosen(kwargs["dtype"]) if chosen else loop_of(operands, [*map(own_dtype, operands, dtypes)], nin)
    if loop is None:
        return _by_ufunc(call, ufunc, operands, kwargs)
    param = loop
    if loop.itemsize == 2 and len(operands) > nin:  # whose parameters are float32
        param, ufunc = np.dtype(np.float32), call.mixed_ufunc
    if overridden:  # a container may turn numbers into arrays, which then have a say in the dtype
        operands[nin:] = [param.type(a) if _weak(a) else a for a in operands[nin:]]
    else:
        kwargs = {k: v for k, v in kwargs.items() if k != "dtype"}
        kwargs["signature"] = (loop,) * nin + (param,) * (len(operands) - nin) + (loop,) * nout
    return _by_ufunc(call, ufunc, operands, kwargs)


def _by_ufunc(call: Any, ufunc: np.ufunc, operands: list[Any], kwargs: dict[str, Any]) -> Any:
    """Compute by the ufunc; shapes that do not broadcast are named."""
    try:
        return keeping(ufunc, *operands, **kwargs)
    except TypeError:
        plain = all(isinstance(a, np.ndarray | np.generic | int | float) for a in operands)
        if plain or ufunc.nout == 1 or "out" in kwargs:
            raise
        both = BY_NAME[call.spec.name], BY_NAME[call.spec.name].derivative  # dask has no ufuncs with two results
        kinds = [c.mixed_ufunc if ufunc is call.mixed_ufunc else c.ufunc for c in both]
        return tuple(keeping(u, *operands, **kwargs) for u in kinds)
    except ValueError:
        if not all(isinstance(a, np.ndarray | np.generic | int | float) for a in operands):
            raise
        broadcast_shape(call.title, {n: np.asarray(a) for n, a in zip([*call.arrays, *call.spec.params], operands, strict=True)})
        raise


def _spread(arrays: list[Any], dtypes: list[Any], nin: int, call: Any, out: Any) -> tuple[Any, ...] | None:
    """Compute a large result on all threads whatever the layouts and dtypes; None for what is left to the ufunc."""
    if math.prod(getattr(a, "size", 1) for a in arrays) < SPREAD_FROM:
        return None
    nout = call.ufunc.nout
    outputs = [None] * nout if out is None else list(out) if isinstance(out, tuple) else [out]
    given = [a for a in [*arrays, *outputs] if a is not None and not _weak(a)]
    if not all(isinstance(a, np.generic) or (type(a) is np.ndarray and a.dtype.isnative and a.flags.aligned) for a in given):
        return None
    try:
        if np.broadcast(*given).size < SPREAD_FROM or len(outputs) != nout:
            return None
    except ValueError:  # which the ufunc says better
        return None
    dtype = loop_of(arrays, dtypes, nin)
    if any(o is not None and o.dtype != dtype for o in outputs):
        return None
    flags = [["readonly", "overlap_assume_elementwise"]] * len(arrays)
    flags += [["writeonly", "allocate", "no_broadcast", "overlap_assume_elementwise"]] * nout
    try:
        visit = keeping(np.nditer, [*arrays, *outputs], ["copy_if_overlap"], flags, [None] * len(arrays) + [dtype] * nout)
    except ValueError:
        return None
    with visit:
        spread(call.kernel, dtype == "d", visit.itviews)
        return tuple(made if o is None else o for made, o in zip(visit.operands[-nout:], outputs, strict=True))


def loop_of(operands: Sequence[Any], dtypes: Sequence[Any], nin: int) -> Any:
    """The dtype of the loop for operands, arrays first; Python numbers have no say if there is anything else.

    None where a dtype is unknown.
    """
    strong = [d for a, d in zip(operands, dtypes, strict=True) if not _weak(a)]
    if any(d is None for d in strong):
        return None
    return common_dtype(*strong) if strong else computed(np.result_type(*operands[:nin]))


def _chosen(dtype: Any) -> np.dtype[Any] | None:
    """The loop that ``dtype=`` asks for, if it is one of the kernels'."""
    found = np.dtype(dtype)
    return computed(found) if is_computed(found) else None


def own_dtype(value: Any, dtype: Any) -> Any:
    """The dtype of an operand, or of a container that overrides ufuncs; None if it is none of the kernels'."""
    if dtype is None:
        try:
            dtype = np.result_type(*value.dtypes) if not hasattr(value, "dtype") else np.dtype(value.dtype)
        except (AttributeError, TypeError, ValueError):
            return None
    return None if computed(dtype) is None else dtype


def given_outputs(kwargs: dict[str, Any]) -> tuple[Any, ...]:
    """The arrays given as ``out=``."""
    out = kwargs.get("out")
    return out if isinstance(out, tuple) else (out,)


def computed_on_gpu(call: Any, place: Place, arrays: tuple[Any, ...], values: list[Any], kwargs: dict[str, Any]) -> Any:
    """Compute on a GPU, because arrays are there or the caller says so."""
    common = call.title, call.spec, call.kind, call.arrays
    if place is Place.THERE:
        with gpu(place) as there:
            return there.elementwise(*common, arrays, values, kwargs)
    arrays, values = tuple(map(taken, arrays)), list(map(taken, values))
    given = [*arrays, *(v for v in values if not _weak(v))]
    names = [*call.arrays, *(n for n, v in zip(call.spec.params, values, strict=True) if not _weak(v))]
    dtypes = [dtype_of_argument(call, name, a) for name, a in zip(names, given, strict=True)]
    for name, value, dtype in zip(names, given, dtypes, strict=True):
        if dtype is None or (isinstance(value, np.ndarray) and type(value) is not np.ndarray):
            found = type(value).__name__
            raise TypeError(f"{call.title}: {name} is {found}; device='cuda' takes plain NumPy arrays and numbers")
    with gpu(place) as host:
        dtype = loop_of(given, dtypes, len(arrays))
        return host.elementwise(*common, list(arrays), values, dtype, kwargs)


def _weak(value: Any) -> bool:
    """Whether a value is a Python scalar, which NumPy promotes to the dtype of the others."""
    return type(value) in (float, int, bool)


def dtype_of_argument(call: Any, name: str, value: Any) -> np.dtype[Any] | None:
    """The dtype of an argument, refused if no kernel can take it; None if the argument overrides ufuncs."""
    if type(value) is float:
        return np.dtype("d")
    if not isinstance(value, np.ndarray) and hasattr(value, "__array_ufunc__") and not isinstance(value, np.generic):
        return None
    dtype = value.dtype if isinstance(value, np.ndarray | np.generic) else np.asarray(value).dtype
    if computed(dtype) is None:
        raise TypeError(f"{call.title}: {name} has dtype {dtype}; expected {REAL}")
    return dtype


def bind(call: Any, params: tuple[Any, ...], named: dict[str, Any]) -> list[Any]:
    """The parameters in order, from positions, names and defaults."""
    defaults = call.spec.params
    if len(params) > len(defaults):
        expected = ", ".join([*call.arrays, *defaults])
        raise TypeError(f"{call.title}: too many arguments; expected {expected}")
    values = dict(zip(defaults, params, strict=False))
    for name, value in named.items():
        if name not in defaults and name not in call.arrays:
            more = getattr(call, "keywords", None)  # where the function is another library's
            if more is None:
                more = (*call.spec.variants, "device", *bias_keywords(call), *sorted(_UFUNC_KEYWORDS))
            known = [*call.arrays, *defaults, *more]
            raise unknown_keyword(call.title, name, [k for k in known if k != name])
        if name in values or name in call.arrays:
            raise TypeError(f"{call.title}: {name!r} is given twice, by position and by name")
        values[name] = value
    return [values.get(name, default) for name, default in defaults.items()]


def bias_keywords(call: Any) -> dict[str, Any]:
    """The keywords that add a bias, with their defaults; a parameter may have that name, and there are none then."""
    return {} if "bias" in call.spec.params else BIAS.get(call.arrays, {})


def chosen_variant(title: str, activation: Any, named: dict[str, Any]) -> tuple[Any, dict[str, Any]]:
    """Follow a keyword that selects another activation, gelu's ``approximate="tanh"``: that one, and the other keywords."""
    for keyword, choices in activation.spec.variants.items():
        if keyword in named:
            named = dict(named)
            choice = named.pop(keyword)
            if not isinstance(choice, str) or choice not in choices:
                raise ValueError(f"{title}: {keyword} is {choice!r}; expected one of {', '.join(map(repr, choices))}")
            activation = BY_NAME[choices[choice]]
    return activation, named
