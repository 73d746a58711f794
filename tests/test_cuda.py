"""The CUDA target: without a GPU what can be known without one, and with one parity with the CPU."""

import re
from pathlib import Path

import numpy as np
import pytest
from conftest import CALLS, KINDS, NAMES, WITH_OUTPUT, arrays, assert_same_bits, function, numbers, results, run_python

import fastact as fa

numba = pytest.importorskip("numba")

from numba import cuda  # noqa: E402

from fastact import _cuda_kernels as kernels  # noqa: E402

REASON = fa.cuda.why_unavailable()
WIDTHS = {"float16": 8, "float32": 4, "float64": 2}


def nvvm_reason():
    """Why nothing can be compiled for a GPU, or None."""
    from numba.cuda.cudadrv import nvvm

    return None if nvvm.is_available() else "NVVM is not installed: pip install 'fastact[cuda]'"


needs_gpu = pytest.mark.skipif(REASON is not None, reason=f"no GPU: {REASON}")
needs_nvvm = pytest.mark.skipif(nvvm_reason() is not None, reason=str(nvvm_reason()))


def test_simulator():
    """Every function and kind, and all that surrounds the kernels: see cuda_simulated*.py."""
    paths = map(str, sorted(Path(__file__).parent.glob("cuda_simulated*.py")))
    done = run_python(None, "-m", "pytest", "-q", "-p", "no:cacheprovider", *paths, NUMBA_ENABLE_CUDASIM="1", timeout=300)
    assert done.returncode == 0, done.stdout[-5000:] + done.stderr[-1000:]


# ---------------------------------------------------------------------------------------------------
# The text of kernels
# ---------------------------------------------------------------------------------------------------


def registers(text, cc):
    """(registers, bytes spilled) as ptxas tells, through nvJitLink; None where that is not installed."""
    nvjitlink = pytest.importorskip("cuda.bindings.nvjitlink")
    options = [f"-arch=sm_{cc[0]}{cc[1]}", "-verbose", f"-maxrregcount={kernels.REGISTERS}"]
    handle = nvjitlink.create(len(options), options)
    try:
        nvjitlink.add_data(handle, nvjitlink.InputType.PTX, text.encode(), len(text), "kernel")
        nvjitlink.complete(handle)
        log = bytearray(nvjitlink.get_info_log_size(handle))
        nvjitlink.get_info_log(handle, log)
    finally:
        nvjitlink.destroy(handle)
    found = re.search(r"(\d+) bytes spill stores.*Used (\d+) registers", log.decode(), re.DOTALL)
    return int(found[2]), int(found[1])


@needs_nvvm
@pytest.mark.parametrize("name", NAMES)
def test_registers(name):
    """A kernel assembles, and fits its registers without memory to help out."""
    for dtype, width in WIDTHS.items():
        signature = kernels.signature(name, "value_and_derivative", dtype)
        function = kernels.kernel(name, "value_and_derivative", dtype, width)
        text, _ = cuda.compile_ptx(function, signature, device=False, abi="numba", cc=(9, 0))
        used, spilled = registers(text, (9, 0))
        assert used <= kernels.REGISTERS
        assert spilled <= (64 if name == "phish" else 0), f"{name} {dtype}"


@needs_nvvm
@pytest.mark.parametrize("cc", [(8, 0), (9, 0)])
@pytest.mark.parametrize("name", NAMES)
def test_ptx(name, cc):
    """No float64 in kernels of float32, no flushing or approximation, accesses of 128 bits, no call, no long division."""
    for dtype, width in WIDTHS.items():
        kinds = KINDS[2:] if cc == (9, 0) else ["value_and_derivative"]  # that has the code of value and derivative
        for kind in [k for k in kinds if k != "backward_from_output" or name in WITH_OUTPUT]:
            signature = kernels.signature(name, kind, dtype)
            text, _ = cuda.compile_ptx(kernels.kernel(name, kind, dtype, width), signature, device=False, abi="numba", cc=cc)
            found = set(re.findall(r"^\s+(?:@!?%\w+ )?([a-z]\w*(?:\.\w+)*)\s", text, re.MULTILINE))
            assert f"sm_{cc[0]}{cc[1]}" in text
            assert not [i for i in found if dtype != "float64" and ".f64" in i], f"{name} {kind} {dtype}"
            assert not [i for i in found if ".ftz" in i or ".approx" in i or ".local" in i or i.startswith("call")], name
            assert not [i for i in found if i.startswith(("div.", "rem.")) and "64" in i and ".f64" not in i], name
            assert [i for i in found if i.startswith("ld.global.v")], name
            assert [i for i in found if i.startswith("st.global.v")], name
            assert not re.search(r"\b(mul|add|sub|fma|div|sqrt)\.f(32|64)", text), "every operation names its rounding"


@needs_nvvm
def test_ptx_of_unaligned_arrays():
    signature = kernels.signature("gelu", "value", "float32")
    text, _ = cuda.compile_ptx(kernels.kernel("gelu", "value", "float32", 1), signature, device=False, abi="numba", cc=(9, 0))
    assert "ld.global.f32" in text
    assert "ld.global.v" not in text


def on_the_cpu(name, kind, dtype, width):
    """The loop of a kernel compiled for the CPU, one thread of a grid after the other."""
    from numba.core import cgutils
    from numba.extending import intrinsic

    from fastact._numba_atoms import Atoms

    @intrinsic
    def run(typingctx, arguments, thread, threads):
        def code(context, builder, signature, values):
            given = cgutils.unpack_tuple(builder, values[0])
            numbers = [builder.trunc(v, kernels.INDEX) for v in values[1:]]
            kernels.sweep(Atoms(builder, kernels.PRECISIONS[dtype]), name, kind, dtype, width, given, *numbers)
            return context.get_dummy_value()

        return numba.types.void(arguments, thread, threads), code

    @numba.njit
    def grid(arguments, threads):
        for thread in range(threads):
            run(arguments, thread, threads)

    return grid


@pytest.mark.skipif("+fma" not in numba.core.registry.cpu_target.target_context.codegen().magic_tuple()[2].split(",")
                    or fa._cpu.LEVEL == "x86-64", reason="needs fused multiply-add, as GPUs have it")  # fmt: skip
@pytest.mark.parametrize("dtype", ["float16", "float32", "float64"])
@pytest.mark.parametrize(("name", "kind", "params"), [
    ("gelu", "value_and_derivative", ()), ("elu", "backward", (0.5,)), ("tanh", "backward_from_output", ()),
])  # fmt: skip
def test_loop_of_a_kernel(name, kind, params, dtype):
    """The very instructions of a kernel, but for the names of its registers: each element once, the bits of the CPU."""
    number = getattr(np, kernels.PRECISIONS[dtype])
    for width in (1, WIDTHS[dtype]):
        grid = on_the_cpu(name, kind, dtype, width)
        for size in (0, 1, width, 5 * width - 1, 37 * width + width // 2):
            with np.errstate(over="ignore"):
                x = numbers(size, np.float32, scale=3.0).astype(dtype)
            given = arrays(name, kind, x)
            want = results(function(name, kind)(*given, *params))
            out = [np.full(size + 1, 7, dtype) for _ in want]
            addresses = [a.ctypes.data for a in (*given, *out)]
            assert all(a % 16 == 0 for a in addresses)
            grid((*addresses, size, *map(number, params)), 16)
            for o, w in zip(out, want, strict=True):
                assert_same_bits(o[:size], w, f"{width} {size}")
                assert o[size] == 7


# ---------------------------------------------------------------------------------------------------
# No GPU
# ---------------------------------------------------------------------------------------------------


@pytest.mark.skipif(REASON is None, reason="there is a GPU")
def test_a_gpu_that_is_not_there():
    assert not fa.cuda.is_available()
    x = np.ones(3)
    with pytest.raises(RuntimeError, match=r"fastact\.gelu\.derivative: a GPU is asked for, but "):
        fa.gelu.derivative(x, device="cuda")
    with fa.device("cuda"), pytest.raises(RuntimeError, match=re.escape(REASON)):
        fa.gelu(x)
    assert fa.gelu(x, device="cpu")[0] == fa.gelu(1.0)
    assert_same_bits(fa.gelu(x), fa.gelu(x, device="cpu"))


def test_without_numba():
    code = """
import sys
sys.modules["numba"] = None
import fastact as fa
print(fa.cuda.is_available(), fa.cuda.why_unavailable())
fa.gelu([1.0], device="cuda")
"""
    done = run_python(code)
    assert done.stdout.startswith("False Numba cannot be imported"), done.stderr
    assert "fastact[cuda]" in done.stdout
    assert "RuntimeError: fastact.gelu: a GPU is asked for, but Numba cannot be imported" in done.stderr


def test_a_plain_call_imports_no_numba():
    code = "import sys, fastact as fa; fa.gelu([1.0]); fa.cuda; fa.gelu([1.0], device='cpu'); print('numba' in sys.modules)"
    assert run_python(code).stdout.strip() == "False"


# ---------------------------------------------------------------------------------------------------
# With a GPU
# ---------------------------------------------------------------------------------------------------


@needs_gpu
@pytest.mark.gpu
@pytest.mark.parametrize("name", NAMES)
def test_parity(name):
    """The bits of the CPU where that has fused multiply-add: the same operations, each rounded the same."""
    for kind, dtype in [(k, d) for n, k in CALLS if n == name for d in WIDTHS]:
        with np.errstate(over="ignore"):
            x = np.concatenate([numbers(4099, np.float32), [np.inf, -np.inf, np.nan]]).astype(dtype)
        given = arrays(name, kind, x)
        with np.errstate(all="ignore"):
            want = results(function(name, kind)(*given))
        for got, w in zip(results(function(name, kind)(*map(cuda.to_device, given))), want, strict=True):
            got = got.copy_to_host()
            if fa._cpu.LEVEL != "x86-64":
                assert_same_bits(got, w, f"{name} {kind}")
            else:
                np.testing.assert_allclose(got, w, rtol=16 * float(np.finfo(dtype).eps), atol=8 * float(np.finfo(dtype).eps))


@needs_gpu
@pytest.mark.gpu
@pytest.mark.parametrize("library", ["cupy", "torch"])
def test_libraries(library):
    module = pytest.importorskip(library)
    if library == "torch" and not module.cuda.is_available():
        pytest.skip("torch without CUDA")
    x = numbers(5001, np.float32).reshape(3, 1667)
    make = module.asarray if library == "cupy" else lambda a: module.from_numpy(a).cuda()
    for array in (make(x), make(x)[:, 1:]):
        got = fa.gelu(array)
        assert type(got) is type(array)
        host = got.get() if library == "cupy" else got.cpu().numpy()
        assert_same_bits(host, fa.gelu(array.get() if library == "cupy" else array.cpu().numpy()))


@needs_gpu
@pytest.mark.gpu
def test_streams_and_host_arrays():
    x = numbers(20_000_001, np.float32)
    assert_same_bits(fa.gelu(x, device="cuda"), fa.gelu(x))
    stream = cuda.stream()
    device = cuda.to_device(x, stream=stream)
    device = fa.tanh(fa.gelu(device))
    stream.synchronize()
    assert_same_bits(device.copy_to_host(), fa.tanh(fa.gelu(x)))
