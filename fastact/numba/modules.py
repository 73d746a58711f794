"""Code of this wing in LLVM modules of its own, so that a caller's fast-math flags, which go to all of his, don't reach it.

What a module is made of has a digest. It is part of the names of its functions, and a function that Numba has cached on disk
holds the digests of what was compiled into it: where one differs from what fastact would emit now, Numba finds nothing there
and compiles anew.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from functools import cache
from typing import Any
from weakref import WeakKeyDictionary

from llvmlite import binding, ir
from numba.core import cgutils
from numba.core.registry import cpu_target

#: What the function that is called from outside is called before the digest is known.
ENTRY = "fastact_entry"

_linked: WeakKeyDictionary[Any, set[str]] = WeakKeyDictionary()


@cache
def _text_of(maker: Callable[..., Any], arguments: tuple[Any, ...]) -> tuple[str, str, Any]:
    """The text of a module with one exported function, its digest, and the type of the function."""
    context = cpu_target.target_context
    module = context.codegen()._create_empty_module("fastact")
    function = maker(*arguments).define(context, module)
    function.linkage = "weak_odr"
    text = cgutils.normalize_ir_text(str(module))
    digest = hashlib.sha256(text.encode()).hexdigest()[:20]
    return text.replace(ENTRY, f"{ENTRY}_{digest}"), digest, function.function_type


def entry(context: Any, builder: Any, maker: Callable[..., Any], *arguments: Any) -> Any:
    """The function that ``maker(*arguments).define(context, module)`` puts into a module, for calls from here.

    What `maker` and the arguments are must be enough to make the same again in another process.
    """
    text, digest, type_ = _text_of(maker, arguments)
    library = context.active_code_library
    seen = _linked.setdefault(library, set())
    if digest not in seen:
        seen.add(digest)
        module = binding.parse_assembly(text)
        module.verify()
        library.add_llvm_module(module)
        library._reload_init.add(Stamp(digest, maker, arguments))
    return cgutils.get_or_insert_function(builder.module, type_, f"{ENTRY}_{digest}")


def define(module: Any, name: str, result: Any, arguments: list[Any]) -> tuple[Any, Any]:
    """A function of a module, and a builder at its begin."""
    function = ir.Function(module, ir.FunctionType(result, arguments), name)
    if name != ENTRY:
        function.linkage = "internal"
    return function, ir.IRBuilder(function.append_basic_block("entry"))


class Stamp:
    """What a cached function holds of a module: called when it is loaded, unless it cannot even be unpickled."""

    def __init__(self, digest: str, maker: Callable[..., Any], arguments: tuple[Any, ...]) -> None:
        self.made = digest, maker, arguments

    def __call__(self) -> None:
        """Nothing is left to do."""

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Stamp) and self.made == other.made

    def __hash__(self) -> int:
        return hash(self.made)

    def __reduce__(self) -> Any:
        return _checked, self.made


def _checked(digest: str, maker: Callable[..., Any], arguments: tuple[Any, ...]) -> Stamp:
    """The stamp again, if the code would be the same now; an OSError is what Numba takes for no such file."""
    if _text_of(maker, arguments)[1] != digest:
        raise OSError("compiled with other formulas of fastact")
    return Stamp(digest, maker, arguments)
