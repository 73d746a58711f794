"""Writes what is derived from the registry: ``python tools/generate.py``.

The type stubs (`stubs`), docs/functions.md, and the table of functions in README.md.
The test suite fails while one of them is out of date.
"""

import inspect
from fractions import Fraction
from pathlib import Path

import stubs

from fastact.functions.gated import FUNCTIONS as GATED
from fastact.functions.integers import FUNCTIONS as KEEPING
from fastact.functions.pieces import FUNCTIONS as PIECES
from fastact.functions.rowwise import FUNCTIONS
from fastact.functions.stochastic import FUNCTIONS as STOCHASTIC
from fastact.language.registry import REGISTRY, Spec

ROOT = Path(__file__).resolve().parents[1]


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
                f"- `backward_from_output`: {'yes' if spec.inverse else 'no'}"
                + ("; integers stay integers" if spec.name in KEEPING else ""),
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
        ROOT / "fastact" / "__init__.pyi": stubs.package(),
        ROOT / "fastact" / "ufuncs.pyi": stubs.names_of_ufuncs(),
        ROOT / "fastact" / "numba" / "__init__.pyi": stubs.names_for_numba(),
        ROOT / "docs" / "functions.md": functions_page(),
        readme: head + begin + readme_table() + "\n" + end + tail,
    }


if __name__ == "__main__":
    for path, content in generated().items():
        path.write_text(content, encoding="utf-8")
        print(f"wrote {path.relative_to(ROOT)}")
