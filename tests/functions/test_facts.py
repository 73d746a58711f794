"""`info`: every claim of every function is checked against its values, which the references hold; `properties` and `find`."""

import copy
import functools
import json
import math
import pickle
import sys
from statistics import NormalDist

import numpy as np
import pytest
from helpers import NAMES, WITH_PARAMS

import fastact as fa
from fastact.language.counting import operations
from fastact.language.registry import REGISTRY

every = pytest.mark.parametrize("name", NAMES)
ORDER = {"discontinuous": -1, "C0": 0, "C1": 1, "C2": 2, "smooth": 3}


def inside(info, x):
    """The points of x in the domain."""
    return x[(x > info.domain[0]) & (x < info.domain[1])]


def points(info, size=20_001, half=9.0):
    """An even grid that the facts were not computed on, and its step."""
    return inside(info, np.linspace(-half, half, size) + 1e-5 * math.pi), 2 * half / (size - 1)


@every
def test_range_and_limits(name):
    call, info = fa.get(name), fa.get(name).info
    far = np.concatenate([-np.geomspace(1e-300, 1e300, 3001)[::-1], np.geomspace(1e-300, 1e300, 3001)])
    y = call(np.sort(inside(info, np.concatenate([far, points(info)[0], [e.x for e in info.extrema]]))))
    low, high = info.range
    assert not np.isnan(y).any()
    assert low <= y.min() + 1e-15
    assert high >= y.max() - 1e-15
    assert y.min() < -600 if math.isinf(low) else y.min() == pytest.approx(low, abs=1e-9)
    assert y.max() > 600 if math.isinf(high) else y.max() == pytest.approx(high, abs=1e-9)
    ends = np.array([-np.inf, np.inf])
    np.testing.assert_array_equal(call(ends), info.limits)
    np.testing.assert_array_equal(call.derivative(ends), info.slopes)
    for declared, found in zip(REGISTRY[name].range, info.range, strict=True):
        digits = len(declared.partition(".")[2]) if "." in declared else 9
        assert REGISTRY[name].number(declared) == pytest.approx(found, abs=0.5 * 10.0**-digits + 1e-12)


@every
def test_asymptotes(name):
    call, info = fa.get(name), fa.get(name).info
    for sign, line, slope in zip((-1, 1), info.asymptotes, info.slopes, strict=True):
        x = sign * np.array([1e5, 1e7])
        if line is None:  # grows faster, oscillates, or is outside the domain
            assert not math.isfinite(slope)
            continue
        away = abs(call(x) - (line[0] * x + line[1]))
        assert away[0] < 1e-3
        assert away[1] <= max(away[0] / 50, 1e-8)


@every
def test_monotonic(name):
    info = fa.get(name).info
    x, _ = points(info)
    edges = np.array([k.x + d for k in info.kinks for d in (-1e-9, 0, 1e-9)])
    rises = np.diff(fa.get(name)(np.sort(np.concatenate([x, edges])))) >= -1e-14
    assert info.monotonic == bool(rises.all())
    assert info.monotonic == (not info.extrema)


@every
def test_extrema(name):
    """Where the values turn, and nowhere else."""
    call, info = fa.get(name), fa.get(name).info
    for kind, x, value in info.extrema:
        assert call(x) == value
        sign = 1 if kind == "minimum" else -1
        beside = call(np.array([x - 2e-7, x + 2e-7, x - 1e-4, x + 1e-4]))
        assert np.all(sign * (beside[:2] - value) >= -1e-15)
        if name != "xielu":
            assert np.all(sign * (beside[2:] - value) > 0)
    x, step = points(info)
    steps = np.diff(call(x))
    moving = np.flatnonzero(steps)
    turns = x[moving[np.flatnonzero(np.diff(np.sign(steps[moving])))] + 1]
    wanted = [e.x for e in info.extrema if name != "xielu" or e.x < -0.5]  # the others are 1e-6 apart
    assert len(turns) == len(wanted)
    np.testing.assert_allclose(turns, wanted, atol=2 * step)


@functools.cache
def quantiles():
    """Those of the normal distribution, at the midpoints of 400,000 equal shares."""
    below = [NormalDist().inv_cdf((i + 0.5) / 400_000) for i in range(200_000)]
    return np.array([*below, *(-z for z in reversed(below))])


@every
def test_mean_and_centre(name):
    info = fa.get(name).info
    assert info.at_zero == fa.get(name)(0.0)
    mean = float(np.mean(fa.get(name)(quantiles())))
    assert mean == pytest.approx(info.mean, abs=3e-4, nan_ok=True)
    assert info.zero_centred == (abs(info.mean) < 1e-12)


@every
def test_saturation(name):
    """Soft: f' tends to 0 and is not 0 on the way; hard: f' is 0 beyond a point; no: neither."""
    call, info = fa.get(name), fa.get(name).info
    for sign, how, end in zip((-1, 1), info.saturates, info.saturated, strict=True):
        beyond = sign * np.geomspace(0.01, 1e4, 2001)
        if how == "no":
            tail = inside(info, sign * np.geomspace(1e3, 1e4, 999))
            assert math.isinf(end)
            assert np.isnan(tail).all() or abs(call.derivative(tail)).max() > 0.005
            continue
        slope = abs(call.derivative(end + beyond))
        if how == "hard":
            assert not slope.any()
            assert len(set(call(end + beyond))) == 1
            just = abs(call.derivative(end - sign * 1e-9)), abs(call(end - sign * 1e-9) - call(end + sign * 1e-9))
            assert max(just) > 0
        else:
            assert slope.max() < 0.01
            assert abs(call.derivative(end - sign * 1e-6)) > 0.01 * (1 - 1e-3)
            assert abs(call.derivative(1.4 * end if end * sign > 0 else end + sign)) > 0
            assert slope[-1] < 1e-4


@every
def test_smoothness(name):
    """Divided differences: between neighbours they shrink with the step where the derivative is continuous, and not at a jump."""
    call, order = fa.get(name), ORDER[fa.get(name).info.smoothness]
    if name == "xielu":  # its jump of 8e-7 is smaller than what it does between two points
        assert fa.get(name).info.kinks[1].jumps
        return
    found = []
    for step in (4e-3, 2e-3):
        x = inside(fa.get(name).info, np.arange(-7.0, 7.0, step) + step / 3)
        x = x[x > 0.3] if name == "log1mexp" else x
        values = [call(x), *(np.diff(call.derivative(x), k) / step**k for k in range(3))]
        found.append([abs(np.diff(v)).max() for v in values])
    for k, (coarse, fine) in enumerate(zip(*found, strict=True)):
        if k <= order:
            assert fine < 0.7 * coarse or coarse < 1e-9, k
        else:
            assert fine > 0.8 * coarse or k > order + 1, k


@every
def test_kinks(name):
    call, info = fa.get(name), fa.get(name).info
    assert bool(info.kinks) == (info.smoothness in ("discontinuous", "C0"))
    assert any(k.jumps for k in info.kinks) == (info.smoothness == "discontinuous")
    for k in info.kinks:
        assert call(k.x) == k.value
        assert call.derivative(k.x) == k.derivative
        for sign, limit, slope in zip((-1, 1), k.values, k.derivatives, strict=True):
            near = call(k.x + sign * np.array([1e-8, 2e-8]))
            assert 2 * near[0] - near[1] == pytest.approx(limit, abs=1e-12)
            assert sign * (near[1] - near[0]) / 1e-8 == pytest.approx(slope, abs=1e-5)
        assert k.derivatives[0] != k.derivatives[1] or k.jumps
    x, _ = points(info, size=180_001)
    slope = call.derivative(x)
    jumps = x[1:][abs(np.diff(slope)) > 0.01 * (1 + abs(slope[1:]))] if name != "log1mexp" else []
    where = [k.x for k in info.kinks if k.derivatives[0] != k.derivatives[1] and name != "xielu"]
    np.testing.assert_allclose(jumps, where, atol=2e-4)


@every
def test_lipschitz(name):
    call, info = fa.get(name), fa.get(name).info
    x = np.sort(np.concatenate([inside(info, np.random.default_rng(0).normal(0, 5, 4000)), points(info)[0]]))
    secants = abs(np.diff(call(x)) / np.diff(x))
    if math.isinf(info.lipschitz):
        near = [np.diff(call(np.array([k.x - h, k.x + h])))[0] / h for k in info.kinks if k.jumps for h in (1e-12, 1e-9)]
        assert max([*map(abs, near), abs(call.derivative(1e-6)), abs(call.derivative(900.0))]) > 500
    else:
        assert secants.max() <= info.lipschitz * (1 + 1e-9)
        assert secants.max() >= info.lipschitz * (1 - 5e-3)


def test_parameters():
    for name in NAMES:
        info = fa.get(name).info
        assert info.parameters == fa.get(name).params
        assert set(info.trained) <= set(info.parameters)
    assert fa.prelu.info.trained == ("weight",)
    assert fa.elu.info.trained == ()


@pytest.mark.parametrize("name", [n for n in WITH_PARAMS if fa.get(n).info.trained])
def test_trained_parameters_move_the_value(name):
    """By what `parameter_gradients` says; not at the defaults, where some have no effect."""
    call = fa.get(name)
    at = {p: 1.2 * d + 0.03 for p, d in call.params.items()}
    x = np.linspace(-3, 3, 61) + 0.017
    gradients = call.parameter_gradients(np.ones_like(x), x, **at)
    for parameter in call.info.trained:
        up, down = (call(x, **{**at, parameter: at[parameter] + h}).sum() for h in (1e-5, -1e-5))
        assert gradients[parameter] == pytest.approx((up - down) / 2e-5, abs=1e-3)
        assert abs(gradients[parameter]) > 0.1


BY_HAND = {
    "identity": 0, "relu": 2, "leaky_relu": 3, "prelu": 3, "relu6": 4, "squared_relu": 3, "hard_tanh": 4,  # max(x, 0) is two
    "sparse_sigmoid": 6,
}  # fmt: skip


def test_cost_is_counted():
    assert {name: operations(name) for name in BY_HAND} == BY_HAND
    for name in NAMES:
        info = fa.get(name).info
        assert info.operations == operations(name) > 0 or name == "identity"
        assert info.cost == info.operations / 2
        assert operations(name, "float64") >= info.operations
    assert operations("sigmoid") < operations("mish") < operations("phish")


def test_records():
    records = fa.properties()
    assert [r["name"] for r in records] == NAMES
    assert json.loads(json.dumps(records))[NAMES.index("hard_shrink")] == fa.hard_shrink.info.record()
    assert records[NAMES.index("gelu")] == fa.gelu.info.record()
    assert [r["name"] for r in fa.properties(["tanh", fa.relu])] == ["tanh", "relu"]
    lines = repr(records).splitlines()
    assert len(lines) == 1 + len(NAMES)
    assert max(map(len, lines)) <= 120
    assert fa.gelu.info is fa.get("gelu").info
    assert pickle.loads(pickle.dumps(fa.step.info)) == copy.deepcopy(fa.step.info) == fa.step.info


def test_the_text_of_an_info():
    text = repr(fa.hard_shrink.info)
    assert max(map(len, repr(fa.gelu.info).splitlines())) < 120
    kink = "x = -0.5: derivative 1 | 0, taken 0, value -0.5 | 0, taken 0"
    for words in ("range         -inf to inf", "lambd = 0.5", kink, "3.5 times relu"):
        assert words in text
    assert "weight = 0.25 (trained)" in repr(fa.prelu.info)
    assert "left soft (|f'| < 0.01 beyond -2.99322)" in repr(fa.tanh.info)
    assert "domain        0 to inf" in repr(fa.log1mexp.info)


def test_frames(monkeypatch):
    pandas = pytest.importorskip("pandas")
    frame = fa.properties(as_frame=True)
    assert list(frame.index) == NAMES
    assert frame.index.name == "name"
    assert list(frame[frame.monotonic & (frame.lipschitz <= 1)].index) == fa.find(monotonic=True, lipschitz=lambda v: v <= 1)
    assert len(pandas.DataFrame(fa.properties())) == len(NAMES)
    monkeypatch.setitem(sys.modules, "pandas", None)
    with pytest.raises(ImportError, match="as_frame=True needs pandas"):
        fa.properties(as_frame=True)


def test_find():
    both = fa.find(saturates="soft")
    assert {"tanh", "sigmoid", "arctan", "gaussian"} <= set(both)
    assert set(fa.find(saturates=("soft", "no"))) >= {"gelu", "elu", "softplus"}
    assert fa.find() == NAMES
    assert fa.find(zero_centred=True, saturates="hard") == ["hard_tanh", "sign"]
    assert fa.find(trained=True) == [n for n in NAMES if fa.get(n).info.trained]
    assert fa.find(range=(0, 1), smoothness="smooth") == ["gaussian", "laplace", "sigmoid"]
    assert fa.find(range=[-1, 1], kinks=True) == ["hard_tanh", "sign"]
    assert fa.find(operations=2) == ["relu"]
    assert fa.find(family="softplus") == ["softplus"]


@pytest.mark.parametrize(
    ("conditions", "error", "words"),
    [
        ({"monotone": True}, TypeError, "unexpected keyword 'monotone'; did you mean monotonic"),
        ({"monotonic": "yes"}, TypeError, "monotonic is 'yes'; expected True or False"),
        ({"saturates": "never"}, ValueError, "saturates is 'never'; expected one of hard, soft, no"),
        ({"saturates": ("soft",)}, ValueError, "or two of these"),
        ({"smoothness": "C9"}, ValueError, "smoothness is 'C9'"),
        ({"family": "relus"}, ValueError, "family is 'relus'.*rectifiers"),
    ],
)  # fmt: skip
def test_find_refuses(conditions, error, words):
    with pytest.raises(error, match=words):
        fa.find(**conditions)


def test_properties_refuses():
    for bad in ("softmax", np.tanh, fa.gelu.derivative, 3):
        with pytest.raises(TypeError, match=r"fastact\.properties: .*expected an elementwise activation"):
            fa.properties([bad])
    with pytest.raises(ValueError, match="gelu"):
        fa.properties(["gleu"])
