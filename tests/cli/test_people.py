"""What people ask the command line: list, info, plot; what `apply` reads besides .npy; how a typo is answered."""

import io
import json
import math
import os
import subprocess
import sys
import zipfile

import numpy as np
import pytest
from test_cli import called, refused  # noqa: F401

import fastact as fa
from fastact._cli import apply as apply_command
from fastact._cli import main
from fastact.functions import BY_NAME


@pytest.fixture
def terminal(monkeypatch):
    """Standard output as a terminal, without the variables that say how it is to be treated."""

    def text(*arguments):
        out = io.StringIO()
        out.isatty = lambda: True
        monkeypatch.setattr(sys, "stdout", out)
        monkeypatch.setenv("TERM", "xterm")
        assert main(list(arguments)) == 0
        return out.getvalue()

    monkeypatch.delenv("NO_COLOR", raising=False)
    return text


def printed(capsys, *arguments):
    assert main(list(arguments)) == 0
    captured = capsys.readouterr()
    assert captured.err == ""
    return captured.out


def test_list(capsys):
    text = printed(capsys, "list")
    names = [line.split()[0] for line in text.splitlines() if line.startswith("  ")]
    assert sorted(names) == sorted({f.__name__ for f in BY_NAME.values()})
    assert {"rectifiers", "rowwise", "gated units"} <= set(text.splitlines())
    text = printed(capsys, "list", "--monotonic", "yes", "--saturates", "no", "--kinks", "no")
    names = [line.split()[0] for line in text.splitlines() if line.startswith("  ")]
    assert sorted(names) == fa.find(monotonic=True, saturates="no", kinks=False)
    assert printed(capsys, "list", "--saturates", "hard", "--family", "gated") == "none\n"
    wanted = fa.properties(fa.find(saturates=("soft", "no")))
    assert printed(capsys, "list", "--properties", "--saturates", "soft,no") == f"{wanted}\n"


def test_list_for_programs(capsys):
    records = json.loads(printed(capsys, "list", "--json"))
    assert {r["name"]: r["elementwise"] for r in records}["softmax"] is False
    assert next(r for r in records if r["name"] == "silu")["aliases"] == list(fa.silu.aliases)
    records = json.loads(printed(capsys, "list", "--json", "--properties", "--trained", "yes"))
    assert [r["name"] for r in records] == fa.find(trained=True)
    assert all(r["range"][1] == "inf" for r in records if r["name"] == "prelu")


def test_info(capsys):
    assert printed(capsys, "info", "Swish", "relu") == f"{fa.silu.info}\n\n{fa.relu.info}\n"
    text = printed(capsys, "info", "softmax")
    assert "softmax(x, axis=-1, *, temperature=1.0" in text
    assert "0 to 1" in text
    records = json.loads(printed(capsys, "info", "--json", "step", "geglu", "log1mexp"))
    assert records[0]["kinks"][0]["values"] == [0, 1]
    assert records[0]["lipschitz"] == "inf"
    assert math.isnan(float(records[2]["mean"]))
    assert records[1]["family"] == "gated units"


def test_colours_on_a_terminal_only(terminal, monkeypatch, capsys):
    assert "\033[1mgelu\033[0m" in terminal("info", "gelu")
    assert "\033[36mgelu\033[0m" in terminal("list")
    monkeypatch.setenv("NO_COLOR", "1")
    assert "\033" not in terminal("info", "gelu") + terminal("list")
    monkeypatch.undo()
    assert "\033" not in printed(capsys, "info", "gelu") + printed(capsys, "list")


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["lst"], ["'lst'", "did you mean list"]),
        (["inof", "gelu"], ["'inof'", "did you mean info"]),
        (["info", "gleu"], ["'gleu'", "did you mean", "gelu"]),
        (["info"], ["NAME"]),
        (["list", "--saturate", "no"], ["--saturate no", "did you mean --saturates"]),
        (["list", "--saturates", "never"], ["'never'", "hard, soft, no"]),
        (["list", "--smoothness", "C9"], ["'C9'", "C0"]),
        (["list", "--family", "rectifier"], ["--family rectifier", "did you mean rectifiers"]),
        (["list", "gelu"], ["unrecognized arguments: gelu"]),
    ],
)  # fmt: skip
def test_typos(tmp_path, called, arguments, words):  # noqa: F811
    assert refused(called(tmp_path, *arguments), *words)


def test_plot(tmp_path, called):  # noqa: F811
    pytest.importorskip("matplotlib")
    for name, start in (("out.svg", b"<?xml"), ("out", b"\x89PNG")):
        result = called(tmp_path, "plot", "gelu", "silu", "-o", name, "--dpi", "50")
        assert (result.returncode, result.stderr) == (0, "")
        assert (tmp_path / name).read_bytes().startswith(start)
    result = called(tmp_path, "plot", "elu", "-o", "elu.svg", "--param", "alpha=0.5,1,2", "--xlim", "-4", "4", "--no-derivative")
    assert result.stdout == "elu.svg: elu\n"
    assert called(tmp_path, "plot", "relu", "tanh", "--all", "-o", "sheet.svg").returncode == 0
    before = sorted(os.listdir(tmp_path))
    for arguments, words in (
        (["gelu", "-o", "x.txt"], ["x.txt", "'txt'", "svg"]),
        (["gelu", "-o", "missing/x.png"], ["missing/x.png", "No such file"]),
        (["-o", "x.png"], ["no function is named"]),
        (["softmax", "-o", "x.png"], ["softmax is not elementwise"]),
        (["gleu", "-o", "x.png"], ["did you mean", "gelu"]),
        (["elu", "-o", "x.png", "--param", "beta=1"], ["'beta'", "alpha"]),
        (["elu", "-o", "x.png", "--param", "alpha=one"], ["'one'"]),
        (["elu", "-o", "x.png", "--param", "alpha"], ["NAME=VALUE"]),
        (["elu", "-o", "x.png", "--xlim", "2", "1"], ["xlim"]),
        (["--all", "-o", "x.png", "--xlim", "1", "2"], ["--all takes neither"]),
    ):
        assert refused(called(tmp_path, "plot", *arguments), "fastact plot: ", *words)
    assert sorted(os.listdir(tmp_path)) == before


def test_plot_without_matplotlib(tmp_path, called, monkeypatch):  # noqa: F811
    for module in ("matplotlib", "matplotlib.figure"):
        monkeypatch.setitem(sys.modules, module, None)
    assert refused(called(tmp_path, "plot", "gelu", "-o", "x.png"), 'pip install "fastact[plot]"')


# ---------------------------------------------------------------------------------------------------
# apply
# ---------------------------------------------------------------------------------------------------

X = np.linspace(-4.0, 4.0, 600, dtype=np.float32).reshape(20, 30)


@pytest.mark.parametrize("save", [np.savez, np.savez_compressed])
@pytest.mark.parametrize("chunk", [7, 1 << 22])
def test_apply_to_members(tmp_path, called, monkeypatch, save, chunk):  # noqa: F811
    monkeypatch.setattr(apply_command, "CHUNK", chunk)
    save(tmp_path / "in.npz", w=X, b=np.asfortranarray(X[:5].astype(np.float64)), **{"deep/name": X[0]})
    for member, array in (("w", X), ("b", X[:5].astype(np.float64)), ("deep/name", X[0])):
        result = called(tmp_path, "apply", "gelu", "in.npz", "out.npy", "--member", member)
        assert (result.returncode, result.stderr) == (0, "")
        np.testing.assert_array_equal(np.load(tmp_path / "out.npy"), fa.gelu(array), strict=True)
    save(tmp_path / "one.npz", x=X)
    assert called(tmp_path, "apply", "softmax", "one.npz", "out.npy", "--axis", "0").returncode == 0
    np.testing.assert_array_equal(np.load(tmp_path / "out.npy"), fa.softmax(X, axis=0))


@pytest.mark.parametrize(("shape", "offset"), [("20,30", 0), ("20,-1", 0), ("-1", 16), ("2,10,30", 3)])
@pytest.mark.parametrize("chunk", [7, 1 << 22])
def test_apply_to_memory_maps(tmp_path, called, monkeypatch, shape, offset, chunk):  # noqa: F811
    monkeypatch.setattr(apply_command, "CHUNK", chunk)
    (tmp_path / "in.dat").write_bytes(b"*" * offset + X.tobytes())
    arguments = ["--raw", "float32", "--shape", shape, "--offset", str(offset)]
    want = fa.gelu(X).reshape([int(n) for n in shape.split(",")])
    assert called(tmp_path, "apply", "gelu", "in.dat", "out.npy", *arguments).returncode == 0
    np.testing.assert_array_equal(np.load(tmp_path / "out.npy"), want, strict=True)
    assert called(tmp_path, "apply", "gelu", "in.dat", "out.dat", *arguments).returncode == 0
    np.testing.assert_array_equal(np.memmap(tmp_path / "out.dat", np.float32, "r", shape=want.shape), want)


def test_apply_to_a_memory_map_in_place(tmp_path, called):  # noqa: F811
    mapped = np.memmap(tmp_path / "x.dat", ">f8", "w+", shape=(600,))
    mapped[:] = X.ravel()
    mapped.flush()
    assert called(tmp_path, "apply", "tanh", "x.dat", "x.dat", "--raw", ">f8").returncode == 0
    np.testing.assert_array_equal(np.fromfile(tmp_path / "x.dat", ">f8"), fa.tanh(X.ravel().astype(float)))
    assert os.listdir(tmp_path) == ["x.dat"]


@pytest.mark.skipif(os.name == "nt", reason="needs pipes")
def test_apply_to_a_raw_pipe(tmp_path):
    root = os.path.dirname(os.path.dirname(fa.__file__))
    arguments = ["relu", "/dev/stdin", "/dev/stdout", "--raw", "float32", "--shape", "600"]
    command = [sys.executable, "-m", "fastact", "apply", *arguments]
    done = subprocess.run(command, input=X.tobytes(), capture_output=True, check=False, env={**os.environ, "PYTHONPATH": root})
    assert done.returncode == 0, done.stderr
    np.testing.assert_array_equal(np.frombuffer(done.stdout, np.float32), fa.relu(X.ravel()))


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["in.npz", "out.npy"], ["in.npz", "several arrays", "--member w or b"]),
        (["in.npz", "out.npy", "--member", "ww"], ["--member ww", "it has w, b", "did you mean w"]),
        (["none.npz", "out.npy"], ["none.npz", "without an array"]),
        (["bad.npz", "out.npy"], ["bad.npz", "damaged or truncated .npz file"]),
        (["cut.npz", "out.npy"], ["cut.npz", "damaged or truncated .npz file"]),
        (["words.npz", "out.npy"], ["words.npz", "not a .npy file"]),
        (["objects.npz", "out.npy"], ["objects.npz", "object"]),
        (["in.npy", "out.npy", "--member", "w"], ["in.npy", "--member w", "not a .npz file"]),
        (["in.npy", "out.npz"], ["out.npz", "expected a .npy file"]),
        (["in.dat", "out.npy", "--raw", "flaot32"], ["--raw flaot32", "expected the name of a dtype"]),
        (["in.dat", "out.npy", "--raw", "O"], ["--raw O", "expected the name of a dtype"]),
        (["in.dat", "out.npy", "--raw", "complex64"], ["in.dat", "complex64", "gelu"]),
        (["in.dat", "out.npy", "--raw", "float32", "--shape", "20,31"], ["in.dat", "2,400 bytes", "2,480"]),
        (["in.dat", "out.npy", "--raw", "float32", "--shape", "7,-1"], ["in.dat", "2,400 bytes", "(7, 85)"]),
        (["in.dat", "out.npy", "--raw", "float32", "--shape=-1,-1"], ["--shape -1,-1", "one may be -1"]),
        (["in.dat", "out.npy", "--raw", "float32", "--shape", "ten"], ["--shape ten", "whole numbers"]),
        (["in.dat", "out.npy", "--raw", "float32", "--offset", "-4"], ["--offset -4"]),
        (["in.dat", "out.npy", "--shape", "600"], ["--shape needs --raw"]),
        (["in.npz", "out.npy", "--raw", "float32", "--member", "w"], ["exclude each other"]),
        (["missing.dat", "out.npy", "--raw", "float32"], ["missing.dat", "No such file"]),
    ],
)  # fmt: skip
def test_apply_refuses(tmp_path, called, arguments, words):  # noqa: F811
    np.save(tmp_path / "in.npy", X)
    np.savez(tmp_path / "in.npz", w=X, b=X)
    np.savez(tmp_path / "none.npz")
    np.savez(tmp_path / "objects.npz", x=np.array([None, 1]))
    np.savez(tmp_path / "bad.npz", x=X)
    spoilt = bytearray((tmp_path / "bad.npz").read_bytes())
    spoilt[1500] ^= 0xFF
    (tmp_path / "bad.npz").write_bytes(spoilt)
    (tmp_path / "cut.npz").write_bytes(spoilt[:1000])
    with zipfile.ZipFile(tmp_path / "words.npz", "w") as archive:
        archive.writestr("x.npy", "what is this?")
    X.tofile(tmp_path / "in.dat")
    before = sorted(os.listdir(tmp_path))
    assert refused(called(tmp_path, "apply", "gelu", *arguments), "fastact apply: ", *words)
    assert sorted(os.listdir(tmp_path)) == before
