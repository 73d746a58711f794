"""List the functions by family, or those elementwise activations that have wanted properties.

Conditions on properties leave elementwise activations alone; ``--properties`` prints a table of these.
"""

from __future__ import annotations

import argparse
import difflib
import shutil
from typing import Any

import fastact as fa
from fastact.functions import BY_NAME

from .common import CommandError, as_json, styled

_YES = {"yes": True, "no": False}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of this command."""
    parser.add_argument("--family", metavar="NAME", help="those of a family, as in --family rectifiers")
    parser.add_argument("--monotonic", choices=_YES, help="that never decrease, or that do")
    parser.add_argument("--zero-centred", choices=_YES, help="whose mean output for standard normal inputs is 0, or is not")
    parser.add_argument(
        "--saturates", metavar="LEFT[,RIGHT]", help="hard, soft or no on the left and on the right; one word for both"
    )
    parser.add_argument("--smoothness", metavar="CLASS", help="discontinuous, C0, C1, C2 or smooth")
    parser.add_argument("--kinks", choices=_YES, help="with kinks, or without")
    parser.add_argument("--trained", choices=_YES, help="with trained parameters, or without")
    parser.add_argument("--properties", action="store_true", help="print a table of the most important properties")
    parser.add_argument("--json", action="store_true", help="print records for programs, with --properties all that is known")


def run(args: argparse.Namespace) -> int:
    """Print the list and return the exit status.

    Raises
    ------
    CommandError
        For a family or a property that there is not.
    """
    functions = {f.__name__: f for f in BY_NAME.values()}
    families = {n: f.family for n, f in functions.items()}
    if args.family and args.family not in families.values():
        near = difflib.get_close_matches(args.family, families.values(), n=1)
        hint = f"; did you mean {near[0]}?" if near else ""
        raise CommandError(f"--family {args.family}: expected one of {', '.join(sorted(set(families.values())))}{hint}")
    names = [n for n in functions if not args.family or families[n] == args.family]
    wanted = _conditions(args)
    if wanted or args.properties:
        found = fa.find(**wanted)
        names = [n for n in names if n in found]
    if args.properties:
        records = fa.properties(sorted(names))
        print(as_json(records) if args.json else records)
    elif args.json:
        print(as_json([_record(functions[n]) for n in names]))
    elif not names:
        print("none")
    else:
        _print(names, functions)
    return 0


def _conditions(args: argparse.Namespace) -> dict[str, Any]:
    """What `fastact.find` is asked for."""
    wanted: dict[str, Any] = {}
    for name in ("monotonic", "zero_centred", "kinks", "trained"):
        if (answer := getattr(args, name)) is not None:
            wanted[name] = _YES[answer]
    if args.smoothness is not None:
        wanted["smoothness"] = args.smoothness
    if args.saturates is not None:
        sides = tuple(args.saturates.split(","))
        wanted["saturates"] = sides[0] if len(sides) == 1 else sides
    try:
        fa.find(**wanted)
    except ValueError as error:
        raise CommandError(str(error).removeprefix("fastact.find: ")) from None
    return wanted


def _record(function: Any) -> dict[str, Any]:
    return {
        "name": function.__name__, "family": function.family, "aliases": function.aliases, "summary": function.summary,
        "elementwise": isinstance(function, fa.Activation),
    }  # fmt: skip


def _print(names: list[str], functions: dict[str, Any]) -> None:
    """Families, each with its functions and what they are, in the width of the terminal."""
    width = max(map(len, names)) + 2
    room = max(40, shutil.get_terminal_size((100, 24)).columns - width - 2)
    families = dict.fromkeys(functions[n].family for n in names)
    for number, family in enumerate(families):
        print(("\n" if number else "") + styled(family, "bold"))
        for name in names:
            if functions[name].family == family:
                summary = functions[name].summary
                summary = summary if len(summary) <= room else summary[: room - 3].rstrip(" ,:") + "..."
                print(f"  {styled(name, 'cyan')}{' ' * (width - len(name))}{summary}")


