"""The row-wise functions: softmax and its logarithm, softmax1, logsumexp, hardmax, sparsemax, entmax15 and their kin."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..arguments import broadcast_mask, stored
from .base import real_array
from .entmax import Entmax
from .logsums import LogMeanExp, LogSumExp
from .registry import register
from .rows import LogRowFunction, RowFunction


class Softmax1(RowFunction):
    shift_free = False


class Hardmax(RowFunction):
    plain = False

    def _made_of(self, dtype: np.dtype) -> np.dtype | None:
        return dtype if dtype.kind in "iu" else super()._made_of(dtype)

    def _arguments(
        self, title: str, x: Any, axis: Any, temperature: Any, where: Any, dtype: Any = None, casting: Any = "same_kind"
    ) -> tuple[np.ndarray, np.dtype, tuple[int, ...], Any]:
        whole = real_array(title, "x", x)
        given, floating, axes, scale = super()._arguments(title, whole, axis, temperature, where, dtype, casting)
        if whole.dtype.kind not in "iu" or dtype is not None:
            return given, floating, axes, scale
        counts = True if where is None else broadcast_mask(title, where, whole.shape)
        least = np.iinfo(whole.dtype).min  # integers that float64 rounds to one number are not equal
        top = np.max(whole, axis=axes, keepdims=True, initial=least, where=counts) if axes else whole
        return np.where(counts, (whole == top).astype(np.float32), -np.inf), whole.dtype, axes, scale

    def _forward(self, x: np.ndarray, axes: tuple[int, ...], out: Any, dtype: np.dtype, temperature: Any) -> np.ndarray:
        if dtype.kind not in "iu":
            return super()._forward(x, axes, out, dtype, temperature)
        whole = super()._forward(x, axes, None, np.dtype(np.float32), temperature).astype(dtype)
        return whole if out is None else stored(out, whole)

    def _slope(self, grad: Any, y: Any, axes: tuple[int, ...], out: Any, dtype: np.dtype, temperature: float) -> np.ndarray:
        with np.errstate(invalid="ignore"):
            return np.multiply(y, 0, out=out, dtype=dtype, casting="same_kind")  # NaN where y is


_BRIDLE = "Bridle 1990, Training stochastic model recognition algorithms as networks can lead to maximum mutual information."
_ULP = "Within 2 ULP (4 in float32) where the result is a normal number."
_SUMS = f"{_ULP} A row with one finite element gives 1."

_HIGHAM = "Blanchard, Higham and Higham 2021, Accurately computing the log-sum-exp and softmax functions."
_LOGS = (
    "Unlike the other functions a row with +inf and no NaN gives +inf. `backward` takes the input. Where the result is near 0 "
    "the error is 2 ULP of the maximum."
)

FUNCTIONS: list[RowFunction] = [
    RowFunction(
        "softmax", "softmax", summary="Softmax of each row: exp(x / T) over the sum of these.",
        latex=r"f(x)_i = \frac{\exp(x_i / T)}{\sum_j \exp(x_j / T)}", range=("0", "1"), notes=_SUMS, reference=_BRIDLE,
    ),
    LogRowFunction(
        "log_softmax", "log_softmax", summary="Logarithm of softmax, exact at the maximum too.",
        latex=r"f(x)_i = x_i / T - \log \sum_j \exp(x_j / T)", range=("-inf", "0"), aliases=("logsoftmax",),
        notes="At the maximum it is -log1p of the sum of the other exponentials: a confident row keeps all its digits.",
        reference=_BRIDLE,
    ),
    RowFunction(
        "softmin", "softmax", summary="Softmin of each row: softmax of -x.", sign=-1.0,
        latex=r"f(x)_i = \frac{\exp(-x_i / T)}{\sum_j \exp(-x_j / T)}", range=("0", "1"), notes=_SUMS
        + " Where softmax says -inf read +inf and the reverse.", reference="torch.nn.Softmin.",
    ),
    LogRowFunction(
        "log_softmin", "log_softmax", summary="Logarithm of softmin.", sign=-1.0, aliases=("logsoftmin",),
        latex=r"f(x)_i = -x_i / T - \log \sum_j \exp(-x_j / T)", range=("-inf", "0"),
        notes="Where log_softmax says -inf of the input read +inf and the reverse.", reference="torch.nn.Softmin.",
    ),
    Softmax1(
        "softmax1", "softmax1", summary="Softmax with one more logit, 0, that is left out: rows may sum to less than 1.",
        latex=r"f(x)_i = \frac{\exp(x_i / T)}{1 + \sum_j \exp(x_j / T)}", range=("0", "1"), aliases=("quiet_softmax",),
        notes=f"{_ULP} Where all elements are far below 0 so are all results.",
        reference="Miller 2023, Attention is off by one, https://www.evanmiller.org/attention-is-off-by-one.html.",
    ),
    LogSumExp(
        "logsumexp", "logsumexp", summary="Logarithm of the sum of exponentials of each row, weighted by b if given.",
        latex=r"f(x) = \log \sum_j b_j \exp(x_j / T)", aliases=("log_sum_exp",), range=("-inf", "inf"),
        notes=f"{_LOGS} Weights are computed with in float64, by NumPy; the error is then 4 ULP of the largest of the maximum "
        "and the logarithms of the weights, and, where terms cancel, as many times more as the sum of their magnitudes is "
        "larger than the magnitude of their sum.", reference=_HIGHAM,
    ),
    LogMeanExp(
        "logmeanexp", "logsumexp", summary="Logarithm of the mean of exponentials of each row, weighted by b if given.",
        latex=r"f(x) = \log \frac{1}{n} \sum_j b_j \exp(x_j / T)", aliases=("log_mean_exp",), range=("-inf", "inf"),
        notes=f"logsumexp less the logarithm of the number of elements that count, weights or not. {_LOGS}"
        " Or of that logarithm, if it is larger.", reference=_HIGHAM,
    ),
    Hardmax(
        "hardmax", "hardmax", summary="Hardmax of each row: 1 at the first maximum, 0 elsewhere.", range=("0", "1"),
        latex=r"f(x)_i = 1 \text{ if } i = \min \operatorname{argmax}_j x_j \text{ else } 0",
        notes="The temperature has no effect. The gradient is 0 everywhere. Integers stay integers.",
        reference="ONNX operator Hardmax.",
    ),
    RowFunction(
        "sparsemax", "sparsemax", summary="Sparsemax: the point of the probability simplex nearest to x / T.",
        latex=r"f(x)_i = \max(x_i / T - \theta, 0), \quad \sum_i f(x)_i = 1", range=("0", "1"),
        notes="The threshold is found by Newton's method, which ends at it. Errors are absolute: 4 ULP of 1.",
        reference="Martins and Astudillo 2016, From softmax to sparsemax, arXiv:1602.02068.",
    ),
    RowFunction(
        "entmax15", "entmax15", summary="1.5-entmax, between softmax and sparsemax.",
        latex=r"f(x)_i = \max(x_i / 2T - \theta, 0)^2, \quad \sum_i f(x)_i = 1", range=("0", "1"),
        notes="The threshold is found by Newton's method, which ends at it. Errors are absolute: 8 ULP of 1.",
        reference="Peters, Niculae and Martins 2019, Sparse sequence-to-sequence models, arXiv:1905.05702.",
    ),
    Entmax(
        "entmax", "entmax", summary="alpha-entmax: softmax for alpha near 1, entmax15 for 1.5, sparsemax for 2.",
        latex=r"f(x)_i = \max((\alpha - 1) x_i / T - \theta, 0)^{1 / (\alpha - 1)}, \quad \sum_i f(x)_i = 1", range=("0", "1"),
        notes="The threshold is found by Newton's method for alpha up to 2, where errors are absolute: 8 ULP of 1; and by "
        "bisection beyond, where results rise steeply from 0: there each is as exact as its argument, in ULP of 1, lets it "
        "be, and what rises most steeply gets what the others leave of 1. "
        "`parameter_gradients` has that by alpha.",
        reference="Peters, Niculae and Martins 2019, Sparse sequence-to-sequence models, arXiv:1905.05702; Correia, Niculae and "
        "Martins 2019, Adaptively sparse transformers, arXiv:1909.00015.",
    ),
]  # fmt: skip

#: Every row-wise function by every one of its names.
ROWWISE = register(FUNCTIONS)
