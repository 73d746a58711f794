"""fastact inside the user's own @njit code, and the public names of fastact.numba."""

import numpy as np
import pytest
from helpers import NAMES, assert_same_bits, numbers, run_python

import fastact as fa

numba = pytest.importorskip("numba")

import fastact.numba as compiled  # noqa: E402
from fastact.cpu import levels  # noqa: E402

X = numbers(60, np.float32).reshape(4, 3, 5)
LAYOUTS = {
    "C": X,
    "F": np.asfortranarray(X),
    "strided": np.repeat(X, 2, axis=2)[:, :, ::2],
    "reversed": X[::-1, ::-1, ::-1],
    "transposed": X.transpose(2, 0, 1),
    "one row": X[1, 1],
    "column": X[:, :1, 2],
    "zero-size": X[:, :0],
    "float64": X.astype(np.float64),
    "0-d": np.array(1.5, np.float32),
}


@numba.njit
def value(x):
    return fa.gelu(x)


@numba.njit
def derivative(x):
    return fa.gelu.derivative(x)


@numba.njit
def both(x):
    return fa.elu.value_and_derivative(x, alpha=0.5)


@numba.njit
def backward(grad, x):
    return fa.gelu.backward(grad, x)


@numba.njit
def prelu(x, weight):
    return fa.prelu(x, weight)


@pytest.mark.parametrize("layout", LAYOUTS)
def test_layouts(layout):
    x = LAYOUTS[layout]
    assert_same_bits(value(x), fa.gelu(x))


@pytest.mark.parametrize("layout", [
    pytest.param(layout, marks=() if layout in ("C", "strided", "0-d") else pytest.mark.release) for layout in LAYOUTS
])  # fmt: skip
def test_layouts_of_two_outputs(layout):
    x = LAYOUTS[layout]
    for got, want in zip(both(x), fa.elu.value_and_derivative(x, alpha=0.5), strict=True):
        assert_same_bits(got, want)


@pytest.mark.parametrize(
    "shapes", [((5,), (5,)), ((4, 5), (5,)), ((1, 5), (4, 1)), ((3,), (1,)), ((0, 3), (3,)), ((2, 1), (2, 0)), ((), ())]
)
def test_broadcasting(shapes):
    grad, x = (numbers(int(np.prod(s)), np.float32, i).reshape(s) for i, s in enumerate(shapes))
    assert_same_bits(backward(grad, x), np.asarray(fa.gelu.backward(grad, x)))
    assert_same_bits(backward(grad.copy("F"), x), np.asarray(fa.gelu.backward(grad, x)))


def test_scalars_among_arrays():
    x = X[0]
    assert_same_bits(backward(1.0, x), fa.gelu.backward(np.float64(1.0), x))
    assert_same_bits(prelu(x, 0.3), fa.prelu(x, 0.3))
    assert_same_bits(prelu(x, np.float32([0.1, 0.2, 0.3, 0.4, 0.5])), fa.prelu(x, np.float32([0.1, 0.2, 0.3, 0.4, 0.5])))
    assert_same_bits(prelu(x, np.arange(5.0)), fa.prelu(x, np.arange(5.0)))


def test_scalars():
    assert value(1.25) == fa.gelu(1.25)
    assert value(np.float32(1.25)) == fa.gelu(np.float32(1.25))
    assert derivative(-0.5) == fa.gelu.derivative(-0.5)
    assert both(-2.0) == fa.elu.value_and_derivative(-2.0, alpha=0.5)
    assert backward(2.0, -0.5) == 2.0 * fa.gelu.derivative(-0.5)
    assert np.isnan(value(np.nan))


@pytest.mark.parametrize("dtype", [np.int16, pytest.param(np.uint32, marks=pytest.mark.release), np.int64])
def test_integers_promote_as_for_exp(dtype):
    x = np.arange(4, dtype=dtype)
    assert_same_bits(value(x), fa.gelu(x))
    assert value(x[2]) == fa.gelu(x[2])


@pytest.mark.parametrize("dtype", [np.bool_, np.uint8])
def test_narrow_integers_give_float32(dtype):
    """NumPy has float16 for these, which Numba lacks on the CPU."""
    x = np.ones(3, dtype)
    assert_same_bits(value(x), fa.gelu(x.astype(np.float32)))


def test_parameters():
    @numba.njit
    def calls(x):
        return fa.elu(x), fa.elu(x, 0.5), fa.elu(x, alpha=0.5), fa.elu(x, 2), fa.threshold(x, value=-1.0), fa.swish(x)

    for got, want in zip(calls(X), calls.py_func(X), strict=True):
        assert_same_bits(got, want)


def test_functions_as_values():
    """Activations can be passed to compiled functions, closed over, and imported by name."""
    from fastact import relu

    @numba.njit
    def apply(function, x):
        return function(x)

    closed = fa.tanh

    @numba.njit
    def others(x):
        return relu(x), closed.derivative(x)

    assert_same_bits(apply(fa.silu, X), fa.silu(X))
    assert_same_bits(apply(fa.silu.derivative, X), fa.silu.derivative(X))
    for got, want in zip(others(X), (fa.relu(X), fa.tanh.derivative(X)), strict=True):
        assert_same_bits(got, want)


def test_fastmath_of_the_caller_stays_there():
    """Neither its own results nor those of functions compiled later change."""
    special = np.array([np.nan, np.inf, -np.inf, -0.0, 1e-45, -90.0, *np.linspace(-9, 9, 1000)], np.float32)

    @numba.njit(fastmath=True)
    def fast(x):
        return fa.mish(x), fa.mish.backward(x, x), fa.mish(x[7])

    @numba.njit
    def plain(x):
        return fa.mish(x), fa.mish.backward(x, x), fa.mish(x[7])

    want = fa.mish(special), fa.mish.backward(special, special), fa.mish(special[7])
    for run in (fast, plain):
        for got, w in zip(run(special), want, strict=True):
            assert_same_bits(np.float32(got), w)


def test_read_only_arrays():
    x = X[0].copy()
    x.flags.writeable = False
    assert_same_bits(value(x), fa.gelu(x))


@pytest.mark.parametrize("argument", ["text", 1j, np.zeros(3, np.complex64)])
def test_types_that_are_refused(argument):
    with pytest.raises(numba.TypingError, match=r"fastact\.gelu: x is .*; expected a number of float32, float64"):
        value(argument)


def test_shapes_that_are_refused():
    with pytest.raises(ValueError, match=r"fastact\.gelu\.backward: the shapes of the arguments do not broadcast"):
        backward(X[0], X[0, :, :4])


def test_attributes_that_are_refused():
    with pytest.raises(numba.TypingError, match="Unknown attribute 'slope'"):
        numba.njit(lambda x: fa.gelu.slope(x))(1.0)
    with pytest.raises(numba.TypingError, match="too many"):
        numba.njit(lambda x: fa.gelu(x, 3.0))(1.0)
    with pytest.raises(numba.TypingError, match="backward_from_output"):
        numba.njit(lambda x: fa.gelu.backward_from_output(x, x))(1.0)


def test_names():
    assert compiled.swish is compiled.silu is compiled.function("SiLU")
    assert compiled.elu_backward is compiled.function("elu", "backward")
    assert compiled.elu(-1.0) == fa.elu(-1.0)
    assert compiled.elu_backward(2.0, -1.0, alpha=0.5) == fa.elu.derivative(-1.0, alpha=0.5) * 2
    assert "elu" in compiled.elu.__doc__
    for name in NAMES:
        for label in (name, f"{name}_derivative", f"{name}_backward"):
            assert getattr(compiled, label).__name__ == label
    with pytest.raises(AttributeError, match="no attribute 'gelu_slope'"):
        _ = compiled.gelu_slope
    with pytest.raises(ValueError, match=r"fastact\.numba\.function: gelu has no kind 'slope'; expected one of value, "):
        compiled.function("gelu", "slope")


def test_ufuncs():
    ufunc = compiled.ufuncs.elu
    assert ufunc.types == ["ff->f", "dd->d"]
    assert_same_bits(ufunc(X, 0.5), fa.elu(X, 0.5))
    assert_same_bits(ufunc(X[:, ::2].astype(np.float64), 0.5), fa.elu(X[:, ::2].astype(np.float64), 0.5))
    assert ufunc(np.arange(3), 0.5).dtype == np.float64
    out = np.empty_like(X)
    assert compiled.ufuncs.gelu_backward(X, X, out=out) is out
    assert_same_bits(out, fa.gelu.backward(X, X))
    assert compiled.ufuncs.swish is compiled.ufunc("silu")
    with pytest.raises(ValueError, match="two results"):
        compiled.ufunc("gelu", "value_and_derivative")
    with pytest.raises(AttributeError, match=r"ufuncs has no attribute 'gelu_slope'"):
        _ = compiled.ufuncs.gelu_slope


def test_numba_is_imported_on_first_use():
    code = "import sys, fastact as fa; fa.gelu(1.0); assert 'numba' not in sys.modules; fa.numba; print('numba' in sys.modules)"
    assert run_python(code).stdout.strip() == "True"
    done = run_python("import sys; sys.modules['numba'] = None; import fastact as fa; fa.gelu(1.0); fa.numba")
    assert "ImportError: fastact.numba" in done.stderr
    assert "fastact[numba]" in done.stderr


def test_numba_that_is_too_old():
    done = run_python("import numba; numba.__version__ = '0.62.1'; import fastact as fa; fa.numba")
    assert "ImportError: fastact.numba: Numba 0.62.1 is too old; expected 0.63 or later" in done.stderr


ORDERS = {
    "after other code": "import numba, sys\nassert numba.njit(lambda x: x + 1)(1) == 2\n"
    "assert 'fastact' not in sys.modules\nimport fastact as fa\n",
    "fastact first": "import fastact as fa, numba\n",
    "the face of this wing first": "import fastact.numba\nimport fastact as fa, numba\n",
}


@pytest.mark.parametrize("order", [pytest.param(o, marks=() if "other" in o else pytest.mark.release) for o in ORDERS])
def test_nothing_but_fastact_is_imported(order):
    """Numba learns what it needs when it first meets one of the package's objects, halfway through a function."""
    code = ORDERS[order] + "@numba.njit\ndef f(x): return fa.relu(x), fa.elu.derivative(x, alpha=0.5)\nprint(f(2.0))"
    done = run_python(code)
    assert done.stdout.strip() == "(2.0, 1.0)", done.stderr


def test_without_fused_multiply_add():
    """Where Numba has no FMA instruction it composes one as the baseline kernels do: the same bits."""
    code = """
import numpy as np
import numba_driver
from helpers import assert_same_bits, function, numbers
for name, dtype in (("gelu", np.float32), ("snake", np.float64), ("log1mexp", np.float64)):
    x = numbers(500, dtype)
    assert_same_bits(numba_driver.compute(name, "value", x), function(name)(x), name)
    assert "fmadd" not in next(iter(numba_driver.driver(name, x.dtype.name).inspect_asm().values()))
print("same")
"""
    if "x86-64" not in levels.usable_levels():
        pytest.skip("every processor of this kind has fused multiply-add")
    done = run_python(code, NUMBA_CPU_NAME="x86-64", NUMBA_CPU_FEATURES="+sse2", FASTACT_CPU="x86-64")
    assert done.stdout.strip() == "same", done.stderr[-3000:]
