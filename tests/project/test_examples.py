"""The examples and the code of the documentation run (in a checkout; an installed package has none)."""

import runpy
from pathlib import Path

import pytest

import fastact as fa

ROOT = Path(__file__).resolve().parents[2]
EXAMPLE = ROOT / "examples" / "two_moons.py"
NUMBA_PAGE = ROOT / "docs" / "numba.md"


@pytest.mark.skipif(not EXAMPLE.exists(), reason="not in a checkout")
@pytest.mark.parametrize("name", ["gelu", "tanh", "leaky_relu"])
def test_two_moons_learns(name):
    assert runpy.run_path(str(EXAMPLE))["train"](fa.get(name)) > 0.93


@pytest.mark.skipif(not NUMBA_PAGE.exists(), reason="not in a checkout")
def test_numba_page_runs():
    pytest.importorskip("numba")
    import fastact.numba  # noqa: F401  (for a directory that was not installed)

    code = NUMBA_PAGE.read_text(encoding="utf-8").partition("```python\n")[2].partition("```")[0]
    exec(compile(code, str(NUMBA_PAGE), "exec"), {"__name__": "page"})
