"""What `bench threads` does: several threads against one, in fresh processes, after a rest, with several callers, beside others.

A quotient is the time on all threads over that on one, in the same process and by turns, mean by mean, median by median, 90th
percentile by 90th percentile: above 1 a second thread has cost more than it gave. Each process is new, because what a process
meets when it starts (where its threads are put) stays with it.
"""

from __future__ import annotations

import argparse
import contextlib
import functools
import importlib.util
import json
import statistics
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

import fastact as fa

from .common import CommandError, Progress, replacing
from .peers import onnxruntime

FUNCTIONS = ("relu", "gelu")
SIZE = 100_000
REST = 0.03  # seconds
SITUATIONS = {"steady": 0, "after a rest": 0, "callers": 0, "beside one": 1, "beside two": 2}  # with so many busy processes
BUSY = "while True: pass"


def calls_of(library: str, function: str) -> list[tuple[contextlib.AbstractContextManager[Any], Callable[[], Any]]]:
    """What is called on one thread and on all, each with what is entered before."""
    x = np.random.default_rng(0).normal(size=SIZE).astype(np.float32)
    counts = 1, fa.get_num_threads()
    if library == "onnxruntime":
        forward = [onnxruntime(threads).forward[function] for threads in counts]
        return [(contextlib.nullcontext(), functools.partial(f, x)) for f in forward]
    call = functools.partial(getattr(fa, function), x, out=np.empty_like(x))
    return [(fa.num_threads(threads), call) for threads in counts]


def of_callers(library: str, function: str) -> dict[str, float]:
    """Measure a caller for each processor at once: rounds of calls on all threads over rounds of calls on one each."""

    def calling(which: int) -> None:
        entered, call = calls_of(library, function)[which]
        with entered:
            start.wait()
            for _ in range(200):
                call()
            end.wait()

    count = fa.get_num_threads()
    times: list[list[int]] = [[], []]
    for which in (0, 1) * 20:
        start, end = threading.Barrier(count + 1), threading.Barrier(count + 1)
        threads = [threading.Thread(target=calling, args=(which,)) for _ in range(count)]
        for thread in threads:
            thread.start()
        start.wait()
        begun = time.perf_counter_ns()
        end.wait()
        times[which].append(time.perf_counter_ns() - begun)
        for thread in threads:
            thread.join()
    return compared(*times)


def compared(one: list[int], many: list[int]) -> dict[str, float]:
    """Compare times on one thread with times on all, without the first tenth of each."""
    first, second = (np.array(taken[len(taken) // 10 :]) for taken in (one, many))
    (low, high), (median, p90) = (np.quantile(taken, (0.5, 0.9)) for taken in (first, second))
    return {"mean": float(second.mean() / first.mean()), "median": float(median / low), "p90": float(p90 / high)}


def quotients(library: str, function: str, situation: str) -> dict[str, float]:
    """Measure one situation in this process: mean, median and 90th percentile on all threads over those on one."""
    if situation == "callers":
        return of_callers(library, function)
    rest = REST if situation == "after a rest" else 0.0
    calls = calls_of(library, function)
    times: list[list[int]] = [[], []]
    for _ in range(20):
        for taken, (entered, call) in zip(times, calls, strict=True):
            with entered:
                for _ in range(3 if rest else 100):
                    if rest:
                        time.sleep(rest)
                    start = time.perf_counter_ns()
                    call()
                    taken.append(time.perf_counter_ns() - start)
    return compared(*times)


def libraries(peers: str) -> list[str]:
    """Return those to measure: fastact, and ONNX Runtime, which has a pool of its own too."""
    found = ["fastact"]
    if peers in ("all", "onnxruntime") and importlib.util.find_spec("onnxruntime") and importlib.util.find_spec("onnx"):
        found.append("onnxruntime")
    return found


@contextlib.contextmanager
def neighbours(count: int) -> Iterator[None]:
    """Keep so many processors busy."""
    started = [subprocess.Popen([sys.executable, "-c", BUSY]) for _ in range(count)]
    try:
        yield
    finally:
        for process in started:
            process.kill()
            process.wait()


def measured(library: str, function: str, situation: str, processes: int) -> Iterator[dict[str, float]]:
    """Yield the quotients of one situation, from so many processes, each of its own.

    Raises
    ------
    CommandError
        If a process dies.
    """
    command = [sys.executable, "-W", "ignore", "-m", __name__, library, function, situation]
    with neighbours(SITUATIONS[situation]):
        for _ in range(processes):
            done = subprocess.run(command, capture_output=True, text=True, check=False)
            if done.returncode:
                raise CommandError(f"threads: {done.stderr.strip().splitlines()[-1] if done.stderr else 'a process died'}")
            yield json.loads(done.stdout)


def run(args: argparse.Namespace) -> int:
    """Measure every situation, print the table, and return the exit status.

    Raises
    ------
    CommandError
        On one thread; for a file that cannot be written, or a process that dies.
    """
    if fa.get_num_threads() < 2:
        raise CommandError("threads: there is one thread alone to measure")
    results: list[dict[str, Any]] = []
    with contextlib.ExitStack() as stack:
        target = stack.enter_context(replacing(args.json)) if args.json else None
        chosen = libraries(args.peers)
        progress = stack.enter_context(Progress(len(chosen) * len(FUNCTIONS) * len(SITUATIONS) * args.rounds, "processes"))
        print(f"{fa.get_num_threads()} threads over one, {SIZE:,} float32 elements, {args.rounds} processes each\n")
        print(f"{'library':<13}{'function':<10}{'situation':<14}{'mean':>8}{'worst':>8}{'median':>8}{'p90':>8}", flush=True)
        for library in chosen:
            for function in FUNCTIONS:
                for situation in SITUATIONS:
                    found = []
                    for figures in measured(library, function, situation, args.rounds):
                        progress.update(1, f"{library} {function} {situation}")
                        found.append(figures)
                    results.append({"library": library, "function": function, "situation": situation, "processes": found})
                    means = [f["mean"] for f in found]
                    progress.write(
                        f"{library:<13}{function:<10}{situation:<14}{statistics.fmean(means):>8.2f}{max(means):>8.2f}"
                        f"{statistics.median(f['median'] for f in found):>8.2f}{statistics.median(f['p90'] for f in found):>8.2f}"
                    )
        if target:
            with open(target, "w", encoding="utf-8") as file:
                json.dump(results, file, indent=1)
                file.write("\n")
    return 0


if __name__ == "__main__":
    print(json.dumps(quotients(*sys.argv[1:4])))
