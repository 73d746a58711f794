"""What the commands share: errors, files, progress."""

from __future__ import annotations

import argparse
import contextlib
import importlib
import math
import os
import secrets
import shutil
import sys
import time
import warnings
from collections.abc import Iterator
from types import TracebackType
from typing import Any, Self

import numpy as np
import numpy.typing as npt

import fastact as fa

TAKES = "takes float16, float32, float64, integers and bools"


class CommandError(Exception):
    """What a command cannot do, in one line for the user."""


def one_line(text: object) -> str:
    """Return the text with its line breaks written as spaces."""
    return " ".join(part.strip() for part in str(text).splitlines())


def positive(text: str) -> int:
    """A positive whole number; 1e6 is one, too."""
    try:
        number = int(text) if text.isdigit() else float(text)
    except ValueError:
        number = 0
    if not (1 <= number < math.inf and number == int(number)):
        raise argparse.ArgumentTypeError(f"{text!r} is not a positive whole number")
    return int(number)


def find(name: str) -> fa.Activation:
    """Return an activation by any of its names.

    Raises
    ------
    CommandError
        If there is none; the message suggests near names.
    """
    try:
        found = fa.get(name)
    except ValueError as error:
        raise CommandError(str(error).removeprefix("fastact.get: ")) from None
    if not isinstance(found, fa.Activation):
        raise CommandError(f"{found.__name__} is a {found.word}; this command knows elementwise activations alone")
    return found


def load(path: str, function: str) -> npt.NDArray[Any]:
    """Map the array of a .npy file, read-only.

    Parameters
    ----------
    path : str
        The file. Nothing is unpickled.
    function : str
        For whom, in the message about a dtype that nothing here takes.

    Raises
    ------
    CommandError
        If the file is missing, unreadable, truncated, not a .npy file, or holds Python objects.
    """
    try:
        if os.path.exists(path) and not os.path.isfile(path):
            raise CommandError(f"{path}: not a regular file")
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # NumPy's remarks on old headers
            dtype = _header_dtype(path)
            if dtype is not None and dtype.hasobject:
                raise CommandError(f"{path}: has dtype {dtype}; {function} {TAKES}")
            array: npt.NDArray[Any] = np.load(path, mmap_mode="r", allow_pickle=False)
    except OSError as error:
        raise CommandError(f"{path}: {error.strerror or error}") from error
    except (CommandError, ImportError):
        raise
    except Exception as error:  # a damaged header can surface as almost anything
        raise CommandError(f"{path}: damaged or truncated .npy file: {error}") from error
    return array


def _header_dtype(path: str) -> np.dtype[Any] | None:
    """The dtype of a .npy file; None for header versions that have no public reader."""
    readers = {(1, 0): np.lib.format.read_array_header_1_0, (2, 0): np.lib.format.read_array_header_2_0}
    with open(path, "rb") as file:
        if file.read(len(np.lib.format.MAGIC_PREFIX)) != np.lib.format.MAGIC_PREFIX:
            raise CommandError(f"{path}: not a .npy file")
        file.seek(0)
        reader = readers.get(np.lib.format.read_magic(file))
        dtype: np.dtype[Any] | None = reader(file)[2] if reader else None
        return dtype


def result_dtype(call: Any, dtype: np.dtype[Any], path: str, name: str, **params: Any) -> np.dtype[Any]:
    """Return the dtype that a call on an array of ``dtype`` gives.

    Raises
    ------
    CommandError
        If the call does not take it; the message names function, file and dtype.
    """
    try:
        result: np.dtype[Any] = call(np.empty(0, dtype), **params).dtype
    except TypeError:
        raise CommandError(f"{path}: has dtype {dtype}; {name} {TAKES}") from None
    return result


@contextlib.contextmanager
def replacing(path: str) -> Iterator[str]:
    """Yield the name of an empty file beside ``path`` that replaces it at the end, or leaves no trace.

    Raises
    ------
    CommandError
        If no file can be written there.
    """
    target = os.path.realpath(path)
    exists = os.path.exists(target)
    if exists and not os.path.isfile(target):
        raise CommandError(f"{path}: not a regular file")
    if exists and not os.access(target, os.W_OK):
        raise CommandError(f"{path}: cannot be written: read-only")
    temporary = os.path.join(os.path.dirname(target), f".fastact-{os.getpid()}-{secrets.token_hex(4)}.tmp")
    try:
        open(temporary, "xb").close()
        if exists:
            shutil.copymode(target, temporary)
        yield temporary
        os.replace(temporary, target)
    except BaseException as error:
        with contextlib.suppress(OSError):
            os.unlink(temporary)
        if isinstance(error, OSError) and not isinstance(error, BrokenPipeError):
            raise CommandError(f"{path}: cannot be written: {error.strerror or error}") from error
        raise


class Progress:
    """Progress on stderr: tqdm's bar, or a counter without tqdm; nothing where stderr is not a terminal.

    Parameters
    ----------
    total : int
        The number of steps.
    unit : str
        What a step is.
    """

    def __init__(self, total: int, unit: str) -> None:
        self.total, self.done, self.unit, self.last = total, 0, unit, 0.0
        self.bar: Any = None
        self.shown = sys.stderr.isatty()
        with contextlib.suppress(ImportError):
            tqdm = importlib.import_module("tqdm").tqdm
            self.bar = tqdm(total=total, unit=unit, unit_scale=total > 10_000, leave=False, disable=None, dynamic_ncols=True)

    def update(self, steps: int, label: str = "") -> None:
        """Advance by ``steps``; ``label`` says what is being done."""
        self.done += steps
        if self.bar is not None:
            self.bar.set_description(label, refresh=False)
            self.bar.update(steps)
        elif self.shown and time.monotonic() - self.last > 0.2:
            self.last = time.monotonic()
            print(f"\r\033[K{label} {self.done:,} of {self.total:,} {self.unit}", end="", file=sys.stderr, flush=True)

    def write(self, line: str) -> None:
        """Print a line to stdout, clear of the bar."""
        if self.bar is not None:
            self.bar.write(line, file=sys.stdout)
        else:
            self._clear()
            print(line, flush=True)

    def _clear(self) -> None:
        if self.shown:
            print("\r\033[K", end="", file=sys.stderr, flush=True)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        if self.bar is not None:
            self.bar.close()
        else:
            self._clear()
