"""Kernels that are compiled at run time, of the form of the printed ones: what a formula of a user is called through.

The loop is emitted as instructions of LLVM and goes through Numba's code generator, which vectorises it for this processor.
None of Numba's own analysis takes part.
"""

from __future__ import annotations

from typing import Any

from llvmlite import ir
from numba.core.compiler_lock import global_compiler_lock
from numba.core.registry import cpu_target

from ..language.kinds import outputs
from ..language.registry import Spec
from . import stored
from .atoms import Atoms
from .compiler import has_fma
from .emitter import emit

_COUNT, _BYTE = ir.IntType(64), ir.IntType(8)
#: Elements that the driver hands over come in multiples of this.
_GROUP = 16
#: Compiled code lives as long as the process: NumPy keeps the addresses of ufuncs.
_KEPT: list[Any] = []


class Kernels(dict[Any, Any]):
    """(address, cost) by (name, kind, varying), compiled when asked for; what `fastact._kernels.Kernel` takes.

    Parameters
    ----------
    spec : Spec
        Of the formula.
    precision : str
        "float32" or "float64".
    keep : bool
        Keep what is compiled on disk, and take it from there.
    """

    def __init__(self, spec: Spec, precision: str, keep: bool) -> None:
        self.spec, self.precision, self.keep = spec, precision, keep

    def __contains__(self, key: object) -> bool:
        return isinstance(key, tuple) and (key[2] or not key[1].startswith("partial"))

    def __missing__(self, key: tuple[str, str, bool]) -> tuple[int, int]:
        _, printed, vary = key
        name = f"fastact_{self.spec.name}_{self.precision}_{printed}_{int(vary)}"
        with global_compiler_lock:
            context = cpu_target.target_context
            codegen = context.codegen()
            library = codegen.create_library(name)
            module = library.create_ir_module(name)
            cost = _loop(module, name, self.spec, printed, self.precision, vary, has_fma(context))
            place = stored.place_of(codegen, module) if self.keep else None
            found = stored.load(codegen, name, place) if place else None
            if found is None:
                if place:
                    library.enable_object_caching()
                library.add_ir_module(module)
                library.finalize()
                if place:
                    stored.save(library, place)
                found = library
            _KEPT.append(found)
            self[key] = found.get_pointer_to_function(name), cost
        return self[key]


def _loop(module: Any, symbol: str, spec: Spec, printed: str, precision: str, vary: bool, fused: bool) -> int:
    """Emit one kernel; returns how many instructions an element takes, a division for eight."""
    kind, grad = {"both": "value_and_derivative"}.get(printed, printed), printed == "backward"
    real = ir.FloatType() if precision == "float32" else ir.DoubleType()
    pointer, params = real.as_pointer(), ir.PointerType(_BYTE.as_pointer())
    function = ir.Function(module, ir.FunctionType(ir.VoidType(), [pointer] * 3 + [_COUNT, params]), symbol)
    for argument in function.args[:3]:
        argument.add_attribute("noalias")
    source, *targets, count, given = function.args
    builder = ir.IRBuilder(function.append_basic_block("entry"))

    def array(index: int) -> Any:
        place = builder.gep(given, [_COUNT(index)])
        return builder.bitcast(builder.load(place), pointer)

    arrays = [array(j) for j in range(len(spec.params))] if vary else []
    numbers = [] if vary else [builder.load(array(j)) for j in range(len(spec.params))]
    gradient = [array(len(spec.params))] if grad else []
    count = builder.and_(count, _COUNT(-_GROUP))
    entry = builder.block
    body, done = function.append_basic_block("body"), function.append_basic_block("done")
    builder.cbranch(builder.icmp_signed("<", _COUNT(0), count), body, done)
    builder.position_at_end(body)
    index = builder.phi(_COUNT)
    index.add_incoming(_COUNT(0), entry)

    def element(base: Any) -> Any:
        return builder.load(builder.gep(base, [index]))

    arguments = [element(base) for base in (*gradient, source)] + (numbers or [element(base) for base in arrays])
    results = emit(Atoms(builder, precision, fused), spec.name, kind, arguments)
    for target, value in zip(targets[: outputs(kind)], results, strict=True):
        builder.store(value, builder.gep(target, [index]))
    following = builder.add(index, _COUNT(1))
    index.add_incoming(following, body)
    instructions = sum(8 if i.opname == "fdiv" else 1 for i in body.instructions)
    builder.cbranch(builder.icmp_signed("<", following, count), body, done)
    builder.position_at_end(done)
    builder.ret_void()
    return instructions
