"""Elementwise functions in Triton, as one writes them, for `bench --device cuda`."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
import triton
import triton.language as tl
from triton.language.extra import libdevice

BLOCK = 1024


@triton.jit
def relu(x):
    """Rectifier."""
    return tl.maximum(x, 0.0)


@triton.jit
def leaky_relu(x):
    """Leaky rectifier."""
    return tl.where(x > 0.0, x, 0.01 * x)


@triton.jit
def elu(x):
    """Exponential linear unit."""
    return tl.where(x > 0.0, x, libdevice.expm1(x))


@triton.jit
def sigmoid(x):
    """Logistic function."""
    return 1.0 / (1.0 + tl.exp(-x))


@triton.jit
def tanh(x):
    """Hyperbolic tangent."""
    return libdevice.tanh(x)


@triton.jit
def softplus(x):
    """Softplus."""
    return tl.maximum(x, 0.0) + libdevice.log1p(tl.exp(-tl.abs(x)))


@triton.jit
def silu(x):
    """Swish."""
    return x / (1.0 + tl.exp(-x))


@triton.jit
def gelu(x):
    """Gaussian error linear unit."""
    return 0.5 * x * (1.0 + tl.erf(x * 0.7071067811865476))


@triton.jit
def gelu_tanh(x):
    """Its approximation by tanh."""
    return 0.5 * x * (1.0 + libdevice.tanh(0.7978845608028654 * (x + 0.044715 * x * x * x)))


@triton.jit
def mish(x):
    """Mish."""
    return x * libdevice.tanh(libdevice.log1p(tl.exp(x)))


@triton.jit
def hard_swish(x):
    """Hard swish."""
    return x * tl.minimum(tl.maximum(x + 3.0, 0.0), 6.0) / 6.0


@triton.jit
def apply(source, target, n, function: tl.constexpr, block: tl.constexpr):
    """Write function(source) to target."""
    index = tl.program_id(0) * block + tl.arange(0, block)
    inside = index < n
    tl.store(target + index, function(tl.load(source + index, mask=inside)), mask=inside)


def forward() -> dict[str, Callable[[Any], Any]]:
    """Return the functions of torch arrays by name."""

    def call(function: Any) -> Callable[[Any], Any]:
        def run(x: Any) -> Any:
            y = torch.empty_like(x)
            apply[(triton.cdiv(x.numel(), BLOCK),)](x, y, x.numel(), function, BLOCK)
            return y

        return run

    functions = (relu, leaky_relu, elu, sigmoid, tanh, softplus, silu, gelu, gelu_tanh, mish, hard_swish)
    return {function.__name__: call(function) for function in functions}
