"""Numbers among the arguments: those of Python have no say in the dtype, and results of numbers are numbers, in every family."""

import numpy as np
import pytest
from helpers import NAMES, WITH_PARAMS, assert_same_bits

import fastact as fa
from fastact.functions.gated import FUNCTIONS as GATED
from fastact.functions.rowwise import FUNCTIONS as ROWS

DTYPES = [np.float16, np.float32, np.float64]
UNITS = [f.__name__ for f in GATED]


def calls():
    """(name, call of a number and an array) for every method that takes a gradient or a second array."""
    for name in NAMES:
        yield f"{name}.backward", getattr(fa, name).backward
    for name in WITH_PARAMS:
        yield f"{name}.parameter_gradients", getattr(fa, name).parameter_gradients
    for function in ROWS:
        yield f"{function.__name__}.backward", function.backward
        yield f"{function.__name__}.parameter_gradients", function.parameter_gradients
    yield "entmax.backward of 1.7", lambda g, y: fa.entmax.backward(g, y, 1.7)
    yield "logsumexp of weights", lambda b, x: fa.logsumexp(x, b=b)
    for function in GATED:
        yield f"{function.__name__}", function
        yield f"{function.__name__} turned round", lambda g, x, f=function: f(x, g)
        yield f"{function.__name__}.backward", function.backward
        yield f"{function.__name__}.backward of two", lambda g, x, f=function: f.backward(g, x, x)
        yield f"{function.__name__}.backward by a number", lambda g, x, f=function: f.backward(x, x, g)
    yield "swiglu.parameter_gradients", lambda g, x: fa.swiglu.parameter_gradients(g, x, limit=2.0)
    yield "rrelu.backward", fa.rrelu.backward
    yield "noisy_relu.backward", lambda g, x: fa.noisy_relu.backward(g, x, np.ones_like(x))
    yield "gumbel_softmax.backward", fa.gumbel_softmax.backward
    yield "max_affine.backward", lambda g, x: fa.max_affine.backward(g, x, [1.0, -0.5], [0.0, 0.0])


CALLS = dict(calls())


def results(found):
    if isinstance(found, dict):
        return list(found.values())
    return list(found) if isinstance(found, tuple) else [found]


@pytest.mark.parametrize("name", CALLS)
def test_numbers_of_python_have_no_say(name):
    """The result is that of an array of the same number in the dtype of the other arguments; masked ones too."""
    for dtype in DTYPES:
        x = np.array([[0.1, 0.2, 0.3, 0.4]], dtype)
        wanted = results(CALLS[name](dtype(0.75), x))
        for got, want in zip(results(CALLS[name](0.75, x)), wanted, strict=True):
            assert np.asarray(got).dtype == np.asarray(want).dtype == dtype
            if dtype == np.float64 or "parameter" not in name:
                assert_same_bits(got, want)
        for got in results(CALLS[name](0.75, np.ma.array(x, mask=[[0, 0, 1, 0]]))):
            assert got.dtype == dtype
        if not name.startswith("max_affine"):  # whose gradients are as x is
            assert {np.asarray(r).dtype for r in results(CALLS[name](np.float64(0.75), x))} == {np.dtype(np.float64)}


@pytest.mark.parametrize("dtype", DTYPES)
def test_results_of_numbers_are_numbers(dtype):
    a, b = dtype(0.5), dtype(0.25)
    for name, call in CALLS.items():
        if name.startswith("max_affine") or (name.split(".")[0] in UNITS and "." in name and "of two" not in name):
            continue  # one array is split, or there are gradients by arrays
        for got in results(call(a, b)):
            assert type(got) is dtype, name
    for name in UNITS:
        for got in getattr(fa, name).backward(a, a, b):
            assert type(got) is dtype
    for function in ROWS:
        assert type(function(a)) is dtype
