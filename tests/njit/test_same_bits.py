"""Numba against the Cython kernels: two compilers, one formula, the same bits."""

import re
import sys
from functools import cache
from pathlib import Path

import numpy as np
import pytest
from helpers import CALLS, NAMES, arrays, assert_same_bits, function, parameter_sets, results

import fastact as fa
from fastact.cpu import levels

numba = pytest.importorskip("numba")

import contract  # noqa: E402
import numba_driver as driver  # noqa: E402
import test_limits  # noqa: E402
from numba.core.registry import cpu_target  # noqa: E402

from fastact.numba.compiler import computation, has_fma  # noqa: E402

AVX = levels.LEVEL in ("x86-64-v3", "x86-64-v4")
ENDS = [np.inf, -np.inf, np.nan, 0.0, -0.0]


def assert_agree(got, want, message):
    """Equal bits where the operations are the same, else the bound between CPU levels of tests/cpu/test_levels.py."""
    if driver.SAME:
        return assert_same_bits(got, want, message)
    finite = np.isfinite(want)
    eps, tiny = float(np.finfo(want.dtype).eps), float(np.finfo(want.dtype).tiny)
    np.testing.assert_array_equal(got[~finite], want[~finite], err_msg=message)
    np.testing.assert_allclose(got[finite], want[finite], rtol=16 * eps, atol=max(tiny, 8 * eps), err_msg=message)


def same_bits(name, dtype):
    """Every kind with every set of parameters, at the inputs of contract.py and where formulas switch."""
    for params in parameter_sets(name):
        x = np.concatenate([contract.inputs(name, dtype, params), test_limits.awkward(dtype), np.array(ENDS, dtype)])
        for kind in [k for n, k in CALLS if n == name]:
            given = arrays(name, kind, x)
            got, want = (results(f(name, kind)(*given, *params)) for f in (driver.function, function))
            for g, w in zip(got, want, strict=True):
                assert_agree(g, w, f"{name}{params} {kind}")


@pytest.fixture
def compiled(monkeypatch):
    """The tests of the Cython kernels, turned to what Numba compiles."""
    for module in (contract, test_limits):
        monkeypatch.setattr(module, "fa", driver.package)
        monkeypatch.setattr(module, "function", driver.function)


def accuracy_contract(name, dtype):
    for params in parameter_sets(name)[: 1 if driver.SAME else 2]:
        x = contract.inputs(name, dtype, params, 40)
        for kind in ("value", "derivative"):
            contract.check(name, kind, dtype, params, x[::3])


def limits_contract(name, dtype):
    test_limits.test_limits(name, dtype)
    test_limits.test_limits_agree_with_the_reference(name, dtype)
    test_limits.test_signed_zeros(name, dtype)
    test_limits.test_no_spurious_overflow(name, dtype)
    for kind in [k for n, k in CALLS if n == name]:
        test_limits.check_nan(name, kind, dtype)
    if name in test_limits.NEGATIVE_ZERO_AT_MINUS_INFINITY:
        test_limits.test_gates_at_infinity(name, dtype)


def run_of(name, dtype):
    """The loop over all kinds, compiled."""
    run = driver.driver(name, np.dtype(dtype).name)
    if not run.signatures:
        driver.compute(name, "value", np.zeros(3, dtype))
    return run


@cache
def assembly_of(name, dtype):
    (assembly,) = run_of(name, dtype).inspect_asm().values()
    return assembly


def no_library_call(name, dtype):
    """All that compiled code calls belongs to Numba, Python or LLVM: no exp, tanh or fma of a mathematical library."""
    (text,) = run_of(name, dtype).inspect_llvm().values()
    declared = set(re.findall(r'declare [^@]*@"?([\w.]+)', text))
    foreign = [d for d in declared if not d.startswith(("llvm.", "NRT_", "Py", "_Py", "numba_", "nrt_", "mem"))]
    assert foreign == []
    assert not re.search(r"\bfmaf?\b", assembly_of(name, dtype)) or not has_fma(cpu_target.target_context)


def check_vectorised(assembly, letter, least):
    packed = set(re.findall(rf"v\w+p{letter}\b[^\n]*%[yz]mm", assembly))
    assert len(packed) >= least, (letter, packed)


def vectorised(name, dtype):
    """The loop over all kinds works on whole registers."""
    if not AVX:
        pytest.skip("looks for the registers of AVX")
    check_vectorised(assembly_of(name, dtype), "s" if dtype == np.float32 else "d", 4)


def digests_on_record(name, dtype):
    """The bits over the sample of tools/digests.py, at a level where they should be the same."""
    tools = Path(__file__).resolve().parents[2] / "tools"
    if not driver.SAME or not tools.is_dir():
        pytest.skip("Numba's target and the kernels' level differ in fused multiply-adds, or the tools are not here")
    sys.path.append(str(tools))
    import digests

    key = f"{name} {np.dtype(dtype).name}"
    found = digests.of_numba(name, np.dtype(dtype).name)
    assert found.keys() >= {"value", "derivative"}
    assert found == {kind: digests.recorded(levels.LEVEL)[key][kind] for kind in found}


CLAIMS = [same_bits, digests_on_record, accuracy_contract, limits_contract, no_library_call, vectorised]
#: In float64 by default, beside all in float32: a loop takes a third of a second to compile.
DOUBLES = {"prelu", "reflu", "snake", "log1mexp", "phish", *(case[0] for case in test_limits.RIGHT_VALUES)}
CASES = [(name, np.float32) for name in NAMES] + [
    pytest.param(name, np.float64, marks=() if name in DOUBLES else pytest.mark.release) for name in NAMES
]


@pytest.mark.parametrize("claim", CLAIMS, ids=lambda claim: claim.__name__)  # one after the other: the loop is compiled once
@pytest.mark.parametrize(("name", "dtype"), CASES)
def test_kernel(name, dtype, claim, request):
    if claim in (accuracy_contract, limits_contract):
        request.getfixturevalue("compiled")
    claim(name, dtype)


def test_right_values(compiled):
    for case in test_limits.RIGHT_VALUES:
        test_limits.test_right_values(*case)


@pytest.mark.skipif(not AVX, reason="looks for the registers of AVX")
@pytest.mark.parametrize(
    "name", [pytest.param(name, marks=() if name in NAMES[::8] else pytest.mark.release) for name in NAMES]
)
def test_loops_of_one_kind_are_vectorised(name):
    """Loops over arrays of either dtype: the value in float32, the derivative in float64."""
    value = computation(name, "value", numba.types.float32)
    derivative = computation(name, "derivative", numba.types.float64)

    @numba.njit
    def run(x, y, params, params32):
        for i in range(x.size):
            x[i] = value((x[i], *params32))
        for i in range(y.size):
            y[i] = derivative((y[i], *params))

    params = tuple(fa.get(name).params.values())
    run(np.zeros(3, np.float32), np.zeros(3), params, tuple(map(np.float32, params)))
    (assembly,) = run.inspect_asm().values()
    for letter in "sd":
        check_vectorised(assembly, letter, 1 if name in ("identity", "step", "sign") else 4)
    assert not re.search(r"\bcall\w*\s+[a-z]", assembly)
