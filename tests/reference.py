"""Independent high-precision reference for the elementwise activations.

Every activation is written from its mathematical definition in mpmath's arbitrary precision, not
from the cancellation-free forms that the package computes with.  A working precision is chosen from
the magnitude of the arguments (see `_guarded`), so that cancellation in the definition is paid for
with more bits; results hold at least 160 bits (48 digits), or `mp.prec` where that is more.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass, field, replace

import numpy as np
from mpmath import mp, mpf

TARGET = 160  # bits of every result
GUARD = 64  # more bits while computing: float64 numbers keep about that far from simple roots
FAR = mpf(2) ** 2200  # stands for infinity: every function has reached its limit there
FORMATS = {  # dtype: (bits of the significand, exponent of the least subnormal, 2**e overflows)
    np.dtype(np.float32): (24, -149, 128),
    np.dtype(np.float64): (53, -1074, 1024),
}


@dataclass(frozen=True)
class Reference:
    """Value, derivatives by x and by each parameter; all take (x, *params) and return an mpf.

    Parameters left out take their defaults.  `from_output(y, *params)` is the derivative as a
    function of the value, None where the package has no such form.
    """

    value: Callable
    derivative: Callable
    partials: tuple[Callable, ...] = ()
    params: dict[str, float] = field(default_factory=dict)
    from_output: Callable | None = None
    no_limit: tuple[str, ...] = ()  # kinds that oscillate: NaN at +-inf
    negative_zero: bool = False  # the value at -inf is an exact zero, written -0.0
    keeps_zero_sign: bool = False  # value(-0.0) is -0.0
    second_derivative: Callable | None = None


REFERENCE: dict[str, Reference] = {}
DTYPE = np.dtype(np.float64)  # what `evaluate` is asked for, for kinks that are rounded


def _guarded(function, defaults, small, large, guard):
    """`function` with a working precision: `small` more bits for each binade that an argument
    lies below 1, `large` more for each binade above."""

    def call(x, *params):
        args = (x, *params, *defaults[len(params) :])
        args = [a if isinstance(a, mpf) else mpf(float(a)) for a in args]
        ambient = mp.prec
        target = max(ambient, TARGET)
        bits = target + guard
        for a in args:
            _, man, exponent, length = a._mpf_
            if man:
                magnitude = exponent + length
                bits += large * magnitude if magnitude > 0 else -small * magnitude
        try:
            mp.prec = bits
            result = mpf(+function(*args))  # + makes 1 or 0 of a comparison
            mp.prec = target
            return +result
        finally:
            mp.prec = ambient

    return call


def _define(name, value, derivative, *partials, params=None, from_output=None,
            small=0, large=0, guard=GUARD, **notes):  # fmt: skip
    params = params or {}
    defaults = tuple(params.values())

    def guarded(f):
        return f and _guarded(f, defaults, small, large, guard)

    forms = [guarded(f) for f in (value, derivative, from_output, *partials)]
    REFERENCE[name] = Reference(*forms[:2], tuple(forms[3:]), params, forms[2], **notes)


# --- pieces of the definitions, at the current precision -----------------------------------------
# fmt: off
exp, expm1, log, log1p, sqrt = mp.exp, mp.expm1, mp.log, mp.log1p, mp.sqrt
tanh, sech, erf, sin, cos = mp.tanh, mp.sech, mp.erf, mp.sin, mp.cos

with mp.workprec(4000):
    SELU_SCALE = mpf("1.0507009873554804934193349852946")
    SELU_ALPHA = mpf("1.6732632423543772848170429916717")
    QUICK = mpf("1.702")
    CUBIC = mpf("0.044715")

def sig(z):
    return 1 / (1 + exp(-z))

def dsig(z):
    e = exp(-z)
    return e / (1 + e) ** 2

def softplus(z):
    return log1p(exp(z))

def cdf(x):
    if x >= 0:
        return (1 + erf(x / sqrt(2))) / 2
    if -x > mpf(2) ** 400:  # mpmath's erfc overflows; the first term left out is below 2^-9500
        series = sum((-1) ** k * mp.fac2(2 * k - 1) / x ** (2 * k) for k in range(12))
        return exp(-(x**2) / 2) / (-x * sqrt(2 * mp.pi)) * series
    with mp.extraprec(2 * max(0, mp.mag(x))):  # an error in t counts t**2-fold in exp(-t**2)
        return mp.erfc(-x / sqrt(2)) / 2

def density(x):
    return exp(-(x**2) / 2) / sqrt(2 * mp.pi)

def one_plus_tanh(u):
    if u < -mp.prec:
        return 2 * exp(2 * u)  # the next term is smaller by exp(2 u)
    with mp.extraprec(int(3 * max(0, -u))):
        return 1 + tanh(u)

def softplus_by_beta(x, beta):
    s = beta * x
    if s > mp.prec:
        return -(s + 1) * exp(-s) / beta**2  # the next term is smaller by exp(-s)
    with mp.extraprec(int(3 * max(0, s))):
        return x * sig(beta * x) / beta - softplus(beta * x) / beta**2

def log1mexp(x):
    if x <= 0:
        return -mp.inf if x == 0 else mp.nan
    if x > mp.prec:
        return -exp(-x)  # the next term is smaller by exp(-x)
    with mp.extraprec(int(3 * x)):
        return log(1 - exp(-x))

def tanh_gate_slope(x, u, du):
    """The derivative of x tanh(u(x))."""
    return tanh(u) + x * sech(u) ** 2 * du

def gelu(x):
    return x * cdf(x)

def gelu_slope(x):
    return cdf(x) + x * exp(-(x**2) / 2) / sqrt(2 * mp.pi)

def gelu_inner(x):
    return sqrt(2 / mp.pi) * (x + CUBIC * x**3)

def gelu_tanh_slope(x):
    u, du = gelu_inner(x), sqrt(2 / mp.pi) * (1 + 3 * CUBIC * x**2)
    return one_plus_tanh(u) / 2 + x / 2 * sech(u) ** 2 * du

def serf_slope(x):
    s = softplus(x)
    return erf(s) + x * 2 / sqrt(mp.pi) * exp(-(s**2)) * sig(x)

def hard_elish_slope(x):
    if x >= 0:
        return 1 if x >= 1 else (2 * x + 1) / 2
    return (exp(x) * (x + 2) - 1) / 2 if x > -1 else 0

def sparse_sigmoid(x):
    return min(max((x + 1) / 2, 0), 1)

def hard_sigmoid(x, slope, offset):
    """Its kinks are where they are rounded to."""
    u = slope * x + offset
    if slope and x == rounded(-offset / slope, DTYPE):
        return mpf(0)
    if slope and x == rounded((1 - offset) / slope, DTYPE):
        return mpf(1)
    return min(max(u, 0), 1)

def clamp_partials(choose):
    """A parameter's partial of hard_sigmoid: `choose` on the open interval, 0 outside."""
    return lambda x, slope, offset: choose(x, slope) if 0 < hard_sigmoid(x, slope, offset) < 1 else 0

def isru_by_alpha(x, alpha):
    return -(x**3) / (2 * sqrt(1 + alpha * x**2) ** 3)

# --- the activations -----------------------------------------------------------------------------

_define("identity", lambda x: x, lambda x: 1, from_output=lambda y: 1, keeps_zero_sign=True)
_define("step", lambda x, t, at: at if x == t else x > t, lambda x, t, at: 0, lambda x, t, at: 0, lambda x, t, at: x == t,
        params={"threshold": 0.0, "at": 1.0})
_define("sign", lambda x: mp.sign(x), lambda x: 0, keeps_zero_sign=True)
_define("relu", lambda x: max(x, 0), lambda x: x > 0, from_output=lambda y: y > 0)
_define("relu6", lambda x: min(max(x, 0), 6), lambda x: 0 < x < 6, from_output=lambda y: 0 < y < 6)
for _name, _param, _default in ("leaky_relu", "negative_slope", 0.01), ("prelu", "weight", 0.25):
    _define(_name, lambda x, a: x if x > 0 else a * x, lambda x, a: 1 if x > 0 else a,
            lambda x, a: 0 if x > 0 else x, params={_param: _default},
            from_output=(lambda y, a: 1 if y > 0 else a) if _name == "leaky_relu" else None)
_define("threshold", lambda x, t, v: x if x > t else v, lambda x, t, v: x > t, lambda x, t, v: 0,
        lambda x, t, v: x <= t, params={"threshold": 0.0, "value": 0.0})
_define("thresholded_relu", lambda x, a: x if x > a else 0, lambda x, a: x > a, lambda x, a: 0,
        params={"alpha": 1.0})
_define("squared_relu", lambda x: max(x, 0) ** 2, lambda x: 2 * max(x, 0),
        from_output=lambda y: 2 * sqrt(y))
_define("reflu", lambda x, x0, y0, left, right: y0 + (right if x > x0 else left) * (x - x0),
        lambda x, x0, y0, left, right: right if x > x0 else left,
        lambda x, x0, y0, left, right: -(right if x > x0 else left),
        lambda x, x0, y0, left, right: 1, lambda x, x0, y0, left, right: 0 if x > x0 else x - x0,
        lambda x, x0, y0, left, right: x - x0 if x > x0 else 0,
        params={"x0": 1.0, "y0": 1.0, "slope_left": 1.0, "slope_right": -1.0}, small=1, large=1)
_define("srelu", lambda x, tr, ar, tl, al: tr + ar * (x - tr) if x >= tr else tl + al * (x - tl) if x <= tl else x,
        lambda x, tr, ar, tl, al: ar if x >= tr else al if x <= tl else 1,
        lambda x, tr, ar, tl, al: 1 - ar if x >= tr else 0, lambda x, tr, ar, tl, al: max(x - tr, 0),
        lambda x, tr, ar, tl, al: 1 - al if x <= tl and x < tr else 0, lambda x, tr, ar, tl, al: min(x - tl, 0) if x < tr else 0,
        params={"t_r": 1.0, "a_r": 1.0, "t_l": 0.0, "a_l": 0.2}, small=1, large=1)
_define("elu", lambda x, a: x if x > 0 else a * expm1(x), lambda x, a: 1 if x > 0 else a * exp(x),
        lambda x, a: 0 if x > 0 else expm1(x), params={"alpha": 1.0},
        from_output=lambda y, a: 1 if y > 0 else y + a)
_define("selu", lambda x: SELU_SCALE * (x if x > 0 else SELU_ALPHA * expm1(x)),
        lambda x: SELU_SCALE * (1 if x > 0 else SELU_ALPHA * exp(x)),
        from_output=lambda y: SELU_SCALE if y > 0 else y + SELU_SCALE * SELU_ALPHA)
_define("celu", lambda x, a: x if x > 0 else a * expm1(x / a),
        lambda x, a: 1 if x > 0 else exp(x / a),
        lambda x, a: 0 if x > 0 else expm1(x / a) - x / a * exp(x / a), params={"alpha": 1.0},
        from_output=lambda y, a: 1 if y > 0 else y / a + 1, small=1, large=1)
_define("pelu", lambda x, a, b: a / b * x if x >= 0 else a * expm1(x / b), lambda x, a, b: a / b * exp(min(x, 0) / b),
        lambda x, a, b: x / b if x >= 0 else expm1(x / b), lambda x, a, b: -a * x / b**2 * exp(min(x, 0) / b),
        params={"a": 1.0, "b": 1.0}, from_output=lambda y, a, b: a / b if a * b * y > 0 else (y + a) / b, small=1, large=1)
_define("xielu", lambda x, p, n, b, eps: p * x**2 + b * x if x > 0 else n * (expm1(min(x, eps)) - x) + b * x,
        lambda x, p, n, b, eps: 2 * p * x + b if x > 0 else n * (exp(x) - 1 if x <= eps else -1) + b,
        lambda x, p, n, b, eps: max(x, 0) ** 2, lambda x, p, n, b, eps: 0 if x > 0 else expm1(min(x, eps)) - x,
        lambda x, p, n, b, eps: x, lambda x, p, n, b, eps: n * exp(eps) if eps < x <= 0 else 0,
        params={"alpha_p": 0.8, "alpha_n": 0.8, "beta": 0.5, "eps": -1e-6}, small=2, large=2)
_define("sigmoid", sig, dsig, from_output=lambda y: y * (1 - y))
_define("log_sigmoid", lambda x: -log1p(exp(-x)), lambda x: sig(-x),
        from_output=lambda y: -expm1(y))
_define("hard_sigmoid", hard_sigmoid, clamp_partials(lambda x, a: a),
        clamp_partials(lambda x, a: x), clamp_partials(lambda x, a: 1),
        params={"slope": 1 / 6, "offset": 0.5}, from_output=lambda y, a, b: a if 0 < y < 1 else 0,
        small=1, large=1)
_define("sparse_sigmoid", sparse_sigmoid, lambda x: mpf(0.5) if -1 < x < 1 else 0,
        from_output=lambda y: mpf(0.5) if 0 < y < 1 else 0, small=1)
_define("tanh", tanh, lambda x: sech(x) ** 2, from_output=lambda y: 1 - y**2)
_define("scaled_tanh", lambda x, a, b: a * tanh(b * x), lambda x, a, b: a * b * sech(b * x) ** 2, lambda x, a, b: tanh(b * x),
        lambda x, a, b: a * x * sech(b * x) ** 2, params={"alpha": 1.7159, "beta": 2 / 3}, small=1, large=1)
_define("softcap", lambda x, c: c * tanh(x / c), lambda x, c: sech(x / c) ** 2,
        lambda x, c: tanh(x / c) - x / c * sech(x / c) ** 2, params={"cap": 50.0}, small=3, large=3)
_define("laplace", lambda x, m, s: cdf((x - m) / s), lambda x, m, s: density((x - m) / s) / s,
        lambda x, m, s: -density((x - m) / s) / s, lambda x, m, s: -(x - m) / s**2 * density((x - m) / s),
        params={"mu": 0.7071067811865476, "sigma": 0.28209479177387814}, small=3, large=3)
_define("hard_tanh", lambda x, lo, hi: min(max(x, lo), hi), lambda x, lo, hi: lo < x < hi,
        lambda x, lo, hi: x <= lo, lambda x, lo, hi: x >= hi,
        params={"min_val": -1.0, "max_val": 1.0}, from_output=lambda y, lo, hi: lo < y < hi)
_define("tanh_shrink", lambda x: x - tanh(x), lambda x: tanh(x) ** 2, small=2)
_define("lisht", lambda x: x * tanh(x), lambda x: tanh_gate_slope(x, x, 1))
_define("softplus", lambda x, b: softplus(b * x) / b, lambda x, b: sig(b * x), softplus_by_beta,
        params={"beta": 1.0}, from_output=lambda y, b: -expm1(-b * y))
_define("squareplus", lambda x, b: (x + sqrt(x**2 + b)) / 2,
        lambda x, b: (1 + x / sqrt(x**2 + b)) / 2, lambda x, b: 1 / (4 * sqrt(x**2 + b)),
        params={"b": 4.0}, small=2, large=2)
_define("sparse_plus", lambda x: x if x >= 1 else max(x + 1, 0) ** 2 / 4, sparse_sigmoid, small=1)
_define("softsign", lambda x: x / (1 + abs(x)), lambda x: 1 / (1 + abs(x)) ** 2,
        from_output=lambda y: (1 - abs(y)) ** 2)
_define("mish", lambda x: x * tanh(softplus(x)), lambda x: tanh_gate_slope(x, softplus(x), sig(x)))
_define("silu", lambda x, b: x * sig(b * x), lambda x, b: sig(b * x) + b * x * dsig(b * x),
        lambda x, b: x**2 * dsig(b * x), params={"beta": 1.0})
_define("hard_swish", lambda x: x if x >= 3 else x * max(x + 3, 0) / 6,
        lambda x: 1 if x >= 3 else 0 if x <= -3 else (2 * x + 3) / 6, negative_zero=True)
_define("gelu", gelu, gelu_slope)
_define("gelu_tanh", lambda x: x / 2 * one_plus_tanh(gelu_inner(x)), gelu_tanh_slope, large=3)
_define("quick_gelu", lambda x: x * sig(QUICK * x),
        lambda x: sig(QUICK * x) + QUICK * x * dsig(QUICK * x), large=1)
_define("dish", lambda x: x / 2 * (1 + x / sqrt(1 + x**2)),
        lambda x: (1 + x / sqrt(1 + x**2) + x / sqrt(1 + x**2) ** 3) / 2, large=2)
_define("serf", lambda x: x * erf(softplus(x)), serf_slope)
_define("smelu", lambda x, b: x if x >= b else max(x + b, 0) ** 2 / (4 * b),
        lambda x, b: min(max((x + b) / (2 * b), 0), 1),
        lambda x, b: (x + b) * (b - x) / (4 * b**2) if -b < x < b else 0, params={"beta": 1.0},
        small=1, large=1)
_define("star_relu", lambda x, s, b: s * max(x, 0) ** 2 + b, lambda x, s, b: 2 * s * max(x, 0),
        lambda x, s, b: max(x, 0) ** 2, lambda x, s, b: 1,
        params={"scale": 0.8944271909999159, "bias": -0.4472135954999579})
_define("snake", lambda x, a: x + sin(a * x) ** 2 / a, lambda x, a: 1 + sin(2 * a * x),
        lambda x, a: x * sin(2 * a * x) / a - (sin(a * x) / a) ** 2, params={"a": 1.0},
        guard=4 * GUARD, no_limit=("derivative", "partial0", "second_derivative"))
_define("bent_identity", lambda x: (sqrt(x**2 + 1) - 1) / 2 + x,
        lambda x: x / (2 * sqrt(x**2 + 1)) + 1, small=1)
_define("gaussian", lambda x: exp(-(x**2)), lambda x: -2 * x * exp(-(x**2)))
_define("soft_shrink", lambda x, t: mp.sign(x) * max(abs(x) - t, 0),
        lambda x, t: x != 0 and abs(x) > t, lambda x, t: -mp.sign(x) if abs(x) > t else 0,
        params={"lambd": 0.5})
_define("hard_shrink", lambda x, t: x if abs(x) > t else 0, lambda x, t: abs(x) > t,
        lambda x, t: 0, params={"lambd": 0.5})
_define("shrink", lambda x, t, b: x + b if x < -t else x - b if x > t else 0, lambda x, t, b: x < -t or x > t,
        lambda x, t, b: 0, lambda x, t, b: 1 if x < -t else -1 if x > t else 0, params={"lambd": 0.5, "bias": 0.0},
        small=1, large=1)
_define("exponential", exp, exp, from_output=lambda y: y)
_define("log1mexp", log1mexp,
        lambda x: 1 / expm1(x) if x > 0 else mp.inf if x == 0 else mp.nan,
        from_output=lambda y: expm1(-y), small=1)
_define("arctan", mp.atan, lambda x: 1 / (1 + x**2))
_define("elish", lambda x: (x if x >= 0 else expm1(x)) * sig(x),
        lambda x: sig(x) + x * dsig(x) if x >= 0 else exp(x) * sig(x) + expm1(x) * dsig(x))
_define("hard_elish", lambda x: (x if x >= 0 else expm1(x)) * sparse_sigmoid(x), hard_elish_slope,
        negative_zero=True)
_define("phish", lambda x: x * tanh(gelu(x)), lambda x: tanh_gate_slope(x, gelu(x), gelu_slope(x)))
_define("telu",  # beyond 12 the rest is below exp(-3e5)
        lambda x: x if x > 12 else x * tanh(exp(x)),
        lambda x: 1 if x > 12 else tanh_gate_slope(x, exp(x), exp(x)))
_define("isru", lambda x, a: x / sqrt(1 + a * x**2), lambda x, a: 1 / sqrt(1 + a * x**2) ** 3,
        isru_by_alpha, params={"alpha": 1.0},
        from_output=lambda y, a: sqrt(max(1 - a * y**2, 0)) ** 3)
_define("isrlu", lambda x, a: x if x >= 0 else x / sqrt(1 + a * x**2),
        lambda x, a: 1 if x >= 0 else 1 / sqrt(1 + a * x**2) ** 3,
        lambda x, a: 0 if x >= 0 else isru_by_alpha(x, a), params={"alpha": 1.0})

# --- second derivatives by x ----------------------------------------------------------------------

def _second(name, function, small=0, large=0, guard=GUARD):
    reference = REFERENCE[name]
    call = _guarded(function, tuple(reference.params.values()), small, large, guard)
    REFERENCE[name] = replace(reference, second_derivative=call)

def d2sig(z):
    return dsig(z) * (1 - 2 * sig(z))

def tanh_bend(x):
    return -2 * tanh(x) * sech(x) ** 2

def swish_bend(x, b):
    """(x sigma(b x))''."""
    return 2 * b * dsig(b * x) + b**2 * x * d2sig(b * x)

def tanh_gate_bend(x, u, du, d2u):
    """(x tanh(u(x)))''."""
    return sech(u) ** 2 * (2 * du + x * d2u) + x * tanh_bend(u) * du**2

def gelu_bend(x):
    return density(x) * (2 - x**2)

def gelu_tanh_bend(x):
    u, du, d2u = gelu_inner(x), sqrt(2 / mp.pi) * (1 + 3 * CUBIC * x**2), sqrt(2 / mp.pi) * 6 * CUBIC * x
    return sech(u) ** 2 * du + x / 2 * (sech(u) ** 2 * d2u + tanh_bend(u) * du**2)

def serf_bend(x):
    s = softplus(x)
    return 2 / sqrt(mp.pi) * exp(-(s**2)) * (2 * sig(x) + x * (dsig(x) - 2 * s * sig(x) ** 2))

for _name in ("identity", "step", "sign", "relu", "relu6", "leaky_relu", "prelu", "threshold", "thresholded_relu", "reflu",
              "srelu", "hard_tanh", "hard_sigmoid", "sparse_sigmoid", "soft_shrink", "hard_shrink", "shrink"):
    _second(_name, lambda x, *params: 0)
_second("squared_relu", lambda x: 2 if x > 0 else 0)
_second("star_relu", lambda x, s, b: 2 * s if x > 0 else 0)
_second("smelu", lambda x, b: 1 / (2 * b) if -b < x < b else 0)
_second("sparse_plus", lambda x: mpf(0.5) if -1 < x < 1 else 0)
_second("hard_swish", lambda x: mpf(1) / 3 if -3 < x < 3 else 0)
_second("hard_elish", lambda x: 0 if abs(x) >= 1 else 1 if x >= 0 else exp(x) * (x + 3) / 2)
_second("elu", lambda x, a: 0 if x > 0 else a * exp(x))
_second("selu", lambda x: 0 if x > 0 else SELU_SCALE * SELU_ALPHA * exp(x))
_second("celu", lambda x, a: 0 if x > 0 else exp(x / a) / a)
_second("pelu", lambda x, a, b: 0 if x > 0 else a / b**2 * exp(x / b))
_second("xielu", lambda x, p, n, b, eps: 2 * p if x > 0 else n * exp(x) if x <= eps else 0)
_second("elish", lambda x: swish_bend(x, 1) if x >= 0 else exp(x) * (sig(x) + 2 * dsig(x)) + expm1(x) * d2sig(x))
_second("exponential", exp)
_second("log1mexp", lambda x: -exp(x) / expm1(x) ** 2 if x > 0 else -mp.inf if x == 0 else mp.nan)
_second("softsign", lambda x: -2 * mp.sign(x) / (1 + abs(x)) ** 3)
_second("isru", lambda x, a: -3 * a * x / sqrt(1 + a * x**2) ** 5)
_second("isrlu", lambda x, a: -3 * a * x / sqrt(1 + a * x**2) ** 5 if x < 0 else 0)
_second("squareplus", lambda x, b: b / (2 * sqrt(x**2 + b) ** 3))
_second("bent_identity", lambda x: 1 / (2 * sqrt(x**2 + 1) ** 3))
_second("dish", lambda x: (2 - x**2) / (2 * sqrt(x**2 + 1) ** 5))
_second("arctan", lambda x: -2 * x / (1 + x**2) ** 2)
_second("gaussian", lambda x: (4 * x**2 - 2) * exp(-(x**2)))
_second("snake", lambda x, a: 2 * a * cos(2 * a * x), guard=4 * GUARD)
_second("sigmoid", d2sig, small=1)
_second("log_sigmoid", lambda x: -dsig(x))
_second("tanh", tanh_bend)
_second("tanh_shrink", lambda x: -tanh_bend(x))
_second("scaled_tanh", lambda x, a, b: a * b**2 * tanh_bend(b * x))
_second("softcap", lambda x, c: tanh_bend(x / c) / c)
_second("laplace", lambda x, m, s: -(x - m) / s**3 * density((x - m) / s), small=3, large=3)
_second("softplus", lambda x, b: b * dsig(b * x))
_second("lisht", lambda x: tanh_gate_bend(x, x, 1, 0))
_second("silu", swish_bend)
_second("quick_gelu", lambda x: swish_bend(x, QUICK))
_second("gelu", gelu_bend)
_second("gelu_tanh", gelu_tanh_bend)
_second("mish", lambda x: tanh_gate_bend(x, softplus(x), sig(x), dsig(x)))
_second("serf", serf_bend)
_second("phish", lambda x: tanh_gate_bend(x, gelu(x), gelu_slope(x), gelu_bend(x)))
_second("telu", lambda x: 0 if x > 12 else tanh_gate_bend(x, exp(x), exp(x), exp(x)))
# fmt: on


# --- arrays --------------------------------------------------------------------------------------


def rounded(exact, dtype):
    """The number of `dtype` nearest to an mpf, ties to even, as a Python float."""
    sign, man, exponent, length = exact._mpf_
    if not man:
        return float(exact)
    precision, lowest, overflow = FORMATS[np.dtype(dtype)]
    quantum = max(exponent + length - precision, lowest)
    shift = quantum - exponent
    if exponent + length > overflow:
        size = math.inf
    elif shift > length + 1:
        size = 0.0
    else:
        man = int(man)
        if shift > 0:
            rest, half = man & ((1 << shift) - 1), 1 << (shift - 1)
            man >>= shift
            man += rest > half or (rest == half and man & 1)
        else:
            man <<= -shift
        size = math.ldexp(man, quantum) if man.bit_length() + quantum <= overflow else math.inf
    return -size if sign else size


def evaluate(name, kind, x, params=None, dtype=np.float64):
    """(rounded, exact) of one kind ("value", "derivative", "partial0", ..., "from_output") over x.

    x and the parameters are rounded to `dtype` first.  `rounded` is an array of `dtype`, `exact` a
    list of mpf.  At +-inf stand the limits.  The sign of a zero means something at +-inf, and in
    the values of sign, relu and identity; elsewhere an exact zero is simply +0.0.
    """
    global DTYPE
    DTYPE = dtype = np.dtype(dtype)
    reference = REFERENCE[name]
    partial = kind.startswith("partial")
    function = reference.partials[int(kind[7:])] if partial else getattr(reference, kind)
    params = tuple(reference.params.values()) if params is None else params
    params = tuple(mpf(float(dtype.type(p))) for p in params)
    x = np.asarray(x, dtype)
    exact, nearest = [], []
    for v in x.ravel().tolist():
        if math.isfinite(v):
            e = function(mpf(v), *params)
            r = v if v == 0 and kind == "value" and reference.keeps_zero_sign else rounded(e, dtype)
        elif math.isnan(v) or kind in reference.no_limit:
            e, r = mp.nan, math.nan
        else:  # the forms in y are plain formulas
            e = function(mpf(v) if kind == "from_output" else FAR if v > 0 else -FAR, *params)
            r = rounded(e, dtype)
            if e == 0 and v < 0 and kind == "value" and reference.negative_zero:
                r = -0.0
            if mp.isfinite(e) and e and abs(mp.mag(e)) > 1100:
                e = mp.sign(e) * mp.inf if mp.mag(e) > 0 else mpf(0)
        exact.append(e)
        nearest.append(r)
    return np.array(nearest, np.float64).astype(dtype).reshape(x.shape), exact


def _ulps(got, exact, precision, lowest, overflow):
    _, man, exponent, length = exact._mpf_
    if not man:  # 0, an infinity or NaN: nothing but that will do
        return 0.0 if got == exact or (math.isnan(got) and mp.isnan(exact)) else math.inf
    if not math.isfinite(got):
        top = math.ldexp(2.0 - 2.0 ** (1 - precision), overflow - 1)
        beyond = abs(exact) > top and got == (math.inf if exact > 0 else -math.inf)
        return 0.0 if beyond else math.inf
    quantum = min(max(exponent + length - precision, lowest), overflow - precision)
    return float(mp.ldexp(abs(mpf(got) - exact), -quantum))


def ulp_error(got, exact, dtype):
    """|got - exact| in units of the spacing of `dtype` at |exact|, as float64.

    Infinite where NaN, an infinity or an exact zero is on one side alone.  Beyond the largest
    finite number that infinity is right; so is the largest number while exact rounds to it.
    """
    form = FORMATS[np.dtype(dtype)]
    got = np.asarray(got)
    errors = [_ulps(g, e, *form) for g, e in zip(got.ravel().tolist(), exact, strict=True)]
    return np.array(errors, np.float64).reshape(got.shape)


def samples(dtype, n, rng, points=()):
    """Finite test inputs of `dtype`: about 2 n, 400 (float32: 900) and 130 for each of `points`.

    n bit patterns, one random in each of n equal slices of all finite ones of both signs; one in
    every binade of both signs where n reaches their number (float32: always); n // 4 uniform in
    each of [-1, 1], [-20, 20], [-110, 110] and, for float64, [-750, 750]; powers of two near 1 and
    their neighbours, zeros, least and largest numbers; neighbourhoods of the points.
    """
    dtype = np.dtype(dtype)
    precision, lowest, _ = FORMATS[dtype]
    unsigned = np.dtype(f"u{dtype.itemsize}")
    infinity = int(np.array(np.inf, dtype).view(unsigned))
    half = max(1, n // 2)
    slices = np.array([infinity * i // half for i in range(half + 1)], unsigned)
    bits = rng.integers(slices[:-1], slices[1:], (2, half), unsigned)
    binades = infinity >> (precision - 1)
    if dtype == np.float32 or n >= 2 * binades:
        each = rng.integers(0, 1 << (precision - 1), (2, binades), unsigned)
        each |= np.arange(binades, dtype=unsigned) << (precision - 1)
        bits = np.concatenate([bits, each], axis=1)
    bits[1] |= 1 << (8 * dtype.itemsize - 1)
    powers = np.ldexp(np.ones(61, dtype), np.arange(-30, 31))
    ends = np.array([0.0, *np.ldexp(1.0, [lowest, lowest + 1, lowest + precision - 1])], dtype)
    edges = [ends, [np.finfo(dtype).max], powers]
    edges += [np.nextafter(powers, dtype.type(to)) for to in (0, np.inf)]
    widths = (1, 20, 110) if dtype == np.float32 else (1, 20, 110, 750)
    parts = [bits.view(dtype).ravel(), *edges, *(-np.array(e, dtype) for e in edges)]
    parts += [rng.uniform(-w, w, n // 4) for w in widths]
    for p in map(dtype.type, points):
        below = above = p
        for _ in range(3):
            below = np.nextafter(below, dtype.type(-np.inf))
            above = np.nextafter(above, dtype.type(np.inf))
            parts.append([below, p, above])
        for w in (0.3, 0.01, 1e-4):
            parts.append(float(p) + rng.uniform(-w, w, 40) * max(1.0, abs(float(p))))
    return np.concatenate([np.asarray(part, dtype) for part in parts])
