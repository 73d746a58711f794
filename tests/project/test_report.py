"""The front page of the dashboard, and the tools about it."""

import importlib
import json
import re
from html.parser import HTMLParser
from pathlib import Path

import pytest

from fastact._cli import main as command

TOOLS = Path(__file__).resolve().parents[2] / "tools"
if not TOOLS.is_dir():
    pytest.skip("the tools are in the checkout only", allow_module_level=True)
pytest.importorskip("asv")
pytest.importorskip("jinja2")

TIMES, ROOFLINE = "elementwise.Functions.time_call", "tracked.Ratios.track_to_a_copy"
VOID = {"meta", "link", "br", "img", "line"}


@pytest.fixture
def tool(monkeypatch):
    """Import a tool by its name."""
    monkeypatch.syspath_prepend(str(TOOLS))
    return importlib.import_module


def asv_results(folder, seconds):
    """Results of two commits, as asv writes them: gelu and relu, values in float32."""
    params = {TIMES: [["'gelu'", "'relu'"], ["'value'"], ["'float32'"]], ROOFLINE: [["'gelu'", "'relu'"]]}
    folder.joinpath("machine").mkdir(parents=True)
    about = {"param_names": ["a"], "type": "time", "unit": "seconds", "version": "1", "name": "", "code": ""}
    benchmarks = {name: about | {"name": name, "params": lists} for name, lists in params.items()}
    folder.joinpath("benchmarks.json").write_text(json.dumps(benchmarks | {"version": 2}))
    machine = {"machine": "box", "cpu": "some CPU", "num_cpu": "2", "arch": "x86_64", "os": "Linux", "ram": "1"}
    folder.joinpath("machine", "machine.json").write_text(json.dumps(machine | {"version": 1}))
    for i, values in enumerate(seconds):
        result = {
            "version": 2, "commit_hash": f"{i:040x}", "date": 1_700_000_000_000 + i, "env_name": "env", "python": "3.11",
            "params": machine, "requirements": {}, "env_vars": {}, "durations": {},
            "result_columns": ["result", "params", "version"],
            "results": {TIMES: [values, params[TIMES], "1"], ROOFLINE: [[3.25, None], params[ROOFLINE], "1"]},
        }  # fmt: skip
        folder.joinpath("machine", f"{i:08x}-env.json").write_text(json.dumps(result))
    return folder


@pytest.fixture
def peers(tmp_path, capsys):
    """A small run against NumPy."""
    file = tmp_path / "peers.json"
    arguments = ["--peers", "numpy", "--sizes", "32,64", "--rounds", "2", "--json", str(file)]
    assert command(["bench", "relu", "gelu", *arguments]) == 0
    capsys.readouterr()
    return file


class Balanced(HTMLParser):
    """Checks that tags close in order."""

    def __init__(self):
        super().__init__()
        self.open = []

    def handle_starttag(self, tag, attrs):
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag, attrs):
        pass

    def handle_endtag(self, tag):
        assert self.open.pop() == tag


@pytest.mark.parametrize("another", [False, True])
def test_pages_of_what_is_committed(tool, another, monkeypatch):
    report = tool("report")
    if another:
        monkeypatch.setitem(report.PAGES, "report-more.html", ("more vectors", "peers.json", "no machine yet"))
    made = dict(report.pages())
    assert "report.html" in made
    assert set(made) <= set(report.PAGES)
    assert another <= ("report-more.html" in made)
    for name, text in made.items():
        parser = Balanced()
        parser.feed(text)
        assert parser.open == []
        assert f"<small>{report.PAGES[name][0]}</small>" in text
        assert all(f'href="{other}"' in text for other in made if other != name)


@pytest.mark.parametrize("option", ["--results", "--machine", "--html"])
def test_options_of_one_page(tool, option, capsys):
    with pytest.raises(SystemExit):
        tool("report").main([option, "anything"])
    assert "needs --peers FILE.json" in capsys.readouterr().err


def refusals(report, peers, results, tmp_path, capsys):
    other = tmp_path / "other.json"
    other.write_text("[]")
    page = str(tmp_path / "page.html")
    cases = [
        ({"--peers": "/nowhere.json"}, "/nowhere.json: No such file"),
        ({"--peers": str(other)}, "no report of `python -m fastact bench --peers --json`"),
        ({"--results": str(tmp_path)}, "no results of asv"),
        ({"--machine": "laptop"}, "results of box; choose one with --machine"),
        ({"--html": "/nowhere/at/all.html"}, "/nowhere/at/all.html: No such file"),
    ]
    for changed, words in cases:
        options = {"--peers": str(peers), "--results": str(results), "--html": page} | changed
        assert report.main([word for pair in options.items() for word in pair]) == 2
        assert words in capsys.readouterr().err


def test_page_and_refusals(tool, peers, tmp_path, capsys):
    results = asv_results(tmp_path / "results", [[40e-6, 2e-6], [20e-6, None]])
    page = tmp_path / "report.html"
    assert tool("report").main(["--peers", str(peers), "--results", str(results), "--html", str(page)]) == 0
    text = page.read_text(encoding="utf-8")
    parser = Balanced()
    parser.feed(text)
    assert parser.open == []
    assert not re.search(r"(src|href)=.https?:|@import|url\(", text), "the page is to need nothing else"
    for words in ("forward, float32", "backward, float64", "NumPy", "index.html", "some CPU", "3.25", "<polyline", "1.000</b>"):
        assert words in text
    ratios = [cell["ratio"] for cell in tool("report").speed(tool("report").read_peers(peers))["cells"]]
    assert len(ratios) == 16
    assert f"{sum(r > 1 for r in ratios)} of 16" in text
    refusals(tool("report"), peers, results, tmp_path, capsys)


def test_figures(tool, tmp_path):
    report = tool("report")
    results = report.read_results(asv_results(tmp_path / "results", [[40e-6, 2e-6], [20e-6, None]]))
    assert results["series"][TIMES] == {("gelu", "value", "float32"): [40e-6, 20e-6], ("relu", "value", "float32"): [2e-6, None]}
    assert report.roofline(results) == [("gelu", 3.25)]
    trend = report.trend(results)
    assert [(f["name"], round(f["first"], 3), round(f["last"], 3)) for f in trend["functions"]] == [
        ("gelu", 2.0, 1.0), ("relu", 0.1, 0.1),
    ]  # fmt: skip
    assert [(line["family"], line["values"]) for line in trend["lines"]] == [("gated", [1.0, pytest.approx(0.5)])]
    for function in trend["functions"]:
        for point in function["points"].split():
            x, y = map(float, point.split(","))
            assert 0 <= x <= 160
            assert 0 <= y <= 40


def test_site_links_and_local_copies(tool, tmp_path, monkeypatch):
    site = tool("dashboard")
    asv = importlib.import_module("asv")
    page = Path(asv.__file__).with_name("www").joinpath("index.html").read_text(encoding="utf-8")
    fetched = []
    monkeypatch.setattr(site, "fetch", lambda *which: fetched.append(which) or b"code")
    made = site.serve_locally(site.link_report(page), tmp_path)
    assert 'href="report.html"' in made
    assert not re.search(r'(src|href)="https://[^"]+\.(js|css)"', made)
    assert sorted(fetched) == sorted(site.LIBRARIES.values())
    assert len(list((tmp_path / "lib").iterdir())) == len(fetched)


TABLE = """
| Change   | Before [aaaaaaaa] <main> | After [bbbbbbbb] |   Ratio | Benchmark (Parameter)                            |
|----------|--------------------------|------------------|---------|--------------------------------------------------|
| +        | 3.19±0.2μs               | 7.02±0.1μs       |    2.2  | elementwise.Functions.time_call('gelu', 'value') |
| !        | 1.00±0μs                 | failed           |     n/a | calls.SmallCalls.time_relu                       |
| -        | 9.00±0μs                 | 3.00±0μs         |    0.33 | calls.SmallCalls.time_elu_alpha                  |
"""


def test_compare_reads_the_table(tool):
    assert tool("compare").flagged(TABLE) == {
        "elementwise.Functions.time_call('gelu', 'value')": "2.2", "calls.SmallCalls.time_relu": "n/a",
    }  # fmt: skip


def test_compare_reports_what_is_slower_each_time(tool, monkeypatch, capsys):
    compare = tool("compare")
    answers = [{"a('x', 1)": "2.0", "b": "1.6", "c": "3.0"}, {"a('x', 1)": "2.1", "c": "2.9"}, {"a('x', 1)": "1.9"}]
    asked = []

    def continuous(config, commits, factor, patterns, attributes):
        assert json.loads(config.read_text())["repo"] == str(TOOLS.parent)
        asked.append(patterns)
        return answers[len(asked) - 1]

    monkeypatch.setattr(compare, "continuous", continuous)
    assert compare.main(["main", "HEAD", "--bench", "Functions"]) == 1
    assert asked == [["Functions"], [r"^a\('x',\ 1\)$", "^b$", "^c$"], [r"^a\('x',\ 1\)$", "^c$"]]
    out = capsys.readouterr().out
    assert "1 slower each time" in out
    assert "a('x', 1): 2.0, 2.1, 1.9 times as long" in out
    answers[:] = [{"b": "1.7"}, {}]
    asked.clear()
    assert compare.main([]) == 0
    assert "nothing is slower each time" in capsys.readouterr().out


def test_compare_fails_where_asv_does(tool, tmp_path):
    compare = tool("compare")
    with pytest.raises(SystemExit) as failure:
        compare.continuous(tmp_path / "no.json", ("main", "HEAD"), 1.5, [], [])
    assert failure.value.code == 2
