"""One library in a process of its own, for `bench --peers`: requests in, times out, a line of JSON each.

``{"cell": [function, kind, dtype, size]}`` makes the arrays ready and says how many calls a turn takes
(``null``: not in this library); ``{"turn": null}`` takes a turn and says the nanoseconds of a call.
"""

from __future__ import annotations

import json
import math
import statistics
import sys
import time
from collections.abc import Callable
from typing import Any

import numpy as np

from . import gpu_peers
from .peers import PEERS, Peer, fastact, shape_of

TURN = 4e-3  # seconds of calls that a part of a turn should take
PARTS = 5
REST = 0.06  # seconds until the threads of other processes stop waiting busily (ONNX Runtime's: 40 ms after a call)
WARM_UP = 0.05  # seconds: the threads of this one get a core each


def prepare(peer: Peer, function: str, kind: str, dtype: str, size: int | str) -> Callable[[], Any] | None:
    """Return a call on fresh arrays, or None for what the library lacks."""
    if not peer.has(function, "backward" if kind == "backward" else "forward", dtype):
        return None
    rng = np.random.default_rng(0)
    shape = shape_of(function, size)
    numbers = rng.standard_normal(shape, np.dtype(dtype)) * 3
    x, wait = peer.put(numbers), peer.wait
    if kind == "into":  # the forward pass into warm memory: what its arithmetic, or a plain copy, takes
        call, out = peer.forward[function], np.empty_like(numbers)
        return lambda: call(x, out=out)
    forward = peer.forward[function]
    if kind == "forward":
        return lambda: wait(forward(x))
    grad, y, call = peer.put(rng.standard_normal(shape, np.dtype(dtype))), forward(x), peer.backward[function]
    return lambda: wait(call(grad, x, y))


def take(
    call: Callable[[], Any], calls: int, finish: Callable[[Any], Any], of: Callable[[list[float]], float] = statistics.median
) -> float:
    """Return the nanoseconds of a call: the median of a few means of that many, or else `of` them, after a rest and a warm-up."""
    time.sleep(REST)
    end = time.perf_counter() + WARM_UP
    while time.perf_counter() < end:
        result = call()
        finish(result)
    means = []
    for _ in range(PARTS):
        start = time.perf_counter_ns()
        for _ in range(calls):
            result = call()
        finish(result)
        means.append((time.perf_counter_ns() - start) / calls)
    return of(means)


def main() -> None:
    """Answer requests until the input ends."""
    name = sys.argv[1]
    answers, sys.stdout = sys.stdout, sys.stderr  # what libraries print must not mix with the answers
    try:
        if sys.argv[2:] == ["cuda"]:
            peer = gpu_peers.fastact() if name == "fastact" else gpu_peers.PEERS[name]()
        else:
            peer = fastact() if name == "fastact" else PEERS[name]()
    except ImportError as error:
        print(json.dumps({"version": "", "missing": str(error)}), file=answers, flush=True)
        return
    print(json.dumps({"version": peer.version}), file=answers, flush=True)
    call: Callable[[], Any] | None = None
    calls = 1
    for line in sys.stdin:
        request = json.loads(line)
        answer: Any = None
        with np.errstate(all="ignore"):
            if "cell" in request:
                call = None  # lets go of the arrays before
                call = prepare(peer, *request["cell"])
                if call is not None:
                    # By the best of several calls: one that stalls must not leave one call a turn for all rounds.
                    answer = calls = max(1, math.ceil(TURN * 1e9 / take(call, 1, peer.finish, min)))
            elif call is not None:
                answer = take(call, calls, peer.finish)
        print(json.dumps(answer), file=answers, flush=True)


if __name__ == "__main__":
    main()
