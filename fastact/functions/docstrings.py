"""Docstrings from what is known of a function, in the sections of numpydoc."""

from __future__ import annotations

import textwrap
from collections.abc import Callable, Iterable

import numpy as np

from ..language.kinds import ARRAYS
from ..language.registry import Spec
from .integers import FUNCTIONS as KEEPING

_ARRAYS = {
    "x": "Input, of any shape: float16, bfloat16, float32, float64; integers and bools as `numpy.exp` treats them.",
    "grad": "Gradient by the output, broadcast against the other arrays.",
    "y": "Output of the forward pass.",
}

_KINDS = {
    "value": ("{summary}", ["x"], "y", "``f(x)``, of the broadcast shape; a NumPy scalar for a scalar."),
    "derivative": ("Derivative of {name} by x.", ["x"], "d", "``f'(x)``, of the broadcast shape."),
    "value_and_derivative": (
        "Value and derivative of {name} in one pass over memory.", ["x"], "y, d", "``f(x)`` and ``f'(x)``.",
    ),
    "backward": ("Gradient by the input of {name}: ``grad * f'(x)``, fused.", ["grad", "x"], "g", "``grad * f'(x)``."),
    "backward_from_output": (
        "Gradient by the input of {name}, from its output: no transcendental, and x need not be kept.",
        ["grad", "y"], "g", "``grad * f'(x)`` where ``y = f(x)``.",
    ),
    "second_derivative": ("Second derivative of {name} by x.", ["x"], "d", "``f''(x)``, of the broadcast shape."),
}  # fmt: skip

_BIAS = {
    "bias": "array_like, optional\n    Added to x on the way, as long as its last axis: ``x + bias`` without another pass.\n",
    "return_bias_grad": "bool, default False\n    Whether to return the gradient by bias too.\n",
}
_RETURN_BIAS_GRAD = (
    " With `return_bias_grad` also its sum over all axes but the last, the gradient by bias, carried in float64 and of\n"
    "    the dtype of bias; sums of float64 are compensated."
)
_LENGTH = "ValueError\n    For a bias of another shape; nothing has been written then."

#: Where examples are computed.
SAMPLE = -2.0, 2.0, 5
_GIVEN = {"x": "x", "grad": f"np.ones({SAMPLE[2]})", "y": "y"}

_JUMPS = (
    "Where the second derivative jumps it is that of the side whose derivative is taken there, softsign's, which is odd, 0; "
    "what is linear in pieces has 0 everywhere, at its kinks too."
)
_SATURATED = (
    "Where y has saturated (rounded to a limit of the function) the derivative is that at the limit: a tail "
    "that `derivative` still resolves is lost here."
)


def numpydoc(
    summary: str, parameters: str, returns: str, raises: str, notes: str, reference: str, example: str
) -> str:  # fmt: skip
    """A docstring: the sections that are not empty, in their order."""
    named = {"Parameters": parameters, "Returns": returns, "Raises": raises, "Notes": notes, "References": reference,
             "Examples": example}  # fmt: skip
    sections = [f"{title}\n{'-' * len(title)}\n{text.strip()}\n" for title, text in named.items() if text]
    return "\n".join([f"{summary}\n", *sections])


def paragraphs(texts: Iterable[str]) -> str:
    """Texts as filled paragraphs, without those that are empty; a formula stays on its line."""
    return "\n\n".join(t if t.startswith("Formula:") else textwrap.fill(t, 96) for t in texts if t)


def sample(kind: str, value: Callable[..., np.ndarray]) -> list[np.ndarray]:
    """The arrays that the example of a kind is called with; ``value`` is the activation."""
    x = np.linspace(*SAMPLE)
    return [x if name == "x" else np.ones_like(x) if name == "grad" else value(x) for name in ARRAYS[kind]]


def _example(spec: Spec, kind: str, found: tuple[np.ndarray, ...]) -> str:
    """A call at `sample`, and what it gave."""
    lines = [">>> import numpy as np", ">>> import fastact as fa", f">>> x = np.linspace{SAMPLE}"]
    if "y" in ARRAYS[kind]:
        lines.append(f">>> y = fa.{spec.name}(x)")
    call = f"fa.{spec.name}{'' if kind == 'value' else f'.{kind}'}({', '.join(_GIVEN[a] for a in ARRAYS[kind])})"
    if len(found) == 1:
        return "\n".join([*lines, f">>> {call}", repr(found[0])])
    return "\n".join([*lines, f">>> y, d = {call}", ">>> y", repr(found[0]), ">>> d", repr(found[1])])


def of_kind(spec: Spec, kind: str, found: tuple[np.ndarray, ...], bias: Iterable[str]) -> str:
    """The docstring of one kind of an activation, with what it gave for `sample`, and its keywords that concern a bias."""
    summary, arrays, result, meaning = _KINDS[kind]
    parameters = "".join(f"{a} : array_like\n    {_ARRAYS[a]}\n" for a in arrays)
    for name, default in spec.params.items():
        parameters += f"{name} : array_like, default {default!r}\n    Parameter, broadcast against x.\n"
    parameters += "".join(f"{keyword} : {_BIAS[keyword]}" for keyword in bias)
    meaning += _RETURN_BIAS_GRAD if "return_bias_grad" in bias else ""
    first = summary.format(summary=spec.summary, name=spec.name)
    notes = [f"Formula: :math:`{spec.latex}`", spec.notes]
    if kind == "backward_from_output":
        notes.append(_SATURATED)
    if kind == "second_derivative":
        notes.append(_JUMPS if spec.smoothness != "smooth" else "")
    raises = "TypeError\n    For complex, object, string, structured or extended-precision input."
    raises += f"\n{_LENGTH}" if bias else ""
    if kind == "backward_from_output" and spec.output_needs:
        needs = ", ".join(f"{n} less than {least:g}" for n, least in spec.output_needs.items())
        raises += f"\nValueError\n    For {needs}: then y does not determine the derivative. In an array, such elements give NaN."
    if kind == "value" and spec.name in KEEPING:
        notes.append("Integers stay integers, exactly, where all parameters are; beyond the dtype they wrap, as NumPy's do.")
    if spec.kinks:
        notes.append("Kinks: " + ", ".join(f"x = {k}" for k in spec.kinks) + ".")
    notes.append(
        f"Values in ({spec.range[0]}, {spec.range[1]}) up to rounding; "
        f"limits {spec.limits[0]} at -inf and {spec.limits[1]} at +inf; "
        f"the derivative tends to {spec.slopes[0]} and {spec.slopes[1]}. NaN gives NaN. "
        f"{'Monotonic' if spec.monotonic else 'Not monotonic'}, {'zero-centred' if spec.zero_centred else 'not zero-centred'}, "
        f"smoothness: {spec.smoothness}; saturation: left {spec.saturates[0]}, right {spec.saturates[1]}."
    )
    away = ", absolutely (2^-24, 2^-53) where its terms cancel" if spec.value_absolute else ""
    near = ", absolutely (2^-23 in float32, 2^-52 in float64) where its terms cancel" if spec.slope_absolute else ""
    single = f" ({spec.bound32:g} in float32)" if spec.bound32 != spec.bound else ""
    error = f"values within {spec.bound:g}{single} units in the last place{away}, derivatives within 4{near}"
    if kind == "second_derivative":
        least = f", near its roots of those of at least {spec.second_least}" if spec.second_least else ""
        error = f"within 8 units in the last place of f''(x), 10 without a fused multiply-add{least}"
    notes.append(f"Error in float32 and float64, default parameters: {error}; what was measured: docs/accuracy.md.")
    if spec.alias and kind == "value":
        notes.append("Also known as " + ", ".join(spec.alias) + ".")
    return numpydoc(
        first,
        parameters + "out, where, casting, order, dtype, subok\n    As for any NumPy ufunc.\n",
        f"{result} : ndarray or scalar\n    {meaning}",
        raises,
        paragraphs(notes),
        spec.reference,
        _example(spec, kind, found),
    )


def of_defined(spec: Spec, name: str, kind: str, source: str) -> tuple[str, ...]:
    """The sections of one kind of a function that a user defined."""
    summary, arrays, result, meaning = _KINDS[kind]
    parameters = "".join(f"{a} : array_like\n    {_ARRAYS[a]}\n" for a in arrays)
    for parameter, default in spec.params.items():
        parameters += f"{parameter} : array_like, default {default!r}\n    Parameter, broadcast against x.\n"
    notes = [f"Formula: :math:`{spec.latex}`", f"Defined as ``{source}``.", spec.notes]
    return (
        summary.format(summary=spec.summary, name=name),
        parameters + "out, where, casting, order, dtype, subok\n    As for any NumPy ufunc.\n",
        f"{result} : ndarray or scalar\n    {meaning}",
        "TypeError\n    For complex, object, string, structured or extended-precision input.",
        paragraphs(notes), spec.reference, "",
    )  # fmt: skip
