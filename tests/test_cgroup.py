"""The control group's CPU limit is read as the kernel writes it."""

import io

import pytest

from fastact import _cpu


@pytest.mark.parametrize(("text", "cpus"), [("max 100000\n", None), ("150000 100000\n", 2), ("50000 100000\n", 1), ("", None)])
def test_limit(monkeypatch, text, cpus):
    monkeypatch.setattr("builtins.open", lambda *_, **__: io.StringIO(text))
    assert _cpu.cgroup_cpus() == cpus
