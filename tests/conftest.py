"""Fixtures and settings of all tests; plain functions that they share are in helpers.py."""

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
