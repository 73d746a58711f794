"""Writes the pages that come from the registry, before Sphinx reads the sources.

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
KINDS = ("derivative", "value_and_derivative", "backward", "backward_from_output", "parameter_gradients")
FAMILIES = {
    "algebraic": "Algebraic functions", "bell": "Bells and waves", "exponential": "Exponential functions",
    "gated": "Functions gated by themselves", "rectifiers": "Rectifiers, steps and shrinks", "sigmoids": "Sigmoids",
    "softplus": "Softplus", "rowwise": "Functions of rows", "gated units": "Gated units", "pieces": "Of several pieces",
    "stochastic": "Randomised functions",
}  # fmt: skip
CASES = re.compile(r"(?P<left>.*?=) (?P<this>.+?) \\text\{ if \} (?P<when>.+?) \\text\{ else ?\} ?(?P<other>.+)")


def families():
    """The functions by family."""
    found = {family: [getattr(fa, s.name) for s in specs] for family, specs in by_family().items()}
    return found | {"rowwise": list(ROWWISE), "gated units": list(GATED), "pieces": list(PIECES), "stochastic": list(STOCHASTIC)}


def write(path, text):
    """Write a page unless it is there already, so that Sphinx reads only what is new."""
    path.parent.mkdir(parents=True, exist_ok=True)
    if not path.exists() or path.read_text(encoding="utf-8") != text:
        path.write_text(text, encoding="utf-8")


def plain(text):
    """A number or an expression with the signs of print."""
    return str(text).replace("-", "−").replace("inf", "∞").replace("nan", "none")


def formula(latex):
    """The formula; one with a single if and else as cases."""
    match = CASES.fullmatch(latex)
    if match is None or latex.count(r"\text{ if }") > 1 or r"\quad" in latex or latex.count("=") > 1:
        return latex
    return r"{left} \begin{{cases}} {this} & \text{{if }} {when} \\ {other} & \text{{else}} \end{{cases}}".format(**match.groupdict())


def table(heads, rows):
    """A Markdown table."""
    lines = [f"| {' | '.join(heads)} |", "|" + "---|" * len(heads)]
    return "\n".join([*lines, *(f"| {' | '.join(str(c).replace('|', '&#124;') for c in row)} |" for row in rows)])


def code_spans(text):
    """Words between single backquotes or as mathematics of reStructuredText, for Markdown."""
    return re.sub(r":math:`([^`]*)`", r"$\1$", text)


# --- a function --------------------------------------------------------------------------------------


def properties(function):
    """Name and value of what is known of an activation."""
    sides = {"no": "does not saturate", "soft": "soft: the derivative tends to 0", "hard": "hard: the derivative is 0"}
    info = getattr(function, "info", None)
    rows = [
        ("Range", f"({plain(function.range[0])}, {plain(function.range[1])})"),
        ("Limits", f"{plain(function.limits[0])} at −∞, {plain(function.limits[1])} at ∞"),
        ("Derivative at −∞ and ∞", " and ".join(map(plain, function.slopes))),
        ("Monotonic", "yes" if function.monotonic else "no"),
        ("f(0) = 0", "yes" if function.zero_centred else "no"),
        ("Smoothness", function.smoothness),
        ("Kinks", ", ".join(f"x = {plain(k)}" for k in function.kinks) or "none"),
        ("Saturation on the left", sides[function.saturates[0]]),
        ("Saturation on the right", sides[function.saturates[1]]),
    ]
    if info is not None:
        rows += further(info)
    rows += [
        ("Backward from the output", "yes" if function.backward_from_output else "no"),
        ("Integers stay integers", "yes" if function.__name__ in KEEPING else "no"),
    ]
    return rows


def further(info):
    """What `info` has computed that the registry does not state."""
    found = []
    if getattr(info, "lipschitz", None) is not None:
        found.append(("Lipschitz constant", f"{info.lipschitz:.6g}"))
    extrema = getattr(info, "extrema", None)
    if extrema is not None:
        found.append(("Extrema", "; ".join(f"{e.kind} {e.value:.6g} at x = {e.x:.6g}" for e in extrema) or "none"))
    if getattr(info, "cost", None) is not None:
        found.append(("Cost, relative to relu", f"{info.cost:.2g}"))
    return found


def signature(function):
    """The call, without the keywords of ufuncs."""
    if isinstance(function, Activation):
        return f"{function.__name__}({', '.join(['x', *(f'{n}={exactly(d)}' for n, d in function.params.items())])})"
    given = [str(p).partition(":")[0] if p.annotation is not p.empty and p.default is p.empty
             else re.sub(r": [^=]+ = ", "=", str(p)) for p in inspect.signature(function).parameters.values()]  # fmt: skip
    return f"{function.__name__}({', '.join(given)})"


def errors(name, findings):
    """The section on accuracy, of what was measured."""
    rows = []
    for dtype, kind in itertools.product(("float32", "float64"), ("value", "derivative")):
        mine = [f for f in findings if not f["library"] and (f["function"], f["dtype"], f["kind"]) == (name, dtype, kind)]
        if mine:
            worst = max(mine, key=accuracy.error)
            inputs = "all 2^32" if any(f["exhaustive"] for f in mine) else f"{sum(f['count'] for f in mine):,}"
            at = worst.get("contract_witness_hex") or worst["witness_hex"]
            where = f"`{at}`" if at else "–"
            rows.append((dtype, kind, f"{accuracy.number(accuracy.error(worst))} ULP", where, worst["level"], inputs))
    if not rows:
        return ""
    text = "## Accuracy\n\nThe greatest error that was found at any ISA level, with default parameters ([all of them](../accuracy.md)).\n\n"
    return text + table(("dtype", "", "greatest error", "at x =", "level", "inputs tried"), rows) + "\n\n"


def speed(name, peers, results):
    """The section on speed, of what was recorded."""
    text, machine, last = "", results["machine"], results["commits"][-1]
    series = results["series"]
    times = {key[1:]: v[-1] for key, v in series[report.TIMES].items() if key[0] == name and v[-1]}
    if times:
        kinds = list(dict.fromkeys(kind for kind, _ in times))
        rows = [(k, *(f"{times[k, d] / report.ELEMENTS * 1e9:.3f}" if (k, d) in times else "–" for d in ("float32", "float64")))
                for k in kinds]  # fmt: skip
        text += "Nanoseconds an element, 20,000 elements in cache on one thread:\n\n" + table(("", "float32", "float64"), rows) + "\n\n"
    for benchmark, what in (("groups.RowWise.time_call", "1000 rows of 1000"), ("groups.GatedUnits.time_call", "100 rows of 2 x 500"),
                            ("groups.PiecesAndStochastic.time_call", "100 rows of 1000")):  # fmt: skip
        times = {key[1:]: v[-1] for key, v in series[benchmark].items() if key[0] == name and v[-1]}
        if times:
            rows = [(k, *(f"{times[k, d] * 1e6:.0f}" for d in ("float32", "float64"))) for k in ("forward", "backward") if (k, "float64") in times]
            text += f"Microseconds a call over {what}, on all threads:\n\n" + table(("", "float32", "float64"), rows) + "\n\n"
    if text:
        text += f"Recorded at commit {last['hash']} of {last['date'][:10]} on {machine['cpu']}, {machine['num_cpu']} CPUs.\n\n"
    cells = [c for c in peers["compared"] if c["function"] == name]
    if cells:
        rows = [(c["kind"], c["dtype"], f"{c['elements']:,}", f"{c['ns_per_element']['fastact']:.3f}",
                 f"{c['ns_per_element']['fastact'] * c['ratio']:.3f}", c["fastest"], f"**{c['ratio']:.2f}**") for c in cells]  # fmt: skip
        text += (f"Against the fastest of {len(peers['versions']) - 1} other libraries, a fresh output on each call, {peers['config']['threads']} threads; "
                 f"{peers['date']}, {peers['machine']}, {peers['config']['cpu level']} ([how](../performance.md)):\n\n"
                 + table(("", "dtype", "elements", "ns an element", "fastest other", "which", "ratio"), rows) + "\n\n")  # fmt: skip
    return "## Speed\n\n" + text if text else ""


def example(function):
    """The example of the docstring."""
    found = inspect.getdoc(function).partition("Examples\n--------\n")[2].strip()
    return f"## Example\n\n```pycon\n{found}\n```\n\n" if found else ""


def page(function, findings, peers, results, note):
    """The page of a function."""
    name = function.__name__
    also = f"\nAlso known as {', '.join(f'`{a}`' for a in function.aliases)}.\n" if function.aliases else ""
    text = f"# {name}\n\n{code_spans(function.summary)}\n\n`fa.{signature(function)}`\n\n$$\n{formula(function.latex)}\n$$\n\n"
    text += f"```{{image}} {name}.svg\n:alt: {name} and its derivative\n:class: curve\n```\n\n{note}\n\n{code_spans(function.notes)}\n{also}\n"
    if isinstance(function, Activation):
        text += "## Properties\n\n" + table(("", ""), properties(function)) + "\n\n[Compare with the others](../comparison.md)\n\n"
        if function.params:
            rows = [(f"`{n}`", exactly(d)) for n, d in function.params.items()]
            text += "## Parameters\n\nEach broadcasts against x, so that a vector is one number for each channel; "
            text += f"`fa.{name}.parameter_gradients` trains it.\n\n" + table(("parameter", "default"), rows) + "\n\n"
    elif function.range:
        text += f"## Properties\n\nValues in [{plain(function.range[0])}, {plain(function.range[1])}].\n\n"
    text += example(function) + errors(name, findings) + speed(name, peers, results)
    text += f"## Paper\n\n{function.reference}\n\n## Reference\n\n```{{eval-rst}}\n.. autofunction:: fastact.{name}\n"
    for kind in KINDS:
        has = getattr(function, kind, None) is not None and not (kind == "parameter_gradients" and getattr(function, "params", None) == {})
        if has and inspect.getdoc(getattr(function, kind)):
            text += f"\n.. autofunction:: fastact.{name}.{kind}\n"
    return text + "```\n"


def index(functions):
    """The page of all functions, with their small pictures."""
    text = "# Functions\n\nEvery function with its derivative (dashed). [The comparison](../comparison.md) sorts them by their properties, "
    text += "[Which one should I use?](../which.md) chooses. `python -m fastact plot gelu silu -o out.svg` and `fa.plot` draw what you want.\n\n"
    for family, members in functions.items():
        text += f"## {FAMILIES[family]}\n\n::::{{grid}} 2 3 4 5\n:gutter: 2\n\n"
        for function in members:
            text += f":::{{grid-item-card}} {function.__name__}\n:link: {function.__name__}\n:link-type: doc\n"
            text += f":img-bottom: {function.__name__}-small.svg\n:text-align: center\n:class-card: curve-card\n:::\n\n"
        text += "::::\n\n"
    text += "## All in one sheet\n\n`fa.plot_all()` draws the elementwise ones by how they saturate.\n\n```{image} sheet.svg\n:alt: all activations\n:class: sheet\n```\n\n"
    names = "\n".join(f.__name__ for members in functions.values() for f in members)
    return f"{text}```{{toctree}}\n:hidden:\n\n{names}\n```\n"


def comparison():
    """The table of all elementwise functions, which table.js sorts and filters."""
    heads = ["function", "family", "range", "limits", "slopes at ∓∞", "monotonic", "f(0) = 0", "saturates left", "right", "smoothness", "kinks",
             "parameters", "from output"]  # fmt: skip
    extra = [h for h, _ in further(fa.relu.info)] if hasattr(fa.relu, "info") else []
    text = "# Comparison\n\nAll elementwise functions with default parameters. Click on a heading to sort by it, type to filter: "
    text += "`hard`, `yes`, `rectifiers`. Saturation is *soft* where the derivative tends to 0 only in the limit, *hard* where it "
    text += "is 0 beyond a constant. \"From output\" is `backward_from_output`: the gradient without x. "
    text += "`fa.properties()` gives this table to programs.\n\n" if hasattr(fa, "properties") else "\n\n"
    rows = ""
    for family, members in families().items():
        for f in (m for m in members if isinstance(m, Activation)):
            cells = [
                family, f"({plain(f.range[0])}, {plain(f.range[1])})", ", ".join(map(plain, f.limits)), ", ".join(map(plain, f.slopes)),
                "yes" if f.monotonic else "no", "yes" if f.zero_centred else "no", *f.saturates, f.smoothness,
                ", ".join(map(plain, f.kinks)), ", ".join(f.params), "yes" if f.backward_from_output else "no",
                *([v for _, v in further(f.info)] if extra else []),
            ]  # fmt: skip
            first = f'<th scope="row"><a href="functions/{f.__name__}.html">{f.__name__}</a></th>'
            rows += f"<tr>{first}{''.join(f'<td>{c}</td>' for c in cells)}</tr>\n"
    head = "".join(f'<th scope="col" aria-sort="none"><button type="button">{h}</button></th>' for h in [*heads, *extra])
    return (f'{text}<div class="sortable"><input type="search" placeholder="filter" aria-label="Filter the table">\n<div class="scroll"><table>\n'
            f"<thead><tr>{head}</tr></thead>\n<tbody>\n{rows}</tbody></table></div></div>\n")  # fmt: skip


def reference():
    """The page of what is public beside the functions."""
    rest = [n for n in fa.__all__ if n not in BY_NAME]
    text = "# Reference\n\nThe functions themselves have [pages of their own](../functions/index.md).\n\n"
    sections = {
        "fastact": [f"fastact.{n}" for n in rest if not inspect.isclass(getattr(fa, n)) or n[0].islower()],
        "fastact.cuda": [f"fastact.cuda.{n}" for n in fa.cuda.__all__],
        "fastact.numba": ["fastact.numba.function", "fastact.numba.ufunc"],
        "Classes": [f"fastact.{n}" for n in rest if inspect.isclass(getattr(fa, n)) and n[0].isupper()],
    }
    for title, names in sections.items():
        directives = "\n".join(f".. auto{'class' if inspect.isclass(_object(n)) else 'function'}:: {n}\n" for n in names)
        text += f"## {title}\n\n```{{eval-rst}}\n{directives}\n```\n\n"
    return text


def _object(dotted):
    found = fa
    for part in dotted.split(".")[1:]:
        found = getattr(found, part)
    return found


# --- the rest ----------------------------------------------------------------------------------------


def moved(source, *replacements):
    """A Markdown page of the repository, with links that are right in docs/generated."""
    text = (ROOT / source).read_text(encoding="utf-8")
    for old, new in [("](docs/", "](../"), ("](../docs/", "](../"), ("](asv_benches/README.md", "](benchmarks.md"), *replacements]:
        text = text.replace(old, new)
    return text


def dashboard(peers, results):
    """The dashboard, with asv's pages if tools/dashboard.py has made them."""
    target, asv = DOCS / "generated" / "extra" / "dashboard", ROOT / "asv_benches" / "html"
    shutil.rmtree(target, ignore_errors=True)
    links = [("../index.html", "documentation")]
    if (asv / "index.html").exists():
        shutil.copytree(asv, target)
        links += report.LINKS
    write(target / "report.html", report.render(peers, results, links))


def build():
    """Write everything."""
    (findings, _), peers, results = accuracy.load(), report.read_peers(report.SUITE / "peers.json"), report.read_results(report.SUITE / "results")
    peers["compared"] = report.speed(peers)["cells"]
    functions, folder = families(), DOCS / "functions"
    folder.mkdir(exist_ok=True)
    keep = {"index.md", "sheet.svg"}
    since = max(f.stat().st_mtime for f in [Path(pictures.__file__), *Path(fa.__file__).parent.rglob("*.py")])
    names = [f.__name__ for f in itertools.chain(*functions.values())]
    with ProcessPoolExecutor() as pool:
        notes = list(pool.map(partial(pictures.draw, folder=folder, since=since), names))
    for name, note in zip(names, notes, strict=True):
        keep |= {f"{name}.md", f"{name}.svg", f"{name}-small.svg"}
        write(folder / f"{name}.md", page(getattr(fa, name), findings, peers, results, note))
    pictures.sheet(folder / "sheet.svg", since)
    for stray in {f.name for f in folder.iterdir()} - keep:
        (folder / stray).unlink()
    write(folder / "index.md", index(functions))
    write(DOCS / "comparison.md", comparison())
    generated = DOCS / "generated"
    write(generated / "reference.md", reference())
    write(generated / "contributing.md", moved("CONTRIBUTING.md"))
    write(generated / "changelog.md", moved("CHANGELOG.md"))
    write(generated / "benchmarks.md", moved("asv_benches/README.md"))
    dashboard(peers, results)


def escape(_app, _what, _name, _object, _options, lines):
    """Make the bars of |x| in docstrings bars, not substitutions."""
    at = next((i for i, line in enumerate(lines) if line == "Examples"), len(lines))
    lines[:at] = [line if ":math:" in line or "`" in line else line.replace("|", r"\|") for line in lines[:at]]


def setup(app):
    """Write the pages when a build begins."""
    app.connect("autodoc-process-docstring", escape, priority=400)
    build()
    return {"version": "1", "parallel_read_safe": True, "parallel_write_safe": True}
