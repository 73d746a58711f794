"""The type stubs, from the registry and the signatures; tools/generate.py writes them.

Functions that are called alike share a class. Its methods are lists of overloads: a case says what is special of some
arguments and what comes back then; all else is read off the signature.
"""

import inspect
from collections.abc import Iterable, Iterator
from inspect import Parameter

from fastact import ufuncs
from fastact.functions.base import Function
from fastact.functions.elementwise import signature
from fastact.functions.gated import FUNCTIONS as GATED
from fastact.functions.gated import GatedUnit
from fastact.functions.pieces import FUNCTIONS as PIECES
from fastact.functions.rowwise import FUNCTIONS as ROWWISE
from fastact.functions.rowwise import RowFunction
from fastact.functions.stochastic import FUNCTIONS as STOCHASTIC
from fastact.language.kinds import ARRAYS, kinds, outputs
from fastact.language.registry import REGISTRY, Spec

#: Types of arguments by name, and the type of the result. An argument may be left out if its type ends in ``=``.
Case = tuple[dict[str, str], str]

HEAD = '''\
"""Types of the public names; written by tools/generate.py, do not edit.

Classes whose names begin with an underscore are not there at run time. Arrays of no dimension are taken for arrays, though
what comes back for them is a NumPy scalar.
"""
# np.float64 is a float to type checkers, and decides the dtype of a result as a float does not.
# mypy: disable-error-code="overload-overlap"

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import (
    Any,
    Literal,
    NamedTuple,
    Never,
    Protocol,
    Self,
    SupportsIndex,
    TypeAlias,
    TypedDict,
    TypeVar,
    Unpack,
    overload,
    type_check_only,
)

import numpy as np
from numpy.typing import NDArray

from . import cuda as cuda
from . import numba as numba
from . import ufuncs as ufuncs

__version__: str

_T = TypeVar("_T")

# Classes rather than unions, for the sake of what type checkers print.

@type_check_only
class _RealArray(Protocol):  # of NumPy, pandas, xarray, dask, torch, jax, ...; NumPy's numbers too
    def __array__(self) -> np.ndarray[Any, np.dtype[np.floating[Any] | np.integer[Any] | np.bool]]: ...

@type_check_only
class _BoolArray(Protocol):
    def __array__(self) -> np.ndarray[Any, np.dtype[np.bool]]: ...

@type_check_only
class _OnGpu(Protocol):
    @property
    def __cuda_array_interface__(self) -> Any: ...

@type_check_only
class _Lazy(Protocol):
    def __dask_graph__(self) -> Any: ...

@type_check_only
class _Writable(Protocol):
    def __array__(self) -> np.ndarray[Any, Any]: ...
    def __setitem__(self, key: Any, value: Any, /) -> None: ...

@type_check_only
class _PythonFloat(Protocol):  # which an int is not
    def hex(self) -> str: ...
    def is_integer(self) -> bool: ...

_Rows: TypeAlias = Sequence[_T] | Sequence[Sequence[_T]]
_Nested: TypeAlias = _Rows[_T] | Sequence[Sequence[_Rows[_T]]]
_Floats: TypeAlias = np.ndarray[Any, np.dtype[np.floating[Any]]]
_Integers: TypeAlias = np.ndarray[Any, np.dtype[np.integer[Any] | np.bool]]
_Double: TypeAlias = np.float64 | NDArray[np.float64]
_Scalar: TypeAlias = float | np.floating[Any] | np.integer[Any] | np.bool
_Several: TypeAlias = _RealArray | _Nested[float | _RealArray] | _OnGpu | _Lazy
_Real: TypeAlias = float | _Several
_NoInt: TypeAlias = _PythonFloat | _Several  # a second array, not the axis of the only one
_Bools: TypeAlias = bool | _BoolArray | _Nested[bool]
_Out: TypeAlias = _Writable | _OnGpu
_Axes: TypeAlias = SupportsIndex | tuple[SupportsIndex, ...] | list[int] | None
_Rng: TypeAlias = np.random.Generator | int | np.integer[Any] | None
_Device: TypeAlias = Literal["cpu", "cuda"] | None

_M = TypeVar("_M", bound=np.ma.MaskedArray[Any, np.dtype[np.floating[Any]]])
_F = TypeVar("_F", np.float16, np.float32, np.float64)
_O = TypeVar("_O", bound=_Out)
_O2 = TypeVar("_O2", bound=_Out)

_Casting: TypeAlias = Literal["no", "equiv", "safe", "same_kind", "unsafe"]
_Dtype: TypeAlias = type[_F] | np.dtype[_F]
_AnyDtype: TypeAlias = type[np.floating[Any] | np.integer[Any] | np.bool | float] | np.dtype[Any] | str
# NDArray[Any] and NDArray[np.floating[Any]] are these too, but no array that functions take is, if its dtype is known. So
# overloads of these stand first.
_Unknown: TypeAlias = np.longdouble | NDArray[np.longdouble]
_Weak: TypeAlias = float | _F | NDArray[_F]  # does not change the dtype of an array of _F

@type_check_only
class _OfUfuncs(TypedDict, total=False):
    where: _Bools
    casting: _Casting
    order: Literal["K", "A", "C", "F"]
    subok: bool

@type_check_only
class _Keywords(_OfUfuncs, total=False):
    signature: str | tuple[Any, ...]
    device: _Device

class Function:
    __name__: str
    __qualname__: str
    aliases: tuple[str, ...]
    summary: str
    latex: str
    notes: str
    reference: str
    range: tuple[str, ...]
    family: str
    def __call__(self, *args: Any, **kwargs: Any) -> Any: ...

@type_check_only
class _Kind:
    __name__: str
    __qualname__: str
    @property
    def ufunc(self) -> np.ufunc: ...
    def __call__(self, *args: Any, **kwargs: Any) -> Any: ...
    def low_level(self, *params: float, **named: float) -> Any: ...

@type_check_only
class _Kink(NamedTuple):
    x: float
    value: float
    derivative: float
    values: tuple[float, float]
    derivatives: tuple[float, float]
    @property
    def jumps(self) -> bool: ...

@type_check_only
class _Extremum(NamedTuple):
    kind: Literal["minimum", "maximum"]
    x: float
    value: float

class Info:
    name: str
    aliases: tuple[str, ...]
    family: str
    summary: str
    formula: str
    parameters: dict[str, float]
    trained: tuple[str, ...]
    domain: tuple[float, float]
    range: tuple[float, float]
    limits: tuple[float, float]
    slopes: tuple[float, float]
    asymptotes: tuple[tuple[float, float] | None, tuple[float, float] | None]
    at_zero: float
    mean: float
    zero_centred: bool
    monotonic: bool
    saturates: tuple[{saturates}, {saturates}]
    saturated: tuple[float, float]
    smoothness: {smoothness}
    kinks: tuple[_Kink, ...]
    extrema: tuple[_Extremum, ...]
    lipschitz: float
    operations: int
    cost: float
    reference: str
    def record(self) -> dict[str, Any]: ...

_Wanted: TypeAlias = _T | Callable[[_T], object]

@type_check_only
class _Conditions(TypedDict, total=False):
    family: _Wanted[str]
    parameters: _Wanted[dict[str, float]] | bool
    trained: _Wanted[tuple[str, ...]] | bool
    domain: _Wanted[tuple[float, float]]
    range: _Wanted[tuple[float, float]]
    limits: _Wanted[tuple[float, float]]
    slopes: _Wanted[tuple[float, float]]
    asymptotes: _Wanted[tuple[tuple[float, float] | None, tuple[float, float] | None]]
    at_zero: _Wanted[float]
    mean: _Wanted[float]
    zero_centred: _Wanted[bool]
    monotonic: _Wanted[bool]
    saturated: _Wanted[tuple[float, float]]
    smoothness: _Wanted[{smoothness}]
    kinks: _Wanted[tuple[_Kink, ...]] | bool
    extrema: _Wanted[tuple[_Extremum, ...]] | bool
    lipschitz: _Wanted[float]
    operations: _Wanted[int]
    cost: _Wanted[float]

class Activation(Function, _Kind):
    @property
    def info(self) -> Info: ...
    derivative: _Kind
    value_and_derivative: _Kind
    backward: _Kind
    backward_from_output: _Kind | None
    second_derivative: _Kind | None
    params: dict[str, float]
    limits: tuple[str, str]
    slopes: tuple[str, str]
    kinks: tuple[Any, ...]
    monotonic: bool
    zero_centred: bool
    saturates: tuple[{saturates}, {saturates}]
    smoothness: {smoothness}
    def __call__(self, x: _Real, *args: Any, **kwargs: Any) -> Any: ...
    def parameter_gradients(self, grad: _Real, x: _Real, *args: Any, **kwargs: Any) -> dict[str, Any]: ...
    def backward_backward(
        self, grad_grad: _Real, grad: _Real, x: _Real, *params: _Real, out: tuple[Any, Any] | None = None,
        device: _Device = None, **named: Any,
    ) -> tuple[Any, Any]: ...
    def plot(
        self, *, derivative: bool = True, ax: Any = None, xlim: tuple[float, float] | None = None, marks: bool = True,
        **parameters: float | Sequence[float] | str,
    ) -> Any: ...

class DefinedActivation(Activation):
    source: str
    second_derivative: Any  # or None, by the formula

class RowFunction(Function):
    @property
    def on_gpu(self) -> bool: ...
    @property
    def ufunc(self) -> np.ufunc | None: ...
    def __call__(self, x: _Real, *args: Any, **kwargs: Any) -> Any: ...
    def backward(self, grad: _Real, *args: Any, **kwargs: Any) -> Any: ...

class GatedUnit(Function):
    activation: str
    gate: Literal["first", "second"]
    @property
    def ufunc(self) -> np.ufunc: ...
    def __call__(self, a: _Real, *args: Any, **kwargs: Any) -> Any: ...
    def backward(self, grad: _Real, a: _Real, *args: Any, **kwargs: Any) -> Any: ...

class device:
    name: Literal["cpu", "cuda"]
    def __init__(self, name: Literal["cpu", "cuda"]) -> None: ...
    def __enter__(self) -> Self: ...
    def __exit__(self, *_: object) -> None: ...

class num_threads:
    def __init__(self, n: SupportsIndex) -> None: ...
    def __enter__(self) -> Self: ...
    def __exit__(self, *_: object) -> None: ...

_Layer: TypeAlias = tuple[_Real, _Real, str | Activation]

class Diagnosis:
    function: Activation
    params: dict[str, Any]
    saturation: float
    edges: tuple[Any, Any]
    batch: int
    units: int
    dead: NDArray[np.bool]
    inactive: NDArray[np.float64]
    left: NDArray[np.float64]
    right: NDArray[np.float64]
    mean: NDArray[np.float64]
    variance: NDArray[np.float64]
    power: NDArray[np.float64]
    nan: NDArray[np.int64]
    inf: NDArray[np.int64]
    overflow: NDArray[np.int64]
    overall: dict[str, Any]
    sample: tuple[NDArray[Any], NDArray[Any], NDArray[Any]]
    def plot(self, axes: Sequence[Any] | None = None) -> Any: ...

class Monitor:
    function: Activation
    axis: _Axes
    saturation: float
    def __init__(
        self, function: str | Activation, axis: _Axes = 0, *, saturation: float = ..., approximate: str = ..., **params: _Real
    ) -> None: ...
    def update(self, z: _Real) -> Self: ...
    def result(self) -> Diagnosis: ...
    def reset(self) -> Self: ...

class GradientFlow:
    names: tuple[str, ...]
    sizes: NDArray[np.float64]
    ratios: NDArray[np.float64]
    slopes: NDArray[np.float64] | None
    weights: NDArray[np.float64] | None
    inactive: NDArray[np.float64] | None
    vanishing: tuple[str, ...]
    exploding: tuple[str, ...]
    verdict: str
    def plot(self, ax: Any = None) -> Any: ...

def activations() -> list[str]: ...
def clear_cache() -> None: ...
@overload
def define(
    formula: str | Callable[..., Any], /, *, params: Mapping[str, float] | None = None, name: str | None = None,
    alias: str | Sequence[str] = (), latex: str = "", notes: str = "", reference: str = "", cache: bool = False,
) -> DefinedActivation: ...
@overload
def define(
    *, params: Mapping[str, float] | None = None, name: str | None = None, alias: str | Sequence[str] = (), latex: str = "",
    notes: str = "", reference: str = "", cache: bool = False,
) -> Callable[[Callable[..., Any]], DefinedActivation]: ...
def get_include() -> str: ...
def diagnose(
    z: _Real, function: str | Activation, axis: _Axes = 0, *, saturation: float = ..., approximate: str = ..., **params: _Real
) -> Diagnosis: ...
def find(
    *,
    saturates: {saturates} | tuple[{saturates}, {saturates}] | Callable[[tuple[str, str]], object] | None = None,
    **conditions: Unpack[_Conditions],
) -> list[str]: ...
def get_num_threads() -> int: ...
def gradient_flow(
    layers: Sequence[_Real | _Layer] | Mapping[str, _Real | _Layer], *, grad: _Real | None = None, rng: _Rng = 0
) -> GradientFlow: ...
def init_gain(function: str | Activation, *, approximate: str = ..., **params: _Scalar) -> float: ...
def last_target() -> Literal["cpu", "cuda"]: ...
def plot(
    *functions: str | Activation, derivative: bool = True, ax: Any = None, xlim: tuple[float, float] | None = None,
    marks: bool = True, **parameters: float | Sequence[float] | str,
) -> Any: ...
def plot_all(
    functions: Iterable[str | Activation] | None = None, *, derivative: bool = True, columns: int = 9, figure: Any = None
) -> Any: ...
@overload
def properties(
    functions: Iterable[str | Activation] | None = None, *, as_frame: Literal[False] = False
) -> list[dict[str, Any]]: ...
@overload
def properties(functions: Iterable[str | Activation] | None = None, *, as_frame: Literal[True]) -> Any: ...
def set_cache_limit(limit: SupportsIndex) -> None: ...
def set_num_threads(n: SupportsIndex) -> None: ...
def show_config() -> None: ...
'''

#: Types of arguments where a case says nothing else; others are flags, numbers or arrays.
TYPES = {
    "out": "_Out | tuple[_Out] | None", "dtype": "_AnyDtype | None", "where": "_Bools", "device": "_Device", "rng": "_Rng",
    "pieces": "SupportsIndex", "axis": "SupportsIndex", "tau": "_Scalar", "lower": "_Scalar", "upper": "_Scalar",
    "slopes": "_Real", "casting": "_Casting",
}  # fmt: skip
#: Arguments that have a say in the dtype of the result.
DECISIVE = ("grad", "x", "y", "a", "b", "soft")
#: What comes back beside the result if a flag says so.
SECOND = {"return_index": "NDArray[np.signedinteger[Any]]", "return_soft": "same"}
#: A type with {D} stands for three, for there is a case for each dtype: with a type variable mypy takes a result that is
#: assigned to a wrong type for the Any of the last case.
ARRAY, DOUBLE, INTEGERS = "NDArray[{D}]", "NDArray[np.float64]", "_Integers | _Nested[int]"
GRAD = "{D} | NDArray[{D}]"
UNKNOWN = "NDArray[np.longdouble]"
UNASKED = {"out": "None=", "dtype": "None="}
#: Results of which nothing is known, so that any arguments may lead there.
LOOSE = ("Any", "NDArray[Any]", "tuple[Any, Any]", "dict[str, Any]", "dict[str, NDArray[Any]]", "dict[str, np.float64]")
#: Of a parameter beside what decides the dtype by itself.
ANY = "float | np.floating[Any] | _Floats="
#: Of a bias, unless that is a parameter of the function.
BIAS = {"bias": "NDArray[{D}] | None="}


def loose(p: Parameter) -> str:
    """The type of an argument of which a call may say anything that is right."""
    found = "bool" if isinstance(p.default, bool) else TYPES.get(p.name, "_Real")
    found += " | None" if p.default is None and not found.endswith("None") and found not in ("_Device", "_Rng") else ""
    return found if p.default is p.empty else found + "="


def neutral(p: Parameter) -> str:
    """The type of an argument that changes nothing of what a case says of the others."""
    if p.name in ("out", "dtype") or (p.name in (*DECISIVE, "bias") and p.default is None):
        return "None="
    if p.name.startswith("return_"):
        return "Literal[False]="
    if p.name in TYPES or p.default is p.empty or isinstance(p.default, bool):
        return loose(p)
    return "float | None=" if p.default is None else "float="


def texts(given: list[Parameter], types: dict[str, str], tail: str) -> list[str]:
    """The parameters of an overload: one text, or two where what has to be given follows what may be left out."""
    needed = [not types[p.name].endswith("=") for p in given]
    here = [p.kind is not p.KEYWORD_ONLY for p in given]
    late = next((i for i in range(1, len(given)) if here[i] and needed[i] and not all(needed[:i])), None)
    if late is None:
        return [text(given, types, tail)]
    by_position = {p.name: types[p.name].removesuffix("=") for p in given[:late]}
    by_name = [p.replace(kind=p.KEYWORD_ONLY) if i >= late else p for i, p in enumerate(given)]
    return [text(given, types | by_position, tail), text(by_name, types, tail)]


def text(given: list[Parameter], types: dict[str, str], tail: str) -> str:
    """The parameters of an overload, of these types."""
    parts = ["self"]
    for p in given:
        if p.kind is p.KEYWORD_ONLY and "*" not in parts:
            parts.append("*")
        default = repr(p.default) if isinstance(p.default, bool | int | float | str | None) else "..."
        kind = types[p.name]
        parts.append(f"{p.name}: {kind[:-1]} = {default}" if kind.endswith("=") else f"{p.name}: {kind}")
    return ", ".join([*parts, *([tail] if tail else [])])


def method(name: str, given: list[Parameter], cases: Iterable[Case], own: dict[str, str], tail: str = "") -> list[str]:
    """The lines of a method; `own` are types of arguments that hold in all cases."""
    found: dict[str, str] = {}
    for special, result in (each for case in cases for each in for_each_dtype(*case)):
        base = {p.name: own.get(p.name) or (loose(p) if result in LOOSE else neutral(p)) for p in given}
        for line in texts(given, base | special, tail):
            found.setdefault(line, result)
    mark = ["    @overload"] if len(found) > 1 else []
    return [part for line, result in found.items() for part in (*mark, f"    def {name}({line}) -> {result}: ...")]


def for_each_dtype(special: dict[str, str], result: str) -> Iterator[Case]:
    """The case, or three of it."""
    for dtype in ("np.float16", "np.float32", "np.float64") if "{D}" in "".join([*special.values(), result]) else ("",):
        yield {n: t.replace("{D}", dtype) for n, t in special.items()}, result.replace("{D}", dtype)


def class_text(name: str, bases: str, lines: list[str]) -> list[str]:
    """The lines of a class that is not there at run time."""
    return ["", "@type_check_only", f"class {name}({bases}):", *lines]


# ---------------------------------------------------------------------------------------------------
# Elementwise
# ---------------------------------------------------------------------------------------------------


def deciding(arrays: dict[str, str], params: list[str], kind: str, result: str) -> Iterator[Case]:
    """A parameter of float64 beside anything."""
    for p in params:
        yield {**arrays, **dict.fromkeys(params, ANY), p: kind}, result


def unknown(arrays: list[str], params: list[str], result: str) -> Iterator[Case]:
    """What comes back where nothing is known of the dtype of an argument."""
    for name in [*arrays, *params]:
        yield {name: "_Unknown", **UNASKED}, result


def of_one(params: list[str]) -> Iterator[Case]:
    """Overloads of what takes x: value and derivative."""
    yield {"x": UNKNOWN, **UNASKED}, "NDArray[Any]"
    yield from unknown(["x"], params, "Any")
    yield from deciding({"x": "_Floats"}, params, "_Double", DOUBLE)
    yield from deciding({"x": "np.floating[Any]"}, params, "np.float64", "np.float64")
    yield {"x": "_M"}, "_M"
    yield {"x": ARRAY, **BIAS, **dict.fromkeys(params, "_Weak[{D}]=")}, ARRAY
    yield {"x": "_F", **dict.fromkeys(params, "float | _F=")}, "_F"
    yield {"x": "int", **UNASKED}, "Any"
    yield {"x": INTEGERS, **UNASKED}, "NDArray[Any]"
    yield {"x": "float"}, "np.float64"
    yield {"x": "_Nested[float]"}, DOUBLE
    yield {"x": "_Scalar", "dtype": "_Dtype[_F]", **dict.fromkeys(params, "_Scalar=")}, "_F"
    yield {"x": "_Floats | _Integers | _Nested[float]", "dtype": "_Dtype[_F]", **dict.fromkeys(params, "_Real=")}, "NDArray[_F]"


def of_two(params: list[str], first: str, second: str) -> Iterator[Case]:
    """Overloads of what takes a gradient and an array: backward and backward_from_output."""
    anything = dict.fromkeys(params, ANY)
    yield from unknown([first, second], params, "Any")
    yield {first: "_Double", second: "_Floats", **anything}, DOUBLE
    yield {first: "_Floats", second: "_Double", **anything}, DOUBLE
    yield from deciding({first: "float | np.floating[Any] | _Floats", second: "_Floats"}, params, "_Double", DOUBLE)
    arrays = {first: "_Weak[{D}]", second: ARRAY, **BIAS, **dict.fromkeys(params, "_Weak[{D}]=")}
    yield arrays, ARRAY
    if second == "x" and "bias" not in params:
        yield {**arrays, "bias": "NDArray[{D}]", "return_bias_grad": "Literal[True]"}, f"tuple[{ARRAY}, {ARRAY}]"
    yield {first: "NDArray[_F]", second: "float | _F", **dict.fromkeys(params, "_Weak[_F]=")}, "NDArray[_F]"
    yield {first: "_F", second: "_F", **dict.fromkeys(params, "float | _F=")}, "_F"
    yield {first: "int", second: "int", **UNASKED}, "Any"
    yield {first: "float", second: "float"}, "np.float64"
    yield {first: "_Real", second: "_Floats | _Integers", "dtype": "_Dtype[_F]", **dict.fromkeys(params, "_Real=")}, "NDArray[_F]"


def kind_lines(spec: Spec, kind: str) -> list[str]:
    """``__call__`` of a kind of an activation."""
    arrays, params = ARRAYS[kind], list(spec.params)
    keywords = ("where", "casting", "order", "subok", "device")
    given = [p for p in signature(spec, arrays).parameters.values() if p.name not in keywords]
    own = {name: f"Literal[{', '.join(map(repr, choices))}]=" for name, choices in spec.variants.items()}
    cases = list(of_one(params) if len(arrays) == 1 else of_two(params, *arrays))
    out = {**dict.fromkeys(arrays, "_Real"), "bias": "_Real | None=", **dict.fromkeys(params, "_Real=")}
    out["dtype"] = "_AnyDtype | None="
    if outputs(kind) == 1:
        cases += [({**out, "out": "_O | tuple[_O]"}, "_O"), ({}, "Any")]
    else:
        cases = [(special, f"tuple[{result}, {result}]") for special, result in cases]
        cases += [({**out, "out": "tuple[_O, _O2]"}, "tuple[_O, _O2]")]
        cases += [({"out": "tuple[_Out | None, _Out | None] | None="}, "tuple[Any, Any]")]
    return method("__call__", given, cases, own, "**keywords: Unpack[_Keywords]")


def gradients_lines(spec: Spec) -> list[str]:
    """``parameter_gradients`` of an activation."""
    params = list(spec.params)
    if not params:
        text = "    def parameter_gradients(self, grad: Never, x: Never) -> dict[str, Any]: ..."
        return [text + "  # type: ignore[override]  # there are none"]
    given = list(signature(spec, ("grad", "x")).parameters.values())[: 2 + len(params)]
    cases: list[Case] = [
        *unknown(["grad", "x"], params, "dict[str, Any]"),
        *deciding({"grad": "_Real", "x": "_Real"}, params, "np.float64", "dict[str, Any]"),
        ({"grad": GRAD, "x": ARRAY}, "dict[str, {D}]"),
        *([({"grad": GRAD, "x": ARRAY, params[0]: ARRAY}, f"dict[str, {ARRAY}]")] if len(params) == 1 else []),
        ({}, "dict[str, Any]"),
    ]
    return method("parameter_gradients", given, cases, {})


def elementwise() -> Iterator[tuple[str, list[str], list[str]]]:
    """The classes of the activations: name, text, and the functions that are called so."""
    groups: dict[str, list[Spec]] = {}
    for spec in REGISTRY.values():
        groups.setdefault(repr((spec.params, spec.variants)), []).append(spec)
    for specs in groups.values():
        spec = specs[0]
        stem = "_" + "".join(p.title().replace("_", "") for p in [*spec.params, *spec.variants])
        if stem == "_":
            stem = "_Plain"
        lines = class_text(f"{stem}Call", "_Kind", kind_lines(spec, "value"))
        for kind, name in (("value_and_derivative", "Pair"), ("backward", "Backward")):
            lines += class_text(stem + name, "_Kind", kind_lines(spec, kind))
        attributes = [f"    derivative: {stem}Call", f"    value_and_derivative: {stem}Pair", f"    backward: {stem}Backward"]
        attributes += [f"    second_derivative: {stem}Call"] if all(s.second for s in specs) else []
        inverse = [s for s in specs if s.inverse]
        if inverse:
            lines += class_text(f"{stem}FromOutput", "_Kind", kind_lines(spec, "backward_from_output"))
        for chosen, name, there in (
            (inverse, "Invertible", f"{stem}FromOutput"), ([s for s in specs if not s.inverse], "Activation", "None"),
        ):  # fmt: skip
            if chosen:
                body = [*attributes, f"    backward_from_output: {there}", *gradients_lines(spec)]
                lines += class_text(stem + name, f"{stem}Call, Activation", body)
                yield stem + name, lines, [n for s in chosen for n in (s.name, *s.alias)]
                lines = []


# ---------------------------------------------------------------------------------------------------
# The other families
# ---------------------------------------------------------------------------------------------------


def forward(function: Function, names: set[str]) -> Iterator[Case]:
    """Overloads of a call of a function of x."""
    reduces = "keepdims" in names
    if not reduces:
        yield {"x": UNKNOWN, **UNASKED}, "NDArray[Any]"
    yield from unknown(["x"], [], "Any")
    lists, numbers = "_Floats | _Integers | _Nested[float]", isinstance(function, RowFunction) or "axis" not in names
    if reduces:
        kept: dict[str, str] = {"keepdims": "Literal[True]"}
        yield {"x": ARRAY, **kept}, ARRAY
        yield {"x": ARRAY, "axis": "None", "keepdims": "Literal[False]="}, "{D}"
        yield {"x": lists, "dtype": "_Dtype[_F]", **kept}, "NDArray[_F]"
    else:
        if function.family != "pieces":
            yield {"x": "_M"}, "_M"
        yield {"x": ARRAY}, ARRAY
    if numbers and function.family != "pieces":
        yield {"x": "_F"}, "_F"
        yield {"x": "int", **UNASKED}, "Any"
        yield {"x": "float"}, "np.float64"
    if not reduces:
        yield {"x": INTEGERS, **UNASKED}, "NDArray[Any]"
        yield {"x": "_Nested[float]"}, DOUBLE
        if "dtype" in names:
            yield {"x": "_Scalar", "dtype": "_Dtype[_F]"}, "_F"
            yield {"x": lists, "dtype": "_Dtype[_F]"}, "NDArray[_F]"
    if "out" in names:
        yield {"x": "_Real", "out": "_O | tuple[_O]", **({"dtype": "_AnyDtype | None="} if "dtype" in names else {})}, "_O"
    yield {}, "Any"


def other_lines(function: Function, name: str) -> list[str]:
    """A method of a function that is no activation."""
    found = inspect.signature(getattr(function, name))
    given = list(found.parameters.values())
    names = set(found.parameters)
    own = {} if getattr(function, "on_gpu", True) else {"device": 'Literal["cpu"] | None='}
    if isinstance(function, RowFunction):
        own |= {"axis": "_Axes="}
    decisive = [n for n in DECISIVE if n in names and (n != "b" or isinstance(function, GatedUnit))]  # elsewhere b is a weight
    cases: list[Case]
    if str(found.return_annotation).startswith("dict"):
        to_shape = "np.ndarray" in str(found.return_annotation)
        of_any, each = ("dict[str, NDArray[Any]]", ARRAY) if to_shape else ("dict[str, Any]", "{D}")
        arrays = {n: GRAD if n == "grad" else ARRAY for n in decisive}
        cases = [*unknown(decisive, [], of_any), (arrays, f"dict[str, {each}]")]
        cases += [(arrays | {"b": "None="}, f"dict[str, {each}]")] if "b" in decisive else []
        return method(name, given, [*cases, ({}, of_any)], own)
    tail = ""
    if isinstance(function, GatedUnit):
        cases = list(gated(name == "__call__"))
        given = [p for p in given if p.name not in ("where", "casting", "order", "subok")]
        tail = "**keywords: Unpack[_OfUfuncs]" if name == "__call__" else ""
    elif name == "__call__":
        cases = list(forward(function, names))
    else:
        cases = list(unknown(decisive, [], "Any"))
        cases.append(({n: GRAD if n == "grad" else ARRAY for n in decisive}, ARRAY))
        if "out" in names:
            cases.append(({**dict.fromkeys(decisive, "_Real"), "out": "_O | tuple[_O]"}, "_O"))
        cases.append(({}, "Any"))
    for flag in (n for n in names if n.startswith("return_")):
        cases = [each for case in cases for each in with_flag(flag, *case)]
    return method(name, given, cases, own, tail)


def with_flag(flag: str, special: dict[str, str], result: str) -> Iterator[Case]:
    """The case without and with a flag that asks for a second result."""
    if special:
        yield special | {flag: "Literal[False]="}, result
        yield special | {flag: "Literal[True]"}, f"tuple[{result}, {SECOND.get(flag, 'Any').replace('same', result)}]"
    else:
        yield {flag: "bool="}, result


def gated(forwards: bool) -> Iterator[Case]:
    """Overloads of a gated unit, or of its backward: of one array, and of two, which know no axis."""
    one, two = {"b": "None=", "axis": "SupportsIndex | None="}, {"axis": "None="}
    if forwards:
        yield {"a": UNKNOWN, **one, **UNASKED}, "NDArray[Any]"
        for name in ("a", "b"):
            yield {"b": "_NoInt", name: "_Unknown", **two, **UNASKED}, "Any"
        yield {"a": "_M", **one}, "_M"
        yield {"a": ARRAY, **one}, ARRAY
        yield {"a": ARRAY, "b": ARRAY, **two}, ARRAY
        yield {"a": "_F", "b": "_F", **two}, "_F"
        yield {"a": "_Nested[float]", **one}, DOUBLE
        yield {"a": "_Real", "out": "_O | tuple[_O]", "dtype": "_AnyDtype | None=", **one}, "_O"
        yield {"a": "_Real", "b": "_NoInt", "out": "_O | tuple[_O]", "dtype": "_AnyDtype | None=", **two}, "_O"
        yield {"a": "_Floats", "dtype": "_Dtype[_F]", **one}, "NDArray[_F]"
        yield {"a": "_Floats", "b": "_Floats", "dtype": "_Dtype[_F]", **two}, "NDArray[_F]"
        yield {**one}, "Any"
        yield {"b": "_NoInt", **two}, "Any"
    else:
        for name in ("grad", "a"):
            yield {name: "_Unknown", **one}, "Any"
        for name in ("grad", "a", "b"):
            yield {"b": "_NoInt", name: "_Unknown", **two}, "tuple[Any, Any]"
        yield {"grad": GRAD, "a": ARRAY, **one}, ARRAY
        yield {"grad": GRAD, "a": ARRAY, "b": ARRAY, **two}, f"tuple[{ARRAY}, {ARRAY}]"
        yield {**one}, "Any"
        yield {"b": "_NoInt", **two}, "tuple[Any, Any]"


def others() -> Iterator[tuple[str, list[str], list[str]]]:
    """The classes of the other families, as `elementwise` gives them."""
    found: dict[tuple[str, ...], list[Function]] = {}
    for function in [*ROWWISE, *GATED, *PIECES, *STOCHASTIC]:
        methods = ["__call__", *(n for n in ("backward", "parameter_gradients") if hasattr(function, n))]
        base = next(c.__name__ for c in type(function).__mro__ if c in (RowFunction, GatedUnit, Function))
        found.setdefault((base, *(line for n in methods for line in other_lines(function, n))), []).append(function)
    for (base, *lines), functions in found.items():
        name = "_" + functions[0].__name__.title().replace("_", "")
        yield name, class_text(name, base, lines), [n for f in functions for n in (f.__name__, *f.aliases)]


# ---------------------------------------------------------------------------------------------------
# The files
# ---------------------------------------------------------------------------------------------------


def package() -> str:
    """fastact/__init__.pyi."""
    specs = REGISTRY.values()
    choices = {"saturates": {c for s in specs for c in s.saturates}, "smoothness": {s.smoothness for s in specs}}
    head = HEAD
    for name, values in choices.items():
        head = head.replace(f"{{{name}}}", f"Literal[{', '.join(map(quoted, sorted(values)))}]")
    classes = [*elementwise(), *others()]
    lines = [line for _, text, _ in classes for line in text]
    lines += [""]
    for name, _, functions in classes:
        lines += ["@overload", f"def get(name: Literal[{', '.join(map(quoted, functions))}]) -> {name}: ..."]
    lines += ["@overload", "def get(name: str) -> Any: ...", ""]
    lines += [f"{function}: {name}" for name, _, functions in classes for function in functions]
    return head + "\n".join(lines) + "\n"


def quoted(name: str) -> str:
    """The name as a literal."""
    return f'"{name}"'


def names_of_ufuncs() -> str:
    """fastact/ufuncs.pyi."""
    lines = ['"""Types of fastact.ufuncs; written by tools/generate.py, do not edit."""', "", "import numpy as np", ""]
    return "\n".join([*lines, *(f"{n}: np.ufunc" for n in sorted(vars(ufuncs)) if not n.startswith("_"))]) + "\n"


def names_for_numba() -> str:
    """fastact/numba/__init__.pyi."""
    listed = [k for k in ARRAYS if any(k in kinds(spec) for spec in REGISTRY.values())]
    kind, of_one = (f"Literal[{', '.join(map(quoted, ks))}]" for ks in (listed, [k for k in listed if outputs(k) == 1]))
    lines = [
        '"""Types of fastact.numba; written by tools/generate.py, do not edit."""', "",
        "from typing import Any, Literal, type_check_only", "",
        f'def function(name: str, kind: {kind} = "value") -> Any: ...',
        f'def ufunc(name: str, kind: {of_one} = "value") -> Any: ...', "",
    ]  # fmt: skip
    names = [
        (n if kind == "value" else f"{n}_{kind}", outputs(kind))
        for spec in REGISTRY.values() for n in (spec.name, *spec.alias) for kind in kinds(spec)
    ]  # fmt: skip
    lines += [f"{n}: Any" for n, _ in names]
    lines += ["", "@type_check_only", "class _Ufuncs:", *(f"    {n}: Any" for n, count in names if count == 1)]
    lines += ["", "ufuncs: _Ufuncs"]
    return "\n".join(lines) + "\n"
