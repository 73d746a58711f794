"""What all of this wing shares: how functions are called in messages, for which processor Numba compiles, one number."""

from __future__ import annotations

from functools import cache
from importlib import import_module
from typing import Any

from numba import types
from numba.core import cgutils
from numba.extending import intrinsic

from .. import activations as _formulas  # noqa: F401  (fills the registry)
from ..language.kinds import outputs
from .atoms import Atoms
from .emitter import emit

#: Said to every compilation, or a caller's fastmath=True would be inherited, and kept for all other callers.
OPTIONS = {"fastmath": False}


def title(name: str, kind: str) -> str:
    return f"fastact.{name}" + ("" if kind == "value" else f".{kind}")


def without_compiler(name: str, kind: str) -> Any:
    """The package's own function of a kind: what there is where Numba is told not to compile (``NUMBA_DISABLE_JIT``).

    It is looked up where users find it, for this wing knows none of the others.
    """
    function = import_module("fastact").get(name)
    return function if kind == "value" else getattr(function, kind)


def has_fma(context: Any) -> bool:
    """Whether Numba compiles for a processor with a fused multiply-add, as every one but an old x86 is."""
    triple, _, features = context.codegen().magic_tuple()
    return not triple.startswith(("x86", "i")) or "+fma" in features.split(",")


@cache
def computation(name: str, kind: str, dtype: Any) -> Any:
    """An intrinsic that computes a kind from a tuple of numbers."""
    result = types.UniTuple(dtype, outputs(kind)) if outputs(kind) > 1 else dtype

    @intrinsic
    def scalar(typingctx: Any, arguments: Any) -> Any:
        def code(context: Any, builder: Any, signature: Any, values: Any) -> Any:
            numbers = [
                context.cast(builder, v, t, dtype)
                for v, t in zip(cgutils.unpack_tuple(builder, values[0]), signature.args[0], strict=True)
            ]
            got = emit(Atoms(builder, dtype.name, has_fma(context)), name, kind, numbers)
            return context.make_tuple(builder, result, got) if len(got) > 1 else got[0]

        return result(arguments), code

    return scalar
