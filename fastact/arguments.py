"""What callers may pass: dtypes, axes, temperatures, masks, outputs, names. A refusal names function and argument.

``title`` is the call, "fastact.softmax.backward". This file knows no function and no target.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Mapping
from operator import index
from typing import Any

import numpy as np

#: The dtype that a call computes for a dtype of NumPy's that it is given, as np.exp does, by its number (a letter may also be
#: that of another package's dtype). What users register comes after these.
LOOPS = {np.dtype(c).num: np.dtype(own) for own, given in {"e": "?bBe", "f": "hHf", "d": "iIlLqQd"}.items() for c in given}
_USERS = 256
_HALF, _SINGLE = np.dtype(np.float16), np.dtype(np.float32)

#: What messages say that arrays may hold.
REAL = "float16, bfloat16, float32, float64, an integer or bool dtype"


#: Which casts NumPy allows, from none to all.
CASTINGS = ("no", "equiv", "safe", "same_kind", "unsafe")


def is_bfloat16(dtype: np.dtype[Any]) -> bool:
    """Whether a dtype is ml_dtypes' bfloat16, or another package's; nothing is imported for that."""
    return dtype.num >= _USERS and dtype.name == "bfloat16"


def computed(dtype: np.dtype[Any]) -> np.dtype[Any] | None:
    """The dtype that a call computes for a dtype that it is given; None: it does not take that."""
    return LOOPS.get(dtype.num, dtype if is_bfloat16(dtype) else None)


def is_computed(dtype: np.dtype[Any]) -> bool:
    """Whether results may have a dtype: float16, bfloat16, float32 or float64."""
    found = computed(dtype)
    return found is not None and found.num == dtype.num


def common_dtype(*dtypes: np.dtype[Any]) -> np.dtype[Any]:
    """The dtype that a call computes for arrays of such dtypes: the widest of what each gives alone.

    bfloat16 is not part of float16 nor the reverse, so that together they give float32; but bools and integers of a byte are
    part of it, as NumPy has it.
    """
    found = [computed(d) for d in dtypes]
    if any(d.num >= _USERS for d in found if d is not None):
        half = [d.num == _HALF.num for d in dtypes]  # in either byte order
        found = [_SINGLE if h else f for h, f in zip(half, found, strict=True) if h or f != _HALF]
    return np.result_type(*found)


def dtype_of(*arrays: np.ndarray) -> np.dtype[Any]:
    """The dtype of the result: float16, bfloat16, float32 or float64, as np.exp chooses it."""
    return common_dtype(*(a.dtype for a in arrays))


def weak(value: Any) -> bool:
    """Whether an argument is a number of Python's, which has no say in the dtype of a result beside anything else."""
    return type(value) in (float, int, bool)


def is_number(value: Any) -> bool:
    """Whether an argument is one real number, of Python's or NumPy's."""
    if isinstance(value, np.generic) and is_bfloat16(value.dtype):
        return True
    return isinstance(value, int | float | np.floating | np.integer) and not isinstance(value, bool)


def dtype_with(dtype: np.dtype[Any], value: Any, array: np.ndarray) -> np.dtype[Any]:
    """A dtype that has been found, promoted by one more argument and the array that it became."""
    return dtype if weak(value) else common_dtype(dtype, array.dtype)


def dtype_of_both(first: Any, second: Any, *arrays: np.ndarray) -> np.dtype[Any]:
    """`dtype_of` the arrays that two arguments became."""
    if weak(first) != weak(second):
        return dtype_of(arrays[weak(first)])
    return dtype_of(*arrays)


def kept_dtype(array: np.ndarray) -> np.dtype[Any]:
    """The dtype of a result that is made of the array's own elements: integers stay what they are."""
    return array.dtype if array.dtype.kind in "iu" else dtype_of(array)


def result_dtype(title: str, dtype: Any, x: np.ndarray, casting: Any = "same_kind") -> np.dtype[Any]:
    """The dtype of the result: what the call asks for, else `dtype_of` x."""
    if dtype is None and casting == "same_kind":
        return dtype_of(x)
    found = dtype_of(x) if dtype is None else np.dtype(dtype)
    if not is_computed(found):
        raise TypeError(f"{title}: dtype is {found}; expected float16, bfloat16, float32 or float64")
    if casting not in CASTINGS:
        raise ValueError(f"{title}: casting is {casting!r}; expected one of {', '.join(map(repr, CASTINGS))}")
    if not np.can_cast(x.dtype, found, casting):
        how = "" if casting == "same_kind" else f" with casting={casting!r}"
        raise TypeError(f"{title}: x has dtype {x.dtype}, which does not cast to {found}{how}")
    return found


def work_dtype(dtype: np.dtype[Any]) -> np.dtype[Any]:
    """The dtype that a result is computed in: float32 for float16 and bfloat16."""
    return np.promote_types(dtype, np.float32)


def taken(value: Any) -> Any:
    """What is computed with: NumPy's own and Python's numbers and what overrides ufuncs as they are, the rest as arrays."""
    if isinstance(value, np.ndarray | np.generic):
        return unpacked(value)
    if isinstance(value, int | float) or hasattr(value, "__array_ufunc__"):
        return value
    return as_array(value)


def as_array(value: Any) -> np.ndarray:
    """An argument as an array: what NumPy takes, or what has DLPack alone."""
    if hasattr(value, "__dlpack__") and not hasattr(value, "__array__"):
        return np.from_dlpack(value)
    return unpacked(np.asarray(value))


def unpacked(array: Any) -> Any:
    """An array; one of a float8 of ml_dtypes as the float32 that its elements are."""
    dtype = array.dtype
    return array.astype(_SINGLE) if dtype.num >= _USERS and dtype.name.startswith("float8_") else array


def narrowed(result: np.ndarray, dtype: np.dtype[Any]) -> np.ndarray:
    """A result in its dtype; what float16 cannot hold is infinite without a warning, as in elementwise kernels."""
    if result.dtype == dtype:
        return result
    with np.errstate(over="ignore", invalid="ignore"):
        if is_bfloat16(dtype) and result.dtype == np.float64:
            result = _odd(result)
        return result.astype(dtype)


def _odd(wide: np.ndarray) -> np.ndarray:
    """float64 as float32 whose last bit is set where it is inexact, so that it rounds to bfloat16 as the original does."""
    single = wide.astype(_SINGLE)
    near = np.where(np.abs(single) > np.abs(wide), np.nextafter(single, _SINGLE.type(0)), single)
    return np.where(near == wide, near, (near.view(np.uint32) | 1).view(_SINGLE))


def stored(out: np.ndarray, result: np.ndarray) -> np.ndarray:
    """The output array, which `check_out` has seen, with a result in it."""
    if result is not out:
        with np.errstate(over="ignore"):
            np.copyto(out, narrowed(result, out.dtype) if is_bfloat16(out.dtype) else result, casting="unsafe")
    return out


def axes_of(title: str, axis: Any, ndim: int) -> tuple[int, ...]:
    """The axes as a sorted tuple of distinct numbers from 0; None: all. A number may have 0 and -1, as in SciPy."""
    if axis is None:
        return tuple(range(ndim))
    given = axis if isinstance(axis, tuple | list) else (axis,)
    found = []
    for a in given:
        try:
            number = index(a)
        except TypeError:
            raise TypeError(f"{title}: axis is {axis!r}; expected an integer or a tuple of integers") from None
        if ndim == 0 and number in (0, -1):
            return ()
        if not -ndim <= number < ndim:
            raise np.exceptions.AxisError(f"{title}: axis {number} is out of bounds for x of {ndim} dimensions")
        found.append(number % ndim)
    if len(set(found)) < len(found) or not found:
        raise ValueError(f"{title}: axis is {axis!r}; expected one or more different axes")
    return tuple(sorted(found))


def one_axis(title: str, axis: Any, ndim: int) -> int:
    """The number of one axis."""
    found = axes_of(title, axis, ndim)
    if len(found) != 1:
        raise ValueError(f"{title}: axis is {axis!r}; expected one axis")
    return found[0]


def temperature_of(title: str, temperature: Any, name: str = "temperature") -> float:
    """The temperature as a number in the range where its inverse and products with it are exact enough."""
    if isinstance(temperature, np.ndarray) and temperature.ndim == 0:
        temperature = temperature[()]
    if not is_number(temperature):
        raise TypeError(f"{title}: {name} is {temperature!r}; expected a positive number")
    if not 1e-30 <= temperature <= 1e30:
        raise ValueError(f"{title}: {name} is {temperature!r}; expected a number between 1e-30 and 1e30")
    return float(temperature)


def reduced(shape: tuple[int, ...], axes: tuple[int, ...]) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """A shape with axes of length 1 for those of the row, and without them."""
    return tuple(1 if a in axes else n for a, n in enumerate(shape)), tuple(n for a, n in enumerate(shape) if a not in axes)


def row_numbers(title: str, name: str, value: Any, shape: tuple[int, ...], axes: tuple[int, ...], least: Any, most: Any) -> Any:
    """An array with a number for each row, with axes of length 1 for those of the row; an equal number for all as a float.

    It comes broadcast against the shape of x without the axes of the row, or with these axes in their place, of length 1.
    """
    if type(value) is float and least <= value <= most:
        return value
    kind = "expected a positive number, or an array of these"
    if hasattr(value, "__array_ufunc__") and not isinstance(value, np.generic) and type(value) is not np.ndarray:
        raise TypeError(f"{title}: {name} is a {type(value).__name__}; {kind}")
    if isinstance(value, bool) or value is None:
        raise TypeError(f"{title}: {name} is {value!r}; {kind}")
    given = as_array(value)
    if computed(given.dtype) is None or given.dtype == np.bool_:
        raise TypeError(f"{title}: {name} is {value!r}; {kind}")
    given = given.astype(np.float64)
    wrong = given[~((least <= given) & (given <= most))]
    if wrong.size:
        has = "is" if given.ndim == 0 else "has an element"
        raise ValueError(f"{title}: {name} {has} {float(wrong[0])!r}; expected a number between {least:g} and {most:g}")
    if given.ndim == 0:
        return float(given)
    kept, rows = reduced(shape, axes)
    try:
        return np.broadcast_to(given, kept) if given.ndim == len(shape) else np.broadcast_to(given, rows).reshape(kept)
    except ValueError:
        raise ValueError(f"{title}: {name} has shape {given.shape}; expected one that broadcasts to {rows} or {kept}") from None


def inverse_temperature(temperature: Any, work: np.dtype) -> tuple[Any, Any]:
    """1/T in two parts that the working dtype holds, of a number or an array of float64, in the range of a temperature."""
    near = 1.0 / temperature
    if work == np.float32:
        high = np.float64(np.float32(near))
        return high, np.float64(np.float32(near - high))
    parts = []
    for factor in (near, temperature):  # Veltkamp's split: their product exactly
        upper = 134217729.0 * factor
        upper -= upper - factor
        parts.append((upper, factor - upper))
    (a, a_low), (b, b_low) = parts
    left = ((1.0 - a * b) - a * b_low - a_low * b) - a_low * b_low
    return near, left / temperature


def broadcast_mask(title: str, where: Any, shape: tuple[int, ...]) -> np.ndarray:
    """The mask in the shape of x."""
    mask = np.asarray(where)
    if mask.dtype != np.bool_:
        raise TypeError(f"{title}: where has dtype {mask.dtype}; expected bool")
    try:
        return np.broadcast_to(mask, shape)
    except ValueError:
        raise ValueError(f"{title}: where has shape {mask.shape}, which does not broadcast to {shape} of x") from None


def broadcast_grad(title: str, grad: np.ndarray, shape: tuple[int, ...], whose: str = "") -> np.ndarray:
    """The gradient by the output in the output's shape, which is that of an argument, if `whose` says of which."""
    try:
        return np.broadcast_to(grad, shape)
    except ValueError:
        raise ValueError(f"{title}: grad has shape {grad.shape}; expected {shape}{whose}") from None


def broadcast_shape(title: str, arrays: Mapping[str, Any]) -> tuple[int, ...]:
    """The shape that arrays broadcast to; they come by their names."""
    try:
        return np.broadcast_shapes(*(a.shape for a in arrays.values()))
    except ValueError:
        shapes = ", ".join(f"{n} {a.shape}" for n, a in arrays.items())
        raise ValueError(f"{title}: shapes do not broadcast: {shapes}{_per_channel(arrays)}") from None


def _per_channel(arrays: Mapping[str, Any]) -> str:
    """The hint for a parameter that has an element for each channel, where these are the second axis of x, as in torch."""
    x = next((a.shape for n, a in arrays.items() if n in ("x", "y")), ())
    for name, array in arrays.items():
        if len(x) > 2 and array.shape == x[1:2]:
            shape = (-1, *[1] * (len(x) - 2))
            return f"; for a {name} per channel along axis 1: {name}.reshape{shape}"
    return ""


def check_out(title: str, out: Any, shape: tuple[int, ...], dtype: np.dtype, casting: Any = "same_kind") -> np.ndarray:
    """The output array, refused unless it can take the result."""
    if isinstance(out, tuple) and len(out) == 1:
        out = out[0]
    if not isinstance(out, np.ndarray):
        raise TypeError(f"{title}: out is a {type(out).__name__}; expected a numpy.ndarray")
    if out.shape != shape:
        raise ValueError(f"{title}: out has shape {out.shape}; expected {shape}")
    if not np.can_cast(dtype, out.dtype, casting):
        raise TypeError(f"{title}: out has dtype {out.dtype}; expected {dtype} or one that it casts to")
    if not out.flags.writeable:
        raise ValueError(f"{title}: out is read-only")
    return out


#: What other libraries call a keyword, and what it is here.
ELSEWHERE = {
    "dim": "axis", "dims": "axis", "keepdim": "keepdims", "inplace": "out=x", "in_place": "out=x", "mask": "where",
    "input": "x",
}  # fmt: skip


def unknown_keyword(title: str, name: str, known: Iterable[str]) -> TypeError:
    """The error for a keyword that a call does not have; it names ours where other libraries have another word."""
    known = list(known)
    ours = ELSEWHERE.get(name, "")
    near = [ours] if ours.partition("=")[0] in known else difflib.get_close_matches(name, known, n=1)
    hint = f"; did you mean {near[0]}?" if near else ""
    return TypeError(f"{title}: unexpected keyword {name!r}{hint}; known are {', '.join(known)}")


def folded(name: str) -> str:
    """A name without what spellings differ in."""
    return name.lower().replace("_", "").replace("-", "").replace(" ", "")


def look_up(title: str, name: Any, known: Mapping[str, Any]) -> Any:
    """What a name stands for in a table of `folded` names.

    Raises
    ------
    TypeError, ValueError
        If it is no string, or stands for nothing; the message suggests near names.
    """
    if not isinstance(name, str):
        raise TypeError(f"{title}: name must be a str, got {type(name).__name__}")
    found = known.get(folded(name))
    if found is None:
        near = [known[n] for n in difflib.get_close_matches(folded(name), known, n=3)]
        names = dict.fromkeys(getattr(f, "__name__", None) or f.name for f in near)
        hint = f"; did you mean {' or '.join(names)}?" if near else ""
        raise ValueError(f"{title}: there is no activation {name!r}{hint}")
    return found
