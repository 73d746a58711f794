"""The files that the scripts in tools write are up to date (in a checkout; an installed package has none)."""

import runpy
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
TOOLS = ROOT / "tools"


@pytest.mark.skipif(not (TOOLS.exists() and (ROOT / "fastact").exists()), reason="not in a checkout")
@pytest.mark.parametrize("script", ["generate.py", "accuracy.py"])
def test_generated_files_are_current(script, monkeypatch):
    monkeypatch.syspath_prepend(TOOLS)
    for path, content in runpy.run_path(str(TOOLS / script))["generated"]().items():
        assert path.read_text(encoding="utf-8") == content, f"run python tools/{script}: {path.name} is out of date"
