"""Functions of several pieces: maxout, max_affine and crelu."""

from __future__ import annotations

from functools import partial
from operator import index
from typing import Any

import numpy as np

from ..arguments import broadcast_grad, check_out, dtype_of, dtype_of_both, kept_dtype, narrowed, one_axis, stored, work_dtype
from ..cpu.buffers import keeping
from ..cpu.rows.layout import maximum_of
from .base import QUIET, REQUIRED, Function, real_array
from .containers import Masked, bare, contained, elementwise, elsewhere, mask_of, masked
from .elementwise import ACTIVATIONS
from .registry import register


def best_piece(pieces: Any, best: np.ndarray, winner: np.ndarray) -> None:
    """Running maximum over the pieces, the first wins; a NaN wins over numbers."""
    for j, piece in enumerate(pieces):
        if j == 0:
            best[...] = piece
            winner[...] = 0
        else:
            better = (piece > best) | (np.isnan(piece) & ~np.isnan(best))
            np.copyto(best, piece, where=better)
            np.copyto(winner, j, where=better, casting="unsafe")


class Maxout(Function):
    """Maxout, called like ``fastact.maxout(x, pieces)``; not made by users."""

    family = "pieces"
    parameters = """\
x : array_like
    Input: float16, bfloat16, float32, float64 and integers, which give their own dtype; bools as for `numpy.exp`.
pieces : int
    k, the size of a group; it divides the length of the axis.
axis : int, default -1
    Of length n k; element j of group i is at i k + j, so that ``x.reshape(..., n, k)`` has the groups last.
return_index : bool, default False
    Return the winning piece too: 0 to k - 1, the first of equals, a NaN before all.
out : numpy.ndarray, optional
    Where the maxima go.
"""
    returns = """\
numpy.ndarray, or two of them
    The maxima, the axis k times shorter; and the index (int16, or int64 for many pieces).
"""
    raises = """\
TypeError, ValueError
    For input that is not real, an axis that x does not have, pieces that are no positive divisor of its length, an
    unsuitable `out`.
"""
    example = """\
>>> import numpy as np
>>> import fastact as fa
>>> y, winner = fa.maxout(np.array([1.0, 3.0, 5.0, 2.0]), 2, return_index=True)
>>> y.tolist(), winner.tolist()
([3.0, 5.0], [1, 0])
"""

    @QUIET
    def __call__(
        self, x: Any = REQUIRED, pieces: Any = REQUIRED, axis: Any = -1, *, return_index: bool = False, out: Any = None,
        **_unknown: Any,
    ) -> Any:  # fmt: skip
        self._check("__call__", _unknown, x=x, pieces=pieces)
        title = self._title()
        if contained(x):
            call = partial(self, pieces=pieces, axis=axis, return_index=return_index, out=out)
            if not isinstance(x, Masked):
                return elsewhere(title, call, [x])
            # An element that is masked is never the greatest; a group of such alone is masked.
            least = np.iinfo(x.dtype).min if x.dtype.kind in "iu" else -np.inf
            return masked(call(bare(title, "x", x, least)), np.asarray(self(~mask_of(x), pieces, axis)) == 0)
        given = real_array(title, "x", x)
        number = one_axis(title, axis, given.ndim)
        k = _pieces(title, pieces)
        n = given.shape[number]
        if n % k:
            raise ValueError(f"{title}: pieces is {k}; expected a divisor of the length {n} of axis {number}")
        dtype = kept_dtype(given)
        shape = (*given.shape[:number], n // k, *given.shape[number + 1 :])
        target = None if out is None else check_out(title, out, shape, dtype)
        winner = np.empty(shape, _index_dtype(k)) if return_index else None
        grouped = given.reshape(*given.shape[:number], n // k, k, *given.shape[number + 1 :])
        best = maximum_of(grouped, number + 1, dtype, target, winner)
        return (best, winner) if return_index else best

    @QUIET
    def backward(
        self, grad: Any = REQUIRED, index: Any = REQUIRED, pieces: Any = REQUIRED, axis: Any = -1, **_unknown: Any
    ) -> np.ndarray:
        """Gradient by x: grad at the winners, 0 elsewhere.

        Parameters
        ----------
        grad : array_like
            Gradient by the output.
        index : array_like of int
            The winners, from ``return_index=True``.
        pieces, axis
            As in the forward pass.

        Returns
        -------
        numpy.ndarray
            Of the shape of x.

        Examples
        --------
        >>> import numpy as np
        >>> import fastact as fa
        >>> y, winner = fa.maxout(np.array([1.0, 3.0, 5.0, 2.0]), 2, return_index=True)
        >>> fa.maxout.backward(np.array([10.0, 20.0]), winner, 2)
        array([ 0., 10., 20.,  0.])
        """
        self._check("backward", _unknown, grad=grad, index=index, pieces=pieces)
        title = self._title("backward")
        if contained(grad):
            call = partial(self.backward, index=index, pieces=pieces, axis=axis)
            return call(bare(title, "grad", grad, 0.0)) if isinstance(grad, Masked) else elsewhere(title, call, [grad])
        incoming, winner = real_array(title, "grad", grad), np.asarray(index)
        k, number = _pieces(title, pieces), one_axis(title, axis, winner.ndim)
        _check_winner(title, winner, k)
        incoming = broadcast_grad(title, incoming, winner.shape, " of index")
        choices = np.arange(k).reshape(k, *[1] * (winner.ndim - number - 1))
        scattered = np.where(np.expand_dims(winner, number + 1) == choices, np.expand_dims(incoming, number + 1), 0)
        shape = (*winner.shape[:number], winner.shape[number] * k, *winner.shape[number + 1 :])
        return scattered.reshape(shape).astype(dtype_of(incoming), copy=False)


def _pieces(title: str, pieces: Any) -> int:
    try:
        k = index(pieces)
    except TypeError:
        raise TypeError(f"{title}: pieces is {pieces!r}; expected a positive integer") from None
    if k < 1:
        raise ValueError(f"{title}: pieces is {k}; expected a positive integer")
    return k


def _index_dtype(k: int) -> type[np.signedinteger[Any]]:
    return np.int16 if k < 1 << 15 else np.int64


def _check_winner(title: str, winner: np.ndarray, k: int) -> None:
    if winner.dtype.kind not in "iu":
        raise TypeError(f"{title}: index has dtype {winner.dtype}; expected integers")
    if winner.size and not (winner.min() >= 0 and winner.max() < k):
        raise ValueError(f"{title}: index reaches from {winner.min()} to {winner.max()}; expected 0 to {k - 1}")


class MaxAffine(Function):
    """The maximum of lines, called like ``fastact.max_affine(x, weight, bias)``; not made by users."""

    family = "pieces"
    parameters = """\
x : array_like
    Input.
weight, bias : array_like
    Of shape (k, ...), the rest broadcast against x: k numbers are shared by all elements, (k, n) are per channel
    of the last axis.
return_index : bool, default False
    Return the winning line too, the first of equals.
out : numpy.ndarray, optional
    Where the maxima go.
"""
    returns = """\
numpy.ndarray, or two of them
    Of the broadcast shape.
"""
    raises = """\
TypeError, ValueError
    For arguments that are not real, without a first axis of one length, or that do not broadcast, an unsuitable `out`.
"""
    example = """\
>>> import numpy as np
>>> import fastact as fa
>>> fa.max_affine(np.array([-2.0, 3.0]), [-1.0, 1.0], [0.0, 0.0]).tolist()
[2.0, 3.0]
"""

    @QUIET
    def __call__(
        self, x: Any = REQUIRED, weight: Any = REQUIRED, bias: Any = REQUIRED, *, return_index: bool = False, out: Any = None,
        **_unknown: Any,
    ) -> Any:  # fmt: skip
        self._check("__call__", _unknown, x=x, weight=weight, bias=bias)
        title = self._title()
        if contained(x):
            return elementwise(title, partial(self, weight=weight, bias=bias, return_index=return_index, out=out), [x])
        given, w, b, dtype, shape = self._arguments(title, x, weight, bias)
        if out is not None:
            out = check_out(title, out, shape, dtype)
        best, winner = keeping(np.empty, shape, dtype), np.empty(shape, _index_dtype(len(w)))
        best_piece(((wj * given + bj).astype(dtype, copy=False) for wj, bj in zip(w, b, strict=True)), best, winner)
        best = best[()] if out is None else stored(out, best)
        return (best, winner[()]) if return_index else best

    def _arguments(self, title: str, x: Any, weight: Any, bias: Any) -> tuple[Any, Any, Any, np.dtype[Any], tuple[int, ...]]:
        given, w, b = real_array(title, "x", x), real_array(title, "weight", weight), real_array(title, "bias", bias)
        if not w.ndim or not b.ndim or len(w) != len(b) or not len(w):
            raise ValueError(f"{title}: weight has shape {w.shape} and bias {b.shape}; expected a first axis of one length")
        dtype = dtype_of(given)
        try:
            shape = np.broadcast_shapes(given.shape, w.shape[1:], b.shape[1:])
        except ValueError:
            raise ValueError(f"{title}: x {given.shape}, weight {w.shape} and bias {b.shape} do not broadcast") from None
        work = work_dtype(dtype)
        given, w, b = (a.astype(work, copy=False) for a in (given, w, b))
        return given, w, b, dtype, shape

    @QUIET
    def backward(
        self, grad: Any = REQUIRED, x: Any = REQUIRED, weight: Any = REQUIRED, bias: Any = REQUIRED, **_unknown: Any
    ) -> dict[str, np.ndarray]:
        """Gradients by x, weight and bias: only the winning line has a part in them.

        Parameters
        ----------
        grad : array_like
            Gradient by the output, broadcast against it.
        x, weight, bias
            As in the forward pass.

        Returns
        -------
        dict of str to numpy.ndarray
            ``{"x": ..., "weight": ..., "bias": ...}``, each of the shape of its argument; sums are in float64.

        Examples
        --------
        >>> import numpy as np
        >>> import fastact as fa
        >>> grads = fa.max_affine.backward(1.0, np.array([-2.0, 3.0]), [-1.0, 1.0], [0.0, 0.0])
        >>> grads["x"].tolist(), grads["weight"].tolist(), grads["bias"].tolist()
        ([-1.0, 1.0], [-2.0, 3.0], [1.0, 1.0])
        """
        self._check("backward", _unknown, grad=grad, x=x, weight=weight, bias=bias)
        title = self._title("backward")
        if isinstance(grad, Masked) or isinstance(x, Masked):
            there = ~np.broadcast_to(mask_of(grad, x), np.broadcast_shapes(np.shape(grad), np.shape(x)))
            found = self.backward(np.where(there, bare(title, "grad", grad, 0.0), 0.0), bare(title, "x", x, 0.0), weight, bias)
            return {**found, "x": masked(found["x"], mask_of(x))}
        given, w, b, dtype, shape = self._arguments(title, x, weight, bias)
        _, winner = self(x, weight, bias, return_index=True)
        incoming = np.broadcast_to(real_array(title, "grad", grad), shape).astype(np.float64, copy=False)
        by_x = np.zeros(shape)
        by_weight, by_bias = np.zeros(w.shape), np.zeros(b.shape)
        for j in range(len(w)):
            mine = np.where(winner == j, incoming, 0.0)
            by_x += mine * w[j]
            by_weight[j] = sum_to(mine * given, w.shape[1:])
            by_bias[j] = sum_to(mine, b.shape[1:])
        found = {"x": sum_to(by_x, given.shape), "weight": by_weight, "bias": by_bias}
        return {n: narrowed(np.asarray(v), dtype) for n, v in found.items()}


def sum_to(terms: np.ndarray, shape: tuple[int, ...]) -> np.ndarray:
    """Sum over the axes along which an array of that shape was broadcast."""
    padded = (1,) * (terms.ndim - len(shape)) + shape
    axes = tuple(a for a, n in enumerate(padded) if n == 1 and terms.shape[a] != 1)
    return terms.sum(axis=axes, keepdims=True).reshape(shape)


class CRelu(Function):
    """Concatenated rectifier, called like ``fastact.crelu(x)``; not made by users."""

    family = "pieces"
    parameters = """\
x : array_like
    Input: float16, bfloat16, float32, float64 and integers, which give their own dtype; bools as for `numpy.exp`.
axis : int, default -1
    The axis that becomes twice as long.
out : numpy.ndarray, optional
    Where the result goes; shares no memory with x.
"""
    returns = """\
numpy.ndarray
    ``concatenate([relu(x), relu(-x)], axis)``.
"""
    raises = """\
TypeError, ValueError
    For input that is not real, an axis that x does not have, an unsuitable `out`.
"""
    example = """\
>>> import numpy as np
>>> import fastact as fa
>>> fa.crelu(np.array([-2.0, 3.0])).tolist()
[0.0, 3.0, 2.0, 0.0]
"""

    @QUIET
    def __call__(self, x: Any = REQUIRED, axis: Any = -1, *, out: Any = None, **_unknown: Any) -> np.ndarray:
        self._check("__call__", _unknown, x=x)
        title = self._title()
        if contained(x):
            call = partial(self, axis=axis, out=out)
            if not isinstance(x, Masked):
                return elsewhere(title, call, [x])
            return masked(call(np.asarray(x)), np.concatenate([mask_of(x)] * 2, axis=axis))
        given = real_array(title, "x", x)
        number = one_axis(title, axis, given.ndim)
        dtype = kept_dtype(given)
        shape = tuple(2 * n if a == number else n for a, n in enumerate(given.shape))
        target = keeping(np.empty, shape, dtype) if out is None else check_out(title, out, shape, dtype)
        if np.may_share_memory(target, given):
            given = given.copy()
        positive, negative = np.split(target, 2, axis=number)
        ACTIVATIONS["relu"](given, out=positive, casting="same_kind")
        if dtype.kind in "iu":
            np.negative(np.minimum(given, 0), out=negative, casting="same_kind")
            return target
        # not np.negative into `negative`: NumPy 2.4.6's is wrong where both are strided by four float32
        np.multiply(given, dtype.type(-1), out=negative, dtype=dtype, casting="unsafe")
        ACTIVATIONS["relu"](negative, out=negative)
        return target

    @QUIET
    def backward(self, grad: Any = REQUIRED, x: Any = REQUIRED, axis: Any = -1, **_unknown: Any) -> np.ndarray:
        """Gradient by x.

        Parameters
        ----------
        grad : array_like
            Gradient by the output, broadcast against it.
        x, axis
            As in the forward pass.

        Returns
        -------
        numpy.ndarray
            The first half of grad where x > 0, minus the second half where x < 0, 0 at 0.

        Examples
        --------
        >>> import numpy as np
        >>> import fastact as fa
        >>> fa.crelu.backward(np.array([1.0, 2.0, 3.0, 4.0]), np.array([-2.0, 3.0]))
        array([-3.,  2.])
        """
        self._check("backward", _unknown, grad=grad, x=x)
        title = self._title("backward")
        if contained(grad, x):
            call = partial(self.backward, axis=axis)
            if not isinstance(grad, Masked) and not isinstance(x, Masked):
                return elsewhere(title, call, [grad, x])
            return masked(call(bare(title, "grad", grad, 0.0), np.asarray(x)), mask_of(x))
        given, incoming = real_array(title, "x", x), real_array(title, "grad", grad)
        number = one_axis(title, axis, given.ndim)
        shape = tuple(2 * n if a == number else n for a, n in enumerate(given.shape))
        incoming = broadcast_grad(title, incoming, shape)
        dtype = dtype_of_both(x, grad, given, incoming)
        first, second = np.split(incoming.astype(dtype, copy=False), 2, axis=number)
        keeps = np.where(np.isnan(given), given.astype(dtype, copy=False), dtype.type(0))
        return np.where(given > 0, first, np.where(given < 0, -second, keeps))


FUNCTIONS: list[Function] = [
    Maxout(
        "maxout", summary="Maxout: the maximum of each group of k neighbours along an axis.",
        latex=r"f(x)_i = \max_{j < k} x_{i k + j}",
        notes="The gradient goes to the winner alone.",
        reference="Goodfellow et al. 2013, Maxout networks, arXiv:1302.4389.",
    ),
    MaxAffine(
        "max_affine", summary="Maximum of k lines: max over j of weight[j] * x + bias[j], the generalised maxout.",
        latex=r"f(x) = \max_j (w_j x + b_j)",
        reference="Goodfellow et al. 2013, Maxout networks, arXiv:1302.4389.",
    ),
    CRelu(
        "crelu", summary="Concatenated rectifier: relu(x) and relu(-x) side by side along an axis.",
        latex=r"f(x) = (\max(x, 0), \max(-x, 0))",
        notes="The derivative at 0 is taken as 0.",
        reference="Shang et al. 2016, Understanding and improving CNNs via concatenated rectified linear units, "
        "arXiv:1603.05201.",
    ),
]  # fmt: skip

register(FUNCTIONS)
