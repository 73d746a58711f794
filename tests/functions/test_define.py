"""`fastact.define`: what users define is an object like the package's own, as exact where it can be, in every way of calling."""

import copy
import pickle
import threading

import mpmath as mp
import numpy as np
import pytest
from helpers import assert_same_bits, run_python

import fastact as fa
from fastact.cpu.levels import LEVEL
from fastact.language.terms import FormulaError

numba = pytest.importorskip("numba")

#: What is compiled at run time fuses products and sums where the processor does; the kernels of the lowest level do not.
SAME_BITS = pytest.mark.skipif(LEVEL == "x86-64", reason="the kernels of the level x86-64 have no fused multiply-add")
WIDE = np.concatenate([
    np.linspace(-90, 90, 4001), [np.inf, -np.inf, np.nan, 0.0, -0.0, 1e-40, -1e-40, 1e30, -1e30],
    np.geomspace(1e-30, 1e4, 300), -np.geomspace(1e-30, 1e4, 300),
])  # fmt: skip


@pytest.fixture(scope="module")
def swish():
    return fa.define("x * sigmoid(1.5 * x)")


@pytest.fixture(scope="module")
def cap():
    return fa.define("alpha * tanh(x / alpha)", params={"alpha": 2.0}, name="cap", alias="capped")


@SAME_BITS
@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64])
def test_a_formula_that_the_package_has(swish, dtype):
    """``x * sigmoid(1.5 x)`` is silu with beta 1.5: the same numbers, which is within 1 ULP."""
    with np.errstate(over="ignore"):
        x = WIDE.astype(dtype)
    grad = np.linspace(-2, 2, x.size).astype(dtype)
    assert_same_bits(swish(x), fa.silu(x, 1.5))
    assert_same_bits(swish.derivative(x), fa.silu.derivative(x, 1.5))
    assert_same_bits(swish.backward(grad, x), fa.silu.backward(grad, x, 1.5))
    for got, want in zip(swish.value_and_derivative(x), fa.silu.value_and_derivative(x, 1.5), strict=True):
        assert_same_bits(got, want)
    assert_same_bits(swish.second_derivative(x), fa.silu.second_derivative(x, 1.5))
    for got, want in zip(swish.backward_backward(x, grad, x), fa.silu.backward_backward(x, grad, x, 1.5), strict=True):
        assert_same_bits(got, want)
    assert_same_bits(swish(x, bias=grad), fa.silu(x, 1.5, bias=grad))


@SAME_BITS
@pytest.mark.parametrize("name", ["gelu", "softplus", "elu", "relu", "hard_swish", "log_sigmoid"])
def test_every_target_has_the_same_bits(name):
    """What LLVM makes of a formula of the package is what the C compiler made of it."""
    own = fa.get(name)
    twin = fa.define(f"{name}(x)")
    for dtype in (np.float32, np.float64):
        x = WIDE.astype(dtype)
        assert_same_bits(twin(x), own(x))
        assert_same_bits(twin.derivative(x), own.derivative(x))


EXACT = {  # text: the function at 60 digits, the range of x in float32 and float64, units in the last place
    "exp(x)": (mp.exp, 80, 700, 2), "expm1(x)": (mp.expm1, 80, 700, 2), "erf(x)": (mp.erf, 10, 30, 2),
    "log1p(x * x)": (lambda x: mp.log1p(x * x), 1e15, 1e150, 3), "sin(x)": (mp.sin, 1e6, 1e6, 4), "cos(x)": (mp.cos, 1e6, 1e6, 4),
    "exp(-x * x)": (lambda x: mp.exp(-x * x), 9, 26, 2), "exp(x / 3.3)": (lambda x: mp.exp(x / mp.mpf(3.3)), 260, 2000, 2),
    "sigmoid(3.7 * x)": (lambda x: 1 / (1 + mp.exp(-mp.mpf(3.7) * x)), 23, 190, 3),
    "log(1 + exp(1.3 * x - 0.7))": (lambda x: mp.log1p(mp.exp(mp.mpf(1.3) * x - mp.mpf(0.7))), 60, 500, 4),
}  # fmt: skip


@pytest.mark.parametrize("text", EXACT)
def test_exact(text):
    """Arguments of exponentials and sines carry what rounding took from them; their tails keep all digits."""
    true, single, double, bound = EXACT[text]
    function = fa.define(text)
    rng = np.random.default_rng(5)
    for dtype, most in ((np.float32, single), (np.float64, double)):
        x = (2.0 ** rng.uniform(-20, np.log2(most), 150) * rng.choice([-1, 1], 150)).astype(dtype)
        y = function(x)
        with mp.workdps(60):
            for argument, found in zip(x.tolist(), y.tolist(), strict=True):
                want = true(mp.mpf(argument))
                if np.finfo(dtype).smallest_normal < abs(want) < np.finfo(dtype).max:
                    ulp = float(np.spacing(np.abs(dtype(want))))
                    assert abs((mp.mpf(found) - want) / ulp) <= bound, (dtype, argument)


def test_log():
    x = np.array([-1.0, -0.0, 0.0, 5e-324, 1e-310, 0.5, 1.0, 2.0, 1e300, np.inf, np.nan])
    with np.errstate(all="ignore"):
        np.testing.assert_array_max_ulp(fa.define("log(x)")(x)[3:-1], np.log(x[3:-1]), 1)
        assert_same_bits(fa.define("log(x)")(x)[[0, 1, 2, 10]], np.array([np.nan, -np.inf, -np.inf, np.nan]))
        np.testing.assert_array_max_ulp(fa.define("log1p(x)")(x)[3:-1], np.log1p(x[3:-1]), 1)


def test_infinities_and_nan():
    """Limits, where the formula as it stands would give inf * 0."""
    ends = np.array([-np.inf, np.inf, np.nan])
    for text, value, slope in (
        ("x * exp(-x * x)", (0, 0), (0, 0)), ("x / (1 + exp(-2 * x)) + 0 * x", (0, np.inf), (0, 1)),
        ("x * tanh(exp(x))", (0, np.inf), (0, 1)), ("sqrt(x * x + 1)", (np.inf, np.inf), (-1, 1)),
        ("log1p(x * x)", (np.inf, np.inf), (0, 0)), ("max(x, 0)", (0, np.inf), (0, 1)), ("3.0", (3, 3), (0, 0)),
        ("x**3", (-np.inf, np.inf), (np.inf, np.inf)), ("x * sin(x)", (np.nan, np.nan), (np.nan, np.nan)),
    ):  # fmt: skip
        for dtype in (np.float32, np.float64):
            function, x = fa.define(text), ends.astype(dtype)
            np.testing.assert_array_equal(function(x), [*value, np.nan], err_msg=text)
            np.testing.assert_array_equal(function.derivative(x), [*slope, np.nan], err_msg=text)


def test_like_any_other(cap, tmp_path):
    """Parameters, out=, where=, dtypes, layouts, containers, gradients, names, documentation, picture."""
    x = np.linspace(-5, 5, 1001)
    want = 2 * np.tanh(x / 2)
    np.testing.assert_allclose(cap(x), want, rtol=1e-15)
    out = np.zeros_like(x)
    assert cap(x, out=out, where=x > 0) is out
    np.testing.assert_array_equal(out, np.where(x > 0, cap(x), 0.0))
    np.testing.assert_allclose(cap(x[:3], np.array([1.0, 2.0, 3.0])), [1, 2, 3] * np.tanh(x[:3] / [1, 2, 3]), rtol=1e-15)
    np.testing.assert_array_equal(cap(x[::-3]), cap(x)[::-3])
    assert cap(x.astype(np.float16)).dtype == np.float16
    assert cap([1, 2]).dtype == np.float64
    gradient = cap.parameter_gradients(np.ones(7), x[:7], 1.5)["alpha"]
    np.testing.assert_allclose(gradient, np.sum(np.tanh(x[:7] / 1.5) - x[:7] / 1.5 / np.cosh(x[:7] / 1.5) ** 2), rtol=1e-12)
    assert isinstance(cap(np.ma.array([1.0, 2.0], mask=[0, 1])), np.ma.MaskedArray)
    assert fa.get("cap") is fa.get("Capped") is cap
    assert repr(cap) == "<defined activation cap(x, alpha=2.0): alpha * tanh(x / alpha)>"
    assert repr(cap.derivative) == "<derivative of activation cap>"
    assert (cap.limits, cap.slopes) == (("-2.0", "2.0"), ("0.0", "0.0"))
    assert (cap.smoothness, cap.saturates) == ("smooth", ("soft", "soft"))
    assert (cap.monotonic, cap.zero_centred, cap.kinks) == (True, True, ())
    assert r"\alpha \tanh\left(\frac{x}{\alpha}\right)" in cap.__doc__
    assert cap.derivative.__doc__.startswith("Derivative of cap by x.")
    assert not {"cap", "capped"} & {*fa.activations(), *fa.functions.BY_NAME}  # found, and not listed
    with pytest.raises(TypeError, match=r"^cap: x has dtype"):
        cap(np.array(["a"]))
    with pytest.raises(TypeError, match=r"^cap.derivative: unexpected keyword 'beta'"):
        cap.derivative(x, beta=1.0)
    assert cap.info.range == pytest.approx((-2.0, 2.0))
    pytest.importorskip("matplotlib")
    from matplotlib.figure import Figure

    fa.plot(cap, "gelu", ax=Figure().subplots(1, 2))


def test_on_threads(cap):
    """Large arrays are cut into parts; parts have the same bits."""
    x = np.random.default_rng(0).normal(size=1_000_003).astype(np.float32)
    assert_same_bits(cap(x), np.concatenate([cap(x[:77777]), cap(x[77777:])]))
    found = []
    threads = [threading.Thread(target=lambda: found.append(fa.define("x * 2 + alpha", params={"alpha": 3.0}))) for _ in range(8)]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    assert len(found) == 8
    assert all(f(1.0) == 5.0 for f in found)


def test_defs_lambdas_and_decorators():
    @fa.define(params={"k": 3.0}, alias="shorter", reference="Nobody 2026.")
    def bent(x, k, c=0.5):
        """Bent at 0."""
        u = k * x
        return select(u > 0, u, c * u)  # noqa: F821

    assert bent.__name__ == "bent"
    assert bent.params == {"k": 3.0, "c": 0.5}
    assert bent.summary == "Bent at 0."
    assert bent.kinks == (0.0,)
    assert bent.smoothness == "C0"
    np.testing.assert_array_equal(bent(np.array([-1.0, 1.0])), [-1.5, 3.0])
    np.testing.assert_array_equal(bent.derivative(np.array([-1.0, 1.0]), 2.0, 0.25), [0.5, 2.0])
    same = fa.define(lambda x, a=0.5: np.where(x > 0, x, a * x), name="same")
    assert same(-2.0) == -1.0
    again = fa.define("x + 1", name="same")  # a name is the user's to give anew
    assert fa.get("same") is again
    assert same(-2.0) == -1.0


def test_given_derivatives_are_checked():
    given = fa.define("lambda x, a=2.0: (a * x * x, 2 * a * x, x * x)")
    assert given.derivative(3.0) == 12.0
    assert given.parameter_gradients(1.0, 3.0)["a"] == 9.0
    with pytest.raises(FormulaError, match=r"the derivative of the formula at x = .* is .*, but differences of the values give"):
        fa.define("lambda x: (x * x, 3 * x)")
    with pytest.raises(FormulaError, match="the derivative by a of"):
        fa.define("lambda x, a=2.0: (a * x, a, 2 * x)")
    with pytest.raises(FormulaError, match="returns 4 results; expected the value"):
        fa.define("lambda x: (x, 1, 2, 3)")
    with pytest.raises(FormulaError, match="NaN everywhere"):
        fa.define("sqrt(-1 - x * x)")


@pytest.mark.parametrize(("args", "keywords", "error", "message"), [
    ((3,), {}, TypeError, "formula is int"),
    (("x",), {"params": {"x": 1.0}}, ValueError, "names other than x"),
    (("x * a",), {"params": {"a": "q"}}, TypeError, "a='q'; expected a finite number"),
    (("x * a",), {"params": {"a": np.inf}}, TypeError, "expected a finite number"),
    (("x * a",), {"params": [1.0]}, TypeError, "params is list; expected a dict"),
    (("x",), {"name": "gelu"}, ValueError, "'gelu' is taken by fastact.gelu"),
    (("x",), {"alias": "swish"}, ValueError, "'swish' is taken by fastact.silu"),
    (("x",), {"name": "a b"}, ValueError, "expected a name as Python has them"),
    (("lambda x, a: a * x",), {}, ValueError, "a has no default"),
    (("lambda x: x",), {"params": {"b": 1.0}}, FormulaError, "params names 'b', which is no argument"),
    (("a + b + c + d + e",), {"params": dict.fromkeys("abcde", 1.0)}, ValueError, "5 parameters; expected at most 4"),
])  # fmt: skip
def test_errors(args, keywords, error, message):
    with pytest.raises(error, match=f"^fastact.define: .*{message}"):
        fa.define(*args, **keywords)


def test_pickles(cap, swish):
    """By the source: the same object in this process, an equal one in another."""
    for function in (cap, swish, cap.derivative):
        assert pickle.loads(pickle.dumps(function)) is function
        assert copy.deepcopy(function) is function
    data = pickle.dumps((cap, swish.derivative))
    done = run_python(f"import pickle; c, d = pickle.loads({data!r})\nimport fastact as fa; print(fa.get('capped')(1.0), d(1.0))")
    assert done.stdout.split() == [str(cap(1.0)), str(swish.derivative(1.0))]


def test_in_numba(cap):
    @numba.njit
    def both(x):
        return cap(x), cap.derivative(x, 3.0)

    x = np.linspace(-3, 3, 37)
    value, slope = both(x)
    assert_same_bits(value, cap(x))
    assert_same_bits(slope, cap.derivative(x, 3.0))


def test_kept_on_disk(tmp_path, monkeypatch):
    """``cache=True``: the second process compiles nothing; a damaged file is compiled anew, a folder that is none a warning."""
    code = (
        "import warnings; warnings.simplefilter('error'); import fastact as fa\n"
        "f = fa.define('x * erf(a * x)', params={'a': 2.0}, cache=True)\n"
        "print(f(1.0), f.derivative(0.5))"
    )

    def run():
        done = run_python(code, FASTACT_CACHE_DIR=str(tmp_path))
        assert not done.stderr
        return done.stdout

    first = run()
    files = sorted(tmp_path.iterdir())
    assert len(files) == 8  # value and derivative, two precisions, parameters as numbers and as arrays
    stamps = [f.stat().st_mtime_ns for f in files]
    assert run() == first
    assert [f.stat().st_mtime_ns for f in files] == stamps
    files[0].write_bytes(files[0].read_bytes()[:100])
    assert run() == first
    assert files[0].stat().st_size > 100
    monkeypatch.setenv("FASTACT_CACHE_DIR", str(files[1] / "below"))
    with pytest.warns(UserWarning, match="compiled code is not kept"):
        assert fa.define("x * 7 + 1", cache=True)(1.0) == 8.0


def test_operations_are_counted(cap):
    assert cap.info.operations > fa.tanh.info.operations
    assert fa.define("gelu(x)").info.operations == fa.gelu.info.operations
