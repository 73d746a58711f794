"""The CUDA target with a GPU: ``pytest -m gpu -rs``. Without one everything here is skipped.

For memory errors and races: ``compute-sanitizer --tool memcheck python -m pytest -m gpu -k "parity or rows or gated"``, then
``--tool racecheck`` and ``--tool initcheck`` in its place.
"""

import numpy as np
import pytest
from helpers import CALLS, NAMES, WITH_PARAMS, arrays, assert_same_bits, function, numbers, parameter_sets, results

import fastact as fa
from fastact.cpu import levels

numba = pytest.importorskip("numba")

from numba import cuda  # noqa: E402

REASON = fa.cuda.why_unavailable()
pytestmark = [pytest.mark.gpu, pytest.mark.skipif(REASON is not None, reason=f"no GPU: {REASON}")]

DTYPES = [np.float16, np.float32, np.float64]
SPECIALS = [np.inf, -np.inf, np.nan, 0.0, -0.0]


def ulps(got, want):
    """The largest distance in units of the last place; infinite where one is NaN or infinite and the other is not."""
    got, want = np.asarray(got), np.asarray(want)
    assert got.dtype == want.dtype
    assert got.shape == want.shape
    unsigned, signed = f"u{got.itemsize}", f"i{got.itemsize}"

    def place(a):
        bits = np.ascontiguousarray(a).view(unsigned)
        top = np.array(1, unsigned) << np.array(8 * a.itemsize - 1, unsigned)
        return np.where(bits & top, -(bits & ~top).view(signed), bits.view(signed))

    nan = np.isnan(got) & np.isnan(want)
    if (np.isfinite(got) != np.isfinite(want)).any():
        return np.inf
    return int(np.abs(np.where(nan, 0, place(got).astype(object) - place(want).astype(object))).max(initial=0))


def dense(dtype):
    """Each exponent with both signs, the ends, and subnormals."""
    bits = np.dtype(dtype).itemsize * 8
    if bits == 16:
        return np.arange(1 << 16, dtype=np.uint16).view(dtype)
    step = (1 << (bits - 16)) + 12345 * (bits == 64) + 137
    x = (np.arange(1 << 16, dtype=f"u{bits // 8}") * np.array(step, f"u{bits // 8}")).view(dtype)
    return np.concatenate([x, np.linspace(-12, 12, 4099).astype(dtype), np.array(SPECIALS, dtype)])


@pytest.mark.parametrize("name", NAMES)
def test_parity(name):
    """All float16 numbers and a sample of the others: the CPU's results, but for reciprocals, which may be neighbours."""
    bound = 2 if levels.LEVEL != "x86-64" else 16
    for dtype in DTYPES:
        x = dense(dtype)
        for kind in [k for n, k in CALLS if n == name]:
            with np.errstate(all="ignore"):
                given = arrays(name, kind, x)
                want = results(function(name, kind)(*given))
            for got, w in zip(results(function(name, kind)(*map(cuda.to_device, given))), want, strict=True):
                assert ulps(got.copy_to_host(), w) <= bound, f"{name} {kind} {dtype}"


@pytest.mark.parametrize("name", WITH_PARAMS)
def test_parameters(name):
    x, params = numbers(4099, np.float32), parameter_sets(name)[1]
    assert ulps(function(name)(cuda.to_device(x), *params).copy_to_host(), function(name)(x, *params)) <= 16


@pytest.mark.parametrize("size", [1, 3, 4, 5, 1023, 1 << 20, (1 << 20) + 3])
def test_sizes_and_alignment(size):
    whole = numbers(size + 3, np.float32)
    device = cuda.to_device(whole)
    for first in range(4):
        assert_same_bits(fa.relu(device[first : first + size]).copy_to_host(), fa.relu(whole[first : first + size]))


@pytest.mark.parametrize("dtype", DTYPES)
def test_layouts_and_broadcasting(dtype):
    x = numbers(64 * 33 * 48, np.float32, scale=2).clip(-1e4, 1e4).astype(dtype).reshape(64, 33, 48)
    device = cuda.to_device(x)
    for view in (np.s_[:, ::2], np.s_[:, :, 8:40], np.s_[:, :, 1:2]):
        assert ulps(fa.gelu(device[view]).copy_to_host(), fa.gelu(x[view])) <= 2
    for shape in ((48,), (33, 1), (64, 1, 1)):
        weight = np.linspace(0.1, 0.9, int(np.prod(shape))).astype(dtype).reshape(shape)
        assert_same_bits(fa.prelu(device, cuda.to_device(weight)).copy_to_host(), fa.prelu(x, weight))


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize(("shape", "axis"), [
    ((1000, 7), -1), ((64, 128), -1), ((300, 2048), -1), ((300, 2050), -1), ((40, 5000), -1), ((2, 1 << 20), -1),
    ((1, 3000001), -1), ((16, 64, 33), 1), ((4096, 70), 0), ((8, 4000, 4), 1), ((2, 3, 4), (1, 2)),
])  # fmt: skip
def test_rows(shape, axis, dtype):
    x, grad = (numbers(int(np.prod(shape)), np.float32, s, scale=2).clip(-50, 50).astype(dtype).reshape(shape) for s in (0, 1))
    device = cuda.to_device(x)
    eps = float(np.finfo(dtype).eps)
    for name in ("softmax", "log_softmax", "softmin", "log_softmin"):
        call = getattr(fa, name)
        y = call(x, axis)
        np.testing.assert_allclose(call(device, axis).copy_to_host(), y, rtol=4 * eps, atol=2 * float(np.finfo(dtype).tiny))
        got = call.backward(cuda.to_device(grad), cuda.to_device(y), axis).copy_to_host()
        scale = np.abs(np.multiply(grad, 1 if "log" in name else y, dtype=float)).sum(axis=axis, keepdims=True).max()
        np.testing.assert_allclose(got, call.backward(grad, y, axis), rtol=0, atol=4 * eps * scale)
    assert fa.softmax(device, axis, out=device) is device
    np.testing.assert_allclose(device.copy_to_host(), fa.softmax(x, axis), rtol=4 * eps, atol=2 * float(np.finfo(dtype).tiny))


def test_special_rows():
    x = np.zeros((5, 3000), np.float32)
    x[0], x[1, 1:], x[2, 0], x[3, 2], x[4] = -np.inf, -np.inf, np.inf, np.nan, np.linspace(0, -110, 3000)
    for part in (x, x[:, :20].copy()):
        for call in (fa.softmax, fa.log_softmax):
            with np.errstate(all="ignore"):
                np.testing.assert_allclose(call(cuda.to_device(part)).copy_to_host(), call(part), rtol=5e-7, atol=1e-44)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("name", ["glu", "bilinear", "reglu", "geglu", "swiglu", "seglu"])
def test_gated(name, dtype):
    unit = getattr(fa, name)
    x, b = (numbers(99 * 64, np.float32, s, scale=2).clip(-30, 30).astype(dtype).reshape(99, 64) for s in (0, 1))
    device, other = cuda.to_device(x), cuda.to_device(b)
    assert ulps(unit(device).copy_to_host(), unit(x)) <= 4
    assert ulps(unit(device, other).copy_to_host(), unit(x, b)) <= 4
    for got, want in zip(unit.backward(device, device, other), unit.backward(x, x, b), strict=True):
        assert ulps(got.copy_to_host(), want) <= 6
    assert ulps(unit.backward(cuda.to_device(b[:, :32].copy()), device).copy_to_host(), unit.backward(b[:, :32], x)) <= 6


@pytest.mark.parametrize("library", ["cupy", "torch", "jax"])
def test_libraries(library):
    module = pytest.importorskip(library)
    if library == "torch" and not module.cuda.is_available():
        pytest.skip("torch without CUDA")
    if library == "jax" and module.default_backend() != "gpu":
        pytest.skip("jax without CUDA")
    x = numbers(5001, np.float32).reshape(3, 1667)
    make = {
        "cupy": lambda a: module.asarray(a), "torch": lambda a: module.from_numpy(a).cuda(),
        "jax": lambda a: module.numpy.asarray(a),
    }  # fmt: skip
    read = {"cupy": lambda a: a.get(), "torch": lambda a: a.cpu().numpy(), "jax": np.asarray}[library]
    for view in (np.s_[:], np.s_[:, 1:]):
        array = make[library](x)[view]
        for call in (fa.gelu, fa.softmax):
            got = call(array)
            assert type(got) is type(array)
            assert got.device == array.device
            np.testing.assert_allclose(read(got), call(x[view]), rtol=5e-7)
    if library != "jax":  # whose arrays cannot be written
        out = make[library](np.empty_like(x))
        assert fa.gelu(make[library](x), out=out) is out
        assert_same_bits(read(out), fa.gelu(x))


@pytest.mark.parametrize("library", ["cupy", "torch"])
def test_current_stream(library):
    """The kernel runs on the stream that is current in the library, behind what was started there."""
    module = pytest.importorskip(library)
    if library == "torch" and not module.cuda.is_available():
        pytest.skip("torch without CUDA")
    x = numbers(1 << 24, np.float32)
    if library == "torch":
        stream, block = module.cuda.Stream(), module.cuda.stream
        array = module.from_numpy(x).cuda()
    else:
        stream = module.cuda.Stream(non_blocking=True)
        block, array = (lambda s: s), module.asarray(x)
    stream.synchronize()
    with block(stream):
        for _ in range(20):
            array = fa.tanh(array)
    stream.synchronize()
    want = x
    for _ in range(20):
        want = fa.tanh(want)
    assert ulps(array.cpu().numpy() if library == "torch" else array.get(), want) <= 40


def test_streams_of_numba():
    x = numbers(1 << 22, np.float32)
    stream = cuda.stream()
    device = fa.tanh(fa.gelu(cuda.to_device(x, stream=stream)))
    stream.synchronize()
    assert ulps(device.copy_to_host(), fa.tanh(fa.gelu(x))) <= 4


def test_arrays_of_the_host():
    x = numbers(20_000_001, np.float32)
    assert ulps(fa.gelu(x, device="cuda"), fa.gelu(x)) <= 2
    assert fa.last_target() == "cuda"
    rows = x[:20_000_000].reshape(-1, 1000)
    with fa.device("cuda"):
        got = fa.softmax(rows)
    np.testing.assert_allclose(got, fa.softmax(rows), rtol=5e-7, atol=1e-37)


def test_memory_that_is_used_up():
    """With hardly any memory left, host arrays still go through, and what cannot is a MemoryError that says so."""
    x = numbers(20_000_001, np.float32)
    want = fa.gelu(x)
    fa.cuda.empty_cache()
    taken, size = [], 1 << 34
    while size >= 1 << 21:
        try:
            taken.append(cuda.device_array(size, np.uint8))
        except Exception as error:
            assert "OUT_OF_MEMORY" in str(error)  # noqa: PT017
            size //= 2
    del taken[-1]
    device = cuda.to_device(x[:1000])
    assert ulps(fa.gelu(x, device="cuda"), want) <= 2
    huge = cuda.as_cuda_array(device)
    assert ulps(fa.gelu(huge).copy_to_host(), want[:1000]) <= 2
    with pytest.raises(MemoryError, match=r"fastact\.gelu: the GPU has no memory for \d+ bytes of the result"):
        fa.gelu(taken[0].view(np.float32))
    del taken
    fa.cuda.empty_cache()


def test_several_threads():
    from concurrent.futures import ThreadPoolExecutor

    x = numbers(3_000_001, np.float32)
    want = fa.gelu(x)
    with ThreadPoolExecutor(4) as pool:
        for got in pool.map(lambda _: fa.gelu(x, device="cuda"), range(8)):
            assert ulps(got, want) <= 2
