"""float16 and bfloat16 against float32: the time of each function over that of float32, on one thread.

    pip install ".[bfloat16]"
    python tools/halves_speed.py [elements]

Prints a table in Markdown: elementwise functions with ``out=`` (100,000 elements by default), then rows of 100 and 1,000. The
least of many, by turns. Above 1 a half takes longer than float32.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from typing import Any

import ml_dtypes
import numpy as np

import fastact as fa
from fastact.functions import BY_NAME, Activation

ROUNDS = 40


def least(calls: list[Callable[[], Any]]) -> list[float]:
    """The least time of each call, in seconds; they take turns."""
    best = [float("inf")] * len(calls)
    for _ in range(ROUNDS):
        for i, call in enumerate(calls):
            start = time.perf_counter()
            call()
            best[i] = min(best[i], time.perf_counter() - start)
    return best


def main() -> None:
    """Measure and print."""
    fa.set_num_threads(1)
    size = int(sys.argv[1]) if len(sys.argv) > 1 else 100_000
    x = np.random.default_rng(0).normal(size=size).astype(np.float32)
    arrays = [x, x.astype(np.float16), x.astype(ml_dtypes.bfloat16)]
    outputs = [np.empty_like(a) for a in arrays]
    found = []
    for name in sorted({f.__name__ for f in BY_NAME.values() if isinstance(f, Activation)}):
        function = getattr(fa, name)
        found.append((name, least([lambda f=function, a=a, o=o: f(a, out=o) for a, o in zip(arrays, outputs, strict=True)])))
    for columns in (100, 1000):
        rows = [a[: size // columns * columns].reshape(-1, columns) for a in arrays]
        for name in ("softmax", "log_softmax", "logsumexp"):
            function = getattr(fa, name)
            found.append((f"{name}, rows of {columns}", least([lambda f=function, a=a: f(a) for a in rows])))
    print("| function | float32, µs | float16 | bfloat16 |\n|---|---|---|---|")
    for name, (single, half, brain) in found:
        print(f"| {name} | {single * 1e6:.1f} | {half / single:.2f} | {brain / single:.2f} |")
    within = sum(max(half, brain) <= 1.3 * single for _, (single, half, brain) in found)
    print(f"\n{within} of {len(found)} within 1.3")


if __name__ == "__main__":
    main()
