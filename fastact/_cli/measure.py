"""What `bench` measures, and how: cells, and libraries in processes of their own that take turns."""

from __future__ import annotations

import argparse
import json
import math
import re
import statistics
import subprocess
import sys
from typing import Any, Self

import fastact as fa

from .common import CommandError, Progress, positive
from .peers import shape_of

FUNCTIONS = (
    "relu", "leaky_relu", "elu", "selu", "sigmoid", "tanh", "softplus", "silu", "gelu", "gelu_tanh", "mish", "hard_swish",
    "softmax", "log_softmax",
)  # fmt: skip
ROW_WISE = ("softmax@0", "log_softmax@0", "swiglu")

_SHAPE = re.compile(r"[1-9]\d*x[1-9]\d*")


class Worker:
    """A library in its process; see `worker`."""

    def __init__(self, name: str, *device: str) -> None:
        self.name = name
        command = [sys.executable, "-m", f"{__package__}.worker", name, *device]
        self.process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        answer = self.answer()
        self.version: str = answer["version"]
        self.missing: str | None = answer.get("missing")

    def ask(self, **request: Any) -> Any:
        """Send a request and return the answer."""
        assert self.process.stdin is not None
        self.process.stdin.write(json.dumps(request) + "\n")
        self.process.stdin.flush()
        return self.answer()

    def answer(self) -> Any:
        """Return the next answer."""
        assert self.process.stdout is not None
        line = self.process.stdout.readline()
        if not line:
            raise CommandError(f"the process of {self.name} ended with status {self.process.wait()}")
        return json.loads(line)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.process.kill()
        self.process.communicate()


def checked_cells(args: argparse.Namespace, names: Any, sizes: str) -> list[tuple[str, str, str, int | str]]:
    """Return what the arguments ask to time: (function, kind, dtype, size); `sizes` where they say none.

    Raises
    ------
    CommandError
        For names that do not exist, and sizes that are none.
    """
    for name in names:
        if name not in (*FUNCTIONS, *ROW_WISE) and name not in fa.activations():
            raise CommandError(f"there is no function {name!r} to time")
    kinds = ("forward", "backward") if args.kind == "both" else (args.kind,)
    dtypes = ("float32", "float64") if args.dtype == "both" else (args.dtype,)
    try:
        counts = [size if _SHAPE.fullmatch(size) else positive(size) for size in (args.sizes or sizes).split(",")]
    except argparse.ArgumentTypeError as error:
        raise CommandError(f"--sizes: {error}") from error
    return [(name, kind, dtype, n) for n in counts for dtype in dtypes for kind in kinds for name in names]


def measure(cell: tuple[Any, ...], workers: list[Worker], rounds: int, progress: Progress) -> dict[str, Any]:
    """Return the median nanoseconds an element of a cell, by library."""
    there = [worker for worker in workers if worker.ask(cell=cell) is not None]
    times: dict[str, list[float]] = {worker.name: [] for worker in there}
    elements = math.prod(shape_of(cell[0], cell[3]))
    for _ in range(rounds):
        for worker in there:
            times[worker.name].append(worker.ask(turn=None) / elements)
        progress.update(1, " ".join(map(str, cell)))
    for worker in there:
        worker.ask(cell=["", "", "", 0])  # lets go of its arrays
    result = dict(zip(("function", "kind", "dtype", "elements"), cell, strict=True))
    result["ns_per_element"] = {name: statistics.median(taken) for name, taken in times.items()}
    peers = {name: taken for name, taken in times.items() if name != "fastact"}
    if peers and "fastact" in times:
        fastest = min(peers, key=lambda name: statistics.median(peers[name]))
        result["fastest_peer"] = fastest
        ratios = [p / f for p, f in zip(peers[fastest], times["fastact"], strict=True)]
        result["ratio"], result["ratio_spread"] = statistics.median(ratios), spread(ratios)
    result["spread"] = {name: spread(taken) for name, taken in times.items()}
    return result


def spread(values: list[float]) -> float:
    """The half of the numbers that lies in the middle: its width, over the median; 0 of fewer than two numbers."""
    if len(values) < 2:
        return 0.0
    low, middle, high = statistics.quantiles(values, n=4, method="inclusive")
    return (high - low) / middle
