"""Compiled code that is kept on disk between processes: an object file for each kernel, by what it was compiled from."""

from __future__ import annotations

import hashlib
import os
import sys
import tempfile
import warnings
from pathlib import Path
from typing import Any

import llvmlite
import numba

_MARK = b"fastact object 1\n"


def folder() -> Path:
    """``FASTACT_CACHE_DIR``, or a folder of fastact where the system keeps caches of the user."""
    if given := os.environ.get("FASTACT_CACHE_DIR"):
        return Path(given)
    if sys.platform == "win32":
        base = os.environ.get("LOCALAPPDATA") or Path.home() / "AppData" / "Local"
    elif sys.platform == "darwin":
        base = Path.home() / "Library" / "Caches"
    else:
        base = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(base) / "fastact"


def place_of(codegen: Any, module: Any) -> Path:
    """Where what is compiled of a module is kept: by its text, the compilers' versions and the processor."""
    told = "\n".join([str(module), llvmlite.__version__, numba.__version__, *map(str, codegen.magic_tuple())])
    return folder() / f"{hashlib.sha256(told.encode()).hexdigest()[:40]}.o"


def load(codegen: Any, name: str, place: Path) -> Any:
    """The library that is kept there; None if there is none, or only a part of one."""
    try:
        data = place.read_bytes()
    except OSError:
        return None
    digest, body = data[len(_MARK) : len(_MARK) + 32], data[len(_MARK) + 32 :]
    if not data.startswith(_MARK) or hashlib.sha256(body).digest() != digest:
        return None
    size = int.from_bytes(body[:8], "little")
    return codegen.unserialize_library((name, "object", (body[8 : 8 + size], body[8 + size :])))


def save(library: Any, place: Path) -> None:
    """Keep a library; a folder that cannot be written to is a warning."""
    code, bitcode = library.serialize_using_object_code()[2]
    body = len(code).to_bytes(8, "little") + code + bitcode
    try:
        place.parent.mkdir(parents=True, exist_ok=True)
        handle, temporary = tempfile.mkstemp(dir=place.parent, prefix=".part-")
        with os.fdopen(handle, "wb") as file:
            file.write(_MARK + hashlib.sha256(body).digest() + body)
        os.replace(temporary, place)
    except OSError as error:
        warnings.warn(f"fastact.define: compiled code is not kept: {error}; FASTACT_CACHE_DIR names the folder", stacklevel=2)
