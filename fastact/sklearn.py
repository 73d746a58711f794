"""The activations for scikit-learn's networks: ``fastact.sklearn.install("gelu")``, then ``MLPClassifier(activation="gelu")``.

scikit-learn's networks keep what an activation gives and not what it was given. Where the slope is a function of the output, it
is computed from that, as scikit-learn does; elsewhere the input is kept beside the output for as long as that lives.
"""

from __future__ import annotations

import threading
import weakref
from typing import Any

try:
    from sklearn.neural_network import MLPClassifier, MLPRegressor, _base
    from sklearn.neural_network._multilayer_perceptron import BaseMultilayerPerceptron
    from sklearn.utils._param_validation import StrOptions
except ImportError as error:
    raise ImportError(f"fastact.sklearn: scikit-learn cannot be imported ({error}); pip install 'fastact[sklearn]'") from error

from .arguments import is_number
from .functions import BY_NAME, Activation, RowFunction, get
from .functions.general import bind

__all__ = ["Name", "install", "uninstall"]

_CLASSES: tuple[Any, ...] = (BaseMultilayerPerceptron, MLPClassifier, MLPRegressor)
#: What scikit-learn has by itself.
_THEIRS = dict(_base.ACTIVATIONS), dict(_base.DERIVATIVES)
_LOCK = threading.Lock()


class Name(str):
    """The name of an installed activation; where it is unpickled, in another process too, the activation is installed."""

    given: tuple[Any, dict[str, Any]]

    def __reduce__(self) -> Any:
        return _again, (str(self), *self.given)


def _again(name: str, function: Any, parameters: dict[str, Any]) -> Name:
    """What a pickle calls."""
    return _install(name, get(function) if isinstance(function, str) else function, parameters)


class _InPlace:
    """An activation as scikit-learn calls it: in place, and its slope from the output."""

    def __init__(self, function: Any, parameters: dict[str, Any]) -> None:
        self.function, self.values = function, tuple(parameters.values())
        self.kept: dict[int, tuple[Any, Any]] = {}
        self.from_output = getattr(function, "backward_from_output", None)
        try:
            if self.from_output is not None:
                self.from_output(1.0, 0.0, *self.values)
        except ValueError:  # not with these parameters
            self.from_output = None

    def __call__(self, x: Any) -> None:
        if self.from_output is None:
            number, given = id(x), x.copy()
            self.kept[number] = weakref.ref(x, lambda _: self.kept.pop(number, None)), given
        self.function(x, *self.values, out=x)

    def slope(self, y: Any, delta: Any) -> None:
        """Multiply delta by the derivative."""
        if self.from_output is not None:
            self.from_output(delta, y, *self.values, out=delta)
            return
        owner, given = self.kept.get(id(y), (lambda: None, None))
        if owner() is not y:
            raise RuntimeError(f"fastact.sklearn: {self.function.__name__}: this array is no output of the activation")
        self.function.backward(delta, given, *self.values, out=delta)


class _Rows:
    """A function of rows for the output layer, whose slope is part of the loss."""

    def __init__(self, function: Any) -> None:
        self.function = function

    def __call__(self, x: Any) -> None:
        self.function(x, out=x)


def install(*functions: Any, **parameters: float) -> Any:
    """Let `MLPClassifier` and `MLPRegressor` have activations of fastact.

    Parameters
    ----------
    *functions : str or activation
        Names as for `fastact.get`, by which they are known to scikit-learn then, or what `fastact.define` made; without any,
        all elementwise activations. ``"logistic"``, ``"tanh"``, ``"relu"`` and, for the output, ``"softmax"`` take the place of
        scikit-learn's own.
    **parameters : float
        Of the activation, if it is one: ``install("leaky_relu", negative_slope=0.1)``.

    Returns
    -------
    Name or tuple of Name
        The names, which are strings. An estimator that is given one instead of a plain string can be sent to other
        processes (``n_jobs``): the activation is installed where it arrives.

    Raises
    ------
    TypeError, ValueError
        For what is no activation, or has no such parameter.

    Examples
    --------
    >>> import fastact.sklearn
    >>> from sklearn.neural_network import MLPRegressor
    >>> gelu = fastact.sklearn.install("gelu")
    >>> network = MLPRegressor(hidden_layer_sizes=(8,), activation=gelu, solver="lbfgs", random_state=0)
    >>> network.fit([[-1.0], [0.0], [1.0]], [1.0, 0.0, 1.0]).predict([[0.0]]).round(2)
    array([0.])
    >>> fastact.sklearn.uninstall()
    """
    if parameters and len(functions) != 1:
        raise TypeError(f"fastact.sklearn.install: parameters go with one activation; there are {len(functions)}")
    found: list[tuple[str, Any, dict[str, float]]] = []
    for given in functions or sorted({f.__name__ for f in BY_NAME.values() if isinstance(f, Activation)}):
        function = get(given) if isinstance(given, str) else given
        if not isinstance(function, Activation) and not (isinstance(function, RowFunction) and function.__name__ == "softmax"):
            what = getattr(function, "__name__", repr(function))
            raise TypeError(f"fastact.sklearn.install: {what} is no elementwise activation; expected one, or 'softmax'")
        title = f"fastact.sklearn.install: {function.__name__}"
        if isinstance(function, Activation):
            call: Any = type("Call", (), {"spec": function.spec, "title": title, "arrays": ("x",), "keywords": ()})
            values = bind(call, (), parameters)
            for name, value in zip(function.params, values, strict=True):
                if not is_number(value):
                    raise TypeError(f"{title}: {name} is {value!r}; expected a number")
            found.append((str(given) if isinstance(given, str) else function.__name__, function,
                          dict(zip(function.params, map(float, values), strict=True))))  # fmt: skip
        elif parameters:
            raise TypeError(f"{title} has no parameters here")
        else:
            found.append(("softmax", function, {}))
    names = tuple([_install(*each) for each in found])
    return names[0] if len(functions) == 1 else names


def _install(name: str, function: Any, parameters: dict[str, Any]) -> Name:
    with _LOCK:
        if isinstance(function, RowFunction):
            _base.ACTIVATIONS[name] = _Rows(function)
        else:
            made = _InPlace(function, parameters)
            _base.ACTIVATIONS[name], _base.DERIVATIVES[name] = made, made.slope
        _allow()
    known = Name(name)
    known.given = (function if function.__name__ not in BY_NAME else function.__name__), parameters
    return known


def uninstall() -> None:
    """Give scikit-learn back what it has by itself.

    Examples
    --------
    >>> import fastact.sklearn
    >>> _ = fastact.sklearn.install("mish")
    >>> fastact.sklearn.uninstall()
    """
    with _LOCK:
        for table, theirs in zip((_base.ACTIVATIONS, _base.DERIVATIVES), _THEIRS, strict=True):
            table.clear()
            table.update(theirs)
        _allow()


def _allow() -> None:
    """Let the estimators take the names that there are slopes for."""
    for known in _CLASSES:
        known._parameter_constraints["activation"] = [StrOptions(set(_base.DERIVATIVES))]
