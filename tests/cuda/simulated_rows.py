"""Functions of rows and gated units on a simulated GPU; test_compiled.py starts these in an interpreter of their own.

The kernels' text runs on threads that take turns from exchange to exchange; a warp has four threads here, and
blocks are small, so that every way to share out a row is taken.
"""

from functools import partial

import numpy as np
import pytest
import reference_rows
from helpers import numbers
from numba import cuda
from simulated import assert_near

import fastact as fa
from fastact.cuda import host, launch
from fastact.cuda import rows as cuda_rows

ROWS = ["softmax", "log_softmax", "softmax1", "softmin", "log_softmin"]
UNITS = ["glu", "bilinear", "reglu", "geglu", "swiglu", "seglu"]
DTYPES = [np.float16, np.float32, np.float64]

# (shape, axis): some threads of a warp, a warp, a block, several blocks; with and without groups and tails
SHAPES = [
    ((3, 1), -1), ((5, 4), -1), ((2, 16), -1), ((3, 5), -1), ((1, 7), -1), ((18, 24), -1), ((17, 22), -1), ((1, 21), -1),
    ((1, 35), -1), ((2, 32), -1), ((2, 3, 4), (1, 2)), ((4, 3, 5), 1), ((2, 40), 0), ((40, 2), 0), ((3, 64), 0), ((0, 3), -1),
    ((3, 0), -1),
]  # fmt: skip
CASES = [(shape, axis, dtype) for dtype in DTYPES for shape, axis in (SHAPES if dtype == np.float32 else SHAPES[1::3])]


def rows(shape, dtype, seed=0):
    return numbers(int(np.prod(shape)), np.float32, seed, scale=3.0).clip(-200, 200).astype(dtype).reshape(shape)


@pytest.mark.parametrize(("shape", "axis", "dtype"), CASES)
def test_rows(shape, axis, dtype):
    x, grad = rows(shape, dtype), rows(shape, dtype, 1)
    device = cuda.to_device(x)
    for name in ROWS[:3]:
        function = getattr(fa, name)
        y = function(x, axis)
        assert_near(function(device, axis), y)
        got = function.backward(cuda.to_device(grad), cuda.to_device(y), axis)
        want = function.backward(grad, y, axis)
        scale = np.abs(np.multiply(grad, 1 if "log" in name else y, dtype=float)).sum(axis=axis, keepdims=True).max(initial=0.0)
        assert got.dtype == want.dtype
        np.testing.assert_allclose(got.copy_to_host(), want, rtol=0, atol=4 * float(np.finfo(dtype).eps) * scale)


@pytest.mark.parametrize("name", ROWS)
@pytest.mark.parametrize("n", [5, 19, 50])
def test_accuracy_of_rows(name, n):
    """The bound of the CPU kernels, 2 ULP of the exact result; 2.5 with a temperature."""
    x = rows((1, n), np.float32)
    for temperature, bound in ((1.0, 2.0), (0.37, 2.5)):
        got = getattr(fa, name)(cuda.to_device(x), temperature=temperature).copy_to_host()[0]
        for g, w in zip(got, reference_rows.ROWS[name](x[0].tolist(), temperature), strict=True):
            assert abs(float(g) - w) <= bound * float(np.spacing(np.float32(abs(w)))), (name, temperature, g, float(w))


@pytest.mark.parametrize("n", [3, 30])
def test_special_rows(n):
    """Masked rows, infinities and NaN, as on the CPU."""
    x = np.zeros((8, n), np.float32)
    x[0] = -np.inf
    x[1, 1:] = -np.inf
    x[2, 0] = np.inf
    x[3, 2] = np.nan
    x[4, 0] = -np.inf
    x[5] = 1e38
    x[6, 0] = 3e38
    x[7] = np.linspace(0, -110, n)
    for name in ROWS[:2]:
        function = getattr(fa, name)
        with np.errstate(all="ignore"):
            want = function(x)
        got = function(cuda.to_device(x)).copy_to_host()
        np.testing.assert_array_equal(np.isnan(got), np.isnan(want))
        np.testing.assert_allclose(got, want, rtol=4 * float(np.finfo(np.float32).eps), atol=1e-44)
    assert fa.softmax(cuda.to_device(x)).copy_to_host()[1, 0] == 1


def test_rows_in_place_and_layouts():
    x = rows((3, 40), np.float32)
    for n in (16, 40):
        given = x[:, :n].copy()
        device = cuda.to_device(given)
        assert fa.softmax(device, out=device) is device
        assert_near(device, fa.softmax(given))
        whole = cuda.to_device(x)
        assert_near(fa.softmax(whole[:, :n]), fa.softmax(given))
        out = cuda.to_device(np.zeros_like(x))
        fa.softmax(whole[:, :n], out=out[:, :n])
        assert_near(out[:, :n], fa.softmax(given))
        assert not out.copy_to_host()[:, n:].any()
    assert_near(fa.log_softmax(cuda.to_device(x).T, 0), fa.log_softmax(x.T, 0))
    assert_near(fa.softmax.backward(cuda.to_device(x[0]), cuda.to_device(x)), fa.softmax.backward(x[0], x))


def test_each_way_is_taken(monkeypatch):
    taken = set()
    launcher = cuda_rows._launcher
    monkeypatch.setattr(cuda_rows, "_launcher", lambda *a: taken.add((*a[0][2:], a[2])) or launcher(*a))
    for shape, axis in SHAPES:
        fa.softmax(cuda.to_device(rows(shape, np.float32)), axis)
    assert {(width, block, stage) for width, _, block, stage, _ in taken} >= {
        (w, block, stage) for w in (1, 4) for block, stage in ((False, -1), (True, -1), (True, 0), (True, 1), (True, 2))
    }
    assert {lanes for _, _, block, _, (lanes, _) in taken if not block} == {1, 2, 4}
    assert {apart for _, apart, *_ in taken} == {False, True}


@pytest.mark.parametrize(("name", "dtype"), [
    pytest.param(n, d, marks=() if d == np.float32 or n in ("glu", "swiglu") else pytest.mark.release)
    for n in UNITS for d in DTYPES
])  # fmt: skip
def test_gated_units(name, dtype):
    unit = getattr(fa, name)
    x, grad = rows((3, 5, 16), dtype), rows((3, 5, 16), dtype, 1)
    device = cuda.to_device(x)
    for axis, half in ((-1, np.s_[..., :8]), (0, None), (2, np.s_[..., :8])):
        if half is None:
            with pytest.raises(ValueError, match=rf"fastact\.{name}: axis 0 of x has length 3; expected an even one"):
                unit(device, axis=axis)
            continue
        assert_near(unit(device, axis=axis), unit(x, axis=axis))
        assert_near(unit.backward(cuda.to_device(grad)[half], device, axis=axis), unit.backward(grad[half], x, axis=axis))
    a, b = x, grad
    assert_near(unit(device, cuda.to_device(b)), unit(a, b))
    assert_near(unit(device, cuda.to_device(b[0, :1])), unit(a, b[0, :1]))
    for got, want in zip(unit.backward(cuda.to_device(a), device, cuda.to_device(b)), unit.backward(a, a, b), strict=True):
        assert_near(got, want)
    out = cuda.to_device(a)
    assert unit(out, cuda.to_device(b), out=out) is out
    assert_near(out, unit(a, b))


@pytest.mark.parametrize("chunk", [64, 1 << 20])
@pytest.mark.parametrize("dtype", DTYPES)
def test_arrays_of_the_host(monkeypatch, chunk, dtype):
    monkeypatch.setattr(host, "CHUNK", chunk)
    x, grad = rows((5, 2, 6), dtype), rows((5, 2, 6), dtype, 1)
    for axis in (-1, 0, 1, (0, 2)):
        assert_near(fa.softmax(x, axis, device="cuda"), fa.softmax(x, axis))
        y = fa.softmax(x, axis)
        got, want = fa.softmax.backward(grad, y, axis, device="cuda"), fa.softmax.backward(grad, y, axis)
        np.testing.assert_allclose(got, want, rtol=0, atol=8 * float(np.finfo(dtype).eps) * 20)
    mask = x > 0
    assert_near(fa.softmax(x, where=mask, device="cuda"), fa.softmax(x, where=mask))
    out = x.copy()
    assert fa.log_softmax(out, out=out, device="cuda") is out
    assert_near(out, fa.log_softmax(x))
    for axis in (-1, 1):
        assert_near(fa.geglu(x, axis=axis, device="cuda"), fa.geglu(x, axis=axis))
        half = np.take(grad, range(grad.shape[axis] // 2), axis)
        assert_near(fa.glu.backward(half, x, axis=axis, device="cuda"), fa.glu.backward(half, x, axis=axis))
    with fa.device("cuda"):
        got = fa.swiglu(x, grad)
        assert fa.last_target() == "cuda"
        assert_near(got, fa.swiglu(x, grad, device="cpu"))
        assert fa.softmax(x[:0]).shape == (0, 2, 6)
        assert fa.sparsemax(x.astype(float)).shape == x.shape  # has no kernel there
        assert fa.last_target() == "cpu"


def test_errors():
    x = rows((4, 6), np.float32)
    device = cuda.to_device(x)
    cases = [
        (lambda: fa.softmax(device, 2), ValueError, r"fastact\.softmax: axis 2 is out of bounds for x of 2 dimensions"),
        (lambda: fa.softmax(cuda.to_device(x.reshape(2, 2, 6)), (0, 2)), ValueError, r"axis is \(0, 2\); expected neighbouring"),
        (lambda: fa.softmax(device, where=x > 0), TypeError, r"fastact\.softmax: where is not supported on a GPU; out is"),
        (lambda: fa.softmax(x, out=device), TypeError, r"fastact\.softmax: x is ndarray on the CPU; expected all"),
        (lambda: fa.softmax(device, out=x), TypeError, r"fastact\.softmax: out is ndarray on the CPU; expected all"),
        (lambda: fa.softmax(device, device="cpu"), ValueError, r"fastact\.softmax: device is 'cpu', but arguments are on a GPU"),
        (lambda: fa.softmax(device, temperature=0), ValueError, r"fastact\.softmax: temperature is 0; expected a number between"),
        (lambda: fa.softmax.backward(device[:3], device), ValueError, r"grad has shape \(3, 6\); expected \(4, 6\) of y"),
        (lambda: fa.softmax.backward(device, device[:1]), ValueError, r"grad has shape \(4, 6\); expected \(1, 6\) of y"),
        (lambda: fa.swiglu(device, device, axis=0), TypeError, r"fastact\.swiglu: axis goes with one array"),
        (lambda: fa.swiglu(device, x), TypeError, r"fastact\.swiglu: b is ndarray on the CPU; expected all arrays on one GPU"),
        (lambda: fa.swiglu(device, device[:3]), ValueError, r"fastact\.swiglu: shapes do not broadcast: a \(4, 6\), b \(3, 6\)"),
        (lambda: fa.swiglu.backward(device, device), ValueError, r"swiglu\.backward: grad has shape \(4, 6\); expected \(4, 3\)"),
        (lambda: fa.softmax(x, out=x[:2], device="cuda"), ValueError, r"fastact\.softmax: out is not a C-contiguous NumPy array"),
        (lambda: fa.glu(x, device="tpu"), ValueError, r"fastact\.glu: device is 'tpu'; expected 'cpu' or 'cuda'"),
    ]
    each, rows_ = np.ones(4), r"temperature has a number for each row; on a GPU expected a number"
    for name in ("softmax", "log_softmax", "softmin", "log_softmin", "softmax1"):
        function = getattr(fa, name)
        for given, keywords in ((device, {}), (x, {"device": "cuda"})):
            cases += [
                (partial(function, given, temperature=each, **keywords), TypeError, rf"fastact\.{name}: {rows_}"),
                (partial(function.backward, given, given, temperature=each, **keywords), TypeError,
                 rf"fastact\.{name}\.backward: {rows_}"),
            ]  # fmt: skip
    for keyword, value in {"limit": 7.0, "alpha": 1.7, "offset": 1.0, "interleaved": True}.items():
        for given, keywords in ((device, {}), (x, {"device": "cuda"})):
            message = rf"{keyword} not supported on a GPU; expected the default"
            keywords = {keyword: value, **keywords}
            cases += [
                (partial(fa.swiglu, given, **keywords), TypeError, rf"fastact\.swiglu: {message}"),
                (partial(fa.swiglu.backward, given, given, **keywords), TypeError, rf"fastact\.swiglu\.backward: {message}"),
            ]
    for call, error, message in cases:
        with pytest.raises(error, match=message):
            call()


def test_launches_of_part_of_a_gated_unit(monkeypatch):
    monkeypatch.setattr(launch, "LAUNCH", 16)
    x = rows((9, 8), np.float32)
    assert_near(fa.swiglu(cuda.to_device(x)), fa.swiglu(x))
