"""Wrong arguments: which error, what it names, and that outputs stay untouched."""

import inspect
import itertools

import numpy as np
import pytest
from helpers import NAMES, WITH_PARAMS, arrays, assert_same_bits, every_kind, function, results

import fastact as fa

REFUSED = {
    "complex64": np.ones(3, np.complex64),
    "complex128": np.ones(3, np.complex128),
    "object": np.array([1.0, None], object),
    "<U1": np.array(["a", "b"]),
    "|S1": np.array([b"a", b"b"]),
    "datetime64": np.array(["2020-01-01"], "M8[D]"),
    "timedelta64": np.array([1], "m8[s]"),
    "void": np.zeros(2, "V4"),
    "f0": np.zeros(3, "f4,i4"),
}
if np.dtype(np.longdouble) != np.dtype(np.float64):
    REFUSED[str(np.dtype(np.longdouble))] = np.ones(3, np.longdouble)
TWO_OF_EACH = ["gelu", "elu"]  # without parameters and with


def title(name, kind):
    return f"fastact.{name}" if kind == "value" else f"fastact.{name}.{kind}"


@every_kind
def test_refused_dtypes(name, kind):
    """TypeError naming the function and the dtype, for arrays, scalars and lists."""
    call = function(name, kind)
    count = len(arrays(name, kind, np.ones(1)))
    for case, bad in REFUSED.items():
        good = np.ones(bad.shape)
        values = bad, bad[::1], bad.tolist() if bad.dtype.kind in "cUS" else bad, bad[0] if bad.dtype.kind != "O" else bad
        for which, value in itertools.product(range(count), values):
            given = [value if i == which else good for i in range(count)]
            with pytest.raises(TypeError) as caught:
                call(*given)
            assert title(name, kind) in str(caught.value), case
            dtype = np.asarray(value).dtype
            assert str(dtype) in str(caught.value) or dtype.kind == "V", case
        out = tuple(np.full(bad.shape, 7.0) for _ in range(call.ufunc.nout))
        with pytest.raises(TypeError):
            call(*[bad] * count, out=out)
        assert all(np.all(o == 7) for o in out), case


@pytest.mark.parametrize("kind", ["value", "derivative", "value_and_derivative", "backward"])
@pytest.mark.parametrize("name", WITH_PARAMS)
def test_refused_parameters(name, kind):
    """A parameter of a wrong dtype is named as well."""
    call = function(name, kind)
    given = arrays(name, kind, np.ones(3))
    for param in fa.get(name).params:
        for bad in (1j, "a", None, np.ones(3, complex), np.array([None, 1, 2])):
            with pytest.raises(TypeError) as caught:
                call(*given, **{param: bad})
            assert title(name, kind) in str(caught.value)
            assert param in str(caught.value)


@every_kind
def test_argument_lists(name, kind):
    """Missing, too many, unknown and doubled arguments: TypeError naming function and argument."""
    call = function(name, kind)
    names = list(inspect.signature(call).parameters)[: len(arrays(name, kind, np.ones(3)))]
    given = arrays(name, kind, np.ones(3))
    params = list(fa.get(name).params)
    assert len(names) == len(given)
    for n in range(len(given)):
        with pytest.raises(TypeError, match=rf"{title(name, kind)}\b.*{names[n]}"):
            call(*given[:n])
    with pytest.raises(TypeError, match=rf"{title(name, kind)}\b"):
        call(*given, *[1.0] * len(params), 1.0)
    with pytest.raises(TypeError, match=rf"{title(name, kind)}\b.*nonsense"):
        call(*given, nonsense=1)
    for param in params[:1]:
        with pytest.raises(TypeError, match=rf"{title(name, kind)}\b.*{param}"):
            call(*given, 1.0, **{param: 1.0})
    assert all(np.all(g == a) for g, a in zip(given, arrays(name, kind, np.ones(3)), strict=True))


@every_kind
def test_wrong_out(name, kind):
    """NumPy's own errors, the same class as np.exp raises, and nothing written."""
    call = function(name, kind)
    given = arrays(name, kind, np.linspace(0.1, 1, 12).reshape(3, 4))
    nout = call.ufunc.nout
    read_only = np.full((3, 4), 7.0)
    read_only.flags.writeable = False
    for bad in (np.full((4, 3), 7.0), np.full(4, 7.0), np.full((), 7.0), np.full((3, 4), 7), read_only, [[7.0] * 4] * 3):
        with pytest.raises((TypeError, ValueError)) as ours:
            call(*given, out=(bad,) * nout)
        with pytest.raises((TypeError, ValueError)) as theirs:
            np.exp(given[0], out=(bad,))
        assert ours.type is theirs.type or issubclass(ours.type, theirs.type)
        assert np.all(np.asarray(bad) == 7)
    good = np.full((3, 4), 7.0)
    for wrong in ((good,) * (nout + 1), ()):
        with pytest.raises((TypeError, ValueError)):
            call(*given, out=wrong)
    if nout == 2:
        with pytest.raises(TypeError):
            call(*given, out=good)
    assert np.all(good == 7)
    unsafe = np.full((3, 4), 7, np.int64)
    with pytest.raises(TypeError):
        call(*given, out=(unsafe,) * nout)
    assert np.all(unsafe == 7)


@pytest.mark.parametrize("name", TWO_OF_EACH)
def test_larger_out_broadcasts_as_in_numpy(name):
    x = np.linspace(-1, 1, 4)
    out = np.full((3, 4), 7.0)
    assert getattr(fa, name)(x, out=out) is out
    assert_same_bits(out, np.broadcast_to(getattr(fa, name)(x), (3, 4)).copy())


@pytest.mark.parametrize("name", NAMES)
def test_shapes_that_do_not_broadcast(name):
    activation = getattr(fa, name)
    with pytest.raises(ValueError, match="broadcast"):
        activation.backward(np.ones(3), np.ones(4))
    with pytest.raises(ValueError, match="broadcast"):
        activation(np.ones(3), out=np.ones(3), where=np.ones(4, bool))
    if activation.params:
        with pytest.raises(ValueError, match="broadcast"):
            activation(np.ones((2, 3)), np.ones(4))


@pytest.mark.parametrize("name", TWO_OF_EACH)
def test_keyword_values(name):
    """Bad values of NumPy's keywords raise what NumPy raises."""
    x = np.ones(3)
    for keyword, bad in (("order", "Q"), ("casting", "careless"), ("dtype", "nonsense"), ("subok", 3)):
        with pytest.raises((TypeError, ValueError)) as theirs:
            np.exp(x, **{keyword: bad})
        with pytest.raises(theirs.type):
            getattr(fa, name)(x, **{keyword: bad})


def test_approximate():
    """gelu's keyword, torch's, selects gelu_tanh for every kind."""
    x = np.linspace(-5, 5, 101)
    grad = x[::-1].copy()
    out = np.empty_like(x)
    assert_same_bits(fa.gelu(x, approximate="tanh"), fa.gelu_tanh(x))
    assert_same_bits(fa.gelu(x, approximate="none"), fa.gelu(x))
    assert_same_bits(fa.gelu([0.5], approximate="tanh"), fa.gelu_tanh([0.5]))
    assert fa.gelu(x, approximate="tanh", out=out) is out
    assert_same_bits(out, fa.gelu_tanh(x))
    assert_same_bits(fa.gelu.derivative(x, approximate="tanh"), fa.gelu_tanh.derivative(x))
    assert_same_bits(fa.gelu.backward(grad, x, approximate="tanh"), fa.gelu_tanh.backward(grad, x))
    for got, want in zip(fa.gelu.value_and_derivative(x, approximate="tanh"), fa.gelu_tanh.value_and_derivative(x), strict=True):
        assert_same_bits(got, want)
    for bad in ("cubic", None, True, ["tanh"]):
        with pytest.raises(ValueError, match=r"gelu.*approximate.*'none'.*'tanh'"):
            fa.gelu(x, approximate=bad)
    with pytest.raises(TypeError, match="approximate"):
        fa.relu(x, approximate="tanh")


@pytest.mark.parametrize("name", NAMES)
def test_parameter_gradient_errors(name):
    activation = getattr(fa, name)
    if not activation.params:
        with pytest.raises(TypeError, match=rf"{name}.*no parameters"):
            activation.parameter_gradients(np.ones(3), np.ones(3))
        return
    where = rf"fastact\.{name}\.parameter_gradients"
    with pytest.raises(TypeError, match=rf"{where}.*x has dtype complex128"):
        activation.parameter_gradients(np.ones(3), np.ones(3, complex))
    with pytest.raises(TypeError, match=rf"{where}.*grad has dtype"):
        activation.parameter_gradients(np.array(["a"] * 3), np.ones(3))
    with pytest.raises(ValueError, match=rf"{where}.*broadcast"):
        activation.parameter_gradients(np.ones(3), np.ones(4))
    with pytest.raises(TypeError, match=r"nonsense"):
        activation.parameter_gradients(np.ones(3), np.ones(3), nonsense=1.0)
    with pytest.raises(TypeError, match=r"parameter_gradients.*'x'"):
        activation.parameter_gradients(np.ones(3))
    with pytest.raises(TypeError, match=name):
        activation.parameter_gradients(np.ones(3), np.ones(3), *[1.0] * 9)


def test_errors_leave_the_package_usable():
    for bad in (1j, "x", None):
        with pytest.raises(TypeError):
            fa.gelu(bad)
    assert all(np.isfinite(r).all() for r in results(fa.gelu.value_and_derivative(np.ones(5))))
