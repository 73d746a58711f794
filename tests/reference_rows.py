"""Row-wise functions from their definitions, in mpmath: one row of Python floats in, a list of mpf out."""

from itertools import pairwise

from mpmath import exp, inf, isnan, log, mp, mpf, sqrt

PRECISION = {"log_softmax_row": 1250}  # bits: at a confident maximum all but the last few cancel


def _row(x, temperature):
    return [mpf(v) / mpf(temperature) for v in x]


def _guarded(function):
    """`function` at the working precision; NaN and infinities by the documented convention."""

    def call(x, temperature=1.0):
        before = mp.prec
        try:
            mp.prec = PRECISION.get(function.__name__, 240)
            row = _row(x, temperature)
            if any(isnan(v) or v == inf for v in row):
                return [mpf("nan")] * len(row)
            if all(v == -inf for v in row):
                return [-inf if function in (log_softmax_row, logsumexp_row) else mpf(0)] * len(row)
            return function(row)
        finally:
            mp.prec = before

    return call


def softmax_row(row):
    m = max(row)
    e = [exp(v - m) for v in row]
    total = sum(e)
    return [v / total for v in e]


def log_softmax_row(row):
    total = logsumexp_row(row)[0]
    return [v - total for v in row]


def logsumexp_row(row):
    m = max(row)
    return [m + log(sum(exp(v - m) for v in row))]


def hardmax_row(row):
    first = row.index(max(row))
    return [mpf(i == first) for i in range(len(row))]


def sparsemax_row(row):
    """By sorting: the largest k for which 1 + k z_k exceeds the sum of the first k."""
    z = sorted((v for v in row if v != -inf), reverse=True)
    k = max(k for k in range(1, len(z) + 1) if 1 + k * z[k - 1] > sum(z[:k]))
    theta = (sum(z[:k]) - 1) / k
    return [max(v - theta, mpf(0)) for v in row]


def entmax15_row(row):
    """By sorting: the k for which the threshold of the k largest lies between the next element and the k-th."""
    z = sorted((v / 2 for v in row if v != -inf), reverse=True)
    for k, (last, following) in enumerate(pairwise([*z, -inf]), 1):
        mean = sum(z[:k]) / k
        spread = sum(v * v for v in z[:k]) - k * mean**2
        if spread > 1:
            continue
        theta = mean - sqrt((1 - spread) / k)
        if following <= theta <= last:
            break
    return [max(v / 2 - theta, mpf(0)) ** 2 for v in row]


def _minimum(function):
    guarded = _guarded(function)
    return lambda x, temperature=1.0: guarded([-v for v in x], temperature)


ROWS = {
    "softmax": _guarded(softmax_row),
    "log_softmax": _guarded(log_softmax_row),
    "softmin": _minimum(softmax_row),
    "log_softmin": _minimum(log_softmax_row),
    "logsumexp": _guarded(logsumexp_row),
    "hardmax": _guarded(hardmax_row),
    "sparsemax": _guarded(sparsemax_row),
    "entmax15": _guarded(entmax15_row),
}
