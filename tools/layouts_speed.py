"""One thread, float32: what other layouts take, over contiguous arrays of the same size, into arrays that are there.

    python tools/layouts_speed.py [--rounds 40] [--sides 40,130,300,1000,3000]

A square of each side; all layouts of a function take turns in one process, and the least of many calls counts.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable
from typing import Any

import numpy as np

import fastact as fa
from fastact.cpu.levels import LEVEL

FUNCTIONS = ("relu", "gelu", "mish")


def calls_of(name: str, side: int) -> dict[str, Callable[[], Any]]:
    """What is measured: forward and backward contiguous, then their other layouts."""
    f = getattr(fa, name)
    x, grad = np.random.default_rng(0).normal(0, 3, (2, side, side)).astype(np.float32)
    out = np.zeros_like(x)
    x_f, grad_f, out_f = (np.asfortranarray(a) for a in (x, grad, out))
    apart, out_apart = np.repeat(x, 2, axis=1)[:, ::2], np.zeros((side, 2 * side), np.float32)[:, ::2]
    turned, cut = x[::-1, ::-1], np.pad(x, ((0, 0), (2, 3)))[:, 2:-3]
    return {
        "C": lambda: f(x, out=out), "F into C": lambda: f(x_f, out=out), "C into F": lambda: f(x, out=out_f),
        "every other": lambda: f(apart, out=out), "into every other": lambda: f(x, out=out_apart),
        "reversed": lambda: f(turned, out=out), "rows of a wider one": lambda: f(cut, out=out),
        "backward C": lambda: f.backward(grad, x, out=out), "backward, F grad": lambda: f.backward(grad_f, x, out=out),
    }  # fmt: skip


def least(calls: dict[str, Callable[[], Any]], rounds: int) -> dict[str, float]:
    """The nanoseconds of each call: the least of so many rounds, in which all take a turn of about a millisecond."""
    best = dict.fromkeys(calls, float("inf"))
    for _ in range(rounds):
        for name, call in calls.items():
            end = time.perf_counter_ns() + 1_000_000
            while (start := time.perf_counter_ns()) < end:
                call()
                best[name] = min(best[name], time.perf_counter_ns() - start)
    return best


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=40)
    parser.add_argument("--sides", default="40,130,300,1000,3000")
    arguments = parser.parse_args()
    fa.set_num_threads(1)
    print(f"{LEVEL}; nanoseconds an element, and over the contiguous call of the same direction")
    for side in map(int, arguments.sides.split(",")):
        for name in FUNCTIONS:
            best = least(calls_of(name, side), arguments.rounds)
            for layout, taken in best.items():
                plain = best["backward C" if layout.startswith("backward") else "C"]
                print(f"{side:>5} {name:<6}{layout:<22}{taken / side**2:>8.3f}{taken / plain:>8.2f}")


if __name__ == "__main__":
    main()
