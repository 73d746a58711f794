"""The number of threads, for a ``with`` block."""

from __future__ import annotations

from typing import Any

from ._kernels import checked_threads, own_threads


class num_threads:
    """Use so many threads within a ``with`` block, in the thread that entered it; others are not touched.

    Parameters
    ----------
    n : int
        At least 1. Without OpenMP everything runs on one thread.

    Raises
    ------
    TypeError, ValueError
        If ``n`` is no integer, or less than 1.

    See Also
    --------
    fastact.set_num_threads : For the process.

    Examples
    --------
    >>> import fastact as fa
    >>> with fa.num_threads(1):
    ...     fa.get_num_threads()
    1
    """

    def __init__(self, n: int) -> None:
        self._n = checked_threads(n, "num_threads")
        self._before: list[int] = []

    def __enter__(self) -> num_threads:
        self._before.append(own_threads(self._n))
        return self

    def __exit__(self, *_: Any) -> None:
        own_threads(self._before.pop())
