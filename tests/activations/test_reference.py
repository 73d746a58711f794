"""The reference itself: known values, derivatives against numerical differentiation, limits."""

from fractions import Fraction

import numpy as np
import pytest
from mpmath import mp, mpf
from reference import REFERENCE, evaluate, rounded, samples, ulp_error

INF = np.inf
NAMES = sorted(REFERENCE)
WITH_PARAMS = [name for name in NAMES if REFERENCE[name].params]
WITH_OUTPUT = [name for name in NAMES if REFERENCE[name].from_output]

KNOWN = [  # name, kind, x, digits that are right
    ("gelu", "value", -5.5, "-1.04442593562e-7"),
    ("gelu", "value", -6, "-5.91952587e-9"),
    ("gelu", "value", -8, "-4.97676846e-15"),
    ("gelu", "value", -10, "-7.61985302e-23"),
    ("gelu", "value", -13, "-7.95231372e-38"),
    ("gelu", "value", -20, "-5.50724823721e-88"),
    ("gelu", "value", -38, "-1.09646e-314"),
    ("gelu", "derivative", -6, "-3.54687095e-8"),
    ("gelu", "derivative", -10, "-7.61840010e-22"),
    ("gelu_tanh", "value", -6, "-8.43964670e-11"),
    ("gelu_tanh", "value", -10, "-1.20409235e-37"),
    ("silu", "value", -90, "-7.37461136e-38"),
    ("silu", "derivative", -709, "-8.61480771441e-306"),
    ("sigmoid", "value", -100, "3.72e-44"),
    ("sigmoid", "derivative", 20, "2.06115361e-9"),
    ("sigmoid", "derivative", 40, "4.24835426e-18"),
    ("tanh", "derivative", 10, "8.24461446e-9"),
    ("tanh", "derivative", 20, "1.69934170e-17"),
    ("log_sigmoid", "value", 88, "-6.0546e-39"),
    ("elu", "value", mpf("-1e-8"), "-9.99999995e-9"),
    ("tanh_shrink", "value", mpf("1e-3"), "3.333332e-10"),
    ("squareplus", "value", -10000, "9.9999999e-5"),
    ("laplace", "value", mpf(0), "6.0944411e-3"),
    ("xielu", "value", -1, "-2.0569645e-1"),
]
ROOTS = {
    "silu": "-1.27846454276",
    "gelu": "-0.751791524694",
    "gelu_tanh": "-0.752461422071",
    "mish": "-1.19243121452",
}
LIMITS = {  # value at -inf and +inf, derivative at -inf and +inf, default parameters
    "identity": (-INF, INF, 1, 1),
    "step": (0, 1, 0, 0),
    "sign": (-1, 1, 0, 0),
    "relu": (0, INF, 0, 1),
    "relu6": (0, 6, 0, 0),
    "leaky_relu": (-INF, INF, 0.01, 1),
    "prelu": (-INF, INF, 0.25, 1),
    "threshold": (0, INF, 0, 1),
    "thresholded_relu": (0, INF, 0, 1),
    "squared_relu": (0, INF, 0, INF),
    "reflu": (-INF, -INF, 1, -1),
    "elu": (-1, INF, 0, 1),
    "selu": (-1.75809934084737686, INF, 0, 1.0507009873554805),
    "celu": (-1, INF, 0, 1),
    "sigmoid": (0, 1, 0, 0),
    "log_sigmoid": (-INF, -0.0, 1, 0),
    "hard_sigmoid": (0, 1, 0, 0),
    "sparse_sigmoid": (0, 1, 0, 0),
    "tanh": (-1, 1, 0, 0),
    "hard_tanh": (-1, 1, 0, 0),
    "tanh_shrink": (-INF, INF, 1, 1),
    "lisht": (INF, INF, -1, 1),
    "softplus": (0, INF, 0, 1),
    "squareplus": (0, INF, 0, 1),
    "sparse_plus": (0, INF, 0, 1),
    "softsign": (-1, 1, 0, 0),
    "mish": (-0.0, INF, 0, 1),
    "silu": (-0.0, INF, 0, 1),
    "hard_swish": (-0.0, INF, 0, 1),
    "gelu": (-0.0, INF, 0, 1),
    "gelu_tanh": (-0.0, INF, 0, 1),
    "quick_gelu": (-0.0, INF, 0, 1),
    "dish": (-0.0, INF, 0, 1),
    "serf": (-0.0, INF, 0, 1),
    "smelu": (0, INF, 0, 1),
    "star_relu": (-0.4472135954999579, INF, 0, INF),
    "snake": (-INF, INF, np.nan, np.nan),
    "bent_identity": (-INF, INF, 0.5, 1.5),
    "gaussian": (0, 0, 0, 0),
    "soft_shrink": (-INF, INF, 1, 1),
    "hard_shrink": (-INF, INF, 1, 1),
    "exponential": (0, INF, 0, INF),
    "log1mexp": (np.nan, -0.0, np.nan, 0),
    "arctan": (-np.pi / 2, np.pi / 2, 0, 0),
    "elish": (-0.0, INF, 0, 1),
    "hard_elish": (-0.0, INF, 0, 1),
    "phish": (0, INF, 0, 1),  # x < 0 and tanh(gelu(x)) < 0
    "telu": (-0.0, INF, 0, 1),
    "isru": (-1, 1, 0, 0),
    "isrlu": (-1, INF, 0, 1),
    "srelu": (-INF, INF, 0.2, 1),
    "pelu": (-1, INF, 0, 1),
    "xielu": (INF, INF, 0.5 - 0.8, INF),
    "scaled_tanh": (-1.7159, 1.7159, 0, 0),
    "softcap": (-50, 50, 0, 0),
    "laplace": (0, 1, 0, 0),
    "shrink": (-INF, INF, 1, 1),
}


def points(name, count=12):
    """Random points; none lies near a kink, and all lie in log1mexp's domain."""
    x = np.random.default_rng(NAMES.index(name)).uniform(-5, 8, count)
    return [mpf(v) for v in (np.abs(x) if name == "log1mexp" else x).tolist()]


def parameters(name):
    """The default parameters, then others."""
    defaults = tuple(REFERENCE[name].params.values())
    return [defaults, tuple(1.37 * p + 0.043 for p in defaults)] if defaults else [()]


def close(a, b, digits=30):
    return abs(a - b) <= mpf(10) ** -digits * max(1, abs(b))


def test_names():
    assert set(LIMITS) <= set(REFERENCE)
    assert len(REFERENCE) >= 50


@pytest.mark.parametrize(("name", "kind", "x", "digits"), KNOWN)
def test_known_values(name, kind, x, digits):
    got = getattr(REFERENCE[name], kind)(mpf(x))
    mantissa = digits.lstrip("-").split("e")[0]
    last = mpf(10) ** (int(digits.split("e")[1]) - len(mantissa.split(".")[1]))
    assert abs(got - mpf(digits)) <= 1.01 * last  # one unit in the last of the digits listed


def test_known_softplus_and_float32_sigmoid():
    got = REFERENCE["softplus"].value(mpf("20.1")) - mpf("20.1")
    assert close(got * 10**9, mpf("1.86500892"), 7)
    assert evaluate("sigmoid", "value", [-100.0], dtype=np.float32)[0][0] == np.float32(3.78e-44)


@pytest.mark.parametrize("name", ROOTS)
def test_known_roots(name):
    root, step = mpf(ROOTS[name]), mpf("1e-11")
    slope = REFERENCE[name].derivative
    assert slope(root - step) < 0 < slope(root + step)


@pytest.mark.parametrize("name", NAMES)
def test_derivative(name):
    reference = REFERENCE[name]
    with mp.workdps(40):
        for params in parameters(name):
            for x in points(name):
                numerical = mp.diff(lambda t, p=params: reference.value(t, *p), x)
                assert close(reference.derivative(x, *params), numerical), x


@pytest.mark.parametrize("name", WITH_PARAMS)
def test_partials(name):
    reference = REFERENCE[name]
    assert len(reference.partials) == len(reference.params)
    with mp.workdps(40):
        for params in parameters(name):
            for i, partial in enumerate(reference.partials):
                for x in points(name):

                    def along(p, x=x, i=i, params=params):
                        return reference.value(x, *params[:i], p, *params[i + 1 :])

                    assert close(partial(x, *params), mp.diff(along, mpf(params[i]))), x


@pytest.mark.parametrize("name", WITH_OUTPUT)
def test_from_output(name):
    reference = REFERENCE[name]
    for params in parameters(name):
        for x in points(name):
            y = reference.value(x, *params)
            assert close(reference.from_output(y, *params), reference.derivative(x, *params)), x


def test_from_output_exists_where_promised():
    promised = (
        "relu leaky_relu elu selu celu sigmoid tanh softplus exponential log_sigmoid identity "
        "softsign hard_tanh relu6 hard_sigmoid sparse_sigmoid squared_relu log1mexp isru pelu"
    )
    assert set(WITH_OUTPUT) == set(promised.split())


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("name", LIMITS)
def test_limits(name, dtype):
    """What was looked up for these; that the reference of every function agrees with its formula's limits: test_limits.py."""
    limits = np.array(LIMITS[name], dtype)
    values, exact = evaluate(name, "value", [-INF, INF, np.nan], dtype=dtype)
    slopes, _ = evaluate(name, "derivative", [-INF, INF, np.nan], dtype=dtype)
    np.testing.assert_array_equal(values, [*limits[:2], np.nan])
    np.testing.assert_array_equal(slopes, [*limits[2:], np.nan])
    zeros = limits[:2] == 0
    np.testing.assert_array_equal(np.signbit(values[:2])[zeros], np.signbit(limits[:2])[zeros])
    assert [mp.isfinite(e) for e in exact] == np.isfinite(values).tolist()


def test_limits_of_partials_and_with_parameters():
    assert evaluate("elu", "value", [-INF], (2.5,))[0][0] == -2.5
    assert evaluate("isru", "value", [INF], (4.0,))[0][0] == 0.5
    assert evaluate("threshold", "value", [-INF], (1.0, -7.0))[0][0] == -7.0
    assert evaluate("isru", "partial0", [-INF, INF])[0].tolist() == [0.5, -0.5]
    assert evaluate("reflu", "partial2", [-INF, INF])[0].tolist() == [-INF, 0.0]
    assert evaluate("softplus", "partial0", [-INF, INF])[0].tolist() == [0.0, 0.0]


def test_kinks():
    expected = {"relu": 0, "relu6": 0, "leaky_relu": 0.01, "threshold": 0, "elu": 1, "isrlu": 1}
    for name, slope in expected.items():
        assert evaluate(name, "derivative", [0.0])[0][0] == pytest.approx(slope, rel=1e-15), name
    assert evaluate("hard_swish", "derivative", [-3.0, 3.0])[0].tolist() == [0, 1]
    assert evaluate("hard_tanh", "derivative", [-1.0, 1.0])[0].tolist() == [0, 0]
    assert evaluate("hard_tanh", "partial0", [-1.0, 1.0])[0].tolist() == [1, 0]
    assert evaluate("log1mexp", "value", [0.0])[0][0] == -INF
    assert evaluate("log1mexp", "derivative", [0.0])[0][0] == INF
    assert np.signbit(evaluate("sign", "value", [0.0, -0.0])[0]).tolist() == [False, True]


@pytest.mark.parametrize("step", [3, pytest.param(1, marks=pytest.mark.release)])
@pytest.mark.parametrize("name", NAMES)
def test_precision_suffices(name, step):
    """40 digits, against a precision that no cancellation of float64 numbers can use up."""
    reference = REFERENCE[name]
    hard = [5e-324, -1e-320, 1e-150, 1e308, -1e308, 1e5, -1e5, -745.0, 745.0, -38.0, -12.3, 12.3]
    hard += [
        -1.2784645427610738,
        -0.75179152469362,
        -0.7524614220710,
        -1.192431214520,
        -0.7853981633974483,
    ]
    for function in (reference.value, reference.derivative, *reference.partials):
        for x in map(mpf, hard[NAMES.index(name) % step :: step]):
            got = function(x)
            with mp.workprec(4600):
                exact = function(x)
                same = mp.isnan(exact) and mp.isnan(got)
                assert same or abs(got - exact) <= abs(exact) * mpf(10) ** -40, x


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_rounded(dtype):
    rng = np.random.default_rng(0)
    for exponent in (0, -149, 70, -1000, -1030, -1050, -1085, 900) if dtype == np.float64 else ():
        for top in rng.integers(1, 2**62, 20).tolist():
            value = float(Fraction(top) * Fraction(2) ** (exponent - 62))
            with mp.workprec(200):
                exact = mp.ldexp(mpf(top), exponent - 62)
            assert rounded(exact, dtype) == value
            assert rounded(-exact, dtype) == -value
    ties = np.nextafter(dtype(1), dtype(2)).astype(np.float64) - 1
    with mp.workprec(200):
        for odd in (1, 3, 5):
            half = 1 + mpf(ties) * odd / 2
            assert rounded(half, dtype) == 1 + ties * (2 * ((odd + 1) // 4))
            assert rounded(half + mpf(2) ** -150, dtype) == 1 + ties * ((odd + 1) // 2)
        least = mpf(float(np.finfo(dtype).smallest_subnormal))
        assert rounded(least / 2, dtype) == 0
        assert rounded(least * 3 / 4, dtype) == least
        assert rounded(least * 3 / 2, dtype) == 2 * least
        largest = mpf(float(np.finfo(dtype).max))
        spacing = largest - mpf(float(np.nextafter(np.finfo(dtype).max, dtype(0))))
        assert rounded(largest + spacing / 2, dtype) == INF
        assert rounded(-largest - spacing / 2.001, dtype) == -largest
        assert rounded(mp.exp(mpf("1e300")), dtype) == INF
        assert rounded(-mp.exp(mpf("-1e300")), dtype) == 0


def test_rounded_float32_as_numpy():
    rng = np.random.default_rng(1)
    values = np.ldexp(rng.uniform(-2, 2, 2000), rng.integers(-155, 127, 2000))
    with np.errstate(under="ignore"):
        expected = values.astype(np.float32).tolist()
    assert [rounded(mpf(v), np.float32) for v in values.tolist()] == expected


def test_evaluate_rounds_parameters_and_keeps_shape():
    got, exact = evaluate("leaky_relu", "value", np.full((2, 3), -1, np.float32), dtype=np.float32)
    assert got.shape == (2, 3)
    assert got.dtype == np.float32
    assert exact[0] == -mpf(float(np.float32(0.01)))
    assert evaluate("sigmoid", "from_output", [0.25, np.nan])[0][0] == 0.1875


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_ulp_error(dtype):
    info = np.finfo(dtype)
    largest, least = float(info.max), float(info.smallest_subnormal)
    one_up = float(np.nextafter(dtype(1), dtype(2)))
    huge = mp.exp(mpf("1e300"))
    with mp.workprec(200):
        near = 1 - mpf(float(info.eps)) / 8
    cases = [
        (1.0, mpf(1), 0),
        (one_up, mpf(1), 1),
        (1.0, near, 0.25),
        (0.0, mpf(0), 0),
        (-0.0, mpf(0), 0),
        (least, mpf(0), INF),
        (least, mpf(least) / 4, 0.75),
        (0.0, mp.exp(mpf("-1e300")), 0),
        (3 * least, mpf(least), 2),
        (INF, huge, 0),
        (-INF, -huge, 0),
        (-INF, huge, INF),
        (largest, huge, INF),
        (INF, mpf(largest), INF),
        (largest, mpf(largest), 0),
        (INF, mp.inf, 0),
        (largest, mp.inf, INF),
        (-INF, mp.inf, INF),
        (np.nan, mp.nan, 0),
        (np.nan, mpf(1), INF),
        (1.0, mp.nan, INF),
        (np.nan, mp.inf, INF),
    ]
    got = ulp_error(np.array([g for g, _, _ in cases], dtype), [e for _, e, _ in cases], dtype)
    np.testing.assert_allclose(got, [w for _, _, w in cases], atol=1e-12)
    with mp.workprec(200):
        above = mpf(largest) * (1 + mpf(float(info.eps)) / 16)
    assert ulp_error(np.array([largest], dtype), [above], dtype)[0] < 0.5


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_samples(dtype):
    x = samples(dtype, 5000, np.random.default_rng(2), (1.0, -3.0))
    assert x.dtype == dtype
    assert np.isfinite(x).all()
    info = np.finfo(dtype)
    bits = x.view(f"u{x.itemsize}")
    binades = (np.left_shift(bits, 1) >> (info.nmant + 1)).astype(int)
    for negative in (False, True):
        side = np.signbit(x) == negative
        assert len(np.unique(binades[side])) == 2**info.nexp - 1
        for v in (0.0, info.smallest_subnormal, info.max, info.tiny, 1.0, 0.5, 2.0):
            assert np.any(np.abs(x[side]) == v)
    for p in (dtype(1), dtype(-3)):
        assert np.nextafter(np.nextafter(p, dtype(9)), dtype(9)) in x
    assert 5000 < len(samples(dtype, 5000, np.random.default_rng(2))) < 16000
    assert len(samples(dtype, 100, np.random.default_rng(2))) < 1300
