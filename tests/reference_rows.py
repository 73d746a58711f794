"""Row-wise functions from their definitions, in mpmath: one row of Python floats in, a list of mpf out."""

from functools import lru_cache
from itertools import accumulate, pairwise

import numpy as np
from mpmath import exp, inf, isfinite, isnan, log, mp, mpf, sqrt

PRECISION = 240  # bits


def _precision(function, row):
    """More for log_softmax at a confident maximum, where all but the bits of exp(second - first) cancel; 1250 at most."""
    first, *second = sorted(row)[-2:][::-1]
    return PRECISION + int(min(1010, 1.5 * (first - second[0]))) if function is log_softmax_row and second else PRECISION


def _row(x, temperature):
    return [mpf(v) / mpf(temperature) for v in x]


def _guarded(function):
    """`function` at the working precision; NaN and infinities by the documented convention."""

    def call(x, temperature=1.0):
        before = mp.prec
        try:
            mp.prec = PRECISION
            row = _row(x, temperature)
            if any(isnan(v) or v == inf for v in row):
                return [mpf("nan")] * len(row)
            if all(v == -inf for v in row):
                return [-inf if function in (log_softmax_row, logsumexp_row, logmeanexp_row) else mpf(0)] * len(row)
            mp.prec = _precision(function, row)
            return function(row)
        finally:
            mp.prec = before

    return call


def softmax_row(row):
    m = max(row)
    e = [exp(v - m) for v in row]
    total = sum(e)
    return [v / total for v in e]


def softmax1_row(row):
    return softmax_row([*row, mpf(0)])[:-1]


def log_softmax_row(row):
    total = logsumexp_row(row)[0]
    return [v - total for v in row]


def logsumexp_row(row):
    m = max(row)
    return [m + log(sum(exp(v - m) for v in row))]


def logmeanexp_row(row):
    return [logsumexp_row(row)[0] - log(len(row))]


def hardmax_row(row):
    first = row.index(max(row))
    return [mpf(i == first) for i in range(len(row))]


def sparsemax_row(row):
    """By sorting: the largest k for which 1 + k z_k exceeds the sum of the first k."""
    z = sorted((v for v in row if v != -inf), reverse=True)
    k = max(k for k, (v, total) in enumerate(zip(z, accumulate(z), strict=True), 1) if 1 + k * v > total)
    theta = (sum(z[:k]) - 1) / k
    return [max(v - theta, mpf(0)) for v in row]


def entmax15_row(row):
    """By sorting: the k for which the threshold of the k largest lies between the next element and the k-th."""
    z = sorted((v / 2 for v in row if v != -inf), reverse=True)
    sums = zip(accumulate(z), accumulate(v * v for v in z), strict=True)
    for k, ((last, following), (total, squares)) in enumerate(zip(pairwise([*z, -inf]), sums, strict=True), 1):
        mean = total / k
        spread = squares - k * mean**2
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
    "softmax1": _guarded(softmax1_row),
    "softmin": _minimum(softmax_row),
    "log_softmin": _minimum(log_softmax_row),
    "logsumexp": _guarded(logsumexp_row),
    "logmeanexp": _guarded(logmeanexp_row),
    "hardmax": _guarded(hardmax_row),
    "sparsemax": _guarded(sparsemax_row),
    "entmax15": _guarded(entmax15_row),
    "entmax": _guarded(entmax15_row),  # alpha at its default
}
REDUCING = ("logsumexp", "logmeanexp")  # one number a row


@lru_cache(256)
def _nearest(name, row, temperature):
    exact = ROWS[name](row, temperature)
    near = [float(e) for e in exact]
    return np.array(near), np.array([float(e - n) for e, n in zip(exact, near, strict=True)])


def errors(name, got, row, temperature=1.0):
    """(float64 numbers nearest to the exact results, how far what was computed is from the exact ones) for one row."""
    near, rest = _nearest(name, tuple(row.tolist()), float(temperature))
    with np.errstate(invalid="ignore"):
        return near, np.abs((np.asarray(got, np.float64) - near) - rest)


# --- what `python -m fastact verify` compares float64 with: backward passes, gated units, pieces -------------------------


def distance(exact, got):
    """(the float64 number nearest to an exact result, how far what was computed is from that); NaN where either is no number."""
    near = float(exact)
    with mp.workprec(PRECISION):
        return near, float(abs(mpf(got) - exact)) if np.isfinite(near) or np.isfinite(got) else np.nan


def _softmax_slope(y, grad):
    total = sum(p * g for p, g in zip(y, grad, strict=True))
    return [p * (g - total) for p, g in zip(y, grad, strict=True)]


def _log_softmax_slope(y, grad):
    total = sum(g for v, g in zip(y, grad, strict=True) if v != -inf)
    return [mpf(0) if v == -inf else g - exp(v) * total for v, g in zip(y, grad, strict=True)]


def _sparsemax_slope(y, grad):
    on = [g for p, g in zip(y, grad, strict=True) if p > 0]
    return [p if isnan(p) else g - sum(on) / len(on) if p > 0 else mpf(0) for p, g in zip(y, grad, strict=True)]


def _entmax15_slope(y, grad):
    w = [sqrt(p) for p in y]
    total = sum(w)
    mean = sum(v * g for v, g in zip(w, grad, strict=True)) / total if total != 0 else mpf(0)
    return [v * (g - mean) for v, g in zip(w, grad, strict=True)]


SLOPES = {
    "softmax": _softmax_slope, "log_softmax": _log_softmax_slope, "sparsemax": _sparsemax_slope, "entmax15": _entmax15_slope,
    "softmax1": _softmax_slope, "entmax": _entmax15_slope,
    "softmin": lambda y, grad: [-v for v in _softmax_slope(y, grad)],
    "log_softmin": lambda y, grad: [-v for v in _log_softmax_slope(y, grad)],
    "hardmax": lambda y, grad: [0 * p for p in y],
    **dict.fromkeys(REDUCING, lambda x, grad: [grad[0] * p for p in ROWS["softmax"](x)]),
}  # fmt: skip


def results(name, row, grad=None):
    """The results for a row; with a gradient those of the backward pass, `row` being the output (of logsumexp the input)."""
    with mp.workprec(PRECISION):
        row = [mpf(v) for v in row.tolist()]
        if grad is not None:
            return SLOPES[name](row, [mpf(v) for v in np.atleast_1d(grad).tolist()])
        if name == "maxout":  # pairs
            return [next((v for v in pair if isnan(v)), max(pair)) for pair in zip(row[::2], row[1::2], strict=True)]
        if name in ("max_affine", "rrelu", "noisy_relu"):  # as verify calls them; of rrelu the mean slope
            low = {"max_affine": mpf(1) / 4, "rrelu": (mpf(1) / 8 + mpf(1 / 3)) / 2, "noisy_relu": mpf(0)}[name]
            pairs = [(v, low * v if isfinite(v) or low else mpf(0)) for v in row]
            return [v if isnan(v) else max(p) for v, p in zip(row, pairs, strict=True)]
        if name == "crelu":
            return [v if isnan(v) else max(s * v, mpf(0)) for s in (1, -1) for v in row]
    if name in REDUCING and inf in row and not any(map(isnan, row)):
        return [inf]  # as it is documented
    return ROWS[name](row)[: 1 if name in REDUCING else None]


def gated(exact, gate, halves, grad=None):
    """The products of a gated unit, element by element; with a gradient those by the first half, then by the second.

    ``exact(kind, x)`` gives the exact values of the activation.
    """
    order = 1 if gate == "first" else -1
    gates, others = halves[::order]
    values, others = exact("value", gates), others.tolist()
    with mp.workprec(PRECISION):
        if grad is None:
            return [v * mpf(o) for v, o in zip(values, others, strict=True)]
        grads = [mpf(d) for d in grad.ravel().tolist()]
        by_gate = [d * mpf(o) * s for s, o, d in zip(exact("derivative", gates), others, grads, strict=True)]
        by_other = [d * v for v, d in zip(values, grads, strict=True)]
    return [e for part in (by_gate, by_other)[::order] for e in part]
