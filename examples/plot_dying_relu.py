r"""
Dying ReLUs, seen and cured
===========================

A ReLU unit whose pre-activation is negative for every example passes no gradient: its weights stay what they are, and so it
stays dead. One step that is too long is enough. Here a learning rate that is too high kills units of a network, ``fa.Monitor``
counts them, and a lower rate, leaky_relu or noisy_relu are tried against it.
"""

# %%
# The same network as in the digits experiment, with three hidden layers of 64 units, is trained in six ways. After each epoch
# the pre-activations of all training images go through a monitor for each layer.
import matplotlib.pyplot as plt
import numpy as np
from shared import COLOURS, QUICK, Network, digits, save

import fastact as fa

SCRIPT = globals().get("__file__", "plot_dying_relu.py")
EPOCHS, BATCH, HIGH, LOW = (5 if QUICK else 20), 50, 0.2, 0.02
(x, y), (x_test, y_test) = digits()


def look(network, name):
    """A diagnosis of each hidden layer over the training images, which come in pieces as they might from a disk."""
    monitors = [fa.Monitor(name) for _ in network.z]
    for piece in np.array_split(x, 5):
        network.forward(piece)
        for monitor, z in zip(monitors, network.z, strict=True):
            monitor.update(z)
    return [monitor.result() for monitor in monitors]


def train(name, rate):
    """The share of dead units after each epoch, the test accuracy, the last diagnoses."""
    network, rng = Network([64, 64, 64, 64, 10], name, seed=3), np.random.default_rng(4)
    seen_as = "relu" if name == "noisy_relu" else name  # without its noise it is relu
    network.forward(x)
    dead = [np.mean([d.overall["dead"] for d in look(network, seen_as)])]
    for _ in range(EPOCHS):
        for at in np.split(rng.permutation(len(x)), len(x) // BATCH):
            with np.errstate(all="ignore"):
                network.step(x[at], y[at], rate)
        found = look(network, seen_as)
        dead.append(np.mean([d.overall["dead"] for d in found]))
    return dead, network.accuracy(x_test, y_test), found


runs = {}
for rate in (HIGH, LOW):
    for name in ("relu",) if QUICK else ("relu", "leaky_relu", "noisy_relu"):
        runs[name, rate] = train(name, rate)
        dead, accuracy, _ = runs[name, rate]
        print(f"{name:<12} rate {rate:<6g} dead units {100 * dead[-1]:5.1f} %   test accuracy {100 * accuracy:5.1f} %")

# %%
# What the monitors say after training, of the layer that is worst off:
for name, rate in (("relu", HIGH), ("relu", LOW)):
    worst = max(runs[name, rate][2], key=lambda found: found.overall["dead"])
    print(f"rate {rate:g}\n{worst}\n")

# %%
# The picture
# -----------
#
# Left: at the high rate most units of relu die within ten epochs, and hardly one comes back (it can, when layers below it
# change); the accuracy (right) is that of guessing, about 10 %. At a tenth of the rate next to none die and the network reads
# nearly all digits: so lower the rate first. leaky_relu has no units that could die, and learns even at the high rate, if not
# as well as at the low one. noisy_relu is no cure: where z is far below 0, noise of variance sigmoid(z) does not bring a unit
# back.
figure, (left, right) = plt.subplots(1, 2, figsize=(10, 4.4), layout="constrained", width_ratios=[1.3, 1])
for i, ((name, rate), (dead, accuracy, _)) in enumerate(runs.items()):
    style = {"color": COLOURS[i % 3], "linestyle": "-" if rate == HIGH else "--"}
    left.plot(np.arange(EPOCHS + 1), 100 * np.array(dead), label=f"{name}, rate {rate:g}", linewidth=2, **style)
    right.barh(i, 100 * accuracy, color=COLOURS[i % 3], alpha=1.0 if rate == HIGH else 0.6)
    right.text(100 * accuracy + 1, i, f"{100 * accuracy:.0f} %", va="center")
left.set(xlabel="epoch", ylabel="%", title="dead units of all hidden layers", ylim=(-3, 103), xticks=range(0, EPOCHS + 1, 5))
left.legend(frameon=False)
right.set(xlabel="%", title="test accuracy", xlim=(0, 115))
right.set_yticks(range(len(runs)), [f"{name}, {rate:g}" for name, rate in runs])
right.invert_yaxis()

if __name__ == "__main__":
    save(figure, SCRIPT)
    plt.show()
