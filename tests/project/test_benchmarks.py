"""The benchmarks of asv_benches: every public function has some, each has a version, each combination runs."""

import importlib
import inspect
import itertools
import os
import pkgutil
import sys
from pathlib import Path

import numpy as np
import pytest
from helpers import NAMES, PACKAGE, run_python

import fastact as fa
from fastact.functions import BY_NAME

SUITE = Path(__file__).resolve().parents[2] / "asv_benches"
if not SUITE.is_dir():
    pytest.skip("the benchmarks are in the checkout only", allow_module_level=True)
PREFIXES = ("time_", "timeraw_", "track_", "peakmem_")


@pytest.fixture(scope="module", autouse=True)
def _path():
    before = fa.get_num_threads()
    sys.path.insert(0, str(SUITE))
    yield
    sys.path.remove(str(SUITE))
    fa.set_num_threads(before)


def modules():
    """The files of the suite."""
    package = importlib.import_module("benchmarks")
    return [importlib.import_module(f"benchmarks.{m.name}") for m in pkgutil.iter_modules(package.__path__)]


def benchmarks():
    """(class, name of the method) of every benchmark."""
    classes = {c for m in modules() for _, c in inspect.getmembers(m, inspect.isclass) if c.__module__ == m.__name__}
    return [(c, n) for c in sorted(classes, key=lambda c: c.__name__) for n in dir(c) if n.startswith(PREFIXES)]


def combinations(benchmark):
    """All combinations of parameters."""
    return list(itertools.product(*getattr(benchmark, "params", ())))


def test_every_function_is_benchmarked():
    """The guard: a function that no benchmark names is not followed over the commits."""
    groups = importlib.import_module("benchmarks.groups")
    elementwise = importlib.import_module("benchmarks.elementwise")
    assert elementwise.NAMES == NAMES
    named = {*elementwise.NAMES, *groups.ROWWISE, *groups.GATED, *groups.PIECES, *groups.STOCHASTIC}
    public = {function.__name__ for function in BY_NAME.values()}
    assert public - named == set(), "add these to asv_benches/benchmarks/groups.py"
    assert named - public == set(), "there are no such functions"


def test_versions_and_readable_parameters():
    found = benchmarks()
    assert len(found) > 20
    for benchmark, method in found:
        assert getattr(benchmark, "version", None) or getattr(getattr(benchmark, method), "version", None), benchmark
        lists = getattr(benchmark, "params", ())
        assert len(getattr(benchmark, "param_names", ())) == len(lists), benchmark
        assert all(isinstance(v, str | int) for values in lists for v in values), benchmark


def test_the_grid_is_small():
    """asv starts a process for each combination, about half a second: the quick run is to take ten minutes."""
    assert sum(len(combinations(c)) for c, _ in benchmarks()) < 1150


@pytest.mark.parametrize("name", ["elementwise", "groups", "calls", "embedded"])
def test_all_combinations_run(name, monkeypatch):
    """Every timed benchmark with all of its parameters, over small arrays; what is tracked stands below."""
    module = importlib.import_module(f"benchmarks.{name}")
    common = importlib.import_module("benchmarks.common")
    monkeypatch.setattr(module, "numbers", _small(common.numbers), raising=False)
    monkeypatch.setattr(common, "numbers", _small(common.numbers))
    if name == "calls":
        monkeypatch.setattr(module, "N", 2000)
    count = 0
    for benchmark, method in benchmarks():
        if benchmark.__module__ != module.__name__ or not method.startswith("time_"):
            continue
        for values in combinations(benchmark):
            instance = benchmark()
            if values in getattr(benchmark, "skip_params", ()):
                continue
            if hasattr(instance, "setup"):
                try:
                    instance.setup(*values)
                except NotImplementedError:
                    continue
            with np.errstate(all="ignore"):
                getattr(instance, method)(*values)
            count += 1
    assert count or name == "embedded"  # there may be neither Numba nor a GPU


def _small(numbers):
    """Arrays of at most 2000 elements, and of the dimensions that there were where there are several."""
    return lambda shape, *rest: numbers(min(shape, 2000) if isinstance(shape, int) else shape, *rest)


@pytest.mark.parametrize("name", ["relu", "gelu"])
def test_tracked(name, monkeypatch):
    if name == "gelu":
        pytest.importorskip("scipy")
    tracked = importlib.import_module("benchmarks.tracked")
    numbers = tracked.numbers
    monkeypatch.setattr(tracked, "numbers", lambda n, *rest: numbers((9, 1000) if isinstance(n, tuple) else min(n, 1000), *rest))
    assert tracked.Ratios().track_to_a_copy(name) > 0
    assert tracked.Ratios().track_to_numpy(name) > 0
    assert tracked.Epilogues().track_to_two_passes(name, "one") > 0
    assert (name, "one") not in tracked.WithoutBias()
    for kind, dtype in itertools.product(["value", "derivative"], ["float32", "float64"]):
        assert 0 <= tracked.Accuracy().track_max_ulp(name, kind, dtype) <= 4
    assert tracked.Build().track_size() > 1e6


def test_what_a_commit_lacks_is_skipped(monkeypatch):
    common = importlib.import_module("benchmarks.common")
    embedded = importlib.import_module("benchmarks.embedded")
    assert ("gelu", "value") not in common.Lacking()
    monkeypatch.delattr(fa, "gelu")
    assert ("gelu", "value") in common.Lacking()
    assert ("gelu", "float32") in embedded.WithoutNumba()


@pytest.mark.parametrize(("output", "low", "high"), [("in place", 0, 8), ("fresh output", 70, 90)])
def test_memory(output, low, high):
    """In a process of its own, as under asv: what was held before counts."""
    code = f"from benchmarks.calls import Memory; print(Memory().track_growth({output!r}))"
    run = run_python(code, PYTHONPATH=os.pathsep.join([str(SUITE), str(PACKAGE.parent)]))
    assert run.returncode == 0, run.stderr
    assert low <= int(run.stdout) <= high
