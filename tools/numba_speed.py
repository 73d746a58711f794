"""Times every activation in Numba's compiled code against the package's own kernel, both on one thread.

``python tools/numba_speed.py [NAME ...]``: a line for each function, kind and dtype, and the worst ratio at the end.
The exit status is 1 where one is above 1.5. Run it on a machine that does nothing else.
"""

import sys
import timeit

import numba
import numpy as np

import fastact as fa
import fastact.numba

GOAL, ELEMENTS, TURNS = 1.5, 50_000, 15


def ratio(name: str, kind: str, dtype: str) -> float:
    """The time of the compiled function over that of the kernel: the least of some turns of each, in turn."""
    function = fastact.numba.function(name, kind)
    kernel = fa.get(name) if kind == "value" else getattr(fa.get(name), kind)

    @numba.njit
    def compiled(x: np.ndarray) -> np.ndarray:
        return function(x)

    x = (np.random.default_rng(0).standard_normal(ELEMENTS) * 3).astype(dtype)
    calls = (lambda: compiled(x)), (lambda: kernel(x))
    times: tuple[list[float], list[float]] = ([], [])
    for call in calls:
        call()
    for _ in range(TURNS):
        for call, taken in zip(calls, times, strict=True):
            taken.append(timeit.timeit(call, number=20))
    return min(times[0]) / min(times[1])


def main() -> int:
    """Print the table and return the exit status."""
    fa.set_num_threads(1)
    worst = 0.0
    for name in sys.argv[1:] or fa.activations():
        for kind in ("value", "derivative"):
            for dtype in ("float32", "float64"):
                found = ratio(name, kind, dtype)
                worst = max(worst, found)
                print(f"{name:<18}{kind:<12}{dtype:<9}{found:>6.2f}", flush=True)
    print(f"worst {worst:.2f}")
    return int(worst > GOAL)


if __name__ == "__main__":
    sys.exit(main())
