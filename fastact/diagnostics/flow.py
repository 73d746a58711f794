"""How large gradients are in each layer of a stack, and where they vanish or explode."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from ..functions import Activation
from ..plotting import require_matplotlib
from .given import SATURATION, activation_of, plain
from .words import share

TITLE = "fastact.gradient_flow"
#: A gradient less than this part of the last layer's has vanished, one of more than its inverse has exploded.
VANISHED = 0.01


class GradientFlow:
    """What `gradient_flow` finds; printed, it is a table and a verdict in words.

    Not made by users. Arrays have an element for each layer, the first layer first.

    Attributes
    ----------
    names : tuple of str
        What the layers are called.
    sizes : ndarray
        The root mean square of each layer's gradient.
    ratios : ndarray
        The same as parts of the last layer's.
    slopes : ndarray or None
        What is left of a gradient's size after each layer's activation, where layers are given by z, weight and activation.
    weights : ndarray or None
        What is left of it on the way through the weights to the layer before.
    inactive : ndarray or None
        Share of elements of z for which |f'(z)| is at most 0.001.
    vanishing, exploding : tuple of str
        The names of layers that get less than 1 %, or more than 100 times, of the last layer's gradient.
    verdict : str
        What that means.
    """

    slopes: np.ndarray | None = None
    weights: np.ndarray | None = None
    inactive: np.ndarray | None = None

    def __init__(
        self, names: Sequence[str], sizes: Sequence[float], functions: Sequence[Activation] = (), **factors: Any
    ) -> None:  # fmt: skip
        self.names, self.sizes = tuple(names), np.asarray(sizes, np.float64)
        self._functions = tuple(functions)
        for name, value in factors.items():
            setattr(self, name, np.asarray(value))
        with np.errstate(all="ignore"):
            self.ratios = self.sizes / self.sizes[-1]
            self._gone, self._grown = self.ratios < VANISHED, self.ratios > 1 / VANISHED
        self.vanishing = tuple(np.asarray(self.names)[self._gone].tolist())
        self.exploding = tuple(np.asarray(self.names)[self._grown].tolist())
        self.verdict = self._judged()

    def _judged(self) -> str:
        wrong = [n for n, s in zip(self.names, self.sizes, strict=True) if not np.isfinite(s)]
        if wrong:
            return f"The gradient of {' and '.join(wrong[:2])}{' and others' * (len(wrong) > 2)} is not finite."
        if self.sizes[-1] == 0.0:
            return f"The gradient of the last layer, {self.names[-1]}, is 0: there is nothing to compare with."
        said = []
        for mask, amount, extreme in (
            (self._gone, "less than 1 % of", np.argmin), (self._grown, "more than 100 times", np.argmax),
        ):  # fmt: skip
            if not mask.any():
                continue
            worst = int(extreme(self.ratios))
            many = f"{self.ratios[worst]:.3g} times" if extreme is np.argmax else share(self.ratios[worst])
            what = self._span(mask)
            also = f" ({self.names[worst]}: {many})" if worst or np.count_nonzero(mask) > 1 else f" ({many})"
            said.append(f"{what} {amount} the last layer's gradient{also}{self._reason(mask)}.")
        return " ".join(said) or "No layer gets less than 1 % or more than 100 times the last layer's gradient."

    def _span(self, mask: np.ndarray) -> str:
        """``layers 1 to 3 get``."""
        at = np.flatnonzero(mask)
        names = [self.names[i] for i in at]
        if len(at) == 1:
            return f"{names[0]} gets"
        if all(name == f"layer {i + 1}" for i, name in zip(at, names, strict=True)):
            names = [str(i + 1) for i in at]
            names[0] = f"layers {names[0]}"
        if at[-1] - at[0] + 1 == len(at) > 2:
            return f"{names[0]} to {names[-1]} get"
        return f"{', '.join(names[:-1])} and {names[-1]} get"

    def _reason(self, mask: np.ndarray) -> str:
        """What shrinks, or enlarges, the gradient most between the last layer and those."""
        if self.slopes is None or self.weights is None or self.inactive is None:
            return ""
        # From layer l+1 to layer l a gradient passes the weights of l+1 and the activation of l.
        first = int(np.flatnonzero(mask)[0])
        with np.errstate(divide="ignore"):
            slopes, weights = np.log(self.slopes[first:-1]), np.log(self.weights[first + 1 :])
        sign = 1.0 if self.ratios[first] < 1.0 else -1.0
        slopes, weights = sign * slopes, sign * weights
        if slopes.sum() < weights.sum():
            at = first + int(np.argmin(slopes))
            name, inactive = self._functions[at].__name__, float(self.inactive[at])
            if sign > 0 and inactive > 0.5 and "no" not in self._functions[at].saturates:
                return f": {name} saturates, |f'| is at most {SATURATION:g} on {share(inactive)} of {self.names[at]}'s elements"
            alike = len(slopes) > 1 and len({f.__name__ for f in self._functions[first:-1]}) == 1
            left = float(np.exp(sign * slopes.mean())) if alike else float(self.slopes[at])
            return f": {name} leaves {share(left)} of a gradient's size in {'each layer' if alike else self.names[at]}"
        at = first + 1 + int(np.argmin(weights))
        small = "small" if sign > 0 else "large"
        return f": weights are {small}, those of {self.names[at]} multiply a gradient's size by {self.weights[at]:.3g}"

    def __repr__(self) -> str:
        head = ["", "gradient", "of last"] + (["|f'|", "weights"] if self.slopes is not None else [])
        rows = [head]
        for i, name in enumerate(self.names):
            row = [name, f"{self.sizes[i]:.3g}", share(self.ratios[i]) if self.ratios[i] < 10 else f"{self.ratios[i]:.3g} x"]
            if self.slopes is not None and self.weights is not None:
                row += [f"{self.slopes[i]:.3g}", f"{self.weights[i]:.3g}"]
            rows.append(row)
        wide = max(len(n) for n in self.names)
        lines = [f"  {row[0]:<{wide}}" + "".join(f"{cell:>12}" for cell in row[1:]) for row in rows]
        return "\n".join([*lines, self.verdict])

    def plot(self, ax: Any = None) -> Any:
        """Draw the size of each layer's gradient, and the limits beyond which it counts as vanished or exploded.

        Parameters
        ----------
        ax : matplotlib axes, optional
            Where to draw; a new figure by default.

        Returns
        -------
        matplotlib axes
            Those drawn on.

        Raises
        ------
        ImportError
            Without matplotlib, which the extra ``plot`` brings.
        """
        pyplot = require_matplotlib(f"{TITLE}.plot", "matplotlib.pyplot")
        if ax is None:
            _, ax = pyplot.subplots(figsize=(6.4, 3.6), layout="constrained")
        place = np.arange(1, len(self.names) + 1)
        ax.axhspan(VANISHED, 1 / VANISHED, color="0.93", zorder=0)
        ax.plot(place, self.ratios, "o-", color="#0072B2")
        lost = self._gone | self._grown
        ax.plot(place[lost], self.ratios[lost], "o", color="#D55E00", label="vanished or exploded")
        if lost.any():
            ax.legend(frameon=False)
        ax.set(yscale="log", ylabel="gradient, the last layer's = 1", xticks=place)
        ax.set_xticklabels(self.names, rotation=30 if max(map(len, self.names)) > 8 else 0)
        return ax


def gradient_flow(layers: Any, *, grad: Any = None, rng: Any = 0) -> GradientFlow:
    """Compare the sizes of the gradients in the layers of a stack, and say where they vanish or explode.

    Parameters
    ----------
    layers : sequence, or dict of str to what a sequence holds
        From the first layer to the last, either the gradients that a backward pass left, an array for each layer (by its
        weights, or by its pre-activations: of one kind in all layers), or for each layer ``(z, weight, activation)``: its
        pre-activations, of shape (batch, outputs), the weights that made them, ``z = h @ weight + bias`` with weight of shape
        (inputs, outputs), and the function or its name. The keys of a dict name the layers.
    grad : array_like, optional
        With ``(z, weight, activation)``: the gradient by the output of the last activation, broadcast against its z. By
        default standard normal numbers, which show what the stack does to any gradient.
    rng : int or numpy.random.Generator, default 0
        Where these come from.

    Returns
    -------
    GradientFlow
        The sizes, a text, and `plot`. The size is the root mean square of the elements, so that layers of different widths
        compare; with ``(z, weight, activation)`` it is that of the gradient by z.

    Raises
    ------
    TypeError
        For layers that are neither, and an activation that is not elementwise.
    ValueError
        For no layers, an empty gradient, shapes that do not fit each other, and `grad` without activations.

    Notes
    -----
    From ``(z, weight, activation)`` the gradient is taken back as by backpropagation, ``(grad * f'(z)) @ weight.T``, so the
    verdict can name what shrinks it: an activation that saturates, one with small slopes, or the weights.

    References
    ----------
    Glorot and Bengio 2010, Understanding the difficulty of training deep feedforward neural networks.

    Examples
    --------
    >>> import numpy as np
    >>> import fastact as fa
    >>> fa.gradient_flow([np.full(5, 1e-5), np.full(5, 0.002), np.full(5, 0.1), np.full(3, 0.5)])
                 gradient     of last
      layer 1       1e-05     < 0.1 %
      layer 2       0.002       0.4 %
      layer 3         0.1      20.0 %
      layer 4         0.5     100.0 %
    layers 1 and 2 get less than 1 % of the last layer's gradient (layer 1: < 0.1 %).

    >>> rng = np.random.default_rng(0)
    >>> h, layers = rng.standard_normal((64, 50)), []
    >>> for _ in range(5):
    ...     weight = rng.standard_normal((50, 50)) / 7
    ...     z = h @ weight
    ...     h = fa.sigmoid(z)
    ...     layers.append((z, weight, "sigmoid"))
    >>> print(fa.gradient_flow(layers).verdict)
    layer 1 gets less than 1 % of the last layer's gradient (0.3 %): sigmoid leaves 22.8 % of a gradient's size in each layer.
    """
    if isinstance(layers, Mapping):
        names, given = [str(n) for n in layers], list(layers.values())
    elif isinstance(layers, Sequence) and not isinstance(layers, str):
        given = list(layers)
        names = [f"layer {i + 1}" for i in range(len(given))]
    else:
        raise TypeError(f"{TITLE}: layers is a {type(layers).__name__}; expected a sequence or a dict")
    if not given:
        raise ValueError(f"{TITLE}: layers is empty; expected at least one layer")
    stacked = [isinstance(one, tuple) and len(one) == 3 and isinstance(one[2], str | Activation) for one in given]
    if all(stacked):
        return _through(names, given, grad, rng)
    if any(stacked):
        at = stacked.index(False)
        raise TypeError(f"{TITLE}: {names[at]} is a {type(given[at]).__name__}; expected (z, weight, activation) as for others")
    if grad is not None:
        raise ValueError(f"{TITLE}: grad is given, but layers are gradients already; expected (z, weight, activation) for each")
    return GradientFlow(names, [_size(plain(TITLE, n, g), n) for n, g in zip(names, given, strict=True)])


def _size(array: np.ndarray, name: str) -> float:
    """The root mean square."""
    if not array.size:
        raise ValueError(f"{TITLE}: {name} has shape {array.shape}; expected a gradient with elements")
    with np.errstate(all="ignore"):
        return float(np.sqrt(np.mean(np.square(array, dtype=np.float64))))


def _through(names: list[str], given: list[Any], grad: Any, rng: Any) -> GradientFlow:
    """Take a gradient back through the layers."""
    layers: list[tuple[np.ndarray, np.ndarray, Activation]] = []
    for i, (name, (z, weight, function)) in enumerate(zip(names, given, strict=True)):
        z, weight = plain(TITLE, f"z of {name}", z), plain(TITLE, f"weight of {name}", weight)
        activation, _ = activation_of(TITLE, function, {}, f"activation of {name}")
        if z.ndim != 2 or not z.size:
            raise ValueError(f"{TITLE}: z of {name} has shape {z.shape}; expected (batch, outputs)")
        inputs = given[i - 1][0] if i else None
        expected = (np.shape(inputs)[-1] if inputs is not None and np.ndim(inputs) else "inputs", z.shape[1])
        if weight.ndim != 2 or weight.shape[1] != z.shape[1] or (inputs is not None and weight.shape[0] != expected[0]):
            turned = "; give weight.T" if weight.ndim == 2 and weight.shape[::-1] == expected else ""
            text = ", ".join(map(str, expected))
            raise ValueError(f"{TITLE}: weight of {name} has shape {weight.shape}; expected ({text}){turned}")
        if layers and z.shape[0] != layers[0][0].shape[0]:
            raise ValueError(f"{TITLE}: z of {name} has {z.shape[0]} rows; expected {layers[0][0].shape[0]}, as {names[0]}")
        layers.append((z, weight.astype(np.float64), activation))
    last = layers[-1][0]
    if grad is None:
        found = np.random.default_rng(rng).standard_normal(last.shape)
    else:
        found = plain(TITLE, "grad", grad).astype(np.float64)
        try:
            found = np.broadcast_to(found, last.shape)
        except ValueError:
            raise ValueError(f"{TITLE}: grad has shape {found.shape}; expected {last.shape}") from None
    sizes, slopes, weights, inactive = [], [], [], []
    with np.errstate(all="ignore"):
        for z, weight, activation in reversed(layers):
            slope = np.asarray(activation.derivative(z), np.float64)
            inactive.append(float(np.mean(np.abs(slope) <= SATURATION)))
            before = _size(found, "grad")
            found = found * slope
            sizes.append(_size(found, "grad"))
            slopes.append(sizes[-1] / before if before else 0.0)
            found = found @ weight.T
            weights.append(_size(found, "grad") / sizes[-1] if sizes[-1] else 0.0)
    return GradientFlow(
        names, sizes[::-1], [a for _, _, a in layers], slopes=slopes[::-1], weights=weights[::-1], inactive=inactive[::-1]
    )
