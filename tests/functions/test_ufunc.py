"""The calls behave as a NumPy ufunc's: keywords, dtypes, scalars, parameters, subclasses, overrides."""

import itertools
import pickle

import numpy as np
import pytest
from helpers import DTYPES, NAMES, WITH_PARAMS, arrays, assert_same_bits, every_kind, function, numbers, parameter_sets, results

import fastact as fa
from fastact.functions.integers import FUNCTIONS as KEEPING

INTEGERS = list("?bBhHiIlLqQ")
SCALARS = [1.0, 1, True, np.float32(1), np.float64(1), np.float16(1), np.int8(1), np.uint16(2), np.int64(3), np.bool_(True)]
BOTH_SORTS = ["gelu", "relu", "elu", "hard_tanh"]  # without parameters and with


class Tagged(np.ndarray):
    """A subclass that keeps an attribute."""

    def __array_finalize__(self, other):
        self.tag = getattr(other, "tag", None)


class Overriding:
    """Takes part in ufuncs on its own terms."""

    def __init__(self):
        self.calls = []

    def __array_ufunc__(self, ufunc, method, *inputs, **kwargs):
        self.calls.append((ufunc, method, inputs, kwargs))
        return "mine"


class Convertible:
    def __init__(self, value):
        self.value = value

    def __array__(self, dtype=None, copy=None):
        return np.asarray(self.value, dtype)


@every_kind
def test_is_a_ufunc(name, kind):
    call = function(name, kind)
    ufunc = call.ufunc
    assert isinstance(ufunc, np.ufunc)
    assert ufunc.__name__ == (name if kind == "value" else f"{name}_{kind}")
    assert ufunc.nout == (2 if kind == "value_and_derivative" else 1)
    params = tuple(fa.get(name).params.values())
    assert ufunc.nin == len(arrays(name, kind, np.ones(1))) + len(params)
    x = numbers(50, np.float64)
    given = arrays(name, kind, x)
    for got, want in zip(results(ufunc(*given, *params)), results(call(*given)), strict=True):
        assert_same_bits(got, want)


@every_kind
def test_scalars_as_numpy(name, kind):
    """Type and dtype of the result for every sort of scalar are those of np.exp; of np.positive where integers stay."""
    call = function(name, kind)
    count = len(arrays(name, kind, np.ones(1)))
    for value in [*SCALARS, *(np.array(s) for s in SCALARS)]:
        whole = kind == "value" and name in KEEPING and np.asarray(value).dtype.kind in "iu"
        like = np.positive(value) if whole else np.exp(value)
        for got in results(call(*[value] * count)):
            assert type(got) is type(like), repr(value)
            assert got.dtype == like.dtype, repr(value)
    given = arrays(name, kind, np.array([0.75, 0.75]))
    for got, want in zip(results(call(*[float(a[0]) for a in given])), results(call(*given)), strict=True):
        assert got == want[0]


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("kind", ["backward", "value_and_derivative"])
def test_weak_scalars(name, kind):
    """A Python number beside an array does not decide the dtype, whether it is gradient or parameter."""
    x = np.array([0.5, 1.5], np.float32)
    call = function(name, kind)
    params = [*fa.get(name).params.values()]
    if kind == "backward":
        for grad in (2.0, 2, True):
            assert_same_bits(call(grad, x), call(np.full(2, grad, np.float32), x), repr(grad))
    else:
        ints = [round(p + 0.6) for p in params]
        for got, want in zip(call(x, *ints), call(x, *map(float, ints)), strict=True):
            assert_same_bits(got, want)


@every_kind
def test_integers_and_bools(name, kind):
    """They are computed in the dtype that np.exp picks, with parameters too."""
    call = function(name, kind)
    count = len(arrays(name, kind, np.ones(1)))
    letters = "?" if kind == "value" and name in KEEPING else INTEGERS
    for letter, params in itertools.product(letters, parameter_sets(name)[:2]):
        x = np.array([0, 1, 1, 0, 1], letter)
        want = results(call(*[x.astype(np.exp(x).dtype)] * count, *params))
        for got, w in zip(results(call(*[x] * count, *params)), want, strict=True):
            assert_same_bits(got, w, f"{letter} {params}")


@pytest.mark.parametrize("kind", ["value", "derivative", "value_and_derivative"])
@pytest.mark.parametrize("name", NAMES)
def test_float16(name, kind):
    """Computed in float32 and rounded: the result equals the float32 result rounded to float16."""
    x = np.arange(1 << 16, dtype=np.uint16).view(np.float16)
    call = function(name, kind)
    for params in parameter_sets(name)[:2]:
        with np.errstate(all="ignore"):
            want = [r.astype(np.float16) for r in results(call(x.astype(np.float32), *params))]
        for got, w in zip(results(call(x, *params)), want, strict=True):
            assert_same_bits(got, w, str(params))


@pytest.mark.parametrize("name", NAMES)
def test_float16_backward(name):
    """One rounding: the product is formed in float32."""
    x = np.linspace(-20, 20, 3001).astype("e")
    grad = np.linspace(-3, 2, x.size).astype("e")
    with np.errstate(all="ignore"):
        want = function(name, "backward")(grad.astype("f"), x.astype("f")).astype("e")
    assert_same_bits(function(name, "backward")(grad, x), want)


@every_kind
def test_where(name, kind):
    """Elements that are not selected stay as they were."""
    call = function(name, kind)
    for n in (5, 40, 1100):
        given = arrays(name, kind, numbers(n, np.float64))
        want = results(call(*given))
        for mask in (np.arange(n) % 3 == 0, np.zeros(n, bool), np.ones(n, bool), np.arange(n) > n // 2):
            out = tuple(np.full(n, 7.0) for _ in want)
            call(*given, out=out, where=mask)
            for o, w in zip(out, want, strict=True):
                assert_same_bits(o, np.where(mask, w, 7.0))


@pytest.mark.parametrize("kind", ["value", "derivative", "value_and_derivative"])
@pytest.mark.parametrize("name", NAMES)
def test_dtype_and_casting(name, kind):
    """dtype= picks the loop, casting= what may be cast, both with NumPy's rules and errors."""
    call = function(name, kind)
    x = np.array([0.25, 0.5, 1.25, 2.0])
    for params in parameter_sets(name)[:2]:
        for got, want in zip(results(call(x, *params, dtype=np.float32)), results(call(x.astype("f"), *params)), strict=True):
            assert_same_bits(got, want)
        for got, want in zip(results(call(x.astype("f"), *params, dtype=np.float64)), results(call(x, *params)), strict=True):
            assert_same_bits(got, want)
    half = results(call(x, dtype=np.float16))
    assert all(h.dtype == np.float16 for h in half)
    with pytest.raises(TypeError):
        call(x, dtype=np.float32, casting="safe")
    with pytest.raises(TypeError):
        call(x, dtype=np.int32)
    outs = tuple(np.empty(4, np.float32) for _ in half)
    with pytest.raises(TypeError):
        call(x, out=outs, casting="safe")
    call(x, out=outs)  # same_kind
    for out, want in zip(outs, results(call(x)), strict=True):
        assert_same_bits(out, want.astype(np.float32))
    wide = tuple(np.empty(4, np.float64) for _ in half)
    call(x.astype("f"), out=wide)
    for out, want in zip(wide, results(call(x.astype("f"))), strict=True):
        assert_same_bits(out, want.astype(np.float64))


@pytest.mark.parametrize("order", ["C", "F", "A", "K"])
@pytest.mark.parametrize("name", BOTH_SORTS)
def test_order(name, order):
    base = numbers((4, 5, 6), np.float64)
    for x in (base, np.asfortranarray(base), base.transpose(1, 0, 2), base[:, ::2], base.transpose(2, 0, 1)[::-1]):
        with np.errstate(over="ignore"):
            like = np.exp(x, order=order)
        for got in (getattr(fa, name)(x, order=order), *getattr(fa, name).value_and_derivative(x, order=order)):
            assert got.strides == like.strides
        if order == "K":
            assert getattr(fa, name)(x).strides == like.strides


@pytest.mark.parametrize("name", NAMES)
def test_lists_and_other_array_likes(name):
    activation = getattr(fa, name)
    want = activation(np.array([[0.5, 1.0], [2.0, 3.0]]))
    for like in ([[0.5, 1.0], [2.0, 3.0]], ((0.5, 1), (2, 3.0)), Convertible([[0.5, 1.0], [2.0, 3.0]])):
        assert type(activation(like)) is np.ndarray
        assert_same_bits(activation(like), want)
    assert_same_bits(activation([]), np.empty(0))
    assert_same_bits(activation(memoryview(np.array([0.5, 1.0]))), want[0])
    out = np.empty(2)
    assert activation([0.5, 1.0], out=out) is out
    assert activation(np.array([0.5, 1.0]), out=(out,)) is out
    assert_same_bits(out, want[0])


@pytest.mark.filterwarnings("ignore:the matrix subclass:PendingDeprecationWarning")
@pytest.mark.parametrize("kind", ["value", "derivative"])
@pytest.mark.parametrize("name", NAMES)
def test_masked_arrays_and_subclasses(name, kind):
    call = function(name, kind)
    masked = np.ma.array([0.5, 1.0, 2.0], mask=[False, True, False])
    got, like = call(masked), np.exp(masked)
    assert type(got) is type(like)
    assert got.mask.tolist() == like.mask.tolist()
    assert_same_bits(got.compressed(), call(np.array([0.5, 2.0])))
    tagged = np.array([0.5, 1.0]).view(Tagged)
    tagged.tag = "kept"
    assert type(call(tagged)) is Tagged
    assert call(tagged).tag == np.exp(tagged).tag == "kept"
    assert type(call(tagged, subok=False)) is np.ndarray
    assert type(call(np.asmatrix([[0.5, 1.0]]))) is np.matrix


@every_kind
def test_array_ufunc(name, kind):
    """An argument with __array_ufunc__ is asked, and sees the ufunc and all arguments."""
    call = function(name, kind)
    mine = Overriding()
    given = [mine] * len(arrays(name, kind, np.ones(1)))
    params = parameter_sets(name)[-1]
    assert call(*given, *params, casting="same_kind") == "mine"
    ufunc, method, inputs, _ = mine.calls[0]
    assert ufunc is call.ufunc
    assert method == "__call__"
    assert inputs == (*given, *params)
    assert call(*[np.ones(1)] * len(given), out=(Overriding(),) * call.ufunc.nout) == "mine"
    if params:
        assert call(*[np.ones(1)] * len(given), *[mine] * len(params)) == "mine"

    class Refuses:
        __array_ufunc__ = None

    with pytest.raises(TypeError):
        call(*[Refuses()] * len(given))


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("name", WITH_PARAMS)
def test_parameters_by_position_name_and_array(name, dtype):
    """A number, a 0-d array, a full array and an array of the x's dtype give the same bits."""
    activation = getattr(fa, name)
    x = numbers((7, 19), dtype)
    for kind in ("value", "derivative", "value_and_derivative", "backward"):
        call = function(name, kind)
        given = arrays(name, kind, x)
        params = parameter_sets(name)[1]
        want = results(call(*given, *params))
        named = dict(zip(activation.params, params, strict=True))
        ways = [
            call(*given, **named),
            call(*given, *params[:1], **dict(list(named.items())[1:])),
            call(*given, *map(dtype, params)),
            call(*given, *[np.array(p, dtype) for p in params]),
            call(*given, *[np.full(x.shape, p, dtype) for p in params]),
            call(*given, *[np.full(x.shape[-1], p, dtype) for p in params]),
            call(*given, *[np.full((7, 1), p, dtype) for p in params]),
            call(*given, *[np.full((7, 38), p, dtype)[:, ::-2] for p in params]),
            call(*given, *[np.full((19, 7), p, dtype).T for p in params]),
        ]
        for number, way in enumerate(ways):
            for got, w in zip(results(way), want, strict=True):
                assert_same_bits(got, w, f"{kind}, way {number}")


@pytest.mark.parametrize("name", WITH_PARAMS)
def test_parameters_broadcast(name):
    """One parameter per channel of the last axis, of the first, per element, and more axes than x."""
    activation = getattr(fa, name)
    defaults = list(activation.params.values())
    x = numbers((4, 50), np.float64)
    rng = np.random.default_rng(2)
    for shape in ((50,), (4, 1), (4, 50), (3, 1, 1), (2, 4, 50)):
        for i in range(len(defaults)):
            values = defaults.copy()
            values[i] = defaults[i] + rng.uniform(0.01, 0.5, shape)
            got = activation(x, *values)
            assert got.shape == np.broadcast_shapes(x.shape, shape)
            full_x, full = np.broadcast_arrays(x, values[i])
            for at in [tuple(rng.integers(0, n) for n in full_x.shape) for _ in range(12)]:
                one = activation(full_x[at], *[full[at] if j == i else v for j, v in enumerate(values)])
                assert_same_bits(got[at], one)


@pytest.mark.parametrize("name", WITH_PARAMS)
def test_promotion(name):
    """Parameter arrays take part in NumPy's promotion; Python numbers do not."""
    activation = getattr(fa, name)
    defaults = list(activation.params.values())
    x = np.ones(3, np.float32)
    assert activation(x, *defaults).dtype == np.float32
    assert activation(x, *[np.full(3, p, np.float64) for p in defaults]).dtype == np.float64
    assert activation(x, *map(np.float64, defaults)).dtype == np.float64
    assert activation(x.astype(np.float64), *map(np.float32, defaults)).dtype == np.float64
    assert activation(x, *map(np.float16, defaults)).dtype == np.float32
    assert activation(x.astype(np.float16), *map(np.float32, defaults)).dtype == np.float32
    assert activation(x.astype(np.float16), *map(np.float16, defaults)).dtype == np.float16
    assert activation(x.astype(np.int8), *map(np.float32, defaults)).dtype == np.float32
    assert activation(1.0, *map(np.float32, defaults)).dtype == np.float32


def test_ufuncs_can_be_pickled():
    for name in fa.activations():
        activation = fa.get(name)
        for call in (activation, activation.derivative, activation.value_and_derivative, activation.backward):
            assert pickle.loads(pickle.dumps(call.ufunc)) is call.ufunc


@pytest.mark.parametrize("n", [10, 300, 700])
@pytest.mark.parametrize("name", ["relu", "gelu", "elu"])
def test_out_of_strided_arrays(name, n):
    """Into any layout, with the bits of a contiguous array, below and above where threads are asked; and over itself."""
    x = np.random.default_rng(0).normal(size=(n, n)).astype(np.float32)
    call, want = getattr(fa, name), getattr(fa, name)(x)
    for view in (x[::-1], x[:, ::-1], x.T, x[:, ::2], np.broadcast_to(x[:1], x.shape)):
        expected = call(np.ascontiguousarray(view))
        apart = np.zeros((n, 2 * n), np.float32)[:, : 2 * view.shape[1] : 2]
        for out in (np.zeros(view.shape, np.float32), np.zeros(view.shape, np.float32, "F"), apart):
            assert call(view, out=out) is out
            assert_same_bits(out, expected)
            assert_same_bits(call.backward(view, view, out=out), call.backward(expected * 0 + view, view.copy()))
    moved = x.copy()
    call(moved[:-1].T, out=moved[1:].T)
    assert_same_bits(moved[1:], want[:-1])
    moved = x.copy()
    assert_same_bits(call(moved[::-1], out=moved), want[::-1])
    with pytest.raises(ValueError, match="broadcast"):
        call(x[::-1], out=np.zeros((n, n + 1), np.float32))
