r"""
A SwiGLU feed-forward block, forward and backward
=================================================

The feed-forward block of Llama and its kin multiplies one projection of its input by the silu of another,
:math:`W_3\,(\mathrm{silu}(W_1 x) \odot W_2 x)`. Between the matrix products there is an array of tokens times hidden units to go
through; here it is done by ``fa.swiglu`` in one pass, by a NumPy expression in several, and by torch if that is installed.
"""

# %%
# A block of 512 features and 1,408 hidden units over 512 tokens, in float32; both projections are one matrix product, whose
# halves ``fa.swiglu`` takes.
import importlib.util
import time

import matplotlib.pyplot as plt
import numpy as np
from shared import COLOURS, QUICK, save

import fastact as fa

SCRIPT = globals().get("__file__", "plot_swiglu.py")
FEATURES, HIDDEN, TOKENS, ROUNDS = 512, 1408, (64 if QUICK else 512), (3 if QUICK else 15)
rng = np.random.default_rng(0)
x = rng.standard_normal((TOKENS, FEATURES), np.float32)
w12 = rng.standard_normal((FEATURES, 2 * HIDDEN), np.float32) / np.float32(np.sqrt(FEATURES))
w3 = rng.standard_normal((HIDDEN, FEATURES), np.float32) / np.float32(np.sqrt(HIDDEN))
z = x @ w12
grad = rng.standard_normal((TOKENS, HIDDEN), np.float32)


def numpy_swiglu(z):
    """The expression, as one would write it."""
    a, b = np.split(z, 2, -1)
    return a / (1 + np.exp(-a)) * b


def numpy_backward(grad, z):
    """Its gradient."""
    a, b = np.split(z, 2, -1)
    s = 1 / (1 + np.exp(-a))
    return np.concatenate([grad * b * s * (1 + a * (1 - s)), grad * a * s], -1)


# %%
# Both give the same, to rounding:
print(f"forward: greatest difference {np.abs(fa.swiglu(z) - numpy_swiglu(z)).max():.1e}")
print(f"backward: greatest difference {np.abs(fa.swiglu.backward(grad, z) - numpy_backward(grad, z)).max():.1e}")
# %%
# and the gradient is right (central differences in float64, of sums with random weights, in a random direction):
z64, g64, direction = z[:8].astype(np.float64), grad[:8].astype(np.float64), rng.standard_normal(z[:8].shape)
step = 1e-6
numeric = ((fa.swiglu(z64 + step * direction) - fa.swiglu(z64 - step * direction)) * g64).sum() / (2 * step)
exact = (fa.swiglu.backward(g64, z64) * direction).sum()
print(f"directional derivative {exact:.6f}, by differences {numeric:.6f}")

# %%
# How long it takes here
# ----------------------
#
# Medians of rounds in which the ways take turns, on all threads that each of them takes by itself.
ways = {
    "matrix products": lambda: ((x @ w12), (grad @ w3)),
    "fastact forward": lambda: fa.swiglu(z),
    "NumPy forward": lambda: numpy_swiglu(z),
    "fastact backward": lambda: fa.swiglu.backward(grad, z),
    "NumPy backward": lambda: numpy_backward(grad, z),
}
if importlib.util.find_spec("torch"):
    import torch

    tz = torch.from_numpy(z)

    def torch_swiglu():
        """What torch's users write."""
        a, b = tz.chunk(2, -1)
        return torch.nn.functional.silu(a) * b

    print(f"torch: greatest difference {np.abs(fa.swiglu(z) - torch_swiglu().numpy()).max():.1e}")
    ways["torch forward"] = torch_swiglu
seconds = {name: [] for name in ways}
for _ in range(ROUNDS):
    for name, way in ways.items():
        way()
        start = time.perf_counter()
        way()
        seconds[name].append(time.perf_counter() - start)
medians = {name: 1000 * float(np.median(s)) for name, s in seconds.items()}
for name, median in medians.items():
    print(f"{name:<18}{median:9.3f} ms")

# %%
# The picture
# -----------
#
# Left: the unit's surface. Where a is far below 0 the gate is shut, whatever b is; where a is large it multiplies by a; the bend
# between is silu's. Right: the milliseconds above, as they were measured on the machine that ran this.
figure, (left, right) = plt.subplots(1, 2, figsize=(11, 4.4), layout="constrained")
line = np.linspace(-5, 5, 201)
a, b = np.meshgrid(line, line)
image = left.contourf(a, b, fa.swiglu(a, b), 21, cmap="PuOr_r", vmin=-25, vmax=25)
figure.colorbar(image, ax=left)
left.set(xlabel="a (the gate)", ylabel="b", title="swiglu(a, b) = silu(a) b")
names = list(ways)
right.barh(names, [medians[n] for n in names], color=[COLOURS[0 if "fastact" in n else 1 if "NumPy" in n else 7] for n in names])
right.invert_yaxis()
right.set(xlabel="ms", title=f"{TOKENS} tokens, {HIDDEN:,} hidden units, float32")

if __name__ == "__main__":
    save(figure, SCRIPT)
    plt.show()
