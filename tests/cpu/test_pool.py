"""The pool: the same bits on any number of threads, and no way to hang or to crash it."""

import asyncio
import multiprocessing
import sys
import threading
import time
from pathlib import Path

import numpy as np
import pytest
from helpers import assert_same_bits, numbers, run_c, run_python

import fastact as fa

TIMEOUT = 60
LINUX = pytest.mark.skipif(sys.platform != "linux", reason="asks the kernel of Linux")


def compute(size):
    """Every way to threads: plain, cast and strided arrays, rows of all lengths, gated units."""
    x = np.resize(numbers(4001, np.float32, seed=4), size)
    rows = np.where(np.abs(x) < 50, x, 0)
    half = size // 2 * 2
    return [
        fa.gelu(x), *fa.mish.value_and_derivative(x), fa.elu.backward(x, x), fa.silu(x[::2]), fa.tanh(rows.astype(np.float16)),
        fa.softplus(np.asfortranarray(x[: size // 50 * 50].reshape(50, -1)), np.ones((50, 1), np.float32)),
        fa.softmax(rows), fa.log_softmax(rows[: size // 200 * 200].reshape(-1, 200)),
        fa.softmax(rows[: size // 50 * 50].reshape(-1, 50), axis=0), fa.swiglu(x[:half].reshape(2, -1), axis=0),
        fa.swiglu.backward(x[: half // 2], x[:half]), fa.logsumexp(rows),
    ]  # fmt: skip


@pytest.mark.parametrize("size", [5_000, 100_003, 3_000_000])
def test_bits_do_not_depend_on_threads(threads, size):
    threads(1)
    want = compute(size)
    for count in (2, 3, 7, 40):
        threads(count)
        for got, right in zip(compute(size), want, strict=True):
            assert_same_bits(got, right, f"{count} threads")


def test_thirty_two_callers(threads):
    """At once, each with its own arrays, while the number of threads changes."""
    threads(3)
    want, wrong = compute(60_000), []
    stop = time.monotonic() + 3

    def work():
        while time.monotonic() < stop:
            for got, right in zip(compute(60_000), want, strict=True):
                if not np.array_equal(got, right, equal_nan=True):
                    wrong.append(right.shape)

    callers = [threading.Thread(target=work) for _ in range(32)]
    for caller in callers:
        caller.start()
    while any(caller.is_alive() for caller in callers):
        for count in (1, 2, 4):
            fa.set_num_threads(count)
            time.sleep(0.01)
    assert wrong == []


@pytest.mark.parametrize(("setting", "expected"), [("3", "3"), ("9999", "1024")])
def test_fastact_num_threads(setting, expected):
    done = run_python("import fastact as fa; print(fa.get_num_threads())", FASTACT_NUM_THREADS=setting, OMP_NUM_THREADS="1")
    assert done.stdout.strip() == expected, done.stderr
    assert "FASTACT_NUM_THREADS" in run_python("import fastact", FASTACT_NUM_THREADS="many").stderr


def test_a_block_is_one_task_s_own():
    """One task's block does not change another's number, and none outlasts it."""
    before, seen = fa.get_num_threads(), []

    async def inside(count):
        with fa.num_threads(count):
            for _ in range(3):
                await asyncio.sleep(0.001)
                seen.append(fa.get_num_threads() == count)

    async def outside():
        for _ in range(5):
            await asyncio.sleep(0.0005)
            seen.append(fa.get_num_threads() == before)

    async def everything():
        await asyncio.gather(inside(3), outside(), inside(5))

    asyncio.run(everything())
    assert all(seen)
    assert fa.get_num_threads() == before


def test_a_block_is_one_thread_s_own(threads):
    """One object in two threads that leave it in the order that they came."""
    threads(2)
    block, both = fa.num_threads(5), threading.Barrier(2)
    found = []

    def enter(number):
        with fa.num_threads(number):
            both.wait(TIMEOUT)
            with block:
                both.wait(TIMEOUT)
            found.append(fa.get_num_threads() == number)

    entered = [threading.Thread(target=enter, args=(n,)) for n in (3, 4)]
    for thread in entered:
        thread.start()
    for thread in entered:
        thread.join(TIMEOUT)
    assert found == [True, True]
    assert fa.get_num_threads() == 2


@LINUX
def test_idle_threads_sleep():
    """A millisecond after the last call a process takes no time of the processors."""
    fa.relu(np.ones(10**6, np.float32))
    time.sleep(0.01)
    before = time.process_time()
    time.sleep(0.3)
    assert time.process_time() - before < 0.03


@LINUX
def test_children_have_threads():
    """A forked child makes its own when it first needs them."""
    code = """
import os, warnings, numpy as np, fastact as fa
warnings.simplefilter("ignore", DeprecationWarning)
fa.set_num_threads(3)
x = np.linspace(-5, 5, 400_000, dtype="f4")
want = fa.mish(x)
count = lambda: len(os.listdir("/proc/self/task"))
for _ in range(200):
    fa.mish(x)
parent = count()
if os.fork() == 0:
    fine = count() == 1 and all(np.array_equal(fa.mish(x), want) for _ in range(200)) and count() == 3
    os._exit(0 if fine else 1)
print(parent, os.waitstatus_to_exitcode(os.wait()[1]))
"""
    done = run_python(code, OPENBLAS_NUM_THREADS="1", timeout=TIMEOUT)
    assert done.stdout.split() == ["3", "0"], done.stderr


@LINUX
def test_threads_that_cannot_be_created():
    """The caller computes alone: with no room for a stack, and with none left of many."""
    code = """
import resource, numpy as np, fastact as fa
fa.set_num_threads(1)
x = np.linspace(-5, 5, 300_000, dtype="f4")
want, out = fa.mish(x), np.empty_like(x)
used = int(open("/proc/self/statm").read().split()[0]) * resource.getpagesize()
resource.setrlimit(resource.RLIMIT_AS, (used + SPARE, used + SPARE))
fa.set_num_threads(40)
for _ in range(50):
    assert np.array_equal(fa.mish(x, out=out), want)
print("right")
"""
    for spare in (1 << 19, 1 << 23):
        done = run_python(code.replace("SPARE", str(spare)), OPENBLAS_NUM_THREADS="1", timeout=TIMEOUT)
        assert done.stdout.strip() == "right", done.stderr[-2000:]


def test_small_stacks(threads):
    """What calls need to compute in is not on the stack."""
    threads(2)
    x = numbers(200_000, np.float32)
    want, found = [fa.gelu(x), fa.gelu(x[::-1])], []
    before = threading.stack_size(1 << 16)
    try:
        thread = threading.Thread(target=lambda: found.extend([fa.gelu(x), fa.gelu(x[::-1])]))
        thread.start()
    finally:
        threading.stack_size(before)
    thread.join(TIMEOUT)
    for got, right in zip(found, want, strict=True):
        assert_same_bits(got, right)


def test_a_subinterpreter_in_the_process():
    interpreters = "_interpreters" if sys.version_info >= (3, 13) else "_xxsubinterpreters"
    code = f"import numpy as np, fastact as fa, {interpreters} as i; i.create(); print(int(fa.relu(np.ones(10**6, 'f4')).sum()))"
    done = run_python(code)
    assert done.stdout.strip() == "1000000", done.stderr


def test_exit_in_flight():
    """The interpreter ends while other threads compute."""
    code = """
import threading, time, numpy as np, fastact as fa
x = np.ones(2_000_000, "f4")
for _ in range(4):
    threading.Thread(target=lambda: [fa.mish(x) for _ in range(10**6)], daemon=True).start()
time.sleep(0.2)
print("ends")
"""
    done = run_python(code, timeout=TIMEOUT)
    assert (done.returncode, done.stdout.strip()) == (0, "ends"), done.stderr


@LINUX
def test_signals_reach_the_main_thread():
    code = """
import os, signal, threading, time, numpy as np, fastact as fa
got = []
signal.signal(signal.SIGALRM, lambda *_: got.append(threading.current_thread() is threading.main_thread()))
signal.setitimer(signal.ITIMER_REAL, 0.001, 0.001)
x = np.ones(500_000, "f4")
end = time.monotonic() + 0.5
while time.monotonic() < end:
    fa.mish(x)
print(len(got) > 10 and all(got))
"""
    assert run_python(code, timeout=TIMEOUT).stdout.strip() == "True"


@LINUX
@pytest.mark.release
@pytest.mark.parametrize("sanitizer", ["thread", "address,undefined"])
def test_the_pool_alone(sanitizer, tmp_path):
    """pool.h without Python, under a sanitizer: every part is computed once, and no two threads touch the same memory."""
    done = run_c(Path(__file__).with_name("pool_stress.c"), tmp_path, sanitizer, TIMEOUT)
    assert (done.returncode, done.stdout) == (0, "right, with help\n"), done.stdout + done.stderr[-4000:]


def test_spawned_processes():
    """multiprocessing, with either start method, from a process that has threads."""
    code = """
import multiprocessing, sys, numpy as np, fastact as fa
if __name__ == "__main__":
    fa.set_num_threads(3)
    x = np.linspace(-5, 5, 300_000, dtype="f4")
    want = fa.mish(x)
    with multiprocessing.get_context(sys.argv[1]).Pool(2) as pool:
        print(all(np.array_equal(y, want) for y in pool.map(fa.mish, [x] * 6)))
"""
    for method in multiprocessing.get_all_start_methods():
        done = run_python(code, method, timeout=TIMEOUT)
        assert done.stdout.strip() == "True", done.stderr[-2000:]
