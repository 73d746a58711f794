"""Compiled clients of the C interface: C, Cython and cffi."""

import ctypes
import importlib.util
import os
import re
import shlex
import shutil
import subprocess
import sys
import sysconfig
from pathlib import Path

import numpy as np
import pytest
from helpers import NAMES, numbers

import fastact as fa
from fastact.functions.gradients import partial
from fastact.language.kinds import kinds

HERE = Path(__file__).parent
DTYPES = [np.float16, np.float32, np.float64]
ROWS = ["softmax", "log_softmax", "softmin", "log_softmin", "softmax1", "hardmax", "sparsemax", "entmax15", "logsumexp"]


def compiled_only(source, folder):
    """Compile an extension module; the file that comes of it."""
    command = shlex.split(os.environ.get("CC") or sysconfig.get_config_var("CC") or "cc")
    if sys.platform != "linux" or shutil.which(command[0]) is None:
        pytest.skip("no C compiler, or one whose flags are others")
    built = folder / (source.stem + sysconfig.get_config_var("EXT_SUFFIX"))
    include = [f"-I{p}" for p in (sysconfig.get_paths()["include"], sysconfig.get_paths()["platinclude"], fa.get_include())]
    subprocess.run([*command, "-O1", "-fPIC", "-shared", *include, source, "-o", built], check=True)
    return built


def compiled(source, folder):
    """Compile an extension module and import it."""
    built = compiled_only(source, folder)
    spec = importlib.util.spec_from_file_location(source.stem, built)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def client(tmp_path_factory):
    return compiled(HERE / "client.c", tmp_path_factory.mktemp("c"))


def placed(array, odd):
    """A copy of an array whose memory begins at an odd address."""
    memory = np.zeros(array.nbytes + 64, np.uint8)
    start = -memory.ctypes.data % 64 + odd
    found = memory[start : start + array.nbytes].view(array.dtype)
    found[...] = array
    return found


def same(a, b):
    """The same numbers, NaN and signs of zero among them."""
    np.testing.assert_array_equal(a, b)
    np.testing.assert_array_equal(np.signbit(a)[~np.isnan(a)], np.signbit(b)[~np.isnan(b)])


def address(array):
    return 0 if array is None else array.ctypes.data


@pytest.mark.parametrize("name", NAMES)
def test_every_kernel_from_c(client, name):
    """All kinds and dtypes, any length and alignment, outputs that are inputs, parameters given and left out."""
    call = getattr(fa, name)
    for dtype, number in zip(DTYPES, range(3), strict=True):
        for kind in kinds(call.spec):
            function = call if kind == "value" else getattr(call, kind)
            kernel = client.find(name, kind, number)
            assert kernel
            assert client.parameters(kernel) == len(call.params)
            two, back = kind == "value_and_derivative", kind.startswith("backward")
            for n, odd in ((0, 0), (1, 0), (16, 0), (77, 0), (77, 1), (600, 3), (33, 4)):
                x, grad = placed(numbers(n, dtype, seed=n), odd), placed(numbers(n, dtype, seed=n + 1), odd)
                expected = function(grad.copy(), x.copy()) if back else function(x.copy())
                for place in ("apart", "x", "grad")[: 3 if back else 2]:
                    ours = placed(x, odd), placed(grad, odd) if back else None
                    y = {"apart": placed(np.zeros(n, dtype), odd), "x": ours[0], "grad": ours[1]}[place]
                    z = placed(np.zeros(n, dtype), odd) if two else None
                    client.run(kernel, n, *map(address, (*ours, y, z)), 0, n == 600)
                    for found, wanted in zip((y, z), expected, strict=True) if two else ((y, expected),):
                        same(found, wanted)


@pytest.mark.parametrize("name", [n for n in NAMES if getattr(fa, n).params])
def test_parameters_from_c(client, name):
    call = getattr(fa, name)
    values = np.array([v * 1.25 + 0.125 for v in call.params.values()])
    for number, dtype in ((1, np.float32), (2, np.float64)):
        x, y = numbers(100, dtype), np.zeros(100, dtype)
        client.run(client.find(name, "value", number), 100, address(x), 0, address(y), 0, address(values), False)
        same(y, call(x, *values.tolist()))
        for parameter in call.params:
            kernel = client.find(name, f"derivative_by_{parameter}", number)
            client.run(kernel, 100, address(x), 0, address(y), 0, 0, False)
            defaults = np.array(list(call.params.values()), dtype)
            same(y, partial(call, list(call.params).index(parameter)).ufunc(x, *defaults))


def test_large_arrays_on_threads(client):
    for number, dtype in zip(range(3), DTYPES, strict=True):
        x = numbers(300_001, dtype)
        y = np.zeros_like(x)
        client.run(client.find("mish", "value", number), x.size, address(x), 0, address(y), 0, 0, True)
        same(y, fa.mish(x))
        client.run(client.find("mish", "value", number), x.size, address(x), 0, address(x), 0, 0, True)
        same(x, y)


@pytest.mark.parametrize("name", ROWS)
@pytest.mark.parametrize("columns", [1, 10, 64, 150, 700])
def test_rows_from_c(client, name, columns):
    call = getattr(fa, name)
    for number, dtype in ((1, np.float32), (2, np.float64)):
        kernel = client.find(name, "value", number)
        assert client.parameters(kernel) == -1
        size = dtype().itemsize
        wide = np.clip(numbers(40 * (columns + 5), dtype), -50, 50).reshape(40, -1)
        x = wide[:, :columns]
        for several in (False, True):
            for temperature in (1.0, 0.3):
                y = np.zeros((40, 1) if name == "logsumexp" else (40, columns), dtype)
                assert client.rows(
                    kernel, 40, columns, address(x), x.strides[0], 0, 0, address(y), y.strides[0], temperature, several) == 0
                expected = call(x, temperature=temperature)
                np.testing.assert_allclose(y.reshape(expected.shape), expected, rtol=4 * np.finfo(dtype).eps, atol=size * 1e-30)
        back = client.find(name, "backward", number)
        assert bool(back) == (name not in ("hardmax", "logsumexp"))
        if back:
            y, grad = call(np.ascontiguousarray(x)), np.ascontiguousarray(x[::-1])
            out = np.zeros_like(y)
            at = [n for array in (y, grad, out) for n in (address(array), columns * size)]
            assert client.rows(back, 40, columns, *at, 1.0, False) == 0
            same(out, call.backward(grad, y))


def test_names_and_numbers_of_the_c_interface(client):
    """These are stable."""
    assert client.find("SiLU", "value", 1) == client.find("SiLU", "value", 1) != 0
    for name, kind, dtype in (
        ("nothing", "value", 1), ("gelu", "nothing", 1), ("gelu", "value", 3), ("gelu", "value", -1),
        ("relu", "derivative_by_x", 1), ("softmax", "value", 0), ("entmax", "value", 1), ("logmeanexp", "value", 1),
        ("swiglu", "value", 1), ("gelu", "low_level", 1),
    ):  # fmt: skip
        assert client.find(name, kind, dtype) == 0, (name, kind, dtype)
    x = np.zeros(4)
    kernel = client.find("gelu", "value", 2)
    assert client.rows(kernel, 1, 4, address(x), 32, 0, 0, address(x), 32, 1.0, False) == -1
    text = (Path(fa.get_include()) / "fastact.h").read_text()
    assert "#define FASTACT_API_VERSION 3\n" in text
    assert "enum { FA_FLOAT16, FA_FLOAT32, FA_FLOAT64 };" in text


def test_cython_client(tmp_path):
    cython = pytest.importorskip("Cython.Compiler.Main")
    source = tmp_path / "cython_client.pyx"
    shutil.copy(HERE / source.name, source)
    package = Path(fa.__file__).parent.parent
    options = cython.CompilationOptions(include_path=[str(package)], language_level=3)
    assert cython.compile(str(source), options).num_errors == 0
    module = compiled(source.with_suffix(".c"), tmp_path)
    x = numbers(64 * 50, np.float32).reshape(50, 64)
    y = np.zeros_like(x)
    module.gelu_rows(address(x), address(y), 50, 64)
    same(y, fa.gelu(x))
    x = np.clip(numbers(64 * 50, np.float64), -20, 20).reshape(50, 64)
    y = np.zeros_like(x)
    assert module.softmax(address(x), address(y), 50, 64, 2.0) == 0
    np.testing.assert_allclose(y, fa.softmax(x, temperature=2.0), rtol=1e-15, atol=1e-300)


PAGE = HERE.parents[1] / "docs" / "embedding.md"


@pytest.mark.skipif(not PAGE.exists(), reason="the documentation is in a checkout only")
def test_what_the_page_shows_compiles(tmp_path):
    """Its pieces of C, in a function that has what they speak of, and its module in Cython."""
    shown = re.findall(r"```(c|cython)\n(.*?)```", PAGE.read_text("utf-8"), re.DOTALL)
    assert [language for language, _ in shown] == ["c", "c", "cython"]
    sizes = ", ".join(f"Py_ssize_t {name}" for name in ("n", "rows", "columns", "outer", "inner"))
    heads = [f"{sizes}, float *x, float *grad, float *y", "double x"]
    for (_, text), head in zip(shown[:2], heads, strict=True):
        lines = text.splitlines()
        includes = [line for line in lines if line.startswith("#include")]
        body = [line for line in lines if line not in includes]
        source = tmp_path / f"piece{len(head)}.c"
        source.write_text("\n".join([*includes, f"void *piece({head})", "{", *body, "return NULL;", "}", ""]))
        compiled_only(source, tmp_path)
    cython = pytest.importorskip("Cython.Compiler.Main")
    source = tmp_path / "shown.pyx"
    source.write_text(shown[2][1])
    options = cython.CompilationOptions(include_path=[str(Path(fa.__file__).parent.parent)], language_level=3)
    assert cython.compile(str(source), options).num_errors == 0


@pytest.fixture
def cffi_client():
    """cffi, and the structure in the capsule, without a compiler."""
    cffi = pytest.importorskip("cffi")
    ffi = cffi.FFI()
    header = (Path(fa.get_include()) / "fastact.h").read_text()
    start, end = header.index("typedef struct fa_kernel"), header.index("} fa_interface;")
    ffi.cdef(header[start:end] + "} fa_interface;")
    pointer = ctypes.pythonapi.PyCapsule_GetPointer
    pointer.restype, pointer.argtypes = ctypes.c_void_p, [ctypes.py_object, ctypes.c_char_p]
    return ffi, ffi.cast("fa_interface *", pointer(fa._C_API, b"fastact._C_API"))


def test_cffi_client(cffi_client):
    ffi, api = cffi_client
    assert api.version == 3
    kernel = api.find(b"swish", b"value", 1)
    x = numbers(1000, np.float32)
    y = np.zeros_like(x)
    api.run(kernel, x.size, ffi.from_buffer(x), ffi.NULL, ffi.from_buffer(y, require_writable=True), ffi.NULL, ffi.NULL)
    same(y, fa.silu(x))


def test_rows_along_any_axis_from_cffi(cffi_client):
    """Those of the package, by one thread and by several; logsumexp of rows with infinities and of none."""
    ffi, api = cffi_client
    x = np.clip(numbers(3 * 50 * 40, np.float64), -9, 9).reshape(3, 50, 40)
    x[0, 3, 4], x[1, 2, 5], x[1, 6, 5], x[2, :, 7] = np.inf, np.nan, np.inf, -np.inf
    for name in ("softmax", "logsumexp"):
        kernel = api.find(name.encode(), b"value", 2)
        want = getattr(fa, name)(x, 1)
        for several in (0, 1):
            y = np.zeros_like(want)
            given = ffi.from_buffer(x), ffi.NULL, ffi.from_buffer(y, require_writable=True)
            assert api.along(kernel, 3, 50, 40, *given, 1.0, several) == 0
            same(y, want)
    y = np.zeros(4)
    assert api.along(kernel, 2, 0, 2, ffi.from_buffer(x), ffi.NULL, ffi.from_buffer(y, require_writable=True), 1.0, 0) == 0
    same(y, np.full(4, -np.inf))


@pytest.mark.parametrize("size", [5, 1000, 70000])
def test_parameters_that_change_along_the_elements(cffi_client, size):
    ffi, api = cffi_client
    for number, dtype in enumerate((np.float16, np.float32, np.float64)):
        x = np.clip(numbers(size, np.float64), -9, 9).astype(dtype)
        slopes, one = np.linspace(0.5, 2, size).astype(dtype), np.array([1.5], dtype)
        pointers = ffi.new("void *[2]", [ffi.cast("void *", a.ctypes.data) for a in (slopes, one)])
        strides = ffi.new("ptrdiff_t[2]", [slopes.itemsize, 0])
        for kind, call in (("value", fa.pelu), ("derivative", fa.pelu.derivative)):
            y = np.zeros_like(x)
            kernel = api.find(b"pelu", kind.encode(), number)
            given = ffi.from_buffer(x), ffi.NULL, ffi.from_buffer(y, require_writable=True), ffi.NULL
            api.run_arrays(kernel, size, *given, pointers, strides)
            same(y, call(x, slopes, one))
