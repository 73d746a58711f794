"""What the examples share: the digits, a network in plain NumPy, where the picture goes."""

import os
import sys
from pathlib import Path

import numpy as np

import fastact as fa

#: Shorter training, for tests.
QUICK = os.environ.get("FASTACT_EXAMPLES_QUICK", "0") not in ("", "0")

#: Okabe and Ito's colours, which colour-blind people tell apart.
COLOURS = ["#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000", "#999933"]


def save(figure, script):
    """Write the picture to the file that follows -o, by default NAME.png in the working directory; a gallery takes it itself."""
    if "sphinx_gallery" in sys.modules:
        return
    name = Path(script).stem.removeprefix("plot_") + ".png"
    path = sys.argv[sys.argv.index("-o") + 1] if "-o" in sys.argv else name
    figure.savefig(path, dpi=120)
    print(f"wrote {path}")


def digits():
    """Images of 1,797 handwritten digits as rows of 64 standardised numbers: (x, digit) for training and for testing."""
    from sklearn.datasets import load_digits

    x, y = load_digits(return_X_y=True)
    order = np.random.default_rng(0).permutation(len(x))
    x = ((x - x.mean()) / x.std()).astype(np.float32)[order]
    y = y[order]
    return (x[:1350], y[:1350]), (x[1350:], y[1350:])


class Elementwise:
    """Any of fastact's elementwise activations, as a layer; with ``learn``, its parameters are trained."""

    pieces = 1

    def __init__(self, name, learn=False):
        self.function, self.learn, self.params = fa.get(name), learn, {}
        if learn:
            self.params = {n: np.float32(p) for n, p in self.function.params.items()}
        self.gain = fa.init_gain(name)

    def forward(self, z, training):
        if not training:
            return self.function(z, **self.params)
        self.z = z
        h, self.slope = self.function.value_and_derivative(z, **self.params)
        return h

    def backward(self, grad):
        self.grads = self.function.parameter_gradients(grad, self.z, **self.params) if self.learn else {}
        return grad * self.slope


class Randomised:
    """rrelu and noisy_relu, which draw slopes or noise in training."""

    pieces, params = 1, {}

    def __init__(self, name):
        self.function, self.name, self.rng = fa.get(name), name, np.random.default_rng(1)
        self.gain = fa.init_gain("leaky_relu", negative_slope=11 / 48) if name == "rrelu" else fa.init_gain("relu")

    def forward(self, z, training):
        if not training:
            return self.function(z, training=False)
        self.z = z
        what = {"return_slopes": True} if self.name == "rrelu" else {"return_noise": True}
        h, self.drawn = self.function(z, training=True, rng=self.rng, **what)
        return h

    def backward(self, grad):
        return self.function.backward(grad, self.z, self.drawn)


class Maxout:
    """The greater of two pre-activations; its layer has twice as many."""

    pieces, params, gain = 2, {}, 1.0  # E[max(z1, z2)^2] is 1

    def forward(self, z, training):
        h, self.index = fa.maxout(z, 2, return_index=True)
        return h

    def backward(self, grad):
        return fa.maxout.backward(grad, self.index, 2)


def layer(name):
    """The layer of an activation by its name."""
    if name in ("rrelu", "noisy_relu"):
        return Randomised(name)
    return Maxout() if name == "maxout" else Elementwise(name, learn=name == "prelu")


class Network:
    """Dense layers with an activation between them, softmax at the end, stochastic gradient descent with momentum.

    After `step`, ``z`` and ``grads`` hold each hidden layer's pre-activations and the gradients of all weights.
    """

    def __init__(self, sizes, activation, seed=0):
        rng = np.random.default_rng(seed)
        self.layers = [layer(activation) for _ in sizes[2:]]
        pieces = [one.pieces for one in self.layers] + [1]
        gains = [one.gain for one in self.layers] + [1.0]
        self.weights = [
            (rng.standard_normal((m, n * k)) * gain / np.sqrt(m)).astype(np.float32)
            for m, n, k, gain in zip(sizes, sizes[1:], pieces, [1.0, *gains], strict=False)
        ]
        self.biases = [np.zeros(w.shape[1], np.float32) for w in self.weights]
        self.moving = [np.zeros_like(a) for a in (*self.weights, *self.biases)]

    def forward(self, x, training=False):
        """The logits."""
        self.h, self.z = [x], []
        for w, b, one in zip(self.weights, self.biases, self.layers, strict=False):
            self.z.append(self.h[-1] @ w + b)
            self.h.append(one.forward(self.z[-1], training))
        return self.h[-1] @ self.weights[-1] + self.biases[-1]

    def step(self, x, y, rate, momentum=0.9):
        """Go down the gradient of the cross entropy; returns the cross entropy."""
        logits = self.forward(x, training=True)
        rows = np.arange(len(x))
        loss = -float(fa.log_softmax(logits)[rows, y].mean())
        grad = fa.softmax(logits)
        grad[rows, y] -= 1
        grad /= np.float32(len(x))
        weights, biases = [], []
        for i in reversed(range(len(self.weights))):
            weights.append(self.h[i].T @ grad)
            biases.append(grad.sum(0))
            if i:
                grad = self.layers[i - 1].backward(grad @ self.weights[i].T)
        self.grads = weights[::-1]
        for value, moving, slope in zip(
            (*self.weights, *self.biases), self.moving, (*self.grads, *biases[::-1]), strict=True
        ):  # fmt: skip
            moving *= momentum
            moving -= rate * slope
            value += moving
        for one in self.layers:
            for name in one.params:
                one.params[name] -= np.float32(rate * one.grads[name])
        return loss

    def accuracy(self, x, y):
        """The share of digits that are recognised."""
        return float((self.forward(x).argmax(1) == y).mean())
