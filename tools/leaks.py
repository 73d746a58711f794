"""Whether calls keep memory or references: ``python tools/leaks.py --calls 1000000``.

Calls of every family go round and round, those that fail as well. Afterwards Python's allocator must hold no more blocks than
before (but for a few that belong to nobody in particular), the arguments no more references, and the process no more memory.
"""

from __future__ import annotations

import argparse
import gc
import itertools
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

import fastact as fa

X = np.linspace(-3.0, 3.0, 60, dtype=np.float32)
ROWS = X.reshape(6, 10)
LARGE = np.linspace(-3.0, 3.0, 40_000, dtype=np.float32)
OUT = np.empty_like(X)
BAD = np.array(["a", "b"])
OBJECTS = (X, ROWS, LARGE, OUT, BAD)


class Raises:
    """An argument whose conversion fails."""

    def __array__(self, dtype: Any = None, copy: Any = None) -> np.ndarray:
        raise KeyError("no array")


def failing(call: Callable, *given: Any, **keywords: Any) -> Callable[[], None]:
    """A call that must raise."""

    def run() -> None:
        try:
            call(*given, **keywords)
        except (TypeError, ValueError, KeyError):
            return
        raise SystemExit(f"{call} did not raise")

    return run


def in_a_block() -> None:
    """A call on one thread."""
    with fa.num_threads(1):
        fa.relu(X)


def calls() -> dict[str, Callable[[], Any]]:
    """What is called, by name: right and wrong."""
    found: dict[str, Callable[[], Any]] = {}
    for name in ("relu", "gelu", "elu", "softplus"):
        f = fa.get(name)
        found |= {
            f"{name}": lambda f=f: f(X), f"{name} out": lambda f=f: f(X, out=OUT), f"{name} strided": lambda f=f: f(X[::2]),
            f"{name} float16": lambda f=f: f.derivative(X.astype(np.float16)), f"{name} number": lambda f=f: f(1.5),
            f"{name} both": lambda f=f: f.value_and_derivative(X), f"{name} list": lambda f=f: f([1.0, 2.0]),
            f"{name} again": lambda f=f: f.backward_backward(X, X, X),
            f"{name} backward": lambda f=f: f.backward(X, X), f"{name} where": lambda f=f: f(X, out=OUT, where=X > 0),
            f"{name} large": lambda f=f: f(LARGE), f"{name} turned": lambda f=f: f(LARGE.reshape(200, 200).T),
            f"{name} dtype refused": failing(f, BAD), f"{name} no array": failing(f, Raises()),
            f"{name} wrong out": failing(f, X, out=np.empty(3)), f"{name} unknown": failing(f, X, nonsense=1),
            f"{name} shapes": failing(f.backward, X, np.ones(7)), f"{name} nothing": failing(f),
        }  # fmt: skip
    for name in ("softmax", "log_softmax", "sparsemax", "entmax15", "logsumexp"):
        f = fa.get(name)
        found |= {
            f"{name}": lambda f=f: f(ROWS), f"{name} 0": lambda f=f: f(ROWS, axis=0, temperature=0.5),
            f"{name} where": lambda f=f: f(ROWS, where=ROWS > 0), f"{name} large": lambda f=f: f(LARGE),
            f"{name} backward": lambda f=f: f.backward(f(ROWS), ROWS), f"{name} no output": failing(f.backward, ROWS, None),
            f"{name} axis refused": failing(f, ROWS, axis=5), f"{name} no temperature": failing(f, ROWS, temperature="hot"),
            f"{name} no array": failing(f, Raises()),
        }  # fmt: skip
    return found | {
        "prelu array": lambda: fa.prelu(ROWS, X[:10]),
        "prelu gradients": lambda: fa.prelu.parameter_gradients(ROWS, ROWS, X[:10]),
        "swiglu": lambda: fa.swiglu(X), "swiglu back": lambda: fa.swiglu.backward(X[:30], X), "glu two": lambda: fa.glu(X, X),
        "glu out": lambda: fa.glu(X, X, out=OUT), "glu where": lambda: fa.glu(X, X, out=OUT, where=X > 0),
        "swiglu clamped": lambda: fa.swiglu(X, X, limit=1.0, alpha=1.7, offset=1.0),
        "geglu backs": lambda: fa.geglu.backward(X, X, X), "glu wrong out": failing(fa.glu, X, X, out=np.empty(3)),
        "softmax ufunc": lambda: fa.ufuncs.softmax(ROWS), "glu ufunc": lambda: fa.ufuncs.glu(X, X),
        "swiglu refused": failing(fa.swiglu, X[:7]), "maxout": lambda: fa.maxout(X, 2), "crelu": lambda: fa.crelu(X),
        "maxout refused": failing(fa.maxout, X, 7), "get refused": failing(fa.get, "nonsense"),
        "threads": lambda: fa.set_num_threads(2), "block": in_a_block, "threads refused": failing(fa.set_num_threads, 0),
        "info": lambda: fa.gelu.info, "cache": lambda: fa.clear_cache(),
    }  # fmt: skip


def resident() -> int:
    """Bytes that the process has in memory; 0 where that is not known."""
    statm = Path("/proc/self/statm")
    return int(statm.read_text().split()[1]) * 4096 if statm.exists() else 0


def measured(each: dict[str, Callable[[], Any]], rounds: int) -> tuple[int, int, int]:
    """(blocks, references, bytes) that are more after so many rounds than before."""
    gc.collect()
    before = sys.getallocatedblocks(), sum(map(sys.getrefcount, OBJECTS)), resident()
    for _ in itertools.repeat(None, rounds):
        for call in each.values():
            call()
    gc.collect()
    after = sys.getallocatedblocks(), sum(map(sys.getrefcount, OBJECTS)), resident()
    return tuple(b - a for a, b in zip(before, after, strict=True))  # type: ignore[return-value]


def leaking(call: Callable[[], Any], times: int = 300) -> bool:
    """Whether a call keeps something each time; NumPy's and Python's own caches become full sooner or later."""
    found = [measured({"it": call}, times) for _ in range(3)]
    return any(min(f[k] for f in found) > times // 2 for k in (0, 1))


def main() -> int:
    """Measure, and name the calls at fault."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--calls", type=int, default=200_000, help="how many, altogether (default: 200,000)")
    given = parser.parse_args()
    each = calls()
    rounds = max(1, given.calls // len(each))
    with np.errstate(all="ignore"):
        measured(each, rounds // 4)  # what is kept for good is kept now
        blocks, references, size = measured(each, rounds - rounds // 4)
        print(f"{rounds * len(each)} calls: {blocks} blocks, {references} references, {size // 1024} KiB more in the last 3/4")
        if blocks < rounds // 2 + 400 and references == 0 and size < 8 << 20:
            return 0
        print("keep something each time:", *(name for name, call in each.items() if leaking(call)))
    return 1


if __name__ == "__main__":
    sys.exit(main())
