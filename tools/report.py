"""Writes the front pages of the dashboard, HTML files that need nothing else: ``python tools/report.py --help``.

There is one for each kind of vectors that were measured. It shows what asv's pages do not: speed against other libraries
(``python -m fastact bench --peers --json FILE``), the distance to what bounds it, errors in ULP (docs/accuracy) and, from asv's
results, the course over the commits.
"""

import argparse
import datetime
import itertools
import json
import math
import statistics
import sys
from pathlib import Path

import accuracy
import jinja2

ROOT = Path(__file__).resolve().parents[1]
SUITE = ROOT / "asv_benches"
TIMES, ROOFLINE = "elementwise.Functions.time_call", "tracked.Ratios.track_to_a_copy"
ELEMENTS = 20_000  # of a call in TIMES
SPARK = 160, 40  # pixels of a small graph
LINKS = [("index.html", "all benchmarks over the commits (asv)"), ("index.html#/regressions", "regressions")]
#: The pages: of which vectors, the report on other libraries, asv's machine.
PAGES = {
    "report.html": ("AVX-512", "peers.json", "epyc-zen4-2core"),
    "report-avx2.html": ("AVX2", "peers-avx2.json", "epyc-zen3-2core"),
}
TITLES = {**accuracy.LIBRARIES, "numpy": "NumPy", "onnxruntime": "ONNX RT"}  # short, for narrow columns


class ReportError(Exception):
    """What cannot be shown, in one line for the user."""


# ---------------------------------------------------------------------------------------------------
# Against other libraries
# ---------------------------------------------------------------------------------------------------


def read_peers(path):
    """The report of ``bench --peers``.

    Raises
    ------
    ReportError
        If the file is missing or something else.
    """
    try:
        report = json.loads(Path(path).read_text(encoding="utf-8"))
        cells = [{k: c[k] for k in ("function", "kind", "dtype", "elements", "ns_per_element")} for c in report["cells"]]
        return {"cells": cells} | {k: report[k] for k in ("bounds", "versions", "date", "machine", "rounds", "config")}
    except OSError as error:
        raise ReportError(f"{path}: {error.strerror}") from error
    except (ValueError, TypeError, KeyError) as error:
        raise ReportError(f"{path}: no report of `python -m fastact bench --peers --json`: {error}") from error


def geometric_mean(values):
    """The geometric mean; None of nothing."""
    values = list(values)
    return math.exp(statistics.fmean(map(math.log, values))) if values else None


def speed(peers):
    """Tables of the fastest other library's time over fastact's, and each library's mean."""
    compared = []
    for cell in peers["cells"]:
        others = {name: ns for name, ns in cell["ns_per_element"].items() if name != "fastact"}
        if others and "fastact" in cell["ns_per_element"]:
            fastest = min(others, key=others.get)
            compared.append(cell | {"fastest": TITLES[fastest], "ratio": others[fastest] / cell["ns_per_element"]["fastact"]})
    tables = []
    for kind, dtype in dict.fromkeys((c["kind"], c["dtype"]) for c in compared):
        mine = [c for c in compared if (c["kind"], c["dtype"]) == (kind, dtype)]
        names = dict.fromkeys(c["function"] for c in mine)
        rows = {name: {c["elements"]: c for c in mine if c["function"] == name} for name in names}
        tables.append({"title": f"{kind}, {dtype}", "sizes": sorted({c["elements"] for c in mine}), "rows": rows})
    libraries = []
    for name in (n for n in peers["versions"] if n != "fastact"):
        times = [c["ns_per_element"] for c in compared if name in c["ns_per_element"]]
        if times:
            mean = geometric_mean(t[name] / t["fastact"] for t in times)
            libraries.append({"title": peers["versions"][name], "mean": mean, "cells": len(times)})
    return {
        "tables": tables, "libraries": libraries, "cells": compared, "names": list(peers["versions"]),
        "mean": geometric_mean(c["ratio"] for c in compared), "ahead": sum(c["ratio"] > 1 for c in compared),
    }  # fmt: skip


# ---------------------------------------------------------------------------------------------------
# Over the commits
# ---------------------------------------------------------------------------------------------------


def read_results(folder, machine=None):
    """Machine, commits in order of time, and ``{benchmark: {parameters: [value at each commit]}}``.

    Raises
    ------
    ReportError
        If there are no results, or of several machines and none is named.
    """
    from asv.benchmarks import Benchmarks
    from asv.config import Config
    from asv.results import iter_results

    config = Config()
    config.results_dir = str(folder)
    if not Path(folder, "benchmarks.json").is_file():
        raise ReportError(f"{folder}: no results of asv; asv_benches/README.md says how to make some")
    benchmarks = Benchmarks.load(config)
    found = list(iter_results(str(folder)))
    machines = sorted({r.params["machine"] for r in found})
    if machine is None and len(machines) == 1:
        machine = machines[0]
    if machine not in machines:
        raise ReportError(f"{folder}: results of {', '.join(machines) or 'no machine'}; choose one with --machine")
    found = sorted((r for r in found if r.params["machine"] == machine), key=lambda r: r.date)
    series = {}
    for name, benchmark in benchmarks.items():
        lists = [[p.strip("'") for p in values] for values in benchmark["params"]]
        keys = list(itertools.product(*lists))
        columns = [_values(result, name, benchmark, len(keys)) for result in found]
        series[name] = {key: [column[i] for column in columns] for i, key in enumerate(keys)}
    dates = [datetime.datetime.fromtimestamp(r.date / 1e3, datetime.UTC) for r in found]
    commits = [{"hash": r.commit_hash[:8], "date": f"{date:%Y-%m-%d %H:%M}"} for r, date in zip(found, dates, strict=True)]
    return {"machine": found[0].params, "commits": commits, "series": series}


def _values(result, name, benchmark, count):
    """The values of a benchmark at one commit, None where there is none of this version."""
    if name not in result.get_all_result_keys() or result.benchmark_version.get(name) != benchmark["version"]:
        return [None] * count
    values = result.get_result_value(name, benchmark["params"]) or [None] * count
    return [None if v is None or math.isnan(v) else v for v in values]


def path(values, low, high, width, height):
    """The points of a line in a graph, logarithmic; a gap where there is no value becomes a straight line."""
    spread = math.log(high / low) or 1.0
    step = (width - 6) / max(len(values) - 1, 1)
    points = [(3 + i * step, 3 + (height - 6) * math.log(high / v) / spread) for i, v in enumerate(values) if v]
    return " ".join(f"{x:.1f},{y:.1f}" for x, y in points)


def trend(results):
    """Families as lines of one graph, relative to their first commit, and a small graph for each function."""
    times = {k: v for k, v in results["series"].get(TIMES, {}).items() if k[1:] == ("value", "float32") and any(v)}
    functions, families = [], {}
    for (name, *_), values in sorted(times.items()):
        ns = [v and v / ELEMENTS * 1e9 for v in values]
        there = [v for v in ns if v]
        low, high = min(there) / 1.1, max(there) * 1.1
        # A graph spans a factor of two at least, so that noise looks like noise.
        middle, reach = math.sqrt(low * high), max(math.sqrt(high / low), math.sqrt(2))
        points = path(ns, middle / reach, middle * reach, *SPARK)
        functions.append({"name": name, "first": there[0], "last": there[-1], "points": points})
        family = accuracy.REGISTRY[name].family if name in accuracy.REGISTRY else "other"
        families.setdefault(family, []).append(ns)
    lines = []
    for family, members in sorted(families.items()):
        whole = [m for m in members if all(m)]
        if whole:
            lines.append({"family": family, "count": len(whole), "values": [geometric_mean(m[i] / m[0] for m in whole)
                                                                          for i in range(len(results["commits"]))]})  # fmt: skip
    every = [v for line in lines for v in line["values"]]
    low, high = min([0.5, *every]), max([2.0, *every])
    for line in lines:
        line["points"] = path(line["values"], low, high, 800, 260)
    grid = [{"label": f"{2.0**e:g}×", "y": 3 + 254 * math.log(high / 2.0**e) / math.log(high / low)}
            for e in range(math.ceil(math.log2(low)), math.floor(math.log2(high)) + 1)]  # fmt: skip
    return {"functions": functions, "lines": lines, "grid": grid, "spark": SPARK}


def roofline(results):
    """Functions with their time over that of a copy, at the last commit that has them, least first."""
    found = {key[0]: [v for v in values if v] for key, values in results["series"].get(ROOFLINE, {}).items()}
    return sorted(((name, values[-1]) for name, values in found.items() if values), key=lambda pair: pair[1])


# ---------------------------------------------------------------------------------------------------
# Errors
# ---------------------------------------------------------------------------------------------------


def errors():
    """Rows of functions with their errors, and the least and greatest of the other libraries in float32."""
    findings, _ = accuracy.load()
    columns = [(kind, dtype) for dtype in ("float32", "float64") for kind in ("value", "derivative")]
    rows = []
    for name in sorted(accuracy.REGISTRY):
        of = [f for f in findings if f["function"] == name]
        mine = [max((accuracy.error(f) for f in of if not f["library"] and (f["kind"], f["dtype"]) == column), default=None)
                for column in columns]  # fmt: skip
        others = []
        for kind in ("value", "derivative"):
            there = [(accuracy.error(f), TITLES[f["library"]]) for f in of
                     if f["library"] and (f["kind"], f["dtype"]) == (kind, "float32")]  # fmt: skip
            others.append((min(there), max(there)) if there else None)
        if any(e is not None for e in mine):
            rows.append({"name": name, "mine": mine, "others": others})
    return rows


# ---------------------------------------------------------------------------------------------------
# The page
# ---------------------------------------------------------------------------------------------------


def pages(links=LINKS):
    """The names and texts of the pages that there are reports for, with links to each other."""
    measured = {path.parent.name for path in SUITE.glob("results/*/machine.json")}
    there = {name: page for name, page in PAGES.items() if (SUITE / page[1]).exists()}
    for name, (vectors, peers, machine) in there.items():
        others = [(other, f"with {what}") for other, (what, *_) in there.items() if other != name]
        results = read_results(SUITE / "results", machine) if machine in measured else None
        yield name, render(read_peers(SUITE / peers), results, [*others, *links], vectors)


def render(peers, results, links=LINKS, vectors=None):
    """Return the page.

    Parameters
    ----------
    peers : dict or None
        What `read_peers` gives.
    results : dict or None
        What `read_results` gives.
    links : list of tuple
        Addresses and texts at the top.
    vectors : str, optional
        What the processor has, for the title.
    """
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(Path(__file__).parent), autoescape=True, undefined=jinja2.StrictUndefined,
        trim_blocks=True, lstrip_blocks=True,
    )  # fmt: skip
    environment.filters["ulp"] = accuracy.number
    environment.filters["thousands"] = lambda n: f"{n:,}".replace(",", "\u202f")
    return environment.get_template("report.html.j2").render(
        peers=peers, speed=peers and speed(peers), results=results, trend=results and trend(results),
        roofline=roofline(results) if results else [], errors=errors(),
        links=links, vectors=vectors,
    )  # fmt: skip


def main(argv=None):
    """Write the page; return the exit status."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0], allow_abbrev=False)
    parser.add_argument("--peers", metavar="FILE.json",
                        help="of `python -m fastact bench --peers --json`, for one page (default: all pages)")  # fmt: skip
    parser.add_argument("--results", metavar="FOLDER", help="of asv, for one page (default: asv_benches/results)")
    parser.add_argument("--machine", help="whose results, for one page (default: the only one)")
    parser.add_argument("--html", metavar="FILE", help="where to write one page (default: asv_benches/html/report.html)")
    args = parser.parse_args(argv)
    if args.peers is None and (args.results or args.machine or args.html):
        parser.error("--results, --machine and --html are of one page, which needs --peers FILE.json")
    try:
        if args.peers is None:
            written = {SUITE / "html" / name: page for name, page in pages()}
        else:
            page = render(read_peers(args.peers), read_results(args.results or SUITE / "results", args.machine))
            written = {Path(args.html or SUITE / "html" / "report.html"): page}
        for file, text in written.items():
            file.write_text(text, encoding="utf-8")
    except ReportError as error:
        print(f"report: {error}", file=sys.stderr)
        return 2
    except OSError as error:
        print(f"report: {error.filename}: {error.strerror}", file=sys.stderr)
        return 2
    print(f"wrote {', '.join(map(str, written))}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
