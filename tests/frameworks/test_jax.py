"""fastact.jax: values, derivatives of both orders and both directions, batches, against fastact itself and JAX's own."""

import shutil

import numpy as np
import pytest
from helpers import NAMES, assert_same_bits, run_python

import fastact as fa

jax = pytest.importorskip("jax")
if not any(map(shutil.which, ("c++", "g++", "clang++"))):
    pytest.skip("no C++ compiler", allow_module_level=True)
jax.config.update("jax_enable_x64", True)
jnp = jax.numpy
import fastact.jax as fj  # noqa: E402

X = np.array([[-2.3, -1.17, -0.46, -0.13], [0.21, 0.33, 1.44, 2.6], [-0.29, 0.77, -1.6, 0.11]])
EDGES = np.array([0.0, -0.0, np.inf, -np.inf, np.nan, 300.0, -300.0, 0.7, -1.3])
JAX = {"gelu": lambda v: jax.nn.gelu(v, approximate=False), "silu": jax.nn.silu, "tanh": jnp.tanh,
       "relu": jax.nn.relu, "softmax": jax.nn.softmax, "log_softmax": jax.nn.log_softmax,
       "logsumexp": lambda v: jax.nn.logsumexp(v, axis=-1), "glu": jax.nn.glu}  # fmt: skip


@pytest.mark.parametrize("name", NAMES)
def test_same_bits(name):
    function, own = getattr(fj, name), getattr(fa, name)
    slope = jax.grad(lambda v: function(v).sum())
    twice = jax.grad(lambda v: slope(v).sum())
    given = [np.tile(EDGES, 3).astype(dtype) for dtype in (np.float16, np.float32, np.float64)]
    values, by_x, by_x_twice = jax.jit(lambda xs: ([function(x) for x in xs], slope(X), twice(X)))(given)  # compiled once
    for x, y in zip(given, values, strict=True):
        assert_same_bits(np.asarray(y), own(x))
    assert_same_bits(np.asarray(by_x), own.derivative(X))
    assert_same_bits(np.asarray(by_x_twice), own.second_derivative(X))


@pytest.mark.parametrize("name", JAX)
def test_derivatives_as_jax(name):
    found = []
    for f in (getattr(fj, name), JAX[name]):
        loss = lambda v, f=f: (f(v) ** 2).sum()  # noqa: E731
        every = lambda v, f=f, loss=loss: (  # noqa: E731
            f(v), jax.grad(loss)(v), jax.hessian(loss)(v[:1, :2]), jax.jvp(f, (v,), (v * 0.3,))[1],
            jax.vmap(f, in_axes=1)(jnp.stack([v, -v], 1)),
        )  # fmt: skip
        found.append(jax.jit(every)(X))  # compiled once
    for ours, theirs in zip(*found, strict=True):
        np.testing.assert_allclose(ours, theirs, rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize("name", fj.ROWS)
def test_rows(name):
    function, own = getattr(fj, name), getattr(fa, name)
    cube = np.stack([X, X - 1])
    for axis in (-1, 0, 1):
        assert_same_bits(np.asarray(function(cube, axis, temperature=0.7)), own(cube, axis, temperature=0.7))
    batched = jax.vmap(lambda v: function(v, 0))(cube)
    assert_same_bits(np.asarray(batched), own(cube, 1))
    if name != "hardmax":
        step, along = 1e-6, np.cos(np.arange(12.0)).reshape(3, 4)
        difference = (function(X + step * along) - function(X - step * along)) / (2 * step)
        np.testing.assert_allclose(jax.jvp(function, (X,), (along,))[1], difference, atol=1e-8)
    assert function(jnp.asarray(X, jnp.bfloat16)).dtype == jnp.bfloat16


def test_parameters_and_units():
    assert_same_bits(np.asarray(jax.jit(lambda v: fj.elu(v, alpha=0.5))(X)), fa.elu(X, 0.5))
    for name in ("glu", "bilinear", "reglu", "geglu", "swiglu", "seglu"):
        np.testing.assert_allclose(getattr(fj, name)(X), getattr(fa, name)(X), rtol=1e-15)
        np.testing.assert_allclose(getattr(fj, name)(X, X), getattr(fa, name)(X, X), rtol=1e-15)
    for call, error, words in [
        (lambda: fj.gelu(jnp.arange(3)), TypeError, "fastact.jax.gelu: x has dtype int64"),
        (lambda: fj.elu(X, alpha=jnp.ones(4)), TypeError, "fastact.jax.elu: alpha is .*; expected a number"),
        (lambda: fj.softmax(X, axis=(0, 1)), ValueError, "expected an int"),
        (lambda: fj.softmax(X, temperature=0.0), ValueError, "temperature is 0.0"),
        (lambda: fj.glu(X[:, :3]), ValueError, "expected an even one"),
        (lambda: fj.maxout, AttributeError, "there is no maxout of JAX's arrays"),
        (lambda: jax.grad(jax.grad(jax.grad(fj.gelu)))(0.5), NotImplementedError, "third derivatives"),
    ]:
        with pytest.raises(error, match=words):
            call()


def test_without_a_compiler(tmp_path):
    found = run_python("import fastact.jax as fj; fj.build()", CXX="/nowhere/c++", FASTACT_CACHE_DIR=str(tmp_path))
    assert "/nowhere/c++" in found.stderr
    assert not list(tmp_path.glob("*.so"))
