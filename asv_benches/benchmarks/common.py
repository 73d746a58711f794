"""What the benchmark files share: the functions there are, arrays, and the work of one call.

asv numbers the combinations of parameters, so the lists must be the same for every commit that is measured.
They come from the formulas of the checkout that holds these files, not from the installed package; what an
older commit lacks is skipped there.

Work is made in a cache and not in ``setup``: a ``setup`` would make asv time single calls.
"""

import importlib
import os
import sys
import types
from functools import lru_cache
from pathlib import Path

import numpy as np

import fastact as fa

ROOT = Path(__file__).resolve().parents[2]
KINDS = ["value", "derivative", "backward", "value_and_derivative"]
DTYPES = ["float32", "float64"]

#: A quick check that every benchmark runs, not what it finds: the first and last of each list of parameters.
SMOKE = bool(os.environ.get("FASTACT_BENCH_SMOKE"))


def some(values):
    """All values, or the first and last in a smoke run."""
    values = list(values)
    return values if not SMOKE or len(values) < 3 else [values[0], values[-1]]


def _checkout():
    """The registry of the checkout; its formulas need nothing that is compiled."""
    name = "fastact_checkout"
    if name not in sys.modules:
        package = types.ModuleType(name)
        package.__path__ = [str(ROOT / "fastact")]
        sys.modules[name] = package
        importlib.import_module(f"{name}.activations")
    return importlib.import_module(f"{name}._spec").REGISTRY


REGISTRY = _checkout()
NAMES = sorted(REGISTRY)


class Lacking:
    """What asv's ``skip_params`` looks a combination up in: those that the installed package cannot run.

    Parameters
    ----------
    position : int
        Which parameter names the function.
    """

    def __init__(self, position=0):
        self.position = position

    def __contains__(self, parameters):
        return not hasattr(fa, parameters[self.position])


def numbers(shape, dtype, seed=0):
    """Normal with standard deviation 3."""
    return 3 * np.random.default_rng(seed).standard_normal(shape, np.dtype(dtype))


def set_threads(threads):
    """"one" or "all"."""
    fa.set_num_threads(1 if threads == "one" else max(1, len(os.sched_getaffinity(0))))


def arguments(name, kind, x):
    """The callable of a kind of an elementwise function and its array arguments."""
    function = getattr(fa, name)
    call = function if kind == "value" else getattr(function, kind)
    return call, ((numbers(x.shape, x.dtype, 1), x) if kind == "backward" else (x,))


@lru_cache(maxsize=1)
def elementwise(name, kind, dtype, elements, threads):
    """The call, its arguments, and where the results go: warm memory."""
    set_threads(threads)
    x = numbers(elements, dtype)
    call, args = arguments(name, kind, x)
    return call, args, (np.empty_like(x), np.empty_like(x)) if kind == "value_and_derivative" else np.empty_like(x)
