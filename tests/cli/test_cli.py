"""The command line, as users run it: exit statuses, what stands on stderr, and what is left on disk."""

import json
import os
import signal
import subprocess
import sys

import numpy as np
import pytest

import fastact as fa
from fastact._cli import apply as apply_command
from fastact._cli import common, main
from fastact._cli.expressions import expressions

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(fa.__file__)))


def cli(folder, *arguments, preexec_fn=None):
    """Run ``python -m fastact`` in a folder."""
    path = os.pathsep.join(filter(None, [ROOT, os.environ.get("PYTHONPATH")]))
    return subprocess.run(
        [sys.executable, "-m", "fastact", *map(str, arguments)], cwd=folder, env={**os.environ, "PYTHONPATH": path},
        capture_output=True, text=True, timeout=300, check=False, preexec_fn=preexec_fn,
    )  # fmt: skip


@pytest.fixture
def called(monkeypatch, capsys):
    """`cli` in this process: a command in a folder costs no interpreter."""

    def call(folder, *arguments):
        monkeypatch.chdir(folder)
        try:
            status = main(list(arguments))
        except SystemExit as end:
            status = end.code
        return subprocess.CompletedProcess(arguments, status, *capsys.readouterr())

    return call


def refused(result, *words):
    """Whether a command ended with status 2 and one line on stderr that holds the words."""
    assert result.returncode == 2, result
    lines = result.stderr.splitlines()
    assert len(lines) == 1, result.stderr
    assert lines[0].startswith("fastact")
    for word in words:
        assert word in lines[0]
    return True


@pytest.fixture
def x():
    return np.linspace(-5.0, 5.0, 600, dtype=np.float32).reshape(20, 30)


@pytest.fixture
def folder(tmp_path, x):
    np.save(tmp_path / "in.npy", x)
    return tmp_path


def listing(folder):
    return {name: (folder / name).read_bytes() for name in os.listdir(folder) if (folder / name).is_file()}


# ---------------------------------------------------------------------------------------------------
# run
# ---------------------------------------------------------------------------------------------------


def test_run_prints_configuration_table_and_summary(tmp_path):
    result = cli(tmp_path, "--size", "2000", "--rounds", "3", "swish", "--only", "relu,silu", "--json", "figures.json")
    assert result.returncode == 0, result.stderr
    assert result.stderr == ""  # no bar where stderr is not a terminal
    lines = result.stdout.splitlines()
    assert any(line.startswith("cpu level") for line in lines)
    assert [line.split()[0] for line in lines[-4:-2]] == ["silu", "relu"]
    assert max(map(len, lines[-6:-2])) <= 100
    assert len({len(line) for line in lines[-5:-2]}) == 1
    assert "median of 3 rounds" in result.stdout
    assert lines[-1].startswith("2 functions, ")
    assert "2,000 float32 elements" in lines[-1]

    report = json.loads((tmp_path / "figures.json").read_text())
    assert list(report["functions"]) == ["silu", "relu"]
    assert report["rounds"] == 3
    assert report["input"]["dtype"] == "float32"
    assert report["summary"]["line"] == lines[-1]
    assert report["config"]["cpu level"]
    relu = report["functions"]["relu"]
    assert relu["speed_up"] == pytest.approx(relu["expression"]["ns_per_element"] / relu["value"]["ns_per_element"])
    for kind in ("value", "derivative", "expression"):
        assert relu[kind]["gb_per_s"] == pytest.approx(8 / relu[kind]["ns_per_element"])


def test_run_covers_every_activation(tmp_path, capsys):
    assert main(["--size", "100", "--rounds", "1", "--json", str(tmp_path / "all.json")]) == 0
    assert list(json.loads((tmp_path / "all.json").read_text())["functions"]) == fa.activations()
    assert capsys.readouterr().out.splitlines()[-1].startswith(f"{len(fa.activations())} functions, ")


@pytest.mark.parametrize("dtype", ["float64", "int32", "float16", ">f4"])
def test_run_takes_a_file(folder, capsys, x, dtype):
    np.save(folder / "in.npy", np.asfortranarray(x.astype(dtype)))
    assert main(["run", "relu", "--input", str(folder / "in.npy"), "--rounds", "1"]) == 0
    assert f"600 {np.dtype(dtype)} elements" in capsys.readouterr().out
    assert main(["run", "relu", "--input", str(folder / "in.npy"), "--rounds", "1", "--dtype", "float32"]) == 0
    assert "600 float32 elements" in capsys.readouterr().out


def test_run_without_scipy_shows_no_ratio(monkeypatch, capsys):
    monkeypatch.setitem(sys.modules, "scipy.special", None)
    assert "sigmoid" not in expressions()
    assert main(["run", "sigmoid", "--size", "100", "--rounds", "1"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[-3].split()[-2:] == ["-", "-"]
    assert "none compared" in lines[-1]


@pytest.mark.parametrize("name", [name for name in fa.activations() if name in expressions()])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_expressions_say_what_the_functions_do(name, dtype):
    x = np.linspace(-6.0, 6.0, 1201, dtype=dtype) + dtype(0.00123)
    with np.errstate(all="ignore"):
        plain = expressions()[name](x)
    assert plain.dtype == dtype
    tolerance = 2e-5 if dtype == np.float32 else 1e-10
    np.testing.assert_allclose(fa.get(name)(x), plain, rtol=tolerance, atol=tolerance / 10)


def test_expressions_stand_under_canonical_names():
    assert set(expressions()) <= set(fa.activations())


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["gleu"], ["'gleu'", "gelu"]),
        (["--only", "relu,sgimoid"], ["'sgimoid'", "sigmoid"]),
        (["aply", "relu"], ["'aply'", "apply"]),
        (["--input", "missing.npy"], ["missing.npy", "No such file"]),
        (["--input", "empty.npy"], ["empty.npy", "no elements"]),
        (["--input", "complex.npy"], ["complex.npy", "complex128"]),
        (["--size", "0"], ["--size", "'0'"]),
        (["--size", "1.5"], ["--size", "'1.5'"]),
        (["--size", "1e17"], ["input array"]),
        (["--dtype", "int8"], ["--dtype", "int8"]),
        (["relu", "--json", "missing/figures.json"], ["missing/figures.json", "No such file"]),
        (["--nonsense"], ["--nonsense"]),
    ],
)  # fmt: skip
def test_run_refuses(tmp_path, called, arguments, words):
    np.save(tmp_path / "empty.npy", np.empty((0, 3)))
    np.save(tmp_path / "complex.npy", np.ones(3, complex))
    before = listing(tmp_path)
    result = called(tmp_path, *arguments)
    assert refused(result, *words)
    assert result.stdout == ""
    assert listing(tmp_path) == before


@pytest.mark.parametrize("arguments", [["gleu"], ["apply", "gelu", "missing.npy", "out.npy"]])
def test_processes_that_refuse(tmp_path, arguments):
    result = cli(tmp_path, *arguments)
    assert refused(result)
    assert result.stdout == ""


@pytest.mark.parametrize("arguments", [["--help"], ["run", "--help"], ["apply", "--help"], ["--version"]])
def test_help(tmp_path, called, arguments):
    for result in [called(tmp_path, *arguments), *([cli(tmp_path, *arguments)] if arguments == ["--help"] else [])]:
        assert result.returncode == 0
        assert "fastact" in result.stdout
        assert result.stderr == ""


@pytest.mark.skipif(os.name == "nt", reason="needs head")
def test_a_closed_pipe_is_no_traceback(tmp_path):
    command = f'"{sys.executable}" -m fastact relu --size 1000000 | head -n 1'
    path = os.pathsep.join(filter(None, [ROOT, os.environ.get("PYTHONPATH")]))
    environment = {**os.environ, "PYTHONPATH": path}
    result = subprocess.run(command, shell=True, cwd=tmp_path, env=environment, capture_output=True, text=True, check=False)
    assert result.stderr == ""


# ---------------------------------------------------------------------------------------------------
# apply
# ---------------------------------------------------------------------------------------------------


def test_apply(folder, x):
    result = cli(folder, "apply", "gelu", "in.npy", "out.npy")
    assert (result.returncode, result.stderr) == (0, "")
    np.testing.assert_array_equal(np.load(folder / "out.npy"), fa.gelu(x), strict=True)
    result = cli(folder, "apply", "gelu", "in.npy", "out.npy", "--derivative")
    assert (result.returncode, result.stderr) == (0, "")
    np.testing.assert_array_equal(np.load(folder / "out.npy"), fa.gelu.derivative(x), strict=True)
    assert sorted(os.listdir(folder)) == ["in.npy", "out.npy"]


ARRAYS = {
    "C": np.linspace(-4.0, 4.0, 60).reshape(3, 4, 5),
    "F": np.asfortranarray(np.linspace(-4.0, 4.0, 60).reshape(3, 4, 5)),
    "int64": np.arange(-5, 6),
    "int16": np.arange(-5, 6, dtype=np.int16),
    "int8": np.arange(-5, 6, dtype=np.int8),
    "uint8": np.arange(7, dtype=np.uint8),
    "bool": np.array([True, False]),
    "float16": np.linspace(-4.0, 4.0, 33, dtype=np.float16),
    "swapped": np.linspace(-4.0, 4.0, 33, dtype=">f8"),
    "special": np.array([np.nan, np.inf, -np.inf, -0.0, 1e-320], np.float64),
    "0-d": np.array(0.75, np.float32),
    "empty": np.empty((2, 0, 3), np.float32),
    "empty int": np.empty(0, np.int32),
}


@pytest.mark.parametrize("chunk", [7, 1 << 22])
@pytest.mark.parametrize("kind", ["value", "derivative"])
@pytest.mark.parametrize("name", ["gelu", "elu"])
@pytest.mark.parametrize("array", ARRAYS.values(), ids=ARRAYS)
def test_apply_gives_what_the_call_gives(tmp_path, monkeypatch, array, name, kind, chunk):
    monkeypatch.setattr(apply_command, "CHUNK", chunk)
    source, target = str(tmp_path / "in.npy"), str(tmp_path / "out.npy")
    np.save(source, array)
    assert main(["apply", name, source, target, "--kind", kind]) == 0
    call = fa.get(name) if kind == "value" else fa.get(name).derivative
    found, expected = np.load(target), np.asarray(call(array))
    np.testing.assert_array_equal(found, expected, strict=True)
    assert found.dtype == expected.dtype
    assert (found.flags.c_contiguous, found.flags.f_contiguous) == (array.flags.c_contiguous, array.flags.f_contiguous)


@pytest.mark.parametrize("chunk", [100, 1 << 22])
def test_apply_in_place(folder, monkeypatch, x, chunk):
    monkeypatch.setattr(apply_command, "CHUNK", chunk)
    path = str(folder / "in.npy")
    assert main(["apply", "mish", path, path]) == 0
    np.testing.assert_array_equal(np.load(path), fa.mish(x))
    assert os.listdir(folder) == ["in.npy"]


def test_apply_takes_aliases_and_parameters(folder, x):
    source, target = str(folder / "in.npy"), str(folder / "out.npy")
    assert main(["apply", "Swish", source, target, "--param", "beta=2"]) == 0
    np.testing.assert_array_equal(np.load(target), fa.silu(x, beta=2.0))
    assert main(["apply", "hard_tanh", source, target, "--param", "max_val=0.5", "--param", "min_val=-2"]) == 0
    np.testing.assert_array_equal(np.load(target), fa.hard_tanh(x, -2.0, 0.5))
    assert main(["apply", "gelu", source, target, "--param", "approximate=tanh", "--derivative"]) == 0
    np.testing.assert_array_equal(np.load(target), fa.gelu_tanh.derivative(x))


@pytest.mark.skipif(os.name == "nt", reason="POSIX modes and links")
def test_apply_keeps_modes_and_links(folder, x):
    (folder / "real.npy").write_bytes(b"old")
    (folder / "real.npy").chmod(0o640)
    (folder / "link.npy").symlink_to("real.npy")
    assert main(["apply", "relu", str(folder / "in.npy"), str(folder / "link.npy")]) == 0
    assert (folder / "link.npy").is_symlink()
    assert (folder / "real.npy").stat().st_mode & 0o777 == 0o640
    np.testing.assert_array_equal(np.load(folder / "real.npy"), fa.relu(x))
    assert main(["apply", "relu", str(folder / "in.npy"), str(folder / "new.npy")]) == 0
    assert (folder / "new.npy").stat().st_mode == (folder / "in.npy").stat().st_mode


def damaged(folder):
    """Files that are not what they should be."""
    good = (folder / "in.npy").read_bytes()
    np.save(folder / "complex.npy", np.ones(3, complex))
    np.save(folder / "object.npy", np.array([None, 1]), allow_pickle=True)
    np.save(folder / "structured.npy", np.ones(3, [("a", "f4"), ("b", "i4")]))
    np.save(folder / "text.npy", np.array(["a", "b"]))
    np.savez(folder / "archive.npz", x=1, y=2)
    (folder / "header.npy").write_bytes(good[:20] + b"((((((" + good[26:])
    (folder / "short.npy").write_bytes(good[:1000])
    (folder / "stub.npy").write_bytes(good[:30])
    (folder / "nothing.npy").write_bytes(b"")
    (folder / "words.npy").write_text("what is this?")
    (folder / "folder.npy").mkdir()


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["gleu", "in.npy", "out.npy"], ["'gleu'", "did you mean", "gelu"]),
        (["xyzzy", "in.npy", "out.npy"], ["'xyzzy'"]),
        (["gelu", "missing.npy", "out.npy"], ["missing.npy", "No such file"]),
        (["gelu", "complex.npy", "out.npy"], ["gelu", "complex.npy", "complex128"]),
        (["gelu", "object.npy", "out.npy"], ["gelu", "object.npy", "object"]),
        (["gelu", "structured.npy", "out.npy", "--derivative"], ["gelu", "structured.npy", "'<i4'"]),
        (["gelu", "text.npy", "out.npy"], ["gelu", "text.npy", "<U1"]),
        (["gelu", "archive.npz", "out.npy"], ["archive.npz", "several arrays", "--member x or y"]),
        (["gelu", "header.npy", "out.npy"], ["header.npy", "damaged"]),
        (["gelu", "short.npy", "out.npy"], ["short.npy", "truncated"]),
        (["gelu", "stub.npy", "out.npy"], ["stub.npy", "truncated"]),
        (["gelu", "nothing.npy", "out.npy"], ["nothing.npy", "not a .npy file"]),
        (["gelu", "words.npy", "out.npy"], ["words.npy", "not a .npy file"]),
        (["gelu", "folder.npy", "out.npy"], ["folder.npy", "not a regular file"]),
        (["gelu", "in.npy", "folder.npy"], ["folder.npy", "not a regular file"]),
        (["gelu", "in.npy", "nowhere/out.npy"], ["nowhere/out.npy", "No such file"]),
        (["gelu", "in.npy", "in.npy/out.npy"], ["in.npy/out.npy", "cannot be written"]),
        (["gelu", "in.npy"], ["OUT.npy"]),
        (["gelu", "in.npy", "out.npy", "--kind", "integral"], ["integral"]),
        (["elu", "in.npy", "out.npy", "--param", "beta=1"], ["'beta'", "alpha"]),
        (["relu", "in.npy", "out.npy", "--param", "out=1"], ["relu", "'out'", "none"]),
        (["elu", "in.npy", "out.npy", "--param", "alpha"], ["NAME=VALUE"]),
        (["elu", "in.npy", "out.npy", "--param", "alpha=one"], ["'one'"]),
        (["elu", "in.npy", "out.npy", "--param", "alpha=1", "--param", "alpha=2"], ["alpha", "twice"]),
        (["gelu", "in.npy", "out.npy", "--param", "approximate=sine"], ["approximate", "tanh"]),
    ],
)  # fmt: skip
def test_apply_refuses(folder, called, arguments, words):
    damaged(folder)
    (folder / "out.npy").write_bytes(b"precious")
    before = listing(folder)
    result = called(folder, "apply", *arguments)
    assert refused(result, "fastact apply: ", *words)
    assert result.stdout == ""
    assert listing(folder) == before


@pytest.mark.skipif(os.name == "nt" or not hasattr(os, "geteuid") or os.geteuid() == 0, reason="POSIX modes, not as root")
def test_apply_refuses_what_permissions_forbid(folder):
    (folder / "out.npy").write_bytes(b"precious")
    (folder / "out.npy").chmod(0o444)
    assert refused(cli(folder, "apply", "relu", "in.npy", "out.npy"), "out.npy", "read-only")
    assert (folder / "out.npy").read_bytes() == b"precious"
    (folder / "in.npy").chmod(0)
    assert refused(cli(folder, "apply", "relu", "in.npy", "new.npy"), "in.npy", "Permission denied")


@pytest.mark.parametrize("existing", [False, True])
def test_apply_without_space_leaves_nothing(tmp_path, existing):
    resource = pytest.importorskip("resource")
    np.save(tmp_path / "in.npy", np.ones(100_000))
    if existing:
        (tmp_path / "out.npy").write_bytes(b"precious")
    before = listing(tmp_path)
    limit = lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (50_000, 50_000))  # noqa: E731
    assert refused(cli(tmp_path, "apply", "gelu", "in.npy", "out.npy", preexec_fn=limit), "out.npy", "cannot be written")
    assert listing(tmp_path) == before


@pytest.mark.parametrize("existing", [False, True])
@pytest.mark.parametrize("stop", ["interrupt", "terminate", "memory"])
def test_apply_stopped_leaves_nothing(folder, monkeypatch, capsys, existing, stop):
    if existing:
        (folder / "out.npy").write_bytes(b"precious")
    before = listing(folder)
    handler = signal.getsignal(signal.SIGTERM)

    def update(self, steps, label=""):
        if stop == "terminate":
            signal.raise_signal(signal.SIGTERM)
        raise KeyboardInterrupt if stop == "interrupt" else MemoryError

    monkeypatch.setattr(apply_command, "CHUNK", 100)
    monkeypatch.setattr(common.Progress, "update", update)
    arguments = ["apply", "gelu", str(folder / "in.npy"), str(folder / "out.npy")]
    if stop == "terminate":
        with pytest.raises(SystemExit, match="143"):
            main(arguments)
    else:
        assert main(arguments) == (130 if stop == "interrupt" else 2)
        captured = capsys.readouterr()
        assert len(captured.err.splitlines()) == 1
        assert captured.out == ""
    assert signal.getsignal(signal.SIGTERM) == handler
    assert listing(folder) == before


def test_counter_on_a_terminal_without_tqdm(monkeypatch, capsys):
    monkeypatch.setitem(sys.modules, "tqdm", None)
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True, raising=False)
    assert main(["run", "relu", "--size", "1000", "--rounds", "2"]) == 0
    captured = capsys.readouterr()
    assert "relu 1 of 2 rounds" in captured.err
    assert "\r" not in captured.out
