"""`verify` of functions that are not elementwise: what it counts, and that it finds results that are wrong."""

import json

import numpy as np
import pytest
from helpers import TESTS

import fastact as fa
from fastact._cli import main, verify, verify_rows
from fastact.functions.gated import FUNCTIONS as UNITS
from fastact.functions.rowwise import FUNCTIONS as ROWS

NAMES = [f.__name__ for f in (*ROWS, *UNITS)] + ["maxout", "max_affine", "crelu", "rrelu", "noisy_relu"]


@pytest.fixture(autouse=True)
def few(monkeypatch):
    """Tiny samples."""
    monkeypatch.setattr(verify, "PATTERNS", 1 << 17)
    monkeypatch.setattr(verify_rows, "SHORT", (1, 3, 10))


@pytest.fixture
def wrong(monkeypatch):
    """Make results wrong in one dtype: ``wrong(change)``, with ``change(kind, sample, y)`` in place."""
    right = verify_rows.compute

    def install(change, dtype="float32"):
        def compute(function, kind, sample, grad, y, of):
            found = np.array(right(function, kind, sample, grad, y, of))
            if of == dtype:
                change(kind, sample, found)
            return found

        monkeypatch.setattr(verify_rows, "compute", compute)

    return install


def findings(path, *arguments, status=0):
    reference = ["--reference", str(TESTS / "reference.py")] if "float64" in arguments else []
    assert main(["verify", *arguments, *reference, "--json", str(path)]) == status
    return json.loads(path.read_text(), parse_constant=pytest.fail)


def test_all_keep_the_contract(tmp_path, capsys):
    """Elementwise functions beside others, in one table."""
    found = findings(tmp_path / "v.json", "relu", *NAMES)
    exact = {"maxout", "max_affine", "crelu", "rrelu", "noisy_relu"}
    pairs = [(n, k) for n in NAMES for k in ("value", "backward") if k == "value" or n not in exact]
    assert [(f["function"], f["kind"]) for f in found[2:]] == pairs
    for f in found:
        assert f["holds"]
        assert f["complete"]
        assert f["count"] == f["planned"] > 2000
        assert 0 <= f["mean_ulp"] <= float(f["max_ulp"]) <= f["bound"]
        assert 0.7 < f["correctly_rounded"] <= 1
        assert not f["range_violations"]
    softmax = next(f for f in found if (f["function"], f["kind"]) == ("softmax", "value"))
    assert softmax["place"].startswith("a row ")
    assert 0.5 < softmax["max_ulp"] < 3  # of 4
    lines = capsys.readouterr().out.splitlines()
    assert lines[-1] == f"all {len(found)} within the contract"
    assert any(line.startswith("swiglu") and "backward" in line for line in lines)


def test_float64(tmp_path):
    found = findings(tmp_path / "v.json", *NAMES, "--dtype", "float64", "--samples", "100")
    assert len(found) == 2 * len(NAMES) - 5
    assert all(f["holds"] and f["complete"] and f["dtype"] == "float64" for f in found)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_errors_are_found(tmp_path, wrong, capsys, dtype):
    eps = np.finfo(dtype).eps

    def change(kind, sample, y):
        y *= np.where(np.arange(y.size).reshape(y.shape) % 7, 1, 1 + 12 * eps).astype(dtype)

    wrong(change, dtype)
    names = [n for n in NAMES if n != "hardmax"]
    found = findings(tmp_path / "v.json", *names, "--dtype", dtype, "--samples", "100", "--kind", "value", status=1)
    failing = {f["function"] for f in found if not f["holds"]}
    assert failing == set(names)
    assert all(f["witness"] and f["got"] != f["want"] for f in found)
    assert all(f["range_violations"] > 0 for f in found if f["function"] == "softmax")
    assert capsys.readouterr().out.splitlines()[-1].startswith("outside the contract: softmax value")


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_errors_of_backward_passes_are_found(tmp_path, wrong, dtype):
    eps = np.finfo(dtype).eps
    wrong(lambda kind, sample, y: np.multiply(y, y.dtype.type(1 + (12 * eps if kind == "backward" else 0)), out=y), dtype)
    names = [f.__name__ for f in (*ROWS, *UNITS) if f.__name__ != "hardmax"]
    found = findings(
        tmp_path / "v.json", *names, "--dtype", dtype, "--samples", "100", "--kind", "derivative", status=1
    )  # fmt: skip
    assert [f["function"] for f in found if not f["holds"]] == names


@pytest.mark.parametrize("name", ["softmax", "hardmax", "swiglu", "crelu", "logsumexp"])
@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_wrong_kind_of_number_is_found(tmp_path, wrong, name, value):
    def change(kind, sample, y):
        i = np.flatnonzero(np.isfinite(y))
        y.flat[i[:1]] = value

    wrong(change)
    (f,) = findings(tmp_path / "v.json", name, "--kind", "value", status=1)
    assert f["max_ulp"] == "inf"
    assert f["got"] == str(value)


def test_samples_are_what_they_say():
    """Rows of every kind, along and across, of the lengths at which the way through changes."""
    found = list(verify_rows.samples(fa.softmax, "float32", 1 << 15))
    assert {(s.axis, s.x.shape[s.axis]) for s in found} == {(a, n) for a in (0, -1) for n in verify_rows.LENGTHS}
    for sample in found:
        rows = sample.x if sample.axis else sample.x.T
        assert set(sample.rows) == set(verify_rows.ROWS)
        assert len(sample.rows) == len(rows)
        assert np.isneginf(rows[sample.rows.index("all -inf")]).all()
    (halves,) = verify_rows.samples(fa.glu, "float32", 1 << 14)
    gate = halves.x[1]
    assert {int(e) for e in np.frexp(gate[np.isfinite(gate) & (gate != 0)])[1]} >= set(range(-145, 126))


def test_interrupted(tmp_path, monkeypatch, capsys):
    def interrupt(self, steps, label=""):
        raise KeyboardInterrupt

    monkeypatch.setattr(verify.Progress, "update", interrupt)
    (f,) = findings(tmp_path / "v.json", "softmax", "swiglu", status=130)
    assert 0 < f["count"] < f["planned"]
    assert not f["complete"]
    assert capsys.readouterr().out.splitlines()[-1] == "interrupted: 0 of 4 complete"


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["relu", "gumbel_softmax"], "gumbel_softmax: there is no reference for what it draws"),
        (["softmax", "--exhaustive"], "--exhaustive is for elementwise"),
        (["softmax", "--peers", "numpy"], "--peers is for elementwise"),
    ],
)
def test_refusals(arguments, words, capsys):
    assert main(["verify", *arguments]) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert words in line


def test_the_reference_of_rows_stands_beside_the_other(tmp_path, capsys):
    (tmp_path / "reference.py").write_text((TESTS / "reference.py").read_text())
    assert main(["verify", "softmax", "--dtype", "float64", "--reference", str(tmp_path / "reference.py")]) == 2
    assert "reference_rows.py" in capsys.readouterr().err
