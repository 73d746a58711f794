"""Fixtures and settings of all tests; plain functions that they share are in helpers.py."""

import subprocess
from types import SimpleNamespace

import pytest
from hypothesis import settings

import fastact as fa

settings.register_profile("fastact", deadline=None, derandomize=True, database=None, max_examples=60)
settings.load_profile("fastact")


@pytest.fixture
def threads():
    """`set_num_threads`, undone afterwards."""
    before = fa.get_num_threads()
    yield fa.set_num_threads
    fa.set_num_threads(before)


BRISK = "from fastact._cli import worker; worker.REST = worker.WARM_UP = 0.0; worker.TURN = 1e-4; worker.main()"


@pytest.fixture
def brisk(monkeypatch):
    """The processes of `bench` neither rest nor warm up, and take short turns: what they answer is tested, not how exactly."""
    from fastact._cli import measure

    def start(command, **how):
        return subprocess.Popen([command[0], "-c", BRISK, *command[3:]], **how)

    monkeypatch.setattr(measure, "subprocess", SimpleNamespace(Popen=start, PIPE=subprocess.PIPE))
