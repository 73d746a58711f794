"""Report the configuration, then time every activation and its derivative over an array.

Beside each stands the speed-up over the plain NumPy or SciPy expression. Results are fresh arrays on
both sides, as users get them. Functions of other families, where they are named, run over rows; beside their value
stands the backward pass instead of the derivative.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import math
import statistics
import time
from typing import Any

import numpy as np
import numpy.typing as npt

import fastact as fa

from .. import _config
from ..arguments import computed
from ..cpu import levels
from .common import TAKES, CommandError, Progress, find, positive, replacing
from .families import WITHOUT_DEFAULT, Call, backward, has_axis
from .files import Source

SIZE = 10_000_000
ROW = 1000  # elements of a row of random numbers
ROUNDS = 5

_HEAD = (
    f"{'':<18}{'value':>17}{'derivative':>21}{'NumPy/SciPy':>17}{'speed-up':>11}\n"
    f"{'function':<18}{'ns/el':>9}{'GB/s':>8}{'ns/el':>12}{'GB/s':>9}{'ns/el':>17}{'of value':>11}"
)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of this command."""
    parser.add_argument(
        "names", metavar="NAME", nargs="*", help="run these functions, of any family (default: all elementwise activations)"
    )
    parser.add_argument("--only", metavar="NAME[,NAME]", action="append", default=[], help="the same as NAME")
    source = parser.add_mutually_exclusive_group()
    source.add_argument("--input", metavar="FILE.npy", help="run over this array")
    source.add_argument("--size", type=positive, default=SIZE, help=f"number of random elements (default: {SIZE:,})")
    parser.add_argument(
        "--axis", metavar="N", type=int,
        help=f"of row-wise functions and what is split or grouped (default: -1; random elements are rows of {ROW:,})",
    )  # fmt: skip
    parser.add_argument("--dtype", choices=("float32", "float64"), help="default: float32, or that of the input")
    parser.add_argument("--seed", type=int, default=0, help="of the random elements (default: 0)")
    parser.add_argument("--rounds", type=positive, default=ROUNDS, help=f"times are medians of so many (default: {ROUNDS})")
    parser.add_argument("--json", metavar="FILE", help="write the figures to this file as well")


def run(args: argparse.Namespace) -> int:
    """Time the activations, print the table, and return the exit status.

    Raises
    ------
    CommandError
        For an unknown function, an input that cannot be used, a JSON file that cannot be written.
    """
    from .expressions import expression

    started = time.perf_counter()
    names = select_names([*args.names, *(n for group in args.only for n in group.split(",") if n)])
    with contextlib.ExitStack() as stack:
        target = stack.enter_context(replacing(args.json)) if args.json else None
        try:
            x, origin = make_input(args)
        except (MemoryError, ValueError) as error:
            raise CommandError(f"cannot make the input array: {error}") from error
        calls = {name: prepared(name, args.axis, x, args.input) for name in names}
        fa.show_config()
        print(f"\n{x.size:,} {x.dtype} elements, {origin}; each figure the median of {args.rounds} rounds,")
        print("fastact and the expression in turn; GB/s counts bytes read and written\n")
        print(_HEAD, flush=True)
        figures = {}
        with Progress(len(names) * args.rounds, "rounds") as progress:
            for name, (call, given) in calls.items():
                figures[name] = measure(call, expression(call.function, call.axis), given, args.rounds, progress)
                progress.write(row(name, figures[name]))
        summary = summarize(figures, x, time.perf_counter() - started)
        if target:
            source = {"elements": x.size, "shape": x.shape, "dtype": str(x.dtype), "origin": origin}
            report = {"config": _config.config(), "input": source, "rounds": args.rounds}
            report |= {"functions": figures, "summary": summary}
            with open(target, "w", encoding="utf-8") as file:
                json.dump(report, file, indent=1)
                file.write("\n")
    print(f"\n{summary['line']}")
    return 0


def select_names(wanted: list[str]) -> list[str]:
    """Return the canonical names of the wanted functions, of all elementwise activations where none is wanted.

    Raises
    ------
    CommandError
        If there is no function of some name.
    """
    return list(dict.fromkeys(find(name).__name__ for name in wanted)) or fa.activations()


def make_input(args: argparse.Namespace) -> tuple[npt.NDArray[Any], str]:
    """Return the array to run over and a phrase about where it comes from."""
    if args.input is None:
        x = np.random.default_rng(args.seed).standard_normal(args.size, np.dtype(args.dtype or "float32"))
        x *= 3
        return x, f"normal with standard deviation 3, seed {args.seed}"
    with Source(args.input, "fastact") as source:
        if computed(source.dtype) is None:
            raise CommandError(f"{args.input}: has dtype {source.dtype}; fastact {TAKES}")
        if source.size == 0:
            raise CommandError(f"{args.input}: has no elements, its shape is {source.shape}")
        return source.array().astype(args.dtype or source.dtype, copy=False), args.input


def prepared(name: str, axis: int | None, x: npt.NDArray[Any], path: str | None) -> tuple[Call, npt.NDArray[Any]]:
    """A function with its axis, and what it runs over: random elements as rows where it works along an axis.

    Raises
    ------
    CommandError
        If the function does not take the array.
    """
    function = fa.get(name)
    axis = axis if has_axis(function) else None  # functions of several families may be named
    call = Call.of(function, "value", axis, WITHOUT_DEFAULT.get(name, {}))
    if call.axis is not None and path is None:
        width = min(ROW, max(2, x.size // 2 * 2))
        x = np.resize(x, (max(1, x.size // width), width))
    call.result(x.shape, x.dtype, path or "random elements")
    return call, x


def measure(call: Call, expression: Any, x: npt.NDArray[Any], rounds: int, progress: Progress) -> dict[str, Any]:
    """Return the figures of one function.

    Parameters
    ----------
    call : Call
        The function.
    expression : callable or None
        What to compare the value with.
    x : numpy.ndarray
        The input.
    rounds : int
        How often each is called; the calls alternate.
    progress : Progress
        Advanced by one step a round.
    """
    times: dict[str, list[int]] = {}
    with np.errstate(all="ignore"):
        calls: dict[str, Any] = {"value": call, "derivative": backward(call, x)}
        if expression is not None:
            calls["expression"] = expression
        moved = x.nbytes + call(x).nbytes
        for kind, one in calls.items():
            times[kind] = []
            one(x)
        for _ in range(rounds):
            for kind, one in calls.items():
                start = time.perf_counter_ns()
                one(x)
                times[kind].append(time.perf_counter_ns() - start)
            progress.update(1, call.function.__name__)
    figures: dict[str, Any] = {}
    for kind, taken in times.items():
        ns = max(statistics.median(taken), 1) / x.size
        figures[kind] = {"ns_per_element": ns, "gb_per_s": moved / x.size / ns}
    if expression is not None:
        figures["speed_up"] = figures["expression"]["ns_per_element"] / figures["value"]["ns_per_element"]
    return figures


def row(name: str, figures: dict[str, Any]) -> str:
    """Return the line of the table for one activation."""
    value, derivative = figures["value"], figures["derivative"]
    line = f"{name:<18}{value['ns_per_element']:>9.3f}{value['gb_per_s']:>8.1f}"
    line += f"{derivative['ns_per_element']:>12.3f}{derivative['gb_per_s']:>9.1f}"
    if "expression" in figures:
        return line + f"{figures['expression']['ns_per_element']:>17.3f}{figures['speed_up']:>10.2f}x"
    return line + f"{'-':>17}{'-':>11}"


def summarize(figures: dict[str, Any], x: npt.NDArray[Any], seconds: float) -> dict[str, Any]:
    """Return the totals, and the line that tells them."""
    ratios = [f["speed_up"] for f in figures.values() if "speed_up" in f]
    mean = math.exp(statistics.fmean(map(math.log, ratios))) if ratios else None
    compared = f"geometric-mean speed-up {mean:.2f}x over {len(ratios)} NumPy/SciPy expressions" if mean else "none compared"
    threads = fa.get_num_threads()
    line = (
        f"{len(figures)} function{'s' * (len(figures) != 1)}, {compared}; {x.size:,} {x.dtype} elements, "
        f"{threads} thread{'s' * (threads != 1)}, {levels.LEVEL}, {seconds:.0f} s"
    )
    return {
        "functions": len(figures), "compared": len(ratios), "geometric_mean_speed_up": mean, "threads": threads,
        "cpu_level": levels.LEVEL, "seconds": seconds, "line": line,
    }  # fmt: skip
