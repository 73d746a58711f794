"""The command ``verify``: what it counts, what it finds in a kernel that is wrong, how it ends."""

import itertools
import json
import math
import threading

import contract
import numpy as np
import pytest
from helpers import NAMES, TESTS

import fastact as fa
from fastact._cli import counting, main, ulp, verify
from fastact.cpu import levels
from fastact.cpu.printer import digest
from fastact.language.registry import REGISTRY


@pytest.fixture(autouse=True)
def few(monkeypatch):
    """Tiny samples."""
    monkeypatch.setattr(verify, "PATTERNS", 1 << 14)
    threads = fa.get_num_threads()
    yield
    assert fa.get_num_threads() == threads


@pytest.fixture
def wrong(monkeypatch):
    """Make the kernels wrong in one dtype: ``wrong(change)``, with ``change(x, y)`` in place."""
    right = verify.kernel

    def install(change, dtype=np.float32):
        def kernel(name, kind):
            def call(x, *params, out=None):
                y = right(name, kind)(x, *params, out=out)
                if x.dtype == dtype:
                    change(x, y)
                return y

            return call

        monkeypatch.setattr(verify, "kernel", kernel)

    return install


def findings(path, *arguments, status=0):
    assert main(["verify", *arguments, "--json", str(path)]) == status
    return json.loads(path.read_text(), parse_constant=pytest.fail)


def test_json(tmp_path, capsys):
    found = findings(tmp_path / "v.json", "sigmoid", "relu", "hard_elish", "--threads", "2")
    assert [(f["function"], f["kind"]) for f in found] == [
        (n, k) for n in ("sigmoid", "relu", "hard_elish") for k in ("value", "derivative")
    ]
    for f in found:
        assert f["level"] == levels.LEVEL
        assert (f["dtype"], f["numpy"], f["exhaustive"], f["complete"]) == ("float32", np.__version__, False, True)
        assert f["count"] == f["planned"] > 1 << 14
        assert 0 <= f["mean_ulp"] <= f["max_ulp"]
        assert 0.5 < f["correctly_rounded"] <= 1
        assert f["witness"] is None if f["max_ulp"] == 0 else float.fromhex(f["witness_hex"]) == np.float32(f["witness"])
        assert f["holds"]
    sigmoid, slope, relu, _, _, root = found
    assert sigmoid["monotonicity_violations"] is not None
    assert sigmoid["range_violations"] == 0
    assert slope["monotonicity_violations"] is slope["range_violations"] is None
    assert relu["max_ulp"] == 0
    assert relu["correctly_rounded"] == 1
    assert root["max_ulp_outside"] <= 4 < root["max_ulp"]
    assert root["max_absolute_inside"] < 2.0**-22
    out = capsys.readouterr().out
    assert out.splitlines()[-1] == "all 6 within the contract"
    assert "within 1 of the root -0.442854" in out


def test_error_is_found(tmp_path, wrong, capsys):
    def change(x, y):
        y[x == 1] += np.float32(5 * 2.0**-24)

    wrong(change)
    found = findings(tmp_path / "v.json", "sigmoid", "tanh", "--kind", "value", status=1)
    assert [f["holds"] for f in found] == [False, False]
    assert found[0]["witness_hex"] == "0x1p+0"
    assert 4 < found[0]["max_ulp"] < 6.5
    assert float(found[0]["got"]) > float(found[0]["want"])
    assert found[0]["monotonicity_violations"] == 1
    assert capsys.readouterr().out.splitlines()[-1] == "outside the contract: sigmoid value (float32), tanh value (float32)"


@pytest.mark.parametrize(("at", "value"), [(-np.inf, np.nan), (2.0, np.inf), (np.nan, 0.0), (np.inf, 3.4e38)])
def test_wrong_kind_of_number_is_found(tmp_path, wrong, at, value):
    def change(x, y):
        y[np.isnan(x) if math.isnan(at) else x == at] = value

    wrong(change)
    (f,) = findings(tmp_path / "v.json", "relu", "--kind", "value", status=1)
    assert f["max_ulp"] == "inf"
    assert str(float(f["witness"])) == str(float(at))


def test_error_near_a_root_is_absolute(tmp_path, wrong):
    wrong(lambda x, y: np.add(y, np.float32(6e-7), out=y, where=np.abs(x + 0.75) < 0.01))
    (f,) = findings(tmp_path / "v.json", "gelu", "--kind", "derivative", status=1)
    assert 5e-7 < f["max_absolute_inside"] < 8e-7
    assert 16 < f["contract_ulp"] < 28
    assert f["max_ulp_outside"] < 4


def test_range(tmp_path, wrong):
    wrong(lambda x, y: np.nextafter(y, np.float32(2), out=y, where=x > 100))
    (f,) = findings(tmp_path / "v.json", "sigmoid", "--kind", "value")
    assert f["range_violations"] > 1000
    assert f["max_ulp"] < 2


@pytest.mark.parametrize("name", NAMES)
def test_ranges_hold_at_the_ends(name):
    task = verify.make_task(name, "value", "float32")
    assert task.range[0] < task.range[1]
    y = np.asarray(task.call(np.linspace(-30, 30, 9999, dtype=np.float32)))
    assert np.nanmin(y) >= task.range[0]
    assert np.nanmax(y) <= task.range[1]


def test_ordinals():
    values = [-np.inf, -1.0, -1e-45, -0.0, 0.0, 1e-45, 1.0, np.inf]
    at = [ulp.ordinal(v) for v in values]
    assert at == sorted(at)
    assert ulp.ordinal(0.0) - ulp.ordinal(-0.0) == 1
    task = ulp.Task(fa.identity, fa.identity, monotonic=True)
    seen = []
    task.call = lambda x, out: (seen.append(x.copy()), np.copyto(out, x))[1]
    tally = ulp.measure(task, [range(at[3] - 3, at[4] + 4)], threading.Event())
    np.testing.assert_array_equal(seen[0].view(np.int32) & 0x7FFFFFFF, [3, 2, 1, 0, 0, 1, 2, 3])
    np.testing.assert_array_equal(np.signbit(seen[0]), [1, 1, 1, 1, 0, 0, 0, 0])
    assert (tally.count, tally.falls, tally.worst.error) == (8, 0, 0)


def test_exhaustive_is_everything(monkeypatch):
    whole = list(ulp.chunks([range(ulp.PATTERNS)]))
    assert sum(len(r) for batch in whole for r in batch) == 2**32
    assert all(a[-1].stop == b[0].start for a, b in itertools.pairwise(whole))
    parts = ulp.sample(1 << 24, [0.5])
    assert parts[0].step % 2 == 1
    assert sum(map(len, parts)) == pytest.approx(1 << 24, rel=0.05)


def test_overflow_accepts_infinity():
    got = np.array([np.inf, -np.inf, np.nan, np.nan], np.float32)
    errors = ulp.Errors(np.empty(0, np.uint8), *np.zeros((3, 4)))
    counting.errors(got, np.array([1e39, 1e39, np.nan, 1.0]), *errors)
    assert errors.error.tolist() == errors.size.tolist() == errors.scaled.tolist() == [0, math.inf, 0, math.inf]


def test_interrupted(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(ulp, "CHUNK", 1 << 12)

    def interrupt(self, steps, label=""):
        raise KeyboardInterrupt

    monkeypatch.setattr(verify.Progress, "update", interrupt)
    (f,) = findings(tmp_path / "v.json", "sigmoid", "tanh", status=130)
    assert 0 < f["count"] < f["planned"]
    assert not f["complete"]
    out = capsys.readouterr().out
    assert f"interrupted after {f['count']:,} of {f['planned']:,} inputs" in out
    assert out.splitlines()[-1] == "interrupted: 0 of 4 complete"


def test_float64(tmp_path, wrong):
    reference = str(TESTS / "reference.py")
    arguments = ("tanh", "gelu", "--dtype", "float64", "--samples", "40", "--reference", reference)
    found = findings(tmp_path / "v.json", *arguments)
    assert all(f["holds"] and f["complete"] and f["dtype"] == "float64" and f["count"] > 4000 for f in found)
    assert found[0]["monotonicity_violations"] == 0
    assert found[3]["max_absolute_inside"] < 2.0**-51
    wrong(lambda x, y: np.multiply(y, 1 + 2.0**-49, out=y, where=(x > 18) & (x < 1e300)), np.float64)
    found = findings(tmp_path / "v.json", "tanh", *arguments[2:], "--kind", "value", status=1)
    assert found[0]["range_violations"] > 100
    assert not any(f["holds"] for f in found)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["sigmoidd"], "did you mean sigmoid"),
        (["relu", "--dtype", "float64", "--reference", "nowhere.py"], "mpmath"),
        (["relu", "--dtype", "float64", "--reference", __file__], "something else"),
        (["relu", "--dtype", "float64", "--exhaustive"], "--exhaustive is for float32"),
        (["relu", "--json", "nowhere/v.json"], "cannot be written"),
    ],
)
def test_refusals(arguments, words, capsys):
    assert main(["verify", *arguments]) == 2
    lines = capsys.readouterr().err.splitlines()
    assert len(lines) == 1
    assert words in lines[0]


def test_switch_points_are_those_of_the_accuracy_tests():
    for name in NAMES:
        params = tuple(REGISTRY[name].params.values())
        assert verify.switch_points(name) == sorted(set(map(float, contract.switch_points(name, params))))


def test_resume(tmp_path, capsys):
    file = tmp_path / "findings.json"
    arguments = ["verify", "--json", str(file), "--resume", "--kind", "value"]
    assert main([*arguments, "relu", "sign"]) == 0
    before = json.loads(file.read_text())
    before[0]["seconds"] = -1.0  # a mark: what is kept is not measured again
    before[1]["formula"] = "another"
    file.write_text(json.dumps(before))
    capsys.readouterr()
    assert main([*arguments, "relu", "sign", "step"]) == 0
    after = json.loads(file.read_text())
    assert [f["function"] for f in after] == ["relu", "sign", "step"]
    assert after[0] == before[0]
    assert after[1]["formula"] == digest(REGISTRY["sign"], "float32")
    out = capsys.readouterr().out
    assert "relu " not in out
    assert "all 3 within the contract" in out
    file.write_text("[1]")
    assert main(arguments) == 2
    assert "holds no findings" in capsys.readouterr().err
    assert main(["verify", "relu", "--resume"]) == 2
    assert "needs --json" in capsys.readouterr().err
