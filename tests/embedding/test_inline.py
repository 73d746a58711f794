"""The header of inline functions, in C and C++, and SciPy's low-level callables."""

import shutil
import subprocess

import numpy as np
import pytest
from helpers import NAMES, numbers

import fastact as fa
from fastact.cpu.levels import LEVEL

FLAGS = {"x86-64": [], "x86-64-v3": ["-mavx2", "-mfma"], "x86-64-v4": ["-mavx2", "-mfma"]}


def program(folder, compiler, standard):
    """Compile a program that reads numbers and writes every function and its derivatives of them."""
    if shutil.which(compiler) is None:
        pytest.skip(f"no {compiler}")
    lines = ["#include <stdio.h>", "#include <fastact_scalars.h>", "int main(void) {"]
    for suffix, kind in (("f32", "float"), ("f64", "double")):
        lines += [f"{kind} x_{suffix}[200], y_{suffix}[200];"]
        lines += [f"if (fread(x_{suffix}, sizeof({kind}), 200, stdin) != 200) return 1;"]
        for name in NAMES:
            for of in ("", "_derivative", "_second_derivative"):
                numbers = "".join(f", ({kind}){v!r}" for v in getattr(fa, name).params.values())
                lines += [f"for (int i = 0; i < 200; i++) y_{suffix}[i] = fa_{name}{of}_{suffix}(x_{suffix}[i]{numbers});"]
                lines += [f"fwrite(y_{suffix}, sizeof({kind}), 200, stdout);"]
    source = folder / ("program.c" if compiler == "gcc" else "program.cpp")
    source.write_text("\n".join([*lines, "return 0; }", ""]))
    flags = ["-O1", "-Wall", "-Wextra", "-Werror", "-Wno-unused-function", "-ffp-contract=off", *FLAGS.get(LEVEL, [])]
    command = [compiler, standard, *flags, f"-I{fa.get_include()}", source, "-o", folder / "program", "-lm"]
    subprocess.run(command, check=True)
    return folder / "program"


@pytest.mark.parametrize(("compiler", "standard"), [("gcc", "-std=c99"), ("g++", "-std=c++11")])
def test_scalars_are_what_kernels_compute(tmp_path, compiler, standard):
    built = program(tmp_path, compiler, standard)
    single, double = numbers(200, np.float32), numbers(200, np.float64)
    output = subprocess.run([built], input=single.tobytes() + double.tobytes(), capture_output=True, check=True).stdout
    at = 0
    for x in (single, double):
        for name in NAMES:
            call = getattr(fa, name)
            for function in (call, call.derivative, call.second_derivative):
                found = np.frombuffer(output, x.dtype, 200, at)
                at += x.nbytes
                expected = function(x)
                np.testing.assert_array_equal(found, expected, err_msg=name)
                there = ~np.isnan(expected)
                np.testing.assert_array_equal(np.signbit(found[there]), np.signbit(expected[there]), err_msg=name)
    assert at == len(output)


def test_fast_math_is_refused(tmp_path):
    if shutil.which("gcc") is None:
        pytest.skip("no gcc")
    source = tmp_path / "program.c"
    source.write_text("#include <fastact_scalars.h>\n")
    command = ["gcc", "-ffast-math", f"-I{fa.get_include()}", "-c", source, "-o", tmp_path / "o"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode
    assert "-ffast-math takes away" in done.stderr


@pytest.mark.parametrize("name", NAMES)
def test_low_level_callables(name):
    """What SciPy calls without Python: the integral over almost nothing is the value there."""
    integrate = pytest.importorskip("scipy.integrate")
    for call in (getattr(fa, name), getattr(fa, name).derivative):
        for x in (1.75, 0.375) if name == "log1mexp" else (-1.75, 0.375):
            found = integrate.quad(call.low_level(), x, x + 1e-6)[0] / 1e-6
            assert np.isclose(found, call(x + 5e-7), rtol=1e-6, atol=1e-9)


def test_low_level_parameters_and_errors():
    integrate = pytest.importorskip("scipy.integrate")
    value = integrate.quad(fa.elu.low_level(alpha=2.0), -1.0, 0.0)[0]
    assert np.isclose(value, 2.0 * (1 - np.exp(-1.0)) - 2.0)
    assert fa.elu.low_level(2.0).signature == "double (double, void *)"
    with pytest.raises(TypeError, match=r"fastact\.elu\.low_level: alpha is 'a'; expected a number"):
        fa.elu.low_level("a")
    with pytest.raises(TypeError, match=r"fastact\.elu: too many arguments; expected x, alpha"):
        fa.elu.low_level(1.0, 2.0)
    with pytest.raises(TypeError, match=r"fastact\.elu\.backward\.low_level: backward is no function of one number"):
        fa.elu.backward.low_level()
