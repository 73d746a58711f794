"""Digests of results: whether a processor, a compiler or a change of the code gives other bits than those on record.

Every function, kind and dtype is computed over a fixed sample: bits of all magnitudes, ordinary numbers, the special values, and
for float16 every number there is. ``tests/digests.json`` holds the digests of every level with a fused multiply-add, and those
of the baseline level where they are others. ``python tools/digests.py`` compares every level that this machine can run with the
file, ``--numba`` what Numba compiles as well, and fails where anything differs; ``--write`` makes the file of what was found
and says what it changes. docs/reliability.md says what is promised.

What a NaN holds besides being one does not count. Left out is what is summed or drawn with NumPy, or computed with its
logarithm and exponential: gradients by parameters that are summed, logmeanexp, logsumexp with weights, gradients of entmax but
for alpha 1.5 and 2, and the stochastic functions.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import platform
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np

import fastact as fa
from fastact.cpu import levels

RECORD = Path(__file__).resolve().parents[1] / "tests" / "digests.json"
KINDS = ("value", "derivative", "value_and_derivative", "backward", "backward_from_output")
DTYPES = ("float16", "float32", "float64")
SIZE = 8_009  # a prime number: no block, vector or row divides it
WITH_NUMPY = {"logmeanexp"}

Found = dict[str, dict[str, str]]  # "gelu float32" -> what was called -> digest


def mixed(size: int, seed: int) -> np.ndarray:
    """Integers that look random, by splitmix64: the same with any version of NumPy."""
    z = (np.arange(1, size + 1, dtype=np.uint64) + np.uint64(seed * size)) * np.uint64(0x9E3779B97F4A7C15)
    z = (z ^ (z >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    z = (z ^ (z >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return z ^ (z >> np.uint64(31))


def sample(dtype: str, seed: int = 0) -> np.ndarray:
    """Numbers of all magnitudes, ordinary ones between -16 and 16, and special ones."""
    info = np.finfo(dtype)
    if dtype == "float16":
        every = np.arange(1 << 16, dtype=np.uint16)
        return (every * np.uint16(2 * 9001 * seed + 1)).view(np.float16)
    z = mixed(SIZE, seed)
    half = SIZE // 2
    bits = (z[:half] >> np.uint64(64 - info.bits)).astype(f"u{info.bits // 8}").view(dtype)
    digits = info.nmant + 1
    ordinary = (z[half:] >> np.uint64(64 - digits)).astype(dtype) * info.dtype.type(2.0 ** (5 - digits)) - info.dtype.type(16)
    special = np.array([0.0, np.inf, np.nan, info.max, info.tiny, info.smallest_subnormal, 1.0, 3.0], dtype)
    return np.concatenate([bits, ordinary, special, -special])


def finite(x: np.ndarray) -> np.ndarray:
    """The same with moderate numbers in place of those that would fill a whole row with NaN."""
    return np.where(np.abs(x) < 1e4, x, x.dtype.type(0.5))


def names() -> list[str]:
    """Functions of all families but the stochastic one, and but those that NumPy has a say in."""
    public = [getattr(fa, n) for n in fa.__all__]
    found = {f.__name__: f for f in public if hasattr(f, "family") and not isinstance(f, type)}
    return sorted(n for n, f in found.items() if f.family != "stochastic" and n not in WITH_NUMPY)


def results(name: str, dtype: str) -> Iterator[tuple[str, list[Any]]]:
    """(what was called, its results) for one function."""
    function, x = fa.get(name), sample(dtype)
    grad = sample(dtype, 1)
    if isinstance(function, fa.Activation):
        yield from elementwise(function, x, grad)
        return
    x, grad = finite(x), finite(grad)
    n = x.size // 120 * 120
    x, grad = x[:n].reshape(-1, 60), grad[:n].reshape(-1, 60)
    yield from {"rowwise": rowwise, "gated units": gated, "pieces": pieces}[function.family](function, x, grad)


def kinds(function: Any) -> list[str]:
    """Those that an elementwise function has."""
    return [kind for kind in KINDS if kind == "value" or getattr(function, kind) is not None]


def numbers(function: Any) -> list[tuple[float, ...]]:
    """The default parameters, and others."""
    return [(), tuple(1.375 * p + 0.0625 for p in function.params.values())][: 1 + bool(function.params)]


def elementwise_kind(function: Any, dtype: str, kind: str, call: Callable) -> list[Any]:
    """What ``call`` gives for one kind, with each set of parameters that are numbers."""
    x, grad = sample(dtype), sample(dtype, 1)
    return [call(*((grad, x) if kind.startswith("backward") else (x,)), *params) for params in numbers(function)]


def elementwise(function: Any, x: np.ndarray, grad: np.ndarray) -> Iterator[tuple[str, list[Any]]]:
    """All kinds, then with a parameter that is an array, then the gradients by parameters of x's shape, which are not summed."""
    calls = {kind: function if kind == "value" else getattr(function, kind) for kind in kinds(function)}
    for kind, call in calls.items():
        yield kind, elementwise_kind(function, x.dtype.name, kind, call)
    if function.params:
        first, *others = numbers(function)[1]
        given = ((0.125 + np.arange(x.size) % 16 / 8).astype(x.dtype) * x.dtype.type(first), *others)
        yield "arrays", [c(*((grad, x) if k.startswith("backward") else (x,)), *given) for k, c in calls.items()]
        given = [np.full_like(x, p) for p in numbers(function)[1]]
        yield "parameter_gradients", list(function.parameter_gradients(grad, x, *given).values())


def rowwise(function: Any, x: np.ndarray, grad: np.ndarray) -> Iterator[tuple[str, list[Any]]]:
    """Rows of several lengths along both axes, scaled, masked; and backward."""
    name = function.__name__
    for shape in ((-1, 10), (-1, 60), (20, -1), (1, -1)):
        rows, incoming = x.reshape(shape), grad.reshape(shape)
        for axis in (0, 1):
            y = function(rows, axis=axis)
            found = [y, function(rows, axis=axis, temperature=0.75), function(rows, axis=axis, where=rows > -1)]
            given = (incoming.take(0, axis), rows) if name == "logsumexp" else (incoming, y)
            found.append(function.backward(*given, axis=axis))
            if name == "entmax":
                found += [function(rows, alpha, axis) for alpha in (1.25, 3.0)]
            yield f"{shape[0]}x{shape[1]} {axis}", found


def gated(function: Any, x: np.ndarray, grad: np.ndarray) -> Iterator[tuple[str, list[Any]]]:
    """One array that is split along either axis, and two arrays."""
    for axis in (0, 1):
        y = function(x, axis=axis)
        yield f"axis {axis}", [y, function.backward(grad[: y.shape[0], : y.shape[1]], x, axis=axis)]
    yield "two", [function(x, grad), *function.backward(grad[::-1], x, grad)]


def pieces(function: Any, x: np.ndarray, grad: np.ndarray) -> Iterator[tuple[str, list[Any]]]:
    """maxout, max_affine and crelu; what max_affine sums is left out."""
    if function.__name__ == "max_affine":
        weight, bias = np.array([-1.5, 0.25, 2.0], x.dtype), np.array([0.5, 0.0, -1.0], x.dtype)
        yield "forward", list(function(x, weight, bias, return_index=True))
        return
    for axis in (0, 1):
        if function.__name__ == "maxout":
            y, winner = function(x, 2, axis, return_index=True)
            yield f"axis {axis}", [y, winner, function.backward(y, winner, 2, axis)]
        else:
            yield f"axis {axis}", [function(x, axis), function.backward(np.concatenate([grad, grad], axis), x, axis)]


def digest(found: list[Any]) -> str:
    """A mark of dtypes, shapes and bits."""
    mark = hashlib.sha256()
    for array in (a for result in found for a in (result if isinstance(result, tuple) else [result])):
        array = np.array(array)  # a copy
        if array.dtype.kind == "f":
            array[np.isnan(array)] = np.nan
        elif array.dtype.kind == "i":
            array = array.astype(np.int64)
        little = np.ascontiguousarray(array.astype(array.dtype.newbyteorder("<")))
        mark.update(f"{little.dtype.str}{little.shape}".encode())
        mark.update(little.tobytes())
    return mark.hexdigest()[:10]


def of_this_level() -> Found:
    """What was called -> digest of its results, at the level that this process runs at."""
    with np.errstate(all="ignore"):
        return {
            f"{name} {dtype}": {what: digest(found) for what, found in results(name, dtype)}
            for name in names() for dtype in DTYPES
        }  # fmt: skip


def of_numba(name: str, dtype: str) -> dict[str, str]:
    """The digests of all kinds of an elementwise function as Numba compiles it."""
    sys.path[:0] = [str(RECORD.parent), str(RECORD.parent / "numba")]
    import numba_driver

    function = fa.get(name)
    return {
        kind: digest(elementwise_kind(function, dtype, kind, numba_driver.function(name, kind))) for kind in kinds(function)
    }


def has_fma(level: str) -> bool:
    """Whether the kernels of a level have a fused multiply-add."""
    return platform.machine().lower() in ("arm64", "aarch64") if level == "generic" else level != "x86-64"


def recorded(level: str) -> Found:
    """What the file holds for a level."""
    record = json.loads(RECORD.read_text())
    if has_fma(level):
        return record["fma"]
    return {key: {**found, **record["baseline"].get(key, {})} for key, found in record["fma"].items()}


def differences(found: Found, expected: Found) -> list[str]:
    """What has other bits than those expected, or is not there."""
    keys = sorted({(key, what) for table in (found, expected) for key, of in table.items() for what in of})
    pairs = ((key, what, expected.get(key, {}).get(what), found.get(key, {}).get(what)) for key, what in keys)
    return [f"{key} {what}: {new or 'nothing'}, on record {old or 'nothing'}" for key, what, old, new in pairs if new != old]


def written(fma: Found, baseline: Found) -> str:
    """The text of the file: a line for each function and dtype."""
    others = {
        key: other for key, of in baseline.items() if (other := {w: d for w, d in of.items() if fma.get(key, {}).get(w) != d})
    }
    tables = []
    for title, table in (("fma", fma), ("baseline", others)):
        lines = ",\n".join(f"{json.dumps(key)}: {json.dumps(of)}" for key, of in sorted(table.items()))
        tables.append(f'"{title}": {{\n{lines}\n}}')
    return "{\n" + ",\n".join(tables) + "\n}\n"


def main() -> int:
    """Compare every level with the file, or write it."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--write", action="store_true", help="make the file of what is found")
    parser.add_argument("--numba", action="store_true", help="compare what Numba compiles too; takes some minutes")
    parser.add_argument("--here", action="store_true", help="compare the level that FASTACT_CPU names, or the best one, alone")
    parser.add_argument("--json", action="store_true", help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.json:
        print(json.dumps(of_this_level()))
        return 0
    by_level = {levels.LEVEL: of_this_level()} if given.here else {}
    for level in levels.usable_levels() if not given.here else ():
        environment = {**os.environ, "FASTACT_CPU": level if level != "generic" else ""}
        done = subprocess.run([sys.executable, __file__, "--json"], check=True, env=environment, stdout=subprocess.PIPE)
        by_level[level] = json.loads(done.stdout)
    if given.numba:
        by_level["Numba"] = {f"{n} {d}": of_numba(n, d) for n in fa.activations() for d in DTYPES[1:]}
    different = 0
    for level, found in by_level.items():
        expected = recorded(levels.LEVEL if level == "Numba" else level) if RECORD.exists() else {}
        if level == "Numba":
            expected = {key: {what: expected[key][what] for what in of} for key, of in found.items()}
        lines = differences(found, expected)
        different += len(lines)
        print(*lines, f"{level}: {sum(map(len, found.values()))} digests, {len(lines)} differ from the record", sep="\n")
    if not given.write:
        return int(different > 0)
    fma = {level: found for level, found in by_level.items() if level != "Numba" and has_fma(level)}
    first = next(iter(fma.values()), recorded("generic") if RECORD.exists() else {})
    if any(found != first for found in fma.values()):
        print("levels with a fused multiply-add differ from each other: nothing is written")
        return 1
    baseline = next((found for level, found in by_level.items() if level != "Numba" and not has_fma(level)), None)
    RECORD.write_text(written(first, recorded("x86-64") if baseline is None else baseline))
    return 0


if __name__ == "__main__":
    sys.exit(main())
