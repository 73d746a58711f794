"""Arrays at the borders of memory: tools/guards.py for a few lengths at the level in use; the command goes through all."""

import sys
from pathlib import Path

import pytest
from helpers import run_python

TOOL = Path(__file__).resolve().parents[2] / "tools" / "guards.py"
pytestmark = pytest.mark.skipif(sys.platform != "linux" or not TOOL.exists(), reason="asks Linux for pages, in a checkout")


def test_nothing_beyond_is_touched():
    done = run_python(None, str(TOOL), "--here", "--lengths", "1", "15", "18", "33")
    assert done.returncode == 0, done.stdout + done.stderr[-3000:]
    assert int(done.stdout.split()[1]) > 5_000


def test_an_access_beyond_would_be_seen():
    done = run_python(None, str(TOOL), "--here", "--break-it")
    assert done.returncode < 0
    assert "Segmentation fault" in done.stderr
