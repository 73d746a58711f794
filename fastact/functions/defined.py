"""`define`: an activation from a formula that a user writes, as an object like the package's own."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from typing import Any

from ..language.kinds import kinds
from ..language.registry import REGISTRY, Spec
from .base import Function
from .docstrings import numpydoc, of_defined
from .elementwise import Activation, KindCall, _Kind, kernel_of
from .registry import BY_NAME, DEFINED, register_defined

_TITLE = "fastact.define"


class DefinedActivation(Activation):
    """An activation made by `define`; its kernels are compiled when they are first called.

    Attributes
    ----------
    source : str
        The formula; reading it again gives the same function.
    """

    word = "defined activation"

    def __init__(self, given: str, spec: Spec, source: str, options: dict[str, Any]) -> None:
        from ..numba.native import Kernels

        Function.__init__(
            self, given or "activation", summary=spec.summary, latex=spec.latex, reference=spec.reference, notes=spec.notes,
            range=spec.range, aliases=spec.alias,
        )  # fmt: skip
        self._given, self.source, self._options = given, source, options
        self.tables = Kernels(spec, "float32", options["cache"]), Kernels(spec, "float64", options["cache"])
        _Kind.__init__(self, spec, kernel_of(spec, "value", self.tables))
        self.backward_from_output = None
        if not spec.second:
            self.second_derivative = None
        self._describe()

    def __getattr__(self, name: str) -> Any:
        if name in kinds(self.spec):
            made = KindCall(self, kernel_of(self.spec, name, self.tables))
            setattr(self, name, made)
            return made
        return super().__getattr__(name)

    def _title(self, method: str = "") -> str:
        return f"{self.__name__}.{method}" if method else self.__name__

    def _docstring_of(self, call: _Kind) -> str:
        return numpydoc(*of_defined(self.spec, self.__name__, call.kind, self.source))

    def __repr__(self) -> str:
        first, *rest = self.source.splitlines()
        return f"<{self.word} {self.__name__}{self.call}: {first}{' ...' if rest else ''}>"

    def __reduce__(self) -> Any:
        return _again, (self._given, self.source, self._options)


def _again(name: str, source: str, options: dict[str, Any]) -> DefinedActivation:
    """What a pickle calls: the function that there is already, or one made from the source."""
    there = DEFINED.get(_key(name, source, options))
    return there if there is not None else _made(source, name, options)


def define(
    formula: Any = None, /, *, params: dict[str, float] | None = None, name: str | None = None,
    alias: str | Sequence[str] = (), latex: str = "", notes: str = "", reference: str = "", cache: bool = False,
) -> Any:  # fmt: skip
    """Make an activation from a formula: an object with all that the package's own have.

    The formula is read, never run. Its derivatives by x and by the parameters are derived from it, compared with differences,
    and compiled with it for this processor when they are first called, by Numba's code generator: vectorised, on all threads, for
    every dtype and layout, in ``@njit`` functions and on GPUs.

    Parameters
    ----------
    formula : str or callable
        An expression in x and the parameters, ``"x * sigmoid(beta * x)"``; a lambda; or a def with assignments and one return,
        for which `define` serves as decorator. It may be made of numbers, ``+ - * /``, whole and half powers, comparisons,
        ``select(condition, a, b)`` (or ``a if condition else b``), abs, sign, sqrt, exp, expm1, log, log1p, sin, cos, erf,
        maximum, minimum, clip, and every elementwise activation of the package and its derivative, ``gelu.derivative(x)``. A
        def may return the derivative too, and then that by each parameter.
    params : dict of str to float, optional
        Parameters with their defaults, at most four; those of a lambda or def may have defaults of their own.
    name : str, optional
        What it is called; by default the name of the def. A function with a name is found by `fastact.get`, and replaces an
        earlier one of that name.
    alias : str or sequence of str
        Other names.
    latex, notes, reference : str
        For the documentation; the formula in LaTeX is made from the expression by default.
    cache : bool, default False
        Keep what is compiled in a folder of the user, ``FASTACT_CACHE_DIR`` or the system's place for caches, for the next
        process.

    Returns
    -------
    DefinedActivation
        Called like `fastact.gelu`, with ``derivative``, ``value_and_derivative``, ``backward``, ``parameter_gradients``, and
        ``second_derivative`` where there is one. It pickles by its source.

    Raises
    ------
    FormulaError
        A SyntaxError: for what is not part of the language, with line, column and what to write instead; for a derivative that
        does not fit the values.
    ImportError
        Without Numba, which the extra ``numba`` brings.
    TypeError, ValueError
        For a formula that is neither text nor function, parameters that are no numbers, a name that is taken or no name.

    Notes
    -----
    Operations are rounded one by one, products and sums fused; functions keep to their bounds. What users write plainly is
    recognised: ``1 / (1 + exp(-x))`` is sigmoid, ``log(1 + exp(x))`` softplus, ``x * sigmoid(k * x)`` silu with ``beta=k``, so
    that no digits are lost. The argument of an exponential or a sine carries what its rounding lost. At a kink the derivative
    is that of the branch that the comparison takes.

    Examples
    --------
    >>> import numpy as np
    >>> import fastact as fa
    >>> swish = fa.define("x * sigmoid(beta * x)", params={"beta": 1.5})
    >>> swish(np.array([-1.0, 0.0, 1.0]))
    array([-0.18242552,  0.        ,  0.81757448])
    >>> float(swish.derivative(0.0)), round(float(swish.parameter_gradients(1.0, 2.0)["beta"]), 12)
    (0.5, 0.180706638924)

    >>> @fa.define
    ... def bump(x, width=1.0):
    ...     u = x / width
    ...     return exp(-u * u)
    >>> bump(np.array([0.0, 1.0]), width=2.0)
    array([1.        , 0.77880078])
    """
    names = (alias,) if isinstance(alias, str) else tuple(alias)
    options = {
        "params": {} if params is None else params, "alias": names, "latex": latex, "notes": notes, "reference": reference,
        "cache": cache,
    }
    if formula is None:
        return lambda function: _made(function, name, options)
    return _made(formula, name, options)


def _key(name: str, source: str, options: dict[str, Any]) -> str:
    """What stands for a definition, for the same one in another process too."""
    told = {k: v for k, v in options.items() if k != "cache"}
    digest = hashlib.sha256(repr((source, sorted(told.items()))).encode()).hexdigest()
    return f"{name or 'activation'}_{digest[:12]}"


def _made(given: Any, name: str | None, options: dict[str, Any]) -> DefinedActivation:
    """Read, differentiate, check and register a formula."""
    try:
        from .definition import Definition  # which reads and differentiates: a plain import of fastact has no use for it
    except ImportError as error:
        raise ImportError(f"{_TITLE}: needs Numba ({error}); pip install 'fastact[numba]'") from None
    found = Definition(given, options["params"])
    named = name or found.formula.name
    for other in (*([named] if named else []), *options["alias"]):
        _require_free(other)
    options = {**options, "params": found.params}
    key = _key(named, found.formula.source, options)
    if key in DEFINED:
        return DEFINED[key]
    spec = REGISTRY.defined[key] = found.spec(key, named or "the formula", options)
    made = DefinedActivation(named, spec, found.formula.source, options)
    register_defined(made, (named, *spec.alias) if named else spec.alias, key)
    return made


def _require_free(name: str) -> None:
    """Refuse a name that is none, or the package's."""
    if not isinstance(name, str) or not name.isidentifier():
        raise ValueError(f"{_TITLE}: name is {name!r}; expected a name as Python has them")
    there = BY_NAME.get(name)
    if there is not None:
        raise ValueError(f"{_TITLE}: the name {name!r} is taken by fastact.{there.__name__}; choose another")
