"""Apply a function, or the derivative of an activation, to the array in a .npy or .npz file, or a file without a header.

Both files are read and written in chunks, so that they may be larger than memory, and may be pipes. Along an axis a chunk
holds whole rows, with all that lies between their elements: along the last axis a few rows, along the first axis of a file
in C order everything. The output grows in a temporary file beside its place and takes that place when it is complete.
"""

from __future__ import annotations

import argparse
import contextlib
import math
import sys
import time

import numpy as np

from .common import CommandError, Progress, find
from .families import Call, parse_params
from .files import Raw, Source, is_stdout, writing

#: Elements per step: few calls, and Ctrl-C is heard within milliseconds.
CHUNK = 1 << 22


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of this command."""
    parser.add_argument("name", metavar="NAME", help="the function, by any of its names")
    parser.add_argument(
        "input", metavar="IN.npy", help="the array: floating-point, integers or bools; .npz with --member; may be /dev/stdin"
    )
    parser.add_argument("output", metavar="OUT.npy", help="where the result goes; may be the input itself, or /dev/stdout")
    parser.add_argument("--member", metavar="NAME", help="of a .npz file, which array (default: the only one)")
    parser.add_argument(
        "--raw", metavar="DTYPE", help="the input has no header, like a numpy.memmap; so has the output, unless it is .npy"
    )
    parser.add_argument(
        "--shape", metavar="N[,N]",
        help="with --raw: in C order; one number may be -1, what there is, as in --shape=-1,768 (default: -1)",
    )  # fmt: skip
    parser.add_argument("--offset", metavar="BYTES", type=int, help="with --raw: where the array begins (default: 0)")
    kinds = parser.add_mutually_exclusive_group()
    kinds.add_argument("--kind", choices=("value", "derivative"), default="value", help="what to compute (default: value)")
    kinds.add_argument("--derivative", action="store_const", dest="kind", const="derivative", help="same as --kind derivative")
    parser.add_argument(
        "--axis", metavar="N", type=int, help="of row-wise functions and of what is split or grouped (default: -1, the last)"
    )
    parser.add_argument(
        "--param", metavar="NAME=VALUE", action="append", default=[],
        help="a parameter, as in --param alpha=0.5, temperature=2, pieces=3, rng=0 (a seed); repeatable",
    )  # fmt: skip


def run(args: argparse.Namespace) -> int:
    """Transform the file and return the exit status.

    Raises
    ------
    CommandError
        For an unknown function, parameter or axis, an input that cannot be read, a dtype or shape that the function
        does not take, and an output that cannot be written. The output is then as it was before, unless it is a pipe.
    """
    function = find(args.name)
    name = function.__name__
    call = Call.of(function, args.kind, args.axis, parse_params(function, args.param))
    raw = _raw(args)
    if args.output.lower().endswith(".npz"):
        raise CommandError(f"{args.output}: .npz files are read, not written; expected a .npy file")
    start = time.perf_counter()
    # The input is closed before the output takes its place: some systems do not replace an open file.
    source = Source(args.input, name, args.member, raw)
    with contextlib.ExitStack() as stack, source:
        shape, dtype = call.result(source.shape, source.dtype, args.input)
        count, step, rest = chunks(call, source)
        # Before there is a file: Python may lose a Ctrl-C while it imports, as bars do.
        progress = stack.enter_context(Progress(math.ceil(count / step), "chunks"))
        target = stack.enter_context(writing(args.output))
        if raw is None or args.output.lower().endswith(".npy"):
            target.header(shape, source.fortran, dtype)
        else:
            target.dtype = dtype = dtype.newbyteorder(raw.dtype.byteorder)  # nothing would say that it has changed
        try:
            for at in range(0, count, step):
                some = min(step, count - at)
                x = source.read(some * math.prod(rest)).reshape(some, *rest)
                target.write(call(x, 1 if rest else None))
                progress.update(1, name)
        except MemoryError as error:
            raise CommandError(f"{args.input}: not enough memory: {error}") from error
    out = sys.stderr if is_stdout(args.output) else sys.stdout
    of = name if args.kind == "value" else f"the derivative of {name}"
    print(f"{args.output}: {of} over {source.size:,} elements, {dtype}, {time.perf_counter() - start:.2f} s", file=out)
    return 0


def _raw(args: argparse.Namespace) -> Raw | None:
    """What a file without a header holds, as the arguments say."""
    if args.raw is None:
        for name in ("shape", "offset"):
            if getattr(args, name) is not None:
                raise CommandError(f"--{name} needs --raw DTYPE; other files say it themselves")
        return None
    if args.member is not None:
        raise CommandError("--raw and --member exclude each other")
    try:
        dtype = np.dtype(args.raw)
    except TypeError:
        dtype = np.dtype(object)
    if dtype.hasobject or not dtype.itemsize:
        raise CommandError(f"--raw {args.raw}: expected the name of a dtype, as in float32")
    try:
        shape = tuple(int(n) for n in (args.shape or "-1").split(","))
    except ValueError:
        shape = (-2,)
    if min(shape) < -1 or shape.count(-1) > 1:
        raise CommandError(f"--shape {args.shape}: expected whole numbers, as in 1000,768; one may be -1")
    if (args.offset or 0) < 0:
        raise CommandError(f"--offset {args.offset}: expected a number of bytes")
    return Raw(dtype, shape, args.offset or 0)


def chunks(call: Call, source: Source) -> tuple[int, int, tuple[int, ...]]:
    """How many elements there are, or rows, how many are taken at a time, and the shape of a row.

    They are taken in the order of the file: of its first axis first, in Fortran order of its last.
    """
    shape = source.shape[::-1] if source.fortran else source.shape
    outer = source.size
    rest: tuple[int, ...] = ()
    if call.axis is not None and shape:
        at = len(shape) - 1 - call.axis if source.fortran else call.axis
        outer, rest = math.prod(shape[:at]), (shape[at], math.prod(shape[at + 1 :]))
    return outer, max(1, CHUNK // max(math.prod(rest), 1)), rest
