"""Draw activations and their derivatives into a picture: PNG, SVG, PDF, as the name of the file says.

Needs matplotlib, the extra ``plot``. Kinks, limits and saturated tails are marked; several functions are compared.
"""

from __future__ import annotations

import argparse
import io
import os

import fastact as fa

from .common import CommandError, find, positive, replacing


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of this command."""
    parser.add_argument("names", metavar="NAME", nargs="*", help="elementwise activations, by any of their names")
    parser.add_argument("-o", "--output", metavar="FILE", required=True, help="the picture, as in gelu.svg or gelu.png")
    parser.add_argument("--all", action="store_true", help="a sheet of all functions, or of those named, each by itself")
    parser.add_argument("--no-derivative", action="store_true", help="draw the values alone")
    parser.add_argument("--no-marks", action="store_true", help="mark no kinks, limits and saturated tails")
    parser.add_argument("--xlim", metavar=("LEFT", "RIGHT"), nargs=2, type=float, help="where the picture begins and ends")
    parser.add_argument(
        "--param", metavar="NAME=VALUE[,VALUE]", action="append", default=[],
        help="a parameter, as in --param alpha=0.5; several numbers draw a curve for each",
    )  # fmt: skip
    parser.add_argument("--dpi", type=positive, default=150, help="of pictures made of pixels (default: 150)")


def run(args: argparse.Namespace) -> int:
    """Draw the picture and return the exit status.

    Raises
    ------
    CommandError
        Without matplotlib; for a function that there is not or that is not elementwise, an unknown parameter or format, a
        file that cannot be written.
    """
    functions = [find(name) for name in args.names]
    if not functions and not args.all:
        raise CommandError("no function is named; fastact list names them, --all draws a sheet of all")
    if args.all and (args.param or args.xlim or args.no_marks):
        raise CommandError("--all takes neither --param nor --xlim nor --no-marks")
    parameters = dict(_parameter(text) for text in args.param)
    try:
        from matplotlib.figure import Figure
    except ImportError:
        raise CommandError('needs matplotlib, which an extra brings: pip install "fastact[plot]"') from None
    figure, derivative = Figure(), not args.no_derivative
    known = figure.canvas.get_supported_filetypes()
    form = os.path.splitext(args.output)[1].lstrip(".").lower() or "png"
    if form not in known:
        raise CommandError(f"{args.output}: there is no format {form!r}; there are {', '.join(sorted(known))}")
    try:
        if args.all:
            fa.plot_all(functions or None, derivative=derivative, figure=figure)
        else:
            curves = len(functions) + sum(len(v) - 1 for v in parameters.values() if isinstance(v, list))
            panels = 2 if derivative and curves > 1 else 1
            figure = Figure(figsize=(10.5, 4.4) if panels == 2 else (6.4, 4.4), layout="constrained")
            fa.plot(
                *functions, derivative=derivative, ax=figure.subplots(1, panels), xlim=args.xlim, marks=not args.no_marks,
                **parameters,
            )  # fmt: skip
    except (TypeError, ValueError) as error:
        raise CommandError(str(error).removeprefix("fastact.plot: ").removeprefix("fastact.plot_all: ")) from None
    picture = io.BytesIO()
    figure.savefig(picture, format=form, dpi=args.dpi)
    with replacing(args.output) as temporary, open(temporary, "wb") as file:
        file.write(picture.getbuffer())
    print(f"{args.output}: {', '.join(f.__name__ for f in functions) or 'all functions'}")
    return 0


def _parameter(text: str) -> tuple[str, float | list[float] | str]:
    """One ``name=value`` with a number, several, or a word."""
    name, equals, value = text.partition("=")
    if not equals or not value:
        raise CommandError(f"--param {text}: expected NAME=VALUE")
    try:
        numbers = [float(part) for part in value.split(",")]
    except ValueError:
        return name, value
    return name, numbers if len(numbers) > 1 else numbers[0]
