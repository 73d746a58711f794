"""The examples in the docstrings: every public function has one that prints something, and prints what it says."""

import doctest
import inspect

import numpy as np
import pytest
from helpers import CALLS, NAMES, function
from reference import evaluate

import fastact as fa
from fastact.cpu import buffers
from fastact.functions import BY_NAME
from fastact.functions.docstrings import sample

PUBLIC = {  # classes that are not made by users need none
    name: found
    for name, found in ((name, getattr(fa, name)) for name in fa.__all__ if name not in BY_NAME)
    if name[0].islower() or ">>>" in (inspect.getdoc(found) or "")
}
FUNCTIONS = {f.__name__: f for f in BY_NAME.values()}
METHODS = {
    f"{name}.{method}": getattr(f, method)
    for name, f in FUNCTIONS.items()
    for method in ("backward", "backward_backward", "parameter_gradients", "plot")
    if inspect.ismethod(getattr(f, method, None))
}
KINDS = {f"{name}.{kind}": function(name, kind) for name, kind in CALLS if kind != "value"}
EVERY = PUBLIC | FUNCTIONS | METHODS | {f"cuda.{name}": getattr(fa.cuda, name) for name in fa.cuda.__all__}


@pytest.fixture(autouse=True)
def settings(threads):
    """What examples may set, as it was."""
    limit = buffers.cache_info()["limit"]
    yield
    fa.set_cache_limit(limit)


def run(name, documented):
    """Run the examples of a docstring; they have to print."""
    if "plot" in name:
        pytest.importorskip("matplotlib")
    examples = doctest.DocTestParser().get_doctest(inspect.getdoc(documented) or "", {}, name, None, 0)
    assert any(e.want for e in examples.examples), f"fastact.{name}: no example that prints something"
    assert not any(doctest.SKIP in e.options for e in examples.examples), f"fastact.{name}: an example is skipped"
    assert doctest.DocTestRunner(verbose=False).run(examples).failed == 0, f"fastact.{name}"


@pytest.mark.parametrize("name", EVERY)
def test_examples(name):
    if name == "define":
        pytest.importorskip("numba")
    run(name, EVERY[name])
    for kind in [k for k in KINDS if k.startswith(f"{name}.")]:
        run(kind, KINDS[kind])


@pytest.mark.parametrize("name", ["function", "ufunc"])
def test_examples_of_numba(name):
    pytest.importorskip("numba")
    run(f"numba.{name}", getattr(fa.numba, name))


@pytest.mark.parametrize("name", NAMES)
def test_examples_of_activations_are_right(name):
    """What the docstrings print is computed by the kernels; it is to be what the references give."""
    for kind in ("value", "derivative"):
        (x,) = sample(kind, None)
        shown = doctest.DocTestParser().get_examples(inspect.getdoc(function(name, kind)))[-1].want
        got = eval(shown, {"array": np.array, "nan": np.nan, "inf": np.inf})
        np.testing.assert_allclose(got, evaluate(name, kind, x)[0], rtol=2e-8, atol=5e-9)


def test_package():
    pytest.importorskip("numba")  # that of define is among them
    assert doctest.testmod(fa).failed == 0
