"""Plots: which lines, marks and shades there are, for every function, and what is refused."""

import math

import numpy as np
import pytest
from helpers import NAMES, run_python

import fastact as fa

pytest.importorskip("matplotlib")
from matplotlib.figure import Figure
from matplotlib.mathtext import MathTextParser


def panels(count=1):
    return Figure().subplots(1, count)


def labels(axes):
    return axes.get_legend_handles_labels()[1]


def lines(axes):
    """The curves by their labels."""
    return {h.get_label(): np.ma.filled(h.get_xydata(), np.nan) for h in axes.get_legend_handles_labels()[0]}


def dots(axes):
    """The dots at kinks: point, and whether it is filled."""
    found = [line for line in axes.get_lines() if line.get_marker() == "o"]
    return [(*map(float, d.get_xydata()[0]), d.get_markerfacecolor() == d.get_color()) for d in found]


def test_one_function():
    axes = panels()
    assert fa.gelu.plot(ax=axes) is axes
    assert axes.get_title(loc="left") == "gelu"
    assert "Phi" in axes.get_title(loc="right")
    curve, slope = lines(axes).values()
    np.testing.assert_array_equal(curve[:, 1], fa.gelu(curve[:, 0]))
    np.testing.assert_array_equal(slope[:, 1], fa.gelu.derivative(slope[:, 0]))
    left, right = axes.get_xlim()
    assert (left, right) == (-4, 4)
    shade = [p.get_extents().transformed(axes.transData.inverted()) for p in axes.patches]
    assert [(round(s.x0, 3), round(s.x1, 3)) for s in shade] == [(-4, round(-3.0674272039, 3))]
    assert [t.get_text() for t in axes.texts] == ["y = x"]
    bare = fa.gelu.plot(ax=panels(), derivative=False, marks=False, xlim=(-1, 2))
    assert labels(bare) == ["$f$"]
    assert (len(bare.patches), len(bare.texts)) == (0, 0)
    assert bare.get_xlim() == (-1, 2)


def test_dots_at_a_jump():
    """Filled for what is taken, open for what a side tends to."""
    axes = fa.step.plot(ax=panels(), derivative=False, at=0.5)
    assert sorted(dots(axes)) == [(0, 0, False), (0, 0.5, True), (0, 1, False)]
    axes = fa.relu.plot(ax=panels())
    assert sorted(dots(axes)) == [(0, 0, True), (0, 0, True), (0, 1, False)]
    slope = lines(axes)["$f\\,'$"]
    assert np.isnan(slope[slope[:, 0] == 0.0, 1]).all()  # no line across the jump
    assert set(slope[~np.isnan(slope[:, 1]), 1]) == {0.0, 1.0}


def test_several_functions():
    value, slope = fa.plot("gelu", fa.silu, "ReLU", ax=panels(2))
    for axes, of in ((value, lambda f: f), (slope, lambda f: f.derivative)):
        assert axes.get_xlim() == value.get_xlim()
        for line, name in zip([h for h in axes.get_lines() if h.get_label() in NAMES], ("gelu", "silu", "relu"), strict=True):
            assert line.get_label() == name
            there = ~np.isnan(line.get_ydata())
            np.testing.assert_array_equal(line.get_ydata()[there], of(fa.get(name))(line.get_xdata()[there]))
    drawn = [line for line in value.get_lines() if line.get_label() in NAMES]
    assert len({line.get_color() for line in drawn}) == len({str(line._dash_pattern) for line in drawn}) == 3
    assert len(slope.patches) == 3  # the tracks of three saturated left tails
    assert labels(fa.plot("gelu", "silu", ax=panels())) == ["gelu", "silu"]


def test_a_parameter_of_several_numbers():
    axes = fa.elu.plot(ax=panels(), derivative=False, alpha=[0.5, 1.5])
    assert labels(axes) == ["elu, alpha = 0.5", "elu, alpha = 1.5"]
    assert lines(axes)["elu, alpha = 1.5"][:, 1].min() == pytest.approx(-1.5, abs=0.01)
    assert fa.plot("gelu", ax=panels(), approximate="tanh").get_title(loc="left") == "gelu_tanh"
    assert labels(fa.plot("elu", "relu", derivative=False, ax=panels(), alpha=2)) == ["elu, alpha = 2", "relu"]


@pytest.mark.parametrize("name", NAMES)
def test_every_function(name):
    axes = fa.get(name).plot(ax=panels())
    MathTextParser("path").parse(axes.get_title(loc="right") or "none that fits")
    curve, slope, *_ = lines(axes).values()
    assert np.isfinite(curve[:, 1]).mean() > 0.99
    assert np.ptp(curve[np.isfinite(curve[:, 1]), 1]) > 0
    kinks = {x for x, _, _ in dots(axes)}
    for x in kinks:
        assert axes.get_xlim()[0] < x < axes.get_xlim()[1]
        assert np.isnan(slope[slope[:, 0] == x, 1]).all()
    assert len(kinks) == len(fa.get(name).spec.kinks_at()) or name == "xielu"  # whose kinks are 1e-6 apart


def test_the_sheet():
    figure = fa.plot_all(NAMES[::3], figure=Figure(), columns=4)
    assert sorted(axes.get_title(loc="left") for axes in figure.axes) == NAMES[::3]
    sections = [t.get_text() for t in figure.texts]
    assert len(sections) == 5
    boxes = [axes.get_position() for axes in figure.axes]
    assert all(0 < b.x0 < b.x1 < 1 and 0 < b.y0 < b.y1 < 1 for b in boxes)
    assert not any(a.overlaps(b) for i, a in enumerate(boxes) for b in boxes[:i])
    assert all(len(axes.get_lines()) >= 4 for axes in figure.axes)


@pytest.mark.parametrize(
    ("functions", "keywords", "error", "words"),
    [
        ([], {}, TypeError, "no function"),
        (["gleu"], {}, ValueError, "did you mean.*gelu"),
        (["softmax"], {}, TypeError, "fastact.plot: softmax is not elementwise, its values depend on whole rows"),
        (["geglu"], {}, TypeError, r"two inputs.*fastact.plot\('gelu'\)"),
        (["maxout"], {}, TypeError, "several inputs"),
        (["rrelu"], {}, TypeError, "random"),
        ([np.tanh], {}, TypeError, "activation of fastact"),
        ([fa.gelu.derivative], {}, TypeError, "activation of fastact"),
        (["elu"], {"beta": 1}, TypeError, "unexpected keyword 'beta'.*alpha"),
        (["elu"], {"alpha": "one"}, TypeError, "alpha is 'one'"),
        (["elu"], {"alpha": []}, TypeError, "alpha is"),
        (["elu"], {"alpha": math.nan}, TypeError, "alpha is nan"),
        (["gelu"], {"approximate": "sine"}, ValueError, "approximate is 'sine'"),
        (["gelu"], {"xlim": (2, 1)}, ValueError, "xlim is"),
        (["gelu"], {"xlim": 3}, TypeError, "xlim is 3"),
        (["gelu"], {"xlim": (0, math.inf)}, ValueError, "xlim is"),
        (["gelu"], {"ax": "here"}, TypeError, "ax is 'here'"),
        (["gelu", "elu"], {"ax": panels(3)}, ValueError, "ax has 3 axes"),
        (["gelu", "elu"], {"ax": panels(2), "derivative": False}, ValueError, "ax has two axes"),
    ],
)  # fmt: skip
def test_refusals(functions, keywords, error, words):
    with pytest.raises(error, match=words):
        fa.plot(*functions, **{"ax": panels(), **keywords})


def test_without_matplotlib():
    code = """
import sys
sys.modules["matplotlib"] = None
import fastact as fa
for call in (lambda: fa.plot("gelu"), fa.gelu.plot, fa.plot_all):
    try:
        call()
    except ImportError as error:
        print(error)
"""
    done = run_python(code)
    assert done.stdout.count('pip install "fastact[plot]"') == 3, done.stderr


def test_new_figures(monkeypatch):
    monkeypatch.setenv("MPLBACKEND", "Agg")
    from matplotlib import pyplot

    value, slope = fa.plot("gelu", "silu")
    assert value.figure is slope.figure is pyplot.gcf()
    pyplot.close("all")
