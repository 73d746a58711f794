"""The public functions: objects that are called like NumPy's, with their derivatives and what is known of them.

`base` is what all are; `elementwise`, `rowwise` (of `rows`), `gated` (of `gates`), `pieces` and `stochastic` are the families,
which import each other in this order; `general` is the way of elementwise calls to the ufuncs, `gradients` those by
parameters, `registry` the table of names, `embedding` what compiled code asks for. Arithmetic stands in ``activations/`` and
runs in ``cpu/`` and ``cuda/``.
"""

from . import pieces, stochastic  # noqa: F401  (each makes its functions public)
from .base import Function
from .defined import DefinedActivation, define
from .elementwise import Activation
from .embedding import get_include
from .facts import Info, find, properties
from .gated import GatedUnit
from .plots import plot, plot_all
from .registry import BY_NAME, activations, get
from .rowwise import RowFunction

__all__ = [
    "BY_NAME", "Activation", "DefinedActivation", "Function", "GatedUnit", "Info", "RowFunction", "activations", "define", "find",
    "get", "get_include", "plot", "plot_all", "properties",
]  # fmt: skip
