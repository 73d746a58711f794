"""scikit-learn's and thinc's own tests of networks and operations, with fastact's activations in place of theirs.

    pip install ".[frameworks,test]" mock
    python tools/frameworks_suites.py

Exits with 1 if a test fails that passes without fastact.
"""

from __future__ import annotations

import importlib
import subprocess
import sys
from pathlib import Path
from typing import Any


def scikit_learn() -> list[str]:
    """Put the activations in, and say what is to be tested."""
    import sklearn.neural_network.tests as tests

    import fastact.sklearn

    fastact.sklearn.install("tanh", "relu", "softmax")
    fastact.sklearn.install("logistic")
    return [str(Path(next(iter(tests.__path__))) / "test_mlp.py"), str(Path(next(iter(tests.__path__))) / "test_base.py")]


def thinc() -> list[str]:
    """Put the operations in, and say what is to be tested."""
    api = importlib.import_module("thinc.api")
    import thinc.backends

    import fastact.thinc

    class Ops(fastact.thinc.FastactOps):
        name = "numpy"  # what thinc's tests ask for by name is ours too

    api.NumpyOps = thinc.backends.NumpyOps = api.registry.ops("NumpyOps", func=Ops)
    thinc.backends.set_current_ops(Ops())
    folder = Path(next(iter(importlib.import_module("thinc.tests").__path__)))
    return [str(folder / "backends" / "test_ops.py"), str(folder / "layers")]


class Numbers:
    """A plugin: thinc 9.1's tests against PyTorch make numbers of arrays of one element, which NumPy no longer allows."""

    def pytest_collection_modifyitems(self, items: list[Any]) -> None:
        """Let them."""
        for item in items:
            if item.module.__name__ == "thinc.tests.backends.test_ops":
                item.module.float = number


def number(value: Any) -> float:
    """An array of one element as its number; anything else as `float` has it."""
    return value.item() if hasattr(value, "item") else float(value)


def failures(suite: str, ours: bool) -> set[str]:
    """The tests that fail, in a process of its own."""
    options = ["-q", "-p", "no:cacheprovider", "-rf", "--tb=line", "-W", "ignore", "-o", "addopts="]
    code = (
        f"import sys; sys.path.insert(0, {str(Path(__file__).parent)!r}); import pytest, frameworks_suites as f;"
        f"paths = f.{suite}();"
        + ("" if ours else "import fastact.sklearn; fastact.sklearn.uninstall();" if suite == "scikit_learn" else "")
        + f"sys.exit(pytest.main([*paths, *{options}], plugins=[f.Numbers()]))"
    )
    if suite == "thinc" and not ours:
        code = code.replace("paths = f.thinc();", "import thinc.tests as t; p = t.__path__[0];"
                            "paths = [p + '/backends/test_ops.py', p + '/layers'];")  # fmt: skip
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    lines = done.stdout.splitlines()
    last = next((line for line in reversed(lines) if " passed" in line or " failed" in line), done.stderr[-500:])
    print(f"{suite} {'with fastact' if ours else 'as it is'}: {last.strip('= ')}", flush=True)
    if done.returncode not in (0, 1):
        raise SystemExit(f"{suite}: pytest ended with {done.returncode}: {done.stderr[-500:]}")
    return {line.split(" - ")[0] for line in lines if line.startswith("FAILED")}


def main() -> int:
    """Run both suites, without fastact and with it."""
    bad = 0
    for suite in ("scikit_learn", "thinc"):
        new = failures(suite, True) - failures(suite, False)
        for name in sorted(new):
            print(name)
        bad += len(new)
    return bool(bad)


if __name__ == "__main__":
    sys.exit(main())
