"""Subinterpreters: NumPy lets one interpreter of a process import it, and that one computes, whichever it is."""

import sys

import pytest
from helpers import run_python

# `run(code)` in an interpreter that shares the GIL, or has its own; what it raised is printed.
RUN = """
import sys
if sys.version_info >= (3, 13):
    import _interpreters
    def run(code, isolated):
        interpreter = _interpreters.create("isolated" if isolated else "legacy")
        failed = _interpreters.exec(interpreter, code)
        if failed:
            print(failed.formatted, flush=True)
        _interpreters.destroy(interpreter)
else:
    import _xxsubinterpreters
    def run(code, isolated):
        interpreter = _xxsubinterpreters.create(isolated=isolated)
        try:
            _xxsubinterpreters.run_string(interpreter, code)
        except _xxsubinterpreters.RunFailedError as failed:
            print(failed, flush=True)
        _xxsubinterpreters.destroy(interpreter)
"""
COMPUTE = "import numpy as np, fastact as fa; print(int(fa.relu(np.ones(10**6, 'f4')).sum()), flush=True)"


def lines(code):
    done = run_python(f"{RUN}\n{code}")
    assert done.returncode == 0, done.stderr
    return done.stdout.splitlines()


@pytest.mark.parametrize("isolated", [False, True])
def test_a_second_interpreter_is_refused(isolated):
    """And the first computes as before."""
    first, *refusal, last = lines(f"{COMPUTE}\nrun('import fastact', {isolated})\n{COMPUTE}")
    assert first == last == "1000000"
    assert "ImportError" in "".join(refusal)


def test_a_subinterpreter_that_is_the_only_one():
    """As under mod_wsgi: it imports, computes on several threads, and ends; where NumPy does, which refuses without a GIL."""
    numpy = lines(f"run('import numpy', {sys.version_info < (3, 12)})")
    assert numpy == [] or not sys._is_gil_enabled()
    if numpy:
        pytest.skip("NumPy cannot be imported there")
    code = f"import fastact as fa; fa.set_num_threads(3); {COMPUTE}"
    assert lines(f"run({code!r}, {sys.version_info < (3, 12)})") == ["1000000"]
