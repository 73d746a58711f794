"""``python -m fastact diagnose``."""

import json

import numpy as np
import pytest
from test_cli import called, cli, refused  # noqa: F401  (called is a fixture)

import fastact as fa
from fastact._cli import diagnose


@pytest.fixture
def folder(tmp_path):
    z = np.random.default_rng(0).normal(-1, 1, (300, 6)).astype(np.float32)
    z[:, 5] = -9
    np.save(tmp_path / "z.npy", z)
    return tmp_path


def test_text_is_that_of_the_function(folder):
    result = cli(folder, "diagnose", "z.npy", "--function", "ReLU")
    assert (result.returncode, result.stderr) == (0, "")
    assert result.stdout == f"{fa.diagnose(np.load(folder / 'z.npy'), 'relu')}\n"
    assert "1 unit of 6 is dead" in result.stdout


def test_json_in_pieces(folder, called, monkeypatch):  # noqa: F811
    """The same numbers as of the whole, whatever the pieces; NaN is null."""
    monkeypatch.setattr(diagnose, "CHUNK", 100)
    z = np.load(folder / "z.npy")
    z[:, 1] = np.nan
    np.save(folder / "z.npy", z)
    np.save(folder / "fortran.npy", np.asfortranarray(z))
    want = fa.diagnose(z, "elu", alpha=0.5)
    for name in ("z.npy", "fortran.npy"):
        result = called(folder, "diagnose", name, "--function", "elu", "--param", "alpha=0.5", "--json")
        found = json.loads(result.stdout)
        assert (found["function"], found["params"], found["units"], found["batch"]) == ("elu", {"alpha": 0.5}, 6, 300)
        assert found["each unit"]["dead"] == want.dead.tolist()
        assert found["each unit"]["mean"][1] is None
        np.testing.assert_allclose(found["overall"]["mean"], want.overall["mean"], rtol=1e-12)
        assert found["overall"]["nan"] == 300


def test_axes_and_picture(folder, called):  # noqa: F811
    pytest.importorskip("matplotlib")
    result = called(folder, "diagnose", "z.npy", "--function", "gelu", "--axis", "all", "--plot", "z.svg")
    assert "gelu: 1 unit, each over 1,800 elements" in result.stdout
    assert (folder / "z.svg").read_text().startswith("<?xml")
    assert refused(called(folder, "diagnose", "z.npy", "--function", "gelu", "--plot", "z.nothing"), "z.nothing")
    assert not (folder / "z.nothing").exists()


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["z.npy", "--function", "rellu"], ["did you mean relu"]),
        (["z.npy", "--function", "softmax"], ["elementwise"]),
        (["z.npy", "--function", "relu", "--axis", "2"], ["z.npy", "out of bounds"]),
        (["z.npy", "--function", "relu", "--axis", "x"], ["--axis x"]),
        (["z.npy", "--function", "relu", "--param", "alpha=1"], ["no parameter 'alpha'"]),
        (["z.npy", "--function", "relu", "--saturation", "-1"], ["saturation is -1.0"]),
        (["none.npy", "--function", "relu"], ["none.npy", "No such file"]),
        (["complex.npy", "--function", "relu"], ["complex.npy", "dtype complex128"]),
    ],
)  # fmt: skip
def test_refusals(folder, called, arguments, words):  # noqa: F811
    np.save(folder / "complex.npy", np.ones(3, complex))
    assert refused(called(folder, "diagnose", *arguments), *words)
