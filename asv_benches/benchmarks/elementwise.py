"""Time of the elementwise functions into warm memory."""

from .common import DTYPES, KINDS, NAMES, Lacking, elementwise, some


class Functions:
    """Every function on one thread, 20 000 elements: the arrays of a call stay in a core's second-level cache."""

    version = "1"
    params = (some(NAMES), some(KINDS), DTYPES)
    param_names = ("function", "kind", "dtype")
    skip_params = Lacking()

    def time_call(self, function, kind, dtype):
        """One call with ``out=``."""
        call, args, out = elementwise(function, kind, dtype, 20_000, "one")
        call(*args, out=out)


class Sizes:
    """A function bound by memory, one with one exponential and the dearest common one, over sizes.

    1 000 elements are computed on one thread in any case. 100 000 are divided among threads and stay in the
    second-level caches, 1 000 000 in the last-level cache; 10 000 000 are beyond it.
    """

    version = "1"
    params = (some(["relu", "sigmoid", "gelu"]), some(KINDS), DTYPES, some([1_000, 100_000, 1_000_000, 10_000_000]), ["one", "all"])
    param_names = ("function", "kind", "dtype", "elements", "threads")
    skip_params = Lacking()

    def time_call(self, function, kind, dtype, elements, threads):
        """One call with ``out=``."""
        call, args, out = elementwise(function, kind, dtype, elements, threads)
        call(*args, out=out)
