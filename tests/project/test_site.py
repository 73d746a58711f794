"""What the documentation says is there, and the tool that follows the links of the built site (in a checkout)."""

import importlib
import inspect
import re
from pathlib import Path

import pytest

import fastact as fa

ROOT = Path(__file__).resolve().parents[2]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
if not (ROOT / "tools").is_dir():
    pytest.skip("the documentation is in the checkout only", allow_module_level=True)


def blocks(page):
    """The Python code of a page, block by block."""
    return re.findall(r"^```python\n(.*?)^```", page.read_text(encoding="utf-8"), re.MULTILINE | re.DOTALL)


def test_quick_start_runs(monkeypatch):
    pyplot = pytest.importorskip("matplotlib.pyplot")
    pyplot.switch_backend("agg")
    for page in (ROOT / "README.md", ROOT / "docs" / "index.md", ROOT / "docs" / "diagnostics.md", ROOT / "docs" / "start.md"):
        assert blocks(page)
        names = {"__name__": "page"}
        for block in blocks(page):
            exec(compile(block, str(page), "exec"), names)
    assert names["by_weight"].shape == (8,)
    pyplot.close("all")


@pytest.mark.parametrize("page", PAGES, ids=lambda p: p.name)
def test_names_on_pages(page):
    """Whatever of fastact a page names is there."""
    for dotted in set(re.findall(r"\bfa\.(\w+(?:\.\w+)*)", page.read_text(encoding="utf-8"))):
        value = fa
        for name in dotted.split("."):
            value = getattr(value, name)
    for name in re.findall(r"fa\.get\(\"([^\"]+)\"\)", page.read_text(encoding="utf-8")):
        fa.get(name)


def test_migrating_page_states_the_defaults():
    """The calls of its table, `fa.elu(x, alpha=1)`, have the parameters and the defaults that the functions have."""
    text = (ROOT / "docs" / "migrating.md").read_text(encoding="utf-8")
    calls = re.findall(r"^\| `fa\.(\w+)\(x(?:, )?(.*?)\)`", text, re.MULTILINE)
    assert len(calls) > 35
    for name, parameters in calls:
        known = inspect.signature(fa.get(name)).parameters
        for given in filter(None, parameters.split(", ")):
            parameter, default = given.split("=")
            assert known[parameter].default == pytest.approx(eval(default)), (name, parameter)
    for name in set(fa.activations()) & {name for name, _ in calls}:
        assert dict(calls)[name].count("=") == len(fa.get(name).params), name


def test_links(tmp_path, monkeypatch):
    monkeypatch.syspath_prepend(str(ROOT / "tools"))
    links = importlib.import_module("links")
    (tmp_path / "a").mkdir()
    front = '<h1 id="here">x</h1><a href="a/b.html#there">b</a><a href="#here">up</a><a href="https://x.org">x</a>'
    (tmp_path / "index.html").write_text(front)
    (tmp_path / "a" / "b.html").write_text('<p id="there">x</p><a href="../index.html">up</a><img src="../index.html">')
    assert links.dead_links(tmp_path) == ([], 4, 1, 2)
    lost = '<a href="../index.html#nowhere">up</a><img src="lost.png"><a href="../../out.html">out</a>'
    (tmp_path / "a" / "b.html").write_text(lost)
    dead, *_ = links.dead_links(tmp_path)
    assert [(str(page), link) for page, link, _ in dead] == [
        ("a/b.html", "../index.html#nowhere"), ("a/b.html", "lost.png"), ("a/b.html", "../../out.html"),
        ("index.html", "a/b.html#there"),
    ]  # fmt: skip
