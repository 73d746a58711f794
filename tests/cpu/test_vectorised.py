"""Every kernel's loop is vector code at every CPU level that was built, by the disassembly."""

import importlib.util
import shutil
import subprocess
import sys
from functools import cache

import pytest
from helpers import NAMES, PACKAGE, TESTS

TOOL = TESTS.parent / "tools" / "vectorised.py"
F32 = list(PACKAGE.glob("cpu/_isa/x86_64/f32*.so"))

# The results are the inputs: the compiler writes a copy.
COPIES = [("identity", "value"), ("xielu", "partial2_v")]

pytestmark = [
    pytest.mark.skipif(not TOOL.exists(), reason="tools/vectorised.py is in a checkout only"),
    pytest.mark.skipif(sys.platform != "linux" or not shutil.which("objdump"), reason="needs objdump"),
    pytest.mark.skipif(not F32, reason="built for another architecture than x86-64"),
    pytest.mark.skipif(bool(F32) and b"_b_sigmoid_value\0" not in F32[0].read_bytes(), reason="stripped, as in a wheel"),
]


@pytest.fixture(scope="module")
def tool():
    spec = importlib.util.spec_from_file_location("vectorised", TOOL)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    symbols, kernels = module.symbols, module.kernels
    module.symbols, module.kernels = cache(symbols), cache(lambda file: list(kernels(file)))  # seconds a file
    return module


def test_no_loop_is_scalar(tool):
    assert not tool.not_vectorised(PACKAGE)


def test_every_kernel_is_looked_at(tool):
    """At the full width of its level."""
    for file in tool.extensions(PACKAGE):
        found = list(tool.kernels(file))
        assert {k.function for k in found if k.kind.startswith("value")} == {*NAMES, "multiply"}
        widest = {"x86_64": 16, "x86_64_v3": 32, "x86_64_v4": 64}[file.parent.name] // (8 if file.name[:3] == "f64" else 4)
        wrong = [k for k in found if (k.lanes != widest or k.instructions < 3) and (k.function, k.kind) not in COPIES]
        assert not wrong, file


def test_clamps_are_one_instruction(tool):
    """At literals too (fastact/atoms.h)."""
    for file in tool.extensions(PACKAGE):
        (kernel,) = (symbol for symbol in tool.symbols(file) if "_b_sigmoid_value>:" in symbol)
        own = "pd" if file.name[:3] == "f64" else "ps"
        assert f"max{own} " in kernel, file
        assert f"min{own} " in kernel, file


LOOPS = """
void __pyx_f_1_b_{name}_value(const float* restrict x, float* restrict y, long n) {{
    for (long i = 0; i < (n & ~15L); i++) y[i] = {expression};
}}
"""


@pytest.mark.skipif(not (shutil.which("gcc") and shutil.which("objdump")), reason="needs GCC and objdump")
def test_scalar_loops_are_seen(tool, tmp_path):
    """A loop with a call, one with a dependence, and one as it should be."""
    loops = {"calls": "__builtin_sinf(x[i])", "chain": "i ? y[i - 1] * x[i] : 0", "good": "x[i] * x[i] + 1"}
    source, built = tmp_path / "loops.c", tmp_path / "loops.so"
    source.write_text("".join(LOOPS.format(name=n, expression=e) for n, e in loops.items()))
    subprocess.run(["gcc", "-O3", "-shared", "-fPIC", "-o", built, source, "-lm"], check=True)
    assert {k.function for k in tool.kernels(built) if k.scalar} == {"calls", "chain"}
