"""Where calls on NumPy arrays run: on the CPU, or on a GPU if the caller says so."""

from __future__ import annotations

from contextvars import ContextVar, Token
from typing import Any

import numpy as np

from ._call import redirect

_CHOSEN: ContextVar[str | None] = ContextVar("fastact.device", default=None)


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
        self.name = checked(name, "fastact.device: name")
        self._tokens: list[Token[str | None]] = []

    def __enter__(self) -> device:
        self._tokens.append(_CHOSEN.set(self.name))
        redirect(1)
        return self

    def __exit__(self, *_: Any) -> None:
        redirect(-1)
        _CHOSEN.reset(self._tokens.pop())


def checked(name: Any, what: str) -> str:
    """The name of a device, if it is one."""
    if name not in ("cpu", "cuda"):
        raise ValueError(f"{what} is {name!r}; expected 'cpu' or 'cuda'")
    return name


def current() -> str | None:
    """The device of the innermost ``with`` block, or None."""
    return _CHOSEN.get()


def where_to_run(title: str, given: Any, values: tuple[Any, ...]) -> tuple[bool, bool]:
    """Whether a call runs on a GPU, and whether its arrays are there; refused if it cannot.

    Parameters
    ----------
    title : str
        Of the call, for errors.
    given : str or None
        ``device=`` of the call.
    values : tuple
        Its arrays, and what else may be one.
    """
    chosen = current() if given is None else checked(given, f"{title}: device")
    there = any(map(on_gpu, values))
    if there or chosen == "cuda":
        require_gpu(title, there, chosen)
        return True, there
    return False, False


def require_gpu(title: str, there: bool, chosen: str | None) -> None:
    """Refuse a call on a GPU that cannot be used, or on arrays there that are to be computed on the CPU."""
    from .cuda import why_unavailable

    if reason := why_unavailable():
        raise RuntimeError(f"{title}: a GPU is asked for, but {reason}")
    if there and chosen == "cpu":
        raise ValueError(f"{title}: device is 'cpu', but arguments are on a GPU; copy them to the CPU")


_HOST = (np.ndarray, np.generic, float, int, list, tuple, type(None))


def on_gpu(value: Any) -> bool:
    """Whether a value is an array in the memory of a GPU."""
    if isinstance(value, _HOST):
        return False
    if hasattr(value, "__cuda_array_interface__") or getattr(value, "__cuda_ndarray__", False):
        return True
    if hasattr(value, "__dlpack_device__"):
        from ._cuda_dlpack import is_on_gpu

        return is_on_gpu(value)
    return False
