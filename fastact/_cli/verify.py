"""Verify values and derivatives: their errors in ULP over every binade, or over all float32 numbers.

float32 is compared with the package's own float64 kernels at the same inputs and parameters, float64 with
the mpmath reference of the tests. Near the roots of a derivative the bound is absolute.
"""

from __future__ import annotations

import argparse
import contextlib
import datetime
import importlib.util
import json
import math
import re
import sys
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np

import fastact as fa

from ..cpu import levels
from ..cpu.printer import digest
from ..language.registry import REGISTRY
from . import ulp, verify_rows
from .common import CommandError, Progress, positive, replacing
from .findings import HEAD, lines, number, told
from .inputs import samples, switch_points
from .peers import PEERS, Peer, choose, load
from .run import select_names

PATTERNS = 1 << 24
SAMPLES = 2000
PIECE = 256
REFERENCE = Path(fa.__file__).resolve().parents[1] / "tests" / "reference.py"

_EPILOG = """\
float32 kernels are compared with the float64 kernels at the same inputs, with the parameters rounded to float32: the
error of those, a few 2^-53, is negligible beside a float32 ULP; --dtype float64 is what verifies them. Falls: adjacent
inputs at which a monotonic function decreases. Strays: values outside the range of the function. Near a root of a
derivative, errors count in ULP of max(|exact|, 1/4) for the bound and the mean. Functions that are not elementwise are
computed over rows of many kinds and lengths; for the derivative stands the backward pass, whose errors count in ULP of
the terms of its differences, as those of sparsemax and entmax15 do in ULP of 1 (verify_rows.py). max_affine is that
of x/4 and x; gumbel_softmax cannot be verified, for all that is its own is drawn. Exit status: 0 where all
keep the contract, 1 where some do not, 2 for what cannot be done, 130 after Ctrl-C, with a report of what was done."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of this command."""
    parser.epilog = _EPILOG
    parser.add_argument("names", metavar="NAME", nargs="*",
                        help="verify only these: activations, row-wise functions, gated units, maxout, max_affine, crelu, "
                             "rrelu and noisy_relu as they are without training (default: all activations)")  # fmt: skip
    parser.add_argument("--dtype", choices=("float32", "float64", "both"), default="float32", help="default: float32")
    parser.add_argument("--kind", choices=("value", "derivative", "both"), default="both", help="default: both")
    parser.add_argument("--exhaustive", action="store_true", help="float32: all 2^32 bit patterns (default: about 2^24)")
    parser.add_argument("--json", metavar="FILE", help="write the findings to this file as well")
    parser.add_argument("--peers", nargs="?", const=",".join(PEERS), default="", metavar="LIBRARY[,LIBRARY]",
                        help=f"measure other libraries instead (alone: {', '.join(PEERS)})")  # fmt: skip
    parser.add_argument("--resume", action="store_true", help="keep what --json FILE holds of the same formulas and level")
    parser.add_argument("--threads", metavar="N", type=positive, help="for float32 (default: as many as the kernels use)")
    parser.add_argument("--samples", metavar="N", type=positive, default=SAMPLES,
                        help=f"float64: about so many inputs beside those in every binade (default: {SAMPLES})")  # fmt: skip
    parser.add_argument("--reference", metavar="FILE", help="float64: tests/reference.py (default: the checkout's)")


def run(args: argparse.Namespace) -> int:
    """Verify the activations, print the table, and return the exit status.

    Raises
    ------
    CommandError
        For an unknown activation, a reference that cannot be loaded, a JSON file that cannot be written.
    """
    names = select_names(args.names)
    others = _others(names, args)
    dtypes = ("float32", "float64") if args.dtype == "both" else (args.dtype,)
    kinds = ("value", "derivative") if args.kind == "both" else (args.kind,)
    if args.exhaustive and args.dtype == "float64":
        raise CommandError("--exhaustive is for float32")
    reference = load_reference(args.reference) if "float64" in dtypes else None
    libraries = load_peers(args.peers)
    plan = [
        (library, name, kind, dtype) for library in libraries or [""] for dtype in dtypes for name in names
        for kind in (verify_rows.kinds_of(fa.get(name), kinds) if name in others else kinds)
        if library == "" or libraries[library].has(name, "forward" if kind == "value" else "backward", dtype)
    ]  # fmt: skip
    kept = earlier(args) if args.resume else []
    done = {(f["library"], f["function"], f["kind"], f["dtype"]) for f in kept}
    plan = [which for which in plan if which not in done]
    threads = fa.get_num_threads()
    with contextlib.ExitStack() as stack:
        target = stack.enter_context(replacing(args.json)) if args.json else None
        print(f"fastact {fa.__version__}, {levels.LEVEL}, NumPy {np.__version__}\n\n{HEAD}", flush=True)
        fa.set_num_threads(1)  # the threads are here, a chunk each
        stack.callback(fa.set_num_threads, threads)
        findings, interrupted = verify(plan, libraries, args, reference, args.threads or threads)
        findings = kept + findings
        if target:
            with open(target, "w", encoding="utf-8") as file:
                texts = (json.dumps(finding, allow_nan=False) for finding in findings)
                file.write("[\n" + ",\n".join(texts) + "\n]\n")  # a line each, for diffs
    failing = [f"{f['function']} {f['kind']} ({f['dtype']})" for f in findings if not (f["holds"] or f["library"])]
    print()
    if interrupted:
        complete = sum(f["complete"] for f in findings)
        print(f"interrupted: {complete} of {len(kept) + len(plan)} complete")
    if failing:
        print(f"outside the contract: {', '.join(failing)}")
    elif not interrupted:
        print(f"all {len(findings)} {'measured' if libraries else 'within the contract'}")
    return 130 if interrupted else int(bool(failing))


def _others(names: list[str], args: argparse.Namespace) -> list[str]:
    """The names of functions that are not elementwise.

    Raises
    ------
    CommandError
        If there is nothing to compare one with, or an option is for elementwise functions.
    """
    others = [name for name in names if name not in REGISTRY]
    for name in others:
        if not verify_rows.known(fa.get(name)):
            raise CommandError(f"{name}: there is no reference for what it draws; softmax is what it makes of that")
        if args.exhaustive or args.peers:
            raise CommandError(f"--{'exhaustive' if args.exhaustive else 'peers'} is for elementwise activations; {name} is none")
    return others


def load_peers(names: str) -> dict[str, Peer]:
    """Load other libraries, and say which are not installed.

    Raises
    ------
    CommandError
        For a library that is not among the known ones.
    """
    found, missing = load(choose(names))
    for name, why in missing.items():
        print(f"{name}: left out: {why}")
    return found


def verify(plan: list[tuple[str, str, str, str]], libraries: dict[str, Peer], args: argparse.Namespace,
           reference: ModuleType | None, threads: int) -> tuple[list[dict[str, Any]], bool]:  # fmt: skip
    """Return the findings, a dictionary each, and whether Ctrl-C cut them short.

    After Ctrl-C the last of them says how far it got.
    """
    findings: list[dict[str, Any]] = []
    inputs = {(n, dtype): _inputs(n, dtype, args, reference) for _, n, _, dtype in plan if n in REGISTRY}
    rows = {"float32": PATTERNS >> 3, "float64": 2 * args.samples}  # elements of functions that are not elementwise
    by_rows = load_reference(args.reference, "reference_rows.py") if reference and len(inputs) < len(plan) else None
    sizes = [
        _size(inputs[name, dtype]) if name in REGISTRY else verify_rows.size_of(fa.get(name), kind, dtype, rows[dtype])
        for _, name, kind, dtype in plan
    ]
    with Progress(sum(sizes), "inputs") as progress:
        for (library, name, kind, dtype), size in zip(plan, sizes, strict=True):
            tally: Any = ulp.Tally() if name in REGISTRY else verify_rows.Tally()
            started, peer = time.perf_counter(), libraries.get(library)

            def update(steps: int, label: str = f"{library} {name} {kind}") -> None:
                progress.update(steps, label)

            try:
                if name not in REGISTRY:
                    both = (reference, by_rows) if dtype == "float64" else None
                    verify_rows.measure(tally, fa.get(name), kind, dtype, rows[dtype], both, update)
                elif dtype == "float32":
                    ulp.measure_all(tally, make_task(name, kind, dtype, peer), inputs[name, dtype], threads, update)
                else:
                    task = make_task(name, kind, dtype, peer)
                    measure_reference(tally, task, (name, kind), inputs[name, dtype], reference, update)
            except KeyboardInterrupt:
                pass
            if tally.count:
                if name in REGISTRY:
                    finding = report(name, kind, dtype, tally, args.exhaustive and dtype == "float32", size)
                else:
                    finding = _origin() | verify_rows.report(fa.get(name), kind, dtype, tally, size)
                finding |= {"library": library, "library_version": peer.version if peer else ""}
                finding["seconds"] = round(time.perf_counter() - started, 2)
                findings.append(finding)
                for line in lines(finding):
                    progress.write(line)
            if tally.count < size:
                return findings, True
    return findings, False


def earlier(args: argparse.Namespace) -> list[dict[str, Any]]:
    """The complete findings in ``--json FILE`` that still hold: the same formulas, ISA level and, at least, inputs.

    Raises
    ------
    CommandError
        If there is no ``--json``, or its file is no list of findings.
    """
    if not args.json:
        raise CommandError("--resume needs --json FILE, the file to go on with")
    file = Path(args.json)
    if not file.exists():
        return []
    try:
        findings = json.loads(file.read_text(encoding="utf-8"))
        return [f for f in findings if f["complete"] and f["level"] == levels.LEVEL and f["function"] in REGISTRY
                and f["formula"] == digest(REGISTRY[f["function"]], f["dtype"])
                and (f["exhaustive"] or not args.exhaustive or f["dtype"] == "float64")]  # fmt: skip
    except (ValueError, TypeError, KeyError) as error:
        raise CommandError(f"--resume: {file} holds no findings of this command: {error}") from error


def _inputs(name: str, dtype: str, args: argparse.Namespace, reference: ModuleType | None) -> Any:
    """Ranges of ordinals for float32, an array for float64."""
    if dtype == "float32":
        return [range(ulp.PATTERNS)] if args.exhaustive else ulp.sample(PATTERNS, switch_points(name))
    return samples(name, args.samples, reference)


def _size(inputs: Any) -> int:
    return sum(map(len, inputs)) if isinstance(inputs, list) else int(inputs.size)


# ---------------------------------------------------------------------------------------------------
# What is measured
# ---------------------------------------------------------------------------------------------------


def kernel(name: str, kind: str) -> Callable[..., Any]:
    """The callable of one kind."""
    activation = fa.get(name)
    return activation if kind == "value" else activation.derivative


def of_peer(peer: Peer, name: str, kind: str) -> Callable[..., Any]:
    """A kind of another library's function, called as those of this package are."""

    def call(x: Any, *_: float, out: Any = None) -> Any:
        given = peer.put(x)
        result = peer.forward[name](given)
        if kind == "derivative":
            result = peer.backward[name](peer.put(np.ones_like(x)), given, result)
        result = peer.get(result)
        if out is not None:
            out[...] = result
        return result

    return call


def make_task(name: str, kind: str, dtype: str, peer: Peer | None = None) -> ulp.Task:
    """The comparison for one activation with its default parameters, of this package or a peer."""
    spec = REGISTRY[name]
    number = np.dtype(dtype).type
    params = tuple(float(number(p)) for p in spec.params.values())
    low, high = (_end(text, dict(zip(spec.params, params, strict=True)), number) for text in spec.range)
    value = kind == "value"
    exact = kernel(name, kind)
    call = of_peer(peer, name, kind) if peer else exact
    near = partial(spec.absolute, kind) if (spec.value_absolute if value else spec.slope_absolute) else None
    return ulp.Task(
        call, exact, params, near, value and spec.monotonic, (low, high) if value else (-math.inf, math.inf),
    )  # fmt: skip


def _end(text: str, params: dict[str, float], number: Callable[[float], Any]) -> float:
    """An end of a range as a number of the dtype; decimals stand for what they are rounded from."""
    scope = {"inf": math.inf, "pi": math.pi, "sqrt": math.sqrt, **params}
    value = float(eval(text, {"__builtins__": {}}, scope))
    slack = 10.0 ** -len(text.partition(".")[2]) if re.fullmatch(r"-?\d+\.\d+", text) else 0.0
    return float(number(value + math.copysign(slack, value)))


# ---------------------------------------------------------------------------------------------------
# float64
# ---------------------------------------------------------------------------------------------------


def load_reference(path: str | None, beside: str = "") -> ModuleType:
    """Load the reference, or another file beside it.

    Raises
    ------
    CommandError
        If the file or mpmath is missing, or the file is something else.
    """
    file = Path(path) if path else REFERENCE
    file = file.with_name(beside) if beside else file
    need = "--dtype float64 needs the checkout's tests/reference.py (--reference FILE) and mpmath"
    spec = importlib.util.spec_from_file_location(f"_fastact_{file.stem}", file)
    if not file.is_file() or spec is None or spec.loader is None:
        raise CommandError(f"{need}; there is no Python file {file}")
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module  # dataclasses look there
    try:
        spec.loader.exec_module(module)
    except Exception as error:
        raise CommandError(f"{need}; {file}: {error}") from error
    expected = ("results", "gated", "distance") if beside else ("REFERENCE", "evaluate", "ulp_error", "samples")
    if not all(hasattr(module, name) for name in expected):
        raise CommandError(f"{need}; {file} is something else")
    return module


def measure_reference(tally: ulp.Tally, task: ulp.Task, which: tuple[str, str], x: Any, reference: Any,
                      update: Callable[[int], None]) -> None:  # fmt: skip
    """Compare the float64 kernel with the reference at ascending x, into ``tally``."""
    y = task.call(x, *task.params)
    for first in range(0, x.size, PIECE):
        part = slice(first, first + PIECE)
        want, exact = reference.evaluate(*which, x[part], task.params, np.float64)
        error = reference.ulp_error(y[part], exact, np.float64)
        size, scaled, near = np.where(error > 0, np.inf, 0.0), error.copy(), np.zeros(x[part].size, bool)
        if task.near is not None:
            near = task.near(x[part])
            for i in np.flatnonzero(near & np.isfinite(y[part]) & np.isfinite(want)):
                size[i] = float(abs(exact[i] - float(y[part][i])))
                scaled[i] = size[i] / np.spacing(max(abs(want[i]), 0.25))
        tally.add(task, x[part], y[part], want, ulp.Errors(near.view(np.uint8), error, size, scaled))
        update(x[part].size)


# ---------------------------------------------------------------------------------------------------
# What is said of it
# ---------------------------------------------------------------------------------------------------


def _origin() -> dict[str, Any]:
    date = datetime.datetime.now(datetime.UTC).date().isoformat()
    return {"fastact": fa.__version__, "level": levels.LEVEL, "numpy": np.__version__, "date": date}


def report(name: str, kind: str, dtype: str, tally: ulp.Tally, exhaustive: bool, size: int) -> dict[str, Any]:
    """The finding of one activation, ready for JSON: numbers that are not finite as strings."""
    spec, numbers = REGISTRY[name], max(tally.count - tally.nans, 1)
    finding: dict[str, Any] = {
        **_origin(), "function": name, "dtype": dtype, "kind": kind, "params": dict(spec.params), "formula": digest(spec, dtype),
        "count": tally.count, "planned": size, "exhaustive": exhaustive, "complete": tally.count == size,
        "bound": spec.most(kind, dtype), "holds": tally.contract.error <= spec.most(kind, dtype),
        "max_ulp": number(tally.worst.error), "mean_ulp": number(tally.total / numbers), **told(*tally.worst),
        "correctly_rounded": (tally.rounded - tally.nans) / numbers,
        "monotonicity_violations": tally.falls if kind == "value" and spec.monotonic else None,
        "range_violations": tally.strays if kind == "value" else None,
    }  # fmt: skip
    condition = spec.value_absolute if kind == "value" else spec.slope_absolute
    if condition:
        finding["root"], finding["absolute"] = None if kind == "value" else spec.root(), condition
        finding |= {"max_ulp_outside": number(tally.outside), "max_absolute_inside": number(tally.inside)}
        finding["contract_ulp"] = number(tally.contract.error)
        finding |= {f"contract_{key}": value for key, value in told(*tally.contract).items()}
    return finding
