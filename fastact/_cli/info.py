"""Say what is known of a function: formula, range, limits, saturation, kinks, cost, paper.

For elementwise activations this is ``fa.gelu.info``; of the other families it is what their documentation has.
"""

from __future__ import annotations

import argparse
import inspect
from typing import Any

import fastact as fa

from .common import as_json, find, styled


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of this command."""
    parser.add_argument("names", metavar="NAME", nargs="+", help="functions of any family, by any of their names")
    parser.add_argument("--json", action="store_true", help="print a list of records for programs; infinities are texts")


def run(args: argparse.Namespace) -> int:
    """Print what is known and return the exit status.

    Raises
    ------
    CommandError
        For a name that there is not; the message suggests near ones.
    """
    functions = [find(name) for name in args.names]
    if args.json:
        print(as_json([f.info.record() if isinstance(f, fa.Activation) else _record(f) for f in functions]))
        return 0
    for number, function in enumerate(functions):
        print("\n" * bool(number) + _coloured(repr(function.info) if isinstance(function, fa.Activation) else _text(function)))
    return 0


def _record(function: Any) -> dict[str, Any]:
    """What is known of a function that is not elementwise."""
    return {
        "name": function.__name__, "aliases": function.aliases, "family": function.family, "summary": function.summary,
        "formula": function.latex, "call": _call(function), "range": function.range, "notes": function.notes,
        "reference": function.reference,
    }  # fmt: skip


def _call(function: Any) -> str:
    parameters = [p.replace(annotation=p.empty) for p in inspect.signature(function).parameters.values()]
    return f"{function.__name__}{inspect.Signature(parameters)}"


def _text(function: Any) -> str:
    """The record in the form that `fastact.Info` prints."""
    record = _record(function)
    lines = [f"{record.pop('name')}: {record.pop('summary')}", ""]
    record["range"] = " to ".join(record["range"])
    for head, value in record.items():
        text = ", ".join(value) if isinstance(value, tuple) else value
        lines += [f"  {head:<14}{text}"] if text else []
    return "\n".join(lines)


def _coloured(text: str) -> str:
    """The name in bold, the heads of the lines in a colour, on a terminal."""
    first, *rest = text.splitlines()
    name, colon, summary = first.partition(":")
    lines = [styled(name, "bold") + colon + summary]
    lines += [f"  {styled(line[2:16], 'cyan')}{line[16:]}" if line else line for line in rest]
    return "\n".join(lines)
