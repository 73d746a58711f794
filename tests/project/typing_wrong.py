"""Wrong uses: type checkers report every line that ends in a mark, and no other. `test_typing.py` has them read this."""

import numpy as np
from numpy.typing import NDArray

import fastact as fa
from fastact import KindCall  # wrong: a name that is not there


def keywords(x: NDArray[np.float32]) -> None:
    fa.elu(x, alhpa=0.5)  # wrong: a misspelled parameter
    fa.gelu(x, alpha=0.5)  # wrong: a parameter of other functions
    fa.leaky_relu(x, alpha=0.5)  # wrong: keras's word for negative_slope
    fa.gelu(x, wher=True)  # wrong: a misspelled keyword of ufuncs
    fa.gelu.derivative(x, approximat="tanh")  # wrong: a misspelled variant
    fa.gelu(x, bias=x, return_bias_grad=True)  # wrong: a keyword of backward
    fa.tanh.backward_from_output(x, x, bias=x)  # wrong: a keyword of what takes x
    fa.star_relu.backward(x, x, bias=x, return_bias_grad=True)  # wrong: its bias is a parameter
    fa.softmax(x, dim=-1)  # wrong: torch's word for axis
    fa.logsumexp(x, keepdim=True)  # wrong: torch's word for keepdims
    fa.softmax(x, keepdims=True)  # wrong: a keyword of logsumexp
    fa.glu(x, dim=0)  # wrong: torch's word for axis
    fa.relu(x, inplace=True)  # wrong: torch's word for out=x
    fa.maxout(x, 2, return_indices=True)  # wrong: a misspelled flag
    fa.rrelu(x, training=True, seed=0)  # wrong: another word for rng
    fa.crelu(x, axes=0)  # wrong: another word for axis


def missing(x: NDArray[np.float32]) -> None:
    fa.gelu()  # wrong: no array
    fa.gelu.backward(x)  # wrong: no second array
    fa.softmax.backward(x)  # wrong: no second array
    fa.maxout(x)  # wrong: no number of pieces
    fa.max_affine(x, [1.0])  # wrong: no bias
    fa.noisy_relu.backward(x, x)  # wrong: no noise
    fa.glu.backward(x)  # wrong: no array beside the gradient
    fa.prelu.parameter_gradients(x)  # wrong: no array beside the gradient


def too_many(x: NDArray[np.float32]) -> None:
    fa.gelu(x, 0.5)  # wrong: gelu has no parameters
    fa.elu(x, 0.5, x)  # wrong: out has to be named
    fa.elu(x, 0.5, alpha=0.5)  # wrong: given twice
    fa.swiglu(x, x, x)  # wrong: three arrays
    fa.swiglu(x, x, casting="some")  # wrong: no such casting
    fa.swiglu(x, x, axis=0)  # wrong: an axis and two arrays
    fa.glu(x, -1)  # wrong: an axis for the second array


def arrays(z: NDArray[np.complex128], text: NDArray[np.str_], objects: NDArray[np.object_]) -> None:
    fa.gelu("x")  # wrong: a string
    fa.gelu(["1", "2"])  # wrong: strings
    fa.gelu(None)  # wrong: None
    fa.gelu({1.0, 2.0})  # wrong: a set
    fa.gelu(1j)  # wrong: a complex number
    fa.gelu(z)  # wrong: complex numbers
    fa.gelu(text)  # wrong: strings
    fa.gelu(objects)  # wrong: objects
    fa.softmax(z)  # wrong: complex numbers
    fa.swiglu(z)  # wrong: complex numbers
    fa.maxout(z, 2)  # wrong: complex numbers


def parameters(x: NDArray[np.float32]) -> None:
    fa.elu(x, "1")  # wrong: a string
    fa.elu(x, alpha=None)  # wrong: None
    fa.softmax(x, axis="rows")  # wrong: a string
    fa.softmax(x, axis=1.0)  # wrong: a float
    fa.softmax(x, temperature="warm")  # wrong: a string
    fa.maxout(x, 2.0)  # wrong: a float
    fa.rrelu(x, rng="0")  # wrong: a string
    fa.rrelu(x, lower=[0.1])  # wrong: a list


def outputs(x: NDArray[np.float32]) -> None:
    fa.gelu(x, out="x")  # wrong: a string
    fa.gelu(x, out=[x])  # wrong: a list
    fa.gelu(x, out=(x, x))  # wrong: two for one result
    fa.gelu.value_and_derivative(x, out=x)  # wrong: one for two results
    fa.softmax(x, out="x")  # wrong: a string
    fa.softmax.backward(x, x, out=1.0)  # wrong: a number
    fa.gelu(x, where="x > 0")  # wrong: a string
    fa.softmax(x, where=x)  # wrong: a mask of numbers
    fa.gelu(x, dtype=np.complex64)  # wrong: complex numbers
    fa.softmax(x, dtype=np.complex64)  # wrong: complex numbers


def choices(x: NDArray[np.float32]) -> None:
    fa.gelu(x, approximate="erf")  # wrong: no such variant
    fa.gelu(x, device="gpu")  # wrong: no such device
    fa.gelu(x, order="Q")  # wrong: no such order
    fa.gelu(x, casting="sometimes")  # wrong: no such rule
    fa.softmax(x, device="gpu")  # wrong: no such device
    fa.sparsemax(x, device="cuda")  # wrong: no kernels for GPUs
    fa.device("gpu")  # wrong: no such device
    fa.set_num_threads("4")  # wrong: a string
    fa.num_threads(2.0)  # wrong: a float
    fa.numba.function("gelu", "gradient")  # wrong: no such kind
    fa.numba.ufunc("gelu", "value_and_derivative")  # wrong: two results


def attributes(x: NDArray[np.float32]) -> None:
    fa.geluu(x)  # wrong: no such function
    fa.gelu.gradient(x)  # wrong: no such kind
    fa.gelu.backward_from_output(x, x)  # wrong: gelu has none
    fa.relu.parameter_gradients(x, x)  # wrong: relu has no parameters
    fa.softmax.derivative(x)  # wrong: a kind of elementwise functions
    fa.logsumexp.ufunc(x)  # wrong: rows have no ufunc
    fa.ufuncs.gelu_gradient(x)  # wrong: no such ufunc
    fa.numba.geluu(x)  # wrong: no such function
    fa.numba.ufuncs.gelu_value_and_derivative(x)  # wrong: two results
    fa.get("elu").derivative(x, alhpa=1.0)  # wrong: a misspelled parameter
    fa.get(fa.elu)  # wrong: no name


def results(x: NDArray[np.float32], number: float) -> None:
    pair: tuple[NDArray[np.float32], NDArray[np.float32]] = fa.gelu(x)  # wrong: a single result
    first, second = fa.gelu.derivative(number)  # wrong: a single result
    single: NDArray[np.float32] = fa.gelu.value_and_derivative(x)  # wrong: a pair
    fa.gelu.value_and_derivative(x).sum()  # wrong: a pair
    double: NDArray[np.float64] = fa.gelu(x)  # wrong: float32
    whole: int = fa.gelu(number)  # wrong: a float
    by_a, by_b, by_c = fa.glu.backward(x, x, x)  # wrong: a pair
    fa.glu.backward(x, x, x).sum()  # wrong: a pair
    best: NDArray[np.float32] = fa.maxout(x, 2, return_index=True)  # wrong: a pair
    fa.rrelu(x).x  # wrong: a single result
    fa.prelu.parameter_gradients(x, x).sum()  # wrong: a dictionary
