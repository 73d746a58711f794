"""fastact's functions in Numba: in a compiled loop on the CPU, and on a GPU."""

from importlib.util import find_spec

import numpy as np

import fastact as fa

from .common import DTYPES, Lacking, Timed, arguments, numbers, prepared, some

FUNCTIONS = ["relu", "sigmoid", "gelu"]


class WithoutNumba(Lacking):
    """Everything is lacking where Numba is, or in a fastact from before."""

    def __contains__(self, parameters):
        return find_spec("numba") is None or find_spec("fastact.numba") is None or super().__contains__(parameters)


@prepared
def loop(function, dtype):
    """A call of a loop with the function inside; preparing compiles it."""
    import numba

    activation = getattr(fa, function)

    @numba.njit
    def weighted(x, weight, out):
        for i in range(x.size):
            out[i] = weight[i] * activation(x[i] + weight[i])

    x = numbers(20_000, dtype)
    work = x, numbers(x.size, dtype, 1), np.empty_like(x)
    return lambda: weighted(*work)


class NumbaLoop(Timed):
    """A loop under ``@njit`` that calls a function for each of 20 000 elements."""

    params = (some(FUNCTIONS), DTYPES)
    param_names = ("function", "dtype")
    skip_params = WithoutNumba()

    def time_loop(self, function, dtype):
        """The loop, compiled before."""
        loop(function, dtype)()


@prepared
def on_gpu(function, kind, dtype, elements):
    """A call on arrays that are on the GPU, and the wait for its end."""
    from numba import cuda

    call, args = arguments(function, kind, numbers(elements, dtype))
    there = [cuda.to_device(a) for a in args]
    out = cuda.device_array_like(there[0])

    def finished():
        call(*there, out=out)
        cuda.synchronize()

    return finished


class Cuda(Timed):
    """Calls on arrays that are on an NVIDIA GPU, until the results are there; without a GPU all is skipped."""

    params = (some(["relu", "gelu"]), some(["value", "backward"]), ["float32"], some([100_000, 100_000_000]))
    param_names = ("function", "kind", "dtype", "elements")
    repeat = (10, 100, 2.0)
    number = 1

    def setup(self, function, kind, dtype, elements):
        """Look for a GPU: that takes an import of Numba, so it does not stand in ``skip_params``."""
        if not hasattr(fa, "cuda") or not fa.cuda.is_available():
            raise NotImplementedError("there is no GPU that fastact can use")
        on_gpu(function, kind, dtype, elements)

    def time_call(self, function, kind, dtype, elements):
        """One call with ``out=``, and the wait for it."""
        on_gpu(function, kind, dtype, elements)()
