"""Kinks, in both precisions and one ULP to either side; and derivatives from the output, where it determines them."""

import numpy as np
import pytest
from helpers import NAMES, assert_same_bits

import fastact as fa
from fastact.language.registry import REGISTRY

KINKED = [n for n in NAMES if REGISTRY[n].kinks]
FROM_OUTPUT = [n for n in NAMES if fa.get(n).backward_from_output]


def kinks(name):
    spec = REGISTRY[name]
    return [float(eval(str(k).partition(" unless ")[0], {}, dict(spec.params))) for k in spec.kinks]


def around(kink, dtype):
    """A kink and its neighbours."""
    at = dtype(kink)
    return np.array([np.nextafter(at, dtype(-np.inf)), at, np.nextafter(at, dtype(np.inf))], dtype)


@pytest.mark.parametrize("name", KINKED)
def test_precisions_agree(name):
    """At a kink that both have, and beside it, float32 and float64 take the same side."""
    call = getattr(fa, name)
    for kink in kinks(name):
        if float(np.float32(kink)) != kink:
            continue
        found = {d: call.derivative(around(kink, d)).astype(np.float64) for d in (np.float32, np.float64)}
        np.testing.assert_allclose(found[np.float32], found[np.float64], rtol=1e-5, atol=1e-6, err_msg=f"{name} at {kink}")
        values = {d: call(around(kink, d)).astype(np.float64) for d in (np.float32, np.float64)}
        np.testing.assert_allclose(values[np.float32], values[np.float64], rtol=1e-5, atol=1e-6, err_msg=f"{name} at {kink}")


@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64])
@pytest.mark.parametrize("name", KINKED)
def test_kinds_agree(name, dtype):
    call = getattr(fa, name)
    for kink in kinks(name):
        x = around(kink, dtype)
        slope = call.derivative(x)
        value, both = call.value_and_derivative(x)
        assert_same_bits(both, slope)
        assert_same_bits(value, call(x))
        assert_same_bits(call.backward(np.ones_like(x), x), slope)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("name", sorted({*KINKED} & {*FROM_OUTPUT}))
def test_the_output_of_a_kink(name, dtype):
    """The derivative from the output of a kink is that at the kink."""
    call = getattr(fa, name)
    for kink in kinks(name):
        x = np.array([kink], dtype)
        np.testing.assert_allclose(call.backward_from_output(np.ones_like(x), call(x)), call.derivative(x), rtol=1e-6)


@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64])
def test_hard_sigmoid(dtype):
    x = np.array([-3, 3], dtype)
    assert fa.hard_sigmoid(x).tolist() == [0, 1]
    assert fa.hard_sigmoid.derivative(x).tolist() == [0, 0]
    assert np.all(fa.hard_sigmoid.derivative(np.nextafter(x, dtype(0))) == dtype(1 / 6))
    assert fa.hard_sigmoid(-3.0) == 0.0
    onnx = np.array([-2.5, 2.5], dtype)
    assert fa.hard_sigmoid(onnx, 0.2).tolist() == [0, 1]
    assert fa.hard_sigmoid.derivative(onnx, 0.2).tolist() == [0, 0]
    assert fa.hard_sigmoid(-x, -1 / 6).tolist() == [0, 1]


@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64])
def test_soft_shrink_with_a_negative_lambd(dtype):
    """As its formula has it."""
    x = np.array([-2, -0.5, 0, 0.5, 2, np.nan], dtype)
    want = np.sign(x) * np.maximum(np.abs(x) + 1, 0)
    np.testing.assert_array_equal(fa.soft_shrink(x, -1.0), want.astype(dtype))
    np.testing.assert_array_equal(fa.soft_shrink(x, np.full(6, -1, dtype)), want.astype(dtype))
    np.testing.assert_array_equal(fa.soft_shrink.derivative(x, -1.0)[:5], [1, 1, 0, 1, 1])


@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64])
def test_step_at_its_threshold(dtype):
    x = around(1.5, dtype)
    assert fa.step(x, 1.5).tolist() == [0, 1, 1]
    assert fa.step(x, 1.5, 0).tolist() == [0, 0, 1]
    assert fa.step(x, threshold=1.5, at=0.5).tolist() == [0, 0.5, 1]
    assert fa.step(np.array([-0.0, 0.0, np.nan], dtype), at=0.25).tolist()[:2] == [0.25, 0.25]
    assert fa.step.derivative(x, 1.5, 0.5).tolist() == [0, 0, 0]
    gradients = fa.step.parameter_gradients(np.array([1, 2, 4], dtype), x, 1.5, 0.5)
    assert (gradients["threshold"], gradients["at"]) == (0, 2)


@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64])
def test_shrink_is_between_its_kin(dtype):
    x = np.concatenate([around(-0.75, dtype), np.array([-2, -0.0, 0.0, 2, np.inf, np.nan], dtype), around(0.75, dtype)])
    assert_same_bits(fa.shrink(x, 0.75), fa.hard_shrink(x, 0.75))
    assert_same_bits(fa.shrink(x, 0.75, 0.75), fa.soft_shrink(x, 0.75))
    assert fa.shrink(x, 0.75, -1.0)[[0, 1, 3, 6]].tolist() == [dtype(-1) + x[0], 0, -3, 3]


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_srelu_at_its_thresholds(dtype):
    params = (1.0, 3.0, -1.0, 0.5)
    x = np.concatenate([around(-1, dtype), around(1, dtype)])
    assert fa.srelu.derivative(x, *params).tolist() == [0.5, 0.5, 1, 1, 3, 3]
    assert fa.srelu(np.array([-3, -1, 0.5, 1, 3], dtype), *params).tolist() == [-2, -1, 0.5, 1, 7]
    assert fa.srelu(np.array([-np.inf, np.inf], dtype), 1.0, 0.0, -1.0, 0.0).tolist() == [-1, 1]
    crossed = fa.srelu(np.array([-2, 0, 2], dtype), -1.0, 3.0, 1.0, 0.5)  # t_l above t_r
    assert crossed.tolist() == [-0.5, 2, 8]


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_xielu_where_its_branches_meet(dtype):
    x = around(0.0, dtype)
    step = float(fa.xielu(x)[1] - fa.xielu(x)[2])
    assert step == pytest.approx(0.8 * np.expm1(-1e-6), rel=1e-6)
    assert fa.xielu(x, eps=0.0)[1] == 0
    assert fa.xielu.derivative(x, eps=0.0).tolist() == [0.5, 0.5, 0.5]
    assert fa.xielu.derivative(around(-0.5, dtype), eps=-0.5)[2] == pytest.approx(-0.3)


AMBIGUOUS = [(n, p, least) for n in FROM_OUTPUT for p, least in REGISTRY[n].output_needs.items()]


@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64])
@pytest.mark.parametrize(("name", "param", "least"), AMBIGUOUS)
def test_refused_outputs(name, param, least, dtype):
    """A parameter with which two inputs of different slopes have one output; elements of an array give NaN."""
    call = getattr(fa, name).backward_from_output
    assert f"ValueError\n    For {param} less than {least:g}" in call.__doc__
    for size in (3, 100_000):
        y, out = np.ones(size, dtype), np.full(size, 7, dtype)
        for bad in (least - 2.0, least - 1, np.float64(least - 0.5), np.array(least - 1)):
            for given in ({param: bad}, {param: bad, "out": out}):
                with pytest.raises(ValueError, match=rf"fastact\.{name}\.backward_from_output: {param} is .* use backward"):
                    call(y, y, **given)
            with pytest.raises(ValueError, match=param):
                call(y, y, *(bad if p == param else d for p, d in REGISTRY[name].params.items()))
        assert np.all(out == 7)
        each = np.where(np.arange(size) % 2, least - 1, least + 1).astype(dtype)
        got = call(y, y, **{param: each})
        np.testing.assert_array_equal(np.isnan(got), each < least)
        np.testing.assert_array_equal(got[::2], call(y, y, **{param: least + 1.0})[::2])


@pytest.mark.parametrize("name", FROM_OUTPUT)
def test_the_output_determines(name):
    """Where nothing is refused, what comes from the output is the derivative, for parameters of either sign."""
    call = getattr(fa, name)
    x = np.linspace(-3, 3, 61)
    for scale in (1.0, 0.5, -0.5):
        params = {p: d * scale for p, d in call.params.items()}
        if any(v < REGISTRY[name].output_needs.get(p, -np.inf) for p, v in params.items()) or (name == "isru" and scale < 0):
            continue
        with np.errstate(all="ignore"):
            y, want = call(x, **params), call.derivative(x, **params)
            got = call.backward_from_output(np.ones_like(y), y, **params)
        fine = np.isfinite(want) & np.isfinite(y)
        np.testing.assert_allclose(got[fine], want[fine], rtol=1e-9, atol=1e-12, err_msg=f"{name} {params}")
