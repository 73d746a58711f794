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
W = np.linspace(-1, 2, 12).reshape(3, 4)
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


def test_subnormal_numbers_count():
    """Though XLA's threads are set to take them for 0: kernels scale by powers of two that make some on the way."""
    tiny = np.array([1e-310, -1e-310, 2.5e-308, -700.0, -2.3])
    for call, own in [
        (lambda v: fj.elu(v, alpha=1.01), lambda v: fa.elu(v, 1.01)),
        (jax.vmap(jax.grad(lambda v: fj.elu(v, alpha=1.01))), lambda v: fa.elu.derivative(v, 1.01)),
        (jax.vmap(jax.grad(lambda v: fj.elu(v, alpha=jnp.float64(1.01)))), lambda v: fa.elu.derivative(v, 1.01)),
        (fj.softmax, fa.softmax),
    ]:
        assert_same_bits(np.asarray(jax.jit(call)(tiny)), own(tiny))


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
    assert [float(fj.softmax(2.0)), float(fj.logsumexp(2.0, axis=0)), float(fj.hardmax(2.0))] == [1.0, 2.0, 1.0]
    for call, error, words in [
        (lambda: fj.gelu(jnp.arange(3)), TypeError, "fastact.jax.gelu: x has dtype int64"),
        (lambda: fj.elu(X, alpha=jnp.arange(4)), TypeError, "fastact.jax.elu: alpha has dtype int"),
        (lambda: fj.elu(X, alpha="1"), TypeError, "fastact.jax.elu: alpha is '1'; expected a number or an array"),
        (lambda: fj.elu(X, alpha=jnp.ones(3)), ValueError, r"fastact.jax.elu: shapes x \(3, 4\), alpha \(3,\) do not broadcast"),
        (lambda: fj.softmax(X, temperature=jnp.ones(3)), TypeError, "temperature is .*; expected a number; arrays are not taken"),
        (lambda: fj.softmax(X, axis=(0, 1)), ValueError, "expected an int"),
        (lambda: fj.softmax(X, temperature=0.0), ValueError, "temperature is 0.0"),
        (lambda: fj.glu(X[:, :3]), ValueError, "expected an even one"),
        (lambda: fj.glu(X, axis=2), ValueError, "fastact.jax.glu: axis is 2; expected an int, one of the 2 axes"),
        (lambda: fj.swiglu(X, X[:, :3]), ValueError, r"a has shape \(3, 4\) and b \(3, 3\); they do not broadcast"),
        (lambda: fj.gelu(None), TypeError, "fastact.jax.gelu: x is NoneType; expected an array"),
        (lambda: fj.elu(X, out=X), TypeError, "unexpected keyword 'out'; known are x, alpha$"),
        (lambda: fj.maxout, AttributeError, "there is no maxout of JAX's arrays"),
        (lambda: jax.grad(jax.grad(jax.grad(fj.gelu)))(0.5), NotImplementedError, "third derivatives"),
    ]:
        with pytest.raises(error, match=words):
            call()


@pytest.mark.parametrize("name", [n for n in NAMES if fa.get(n).params])
def test_parameters_that_are_arrays(name):
    """Values and slopes are fastact's; second derivatives are those of differences."""
    function, own = getattr(fj, name), getattr(fa, name)
    given = [np.linspace(p + 0.01, p + 0.06, 4) for p in own.params.values()]
    names = list(own.params)
    total = lambda v, *p: (function(v, *p) * W).sum()  # noqa: E731
    slopes = jax.grad(total, tuple(range(1 + len(given))))
    along = [np.cos(np.arange(a.size) + i).reshape(a.shape) for i, a in enumerate([X, *given])]
    value, by, twice = jax.jit(
        lambda *a: (function(*a), slopes(*a), jax.jvp(slopes, a, tuple(along))[1] if name != "step" else None)
    )(X, *given)  # compiled once
    assert_same_bits(np.asarray(value), own(X, *given))
    np.testing.assert_allclose(by[0], own.backward(W, X, *given), rtol=1e-14)
    wanted = own.parameter_gradients(W, X, *given)
    for n, b in zip(names, by[1:], strict=True):
        np.testing.assert_allclose(b, wanted[n], rtol=1e-13, atol=1e-15)
    if name != "step":  # of which nothing but 0 is left
        high, low = (jax.jit(slopes)(*(a + s * d for a, d in zip([X, *given], along, strict=True))) for s in (1e-6, -1e-6))
        for t, h, w in zip(twice, high, low, strict=True):
            np.testing.assert_allclose(t, (h - w) / 2e-6, rtol=1e-6, atol=1e-8)


def test_learnt_weights():
    weight = jnp.array([0.1, 0.2, 0.3, 0.4], jnp.float32)
    for dtype in (jnp.float16, jnp.bfloat16, jnp.float32, jnp.float64):
        x = jnp.asarray(X, dtype)
        y = jax.jit(fj.prelu)(x, weight)
        assert y.dtype == dtype
        by_weight = jax.grad(lambda w, x=x: fj.prelu(x, w).sum())(weight)
        assert by_weight.dtype == jnp.float32
        np.testing.assert_allclose(by_weight, jnp.minimum(x.astype(jnp.float32), 0).sum(0), rtol=1e-5)
    each = jax.vmap(fj.prelu, in_axes=(0, None))(jnp.asarray(X), weight[0])
    assert_same_bits(np.asarray(each), fa.prelu(X, float(weight[0])))
    far = jnp.array([-1e4, -800.0, 800.0, 1e4, np.inf, -np.inf])
    assert np.isfinite(jax.grad(lambda v: fj.star_relu(v, jnp.ones(()), jnp.zeros(())).sum())(far[:4])).all()
    assert np.isfinite(jax.grad(jax.grad(lambda b: fj.softplus(far[:4], b).sum()))(1.0)).all()
    with pytest.raises(NotImplementedError, match=r"fastact.jax.elu: third derivatives by x"):
        jax.grad(jax.grad(jax.grad(lambda v: fj.elu(v, jnp.ones(())))))(0.5)


@pytest.mark.parametrize("name", NAMES)
def test_every_transform(name):
    """grad, jvp, vmap and grad of grad, forward over reverse and reverse over forward."""
    function, own = getattr(fj, name), getattr(fa, name)
    x = np.abs(X[0]) + 0.1 if name == "log1mexp" else X[0]
    tangent = np.linspace(0.5, 2, 4)
    one, both = jax.vmap(jax.grad(function)), jax.vmap(jax.grad(jax.grad(function)))
    found = jax.jit(
        lambda v: (one(v), both(v), *jax.jvp(function, (v,), (tangent,)), *jax.jvp(one, (v,), (tangent,)),
                   jax.vjp(lambda u: jax.jvp(function, (u,), (tangent,))[1], v)[1](tangent)[0])
    )(x)  # compiled once
    slope, bend = own.derivative(x), own.second_derivative(x)
    wanted = slope, bend, own(x), slope * tangent, slope, bend * tangent, bend * tangent * tangent
    for f, w in zip(found, wanted, strict=True):
        np.testing.assert_allclose(f, w, rtol=1e-13, atol=1e-300)


def test_without_a_compiler(tmp_path):
    found = run_python("import fastact.jax as fj; fj.build()", CXX="/nowhere/c++", FASTACT_CACHE_DIR=str(tmp_path))
    assert "/nowhere/c++" in found.stderr
    assert not list(tmp_path.glob("*.so"))
