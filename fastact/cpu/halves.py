"""float16 and bfloat16 arrays as float32 and back, by what moves elements for the kernels, on all threads.

NumPy converts float16 one by one, which takes longer than softmax does.
"""

from __future__ import annotations

import numpy as np

from .. import activations as _formulas  # noqa: F401  (fills the registry)
from .._kernels import Kernel
from ..arguments import is_bfloat16
from ..arguments import narrowed as narrowed_by_numpy
from . import levels
from .buffers import keeping
from .layouts import spread

#: Elements below which NumPy is as fast.
LEAST = 4096
_COPY = Kernel("copy", "", "value", levels.tables(), ("identity", "value"), 0, 1, False)


def widened(array: np.ndarray, work: np.dtype) -> np.ndarray:
    """The array in the dtype that is computed in."""
    fits = work == np.float32 and array.flags.aligned and array.dtype.isnative
    return _moved(array, work) if fits and array.size >= LEAST and _is_half(array.dtype) else array.astype(work, copy=False)


def narrowed(result: np.ndarray, dtype: np.dtype) -> np.ndarray:
    """A result in its dtype, as `fastact.arguments.narrowed` has it."""
    if result.size >= LEAST and result.dtype == np.float32 and _is_half(dtype) and dtype.isnative:
        return _moved(result, dtype)
    return narrowed_by_numpy(result, dtype)


def _is_half(dtype: np.dtype) -> bool:
    return dtype == np.float16 or is_bfloat16(dtype)


def _moved(array: np.ndarray, dtype: np.dtype) -> np.ndarray:
    """An array in another dtype, float32 or a half, in the same order."""
    visit = keeping(np.nditer, [array, None], [], [["readonly"], ["writeonly", "allocate"]], [None, dtype])
    with visit:
        spread(_COPY, False, visit.itviews)
        return visit.operands[1]
