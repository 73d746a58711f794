"""What `fastact.numba` gives goes through pickle into a fresh process, and is listed by dir()."""

import multiprocessing
import pickle

import numpy as np
import pytest

import fastact as fa
from fastact.language.kinds import kinds, outputs
from fastact.language.registry import REGISTRY

pytest.importorskip("numba")

ALL = [(name, kind) for name, spec in REGISTRY.items() for kind in kinds(spec)]
X = np.linspace(-3, 3, 13)


@pytest.mark.parametrize(("name", "kind"), ALL)
def test_a_function_pickles_as_itself(name, kind):
    function = fa.numba.function(name, kind)
    assert pickle.loads(pickle.dumps(function)) is function


@pytest.mark.parametrize("name", REGISTRY)
def test_a_ufunc_pickles_as_itself(name):
    ufunc = fa.numba.ufunc(name)
    assert pickle.loads(pickle.dumps(ufunc)) is ufunc


def _call(function, arguments):
    return function(*arguments)


def test_a_spawned_process_computes_the_same():
    """One activation is enough here: that each is found again by its name is tested above."""
    parameter = list(REGISTRY["elu"].params.values())
    work = [(fa.numba.gelu, [X]), (fa.numba.gelu_backward, [X, X]), (fa.numba.ufuncs.elu, [X, *parameter])]
    with multiprocessing.get_context("spawn").Pool(1) as pool:
        got = [pool.apply_async(_call, task).get(timeout=120) for task in work]
    for (function, arguments), result in zip(work, got, strict=True):
        np.testing.assert_array_equal(result, function(*arguments))


@pytest.mark.parametrize(("name", "kind"), ALL)
def test_dir_lists_it(name, kind):
    label = name if kind == "value" else f"{name}_{kind}"
    assert label in dir(fa.numba)
    assert (label in dir(fa.numba.ufuncs)) == (outputs(kind) == 1)
