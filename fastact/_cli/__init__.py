"""The command line: ``python -m fastact [command]``.

A command is a module of this package with ``add_arguments(parser)`` and ``run(args) -> int`` (the exit
status); it stands in `COMMANDS`, and the first line of its docstring is its help. A command
refuses its input by raising `CommandError`, which becomes one line on stderr and exit status 2.
"""

from __future__ import annotations

import argparse
import difflib
import os
import sys
from collections.abc import Sequence
from typing import NoReturn

import fastact as fa

from . import apply, bench, diagnose, info, listing, plot, run, verify
from .common import CommandError, one_line

#: In the order of the help; the first runs where no command is named.
COMMANDS = {
    "run": run, "list": listing, "info": info, "plot": plot, "apply": apply, "bench": bench, "verify": verify,
    "diagnose": diagnose,
}  # fmt: skip
DEFAULT = "run"


class Parser(argparse.ArgumentParser):
    """An argument parser that complains in one line."""

    def error(self, message: str) -> NoReturn:
        """Exit with status 2."""
        self.exit(2, f"{self.prog}: {message} (see {self.prog} --help)\n")


def build_parser() -> Parser:
    """Return the parser of all commands."""
    parser = Parser(
        prog="fastact", description=fa.__doc__.splitlines()[0] if fa.__doc__ else None, allow_abbrev=False,
        epilog=f"Without a command: {DEFAULT}. Its options: fastact {DEFAULT} --help.",
    )  # fmt: skip
    parser.add_argument("--version", action="version", version=f"fastact {fa.__version__}")
    table = parser.add_subparsers(title="commands", dest="command", metavar="COMMAND", required=True)
    for name, module in COMMANDS.items():
        summary = (module.__doc__ or "").partition("\n")[0]
        command = table.add_parser(name, help=summary, description=summary, allow_abbrev=False)
        module.add_arguments(command)
        command.set_defaults(function=module.run, options=[o for o in command._option_string_actions if o.startswith("--")])
    return parser


def main(argv: Sequence[str] | None = None) -> int:
    """Run a command and return its exit status.

    Parameters
    ----------
    argv : sequence of str, optional
        The arguments; ``sys.argv[1:]`` by default.

    Returns
    -------
    int
        0; 2 for what the user has to put right, with one line on stderr; 130 after Ctrl-C.
    """
    arguments = list(sys.argv[1:] if argv is None else argv)
    parser = build_parser()
    if not arguments or arguments[0] not in (*COMMANDS, "-h", "--help", "--version"):
        near = difflib.get_close_matches(arguments[0], COMMANDS, n=1) if arguments else []
        if near and arguments[0] not in dir(fa):
            parser.error(f"there is no command {arguments[0]!r}; did you mean {near[0]}?")
        arguments.insert(0, DEFAULT)
    args, unknown = parser.parse_known_args(arguments)
    if unknown:
        near = difflib.get_close_matches(unknown[0].partition("=")[0], args.options, n=1) if unknown[0].startswith("-") else []
        parser.error(f"unrecognized arguments: {' '.join(unknown)}" + (f"; did you mean {near[0]}?" if near else ""))
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="backslashreplace")
    try:
        status = int(args.function(args))
        sys.stdout.flush()
        return status
    except CommandError as error:
        message, status = str(error), 2
    except KeyboardInterrupt:
        message, status = "interrupted", 130
    except OSError as error:  # of stdout; what is wrong with other files is a CommandError
        if error.filename is not None:
            raise
        # What is left of it goes nowhere, at exit too.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        if isinstance(error, BrokenPipeError):  # whoever read it has gone
            return 1
        message, status = f"standard output cannot be written: {error.strerror or error}", 2
    print(f"fastact {args.command}: {one_line(message)}", file=sys.stderr)
    return status
