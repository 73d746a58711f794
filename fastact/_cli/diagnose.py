"""Find dead and saturated units in a .npy file of pre-activations.

The text is that of `fastact.diagnose`. A file whose first axis is one of the batch is read in pieces, so that it may be larger
than memory, and may be a pipe.
"""

from __future__ import annotations

import argparse
import json
import math
from typing import Any

import numpy as np

import fastact as fa

from ..arguments import axes_of
from .common import CommandError, Progress, find, replacing
from .families import parse_params
from .files import Source

#: Elements per piece.
CHUNK = 1 << 22
#: What stands in the JSON for each unit.
_ARRAYS = ("dead", "inactive", "left", "right", "mean", "variance", "power", "nan", "inf", "overflow")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of this command."""
    parser.add_argument("input", metavar="FILE.npy", help="the pre-activations; may be /dev/stdin")
    parser.add_argument("--function", dest="activation", metavar="NAME", required=True, help="the activation that they go into")
    parser.add_argument(
        "--axis", metavar="N[,N]", default="0", help="the axes of the batch, or all; what is left are the units (default: 0)"
    )
    parser.add_argument(
        "--saturation", metavar="S", type=float, default=0.001, help="|f'| at most this is as good as none (default: 0.001)"
    )
    parser.add_argument(
        "--param", metavar="NAME=VALUE", action="append", default=[], help="a parameter, as in --param alpha=0.5; repeatable"
    )
    parser.add_argument("--json", action="store_true", help="print numbers for programs, those of each unit too")
    parser.add_argument("--plot", metavar="FILE", help="draw histograms and dead units to this file, as .png, .svg or .pdf")


def run(args: argparse.Namespace) -> int:
    """Print the diagnosis and return the exit status.

    Raises
    ------
    CommandError
        For an unknown function, parameter or axis, a file that cannot be read or does not hold real numbers, and a picture that
        cannot be drawn.
    """
    function = find(args.activation)
    try:
        axis = None if args.axis == "all" else tuple(int(a) for a in args.axis.split(","))
    except ValueError:
        raise CommandError(f"--axis {args.axis}: expected numbers, as in 0,2,3, or all") from None
    try:
        params = parse_params(function, args.param) if isinstance(function, fa.Activation) else {}
        monitor = fa.Monitor(function, axis, saturation=args.saturation, **params)
        with Source(args.input, "diagnose") as source:
            found = over(source, monitor, axis)
    except (TypeError, ValueError, IndexError, MemoryError) as error:
        raise CommandError(f"{args.input}: {error}") from None
    print(json.dumps(report(found), indent=1) if args.json else found)
    if args.plot:
        draw(found, args.plot)
    return 0


def over(source: Source, monitor: fa.Monitor, axis: Any) -> fa.Diagnosis:
    """The diagnosis of the array of a file, in pieces of its first axis if that is one of the batch."""
    axes = axes_of("fastact.diagnose", axis, len(source.shape))
    if source.fortran or 0 not in axes or not source.shape or not source.size:
        return monitor.update(source.array()).result()
    rest = source.shape[1:]
    each = math.prod(rest)
    step = max(1, CHUNK // each)
    with Progress(source.shape[0], "rows") as progress:
        for start in range(0, source.shape[0], step):
            count = min(step, source.shape[0] - start)
            monitor.update(source.read(count * each).reshape(count, *rest))
            progress.update(count, monitor.function.__name__)
    return monitor.result()


def report(found: fa.Diagnosis) -> dict[str, Any]:
    """The diagnosis for JSON, in which there is no NaN."""
    overall = {n: None if isinstance(v, float) and math.isnan(v) else v for n, v in found.overall.items()}
    arrays: dict[str, Any] = {n: getattr(found, n) for n in _ARRAYS}
    units = {n: _numbers(a) if a.dtype.kind == "f" else a.tolist() for n, a in arrays.items()}
    return {
        "function": found.function.__name__, "params": found.params, "saturation": found.saturation, "units": found.units,
        "batch": found.batch, "overall": overall, "each unit": units,
    }  # fmt: skip


def _numbers(array: np.ndarray) -> Any:
    """Nested lists with None for NaN."""
    kept = array.astype(object)
    kept[np.isnan(array)] = None
    return kept.tolist()


def draw(found: fa.Diagnosis, path: str) -> None:
    """Write the picture."""
    try:
        import matplotlib

        matplotlib.use("agg")
        kind = path.rpartition(".")[2]
        with replacing(path) as temporary:
            found.plot().savefig(temporary, format=kind, dpi=150)
    except ImportError:
        raise CommandError("--plot needs matplotlib; pip install 'fastact[plot]'") from None
    except ValueError as error:
        raise CommandError(f"{path}: {error}") from None
