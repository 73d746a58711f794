"""Reads the disassembly of the kernels: vector instructions in each loop, and what stayed scalar.

``python tools/vectorised.py [NAME ...]`` prints, per CPU level, kernel and precision, the instructions of the loop for the
elements that one iteration computes; the exit status is 1 where a loop computes element by element. It needs objdump.
"""

import re
import subprocess
import sys
from pathlib import Path
from typing import NamedTuple

PACKAGE = Path(__file__).resolve().parents[1] / "fastact"
KINDS = r"value|derivative|both|backward_from_output|backward|from_output|partial\d+"
KERNEL = re.compile(rf"[0-9a-f]+ <(__pyx_f_\w+?_b_(\w+?)_({KINDS})(_v)?)>:")
JUMP = re.compile(r"[^\n]*\n *[0-9a-f]+:\tjmp +[0-9a-f]+ <(\w+)>")  # all of a kernel that computes what another does
STEP = re.compile(r"(add|sub)q? +\$0x([0-9a-f]+),%r\w+")
SCALAR = re.compile(r"(?!v?mov|vbroadcast)\w+s[sd]|call")


class Loop(NamedTuple):
    """A kernel's loops: instructions of the longest one, elements of a vector and of an iteration, what is scalar in any."""

    function: str
    kind: str
    instructions: int
    lanes: int
    elements: int
    scalar: tuple[str, ...]


def symbols(file):
    """The disassembly of an extension module, symbol by symbol.

    Raises
    ------
    OSError, subprocess.CalledProcessError
        If there is no objdump, or it cannot read the file.
    """
    command = ["objdump", "-d", "--no-show-raw-insn", str(file)]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout.split("\n\n")


def kernels(file):
    """The loops of all kernels in one extension module."""
    size = 8 if Path(file).name.startswith("f64") else 4
    found = {name: symbol for symbol in symbols(file) if (name := KERNEL.match(symbol))}
    by_symbol = {name[1]: symbol for name, symbol in found.items()}
    for name, symbol in found.items():
        other = JUMP.match(symbol)
        yield _loop(name[2], name[3] + (name[4] or ""), by_symbol.get(other[1], symbol) if other else symbol, size)


def _loop(function, kind, symbol, size):
    found = re.findall(r"^ *([0-9a-f]+):\t(\S+) *([^<\n]*)", symbol, re.MULTILINE)
    code = [(int(at, 16), op, operands.strip()) for at, op, operands in found]
    jumps = [(int(to, 16), at) for at, op, to in code if op[0] == "j" and re.fullmatch("[0-9a-f]+", to)]
    loops = [[line for line in code if to <= line[0] <= at] for to, at in jumps if to < at]
    # A loop steps on, and has no return: cases of the beginning are put behind the code, and jump back from there.
    steps_on = re.compile("add|sub|inc|dec|lea")
    loops = [loop for loop in loops if any(map(steps_on.match, ops := [op for _, op, _ in loop])) and "ret" not in ops]
    inside = {line for loop in loops for line in loop}
    longest = max(loops, key=len, default=[])
    widths = {"z": 64, "y": 32, "x": 16}
    lanes = max((widths[w] // size for *_, operands in longest for w in re.findall(r"%([xyz])mm", operands)), default=1)
    scalar = tuple(sorted({op for _, op, _ in inside if SCALAR.fullmatch(op)}))
    steps = [STEP.fullmatch(f"{op} {operands}") for _, op, operands in longest]
    bytes_ = max((min(int(s[2], 16), 2**64 - int(s[2], 16)) for s in steps if s), default=0)
    return Loop(function, kind, len(longest), lanes, max(lanes, bytes_ // size), scalar)


def extensions(package=PACKAGE):
    """The modules of elementwise kernels, all levels."""
    return sorted(path for name in ("f32", "f64") for path in package.glob(f"cpu/_isa/*/{name}*.so"))


def not_vectorised(package=PACKAGE):
    """Kernels with a scalar loop: (level, module, function, kind, instructions)."""
    return [(file.parent.name, file.name[:3], k.function, k.kind, k.scalar)
            for file in extensions(package) for k in kernels(file) if k.scalar]  # fmt: skip


def main(names):
    """Print the table."""
    bad = 0
    for file in extensions():
        for k in kernels(file):
            if not names or k.function in names:
                bad += bool(k.scalar)
                note = f"  SCALAR: {' '.join(k.scalar)}" if k.scalar else ""
                where = f"{file.parent.name:<11}{file.name[:3]}  {k.function:<18}{k.kind:<14}"
                print(f"{where}{k.instructions:>5} for {k.elements:>2}{note}")
    return int(bad > 0)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
