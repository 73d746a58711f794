r"""
XOR: what a hidden layer needs is a bend
========================================

Exclusive or, 1 where exactly one of two inputs is 1, is the smallest problem that no linear network can solve, however many
layers it has, since a product of matrices is one matrix. One hidden layer with a nonlinearity between is enough, and nearly any
nonlinearity will do. All of fastact's elementwise functions are tried here.
"""

# %%
# Two inputs, eight hidden units, one output with a sigmoid; the inputs are -1 and 1. Each function gets ten networks with
# different random weights, which are trained at once (the first axis of all arrays), by Adam on the cross entropy.
import matplotlib.pyplot as plt
import numpy as np
from shared import QUICK, save

import fastact as fa

SCRIPT = globals().get("__file__", "plot_xor.py")
NETWORKS, HIDDEN, STEPS, RATE = 10, 8, (300 if QUICK else 1000), 0.02
x = np.array([[-1.0, -1.0], [-1.0, 1.0], [1.0, -1.0], [1.0, 1.0]])
target = np.array([[0.0], [1.0], [1.0], [0.0]])


def forward(activation, x, weights):
    """The output's logit, and what the backward pass needs."""
    w1, b1, w2, b2 = weights
    h, slope = activation.value_and_derivative(x @ w1 + b1)
    return h @ w2 + b2, h, slope


def train(activation):
    """The weights of all networks."""
    rng = np.random.default_rng(0)
    weights = [
        rng.standard_normal((NETWORKS, 2, HIDDEN)), rng.standard_normal((NETWORKS, 1, HIDDEN)),
        rng.standard_normal((NETWORKS, HIDDEN, 1)) / np.sqrt(HIDDEN), np.zeros((NETWORKS, 1, 1)),
    ]  # fmt: skip
    first, second = [np.zeros_like(w) for w in weights], [np.zeros_like(w) for w in weights]
    for step in range(1, STEPS + 1):
        logit, h, slope = forward(activation, x, weights)
        grad = (fa.sigmoid(logit) - target) / len(x)
        below = grad @ weights[2].swapaxes(1, 2) * slope
        grads = [x.T @ below, below.sum(1, keepdims=True), h.swapaxes(1, 2) @ grad, grad.sum(1, keepdims=True)]
        for w, g, m, v in zip(weights, grads, first, second, strict=True):
            m += 0.1 * (g - m)
            v += 0.001 * (g * g - v)
            w -= RATE * (m / (1 - 0.9**step)) / (np.sqrt(v / (1 - 0.999**step)) + 1e-8)
    return weights


results = {}
for name in ["identity", "relu", "step", "tanh"] if QUICK else fa.activations():
    with np.errstate(all="ignore"):
        weights = train(fa.get(name))
        logit = forward(fa.get(name), x, weights)[0]
        solved = ((logit > 0) == (target > 0.5)).all((1, 2)) & np.isfinite(logit).all((1, 2))
    results[name] = solved, weights
always = [n for n, (solved, _) in results.items() if solved.all()]
print(f"{len(always)} of {len(results)} functions: all {NETWORKS} networks learn XOR")
for name, (solved, _) in results.items():
    if not solved.all():
        print(f"{name}: {solved.sum()} of {NETWORKS}")

# %%
# identity is the control: without a bend no network of ten gets all four points right. hard_shrink and shrink do bend, but only
# by jumps, between which they have the slope of a straight line or none; gradients do not see jumps, and descend as if there
# were nothing but the line. log1mexp is defined for positive numbers alone. sign and step pass no gradient to the hidden
# layer, which stays as it was drawn, and the output's weights alone are learnt: eight random steps mostly suffice. Of the
# rectifiers a network now and then has too few units alive, with eight of them to begin with.
#
# The picture
# -----------
#
# What the first network that solves it (or the first of all) has learnt, for each function: orange where it says 1,
# purple where 0; white is undecided, grey undefined. The black points should be 1, the white ones 0. Functions with corners draw
# straight borders, smooth ones curves, sign and step tiles. identity ends undecided: no half of the plane is better than
# guessing.
figure, axes = plt.subplots(6, 10, figsize=(13, 8.6), layout="constrained")
grid = np.stack(np.meshgrid(np.linspace(-2, 2, 81), np.linspace(-2, 2, 81)), -1).reshape(-1, 2)
for ax in axes.ravel():
    ax.axis("off")
for ax, (name, (solved, weights)) in zip(axes.ravel(), results.items(), strict=False):
    best = int(solved.argmax())
    with np.errstate(all="ignore"):
        logit = forward(fa.get(name), grid, [w[best] for w in weights])[0]
    ax.imshow(fa.sigmoid(logit).reshape(81, 81), "PuOr_r", vmin=0, vmax=1, extent=(-2, 2, -2, 2), origin="lower")
    ax.set_facecolor("0.8")
    ax.axis("on")
    ax.set(xticks=[], yticks=[])
    ax.scatter(*x.T, c=["white" if t < 0.5 else "black" for t in target[:, 0]], edgecolors="black", s=16)
    ax.set_title(f"{name} {solved.sum()}/{NETWORKS}", fontsize=8, color="black" if solved.any() else "#B00000")

if __name__ == "__main__":
    save(figure, SCRIPT)
    plt.show()
