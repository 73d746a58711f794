"""Every kernel on arrays that end, or begin, where memory does: a page follows (or goes before) that nothing may touch.

``python tools/guards.py`` goes through lengths 0 to 200 at every level that this machine can run and says how many calls that
were; ``--lengths 1 17`` through fewer, ``--here`` at one level. An access beyond ends the process, and what was called stands
in the message. Kernels are called through the C interface, and functions of all families, forward and backward, through NumPy
arrays, contiguous, strided, reversed and transposed, of a megabyte on three threads too. What lies before an output in its
pages, or after it, must stay as it is.
"""

from __future__ import annotations

import argparse
import ctypes
import faulthandler
import mmap
import os
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import partial
from typing import Any

import numpy as np

import fastact as fa
from fastact import _C_API
from fastact.cpu import levels

PAGE = mmap.PAGESIZE
SIZE = max(PAGE, 8192)  # bytes between the guards
MARK = 0xA5
NOTE = 80
KINDS = ("value", "derivative", "second_derivative", "value_and_derivative", "backward", "backward_from_output")
ROWS = ("softmax", "log_softmax", "softmin", "log_softmin", "softmax1", "logsumexp", "hardmax", "sparsemax", "entmax15")
DTYPES = (np.float16, np.float32, np.float64)

calls = 0
note = mmap.mmap(-1, PAGE)  # what is being called; a file that the parent reads, if there is one


def guarded(size: int) -> np.ndarray:
    """So many bytes between pages that nothing may touch."""
    libc = ctypes.CDLL(None, use_errno=True)
    libc.mmap.restype = ctypes.c_void_p
    libc.mmap.argtypes = [ctypes.c_void_p, ctypes.c_size_t, ctypes.c_int, ctypes.c_int, ctypes.c_int, ctypes.c_long]
    libc.mprotect.argtypes = [ctypes.c_void_p, ctypes.c_size_t, ctypes.c_int]
    whole = libc.mmap(None, size + 2 * PAGE, 0, mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS, -1, 0)
    if whole in (None, ctypes.c_void_p(-1).value) or libc.mprotect(whole + PAGE, size, mmap.PROT_READ | mmap.PROT_WRITE):
        raise OSError(ctypes.get_errno(), "mmap")
    return np.frombuffer((ctypes.c_char * size).from_address(whole + PAGE), np.uint8)


class Pages:
    """Inputs and outputs, each between guards, as arrays of one dtype."""

    def __init__(self, dtype: Any, size: int = SIZE) -> None:
        self.bytes = [guarded(size) for _ in range(4)]
        self.x, self.grad, self.y, self.z = (b.view(dtype) for b in self.bytes)
        n = self.x.size
        self.x[:] = (np.arange(n) % 29 - 14) / 4
        self.grad[:] = (np.arange(n) % 13 - 6) / 3
        self.outputs = self.bytes[2:]
        for b in self.outputs:
            b[:] = MARK

    def run(self, used: int, end: bool, what: str, call: Callable, *given: Any, **keywords: Any) -> None:
        """A call that may write ``used`` bytes of each output, at its end or its beginning."""
        global calls
        note[:NOTE] = what.encode().ljust(NOTE)
        calls += 1
        call(*given, **keywords)
        for b in self.outputs:
            rest, own = (b[: b.size - used], b[b.size - used :]) if end else (b[used:], b[:used])
            near = rest[-256:] if end else rest[:256]
            if near.size and not (near == MARK).all():
                raise SystemExit(f"{what}: wrote outside its output")
            own[:] = MARK


def places(size: int, lengths: Iterable[int]) -> Iterator[tuple[int, bool, slice]]:
    """(length, whether at the end, where) for every length."""
    for n in lengths:
        yield n, True, slice(size - n, size)
        yield n, False, slice(0, n)


class Interface(ctypes.Structure):
    """``fa_interface`` of fastact.h."""

    _P, _N = ctypes.c_void_p, ctypes.c_ssize_t
    _fields_ = (
        ("version", ctypes.c_int),
        ("find", ctypes.CFUNCTYPE(_P, ctypes.c_char_p, ctypes.c_char_p, ctypes.c_int)),
        ("parameters", ctypes.CFUNCTYPE(ctypes.c_int, _P)),
        ("run", ctypes.CFUNCTYPE(None, _P, _N, _P, _P, _P, _P, _P)),
        ("run_parallel", ctypes.CFUNCTYPE(None, _P, _N, _P, _P, _P, _P, _P)),
        ("rows", ctypes.CFUNCTYPE(ctypes.c_int, _P, _N, _N, _P, _N, _P, _N, _P, _N, ctypes.c_double)),
        ("rows_parallel", ctypes.CFUNCTYPE(ctypes.c_int, _P, _N, _N, _P, _N, _P, _N, _P, _N, ctypes.c_double)),
    )


def interface() -> Interface:
    """The C interface."""
    pointer = ctypes.pythonapi.PyCapsule_GetPointer
    pointer.restype, pointer.argtypes = ctypes.c_void_p, [ctypes.py_object, ctypes.c_char_p]
    return Interface.from_address(pointer(_C_API, b"fastact._C_API"))


def kernels(lengths: Sequence[int]) -> None:
    """Every kernel that the C interface finds."""
    api = interface()
    for number, dtype in enumerate(DTYPES):
        pages, size = Pages(dtype), np.dtype(dtype).itemsize
        x, grad, y, z = (b.ctypes.data for b in pages.bytes)
        for name in fa.activations():
            found = 0
            for kind in (*KINDS, *(f"derivative_by_{p}" for p in fa.get(name).params)):
                kernel = api.find(name.encode(), kind.encode(), number)
                found += bool(kernel)
                for n, end, _ in places(0, lengths) if kernel else ():
                    at = SIZE - n * size if end else 0
                    given = (x + at, grad + at if kind.startswith("backward") else None, y + at)
                    second = z + at if kind == "value_and_derivative" else None
                    pages.run(n * size, end, f"{name} {kind} {n}", api.run, kernel, n, *given, second, None)
            if found < 4:
                raise SystemExit(f"{name}: the C interface has {found} kernels of it")
        for name in ROWS if dtype is not np.float16 else ():
            for kind in ("value", "backward"):
                kernel = api.find(name.encode(), kind.encode(), number)
                for n, end, _ in places(0, lengths) if kernel else ():
                    for rows in (r for r in (1, 3) if n % r == 0 and n):
                        at, step = SIZE - n * size if end else 0, n // rows * size
                        out, apart = (rows, size) if name == "logsumexp" else (n, step)
                        y_at = y + (SIZE - out * size if end else 0)
                        given = (rows, n // rows, x + at, step, grad + at if kind == "backward" else None, step, y_at, apart, 1.0)
                        pages.run(out * size, end, f"{name} {kind} {rows} {n}", api.rows, kernel, *given)


def functions(lengths: Sequence[int]) -> None:
    """Functions of all families, on arrays that lie there."""
    for dtype in DTYPES:
        pages = Pages(dtype)
        x, grad, y, z = pages.x, pages.grad, pages.y, pages.z
        size = x.itemsize
        for n, end, where in places(x.size, lengths):
            used, a, g, out, more = n * size, x[where], grad[where], y[where], z[where]
            run = partial(pages.run, used, end)
            twice = slice(max(x.size - 2 * n + 1, 0), None, 2) if end else slice(0, max(2 * n - 1, 0), 2)
            for name in fa.activations():
                f = fa.get(name)
                run(f"{name} {n}", f, a, out=out)
                run(f"{name}' {n}", f.derivative, x[twice], out=out)
                run(f"{name} both {n}", f.value_and_derivative, a[::-1], out=(out, more))
                run(f"{name} again {n}", f.backward_backward, a, g[::-1], a, out=(out, more))
                run(f"{name} backward {n}", f.backward, g, a, out=out)
                if f.params:
                    first = next(iter(f.params.values()))
                    run(f"{name} array {n}", f, a, np.full_like(a, first), out=out)
            for shape in ((1, n), (2, n // 2), (n // 2, 2)) if n and n % 2 == 0 else ((1, n), (n, 1)) if n else ():
                rows, into, incoming = a.reshape(shape), out.reshape(shape), g.reshape(shape)
                for axis in (0, 1):
                    for name in ROWS:
                        f = fa.get(name)
                        if name == "logsumexp":
                            run(f"{name} {shape} {axis}", f, rows, axis=axis)
                            continue
                        run(f"{name} {shape} {axis}", f, rows, axis=axis, out=into)
                        if name != "hardmax":
                            run(f"{name} back {shape} {axis}", f.backward, incoming, rows, axis=axis, out=into)
                    if shape[axis] % 2 == 0:
                        run(f"swiglu {shape} {axis}", fa.swiglu, rows, axis=axis)
                        half = np.split(incoming, 2, axis)[end]
                        run(f"geglu back {shape} {axis}", fa.geglu.backward, half, rows, axis=axis)
                        run(f"maxout {shape} {axis}", fa.maxout, rows, 2, axis)
                run(f"glu two {shape}", fa.glu, rows, incoming, out=into)
                run(f"swiglu clamped {shape}", fa.swiglu, rows, incoming, limit=1.0, alpha=1.7, offset=1.0, out=into)
                run(f"seglu back {shape}", fa.seglu.backward, incoming, rows, rows[::-1])
            for shape in ((n // 16, 16), (16, n // 16)) if n and n % 16 == 0 else ():
                rows, into = a.reshape(shape), out.reshape(shape)
                across = g.reshape(shape[::-1]).T
                run(f"gelu across {shape}", fa.gelu, across, out=into)
                run(f"gelu into across {shape}", fa.gelu, rows, out=out.reshape(shape[::-1]).T)
                run(f"gelu back across {shape}", fa.gelu.backward, across, rows, out=into)
                run(f"gelu cut {shape}", fa.gelu, rows[:, 1:], out=into[:, :-1])
                run(f"prelu {shape}", fa.prelu, rows, a[: shape[1]], out=into)


def large() -> None:
    """Arrays that are worth threads, tiles and stores past the caches."""
    with fa.num_threads(3):
        for dtype in DTYPES:
            pages = Pages(dtype, 1 << 20)
            x, grad, y, z = pages.x, pages.grad, pages.y, pages.z
            for n, end, where in places(x.size, (x.size, 100_000, 65_539)):
                used, a, g, out, more = n * x.itemsize, x[where], grad[where], y[where], z[where]
                run = partial(pages.run, used, end)
                square = (n // 50, 50) if n % 50 == 0 else (1, n)
                half = slice(0, n // 2 * 2)
                run(f"large {n}", fa.gelu, a, out=out)
                run(f"large both {n}", fa.mish.value_and_derivative, a[::-1], out=(out, more))
                run(f"large backward {n}", fa.silu.backward, g[::-1], a, out=out)
                run(f"large where {n}", fa.tanh, a, out=out, where=g > 0)
                run(f"large strided {n}", fa.elu, a[::2], out=out[: (n + 1) // 2])
                rows, into, incoming = a.reshape(square), out.reshape(square), g.reshape(square)
                turned = out.reshape(square[::-1]).T
                run(f"large turned {n}", fa.gelu.backward, incoming, rows, out=turned)
                run(f"large varying {n}", fa.elu, rows, np.ones((square[0], 1), dtype), out=into)
                for axis in (0, 1):
                    for name in ("softmax", "log_softmax", "sparsemax"):
                        f = fa.get(name)
                        run(f"large {name} {n} {axis}", f, rows, axis=axis, out=into)
                        run(f"large {name} back {n} {axis}", f.backward, incoming, rows, axis=axis, out=into)
                run(f"large swiglu {n}", fa.swiglu, a[half])
                run(f"large glu {n}", fa.glu, a, g, out=out)


def at_level(level: str, lengths: Sequence[int]) -> int:
    """Go through all calls in a process at that level; 0, or what it ended with."""
    with tempfile.NamedTemporaryFile() as file:
        file.write(b" " * NOTE)
        file.flush()
        command = [sys.executable, __file__, "--here", "--note", file.name, "--lengths", *map(str, lengths)]
        environment = {**os.environ, "FASTACT_CPU": level if level != "generic" else ""}
        status = subprocess.run(command, env=environment, check=False).returncode
        if status:
            file.seek(0)
            print(f"{level}: ended with {status} in {file.read().decode().strip()}")
    return abs(status)


def main() -> int:
    """Count the calls at one level or at all."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--lengths", type=int, nargs="*", default=range(201), help="those to go through (default: 0 to 200)")
    parser.add_argument("--here", action="store_true", help="at the level that FASTACT_CPU names, or the best one")
    parser.add_argument("--note", help=argparse.SUPPRESS)
    parser.add_argument("--break-it", action="store_true", help=argparse.SUPPRESS)
    given = parser.parse_args()
    if not given.here:
        return max(at_level(level, given.lengths) for level in levels.usable_levels())
    if given.note:
        global note
        with open(given.note, "r+b") as file:
            note = mmap.mmap(file.fileno(), NOTE)
    faulthandler.enable()
    if given.break_it:  # the guards are there
        api, pages = interface(), Pages(np.float32)
        api.run(api.find(b"relu", b"value", 1), 16, pages.x.ctypes.data + SIZE - 60, None, pages.y.ctypes.data, None, None)
    with np.errstate(all="ignore"):
        kernels(given.lengths)
        own = calls
        functions(given.lengths)
        large()
    print(f"{levels.LEVEL}: {own} calls of kernels and {calls - own} of functions, none touched a guard")
    return 0


if __name__ == "__main__":
    sys.exit(main())
