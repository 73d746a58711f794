"""Measures what the choice of threads rests on: ``python tools/calibrate.py [NAME ...]``, on a machine with nothing else to do.

Prints, for every kernel, the nanoseconds an element on one thread in cache beside what fastact/_kernels.pyx reckons with, and
for some the work from which on two threads are faster than one. `serial_below` in fastact/cpu/threads.pyx is set from the latter.
"""

import statistics
import sys
import time

import numpy as np

import fastact as fa
from fastact.cpu import threads

KINDS = ("value", "derivative", "value_and_derivative", "backward")
IN_CACHE = 8192
SIZES = [int(2 ** (e / 2)) for e in range(20, 38)]


def turn(call, calls):
    """Nanoseconds of a call, the mean of some."""
    start = time.perf_counter_ns()
    for _ in range(calls):
        call()
    return (time.perf_counter_ns() - start) / calls


def prepare(name, kind, dtype, n):
    """A call of one kind into memory that is there."""
    rng = np.random.default_rng(0)
    x, grad = (rng.standard_normal(n, dtype) for _ in range(2))
    call = fa.get(name) if kind == "value" else getattr(fa.get(name), kind)
    arrays = (grad, x) if kind == "backward" else (x,)
    out = (np.empty_like(x), np.empty_like(x)) if kind == "value_and_derivative" else np.empty_like(x)
    return call, lambda: call(*arrays, out=out)


def costs(names):
    """Measured nanoseconds an element over those reckoned with, per kernel."""
    print(f"{'function':<17}{'kind':<22}{'dtype':<9}{'measured':>9}{'reckoned':>9}{'ratio':>7}")
    ratios = []
    with fa.num_threads(1):
        for name in names:
            for kind in KINDS:
                for dtype in (np.float32, np.float64):
                    call, run = prepare(name, kind, dtype, IN_CACHE)
                    run()
                    measured = statistics.median(turn(run, 10) for _ in range(15)) / IN_CACHE
                    reckoned = call.kernel.costs[dtype == np.float64]
                    ratios.append(measured / reckoned)
                    print(f"{name:<17}{kind:<22}{np.dtype(dtype).name:<9}{measured:>9.3f}{reckoned:>9.3f}{ratios[-1]:>7.2f}")
    low, middle, high = (float(q) for q in np.quantile(ratios, (0.05, 0.5, 0.95)))
    print(f"\nmeasured / reckoned: median {middle:.2f}, 5 % below {low:.2f}, 5 % above {high:.2f}")


def break_even(name, kind):
    """From how many elements on two threads win, and how much work that is."""
    for n in SIZES:
        _, run = prepare(name, kind, np.float32, n)
        ratios = []
        for _ in range(21):
            with fa.num_threads(1):
                one = turn(run, 40)
            with fa.num_threads(2):
                ratios.append(turn(run, 40) / one)
        if statistics.median(ratios) < 0.97:
            with fa.num_threads(1):
                return n, statistics.median(turn(run, 40) for _ in range(9))
    return None


def main(names):
    """Print both tables."""
    threads.set_thresholds(0.0, 0.0)
    costs(names or fa.activations())
    if fa.get_num_threads() > 1:
        print("\ntwo threads win from so many elements on, of so many nanoseconds of work on one thread:")
        for name, kind in (("relu", "value"), ("silu", "value"), ("gelu", "value"), ("mish", "derivative")):
            found = break_even(name, kind)
            print(f"  {name} {kind}: " + (f"{found[0]} elements, {found[1]:.0f} ns" if found else f"not up to {SIZES[-1]}"))


if __name__ == "__main__":
    main(sys.argv[1:])
