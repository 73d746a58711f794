"""Calls on a GPU as Numba's simulator runs them; test_cuda.py starts these in an interpreter of their own.

The kernels are replaced there (fastact/_cuda_simulated.py); what is tested is what surrounds them: indices,
groups and tails, the choice of library, streams and devices, chunks, errors.
"""

import sys
import types

import numpy as np
import pytest
from conftest import CALLS, WITH_PARAMS, arrays, function, numbers, parameter_sets, results
from numba import cuda

import fastact as fa
from fastact import _cuda_arrays, _cuda_dispatch

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


@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64])
@pytest.mark.parametrize(("name", "kind"), CALLS)
def test_every_function(name, kind, dtype):
    with np.errstate(over="ignore"):
        x = numbers(N, np.float32, scale=3.0).astype(dtype)
    given = arrays(name, kind, x)
    got = results(function(name, kind)(*map(cuda.to_device, given)))
    for g, w in zip(got, results(function(name, kind)(*given)), strict=True):
        assert g.__cuda_ndarray__
        assert_near(g, w)


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
    monkeypatch.setattr(_cuda_arrays, "LAUNCH", 8)
    x = numbers(N, np.float64)
    assert_near(fa.tanh.backward(cuda.to_device(x), cuda.to_device(x)), fa.tanh.backward(x, x))


def test_shapes():
    x = numbers(24, np.float32).reshape(2, 3, 4)
    assert_near(fa.gelu(cuda.to_device(x)), fa.gelu(x))
    with pytest.raises(ValueError, match=r"fastact\.gelu: x is not contiguous; expected a C-contiguous array"):
        fa.gelu(cuda.to_device(x)[:, ::2])


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


class Foreign:
    """An array of a library that lends its memory by __cuda_array_interface__."""

    def __init__(self, host, stream=0):
        self.host, self.stream = host, stream

    @property
    def __cuda_array_interface__(self):
        strides = None if self.host.flags.c_contiguous else self.host.strides
        return {"shape": self.host.shape, "typestr": self.host.dtype.str, "data": (self.host.ctypes.data, False),
                "strides": strides, "version": 3, "stream": self.stream or None}  # fmt: skip


def stand_in(monkeypatch, name, asked):
    """A module with the few functions of CuPy or torch that are called, and its type of arrays."""
    module = types.ModuleType(name)

    class Array(Foreign):
        device = types.SimpleNamespace(**{"index" if name == "torch" else "id": 0})
        contiguous = lambda self: asked.append("copy") or Array(np.ascontiguousarray(self.host))  # noqa: E731
        copy = lambda self, order: self.contiguous()  # noqa: E731

    Array.__module__ = f"{name}.somewhere"
    stream = types.SimpleNamespace(cuda_stream=7, ptr=7)
    module.contiguous_format = "contiguous"
    module.empty_like = lambda like, memory_format: Array(np.empty(like.host.shape, like.host.dtype))
    module.empty = lambda shape, dtype: Array(np.empty(shape, dtype))
    module.cuda = types.SimpleNamespace(
        current_stream=lambda device: asked.append("stream") or stream,
        get_current_stream=lambda: asked.append("stream") or stream,
    )
    monkeypatch.setitem(sys.modules, name, module)
    return Array


@pytest.mark.parametrize("library", ["cupy", "torch"])
def test_results_are_of_the_library_of_the_argument(monkeypatch, library):
    asked, streams = [], []
    monkeypatch.setattr(_cuda_arrays, "_external", lambda pointer: streams.append(pointer) or 0)
    array = stand_in(monkeypatch, library, asked)
    x = numbers(24, np.float32).reshape(4, 6)
    got = fa.gelu.backward(array(x), array(x))
    assert type(got) is array
    assert_near(got.host, fa.gelu.backward(x, x))
    assert asked == ["stream"]
    assert_near(fa.gelu(array(x[:, ::2])).host, fa.gelu(x[:, ::2]))
    assert asked == ["stream", "copy", "stream"]
    out = array(np.empty_like(x))
    assert fa.gelu(array(x), out=out) is out
    assert_near(out.host, fa.gelu(x))
    assert set(streams) == {7}


def test_other_libraries_get_arrays_of_numba():
    x = numbers(N, np.float32)
    assert_near(fa.gelu(Foreign(x)), fa.gelu(x))


def test_streams_of_the_interface(monkeypatch):
    used = []
    monkeypatch.setattr(_cuda_arrays, "_external", lambda pointer: used.append(pointer) or 0)
    fa.gelu(Foreign(numbers(N, np.float32), stream=9))
    assert used == [9]


@pytest.mark.parametrize("chunk", [16, 64, 1 << 20])
@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64])
def test_arrays_of_the_host(monkeypatch, chunk, dtype):
    """Chunks of any number give what one does, and more of them than are on their way at a time."""
    monkeypatch.setattr(_cuda_dispatch, "CHUNK", chunk)
    x = numbers(61, np.float32, scale=2).clip(-1e4, 1e4).astype(dtype)
    assert_near(fa.gelu(x, device="cuda"), fa.gelu(x))
    for got, want in zip(fa.elu.value_and_derivative(x, 0.5, device="cuda"), fa.elu.value_and_derivative(x, 0.5), strict=True):
        assert type(got) is np.ndarray
        assert_near(got, want)
    assert_near(fa.relu.backward(x[::-1].reshape(61, 1), x[:3], device="cuda"), fa.relu.backward(x[::-1].reshape(61, 1), x[:3]))
    out = x.copy()
    assert fa.gelu(out, out=out, device="cuda") is out
    assert_near(out, fa.gelu(x))
    shifted = x.copy()
    fa.gelu(shifted[:-1], out=shifted[1:], device="cuda")
    assert_near(shifted[1:], fa.gelu(x[:-1]))


def test_device_block():
    x = numbers(N, np.float32)
    used = []
    launch = _cuda_dispatch.launch
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(_cuda_dispatch, "launch", lambda *a: used.append(a[0]) or launch(*a))
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


def test_errors():
    x = numbers(N, np.float32)
    device = cuda.to_device(x)
    cases = [
        (lambda: fa.gelu.backward(x, device), TypeError, r"fastact\.gelu\.backward: grad is ndarray on the CPU; expected all"),
        (lambda: fa.gelu(device, out=x), TypeError, r"fastact\.gelu: out is ndarray on the CPU"),
        (lambda: fa.gelu(x, out=device), TypeError, r"fastact\.gelu: x is ndarray on the CPU"),
        (lambda: fa.gelu(device, where=True), TypeError, r"fastact\.gelu: where is not supported on a GPU; out is"),
        (lambda: fa.elu(device, device), TypeError, r"fastact\.elu: alpha is \w+ on a GPU; expected a number"),
        (lambda: fa.gelu(cuda.to_device(np.arange(3))), TypeError, r"x has dtype int64 on a GPU; expected float16, float32 or"),
        (
            lambda: fa.gelu.backward(device, device[:4]),
            ValueError,
            r"x has shape \(4,\) on a GPU; expected \(21,\), that of grad",
        ),
        (lambda: fa.gelu.backward(device, cuda.to_device(x.astype("d"))), TypeError, r"x has dtype float64 on a GPU; expected"),
        (lambda: fa.gelu(device, device="cpu"), ValueError, r"device is 'cpu', but arguments are on a GPU"),
        (lambda: fa.gelu(x, device="gpu"), ValueError, r"fastact\.gelu: device is 'gpu'; expected 'cpu' or 'cuda'"),
        (lambda: fa.device("gpu"), ValueError, r"fastact\.device: name is 'gpu'; expected"),
        (lambda: fa.gelu(np.ma.array(x), device="cuda"), TypeError, r"x is MaskedArray; device='cuda' takes plain NumPy arrays"),
        (lambda: fa.gelu(x, out=np.empty(3), device="cuda"), ValueError, r"out is not a C-contiguous NumPy array of shape"),
        (lambda: fa.gelu.backward(x, x[:4], device="cuda"), ValueError, r"shapes do not broadcast: \(21,\), \(4,\)"),
        (lambda: fa.gelu(1j, device="cuda"), TypeError, r"fastact\.gelu: x has dtype complex128"),
    ]
    for call, error, message in cases:
        with pytest.raises(error, match=message):
            call()


def test_available():
    assert fa.cuda.is_available()
    assert fa.cuda.why_unavailable() is None
