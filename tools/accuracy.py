"""Writes docs/accuracy.md from the findings of `python -m fastact verify` in docs/accuracy: ``python tools/accuracy.py``.

A finding whose formula has changed since is left out, and the function named. How to take them again
stands on the page itself.
"""

import json
from functools import cache
from pathlib import Path

from fastact.cpu.printer import digest
from fastact.language.registry import REGISTRY

ROOT = Path(__file__).resolve().parents[1]
FOLDER = ROOT / "docs" / "accuracy"
LEVELS = {"x86-64-v4": "v4", "x86-64-v3": "v3", "x86-64": "baseline"}
LIBRARIES = {"numpy": "NumPy, SciPy", "torch": "PyTorch", "jax": "JAX", "onnxruntime": "ONNX Runtime", "numexpr": "numexpr",
             "thinc": "thinc"}  # fmt: skip

HEAD = """# Accuracy

Written by `tools/accuracy.py` from the findings in `docs/accuracy`; do not edit.

Greatest errors in units in the last place (ULP) with default parameters: of values and of derivatives by x. Near a root of
a derivative errors count in ULP of max(|exact|, 1/4), for fastact and the others alike. A correctly rounded result has at
most 0.5. The input at which an error was met stands beside it, in hexadecimal.

The contract: values within 2 ULP (4 where two transcendental functions meet, and in float32 where 2 would cost more than
15 % of the time in cache: sigmoid, tanh, silu, quick_gelu, softplus, log_sigmoid, and softmax and its kin), derivatives within 4.

    python -m fastact verify --exhaustive --json docs/accuracy/float32-exhaustive.json --resume
    FASTACT_CPU=x86-64-v3 python -m fastact verify --json docs/accuracy/float32-v3.json --resume
    FASTACT_CPU=x86-64 python -m fastact verify --json docs/accuracy/float32-baseline.json --resume
    python -m fastact verify --dtype float64 --json docs/accuracy/float64-v4.json --resume     # and so on
    python -m fastact verify --peers --dtype both --json docs/accuracy/peers.json
    python tools/accuracy.py

"""


@cache
def load():
    """All findings that still hold, and the names of functions some of whose do not."""
    findings, stale = [], set()
    marks = {}
    for path in sorted(FOLDER.glob("*.json")):
        for finding in json.loads(path.read_text(encoding="utf-8")) if path.name != "second.json" else []:
            name, dtype = finding["function"], finding["dtype"]
            if name in REGISTRY and (name, dtype) not in marks:
                marks[name, dtype] = digest(REGISTRY[name], dtype)
            if marks.get((name, dtype)) == finding["formula"] or finding["library"]:
                findings.append(finding)
            else:
                stale.add(name)
    return findings, stale


def error(finding):
    """The greatest error, by the rule of the contract where there is a root."""
    return float(finding.get("contract_ulp", finding["max_ulp"]))


def number(value):
    """A figure of the tables."""
    if value == float("inf"):
        return "∞"
    if value < 100:
        return f"{value:.2f}" if value else "0"
    return f"{value:.0f}" if value < 1e4 else f"{value:.1e}".replace("e+0", "e").replace("e+", "e")


def cell(finding):
    """A figure, with its witness."""
    if finding is None:
        return "–"
    witness = finding.get("contract_witness_hex") or finding["witness_hex"]
    return number(error(finding)) + (f" at {witness}" if witness else "")


def table(findings, dtype, columns):
    """Rows of functions and kinds; a column is a heading and a condition on findings."""
    lines = ["| function | kind | " + " | ".join(heading for heading, _ in columns) + " |", "|---|---|" + "---|" * len(columns)]
    for name in sorted(REGISTRY):
        for kind in ("value", "derivative"):
            of = [f for f in findings if (f["function"], f["kind"], f["dtype"]) == (name, kind, dtype)]
            found = [next((f for f in of if condition(f)), None) for _, condition in columns]
            if any(found):
                lines.append(f"| {name} | {kind} | " + " | ".join(map(cell, found)) + " |")
    return [*lines, ""]


def own(level, exhaustive=None):
    """A condition: fastact itself at a level."""
    return lambda f: not f["library"] and f["level"] == level and exhaustive in (None, f["exhaustive"])


def about(findings):
    """What was run, and when."""
    dates = sorted({f["date"] for f in findings})
    span = dates[0] if len(dates) == 1 else f"{dates[0]} to {dates[-1]}"
    return f"{sum(f['count'] for f in findings):,} inputs in all, {span}, NumPy {findings[0]['numpy']}."


def whole(findings):
    """The section on float32 over all inputs, with the counts."""
    mine = [f for f in findings if f["exhaustive"] and not f["library"]]
    if not mine:
        return []
    one, two = sum(error(f) <= 1 for f in mine), sum(1 < error(f) <= 2 for f in mine)
    missed = [f"{f['function']} {f['kind']} {error(f):.2f}" for f in mine if not f["holds"]]
    four = len(mine) - one - two - len(missed)
    falls = [f"{f['function']} {f['monotonicity_violations']:,}" for f in mine if f["monotonicity_violations"]]
    strays = [f["function"] for f in mine if f["range_violations"]]
    return [
        f"Over all 2^32 bit patterns {one} of {len(mine)} entries keep to 1 ULP, {two} more to 2 and {four} "
        f"more to the contract's 4. Outside the contract: {', '.join(missed) or 'none'}. "
        f"Results outside the range of the function: {', '.join(strays) or 'none'}. "
        "Adjacent inputs at which a function that rises falls by an ULP: " + (", ".join(falls) or "none") + ".", "",
        (FOLDER / "notes.md").read_text(encoding="utf-8"),
    ]  # fmt: skip


def second():
    """The section on second derivatives, from what tools/second.py measured."""
    path = FOLDER / "second.json"
    found = json.loads(path.read_text(encoding="utf-8")) if path.exists() else []
    found = [f for f in found if f["formula"] == digest(REGISTRY[f["function"]], f["dtype"], second=True)]
    if not found:
        return []
    lines = [
        "## Second derivatives", "",
        "Within 8 ULP; near roots, where the terms of a formula cancel, in ULP of what the last column says if that is more. "
        f"Default parameters, {found[0]['level'].removeprefix('x86-64-')}; float32 against the float64 kernels, float64 against "
        f"mpmath: {sum(f['count'] for f in found):,} inputs in all, by `python tools/second.py`. Those that are 0 everywhere are "
        "left out.", "", "| function | float32 | float64 | at least |", "|---|---|---|---|",
    ]  # fmt: skip
    for name in sorted(REGISTRY):
        both = {f["dtype"]: f for f in found if f["function"] == name}
        if any(f["max_ulp"] for f in both.values()):
            cells = (f"{f['max_ulp']:.2f} at {f['witness_hex']}" if f else "–" for f in map(both.get, ("float32", "float64")))
            least = REGISTRY[name].second_least.replace("|", r"\|")
            lines.append(f"| {name} | {' | '.join(cells)} | {f'`{least}`' if least else ''} |")
    return [*lines, ""]


def page():
    """The text of docs/accuracy.md."""
    findings, stale = load()
    lines = [HEAD]
    for dtype in ("float32", "float64"):
        mine = [f for f in findings if f["dtype"] == dtype and not f["library"]]
        if mine:
            how = (
                "v4 over all 2^32 bit patterns, the other levels over about 2^24, against the float64 kernels"
                if dtype == "float32"
                else "every binade of both signs, switch-over points, neighbours of roots and tails, against mpmath"
            )
            lines += [f"## {dtype}", "", f"By ISA level: {how}. {about(mine)}", ""]
            lines += whole(mine)
            lines += table(findings, dtype, [(short, own(level, True if (dtype, short) == ("float32", "v4") else None))
                                             for level, short in LEVELS.items()])  # fmt: skip
    lines += second()
    others = [f for f in findings if f["library"]]
    versions = {f["library"]: f["library_version"] for f in others}
    for dtype in ("float32", "float64") if others else ():
        mine = [f for f in others if f["dtype"] == dtype]
        lines += [f"## Other libraries, {dtype}", "", f"{'; '.join(dict.fromkeys(versions.values()))}. {about(mine)}", ""]
        best = own("x86-64-v4", True if dtype == "float32" else None)
        columns = [("fastact v4", best)]
        columns += [(LIBRARIES[name], lambda f, name=name: f["library"] == name) for name in LIBRARIES if name in versions]
        names = {f["function"] for f in mine}
        lines += table([f for f in findings if f["function"] in names], dtype, columns)
    if stale:
        lines += [f"Formulas that have changed since they were measured: {', '.join(sorted(stale))}.", ""]
    return "\n".join(lines)


def generated():
    """The generated file with the text that it should have."""
    return {ROOT / "docs" / "accuracy.md": page()}


if __name__ == "__main__":
    for path, content in generated().items():
        path.write_text(content, encoding="utf-8")
        print(f"wrote {path.relative_to(ROOT)}")
