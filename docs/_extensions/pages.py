"""Writes the pages that come from the registry, before Sphinx reads the sources; the texts are in _templates/pages.

A page and a picture for each function (docs/functions), the comparison, the reference of all else that is public, and
what stands elsewhere in the repository (docs/generated). Git ignores all of it. A page is only written when it changes.
"""

import inspect
import itertools
import re
import shutil
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from pathlib import Path

import accuracy
import jinja2
import pictures
import report
from generate import by_family, exactly

import fastact as fa
from fastact.functions import BY_NAME, Activation
from fastact.functions.gated import FUNCTIONS as GATED
from fastact.functions.integers import FUNCTIONS as KEEPING
from fastact.functions.pieces import FUNCTIONS as PIECES
from fastact.functions.rowwise import FUNCTIONS as ROWWISE
from fastact.functions.stochastic import FUNCTIONS as STOCHASTIC

DOCS = Path(__file__).resolve().parents[1]
ROOT = DOCS.parent
METHODS = (
    "derivative", "value_and_derivative", "backward", "backward_from_output", "second_derivative", "backward_backward",
    "parameter_gradients",
)  # fmt: skip
DTYPES = ("float32", "float64")
FAMILIES = {
    "rectifiers": "Rectifiers, steps and shrinks", "gated": "Gated by themselves", "exponential": "Exponential",
    "sigmoids": "Sigmoids", "softplus": "Softplus", "algebraic": "Algebraic", "bell": "Bells and waves",
}  # fmt: skip
#: Benchmarks of asv beside that of elementwise functions, and what they are called over.
GROUPS = {"RowWise": "1000 rows of 1000", "GatedUnits": "100 rows of 2 × 500", "PiecesAndStochastic": "100 rows of 1000"}
CASES = re.compile(r"(?P<left>.*?=) (?P<this>.+?) \\text\{ if \} (?P<when>.+?) \\text\{ else ?\} ?(?P<other>.+)")


def families():
    """The functions by the titles of their families."""
    specs = by_family()
    found = {FAMILIES.get(f, f): [getattr(fa, s.name) for s in specs[f]] for f in sorted(specs, key=[*FAMILIES].index)}
    others = {"Functions of rows": ROWWISE, "Gated units": GATED, "Several pieces": PIECES, "Randomised": STOCHASTIC}
    return found | {title: list(members) for title, members in others.items()}


def write(path, text):
    """Write a page unless it is there already, so that Sphinx reads only what is new."""
    path.parent.mkdir(parents=True, exist_ok=True)
    if not path.exists() or path.read_text(encoding="utf-8") != text:
        path.write_text(text, encoding="utf-8")


def environment():
    """Templates, and filters for what they print."""
    found = jinja2.Environment(
        loader=jinja2.FileSystemLoader(DOCS / "_templates" / "pages"), undefined=jinja2.StrictUndefined,
        trim_blocks=True, lstrip_blocks=True, keep_trailing_newline=True,
    )  # fmt: skip
    found.filters |= {"sign": sign, "exactly": exactly, "cell": lambda t: str(t).replace("|", r"\|"),
                      "markdown": lambda t: re.sub(r":math:`([^`]*)`", r"$\1$", t)}  # fmt: skip
    return found


def sign(text):
    """A number or an expression with the signs of print."""
    return str(text).replace("-", "−").replace("inf", "∞").replace("nan", "none")


def yes(condition):
    """A word for a cell."""
    return "yes" if condition else "no"


# --- what a page says --------------------------------------------------------------------------------


def formula(latex):
    """The formula; one with a single if and else as cases."""
    match = CASES.fullmatch(latex)
    if match is None or latex.count(r"\text{ if }") > 1 or r"\quad" in latex or latex.count("=") > 1:
        return latex
    cases = r"{left} \begin{{cases}} {this} & \text{{if }} {when} \\ {other} & \text{{else}} \end{{cases}}"
    return cases.format(**match.groupdict())


def properties(f):
    """Title and value of what is known of an activation."""
    info = f.info
    return {
        "Range": f"{number(info.range[0])} to {number(info.range[1])}",
        "Limits": f"{number(info.limits[0])} at −∞, {number(info.limits[1])} at ∞",
        "Derivative": f"{number(info.slopes[0])} at −∞, {number(info.slopes[1])} at ∞",
        "Monotonic": yes(info.monotonic),
        "Zero-centred": yes(info.zero_centred),
        "Mean": number(info.mean),
        "Value at 0": number(info.at_zero),
        "Saturation, left": saturation(info, 0),
        "Saturation, right": saturation(info, 1),
        "Smoothness": info.smoothness,
        "Kinks": "; ".join(f"{number(k.x)}: f′ = {number(k.derivative)}" for k in info.kinks) or "none",
        "Extrema": "; ".join(f"{e.kind} {number(e.value)} at {number(e.x)}" for e in info.extrema) or "none",
        "Lipschitz": number(info.lipschitz),
        "Cost": number(info.cost),
        "From output": yes(f.backward_from_output),
        "Integers": "stay integers" if f.__name__ in KEEPING else "become floats",
    }


def number(value):
    """A number for people."""
    if value != value:
        return "none"
    text = f"{value:.4g}"
    return "0" if text == "-0" else sign(text)


def saturation(info, side):
    """How a side saturates, and from where on."""
    kind = info.saturates[side]
    return kind if kind == "no" else f"{kind}, {'below' if side == 0 else 'above'} {number(info.saturated[side])}"


def signature(function):
    """The call, without the keywords of ufuncs and without annotations."""
    if isinstance(function, Activation):
        given = ["x", *(f"{name}={exactly(default)}" for name, default in function.params.items())]
    else:
        parameters = inspect.signature(function).parameters.values()
        given = [p.name if p.default is p.empty else f"{p.name}={p.default!r}" for p in parameters]
    return f"{function.__name__}({', '.join(given)})"


def errors(name, findings):
    """Rows of the greatest errors that were measured."""
    rows = []
    for dtype, kind in itertools.product(DTYPES, ("value", "derivative")):
        mine = [f for f in findings if not f["library"] and (f["function"], f["dtype"], f["kind"]) == (name, dtype, kind)]
        if mine:
            worst = max(mine, key=accuracy.error)
            at = worst.get("contract_witness_hex") or worst["witness_hex"]
            rows.append({
                "dtype": dtype, "kind": kind, "error": accuracy.number(accuracy.error(worst)), "at": f"`{at}`" if at else "–",
                "level": worst["level"],
                "inputs": "all 2^32" if any(f["exhaustive"] for f in mine) else f"{sum(f['count'] for f in mine):,}",
            })  # fmt: skip
    return rows


def digits(value):
    """A time with three digits."""
    return f"{value:.3g}" if value < 100 else f"{value:,.0f}"


def times(name, series):
    """The times of the last commit that asv recorded: what they are, and rows."""
    found = {key[1:]: values[-1] for key, values in series[report.TIMES].items() if key[0] == name}
    unit, scale = "Nanoseconds an element, over 20,000 elements in cache, on one thread", 1e9 / report.ELEMENTS
    for group, what in GROUPS.items():
        if not found:
            found = {key[1:]: values[-1] for key, values in series[f"groups.{group}.time_call"].items() if key[0] == name}
            unit, scale = f"Microseconds a call over {what}, on all threads", 1e6
    rows = [
        (kind, *("–" if found[kind, d] is None else digits(found[kind, d] * scale) for d in DTYPES))
        for kind in dict.fromkeys(kind for kind, _ in found)
        if any(found[kind, d] is not None for d in DTYPES)
    ]
    return {"unit": unit, "rows": rows} if rows else None


def methods(function):
    """What is documented of a function beside its call."""
    for name in METHODS:
        method = getattr(function, name, None)
        if method is not None and not (name == "parameter_gradients" and getattr(function, "params", True) == {}):
            yield name


def comparison():
    """Headings and rows of the comparison."""
    heads, rows = [], []
    for function in (f for f in itertools.chain(*families().values()) if isinstance(f, Activation)):
        known = properties(function)
        heads = ["function", "family", *known, "parameters"]
        short = [re.sub(" at −?∞", "", v) for v in known.values()]
        rows.append((function.__name__, [function.family, *short, ", ".join(function.params)]))
    return {"heads": heads, "rows": rows}


def public():
    """What is public beside the functions, by module, as names with their directives."""
    names = {
        "fastact": [f"fastact.{n}" for n in fa.__all__ if n not in BY_NAME],
        "fastact.cuda": [f"fastact.cuda.{n}" for n in fa.cuda.__all__],
        "fastact.numba": ["fastact.numba.function", "fastact.numba.ufunc"],
    }
    kinds = {n: "class" if inspect.isclass(found(n)) else "function" for listed in names.values() for n in listed}
    return {"sections": {t: sorted(((kinds[n], n) for n in listed), reverse=True) for t, listed in names.items()}}


def found(dotted):
    """What a dotted name stands for."""
    value = fa
    for part in dotted.split(".")[1:]:
        value = getattr(value, part)
    return value


# --- the rest ----------------------------------------------------------------------------------------


def moved(source):
    """A Markdown page of the repository, with links that are right in docs/generated."""
    text = (ROOT / source).read_text(encoding="utf-8")
    for old, new in (("](docs/", "](../"), ("](../docs/", "](../"), ("](asv_benches/README.md", "](benchmarks.md")):
        text = text.replace(old, new)
    return text


def dashboard():
    """The dashboard, with asv's pages if tools/dashboard.py has made them."""
    target, asv = DOCS / "generated" / "extra" / "dashboard", ROOT / "asv_benches" / "html"
    shutil.rmtree(target, ignore_errors=True)
    links = [("../index.html", "documentation")]
    if (asv / "index.html").exists():
        shutil.copytree(asv, target)
        links += report.LINKS
    for name, page in report.pages(links):
        write(target / name, page)


def build():
    """Write everything."""
    findings, _ = accuracy.load()
    _, file, machine = report.PAGES["report.html"]
    peers, results = report.read_peers(report.SUITE / file), report.read_results(report.SUITE / "results", machine)
    compared = report.speed(peers)["cells"]
    templates, folder = environment(), DOCS / "functions"
    folder.mkdir(exist_ok=True)
    functions = list(itertools.chain(*families().values()))
    since = max(f.stat().st_mtime for f in [Path(pictures.__file__), *Path(fa.__file__).parent.rglob("*.py")])
    with ProcessPoolExecutor() as pool:
        notes = list(pool.map(partial(pictures.draw, folder=folder, since=since), [f.__name__ for f in functions]))
    for function, note in zip(functions, notes, strict=True):
        name = function.__name__
        write(folder / f"{name}.md", templates.get_template("function.md.j2").render(
            function=function, name=name, note=note, params=getattr(function, "params", {}),
            formula=formula(function.latex), signature=signature(function),
            properties=properties(function).items() if isinstance(function, Activation) else None,
            example=inspect.getdoc(function).partition("Examples\n--------\n")[2].strip(),
            errors=errors(name, findings), times=times(name, results["series"]), commit=results["commits"][-1],
            machine=results["machine"], peers=peers, cells=[c for c in compared if c["function"] == name],
            methods=list(methods(function)),
        ))  # fmt: skip
    pictures.sheet(folder / "sheet.svg", since)
    keep = {f"{f.__name__}{end}" for f in functions for end in (".md", ".svg", "-small.svg")} | {"index.md", "sheet.svg"}
    for stray in {f.name for f in folder.iterdir()} - keep:
        (folder / stray).unlink()
    write(folder / "index.md", templates.get_template("functions.md.j2").render(families=families()))
    write(DOCS / "comparison.md", templates.get_template("comparison.md.j2").render(comparison()))
    generated = DOCS / "generated"
    write(generated / "reference.md", templates.get_template("reference.md.j2").render(public()))
    for page, source in {"contributing": "CONTRIBUTING", "changelog": "CHANGELOG", "benchmarks": "asv_benches/README"}.items():
        write(generated / f"{page}.md", moved(f"{source}.md"))
    dashboard()


def escape(_app, _what, _name, _object, _options, lines):
    """Make the bars of |x| in docstrings bars, not substitutions."""
    at = next((i for i, line in enumerate(lines) if line == "Examples"), len(lines))
    lines[:at] = [re.sub(r"(`+.*?`+)|\|", lambda m: m[1] or r"\|", line) for line in lines[:at]]


def setup(app):
    """Write the pages when a build begins."""
    app.connect("autodoc-process-docstring", escape, priority=400)
    build()
    return {"version": "1", "parallel_read_safe": True, "parallel_write_safe": True}
