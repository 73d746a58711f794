"""Writes what is derived from the registry: ``python tools/generate.py``.

The type stubs (`stubs`) and the table of functions in README.md. The pages of the functions are written when the site
is built, by docs/_extensions/pages.py.
The test suite fails while one of them is out of date.
"""

from fractions import Fraction
from pathlib import Path

import stubs

from fastact.functions.gated import FUNCTIONS as GATED
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
        readme: head + begin + readme_table() + "\n" + end + tail,
    }


if __name__ == "__main__":
    for path, content in generated().items():
        path.write_text(content, encoding="utf-8")
        print(f"wrote {path.relative_to(ROOT)}")
