"""Gated units: both forms, values and gradients against mpmath, layouts, errors."""

import inspect
import pickle

import numpy as np
import pytest
from helpers import DTYPES, assert_same_bits
from hypothesis import given, seed
from hypothesis import strategies as st
from mpmath import mpf
from reference import REFERENCE

import fastact as fa
from fastact.functions.gated import FUNCTIONS

UNITS = {"glu": "sigmoid", "bilinear": "identity", "reglu": "relu", "geglu": "gelu", "swiglu": "silu", "seglu": "selu"}
NAMES = [f.__name__ for f in FUNCTIONS]
SHAPES = st.lists(st.sampled_from([2, 4, 6, 34, 70]), min_size=1, max_size=3)
LAYOUTS = {
    "C": lambda x, axis: x, "Fortran": lambda x, axis: np.asfortranarray(x), "reversed": lambda x, axis: x[::-1],
    "repeated": lambda x, axis: np.repeat(x, 2, axis), "byte-swapped": lambda x, axis: x.astype(x.dtype.newbyteorder()),
}  # fmt: skip


def test_complete():
    assert set(NAMES) == set(UNITS)
    assert [n for n in NAMES if getattr(fa, n).gate == "second"] == ["glu"]


def ordered(name, a, b):
    """Gate and other half."""
    return (b, a) if name == "glu" else (a, b)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("name", NAMES)
def test_values_and_gradients(name, dtype):
    """Against the definition in mpmath; gradients too, to both halves."""
    rng = np.random.default_rng(0)
    a, b = (4 * rng.normal(size=(2, 400))).astype(dtype)
    grad = rng.normal(size=400).astype(dtype)
    gate, other = ordered(name, a, b)
    reference = REFERENCE[UNITS[name]]
    eps = mpf(float(np.finfo(dtype).eps))
    got, gradients = getattr(fa, name)(a, b), ordered(name, *getattr(fa, name).backward(grad, a, b))
    for i in range(400):
        g, o, d = (mpf(float(v[i])) for v in (gate, other, grad))
        value, slope = reference.value(g), reference.derivative(g)
        floor = eps * abs(o * d) if name in ("geglu", "swiglu") and abs(g + 1) < 1.3 else 0  # near the root of the slope
        least = 2 * mpf(float(np.finfo(dtype).smallest_subnormal)) * (1 + abs(o)) * (1 + abs(d))
        floor += least
        assert abs(float(got[i]) - value * o) <= 4 * eps * abs(value * o) + least
        assert abs(float(gradients[0][i]) - d * o * slope) <= 5 * eps * abs(d * o * slope) + floor
        assert abs(float(gradients[1][i]) - d * value) <= 4 * eps * abs(d * value) + least


@pytest.mark.parametrize("name", NAMES)
@seed(7)
@given(st.data())
def test_any_shape_and_layout(name, data):
    """Both forms are the product of the elementwise functions, bit for bit."""
    shape = data.draw(SHAPES)
    axis = data.draw(st.integers(-len(shape), len(shape) - 1))
    dtype = data.draw(st.sampled_from(DTYPES))
    x = np.random.default_rng(sum(shape)).normal(size=shape).astype(dtype)
    x = LAYOUTS[data.draw(st.sampled_from(list(LAYOUTS)))](x, axis)
    a, b = np.split(x, 2, axis)
    function = getattr(fa, name)
    gate, other = ordered(name, a, b)
    want = getattr(fa, UNITS[name])(gate) * other
    assert_same_bits(function(x, axis=axis), want.astype(dtype))
    assert_same_bits(function(a, b), want.astype(dtype))
    out = np.full(want.shape, np.nan, dtype).T.copy().T
    assert function(x, axis=axis, out=out) is out
    assert_same_bits(out, want.astype(dtype))
    grad = np.random.default_rng(1).normal(size=want.shape).astype(dtype)
    slope = getattr(fa, UNITS[name]).derivative(gate)
    first, second = ordered(name, slope * other * grad, getattr(fa, UNITS[name])(gate) * grad)
    by_a, by_b = function.backward(grad, a, b)
    assert_same_bits(by_a, first.astype(dtype))
    assert_same_bits(by_b, second.astype(dtype))
    assert_same_bits(function.backward(grad, x, axis=axis), np.concatenate([by_a, by_b], axis))


@pytest.mark.parametrize("name", NAMES)
def test_in_place_overlapping_and_threads(name, threads):
    function = getattr(fa, name)
    x = np.random.default_rng(0).normal(size=(300, 2 * 1031)).astype(np.float32)
    threads(1)
    want = function(x)
    threads(3)
    assert_same_bits(function(x), want)
    for half in (slice(None, 1031), slice(1031, None)):
        y = x.copy()
        function(y, out=y[:, half])
        assert_same_bits(y[:, half], want)
    y = x.copy()
    function(y, out=y[:, 7 : 7 + 1031])
    assert_same_bits(y[:, 7 : 7 + 1031], want)


@pytest.mark.parametrize("name", NAMES)
def test_dtypes_and_broadcasting(name):
    function = getattr(fa, name)
    x = np.array([1, -2, 3, 4])
    for dtype, want in (("e", "e"), ("f", "f"), ("i8", "d"), ("i2", "f"), ("?", "e")):
        assert function(x.astype(dtype)).dtype == np.dtype(want)
    assert function(np.ones(3, "f"), 2 * np.ones((2, 1), "d")).shape == (2, 3)
    assert function(np.ones(3, "f"), np.ones(3, "d")).dtype == np.float64
    assert function(2.0, 3.0) == getattr(fa, UNITS[name])(ordered(name, 2.0, 3.0)[0]) * ordered(name, 2.0, 3.0)[1]
    assert function(np.zeros((0, 4))).shape == (0, 2)
    for grad, want in ((1.0, "e"), (np.float64(1.0), "d")):
        gradients = function.backward(grad, np.ones(3, "e"), np.ones((2, 3), "e"))
        assert [(g.shape, g.dtype.char) for g in gradients] == [((2, 3), want)] * 2
    assert function.backward(np.ones((5, 2), "e"), np.ones((5, 4), "e")).dtype == np.float16


@pytest.mark.parametrize("name", NAMES)
def test_errors(name):
    function = getattr(fa, name)
    title = rf"fastact\.{name}: "
    x = np.ones((3, 4))
    for error, message, args, kwargs in (
        (ValueError, r"axis 0 of x has length 3; expected an even one", (x,), {"axis": 0}),
        (ValueError, r"axis 2 is out of bounds for x of 2 dimensions", (x,), {"axis": 2}),
        (ValueError, r"axis is \(0, 1\); expected one axis", (x,), {"axis": (0, 1)}),
        (TypeError, r"axis is 0\.5; expected an integer", (x,), {"axis": 0.5}),
        (TypeError, r"axis goes with one array", (x, x), {"axis": 1}),
        (ValueError, r"a has shape \(3, 4\) and b \(2,\); they do not broadcast", (x, np.ones(2)), {}),
        (TypeError, r"b has dtype complex128", (x, x * 1j), {}),
        (ValueError, r"out has shape \(3, 4\); expected \(3, 2\)", (x,), {"out": x}),
        (TypeError, r"out has dtype int64", (x,), {"out": np.zeros((3, 2), int)}),
    ):
        with pytest.raises(error, match=title + message):
            function(*args, **kwargs)
    with pytest.raises(ValueError, match=rf"fastact\.{name}\.backward: grad has shape \(3, 4\); expected \(3, 2\)"):
        function.backward(x, x)
    assert (x == 1).all()


@pytest.mark.parametrize("name", NAMES)
def test_docs_and_metadata(name):
    function = getattr(fa, name)
    doc = inspect.getdoc(function)
    for section in ("Parameters", "Returns", "Raises", "Notes", "References", "Examples"):
        assert f"\n{section}\n{'-' * len(section)}\n" in doc
    assert "The gate is " + ("b (the second" if name == "glu" else "a (the first") in doc.replace("\n", " ")
    assert fa.get(name) is function
    assert pickle.loads(pickle.dumps(function)) is function


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("name", NAMES)
def test_products_that_overflow_halfway(name, dtype):
    """Where the whole product is finite; among few elements and many, some of them infinite anyway."""
    most = np.finfo(dtype).max
    gate = np.array([most, most, most * dtype(0.97), 1.5, 1.5, 1e3, most, np.inf], dtype)
    other = np.array([0.5, -1e-3, 0.9, most, -most * dtype(0.95), most, 2.0, 0.5], dtype)
    grad = np.array([0.75, 1e-5, -0.5, 0.5, 0.9, 1e-6, 2.0, 1.0], dtype)
    reference, eps = REFERENCE[UNITS[name]], float(np.finfo(dtype).eps)
    for repeat in (1, 300):
        given = [np.tile(v, repeat) for v in ordered(name, gate, other)]
        value = getattr(fa, name)(*given)[-8:]
        by_gate, by_other = (v[-8:] for v in ordered(name, *getattr(fa, name).backward(np.tile(grad, repeat), *given)))
        assert value[-1] == getattr(fa, UNITS[name])(np.inf) / 2
        for i, (g, o, d) in enumerate(zip(gate[:-1], other[:-1], grad[:-1], strict=True)):
            g, o, d = (mpf(float(v)) for v in (g, o, d))
            y, slope = reference.value(g), reference.derivative(g)
            for got, want in ((value, y * o), (by_gate, slope * o * d), (by_other, y * d)):
                expected = float(want) if abs(want) <= most else np.copysign(np.inf, float(np.sign(float(want))))
                assert float(got[i]) == pytest.approx(expected, rel=8 * eps, abs=1e-30), (repeat, i)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("name", ["glu", "bilinear", "reglu", "geglu", "swiglu", "seglu"])
def test_the_fast_path_is_the_general_one(name, dtype):
    """`device=` keeps a call from it; sizes on both sides of a block and of what memory is kept for."""
    unit, rng = getattr(fa, name), np.random.default_rng(0)
    for shape in [(2,), (1, 2), (7, 34), (3, 4, 6), (5, 2048), (33, 4000)]:
        x, y = rng.normal(0, 3, (2, *shape)).astype(dtype)
        x.flat[0], y.flat[-1] = np.inf, np.nan
        half = rng.normal(size=(*shape[:-1], shape[-1] // 2)).astype(dtype)
        for call, *arrays in ((unit, x, y), (unit, x), (unit.backward, y, x, y), (unit.backward, half, x)):
            assert_all_same(call(*arrays), call(*arrays, device="cpu"))
    x = rng.normal(size=(6, 8)).astype(dtype)
    for v in (x[:, ::2], x.T, x.astype(x.dtype.newbyteorder()), x[:0]):
        plain = np.ascontiguousarray(v, dtype)
        assert_all_same(unit(v, v), unit(plain, plain, device="cpu"))
    with pytest.raises(ValueError, match="has length 3; expected an even one"):
        unit(x[:, :3].copy())


def assert_all_same(got, want):
    for g, w in zip(got, want, strict=True) if isinstance(want, tuple) else [(got, want)]:
        assert g.shape == w.shape
        assert_same_bits(g, w)
