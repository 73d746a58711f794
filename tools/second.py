"""Measures second derivatives: ``python tools/second.py [NAME ...]``, into docs/accuracy/second.json, which accuracy.py reads.

In float32 against the float64 kernels over about two million inputs, in float64 against the mpmath reference of the tests over
every binade, plain ranges and the neighbourhoods of switch-overs. Parameters are the defaults.
"""

import datetime
import json
import sys
from pathlib import Path

import numpy as np

import fastact as fa
from fastact._cli.findings import told
from fastact._cli.inputs import samples
from fastact._cli.verify import load_reference
from fastact.cpu import levels
from fastact.cpu.printer import digest
from fastact.language.registry import REGISTRY

FILE = Path(__file__).resolve().parents[1] / "docs" / "accuracy" / "second.json"
BOUND = 8.0


def least_of(name, x, params):
    """What the second derivatives at x count as at least."""
    return np.broadcast_to(REGISTRY[name].least(x.astype(np.float64), *params), x.shape)


def single(name, _):
    """Inputs, results and errors in float32."""
    params = tuple(float(np.float32(p)) for p in REGISTRY[name].params.values())
    rng = np.random.default_rng(1)
    patterns = np.arange(0, 1 << 32, 4099, dtype=np.uint64).astype(np.uint32).view(np.float32)
    x = np.concatenate([patterns, *(rng.uniform(-w, w, 400_000).astype(np.float32) for w in (1, 4, 12))])
    if name == "snake":
        x = x[np.abs(x) < 2.0**33]
    call = getattr(fa, name).second_derivative
    got, want = call(x, *params), call(x.astype(np.float64), *params)
    with np.errstate(all="ignore"):
        size = np.maximum(np.abs(want), least_of(name, x, params)).astype(np.float32)
        error = np.abs(got - want) / np.spacing(size)
        error[(got == want.astype(np.float32)) | (np.isnan(got) & np.isnan(want))] = 0.0
    return x, got, want, error


def double(name, reference):
    """The same in float64."""
    params = tuple(REGISTRY[name].params.values())
    x = np.concatenate([samples(name, 2000, reference), np.random.default_rng(2).uniform(-5, 5, 2000)])
    if name == "snake":
        x = x[~(np.abs(x) >= 2.0**62)]
    got = getattr(fa, name).second_derivative(x, *params)
    want, exact = reference.evaluate(name, "second_derivative", x)
    error = reference.ulp_error(got, exact, np.float64)
    least = least_of(name, x, params)
    for i in np.flatnonzero((least > 0) & np.isfinite(got)):
        error[i] = float(abs(exact[i] - float(got[i]))) / np.spacing(max(abs(want[i]), least[i]))
    return x, got, want, error


def finding(name, dtype, reference):
    """The worst of a function."""
    x, got, want, error = {"float32": single, "float64": double}[dtype](name, reference)
    error = np.nan_to_num(error, nan=np.inf)
    i = int(np.argmax(error))
    return {
        "function": name, "dtype": dtype, "formula": digest(REGISTRY[name], dtype, second=True), "level": levels.LEVEL,
        "date": datetime.datetime.now(datetime.UTC).date().isoformat(), "count": x.size, "least": REGISTRY[name].second_least,
        "max_ulp": round(float(error[i]), 2), **told(float(error[i]), x[i], got[i], want[i]),
    }  # fmt: skip


def main(names):
    """Measure, print a line for each, and write what changed."""
    reference = load_reference(None)
    known = {(f["function"], f["dtype"]): f for f in (json.loads(FILE.read_text()) if FILE.exists() else [])}
    for name in names or [n for n in REGISTRY if REGISTRY[n].second]:
        for dtype in ("float32", "float64"):
            known[name, dtype] = found = finding(name, dtype, reference)
            print(f"{name:<17}{dtype:<8}{found['max_ulp']:>7.2f} at {found['witness_hex']}", flush=True)
    FILE.write_text("[\n" + ",\n".join(json.dumps(known[key]) for key in sorted(known)) + "\n]\n", encoding="utf-8")
    return int(any(f["max_ulp"] > BOUND for f in known.values()))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
