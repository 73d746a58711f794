"""Writes what is derived from the registry: ``python tools/generate.py``.

The type stubs (fastact/__init__.pyi), docs/functions.md, and the table of functions in README.md.
The test suite fails while one of them is out of date.
"""

import inspect
from fractions import Fraction
from pathlib import Path

from fastact.functions.gated import FUNCTIONS as GATED
from fastact.functions.pieces import FUNCTIONS as PIECES
from fastact.functions.rowwise import FUNCTIONS
from fastact.functions.stochastic import FUNCTIONS as STOCHASTIC
from fastact.language.registry import REGISTRY, Spec

ROOT = Path(__file__).resolve().parents[1]

HEAD = '''"""Types of the public names; written by tools/generate.py, do not edit."""

from typing import Any, Literal, Protocol

import numpy as np
from numpy.typing import ArrayLike

from . import cuda as cuda
from . import numba as numba

__version__: str

class KindCall(Protocol):
    ufunc: np.ufunc
    def __call__(self, x: ArrayLike, /, *args: Any, **kwargs: Any) -> Any: ...

class Activation:
    __name__: str
    ufunc: np.ufunc
    derivative: KindCall
    value_and_derivative: KindCall
    backward: KindCall
    backward_from_output: KindCall | None
    aliases: tuple[str, ...]
    params: dict[str, float]
    latex: str
    range: tuple[str, str]
    limits: tuple[str, str]
    slopes: tuple[str, str]
    kinks: tuple[Any, ...]
    monotonic: bool
    zero_centred: bool
    saturates: tuple[str, str]
    smoothness: str
    reference: str
    family: str
    def __call__(self, x: ArrayLike, /, *args: Any, **kwargs: Any) -> Any: ...
    def parameter_gradients(self, grad: ArrayLike, x: ArrayLike, *params: ArrayLike, **named: ArrayLike) -> dict[str, Any]: ...

class device:
    def __init__(self, name: str) -> None: ...
    def __enter__(self) -> device: ...
    def __exit__(self, *_: object) -> None: ...

def activations() -> list[str]: ...
class RowFunction:
    __name__: str
    aliases: tuple[str, ...]
    latex: str
    summary: str
    notes: str
    range: tuple[str, str]
    reference: str
    family: str
    def __call__(self, x: ArrayLike, /, axis: int | tuple[int, ...] = ..., **kwargs: Any) -> Any: ...
    def backward(self, grad: ArrayLike, y: ArrayLike, axis: int | tuple[int, ...] = ..., **kwargs: Any) -> Any: ...
    def parameter_gradients(
        self, grad: ArrayLike, x: ArrayLike, axis: int | tuple[int, ...] = ..., **kwargs: Any
    ) -> dict[str, Any]: ...

class GatedUnit:
    __name__: str
    aliases: tuple[str, ...]
    latex: str
    summary: str
    notes: str
    reference: str
    family: str
    activation: str
    gate: str
    def __call__(
        self, a: ArrayLike, b: ArrayLike | None = ..., /, *, axis: int | None = ..., out: Any = ..., **kwargs: Any
    ) -> Any: ...
    def backward(
        self, grad: ArrayLike, a: ArrayLike, b: ArrayLike | None = ..., /, *, axis: int | None = ..., **kwargs: Any
    ) -> Any: ...

class Function:
    __name__: str
    aliases: tuple[str, ...]
    latex: str
    summary: str
    reference: str
    family: str
    def __call__(self, x: ArrayLike, *args: Any, **kwargs: Any) -> Any: ...
    def backward(self, grad: ArrayLike, *args: Any, **kwargs: Any) -> Any: ...
    def parameter_gradients(self, grad: ArrayLike, *args: Any, **kwargs: Any) -> dict[str, Any]: ...

def get(name: str) -> Any: ...
def clear_cache() -> None: ...
def get_num_threads() -> int: ...
def last_target() -> str: ...
class num_threads:
    def __init__(self, n: int) -> None: ...
    def __enter__(self) -> num_threads: ...
    def __exit__(self, *_: Any) -> None: ...

def set_cache_limit(limit: int) -> None: ...
def set_num_threads(n: int) -> None: ...
def set_threading_layer(layer: Literal["pool", "openmp"]) -> None: ...
def show_config() -> None: ...
'''


def stub_text() -> str:
    """The text of the stub file."""
    lines = [HEAD]
    for name in sorted(REGISTRY):
        lines += [f"{n}: Activation" for n in (name, *REGISTRY[name].alias)]
    for function in FUNCTIONS:
        lines += [f"{n}: RowFunction" for n in (function.__name__, *function.aliases)]
    for unit in GATED:
        lines += [f"{n}: GatedUnit" for n in (unit.__name__, *unit.aliases)]
    lines += [f"{piece.__name__}: Function" for piece in (*PIECES, *STOCHASTIC)]
    return "\n".join(lines) + "\n"


def by_family() -> dict[str, list[Spec]]:
    """The registry by module of fastact/activations."""
    families: dict[str, list[Spec]] = {}
    for spec in REGISTRY.values():
        families.setdefault(spec.family, []).append(spec)
    return families


def signature(spec: Spec) -> str:
    """``elu(x, alpha=1.0)``."""
    return f"{spec.name}({', '.join(['x', *(f'{n}={exactly(d)}' for n, d in spec.params.items())])})"


def exactly(number: float) -> str:
    """A default, exactly, as a fraction where that is shorter."""
    fraction = Fraction(number).limit_denominator(100)
    return min(repr(number), str(fraction), key=len) if float(fraction) == number else repr(number)


def readme_table() -> str:
    """One row per family."""
    rows = ["| family | functions |", "|---|---|"]
    for family, specs in by_family().items():
        rows.append(f"| {family} | {', '.join(f'`{s.name}`' for s in specs)} |")
    rows.append(f"| rowwise | {', '.join(f'`{f.__name__}`' for f in FUNCTIONS)} |")
    rows.append(f"| gated units | {', '.join(f'`{f.__name__}`' for f in GATED)} |")
    for family, functions in (("pieces", PIECES), ("stochastic", STOCHASTIC)):
        rows.append(f"| {family} | {', '.join(f'`{f.__name__}`' for f in functions)} |")
    return "\n".join(rows)


def functions_page() -> str:
    """docs/functions.md: every function with its metadata."""
    lines = ["# Functions", "", "Written by `tools/generate.py` from the formulas in `fastact/activations`; do not edit.", ""]
    for family, specs in by_family().items():
        lines += [f"## {family}", ""]
        for spec in specs:
            kinks = ", ".join(f"x = {k}" for k in spec.kinks) or "none"
            lines += [
                f"### `{signature(spec)}`", "", spec.summary + (f" {spec.notes}" if spec.notes else ""), "",
                f"$${spec.latex}$$", "",
                f"- also: {', '.join(spec.alias) or 'no other name'}",
                f"- range ({spec.range[0]}, {spec.range[1]}); limits {spec.limits[0]} and {spec.limits[1]}; "
                f"slopes {spec.slopes[0]} and {spec.slopes[1]} at -inf and +inf",
                f"- {'monotonic' if spec.monotonic else 'not monotonic'}, "
                f"{'zero-centred' if spec.zero_centred else 'not zero-centred'}, smoothness {spec.smoothness}, "
                f"saturation {spec.saturates[0]} on the left and {spec.saturates[1]} on the right, kinks: {kinks}",
                f"- `backward_from_output`: {'yes' if spec.inverse else 'no'}",
                f"- {spec.reference}", "",
            ]  # fmt: skip
    lines += ["## rowwise", "", "All take `axis` (an integer or a tuple), `temperature`, `where` (a mask) and `out`.", ""]
    for function in FUNCTIONS:
        lines += [
            f"### `{function.__name__}(x, axis=-1)`", "", f"{function.summary} {function.notes}", "",
            f"$${function.latex}$$", "",
            f"- also: {', '.join(function.aliases) or 'no other name'}",
            f"- range [{function.range[0]}, {function.range[1]}]",
            f"- {function.reference}", "",
        ]  # fmt: skip
    lines += ["## gated units", "", "Called with one array, which is split in halves a and b along `axis`, or with both.", ""]
    for unit in GATED:
        lines += [
            f"### `{unit.__name__}(x, axis=-1)`, `{unit.__name__}(a, b)`", "",
            f"{unit.summary} {unit.notes}".strip(), "", f"$${unit.latex}$$", "",
            f"- the gate is {'a, the first half' if unit.gate == 'first' else 'b, the second half'}",
            f"- {unit.reference}", "",
        ]  # fmt: skip
    for family, functions in (("pieces", PIECES), ("stochastic", STOCHASTIC)):
        lines += [f"## {family}", ""]
        for function in functions:
            given = [str(p) for p in inspect.signature(function).parameters.values()]
            lines += [
                f"### `{function.__name__}({', '.join(p.replace(': Any', '').replace(': bool', '') for p in given)})`", "",
                function.summary, "", f"$${function.latex}$$", "", f"- {function.reference}", "",
            ]  # fmt: skip
    return "\n".join(lines)


def generated() -> dict[Path, str]:
    """Every generated file with the text that it should have."""
    readme = ROOT / "README.md"
    text = readme.read_text(encoding="utf-8")
    begin, end = "<!-- functions: tools/generate.py -->\n", "<!-- end of functions -->"
    head, _, rest = text.partition(begin)
    _, _, tail = rest.partition(end)
    return {
        ROOT / "fastact" / "__init__.pyi": stub_text(),
        ROOT / "docs" / "functions.md": functions_page(),
        readme: head + begin + readme_table() + "\n" + end + tail,
    }


if __name__ == "__main__":
    for path, content in generated().items():
        path.write_text(content, encoding="utf-8")
        print(f"wrote {path.relative_to(ROOT)}")
