"""What users put around fastact: the decorators of Numba with their options, declared function types, no compiler at all."""

import numpy as np
import pytest
from helpers import assert_same_bits, numbers, run_python

import fastact as fa

numba = pytest.importorskip("numba")

from numba import float64, guvectorize, njit, types, vectorize  # noqa: E402
from numba.experimental import jitclass  # noqa: E402

X = numbers(24, np.float32).reshape(4, 6)
DECLARED = types.FunctionType(float64(float64))


def test_parallel_calls():
    """A call over an array is a parallel loop of Numba's, in place and of two results too."""

    @njit(parallel=True)
    def run(x, y):
        return fa.gelu(fa.silu.backward(x, y, out=y)), fa.swiglu(x, y)

    x = numbers(50_000, np.float32)
    y = x[::-1].copy()
    want = run.py_func(x, y.copy())
    for got, w in zip(run(x, y), want, strict=True):
        assert_same_bits(got, w)
    assert_same_bits(y, fa.silu.backward(x, x[::-1]))
    assert run.get_metadata(run.signatures[0])["parfor_diagnostics"].count_parfors() == 3


@pytest.mark.release
def test_parallel_loops_and_array_expressions():
    @njit(parallel=True)
    def run(x, w, y):
        rows = np.empty_like(x)
        for i in numba.prange(len(x)):
            rows[i] = fa.relu(x[i])
            fa.gelu(x[i], out=y[i])
        both = fa.elu.value_and_derivative(x, alpha=0.5)
        return rows + fa.numba.relu6(x), fa.prelu(x, w), both[0], both[1], fa.glu(x), fa.softmax(x), fa.tanh(x[0, 0])

    for x in (X, np.tile(X, 2)[:, ::2]):
        w, y = np.arange(x.shape[1], dtype=np.float32), np.empty_like(x, order="C")
        for got, want in zip(run(x, w, y)[:-1], run.py_func(x, w, y.copy()), strict=False):
            assert_same_bits(got, want)
            assert_same_bits(y, fa.gelu(x))


def test_vectorize_and_guvectorize():
    @vectorize(["f4(f4)"])
    def each(x):
        return fa.elu.derivative(x, alpha=0.5) + fa.numba.relu(x)

    @guvectorize(["(f4[:], f4[:])"], "(n)->(n)")
    def row(x, out):
        out[:] = fa.gelu(x)

    assert_same_bits(each(X), fa.elu.derivative(X, alpha=0.5) + fa.relu(X))
    assert_same_bits(row(X.T), fa.gelu(X.T).copy())


def test_cfunc_and_jitclass():
    @numba.cfunc("float64(float64)")
    def pointer(x):
        return fa.gelu(x)

    @jitclass([("weight", float64[:])])
    class Layer:
        def __init__(self, weight):
            self.weight = weight

        def forward(self, x):
            return fa.tanh(x * self.weight)

    assert pointer.ctypes(-0.5) == fa.gelu(-0.5)
    assert_same_bits(Layer(np.array([1.0, 2.0])).forward(np.ones(2)), fa.tanh(np.array([1.0, 2.0])))


def test_cached_code_is_found_again(tmp_path):
    """With the package's functions as globals and as arguments; unless a formula is another one now, whoever used it.

    Kernels of row-wise functions are looked up anew by the code that was found.
    """
    (tmp_path / "cached.py").write_text(
        "import numba, numpy as np, fastact as fa\n"
        "@numba.njit(cache=True)\ndef own(x): return fa.softsign(x)\n"
        "@numba.njit(cache=True)\ndef outer(x): return own(x)[0] + fa.softmax(x)[0]\n"
        "@numba.njit(cache=True)\ndef apply(f, x): return f(x)\n"
        "called = outer(np.ones(1)), apply(fa.relu, 3.0)\n"
        "print(*called, *(sum(f.stats.cache_hits.values()) for f in (outer, apply)))"
    )
    code = (
        "import dataclasses, sys; sys.path.insert(0, sys.argv[1])\n"
        "import fastact.activations; from fastact.language.registry import REGISTRY\n"
        "REGISTRY['softsign'] = dataclasses.replace(REGISTRY['softsign'], formula=REGISTRY[sys.argv[2]].formula)\n"
        "import cached"
    )
    new = str(1.0 + fa.tanh(1.0))
    for formula, want in (("softsign", "1.5 3.0 0 0"), ("softsign", "1.5 3.0 1 1"), ("tanh", f"{new} 3.0 0 1")):
        done = run_python(code, str(tmp_path), formula)
        assert done.stdout.strip() == want, done.stderr


def test_declared_function_types():
    """`fastact.numba` has what goes where a FunctionType is declared; inside compiled code the package's own does too."""

    @njit(float64(DECLARED, float64))
    def apply(function, x):
        return function(x)

    @njit(float64(float64))
    def inside(x):
        return apply(fa.tanh, x)

    assert apply(fa.numba.tanh, 0.5) == inside(0.5) == fa.tanh(0.5)
    assert apply(fa.numba.gelu_derivative, 0.5) == fa.gelu.derivative(0.5)
    assert apply(fa.numba.elu, -0.5) == fa.elu(-0.5)  # whose parameter has its default
    for _ in range(2):  # Numba finds the conversion each time
        with pytest.raises(TypeError, match=r"fastact\.tanh has no one address .* pass fastact\.numba\.tanh$"):
            apply(fa.tanh, 0.5)
        with pytest.raises(TypeError, match=r"fastact\.gelu\.derivative has .* pass fastact\.numba\.gelu_derivative$"):
            apply(fa.gelu.derivative, 0.5)


def test_without_a_compiler():
    """With NUMBA_DISABLE_JIT everything is computed by the package's own kernels."""
    code = """
import numba, numpy as np, fastact as fa
from fastact.language.kinds import kinds
from fastact.language.registry import REGISTRY
from helpers import arrays, assert_same_bits, function, results
x = np.linspace(0.25, 3, 7, dtype=np.float32)
for name, spec in REGISTRY.items():
    for kind in kinds(spec):
        given = [*arrays(name, kind, x), *spec.params.values()]
        for made in [fa.numba.function(name, kind), *([fa.numba.ufunc(name, kind)] if "and" not in kind else [])]:
            for got, want in zip(results(made(*given)), results(function(name, kind)(*given)), strict=True):
                assert_same_bits(got, want, name)
@numba.njit
def own(x): return fa.tanh(x) + fa.elu.backward(x, x, alpha=0.5) + fa.numba.elu(x)
assert_same_bits(own(x), fa.tanh(x) + fa.elu.backward(x, x, alpha=0.5) + fa.elu(x))
assert fa.numba.elu(-1.0, alpha=0.5) == fa.elu(-1.0, alpha=0.5)
@numba.vectorize
def compiled(x): return fa.tanh(x)
try: compiled(x)
except numba.TypingError as error: print(error)
"""
    done = run_python(code, NUMBA_DISABLE_JIT="1")
    assert "fastact.tanh: NUMBA_DISABLE_JIT leaves nothing" in done.stdout, done.stderr
