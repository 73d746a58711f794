"""The kinds of an activation: what can be computed from its formula, and from which arrays."""

from __future__ import annotations

from .registry import Spec

#: What a kind takes before the parameters.
ARRAYS = {
    "value": ("x",),
    "derivative": ("x",),
    "value_and_derivative": ("x",),
    "backward": ("grad", "x"),
    "backward_from_output": ("grad", "y"),
    "second_derivative": ("x",),
    # of an activation with a second derivative, made of the others
    "backward_backward": ("grad_grad", "grad", "x"),
    # of the gated units, which are made of activations
    "gated": ("gate", "linear"),
    "gated_backward": ("grad", "gate", "linear"),
}


def kinds(spec: Spec) -> list[str]:
    """The kinds that an activation has kernels for."""
    depend = {"backward_from_output": spec.inverse, "second_derivative": spec.second, "backward_backward": ()}
    return [k for k in ARRAYS if not k.startswith("gated") and depend.get(k, True)]


def outputs(kind: str) -> int:
    """How many results a kind has."""
    return 2 if kind in ("value_and_derivative", "backward_backward", "gated_backward") else 1
