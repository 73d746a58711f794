"""Threads, processes and pickles: the same bits from anywhere, and nothing hangs."""

import multiprocessing
import os
import pickle
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from helpers import CALLS, NAMES, assert_same_bits, function, numbers, results, run_python

import fastact as fa
from fastact.cpu import levels

TIMEOUT = 60
SOME = ["relu", "elu", "gelu", "softplus", "hard_tanh", "log1mexp"]


def digest(name):
    """Checksums of what an activation computes over fixed inputs."""
    x = np.resize(numbers(4001, np.float32, seed=9), 300_000)
    parts = [getattr(fa, name)(x), *getattr(fa, name).value_and_derivative(x[::2]), fa.get(name).backward(x[::-1].copy(), x)]
    return [checksum(p) for p in parts]


def checksum(x):
    """Depends on every bit and on the order of the elements; NaNs count alike."""
    bits = np.where(np.isnan(x), np.float32(7), x).view(np.uint32).astype(np.uint64)
    return int(np.sum(bits * (np.arange(bits.size, dtype=np.uint64) % np.uint64(8191) + np.uint64(1))))


@pytest.mark.parametrize("name", NAMES)
def test_many_python_threads(name, threads):
    """Eight threads at once, on arrays large and small, contiguous or not, get the right bits."""
    threads(2)
    sizes = [5, 1000, 30_011, 120_000]
    inputs = [numbers(n, dtype, seed=n) for n in sizes for dtype in (np.float32, np.float64)]
    activation = getattr(fa, name)

    def work(i):
        x = inputs[i % len(inputs)]
        return (activation(x), activation.derivative(x[::2]), *activation.value_and_derivative(x), activation.backward(x, x))

    want = [work(i) for i in range(len(inputs))]
    with ThreadPoolExecutor(8) as pool:
        for i, got in enumerate(pool.map(work, range(2 * len(inputs)))):
            for g, w in zip(got, want[i % len(inputs)], strict=True):
                assert_same_bits(g, w)


def test_one_output_shared_by_threads():
    """Threads that write disjoint parts of one array."""
    x = numbers(400_000, np.float64)
    out = np.empty_like(x)
    cuts = np.linspace(0, x.size, 9).astype(int) + np.arange(9) % 2
    cuts[[0, -1]] = 0, x.size
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda i: fa.mish(x[cuts[i] : cuts[i + 1]], out=out[cuts[i] : cuts[i + 1]]), range(8)))
    assert_same_bits(out, fa.mish(x))


def test_thread_count_changes_while_others_compute():
    x = numbers(200_000, np.float32)
    want = fa.gelu(x)
    before = fa.get_num_threads()
    try:
        with ThreadPoolExecutor(4) as pool:
            jobs = [pool.submit(fa.gelu, x) for _ in range(40)]
            for count in (1, 3, 2, 4) * 10:
                fa.set_num_threads(count)
            for job in jobs:
                assert_same_bits(job.result(TIMEOUT), want)
    finally:
        fa.set_num_threads(before)


def test_the_lock_is_released():
    """Another Python thread runs while a large array is computed."""
    x = np.ones(30_000_000, np.float32)
    ticks, stop = [], threading.Event()

    def tick():
        while not stop.is_set():
            ticks.append(time.perf_counter())
            time.sleep(0.0005)

    ticker = threading.Thread(target=tick)
    ticker.start()
    try:
        start = time.perf_counter()
        fa.gelu(x, out=x)
        end = time.perf_counter()
        between = [t for t in ticks if start < t < end]
    finally:
        stop.set()
        ticker.join()
    assert len(between) >= 2


def test_set_num_threads(threads):
    for count in (1, 2, 3, 100):
        threads(count)
        assert fa.get_num_threads() == count
        assert_same_bits(fa.silu(np.ones(50_000)), np.full(50_000, fa.silu(1.0)))
    for bad in (0, -1):
        with pytest.raises(ValueError, match="set_num_threads"):
            threads(bad)
    for bad in (1.5, "2", None):
        with pytest.raises(TypeError):
            threads(bad)
    assert fa.get_num_threads() >= 1


@pytest.mark.parametrize(("setting", "expected"), [("1", 1), ("2", 2)])
def test_omp_num_threads(setting, expected):
    done = run_python("import fastact as fa; print(fa.get_num_threads())", OMP_NUM_THREADS=setting)
    assert done.returncode == 0, done.stderr
    assert int(done.stdout) == expected


def compute(name):
    return name, digest(name)


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork here")
@pytest.mark.filterwarnings("ignore:.*fork.*:DeprecationWarning")
def test_fork_after_threads(threads):
    """Children of a process that has used a team compute the same, and do not hang."""
    threads(2)
    want = [compute(name) for name in SOME]
    with multiprocessing.get_context("fork").Pool(2) as pool:
        assert pool.map_async(compute, SOME).get(TIMEOUT) == want
    assert [compute(name) for name in SOME] == want


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork here")
def test_fork_while_another_thread_computes():
    """A fork taken in the middle of a parallel region: the child computes by itself and ends."""
    code = """
import os, sys, threading, warnings
import numpy as np
import fastact as fa
warnings.simplefilter("ignore", DeprecationWarning)
fa.set_num_threads(2)
x = np.linspace(-5, 5, 200_000)
want = fa.gelu(x)
stop = threading.Event()
def busy():
    while not stop.is_set():
        fa.gelu(x)
worker = threading.Thread(target=busy)
worker.start()
children = []
for _ in range(10):
    pid = os.fork()
    if pid == 0:
        good = np.array_equal(fa.gelu(x), want) and np.array_equal(fa.gelu(x), want)
        os._exit(0 if good else 1)
    children.append(pid)
codes = [os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) for pid in children]
stop.set()
worker.join()
assert np.array_equal(fa.gelu(x), want)
print(codes)
"""
    done = run_python(code, timeout=TIMEOUT)
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip() == str([0] * 10)


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork here")
def test_fork_of_a_fork():
    """A grandchild, forked from a forked child, computes too."""
    code = """
import os, numpy as np, fastact as fa, warnings
warnings.simplefilter("ignore", DeprecationWarning)
x = np.linspace(-5, 5, 100_000)
want = fa.tanh(x)
pid = os.fork()
if pid == 0:
    inner = os.fork()
    if inner == 0:
        os._exit(0 if np.array_equal(fa.tanh(x), want) else 1)
    os._exit(os.waitstatus_to_exitcode(os.waitpid(inner, 0)[1]))
print(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]))
"""
    done = run_python(code, timeout=TIMEOUT)
    assert done.stdout.strip() == "0", done.stderr


SPAWN = """
import multiprocessing
import fastact as fa
from test_threads import SOME, compute

if __name__ == "__main__":
    want = [compute(name) for name in SOME]
    with multiprocessing.get_context("spawn").Pool(2) as pool:
        assert pool.map_async(compute, SOME).get(60) == want
        assert pool.map_async(fa.elu, [[-1.0, 2.0], [0.5]]).get(60)[1][0] == 0.5
        assert pool.map_async(fa.gelu.derivative, [[0.0]]).get(60)[0] == fa.gelu.derivative([0.0])
    print("same")
"""


def test_spawn(tmp_path):
    """Functions travel to fresh processes, where they give the same bits."""
    script = tmp_path / "spawn.py"
    script.write_text(SPAWN)
    done = run_python(None, str(script))
    assert done.stdout.strip() == "same", done.stderr[-2000:]


def test_pickles_cross_processes_and_levels(tmp_path):
    """A pickle written here is read by an interpreter on every other CPU level."""
    pickles = tmp_path / "calls.pickle"
    pickles.write_bytes(pickle.dumps([function(name, kind) for name, kind in CALLS]))
    code = """
import pickle, sys
import numpy as np
import fastact as fa
from fastact.cpu import levels
from helpers import CALLS, arrays, function, results
with open(sys.argv[1], "rb") as file:
    calls = pickle.load(file)
for call, (name, kind) in zip(calls, CALLS, strict=True):
    assert call is function(name, kind), (name, kind)
    assert all(np.isfinite(r).all() for r in results(call(*arrays(name, kind, np.ones(20)))))
print(levels.LEVEL)
"""
    for level in levels.usable_levels():
        done = run_python(code, str(pickles), FASTACT_CPU=level if level != "generic" else "")
        assert done.stdout.strip() == level, done.stderr[-2000:]


def test_calls_from_threads_that_end():
    """Short-lived threads do not leave teams behind."""
    x = numbers(60_000, np.float32)
    want = results(fa.serf.value_and_derivative(x))
    for _ in range(30):
        got = []
        worker = threading.Thread(target=lambda box=got: box.extend(fa.serf.value_and_derivative(x)))
        worker.start()
        worker.join(TIMEOUT)
        assert not worker.is_alive()
        for g, w in zip(got, want, strict=True):
            assert_same_bits(g, w)
    assert threading.active_count() < 20


def test_num_threads_is_for_a_block_and_a_thread(threads):
    threads(3)
    seen = {}
    entered, left = threading.Event(), threading.Event()

    def other():
        entered.wait(TIMEOUT)
        seen["other"] = fa.get_num_threads()
        left.set()

    thread = threading.Thread(target=other)
    thread.start()
    with fa.num_threads(2) as block:
        assert fa.get_num_threads() == 2
        with fa.num_threads(1), block:
            assert fa.get_num_threads() == 2
        entered.set()
        assert left.wait(TIMEOUT)
        fa.set_num_threads(4)
        assert fa.get_num_threads() == 2
    thread.join()
    assert seen["other"] == 3
    assert fa.get_num_threads() == 4
    with pytest.raises(RuntimeError, match="inside"), fa.num_threads(1):
        raise RuntimeError("inside")
    assert fa.get_num_threads() == 4


@pytest.mark.parametrize(("n", "error"), [(0, ValueError), (-3, ValueError), (1.0, TypeError), ("2", TypeError)])
def test_bad_numbers_of_threads(n, error):
    before = fa.get_num_threads()
    for call in (fa.num_threads, fa.set_num_threads):
        with pytest.raises(error):
            call(n)
    assert fa.get_num_threads() == before


@pytest.mark.parametrize("first", ["fastact as fa", "threadpoolctl"])
def test_threadpoolctl(first):
    """It lists the threads and limits them, whichever is imported first."""
    pytest.importorskip("threadpoolctl")
    code = f"""
import {first}
import fastact as fa
from threadpoolctl import threadpool_info, threadpool_limits
own = [i for i in threadpool_info() if i["user_api"] == "fastact"]
print([(i["num_threads"], i["version"] == fa.__version__) for i in own])
fa.set_num_threads(3)
with threadpool_limits(1):
    print(fa.get_num_threads())
print(fa.get_num_threads())
"""
    done = run_python(code, FASTACT_NUM_THREADS="2")
    assert done.stdout.splitlines() == ["[(2, True)]", "1", "3"], done.stderr
