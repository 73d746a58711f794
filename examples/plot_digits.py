r"""
Six layers, twelve activations: who learns to read digits
=========================================================

The same network of six dense layers, in plain NumPy, learns handwritten digits with one activation after the other. What differs
is what reaches the first layer: the gradient passes five derivatives :math:`f'(z)` on its way there, and sigmoid's is at most
1/4.
"""

# %%
# The network is in ``shared.py``: five hidden layers of 64 units, softmax and cross entropy, gradient descent with momentum.
# Initial weights have the standard deviation ``fa.init_gain(name) / sqrt(inputs)``, so that every activation begins with
# signals of the same size in all layers. prelu learns its slope; rrelu draws slopes; maxout takes the greater of two.
import matplotlib.pyplot as plt
import numpy as np
from shared import COLOURS, QUICK, Network, digits, save

import fastact as fa

SCRIPT = globals().get("__file__", "plot_digits.py")
NAMES = ["sigmoid", "tanh", "relu", "leaky_relu", "prelu", "rrelu", "elu", "selu", "gelu", "silu", "mish", "maxout"]
if QUICK:
    NAMES = ["sigmoid", "relu", "prelu", "maxout"]
EPOCHS, BATCH, RATE = (5 if QUICK else 40), 50, 0.02
(x, y), (x_test, y_test) = digits()


def train(name):
    """Losses and the norm of the first layer's gradient, a mean for each epoch; the test accuracy; the network."""
    network, rng = Network([64] * 6 + [10], name), np.random.default_rng(2)
    losses, norms = [], []
    for _ in range(EPOCHS):
        found = []
        order = rng.permutation(len(x))
        for at in np.split(order, len(x) // BATCH):
            loss = network.step(x[at], y[at], RATE)
            found.append((loss, np.linalg.norm(network.grads[0])))
        losses.append(np.mean(found, 0)[0])
        norms.append(np.mean(found, 0)[1])
    return losses, norms, network.accuracy(x_test, y_test), network


results = {}
print("              test accuracy   loss in training   first layer's gradient, first epoch")
for name in NAMES:
    results[name] = train(name)
    losses, norms, accuracy, _ = results[name]
    print(f"{name:<12}{100 * accuracy:>13.1f} %{losses[-1]:>18.4f}{norms[0]:>20.2e}")

# %%
# Why sigmoid is late
# -------------------
#
# ``fa.gradient_flow`` takes a gradient back through the layers of the networks as they were before training, and says where it
# is lost.
flows = {}
for name in ("sigmoid", "relu"):
    network = Network([64] * 6 + [10], name)
    logits = network.forward(x)
    layers = [*zip(network.z, network.weights, [name] * 5, strict=False), (logits, network.weights[-1], "identity")]
    flows[name] = fa.gradient_flow(layers)
    print(f"{name}\n{flows[name]}\n")

# %%
# The picture
# -----------
#
# Left: the loss of sigmoid stays where it began for many epochs, while the others are done after a few. Middle: the gradient of
# the first layer's weights tells why. sigmoid's begins at about a hundredth of the others' size, which begin alike, and takes
# tens of epochs to grow; theirs shrink because there is less and less left to learn. Right: what that is worth on digits that
# were not trained on. Among the others there is next to nothing to choose here: they are within about a percent, five
# of the 447 test images.
figure, (left, middle, right) = plt.subplots(1, 3, figsize=(13, 4.6), layout="constrained", width_ratios=[1, 1, 0.8])
epochs = np.arange(1, EPOCHS + 1)
for i, name in enumerate(NAMES):
    losses, norms, accuracy, _ = results[name]
    style = {"color": COLOURS[i % 6], "linestyle": ("-", "--")[i // 6], "linewidth": 2.4 if name in ("sigmoid", "relu") else 1.3}
    left.plot(epochs, losses, label=name, **style)
    middle.plot(epochs, norms, **style)
    right.barh(i, 100 * accuracy, color=COLOURS[i % 6], alpha=1.0 if i < 6 else 0.6)
    right.text(100 * accuracy - 0.3, i, f"{100 * accuracy:.1f} %", ha="right", va="center", color="white", fontsize=9)
left.set(xlabel="epoch", ylabel="cross entropy in training", yscale="log", title="loss")
middle.set(xlabel="epoch", ylabel="norm", yscale="log", title="gradient of the first layer's weights")
right.set(xlabel="%", xlim=(min(80, 100 * min(r[2] for r in results.values()) - 5), 100), title="test accuracy")
right.set_yticks(range(len(NAMES)), NAMES)
right.invert_yaxis()
left.legend(ncols=2, fontsize=8, frameon=False)

if __name__ == "__main__":
    save(figure, SCRIPT)
    plt.show()
