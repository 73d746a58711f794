"""`gradient_flow` against backpropagation by hand, and what it says."""

import numpy as np
import pytest

import fastact as fa

RNG = np.random.default_rng(2)


def stack(function, scale, depth=6, width=80, shift=0.0):
    """Pre-activations and weights of a random network."""
    h, layers = RNG.standard_normal((50, width)), []
    for _ in range(depth):
        weight = RNG.standard_normal((width, width)) * scale / np.sqrt(width)
        z = h @ weight + shift
        h = fa.get(function)(z)
        layers.append((z, weight, function))
    return layers


def test_gradients():
    flow = fa.gradient_flow({"first": np.full((2, 3), 0.001), "mid": -np.ones(4), "last": np.full(5, 2.0)})
    assert flow.names == ("first", "mid", "last")
    np.testing.assert_allclose(flow.sizes, [0.001, 1.0, 2.0])
    np.testing.assert_allclose(flow.ratios, [0.0005, 0.5, 1.0])
    assert (flow.vanishing, flow.exploding) == (("first",), ())
    assert flow.verdict == "first gets less than 1 % of the last layer's gradient (0.1 %)."
    assert flow.slopes is None
    assert flow.verdict in repr(flow)


@pytest.mark.parametrize(
    ("sizes", "verdict"),
    [
        ([1, 1], "No layer gets less than 1 % or more than 100 times the last layer's gradient."),
        ([1e-6, 1e-5, 1e-4, 1], "layers 1 to 3 get less than 1 % of the last layer's gradient (layer 1: < 0.1 %)."),
        ([1e-3, 1, 1e-3, 1], "layers 1 and 3 get less than 1 % of the last layer's gradient (layer 1: 0.1 %)."),
        ([1e4, 200, 1], "layers 1 and 2 get more than 100 times the last layer's gradient (layer 1: 1e+04 times)."),
        ([1, np.nan, 1], "The gradient of layer 2 is not finite."),
        ([1, 0], "The gradient of the last layer, layer 2, is 0: there is nothing to compare with."),
        ([0, 1], "layer 1 gets less than 1 % of the last layer's gradient (0.0 %)."),
    ],
)  # fmt: skip
def test_verdicts(sizes, verdict):
    assert fa.gradient_flow([np.full(3, float(s)) for s in sizes]).verdict == verdict


@pytest.mark.parametrize("function", ["gelu", "sigmoid"])
def test_through_layers_is_backpropagation(function):
    layers = stack(function, 1.5, depth=3)
    grad = RNG.standard_normal(layers[-1][0].shape)
    flow = fa.gradient_flow(layers, grad=grad)
    sizes = []
    for z, weight, _ in reversed(layers):
        grad = fa.get(function).backward(grad, z)
        sizes.append(np.sqrt(np.mean(grad**2)))
        grad = grad @ weight.T
    np.testing.assert_allclose(flow.sizes, sizes[::-1], rtol=1e-12)
    np.testing.assert_allclose(flow.sizes[:-1], (flow.sizes[1:] * flow.weights[1:] * flow.slopes[:-1]), rtol=1e-12)


def test_says_why():
    """Small slopes, saturation, small and large weights; a rectifier with He's weights has nothing to be said of."""
    slopes = fa.gradient_flow(stack("sigmoid", 1.0))
    assert slopes.verdict.startswith("layers 1 and 2 get less than 1 % of the last layer's gradient")
    mean = np.exp(np.log(slopes.slopes[:-1]).mean())
    assert slopes.verdict.endswith(f": sigmoid leaves {100 * mean:.1f} % of a gradient's size in each layer.")
    one = stack("tanh", 1.0, depth=3)
    one[0] = (*one[0][:2], "sigmoid")
    one = fa.gradient_flow([(one[0][0] + 8.0, *one[0][1:]), *one[1:]])
    assert f"sigmoid saturates, |f'| is at most 0.001 on {100 * one.inactive[0]:.1f} % of layer 1's elements" in one.verdict
    saturated = fa.gradient_flow(stack("sigmoid", 1.0, shift=12.0)).verdict
    assert ": sigmoid saturates, |f'| is at most 0.001 on 100.0 % of layer" in saturated
    assert "weights are small" in fa.gradient_flow(stack("tanh", 0.1)).verdict
    exploding = fa.gradient_flow(stack("identity", 5.0))
    assert "more than 100 times" in exploding.verdict
    assert "weights are large" in exploding.verdict
    assert exploding.exploding[0] == "layer 1"
    assert fa.gradient_flow(stack("relu", np.sqrt(2.0))).verdict.startswith("No layer")


def test_random_gradient_is_reproducible():
    layers = stack("tanh", 1.0, depth=2)
    assert (fa.gradient_flow(layers).sizes == fa.gradient_flow(layers, rng=0).sizes).all()
    assert (fa.gradient_flow(layers, rng=np.random.default_rng(5)).sizes == fa.gradient_flow(layers, rng=5).sizes).all()
    assert (fa.gradient_flow(layers, rng=5).sizes != fa.gradient_flow(layers).sizes).any()


Z, W = np.ones((4, 3)), np.ones((2, 3))


@pytest.mark.parametrize(
    ("layers", "options", "error", "words"),
    [
        ([], {}, ValueError, "layers is empty"),
        (5, {}, TypeError, "layers is a int"),
        ([np.zeros(0)], {}, ValueError, "layer 1 has shape"),
        ([np.ones(2)], {"grad": 1.0}, ValueError, "grad is given"),
        ([["a"]], {}, TypeError, "layer 1 has dtype"),
        ([(Z, W, "relu"), Z], {}, TypeError, "layer 2 is a ndarray"),
        ([(Z, W.T, "relu")], {}, ValueError, "weight of layer 1 has shape .3, 2.; expected .inputs, 3."),
        ([(Z, W, "relu"), (np.ones((4, 5)), np.ones((5, 3)), "relu")], {}, ValueError, r"expected \(3, 5\); give weight.T"),
        ([(Z, W, "relu"), (np.ones((5, 3)), np.ones((3, 3)), "relu")], {}, ValueError, "z of layer 2 has 5 rows; expected 4"),
        ([(np.ones(3), W, "relu")], {}, ValueError, "z of layer 1 has shape"),
        ([(Z, W, "rellu")], {}, ValueError, "activation of layer 1: there is no activation 'rellu'"),
        ([(Z, W, "softmax")], {}, TypeError, "activation of layer 1 is 'softmax'"),
        ([(Z, W, "relu")], {"grad": np.ones(7)}, ValueError, "grad has shape"),
    ],
)  # fmt: skip
def test_errors(layers, options, error, words):
    with pytest.raises(error, match=words) as raised:
        fa.gradient_flow(layers, **options)
    assert str(raised.value).startswith("fastact.gradient_flow: ")


def test_plot():
    matplotlib = pytest.importorskip("matplotlib")
    matplotlib.use("agg")
    import matplotlib.pyplot as plt

    ax = fa.gradient_flow([np.full(3, 1e-5), np.ones(3)]).plot()
    assert ax.get_yscale() == "log"
    assert [t.get_text() for t in ax.get_xticklabels()] == ["layer 1", "layer 2"]
    assert [t.get_text() for t in ax.get_legend().get_texts()] == ["vanished or exploded"]
    assert fa.gradient_flow([np.ones(3)]).plot(ax) is ax
    plt.close("all")
