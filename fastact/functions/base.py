"""What every public function of the package is: named, documented, picklable, with what is known of it.

The families (`elementwise`, `rowwise`, `gated`, `pieces`, `stochastic`) add how they are called. Where a call runs is
decided by ``fastact.dispatch``, what its arguments may be by ``fastact.arguments``; this file knows no family.
"""

from __future__ import annotations

import inspect
from typing import Any

import numpy as np

from ..arguments import REAL, as_array, computed, unknown_keyword
from ..cpu.buffers import keeping
from ..cpu.direct import Direct, enable
from ..dispatch import require_cpu
from .docstrings import numpydoc, paragraphs


class _Required:
    """Stands for an argument that is missing."""


REQUIRED = _Required()

#: For functions that compute with NumPy: no warnings about infinities and NaN, as elementwise kernels give none.
QUIET = np.errstate(all="ignore")


def _public(given: inspect.Signature) -> inspect.Signature:
    """A signature without `_unknown`, which takes the keywords that there are not, and without REQUIRED."""
    found = [p for p in given.parameters.values() if p.name != "_unknown"]
    found = [p.replace(default=p.empty) if p.default is REQUIRED else p for p in found]
    return given.replace(parameters=found)


class Documentation:
    """``__doc__``: the class's own text on the class, the text made from what is known of a function on that."""

    def __init__(self, text: str) -> None:
        self.text = text

    def __get__(self, instance: Any, owner: type) -> str:
        return self.text if instance is None else instance._docstring()


class Function:
    """A public function with what is known of it; not made by users.

    Attributes
    ----------
    aliases : tuple of str
        Its other names.
    summary, latex, notes, reference : str
        What it is, its formula, what else is to be known, and the paper.
    range : tuple of str
        Infimum and supremum of its values; empty where these depend on the parameters.
    family : str
        Its kin.
    """

    family = ""
    #: In `repr`: what it is, and how it is called.
    word, call = "function", ""
    #: Sections of the docstring that a family, or a function of its own class, states.
    parameters = returns = raises = example = ""

    def __init_subclass__(cls) -> None:
        for method in cls.__dict__.values():
            if inspect.isfunction(method) and "_unknown" in inspect.unwrap(method).__code__.co_varnames:
                method.__signature__ = _public(inspect.signature(method))  # type: ignore[attr-defined]
                inspect.unwrap(method).__qualname__ = f"fastact's {cls.word}"
        cls.__doc__ = Documentation(cls.__dict__.get("__doc__") or "")  # type: ignore[assignment]
        if issubclass(cls, Direct):
            enable(cls)

    def __init__(
        self, name: str, *, summary: str, latex: str, reference: str, notes: str = "", range: tuple[str, ...] = (),
        aliases: tuple[str, ...] = (),
    ) -> None:  # fmt: skip
        self.__name__ = self.__qualname__ = name
        self.__module__ = "fastact"
        self.summary, self.latex, self.notes, self.reference = summary, latex, notes, reference
        self.range, self.aliases = range, aliases

    def __repr__(self) -> str:
        return f"<{self.word} fastact.{self.__name__}{self.call}>"

    def __reduce__(self) -> Any:
        return self.__name__  # where it is found in fastact

    @property
    def _numba_type_(self) -> Any:
        """What Numba asks for where it meets a function in code that it compiles."""
        from ..numba.objects import call_type

        return call_type(self.__name__, "value")

    def _title(self, method: str = "") -> str:
        """What messages call it, or a method of it."""
        return f"fastact.{self.__name__}.{method}" if method else f"fastact.{self.__name__}"

    def _check(self, method: str, unknown: dict[str, Any], **required: Any) -> None:
        """Refuse what is missing, and keywords that there are not."""
        title = self._title("" if method == "__call__" else method)
        for name, value in required.items():
            if value is REQUIRED:
                raise TypeError(f"{title}: missing argument {name!r}")
        for name in unknown:
            raise unknown_keyword(title, name, list(inspect.signature(getattr(type(self), method)).parameters)[1:])

    def _docstring(self) -> str:
        return numpydoc(
            self.summary, self._parameters(), self.returns, self.raises, paragraphs([*self._notes(), *self._also()]),
            self.reference, self._example(),
        )  # fmt: skip

    def _parameters(self) -> str:
        return self.parameters

    def _example(self) -> str:
        return self.example.format(name=self.__name__)

    def _notes(self) -> list[str]:
        return [f"Formula: :math:`{self.latex}`", self.notes]

    def _also(self) -> list[str]:
        return ["Also known as " + ", ".join(self.aliases) + "."] if self.aliases else []


def real_array(title: str, name: str, value: Any) -> np.ndarray:
    """The argument as an array, refused if its dtype is not real, or if it is on a GPU."""
    require_cpu(title, name, value)
    array = as_array(value)
    if computed(array.dtype) is None:
        raise TypeError(f"{title}: {name} has dtype {array.dtype}; expected {REAL}")
    return array


def by_ufunc(title: str, ufunc: np.ufunc, *operands: Any, **kwargs: Any) -> Any:
    """Compute by the ufunc, whose refusals say whose call it is."""
    try:
        return keeping(ufunc, *operands, **kwargs)
    except (TypeError, ValueError) as error:
        raise (TypeError if isinstance(error, TypeError) else ValueError)(f"{title}: {error}") from None
