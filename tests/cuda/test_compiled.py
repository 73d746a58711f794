"""The CUDA target as far as it can be known without a GPU; test_gpu.py is for where there is one."""

import importlib.util
import os
import re
import sys
from pathlib import Path

import numpy as np
import pytest
from helpers import KINDS, NAMES, WITH_OUTPUT, arrays, assert_same_bits, function, numbers, results, run_python

import fastact as fa

numba = pytest.importorskip("numba")

from numba import cuda  # noqa: E402

from fastact._cli import main  # noqa: E402
from fastact.cpu import levels  # noqa: E402
from fastact.cuda import kernels, rows  # noqa: E402
from fastact.cuda.availability import too_old  # noqa: E402
from fastact.cuda.kernels import Variant  # noqa: E402

EVERY = bool(os.environ.get("FASTACT_EVERY_KERNEL"))  # minutes instead of a sample
LINKER = importlib.util.find_spec("cuda") and importlib.util.find_spec("cuda.bindings")  # nvJitLink has ptxas in it
REASON = fa.cuda.why_unavailable()
WIDTHS = {"float16": 8, "float32": 4, "float64": 2}


def nvvm_reason():
    """Why nothing can be compiled for a GPU, or None."""
    from numba.cuda.cudadrv import nvvm

    if not nvvm.is_available():
        return "NVVM is not installed: pip install 'fastact[cuda]'"
    try:
        cuda.compile_ptx(lambda: None, (), cc=(8, 0))  # not for the least card that Numba knows, which NVVM may not
    except AttributeError as error:  # in Numba 0.63, whose own target nobody needs who has numba-cuda
        return f"Numba's own target for CUDA is broken ({error}): pip install 'fastact[cuda]'"
    return None


needs_fma = pytest.mark.skipif(
    "+fma" not in numba.core.registry.cpu_target.target_context.codegen().magic_tuple()[2].split(",")
    or levels.LEVEL == "x86-64",
    reason="needs fused multiply-add, as GPUs have it",
)
needs_nvvm = pytest.mark.skipif(nvvm_reason() is not None, reason=str(nvvm_reason()))


SIMULATED = ["simulated.py simulated_bench.py", "simulated_rows.py simulated_arrays.py"]  # two processes of equal length


@pytest.mark.parametrize("files", SIMULATED)
@pytest.mark.parametrize("marks", ["not release", pytest.param("release", marks=pytest.mark.release)])
def test_simulator(files, marks):
    """Every function and kind, and all that surrounds the kernels: see simulated*.py."""
    here = Path(__file__).parent
    assert {path.name for path in here.glob("simulated*.py")} == set(" ".join(SIMULATED).split())
    paths = [str(here / file) for file in files.split()]
    command = ["-m", "pytest", "-q", "-p", "no:cacheprovider", "-m", marks, *paths]
    done = run_python(None, *command, NUMBA_ENABLE_CUDASIM="1", timeout=300)
    assert done.returncode == 0, done.stdout[-5000:] + done.stderr[-1000:]


# ---------------------------------------------------------------------------------------------------
# The text of kernels
# ---------------------------------------------------------------------------------------------------


def registers(text, cc):
    """(registers, bytes spilled) as ptxas tells, through nvJitLink."""
    nvjitlink = importlib.import_module("cuda.bindings.nvjitlink")
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


def check_text(make, cc, dtype, reads=True, writes=True, spilled=0):
    """Compile a kernel, and assert what every kernel keeps to."""
    function, signature = make
    text, _ = cuda.compile_ptx(function, signature, device=False, abi="numba", cc=cc)
    found = set(re.findall(r"^\s+(?:@!?%\w+ )?([a-z]\w*(?:\.\w+)*)\s", text, re.MULTILINE))
    assert f"sm_{cc[0]}{cc[1]}" in text
    assert not [i for i in found if dtype != "float64" and ".f64" in i]
    assert not [i for i in found if ".ftz" in i or ".local" in i or i.startswith("call")]
    assert {i for i in found if ".approx" in i} <= {"rcp.approx.f32"}, "followed by a Newton step"
    assert not [i for i in found if i.startswith(("div.", "rem.")) and "64" in i and ".f64" not in i]
    assert bool([i for i in found if i.startswith("ld.global.v")]) is reads
    assert bool([i for i in found if i.startswith("st.global.v")]) is writes
    assert not re.search(r"\b(mul|add|sub|fma|div|sqrt|rcp)\.f(32|64)", text), "every operation names its rounding"
    if cc == (9, 0) and LINKER:
        used, out = registers(text, cc)
        assert used <= kernels.REGISTERS
        assert out <= spilled
    return text


def made(*arguments):
    variant = Variant(*arguments)
    return kernels.kernel(variant), kernels.signature(variant)


@needs_nvvm
@pytest.mark.parametrize("name", NAMES)
def test_ptx_of_both(name):
    """`test_ptx` for the kernel that has most of the others in it."""
    check_text(made(name, "value_and_derivative", "float32", 4), (9, 0), "float32", spilled=spilled(name, "float32"))


def spilled(name, dtype):
    """How many bytes registers may spill."""
    return 64 if name == "phish" or dtype == "float64" else 0


@needs_nvvm
@pytest.mark.parametrize("name", [pytest.param(n, marks=() if n in NAMES[::12] else pytest.mark.release) for n in NAMES])
def test_ptx(name):
    """No float64 in kernels of float32, no flushing, accesses of 128 bits, no call, no long division, few registers.

    Without FASTACT_EVERY_KERNEL those that have the code of others in them.
    """
    kinds = [k for k in KINDS if k != "backward_from_output" or name in WITH_OUTPUT]
    cases = [(cc, kind, dtype) for cc in ((9, 0), (8, 0)) for kind in kinds for dtype in WIDTHS]
    if not EVERY:
        both = [((9, 0), "value_and_derivative", dtype) for dtype in ("float16", "float64")]
        cases = [*both, ((8, 0), kinds[2], "float32"), ((9, 0), "backward", "float32"), ((9, 0), kinds[-1], "float32")]
    for cc, kind, dtype in dict.fromkeys(cases):
        check_text(made(name, kind, dtype, WIDTHS[dtype]), cc, dtype, spilled=spilled(name, dtype))
    if EVERY:
        count = len(fa.get(name).params)
        for dtype, width in WIDTHS.items():
            strided = made(name, "backward", dtype, width, 2, (True,) * count, (False,) * (2 + count))
            check_text(strided, (9, 0), dtype, spilled=64)
            check_text(made(name, "value_and_derivative", dtype, 1, 3), (9, 0), dtype, reads=False, writes=False, spilled=64)


@needs_nvvm
@pytest.mark.parametrize(("activation", "dtype"), [
    pytest.param(activation, dtype, marks=() if dtype == "float32" or activation == "silu" else pytest.mark.release)
    for activation in ("sigmoid", "identity", "relu", "gelu", "silu", "selu") for dtype in WIDTHS
])  # fmt: skip
def test_ptx_of_gated_units(activation, dtype):
    width = WIDTHS[dtype]
    for cc in ((9, 0), (8, 0)) if EVERY else ((9, 0),):
        check_text(made(activation, "gated", dtype, width, 2, (), (False, False)), cc, dtype)
        check_text(made(activation, "gated_backward", dtype, width, 2, (), (False,) * 3), cc, dtype, spilled=64)


@needs_nvvm
@pytest.mark.parametrize("op", [
    pytest.param(op, marks=() if op in ("log_softmax", "softmax_backward") else pytest.mark.release) for op in rows.OPS
])  # fmt: skip
def test_ptx_of_rows(op):
    last = len(rows.OPS[op][0])
    stages = [(False, -1), (True, -1), *((True, stage) for stage in range(last + 1))]
    for dtype, width in WIDTHS.items() if EVERY else [("float32", 4)]:
        for block, stage in stages:
            variant = rows.RowVariant(op, dtype, width, False, block, stage)
            for cc in ((9, 0), (8, 0)) if EVERY else ((9, 0),):
                check_text((rows.kernel(variant), rows.signature(variant)), cc, dtype, writes=stage in (-1, last))
    variant = rows.RowVariant(op, "float32", 1, True, False, -1)
    check_text((rows.kernel(variant), rows.signature(variant)), (9, 0), "float32", reads=False, writes=False)


@needs_nvvm
def test_ptx_of_unaligned_arrays():
    text = check_text(made("gelu", "value", "float32", 1), (9, 0), "float32", reads=False, writes=False)
    assert "ld.global.f32" in text


@needs_nvvm
def test_ptx_of_a_reciprocal():
    """An approximation and a Newton step where one is divided by a number; elsewhere divisions are rounded."""
    text = check_text(made("softsign", "derivative", "float32", 4), (9, 0), "float32")
    assert text.count("rcp.approx.f32") == 5  # a group and the tail
    assert "div." not in text
    assert "rcp.rn.f64" in check_text(made("softsign", "derivative", "float64", 2), (9, 0), "float64")


def on_the_cpu(variant):
    """The loop of a kernel compiled for the CPU, one thread of a grid after the other."""
    from numba.core import cgutils
    from numba.extending import intrinsic

    from fastact.numba.atoms import Atoms

    @intrinsic
    def run(typingctx, arguments, thread, threads):
        def code(context, builder, signature, values):
            given = cgutils.unpack_tuple(builder, values[0])
            numbers = [builder.trunc(v, kernels.INDEX) for v in values[1:]]
            kernels.sweep(Atoms(builder, kernels.PRECISIONS[variant.dtype]), variant, given, *numbers)
            return context.get_dummy_value()

        return numba.types.void(arguments, thread, threads), code

    @numba.njit
    def grid(arguments, threads):
        for thread in range(threads):
            run(arguments, thread, threads)

    return grid


@needs_fma
@pytest.mark.parametrize("dtype", ["float16", "float32", "float64"])
@pytest.mark.parametrize(("name", "kind", "params"), [
    ("gelu", "value_and_derivative", ()), ("elu", "backward", (0.5,)), ("tanh", "backward_from_output", ()),
])  # fmt: skip
def test_loop_of_a_kernel(name, kind, params, dtype):
    """The very instructions of a kernel, but for the names of its registers: each element once, the bits of the CPU."""
    number = getattr(np, kernels.PRECISIONS[dtype])
    for width in (1, WIDTHS[dtype]):
        grid = on_the_cpu(Variant(name, kind, dtype, width))
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


@needs_fma
@pytest.mark.parametrize("dtype", ["float16", "float32", "float64"])
def test_loop_of_a_strided_kernel(dtype):
    """Three dimensions, a weight that is an array along one of them, and its gradient spread along another."""
    item = np.dtype(dtype).itemsize
    for width in (1, WIDTHS[dtype]):
        shape = (3, 5, 4 * width)
        x = numbers(15 * 8 * width, np.float32, scale=3.0).clip(-1e4, 1e4).astype(dtype).reshape(3, 5, 8 * width)
        given, grad, weight = x[::-1, :, : 4 * width], x[:, :1, :1], np.linspace(-1, 1, 5).astype(dtype)
        spread = (True, False, True) if width > 1 else ()
        grid = on_the_cpu(Variant("prelu", "backward", dtype, width, 3, (True,), spread))
        out = np.zeros(shape, dtype)
        steps = [(grad.strides[0], 0, 0), (*given.strides[:2], item * width), (0, item, 0), (*out.strides[:2], item * width)]
        addresses = [a.ctypes.data for a in (grad, given, weight, out)]
        assert width == 1 or all(a % 16 == 0 for a in (addresses[1], addresses[3]))
        grid((*addresses, out.size, 5, 4, *(s for step in steps for s in step)), 16)
        assert_same_bits(out, fa.prelu.backward(np.broadcast_to(grad, shape), given, weight[:, None]))


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


@pytest.mark.skipif(REASON is None, reason="there is a GPU")
def test_bench_without_a_gpu(capsys):
    assert main(["bench", "relu", "--device", "cuda"]) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith("fastact bench: --device cuda: ")
    assert " ".join(REASON.split()) in line


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


def test_what_is_too_old(monkeypatch):
    assert too_old() is None
    assert too_old((13, 0), (13, 0), (9, 0), (7, 5)) is None
    assert too_old((13, 1), (12, 9), (5, 0), None) is None
    assert "the driver is too old: it supports CUDA 12.2, and the toolkit is of 13.0" in too_old((12, 2), (13, 0))
    assert "numba-cuda[cu12]" in too_old((12, 2), (13, 0))
    assert "the GPU is too old: its compute capability is 6.1, and the toolkit needs 7.5" in too_old(gpu=(6, 1), least=(7, 5))
    monkeypatch.setattr(numba, "__version__", "0.59.1")
    assert fa.cuda.why_unavailable.__wrapped__() == "Numba 0.59.1 is too old; expected 0.63 or later"
    monkeypatch.undo()
    monkeypatch.delattr(numba, "cuda")
    monkeypatch.setitem(sys.modules, "numba.cuda", None)
    assert fa.cuda.why_unavailable.__wrapped__().startswith("Numba has no target for CUDA (")


def test_a_plain_call_imports_no_numba():
    code = "import sys, fastact as fa; fa.gelu([1.0]); fa.cuda; fa.gelu([1.0], device='cpu'); print('numba' in sys.modules)"
    assert run_python(code).stdout.strip() == "False"
