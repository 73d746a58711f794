"""What the benchmark files share: the functions there are, arrays, and the work of one call.

asv numbers the combinations of parameters, so the lists must be the same for every commit that is measured.
They come from the formulas of the checkout that holds these files, not from the installed package; what an
older commit lacks is skipped there.

Arrays are made by the first call (`prepared`) and not in ``setup``, which would make asv time single calls; the
clock stands still meanwhile.
"""

import importlib
import os
import sys
import time
import types
from functools import lru_cache, wraps
from pathlib import Path

import numpy as np

import fastact as fa

ROOT = Path(__file__).resolve().parents[2]
KINDS = ["value", "derivative", "backward", "value_and_derivative"]
DTYPES = ["float32", "float64"]
ALL = fa.get_num_threads()

#: Whether only to see that every benchmark runs: then the last of long lists of parameters stands for all.
SMOKE = bool(os.environ.get("FASTACT_BENCH_SMOKE"))


def some(values):
    """All values; the last in a smoke run."""
    return list(values)[-1:] if SMOKE else list(values)


def _checkout():
    """The registry of the checkout; its formulas need nothing that is compiled."""
    name = "fastact_checkout"
    if name not in sys.modules:
        package = types.ModuleType(name)
        package.__path__ = [str(ROOT / "fastact")]
        sys.modules[name] = package
        importlib.import_module(f"{name}.activations")
    return importlib.import_module(f"{name}.language.registry").REGISTRY


REGISTRY = _checkout()
NAMES = sorted(REGISTRY)


class Lacking:
    """What asv's ``skip_params`` looks a combination up in: those whose function the installed package lacks."""

    def __contains__(self, parameters):
        return not hasattr(fa, parameters[0])


_preparing = 0.0


def clock():
    """Seconds, without those spent on preparing."""
    return time.perf_counter() - _preparing


def prepared(make):
    """Decorate a maker of a call without arguments: it is made and tried once for the same parameters, off the clock."""

    @lru_cache(maxsize=1)
    @wraps(make)
    def made(*parameters):
        global _preparing
        start = time.perf_counter()
        call = make(*parameters)
        call()
        _preparing += time.perf_counter() - start
        return call

    return made


class Timed:
    """What all timed benchmarks have; the function is the first parameter."""

    version = "1"
    timer = staticmethod(clock)
    skip_params = Lacking()


def numbers(shape, dtype, seed=0):
    """Normal with standard deviation 3."""
    return 3 * np.random.default_rng(seed).standard_normal(shape, np.dtype(dtype))


def set_threads(threads):
    """"one" or "all"."""
    fa.set_num_threads(1 if threads == "one" else ALL)


def arguments(name, kind, x):
    """The callable of a kind of an elementwise function and its array arguments."""
    function = getattr(fa, name)
    call = function if kind == "value" else getattr(function, kind)
    return call, ((numbers(x.shape, x.dtype, 1), x) if kind == "backward" else (x,))


@prepared
def elementwise(name, kind, dtype, elements, threads):
    """A call of an elementwise function into warm memory."""
    set_threads(threads)
    x = numbers(elements, dtype)
    call, args = arguments(name, kind, x)
    out = (np.empty_like(x), np.empty_like(x)) if kind == "value_and_derivative" else np.empty_like(x)
    return lambda: call(*args, out=out)
