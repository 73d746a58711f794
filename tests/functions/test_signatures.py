"""Calls as people coming from other libraries write them: they work, or say what is meant here."""

import inspect

import numpy as np
import pytest
from helpers import NAMES

import fastact as fa

X = np.linspace(-1.0, 1.0, 4)
ROWS = ["softmax", "log_softmax", "softmin", "log_softmin", "hardmax", "sparsemax", "entmax15", "logsumexp"]
GATED = ["glu", "bilinear", "reglu", "geglu", "swiglu", "seglu"]
OTHERS = [*ROWS, *GATED, "maxout", "max_affine", "crelu", "rrelu", "noisy_relu", "gumbel_softmax"]


@pytest.mark.parametrize("name", NAMES)
def test_arrays_by_name(name):
    call = getattr(fa, name)
    np.testing.assert_array_equal(call(x=X), call(X))
    np.testing.assert_array_equal(call.backward(grad=X, x=X), call.backward(X, X))
    np.testing.assert_array_equal(call.backward(X, x=X), call.backward(X, X))
    with pytest.raises(TypeError, match=rf"fastact\.{name}: 'x' is given twice"):
        call(X, x=X)
    parameters = inspect.signature(call).parameters
    assert list(parameters)[: 1 + len(call.params)] == ["x", *call.params]
    assert "device" in parameters
    assert ("approximate" in parameters) == (name == "gelu")


@pytest.mark.parametrize(("keyword", "ours", "names"), [
    ("dim", "axis", [*ROWS, *GATED, "maxout", "crelu", "gumbel_softmax"]), ("keepdim", "keepdims", ["logsumexp"]),
    ("inplace", "out=x", [*NAMES, *ROWS, "crelu"]), ("mask", "where", [*NAMES, *ROWS]), ("axes", "axis", ROWS),
])  # fmt: skip
def test_keywords_of_others(keyword, ours, names):
    """The message names ours."""
    for name in names:
        function = getattr(fa, name)
        required = [p for p in inspect.signature(function).parameters.values() if p.default is p.empty]
        with pytest.raises(TypeError, match=rf"fastact\.{name}: unexpected keyword '{keyword}'.*; did you mean {ours}\?"):
            function(*[X if p.name != "pieces" else 2 for p in required], **{keyword: 1})


@pytest.mark.parametrize("name", OTHERS)
def test_missing_arguments(name):
    function = getattr(fa, name)
    for call in (function, function.backward):
        title = f"fastact.{name}" if call is function else f"fastact.{name}.backward"
        with pytest.raises(TypeError, match=rf"{title}: missing argument"):
            call()
        with pytest.raises(TypeError) as caught:
            call(*[X] * 20)
        assert type(function).__name__ not in str(caught.value)
        assert "unknown" not in str(inspect.signature(call))
        assert "REQUIRED" not in str(inspect.signature(call))


@pytest.mark.parametrize("name", GATED)
def test_an_axis_as_second_array(name):
    """glu(x, -1) splits x in torch and jax."""
    for axis in (-1, 0, np.int64(1)):
        with pytest.raises(TypeError, match=rf"fastact\.{name}: b is .*axis={axis} "):
            getattr(fa, name)(X, axis)
    assert getattr(fa, name)(X, 2.0).shape == X.shape


@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64])
def test_all_axes_and_no_axis(dtype):
    x = np.arange(6, dtype=dtype).reshape(2, 3)
    for name in ROWS:
        call = getattr(fa, name)
        np.testing.assert_array_equal(call(x, axis=None), call(x, axis=(0, 1)))
        for axis in (-1, 0, None):
            got, want = call(dtype(2), axis), call(np.full(1, 2, dtype))
            assert np.ndim(got) == 0
            assert got.dtype == dtype
            assert got == want.reshape(())
    assert fa.softmax(2.0) == 1.0
    assert fa.logsumexp(2.0) == 2.0


@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64])
def test_ties_over_several_axes(dtype):
    """The first in the order of the axes wins, however the array lies in memory."""
    x = np.random.default_rng(0).integers(0, 3, (4, 3, 5)).astype(dtype)
    for axes in ((0, 1), (0, 2), (1, 2), (0, 1, 2), None):
        want = fa.hardmax(x.copy(), axes)
        for laid in (np.asfortranarray(x), x.transpose(1, 2, 0).copy().transpose(2, 0, 1), x[:, ::-1].copy()[:, ::-1]):
            np.testing.assert_array_equal(fa.hardmax(laid, axes), want)
    first = np.moveaxis(x, 2, 0).reshape(5, -1).argmax(1)
    np.testing.assert_array_equal(np.moveaxis(fa.hardmax(np.asfortranarray(x), (0, 1)), 2, 0).reshape(5, -1).argmax(1), first)


def test_temperatures():
    np.testing.assert_array_equal(fa.softmax(X, temperature=np.array(2.0)), fa.softmax(X, temperature=2.0))
    for bad in (np.ones(2), "1", None, True):
        with pytest.raises(TypeError if np.ndim(bad) == 0 else ValueError, match=r"fastact\.softmax: temperature"):
            fa.softmax(X, temperature=bad)


def test_a_parameter_per_channel():
    """Torch's weight of prelu goes along axis 1."""
    x, weight = np.ones((2, 3, 4, 4)), np.ones(3)
    for call in (fa.prelu, fa.prelu.derivative, lambda x, w: fa.prelu.backward(x, x, w)):
        with pytest.raises(ValueError, match=r"shapes do not broadcast: .*weight \(3,\).*weight\.reshape\(-1, 1, 1\)"):
            call(x, weight)
    with pytest.raises(ValueError, match=r"parameter_gradients: .*weight\.reshape\(-1, 1, 1\)"):
        fa.prelu.parameter_gradients(x, x, weight)
    assert fa.prelu(x, weight.reshape(-1, 1, 1)).shape == x.shape


@pytest.mark.parametrize(("name", "found"), [
    ("gelu_pytorch_tanh", "gelu_tanh"), ("gelu_fast", "gelu_tanh"), ("gelu_python", "gelu"), ("gelu_new", "gelu_tanh"),
])  # fmt: skip
def test_names_that_people_look_up(name, found):
    assert fa.get(name) is getattr(fa, found)


def test_srelu_is_not_the_squared():
    assert fa.get("SReLU") is fa.srelu
    assert fa.srelu is not fa.squared_relu
