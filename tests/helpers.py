"""What the test files share: the registry's names, the kinds of a call, comparisons, subprocesses."""

import functools
import importlib.util
import inspect
import os
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import fastact as fa

TESTS = Path(__file__).resolve().parent
PACKAGE = Path(fa.__file__).resolve().parent
NAMES = fa.activations()
WITH_PARAMS = [name for name in NAMES if fa.get(name).params]
WITH_OUTPUT = [name for name in NAMES if fa.get(name).backward_from_output]
DTYPES = [np.float32, np.float64]
KINDS = ["value", "derivative", "value_and_derivative", "backward", "backward_from_output"]
CALLS = [(name, kind) for name in NAMES for kind in KINDS if kind != "backward_from_output" or name in WITH_OUTPUT]
HALVES = [np.dtype(np.float16)]
if importlib.util.find_spec("ml_dtypes"):
    import ml_dtypes

    HALVES.append(np.dtype(ml_dtypes.bfloat16))
FLOATS = {"e": np.float16, "f": np.float32, "d": np.float64}


def every_kind(test):
    """Make of a test of (name, kind, ...) one test for each name, which goes through its kinds and says which one fails."""
    import pytest  # the interpreters of run_python do without

    @functools.wraps(test)
    def run(name, **fixtures):
        for kind in [k for n, k in CALLS if n == name]:
            try:
                test(name=name, kind=kind, **fixtures)
            except Exception as error:
                error.add_note(f"{name}, {kind}")
                raise

    own = inspect.signature(test)
    run.__signature__ = own.replace(parameters=[p for p in own.parameters.values() if p.name != "kind"])
    return pytest.mark.parametrize("name", NAMES)(run)


def function(name, kind="value"):
    """The callable of one kind of an activation."""
    activation = getattr(fa, name)
    return activation if kind == "value" else getattr(activation, kind)


def arrays(name, kind, x):
    """The array arguments of a call at x: (x,), (grad, x) or (grad, y)."""
    if not kind.startswith("backward"):
        return (x,)
    grad = np.linspace(-1.5, 2.0, x.size, dtype=x.dtype).reshape(x.shape)
    return (grad, getattr(fa, name)(x) if kind == "backward_from_output" else x)


def results(got):
    """A tuple of the outputs of a call, one or two."""
    return got if isinstance(got, tuple) else (got,)


def parameter_sets(name):
    """The default parameters, then others on both sides of them."""
    defaults = tuple(fa.get(name).params.values())
    if not defaults:
        return [()]
    return [defaults, *(tuple(a * p + b for p in defaults) for a, b in ((1.37, 0.043), (0.3, 0.0), (2.5, 0.11)))]


def numbers(size, dtype, seed=0, scale=6.0):
    """Ordinary inputs with some in the tails, a zero of each sign, and the largest numbers."""
    rng = np.random.default_rng(seed)
    dtype = np.dtype(dtype).type
    x = rng.normal(0, scale, size).astype(dtype)
    x[rng.random(size) < 0.1] *= dtype(12)
    special = np.array([0.0, -0.0, np.finfo(dtype).max, -np.finfo(dtype).max, np.finfo(dtype).tiny], dtype)
    flat = x.reshape(-1)
    where = rng.permutation(flat.size)[: min(flat.size // 8, special.size)]
    flat[where] = special[: where.size]
    return x


def assert_same_bits(got, want, message=""):
    """Equal shape and dtype, and equal bits but for what a NaN holds besides being one."""
    got, want = np.asarray(got), np.asarray(want)
    assert got.shape == want.shape, message
    assert got.dtype == want.dtype, message
    unsigned = f"u{got.itemsize}"
    got, want = np.ascontiguousarray(got), np.ascontiguousarray(want)
    different = (got.view(unsigned) != want.view(unsigned)) & ~(np.isnan(got) & np.isnan(want))
    if different.any():
        i = tuple(np.argwhere(different)[0])
        count = np.count_nonzero(different)
        raise AssertionError(f"{message}: {count} of {got.size} differ, first at {i}: got {got[i]!r}, want {want[i]!r}")


def run_python(code, *args, timeout=120, **environment):
    """Run code (or a script: None and its path) in a new interpreter that imports the package under test."""
    path = os.pathsep.join(map(str, [PACKAGE.parent, TESTS, *(f for f in TESTS.iterdir() if f.is_dir())]))
    env = {**os.environ, "PYTHONPATH": path, **environment}
    command = [sys.executable, *(["-c", code] if code else []), *args]
    return subprocess.run(command, env=env, cwd=TESTS, capture_output=True, text=True, timeout=timeout, check=False)


def run_c(source, folder, sanitizer, timeout=120):
    """Compile a C program over the package's headers, under a sanitizer if there is one by that name, and run it."""
    compiler = shutil.which("gcc") or shutil.which("cc")
    headers = PACKAGE / "cpu"
    if compiler is None:
        pytest.skip("no C compiler")
    command = [compiler, f"-fsanitize={sanitizer}", "-pthread", "-o", folder / "program"]
    empty = folder / "empty.c"
    empty.write_text("int main(void) { return 0; }\n")
    if subprocess.run([*command, empty], capture_output=True, check=False).returncode:
        pytest.skip("the compiler has no such sanitizer")
    subprocess.run([*command, "-O1", "-g", f"-I{headers}", source], check=True)
    return subprocess.run([folder / "program"], capture_output=True, text=True, check=False, timeout=timeout)
