"""The stubs: type checkers report what is wrong and nothing else, and what the stubs promise is what comes back."""

import ast
import importlib.util
import inspect
import json
import os
import re
import shutil
import subprocess
import sys
import typing
from pathlib import Path

import numpy as np
import pytest
from helpers import CALLS, NAMES, PACKAGE

import fastact as fa
from fastact.functions import BY_NAME

HERE = Path(__file__).parent
RIGHT, WRONG = HERE / "typing_right.py", HERE / "typing_wrong.py"
NOT_RUN = {"settings", "in_numba", "elsewhere"}
EVERY = """
from typing import assert_type

import numpy as np
from numpy.typing import NDArray

import fastact as fa


def every(x32: NDArray[np.float32], s32: np.float32) -> None:
"""


def every_function():
    """A file with a call of every function, by each of its names, and of every kind."""
    lines = []
    for name, kind in CALLS:
        arguments = "x32, x32" if kind.startswith("backward") else "x32"
        one, two = "NDArray[np.float32]", "tuple[NDArray[np.float32], NDArray[np.float32]]"
        for spelling in (name, *fa.get(name).aliases):
            call = f"fa.{spelling}" if kind == "value" else f"fa.{spelling}.{kind}"
            lines.append(f"assert_type({call}({arguments}), {two if kind == 'value_and_derivative' else one})")
            if not kind.startswith("backward"):
                scalars = "tuple[np.float32, np.float32]" if kind == "value_and_derivative" else "np.float32"
                lines.append(f"assert_type({call}(s32), {scalars})")
    for name, function in BY_NAME.items():
        if not isinstance(function, fa.Activation):
            more = {"maxout": "2", "max_affine": "[1.0], [0.0]"}.get(name, "")
            if "keepdims" in inspect.signature(function).parameters:
                more = "keepdims=True"
            lines.append(f"assert_type(fa.{name}({', '.join(['x32', *([more] if more else [])])}), NDArray[np.float32])")
    return EVERY + "".join(f"    {line}\n" for line in lines)


def examples():
    """The examples of the documentation, a text each; formulas and what Numba compiles are written without types."""
    pages = sorted((PACKAGE.parent / "docs").glob("*.md"))  # none beside an installed package
    text = "".join(page.read_text("utf-8") for page in pages)
    loose = "allow-untyped-defs, allow-untyped-decorators, allow-untyped-calls, disable-error-code=import-untyped"
    head = f"# mypy: {loose}\n# pyright: basic\n"
    return [head + block for block in re.findall(r"test_examples.py -->\n```python\n(.*?)```", text, re.DOTALL)]


def arguments():
    """New arrays and numbers for the functions of the right uses."""
    kinds = {"16": np.float16, "32": np.float32, "64": np.float64}
    found = {f"x{n}": np.linspace(-1.0, 1.0, 4, dtype=k) for n, k in kinds.items()}
    found |= {f"s{n}": k(0.75) for n, k in kinds.items()}
    masked = np.ma.array(found["x32"], mask=[False, True, False, False])
    found |= {"anything": found["x32"].copy(), "floats": found["x32"].copy()}
    return found | {"m32": masked, "ints": np.arange(4), "flags": np.array([True, False, True, True])}


def keeps(value, promised):
    """Whether a value is what a type says."""
    origin, inner = typing.get_origin(promised), typing.get_args(promised)
    if hasattr(origin, "__value__"):  # an alias, as NDArray is from NumPy 2.5 on
        return keeps(value, origin.__value__[inner])
    if promised is typing.Any:
        return True
    if promised is None:
        return value is None
    if origin is tuple:
        return type(value) is tuple and len(value) == len(inner) and all(map(keeps, value, inner))
    if origin is dict:
        return type(value) is dict and all(keeps(k, inner[0]) and keeps(v, inner[1]) for k, v in value.items())
    if origin is list:
        return type(value) is list and all(keeps(v, inner[0]) for v in value)
    if origin is not None and issubclass(origin, np.ndarray):
        scalar = typing.get_args(inner[1])[0]
        scalar = typing.get_origin(scalar) or scalar
        return type(value) is origin and (scalar is typing.Any or issubclass(value.dtype.type, scalar))
    return isinstance(value, promised)


def check(value, promised):
    """Stands for `typing.assert_type` when the right uses run."""
    __tracebackhide__ = True
    assert keeps(value, promised), f"{value!r} is promised to be {promised}"


def run_all(path, monkeypatch):
    """Import a file whose assertions of types are checked, and call its functions."""
    monkeypatch.setattr(typing, "assert_type", check)
    spec = importlib.util.spec_from_file_location(path.stem, path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    functions = [f for f in vars(module).values() if inspect.isfunction(f) and f.__module__ == path.stem]
    for function in functions:
        if function.__name__ not in NOT_RUN:
            given = arguments()
            function(**{name: given[name] for name in inspect.signature(function).parameters})
    return functions


def test_what_comes_back(monkeypatch, tmp_path):
    pytest.importorskip("numba")
    assert len(run_all(RIGHT, monkeypatch)) > 10
    (tmp_path / "every.py").write_text(every_function(), "utf-8")
    assert len(run_all(tmp_path / "every.py", monkeypatch)) == 1


def test_promises_can_be_broken():
    x = np.ones(2, np.float32)
    single, double = np.ndarray[typing.Any, np.dtype[np.float32]], np.ndarray[typing.Any, np.dtype[np.float64]]
    assert keeps(x, single)
    assert not keeps(x, double)
    assert not keeps((x, x), single)
    assert not keeps(x, tuple[single, single])
    assert not keeps((x, x), tuple[single, double])
    assert not keeps({"alpha": x}, dict[str, double])
    assert not keeps(np.ma.array(x), single)
    assert not keeps(x[0], np.float64)
    assert not keeps(x, None)


def checker(name):
    """The path of a type checker, beside the interpreter or elsewhere; without one the test is skipped."""
    found = shutil.which(name, path=os.pathsep.join([str(Path(sys.executable).parent), os.environ.get("PATH", "")]))
    return found or pytest.skip(f"{name} is not installed")


def by_mypy(files, folder, source):
    options = ["--strict", "--follow-imports=silent", "--no-error-summary", "--hide-error-context", "--python-executable"]
    command = [checker("mypy"), *options, sys.executable, "--cache-dir", str(folder / "cache"), *map(str, files)]
    environment = os.environ | {"MYPYPATH": os.pathsep.join(source), "MYPY_FORCE_COLOR": "0"}
    done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True)
    assert done.returncode in (0, 1), done.stdout + done.stderr
    return re.findall(r"^(.*?):(\d+): (error: .*)$", done.stdout, re.MULTILINE)


def by_pyright(files, folder, source):
    """Basedpyright is pyright with Node.js, and further checks, which the mode switches off."""
    path = checker("basedpyright")
    settings = {"include": [*map(str, files)], "typeCheckingMode": "strict", "extraPaths": source}
    (folder / "pyrightconfig.json").write_text(json.dumps(settings), "utf-8")
    done = subprocess.run(
        [path, "--pythonpath", sys.executable, "--outputjson", "-p", str(folder)], cwd=folder, capture_output=True, text=True
    )
    assert done.returncode in (0, 1), done.stdout + done.stderr
    found = json.loads(done.stdout)["generalDiagnostics"]
    return [(d["file"], d["range"]["start"]["line"] + 1, d["message"]) for d in found if d["severity"] == "error"]


@pytest.mark.parametrize("report", [by_mypy, by_pyright], ids=["mypy", "pyright"])
def test_checkers_find_what_is_wrong(report, tmp_path):
    """Errors in the lines that are marked, and in no other line of any file."""
    every = tmp_path / "every.py"
    every.write_text(every_function(), "utf-8")
    shown = [tmp_path / f"example{number}.py" for number, _ in enumerate(examples())]
    for file, text in zip(shown, examples(), strict=True):
        file.write_text(text, "utf-8")
    source = [] if PACKAGE.parent.name == "site-packages" else [str(PACKAGE.parent)]
    found = {}
    for file, line, message in report([RIGHT, WRONG, every, *shown], tmp_path, source):
        found[Path(file).name, int(line)] = message
    marked = {i for i, text in enumerate(WRONG.read_text("utf-8").splitlines(), 1) if "# wrong: " in text}
    assert len(marked) > 20
    assert {key: message for key, message in found.items() if key not in {(WRONG.name, i) for i in marked}} == {}
    assert marked - {line for _, line in found} == set(), "not found"


def test_the_stub_and_the_package_have_the_same_names():
    """And no class is shown that cannot be imported, but for those that say so by an underscore."""
    tree = ast.parse((PACKAGE / "__init__.pyi").read_text("utf-8"))
    classes = [n.name for n in tree.body if isinstance(n, ast.ClassDef)]
    named = [n.name for n in tree.body if isinstance(n, ast.FunctionDef)]
    variables = [n.target.id for n in tree.body if isinstance(n, ast.AnnAssign) and isinstance(n.target, ast.Name)]
    shown = {n for n in [*classes, *named, *variables] if not n.startswith("_")}
    assert shown == set(fa.__all__)
    for name in shown & set(classes):
        assert inspect.isclass(getattr(fa, name))
    assert (PACKAGE / "py.typed").exists()
    ufuncs = ast.parse((PACKAGE / "ufuncs.pyi").read_text("utf-8"))
    listed = {n.target.id for n in ufuncs.body if isinstance(n, ast.AnnAssign) and isinstance(n.target, ast.Name)}
    assert listed == {n for n, value in vars(fa.ufuncs).items() if isinstance(value, np.ufunc) and not n.startswith("_")}


def test_names_for_numba():
    """Each stands for a kind of an activation; nothing is compiled here."""
    numba = pytest.importorskip("numba") and fa.numba
    tree = ast.parse((PACKAGE / "numba" / "__init__.pyi").read_text("utf-8"))
    listed = [n.target.id for n in tree.body if isinstance(n, ast.AnnAssign) and isinstance(n.target, ast.Name)]
    assert all(numba._split(name) for name in listed if name != "ufuncs")
    assert {numba._split(name) for name in listed if name != "ufuncs"} == {
        *CALLS, *((name, "second_derivative") for name in NAMES),
    }  # fmt: skip
