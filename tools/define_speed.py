"""Formulas defined by users against the package's own functions of the same arithmetic, on one thread.

    python tools/define_speed.py

Prints the ratio of times (least of many, by turns) at 10,000 elements for value and derivative, and how long defining took.
"""

from __future__ import annotations

import time

import numpy as np

import fastact as fa

SAME = {
    "exponential(x)": fa.exponential, "tanh(x)": fa.tanh, "x * sigmoid(x)": fa.silu, "log(1 + exp(x))": fa.softplus,
    "gelu(x)": fa.gelu, "x * tanh(log(1 + exp(x)))": fa.mish, "max(x, 0)": fa.relu, "x * tanh(x)": fa.lisht,
    "exp(-x * x)": fa.gaussian,
    "x / (1 + abs(x))": fa.softsign, "x / sqrt(1 + x * x)": fa.isru, "x if x > 0 else expm1(x)": fa.elu,
}  # fmt: skip


def least(calls: list, rounds: int = 60) -> list[float]:
    """The least time of each call, which take turns."""
    found = [[] for _ in calls]
    for _ in range(rounds):
        for times, call in zip(found, calls, strict=True):
            start = time.perf_counter()
            for _ in range(5):
                call()
            times.append(time.perf_counter() - start)
    return [min(times) for times in found]


def main() -> None:
    """Measure and print."""
    fa.set_num_threads(1)
    rng = np.random.default_rng(0)
    fa.define("x + 1")(1.0)  # Numba is imported
    print(f"{'formula':<28}{'':<12}{'float32':>8}{'float64':>8}   defined in")
    for text, own in SAME.items():
        start = time.perf_counter()
        made = fa.define(text)
        made(1.0)
        took = time.perf_counter() - start
        for kind in ("value", "derivative"):
            ratios = []
            for dtype in (np.float32, np.float64):
                x = rng.normal(0.0, 3.0, 10_000).astype(dtype)
                out = np.empty_like(x)
                calls = [f if kind == "value" else f.derivative for f in (made, own)]
                for call in calls:
                    call(x, out=out)
                mine, theirs = least([lambda c=c, x=x, out=out: c(x, out=out) for c in calls])
                ratios.append(mine / theirs)
            tail = f"{took:>9.2f} s" if kind == "value" else ""
            print(f"{text:<28}{kind:<12}{ratios[0]:>8.2f}{ratios[1]:>8.2f}{tail}")


if __name__ == "__main__":
    main()
