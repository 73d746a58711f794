"""What `bench --device cuda` does: functions on a GPU, as a fraction of its copy, against other libraries there."""

from __future__ import annotations

import argparse
import contextlib
import datetime
import json
import math
import statistics
from typing import Any

import fastact as fa

from .. import _config
from .common import CommandError, Progress, replacing
from .gpu_peers import PEERS, card
from .measure import FUNCTIONS, Worker, checked_cells, measure
from .peers import shape_of

SIZE = 100_000_000


def run(args: argparse.Namespace) -> int:
    """Time the cells, print the table, and return the exit status.

    Raises
    ------
    CommandError
        Without a GPU; for names, libraries or sizes that do not exist, a file that cannot be written, a library that dies.
    """
    if reason := fa.cuda.why_unavailable():
        raise CommandError(f"--device cuda: {reason}")
    if args.plot:
        raise CommandError("--plot is for the CPU")
    cells = checked_cells(args, args.names or FUNCTIONS, str(SIZE))
    wanted = list(PEERS) if args.peers == "all" else [name for name in args.peers.split(",") if name]
    for name in wanted:
        if name not in PEERS:
            raise CommandError(f"--peers: there is no {name!r} on a GPU; known are {', '.join(PEERS)}")
    with contextlib.ExitStack() as stack:
        target = stack.enter_context(replacing(args.json)) if args.json else None
        workers = [stack.enter_context(Worker("fastact", "cuda"))]
        for name in wanted:
            worker = stack.enter_context(Worker(name, "cuda"))
            if worker.missing:
                print(f"{name}: {worker.missing}, left out")
            else:
                workers.append(worker)
        described = card()
        print(f"{described['card']}; {', '.join(w.version for w in workers)}; GB/s read and written\n")
        columns = "".join(f"{name:>10}" for name in (*(w.name for w in workers), "copy"))
        print(f"{'function':<12}{'kind':<10}{'dtype':<9}{'elements':>10}{columns}{'of copy':>9}{'ratio':>8}", flush=True)
        results = []
        with Progress(len(cells) * args.rounds, "rounds") as progress:
            for cell in cells:
                results.append(bandwidths(cell, workers, args.rounds, progress))
                progress.write(row(results[-1], workers))
        report = {
            **described, "config": _config.config(), "date": datetime.datetime.now(datetime.UTC).date().isoformat(),
            "rounds": args.rounds, "versions": {w.name: w.version for w in workers}, "cells": results,
            "summary": summary(results),
        }  # fmt: skip
        if target:
            with open(target, "w", encoding="utf-8") as file:
                json.dump(report, file, indent=1)
                file.write("\n")
    return 0


def bandwidths(cell: tuple[Any, ...], workers: list[Worker], rounds: int, progress: Progress) -> dict[str, Any]:
    """Return the bytes that each library reads and writes in a nanosecond, and those of a copy beside."""
    result = measure(cell, workers, rounds, progress)
    item = {"float16": 2, "float32": 4, "float64": 8}[cell[2]]
    elements = math.prod(shape_of(cell[0], cell[3]))
    moved = item * (2 if cell[1] == "forward" else 3)  # a gradient and an input are read
    copies = []
    for _ in range(rounds):
        workers[0].ask(cell=["copy", "forward", cell[2], elements])
        copies.append(workers[0].ask(turn=None) / elements)
    result["copy_gb_per_s"] = 2 * item / statistics.median(copies)
    result["gb_per_s"] = {name: moved / taken for name, taken in result["ns_per_element"].items()}
    if "fastact" in result["gb_per_s"]:
        result["of_copy"] = result["gb_per_s"]["fastact"] / result["copy_gb_per_s"]
    return result


def row(result: dict[str, Any], workers: list[Worker]) -> str:
    """Return the line of a cell."""
    speeds = result["gb_per_s"]
    columns = "".join(f"{speeds[w.name]:>10.1f}" if w.name in speeds else f"{'-':>10}" for w in workers)
    share = f"{result['of_copy']:>9.2f}" if "of_copy" in result else f"{'-':>9}"
    ratio = f"{result['ratio']:>8.2f}" if "ratio" in result else ""
    head = f"{result['function']:<12}{result['kind']:<10}{result['dtype']:<9}{result['elements']:>10}"
    return f"{head}{columns}{result['copy_gb_per_s']:>10.1f}{share}{ratio}"


def summary(results: list[dict[str, Any]]) -> dict[str, Any]:
    """Print the worst cells; return them."""
    shares = [r for r in results if "of_copy" in r]
    compared = [r for r in results if "ratio" in r]
    found: dict[str, Any] = {"cells": len(results)}
    for key, cells, text in (("of_copy", shares, "least of the copy"), ("ratio", compared, "least against the fastest other")):
        if cells:
            worst = min(cells, key=lambda r: r[key])
            found[f"worst_{key}"] = worst[key]
            print(f"{text}: {worst[key]:.2f}, {worst['function']} {worst['kind']} {worst['dtype']}")
    return found
