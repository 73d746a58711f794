"""Where a call runs, decided once, and where the last one ran.

A call runs where its arrays are. What lives on a GPU is computed there; NumPy arrays stay on the CPU unless the caller says
``device="cuda"``, or is in a block that says so. This file knows no function and does no arithmetic; nothing is imported for a
GPU before a call runs on one.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from enum import Enum
from typing import Any

from .cpu.direct import redirect
from .cuda.availability import on_gpu, why_unavailable

# ---------------------------------------------------------------------------------------------------
# Where a call runs
# ---------------------------------------------------------------------------------------------------

_CHOSEN: ContextVar[Any] = ContextVar("fastact.device", default=None)  # (name, what it was before) within a block


class device:
    """Run calls on NumPy arrays on a GPU, within a ``with`` block and the thread or task that entered it.

    Parameters
    ----------
    name : str
        "cuda" or "cpu"; ``device=`` of a call does the same for that call.

    Raises
    ------
    ValueError
        For another name.

    Examples
    --------
    >>> import fastact as fa
    >>> with fa.device("cpu"):
    ...     fa.relu([-1.0, 2.0])
    array([0., 2.])
    """

    def __init__(self, name: str) -> None:
        self.name = _checked(name, "fastact.device: name")

    def __enter__(self) -> device:
        _CHOSEN.set((self.name, _CHOSEN.get()))
        redirect(1)
        return self

    def __exit__(self, *_: Any) -> None:
        redirect(-1)
        here = _CHOSEN.get()
        _CHOSEN.set(here[1] if here else None)


def _checked(name: Any, what: str) -> str:
    """The name of a device, if it is one."""
    if name not in ("cpu", "cuda"):
        raise ValueError(f"{what} is {name!r}; expected 'cpu' or 'cuda'")
    return name


def _block() -> str | None:
    """The device of the innermost block around a call; None without one."""
    here = _CHOSEN.get()
    return here[0] if here else None


class Place(Enum):
    """Where a call runs."""

    CPU = "the CPU"
    HOST = "a GPU, to which arrays of the host are taken"
    THERE = "a GPU, where the arrays are"


def place_of(title: str, given: Any, values: tuple[Any, ...]) -> Place:
    """Where a call runs; refused if it cannot.

    Parameters
    ----------
    title : str
        Of the call, for errors.
    given : str or None
        ``device=`` of the call; None: as the block around it says.
    values : tuple
        Its arrays, and what else may be one.
    """
    chosen = _block() if given is None else _checked(given, f"{title}: device")
    there = any(map(on_gpu, values))
    if not there and chosen != "cuda":
        ran_on_cpu()
        return Place.CPU
    if reason := why_unavailable():
        raise RuntimeError(f"{title}: a GPU is asked for, but {reason}")
    if there and chosen == "cpu":
        raise ValueError(f"{title}: device is 'cpu', but arguments are on a GPU; copy them to the CPU")
    return Place.THERE if there else Place.HOST


def require_cpu(title: str, name: str, value: Any) -> None:
    """Refuse an argument that is on a GPU, for functions that have no kernels there."""
    if on_gpu(value):
        raise TypeError(f"{title}: {name} is {type(value).__name__} on a GPU; expected arrays of the CPU alone")
    ran_on_cpu()


def require_cpu_device(title: str, given: Any) -> None:
    """Refuse a ``device=`` that is none or not the CPU, for functions that have no kernels elsewhere."""
    if given is not None and _checked(given, f"{title}: device") != "cpu":
        raise TypeError(f"{title}: device is {given!r}; this function runs on the CPU alone")


@contextmanager
def gpu(place: Place) -> Iterator[Any]:
    """What computes calls at that place, for the length of one; the call is then the last one, and ran on a GPU."""
    # Both need Numba.
    if place is Place.THERE:
        from .cuda import dispatch

        yield dispatch
    else:
        from .cuda import host

        yield host
    if getattr(_here, "mark", None) is None:
        _here.mark = _Mark()


# ---------------------------------------------------------------------------------------------------
# Where the last one ran
# ---------------------------------------------------------------------------------------------------


class _Mark:
    """Keeps calls off the fast path for as long as it lives.

    A thread whose last call ran on a GPU has one until its next call on the CPU, so that the fast path, which all calls on
    the CPU could take, records nothing.
    """

    def __init__(self) -> None:
        redirect(1)

    def __del__(self) -> None:
        redirect(-1)


_here = threading.local()  # ``mark``: a _Mark, if the last call of the thread ran on a GPU


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
