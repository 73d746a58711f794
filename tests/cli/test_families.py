"""`apply` and `run` over functions that are not elementwise: along an axis, in halves, of pieces, randomised."""

import importlib.util
import json

import numpy as np
import pytest
from helpers import assert_same_bits

import fastact as fa
from fastact._cli import apply, families, main
from fastact._cli.expressions import expression
from fastact.functions.registry import BY_NAME

OTHERS = sorted({f.__name__ for f in BY_NAME.values()} - set(fa.activations()))
#: What the command line is given, and the call that it stands for.
ARGUMENTS = {
    "maxout": {"pieces": (3, "3")}, "rrelu": {"rng": (5, "5"), "training": (True, "true")}, "noisy_relu": {"rng": (5, "5")},
    "max_affine": {"weight": ([0.5, -1.0], "0.5,-1"), "bias": ([0.0, 2.0], "0,2")},
    "gumbel_softmax": {"rng": (5, "5"), "tau": (0.5, "0.5")}, "softmax": {"temperature": (2.0, "2")},
}  # fmt: skip
SHAPES = [(6, 6, 12), (12,), (6, 18)]


def call(name, x, axis):
    """What the package gives, for the arguments above."""
    function, keywords = fa.get(name), {key: value for key, (value, _) in ARGUMENTS.get(name, {}).items()}
    return function(x, **keywords, **({"axis": axis} if families.has_axis(function) else {}))


def given(name, axis):
    """The same on the command line."""
    texts = [f"--param={key}={text}" for key, (_, text) in ARGUMENTS.get(name, {}).items()]
    return [*texts, *([f"--axis={axis}"] if families.has_axis(fa.get(name)) else [])]


@pytest.mark.parametrize("name", OTHERS)
def test_apply_gives_what_the_call_gives(name, tmp_path, monkeypatch):
    """In one chunk to the bit; in chunks but for the order of a row's sums, which depends on how many rows there are."""
    source, target = str(tmp_path / "in.npy"), str(tmp_path / "out.npy")
    for shape in SHAPES:
        for dtype in (np.float16, np.float32, np.float64, ">f4", np.int16):
            x = np.random.default_rng(1).normal(0, 3, shape).astype(dtype)
            np.save(source, x)
            for axis in [-1, *(range(len(shape)) if dtype == np.float32 and families.has_axis(fa.get(name)) else ())]:
                want = np.asarray(call(name, x, axis))
                for chunk in (1 << 22, 50):
                    monkeypatch.setattr(apply, "CHUNK", chunk)
                    assert main(["apply", name, source, target, *given(name, axis)]) == 0
                    got = np.load(target)
                    if chunk > 1000:
                        assert_same_bits(got, want)
                    assert (got.shape, got.dtype) == (want.shape, want.dtype)
                    tiny = float(np.finfo(got.dtype).eps) if got.dtype.kind == "f" else 0.0
                    np.testing.assert_allclose(got, want, rtol=8 * tiny, atol=8 * tiny if "max" in name else 0)


@pytest.mark.parametrize("name", ["softmax", "logsumexp", "swiglu", "maxout", "crelu", "entmax15"])
def test_fortran_order(name, tmp_path, monkeypatch):
    source, target = str(tmp_path / "in.npy"), str(tmp_path / "out.npy")
    x = np.asfortranarray(np.random.default_rng(2).normal(0, 3, (6, 12, 6)))
    np.save(source, x)
    for axis in (0, 1, 2):
        for chunk in (50, 1 << 22):
            monkeypatch.setattr(apply, "CHUNK", chunk)
            assert main(["apply", name, source, target, *given(name, axis)]) == 0
            got = np.load(target)
            assert got.flags.f_contiguous
            np.testing.assert_allclose(got, call(name, x, axis), rtol=1e-14, atol=1e-15)


@pytest.mark.parametrize("shape", [(2, 0, 3), (0, 4), (0,), ()])
def test_few_elements(shape, tmp_path, capsys):
    source, target = str(tmp_path / "in.npy"), str(tmp_path / "out.npy")
    x = np.full(shape, 0.5, np.float32)
    np.save(source, x)
    for name in ("softmax", "logsumexp", "crelu" if shape else "hardmax"):
        for axis in range(-max(len(shape), 1), 0):
            assert main(["apply", name, source, target, f"--axis={axis}"]) == 0
            assert_same_bits(np.load(target), np.asarray(fa.get(name)(x, axis)))


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["softmax", "--axis=2"], ["in.npy", "axis 2 is out of bounds", "2 dimensions"]),
        (["softmax", "--axis=one"], ["--axis", "'one'"]),
        (["gelu", "--axis=0"], ["--axis 0", "gelu works on each element by itself"]),
        (["rrelu", "--axis=0"], ["rrelu works on each element by itself"]),
        (["softmax", "--derivative"], ["softmax is a row-wise function", "backward pass"]),
        (["swiglu", "--derivative"], ["swiglu is a gated unit"]),
        (["swiglu", "--axis=0"], ["axis 0 of x has length 3", "even"]),
        (["maxout"], ["maxout needs --param pieces=N"]),
        (["max_affine", "--param=weight=1"], ["max_affine needs --param bias=NUMBER,NUMBER"]),
        (["max_affine", "--param=weight=1,2", "--param=bias=1"], ["weight has shape (2,) and bias (1,)"]),
        (["max_affine", "--param=weight=1,x"], ["'1,x' is not numbers"]),
        (["maxout", "--param=pieces=3"], ["pieces is 3", "divisor of the length 4"]),
        (["maxout", "--param=pieces=1.5"], ["'1.5' is not a whole number"]),
        (["softmax", "--param=temperature=0"], ["temperature is 0.0"]),
        (["softmax", "--param=where=1"], ["softmax has no parameter 'where'; it has temperature"]),
        (["noisy_relu", "--param=training=maybe"], ["'maybe' is not true or false"]),
        (["noisy_relu", "--param=rng=-1"], ["'-1' is not a seed"]),
    ],
)
def test_refusals(arguments, words, tmp_path, capsys):
    np.save(tmp_path / "in.npy", np.ones((3, 4)))
    (tmp_path / "out.npy").write_bytes(b"precious")
    name, *options = arguments
    try:
        status = main(["apply", name, str(tmp_path / "in.npy"), str(tmp_path / "out.npy"), *options])
    except SystemExit as end:
        status = end.code
    assert status == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert all(word in line for word in words), line
    assert (tmp_path / "out.npy").read_bytes() == b"precious"


def test_dtypes_that_no_function_takes(tmp_path, capsys):
    np.save(tmp_path / "in.npy", np.ones((3, 4), complex))
    for name in OTHERS:
        assert main(["apply", name, str(tmp_path / "in.npy"), str(tmp_path / "out.npy"), *given(name, -1)]) == 2
        assert f"has dtype complex128; {name} takes float16" in capsys.readouterr().err


def test_run(tmp_path, capsys):
    """Every function by name, over rows of random numbers and over a file along an axis."""
    report = tmp_path / "figures.json"
    np.save(tmp_path / "in.npy", np.random.default_rng(0).normal(size=(4, 6, 8)).astype("f"))
    for options in (["--size=3000"], [f"--input={tmp_path / 'in.npy'}", "--axis=1"], ["--size=3"]):
        assert main(["run", *OTHERS, "relu", "--rounds=1", f"--json={report}", *options]) == 0
        figures = json.loads(report.read_text())["functions"]
        assert set(figures) == {*OTHERS, "relu"}
        assert all(f[kind]["ns_per_element"] > 0 for f in figures.values() for kind in ("value", "derivative"))
        assert "speed_up" in figures["swiglu"] or importlib.util.find_spec("scipy") is None
        assert "speed_up" not in figures["hardmax"]
    assert main(["run", "softmax", "--axis=3", f"--input={tmp_path / 'in.npy'}"]) == 2
    assert "axis 3 is out of bounds" in capsys.readouterr().err


@pytest.mark.parametrize("name", OTHERS)
def test_what_is_timed_is_the_backward_pass(name):
    """Its results have the shape of x, and are those of finite differences where nothing is drawn."""
    function, x = fa.get(name), np.random.default_rng(3).normal(0, 1, (3, 6))
    keywords = {key: np.asarray(value) if key in ("weight", "bias") else value
                for key, (value, _) in ARGUMENTS.get(name, {}).items()}  # fmt: skip
    one = families.Call.of(function, "value", None, keywords)
    got = families.backward(one, x)(x)
    got = got["x"] if isinstance(got, dict) else got
    assert got.shape == x.shape
    if "rng" in keywords:
        return
    step = 1e-6
    for at in np.ndindex(x.shape):
        moved = np.zeros_like(x)
        moved[at] = step
        slope = (np.sum(one(x + moved)) - np.sum(one(x - moved))) / (2 * step)
        assert got[at] == pytest.approx(slope, abs=1e-7)


@pytest.mark.parametrize("name", [n for n in OTHERS if families.has_axis(fa.get(n))])
def test_expressions_say_what_the_functions_do(name):
    x = np.random.default_rng(4).normal(0, 2, (4, 6)).astype("f")
    for axis in (0, 1):
        if (plain := expression(fa.get(name), axis)) is not None:
            np.testing.assert_allclose(plain(x), fa.get(name)(x, axis=axis), rtol=2e-5, atol=2e-6)
