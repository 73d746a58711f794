"""`init_gain` against closed forms, and against mpmath's quadrature of the independent references."""

import mpmath as mp
import numpy as np
import pytest
from helpers import NAMES
from reference import REFERENCE

import fastact as fa
from fastact.diagnostics.gain import normal_mean

KINKS = {"hard_swish": (-3, 3), "hard_sigmoid": (-3, 3), "relu6": (0, 6), "hard_elish": (-1, 0, 1), "soft_shrink": (-0.5, 0.5),
         "hard_shrink": (-0.5, 0.5), "shrink": (-0.5, 0.5)}  # fmt: skip


@pytest.mark.parametrize("name", ["gelu", "silu", "telu", "hard_elish", "srelu", "xielu", *KINKS])
def test_against_the_references(name):
    reference = REFERENCE[name]
    params = [mp.mpf(p) for p in reference.params.values()]
    with mp.workdps(16):
        points = sorted({-13, -4, -2, -1, 0, 1, 2, 4, 13, *KINKS.get(name, ()), *(float(p) for p in params if abs(p) < 13)})
        mean = mp.quad(lambda z: reference.value(z, *params) ** 2 * mp.npdf(z), points, maxdegree=4)
    assert fa.init_gain(name) == pytest.approx(float(1 / mp.sqrt(mean)), rel=1e-9)


@pytest.mark.parametrize("name", [n for n in NAMES if n != "log1mexp"])
def test_against_a_plain_sum(name):
    """Of half a million points, which is good for six digits across kinks."""
    z = np.linspace(-12.0, 12.0, 500_001)
    mean = np.sum(fa.get(name)(z) ** 2 * np.exp(-z * z / 2)) / np.sqrt(2 * np.pi) * (z[1] - z[0])
    assert fa.init_gain(name) == pytest.approx(1 / np.sqrt(mean), rel=2e-5)


def test_closed_forms():
    assert fa.init_gain("relu") == pytest.approx(np.sqrt(2.0), rel=1e-14)
    assert fa.init_gain("identity") == pytest.approx(1.0, rel=1e-14)
    assert fa.init_gain("selu") == pytest.approx(1.0, rel=1e-12)
    assert fa.init_gain("exponential") == pytest.approx(np.exp(-1.0), rel=1e-13)
    assert fa.init_gain("squared_relu") == pytest.approx(np.sqrt(2 / 3), rel=1e-13)
    assert fa.init_gain(fa.swish, beta=0.0) == pytest.approx(2.0, rel=1e-13)
    assert fa.init_gain("gelu", approximate="tanh") == fa.init_gain("gelu_tanh")
    for slope in (0.0, 0.01, 0.2, 1.0, -3.0):
        assert fa.init_gain("leaky_relu", negative_slope=slope) == pytest.approx(np.sqrt(2 / (1 + slope**2)), rel=1e-13)


def test_kinks_and_jumps_anywhere():
    """P(z > t), of a jump at t: nothing knows where it is."""
    for at in (0.1234567, -2.5, 3.3):
        want = float(mp.ncdf(-at))
        assert normal_mean(lambda z, at=at: (z > at) * 1.0) == pytest.approx(want, rel=1e-12)
    steep = fa.init_gain("hard_sigmoid", slope=1e6)  # a step at 0, but for 1e-6
    assert steep == pytest.approx(np.sqrt(2.0), rel=1e-5)


@pytest.mark.parametrize(
    ("call", "error", "words"),
    [
        (lambda: fa.init_gain("log1mexp"), ValueError, "is nan; no gain keeps it"),
        (lambda: fa.init_gain("identiti"), ValueError, "function: there is no activation"),
        (lambda: fa.init_gain("elu", alpha=[1.0, 2.0]), TypeError, "alpha has shape .2,.; expected a number"),
        (lambda: fa.init_gain("elu", beta=1.0), TypeError, "unexpected keyword 'beta'"),
        (lambda: fa.init_gain("star_relu", scale=0.0, bias=0.0), ValueError, "is 0.0; no gain keeps it"),
        (lambda: fa.init_gain("swiglu"), TypeError, "expected an elementwise activation"),
    ],
)  # fmt: skip
def test_errors(call, error, words):
    with pytest.raises(error, match=words) as raised:
        call()
    assert str(raised.value).startswith("fastact.init_gain: ")
