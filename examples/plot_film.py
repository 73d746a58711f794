r"""
Shall we see the film? From the step to the sigmoid
===================================================

A perceptron decides: it adds up what speaks for going to the cinema, each reason with its weight, and goes if the sum is above
a threshold. Its activation is the step function. To *learn* weights it needs something smoother, and the sigmoid is just that:
the same step, seen from nearby.
"""

# %%
# Three questions, with the weight of each: is the film said to be good (3), does a friend come along (2), is it raining (1)?
# We go if the sum is above 2.5.
import itertools

import matplotlib.pyplot as plt
import numpy as np
from shared import COLOURS, save

import fastact as fa

SCRIPT = globals().get("__file__", "plot_film.py")
REASONS = ["good", "friend", "rain"]
WEIGHTS, THRESHOLD = np.array([3.0, 2.0, 1.0]), 2.5
cases = np.array(list(itertools.product([0.0, 1.0], repeat=3)))
z = cases @ WEIGHTS - THRESHOLD
decisions = fa.step(z)
for case, at, decision in zip(cases, z, decisions, strict=True):
    reasons = ", ".join(r for r, there in zip(REASONS, case, strict=True) if there) or "nothing"
    print(f"{reasons:<20} z = {at:+.1f}   {'go' if decision else 'stay at home'}")

# %%
# Sliding into the sigmoid
# ------------------------
#
# :math:`\sigma(\beta z)` is a step for large :math:`\beta`; the smaller :math:`\beta`, the softer the decision. The step knows
# only yes and no, so a small change of a weight changes nothing or everything; of the sigmoid it changes a little.
for beta in (1, 3, 10, 100):
    soft = fa.sigmoid(beta * z)
    print(f"beta {beta:>3}: greatest distance from the step over the eight cases {np.abs(soft - decisions).max():.4f}")

# %%
# Learning from decisions
# -----------------------
#
# Someone's 60 evenings, and whether they went (the rule above, unknown to us). Gradient descent begins with weights 0. The
# step's derivative is 0 everywhere, so with it nothing is ever learnt. With the sigmoid the answer becomes right on every
# evening. The weights need not be ours: a friend and rain come out as about equal, since of the decisions each of them changes
# one only together with the other, and nobody could tell from these which of the two weighs more.
rng = np.random.default_rng(1)
evenings = cases[rng.integers(8, size=60)]
went = fa.step(evenings @ WEIGHTS - THRESHOLD)


def learn(activation, steps=2000, rate=1.0):
    """Weights and threshold by gradient descent on the squared error, and its course."""
    w, b, errors = np.zeros(3), 0.0, []
    for _ in range(steps):
        p, slope = activation.value_and_derivative(evenings @ w + b)
        errors.append(np.mean((p - went) ** 2))
        grad = 2 * (p - went) * slope / len(went)
        w -= rate * evenings.T @ grad
        b -= rate * grad.sum()
    return w, -b, errors


learnt = {name: learn(fa.get(name)) for name in ("step", "sigmoid")}
for name, (w, threshold, errors) in learnt.items():
    right = np.mean(fa.step(evenings @ w - threshold) == went)
    weights = ", ".join(f"{r} {v:.1f}" for r, v in zip(REASONS, w, strict=True))
    print(f"{name:<8} weights: {weights}; threshold {threshold:.1f}; error {errors[-1]:.3f}")
    print(f"{'':<8} right on {100 * right:.0f} % of evenings")

# %%
# The picture
# -----------
#
# Left: the eight cases along z, with the step's decisions and the sigmoids that approach it. Middle: the derivatives. The
# steeper the sigmoid, the higher and narrower its slope: what the step has left of it is 0 everywhere, and no gradient. Right:
# the error while learning: the step's stays where it began, the sigmoid's goes down.
figure, (left, middle, right) = plt.subplots(1, 3, figsize=(13, 4.2), layout="constrained")
line = np.linspace(-4, 4, 801)
for i, beta in enumerate((1, 3, 10)):
    left.plot(line, fa.sigmoid(beta * line), color=COLOURS[i], label=rf"sigmoid, $\beta$ = {beta}")
    middle.plot(line, beta * fa.sigmoid.derivative(beta * line), color=COLOURS[i], label=rf"sigmoid, $\beta$ = {beta}")
left.plot(line, fa.step(line), color="black", linewidth=2, label="step")
left.plot(z, decisions, "o", color="black")
middle.plot(line, fa.step.derivative(line), color="black", linewidth=2, label="step")
names = ["+".join(r for r, there in zip(REASONS, case, strict=True) if there) or "nothing" for case in cases]
for at in np.unique(z):
    go = at > 0
    left.annotate(
        ", ".join(n for n, other in zip(names, z, strict=True) if other == at), (at, float(go)), (0, -8 if go else 8),
        textcoords="offset points", rotation=90, fontsize=8, ha="center", va="top" if go else "bottom",
    )  # fmt: skip
for name, (_, _, errors) in learnt.items():
    right.plot(errors, color="black" if name == "step" else COLOURS[0], label=name)
left.set(xlabel="z: reasons minus threshold", title="decision")
middle.set(xlabel="z", title="derivative")
right.set(xlabel="step of gradient descent", title="mean squared error", ylim=(0, None))
for ax in (left, middle, right):
    ax.legend(frameon=False, fontsize=8, loc="center left" if ax is left else "best")

if __name__ == "__main__":
    save(figure, SCRIPT)
    plt.show()
