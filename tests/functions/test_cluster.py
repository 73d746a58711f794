"""Every family, and what `fastact.numba` gives, in the processes of Dask and loky; multiprocessing: tests/njit."""

import multiprocessing

import numpy as np
import pytest
from helpers import NAMES, assert_same_bits
from test_containers import CALLS, GATED, ROWS

import fastact as fa

X = np.random.default_rng(0).normal(0, 3, size=(40, 30)).astype(np.float32)
HALF = X.astype(np.float16)


def compiled():
    """Functions of fastact.numba, its ufuncs and a user's own function over them, each with arguments and what is expected."""
    numba = pytest.importorskip("numba")
    short, ufunc = fa.numba.tanh, fa.numba.ufuncs.elu

    @numba.njit
    def own(x):
        return fa.relu.derivative(x) + short(x)

    return {
        "function": (short, (X,), fa.tanh(X)),
        "ufunc": (ufunc, (X, np.float32(0.5)), fa.elu(X, 0.5)),
        "user's": (own, (X,), fa.relu.derivative(X) + fa.tanh(X)),
        "package's": (fa.silu.backward, (X, X), fa.silu.backward(X, X)),
    }


@pytest.mark.release
def test_a_cluster_of_two_processes():
    """Lazily, over blocks of rows, the same bits as for one array; one cluster, for starting it takes the most time."""
    distributed = pytest.importorskip("distributed")
    array = pytest.importorskip("dask.array")
    dask = pytest.importorskip("dask")
    lazy = array.from_array(X, chunks=(20, 30))
    blocks = [X[:20], X[20:]]
    graphs, wanted = {}, {}
    for name in NAMES:
        f, halved = getattr(fa, name), array.from_array(HALF, chunks=(20, 30))
        graphs[name], wanted[name] = f(lazy), f(X)
        graphs[name, "derivative"], wanted[name, "derivative"] = f.derivative(halved), f.derivative(HALF)
        graphs[name, "backward"], wanted[name, "backward"] = f.backward(lazy, lazy), f.backward(X, X)
        graphs[name, "second"], wanted[name, "second"] = f.second_derivative(lazy), f.second_derivative(X)
        for i, (graph, want) in enumerate(zip(f.value_and_derivative(lazy), f.value_and_derivative(X), strict=True)):
            graphs[name, i], wanted[name, i] = graph, want
        params = {p: np.float32(v + 0.01) for p, v in f.params.items()}
        graphs[name, "params"], wanted[name, "params"] = f(lazy, **params), f(X, **params)
    column = np.linspace(0.5, 2, 40, dtype=np.float32).reshape(40, 1)
    graphs["array"] = fa.elu.backward(lazy, lazy, alpha=array.from_array(column, chunks=(20, 1)))
    wanted["array"] = fa.elu.backward(X, X, alpha=column)
    for family in ROWS:
        graphs[family] = CALLS[family](lazy)
        wanted[family] = CALLS[family](X)
    for family in set(CALLS) - set(ROWS) - {"elementwise"}:  # through map_blocks, as their messages say
        wanted[family] = np.concatenate([CALLS[family](b) for b in blocks])
        options = {"drop_axis": 1} if wanted[family].ndim == 1 else {"chunks": (20, wanted[family].shape[1])}
        graphs[family] = lazy.map_blocks(CALLS[family], dtype=np.float32, **options)
        if family != "gumbel_softmax":  # which draws for each block anew
            assert_same_bits(wanted[family], CALLS[family](X))
    for name in GATED:
        graphs[name, "two"] = array.map_blocks(getattr(fa, name), lazy, lazy[:, ::-1], dtype=np.float32)
        wanted[name, "two"] = getattr(fa, name)(X, X[:, ::-1])
    for name in ("softmax", "log_softmax", "sparsemax", "entmax15"):  # a result beside its gradient
        f = getattr(fa, name).backward
        graphs[name, "backward"], wanted[name, "backward"] = array.map_blocks(f, lazy, lazy, dtype=np.float32), f(X, X)
    for name, graph in graphs.items():
        assert type(graph) is array.Array, name
    assert fa.pelu.parameter_gradients(lazy, lazy) == fa.pelu.parameter_gradients(X, X)  # numbers, at once
    tasks = compiled()
    options = {"n_workers": 2, "threads_per_worker": 1, "processes": True, "dashboard_address": None}
    with distributed.LocalCluster(**options) as cluster, distributed.Client(cluster) as client:
        futures = {name: client.submit(call, *given, pure=False) for name, (call, given, _) in tasks.items()}
        found = dict(zip(graphs, dask.compute(*graphs.values()), strict=True))
        where = client.run(lambda: fa.__name__)
        for name, future in futures.items():
            assert_same_bits(future.result(timeout=120), tasks[name][2], name)
    assert len(where) == 2
    for name, want in wanted.items():
        assert_same_bits(found[name], want, name)


@pytest.mark.release
def test_loky():
    loky = pytest.importorskip("loky")
    tasks = compiled()
    with loky.ProcessPoolExecutor(1) as pool:
        futures = {name: pool.submit(call, *given) for name, (call, given, _) in tasks.items()}
        for name, future in futures.items():
            assert_same_bits(future.result(timeout=120), tasks[name][2], name)


def part(source, target, rows):
    """What a process does with its rows of a file."""
    x, y = np.load(source, mmap_mode="r"), np.load(target, mmap_mode="r+")
    fa.softmax(x[rows], out=y[rows])
    fa.gelu(y[rows], out=y[rows])
    return int(y[rows].shape[0])


@pytest.fixture
def files(tmp_path):
    """An array in a file, and a file for the result."""
    source, target = tmp_path / "x.npy", tmp_path / "y.npy"
    np.save(source, X)
    np.lib.format.open_memmap(target, "w+", X.dtype, X.shape).flush()
    return source, target


def test_memory_mapped_files_in_two_processes(files):
    with multiprocessing.get_context("spawn").Pool(2) as pool:
        rows = pool.starmap(part, [(*files, slice(i, i + 20)) for i in (0, 20)])
    assert rows == [20, 20]
    assert_same_bits(np.load(files[1]), fa.gelu(fa.softmax(X)))


def test_memory_mapped_files_that_cannot_be_written(files):
    x = np.load(files[0], mmap_mode="r")
    assert_same_bits(np.asarray(fa.gelu(x)), fa.gelu(X))
    for call in (fa.gelu, fa.softmax):
        with pytest.raises(ValueError, match="read-only"):
            call(x, out=x)
    assert_same_bits(np.load(files[0]), X)


@pytest.mark.release
def test_joblib(files):
    joblib = pytest.importorskip("joblib")
    rows = [slice(i, i + 10) for i in range(0, 40, 10)]
    joblib.Parallel(n_jobs=2, mmap_mode="r", max_nbytes=0)(joblib.delayed(part)(*files, r) for r in rows)
    assert_same_bits(np.load(files[1]), fa.gelu(fa.softmax(X)))
    sums = joblib.Parallel(n_jobs=2, mmap_mode="r", max_nbytes=0)(joblib.delayed(fa.mish)(X[r]) for r in rows)  # mapped by joblib
    assert_same_bits(np.concatenate(sums), fa.mish(X))


@pytest.mark.parametrize("name", ROWS)
def test_rows_that_are_cut_are_refused(name):
    """With the remedy, and the remedy helps."""
    array = pytest.importorskip("dask.array")
    lazy = array.from_array(X, chunks=(20, 10))
    with pytest.raises(TypeError, match=r"x.rechunk\(\{1: -1\}\) first, for axis 1 is in several chunks"):
        CALLS[name](lazy)
    found = CALLS[name](lazy.rechunk({1: -1}))
    assert type(found) is array.Array
    assert_same_bits(found.compute(scheduler="sync"), CALLS[name](X))
