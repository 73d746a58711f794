"""The package's own objects inside ``@njit`` code: ``fastact.gelu`` is called there as it is.

Numba asks an object for its type by ``_numba_type_``; those of the package answer with a `CallType`. Importing this file is
all that is needed, and what does so is that question, whenever it is asked first.
"""

from __future__ import annotations

from functools import cache, cached_property
from typing import Any

from numba import config, types
from numba.core import errors
from numba.core.imputils import builtin_registry, lower_cast, lower_getattr_generic
from numba.core.registry import cpu_target
from numba.core.typing import fold_arguments, signature
from numba.core.typing.templates import AttributeTemplate, infer_getattr
from numba.extending import NativeValue, models, register_model, typeof_impl, unbox

from ..language.registry import REGISTRY
from .callables import Stub, compiled_function
from .calls import signature_of
from .compiler import title
from .families import form
from .parallel import is_parallel, loop_over_parts


class CallType(types.Callable, types.Opaque):
    """The type of ``fastact.gelu`` or ``fastact.gelu.derivative``."""

    def __init__(self, name: str, kind: str) -> None:
        if config.DISABLE_JIT:
            raise errors.TypingError(
                f"{title(name, kind)}: NUMBA_DISABLE_JIT leaves nothing to be called from compiled code, which @vectorize, "
                "@guvectorize and @cfunc make all the same"
            )
        super().__init__(f"type({title(name, kind)})")
        self.call = name, kind
        self.form = form(name, kind)
        if self.form is not None:
            self.signature = signature_of(self.form.required, self.form.defaults)
        self.keys: dict[Any, Any] = {}

    def __reduce__(self) -> Any:
        return call_type, self.call

    @property
    def function(self) -> types.Dispatcher:
        """The type of the function of `fastact.numba`, which has an address."""
        return types.Dispatcher(compiled_function(*self.call))

    def can_convert_to(self, typingctx: Any, other: Any) -> Any:
        if not isinstance(other, types.FunctionType) or not REGISTRY.knows(self.call[0]):
            return None
        return self.function.can_convert_to(typingctx, other)

    def get_call_type(self, context: Any, args: Any, kws: Any) -> Any:
        """What Numba's type inference asks."""
        if self.form is None:
            raise errors.TypingError(f"{title(*self.call)} cannot be called in compiled code; there is numba.objmode")
        if len(args) > self.form.positional:
            expected = ", ".join(list(self.signature.parameters)[: self.form.positional])
            raise errors.TypingError(f"{title(*self.call)}: too many positional arguments; expected {expected}")
        given = fold_arguments(
            self.signature, args, kws, lambda i, p, t: _plain(p.name, t), lambda i, p, d: _type_of(d), lambda i, p, t: t
        )
        if given not in self.keys:
            call = self.form.maker(*self.call, given)
            builtin_registry.lower(call.code, *given)(call.code)
            self.keys[given] = call
        call = self.keys[given]
        if is_parallel() and self.form.shared and getattr(call.result, "ndim", 1) > 0 and call.loop is not None:
            context.resolve_value_type(self.stand_in).get_call_type(context, given, {})
        return signature(call.result, *given).replace(pysig=self.signature)

    @property
    def templates(self) -> Any:
        """What Numba may write into a caller in place of the call."""
        if self.form is None or not self.form.shared or not is_parallel():
            return ()
        return cpu_target.typing_context.resolve_value_type(self.stand_in).templates

    @cached_property
    def stand_in(self) -> Any:
        made = loop_over_parts(self.signature, self.keys)
        cpu_target.typing_context.refresh()
        return made

    def get_impl_key(self, sig: Any) -> Any:
        return self.keys[sig.args].code

    def get_call_signatures(self) -> Any:
        return (), True


def _plain(name: str, type_: Any) -> Any:
    """The type of an argument, be it a constant or a default that was left out; of what changes the result's type, the value."""
    if isinstance(type_, types.Omitted):
        return _type_of(type_.value)
    return type_ if name in ("keepdims", "interleaved") else types.unliteral(type_)


def _type_of(default: Any) -> Any:
    if default is None:
        return types.none
    return types.literal(default) if isinstance(default, bool) else types.intp if isinstance(default, int) else types.float64


@cache
def call_type(name: str, kind: str) -> CallType:
    """Always the same object: Numba forgets what it found out of a type that nothing holds."""
    return CallType(name, kind)


register_model(CallType)(models.OpaqueModel)


@typeof_impl.register(Stub)
def _typeof_stub(value: Stub, context: Any) -> CallType:
    return call_type(value.name, value.kind)


@infer_getattr
class _Kinds(AttributeTemplate):
    key = CallType

    def generic_resolve(self, typ: Any, attribute: str) -> Any:
        name, kind = typ.call
        if kind == "value" and attribute != "value" and form(name, attribute) is not None:
            return call_type(name, attribute)
        return None


@lower_getattr_generic(CallType)
def _lower_kind(context: Any, builder: Any, typ: Any, value: Any, attribute: str) -> Any:
    return context.get_dummy_value()


@unbox(CallType)
def _unbox(typ: Any, value: Any, context: Any) -> NativeValue:
    return NativeValue(context.context.get_dummy_value())


@lower_cast(CallType, types.FunctionType)
def _to_function(context: Any, builder: Any, fromty: Any, toty: Any, value: Any) -> Any:
    return context.cast(builder, value, fromty.function, toty)


# Numba may be halfway through a function by now.
cpu_target.typing_context.refresh()
cpu_target.target_context.refresh()
