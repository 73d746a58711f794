"""The general path of elementwise calls: whatever NumPy accepts, ending in the real ufunc.

Plain arrays do not come here (``cpu/call.pyx``). What does is named in errors, its parameters' dtype is settled, and then
either a GPU, all threads (large arrays of any layout) or the ufunc computes. No arithmetic stands here.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from ..arguments import LOOPS
from ..cpu.buffers import keeping
from ..cpu.call import SPREAD_FROM, is_redirected
from ..cpu.layouts import spread
from ..dispatch import Place, gpu, place_of
from .registry import BY_NAME

_UFUNC_KEYWORDS = {"out", "where", "casting", "order", "dtype", "subok", "signature"}


def general(call: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    """Call the ufunc with whatever NumPy accepts."""
    spec = call.spec
    if spec.variants:
        call, kwargs = _variant(call, kwargs)
        spec = call.spec
    device = None
    if "device" in kwargs:
        kwargs = dict(kwargs)
        device = kwargs.pop("device")
    nin = call.ufunc.nin - len(spec.params)
    if len(args) < nin:
        names = call.arrays
        raise TypeError(f"{call.title}: missing argument {names[len(args)]!r}; expected {', '.join(names)}")
    arrays, params = args[:nin], args[nin:]
    named = {k: kwargs.pop(k) for k in [k for k in kwargs if k not in _UFUNC_KEYWORDS]}
    values = bind(call, params, named)
    place = place_of(call.title, device, (*arrays, *values, *_outputs(kwargs)))
    if place is not Place.CPU:
        return _on_gpu(call, place, arrays, values, kwargs)
    if is_redirected() and (found := call.direct(args, {**kwargs, **named})) is not None:
        return found
    dtypes = [_dtype(call, name, a) for name, a in zip([*call.arrays, *spec.params], [*arrays, *values], strict=True)]
    ufunc = call.ufunc
    plain = all(d is not None for d in dtypes)
    if plain and not kwargs.keys() - {"out"} and (found := _spread(call, [*arrays, *values], dtypes, kwargs.get("out"))):
        return found[0] if ufunc.nout == 1 else found
    if values and plain and all(map(_weak, values)) and not {"dtype", "signature"} & kwargs.keys():
        # Python scalars have no say in the dtype; float16 arrays take them as float32.
        loop = _loop(arrays, dtypes)
        param = "f" if loop == "e" else loop
        kwargs["signature"] = loop * nin + param * len(values) + "->" + loop * ufunc.nout
        ufunc = call.mixed_ufunc if loop == "e" else ufunc
    return keeping(ufunc, *arrays, *values, **kwargs)


def _spread(call: Any, arrays: list[Any], dtypes: list[Any], out: Any) -> tuple[Any, ...] | None:
    """Compute a large result on all threads whatever the layouts and dtypes; None for what is left to the ufunc."""
    if math.prod(getattr(a, "size", 1) for a in arrays) < SPREAD_FROM:
        return None
    nout = call.ufunc.nout
    outputs = [None] * nout if out is None else list(out) if isinstance(out, tuple) else [out]
    given = [a for a in [*arrays, *outputs] if a is not None and not _weak(a)]
    try:
        if np.broadcast(*given).size < SPREAD_FROM or len(outputs) != nout:
            return None
    except ValueError:  # which the ufunc says better
        return None
    if not all(type(a) is np.ndarray and a.dtype.isnative and a.flags.aligned for a in given):
        return None
    weak = [_weak(a) for a in arrays[call.ufunc.nin - len(call.spec.params) :]]
    dtype = np.dtype(_loop(tuple(arrays), dtypes))
    if any(o is not None and o.dtype != dtype for o in outputs) or (dtype == "e" and any(weak) and not all(weak)):
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


def _loop(arrays: tuple[Any, ...], dtypes: list[Any]) -> str:
    """The type character of the loop for arrays of these dtypes."""
    return LOOPS[np.result_type(*(a if _weak(a) else d for a, d in zip(arrays, dtypes, strict=False))).char]


def _outputs(kwargs: dict[str, Any]) -> tuple[Any, ...]:
    """The arrays given as ``out=``."""
    out = kwargs.get("out")
    return out if isinstance(out, tuple) else (out,)


def _on_gpu(call: Any, place: Place, arrays: tuple[Any, ...], values: list[Any], kwargs: dict[str, Any]) -> Any:
    """Compute on a GPU, because arrays are there or the caller says so."""
    common = call.title, call.spec, call.kind, call.arrays
    if place is Place.THERE:
        with gpu(place) as there:
            return there.elementwise(*common, arrays, values, kwargs)
    given = [*arrays, *(v for v in values if not _weak(v))]
    names = [*call.arrays, *(n for n, v in zip(call.spec.params, values, strict=True) if not _weak(v))]
    dtypes = [_dtype(call, name, a) for name, a in zip(names, given, strict=True)]
    for name, value, dtype in zip(names, given, dtypes, strict=True):
        if dtype is None or (isinstance(value, np.ndarray) and type(value) is not np.ndarray):
            found = type(value).__name__
            raise TypeError(f"{call.title}: {name} is {found}; device='cuda' takes plain NumPy arrays and numbers")
    with gpu(place) as host:
        return host.elementwise(*common, list(arrays), values, np.dtype(_loop(tuple(given), dtypes)), kwargs)


def _weak(value: Any) -> bool:
    """Whether a value is a Python scalar, which NumPy promotes to the dtype of the others."""
    return type(value) in (float, int, bool)


def _dtype(call: Any, name: str, value: Any) -> np.dtype[Any] | None:
    """The dtype of an argument, refused if no kernel can take it; None if the argument overrides ufuncs."""
    if type(value) is float:
        return np.dtype("d")
    if not isinstance(value, np.ndarray) and hasattr(value, "__array_ufunc__") and not isinstance(value, np.generic):
        return None
    dtype = value.dtype if isinstance(value, np.ndarray | np.generic) else np.asarray(value).dtype
    if dtype.char not in LOOPS:
        raise TypeError(
            f"{call.title}: {name} has dtype {dtype}; expected float16, float32, float64, an integer or bool dtype"
        )
    return dtype


def bind(call: Any, params: tuple[Any, ...], named: dict[str, Any]) -> list[Any]:
    """The parameters in order, from positions, names and defaults."""
    defaults = call.spec.params
    if len(params) > len(defaults):
        expected = ", ".join([*call.arrays, *defaults])
        raise TypeError(f"{call.title}: too many arguments; expected {expected}")
    values = dict(zip(defaults, params, strict=False))
    for name, value in named.items():
        if name not in defaults:
            known = ", ".join([*defaults, *sorted(_UFUNC_KEYWORDS)])
            raise TypeError(f"{call.title}: unexpected keyword {name!r}; known are {known}")
        if name in values:
            raise TypeError(f"{call.title}: {name!r} is given twice, by position and by name")
        values[name] = value
    return [values.get(name, default) for name, default in defaults.items()]


def _variant(call: Any, kwargs: dict[str, Any]) -> tuple[Any, dict[str, Any]]:
    """Follow a keyword that selects another activation: gelu's ``approximate="tanh"``."""
    for keyword, choices in call.spec.variants.items():
        if keyword in kwargs:
            kwargs = dict(kwargs)
            choice = kwargs.pop(keyword)
            if not isinstance(choice, str) or choice not in choices:
                raise ValueError(f"{call.title}: {keyword} is {choice!r}; expected one of {', '.join(map(repr, choices))}")
            target = BY_NAME[choices[choice]]
            return target if call.kind == "value" else getattr(target, call.kind), kwargs
    return call, kwargs
