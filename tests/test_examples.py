"""The examples run (in a checkout; an installed package has none)."""

import runpy
from pathlib import Path

import pytest

import fastact as fa

EXAMPLE = Path(__file__).resolve().parents[1] / "examples" / "two_moons.py"


@pytest.mark.skipif(not EXAMPLE.exists(), reason="not in a checkout")
@pytest.mark.parametrize("name", ["gelu", "tanh", "leaky_relu"])
def test_two_moons_learns(name):
    assert runpy.run_path(str(EXAMPLE))["train"](fa.get(name)) > 0.93
