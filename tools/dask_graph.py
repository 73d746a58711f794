"""Draws docs/dask.svg: the task graph of ``fa.softmax(fa.gelu(x))`` over four blocks, as Dask has it.

python tools/dask_graph.py
"""

from __future__ import annotations

from pathlib import Path

import dask.array as da
import matplotlib as mpl
from dask.core import get_dependencies

import fastact as fa

NAMES = {"ones": "x", "gelu": "fa.gelu", "softmax": "fa.softmax"}


def tasks() -> tuple[dict, dict]:
    """The label of each task and what it waits for."""
    x = da.ones((4, 3), chunks=(1, 3))
    graph = dict(fa.softmax(fa.gelu(x)).__dask_graph__())
    labels = {}
    for key in graph:
        name = next((n for n in NAMES if n in key[0]), "softmax")
        labels[key] = NAMES[name] + str(list(key[1:])).replace(", 0]", "]")
    return labels, {key: get_dependencies(graph, key) for key in graph}


def main() -> None:
    """Draw."""
    mpl.use("agg")
    mpl.rcParams["svg.hashsalt"] = "fastact"
    from matplotlib.figure import Figure

    labels, needs = tasks()
    columns = list(NAMES.values())
    place = {k: (columns.index(label.partition("[")[0]), -int(label.partition("[")[2][:-1])) for k, label in labels.items()}
    figure = Figure(figsize=(6.4, 2.6))
    axes = figure.add_axes((0, 0, 1, 1))
    for key, label in labels.items():
        box = {"boxstyle": "round,pad=0.4", "fc": "#e8eef7", "ec": "#4a6fa5"}
        axes.text(*place[key], label, ha="center", va="center", bbox=box)
        for other in needs[key]:
            (a, b), (c, d) = place[other], place[key]
            axes.annotate("", (c - 0.27, d), (a + 0.25, b), arrowprops={"arrowstyle": "-|>", "color": "#555555"})
    axes.set(xlim=(-0.5, 2.5), ylim=(-3.6, 0.6))
    axes.axis("off")
    figure.savefig(Path(__file__).parents[1] / "docs" / "dask.svg", metadata={"Date": None})
    print(f"{len(labels)} tasks")


if __name__ == "__main__":
    main()
