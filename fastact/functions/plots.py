"""`plot` and `plot_all`: which functions, at which parameters, in which axes. Drawing is done by ``fastact.plotting``."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np

from ..arguments import unknown_keyword
from ..language.registry import REGISTRY
from ..plotting import require_matplotlib
from .analysis import Curve
from .base import Function
from .general import chosen_variant
from .registry import get

_SECTIONS = {
    "Saturate on both sides": lambda s, m: "no" not in s,
    "Saturate on one side, monotonic": lambda s, m: "no" in s and s != ("no", "no") and m,
    "Saturate on one side, not monotonic": lambda s, m: "no" in s and s != ("no", "no") and not m,
    "Do not saturate": lambda s, m: s == ("no", "no"),
}


def plot(
    *functions: Any, derivative: bool = True, ax: Any = None, xlim: tuple[float, float] | None = None, marks: bool = True,
    **parameters: Any,
) -> Any:  # fmt: skip
    """Draw activations and their derivatives, with what marks them.

    One function is drawn with its derivative in one picture; several are compared, values on the left and derivatives
    on the right. Kinks are dots (filled for what is taken there, open for what a side tends to), limits and other
    asymptotes dotted lines. Saturated tails are shaded, hatched where the derivative is exactly 0; for several functions,
    which would shade each other, tracks in their colours stand for the shades. Every curve has a colour of its own that
    colour-blind people tell from the others, and a line style for print.

    Parameters
    ----------
    *functions : str or Activation
        Elementwise activations, or any of their names.
    derivative : bool, default True
        Draw the derivatives too.
    ax : matplotlib.axes.Axes or two of them, optional
        Where to draw; by default in a new figure of `matplotlib.pyplot`. With one for several functions, values and
        derivatives share it, the latter in thin lines.
    xlim : tuple of float, optional
        Left and right end; by default wide enough for what there is to see.
    marks : bool, default True
        Mark kinks, limits and saturated tails.
    **parameters : float or sequence of float
        Parameters of the functions, for those that have them. A sequence draws a curve for each of its numbers.

    Returns
    -------
    matplotlib.axes.Axes or numpy.ndarray of two of them
        What was drawn in.

    Raises
    ------
    ImportError
        Without matplotlib, which the extra ``plot`` brings: ``pip install "fastact[plot]"``.
    TypeError
        For no function, for a function that is not elementwise, for a parameter that none of the functions has.
    ValueError
        For an unknown name, an empty `xlim`, a number of axes that does not fit.

    Examples
    --------
    >>> import fastact as fa
    >>> from matplotlib.figure import Figure
    >>> axes = fa.plot("gelu", "silu", ax=Figure().subplots(1, 2))
    >>> [line.get_label() for line in axes[1].get_lines() if line.get_label() in ("gelu", "silu")]
    ['gelu', 'silu']
    """
    title = "fastact.plot"
    if not functions:
        raise TypeError(f"{title}: no function is given; expected one or more, as in fastact.plot('gelu', 'silu')")
    labels, curves = _curves(title, [_elementwise(title, f) for f in functions], parameters)
    require_matplotlib(title)
    from ..plotting.axes import draw_one, draw_several, window

    span = window(curves) if xlim is None else _span(title, xlim)
    panels = _panels(title, ax, 2 if derivative and len(curves) > 1 else 1)
    if len(panels) == 2 and not derivative:
        raise ValueError(f"{title}: ax has two axes; expected one, as the derivative is not wanted")
    if len(curves) == 1 and len(panels) == 1:
        draw_one(panels[0], curves[0], labels[0], span, derivative, marks)
    else:
        draw_several(panels, curves, labels, span, derivative, marks)
    return panels[0] if len(panels) == 1 else np.array(panels)


def plot_all(functions: Iterable[Any] | None = None, *, derivative: bool = True, columns: int = 9, figure: Any = None) -> Any:
    """Draw a sheet of small pictures: every elementwise activation with its derivative, by how they saturate.

    Parameters
    ----------
    functions : iterable of str or Activation, optional
        Which; by default all.
    derivative : bool, default True
        Draw the derivatives too.
    columns : int, default 9
        Pictures in a row.
    figure : matplotlib.figure.Figure, optional
        An empty figure to draw in, which gets the size that is needed; by default a new one of `matplotlib.pyplot`.

    Returns
    -------
    matplotlib.figure.Figure
        The sheet.

    Raises
    ------
    ImportError
        Without matplotlib, which the extra ``plot`` brings.
    TypeError
        For a function that is not elementwise.
    ValueError
        For an unknown name, a number of columns that is not positive.

    Examples
    --------
    >>> import fastact as fa
    >>> from matplotlib.figure import Figure
    >>> sheet = fa.plot_all(["relu", "elu", "gelu"], columns=3, figure=Figure())
    >>> [axes.get_title(loc="left") for axes in sheet.axes]
    ['elu', 'relu', 'gelu']
    """
    title = "fastact.plot_all"
    chosen = [get(n) for n in REGISTRY] if functions is None else [_elementwise(title, f) for f in functions]
    if not chosen:
        raise TypeError(f"{title}: functions is empty; expected one or more")
    if not isinstance(columns, int) or columns < 1:
        raise ValueError(f"{title}: columns is {columns!r}; expected a positive whole number")
    require_matplotlib(title)
    from ..plotting.sheet import draw_sheet

    if figure is None:
        from matplotlib import pyplot

        figure = pyplot.figure()
    ordered = sorted(dict.fromkeys(chosen), key=lambda a: a.__name__)
    sections = {
        name: [(a.__name__, Curve(a)) for a in ordered if belongs(a.saturates, a.monotonic)]
        for name, belongs in _SECTIONS.items()
    }
    draw_sheet(figure, {name: curves for name, curves in sections.items() if curves}, min(columns, len(ordered)), derivative)
    return figure


def _elementwise(title: str, function: Any) -> Any:
    """An elementwise activation by itself or by its name; what else there is, is refused with the reason."""
    found = get(function) if isinstance(function, str) else function
    if hasattr(found, "spec") and getattr(found, "kind", "") == "value":
        return found
    if not isinstance(found, Function):
        raise TypeError(f"{title}: got {function!r}; expected an activation of fastact or its name")
    why = {
        "rowwise": "its values depend on whole rows",
        "pieces": "it joins several inputs, or makes several outputs",
        "stochastic": "it draws random numbers",
    }.get(found.family, "it has two inputs")
    hint = f"; fastact.plot({found.activation!r}) shows its gate" if hasattr(found, "activation") else ""
    raise TypeError(f"{title}: {found.__name__} is not elementwise, {why}, so that there is no curve{hint}")


def _curves(title: str, functions: list[Any], parameters: dict[str, Any]) -> tuple[list[str], list[Curve]]:
    """Labels and curves, one for each function, or more where a parameter is a sequence."""
    known = {name for f in functions for name in (*f.spec.params, *f.spec.variants)}
    labels, curves = [], []
    for name in parameters:
        if name not in known:
            own = ["derivative", "ax", "xlim", "marks"]
            raise unknown_keyword(title, name, [*own, *sorted(known)])
    for function in functions:
        given = {n: v for n, v in parameters.items() if n in (*function.spec.params, *function.spec.variants)}
        function, given = chosen_variant(title, function, given)
        rows: list[dict[str, float]] = [{}]
        for name, value in given.items():
            numbers = np.asarray(value)
            if numbers.dtype.kind not in "iuf" or numbers.ndim > 1 or not numbers.size or not np.all(np.isfinite(numbers)):
                raise TypeError(f"{title}: {name} is {value!r}; expected a finite number, or a sequence of these")
            rows = [{**row, name: float(v)} for row in rows for v in numbers.reshape(-1)]
        for row in rows:
            labels.append(", ".join([function.__name__, *(f"{n} = {v:.4g}" for n, v in row.items())]))
            curves.append(Curve(function, row))
    return labels, curves


def _span(title: str, xlim: Any) -> tuple[float, float]:
    try:
        left, right = (float(v) for v in xlim)
    except (TypeError, ValueError):
        raise TypeError(f"{title}: xlim is {xlim!r}; expected two numbers") from None
    if not (left < right and np.isfinite(right - left)):
        raise ValueError(f"{title}: xlim is {xlim!r}; expected two finite numbers, the lesser first")
    return left, right


def _panels(title: str, ax: Any, wanted: int) -> list[Any]:
    """The axes to draw in."""
    if ax is None:
        from matplotlib import pyplot

        figure = pyplot.figure(figsize=(6.4, 4.4) if wanted == 1 else (10.5, 4.4), layout="constrained")
        return list(np.ravel(figure.subplots(1, wanted)))
    panels = list(np.ravel(np.asarray(ax, dtype=object)))
    for panel in panels:
        if not hasattr(panel, "axhline"):
            raise TypeError(f"{title}: ax is {ax!r}; expected axes of matplotlib")
    if len(panels) not in (1, 2):
        raise ValueError(f"{title}: ax has {len(panels)} axes; expected one or two")
    return panels
