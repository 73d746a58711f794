"""Row-wise functions: what they refuse, naming function and argument; docs and metadata."""

import inspect
import pickle

import numpy as np
import pytest

import fastact as fa
from fastact.functions.rowwise import FUNCTIONS

NAMES = [f.__name__ for f in FUNCTIONS if f.__name__ != "entmax"]  # whose second argument is alpha
SUMS = ["logsumexp", "logmeanexp"]
X = np.arange(6.0).reshape(2, 3)


def refused(error, message, call, *args, **kwargs):
    with pytest.raises(error, match=message):
        call(*args, **kwargs)


@pytest.mark.parametrize("name", NAMES)
def test_arguments(name):
    function = getattr(fa, name)
    title = rf"fastact\.{name}: "
    refused(ValueError, title + r"axis 2 is out of bounds for x of 2 dimensions", function, X, 2)
    refused(IndexError, title + r"axis -3 is out of bounds", function, X, -3)
    refused(ValueError, title + r"axis 1 is out of bounds for x of 0 dimensions", function, 1.0, 1)
    refused(ValueError, title + r"axis is \(0, -2\); expected one or more different axes", function, X, (0, -2))
    refused(ValueError, title + r"axis is \(\); expected", function, X, ())
    refused(TypeError, title + r"axis is 1\.5; expected an integer", function, X, 1.5)
    refused(ValueError, title + r"where has shape \(2,\), which does not broadcast to \(2, 3\)", function, X, where=[True, False])
    refused(ValueError, title + r"where has shape \(2, 2, 3\)", function, X, where=np.ones((2, 2, 3), bool))
    refused(TypeError, title + r"where has dtype float64; expected bool", function, X, where=np.ones(3))
    refused(TypeError, title + r"x has dtype complex128; expected float16", function, X + 1j)
    refused(TypeError, title + r"x has dtype object", function, np.array([None, 1]))
    refused(TypeError, title + r"x has dtype <U1", function, ["a"])
    for bad in (0, -1.0, float("inf"), float("nan"), 1e-40):
        refused(ValueError, title + r"temperature is .*expected a number between", function, X, temperature=bad)
    for bad in ("hot", None, 1j, True, np.ma.array([1.0, 2.0], mask=[0, 1])):
        refused(TypeError, title + r"temperature is .*expected a positive number", function, X, temperature=bad)
    for bad in ([1.0, 0.0], [1.0, np.nan], [[np.inf], [1.0]]):
        refused(ValueError, title + r"temperature has an element .*expected a number between", function, X, temperature=bad)
    for bad in (np.ones(3), np.ones((2, 3)), np.ones((1, 2, 1)), np.ones((3, 1))):
        message = r"temperature has shape .*; expected one that broadcasts to \(2,\) or \(2, 1\)"
        refused(ValueError, title + message, function, X, temperature=bad)


@pytest.mark.parametrize("name", NAMES)
def test_outputs(name):
    """Nothing is written by a call that is refused."""
    function = getattr(fa, name)
    right = (2,) if name in SUMS else (2, 3)
    title = rf"fastact\.{name}: "
    out = np.full((3, 3), 7.0)
    refused(ValueError, title + r"out has shape \(3, 3\); expected", function, X, out=out)
    refused(TypeError, title + r"out is a list", function, X, out=[1.0])
    integers = np.full(right, 7)
    refused(TypeError, title + r"out has dtype int64; expected float64", function, X, out=integers)
    frozen = np.full(right, 7.0)
    frozen.flags.writeable = False
    refused(ValueError, title + r"out is read-only", function, X, out=frozen)
    target = np.full(right, 7.0)
    refused(ValueError, title + "axis", function, X, 5, out=target)
    refused(ValueError, title + "where", function, X, where=[True] * 5, out=target)
    assert (out == 7).all()
    assert (integers == 7).all()
    assert (target == 7).all()


@pytest.mark.parametrize("name", NAMES)
def test_backward_arguments(name):
    backward = getattr(fa, name).backward
    title = rf"fastact\.{name}\.backward: "
    refused(ValueError, title + r"grad has shape \(4,\); expected", backward, np.ones(4), X)
    refused(TypeError, title + r"grad has dtype complex128", backward, np.ones((2, 3)) * 1j, X)
    for dtype in (np.float16, np.float32, np.float64):
        refused(TypeError, title + r"[xy] has dtype object; expected", backward, np.ones((2, 3), dtype), None)
        refused(TypeError, title + r"grad has dtype object; expected", backward, None, np.ones((2, 3), dtype))
    refused(ValueError, title + r"axis 3 is out of bounds", backward, np.ones(2 if name in SUMS else (2, 3)), X, 3)
    refused(ValueError, title + r"temperature", backward, np.ones(2 if name in SUMS else (2, 3)), X, temperature=-1)


@pytest.mark.parametrize("name", NAMES)
def test_docs_and_metadata(name):
    function = getattr(fa, name)
    doc = inspect.getdoc(function)
    for section in ("Parameters", "Returns", "Raises", "Notes", "References", "Examples"):
        assert f"\n{section}\n{'-' * len(section)}\n" in doc
    for parameter in inspect.signature(function).parameters:
        assert f"\n{parameter} : " in doc
    assert function.latex.startswith("f(x)")
    assert function.reference
    assert name in fa.__all__
    assert pickle.loads(pickle.dumps(function)) is function
    assert fa.get(name) is function
    assert all(getattr(fa, alias) is fa.get(alias) is function for alias in function.aliases)
