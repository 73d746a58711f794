"""The pictures of the functions: value and derivative of one input, the others held."""

import matplotlib
import numpy as np

matplotlib.use("agg")
from matplotlib.figure import Figure

import fastact as fa
from fastact.functions import Activation, RowFunction

matplotlib.rcParams["svg.hashsalt"] = "fastact"
BLUE, RED, GREY = "#0072B2", "#D55E00", "#6b7280"
X = np.linspace(-4.0, 4.0, 801)


def save(figure, path, **how):
    """Write an SVG that is the same each time."""
    figure.savefig(path, metadata={"Date": None}, facecolor="white", **how)


def draw(name, folder, since):
    """Write the picture of a function, and a small one without words, unless they are new; return what they show."""
    function = getattr(fa, name)
    figure = Figure(figsize=(7.2, 4.2))
    axes = figure.subplots(gridspec_kw={"left": 0.08, "right": 0.98, "bottom": 0.12, "top": 0.91})
    note = picture(function, axes)
    path, small = folder / f"{name}.svg", folder / f"{name}-small.svg"
    if small.exists() and small.stat().st_mtime > since:
        return note
    save(figure, path)
    if axes.get_legend():
        axes.get_legend().remove()
    for text in list(axes.texts):
        text.remove()
    for where in ("left", "center", "right"):
        axes.set_title("", loc=where)
    figure.set_size_inches(2.6, 1.8)
    figure.subplots_adjust(left=0.2, right=0.95, bottom=0.16, top=0.95)
    axes.set(xlabel="", ylabel="")
    axes.tick_params(labelsize=8)
    axes.locator_params(nbins=4)
    save(figure, small)
    return note


def picture(function, axes):
    """Draw a function; return what the picture shows, if that needs saying."""
    if isinstance(function, Activation):
        function.plot(ax=axes)
        return ""
    note = OTHERS.get(function.__name__, rows if isinstance(function, RowFunction) else gated)(function, axes)
    axes.axhline(0, color=GREY, linewidth=0.6, zorder=0)
    axes.axvline(0, color=GREY, linewidth=0.6, zorder=0)
    axes.spines[["top", "right"]].set_visible(False)
    axes.set(xlim=(X[0], X[-1]), xlabel="x")
    axes.grid(alpha=0.25)
    axes.legend(frameon=False, fontsize=9)
    return note


def lines(axes, value, slope, label="f"):
    """Draw value and derivative as `fastact.plot` does."""
    axes.plot(X, value, color=BLUE, linewidth=2.4, label=label)
    axes.plot(X, slope, color=RED, linewidth=1.7, linestyle=(0, (5, 1.8)), label="derivative")


def rows(function, axes):
    """A row-wise function of (x, 0, 1), by x."""
    row = np.stack([X, np.zeros_like(X), np.ones_like(X)], axis=-1)
    y = function(row)
    if y.ndim == 1:
        lines(axes, y, function.backward(np.ones_like(X), row)[:, 0])
        return "The value for the row (x, 0, 1), and its derivative by x."
    if function.__name__ == "hardmax":
        slope = np.zeros_like(X)
    else:
        slope = function.backward(np.broadcast_to([1.0, 0.0, 0.0], row.shape), y)[:, 0]
    lines(axes, y[:, 0], slope)
    return "The first element of the result for the row (x, 0, 1), and its derivative by x."


def gated(function, axes):
    """A gated unit by its gate, the other half 1."""
    one = np.ones_like(X)
    first = function.gate == "first"
    pair = (X, one) if first else (one, X)
    lines(axes, function(*pair), function.backward(one, *pair)[0 if first else 1])
    gate, other = "ab" if first else "ba"
    return f"As a function of the gate {gate}, with {other} = 1, and its derivative by {gate}."


def maxout(function, axes):
    """Three lines, as groups of three."""
    each = np.stack([-X - 1.0, 0.3 * X, X - 1.0], axis=-1)
    for line in each.T:
        axes.plot(X, line, color=GREY, linewidth=0.9, linestyle=":")
    axes.plot(X, function(each.ravel(), 3), color=BLUE, linewidth=2.4, label="maximum")
    axes.set_ylim(-3, 3.5)
    return "The maximum of the three lines −x − 1, 0.3 x and x − 1."


def max_affine(function, axes):
    """The same lines as parameters."""
    weight, bias = np.array([-1.0, 0.3, 1.0]), np.array([-1.0, 0.0, -1.0])
    for w, b in zip(weight, bias, strict=True):
        axes.plot(X, w * X + b, color=GREY, linewidth=0.9, linestyle=":")
    lines(axes, function(X, weight, bias), function.backward(np.ones_like(X), X, weight, bias)["x"])
    axes.set_ylim(-3, 3.5)
    return "With the lines −x − 1, 0.3 x and x − 1."


def crelu(function, axes):
    """Both halves."""
    first, second = function(X[:, None]).T
    axes.plot(X, first, color=BLUE, linewidth=2.4, label="first half")
    axes.plot(X, second, color=RED, linewidth=2.4, linestyle=(0, (5, 1.8)), label="second half")
    return "Both halves of the result."


def rrelu(function, axes):
    """The slopes that may be drawn."""
    left = X <= 0
    axes.fill_between(X[left], X[left] / 3, X[left] / 8, color=BLUE, alpha=0.2, label="in training: a slope at random")
    axes.plot(X, function(X), color=BLUE, linewidth=2.4, label="otherwise: the mean slope")
    return ""


def noisy_relu(function, axes):
    """Samples around the rectifier."""
    x = np.repeat(X[::16], 12)
    axes.plot(x, function(x, rng=0), ".", color=RED, markersize=2.5, label="in training")
    axes.plot(X, function(X, training=False), color=BLUE, linewidth=2.4, label="otherwise")
    return ""


def gumbel_softmax(function, axes):
    """Samples of the first of three categories, and the probability that it wins."""
    row = np.stack([X, np.zeros_like(X), np.ones_like(X)], axis=-1)
    axes.plot(X, function(row, rng=0)[:, 0], ".", color=RED, markersize=3, label="a sample for each x")
    axes.plot(X, fa.softmax(row)[:, 0], color=BLUE, linewidth=2.4, label="softmax: the probability that it is the largest")
    return "The first element of samples for the logits (x, 0, 1)."


OTHERS = {f.__name__: f for f in (maxout, max_affine, crelu, rrelu, noisy_relu, gumbel_softmax)}


def sheet(path, since):
    """All activations in one picture."""
    if not path.exists() or path.stat().st_mtime <= since:
        figure = Figure()
        fa.plot_all(columns=6, figure=figure)
        save(figure, path)
