r"""
A convolutional network: what ReLU does to feature maps
=======================================================

Two convolutions, a pooling and a dense layer in plain NumPy read the digits: with relu after the convolutions, with gelu, and
with nothing (identity). The picture shows what relu leaves of the maps.
"""

# %%
# A convolution is a matrix product over patches: ``sliding_window_view`` shows each pixel's neighbourhood without copying
# anything. Its backward pass adds the patches' gradients up again.
import time

import matplotlib.pyplot as plt
import numpy as np
from shared import COLOURS, QUICK, digits, save

import fastact as fa

SCRIPT = globals().get("__file__", "plot_convolution.py")
EPOCHS, BATCH, RATE = (1 if QUICK else 12), 50, 0.02
(x, y), (x_test, y_test) = digits()
x, x_test = x.reshape(-1, 8, 8, 1), x_test.reshape(-1, 8, 8, 1)


def patches(images):
    """The 3 x 3 neighbourhoods of each pixel: (n, height, width, 9 * channels)."""
    padded = np.pad(images, ((0, 0), (1, 1), (1, 1), (0, 0)))
    windows = np.lib.stride_tricks.sliding_window_view(padded, (3, 3), (1, 2))
    return windows.reshape(*images.shape[:3], -1)


def scatter(grad, channels):
    """The gradient by the images from that by their patches."""
    n, height, width, _ = grad.shape
    grad = grad.reshape(n, height, width, channels, 3, 3)
    padded = np.zeros((n, height + 2, width + 2, channels), grad.dtype)
    for i in range(3):
        for j in range(3):
            padded[:, i : i + height, j : j + width] += grad[..., i, j]
    return padded[:, 1:-1, 1:-1]


class ConvNet:
    """8 maps, activation, 16 maps, activation, the greatest (or the mean) of 2 x 2 pixels, a dense layer to ten digits."""

    def __init__(self, name, greatest=True):
        rng, self.activation, gain = np.random.default_rng(0), fa.get(name), fa.init_gain(name)
        self.greatest = greatest
        sizes = [(9, 8, 1.0), (72, 16, gain), (256, 10, 1.0)]
        self.weights = [(rng.standard_normal((m, n)) * g / np.sqrt(m)).astype(np.float32) for m, n, g in sizes]
        self.biases = [np.zeros(n, np.float32) for _, n, _ in sizes]
        self.moving = [np.zeros_like(a) for a in (*self.weights, *self.biases)]

    def forward(self, images):
        """The logits."""
        (w1, w2, w3), (b1, b2, b3) = self.weights, self.biases
        self.p1 = patches(images)
        self.z1 = self.p1 @ w1 + b1
        self.h1, self.s1 = self.activation.value_and_derivative(self.z1)
        self.p2 = patches(self.h1)
        self.z2 = self.p2 @ w2 + b2
        h2, self.s2 = self.activation.value_and_derivative(self.z2)
        n = len(images)
        blocks = h2.reshape(n, 4, 2, 4, 2, 16).transpose(0, 1, 3, 5, 2, 4).reshape(n, 256, 4)
        if self.greatest:  # which is maxout over the four pixels of a block
            pooled, self.winner = fa.maxout(blocks, 4, return_index=True)
            self.flat = pooled[..., 0]
        else:
            self.flat = blocks.mean(-1)
        return self.flat @ w3 + b3

    def step(self, images, y):
        """Go down the gradient of the cross entropy."""
        rows, n = np.arange(len(y)), len(y)
        grad = fa.softmax(self.forward(images))
        grad[rows, y] -= 1
        grad /= np.float32(n)
        grads, sums = [self.flat.T @ grad], [grad.sum(0)]
        pooled = (grad @ self.weights[2].T)[..., None]
        blocks = fa.maxout.backward(pooled, self.winner, 4) if self.greatest else np.repeat(pooled / 4, 4, -1)
        grad = blocks.reshape(n, 4, 4, 16, 2, 2).transpose(0, 1, 4, 2, 5, 3).reshape(n, 8, 8, 16) * self.s2
        grads.append(np.tensordot(self.p2, grad, ([0, 1, 2], [0, 1, 2])))
        sums.append(grad.sum((0, 1, 2)))
        grad = scatter(grad @ self.weights[1].T, 8) * self.s1
        grads.append(np.tensordot(self.p1, grad, ([0, 1, 2], [0, 1, 2])))
        sums.append(grad.sum((0, 1, 2)))
        for value, moving, slope in zip((*self.weights, *self.biases), self.moving, (*grads[::-1], *sums[::-1]), strict=True):
            moving *= 0.9
            moving -= RATE * slope
            value += moving


networks, accuracies = {}, {}
TRIED = [("relu", True), ("gelu", True), ("identity", True), ("relu", False), ("identity", False)]
for name, greatest in TRIED[:1] if QUICK else TRIED:
    start, network, rng = time.perf_counter(), ConvNet(name, greatest), np.random.default_rng(1)
    label = f"{name}, {'greatest' if greatest else 'mean'}"
    accuracies[label] = []
    for _ in range(EPOCHS):
        for at in np.split(rng.permutation(len(x)), len(x) // BATCH):
            network.step(x[at], y[at])
        accuracies[label].append(float((network.forward(x_test).argmax(1) == y_test).mean()))
    networks[label] = network
    print(f"{label:<20}test accuracy {100 * accuracies[label][-1]:.1f} %   {time.perf_counter() - start:.1f} s")

# %%
# The axes of a batch of maps are images, rows and columns; what is left are the channels, the units of ``fa.diagnose``:
relu = networks["relu, greatest"]
relu.forward(x_test)
print(fa.diagnose(relu.z1, "relu", axis=(0, 1, 2)))
print(fa.diagnose(relu.z2, "relu", axis=(0, 1, 2)))

# %%
# How long the activations take of a forward pass over all test images, with fastact and as the plain NumPy expression:
for label, call in (
    ("forward pass", lambda: relu.forward(x_test)), ("fastact.relu of all maps", lambda: (fa.relu(relu.z1), fa.relu(relu.z2))),
    ("numpy.maximum of all maps", lambda: (np.maximum(relu.z1, 0), np.maximum(relu.z2, 0))),
):  # fmt: skip
    times = []
    for _ in range(5):
        start = time.perf_counter()
        call()
        times.append(time.perf_counter() - start)
    print(f"{label:<28}{1000 * min(times):8.3f} ms")

# %%
# The picture
# -----------
#
# Above: a digit, the eight maps of the first convolution, and the same after relu: edges and strokes of one direction stay,
# the rest is 0 (black). Below: the accuracy on test images. With the greatest of 2 x 2 pixels it hardly matters whether there is
# an activation as well, for that maximum is a bend itself. With their mean it does: identity leaves nothing but one linear map
# from image to logits, and stays two or three percent behind relu.
figure = plt.figure(figsize=(12, 7), layout="constrained")
upper, lower = figure.subfigures(2, 1, height_ratios=[1, 1])
axes = upper.subplots(2, 9)
z, h = relu.z1[0], relu.h1[0]
bound = np.abs(z).max()
axes[0, 0].imshow(x_test[0, ..., 0], "gray")
axes[0, 0].set_title("digit", fontsize=9)
for j in range(8):
    axes[0, j + 1].imshow(z[..., j], "PuOr_r", vmin=-bound, vmax=bound)
    axes[1, j + 1].imshow(h[..., j], "gray", vmin=0, vmax=bound)
    axes[0, j + 1].set_title(f"map {j + 1}: z", fontsize=9)
    axes[1, j + 1].set_title(f"relu: {100 * np.mean(z[..., j] > 0):.0f} % active", fontsize=9)
for ax in axes.ravel():
    ax.axis("off")
ax = lower.subplots()
for i, (label, found) in enumerate(accuracies.items()):
    ax.plot(np.arange(1, EPOCHS + 1), 100 * np.array(found), color=COLOURS[i], label=f"{label} of 2 x 2", linewidth=2)
ax.set(xlabel="epoch", ylabel="%", title="test accuracy")
ax.legend(frameon=False)

if __name__ == "__main__":
    save(figure, SCRIPT)
    plt.show()
