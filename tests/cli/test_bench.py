"""The commands that measure other libraries: `bench --peers`, `verify --peers`."""

import importlib.util
import json
import sys
import time

import numpy as np
import pytest
from helpers import NAMES

import fastact as fa
from fastact._cli import bench, main, measure, peers, worker

TINY = ["--sizes", "32", "--rounds", "2"]


def test_table_and_json(tmp_path, capsys, brisk):
    pytest.importorskip("scipy")
    file = tmp_path / "bench.json"
    assert main(["bench", "relu", "silu", *TINY, "--peers", "numpy", "--json", str(file)]) == 0
    out = capsys.readouterr().out
    assert "geometric mean of (fastest other / fastact)" in out
    report = json.loads(file.read_text())
    assert report["summary"]["cells"] == 8
    for cell in report["cells"]:
        times = cell["ns_per_element"]
        assert all(t > 0 for t in times.values())
        if "numpy" in times:
            assert cell["fastest_peer"] == "numpy"
            assert cell["ratio"] > 0
    assert {b["function"] for b in report["bounds"]} == {"relu", "silu"}


def test_shapes(tmp_path, capsys, brisk):
    """Functions of rows along either axis; what a shape means to the others is what a number of elements means."""
    file, names = tmp_path / "bench.json", ["softmax", "log_softmax@0", "swiglu"]
    assert main(["bench", *names, "--sizes", "6x10,3x4", "--rounds", "1", "--dtype", "float32", "--json", str(file)]) == 0
    cells = json.loads(file.read_text())["cells"]
    assert {(c["function"], c["elements"]) for c in cells} == {(n, s) for n in names for s in ("6x10", "3x4")}
    assert all(c["ns_per_element"]["fastact"] > 0 for c in cells if (c["function"], c["kind"]) != ("swiglu", "backward"))
    assert main(["bench", "softmax", "--sizes", "6x", "--rounds", "1"]) == 2
    assert "--sizes: '6x'" in capsys.readouterr().err


def test_alone(capsys):
    """As users start it; the other tests have `brisk`."""
    assert main(["bench", "relu", *TINY, "--kind", "forward", "--dtype", "float64"]) == 0
    assert "geometric" not in capsys.readouterr().out


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["nonsense"], "no function 'nonsense'"),
        (["relu", "--peers", "theano"], "no 'theano'"),
        (["relu", "--sizes", "10,x"], "--sizes: 'x'"),
        (["relu", "--json", "/nowhere/at/all.json"], "cannot be written"),
    ],
)
def test_refusals(arguments, words, capsys):
    assert main(["bench", *arguments]) == 2
    lines = capsys.readouterr().err.splitlines()
    assert len(lines) == 1
    assert words in lines[0]


def test_library_that_is_not_installed(capsys, monkeypatch, brisk):
    find = importlib.util.find_spec
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None if name == "thinc" else find(name))
    assert main(["bench", "relu", *TINY, "--peers", "numpy,thinc"]) == 0
    assert "thinc: not installed, left out" in capsys.readouterr().out


def test_process_that_dies(capsys, monkeypatch):
    def die(self, **request):
        self.process.kill()
        return self.answer()

    monkeypatch.setattr(bench.Worker, "ask", die)
    assert main(["bench", "relu", *TINY]) == 2
    assert "the process of fastact ended with status" in capsys.readouterr().err


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("library", ["fastact", *peers.PEERS])
def test_peers_compute_the_same_function(library, dtype):
    """Not how exact they are: that the table compares like with like."""
    try:
        peer = worker.fastact() if library == "fastact" else peers.PEERS[library]()
    except ImportError as error:
        pytest.skip(str(error))
    x = np.linspace(0.26, 2.9, 24).astype(dtype) * np.where(np.arange(24) % 2, 1, -1).astype(dtype)
    grad = np.linspace(-1, 1, 24).astype(dtype)
    tolerance = 1e-3 if library == "thinc" else 1e-5  # its polynomials are short
    for name in sorted(set(peer.forward) & set(NAMES)):
        with np.errstate(all="ignore"):
            if not peer.has(name, "forward", dtype):
                assert library in ("onnxruntime", "openvino")
                assert dtype == "float64"
                continue
            given = peer.put(x)
            y = peer.forward[name](given)
            np.testing.assert_allclose(peer.get(y), fa.get(name)(x), tolerance, tolerance, err_msg=f"{library} {name}")
            if name in peer.backward:
                found = peer.get(peer.backward[name](peer.put(grad), given, y))
                want = fa.get(name).backward(grad, x)
                np.testing.assert_allclose(found, want, tolerance, tolerance, err_msg=f"{library} {name}'")


def test_worker(monkeypatch, capsys):
    requests = [{"cell": ["relu", "forward", "float32", 16]}, {"turn": None}, {"cell": ["nonsense", "forward", "float32", 16]}]
    lines = iter([*(json.dumps(r) for r in requests), json.dumps({"turn": None})])
    monkeypatch.setattr(sys, "argv", ["worker", "numpy"])
    monkeypatch.setattr(sys, "stdin", lines)
    stdout = sys.stdout
    worker.main()
    monkeypatch.setattr(sys, "stdout", stdout)
    answers = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert "NumPy" in answers[0]["version"]
    assert answers[1] >= 1
    assert answers[2] > 0
    assert answers[3:] == [None, None]


@pytest.mark.skipif(importlib.util.find_spec("matplotlib") is None, reason="matplotlib is not installed")
def test_plot(tmp_path, brisk):
    file = tmp_path / "ratios.png"
    assert main(["bench", "relu", *TINY, "--peers", "numpy", "--plot", str(file)]) == 0
    assert file.read_bytes().startswith(b"\x89PNG")


def test_verify_peers(tmp_path, capsys, monkeypatch):
    pytest.importorskip("scipy")
    from fastact._cli import verify

    monkeypatch.setattr(verify, "PATTERNS", 1 << 12)
    file = tmp_path / "peers.json"
    assert main(["verify", "sigmoid", "gaussian", "--peers", "numpy", "--json", str(file)]) == 0
    out = capsys.readouterr().out
    assert "numpy:sigmoid" in out
    findings = json.loads(file.read_text())
    assert {(f["library"], f["function"], f["kind"]) for f in findings} == {
        ("numpy", "sigmoid", "value"), ("numpy", "sigmoid", "derivative"), ("numpy", "gaussian", "value"),
    }  # fmt: skip
    assert findings[0]["max_ulp"] > 100  # expit loses its tail
    assert main(["verify", "sigmoid", "--peers", "nonsense"]) == 2
    assert "no 'nonsense'" in capsys.readouterr().err


def test_repetitions_after_a_stall(monkeypatch, capsys):
    """A first call that stalls does not leave one call a turn for all rounds."""
    monkeypatch.setattr(worker, "REST", 0)
    monkeypatch.setattr(worker, "WARM_UP", 0)
    calls = iter([0.05] + [0.0] * 10**6)
    monkeypatch.setattr(worker, "prepare", lambda *_: lambda: time.sleep(next(calls)))
    monkeypatch.setattr(sys, "argv", ["worker", "numpy"])
    monkeypatch.setattr(sys, "stdin", iter([json.dumps({"cell": ["relu", "forward", "float32", 16]})]))
    stdout = sys.stdout
    worker.main()
    monkeypatch.setattr(sys, "stdout", stdout)
    assert json.loads(capsys.readouterr().out.splitlines()[1]) > 5


def test_spread():
    assert measure.spread([3.0]) == 0.0
    assert measure.spread([1.0, 2.0, 3.0, 4.0, 5.0]) == pytest.approx(2 / 3)
    assert measure.spread([2.0] * 9) == 0.0
