"""Time of the elementwise functions into warm memory."""

from .common import DTYPES, KINDS, NAMES, Timed, elementwise, some


class Functions(Timed):
    """Every function on one thread, 20 000 elements: the arrays of a call stay in a core's second-level cache."""

    params = (some(NAMES), some(KINDS), DTYPES)
    param_names = ("function", "kind", "dtype")

    def time_call(self, function, kind, dtype):
        """One call with ``out=``."""
        elementwise(function, kind, dtype, 20_000, "one")()


class Sizes(Timed):
    """A function that memory bounds and one that arithmetic bounds, over sizes.

    1 000 elements are computed on one thread in any case. 100 000 are divided among threads and stay in the
    second-level caches, 1 000 000 in the last-level cache; 10 000 000 are beyond it.
    """

    elements = (1_000, 100_000, 1_000_000, 10_000_000)
    params = (["relu", "gelu"], some(KINDS), DTYPES, some(elements), ["one", "all"])
    param_names = ("function", "kind", "dtype", "elements", "threads")

    def time_call(self, function, kind, dtype, elements, threads):
        """One call with ``out=``."""
        elementwise(function, kind, dtype, elements, threads)()
