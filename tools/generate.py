"""Writes what is derived from the registry: ``python tools/generate.py``.

The type stubs (fastact/__init__.pyi), docs/functions.md, and the table of functions in README.md.
The test suite fails while one of them is out of date.
"""

from pathlib import Path

from fastact._spec import REGISTRY, Spec

ROOT = Path(__file__).resolve().parents[1]

HEAD = '''"""Types of the public names; written by tools/generate.py, do not edit."""

from typing import Any, Protocol

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
def get(name: str) -> Activation: ...
def get_num_threads() -> int: ...
def set_num_threads(n: int) -> None: ...
def show_config() -> None: ...
'''


def stub_text() -> str:
    """The text of the stub file."""
    lines = [HEAD]
    for name in sorted(REGISTRY):
        lines += [f"{n}: Activation" for n in (name, *REGISTRY[name].alias)]
    return "\n".join(lines) + "\n"


def by_family() -> dict[str, list[Spec]]:
    """The registry by module of fastact/activations."""
    families: dict[str, list[Spec]] = {}
    for spec in REGISTRY.values():
        families.setdefault(spec.family, []).append(spec)
    return families


def signature(spec: Spec) -> str:
    """``elu(x, alpha=1.0)``."""
    return f"{spec.name}({', '.join(['x', *(f'{n}={round(d, 6)!r}' for n, d in spec.params.items())])})"


def readme_table() -> str:
    """One row per family."""
    rows = ["| family | functions |", "|---|---|"]
    for family, specs in by_family().items():
        rows.append(f"| {family} | {', '.join(f'`{s.name}`' for s in specs)} |")
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
