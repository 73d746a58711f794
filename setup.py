"""Builds the extension modules: the driver once, the printed kernels once per ISA level.

What is declared and not computed stands in pyproject.toml.
"""

import contextlib
import itertools
import os
import shutil
import sys
import sysconfig
import tempfile
import types
from pathlib import Path

import numpy
from Cython.Build import cythonize
from setuptools import Extension, setup
from setuptools.command.build_ext import build_ext

HERE = Path(__file__).parent
PRINTED, TRANSLATED = Path("build") / "printed", Path("build") / "c"
SCALARS = Path("fastact") / "include" / "fastact_scalars.h"
HEADERS = [str(f.relative_to(HERE)) for f in (HERE / "fastact").rglob("*.h") if f.name != SCALARS.name]
KERNEL_HEADERS = [f"fastact/cpu/{name}.h" for name in ("atoms", "fold", "halves", "memory", "moves", "transpose")]

# No -ffast-math: NaN, infinities, signed zeros and subnormals are results. These two only say that
# errno and the floating-point flags are not looked at; without them selects are not vectorised.
# Contraction is off, because formulas say themselves where a product and a sum are fused.
ARITHMETIC = ["-fno-math-errno", "-fno-trapping-math", "-ffp-contract=off", "-g0"]
# Of -O3 the kernels of formulas need the vectorisation alone: loops of as many instructions, compiled in less time. The
# others are few.
KERNELS, OTHERS = ["-O2", "-ftree-vectorize"], ["-O3"]
# What only GCC knows. It would turn selects into paths that compute shared parts twice (a fifth of the instructions of silu).
GCC = ["-fno-thread-jumps", "-fno-tree-pre", "-fvect-cost-model=dynamic"]
# A kernel is one long chain of dependent instructions, and a processor looks ahead no more than two or three of those; so
# GCC mixes the iterations of a loop, four in a kernel and those that there are in a row pass. It saves a quarter of the time
# of kernels that compute much.
MIXED = ["-fschedule-insns", "-fsched-pressure", "--param=sched-pressure-algorithm=2"]
UNROLLED = [
    *("-funroll-loops", "--param=max-unroll-times=4"),
    *("--param=max-unrolled-insns=1000", "--param=max-average-unrolled-insns=1000"),
]
# Accumulators of rows are filled by a few instructions; a call of memset, or rep stos, takes longer than some rows. A loop over
# sixteen lanes is to become vectors, not sixteen copies of its body.
ROWS = [*MIXED, "-fno-tree-loop-distribute-patterns", "--param=max-completely-peel-times=8"]
# Clang would take 32 elements at a time where a loop runs over multiples of 16, and compute others one by one after it.
CLANG = ["-mllvm", "-force-vector-interleave=2"]
CLANG_WIDE = ["-mllvm", "-force-vector-interleave=1"]  # where a vector holds 16
V3 = ["-mavx2", "-mfma", "-mf16c", "-mbmi", "-mbmi2", "-mlzcnt", "-mmovbe"]
# Of the row passes GCC's default tuning loads an element once for each use.
V4 = [
    *(*V3, "-mavx512f", "-mavx512bw", "-mavx512cd", "-mavx512dq", "-mavx512vl"),
    *("-mprefer-vector-width=512", "-mtune=icelake-server"),
]


def levels_of(target: str, archflags: str) -> dict[str, list[str]]:
    """The levels for what is built for, by sysconfig's name of it; ``-arch`` flags, macOS's way to say so, come first."""
    words = archflags.split()
    machines = [b for a, b in itertools.pairwise(words) if a == "-arch"] or [target.rpartition("-")[2]]
    if all(m in ("x86_64", "amd64") for m in machines):
        return {"x86_64": [], "x86_64_v3": V3, "x86_64_v4": V4}
    return {"generic": []}


LEVELS = levels_of(sysconfig.get_platform(), os.environ.get("ARCHFLAGS", ""))

#: What is printed, each compiled once per level: formulas and passes over rows in both precisions, and what moves elements.
#: In this order, because the first take longest.
UNITS = ("f64", "f32", "r64", "r32", "moves")
HAND_WRITTEN = [
    "fastact._kernels",
    *(f"fastact.cpu.{n}" for n in ("api", "arrange", "bias", "buffers", "call", "direct", "dtypes", "gated", "gated_call")),
    *(f"fastact.cpu.{n}" for n in ("layouts", "threads", "tiles")),
    *(f"fastact.cpu.rows.{n}" for n in ("accumulators", "call", "functions", "passes", "table", "ufuncs", "ways")),
    "fastact._cli.counting", "fastact.torch.tensors",
]

# Everything that a block calls must be inlined into its loop, or the loop stays scalar.
INLINE = [("CYTHON_INLINE", "inline __attribute__((always_inline))")]


def jobs(cores: int, memory: int | None) -> int:
    """How many compilers run at a time: one a core, if there are 640 MB for each; the largest unit takes 470."""
    return max(1, cores if memory is None else min(cores, memory // 640_000_000))


def available_cores() -> int:
    """The cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def available_memory(proc: Path = Path("/proc"), cgroup: Path = Path("/sys/fs/cgroup")) -> int | None:
    """Bytes that can be had: what Linux says, a container's limit, or all there is; None where nothing says so."""
    found = []
    with contextlib.suppress(OSError, StopIteration):
        lines = (proc / "meminfo").read_text().splitlines()
        found.append(1024 * next(int(line.split()[1]) for line in lines if line.startswith("MemAvailable:")))
    with contextlib.suppress(OSError, ValueError):  # "max" where there is no limit
        found.append(int((cgroup / "memory.max").read_text()) - int((cgroup / "memory.current").read_text()))
    if not found and "SC_PHYS_PAGES" in getattr(os, "sysconf_names", {}):
        found.append(os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE"))
    return min(found, default=None)


def printed_texts() -> dict[str, str]:
    """The Cython text of each unit, and the header of scalars. Formulas are read with nothing of the package compiled."""
    package = types.ModuleType("fastact")  # the package itself cannot be imported before it is built
    package.__path__ = [str(HERE / "fastact")]
    package.building = True
    sys.modules["fastact"] = package
    from fastact import activations  # noqa: F401 (fills the registry)
    from fastact.cpu.printer import module_text
    from fastact.cpu.rows.printer import rows_text
    from fastact.cpu.scalars import header_text
    from fastact.language.registry import REGISTRY, ROW_KERNELS, ROW_PASSES

    formulas, passes = list(REGISTRY.values()), list(ROW_PASSES.values())
    del sys.modules["fastact"]
    return {
        "f32": module_text("float32", formulas), "f64": module_text("float64", formulas),
        "r32": rows_text("float32", passes, ROW_KERNELS["float32"]), "r64": rows_text("float64", passes, ROW_KERNELS["float64"]),
        "fastact_scalars": header_text(formulas),
        "moves": (HERE / "fastact" / "cpu" / "moves.pyx").read_text(encoding="utf-8"),
    }  # fmt: skip


class BuildExt(build_ext):
    """Prints the kernels, runs Cython and the compiler on as many cores as there is memory for."""

    def build_extensions(self) -> None:
        """Build, with the flags that the compiler knows."""
        if self.compiler.compiler_type == "msvc":
            self.take_clang_cl()
        if self.compiler.compiler_type == "unix":
            # Nothing but the C library is linked with; where the interpreter lies would only make wheels differ.
            self.compiler.linker_so = [word for word in self.compiler.linker_so if not word.startswith("-Wl,-rpath")]
        self.parallel = self.parallel or jobs(available_cores(), available_memory())
        self.translate()
        gcc = self.compiles([*GCC, *ROWS, *UNROLLED, "-Werror"])  # a compiler that does not know them warns
        clang = not gcc and self.compiles(CLANG)
        for extension in self.extensions:
            kind = extension.name.rpartition(".")[2]
            if extension.name in HAND_WRITTEN:
                continue
            if gcc:
                mixed = {"f": [*MIXED, *UNROLLED], "r": ROWS}.get(kind[0], [])
                extension.extra_compile_args += [*GCC, *mixed]
            elif clang:
                extension.extra_compile_args += CLANG_WIDE if extension.name.endswith("_v4.f32") else CLANG
        super().build_extensions()

    def take_clang_cl(self) -> None:
        """On Windows: Clang in the place of MSVC, which vectorises no kernel. It takes the flags of GCC behind ``/clang:``."""
        compiler = shutil.which("clang-cl")
        if compiler is None:
            raise SystemExit("fastact: MSVC cannot compile the kernels; install LLVM, with clang-cl on the PATH, and build again")
        self.compiler.initialize()
        self.compiler.cc = compiler
        self.compiler.compile_options = ["/nologo", "/O2", "/DNDEBUG", "/MD"]
        compile_with = self.compiler.compile

        def compile_(sources: list[str], *given: object, extra_postargs: list[str] | None = None, **rest: object) -> list[str]:
            flags = [f"/clang:{flag}" for flag in extra_postargs or []]
            return compile_with(sources, *given, extra_postargs=flags, **rest)

        self.compiler.compile = compile_

    def translate(self) -> None:
        """Run Cython on what is printed and what is written by hand, and give each level its copy of the C text."""
        PRINTED.mkdir(parents=True, exist_ok=True)
        texts = printed_texts()
        header = Path(self.build_lib) / SCALARS
        header.parent.mkdir(parents=True, exist_ok=True)
        header.write_text(texts.pop("fastact_scalars"))
        for unit, text in texts.items():
            source = PRINTED / f"{unit}.pyx"
            if not source.exists() or source.read_text() != text:
                source.write_text(text)
        by_hand = [e for e in self.extensions if e.name in HAND_WRITTEN]
        # Cython enters a module by this name, whatever level it is for.
        units = [Extension(f"fastact.cpu._isa.{unit}", [str(PRINTED / f"{unit}.pyx")]) for unit in UNITS]
        directives = {"language_level": 3, "freethreading_compatible": True}
        done = cythonize(
            [*units, *by_hand], build_dir=str(TRANSLATED), compiler_directives=directives, nthreads=self.parallel
        )
        for extension, translated in zip(by_hand, done[len(units) :], strict=True):
            extension.sources = translated.sources
        texts = {unit.name.rpartition(".")[2]: unit.sources[0] for unit in done[: len(units)]}
        for extension in self.extensions:
            if extension.name not in HAND_WRITTEN:
                level, unit = extension.name.split(".")[-2:]
                copy = TRANSLATED / level / f"{unit}.c"
                copy.parent.mkdir(exist_ok=True)
                shutil.copy2(texts[unit], copy)
                extension.sources = [str(copy)]

    def copy_extensions_to_source(self) -> None:
        """For an editable install; the folders of the levels hold no source and may not exist."""
        shutil.copy2(Path(self.build_lib) / SCALARS, HERE / SCALARS)
        for level in LEVELS:
            (HERE / "fastact" / "cpu" / "_isa" / level).mkdir(parents=True, exist_ok=True)
        super().copy_extensions_to_source()

    def compiles(self, flags: list[str]) -> bool:
        """Whether a program compiles and links with such flags."""
        with tempfile.TemporaryDirectory() as folder:
            source = Path(folder) / "program.c"
            source.write_text("int main(void) { return 0; }\n")
            try:
                objects = self.compiler.compile([str(source)], output_dir=folder, extra_postargs=flags)
                self.compiler.link_executable(objects, "program", output_dir=folder, extra_postargs=flags)
            except Exception:
                return False
        return True


def main() -> None:
    """Run setuptools."""
    numpy_api = [("NPY_NO_DEPRECATED_API", "NPY_2_0_API_VERSION"), ("NPY_TARGET_VERSION", "NPY_2_0_API_VERSION")]
    headers = [*HEADERS, *(str(f.relative_to(HERE)) for f in (HERE / "fastact").rglob("*.pxd"))]
    kernels = [
        Extension(
            f"fastact.cpu._isa.{level}.{unit}",
            [],  # printed when it is built
            include_dirs=["fastact/cpu"],
            depends=[*KERNEL_HEADERS, "setup.py"],
            define_macros=INLINE,
            extra_compile_args=[*(KERNELS if unit[0] == "f" else OTHERS), *ARITHMETIC, *flags],
        )
        for unit in UNITS
        for level, flags in LEVELS.items()
    ]
    hand_written = [
        Extension(
            name,
            [f"{name.replace('.', '/')}.pyx"],
            include_dirs=["fastact/cpu", numpy.get_include()],
            define_macros=numpy_api,
            extra_compile_args=["-O3", "-g0"],
            depends=headers,
        )
        for name in HAND_WRITTEN
    ]
    setup(ext_modules=[*kernels, *hand_written], cmdclass={"build_ext": BuildExt})


if __name__ == "__main__":
    main()
