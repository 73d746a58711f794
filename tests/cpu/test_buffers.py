"""Memory of outputs: kept for the next one, bounded, given back, and no array's while another one has it."""

import gc
import os
import threading
import tracemalloc
from pathlib import Path

import numpy as np
import pytest
from fastact.cpu.buffers import cache_info
from helpers import run_c, run_python

import fastact as fa

LARGE = 1 << 20
pytestmark = pytest.mark.skipif(os.name == "nt", reason="no memory is kept on Windows")


@pytest.fixture(autouse=True, scope="module")
def young():
    """What stood before is no matter of the collector: to look through it takes a fifth of a second a test."""
    gc.collect()
    gc.freeze()
    yield
    gc.unfreeze()


@pytest.fixture(autouse=True)
def cache(young):
    """An empty cache with the default limit, and what it was before afterwards."""
    gc.collect()
    before = cache_info()["limit"]
    fa.set_cache_limit(256 << 20)
    fa.clear_cache()
    yield
    fa.set_cache_limit(before)


def address(array):
    return array.ctypes.data


def test_memory_is_used_again():
    x = np.zeros(LARGE, np.float32)
    y = fa.gelu(x)
    first = address(y)
    assert cache_info()["held"] == 0
    del y
    assert cache_info()["held"] >= x.nbytes
    y = fa.tanh(x[: LARGE - 1000])  # nearly as large
    assert address(y) == first
    assert cache_info()["held"] == 0


def test_results_that_live_share_nothing():
    x = np.linspace(-3, 3, LARGE, dtype=np.float32)
    results = [(fa.relu(x + i), i) for i in range(5)]
    value, slope = fa.silu.value_and_derivative(x)
    for y, i in results:
        np.testing.assert_array_equal(y, np.maximum(x + np.float32(i), 0))
        assert not np.may_share_memory(y, value)
    assert not np.may_share_memory(value, slope)


@pytest.mark.parametrize("make", [
    lambda x: fa.relu(x), lambda x: fa.relu(x[::-1]), lambda x: fa.relu(x.astype(np.int32)),
    lambda x: fa.softmax(x.reshape(64, -1)), lambda x: fa.swiglu(x, x), lambda x: fa.relu.backward(x, x),
    lambda x: fa.crelu(x), lambda x: fa.maxout(x, 2),
])  # fmt: skip
def test_all_ways_to_an_output(make):
    x = np.ones(LARGE, np.float32)
    make(x)
    assert cache_info()["blocks"] >= 1
    hits = cache_info()["hits"]
    make(x)
    assert cache_info()["hits"] > hits


@pytest.mark.parametrize("n", [1, 32767, 32768, 32769, 1 << 16, (1 << 20) - 1, 1 << 20, (1 << 20) + 1, (1 << 21) + 5])
def test_arrays_are_ordinary(n):
    """They own their data, are page aligned when large, and can be resized."""
    x = np.arange(n, dtype=np.float32)
    y = fa.identity(x)
    assert y.flags.owndata
    assert y.flags.writeable
    assert y.base is None
    assert n * 4 < 128 << 10 or address(y) % 4096 == 0
    for size in (2 * n, n // 2 + 1, 3, 0, 100_000):
        y.resize(size, refcheck=False)
        assert y.shape == (size,)
    y.fill(1)
    y = fa.identity(x)
    y.resize(n + LARGE, refcheck=False)
    np.testing.assert_array_equal(y[:n], x)
    assert not y[n:].any()


def test_limit():
    x = np.ones(LARGE, np.float32)
    fa.set_cache_limit(10 << 20)
    for y in [[fa.relu(x) for _ in range(5)] for _ in range(2)]:
        del y
    assert 0 < cache_info()["held"] <= 10 << 20
    fa.set_cache_limit(5 << 20)
    assert 0 < cache_info()["held"] <= 5 << 20
    y = fa.relu(np.ones(4 * LARGE, np.float32))
    held = cache_info()["held"]
    del y  # larger than the limit
    assert cache_info()["held"] == held
    fa.clear_cache()
    assert cache_info()["held"] == cache_info()["blocks"] == 0


def test_more_blocks_than_it_keeps_track_of():
    x = np.ones(40_000, np.float32)
    many = [fa.relu(x) for _ in range(100)]
    del many
    assert 1 < cache_info()["blocks"] <= 16
    np.testing.assert_array_equal(fa.relu(x), x)


def test_switched_off():
    x = np.ones(LARGE, np.float32)
    y = fa.relu(x)
    fa.set_cache_limit(0)
    del y
    z = fa.relu(x)
    del z
    info = cache_info()
    assert info["held"] == info["blocks"] == 0


@pytest.mark.parametrize(("limit", "error"), [(-1, ValueError), (1.5, TypeError), ("1", TypeError), (None, TypeError)])
def test_bad_limits(limit, error):
    before = cache_info()["limit"]
    with pytest.raises(error):
        fa.set_cache_limit(limit)
    assert cache_info()["limit"] == before


def test_environment():
    code = "import fastact.cpu.buffers as b; print(b.cache_info()['limit'])"
    assert run_python(code, FASTACT_CACHE="0").stdout.strip() == "0"
    assert run_python(code, FASTACT_CACHE="1000000").stdout.strip() == "1000000"
    for bad in ("lots", "1.5", "-1"):
        done = run_python(code, FASTACT_CACHE=bad)
        assert done.returncode == 1
        assert done.stderr.splitlines()[-1] == f"ImportError: FASTACT_CACHE: expected a number of bytes, at least 0, got {bad!r}"


def test_show_config(capsys):
    del_me = fa.relu(np.ones(LARGE, np.float32))
    del del_me
    fa.show_config()
    assert "of 256 MiB held" in capsys.readouterr().out


def test_tracemalloc_sees_the_array():
    x = np.ones(LARGE, np.float32)
    tracemalloc.start()
    try:
        y = fa.relu(x)
        assert tracemalloc.get_traced_memory()[0] >= y.nbytes
        del y
        assert tracemalloc.get_traced_memory()[0] < x.nbytes
    finally:
        tracemalloc.stop()


def test_other_arrays_are_not_touched():
    """The handler is set only while an output is made."""
    before = np._core.multiarray.get_handler_name()
    x = np.ones(LARGE, np.float32)
    y = fa.relu(x)
    fa.relu(x[::2])
    with pytest.raises(TypeError):
        fa.relu(np.array(["a"]))
    assert np._core.multiarray.get_handler_name() == before
    assert np._core.multiarray.get_handler_name(y) == "fastact"
    assert np._core.multiarray.get_handler_name(np.ones(LARGE)) == before


def test_many_threads():
    """Blocks that come and go in several threads, some freed by another than their maker."""
    errors, handed = [], []

    def work(seed):
        rng = np.random.default_rng(seed)
        for _ in range(60):
            n = int(rng.integers(30_000, 200_000))
            x = rng.normal(size=n).astype(np.float32)
            y = fa.relu(x)
            handed.append(y)
            z = fa.gelu(x)
            if rng.random() < 0.7 and handed:
                handed.pop()
            if not np.array_equal(y, np.maximum(x, 0)) or not np.array_equal(z, fa.gelu(x)):
                errors.append(seed)

    threads = [threading.Thread(target=work, args=(i,)) for i in range(4)]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    assert not errors
    handed.clear()
    assert cache_info()["held"] <= cache_info()["limit"]


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
def test_fork():
    """A child has its own blocks, also when another thread of the parent is making arrays meanwhile."""
    code = """
import os, threading, warnings
import numpy as np
import fastact as fa
warnings.simplefilter("ignore")
x = np.linspace(-2, 2, 300_000, dtype=np.float32)
want = np.maximum(x, 0)
y = fa.relu(x)
stop = False
def work():
    while not stop:
        fa.relu(x)
thread = threading.Thread(target=work)
thread.start()
for _ in range(20):
    pid = os.fork()
    if pid == 0:
        z = fa.relu(x)
        z += 1
        ok = np.array_equal(fa.relu(x), want) and np.array_equal(y, want)
        fa.clear_cache()
        os._exit(0 if ok else 1)
    assert os.waitpid(pid, 0)[1] == 0
stop = True
thread.join()
assert np.array_equal(y, want)
print("same")
"""
    done = run_python(code)
    assert done.stdout.strip() == "same", done.stderr[-2000:]


def test_pages_of_any_size(tmp_path):
    """buffers.h without Python, where a page has 4, 16 and 64 KiB."""
    done = run_c(Path(__file__).with_name("buffers_pages.c"), tmp_path, "address,undefined")
    assert (done.returncode, done.stdout) == (0, "right\n"), done.stdout + done.stderr[-4000:]


@pytest.mark.release
@pytest.mark.parametrize("sanitizer", ["thread", "address,undefined"])
def test_the_cache_alone(sanitizer, tmp_path):
    """buffers.h without Python on six threads: no block is two threads' own, and none is lost."""
    done = run_c(Path(__file__).with_name("buffers_stress.c"), tmp_path, sanitizer)
    assert (done.returncode, done.stdout) == (0, "right\n"), done.stdout + done.stderr[-4000:]
