"""The package's own objects inside ``@njit`` code: ``fastact.gelu`` stands for its compiled function there.

Numba asks an object for its type by ``_numba_type_``; those of the package answer with a `CallType`.
"""

from __future__ import annotations

from functools import cache
from typing import Any

from numba import config, types
from numba.core import errors
from numba.core.imputils import lower_getattr_generic
from numba.core.typing.templates import AttributeTemplate, infer_getattr
from numba.extending import models, register_model

from ..language.kinds import kinds
from ..language.registry import REGISTRY
from .callables import compiled_function
from .compiler import title


class CallType(types.Dispatcher):
    """The type of ``fastact.gelu`` or ``fastact.gelu.derivative``: that of the function that it stands for."""

    def __init__(self, name: str, kind: str) -> None:
        if config.DISABLE_JIT:
            raise errors.TypingError(
                f"{title(name, kind)}: NUMBA_DISABLE_JIT leaves nothing to be called from compiled code, which @vectorize, "
                "@guvectorize and @cfunc make all the same"
            )
        super().__init__(compiled_function(name, kind))
        self.call = name, kind


#: Always the same object: Numba forgets what it found out of a type that nothing holds.
call_type = cache(CallType)

register_model(CallType)(models.OpaqueModel)


@infer_getattr
class _Kinds(AttributeTemplate):
    key = CallType

    def generic_resolve(self, typ: Any, attribute: str) -> Any:
        name, kind = typ.call
        if kind == "value" and attribute != "value" and attribute in kinds(REGISTRY[name]):
            return call_type(name, attribute)
        return None


@lower_getattr_generic(CallType)
def _lower_kind(context: Any, builder: Any, typ: Any, value: Any, attribute: str) -> Any:
    return context.get_dummy_value()
