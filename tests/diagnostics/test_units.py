"""`diagnose` and `Monitor` against the plain expressions, in every layout, with what is dead, broken or empty."""

import tracemalloc

import numpy as np
import pytest
from helpers import NAMES

import fastact as fa
from fastact.diagnostics.moments import BLOCK, blocks, edges

RNG = np.random.default_rng(1)
SHARES = ("inactive", "left", "right")


def expected(z, name, axis, saturation=0.001, **params):
    """What the attributes are, by whole-array expressions in float64 over what the kernels give."""
    f = fa.get(name)
    z = np.asarray(z, np.promote_types(np.asarray(z).dtype, np.float32))
    value, slope = (a.astype(np.float64) for a in f.value_and_derivative(z, **params))
    flat = np.abs(slope) <= saturation
    return {
        "inactive": flat.mean(axis), "mean": value.mean(axis), "variance": value.var(axis), "power": (slope**2).mean(axis),
        "dead": flat.all(axis),
    }  # fmt: skip


def assert_agrees(found, want):
    for name, value in want.items():
        got = getattr(found, name)
        assert got.shape == value.shape
        np.testing.assert_allclose(got, value, rtol=1e-9, atol=1e-15, err_msg=name)


@pytest.mark.parametrize("name", NAMES)
def test_every_function(name):
    z = RNG.normal(-0.5, 3, (500, 6))
    if name == "log1mexp":
        z = np.abs(z)
    assert_agrees(fa.diagnose(z, name), expected(z, name, 0))


@pytest.mark.parametrize("name", NAMES)
def test_edges_are_where_the_slope_becomes_small(name):
    """Left of the first and right of the second it is small everywhere; just between it is not; metadata agrees."""
    f = fa.get(name)
    left, right = edges(f, [np.asarray(p) for p in f.params.values()], 0.001)
    tails = np.concatenate([-np.logspace(-9, 6, 400), np.logspace(-9, 6, 400)])
    slopes = np.abs(f.derivative(tails))
    assert (slopes[(tails <= left) | (tails >= right)] <= 0.001).all()
    assert np.isfinite(left) == (f.saturates[0] != "no")
    assert np.isfinite(right) == (f.saturates[1] != "no")
    for edge, inside in ((left, 1), (right, -1)):
        if np.isfinite(edge) and left < right:
            assert abs(f.derivative(float(edge) + inside * 1e-6 * max(1.0, abs(edge)))) > 0.001


@pytest.mark.parametrize(
    ("shape", "axis"),
    [((300, 7), 0), ((300, 7), 1), ((300, 7), -1), ((300, 7), (0, 1)), ((300, 7), None), ((50,), 0), ((), 0),
     ((40, 3, 9, 8), (0, 2, 3)),
     ((5, 40000), 0), ((40000, 5), 1), ((3, 200000), 1), ((2, 3, 50000), (0, 2)), ((100000, 3), 0), ((400, 400), 0)],
)  # fmt: skip
@pytest.mark.parametrize("layout", ["C", "F", "strided"])
def test_axes_and_layouts(shape, axis, layout):
    z = RNG.normal(0, 2, shape).astype(np.float32)
    z = np.repeat(z, 2, -1)[..., ::-2] if layout == "strided" and shape else np.asarray(z, order="F" if layout == "F" else "C")
    found = fa.diagnose(z, "gelu", axis)
    assert_agrees(found, expected(z, "gelu", axis if shape else None))
    assert found.units * found.batch == z.size


@pytest.mark.parametrize(
    ("shape", "axes"), [((5, 40000), (0,)), ((1, 1), ()), ((7, 300, 300), (2,)), ((10**6,), (0,)), ((0, 3), (0,))]
)  # fmt: skip
def test_blocks_cover_once(shape, axes):
    seen = np.zeros(shape, np.int8)
    for places in blocks(shape, axes):
        part = seen[places]
        assert part.size <= BLOCK
        part += 1
    assert (seen == 1).all()


@pytest.mark.parametrize("dtype", ["e", "f", "d", "i4", "?"])
def test_dtypes(dtype):
    """float16 is computed in float32: the square of 300 is finite."""
    z = np.array([[-3.0, 1.0], [300.0, 1.0]]).astype(dtype)
    found = fa.diagnose(z, "squared_relu")
    assert_agrees(found, expected(z, "squared_relu", 0))
    assert found.mean.dtype == np.float64
    assert found.overall["overflow"] == 0


def test_dead_units_and_sides():
    z = np.array([[-1.0, 2.0, -1.0, 9.0], [-2.0, 3.0, 1.0, 9.0]])
    found = fa.diagnose(z, "relu6")
    assert found.dead.tolist() == [True, False, False, True]
    assert found.left.tolist() == [1.0, 0.0, 0.5, 0.0]
    assert found.right.tolist() == [0.0, 0.0, 0.0, 1.0]
    assert found.overall["dead"] == 0.5
    assert "2 units of 4 are dead (50.0 %)" in str(found)
    assert not fa.diagnose(z, "leaky_relu").dead.any()  # 0.01 is more than as good as nothing
    assert "No unit is dead." in str(fa.diagnose(z, "leaky_relu"))
    assert fa.diagnose(z, "leaky_relu", saturation=0.01).dead.tolist() == [True, False, False, False]
    middle = fa.diagnose(np.array([[0.1], [2.0]]), "soft_shrink")
    assert (middle.inactive[0], middle.left[0], middle.right[0]) == (0.5, 0.0, 0.0)


def test_words():
    relu, sigmoid = (str(fa.diagnose(np.full((9, 3), -50.0), n)) for n in ("relu", "sigmoid"))
    assert "All units are dead (100.0 %)" in relu
    assert "learn nothing" in relu
    assert "leaky_relu" in relu
    assert "learn next to nothing" in sigmoid.replace("\n", " ")
    assert "sigmoid saturates on 100.0 % of the elements" in sigmoid
    assert "sigmoid, of which it is the limit" in str(fa.diagnose(np.ones((3, 1)), "step")).replace("\n", " ")
    assert "elu(alpha=0.5): 3 units, each over 9 elements" in str(fa.diagnose(np.zeros((9, 3)), "elu", alpha=0.5))
    assert "< 0.1 %" in str(fa.diagnose(np.concatenate([[-1.0], np.ones(9999)]), "relu"))


def test_nan_and_inf():
    """They are counted, and have no part in the rest; a unit of nothing else is not dead, and has no numbers."""
    z = np.array([[np.nan, np.nan, -1.0, 1.0], [1.0, np.nan, -np.inf, np.inf], [3.0, np.nan, -2.0, 2.0]])
    found = fa.diagnose(z, "relu")
    assert found.nan.tolist() == [1, 3, 0, 0]
    assert found.inf.tolist() == [0, 0, 1, 1]
    assert found.dead.tolist() == [False, False, True, False]
    np.testing.assert_allclose(found.mean, [2.0, np.nan, 0.0, 1.5])
    np.testing.assert_allclose(found.variance, [1.0, np.nan, 0.0, 0.25])
    np.testing.assert_allclose(found.inactive, [0.0, np.nan, 1.0, 0.0])
    assert found.overall["mean"] == pytest.approx((1 + 3 + 0 + 0 + 1 + 2) / 6)
    assert "4 NaN and 2 infinite of 12 elements" in str(found)
    with np.errstate(all="raise"):
        over = fa.diagnose(np.array([1.0, 1000.0]), "exponential")
    assert over.overall["overflow"] == 1
    assert over.mean == pytest.approx(np.e)
    assert "exponential or its slope is not finite for 1 finite element of z" in str(over)


def test_empty():
    for z, units in ((np.zeros((0, 3)), 3), (np.zeros((3, 0)), 0)):
        found = fa.diagnose(z, "gelu")
        assert (found.units, found.dead.any()) == (units, False)
        assert np.isnan(found.mean).all()
        assert np.isnan(found.overall["mean"])
        assert "There are no finite elements." in str(found)
    monitor = fa.Monitor("gelu").update(np.zeros((0, 2))).update(np.ones((3, 2)))
    assert_agrees(monitor.result(), expected(np.ones((3, 2)), "gelu", 0))


def test_parameters_per_unit():
    z = RNG.normal(0, 3, (2000, 3))
    alpha = np.array([0.5, 1.0, 2.0])
    assert_agrees(fa.diagnose(z, "elu", alpha=alpha), expected(z, "elu", 0, alpha=alpha))
    channels = RNG.normal(0, 3, (20, 3, 30, 40)).astype(np.float32)
    slope = np.array([0.0, 0.1, 0.2], np.float32).reshape(3, 1, 1)
    found = fa.diagnose(channels, "prelu", (0, 2, 3), weight=slope)
    assert_agrees(found, expected(channels, "prelu", (0, 2, 3), weight=slope))
    assert (found.left > 0).tolist() == [True, False, False]  # a slope of 0 is relu
    assert np.isfinite(found.edges[0]).ravel().tolist() == [True, False, False]
    assert "prelu(weight per unit)" in str(found)
    assert_agrees(fa.diagnose(z, "gelu", approximate="tanh"), expected(z, "gelu_tanh", 0))


def test_stream_is_the_whole():
    """And a mean far from 0 costs no digits of the variance."""
    z = RNG.normal(1e6, 1.0, (5000, 4))
    monitor = fa.Monitor("identity")
    for part in np.split(z, [10, 500, 501, 4000]):
        monitor.update(part)
    found, want = monitor.result(), expected(z, "identity", 0)
    assert found.batch == 5000
    np.testing.assert_allclose(found.variance, want["variance"], rtol=1e-9)
    np.testing.assert_allclose(found.overall["variance"], z.var(), rtol=1e-9)
    assert "4 units, each over 5,000 elements" in repr(monitor)
    assert monitor.reset() is monitor
    assert "no batch yet" in repr(monitor)
    alive = fa.Monitor("relu").update([[-1.0, -1.0]]).update([[1.0, -1.0]]).result()
    assert alive.dead.tolist() == [False, True]


def test_sample_is_of_all_batches():
    monitor = fa.Monitor("relu")
    for i in range(5):
        monitor.update(np.full((30000, 2), float(i)))
    z, value, slope = monitor.result().sample
    assert z.size == value.size == slope.size == 20000
    share = np.array([(z == i).mean() for i in range(5)])
    np.testing.assert_allclose(share, 0.2, atol=0.03)
    assert (slope == (z > 0)).all()
    small = np.arange(6.0).reshape(3, 2)
    assert sorted(fa.diagnose(small, "relu").sample[0]) == sorted(small.ravel())


def test_same_bits_for_any_number_of_threads(threads):
    z = RNG.normal(0, 2, (3000, 200)).astype(np.float32)
    found = []
    for n in (1, 3):
        threads(n)
        found.append(fa.diagnose(z, "silu"))
    for name in ("mean", "variance", "power", *SHARES):
        assert (getattr(found[0], name) == getattr(found[1], name)).all()


def test_memory_is_bounded(threads):
    """The expression allocates more than the array; blocks do not."""
    threads(2)
    z = np.zeros((4000, 2000), np.float32)
    fa.diagnose(z[:100], "relu")
    tracemalloc.start()
    try:
        fa.diagnose(z, "relu")
        ours = tracemalloc.get_traced_memory()[1]
        tracemalloc.reset_peak()
        (fa.relu.derivative(z) ** 2).mean(0)
        plain = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert plain >= z.nbytes
    assert ours < z.nbytes / 4


@pytest.mark.parametrize(
    ("call", "error", "words"),
    [
        (lambda: fa.diagnose([1.0], "rellu"), ValueError, "diagnose: function: there is no activation 'rellu'; did you mean"),
        (lambda: fa.diagnose([1.0], "softmax"), TypeError, "expected an elementwise activation"),
        (lambda: fa.diagnose([1.0], fa.rrelu), TypeError, "expected an elementwise activation"),
        (lambda: fa.diagnose([1.0], np.tanh), TypeError, "expected an elementwise activation"),
        (lambda: fa.diagnose([1.0], "elu", alfa=1), TypeError, "unexpected keyword 'alfa'; did you mean alpha"),
        (lambda: fa.diagnose([1.0], "relu", alpha=1), TypeError, "unexpected keyword 'alpha'"),
        (lambda: fa.diagnose([1.0], "elu", alpha=[1.0, 2.0]), ValueError, "parameters that broadcast to it, got alpha"),
        (lambda: fa.diagnose(np.ones((3, 3)), "elu", alpha=[1.0, 2.0]), ValueError, "shapes do not broadcast: z"),
        (lambda: fa.diagnose([1.0], "gelu", approximate="erf"), ValueError, "approximate is 'erf'; expected one of"),
        (lambda: fa.diagnose([1.0], "elu", alpha="a"), TypeError, "alpha has dtype"),
        (lambda: fa.diagnose([1j], "relu"), TypeError, "z has dtype complex128"),
        (lambda: fa.diagnose(np.ma.array([1.0, 2.0], mask=[0, 1]), "relu"), TypeError, "masked"),
        (lambda: fa.diagnose([1.0], "relu", axis=1), np.exceptions.AxisError, "out of bounds"),
        (lambda: fa.diagnose([1.0], "relu", axis=0.5), TypeError, "axis is 0.5"),
        (lambda: fa.diagnose([1.0], "relu", saturation=-1), ValueError, "saturation is -1"),
        (lambda: fa.diagnose([1.0], "relu", saturation="0"), TypeError, "saturation is '0'"),
        (lambda: fa.Monitor("relu").result(), ValueError, "fastact.Monitor.result: no batch"),
        (lambda: fa.Monitor("relu").update([[1.0]]).update([[1.0, 2.0]]), ValueError, "Monitor: z has shape .1, 2.; expected"),
    ],
)  # fmt: skip
def test_errors(call, error, words):
    with pytest.raises(error, match=words):
        call()


def test_plot():
    matplotlib = pytest.importorskip("matplotlib")
    matplotlib.use("agg")
    import matplotlib.pyplot as plt

    z = RNG.normal(-1, 1, (300, 5)) - [0, 0, 0, 0, 20]
    figure = fa.diagnose(z, "relu").plot()
    _, value, slope, units = figure.axes
    assert (value.get_xlabel(), slope.get_xlabel()) == ("f(z)", "f'(z)")
    assert [t.get_text() for t in units.get_legend().get_texts()] == ["dead: 20.0 %"]
    _, axes = plt.subplots(1, 4)
    assert fa.diagnose(z, "prelu", weight=np.full(5, 0.1)).plot(axes) is axes[0].figure
    fa.diagnose(np.zeros((0, 2)), "relu").plot()
    with pytest.raises(ValueError, match="axes has 2 elements; expected 4"):
        fa.diagnose(z, "relu").plot(axes[:2])
    plt.close("all")


def test_without_matplotlib(monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "matplotlib.pyplot", None)
    for draw in (fa.diagnose([1.0], "relu").plot, fa.gradient_flow([np.ones(2)]).plot):
        with pytest.raises(ImportError, match=r"fastact\[plot\]"):
            draw()
