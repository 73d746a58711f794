"""float16 and bfloat16: every result is that for float32, rounded once, over all numbers that there are of either."""

import numpy as np
import pytest
from helpers import CALLS, HALVES, NAMES, assert_same_bits, function, parameter_sets, results

import fastact as fa

EVERY = np.arange(1 << 16, dtype=np.uint16)
# Others for every element, in another order.
MIXED = EVERY * np.uint16(40503) + np.uint16(12345)
SINGLE = np.float32
ROWS = ["softmax", "log_softmax", "softmin", "log_softmin", "softmax1", "sparsemax", "entmax15", "entmax", "hardmax", "logsumexp",
        "logmeanexp"]  # fmt: skip
GATED = ["glu", "bilinear", "reglu", "geglu", "swiglu", "seglu"]

pytestmark = pytest.mark.parametrize("half", HALVES, ids=str)


def rounded(value, half):
    """A result of float32 as half; what is neither, an index, as it is."""
    with np.errstate(all="ignore"):
        return value.astype(half) if value.dtype == SINGLE else value


def assert_rounded(call, half, *arrays, **keywords):
    """Assert that a call gives in a half what it gives in float32, for arrays of all numbers of the half."""
    got = results(call(*(a.view(half) for a in arrays), **keywords))
    want = results(call(*(a.view(half).astype(SINGLE) for a in arrays), **keywords))
    for g, w in zip(got, want, strict=True):
        assert_same_bits(g, rounded(w, half), f"{call} {half} {keywords}")


@pytest.mark.parametrize("name", NAMES)
def test_elementwise(name, half):
    kinds = [kind for n, kind in CALLS if n == name]
    for kind in [*kinds, *(["second_derivative"] if fa.get(name).second_derivative else [])]:
        given = (MIXED, EVERY) if kind.startswith("backward") else (EVERY,)
        assert_rounded(function(name, kind), half, *given)
        assert_rounded(function(name, kind).ufunc, half, *given) if not fa.get(name).params else None
        if kind in ("value", "backward"):
            for params in parameter_sets(name)[1:2]:
                assert_rounded(lambda *a, kind=kind, p=params: function(name, kind)(*a, *p), half, *given)


@pytest.mark.parametrize("name", ["gelu", "prelu", "tanh"])
def test_layouts(name, half):
    """Strides of either sign, columns, misaligned elements, few of them, outputs, an output that is an input, masks."""
    call = getattr(fa, name)
    x = EVERY.view(half)[: 3 * 20000].reshape(3, 20000)
    want = rounded(call(x.astype(SINGLE)), half)
    for index in (np.s_[:, ::-1], np.s_[::-1, ::3], np.s_[:, :700], np.s_[1, :7], np.s_[:, 5], np.s_[1:2, 5:6]):
        assert_same_bits(call(x[index]), want[index])
        assert_same_bits(call(x.T[index[::-1] if isinstance(index, tuple) else index]), want.T[index[::-1]])
        out = np.zeros_like(x)
        assert call(x[index], out=out[index]) is not None
        assert_same_bits(out[index], want[index])
        assert np.count_nonzero(out.view("u2")) <= out[index].size
    odd = np.zeros(x.nbytes + 1, np.uint8)[1:].view(half).reshape(x.shape)
    odd[...] = x
    assert_same_bits(call(odd), want)
    same = x.copy()
    call(same, out=same)
    assert_same_bits(same, want)
    moved = np.concatenate([x[0], x[0]])[: 20000 + 5]
    call(moved[:-5], out=moved[5:])
    assert_same_bits(moved[5:], want[0])
    keep = (EVERY[: x.size] % 3 == 0).reshape(x.shape)
    out = np.full_like(x, 7)
    call(x, out=out, where=keep)
    assert_same_bits(out, np.where(keep, want, half.type(7)))
    assert_same_bits(call(np.broadcast_to(x[1:2], (4, 20000))), np.broadcast_to(want[1:2], (4, 20000)))
    assert_same_bits(call(x[0, 0]), want[0, 0])
    assert type(call(x[0, 0])) is half.type


@pytest.mark.parametrize("name", ["elu", "prelu", "hard_tanh", "softplus"])
def test_parameters_are_not_rounded(name, half):
    """Numbers and arrays of float32; those of the half are what they are; the result is a half beside a number alone."""
    call = getattr(fa, name)
    first = next(iter(call.params))
    number = 0.3001
    for size in (1000, 1 << 16):
        x = MIXED[:size].view(half)
        wide = x.astype(SINGLE)
        assert_same_bits(call(x, **{first: number}), rounded(call(wide, **{first: number}), half))
        array = np.linspace(0.1, 0.7, size, dtype=SINGLE)
        assert_same_bits(call(x, **{first: array}), call(wide, **{first: array}))  # float32
        assert_same_bits(call(x, dtype=half, **{first: array}), rounded(call(wide, **{first: array}), half))
        own = array.astype(half)
        assert_same_bits(call(x, **{first: own}), rounded(call(wide, **{first: own.astype(SINGLE)}), half))
        for f in (call, call.value_and_derivative, call.derivative):
            assert all(r.dtype == half for r in results(f(x, number)))


def test_bias(half):
    """Added in float32; the gradient by it has its dtype."""
    x, bias = EVERY[: 40 * 1000].view(half).reshape(40, 1000), MIXED[:1000].view(half)
    wide, wide_bias = x.astype(SINGLE), bias.astype(SINGLE)
    for call in (fa.gelu, fa.elu.derivative, fa.silu.value_and_derivative):
        for index in (np.s_[:, :], np.s_[::2, :], np.s_[:1, :]):
            for g, w in zip(results(call(x[index], bias=bias)), results(call(wide[index], bias=wide_bias)), strict=True):
                assert_same_bits(g, rounded(w, half))
    small = np.linspace(-2, 2, 1000, dtype=SINGLE).astype(half)
    z = np.linspace(-3, 3, 40 * 1000, dtype=SINGLE).astype(half).reshape(40, 1000)
    for given in (z, z[::2]):
        by_x, by_bias = fa.gelu.backward(given, given, bias=small, return_bias_grad=True)
        wide = given.astype(SINGLE)
        want_x, want_bias = fa.gelu.backward(wide, wide, bias=small.astype(SINGLE), return_bias_grad=True)
        assert_same_bits(by_x, rounded(want_x, half))
        assert by_bias.dtype == half
        np.testing.assert_allclose(by_bias.astype(float), want_bias, rtol=2 ** -(8 if half != np.float16 else 11), atol=1e-6)


@pytest.mark.parametrize("name", ROWS)
def test_rows(name, half):
    call, x = getattr(fa, name), EVERY.reshape(512, 128)
    some = np.random.default_rng(0).normal(0, 3, (40, 200)).astype(half).view(np.uint16)
    for given, axis in ((x, -1), (x.T, 0), (some, -1), (some, 0)):
        for keywords in ({}, {"temperature": 0.7}, {"where": given % 5 > 0}):
            assert_rounded(call, half, given, axis=axis, **keywords)
    assert_rounded(lambda v: call(v, dtype=half if v.dtype == half else SINGLE), half, x)
    y = call(some.view(half))
    out = np.empty(y.shape, half)
    assert call(some.view(half), out=out) is out
    assert_same_bits(out, y)
    grad = MIXED[: some.size].reshape(some.shape) & np.uint16(0x3FFF if half == np.float16 else 0x43FF)
    second = some if name.startswith("log") and name.endswith("exp") else y.view(np.uint16)
    assert_rounded(call.backward, half, grad[:, 0] if "exp" in name else grad, second)


@pytest.mark.parametrize("name", GATED)
def test_gated(name, half):
    unit = getattr(fa, name)
    assert_rounded(unit, half, EVERY, MIXED)
    assert_rounded(unit, half, EVERY.reshape(256, 256))
    assert_rounded(unit, half, EVERY.reshape(256, 256), axis=0)
    assert_rounded(unit.backward, half, MIXED[::-1], EVERY, MIXED)
    assert_rounded(unit.backward, half, MIXED[: 1 << 15].reshape(256, 128), EVERY.reshape(256, 256))
    if name == "swiglu":
        assert_rounded(unit, half, EVERY, MIXED, limit=7.0, alpha=1.702, offset=1.0)
        assert_rounded(unit, half, EVERY, interleaved=True)


def test_pieces(half):
    assert_rounded(fa.maxout, half, MIXED, pieces=4, return_index=True)
    assert_rounded(fa.maxout, half, MIXED.reshape(8, -1), pieces=8, axis=0)
    assert_rounded(fa.crelu, half, EVERY)
    assert_rounded(fa.crelu.backward, half, np.concatenate([MIXED, MIXED[::-1]]), EVERY)
    assert_rounded(lambda g: fa.maxout.backward(g, np.arange(1 << 16) % 3, 3), half, EVERY)
    x = np.linspace(-3, 3, 1000, dtype=SINGLE).astype(half).view(np.uint16)
    assert_rounded(lambda v: fa.max_affine(v, [-1.3, 0.7], [0.1, -0.2]), half, x)
    grads = fa.max_affine.backward(x.view(half), x.view(half), [-1.3, 0.7], [0.1, -0.2])
    assert {v.dtype for v in grads.values()} == {half}


def test_stochastic(half):
    assert_rounded(lambda x: fa.rrelu(x, training=True, rng=0), half, EVERY)
    assert_rounded(lambda x: fa.noisy_relu(x, rng=0), half, EVERY)
    assert_rounded(lambda g, x: fa.rrelu.backward(g, x, np.float32(0.3)), half, MIXED, EVERY)
    x = np.linspace(-9, 9, 1 << 12, dtype=SINGLE).astype(half).view(np.uint16)
    noise = np.linspace(-2, 2, 1 << 12, dtype=SINGLE)
    assert_rounded(lambda g, v: fa.noisy_relu.backward(g, v, noise), half, x[::-1], x)
    assert_rounded(lambda v: fa.gumbel_softmax(v, rng=0), half, x.reshape(64, 64))
    soft = fa.gumbel_softmax(x.view(half).reshape(64, 64), rng=0)
    assert fa.gumbel_softmax.backward(soft, soft).dtype == half


def test_gradients(half):
    """By parameters, and of gradients."""
    x = np.random.default_rng(0).normal(0, 2, 5000).astype(half)
    grad, half_ulp = x[::-1].copy(), 2.0 ** -(11 if half == np.float16 else 8)
    for name in ("elu", "prelu", "hard_tanh", "squareplus"):
        got = getattr(fa, name).parameter_gradients(grad, x)
        want = getattr(fa, name).parameter_gradients(grad.astype(float), x.astype(float))
        for key, value in got.items():
            assert value.dtype == half
            assert float(value) == pytest.approx(float(want[key]), rel=half_ulp, abs=1e-4)
    weight = np.full(5000, 0.25, half)
    by_weight = fa.prelu.parameter_gradients(grad, x, weight)["weight"]
    product = grad.astype(SINGLE) * np.minimum(x.astype(SINGLE), 0)
    assert_same_bits(by_weight + half.type(0), product.astype(half) + half.type(0))
    wide = x.astype(SINGLE)
    for g, w in zip(fa.gelu.backward_backward(x, grad, x), fa.gelu.backward_backward(wide, wide[::-1], wide), strict=True):
        assert_same_bits(g, rounded(w, half))
    assert fa.softmax.parameter_gradients(grad[:100], x[:100])["temperature"].dtype == half
    assert fa.swiglu.parameter_gradients(grad[:2500], x)["alpha"].dtype == half


def test_threads(half):
    """The same bits on several threads, of conversions and of kernels."""
    x = np.resize(MIXED, 1 << 18).view(half).reshape(512, 512)
    tame = np.where(np.abs(x.astype(SINGLE)) < 100, x.astype(SINGLE), 1).astype(half)
    found = []
    for threads in (1, 2):
        with fa.num_threads(threads):
            found.append([fa.gelu(x), fa.gelu(x.T), fa.softmax(tame), fa.softmax(tame.T), fa.swiglu(x), fa.swiglu(x[:, ::2])])
    for one, two in zip(*found, strict=True):
        assert_same_bits(one, two)
