"""What is known of the elementwise activations, as data: `Info`, a table of all of them, and a search in it."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass, fields
from functools import cache
from typing import Any

from ..arguments import unknown_keyword
from ..language.counting import operations
from ..language.registry import REGISTRY
from .analysis import SATURATED, Curve, Extremum, Kink
from .registry import get

_SATURATIONS = ("hard", "soft", "no")
_SMOOTHNESS = ("discontinuous", "C0", "C1", "C2", "smooth")
#: Fields that `find` compares with no condition of its own: texts, and what is in other fields.
_TEXTS = ("name", "aliases", "summary", "formula", "reference")


@dataclass(frozen=True, repr=False)
class Info:
    """What is known of an activation at its default parameters; ``fastact.gelu.info`` is one.

    Its text, also at the prompt, is a table for people; `record` gives a dict.

    Attributes
    ----------
    name, summary, formula, reference : str
        What it is called, what it is, its formula in LaTeX, the first paper.
    aliases : tuple of str
        Its other names.
    family : str
        Its kin, by how it is computed.
    parameters : dict of str to float
        With their defaults.
    trained : tuple of str
        Those of the parameters that are learned with the weights, in the paper at least.
    domain : tuple of float
        Where there are values; all real numbers but for log1mexp.
    range : tuple of float
        Infimum and supremum of the values.
    limits, slopes : tuple of float
        Value and derivative at -inf and +inf; NaN where there is no limit.
    asymptotes : tuple
        For the left and the right (slope, intercept) of the line that the curve approaches, or None.
    at_zero, mean : float
        The value at 0, and the mean output for standard normal inputs.
    zero_centred : bool
        Whether that mean is 0, as for every odd function.
    monotonic : bool
        Whether it never decreases.
    saturates : tuple of str
        On the left and on the right: "soft", where the derivative tends to 0 and is nowhere all 0, "hard", where it is 0
        beyond a point, or "no".
    saturated : tuple of float
        From where on: the point beyond which the derivative is 0 if hard, less than 0.01 if soft; infinite if neither.
    smoothness : str
        "discontinuous", "C0" (continuous, with kinks), "C1", "C2" (so many continuous derivatives), or "smooth" (all).
    kinks : tuple of Kink
        Where the value or the derivative jumps, what its sides tend to and what is taken there.
    extrema : tuple of Extremum
        Strict local minima and maxima.
    lipschitz : float
        The least L with ``|f(a) - f(b)| <= L |a - b|``.
    operations : int
        How many operations the float32 formula of the value takes for an element; each counts one, a division as an
        addition, those too that carry lost digits. A count, not a timing.
    cost : float
        Operations in units of those of relu, a comparison and a selection.
    """

    name: str
    aliases: tuple[str, ...]
    family: str
    summary: str
    formula: str
    parameters: dict[str, float]
    trained: tuple[str, ...]
    domain: tuple[float, float]
    range: tuple[float, float]
    limits: tuple[float, float]
    slopes: tuple[float, float]
    asymptotes: tuple[tuple[float, float] | None, tuple[float, float] | None]
    at_zero: float
    mean: float
    zero_centred: bool
    monotonic: bool
    saturates: tuple[str, str]
    saturated: tuple[float, float]
    smoothness: str
    kinks: tuple[Kink, ...]
    extrema: tuple[Extremum, ...]
    lipschitz: float
    operations: int
    cost: float
    reference: str

    def record(self) -> dict[str, Any]:
        """The fields as a dict of numbers, texts, lists and dicts, in their order.

        Returns
        -------
        dict of str to object
            Kinks and extrema are dicts, tuples are lists; what can be infinite stays a float.

        Examples
        --------
        >>> import fastact as fa
        >>> record = fa.relu.info.record()
        >>> record["range"], record["kinks"][0]["derivative"]
        ([0.0, inf], 0.0)
        """
        return {f.name: _plain(getattr(self, f.name)) for f in fields(self)}

    def __repr__(self) -> str:
        lines = [f"{self.name}: {self.summary}", ""]
        lines += [f"  {head:<14}{text}" for head, text in self._rows() if text]
        return "\n".join(lines)

    def _rows(self) -> list[tuple[str, str]]:
        parameters = ", ".join(
            f"{n} = {_short(d)}{' (trained)' if n in self.trained else ''}" for n, d in self.parameters.items()
        )
        ends = [_end(side, how, at) for side, how, at in zip(("left", "right"), self.saturates, self.saturated, strict=True)]
        lines = [
            f"{_line(*a)} on the {side}" for side, a in zip(("left", "right"), self.asymptotes, strict=True) if a is not None
        ]
        centred = "zero-centred" if self.zero_centred else "not zero-centred"
        return [
            ("aliases", ", ".join(self.aliases)),
            ("formula", self.formula),
            ("parameters", parameters or "none"),
            ("domain", "" if self.domain == (-math.inf, math.inf) else f"{_short(self.domain[0])} to {_short(self.domain[1])}"),
            ("range", f"{_short(self.range[0])} to {_short(self.range[1])}"),
            ("limits", f"{_short(self.limits[0])} at -inf, {_short(self.limits[1])} at inf"),
            ("slopes", f"{_short(self.slopes[0])} at -inf, {_short(self.slopes[1])} at inf"),
            ("asymptotes", ", ".join(lines)),
            ("monotonic", "yes" if self.monotonic else "no"),
            ("extrema", "; ".join(f"{e.kind} {_short(e.value)} at x = {_short(e.x)}" for e in self.extrema)),
            ("centre", f"{centred}: mean {_short(self.mean)} for standard normal inputs; {_short(self.at_zero)} at 0"),
            ("saturation", "; ".join(ends)),
            ("smoothness", self.smoothness),
            ("kinks", "; ".join(map(_kink, self.kinks))),
            ("Lipschitz", _short(self.lipschitz)),
            ("cost", f"{_short(self.cost)} times relu: {self.operations} operations"),
            ("reference", self.reference),
        ]


def _short(number: float) -> str:
    return f"{number:.6g}"


def _line(slope: float, intercept: float) -> str:
    if slope == 0.0:
        return f"y = {_short(intercept)}"
    rest = f" {'-' if intercept < 0 else '+'} {_short(abs(intercept))}" if intercept else ""
    return f"y = {({1.0: '', -1.0: '-'}).get(slope, _short(slope) + ' ')}x{rest}"


def _end(side: str, how: str, at: float) -> str:
    beyond = {"hard": f" (f' = 0 beyond {_short(at)})", "soft": f" (|f'| < {SATURATED} beyond {_short(at)})", "no": ""}
    return f"{side} {how}{beyond[how]}"


def _kink(kink: Kink) -> str:
    left, right = map(_short, kink.derivatives)
    jump = f", value {_short(kink.values[0])} | {_short(kink.values[1])}, taken {_short(kink.value)}" if kink.jumps else ""
    return f"x = {_short(kink.x)}: derivative {left} | {right}, taken {_short(kink.derivative)}{jump}"


def _plain(value: Any) -> Any:
    if hasattr(value, "_asdict"):
        return {name: _plain(each) for name, each in value._asdict().items()}
    if isinstance(value, tuple):
        return [_plain(each) for each in value]
    return dict(value) if isinstance(value, dict) else value


@cache
def info(activation: Any) -> Info:
    """What is known of an activation; computed when it is first asked for."""
    spec, curve, count = activation.spec, Curve(activation), operations(activation.spec.name)
    return Info(
        name=activation.__name__, aliases=spec.alias, family=spec.family, summary=spec.summary, formula=spec.latex,
        parameters=dict(spec.params), trained=spec.trained, domain=curve.domain, range=curve.range, limits=curve.limits,
        slopes=curve.slopes, asymptotes=curve.asymptotes, at_zero=float(curve.value(0.0)) + 0.0, mean=curve.mean,
        zero_centred=spec.zero_centred, monotonic=spec.monotonic, saturates=curve.saturates, saturated=curve.saturated,
        smoothness=spec.smoothness, kinks=curve.kinks, extrema=curve.extrema, lipschitz=curve.lipschitz, operations=count,
        cost=count / operations("relu"), reference=spec.reference,
    )  # fmt: skip


class Table(list[dict[str, Any]]):
    """A list of records, with a table for people as its text."""

    def __repr__(self) -> str:
        head = ("name", "range", "monotonic", "zero-centred", "saturates", "smoothness", "kinks", "Lipschitz", "cost")
        rows = [head, *(_summary(record) for record in self)]
        widths = [max(len(row[i]) for row in rows) for i in range(len(head))]
        right = {"Lipschitz", "cost"}
        return "\n".join(
            "  ".join(c.rjust(w) if h in right else c.ljust(w) for c, w, h in zip(row, widths, head, strict=True)).rstrip()
            for row in rows
        )


def _summary(record: dict[str, Any]) -> tuple[str, ...]:
    """One line of the table."""
    yes = {True: "yes", False: "no"}
    left, right = (f"{v:.4g}" for v in record["range"])
    return (
        record["name"], f"{left} to {right}", yes[record["monotonic"]], yes[record["zero_centred"]],
        ", ".join(record["saturates"]), record["smoothness"], ", ".join(f"{k['x']:.4g}" for k in record["kinks"]),
        f"{record['lipschitz']:.4g}", f"{record['cost']:.4g}",
    )  # fmt: skip


def properties(functions: Iterable[Any] | None = None, *, as_frame: bool = False) -> Any:
    """Return what is known of the elementwise activations, a record for each.

    Parameters
    ----------
    functions : iterable of str or Activation, optional
        Which; by default all, by name.
    as_frame : bool, default False
        Return a DataFrame of pandas with the names as its index.

    Returns
    -------
    list of dict, or pandas.DataFrame
        The fields of `Info`, in its order. The list prints as a table of the most important ones; it is one, so that
        ``pandas.DataFrame(fa.properties())`` and ``json.dumps`` take it.

    Raises
    ------
    ImportError
        For ``as_frame=True`` without pandas.
    TypeError, ValueError
        For what is no elementwise activation.

    Examples
    --------
    >>> import fastact as fa
    >>> fa.properties(["relu", "tanh", "gelu"])
    name  range         monotonic  zero-centred  saturates   smoothness  kinks  Lipschitz  cost
    relu  0 to inf      yes        no            hard, no    C0          0              1     1
    tanh  -1 to 1       yes        yes           soft, soft  smooth                     1    10
    gelu  -0.17 to inf  no         no            soft, no    smooth                 1.129    18
    """
    chosen = map(get, sorted(REGISTRY)) if functions is None else [_known("fastact.properties", f) for f in functions]
    records = Table(info(activation).record() for activation in chosen)
    if not as_frame:
        return records
    try:
        import pandas
    except ImportError as error:
        raise ImportError("fastact.properties: as_frame=True needs pandas: pip install pandas") from error
    columns = [f.name for f in fields(Info) if f.name != "name"]
    return pandas.DataFrame.from_records(list(records), index="name", columns=["name", *columns])


def _known(title: str, function: Any) -> Any:
    found = get(function) if isinstance(function, str) else function
    if getattr(found, "kind", "") != "value" or not hasattr(found, "spec"):
        name = getattr(found, "__name__", "") or repr(function)
        raise TypeError(f"{title}: got {name}; expected an elementwise activation or its name")
    return found


def find(*, saturates: str | tuple[str, str] | None = None, **conditions: Any) -> list[str]:
    """Return the names of the activations that have the wanted properties, sorted.

    Parameters
    ----------
    saturates : str or tuple of str, optional
        "hard", "soft" or "no" on the left and on the right; one word stands for both.
    **conditions
        Fields of `Info` with what they shall be: a value that the field equals, or a function that is called with the field
        and says whether it will do. True and False ask of `kinks`, `extrema`, `parameters` and `trained` whether
        there are any.

    Returns
    -------
    list of str
        For `fastact.get`.

    Raises
    ------
    TypeError, ValueError
        For a property that there is not, or a value that no function could have.

    Examples
    --------
    >>> import fastact as fa
    >>> fa.find(monotonic=True, saturates="no", kinks=True)
    ['hard_shrink', 'leaky_relu', 'prelu', 'shrink', 'soft_shrink', 'srelu']
    >>> fa.find(zero_centred=True, smoothness="smooth", lipschitz=lambda greatest: greatest <= 1)
    ['arctan', 'identity', 'isru', 'softcap', 'tanh', 'tanh_shrink']
    """
    title = "fastact.find"
    if saturates is not None:
        conditions["saturates"] = _both(title, saturates)
    known = [f.name for f in fields(Info) if f.name not in _TEXTS]
    for name, wanted in conditions.items():
        if name not in known:
            raise unknown_keyword(title, name, known)
        _check(title, name, wanted)
    return [name for name in sorted(REGISTRY) if all(_holds(getattr(info(get(name)), n), w) for n, w in conditions.items())]


def _both(title: str, saturates: Any) -> Any:
    """Left and right saturation."""
    if callable(saturates):
        return saturates
    both = (saturates, saturates) if isinstance(saturates, str) else saturates
    if not isinstance(both, tuple) or len(both) != 2 or any(s not in _SATURATIONS for s in both):
        raise ValueError(f"{title}: saturates is {saturates!r}; expected one of {', '.join(_SATURATIONS)}, or two of these")
    return both


def _check(title: str, name: str, wanted: Any) -> None:
    """Refuse a value that no function could have."""
    if callable(wanted):
        return
    if name in ("monotonic", "zero_centred") and not isinstance(wanted, bool):
        raise TypeError(f"{title}: {name} is {wanted!r}; expected True or False")
    if name == "smoothness" and wanted not in _SMOOTHNESS:
        raise ValueError(f"{title}: smoothness is {wanted!r}; expected one of {', '.join(_SMOOTHNESS)}")
    families = sorted({s.family for s in REGISTRY.values()})
    if name == "family" and wanted not in families:
        raise ValueError(f"{title}: family is {wanted!r}; expected one of {', '.join(families)}")


def _holds(field: Any, wanted: Any) -> bool:
    if callable(wanted):
        return bool(wanted(field))
    if isinstance(wanted, bool) and not isinstance(field, bool):
        return bool(field) == wanted
    return bool(field == (tuple(wanted) if isinstance(wanted, list) else wanted))

