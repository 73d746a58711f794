"""The guard: every activation is complete, everywhere; and the public face of the package."""

import copy
import inspect
import pickle
import re
import subprocess
import sys

import numpy as np
import pytest
from helpers import KINDS, NAMES, PACKAGE, WITH_PARAMS, arrays, every_kind, function, results, run_python
from reference import REFERENCE

import fastact as fa
from fastact.language.registry import REGISTRY

PROMISED = """
    identity step sign relu relu6 leaky_relu prelu threshold thresholded_relu squared_relu reflu elu selu celu sigmoid
    log_sigmoid hard_sigmoid sparse_sigmoid tanh hard_tanh tanh_shrink lisht softplus squareplus sparse_plus softsign mish
    silu hard_swish gelu gelu_tanh quick_gelu dish serf smelu star_relu snake bent_identity gaussian soft_shrink hard_shrink
    exponential log1mexp arctan elish hard_elish phish telu isru isrlu srelu pelu xielu scaled_tanh softcap
    shrink laplace
"""
FROM_OUTPUT = ["relu", "leaky_relu", "elu", "selu", "celu", "sigmoid", "tanh", "softplus", "exponential"]
HEAVY = ["numba", "llvmlite", "matplotlib", "scipy", "mpmath", "torch", "pandas", "tqdm", "hypothesis", "Cython", "setuptools"]
PEERS_NAMES = {  # what torch, ONNX, keras, jax and papers say: the canonical name
    "linear": "identity", "heaviside": "step", "perceptron": "step", "swish": "silu", "hardswish": "hard_swish",
    "logsigmoid": "log_sigmoid", "hardsigmoid": "hard_sigmoid", "hardtanh": "hard_tanh", "tanhshrink": "tanh_shrink",
    "softshrink": "soft_shrink", "hardshrink": "hard_shrink", "LeakyReLU": "leaky_relu", "ReLU6": "relu6", "SiLU": "silu",
    "Hard-Swish": "hard_swish", "GELU": "gelu", "atan": "arctan", "relu2": "squared_relu", "exp": "exponential",
    "ThresholdedRelu": "thresholded_relu", "HardSiLU": "hard_swish", "hard_silu": "hard_swish", "softthreshold": "soft_shrink",
    "ScaledTanh": "scaled_tanh", "PELU": "pelu", "SReLU": "srelu", "xIELU": "xielu", "Shrink": "shrink", "soft-cap": "softcap",
}  # fmt: skip
SECTIONS = ["Parameters", "Returns", "Raises", "Notes", "References", "Examples"]


def test_the_registry_is_complete():
    """A function without a reference has no tests; a reference without a function tests nothing."""
    assert set(NAMES) == set(REGISTRY)
    assert set(NAMES) - set(REFERENCE) == set(), "add these to tests/reference.py"
    assert set(REFERENCE) - set(NAMES) == set(), "these have a reference and no formula"
    assert sorted(NAMES) == NAMES
    assert len(NAMES) == len(set(NAMES)) >= 50
    assert set(PROMISED.split()) <= set(NAMES)


@pytest.mark.parametrize("name", NAMES)
def test_agrees_with_the_reference(name):
    """Parameters and their defaults, and which functions have a derivative from the output."""
    activation, reference = fa.get(name), REFERENCE[name]
    assert list(activation.params.items()) == list(reference.params.items())
    assert len(reference.partials) == len(reference.params)
    assert bool(activation.backward_from_output) == bool(reference.from_output)


def test_promised_forms():
    assert all(fa.get(name).backward_from_output for name in FROM_OUTPUT)


@pytest.mark.parametrize("name", NAMES)
def test_is_public(name):
    activation = getattr(fa, name)
    assert isinstance(activation, fa.Activation)
    assert name in fa.__all__
    assert name in dir(fa)
    assert activation is fa.get(name)
    assert activation.__name__ == name
    for kind in KINDS[1:4]:
        assert callable(getattr(activation, kind))


@pytest.mark.parametrize("name", NAMES)
def test_aliases(name):
    """Every alias is a public attribute, resolves to the same object, and belongs to one function."""
    activation = fa.get(name)
    for alias in activation.aliases:
        assert getattr(fa, alias) is activation
        assert fa.get(alias) is fa.get(alias.upper()) is activation
        assert alias in fa.__all__
        assert alias not in NAMES
        assert [n for n in NAMES if alias in fa.get(n).aliases] == [name]


@pytest.mark.parametrize("name", PEERS_NAMES)
def test_peers_names(name):
    assert fa.get(name).__name__ == PEERS_NAMES[name]


@pytest.mark.parametrize("name", NAMES)
def test_metadata(name):
    """Everything the docs and diagnostics read is there and well-formed."""
    activation = fa.get(name)
    assert activation.latex.startswith("f(x) =")
    assert activation.reference
    assert activation.smoothness in ("discontinuous", "C0", "C1", "C2", "smooth")
    assert all(s in ("hard", "soft", "no") for s in activation.saturates)
    assert len(activation.saturates) == len(activation.limits) == len(activation.slopes) == len(activation.range) == 2
    assert isinstance(activation.monotonic, bool)
    assert isinstance(activation.zero_centred, bool)
    assert isinstance(activation.kinks, tuple)
    assert (PACKAGE / "activations" / f"{activation.family}.py").exists()
    assert re.search(rf"^def {name}\(", (PACKAGE / "activations" / f"{activation.family}.py").read_text("utf-8"), re.MULTILINE)


@every_kind
def test_docs(name, kind):
    """numpydoc sections, the signature, parameters with defaults."""
    call, activation = function(name, kind), fa.get(name)
    doc = inspect.getdoc(call)
    summary = doc.splitlines()[0]
    assert summary.endswith(".")
    assert len(summary) < 140
    for section in SECTIONS:
        assert re.search(rf"^{section}\n-{{{len(section)}}}$", doc, re.MULTILINE), section
    for param, default in activation.params.items():
        assert re.search(rf"^{param} : array_like, default {re.escape(repr(default))}$", doc, re.MULTILINE)
    signature = inspect.signature(call)
    for param, default in activation.params.items():
        assert signature.parameters[param].default == default
    assert [p for p in signature.parameters if p in ("out", "where", "dtype")] == ["out", "where", "dtype"]


def test_help_text():
    """help(fa.gelu) starts with the call and shows the formula."""
    import pydoc

    text = pydoc.plain(pydoc.render_doc(fa.gelu))
    assert "x * Phi(x)" in text
    assert "Formula" in text
    assert "approximate" in text
    assert "Gaussian error linear unit" in text.split("Methods")[0][:2000]
    assert "derivative" in text


@pytest.mark.parametrize("name", NAMES)
def test_repr_and_dir(name):
    activation = fa.get(name)
    text = repr(activation)
    assert f"fastact.{name}(" in text
    assert all(f"{p}={d!r}" in text for p, d in activation.params.items())
    assert name in repr(activation.derivative)
    assert "derivative" in repr(activation.derivative)
    assert {"derivative", "value_and_derivative", "backward", "backward_from_output", "parameter_gradients", "params", "aliases",
            "latex", "ufunc"} <= set(dir(activation))  # fmt: skip


def test_dir_of_the_package():
    """Tab completion: the public names, and beside them nothing but modules."""
    public = [n for n in dir(fa) if not n.startswith("_")]
    assert set(fa.__all__) <= set(public)
    assert [n for n in public if n not in fa.__all__ and not inspect.ismodule(getattr(fa, n))] == []
    assert {"get", "activations", "set_num_threads", "get_num_threads", "show_config"} <= set(fa.__all__)
    assert len(fa.__all__) == len(set(fa.__all__))
    assert re.fullmatch(r"\d+\.\d+\.\d+.*", fa.__version__)
    assert callable(fa.activations)


def test_get():
    assert fa.get("silu") is fa.silu
    assert fa.get("Leaky-ReLU") is fa.get("leakyrelu") is fa.leaky_relu
    with pytest.raises(ValueError, match=r"'gleu'.*did you mean.*gelu"):
        fa.get("gleu")
    with pytest.raises(ValueError, match=r"'sigmiod'.*sigmoid"):
        fa.get("sigmiod")
    with pytest.raises(ValueError, match="zzzzzz") as caught:
        fa.get("zzzzzz")
    assert "did you mean" not in str(caught.value)
    for bad in (None, 3, ["gelu"], b"gelu"):
        with pytest.raises(TypeError, match=r"fastact\.get"):
            fa.get(bad)


def test_activations_is_a_fresh_sorted_list():
    first = fa.activations()
    first.clear()
    assert len(fa.activations()) >= 50
    assert fa.activations() == sorted(fa.activations())


@every_kind
def test_copies_are_the_same_object(name, kind):
    """pickle, copy and deepcopy of a function lead back to it."""
    call = function(name, kind)
    assert pickle.loads(pickle.dumps(call)) is call
    assert copy.copy(call) is call
    assert copy.deepcopy(call) is call
    assert copy.deepcopy({"f": [call]})["f"][0] is call
    x = np.ones(3)
    assert all(np.array_equal(a, b) for a, b in zip(results(copy.deepcopy(call)(*arrays(name, kind, x))),
                                                    results(call(*arrays(name, kind, x))), strict=True))  # fmt: skip


def test_pickled_ufuncs_of_every_protocol():
    for protocol in range(pickle.HIGHEST_PROTOCOL + 1):
        assert pickle.loads(pickle.dumps(fa.gelu, protocol)) is fa.gelu
        assert pickle.loads(pickle.dumps(fa.gelu.derivative, protocol)) is fa.gelu.derivative


def test_identity_and_hash():
    """Usable as dictionary keys, and attributes do not leak between functions."""
    assert len({fa.get(n) for n in NAMES}) == len(NAMES)
    before = dict(fa.elu.params)
    fa.elu.params["alpha"] = 5.0
    try:
        assert fa.elu(np.array([-50.0]))[0] == pytest.approx(-1.0)
        assert fa.celu.params == {"alpha": 1.0}
    finally:
        fa.elu.params.update(before)


def test_import_is_light():
    """Nothing heavy comes with the package."""
    code = """
import sys, numpy
before = set(sys.modules)
import fastact
loaded = {m.partition('.')[0] for m in set(sys.modules) - before}
print(sorted(loaded.intersection(sys.argv)))
"""
    done = run_python(code, *HEAVY)
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip() == "[]"
    assert done.stderr == ""


def test_show_config(capsys):
    fa.show_config()
    text = capsys.readouterr().out.lower()
    for word in ("level", "threads", "compiler", "numba", "cuda", "numpy"):
        assert word in text
    assert str(fa.get_num_threads()) in text


def test_warnings_free_import():
    done = run_python("import fastact; fastact.gelu([1.0])")
    strict = subprocess.run([sys.executable, "-W", "error", "-c", "import sys; sys.path.insert(0, sys.argv[1]); import fastact",
                             str(PACKAGE.parent)], capture_output=True, text=True, timeout=60, check=False)  # fmt: skip
    assert (done.returncode, strict.returncode) == (0, 0), strict.stderr


@pytest.mark.parametrize("name", WITH_PARAMS)
def test_defaults_are_what_the_call_uses(name):
    activation = fa.get(name)
    x = np.linspace(0.1, 4, 9)
    for kind in KINDS[:4]:
        given = arrays(name, kind, x)
        got, want = function(name, kind)(*given), function(name, kind)(*given, **activation.params)
        assert all(np.array_equal(g, w) for g, w in zip(results(got), results(want), strict=True))
