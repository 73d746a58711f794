"""fastact.thinc: thinc's operations with fastact's activations, against thinc's own."""

import inspect

import numpy as np
import pytest

import fastact as fa

api = pytest.importorskip("thinc.api")
import fastact.thinc  # noqa: E402

OURS, THEIRS = fastact.thinc.FastactOps(), api.NumpyOps()
OWN = [n for n in vars(fastact.thinc.FastactOps) if not n.startswith("_") and n != "name"]
FORWARD = [n for n in OWN if not n.startswith("backprop")]


def test_there_are_some():
    assert len(FORWARD) == 12
    assert {n for n in OWN if n.startswith("backprop")} == {f"backprop_{n}" for n in FORWARD}
    for name in OWN:  # whoever calls them by keyword
        ours, theirs = (list(inspect.signature(getattr(ops, name)).parameters) for ops in (OURS, THEIRS))
        assert ours == theirs


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("name", FORWARD)
def test_as_thinc(name, dtype):
    x = np.random.default_rng(0).normal(0, 2, (7, 5)).astype(dtype)
    grad = np.linspace(-1, 2, 35, dtype=dtype).reshape(7, 5)
    ours, theirs = (getattr(o, name)(x.copy()) for o in (OURS, THEIRS))
    assert ours.dtype == dtype
    np.testing.assert_allclose(ours, theirs, rtol=2e-5, atol=2e-6)
    arguments = [n for n in inspect.signature(getattr(THEIRS, f"backprop_{name}")).parameters if n in ("dY", "X", "Y")]
    found = []
    for ops in (OURS, THEIRS):
        known = {"dY": grad.copy(), "X": x.copy(), "Y": theirs.copy()}
        found.append(getattr(ops, f"backprop_{name}")(*(known[n] for n in arguments)))
    np.testing.assert_allclose(*found, rtol=3e-4, atol=3e-5)
    if "inplace" in inspect.signature(getattr(OURS, name)).parameters and name != "softmax":
        y = x.copy()
        assert getattr(OURS, name)(y, inplace=True) is y
        np.testing.assert_array_equal(y, ours)
        known = {"dY": grad.copy(), "X": x.copy(), "Y": theirs.copy()}
        target = known["Y" if name == "sigmoid" else "dY"]
        assert getattr(OURS, f"backprop_{name}")(*(known[n] for n in arguments), inplace=True) is target
        np.testing.assert_array_equal(target, found[0])


def test_tails():
    x = np.array([[-100.0, -25.0, 25.0, 100.0]])
    assert OURS.sigmoid(x)[0, 0] == fa.sigmoid(-100.0) > 0
    np.testing.assert_allclose(OURS.softmax(x, temperature=50.0), fa.softmax(x, temperature=50.0))
    with pytest.raises(ValueError, match="incompatible shapes"):
        OURS.backprop_mish(x, x[:, :2])


@pytest.mark.parametrize("layer", [api.Gelu, api.Mish, api.Swish, api.Relu, api.HardTanh, api.ReluK])
def test_in_a_model(layer):
    x = np.random.default_rng(0).normal(size=(9, 4)).astype(np.float32)
    found = []
    for name in ("numpy", "fastact"):
        with api.use_ops(name):
            model = api.chain(layer(5), api.Softmax(3))
            api.fix_random_seed(0)
            model.initialize(x, x[:, :3])
            assert model.ops.name == name
            y, backprop = model.begin_update(x)
            found.append((y, backprop(y - 0.1)))
    for ours, theirs in zip(*found, strict=True):
        np.testing.assert_allclose(ours, theirs, rtol=2e-4, atol=2e-6)
