"""Arrays of other libraries and of the host on a simulated GPU; test_compiled.py starts these in an interpreter of their own."""

import gc
import sys
import types

import numpy as np
import pytest
from helpers import numbers
from numba import cuda
from simulated import N, assert_near

import fastact as fa
from fastact.cuda import arrays as cuda_arrays
from fastact.cuda import dlpack, host


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

    Array.__module__ = f"{name}.somewhere"
    stream = types.SimpleNamespace(cuda_stream=7, ptr=7)
    module.float16, module.float32, module.float64 = np.float16, np.float32, np.float64
    module.empty = lambda shape, dtype, device=None: asked.append(device) or Array(np.empty(shape, dtype))
    module.cuda = types.SimpleNamespace(
        current_stream=lambda device: asked.append("stream") or stream,
        get_current_stream=lambda: asked.append("stream") or stream,
    )
    monkeypatch.setitem(sys.modules, name, module)
    return Array


def test_a_bias(monkeypatch):
    """Arrays there are added by their library, those of the host here."""
    monkeypatch.setattr(cuda_arrays, "_external", lambda pointer: 0)
    array = stand_in(monkeypatch, "cupy", [])
    array.shape = property(lambda self: self.host.shape)
    x, bias = numbers(24, np.float32).reshape(4, 6), np.linspace(-1, 1, 6, dtype=np.float32)
    with pytest.raises(TypeError, match=r"fastact\.gelu: a Array has no sum with bias; call it with x \+ bias"):
        fa.gelu(array(x), bias=array(bias))
    array.__add__ = lambda self, other: array(self.host + other.host)
    assert_near(fa.gelu(array(x), bias=array(bias)).host, fa.gelu(x, bias=bias))
    assert_near(fa.gelu.backward(array(x), array(x), bias=array(bias)).host, fa.gelu.backward(x, x, bias=bias))
    with pytest.raises(TypeError, match=r"fastact\.gelu: bias is a ndarray and x a Array; expected both on the GPU"):
        fa.gelu(array(x), bias=bias)
    with pytest.raises(ValueError, match=r"fastact\.gelu: bias has shape \(4,\); expected \(6,\)"):
        fa.gelu(array(x), bias=array(bias[:4]))
    with pytest.raises(TypeError, match=r"backward: return_bias_grad is not supported on a GPU"):
        fa.gelu.backward(array(x), array(x), bias=array(bias), return_bias_grad=True)
    assert_near(fa.gelu(x, bias=bias, device="cuda"), fa.gelu(x, bias=bias))
    half = fa.gelu(x.astype(np.float16), bias=bias.astype(np.float16), device="cuda")
    assert half.dtype == np.float16
    by_x, by_bias = fa.gelu.backward(x, x, bias=bias, return_bias_grad=True, device="cuda")
    assert_near(by_x, fa.gelu.backward(x, x, bias=bias))
    np.testing.assert_allclose(by_bias, by_x.sum(axis=0), rtol=1e-5)


@pytest.mark.parametrize("library", ["cupy", "torch"])
def test_results_are_of_the_library_of_the_argument(monkeypatch, library):
    asked, streams = [], []
    monkeypatch.setattr(cuda_arrays, "_external", lambda pointer: streams.append(pointer) or 0)
    array = stand_in(monkeypatch, library, asked)
    x = numbers(24, np.float32).reshape(4, 6)
    got = fa.gelu.backward(array(x), array(x))
    assert type(got) is array
    assert_near(got.host, fa.gelu.backward(x, x))
    assert asked.count("stream") == 1
    assert asked[-1] is (array.device if library == "torch" else None)
    assert_near(fa.gelu(array(x[:, ::2])).host, fa.gelu(x[:, ::2]))
    assert_near(fa.softmax(array(x[:, ::2])).host, fa.softmax(x[:, ::2]))
    assert_near(fa.swiglu(array(x)).host, fa.swiglu(x))
    out = array(np.empty_like(x))
    assert fa.gelu(array(x), out=out) is out
    assert_near(out.host, fa.gelu(x))
    assert set(streams) == {7}


def test_other_libraries_get_arrays_of_numba():
    x = numbers(N, np.float32)
    assert_near(fa.gelu(Foreign(x)), fa.gelu(x))


def test_streams_of_the_interface(monkeypatch):
    used = []
    monkeypatch.setattr(cuda_arrays, "_external", lambda pointer: used.append(pointer) or 0)
    fa.gelu(Foreign(numbers(N, np.float32), stream=9))
    assert used == [9]


def test_streams_of_two_libraries(monkeypatch):
    """The stream of the first array waits for that of the second."""
    log = []

    class Event:
        def __init__(self, timing):
            assert not timing

        def record(self, stream):
            log.append(("record", stream))

        def wait(self, stream):
            log.append(("wait", stream))

    monkeypatch.setattr(cuda_arrays, "_external", lambda pointer: pointer if pointer > 1 else 0)
    monkeypatch.setattr(cuda_arrays.cuda, "event", Event)
    x = numbers(N, np.float32)
    fa.gelu.backward(Foreign(x, stream=1), Foreign(x, stream=9))
    assert log == [("record", 9), ("wait", 0)]


VERSIONED = np.lib.NumpyVersion(np.__version__) >= "2.1.0"  # whose arrays know versions of DLPack, and lend what is read-only


class Lending:
    """An array of a library that lends its memory by DLPack alone."""

    def __init__(self, host, device=2, number=0):
        self.host, self.place, self.streams = host, (device, number), []

    def __dlpack_device__(self):
        return self.place

    def __dlpack__(self, *, stream=None, **versions):
        self.streams.append(stream)
        return self.host.__dlpack__(**versions if VERSIONED else {})


class OldLending(Lending):
    def __dlpack__(self, stream=None):
        self.streams.append(stream)
        return self.host.__dlpack__()


def lending_library(monkeypatch, base, where):
    """A library with such arrays, and its from_dlpack."""
    module = types.ModuleType("lender")
    array = type("Array", (base,), {"__module__": "lender.core"})
    place = module
    for part in where:
        setattr(place, part, types.SimpleNamespace())
        place = getattr(place, part)
    place.from_dlpack = lambda lent: array(np.from_dlpack(lent))
    monkeypatch.setitem(sys.modules, "lender", module)
    return array


@pytest.mark.parametrize("base", [Lending, OldLending])
@pytest.mark.parametrize("where", [(), ("dlpack",), ("utils", "dlpack")])
def test_dlpack(monkeypatch, base, where):
    array = lending_library(monkeypatch, base, where)
    x = numbers(24, np.float32).reshape(4, 6)
    for given in (x, x[:, ::2], x.T, x[:0], x[0, 0]):
        lent = array(np.asarray(given))
        got = fa.gelu(lent)
        assert type(got) is array
        assert lent.streams == [1], "the default stream"
        assert_near(got.host, np.asarray(fa.gelu(given)))
    pair = fa.elu.value_and_derivative(array(x), 0.5)
    assert_near(pair[1].host, fa.elu.derivative(x, 0.5))
    assert_near(fa.softmax(array(x)).host, fa.softmax(x))
    assert_near(fa.glu(array(x)).host, fa.glu(x))
    out = array(np.empty_like(x))
    assert fa.gelu(array(x), out=out) is out
    assert_near(out.host, fa.gelu(x))
    del got, pair
    gc.collect()
    assert not dlpack._lent, "what was lent has been given back"


def test_dlpack_of_an_array_namespace():
    class Array(Lending):
        def __array_namespace__(self):
            return types.SimpleNamespace(from_dlpack=lambda lent: Array(np.from_dlpack(lent)))

    x = numbers(N, np.float64)
    got = fa.tanh(Array(x))
    assert type(got) is Array
    assert_near(got.host, fa.tanh(x))


def test_dlpack_errors(monkeypatch):
    array = lending_library(monkeypatch, Lending, ())
    x = numbers(N, np.float32)
    with pytest.raises(TypeError, match=r"fastact\.gelu: x has dtype int64 on a GPU; expected float16, float32 or float64"):
        fa.gelu(array(np.arange(3)))
    with pytest.raises(TypeError, match=r"fastact\.gelu\.backward: x is Array on the CPU; expected all arrays on one GPU"):
        fa.gelu.backward(array(x), array(x, device=1))
    if VERSIONED:
        x.setflags(write=False)
        with pytest.raises(ValueError, match=r"fastact\.gelu: out is read-only; expected an array that can be written"):
            fa.gelu(array(x.copy()), out=array(x))
    monkeypatch.delitem(sys.modules, "lender")
    assert_near(fa.gelu(array(x)), fa.gelu(x))  # a library that borrows nothing: an array of Numba

    def refuse(lent):
        lent.__dlpack__()
        raise BufferError("no")

    monkeypatch.setitem(sys.modules, "lender", types.SimpleNamespace(from_dlpack=refuse))
    with pytest.raises(BufferError):
        fa.gelu(array(x))
    assert not dlpack._lent


def test_two_gpus(monkeypatch):
    class Elsewhere(Foreign):
        device = types.SimpleNamespace(id=1)

    x = numbers(N, np.float32)
    with pytest.raises(ValueError, match=r"fastact\.gelu\.backward: x is on GPU 1; expected 0, that of grad"):
        fa.gelu.backward(Foreign(x), Elsewhere(x))
    with pytest.raises(ValueError, match=r"fastact\.gelu: out is on GPU 1; expected 0, that of x"):
        fa.gelu(Foreign(x), out=Elsewhere(x.copy()))
    with pytest.raises(ValueError, match=r"fastact\.swiglu: b is on GPU 1; expected 0, that of a"):
        fa.swiglu(Foreign(x), Elsewhere(x))


@pytest.mark.parametrize("chunk", [16, 64, 1 << 20])
@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64])
def test_arrays_of_the_host(monkeypatch, chunk, dtype):
    """Chunks of any number give what one does, and more of them than are on their way at a time."""
    monkeypatch.setattr(host, "CHUNK", chunk)
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


class OutOfMemory(RuntimeError):
    def __str__(self):
        return "[2] Call to cuMemAlloc results in CUDA_ERROR_OUT_OF_MEMORY"


@pytest.mark.parametrize("room", [100, 300, 1000])
def test_memory_that_does_not_suffice(monkeypatch, room):
    """Chunks become smaller and fewer until they fit; the result is the same."""
    host.empty_cache()
    make_room, used = host._Slot.make_room, []

    def scarce(slot, sizes):
        if sum(used) + sum(sizes) > room:
            raise OutOfMemory
        used.append(sum(sizes))
        make_room(slot, sizes)

    monkeypatch.setattr(host._Slot, "make_room", scarce)
    x = numbers(500, np.float32)
    assert_near(fa.gelu(x, device="cuda"), fa.gelu(x))
    host.empty_cache()


def test_no_memory_at_all(monkeypatch):
    def refuse(*_, **__):
        raise OutOfMemory

    fa.cuda.empty_cache()
    monkeypatch.setattr(host.cuda, "device_array", refuse)
    x = numbers(N, np.float32)
    with pytest.raises(MemoryError, match=r"fastact\.gelu: neither GPU nor pinned memory for 8 bytes, the least"):
        fa.gelu(x, device="cuda")
    with pytest.raises(MemoryError, match=r"fastact\.softmax: neither GPU nor pinned memory for 168 bytes"):
        fa.softmax(x, device="cuda")
    cleared = []
    context = types.SimpleNamespace(deallocations=types.SimpleNamespace(clear=lambda: cleared.append(1)))
    monkeypatch.setattr(cuda_arrays.cuda, "current_context", lambda: context)
    with pytest.raises(MemoryError, match=r"fastact\.gelu: the GPU has no memory for 84 bytes of the result"):
        fa.gelu(cuda.to_device(x))
    assert cleared == [1]


def test_failure_under_way(monkeypatch):
    """Nothing is left under way, and nothing of it in later calls."""
    monkeypatch.setattr(host, "CHUNK", 64)
    launch, calls = host.launch, []

    def failing(*arguments):
        calls.append(1)
        if len(calls) == 5:
            raise RuntimeError("launch failed")
        launch(*arguments)

    monkeypatch.setattr(host, "launch", failing)
    x = numbers(500, np.float32)
    with pytest.raises(RuntimeError, match="launch failed"):
        fa.gelu(x, device="cuda")
    assert_near(fa.gelu(x, device="cuda"), fa.gelu(x))


def test_buffers_are_kept():
    fa.cuda.empty_cache()
    x = numbers(500, np.float32)
    fa.gelu(x, device="cuda")
    (slots,) = host._free.values()
    before = [id(s) for s in slots]
    fa.tanh.backward(x[:100], x[:100], device="cuda")
    assert [id(s) for s in slots] == before
    fa.cuda.empty_cache()
    assert not host._free
