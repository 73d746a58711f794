"""`apply` and the files around it: signals, links in a circle, files that become shorter, pipes."""

import os
import signal
import subprocess
import sys
import threading
import time

import numpy as np
import pytest
from helpers import PACKAGE

import fastact as fa
from fastact._cli import apply, common, main

pytestmark = pytest.mark.skipif(os.name == "nt", reason="POSIX signals, links and pipes")
SIGNALS = {"SIGINT": 130, "SIGTERM": 143, "SIGHUP": 129}


def start(folder, *arguments, ignored=(), command=("apply",), **how):
    """Start ``python -m fastact apply`` in a folder, with the signals as they are by default."""

    def signals():
        for name in SIGNALS:
            signal.signal(getattr(signal, name), signal.SIG_IGN if name in ignored else signal.SIG_DFL)

    path = os.pathsep.join(filter(None, [str(PACKAGE.parent), os.environ.get("PYTHONPATH")]))
    return subprocess.Popen(
        [sys.executable, "-m", "fastact", *command, *map(str, arguments)], cwd=folder, env={**os.environ, "PYTHONPATH": path},
        stderr=subprocess.PIPE, preexec_fn=signals, **{"stdout": subprocess.PIPE, **how},
    )  # fmt: skip


@pytest.fixture
def x():
    return np.random.default_rng(0).normal(0, 3, 50_000)


@pytest.fixture
def folder(tmp_path, x):
    np.save(tmp_path / "in.npy", x)
    os.mkfifo(tmp_path / "pipe")
    return tmp_path


def in_the_middle(folder, process):
    """The open end of the pipe that a process reads, when it has begun to write."""
    pipe = open(folder / "pipe", "wb", buffering=0)  # noqa: SIM115 (the caller closes it)
    pipe.write((folder / "in.npy").read_bytes()[:1000])
    end = time.monotonic() + 60
    while not [f for f in os.listdir(folder) if f.endswith(".tmp")]:
        assert process.poll() is None, process.stderr.read()
        assert time.monotonic() < end
        time.sleep(0.01)
    return pipe


@pytest.mark.parametrize("name", SIGNALS)
def test_signals_leave_nothing(folder, name):
    (folder / "out.npy").write_bytes(b"precious")
    process = start(folder, "gelu", "pipe", "out.npy")
    with in_the_middle(folder, process):
        process.send_signal(getattr(signal, name))
        _, said = process.communicate(timeout=60)
    # Python ends itself by SIGINT, which a shell shows as 130 too, if that came while it ran a string of code.
    assert process.returncode == SIGNALS[name] or (name == "SIGINT" and process.returncode == -signal.SIGINT)
    assert b"Traceback" not in said
    assert sorted(os.listdir(folder)) == ["in.npy", "out.npy", "pipe"]
    assert (folder / "out.npy").read_bytes() == b"precious"


def test_signals_that_are_ignored_stay_so(folder, x):
    """As nohup has it."""
    process = start(folder, "gelu", "pipe", "out.npy", ignored=["SIGHUP"])
    with in_the_middle(folder, process) as pipe:
        process.send_signal(signal.SIGHUP)
        left = memoryview((folder / "in.npy").read_bytes()[1000:])
        while left:
            left = left[pipe.write(left) :]
    assert process.communicate(timeout=60)[1] == b""
    np.testing.assert_array_equal(np.load(folder / "out.npy"), fa.gelu(x))


def refused(capsys, *arguments):
    """What `apply` says on stderr, one line, as it refuses."""
    assert main(["apply", *map(str, arguments)]) == 2
    lines = capsys.readouterr().err.splitlines()
    assert len(lines) == 1
    return lines[0]


def test_links_in_a_circle_stay(folder, capsys):
    for here, there in (("a.npy", "b.npy"), ("b.npy", "a.npy"), ("self.npy", "self.npy")):
        (folder / here).symlink_to(there)
    before = sorted(os.listdir(folder))
    for name in ("a.npy", "self.npy"):
        assert "cannot be written: Too many levels" in refused(capsys, "relu", folder / "in.npy", folder / name)
        assert "Too many levels" in refused(capsys, "relu", folder / name, folder / "out.npy")
        assert (folder / name).is_symlink()
    assert sorted(os.listdir(folder)) == before


def test_a_link_to_what_does_not_exist_yet(folder, x):
    (folder / "link.npy").symlink_to("new.npy")
    assert main(["apply", "relu", str(folder / "in.npy"), str(folder / "link.npy")]) == 0
    assert (folder / "link.npy").is_symlink()
    np.testing.assert_array_equal(np.load(folder / "new.npy"), fa.relu(x))


@pytest.mark.parametrize("name", ["gelu", "softmax"])
def test_input_that_becomes_shorter(folder, capsys, monkeypatch, x, name):
    """An error, not a signal."""
    np.save(folder / "in.npy", x.reshape(-1, 50))
    (folder / "out.npy").write_bytes(b"precious")
    monkeypatch.setattr(apply, "CHUNK", 100)
    monkeypatch.setattr(common.Progress, "update", lambda self, steps, label="": os.truncate(folder / "in.npy", 20_000))
    said = refused(capsys, name, folder / "in.npy", folder / "out.npy")
    assert "in.npy: damaged or truncated" in said
    assert (folder / "out.npy").read_bytes() == b"precious"
    assert sorted(os.listdir(folder)) == ["in.npy", "out.npy", "pipe"]


def test_pipes_at_both_ends(folder, x):
    os.mkfifo(folder / "back")
    read = []
    feed = threading.Thread(target=lambda: (folder / "pipe").write_bytes((folder / "in.npy").read_bytes()))
    fetch = threading.Thread(target=lambda: read.append((folder / "back").read_bytes()))
    feed.start()
    fetch.start()
    assert main(["apply", "mish", str(folder / "pipe"), str(folder / "back")]) == 0
    feed.join()
    fetch.join()
    np.save(folder / "want.npy", fa.mish(x))
    assert read == [(folder / "want.npy").read_bytes()]


def test_a_pipe_that_comes_in_drops(folder, x):
    def drip():
        with open(folder / "pipe", "wb", buffering=0) as pipe:
            for drop in np.array_split(np.fromfile(folder / "in.npy", np.uint8), [1, 3, 7, 9, 60, 129, 131, 9000]):
                pipe.write(drop)
                time.sleep(0.01)

    feed = threading.Thread(target=drip)
    feed.start()
    assert main(["apply", "relu", str(folder / "pipe"), str(folder / "out.npy")]) == 0
    feed.join()
    np.testing.assert_array_equal(np.load(folder / "out.npy"), fa.relu(x))


@pytest.mark.parametrize("version", [(1, 0), (2, 0), (3, 0)])
def test_versions_of_the_format(folder, x, version):
    with open(folder / "in.npy", "wb") as file:
        np.lib.format.write_array(file, x, version)
    assert main(["apply", "relu", str(folder / "in.npy"), str(folder / "out.npy")]) == 0
    np.testing.assert_array_equal(np.load(folder / "out.npy"), fa.relu(x))
    (folder / "in.npy").write_bytes(b"\x93NUMPY\x09\x00" + bytes(100))
    assert main(["apply", "relu", str(folder / "in.npy"), str(folder / "out.npy")]) == 2


def test_standard_input_and_output(folder, x):
    with open(folder / "in.npy", "rb") as given:
        process = start(folder, "tanh", "/dev/stdin", "/dev/stdout", stdin=given)
        out, said = process.communicate(timeout=60)
    assert process.returncode == 0
    np.save(folder / "want.npy", fa.tanh(x))
    assert out == (folder / "want.npy").read_bytes()
    assert said.startswith(b"/dev/stdout: tanh over 50,000 elements")


def test_standard_output_that_is_a_file(folder, x):
    """It is appended to, not replaced."""
    with open(folder / "out", "wb") as out:
        out.write(b"before")
        out.flush()
        assert start(folder, "relu", "in.npy", "/dev/stdout", stdout=out).wait(60) == 0
    np.save(folder / "want.npy", fa.relu(x))
    assert (folder / "out").read_bytes() == b"before" + (folder / "want.npy").read_bytes()


def test_a_pipe_that_ends_too_soon(folder, capsys):
    feed = threading.Thread(target=lambda: (folder / "pipe").write_bytes((folder / "in.npy").read_bytes()[:9000]))
    feed.start()
    assert "truncated" in refused(capsys, "mish", folder / "pipe", folder / "out.npy")
    feed.join()
    assert sorted(os.listdir(folder)) == ["in.npy", "pipe"]


def test_a_reader_that_has_gone(folder):
    process = start(folder, "relu", "in.npy", "pipe")
    with open(folder / "pipe", "rb") as pipe:
        pipe.read(10)
    _, said = process.communicate(timeout=60)
    assert (process.returncode, said) == (2, b"fastact apply: pipe: cannot be written: Broken pipe\n")
    process = start(folder, "relu", "in.npy", "/dev/stdout")
    process.stdout.read(10)
    process.stdout.close()
    assert process.wait(60) == 1
    assert process.stderr.read() == b""
    process.stderr.close()


def test_a_device(folder, capsys):
    before = sorted(os.listdir(folder))
    if os.path.exists("/dev/full"):
        assert "/dev/full: cannot be written: No space left" in refused(capsys, "relu", folder / "in.npy", "/dev/full")
    assert main(["apply", "relu", str(folder / "in.npy"), os.devnull]) == 0
    assert sorted(os.listdir(folder)) == before


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="no device that is full")
@pytest.mark.parametrize("command", [["apply", "relu", "in.npy", "/dev/stdout"], ["list"], []])
def test_standard_output_that_is_full(folder, command):
    """A line, not a traceback. For a file: `test_apply_without_space_leaves_nothing`."""
    with open("/dev/full", "wb") as full:
        process = start(folder, command=command, stdout=full)
        _, said = process.communicate(timeout=60)
    name = command[0] if command else "run"
    assert (process.returncode, said.decode()) == (
        2, f"fastact {name}: standard output cannot be written: No space left on device\n",
    )  # fmt: skip
