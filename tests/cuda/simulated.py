"""Calls on a GPU as Numba's simulator runs them; test_compiled.py starts these in an interpreter of their own.

The kernels are replaced there (fastact/cuda/simulated.py); what is tested is what surrounds them: indices,
groups and tails, the choice of library, streams and devices, chunks, errors.
"""

import threading

import numpy as np
import pytest
from fastact.cpu.direct import is_redirected
from helpers import CALLS, WITH_PARAMS, arrays, assert_same_bits, function, numbers, parameter_sets, results
from numba import cuda

import fastact as fa
from fastact.cuda import host, launch

N = 21  # groups and a tail for each width


def assert_near(got, want):
    """The bound between CPU levels of test_levels.py: the simulator rounds fma in float32 twice."""
    got = got.copy_to_host() if hasattr(got, "copy_to_host") else got
    assert got.dtype == want.dtype
    assert got.shape == want.shape
    np.testing.assert_array_equal(np.isfinite(got), np.isfinite(want))
    finite = np.isfinite(want)
    eps, tiny = float(np.finfo(want.dtype).eps), float(np.finfo(want.dtype).tiny)
    bound = 1 if want.dtype == np.float16 else 16
    got, want = got[finite].astype(np.float64), want[finite].astype(np.float64)
    np.testing.assert_allclose(got, want, rtol=bound * eps, atol=max(tiny, bound * eps / 2))


def check_function(name, kind, dtype):
    with np.errstate(over="ignore"):
        x = numbers(N, np.float32, scale=3.0).astype(dtype)
    given = arrays(name, kind, x)
    got = results(function(name, kind)(*map(cuda.to_device, given)))
    for g, w in zip(got, results(function(name, kind)(*given)), strict=True):
        assert g.__cuda_ndarray__
        assert_near(g, w)


@pytest.mark.parametrize(("name", "kind"), CALLS)
def test_every_function(name, kind):
    check_function(name, kind, np.float32)


def test_defined_by_a_user():
    """The formula of a user is one of the package here too; the values of its twin at the bound of the simulator."""
    swish = fa.define("x * sigmoid(1.5 * x)")
    x = numbers(N, np.float64, scale=3.0)
    grad = np.linspace(-1.0, 1.0, N)
    for kind, given in (("value", (x,)), ("derivative", (x,)), ("second_derivative", (x,)), ("backward", (grad, x))):
        call, twin = (f if kind == "value" else getattr(f, kind) for f in (swish, fa.silu))
        assert_near(call(*map(cuda.to_device, given)), twin(*given, 1.5))
        assert_near(call(*given, device="cuda"), twin(*given, 1.5))


BOTH = [(n, k) for n, k in CALLS if k == "value_and_derivative"][::2]


@pytest.mark.parametrize("dtype", [np.float16, np.float64])
@pytest.mark.parametrize(("name", "kind"), [
    pytest.param(n, k, marks=() if (n, k) in BOTH else pytest.mark.release) for n, k in CALLS
])  # fmt: skip
def test_every_function_in_other_dtypes(name, kind, dtype):
    check_function(name, kind, dtype)


@pytest.mark.parametrize("name", WITH_PARAMS)
def test_parameters(name):
    x, params = numbers(N, np.float32), parameter_sets(name)[1]
    device = cuda.to_device(x)
    assert_near(getattr(fa, name)(device, *params), getattr(fa, name)(x, *params))
    named = dict(zip(fa.get(name).params, params, strict=True))
    assert_near(getattr(fa, name).derivative(device, **named), getattr(fa, name).derivative(x, *params))


@pytest.mark.parametrize("first", range(5))
@pytest.mark.parametrize("size", [0, 1, 3, 4, 5, 64, 700])
def test_sizes_and_alignment(size, first):
    """Groups where the address allows, single elements elsewhere; more elements than threads."""
    whole = cuda.to_device(numbers(size + 5, np.float32))
    assert_near(fa.relu(whole[first : first + size]), fa.relu(whole.copy_to_host()[first : first + size]))


def test_launches_of_part_of_an_array(monkeypatch):
    monkeypatch.setattr(launch, "LAUNCH", 8)
    x = numbers(N, np.float64)
    assert_near(fa.tanh.backward(cuda.to_device(x), cuda.to_device(x)), fa.tanh.backward(x, x))
    x = numbers(36, np.float32).reshape(9, 4)
    assert_near(fa.tanh(cuda.to_device(x)[:, 1:]), fa.tanh(x[:, 1:]))


@pytest.mark.parametrize("layout", [
    lambda a: a, lambda a: a[:, ::2], lambda a: a[:, 1:, ::-1], lambda a: a[:1, :, 2:3], lambda a: a.T, lambda a: a[..., 0],
    lambda a: a.transpose((2, 0, 1)), lambda a: a[::-1, ::-2, 4:],
])  # fmt: skip
@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64])
def test_layouts(layout, dtype):
    x = numbers(2 * 3 * 16, np.float32, scale=2).clip(-1e4, 1e4).astype(dtype).reshape(2, 3, 16)
    assert_near(fa.gelu(layout(cuda.to_device(x))), fa.gelu(layout(x)))
    given = layout(x)
    for got, want in zip(fa.elu.value_and_derivative(layout(cuda.to_device(x)), 0.5), fa.elu.value_and_derivative(given, 0.5),
                         strict=True):  # fmt: skip
        assert_near(got, want)
    out = cuda.to_device(np.zeros_like(x))
    assert fa.relu(layout(cuda.to_device(x)), out=(view := layout(out))) is view
    want = np.zeros_like(x)
    layout(want)[...] = fa.relu(layout(x))
    assert_near(out, want)


@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64])
@pytest.mark.parametrize(("x_shape", "shape"), [
    ((2, 3, 16), (16,)), ((2, 3, 16), (3, 1)), ((2, 3, 16), (2, 1, 1)), ((2, 3, 16), ()), ((16,), (5, 1)), ((4, 1), (1, 24)),
    ((0, 3), (3,)), ((2, 3, 16), (2, 3, 16)),
])  # fmt: skip
def test_broadcasting(x_shape, shape, dtype):
    """Parameters that are arrays, and gradients, as on the CPU: a weight for each channel, of any axis."""
    x = numbers(int(np.prod(x_shape)), np.float32, scale=2).clip(-1e4, 1e4).astype(dtype).reshape(x_shape)
    weight = np.linspace(0.1, 0.9, int(np.prod(shape))).astype(dtype).reshape(shape)
    device, weights = cuda.to_device(x), cuda.to_device(weight)
    assert_near(fa.prelu(device, weights), fa.prelu(x, weight))
    assert_near(fa.prelu.backward(device, device, weight=weights), fa.prelu.backward(x, x, weight))
    assert_near(fa.tanh.backward(weights, device), fa.tanh.backward(weight, x))
    assert_near(fa.reflu(device, weights, 0.5), fa.reflu(x, weight, 0.5))
    if x.size:
        assert_near(fa.prelu(x, weight, device="cuda"), fa.prelu(x, weight))


def test_out():
    x = numbers(N, np.float32)
    device, out = cuda.to_device(x), cuda.to_device(x)
    assert fa.gelu(device, out=out) is out
    assert_near(out, fa.gelu(x))
    assert fa.gelu(out, out=out) is out
    assert_near(out, fa.gelu(fa.gelu(x)))
    pair = cuda.to_device(x), cuda.to_device(x)
    fa.elu.value_and_derivative(device, 0.5, out=pair)
    assert_near(pair[1], fa.elu.derivative(x, 0.5))


def test_device_block():
    x = numbers(N, np.float32)
    used = []
    launch = host.launch
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(host, "launch", lambda *a: used.append(a[0]) or launch(*a))
        with fa.device("cuda"):
            fa.gelu(x)
            with fa.device("cpu"):
                fa.tanh(x)
            fa.relu(x, device="cpu")
            assert fa.elu(1.0) == 1
            assert fa.exp(np.arange(3)).dtype == np.float64
        fa.mish(x)
    assert used == ["gelu", "elu", "exponential"]
    assert fa.gelu(np.float32(1.0), device="cuda").dtype == np.float32
    assert fa.gelu(np.empty((0, 3)), device="cuda").shape == (0, 3)


def test_log(caplog):
    caplog.set_level("DEBUG", "fastact")
    x = numbers(N, np.float32)
    fa.gelu(x)
    fa.gelu(cuda.to_device(x))
    fa.gelu.derivative(x, device="cuda")
    assert caplog.messages == [
        "fastact.gelu: float32(21,) on GPU 0",
        "fastact.gelu.derivative: float32(21,) of the host on a GPU, in 1 chunk(s)",
    ]


def test_last_target():
    x = numbers(N, np.float32)
    device = cuda.to_device(x)
    fa.gelu(x)
    assert fa.last_target() == "cpu"
    for on_gpu in (lambda: fa.gelu(device), lambda: fa.gelu(x, device="cuda"), lambda: fa.softmax(device),
                   lambda: fa.glu(device[1:])):  # fmt: skip
        on_gpu()
        assert fa.last_target() == "cuda"
        assert is_redirected()
        fa.gelu.derivative(x, out=x.copy())
        assert fa.last_target() == "cpu"
        assert not is_redirected()
    for on_cpu in (lambda: fa.softmax(x), lambda: fa.sparsemax(x), lambda: fa.swiglu(x[1:]), lambda: fa.gelu(1.0),
                   lambda: fa.gelu(x[::2]), lambda: fa.maxout(x, 3), lambda: fa.prelu.parameter_gradients(x, x),
                   lambda: fa.relu(x, device="cpu")):  # fmt: skip
        fa.gelu(device)
        on_cpu()
        assert fa.last_target() == "cpu"
    with pytest.raises(TypeError):
        fa.gelu(device, where=True)
    assert fa.last_target() == "cpu"


def test_last_target_of_threads():
    x = numbers(N, np.float32)
    device = cuda.to_device(x)
    found = []

    def other():
        found.append(fa.last_target())
        assert_same_bits(fa.gelu(x), fa.gelu(list(x)).astype(np.float32))
        fa.gelu(device)
        found.append(fa.last_target())

    fa.gelu(device)
    thread = threading.Thread(target=other)
    thread.start()
    thread.join()
    del thread
    assert found == ["cpu", "cuda"]
    assert fa.last_target() == "cuda"
    fa.gelu(x)
    assert not is_redirected(), "the mark of a thread that has ended is gone"


def test_errors():
    x = numbers(N, np.float32)
    device = cuda.to_device(x)
    cases = [
        (lambda: fa.gelu.backward(x, device), TypeError, r"fastact\.gelu\.backward: grad is ndarray on the CPU; expected all"),
        (lambda: fa.gelu(device, out=x), TypeError, r"fastact\.gelu: out is ndarray on the CPU"),
        (lambda: fa.gelu(x, out=device), TypeError, r"fastact\.gelu: x is ndarray on the CPU"),
        (lambda: fa.gelu(device, where=True), TypeError, r"fastact\.gelu: where is not supported on a GPU; out is"),
        (lambda: fa.elu(device, x), TypeError, r"fastact\.elu: alpha is ndarray on the CPU; expected all arrays on one GPU"),
        (lambda: fa.elu(device, "1"), TypeError, r"fastact\.elu: alpha is str on the CPU; expected all arrays on one GPU"),
        (lambda: fa.elu(x, device), TypeError, r"fastact\.elu: x is ndarray on the CPU; expected all arrays on one GPU"),
        (lambda: fa.gelu(cuda.to_device(np.arange(3))), TypeError, r"x has dtype int64 on a GPU; expected float16, float32 or"),
        (
            lambda: fa.gelu.backward(device, device[:4]),
            ValueError,
            r"shapes do not broadcast: grad \(21,\), x \(4,\)",
        ),
        (lambda: fa.gelu.backward(device, cuda.to_device(x.astype("d"))), TypeError, r"x has dtype float64 on a GPU; expected"),
        (lambda: fa.gelu(device, device="cpu"), ValueError, r"device is 'cpu', but arguments are on a GPU"),
        (lambda: fa.gelu(x, device="gpu"), ValueError, r"fastact\.gelu: device is 'gpu'; expected 'cpu' or 'cuda'"),
        (lambda: fa.device("gpu"), ValueError, r"fastact\.device: name is 'gpu'; expected"),
        (lambda: fa.gelu(np.ma.array(x), device="cuda"), TypeError, r"x is MaskedArray; device='cuda' takes plain NumPy arrays"),
        (lambda: fa.gelu(x, out=np.empty(3), device="cuda"), ValueError, r"out is not a C-contiguous NumPy array of shape"),
        (lambda: fa.gelu.backward(x, x[:4], device="cuda"), ValueError, r"shapes do not broadcast: grad \(21,\), x \(4,\)"),
        (lambda: fa.gelu(device, out=device[:4]), ValueError, r"fastact\.gelu: out has shape \(4,\) on a GPU; expected \(21,\)"),
        (lambda: fa.gelu(device[:-1], out=device[1:]), ValueError, r"fastact\.gelu: out overlaps another array on a GPU"),
        (lambda: fa.elu.value_and_derivative(device, out=(device, device)), ValueError, "out overlaps another array"),
        (lambda: fa.elu.value_and_derivative(device, out=device), TypeError, "out has 1 arrays; expected 2"),
        (lambda: fa.prelu.parameter_gradients(device, x), TypeError, r"prelu\.parameter_gradients: grad is \w+ on a GPU"),
        (lambda: fa.maxout(device, 3), TypeError, r"fastact\.maxout: x is \w+ on a GPU; expected arrays of the CPU alone"),
        (lambda: fa.sparsemax(device), TypeError, r"fastact\.sparsemax: x is \w+ on a GPU; expected arrays of the CPU alone"),
        (lambda: fa.logsumexp(device), TypeError, r"fastact\.logsumexp: x is \w+ on a GPU; expected arrays of the CPU alone"),
        (lambda: fa.sparsemax(x, device="cuda"), TypeError, r"sparsemax: device is 'cuda'; this function runs on the CPU"),
        (lambda: fa.gelu(1j, device="cuda"), TypeError, r"fastact\.gelu: x has dtype complex128"),
    ]
    for call, error, message in cases:
        with pytest.raises(error, match=message):
            call()


def test_available():
    assert fa.cuda.is_available()
    assert fa.cuda.why_unavailable() is None
