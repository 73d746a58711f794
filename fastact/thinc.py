"""The operations of fastact for thinc: ``thinc.api.set_current_ops(fastact.thinc.FastactOps())``, or ``use_ops("fastact")``.

What is not named here (matrix products, sequences, LSTMs) is that of thinc's NumpyOps.
"""

from __future__ import annotations

from typing import Any

try:
    import thinc
    from thinc.backends.numpy_ops import NumpyOps
except ImportError as error:
    raise ImportError(f"fastact.thinc: thinc cannot be imported ({error}); pip install 'fastact[thinc]'") from error

from .functions import BY_NAME

__all__ = ["FastactOps"]

_OF = BY_NAME.__getitem__
_GELU, _TANH_GELU, _SILU, _MISH, _DISH, _SIGMOID = map(_OF, ("gelu", "gelu_tanh", "silu", "mish", "dish", "sigmoid"))
_RELU, _CLAMP, _HARD_SIGMOID, _HARD_SWISH, _SOFTMAX = map(_OF, ("relu", "hard_tanh", "hard_sigmoid", "hard_swish", "softmax"))


def _alike(dY: Any, X: Any) -> None:
    if dY.shape != X.shape:
        raise ValueError(f"arrays have incompatible shapes: {dY.shape} and {X.shape}")


def _value(function: Any, X: Any, inplace: bool, *parameters: float) -> Any:
    return function(X, *parameters, out=X) if inplace else function(X, *parameters)


def _slope(function: Any, dY: Any, X: Any, inplace: bool, *parameters: float) -> Any:
    _alike(dY, X)
    return function(dY, X, *parameters, out=dY) if inplace else function(dY, X, *parameters)


@thinc.registry.ops("fastact")
class FastactOps(NumpyOps):
    """thinc's operations on NumPy arrays, with the activations and softmax of fastact.

    They are exact where thinc's are cut off: sigmoid beyond 20, mish beyond its threshold, the tails of gelu.

    Examples
    --------
    >>> import numpy as np
    >>> import fastact.thinc
    >>> ops = fastact.thinc.FastactOps()
    >>> ops.gelu(np.array([-1.0, 0.0, 1.0], dtype=np.float32))
    array([-0.15865526,  0.        ,  0.8413447 ], dtype=float32)
    """

    name = "fastact"

    def sigmoid(self, X: Any, *, inplace: bool = False) -> Any:
        """1 / (1 + exp(-X))."""
        return _value(_SIGMOID, X, inplace)

    def backprop_sigmoid(self, dY: Any, Y: Any, *, inplace: bool = False) -> Any:
        """The gradient from the output, which thinc overwrites in place."""
        _alike(dY, Y)
        return _SIGMOID.backward_from_output(dY, Y, out=Y) if inplace else _SIGMOID.backward_from_output(dY, Y)

    def relu(self, X: Any, inplace: bool = False) -> Any:
        """max(X, 0)."""
        return _value(_RELU, X, inplace)

    def backprop_relu(self, dY: Any, Y: Any, inplace: bool = False) -> Any:
        """The gradient from the output."""
        return _slope(_RELU.backward, dY, Y, inplace)

    def relu_k(self, X: Any, n: float = 6.0, inplace: bool = False) -> Any:
        """min(max(X, 0), n)."""
        return _value(_CLAMP, X, inplace, 0.0, n)

    def backprop_relu_k(self, dY: Any, X: Any, n: float = 6.0, inplace: bool = False) -> Any:
        """Its gradient."""
        return _slope(_CLAMP.backward, dY, X, inplace, 0.0, n)

    def hard_tanh(self, X: Any, inplace: bool = False) -> Any:
        """min(max(X, -1), 1)."""
        return _value(_CLAMP, X, inplace)

    def backprop_hard_tanh(self, dY: Any, X: Any, inplace: bool = False) -> Any:
        """Its gradient."""
        return _slope(_CLAMP.backward, dY, X, inplace)

    def hard_sigmoid(self, X: Any, inplace: bool = False) -> Any:
        """X / 5 + 1/2, within 0 and 1."""
        return _value(_HARD_SIGMOID, X, inplace, 0.2)

    def backprop_hard_sigmoid(self, dY: Any, X: Any, inplace: bool = False) -> Any:
        """Its gradient."""
        return _slope(_HARD_SIGMOID.backward, dY, X, inplace, 0.2)

    def swish(self, X: Any, inplace: bool = False) -> Any:
        """X sigmoid(X)."""
        return _value(_SILU, X, inplace)

    def backprop_swish(self, dY: Any, X: Any, Y: Any, inplace: bool = False) -> Any:
        """Its gradient, from the input."""
        _alike(dY, Y)
        return _slope(_SILU.backward, dY, X, inplace)

    def hard_swish_mobilenet(self, X: Any, inplace: bool = False) -> Any:
        """X min(max(X + 3, 0), 6) / 6."""
        return _value(_HARD_SWISH, X, inplace)

    def backprop_hard_swish_mobilenet(self, dY: Any, X: Any, inplace: bool = False) -> Any:
        """Its gradient."""
        return _slope(_HARD_SWISH.backward, dY, X, inplace)

    def dish(self, X: Any, inplace: bool = False) -> Any:
        """X (X / sqrt(1 + X^2) + 1) / 2."""
        return _value(_DISH, X, inplace)

    def backprop_dish(self, dY: Any, X: Any, inplace: bool = False) -> Any:
        """Its gradient."""
        return _slope(_DISH.backward, dY, X, inplace)

    def gelu(self, X: Any, inplace: bool = False) -> Any:
        """X Phi(X)."""
        return _value(_GELU, X, inplace)

    def backprop_gelu(self, dY: Any, X: Any, inplace: bool = False) -> Any:
        """Its gradient."""
        return _slope(_GELU.backward, dY, X, inplace)

    def gelu_approx(self, X: Any, inplace: bool = False) -> Any:
        """The approximation of gelu by tanh."""
        return _value(_TANH_GELU, X, inplace)

    def backprop_gelu_approx(self, dY: Any, X: Any, inplace: bool = False) -> Any:
        """Its gradient."""
        return _slope(_TANH_GELU.backward, dY, X, inplace)

    def mish(self, X: Any, threshold: float = 20.0, inplace: bool = False) -> Any:
        """X tanh(softplus(X)); exact everywhere, so that there is nothing for the threshold to do."""
        return _value(_MISH, X, inplace)

    def backprop_mish(self, dY: Any, X: Any, threshold: float = 20.0, inplace: bool = False) -> Any:
        """Its gradient."""
        return _slope(_MISH.backward, dY, X, inplace)

    def softmax(self, x: Any, *, inplace: bool = False, axis: int = -1, temperature: float = 1.0) -> Any:
        """exp(x / temperature) over the sum of these; thinc's is not in place either."""
        return _SOFTMAX(x, axis, temperature=float(temperature))

    def backprop_softmax(self, Y: Any, dY: Any, *, axis: int = -1, temperature: float = 1.0) -> Any:
        """The gradient from the output."""
        return _SOFTMAX.backward(dY, Y, axis, temperature=float(temperature))


for _name, _method in vars(FastactOps).items():
    if hasattr(NumpyOps, _name) and callable(_method):  # types are thinc's, which some of its users read
        _method.__annotations__ = dict(getattr(getattr(NumpyOps, _name), "__annotations__", {}))
