"""Which target ran last: recorded by calls on a GPU, at no cost to the others.

A thread whose last call ran on a GPU keeps all calls off the fast path of ``_call`` until its next call on the CPU,
which ends that; so the fast path itself records nothing.
"""

from __future__ import annotations

import threading

from ._call import redirect


class _Mark:
    """Keeps calls off the fast path for as long as it lives."""

    def __init__(self) -> None:
        redirect(1)

    def __del__(self) -> None:
        redirect(-1)


_here = threading.local()  # ``mark``: a _Mark, if the last call of the thread ran on a GPU


def ran_on_gpu() -> None:
    """Record that a call of this thread ran on a GPU."""
    if getattr(_here, "mark", None) is None:
        _here.mark = _Mark()


def ran_on_cpu() -> None:
    """Record that a call of this thread runs on the CPU."""
    if getattr(_here, "mark", None) is not None:
        _here.mark = None


def last_target() -> str:
    """Return where the last call of this thread ran.

    Returns
    -------
    str
        "cuda" if it ran on a GPU, else "cpu". Calls in code that Numba compiles do not count.

    Examples
    --------
    >>> import fastact as fa
    >>> y = fa.relu(-1.0)
    >>> fa.last_target()
    'cpu'
    """
    return "cpu" if getattr(_here, "mark", None) is None else "cuda"
