"""Apply an activation, or its derivative, to the array in a .npy file.

Both files are memory-mapped and worked on in chunks, so that they may be larger than memory. The
output grows in a temporary file beside its place and takes that place when it is complete.
"""

from __future__ import annotations

import argparse
import contextlib
import errno
import math
import os
import shutil
import signal
import threading
import time
from collections.abc import Iterator
from typing import Any

import numpy as np
import numpy.typing as npt

from .common import CommandError, Progress, find, load, replacing, result_dtype

#: Elements per step: few calls, and Ctrl-C is heard within milliseconds.
CHUNK = 1 << 22


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of this command."""
    parser.add_argument("name", metavar="NAME", help="the activation, by any of its names")
    parser.add_argument("input", metavar="IN.npy", help="the array: floating-point, integers or bools")
    parser.add_argument("output", metavar="OUT.npy", help="where the result goes; may be the input itself")
    kinds = parser.add_mutually_exclusive_group()
    kinds.add_argument("--kind", choices=("value", "derivative"), default="value", help="what to compute (default: value)")
    kinds.add_argument("--derivative", action="store_const", dest="kind", const="derivative", help="same as --kind derivative")
    parser.add_argument(
        "--param", metavar="NAME=VALUE", action="append", default=[], help="a parameter, as in --param alpha=0.5; repeatable"
    )


def run(args: argparse.Namespace) -> int:
    """Transform the file and return the exit status.

    Raises
    ------
    CommandError
        For an unknown activation or parameter, an input that cannot be read, a dtype that the activation
        does not take, and an output that cannot be written. The output is then as it was before.
    """
    activation = find(args.name)
    name = activation.__name__
    params = parse_params(activation, args.param)
    call = activation if args.kind == "value" else activation.derivative
    start = time.perf_counter()
    x = load(args.input, name)
    dtype = result_dtype(call, x.dtype, args.input, name, **params)
    with _terminable(), replacing(args.output) as temporary:
        try:
            transform(call, params, x, dtype, temporary, name)
        except MemoryError as error:
            raise CommandError(f"{args.input}: not enough memory: {error}") from error
        size = x.size
        del x  # some systems do not replace a mapped file
    of = name if args.kind == "value" else f"the derivative of {name}"
    print(f"{args.output}: {of} over {size:,} elements, {dtype}, {time.perf_counter() - start:.2f} s")
    return 0


def parse_params(activation: Any, texts: list[str]) -> dict[str, Any]:
    """Return the parameters given as ``name=value``.

    Raises
    ------
    CommandError
        For an unknown or repeated name and for a value that is not a number or not a choice.
    """
    name = activation.__name__
    variants = activation.spec.variants
    known = [*activation.params, *variants]
    params: dict[str, Any] = {}
    for text in texts:
        key, equals, value = text.partition("=")
        if not equals:
            raise CommandError(f"--param {text}: expected NAME=VALUE")
        if key not in known:
            has = f"it has {', '.join(known)}" if known else "it has none"
            raise CommandError(f"--param {text}: {name} has no parameter {key!r}; {has}")
        if key in params:
            raise CommandError(f"--param {text}: {key} is given twice")
        if key in variants:
            if value not in variants[key]:
                raise CommandError(f"--param {text}: expected {key} to be one of {', '.join(variants[key])}")
            params[key] = value
            continue
        try:
            params[key] = float(value)
        except ValueError:
            raise CommandError(f"--param {text}: {value!r} is not a number") from None
    return params


def transform(call: Any, params: dict[str, Any], x: npt.NDArray[Any], dtype: np.dtype[Any], path: str, label: str) -> None:
    """Write ``call(x, **params)`` to a .npy file, chunk by chunk, in the memory order of x."""
    fortran = x.flags.f_contiguous and not x.flags.c_contiguous
    order = "F" if fortran else "C"
    if x.size == 0:  # nothing to map
        with open(path, "wb") as file:
            np.lib.format.write_array(file, np.empty(x.shape, dtype, order), allow_pickle=False)  # type: ignore[call-overload]
        return
    y = np.lib.format.open_memmap(path, "w+", dtype, x.shape, fortran)
    _reserve(path, y.nbytes)
    # Plain views: a np.memmap would take the slower way that subclasses take.
    source = np.asarray(x).reshape(-1, order=order)  # type: ignore[call-overload]
    target = np.asarray(y).reshape(-1, order=order)  # type: ignore[call-overload]
    with Progress(math.ceil(x.size / CHUNK), "chunks") as progress:
        for start in range(0, x.size, CHUNK):
            call(source[start : start + CHUNK], out=target[start : start + CHUNK], **params)
            progress.update(1, label)
    y.flush()


def _reserve(path: str, nbytes: int) -> None:
    """Allocate the blocks of a sparse file: a full disk is an OSError here, but a bus error in a mapping."""
    size = os.path.getsize(path)
    try:
        with open(path, "r+b") as file:
            os.posix_fallocate(file.fileno(), 0, size)
        return
    except AttributeError:
        pass
    except OSError as error:
        if error.errno not in (errno.EINVAL, errno.ENOSYS, errno.EOPNOTSUPP):
            raise
    if shutil.disk_usage(os.path.dirname(path)).free < nbytes:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


@contextlib.contextmanager
def _terminable() -> Iterator[None]:
    """Let SIGTERM unwind the stack, so that the temporary file goes with the process."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return

    def terminate(number: int, frame: object) -> None:
        raise SystemExit(128 + number)

    previous = signal.signal(signal.SIGTERM, terminate)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, previous or signal.SIG_DFL)
