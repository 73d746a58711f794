"""Every public function by its names. The families fill it; nothing here knows them."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from ..arguments import folded, look_up
from ..language.registry import REGISTRY

#: Elementwise, row-wise, gated, of several pieces, randomised: by every one of their names.
BY_NAME: dict[str, Any] = {}
#: Those that users define, which are found and not listed.
DEFINED: dict[str, Any] = {}
_FOLDED: dict[str, Any] = {}


def register(functions: list[Any]) -> dict[str, Any]:
    """Make functions public, by name and aliases; returns these."""
    found = {name: function for function in functions for name in (function.__name__, *function.aliases)}
    BY_NAME.update(found)
    _FOLDED.update({folded(name): function for name, function in found.items()})
    return found


def register_defined(function: Any, names: Iterable[str], key: str) -> None:
    """Let a function that a user defined be found by its names, which others may have had, and by what stands for it."""
    DEFINED[key] = function
    for name in names:
        DEFINED[name] = _FOLDED[folded(name)] = function


def get(name: str) -> Any:
    """Return the activation or other function of that name or alias; case, "-" and "_" do not matter.

    Parameters
    ----------
    name : str
        Canonical name or alias: ``"silu"``, ``"swish"``, ``"SiLU"``.

    Raises
    ------
    ValueError
        If there is none; the message suggests near names.

    Examples
    --------
    >>> import fastact as fa
    >>> fa.get("swish") is fa.silu
    True
    """
    try:
        return BY_NAME[name] if name in BY_NAME else DEFINED[name]
    except (KeyError, TypeError):
        return look_up("fastact.get", name, _FOLDED)


def activations() -> list[str]:
    """Return the canonical names of all elementwise activations, sorted.

    Examples
    --------
    >>> import fastact as fa
    >>> "gelu" in fa.activations()
    True
    """
    return sorted(REGISTRY)
