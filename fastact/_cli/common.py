"""What the commands share: errors, names, files that are replaced, progress."""

from __future__ import annotations

import argparse
import contextlib
import importlib
import json
import math
import os
import secrets
import shutil
import signal
import stat
import sys
import threading
import time
from collections.abc import Iterator
from types import TracebackType
from typing import Any, Self

import fastact as fa

TAKES = "takes float16, float32, float64, integers and bools"


class CommandError(Exception):
    """What a command cannot do, in one line for the user."""


def one_line(text: object) -> str:
    """Return the text with its line breaks written as spaces."""
    return " ".join(part.strip() for part in str(text).splitlines())


def styled(text: str, style: str) -> str:
    """The text in bold or in a colour where standard output is a terminal that wants them (NO_COLOR says that it does not)."""
    codes = {"bold": "1", "cyan": "36"}
    if not sys.stdout.isatty() or os.environ.get("NO_COLOR") or os.environ.get("TERM") == "dumb":
        return text
    return f"\033[{codes[style]}m{text}\033[0m"


def as_json(value: Any) -> str:
    """JSON for any reader: infinities and NaN, which it has not, are the texts "inf", "-inf" and "nan"."""

    def plain(part: Any) -> Any:
        if isinstance(part, dict):
            return {name: plain(each) for name, each in part.items()}
        if isinstance(part, list | tuple):
            return [plain(each) for each in part]
        return str(part) if isinstance(part, float) and not math.isfinite(part) else part

    return json.dumps(plain(value), indent=1, allow_nan=False)


def positive(text: str) -> int:
    """A positive whole number; 1e6 is one, too."""
    try:
        number = int(text) if text.isdigit() else float(text)
    except ValueError:
        number = 0
    if not (1 <= number < math.inf and number == int(number)):
        raise argparse.ArgumentTypeError(f"{text!r} is not a positive whole number")
    return int(number)


def find(name: str) -> Any:
    """Return a function of any family by any of its names.

    Raises
    ------
    CommandError
        If there is none; the message suggests near names.
    """
    try:
        return fa.get(name)
    except ValueError as error:
        raise CommandError(str(error).removeprefix("fastact.get: ")) from None


@contextlib.contextmanager
def replacing(path: str) -> Iterator[str]:
    """Yield the name of an empty file beside ``path`` that replaces it at the end, or leaves no trace.

    Raises
    ------
    CommandError
        If no file can be written there.
    """
    target = os.path.realpath(path)
    exists = True
    try:
        if not stat.S_ISREG(os.stat(path).st_mode):
            raise CommandError(f"{path}: not a regular file")
    except FileNotFoundError:
        exists = False
    except OSError as error:  # links in a circle, too, which would be replaced like what does not exist
        raise CommandError(f"{path}: cannot be written: {error.strerror or error}") from error
    if exists and not os.access(target, os.W_OK):
        raise CommandError(f"{path}: cannot be written: read-only")
    temporary = os.path.join(os.path.dirname(target), f".fastact-{os.getpid()}-{secrets.token_hex(4)}.tmp")
    with _terminable():
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


@contextlib.contextmanager
def _terminable() -> Iterator[None]:
    """Let SIGTERM and SIGHUP unwind the stack, so that the temporary file goes with the process; nohup's does not end it."""
    before = {}

    def terminate(number: int, frame: object) -> None:
        raise SystemExit(128 + number)

    if threading.current_thread() is threading.main_thread():
        for number in (signal.SIGTERM, getattr(signal, "SIGHUP", signal.SIGTERM)):
            if number not in before and signal.getsignal(number) is not signal.SIG_IGN:
                before[number] = signal.signal(number, terminate)
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler or signal.SIG_DFL)


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
