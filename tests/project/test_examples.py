"""The examples and the code of the documentation run (in a checkout; an installed package has none)."""

import runpy
from pathlib import Path

import pytest

import fastact as fa

ROOT = Path(__file__).resolve().parents[2]
EXAMPLE = ROOT / "examples" / "two_moons.py"
PAGES = ROOT / "docs"


@pytest.mark.skipif(not EXAMPLE.exists(), reason="not in a checkout")
@pytest.mark.parametrize("name", ["gelu", "tanh", "leaky_relu"])
def test_two_moons_learns(name):
    assert runpy.run_path(str(EXAMPLE))["train"](fa.get(name)) > 0.93


@pytest.mark.skipif(not PAGES.exists(), reason="not in a checkout")
@pytest.mark.parametrize("name", ["numba", "embedding"])
def test_code_of_a_page_runs(name):
    pytest.importorskip("numba")
    import fastact.numba  # noqa: F401  (for a directory that was not installed)

    page = PAGES / f"{name}.md"
    code = page.read_text(encoding="utf-8").partition("```python\n")[2].partition("```")[0]
    exec(compile(code, str(page), "exec"), {"__name__": "page"})
