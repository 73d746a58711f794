"""Figures that stay meaningful on a noisy machine; lower is better for all of them."""

import importlib.util
import inspect
import shutil
import statistics
import sys
import time
from functools import lru_cache
from pathlib import Path

import numpy as np

import fastact as fa

from .common import DTYPES, NAMES, REGISTRY, ROOT, Lacking, numbers, set_threads, some

ROUNDS = 9
PACKAGE = Path(fa.__file__).resolve().parent


@lru_cache(maxsize=1)
def _module(path):
    """A file of the checkout that imports nothing of the package, so that commits are held against the same thing."""
    spec = importlib.util.spec_from_file_location(f"benchmarked_{Path(path).stem}", ROOT / path)
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


def ratio(call, other):
    """The median of the time of one call over that of the other, taken in turn.

    Short calls are repeated, so that a turn takes a millisecond.
    """

    def turn(function, calls):
        start = time.perf_counter()
        for _ in range(calls):
            function()
        return (time.perf_counter() - start) / calls

    both = call, other
    with np.errstate(all="ignore"):
        for function in both:
            function()
        counts = [max(1, int(1e-3 / turn(function, 1))) for function in both]
        pairs = [[turn(function, calls) for function, calls in zip(both, counts, strict=True)] for _ in range(ROUNDS)]
    return round(statistics.median(mine / others for mine, others in pairs), 4)


class Ratios:
    """Values in float32 on one thread, as multiples of what the machine does otherwise."""

    version = "1"
    params = (some(NAMES),)
    param_names = ("function",)
    skip_params = Lacking()
    unit = "ratio"

    def track_to_a_copy(self, function):
        """10 000 000 elements into warm memory, over NumPy's copy of the same array: 1 is the machine's limit."""
        set_threads("one")
        x = numbers(10_000_000, "float32")
        out, call = np.empty_like(x), getattr(fa, function)
        return ratio(lambda: call(x, out=out), lambda: np.copyto(out, x))

    def track_to_numpy(self, function):
        """100 000 elements, over the plain NumPy or SciPy expression."""
        set_threads("one")
        x, call = numbers(100_000, "float32"), getattr(fa, function)
        expression = _module("fastact/_cli/expressions.py").expressions().get(function)
        return ratio(lambda: call(x), lambda: expression(x)) if expression else float("nan")


class WithoutBias(Lacking):
    """Everything is lacking in a fastact from before ``bias=``."""

    def __contains__(self, parameters):
        return super().__contains__(parameters) or "bias" not in inspect.signature(getattr(fa, parameters[0])).parameters


class Epilogues:
    """A bias and a function after a matrix product, in place, over the same in two passes: 8192 x 4096 of float32."""

    version = "1"
    params = (some(["relu", "silu", "gelu", "tanh"]), ["one", "all"])
    param_names = ("function", "threads")
    skip_params = WithoutBias()
    unit = "ratio"

    def track_to_two_passes(self, function, threads):
        """``f(h, bias=b, out=h)`` over ``h += b; f(h, out=h)``."""
        set_threads(threads)
        h, bias, call = numbers((8192, 4096), "float32"), numbers(4096, "float32", 1), getattr(fa, function)
        return ratio(lambda: call(h, bias=bias, out=h), lambda: call(np.add(h, bias, out=h), out=h))


class Accuracy:
    """Greatest errors in ULP on a fixed sample, against the tests' reference in arbitrary precision.

    Where the contract's bound is absolute, errors count in ULP of max(abs(exact), 1/4).
    """

    version = "1"
    params = (some(NAMES), ["value", "derivative"], DTYPES)
    param_names = ("function", "kind", "dtype")
    skip_params = Lacking()
    unit = "ulp"

    def track_max_ulp(self, function, kind, dtype):
        """About a thousand inputs: bit patterns of all sizes, ordinary numbers, the root of the derivative."""
        reference, spec = _module("tests/reference.py"), REGISTRY[function]
        dtype = np.dtype(dtype).type
        root = spec.root()
        x = reference.samples(dtype, 200, np.random.default_rng(0), [] if root is None else [root])
        call = getattr(fa, function) if kind == "value" else getattr(fa, function).derivative
        with np.errstate(all="ignore"):
            got = call(x)
        want, exact = reference.evaluate(function, kind, x, None, dtype)
        error = reference.ulp_error(got, exact, dtype)
        near = spec.absolute(kind, x)
        if near is not None:
            for i in np.flatnonzero(near & np.isfinite(got) & np.isfinite(want)):
                error[i] = float(abs(exact[i] - float(got[i]))) / np.spacing(max(abs(want[i]), dtype(0.25)))
        return round(float(error.max()), 3)


class Build:
    """What the build made."""

    version = "1"

    def track_size(self):
        """Installed size of the package, every ISA level included: what a wheel holds, unpacked."""
        files = (p for p in PACKAGE.rglob("*") if p.suffix in {".so", ".py", ".pyd", ".pyi", ".pyx", ".pxd", ".h"})
        return sum(p.stat().st_size for p in files)

    track_size.unit = "bytes"

    def track_not_vectorised(self):
        """Elementwise functions with scalar arithmetic or a call in a loop, at any ISA level; NaN without objdump."""
        if not shutil.which("objdump"):
            return float("nan")
        return len({function for _, _, function, *_ in _module("tools/vectorised.py").not_vectorised(PACKAGE)})

    track_not_vectorised.unit = "functions"

