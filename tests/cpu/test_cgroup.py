"""The control group's CPU limit is read as the kernel writes it."""

import pytest

from fastact.cpu import threads


@pytest.mark.parametrize(("text", "cpus"), [("max 100000\n", None), ("150000 100000\n", 2), ("50000 100000\n", 1), ("", None)])
def test_limit(tmp_path, text, cpus):
    (tmp_path / "cpu.max").write_text(text)
    assert threads.cgroup_cpus(tmp_path / "cpu.max") == cpus


def test_no_control_group(tmp_path):
    assert threads.cgroup_cpus(tmp_path / "none") is None
