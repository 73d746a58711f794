"""The architecture: files read in one sitting, and arrows between Cython modules as lint-imports has them for Python."""

import graphlib
import re

import pytest
from helpers import PACKAGE, TESTS

IMPORT = re.compile(r"^(?:cdef )?from (fastact[\w.]*) c?import", re.MULTILINE)
SOURCES = {
    ".".join(["fastact", *f.relative_to(PACKAGE).with_suffix("").parts]): f
    for suffix in ("pyx", "pxd")
    for f in PACKAGE.rglob(f"*.{suffix}")
}


def test_files_are_read_in_one_sitting():
    """But for the table of references, which grows by two lines with every activation."""
    files = [f for suffix in ("py", "pyx", "pxd", "h") for folder in (PACKAGE, TESTS) for f in folder.rglob(f"*.{suffix}")]
    assert len(files) > 100
    long = {f.name: n for f in files if (n := len(f.read_text("utf-8").splitlines())) > 400}
    assert long.keys() <= {"reference.py", "fastact_scalars.h"}  # the latter is printed


def imports(name):
    """The modules of the package that a Cython module takes something from."""
    texts = [f.read_text("utf-8") for f in (SOURCES[name].with_suffix(s) for s in (".pyx", ".pxd")) if f.exists()]
    return {m for text in texts for m in IMPORT.findall(text)} - {name}


@pytest.mark.parametrize("name", SOURCES)
def test_cython_modules_know_the_cpu_alone(name):
    assert all(m == "fastact._kernels" or m.startswith("fastact.cpu.") for m in imports(name))


def test_cython_modules_stand_in_no_circle():
    order = list(graphlib.TopologicalSorter({name: imports(name) for name in SOURCES}).static_order())
    assert order.index("fastact._kernels") < order.index("fastact.cpu.call")
