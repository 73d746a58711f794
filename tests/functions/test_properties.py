"""Properties that hold for any array: hypothesis looks for one that breaks them."""

import math

import hypothesis.extra.numpy as hnp
import numpy as np
from contract import absolute, bound
from helpers import CALLS, NAMES, WITH_PARAMS, assert_same_bits, function, results
from hypothesis import assume, example, given, settings
from hypothesis import strategies as st
from reference import evaluate, ulp_error

import fastact as fa

names = st.sampled_from(NAMES)
calls = st.sampled_from(CALLS)
dtypes = st.sampled_from([np.float16, np.float32, np.float64])
shapes = hnp.array_shapes(min_dims=0, max_dims=4, min_side=0, max_side=7)
pairs_of_shapes = hnp.mutually_broadcastable_shapes(num_shapes=2, max_dims=3, max_side=5)


@st.composite
def any_arrays(draw, dtype=None, shape=shapes):
    """An array of floats of any value, then sliced, transposed, reversed or swapped at random."""
    dtype = draw(dtypes) if dtype is None else dtype
    x = draw(hnp.arrays(dtype, shape, elements=st.floats(width=8 * np.dtype(dtype).itemsize), fill=st.nothing()))
    for axis in range(x.ndim):
        step = draw(st.sampled_from([1, 1, 2, -1, -2]))
        x = x[(slice(None),) * axis + (slice(None, None, step),)]
    if draw(st.booleans()):
        x = x.T
    if draw(st.integers(0, 7)) == 0:
        x = x.astype(x.dtype.newbyteorder())
    return x


def same_values(name, kind, x):
    """The array arguments of a call, y being in the range of the function."""
    if kind == "backward_from_output":
        y = getattr(fa, name)(x)
        return (x, y)
    return (x, x) if kind == "backward" else (x,)


@given(calls, any_arrays())
def test_layout_does_not_matter(call, x):
    name, kind = call
    args = same_values(name, kind, x)
    plain = [np.ascontiguousarray(a).astype(x.dtype.newbyteorder("="), copy=False).reshape(-1) for a in args]
    for got, want in zip(results(function(name, kind)(*args)), results(function(name, kind)(*plain)), strict=True):
        assert np.shape(got) == x.shape
        assert_same_bits(np.asarray(got), want.reshape(x.shape))


@given(calls, any_arrays(shape=hnp.array_shapes(min_dims=1, max_dims=3, max_side=9)), st.data())
def test_elements_are_independent(call, x, data):
    """Each element of the result depends on that element alone."""
    name, kind = call
    index = tuple(data.draw(st.integers(0, n - 1)) for n in x.shape)
    args = same_values(name, kind, x)
    whole = results(function(name, kind)(*args))
    single = results(function(name, kind)(*[np.asarray(a)[index] for a in args]))
    for w, s in zip(whole, single, strict=True):
        assert_same_bits(w[index], s)


@given(calls, any_arrays(), st.data())
def test_out_and_where(call, x, data):
    """Selected elements get the result, the others keep what they had."""
    name, kind = call
    mask = data.draw(hnp.arrays(bool, x.shape))
    args = same_values(name, kind, x)
    want = results(function(name, kind)(*args))
    out = tuple(np.full(x.shape, 7, np.asarray(w).dtype) for w in want)
    function(name, kind)(*args, out=out, where=mask)
    for o, w in zip(out, want, strict=True):
        assert_same_bits(o, np.where(mask, w, np.asarray(7, o.dtype)))


@given(names, pairs_of_shapes, st.sampled_from([np.float32, np.float64]), st.data())
def test_backward_broadcasts_like_multiply(name, shapes, dtype, data):
    elements = st.floats(-100, 100, width=32)
    grad, x = (data.draw(hnp.arrays(dtype, s, elements=elements)) for s in shapes.input_shapes)
    with np.errstate(all="ignore"):
        want = np.multiply(grad, getattr(fa, name).derivative(x))
    got = getattr(fa, name).backward(grad, x)
    assert np.shape(got) == shapes.result_shape
    assert_same_bits(got, want)


@given(st.sampled_from(WITH_PARAMS), pairs_of_shapes, st.integers(0, 3), st.data())
def test_parameters_broadcast(name, shapes, which, data):
    """A parameter array gives each element what the scalar gives."""
    activation = getattr(fa, name)
    defaults = list(activation.params.values())
    which %= len(defaults)
    x_shape, p_shape = shapes.input_shapes
    x = data.draw(hnp.arrays(np.float64, x_shape, elements=st.floats(-50, 50)))
    steps = data.draw(hnp.arrays(np.float64, p_shape, elements=st.floats(0, 0.5)))
    values = [defaults[which] + steps if i == which else d for i, d in enumerate(defaults)]
    got = activation(x, *values)
    assert np.shape(got) == shapes.result_shape
    xs, ps = np.broadcast_arrays(x, values[which])
    for index in np.ndindex(*shapes.result_shape):
        one = activation(xs[index], *[float(ps[index]) if i == which else d for i, d in enumerate(defaults)])
        assert_same_bits(np.asarray(got)[index], one)


@settings(max_examples=400)
@given(names, st.sampled_from(["value", "derivative"]), st.sampled_from([np.float32, np.float64]), st.data())
@example("gelu", "value", np.float32, None)
def test_accuracy(name, kind, dtype, data):
    """No single number breaks the contract, wherever hypothesis finds it."""
    x = np.array([-5.5 if data is None else data.draw(st.floats(width=8 * np.dtype(dtype).itemsize))], dtype)
    params = tuple(fa.get(name).params.values())
    assume(math.isfinite(x[0]) and not absolute(name, kind, params, x)[0])
    got = function(name, kind)(x)
    _, exact = evaluate(name, kind, x, dtype=dtype)
    assert ulp_error(got, exact, dtype)[0] <= bound(name, kind, dtype)


@given(names, any_arrays(dtype=np.float64))
def test_nan_in_nan_out(name, x):
    value, derivative = getattr(fa, name).value_and_derivative(x)
    for r in (value, derivative):
        assert np.all(np.isnan(r) | ~np.isnan(x))


@given(names, st.floats(width=32), st.floats(width=32))
def test_monotonic(name, a, b):
    """Where the metadata say so, a <= b gives f(a) <= f(b), up to the bound."""
    activation = getattr(fa, name)
    assume(activation.monotonic and not math.isnan(a) and not math.isnan(b))
    low, high = activation(np.sort(np.array([a, b], np.float32)))
    if math.isfinite(low) and math.isfinite(high):
        slack = 2 * bound(name, "value", np.float32) * float(np.finfo(np.float32).eps) * abs(float(low))
        assert float(high) >= float(low) - slack - float(np.finfo(np.float32).smallest_subnormal)
    assert not low > high or math.isfinite(low)


@given(names, any_arrays(dtype=np.float32))
def test_no_warning(name, x):
    with np.errstate(all="raise"):
        getattr(fa, name).value_and_derivative(x)


@given(st.sampled_from(["tanh", "softsign", "hard_tanh", "sign", "identity", "arctan"]), any_arrays(dtype=np.float64))
def test_odd_and_even(name, x):
    """Odd functions have even derivatives, to the bit."""
    assume(name in NAMES)
    activation = getattr(fa, name)
    assert np.array_equal(np.asarray(activation(-x)), -np.asarray(activation(x)), equal_nan=True)
    assert np.array_equal(np.asarray(activation.derivative(-x)), np.asarray(activation.derivative(x)), equal_nan=True)
