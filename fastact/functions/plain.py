"""The functions with parameters in the operations of an array library: for derivatives that there are no kernels of.

A formula takes a namespace with ``where``, ``exp``, ``expm1``, ``log1p``, ``tanh``, ``sqrt``, ``sin``, ``erf`` and ``sigmoid``,
then x and the parameters, arrays of that library. Such a library differentiates it as often as one likes; the digits are its
own, so that it serves for nothing that there is a kernel of.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any


def _left(m: Any, x: Any) -> Any:
    """x on the left, 0 on the right, so that what is not taken there stays finite."""
    return m.where(x > 0, 0.0, x)


def _celu(m: Any, x: Any, alpha: Any) -> Any:
    return m.where(x > 0, x, alpha * m.expm1(_left(m, x) / alpha))


def _elu(m: Any, x: Any, alpha: Any) -> Any:
    return m.where(x > 0, x, alpha * m.expm1(_left(m, x)))


def _hard_sigmoid(m: Any, x: Any, slope: Any, offset: Any) -> Any:
    u = slope * x + offset
    return m.where(u <= 0, 0.0, m.where(u >= 1, 1.0, u))


def _isrlu(m: Any, x: Any, alpha: Any) -> Any:
    return m.where(x > 0, x, _isru(m, _left(m, x), alpha))


def _isru(m: Any, x: Any, alpha: Any) -> Any:
    return x / m.sqrt(1 + alpha * x * x)


def _laplace(m: Any, x: Any, mu: Any, sigma: Any) -> Any:
    return 0.5 + 0.5 * m.erf((x - mu) / (sigma * math.sqrt(2)))


def _pelu(m: Any, x: Any, a: Any, b: Any) -> Any:
    return m.where(x > 0, a / b * x, a * m.expm1(_left(m, x) / b))


def _smelu(m: Any, x: Any, beta: Any) -> Any:
    return m.where(x >= beta, x, m.where(x <= -beta, 0.0, (x + beta) * (x + beta) / (4 * beta)))


def _star_relu(m: Any, x: Any, scale: Any, bias: Any) -> Any:
    right = m.where(x > 0, x, 0.0)
    return scale * right * right + bias


def _srelu(m: Any, x: Any, t_r: Any, a_r: Any, t_l: Any, a_l: Any) -> Any:
    return m.where(x >= t_r, t_r + a_r * (x - t_r), m.where(x <= t_l, t_l + a_l * (x - t_l), x))


def _snake(m: Any, x: Any, a: Any) -> Any:
    sine = m.sin(a * x)
    return x + sine * sine / a


def _xielu(m: Any, x: Any, alpha_p: Any, alpha_n: Any, beta: Any, eps: Any) -> Any:
    left = _left(m, x)
    bend = m.expm1(m.where(left < eps, left, eps)) - left
    return m.where(x > 0, alpha_p * x * x, alpha_n * bend) + beta * x


def _softplus(m: Any, x: Any, beta: Any) -> Any:
    z = beta * x
    return (m.where(z > 0, z, 0.0) + m.log1p(m.exp(m.where(z > 0, -z, z)))) / beta


FORMULAS: dict[str, Callable[..., Any]] = {
    "celu": _celu,
    "elu": _elu,
    "hard_shrink": lambda m, x, lambd: m.where((x > lambd) | (x < -lambd), x, 0.0),
    "hard_sigmoid": _hard_sigmoid,
    "hard_tanh": lambda m, x, low, high: m.where(x < low, low, m.where(x > high, high, x)),
    "isrlu": _isrlu,
    "isru": _isru,
    "laplace": _laplace,
    "leaky_relu": lambda m, x, slope: m.where(x > 0, x, slope * x),
    "pelu": _pelu,
    "prelu": lambda m, x, weight: m.where(x > 0, x, weight * x),
    "reflu": lambda m, x, x0, y0, left, right: y0 + m.where(x > x0, right, left) * (x - x0),
    "scaled_tanh": lambda m, x, alpha, beta: alpha * m.tanh(beta * x),
    "shrink": lambda m, x, lambd, bias: m.where(x < -lambd, x + bias, m.where(x > lambd, x - bias, 0.0)),
    "silu": lambda m, x, beta: x * m.sigmoid(beta * x),
    "smelu": _smelu,
    "snake": _snake,
    "soft_shrink": lambda m, x, lambd: m.where(x > lambd, x - lambd, m.where(x < -lambd, x + lambd, 0.0)),
    "softcap": lambda m, x, cap: cap * m.tanh(x / cap),
    "softplus": _softplus,
    "squareplus": lambda m, x, b: 0.5 * (x + m.sqrt(x * x + b)),
    "srelu": _srelu,
    "star_relu": _star_relu,
    "step": lambda m, x, threshold, at: m.where(x > threshold, 1.0, m.where(x == threshold, at, 0.0)),
    "threshold": lambda m, x, threshold, value: m.where(x > threshold, x, value),
    "thresholded_relu": lambda m, x, alpha: m.where(x > alpha, x, 0.0),
    "xielu": _xielu,
}
