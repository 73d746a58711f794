"""Every CPU level that this machine can run, in an interpreter of its own; and FASTACT_CPU itself."""

import os
import shutil
import subprocess
import sys

import numpy as np
import pytest
from helpers import NAMES, PACKAGE, assert_same_bits, run_python

import fastact as fa
from fastact.cpu import levels

LEVELS = levels.usable_levels()
OTHERS = [level for level in LEVELS if level != levels.LEVEL]  # than the one that all other tests run at
BUILT = levels.built_levels()

ACCURACY = """
import sys
import numpy as np
import fastact as fa
from fastact.cpu import levels
from helpers import DTYPES, NAMES, parameter_sets
from reference import samples
from contract import bound, measure, switch_points

missed = []
for name in NAMES:
    params = parameter_sets(name)[0]
    for dtype in DTYPES:
        x = samples(dtype, 100, np.random.default_rng(1), switch_points(name, params)[:6])
        x = x[::3] if dtype == np.float64 else x[::5]
        for kind in ("value", "derivative"):
            error, got, want = measure(name, kind, dtype, params, x)
            i = int(np.argmax(error))
            if error[i] > bound(name, kind, dtype):
                missed.append(f"{name} {kind} {dtype.__name__}: {error[i]:.4g} ULP at {float(x[i]).hex()}")
print(levels.LEVEL, len(NAMES))
print("\\n".join(missed), file=sys.stderr)
"""

AGREEMENT = """
import sys
import numpy as np
import fastact as fa
from helpers import CALLS, DTYPES, arrays, function, numbers, results
found = {}
for name, kind in CALLS:
    for dtype in DTYPES:
        x = numbers(2111, dtype, seed=3)
        for j, r in enumerate(results(function(name, kind)(*arrays(name, kind, x)))):
            found[f"{name}.{kind}.{dtype.__name__}.{j}"] = r
np.savez(sys.argv[1], **found)
"""


def check_transposed():
    """Arrays of different order: transposition is written per level."""
    for dtype in (np.float32, np.float64):
        for n in (2, 3, 5, 8, 9, 31, 70):
            x, grad = np.random.default_rng(n).normal(size=(2, n, 40_000 // n)).astype(dtype)
            want = fa.gelu.backward(grad, x)
            got = fa.gelu.backward(np.asfortranarray(grad), x)
            assert_same_bits(np.ascontiguousarray(got), want, f"{n} rows")
            got = fa.gelu.backward(grad.T, np.asfortranarray(x.T))
            assert_same_bits(np.ascontiguousarray(got.T), want, f"{n} columns")


def environment(level):
    return {"FASTACT_CPU": level} if level != "generic" else {}


@pytest.mark.parametrize("level", OTHERS)
def test_accuracy(level):
    """The contract of tests/activations/test_accuracy.py, on a smaller sample."""
    done = run_python(ACCURACY, **environment(level), timeout=300)
    assert done.returncode == 0, done.stderr[-3000:]
    assert done.stdout.split() == [level, str(len(NAMES))]
    if done.stderr.strip():
        pytest.fail(done.stderr)


@pytest.mark.parametrize("level", OTHERS)
def test_layouts(level):
    """Tails, strides and float16 on each level: no piece differs from the whole."""
    code = """
import numpy as np
import fastact as fa
from helpers import CALLS, arrays, assert_same_bits, function, numbers, results
for name, kind in CALLS:
    for dtype in (np.float16, np.float32, np.float64):
        given = arrays(name, kind, numbers(1100, dtype))
        call = function(name, kind)
        want = results(call(*given))
        for n in (*range(1, 36), 1023, 1025, 1100):
            for got, w in zip(results(call(*[g[1100 - n:] for g in given])), want, strict=True):
                assert_same_bits(got, w[1100 - n:], f"{name} {kind} {n}")
        for got, w in zip(results(call(*[g[::-1] for g in given])), want, strict=True):
            assert_same_bits(got, w[::-1], f"{name} {kind} reversed")
        x = np.full(37, np.nan, dtype)
        assert all(np.isnan(r).all() for r in results(call(*[x] * len(given)))), (name, kind)
print("same")
"""
    done = run_python(code, **environment(level), timeout=300)
    assert done.stdout.strip() == "same", done.stderr[-3000:]


@pytest.mark.parametrize("level", OTHERS)
def test_ends(level):
    """Zeros keep their sign where the contract says so, and limits are right."""
    code = """
import test_limits as ends
for name in ends.NAMES:
    for dtype in ends.DTYPES:
        ends.test_signed_zeros(name, dtype)
        ends.test_limits(name, dtype)
print("right")
"""
    done = run_python(code, **environment(level))
    assert done.stdout.strip() == "right", done.stderr[-3000:]


@pytest.mark.parametrize("level", OTHERS)
def test_rows(level):
    """softmax and log_softmax within their bounds, and arrays of different order."""
    pytest.importorskip("scipy")
    code = """
from test_levels import check_transposed
from test_rowwise import test_float32_against_float64 as check
for name in ("softmax", "log_softmax"):
    for shape, axis in (((3000, 10), -1), ((80, 1000), -1), ((1000, 70), 0)):
        check(name, shape, axis)
check_transposed()
print("kept")
"""
    done = run_python(code, **environment(level), timeout=300)
    assert done.stdout.strip() == "kept", done.stderr[-3000:]


def test_transposed():
    check_transposed()


def test_levels_agree(tmp_path):
    """They may differ in the last places and nowhere else: a bound on what a change of machine does."""
    found = {}
    for level in LEVELS:
        path = tmp_path / f"{level}.npz"
        done = run_python(AGREEMENT, str(path), **environment(level))
        assert done.returncode == 0, done.stderr[-3000:]
        found[level] = np.load(path)
    first = found[LEVELS[0]]
    for level in LEVELS[1:]:
        for key in first.files:
            a, b = first[key], found[level][key]
            np.testing.assert_array_equal(np.isnan(a), np.isnan(b), err_msg=f"{level} {key}")
            np.testing.assert_array_equal(np.isinf(a), np.isinf(b), err_msg=f"{level} {key}")
            finite = np.isfinite(a)
            eps, tiny = float(np.finfo(a.dtype).eps), float(np.finfo(a.dtype).tiny)
            np.testing.assert_allclose(a[finite], b[finite], rtol=16 * eps, atol=max(tiny, 8 * eps), err_msg=f"{level} {key}")


def test_the_best_level_is_picked():
    done = run_python("from fastact.cpu import levels; print(levels.LEVEL)", FASTACT_CPU="")
    assert done.stdout.strip() == LEVELS[-1], done.stderr


@pytest.mark.parametrize("level", OTHERS)
def test_show_config_names_the_level(level):
    done = run_python("import fastact; fastact.show_config()", **environment(level))
    assert ["cpu", "level", level] in [line.split() for line in done.stdout.splitlines()], done.stdout


@pytest.mark.parametrize("bad", ["x86-64-v9", "avx512", "nonsense", " "])
def test_unknown_levels(bad):
    """A clear ImportError: what was asked for, and what there is."""
    done = run_python("import fastact", FASTACT_CPU=bad)
    assert done.returncode == 1
    last = done.stderr.strip().splitlines()[-1]
    assert last.startswith("ImportError: ")
    assert "FASTACT_CPU" in last
    assert repr(bad) in last
    assert all(level in last for level in LEVELS)


@pytest.mark.skipif(set(BUILT) <= set(LEVELS), reason="this CPU runs every level that was built")
def test_unsupported_level():
    done = run_python("import fastact", FASTACT_CPU=next(level for level in BUILT if level not in LEVELS))
    assert "ImportError" in done.stderr
    assert "cannot run" in done.stderr


@pytest.mark.skipif(sys.platform != "linux" or LEVELS == ["generic"], reason="x86-64 levels only")
def test_levels_of_x86_64():
    assert BUILT == ["x86-64", "x86-64-v3", "x86-64-v4"]
    assert LEVELS[0] == "x86-64"
    assert levels.LEVEL in LEVELS
    assert fa.gelu(1.0) == pytest.approx(0.8413447460685429, rel=1e-15)


@pytest.mark.skipif(not os.path.exists("/proc/cpuinfo") or LEVELS == ["generic"], reason="needs x86-64 and /proc/cpuinfo")
def test_levels_are_those_that_the_system_names():
    """In all instructions that a level's kernels are compiled for (setup.py)."""
    with open("/proc/cpuinfo", encoding="ascii") as file:
        flags = set(next(line for line in file if line.startswith("flags")).partition(":")[2].split())
    v3 = {"fma", "movbe", "avx", "f16c", "avx2", "bmi1", "bmi2", "abm", "xsave"} <= flags
    v4 = v3 and {"avx512f", "avx512dq", "avx512cd", "avx512bw", "avx512vl"} <= flags
    assert [level for level, there in [("x86-64", True), ("x86-64-v3", v3), ("x86-64-v4", v4)] if there] == LEVELS


def test_importing_takes_no_name_of_others():
    """A user's own module ``moves`` is found after the package was imported."""
    done = run_python("import sys, numpy; before = set(sys.modules); import fastact; print(*(set(sys.modules) - before))")
    added = {name.partition(".")[0] for name in done.stdout.split()} - set(sys.stdlib_module_names)
    assert {n for n in added if not n.startswith(("_cython_", "cython_runtime", "numpy"))} == {"fastact"}, done.stderr


@pytest.mark.skipif(LEVELS == ["generic"] or not shutil.which("gcc"), reason="wants a compiler for x86 of either width")
@pytest.mark.parametrize(("width", "refused"), [("-m32", True), ("-mx32", True), ("-m64", False)])
def test_32_bits_are_refused(width, refused):
    """When it is built: the kernels' interface counts in 64 bits."""
    command = ["gcc", width, "-fsyntax-only", str(PACKAGE / "cpu" / "runtime.h")]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert ("fastact needs a 64-bit platform" in done.stderr) == refused
