"""The gain of weights that keeps the variance, computed from the function."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from ..functions import Activation
from .given import activation_of

#: Where the normal density is not negligible; panels begin this wide.
_ENDS, _PANEL = 16.0, 0.25
_TOLERANCE = 1e-14


def normal_mean(of: Callable[[np.ndarray], np.ndarray]) -> float:
    """The mean of a function of a standard normal variable, by Gauss-Legendre quadrature on panels.

    A panel on which the rule and that on its halves differ is halved, down to the spacing of floats: kinks and jumps
    need no further treatment. What is beyond 16 standard deviations is left out.
    """
    nodes, weights = np.polynomial.legendre.leggauss(20)

    def on(left: np.ndarray, right: np.ndarray) -> np.ndarray:
        half = 0.5 * (right - left)[:, None]
        z = 0.5 * (right + left)[:, None] + half * nodes
        density = np.exp(-0.5 * z * z) / np.sqrt(2.0 * np.pi)
        return np.asarray((of(z) * density * half) @ weights)

    total = 0.0
    left = np.arange(-_ENDS, _ENDS, _PANEL)
    right = left + _PANEL
    for _ in range(60):
        middle = 0.5 * (left + right)
        coarse, first, second = on(left, right), on(left, middle), on(middle, right)
        fine = first + second
        settled = ~(np.abs(fine - coarse) > _TOLERANCE * np.abs(fine) + 1e-18)
        total += float(fine[settled].sum())
        left, right = (np.concatenate(pair)[np.concatenate([~settled, ~settled])] for pair in ((left, middle), (middle, right)))
        if not left.size:
            break
    return total


def init_gain(function: str | Activation, **params: Any) -> float:
    r"""Return the factor of initial weights that keeps the variance through a layer.

    Weights of mean 0 and standard deviation ``gain / sqrt(fan_in)`` (He's and LeCun's way), or ``gain * sqrt(2 / (fan_in +
    fan_out))`` (Glorot's), then give pre-activations of the same variance in every layer.

    Parameters
    ----------
    function : str or Activation
        An elementwise activation, or any of its names.
    **params : float
        Its parameters, as in a call; defaults where left out.

    Returns
    -------
    float
        :math:`1 / \sqrt{E[f(z)^2]}` for z standard normal, to about 12 digits: by adaptive quadrature of the function itself.

    Raises
    ------
    TypeError
        For what is no elementwise activation, for parameters that it does not have, and parameters that are arrays.
    ValueError
        For a name that is none, and where the mean of f(z)^2 is 0, infinite or NaN, so that no gain keeps it.

    Notes
    -----
    ``torch.nn.init.calculate_gain`` agrees for linear, relu and leaky_relu. Its others are conventions: 5/3 for tanh (here
    1.5925), 1 for sigmoid (here 1.8463), 3/4 for selu (here 1: it is made to keep mean and variance, Klambauer et al. 2017).
    It has no gain for gelu, silu and the rest.

    A function that is not zero-centred, such as sigmoid, keeps the mean of f(z)^2 with this gain, which is what the next
    layer's variance is made of; the variance of f(z) itself is less.

    References
    ----------
    He et al. 2015, Delving deep into rectifiers, arXiv:1502.01852; LeCun et al. 1998, Efficient BackProp.

    Examples
    --------
    >>> import fastact as fa
    >>> round(fa.init_gain("relu") ** 2, 12)
    2.0
    >>> round(fa.init_gain("gelu"), 4)
    1.5335
    >>> round(fa.init_gain("leaky_relu", negative_slope=0.2), 4)
    1.3868
    """
    title = "fastact.init_gain"
    activation, given = activation_of(title, function, params)
    for name, value in zip(activation.params, given, strict=True):
        if value.ndim:
            raise TypeError(f"{title}: {name} has shape {value.shape}; expected a number")
    numbers = [float(p) for p in given]
    with np.errstate(all="ignore"):
        mean = normal_mean(lambda z: np.square(activation(z, *numbers)))
    if not 0.0 < mean < np.inf:
        raise ValueError(f"{title}: the mean of {activation.__name__}(z)^2 for z standard normal is {mean}; no gain keeps it")
    return float(1.0 / np.sqrt(mean))
