"""`bench threads`: its figures are quotients of what was measured, and its processes are those of the table."""

import pytest

import fastact as fa
from fastact._cli import bench_threads, main


@pytest.mark.parametrize("situation", ["steady", "after a rest", "callers"])
def test_quotients(threads, situation, monkeypatch):
    threads(2)
    monkeypatch.setattr(bench_threads, "REST", 0.001)
    found = bench_threads.quotients("fastact", "relu", situation)
    assert found.keys() == {"mean", "median", "p90"}
    assert all(0.01 < v < 1e4 for v in found.values())


def test_table(threads, monkeypatch, capsys, tmp_path):
    threads(2)
    monkeypatch.setattr(bench_threads, "FUNCTIONS", ("relu",))
    monkeypatch.setattr(bench_threads, "SITUATIONS", {"steady": 0, "beside one": 1})
    assert main(["bench", "threads", "--peers", "", "--rounds", "1", "--json", str(tmp_path / "threads.json")]) == 0
    rows = capsys.readouterr().out.splitlines()[3:]
    assert [r.split()[:2] for r in rows] == [["fastact", "relu"]] * 2
    assert (tmp_path / "threads.json").read_text().count('"p90"') == 2


def test_one_thread_is_refused(threads, capsys):
    threads(1)
    assert fa.get_num_threads() == 1
    assert main(["bench", "threads"]) == 2
    assert "one thread" in capsys.readouterr().err
