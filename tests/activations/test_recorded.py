"""The findings in docs/accuracy, held against the kernels of this tree at every CPU level and against Numba's.

A finding's input gives again exactly the error that was recorded, and a sample out of the inputs that it was taken
over gives none above it. The kernels round every operation as the formula says, so that no compiler and no machine of
the same level changes a bit.
"""

import json
import threading

import numpy as np
import pytest
from helpers import NAMES, TESTS, run_python
from reference import evaluate, ulp_error

from fastact._cli import ulp, verify
from fastact.cpu import levels
from fastact.cpu.printer import digest
from fastact.language.registry import REGISTRY

FOLDER = TESTS.parent / "docs" / "accuracy"
FILES = {"x86-64-v4": "exhaustive", "x86-64-v3": "v3", "x86-64": "baseline"}
COARSER = [517, pytest.param(129, marks=pytest.mark.release)]  # the sample is every so many-th of about 2^24 inputs

pytestmark = pytest.mark.skipif(not FOLDER.is_dir(), reason="docs/accuracy is in a checkout only")


def recorded(dtype, level):
    """The findings of a level that hold for the formulas as they are, by function and kind.

    What was changed on a processor without AVX-512 has none of its own for x86-64-v4: there those of x86-64-v3 hold, which
    has the fused multiply-add too and rounds alike.
    """
    name = FILES[level] if dtype == "float32" else FILES[level].replace("exhaustive", "v4")
    findings = json.loads((FOLDER / f"{dtype}-{name}.json").read_text())
    current = [f for f in findings if f["level"] == level and f["formula"] == digest(REGISTRY[f["function"]], dtype)]
    others = recorded(dtype, "x86-64-v3") if level == "x86-64-v4" else {}
    return others | {(f["function"], f["kind"]): f for f in current}


def bound(finding):
    """The recorded error, by the rule of the contract where there is a root, and where it was met."""
    witness = finding.get("contract_witness_hex") or finding["witness_hex"]
    return finding.get("contract_ulp", finding["max_ulp"]), None if witness is None else float.fromhex(witness)


def errors32(task, x, coarser):
    """The greatest error over the sample, and that at x."""
    stride = ((ulp.PATTERNS >> 24) | 1) * coarser
    sample = ulp.measure(task, [range(0, ulp.PATTERNS, stride)], threading.Event()).contract.error
    if x is None:
        return sample, 0.0
    at = ulp.ordinal(x)
    return sample, ulp.measure(task, [range(at, at + 1)], threading.Event()).contract.error


def error64(task, name, kind, x):
    """The error in float64 at x, against mpmath."""
    x = np.array([x])
    got = task.call(x, *task.params)
    want, exact = evaluate(name, kind, x, task.params, np.float64)
    if task.near is None or not task.near(x)[0]:
        return ulp_error(got, exact, np.float64)[0]
    return float(abs(exact[0] - float(got[0]))) / np.spacing(max(abs(want[0]), 0.25))


def missed(coarser, call=None, names=NAMES):
    """What does not agree with the findings of the level in use; ``call(name, kind)`` gives other kernels than Cython's."""
    for dtype in ("float32", "float64"):
        findings = recorded(dtype, levels.LEVEL)
        for name in names:
            for kind in ("value", "derivative"):
                where = f"{dtype} {name} {kind}"
                finding = findings.get((name, kind))
                if finding is None:
                    yield f"{where}: no finding of this formula; take it again as docs/accuracy.md says"
                    continue
                task = verify.make_task(name, kind, dtype)
                task.call = call(name, kind) if call else task.call
                most, x = bound(finding)
                if dtype == "float32":
                    sample, there = errors32(task, x, coarser)
                    if sample > most:
                        yield f"{where}: {sample} ULP in the sample, {most} on record"
                else:
                    there = 0.0 if x is None else error64(task, name, kind, x)
                if abs(there - most) > 1e-9 * most:
                    yield f"{where}: {there} ULP at {x}, {most} on record"


@pytest.mark.parametrize("coarser", COARSER)
@pytest.mark.parametrize("level", [level for level in levels.usable_levels() if level in FILES])
def test_kernels(level, coarser):
    code = f"import test_recorded; print(*test_recorded.missed({coarser}), sep='\\n')"
    done = run_python(code, FASTACT_CPU=level, timeout=600)
    assert done.returncode == 0, done.stderr[-3000:]
    assert not done.stdout.strip(), done.stdout


@pytest.mark.skipif(levels.LEVEL not in FILES, reason="nothing was recorded for this level")
def test_numba():
    """The same findings for what Numba makes of the primitives; where it has a fused multiply-add as they have."""
    driver = pytest.importorskip("numba_driver")
    if not driver.SAME:
        pytest.skip("Numba's target and the kernels' level differ in fused multiply-adds")

    def call(name, kind):
        def kernel(x, *params, out=None):
            y = driver.compute(name, kind, x, *params)
            if out is None:
                return y
            out[...] = y
            return out

        return kernel

    assert not list(missed(517, call, ["gelu", "log1mexp", "squareplus"]))
