"""`bench --device cuda` on a simulated GPU; test_compiled.py starts this in an interpreter of its own."""

import json

import numpy as np
import pytest

import fastact as fa
from fastact._cli import bench_cuda, gpu_peers, main

TINY = ["--device", "cuda", "--sizes", "1000", "--rounds", "2"]


def test_table_and_json(tmp_path, capsys, monkeypatch, brisk):
    monkeypatch.setenv("PYTHONWARNINGS", "ignore")
    file = tmp_path / "bench.json"
    assert main(["bench", "relu", "--dtype", "float32", *TINY, "--peers", "--json", str(file)]) == 0
    out = capsys.readouterr().out
    for library in gpu_peers.PEERS:
        assert f"{library}: " in out
        assert "left out" in out
    assert "least of the copy: " in out
    report = json.loads(file.read_text())
    assert report["card"] == "simulator"
    assert report["date"]
    assert [c["kind"] for c in report["cells"]] == ["forward", "backward"]
    for cell, moved in zip(report["cells"], (8, 12), strict=True):
        speed = cell["gb_per_s"]["fastact"]
        assert speed == pytest.approx(moved / cell["ns_per_element"]["fastact"])
        assert cell["of_copy"] == pytest.approx(speed / cell["copy_gb_per_s"])
    assert report["summary"]["worst_of_copy"] == min(c["of_copy"] for c in report["cells"])


@pytest.mark.parametrize(("arguments", "words"), [
    (["nonsense"], "no function 'nonsense'"), (["relu", "--peers", "numpy"], "no 'numpy' on a GPU; known are torch, cupy"),
    (["relu", "--sizes", "x"], "--sizes: 'x'"), (["relu", "--plot", "x.png"], "--plot is for the CPU"),
])  # fmt: skip
def test_refusals(arguments, words, capsys):
    assert main(["bench", *TINY, *arguments]) == 2
    lines = capsys.readouterr().err.splitlines()
    assert len(lines) == 1
    assert words in lines[0]


def test_what_is_timed():
    """The same results as on the CPU, on arrays of the GPU."""
    peer = gpu_peers.fastact()
    x = np.linspace(-3, 3, 12).astype(np.float32).reshape(3, 4)
    given = peer.put(x)
    np.testing.assert_array_equal(peer.get(peer.forward["copy"](given)), x)
    for name in ("gelu", "softmax"):
        y = peer.forward[name](given)
        np.testing.assert_allclose(peer.get(y), getattr(fa, name)(x), rtol=1e-6)
        got = peer.get(peer.backward[name](peer.put(x), given, peer.put(getattr(fa, name)(x))))
        want = fa.gelu.backward(x, x) if name == "gelu" else fa.softmax.backward(x, fa.softmax(x))
        np.testing.assert_allclose(got, want, rtol=1e-5, atol=1e-6)


def test_figures():
    """Of a card that copies a byte in a nanosecond, and libraries of known speed."""

    class Fixed:
        def __init__(self, name, forward):
            self.name, self.forward, self.copying = name, forward, False

        def ask(self, **request):
            self.copying = request.get("cell", [""])[0] == "copy" or (self.copying and "cell" not in request)
            return 1 if "cell" in request else 1000 * (8.0 if self.copying else self.forward)

    class Quiet:
        def update(self, steps, label=""):
            pass

    libraries = [Fixed("fastact", 10.0), Fixed("torch", 12.0)]
    found = bench_cuda.bandwidths(("relu", "forward", "float32", 1000), libraries, 3, Quiet())
    assert found["copy_gb_per_s"] == 1.0
    assert found["gb_per_s"] == {"fastact": 0.8, "torch": pytest.approx(8 / 12)}
    assert found["of_copy"] == 0.8
    assert found["ratio"] == pytest.approx(1.2)
    assert "0.80" in bench_cuda.row(found, libraries)
