"""Calls keep neither memory nor references, those that fail neither: a few rounds of tools/leaks.py, which makes many."""

from pathlib import Path

import pytest
from helpers import run_python

TOOL = Path(__file__).resolve().parents[2] / "tools" / "leaks.py"
pytestmark = pytest.mark.skipif(not TOOL.exists(), reason="the tools are in the checkout only")


def test_nothing_is_kept():
    done = run_python(None, str(TOOL), "--calls", "3000")
    assert done.returncode == 0, done.stdout + done.stderr[-2000:]
    assert " 0 references" in done.stdout


def test_a_leak_would_be_seen():
    code = """
import sys
sys.path.append(sys.argv[1])
import leaks
kept, right = [], leaks.calls
leaks.calls = lambda: {"relu": right()["relu"], "keeps": lambda: kept.append(leaks.X)}
sys.argv[1:] = ["--calls", "600"]
print("status", leaks.main())
"""
    done = run_python(code, str(TOOL.parent))
    assert "each time: keeps" in done.stdout, done.stdout + done.stderr[-2000:]
    assert done.stdout.endswith("status 1\n")
