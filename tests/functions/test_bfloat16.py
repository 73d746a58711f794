"""bfloat16 and the float8 of ml_dtypes: which dtype meets which, ufuncs, containers, refusals; the numbers are in test_halves."""

import itertools
import operator

import numpy as np
import pytest
from fastact.cpu.call import SPREAD_FROM
from helpers import assert_same_bits, run_python

import fastact as fa
from fastact.arguments import narrowed

ml_dtypes = pytest.importorskip("ml_dtypes")
BRAIN = np.dtype(ml_dtypes.bfloat16)
X = np.linspace(-4, 4, 33).astype(BRAIN)
FLOAT8 = [f"float8_{n}" for n in ("e4m3fn", "e5m2", "e4m3", "e3m4", "e4m3b11fnuz", "e4m3fnuz", "e5m2fnuz")]


@pytest.mark.parametrize("char", [*"?bBhHiIlLqQefd", ">h", ">e", ">d"])
def test_beside_other_dtypes(char):
    """The dtype that NumPy's own ufuncs have for such arrays, at every size and in every family."""
    for size in (0, 1, 10, SPREAD_FROM - 1, SPREAD_FROM + 3):
        x, other = np.ones(size, BRAIN), np.ones(size, char)
        expected = np.add(x, other).dtype if char not in "HIlLqQi" else np.dtype({"H": "f"}.get(char, "d"))
        for a, b in ((x, other), (other, x)):
            for call in (fa.tanh.backward, fa.elu.backward, fa.elu, fa.glu, fa.elu.ufunc, fa.tanh.backward.ufunc):
                assert call(a, b).dtype == expected, (size, call)
                assert call(a[::-1], b[::-1]).dtype == expected, (size, call)
        if size:
            assert fa.softmax.backward(x, other).dtype == fa.crelu.backward(np.ones(2 * size, char), x).dtype == expected
            assert fa.elu.parameter_gradients(x, other, 0.5)["alpha"].dtype == expected
        if expected == BRAIN:
            assert_same_bits(fa.elu(x, other), x)


def test_numbers_have_no_say():
    for number, size in itertools.product((2.0, 1, True), (1, 33, 1 << 15)):
        x = np.resize(X, size)
        assert fa.tanh.backward(x, number).dtype == fa.tanh.backward(number, x).dtype == BRAIN
        assert fa.elu(x, number).dtype == fa.elu.backward(x, x, number).dtype == fa.glu(x, float(number)).dtype == BRAIN
    assert fa.softmax(X, temperature=BRAIN.type(0.5)).dtype == BRAIN
    assert_same_bits(fa.softmax(np.float32(X), temperature=BRAIN.type(0.5)), fa.softmax(np.float32(X), temperature=0.5))
    assert_same_bits(fa.softmax(np.float32([X, X]), temperature=X[-2:])[1], fa.softmax(np.float32(X), temperature=4.0))
    assert_same_bits(fa.gumbel_softmax(X, BRAIN.type(0.5), rng=0), fa.gumbel_softmax(X, 0.5, rng=0))


def test_dtype_of_the_call():
    """dtype=, out= of another dtype."""
    wide = np.linspace(-4, 4, 33)
    for call in (fa.tanh, fa.elu, fa.gelu.derivative):
        for size in (1, 33, SPREAD_FROM):
            x = np.resize(wide, size)
            assert_same_bits(call(x.astype("f"), dtype=BRAIN), call(x.astype("f").astype(BRAIN)))
            assert_same_bits(call(x.astype(BRAIN), dtype="f"), call(x.astype(BRAIN).astype("f")))
            out = np.zeros(size, "f")
            assert call(x.astype(BRAIN), out=out) is out
            assert_same_bits(out, call(x.astype(BRAIN)).astype("f"))
            narrow = np.zeros(size, BRAIN)
            call(x.astype("f"), out=narrow)
            assert_same_bits(narrow, call(x.astype("f")).astype(BRAIN))
    assert_same_bits(fa.softmax(wide, dtype=BRAIN), fa.softmax(wide.astype("f")).astype(BRAIN))
    with pytest.raises(TypeError, match=r"fastact\.softmax: dtype is int4; expected float16, bfloat16"):
        fa.softmax(wide, dtype=ml_dtypes.int4)
    with pytest.raises(TypeError):
        fa.tanh(X, out=np.zeros(33, int))


UFUNCS = """
import numpy as np, sys
import fastact as fa
assert "ml_dtypes" not in sys.modules
calls = [fa.relu.ufunc, fa.ufuncs.gelu_derivative, fa.elu.mixed_ufunc, fa.tanh.backward.ufunc]
{first}
import ml_dtypes
brain = np.dtype(ml_dtypes.bfloat16)
x = np.arange(-3, 4).astype(brain)
for call in calls[:2]:
    assert call(x).dtype == brain
    assert call(np.float32(x), dtype=brain).dtype == brain
    assert call(x, signature=(brain, brain)).dtype == brain
    assert np.array_equal(call(x), call(np.float32(x)).astype(brain))
y, alpha = np.zeros(7, brain), np.linspace(0.1, 0.9, 7, dtype="f")
assert np.array_equal(calls[2](x, alpha), fa.elu(np.float32(x), alpha).astype(brain))
assert calls[3](x, x).dtype == brain and calls[3](x, np.float16(1)).dtype == np.float32
assert np.array_equal(calls[0].at(x, [0, 1]) or x, np.maximum(np.arange(-3, 4), [0, 0, -9, -9, -9, -9, -9]))
assert calls[0](np.arange(3.0)).dtype == float
"""


@pytest.mark.parametrize("first", ["", "[c(*[np.float32(1)] * c.nin) for c in calls if c.ntypes == 3]"])
def test_ufuncs_learn_it(first):
    """Whenever ml_dtypes is imported, which fastact does not, and whoever calls the ufunc, before or after other calls."""
    done = run_python(UFUNCS.format(first=first))
    assert done.returncode == 0, done.stderr


def test_containers():
    mask = np.arange(33) % 3 == 0
    for call in (fa.gelu, fa.elu, fa.softmax, fa.crelu, fa.swiglu if X.size % 2 == 0 else fa.hardmax, fa.noisy_relu):
        found = call(np.ma.array(X, mask=mask))
        assert isinstance(found, np.ma.MaskedArray)
        assert found.dtype == BRAIN
    assert_same_bits(fa.gelu(np.ma.array(X, mask=mask)).data[~mask], fa.gelu(X)[~mask])
    assert_same_bits(fa.softmax(np.ma.array(X, mask=mask)).data, fa.softmax(X, where=~mask))
    assert_same_bits(fa.maxout(np.ma.array(X, mask=mask), 3).data, fa.maxout(np.where(mask, BRAIN.type(-np.inf), X), 3))

    class Own(np.ndarray):
        pass

    for call in (fa.gelu, fa.softmax):
        assert type(call(X.view(Own))) is Own
        assert_same_bits(np.asarray(call(X.view(Own))), call(X))


@pytest.mark.parametrize("package", ["dask.array", "xarray", "pandas"])
def test_containers_of_others(package):
    module = pytest.importorskip(package)
    made = {"dask.array": lambda x: module.from_array(x, chunks=11), "xarray": lambda x: module.DataArray(x, dims="i"),
            "pandas": lambda x: module.Series(x)}[package]  # fmt: skip
    for call in (fa.gelu, fa.elu, fa.gelu.derivative, lambda v: fa.elu(v, 0.3001), lambda v: fa.tanh.backward(v, v)):
        found = call(made(X))
        assert type(found) is type(made(X))
        assert_same_bits(np.asarray(found), call(X))
    if package == "dask.array":
        rows = module.from_array(np.stack([X, X]), chunks=(1, 33))
        assert fa.softmax(rows).dtype == BRAIN
        assert_same_bits(fa.softmax(rows).compute()[1], fa.softmax(X))


def test_swapped_bytes():
    assert_same_bits(fa.gelu(X.astype(">f4"), dtype=BRAIN), fa.gelu(X))


@pytest.mark.parametrize("name", FLOAT8)
def test_float8(name):
    """Inputs, converted when they are loaded; the result is float32, or what dtype= says."""
    dtype = np.dtype(getattr(ml_dtypes, name))
    every = np.arange(256, dtype=np.uint8).view(dtype)
    wide = every.astype(np.float32)
    for size in (256, 1 << 15):
        x, single = np.resize(every, size), np.resize(wide, size)
        for call in (fa.gelu, fa.elu, fa.relu.derivative, lambda v: fa.elu(v, 0.5), lambda v: fa.gelu(v, bias=v)):
            assert_same_bits(call(x), call(single))
        assert_same_bits(fa.relu.ufunc(x), fa.relu(single))
        assert_same_bits(fa.gelu(x, dtype=BRAIN), fa.gelu(single.astype(BRAIN)))
        assert_same_bits(fa.gelu(x[::-3]), fa.gelu(single[::-3]))
        assert_same_bits(fa.tanh.backward(x, single.astype(BRAIN)), fa.tanh.backward(single, single))
    tame = np.where(np.isfinite(wide), wide, 0).astype(dtype)
    for call in (fa.softmax, fa.sparsemax, fa.logsumexp, fa.swiglu, fa.crelu, lambda v: fa.maxout(v, 4), fa.rrelu, fa.hardmax):
        assert_same_bits(call(tame), call(tame.astype(np.float32)))
    assert_same_bits(fa.softmax(np.float32(X), temperature=dtype.type(0.5)), fa.softmax(np.float32(X), temperature=0.5))
    assert fa.elu.parameter_gradients(tame, tame)["alpha"].dtype == np.float32
    assert fa.gelu(every[1]).dtype == np.float32
    with pytest.raises(TypeError, match=rf"fastact\.softmax: dtype is {name}; expected float16"):
        fa.softmax(wide, dtype=dtype)
    with pytest.raises((TypeError, np._core._exceptions._UFuncOutputCastingError)):
        fa.gelu.ufunc(wide, out=np.empty(256, np.uint8))


@pytest.mark.parametrize("name", ["int4", "uint4", "float6_e2m3fn", "float4_e2m1fn"])
def test_the_rest_is_refused(name):
    x = np.ones(40000).astype(getattr(ml_dtypes, name))
    for title in ("gelu", "gelu.derivative", "softmax", "swiglu", "maxout", "noisy_relu"):
        call = operator.attrgetter(title)(fa)
        with pytest.raises(TypeError, match=rf"fastact\.{title}: . has dtype {name}; expected float16, bfloat16, float32"):
            call(x, *([2] if title == "maxout" else []))
    with pytest.raises(TypeError, match=rf"fastact\.elu\.parameter_gradients: x has dtype {name}"):
        fa.elu.parameter_gradients(1.0, x)


def test_void_is_refused():
    """What numpy.load makes of a file with bfloat16."""
    with pytest.raises(TypeError, match=r"fastact\.gelu: x has dtype \|V2"):
        fa.gelu(X.view("V2"))


def test_float64_is_rounded_once():
    """Results that are computed in float64 are not rounded to float32 in between."""
    mid = 1 + 2.0**-8
    wide = np.array([mid, mid + 2.0**-40, mid - 2.0**-40, -mid - 2.0**-40, mid + 2.0**-7, 1e-40, 1e300, -1e300, np.inf, np.nan,
                     0.0, -0.0, 3.39e38, 3.4e38, 2.0**-133 * 1.5 + 2.0**-170, 2.0**-134, 2.0**-134 + 2.0**-180])  # fmt: skip
    want = [1, 1 + 2.0**-7, 1, -1 - 2.0**-7, 1 + 2.0**-6, 9.183549615799121e-41, np.inf, -np.inf, np.inf, np.nan,
            0.0, -0.0, 3.3895313892515355e38, np.inf, 2.0**-132, 0.0, 2.0**-133]  # fmt: skip
    assert_same_bits(narrowed(wide, BRAIN).astype(float), np.array(want))
    x = np.array([[0.0, mid]])
    weighted = fa.logsumexp(x.astype(BRAIN), b=[1.0, 0.0])
    assert weighted.dtype == np.float64  # b is
    assert fa.logsumexp(x.astype(BRAIN), b=np.array([1, 0], BRAIN)).dtype == BRAIN


def test_gpus_have_no_kernels_for_it():
    pytest.importorskip("numba")
    from fastact.cuda.host import _targets

    with pytest.raises(TypeError, match=r"fastact\.gelu: arrays have dtype bfloat16; on a GPU expected float16, float32 or"):
        _targets("fastact.gelu", None, 1, (3,), BRAIN)
    assert _targets("fastact.gelu", None, 1, (3,), np.dtype("e"))[0].dtype == np.float16


def test_where_it_is_refused(tmp_path, capsys):
    """Numba, the command line and the C interface have no word for it, and say which dtype that is."""
    numba = pytest.importorskip("numba")
    from fastact.cpu.api import address_of

    from fastact._cli import main

    for call in (numba.njit(lambda v: fa.gelu(v)), fa.numba.tanh):
        with pytest.raises(numba.TypingError, match="dtype: bfloat16"):
            call(X)
    assert [bool(address_of("gelu", "value", number)) for number in range(4)] == [True, True, True, False]
    np.save(tmp_path / "x.npy", X)
    for arguments, words in [
        (["apply", "gelu", str(tmp_path / "x.npy"), str(tmp_path / "y.npy")], "x.npy: has dtype |V2; gelu takes float16"),
        (["verify", "gelu", "--dtype", "bfloat16"], "argument --dtype: invalid choice: 'bfloat16'"),
    ]:
        try:
            code = main(arguments)
        except SystemExit as error:
            code = error.code
        assert code == 2
        assert words in capsys.readouterr().err
    assert not (tmp_path / "y.npy").exists()
