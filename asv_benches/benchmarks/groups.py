"""Time of the functions of groups of elements: row-wise, gated units, of several pieces, randomised."""

import numpy as np

import fastact as fa

from .common import DTYPES, Timed, numbers, prepared, set_threads, some

ROWWISE = ["softmax", "log_softmax", "softmin", "log_softmin", "softmax1", "logsumexp", "logmeanexp", "hardmax", "sparsemax",
           "entmax15", "entmax"]  # fmt: skip
GATED = ["glu", "bilinear", "reglu", "geglu", "swiglu", "seglu"]
PIECES = ["maxout", "max_affine", "crelu"]
STOCHASTIC = ["rrelu", "noisy_relu", "gumbel_softmax"]

DIRECTIONS = ["forward", "backward"]
SHAPES = {  # rows x their length, and the axis along which a row lies
    "1000 rows of 1000": ((1000, 1000), -1),
    "100000 rows of 10": ((100_000, 10), -1),
    "10 rows of 100000": ((10, 100_000), -1),
    "1000 columns of 1000": ((1000, 1000), 0),
    "100 x 100 across 100": ((100, 100, 100), 1),
}


@prepared
def rowwise(name, direction, dtype, shape):
    """A call without arguments on all threads."""
    set_threads("all")
    dimensions, axis = SHAPES[shape]
    x, function = numbers(dimensions, dtype), getattr(fa, name)
    out = np.empty(np.delete(dimensions, axis), dtype) if name in ("logsumexp", "logmeanexp") else np.empty_like(x)
    if direction == "forward":
        return lambda: function(x, axis=axis, out=out)
    y = x if name in ("logsumexp", "logmeanexp") else function(x, axis=axis)
    grad = numbers(out.shape, dtype, 1)
    return lambda: function.backward(grad, y, axis=axis)


def _maxout(x, grad):
    _, index = fa.maxout(x, 4, return_index=True)
    return lambda: fa.maxout(x, 4), lambda: fa.maxout.backward(grad[..., ::4], index, 4)


def _max_affine(x, grad):
    weight, bias = np.linspace(-1, 1, 3, dtype=x.dtype), np.linspace(0, 1, 3, dtype=x.dtype)
    return lambda: fa.max_affine(x, weight, bias), lambda: fa.max_affine.backward(grad, x, weight, bias)


def _crelu(x, grad):
    both = np.concatenate([grad, grad], axis=-1)
    return lambda: fa.crelu(x), lambda: fa.crelu.backward(both, x)


def _rrelu(x, grad):
    rng = np.random.default_rng(0)
    _, slopes = fa.rrelu(x, training=True, rng=0, return_slopes=True)
    return lambda: fa.rrelu(x, training=True, rng=rng), lambda: fa.rrelu.backward(grad, x, slopes)


def _noisy_relu(x, grad):
    rng = np.random.default_rng(0)
    _, noise = fa.noisy_relu(x, 0, return_noise=True)
    return lambda: fa.noisy_relu(x, rng), lambda: fa.noisy_relu.backward(grad, x, noise)


def _gumbel_softmax(x, grad):
    rng = np.random.default_rng(0)
    soft = fa.gumbel_softmax(x, rng=0)
    return lambda: fa.gumbel_softmax(x, rng=rng), lambda: fa.gumbel_softmax.backward(grad, soft)


MAKERS = {
    "maxout": _maxout, "max_affine": _max_affine, "crelu": _crelu, "rrelu": _rrelu, "noisy_relu": _noisy_relu,
    "gumbel_softmax": _gumbel_softmax,
}  # fmt: skip


@prepared
def block(name, direction, dtype):
    """A call without arguments over 100 rows of 1000, on all threads."""
    set_threads("all")
    x, grad = (numbers((100, 1000), dtype, seed) for seed in (0, 1))
    if name not in GATED:
        return MAKERS[name](x, grad)[DIRECTIONS.index(direction)]
    function = getattr(fa, name)
    if direction == "backward":
        incoming = np.ascontiguousarray(grad[:, :500])
        return lambda: function.backward(incoming, x)
    out = np.empty((100, 500), dtype)
    return lambda: function(x, out=out)


class RowWise(Timed):
    """Every row-wise function over 1000 rows of 1000."""

    params = (some(ROWWISE), DIRECTIONS, DTYPES)
    param_names = ("function", "direction", "dtype")

    def time_call(self, function, direction, dtype):
        """Forward into warm memory, backward into fresh."""
        rowwise(function, direction, dtype, "1000 rows of 1000")()


class RowShapes(Timed):
    """Row-wise functions of each kind by shape and axis, float32."""

    params = (some(["softmax", "log_softmax", "sparsemax"]), DIRECTIONS, some(SHAPES))
    param_names = ("function", "direction", "shape")

    def time_call(self, function, direction, shape):
        """Forward into warm memory, backward into fresh."""
        rowwise(function, direction, "float32", shape)()


class GatedUnits(Timed):
    """Every gated unit over 100 rows of 2 x 500."""

    params = (some(GATED), DIRECTIONS, DTYPES)
    param_names = ("function", "direction", "dtype")

    def time_call(self, function, direction, dtype):
        """Forward into warm memory, backward into fresh."""
        block(function, direction, dtype)()


class PiecesAndStochastic(Timed):
    """The functions of several pieces and the randomised ones, over 100 rows of 1000, into fresh memory."""

    params = (some(PIECES + STOCHASTIC), DIRECTIONS, DTYPES)
    param_names = ("function", "direction", "dtype")

    def time_call(self, function, direction, dtype):
        """A call; the randomised functions draw new numbers each time."""
        block(function, direction, dtype)()
