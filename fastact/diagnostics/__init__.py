"""Diagnostics for training: what pre-activations do to units and gradients, and how large weights should begin.

`units` looks at one layer (`diagnose`, `Monitor`, `Diagnosis`), over the passes of `moments`; `words` says what it found and
`picture` draws it; `flow` follows gradients through a stack, `gain` computes what keeps the variance. All of it calls public
functions on the CPU; no formula and no kernel stands here. matplotlib is imported when something is drawn.
"""

from .flow import GradientFlow, gradient_flow
from .gain import init_gain
from .units import Diagnosis, Monitor, diagnose

__all__ = ["Diagnosis", "GradientFlow", "Monitor", "diagnose", "gradient_flow", "init_gain"]
