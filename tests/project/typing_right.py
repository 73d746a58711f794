"""Right uses: type checkers accept every line, and what a line says of its type is what comes back when it runs.

`test_typing.py` has mypy and pyright read this, and calls the functions here with arrays of the types that they ask for:
all but `settings`, which would last, `in_numba`, which would compile, and `elsewhere`, which has no arrays.
"""

from typing import Any, TypeAlias, assert_type

import numpy as np
from numpy.typing import NDArray

import fastact as fa

Half: TypeAlias = NDArray[np.float16]
Single: TypeAlias = NDArray[np.float32]
Double: TypeAlias = NDArray[np.float64]
Masked: TypeAlias = np.ma.MaskedArray[tuple[int], np.dtype[np.float32]]


def values(x16: Half, x32: Single, x64: Double) -> None:
    assert_type(fa.gelu(x16), Half)
    assert_type(fa.gelu(x32), Single)
    assert_type(fa.gelu(x64), Double)
    assert_type(fa.gelu(x=x32), Single)
    assert_type(fa.gelu(x32, approximate="tanh"), Single)
    assert_type(fa.elu(x32, 0.5), Single)
    assert_type(fa.elu(x32, alpha=1), Single)
    assert_type(fa.reflu(x64, 1.0, y0=2.0, slope_right=-3.0), Double)
    assert_type(fa.relu(x32, casting="same_kind", order="C", subok=False), Single)
    assert_type(fa.swish(x16, beta=2.0), Half)
    assert_type(fa.relu.ufunc, np.ufunc)


def defined(x32: Single, x64: Double) -> None:
    swish = fa.define("x * sigmoid(beta * x)", params={"beta": 1.5}, name="swish_of_mine", alias=("mine",))
    assert_type(swish, fa.DefinedActivation)
    assert_type(swish.source, str)
    _ = swish(x32), swish.derivative(x64, 2.0), swish.backward(x32, x32, beta=2.0), swish.parameter_gradients(x64, x64)

    @fa.define(params={"k": 2.0})
    def scaled(x: Any, k: float) -> Any:
        return k * x

    assert_type(scaled, fa.DefinedActivation)
    assert_type(fa.define("x * x"), fa.DefinedActivation)


def biases(x16: Half, x32: Single, x64: Double) -> None:
    assert_type(fa.gelu(x32, bias=x32), Single)
    assert_type(fa.elu(x16, 0.5, bias=x16), Half)
    assert_type(fa.gelu(x32, bias=x64), Any)
    assert_type(fa.gelu(x64, bias=[0.5, 1.0, 2.0, 3.0]), Any)
    assert_type(fa.gelu(x32, bias=x32, out=x16), Half)
    assert_type(fa.gelu.value_and_derivative(x32, bias=x32), tuple[Single, Single])
    assert_type(fa.gelu.backward(x32, x32, bias=x32), Single)
    assert_type(fa.elu.backward(x32, x32, 0.5, bias=x32, return_bias_grad=True), tuple[Single, Single])
    assert_type(fa.gelu.backward(x32, x32, bias=x64, return_bias_grad=True), Any)
    assert_type(fa.star_relu(x32, bias=0.5), Single)


def scalars(s16: np.float16, s32: np.float32, s64: np.float64) -> None:
    assert_type(fa.gelu(1.0), np.float64)
    assert_type(fa.gelu(s16), np.float16)
    assert_type(fa.gelu(s32), np.float32)
    assert_type(fa.gelu(s64), np.float64)
    assert_type(fa.elu(1.0, alpha=0.5), np.float64)
    assert_type(fa.elu(s32, 0.5), np.float32)
    assert_type(fa.elu(s32, s32), np.float32)
    assert_type(fa.elu(s32, s64), np.float64)
    assert_type(fa.mish.derivative(1.0), np.float64)
    assert_type(fa.mish.value_and_derivative(s32), tuple[np.float32, np.float32])
    assert_type(fa.mish.backward(0.5, 1.0), np.float64)
    assert_type(fa.mish.backward(s32, s32), np.float32)
    assert_type(fa.gelu(1.0, dtype=np.float32), np.float32)
    _ = fa.relu(1), fa.relu(True), fa.relu.backward(1, 2)


def lists(x32: Single) -> None:
    assert_type(fa.relu([1.0, -1.0]), Double)
    assert_type(fa.relu([[1.0], [-1.0]]), Double)
    assert_type(fa.relu((1.0, 2)), Double)
    assert_type(fa.elu.derivative([1.0, 2.0], alpha=0.5), Double)
    assert_type(fa.relu.value_and_derivative([1.0]), tuple[Double, Double])
    assert_type(fa.gelu([1, 2]), NDArray[Any])
    assert_type(fa.gelu([x32, x32]), Any)
    assert_type(fa.gelu(range(3)), NDArray[Any])
    assert_type(fa.softmax([[1.0, 2.0]]), Double)
    assert_type(fa.crelu([1.0, 2.0]), Double)
    assert_type(fa.glu([1.0, 2.0]), Double)
    assert_type(fa.rrelu([1.0, 2.0]), Double)
    _ = fa.relu.backward([1.0, 2.0], [3, 4]), fa.softmax.backward([1.0], [1.0])


def integers(ints: NDArray[np.int64], flags: NDArray[np.bool], x32: Single) -> None:
    assert_type(fa.gelu(ints), NDArray[Any])
    assert_type(fa.softmax(flags), NDArray[Any])
    assert_type(fa.gelu(ints, dtype=np.float32, casting="unsafe"), Single)
    assert_type(fa.relu.backward(x32, ints), Any)
    assert_type(fa.relu(np.int16(1)), Any)


def unknown(anything: NDArray[Any], floats: NDArray[np.floating[Any]], x32: Single) -> None:
    """Nothing is promised of arrays whose dtype is not known."""
    y: Single = fa.gelu(floats)
    z: Double = fa.softmax(anything.astype(np.float64))
    single: NDArray[np.floating[Any]] = fa.elu(x32, 0.5)
    shaped: np.ndarray[tuple[int, int], np.dtype[np.float32]] = fa.gelu(np.zeros((2, 3), np.float32))
    a: Single = fa.prelu(x32, anything)
    b: Single = fa.gelu.backward(x32, floats)
    c: Single = fa.softmax.backward(floats, anything)
    d: Single = fa.glu(floats)
    e: Single = fa.glu(floats, anything)
    f: Single = fa.crelu(floats)
    g: Double = fa.gelu(anything, dtype=np.float64)
    _ = y, z, single, shaped, a, b, c, d, e, f, g
    assert_type(fa.gelu(anything, out=x32), Single)
    assert_type(fa.gelu.derivative(np.mean(floats)), Any)


def parameters(x32: Single, x64: Double, s32: np.float32, s64: np.float64) -> None:
    """Python numbers have no say in the dtype; arrays and NumPy's numbers have."""
    assert_type(fa.prelu(x32, x32), Single)
    assert_type(fa.prelu(x32, weight=s32), Single)
    assert_type(fa.prelu(x32, s64), Double)
    assert_type(fa.prelu(x32, weight=x64), Double)
    assert_type(fa.prelu(x64, x64), Double)
    assert_type(fa.hard_tanh(x32, -2.0, s64), Double)
    assert_type(fa.hard_tanh(x32, max_val=s64), Double)
    assert_type(fa.hard_tanh(x32, min_val=-2, max_val=x32), Single)
    assert_type(fa.prelu.derivative(x32, x64), Double)
    assert_type(fa.prelu.value_and_derivative(x32, x64), tuple[Double, Double])
    assert_type(fa.prelu.backward(x32, x32, s64), Double)
    assert_type(fa.prelu.backward(x32, x32, weight=x32), Single)
    _ = fa.prelu(x64, weight=x32), fa.elu(x32, alpha=[0.5] * 4), fa.elu(x32, np.int8(2))


def outputs(x16: Half, x32: Single, x64: Double) -> None:
    assert_type(fa.gelu(x32, out=x32), Single)
    assert_type(fa.gelu(x32, out=(x64,)), Double)
    assert_type(fa.gelu([1.0] * 4, out=x64), Double)
    assert_type(fa.gelu(x32, out=None), Single)
    assert_type(fa.gelu.derivative(x32, out=x32), Single)
    assert_type(fa.gelu.value_and_derivative(x32, out=(x32, x64)), tuple[Single, Double])
    assert_type(fa.gelu.backward(x32, x32, out=x32), Single)
    assert_type(fa.tanh.backward_from_output(x32, x32, out=x64), Double)
    assert_type(fa.softmax(x64, out=x64), Double)
    assert_type(fa.softmax.backward(x32, x32, out=x32), Single)
    assert_type(fa.logsumexp(x16, keepdims=True, out=x64[:1]), Double)
    assert_type(fa.crelu(x32[:2], out=x32.copy()), Single)
    fa.gelu.value_and_derivative(x32, out=(x32, None))


def keywords(x32: Single, flags: NDArray[np.bool]) -> None:
    assert_type(fa.gelu(x32, where=flags, out=None), Single)
    assert_type(fa.gelu(x32, where=[True, False, True, True], out=x32), Single)
    assert_type(fa.gelu(x32, device="cpu"), Single)
    assert_type(fa.gelu(x32, device=None), Single)
    assert_type(fa.gelu(x32, dtype=np.float64), Double)
    assert_type(fa.gelu(x32, dtype=np.dtype(np.float64)), Double)
    assert_type(fa.gelu([1.0], dtype=np.float16), Half)
    assert_type(fa.gelu.derivative(x32, dtype=np.float64), Double)
    assert_type(fa.gelu.backward(x32, x32, dtype=np.float64), Double)
    assert_type(fa.gelu(x32, dtype="d"), Any)
    assert_type(fa.gelu(x32, dtype=float), Any)
    assert_type(fa.softmax(x32, where=flags, device="cpu"), Single)
    assert_type(fa.softmax(x32, dtype=np.float64), Double)


def gradients(x16: Half, x32: Single, x64: Double, s32: np.float32, s64: np.float64) -> None:
    assert_type(fa.gelu.derivative(x32), Single)
    assert_type(fa.gelu.value_and_derivative(x16), tuple[Half, Half])
    y, d = fa.elu.value_and_derivative(x32, alpha=0.5)
    assert_type(y, Single)
    assert_type(d, Single)
    assert_type(fa.gelu.backward(x32, x32), Single)
    assert_type(fa.gelu.backward(grad=x32, x=x32), Single)
    assert_type(fa.gelu.backward(1.0, x32), Single)
    assert_type(fa.gelu.backward(s32, x32), Single)
    assert_type(fa.gelu.backward(s64, x32), Double)
    assert_type(fa.gelu.backward(x64, x32), Double)
    assert_type(fa.gelu.backward(x32, x64), Double)
    assert_type(fa.gelu.backward(x32, 1.0), Single)
    assert_type(fa.gelu.backward(x32, s64), Double)
    assert_type(fa.elu.backward(x32, x32, 0.5), Single)
    assert_type(fa.tanh.backward_from_output(x32, x32), Single)
    assert_type(fa.elu.backward_from_output(grad=x64, y=x64, alpha=0.5), Double)
    assert_type(fa.gelu.backward_from_output, None)
    assert_type(fa.prelu.parameter_gradients(x32, x32), dict[str, np.float32])
    assert_type(fa.prelu.parameter_gradients(x32, x32, 0.1)["weight"], np.float32)
    assert_type(fa.prelu.parameter_gradients(x32, x32, weight=x32)["weight"], Single)
    assert_type(fa.hard_tanh.parameter_gradients(x64, x64, min_val=-2.0), dict[str, np.float64])
    _ = fa.prelu.parameter_gradients(x32, x32, s64), fa.prelu.parameter_gradients([1.0], [2.0])


class Labelled:
    """What is no array of NumPy's, as a column of a table."""

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> Double:
        return np.ones(4, dtype)


def masked(m32: Masked, x32: Single) -> None:
    series = Labelled()
    assert_type(fa.gelu(m32), Masked)
    assert_type(fa.gelu.derivative(m32), Masked)
    assert_type(fa.softmax(m32), Masked)
    assert_type(fa.glu(m32), Masked)
    assert_type(fa.rrelu(m32), Masked)
    assert_type(fa.gelu(series), Any)
    assert_type(fa.gelu.value_and_derivative(series), tuple[Any, Any])
    _ = fa.gelu.backward(series, series), fa.elu(x32, alpha=series)


def rows(x32: Single, x64: Double, s32: np.float32) -> None:
    assert_type(fa.softmax(x32), Single)
    assert_type(fa.softmax(x64, axis=0, temperature=2.0), Double)
    assert_type(fa.log_softmax(x32, (0,)), Single)
    assert_type(fa.softmin(x=x32, axis=None), Single)
    assert_type(fa.softmax(2.0), np.float64)
    assert_type(fa.sparsemax(s32), np.float32)
    assert_type(fa.entmax15.backward(x32, x32, axis=-1), Single)
    assert_type(fa.hardmax.backward(grad=x32, y=x32, temperature=0.5), Single)
    assert_type(fa.logsumexp(x32, axis=None), np.float32)
    assert_type(fa.logsumexp(x32, keepdims=True), Single)
    assert_type(fa.logsumexp(x32), Any)
    assert_type(fa.logsumexp(2.0), np.float64)
    assert_type(fa.logsumexp.backward(s32, x32, keepdims=False), Single)
    _ = fa.softmax.backward(1.0, x32), fa.softmax(x32, dtype="f"), fa.softmax.backward(x64, x32)


def gated(x32: Single, x64: Double, s32: np.float32) -> None:
    assert_type(fa.swiglu(x32), Single)
    assert_type(fa.swiglu(x32, axis=0), Single)
    assert_type(fa.swiglu(x64, x64), Double)
    assert_type(fa.glu(x32, x32, out=x32), Single)
    assert_type(fa.glu(x32, out=x32[:2], device="cpu"), Single)
    assert_type(fa.glu(s32, s32), np.float32)
    assert_type(fa.geglu.backward(x32[:2], x32), Single)
    assert_type(fa.geglu.backward(s32, x32, axis=0), Single)
    assert_type(fa.geglu.backward(x32, x32, x32), tuple[Single, Single])
    _ = fa.glu(x32, 2.0), fa.glu(x32, None), fa.glu(x32, x64)
    assert_type(fa.swiglu(x32, x32, dtype=np.float64, casting="safe", order="C"), Double)
    assert_type(fa.softmax(x32, casting="no"), Single)
    assert_type(fa.swiglu.ufunc, np.ufunc)
    assert_type(fa.swiglu.parameter_gradients(x32[:2], x32), dict[str, np.float32])
    assert_type(fa.swiglu.parameter_gradients(x64, x64, x64, limit=7.0), dict[str, np.float64])
    assert_type(fa.softmax.parameter_gradients(s32, x32, 0, temperature=2.0), dict[str, np.float32])


def pieces(x32: Single, ints: NDArray[np.int64]) -> None:
    assert_type(fa.maxout(x32, 2), Single)
    assert_type(fa.maxout(x32, pieces=2, axis=-1, return_index=True), tuple[Single, NDArray[np.signedinteger[Any]]])
    assert_type(fa.maxout.backward(x32[:2], ints[:2] % 2, 2), Single)
    assert_type(fa.crelu(x32, axis=0), Single)
    assert_type(fa.crelu.backward(x32, x32[:2]), Single)
    assert_type(fa.max_affine(x32, [1.0, 2.0], bias=[0.0, 1.0]), Single)
    assert_type(fa.max_affine(x32, [1.0], [0.0], return_index=True), tuple[Single, NDArray[np.signedinteger[Any]]])
    assert_type(fa.max_affine.backward(x32, x32, [1.0], [0.0]), dict[str, Single])
    flag = bool(len(x32))
    fa.maxout(x32, 2, return_index=flag)


def stochastic(x16: Half, x32: Single) -> None:
    assert_type(fa.rrelu(x32, 0.1, upper=0.3, training=True, rng=0), Single)
    assert_type(fa.rrelu(1.0), np.float64)
    y, slopes = fa.rrelu(x16, training=True, rng=np.random.default_rng(0), return_slopes=True)
    assert_type(y, Half)
    assert_type(fa.rrelu.backward(x16, x16, slopes), Half)
    assert_type(fa.rrelu.parameter_gradients(x32, x32, slopes), dict[str, np.float32])
    z, noise = fa.noisy_relu(x32, np.random.default_rng(0), return_noise=True)
    assert_type(fa.noisy_relu.backward(z, x32, noise), Single)
    assert_type(fa.gumbel_softmax(x32, 0.5, hard=True, axis=-1, rng=1), Single)
    assert_type(fa.gumbel_softmax(x32, return_soft=True), tuple[Single, Single])
    assert_type(fa.gumbel_softmax.backward(x32, soft=x32, tau=0.5), Single)


def the_rest(x32: Single) -> None:
    with fa.device("cpu"), fa.num_threads(1) as threads:
        assert_type(threads, fa.num_threads)
        assert_type(fa.get_num_threads(), int)
    assert_type(fa.activations(), list[str])
    assert_type(fa.get("ELU"), Any)
    assert_type(fa.get("elu")(x32, alpha=0.5), Single)
    activation: fa.Activation = fa.get("swish")
    _ = activation(x32, 0.5), activation.derivative(x32, beta=0.5), activation.parameter_gradients(x32, x32, beta=0.5)
    if activation.backward_from_output is not None:
        activation.backward_from_output(x32, x32)
    rowwise: fa.RowFunction = fa.softmax
    unit: fa.GatedUnit = fa.swiglu
    anything: list[fa.Function] = [fa.relu, rowwise, unit, fa.maxout]
    assert_type([f.__name__ for f in anything], list[str])
    assert_type(fa.elu.params, dict[str, float])
    assert_type(fa.gelu.monotonic, bool)
    assert_type(fa.ufuncs.gelu_backward, np.ufunc)
    assert_type(fa.cuda.is_available(), bool)
    fa.ufuncs.elu(x32, 0.5, out=x32)


def in_numba(x32: Single) -> None:
    _ = fa.numba.gelu(x32), fa.numba.elu_derivative(x32, alpha=0.5), fa.numba.ufuncs.swish(x32, 1.0)
    _ = fa.numba.function("SiLU", "derivative")(x32), fa.numba.ufunc("relu")(x32)


class Lazy:
    def __dask_graph__(self) -> Any:
        return {}


class OnGpu:
    @property
    def __cuda_array_interface__(self) -> dict[str, Any]:
        return {}


def elsewhere(lazy: Lazy, there: OnGpu) -> None:
    assert_type(fa.gelu(lazy), Any)
    assert_type(fa.softmax(lazy, axis=-1), Any)
    assert_type(fa.gelu(there), Any)
    assert_type(fa.gelu(there, out=there), OnGpu)


def diagnostics(x32: Single, x64: Double) -> None:
    assert_type(fa.diagnose(x32, "relu"), fa.Diagnosis)
    assert_type(fa.diagnose(x64, fa.elu, axis=-1, saturation=0.01, alpha=0.5).dead, NDArray[np.bool])
    assert_type(fa.Monitor("gelu", axis=None, approximate="tanh").update(x32).update(x64).result().overall, dict[str, Any])
    assert_type(fa.gradient_flow([x32, x64]), fa.GradientFlow)
    assert_type(fa.gradient_flow({"first": x32, "last": x64}, rng=0).verdict, str)
    assert_type(fa.gradient_flow([(np.ones((2, 3)), np.ones((4, 3)), "relu")], grad=1.0).sizes, Double)
    assert_type(fa.init_gain("leaky_relu", negative_slope=0.2), float)


def settings() -> None:
    fa.set_num_threads(fa.get_num_threads())
    fa.set_cache_limit(1 << 20)
    fa.clear_cache()
    fa.show_config()
