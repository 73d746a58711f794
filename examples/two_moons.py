"""A two-layer network in plain NumPy: ``python examples/two_moons.py [activation]``.

`value_and_derivative` gives what the forward pass needs and what the backward pass will need in one go.
"""

import sys

import numpy as np

import fastact as fa


def two_moons(rng: np.random.Generator, n: int) -> tuple[np.ndarray, np.ndarray]:
    """Points on two interleaved half circles, and which of the two."""
    label = rng.integers(0, 2, n)
    angle = np.pi * rng.random(n)
    x = np.stack([np.cos(angle) + label, np.sin(angle)], axis=1)
    x[label == 1, 1] = 0.5 - x[label == 1, 1]
    return (x + 0.1 * rng.standard_normal(x.shape)).astype(np.float32), label.astype(np.float32)[:, None]


def train(activation: fa.Activation, steps: int = 500, rate: float = 0.5) -> float:
    """Train by gradient descent; return the accuracy on new points."""
    rng = np.random.default_rng(0)
    x, target = two_moons(rng, 1000)
    w1 = rng.standard_normal((2, 32)).astype(np.float32)
    w2 = (rng.standard_normal((32, 1)) / 6).astype(np.float32)
    b1, b2 = np.zeros(32, np.float32), np.zeros(1, np.float32)
    for _ in range(steps):
        h, slope = activation.value_and_derivative(x @ w1 + b1)
        p = fa.sigmoid(h @ w2 + b2)
        grad = (p - target) / np.float32(len(x))  # of the cross entropy by the last layer's input
        grad_h = grad @ w2.T * slope
        w2 -= rate * h.T @ grad
        b2 -= rate * grad.sum(0)
        w1 -= rate * x.T @ grad_h
        b1 -= rate * grad_h.sum(0)
    x, target = two_moons(rng, 1000)
    p = fa.sigmoid(activation(x @ w1 + b1) @ w2 + b2)
    return float(((p > 0.5) == target).mean())


if __name__ == "__main__":
    name = sys.argv[1] if len(sys.argv) > 1 else "gelu"
    print(f"{name}: {100 * train(fa.get(name)):.1f} % of new points right")
