"""The plain NumPy or SciPy expression of each activation, with default parameters, as one would write it.

These are what `python -m fastact` compares its speed with, not references: several lose digits in the
tails. Python floats keep them in the dtype of x.
"""

from __future__ import annotations

import contextlib
import importlib
import math
from collections.abc import Callable
from typing import Any

import numpy as np

Expression = Callable[[Any], Any]

_NUMPY: dict[str, Expression] = {
    "arctan": lambda x: np.arctan(x),
    "bent_identity": lambda x: (np.sqrt(x * x + 1) - 1) / 2 + x,
    "celu": lambda x: np.where(x > 0, x, np.expm1(x)),
    "dish": lambda x: 0.5 * x * (1 + x / np.sqrt(1 + x * x)),
    "elu": lambda x: np.where(x > 0, x, np.expm1(x)),
    "exponential": lambda x: np.exp(x),
    "gaussian": lambda x: np.exp(-(x * x)),
    "gelu_tanh": lambda x: 0.5 * x * (1 + np.tanh(math.sqrt(2 / math.pi) * (x + 0.044715 * x * x * x))),
    "hard_elish": lambda x: np.where(x >= 0, x, np.expm1(x)) * np.clip((x + 1) / 2, 0, 1),
    "hard_shrink": lambda x: np.where(np.abs(x) > 0.5, x, 0.0),
    "hard_sigmoid": lambda x: np.clip(x / 6 + 0.5, 0, 1),
    "hard_swish": lambda x: x * np.clip(x + 3, 0, 6) / 6,
    "hard_tanh": lambda x: np.clip(x, -1, 1),
    "identity": lambda x: np.positive(x),
    "isrlu": lambda x: np.where(x >= 0, x, x / np.sqrt(1 + x * x)),
    "isru": lambda x: x / np.sqrt(1 + x * x),
    "leaky_relu": lambda x: np.where(x > 0, x, 0.01 * x),
    "lisht": lambda x: x * np.tanh(x),
    "log1mexp": lambda x: np.log1p(-np.exp(-x)),
    "mish": lambda x: x * np.tanh(np.log1p(np.exp(x))),
    "pelu": lambda x: np.where(x >= 0, x, np.expm1(x)),
    "prelu": lambda x: np.where(x > 0, x, 0.25 * x),
    "reflu": lambda x: 1 - np.abs(x - 1),
    "relu": lambda x: np.maximum(x, 0),
    "relu6": lambda x: np.clip(x, 0, 6),
    "scaled_tanh": lambda x: 1.7159 * np.tanh(2 / 3 * x),
    "selu": lambda x: 1.0507009873554805 * np.where(x > 0, x, 1.6732632423543772 * np.expm1(x)),
    "shrink": lambda x: np.where(np.abs(x) > 0.5, x, 0.0),
    "sign": lambda x: np.sign(x),
    "smelu": lambda x: np.where(x >= 1, x, np.where(x <= -1, 0.0, (x + 1) ** 2 / 4)),
    "snake": lambda x: x + np.sin(x) ** 2,
    "soft_shrink": lambda x: np.sign(x) * np.maximum(np.abs(x) - 0.5, 0),
    "softcap": lambda x: 50 * np.tanh(x / 50),
    "softplus": lambda x: np.logaddexp(x, 0.0),
    "softsign": lambda x: x / (1 + np.abs(x)),
    "sparse_plus": lambda x: np.where(x >= 1, x, np.where(x <= -1, 0.0, (x + 1) ** 2 / 4)),
    "sparse_sigmoid": lambda x: np.clip((x + 1) / 2, 0, 1),
    "squared_relu": lambda x: np.maximum(x, 0) ** 2,
    "squareplus": lambda x: (x + np.sqrt(x * x + 4)) / 2,
    "srelu": lambda x: np.where(x > 0, x, 0.2 * x),
    "star_relu": lambda x: 0.8944271909999159 * np.maximum(x, 0) ** 2 - 0.4472135954999579,
    "step": lambda x: np.heaviside(x, 1.0),
    "tanh": lambda x: np.tanh(x),
    "tanh_shrink": lambda x: x - np.tanh(x),
    "telu": lambda x: x * np.tanh(np.exp(x)),
    "threshold": lambda x: np.where(x > 0, x, 0.0),
    "thresholded_relu": lambda x: np.where(x > 1, x, 0.0),
    "xielu": lambda x: np.where(x > 0, 0.8 * x * x, 0.8 * (np.expm1(np.minimum(x, -1e-6)) - x)) + 0.5 * x,
}


def _scipy(special: Any) -> dict[str, Expression]:
    return {
        "elish": lambda x: np.where(x >= 0, x, np.expm1(x)) * special.expit(x),
        "gelu": lambda x: 0.5 * x * (1 + special.erf(x / math.sqrt(2))),
        "laplace": lambda x: special.ndtr((x - math.sqrt(0.5)) / math.sqrt(0.25 / math.pi)),
        "log_sigmoid": lambda x: special.log_expit(x),
        "phish": lambda x: x * np.tanh(x * special.ndtr(x)),
        "quick_gelu": lambda x: x * special.expit(1.702 * x),
        "serf": lambda x: x * special.erf(np.log1p(np.exp(x))),
        "sigmoid": lambda x: special.expit(x),
        "silu": lambda x: x * special.expit(x),
    }


def expressions() -> dict[str, Expression]:
    """Return the expressions by canonical name; without SciPy, those that do without it."""
    try:
        special = importlib.import_module("scipy.special")
    except ImportError:
        return dict(_NUMPY)
    return {**_NUMPY, **_scipy(special)}


def expression(function: Any, axis: int | None) -> Expression | None:
    """Return the expression of a function of any family along an axis, or None."""
    plain, name = expressions(), function.__name__
    if axis is None:
        return plain.get(name)
    if function.family == "gated units" and function.activation in plain:
        gate, activation = 0 if function.gate == "first" else 1, plain[function.activation]

        def gated(x: Any) -> Any:
            halves = np.split(x, 2, axis)
            return activation(halves[gate]) * halves[1 - gate]

        return gated
    if name == "crelu":
        return lambda x: np.concatenate([np.maximum(x, 0), np.maximum(-x, 0)], axis)
    if name in ("softmax", "log_softmax", "logsumexp"):
        with contextlib.suppress(ImportError):
            call = getattr(importlib.import_module("scipy.special"), name)
            return lambda x: call(x, axis=axis)
    return None
