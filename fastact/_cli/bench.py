"""Time functions forward and backward against other libraries, each in a process of its own, round by round.

Results are fresh arrays on every call, on all cores. A figure is the median of the rounds; within a round
the libraries take turns, so that a change of the machine's speed meets all of them.
"""

from __future__ import annotations

import argparse
import contextlib
import datetime
import importlib.util
import json
import math
import os
import platform
import statistics
from typing import Any

import fastact as fa

from .. import _config
from ..cpu import levels
from . import bench_cuda, bench_threads
from .common import CommandError, Progress, positive, replacing
from .measure import FUNCTIONS, Worker, checked_cells, measure
from .peers import PEERS, choose

SIZES = (1_000, 100_000, 10_000_000)
ROUNDS = 9
GOAL = 1.1

_EPILOG = """\
A ratio is the time of the fastest other library over that of fastact, in the same cell: the median of the rounds, and how wide
the middle half of these is ("spread"). At the largest float32 size the
forward pass is also compared with what bounds it: the larger of a copy of the same bytes by the same threads and of the
kernel's own time in cache. Softmax and log_softmax run over rows of 1000, softmax@0 and log_softmax@0 along the first
axis. A size may also be a shape, ROWSxCOLUMNS, which swiglu splits into halves along the last axis. Libraries that are
not installed are left out."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of this command."""
    parser.epilog = _EPILOG
    parser.add_argument("names", metavar="NAME", nargs="*", help=f"time only these functions (default: {', '.join(FUNCTIONS)}); "
                        "threads: all threads against one, after a rest and beside busy neighbours too")  # fmt: skip
    parser.add_argument("--peers", nargs="?", const="all", default="", metavar="LIBRARY[,LIBRARY]",
                        help=f"compare with these (alone: all of {', '.join(PEERS)}; on a GPU torch, cupy, jax, "
                             "triton)")  # fmt: skip
    parser.add_argument("--device", choices=("cpu", "cuda"), default="cpu", help="where arrays are (default: cpu)")
    parser.add_argument("--kind", choices=("forward", "backward", "both"), default="both", help="default: both")
    parser.add_argument("--dtype", choices=("float32", "float64", "both"), default="both", help="default: both")
    parser.add_argument("--sizes", metavar="SIZE[,SIZE]", help=f"default: {SIZES}; on a GPU 100000000")
    parser.add_argument("--rounds", type=positive, default=ROUNDS, help=f"default: {ROUNDS}")
    parser.add_argument("--json", metavar="FILE", help="write the figures to this file as well")
    parser.add_argument("--plot", metavar="FILE.png", help="draw the ratios (needs matplotlib)")


def run(args: argparse.Namespace) -> int:
    """Time the cells, print the table, and return the exit status.

    Raises
    ------
    CommandError
        For names, libraries or sizes that do not exist, a file that cannot be written, a library that dies.
    """
    if args.names == ["threads"]:
        return bench_threads.run(args)
    if args.device == "cuda":
        return bench_cuda.run(args)
    if args.plot and importlib.util.find_spec("matplotlib") is None:
        raise CommandError("--plot needs matplotlib")
    cells = checked_cells(args, args.names or FUNCTIONS, ",".join(map(str, SIZES)))
    sizes = [cell[3] for cell in cells]
    with contextlib.ExitStack() as stack:
        target = stack.enter_context(replacing(args.json)) if args.json else None
        plot = stack.enter_context(replacing(args.plot)) if args.plot else None
        workers = [stack.enter_context(Worker("fastact"))]
        for name in choose(",".join(PEERS) if args.peers == "all" else args.peers):
            module = "scipy" if name == "numpy" else name
            if importlib.util.find_spec(module) is None or (name == "onnxruntime" and not importlib.util.find_spec("onnx")):
                print(f"{name}: {'SciPy is ' if name == 'numpy' else ''}not installed, left out")
                continue
            worker = stack.enter_context(Worker(name))
            if worker.missing:
                print(f"{name}: {worker.missing}, left out")
                continue
            workers.append(worker)
        versions = ", ".join(w.version for w in workers)
        print(f"{versions}; {levels.LEVEL}, {fa.get_num_threads()} threads, nanoseconds an element\n")
        print(head(workers), flush=True)
        results = []
        with Progress(len(cells) * args.rounds, "rounds") as progress:
            for cell in cells:
                results.append(measure(cell, workers, args.rounds, progress))
                progress.write(row(results[-1], workers))
        most = max((n for n in sizes if isinstance(n, int)), default=None)
        bounds = [limits(cell, workers[0], results) for cell in cells if cell[1:] == ("forward", "float32", most)]
        report = summarize(results, [b for b in bounds if b], workers, args.rounds)
        if target:
            with open(target, "w", encoding="utf-8") as file:
                json.dump(report, file, indent=1)
                file.write("\n")
        if plot:
            draw(report, plot)
    return 0


def limits(cell: tuple[Any, ...], worker: Worker, results: list[dict[str, Any]]) -> dict[str, Any] | None:
    """Compare a forward pass with a copy of the same bytes and with its own time in cache, in turn."""
    name, n = cell[0], cell[3]
    small = 20_000  # two threads' shares stay in their caches
    pairs = {"fresh": cell, "copy": ("identity", "into", "float32", n), "in_cache": (name, "into", "float32", small)}
    if "softmax" in name:
        return None
    times: dict[str, list[float]] = {key: [] for key in pairs}
    for _ in range(5):
        for key, which in pairs.items():
            worker.ask(cell=which)
            times[key].append(worker.ask(turn=None) / which[3])
    medians = {key: statistics.median(taken) for key, taken in times.items()}
    bound = max(medians["copy"], medians["in_cache"])
    return {"function": name, "elements": n, **medians, "of_the_bound": medians["fresh"] / bound}


def head(workers: list[Worker]) -> str:
    """Return the head of the table."""
    columns = "".join(f"{worker.name:>13}" for worker in workers)
    return f"{'function':<14}{'kind':<10}{'dtype':<9}{'elements':>10}{columns}{'ratio':>8}{'spread':>8}"


def row(result: dict[str, Any], workers: list[Worker]) -> str:
    """Return the line of a cell."""
    times = result["ns_per_element"]
    columns = "".join(f"{times[w.name]:>13.3f}" if w.name in times else f"{'-':>13}" for w in workers)
    ratio = f"{result['ratio']:>8.2f}{result['ratio_spread']:>8.0%}" if "ratio" in result else ""
    return f"{result['function']:<14}{result['kind']:<10}{result['dtype']:<9}{result['elements']:>10}{columns}{ratio}"


def summarize(results: list[dict[str, Any]], bounds: list[dict[str, Any]], workers: list[Worker], rounds: int) -> dict[str, Any]:
    """Print the mean, the worst and what falls short; return everything for JSON."""
    compared = [result for result in results if "ratio" in result]
    summary: dict[str, Any] = {"cells": len(results), "compared": len(compared)}
    if compared:
        mean = math.exp(statistics.fmean(math.log(result["ratio"]) for result in compared))
        worst = min(compared, key=lambda result: result["ratio"])
        short = [result for result in compared if result["ratio"] < GOAL]
        summary |= {"geometric_mean": mean, "worst": worst["ratio"], "below_goal": len(short)}
        print(f"\n{len(compared)} cells: geometric mean of (fastest other / fastact) {mean:.2f}, worst {worst['ratio']:.2f}")
        for result in sorted(short, key=lambda result: result["ratio"]):
            cell = " ".join(str(result[key]) for key in ("function", "kind", "dtype", "elements"))
            print(f"  below {GOAL}: {cell}: {result['ratio']:.2f} of {result['fastest_peer']}")
    if bounds:
        print("\nforward, float32, into fresh memory, over the larger of a copy of the same bytes and its own time in cache:")
        print("  " + ", ".join(f"{b['function']} {b['of_the_bound']:.2f}" for b in bounds))
    return {
        "config": _config.config(), "date": datetime.datetime.now(datetime.UTC).date().isoformat(),
        "machine": f"{platform.machine()}, {os.cpu_count()} CPUs", "rounds": rounds,
        "versions": {worker.name: worker.version for worker in workers}, "cells": results, "bounds": bounds, "summary": summary,
    }  # fmt: skip


def draw(report: dict[str, Any], path: str) -> None:
    """Draw the ratios, a panel for each size."""
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot

    cells = [cell for cell in report["cells"] if "ratio" in cell]
    sizes = list(dict.fromkeys(cell["elements"] for cell in cells))
    names = list(dict.fromkeys(cell["function"] for cell in cells))
    groups = list(dict.fromkeys((cell["kind"], cell["dtype"]) for cell in cells))
    figure, axes = pyplot.subplots(len(sizes), 1, figsize=(11, 3.2 * max(len(sizes), 1)), squeeze=False, layout="constrained")
    for axis, n in zip(axes[:, 0], sizes, strict=True):
        for i, (kind, dtype) in enumerate(groups):
            found = {c["function"]: c["ratio"] for c in cells if (c["kind"], c["dtype"], c["elements"]) == (kind, dtype, n)}
            places = [names.index(name) + (i - len(groups) / 2 + 0.5) * 0.8 / len(groups) for name in found]
            axis.bar(places, list(found.values()), 0.8 / len(groups), label=f"{kind}, {dtype}")
        axis.axhline(1.0, color="black", linewidth=0.8)
        axis.set_yscale("log", base=2)
        axis.yaxis.set_major_formatter("{x:g}")
        axis.set_xticks(range(len(names)), names, rotation=20)
        axis.set_ylabel("fastest other / fastact")
        axis.set_title(n if isinstance(n, str) else f"{n:,} elements")
    figure.legend(*axes[0, 0].get_legend_handles_labels(), loc="outside lower center", ncols=len(groups), fontsize="small")
    figure.savefig(path, dpi=120, format="png")
    pyplot.close(figure)
