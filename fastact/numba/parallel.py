"""Calls over arrays in a function that Numba was asked to run on several threads (``parallel=True``).

There a call becomes a loop over parts of the elements, ``prange``, which stands in the caller's own function: so it is one of
Numba's parallel loops like others, and serial where it stands inside one.
"""

from __future__ import annotations

from typing import Any

from numba import prange, types
from numba.core import cgutils
from numba.core.targetconfig import ConfigStack
from numba.extending import intrinsic, overload

#: Elements of a part, at least.
PART = 16384


def is_parallel() -> bool:
    """Whether what is being compiled was asked to run on several threads."""
    flags = ConfigStack.top_or_none()
    return flags is not None and flags.auto_parallel.enabled


def _steps(call: Any) -> tuple[Any, Any]:
    """What the loop over parts is made of: one step before it, and one for each part."""

    @intrinsic
    def prepare(typingctx: Any, arguments: Any) -> Any:
        result = types.Tuple((call.result, types.intp, types.intp))

        def code(context: Any, builder: Any, signature: Any, values: Any) -> Any:
            given = cgutils.unpack_tuple(builder, values[0], len(signature.args[0]))
            given = [context.cast(builder, v, t, to) for v, t, to in zip(given, signature.args[0], call.types, strict=True)]
            made, results = call.pack(context, builder, given)
            intp = context.get_value_type(types.intp)
            parts = builder.udiv(builder.add(call.loop.total(builder, made), intp(PART - 1)), intp(PART))
            found = call.joined(context, builder, results)
            return context.make_tuple(builder, result, [found, builder.ptrtoint(made, intp), parts])

        return result(arguments), code

    @intrinsic
    def share(typingctx: Any, address: Any, part: Any, parts: Any) -> Any:
        def code(context: Any, builder: Any, signature: Any, values: Any) -> Any:
            address, part, parts = (
                context.cast(builder, v, t, types.intp) for v, t in zip(values, signature.args, strict=True)
            )
            function = call.entry(context, builder)
            made = builder.inttoptr(address, function.function_type.args[0])
            total = call.loop.total(builder, made)
            ends = [builder.sdiv(builder.mul(total, builder.add(part, part.type(k))), parts) for k in range(2)]
            builder.call(function, [made, *ends])
            return context.get_dummy_value()

        return types.none(address, part, parts), code

    return prepare, share


@intrinsic
def _keep(typingctx: Any, arguments: Any) -> Any:
    """Nothing; what is mentioned here lives until here."""
    return types.none(arguments), lambda context, builder, signature, values: context.get_dummy_value()


def loop_over_parts(signature: Any, calls: dict[Any, Any]) -> Any:
    """A function that stands for a kind of a function in parallel code; Numba is to write it into its caller.

    ``calls`` has the call for the types of its arguments.
    """
    names = list(signature.parameters)
    listed = ", ".join(n if p.default is p.empty else f"{n}={p.default!r}" for n, p in signature.parameters.items())
    text = (
        f"def stand_in({listed}): pass\n"
        f"def choose({listed}):\n"
        f"    prepare, share = steps(calls[{', '.join(names)}])\n"
        f"    def fastact({listed}):\n"
        f"        result, address, parts = prepare(({', '.join(names)},))\n"
        "        for part in prange(parts):\n"
        "            share(address, part, parts)\n"
        f"        keep(({', '.join(names)},))\n"
        "        return result\n"
        "    return fastact\n"
    )
    scope = {"steps": _steps, "calls": calls, "prange": prange, "keep": _keep, "__name__": __name__}
    exec(text, scope)
    overload(scope["stand_in"], inline="always", prefer_literal=True)(scope["choose"])
    return scope["stand_in"]
