"""The files that tools/generate.py writes are up to date (in a checkout; an installed package has none)."""

import runpy
from pathlib import Path

import pytest

GENERATOR = Path(__file__).resolve().parents[1] / "tools" / "generate.py"


@pytest.mark.skipif(not GENERATOR.exists(), reason="not in a checkout")
def test_generated_files_are_current():
    for path, content in runpy.run_path(str(GENERATOR))["generated"]().items():
        assert path.read_text(encoding="utf-8") == content, f"run python tools/generate.py: {path.name} is out of date"
