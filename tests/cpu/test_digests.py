"""The same bits on every processor: what tools/digests.py finds is what tests/digests.json holds."""

import json
import struct
import sys
from pathlib import Path

import numpy as np
import pytest
from helpers import NAMES, run_python

from fastact.cpu import levels

TOOLS = Path(__file__).resolve().parents[2] / "tools"
if not TOOLS.is_dir():
    pytest.skip("the tools are in the checkout only", allow_module_level=True)
sys.path.insert(0, str(TOOLS))
import digests  # noqa: E402


@pytest.mark.parametrize("level", levels.usable_levels())
def test_bits_are_those_on_record(level):
    """At every level that this machine can run; where bits are to change, ``python tools/digests.py --write``."""
    done = run_python(None, str(TOOLS / "digests.py"), "--json", FASTACT_CPU=level if level != "generic" else "")
    assert done.returncode == 0, done.stderr[-3000:]
    different = digests.differences(json.loads(done.stdout), digests.recorded(level))
    assert different == [], f"{len(different)} differ; if they should, run python tools/digests.py --write"


def test_every_function_is_on_record():
    keys = digests.recorded("x86-64-v3").keys()
    assert {f"{name} {dtype}" for name in NAMES for dtype in digests.DTYPES} <= keys
    assert {"swiglu float16", "softmax float32", "entmax15 float64", "maxout float32"} <= keys


def test_what_counts():
    """Signs of zeros, dtypes and shapes do, and the last bit; what a NaN holds does not."""
    negative, payload = (struct.unpack("d", struct.pack("Q", bits))[0] for bits in (0xFFF8 << 48, 0x7FF8_0000_0000_1234))
    first = digests.digest([np.array([np.nan, 0.0, 1.0])])
    for same in (negative, payload):
        assert digests.digest([np.array([same, 0.0, 1.0])]) == first
    for other in ([np.nan, -0.0, 1.0], [np.nan, 0.0, np.nextafter(1.0, 2.0)], [[np.nan, 0.0, 1.0]]):
        assert digests.digest([np.array(other)]) != first
    assert digests.digest([np.array([np.nan, 0.0, 1.0], np.float32)]) != first


def test_what_differs_is_said():
    found = {"gelu float32": {"value": "a", "derivative": "b"}}
    expected = {"gelu float32": {"value": "a", "derivative": "c", "backward": "d"}}
    assert digests.differences(found, expected) == [
        "gelu float32 backward: nothing, on record d", "gelu float32 derivative: b, on record c",
    ]  # fmt: skip
