"""Arrays from and to .npy files, piece by piece: regular files, pipes, standard input and output.

Nothing is memory-mapped: a file that somebody truncates meanwhile is an error, not a bus error, and what is written in
order can go down a pipe.
"""

from __future__ import annotations

import contextlib
import math
import os
import stat
import sys
import warnings
from collections.abc import Iterator
from types import TracebackType
from typing import Any, BinaryIO, Self

import numpy as np
import numpy.typing as npt

from .common import TAKES, CommandError, replacing

#: Versions 2 and 3 differ in how the names of fields are encoded, and no function takes fields.
_READERS: dict[tuple[int, ...], Any] = {
    (1, 0): np.lib.format.read_array_header_1_0, (2, 0): np.lib.format.read_array_header_2_0,
    (3, 0): np.lib.format.read_array_header_2_0,
}  # fmt: skip


class Source:
    """The array of a .npy file or pipe, read from its beginning to its end.

    Parameters
    ----------
    path : str
        The file. Nothing is unpickled.
    function : str
        For whom, in the message about a dtype that nothing here takes.

    Attributes
    ----------
    dtype, shape, fortran
        What its header says.

    Raises
    ------
    CommandError
        If the file is missing, unreadable, truncated, not a .npy file, or holds Python objects.
    """

    def __init__(self, path: str, function: str) -> None:
        self.path = path
        if os.path.isdir(path):
            raise CommandError(f"{path}: not a regular file")
        try:
            self.file: BinaryIO = open(path, "rb")  # noqa: SIM115 (closed by __exit__)
            try:
                self._read_header(function)
            except BaseException:
                self.file.close()
                raise
        except OSError as error:
            raise CommandError(f"{path}: {error.strerror or error}") from error

    def _read_header(self, function: str) -> None:
        prefix = np.lib.format.MAGIC_PREFIX
        if self.file.read(len(prefix)) != prefix:
            raise CommandError(f"{self.path}: not a .npy file")
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")  # NumPy's remarks on old headers
                read = _READERS[tuple(self.file.read(2))]
                self.shape, self.fortran, self.dtype = read(self.file)
        except OSError:
            raise
        except Exception as error:  # a damaged header can surface as almost anything
            raise self._damaged(error) from error
        if self.dtype.hasobject:
            raise CommandError(f"{self.path}: has dtype {self.dtype}; {function} {TAKES}")
        self.size = math.prod(self.shape)
        needed = self.size * self.dtype.itemsize
        status = os.fstat(self.file.fileno())
        if min(self.shape, default=0) < 0 or (stat.S_ISREG(status.st_mode) and status.st_size - self.file.tell() < needed):
            raise self._damaged(f"an array of shape {self.shape} has {needed:,} bytes")

    def _damaged(self, what: object) -> CommandError:
        return CommandError(f"{self.path}: damaged or truncated .npy file: {what}")

    def read(self, count: int) -> npt.NDArray[Any]:
        """The next so many elements.

        Raises
        ------
        CommandError
            If the file ends before: it has become shorter, or whoever writes to the pipe has stopped.
        """
        found = np.empty(count, self.dtype)
        room = found.view(np.uint8).data
        try:
            while len(room):
                got = self.file.readinto(room)  # type: ignore[attr-defined]
                if not got:
                    raise self._damaged(f"it ends {len(room):,} bytes before the elements that were wanted do")
                room = room[got:]
        except OSError as error:
            raise CommandError(f"{self.path}: {error.strerror or error}") from error
        return found

    def array(self) -> npt.NDArray[Any]:
        """All of it."""
        return self.read(self.size).reshape(self.shape, order="F" if self.fortran else "C")

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.file.close()


class Target:
    """Where a .npy file is written, in order."""

    def __init__(self, file: Any) -> None:
        self.file = file

    def header(self, shape: tuple[int, ...], fortran: bool, dtype: np.dtype[Any]) -> None:
        """What comes first."""
        descr = np.lib.format.dtype_to_descr(dtype)
        known = {"descr": descr, "fortran_order": fortran, "shape": shape}
        np.lib.format.write_array_header_1_0(self.file, known)

    def write(self, array: npt.NDArray[Any]) -> None:
        """The next elements, in C order."""
        left = np.ascontiguousarray(array).reshape(-1).view(np.uint8).data
        while len(left):
            left = left[self.file.write(left) :]


def is_stdout(path: str) -> bool:
    """Whether a path leads to where standard output goes, like /dev/stdout."""
    try:
        return os.path.samestat(os.stat(path), os.fstat(sys.stdout.fileno()))
    except (OSError, ValueError, AttributeError):
        return False


def _is_stream(path: str) -> bool:
    try:
        mode = os.stat(path).st_mode
    except OSError:
        return False  # what is wrong with it is said when it is opened
    return stat.S_ISFIFO(mode) or stat.S_ISCHR(mode)


@contextlib.contextmanager
def writing(path: str) -> Iterator[Target]:
    """What is written to a path: to a pipe or device as it comes, else to a file that takes its place at the end.

    Raises
    ------
    CommandError
        If it cannot be written, or the reader of a pipe has gone.
    BrokenPipeError
        If that pipe is standard output.
    """
    if is_stdout(path):
        sys.stdout.flush()
        with open(os.dup(sys.stdout.fileno()), "wb", buffering=0) as file:
            yield Target(file)
    elif _is_stream(path):
        try:
            with open(path, "wb", buffering=0) as file:
                yield Target(file)
        except OSError as error:
            raise CommandError(f"{path}: cannot be written: {error.strerror or error}") from error
    else:
        with replacing(path) as temporary, open(temporary, "wb", buffering=0) as file:
            yield Target(file)
