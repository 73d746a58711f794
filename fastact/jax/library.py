"""Compiles the functions for XLA when they are first asked for, keeps them on disk, and makes them known to JAX."""

from __future__ import annotations

import ctypes
import hashlib
import os
import platform
import shutil
import subprocess
import tempfile
from functools import cache
from pathlib import Path

import jax

from ..cpu.api import capsule
from ..functions import get_include

_SOURCE = Path(__file__).with_name("calls.cc")
TARGETS = ("one", "both", "many", "rows")


def _place(told: bytes) -> Path:
    """Where a compiled library is kept."""
    folder = os.environ.get("FASTACT_CACHE_DIR")
    base = Path(folder) if folder else Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "fastact"
    return base / f"jax-{hashlib.sha256(told).hexdigest()[:32]}.so"


@cache
def build() -> Path:
    """Compile the functions for XLA, once for each version of JAX, and make them known to it.

    `fastact.jax` does so when a function is first called; it takes some seconds.

    Returns
    -------
    pathlib.Path
        The library, in ``FASTACT_CACHE_DIR`` or a folder of the user.

    Raises
    ------
    RuntimeError
        Without a compiler for C++17 (``CXX`` names one), and where it fails.
    """
    headers = [get_include(), jax.ffi.include_dir()]
    header = Path(headers[0], "fastact.h").read_bytes()
    place = _place(b"\n".join([_SOURCE.read_bytes(), header, jax.__version__.encode(), platform.machine().encode()]))
    if not place.exists():
        compiler = os.environ.get("CXX") or shutil.which("c++") or shutil.which("g++") or shutil.which("clang++")
        if compiler is None:
            raise RuntimeError("fastact.jax: there is no C++ compiler; install one, or let CXX name it")
        place.parent.mkdir(parents=True, exist_ok=True)
        handle, made = tempfile.mkstemp(dir=place.parent, prefix=".part-", suffix=".so")
        os.close(handle)
        command = [compiler, "-std=c++17", "-O2", "-fPIC", "-shared", *(f"-I{h}" for h in headers), "-o", made, str(_SOURCE)]
        try:
            done = subprocess.run(command, capture_output=True, text=True, check=False)
            problem = done.stderr[-2000:] if done.returncode else ""
        except OSError as error:
            problem = str(error)
        if problem:
            os.unlink(made)
            raise RuntimeError(f"fastact.jax: {' '.join(command)} failed:\n{problem}")
        os.replace(made, place)
    library = ctypes.CDLL(str(place))
    ctypes.pythonapi.PyCapsule_GetPointer.restype = ctypes.c_void_p
    ctypes.pythonapi.PyCapsule_GetPointer.argtypes = [ctypes.py_object, ctypes.c_char_p]
    library.fastact_jax_use.argtypes = [ctypes.c_void_p]
    if library.fastact_jax_use(ctypes.pythonapi.PyCapsule_GetPointer(capsule, b"fastact._C_API")):
        raise RuntimeError("fastact.jax: the library is of a newer fastact")
    for target in TARGETS:
        jax.ffi.register_ffi_target(
            f"fastact_{target}", jax.ffi.pycapsule(getattr(library, f"fastact_jax_{target}")), platform="cpu"
        )
    return place
