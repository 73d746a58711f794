"""Digests of all results: whether a change of the code changed a bit of any of them.

Every function, kind and dtype is computed over a fixed sample: random bits, so that all magnitudes occur, the special values,
and for float16 every number there is. ``python tools/digests.py before.json`` writes the digests of every ISA level that the
machine can run; ``python tools/digests.py after.json --against before.json`` says what differs, and fails if anything does.
What a NaN holds besides being one does not count.
"""

from __future__ import annotations

import argparse
import contextlib
import hashlib
import io
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

import fastact as fa

KINDS = ("value", "derivative", "value_and_derivative", "backward", "backward_from_output")
SIZE = 20_011  # a prime number: no block, vector or row divides it


def sample(dtype: str, seed: int = 0) -> np.ndarray:
    """Numbers of all magnitudes, ordinary ones, and special ones."""
    if dtype == "float16":
        return np.arange(1 << 16, dtype=np.uint16).view(np.float16)
    info, rng = np.finfo(dtype), np.random.default_rng(seed)
    bits = rng.integers(0, np.iinfo(f"u{info.bits // 8}").max, SIZE // 2, f"u{info.bits // 8}", endpoint=True).view(dtype)
    ordinary = rng.normal(0, 5, SIZE - SIZE // 2).astype(dtype)
    special = np.array([0.0, np.inf, np.nan, info.max, info.tiny, info.smallest_subnormal, 1.0, 3.0], dtype)
    return np.concatenate([bits, ordinary, special, -special])


def finite(x: np.ndarray) -> np.ndarray:
    """The same with moderate numbers in place of those that would fill a whole row with NaN."""
    return np.where(np.abs(x) < 1e4, x, x.dtype.type(0.5))


def results(name: str, dtype: str) -> Iterator[tuple[str, Any]]:
    """(what was called, its result) for one function."""
    function, x = fa.get(name), sample(dtype)
    grad = sample(dtype, 1)
    if isinstance(function, fa.Activation):
        yield from elementwise(function, x, grad)
        return
    x, grad = finite(x), finite(grad)
    n = x.size // 120 * 120
    x, grad = x[:n].reshape(-1, 60), grad[:n].reshape(-1, 60)
    yield from {"rowwise": rowwise, "gated units": gated, "pieces": pieces, "stochastic": stochastic}[function.family](
        function, x, grad
    )


def elementwise(function: Any, x: np.ndarray, grad: np.ndarray) -> Iterator[tuple[str, Any]]:
    """All kinds with the default parameters, others, and one that is an array; contiguous and strided."""
    values = [(), tuple(1.37 * p + 0.043 for p in function.params.values())][: 1 + bool(function.params)]
    if function.params:
        values.append((np.linspace(0.1, 2.0, x.size).astype(x.dtype), *values[1][1:]))
    for kind in KINDS:
        call = function if kind == "value" else getattr(function, kind)
        for number, params in enumerate(values if call is not None else []):
            y = function(x, *params) if kind == "backward_from_output" else x
            given = (grad, y) if kind.startswith("backward") else (y,)
            yield f"{kind} {number}", call(*given, *params)
            yield f"{kind} {number} strided", call(*(np.repeat(a, 2)[::2] for a in given), *params)
    if function.params:
        yield "parameter_gradients", list(function.parameter_gradients(finite(grad), finite(x)).values())


def rowwise(function: Any, x: np.ndarray, grad: np.ndarray) -> Iterator[tuple[str, Any]]:
    """Rows of several lengths along both axes, scaled, masked; and backward."""
    for shape in ((-1, 10), (-1, 60), (20, -1), (1, -1)):
        rows, incoming = x.reshape(shape), grad.reshape(shape)
        for axis in (0, 1):
            y = function(rows, axis=axis)
            yield f"{shape} {axis}", y
            yield f"{shape} {axis} temperature", function(rows, axis=axis, temperature=0.7)
            yield f"{shape} {axis} where", function(rows, axis=axis, where=rows > -1)
            back = (incoming.take(0, axis), rows) if function.__name__ in ("logsumexp", "logmeanexp") else (incoming, y)
            yield f"{shape} {axis} backward", function.backward(*back, axis=axis)


def gated(function: Any, x: np.ndarray, grad: np.ndarray) -> Iterator[tuple[str, Any]]:
    """One array that is split along either axis, and two arrays."""
    for axis in (0, 1):
        y = function(x, axis=axis)
        yield f"{axis}", y
        yield f"{axis} backward", function.backward(grad[: y.shape[0], : y.shape[1]], x, axis=axis)
    yield "two", function(x, grad)
    yield "two backward", function.backward(grad[::-1], x, grad)


def pieces(function: Any, x: np.ndarray, grad: np.ndarray) -> Iterator[tuple[str, Any]]:
    """maxout, max_affine and crelu."""
    if function.__name__ == "maxout":
        for axis in (0, 1):
            y, winner = function(x, 2, axis, return_index=True)
            yield f"{axis}", (y, winner, function.backward(y, winner, 2, axis))
    elif function.__name__ == "max_affine":
        weight, bias = np.array([-1.5, 0.25, 2.0], x.dtype), np.array([0.5, 0.0, -1.0], x.dtype)
        yield "forward", function(x, weight, bias, return_index=True)
        yield "backward", list(function.backward(grad, x, weight, bias).values())
    else:
        for axis in (0, 1):
            yield f"{axis}", function(x, axis)
            yield f"{axis} backward", function.backward(np.concatenate([grad, grad], axis), x, axis)


def stochastic(function: Any, x: np.ndarray, grad: np.ndarray) -> Iterator[tuple[str, Any]]:
    """With a seed, and backward for what was drawn."""
    if function.__name__ == "rrelu":
        y, slopes = function(x, training=True, rng=7, return_slopes=True)
        yield "forward", (y, slopes, function(x))
        yield "backward", (function.backward(grad, x, slopes), *function.parameter_gradients(grad, x, slopes).values())
    elif function.__name__ == "noisy_relu":
        y, noise = function(x, 7, return_noise=True)
        yield "forward", (y, noise, function(x, training=False))
        yield "backward", function.backward(grad, x, noise)
    else:
        y, soft = function(x, 0.7, hard=True, rng=7, return_soft=True)
        yield "forward", (y, soft)
        yield "backward", function.backward(grad, soft, 0.7)


def digest(result: Any) -> str:
    """A mark of dtypes, shapes and bits."""
    found = hashlib.sha256()
    for array in result if isinstance(result, tuple | list) else [result]:
        array = np.array(array)  # a copy
        if array.dtype.kind == "f":
            array[np.isnan(array)] = np.nan
        found.update(f"{array.dtype.str}{array.shape}".encode())
        found.update(np.ascontiguousarray(array).tobytes())
    return found.hexdigest()[:16]


def of_this_level() -> dict[str, str]:
    """What was called -> digest of its result, at the level that this process runs at."""
    public = [getattr(fa, n) for n in fa.__all__]
    names = sorted({f.__name__ for f in public if hasattr(f, "family") and not isinstance(f, type)})
    found = {}
    with np.errstate(all="ignore"):
        for dtype in ("float16", "float32", "float64"):
            for name in names:
                for what, result in results(name, dtype):
                    found[f"{name} {dtype} {what}"] = digest(result)
    return found


def levels() -> list[str]:
    """The ISA levels that this machine can run."""
    text = io.StringIO()
    with contextlib.redirect_stdout(text):
        fa.show_config()
    (line,) = [line for line in text.getvalue().splitlines() if line.startswith("cpu levels usable")]
    return line.removeprefix("cpu levels usable").replace(",", " ").split()


def main() -> int:
    """Write the digests of every level, compare them if asked to."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("file", help="where the digests go")
    parser.add_argument("--against", help="a file of before")
    parser.add_argument("--here", action="store_true", help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.here:
        Path(given.file).write_text(json.dumps(of_this_level()))
        return 0
    found: dict[str, dict[str, str]] = {}
    for level in levels():
        environment = {**os.environ, "FASTACT_CPU": level}
        subprocess.run([sys.executable, __file__, given.file, "--here"], check=True, env=environment)
        found[level] = json.loads(Path(given.file).read_text())
        whole = hashlib.sha256(json.dumps(found[level], sort_keys=True).encode()).hexdigest()[:16]
        print(f"{level}: {len(found[level])} results, digest {whole}")
    Path(given.file).write_text(json.dumps(found, indent=0, sort_keys=True))
    if not given.against:
        return 0
    before = json.loads(Path(given.against).read_text())
    different = 0
    for level in found.keys() & before.keys():
        new, old = found[level], before[level]
        for what in sorted(new.keys() | old.keys()):
            if new.get(what) != old.get(what):
                different += 1
                print(f"{level}: {what}: {old.get(what)} before, {new.get(what)} now")
        print(f"{level}: {len(new)} results compared")
    print(f"{different} differ")
    return int(different > 0)


if __name__ == "__main__":
    sys.exit(main())
