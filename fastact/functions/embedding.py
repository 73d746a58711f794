"""What compiled code finds here: kernels by name for the C interface, and the folder of the headers."""

from __future__ import annotations

import os
from typing import Any

from ..cpu.api import set_look_up
from ..cpu.rows.functions import OPS
from ..language.kinds import kinds
from .elementwise import Activation
from .gradients import partial
from .registry import get
from .rows import RowFunction

_BY = "derivative_by_"
_ROWS = ("softmax", "log_softmax", "softmin", "log_softmin", "softmax1", "logsumexp", "hardmax", "sparsemax", "entmax15")


def kernel_of(name: str, kind: str) -> Any:
    """What the C interface calls: (Kernel, defaults), or (number, sign) of a function of rows; None: nothing."""
    try:
        function = get(name)
    except ValueError:
        return None
    if isinstance(function, Activation):
        parameters = list(function.params)
        by = kind.removeprefix(_BY)
        if by != kind and by in parameters:
            kernel = partial(function, parameters.index(by))
        elif kind in kinds(function.spec):
            kernel = (function if kind == "value" else getattr(function, kind)).kernel
        else:
            return None
        return kernel, tuple(function.params.values())
    if not isinstance(function, RowFunction) or function.__name__ not in _ROWS or kind not in ("value", "backward"):
        return None
    number = OPS.get(function.op if kind == "value" else f"{function.op}_backward")
    return None if number is None else (number, function.sign)


set_look_up(kernel_of)


def get_include() -> str:
    """Return the folder of ``fastact.h`` and ``fastact_scalars.h``, for a C compiler's ``-I``.

    ``fastact.h`` gives compiled code the kernels by name, ``fastact_scalars.h`` each function and derivative as an inline
    function of numbers. For Cython there is ``cimport fastact``; see docs/embedding.md.

    Examples
    --------
    >>> import os
    >>> import fastact as fa
    >>> sorted(os.listdir(fa.get_include()))
    ['fastact.h', 'fastact_scalars.h']
    """
    return os.path.join(os.path.dirname(os.path.dirname(__file__)), "include")
