"""Arrays from .npy and .npz files and files without a header, and to .npy files, piece by piece; pipes too.

Nothing is memory-mapped: a file that somebody truncates meanwhile is an error, not a bus error, and what is written in
order can go down a pipe.
"""

from __future__ import annotations

import contextlib
import difflib
import math
import os
import stat
import sys
import warnings
import zipfile
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
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

#: What reading a damaged archive ends in.
_BROKEN = (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, RuntimeError)


@dataclass(frozen=True)
class Raw:
    """What a file without a header holds, as that of a `numpy.memmap`: dtype, shape (a -1 is what there is), where it begins."""

    dtype: np.dtype[Any]
    shape: tuple[int, ...]
    offset: int


class Source:
    """The array of a file or pipe, read from its beginning to its end.

    Parameters
    ----------
    path : str
        The file: .npy, or .npz if it can be searched. Nothing is unpickled.
    function : str
        For whom, in the message about a dtype that nothing here takes.
    member : str, optional
        The array's name in a .npz file; it may be left out where there is one array.
    raw : Raw, optional
        What the file holds if it has no header.

    Attributes
    ----------
    dtype, shape, fortran
        What its header says.

    Raises
    ------
    CommandError
        If the file is missing, unreadable, truncated, not such a file, has no such member or another size than a file
        without a header should have, or holds Python objects.
    """

    def __init__(self, path: str, function: str, member: str | None = None, raw: Raw | None = None) -> None:
        self.path, self.kind = path, ".npy"
        self.archive: zipfile.ZipFile | None = None
        if os.path.isdir(path):
            raise CommandError(f"{path}: not a regular file")
        try:
            self.file: BinaryIO = open(path, "rb")  # noqa: SIM115 (closed by __exit__)
            try:
                if raw is None:
                    self._read_header(function, member)
                else:
                    self._skip_to(raw)
            except BaseException:
                self.close()
                raise
        except OSError as error:
            raise CommandError(f"{path}: {error.strerror or error}") from error

    def _read_header(self, function: str, member: str | None) -> None:
        prefix = np.lib.format.MAGIC_PREFIX
        found = self.file.read(len(prefix))
        length = _length(self.file)
        if found[:4] in (b"PK\3\4", b"PK\5\6") and length is not None:
            found, length = self._enter(member, len(prefix))
        elif member is not None:
            raise CommandError(f"{self.path}: --member {member}: not a .npz file that can be searched")
        if found != prefix:
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
        if min(self.shape, default=0) < 0 or (length is not None and length - self.file.tell() < needed):
            raise self._damaged(f"an array of shape {self.shape} has {needed:,} bytes")

    def _enter(self, member: str | None, count: int) -> tuple[bytes, int]:
        """Open an array of the archive that the file is; its first bytes and its length."""
        self.kind = ".npz"
        try:
            self.archive = zipfile.ZipFile(self.file)
            names = [n.removesuffix(".npy") for n in self.archive.namelist() if n.endswith(".npy")]
            if not names:
                raise CommandError(f"{self.path}: a .npz file without an array")
            if member is None and len(names) > 1:
                raise CommandError(f"{self.path}: has several arrays; choose one by --member {' or '.join(names)}")
            if member is not None and member not in names:
                near = difflib.get_close_matches(member, names, n=1)
                hint = f"; did you mean {near[0]}?" if near else ""
                raise CommandError(f"{self.path}: --member {member}: it has {', '.join(names)}{hint}")
            entry = self.archive.getinfo(f"{member or names[0]}.npy")
            self.file = self.archive.open(entry)  # type: ignore[assignment]
            return self.file.read(count), entry.file_size
        except _BROKEN as error:
            raise self._damaged(error) from error

    def _skip_to(self, raw: Raw) -> None:
        """Come to the elements of a file without a header."""
        self.kind, self.fortran, self.dtype = "raw", False, raw.dtype
        length, known, each = _length(self.file), [n for n in raw.shape if n >= 0], raw.dtype.itemsize
        if length is None and len(known) < len(raw.shape):
            raise CommandError(f"{self.path}: --shape has a -1, and the length of a pipe is not known")
        if length is not None and len(known) < len(raw.shape):
            step = math.prod(known) * each
            rest = (length - raw.offset) // step if step else 0
            self.shape = tuple(rest if n < 0 else n for n in raw.shape)
        else:
            self.shape = raw.shape
        self.size = math.prod(self.shape)
        needed = raw.offset + self.size * each
        if length not in (None, needed):
            raise CommandError(
                f"{self.path}: has {length:,} bytes; shape {self.shape} of {self.dtype} after {raw.offset:,} bytes has {needed:,}"
            )
        left = raw.offset
        while left > 0:
            got = len(self.file.read(min(left, 1 << 20)))
            if not got:
                raise self._damaged(f"it ends {left:,} bytes before the offset does")
            left -= got

    def _damaged(self, what: object) -> CommandError:
        return CommandError(f"{self.path}: damaged or truncated {self.kind} file: {what}")

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
        except _BROKEN as error:
            raise self._damaged(error) from error
        except OSError as error:
            raise CommandError(f"{self.path}: {error.strerror or error}") from error
        return found

    def array(self) -> npt.NDArray[Any]:
        """All of it."""
        return self.read(self.size).reshape(self.shape, order="F" if self.fortran else "C")

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.close()

    def close(self) -> None:
        """Close the file, and the archive that it may be in."""
        file = self.archive.fp if self.archive is not None else None
        self.file.close()
        for opened in (self.archive, file):
            if opened is not None:
                opened.close()


def _length(file: BinaryIO) -> int | None:
    """The length of a regular file; None for a pipe."""
    status = os.fstat(file.fileno())
    return status.st_size if stat.S_ISREG(status.st_mode) else None


class Target:
    """Where a .npy file is written, in order."""

    def __init__(self, file: Any) -> None:
        self.file = file
        self.dtype: np.dtype[Any] | None = None  # as it comes

    def header(self, shape: tuple[int, ...], fortran: bool, dtype: np.dtype[Any]) -> None:
        """What comes first."""
        descr = np.lib.format.dtype_to_descr(dtype)
        known = {"descr": descr, "fortran_order": fortran, "shape": shape}
        np.lib.format.write_array_header_1_0(self.file, known)

    def write(self, array: npt.NDArray[Any]) -> None:
        """The next elements, in C order."""
        left = np.ascontiguousarray(array, self.dtype).reshape(-1).view(np.uint8).data
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
