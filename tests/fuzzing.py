"""Calls of every kind at random, against a slow and simple way: one element, or one row, at a time.

`test_fuzz.py` runs a few hundred of them, ``python tools/fuzz.py --minutes 30`` as many as there is time for. Both begin with the
corpus, `fuzzing_corpus.txt`: a check and a case in each line. Arrays come from a seed, so that a case is short.
"""

import ast
import importlib
import inspect
from collections import Counter
from pathlib import Path

import numpy as np
from helpers import CALLS, HALVES, NAMES, assert_same_bits, function, results
from hypothesis import strategies as st

import fastact as fa
from fastact.arguments import dtype_of, is_bfloat16, work_dtype

FLOATS = (*(half.name if is_bfloat16(half) else "f2" for half in HALVES), "f4", "f8")
SECOND = [name for name in NAMES if getattr(fa, name).second_derivative]
LAYOUTS = ("plain", "plain", "F", "reversed", "strided", "broadcast", "misaligned", "swapped", "read-only")
ROWWISE = ["softmax", "log_softmax", "softmin", "log_softmin", "softmax1", "logsumexp", "logmeanexp", "hardmax",
           "sparsemax", "entmax15", "entmax"]  # fmt: skip
GATED = ["glu", "bilinear", "reglu", "geglu", "swiglu", "seglu"]
done = Counter()

seeds, layouts = st.integers(0, 2**32 - 1), st.sampled_from(LAYOUTS)
shapes = st.lists(st.sampled_from([0, 1, 2, 3, 5, 17]), max_size=3).map(tuple) | st.sampled_from(
    [(1000,), (40_001,), (130, 130), (2, 20_000), (20_000, 2), (3, 7, 999)]
)
elementwise = st.fixed_dictionaries({
    "call": st.sampled_from([*CALLS, *((name, "second_derivative") for name in SECOND)]),
    "shape": shapes, "seed": seeds, "layout": st.tuples(layouts, layouts, layouts),
    "dtypes": st.tuples(*[st.sampled_from((*FLOATS, *FLOATS, "i1", "i8", "?"))] * 2),
    "params": st.sampled_from(["none", "numbers", "array", "row"]),
    "out": st.sampled_from(["none", "new", "wider", "x", "shifted"]),
    "where": st.booleans(), "dtype": st.sampled_from([None, None, None, *FLOATS]),
})  # fmt: skip
second = st.fixed_dictionaries({
    "name": st.sampled_from(SECOND), "shape": shapes, "seed": seeds, "layout": st.tuples(layouts, layouts, layouts),
    "dtypes": st.tuples(*[st.sampled_from(FLOATS)] * 2, st.sampled_from((*FLOATS, "i1"))),
    "params": st.sampled_from(["none", "numbers", "array", "row"]), "out": st.sampled_from(["none", "new", "given"]),
})  # fmt: skip
rows = st.fixed_dictionaries({
    "name": st.sampled_from(ROWWISE), "shape": shapes.filter(all).filter(len), "seed": seeds, "layout": layouts,
    "axis": st.integers(-3, 2),
    "dtype": st.sampled_from((*FLOATS, "i2")), "temperature": st.sampled_from([1.0, 1.0, 0.5, 30.0]), "where": st.booleans(),
    "out": st.booleans(), "backward": st.booleans(),
})  # fmt: skip
gated = st.fixed_dictionaries({
    "name": st.sampled_from(GATED), "shape": shapes.filter(len), "seed": seeds, "layout": st.tuples(layouts, layouts),
    "axis": st.integers(-3, 2), "dtype": st.sampled_from(FLOATS), "two": st.booleans(), "backward": st.booleans(),
    "out": st.booleans(), "where": st.booleans(),
    "keywords": st.sampled_from([{}, {}, {"limit": 2.0, "alpha": 1.702, "offset": 1.0}, {"interleaved": True}]),
})  # fmt: skip


def floating(dtype):
    """Whether a dtype is one of results."""
    return np.dtype(dtype).kind == "f" or is_bfloat16(np.dtype(dtype))


def limits(dtype):
    """`numpy.finfo`, or ml_dtypes' own."""
    return importlib.import_module("ml_dtypes").finfo(dtype) if is_bfloat16(dtype) else np.finfo(dtype)


def content(rng, shape, dtype):
    """Ordinary numbers, with special ones among them."""
    dtype = np.dtype(dtype)
    x = np.asarray(rng.normal(0, rng.choice([1.0, 30.0]), shape))
    if not floating(dtype):
        return np.asarray(np.trunc(np.clip(x, -100, 100))).astype(dtype)
    info = limits(dtype)
    special = np.array([0.0, -0.0, np.inf, -np.inf, np.nan, info.max, info.tiny, -info.smallest_subnormal, 1.0, -1.0], float)
    x = np.where(rng.random(shape) < 0.1, rng.choice(special, shape), x)
    with np.errstate(over="ignore"):
        return np.asarray(x).astype(dtype)


def laid(x, layout):
    """The same numbers in memory of another order, alignment or byte order."""
    if x.ndim == 0:
        return x
    if layout == "F":
        return np.array(x, order="F")
    if layout == "reversed":
        return x[(slice(None, None, -1),) * x.ndim].copy()[(slice(None, None, -1),) * x.ndim]
    if layout == "strided":
        wide = np.zeros(tuple(2 * n for n in x.shape), x.dtype)
        view = wide[(slice(None, None, 2),) * x.ndim]
        view[...] = x
        return view
    if layout == "broadcast" and x.ndim and x.shape[0]:
        return np.broadcast_to(x[:1], x.shape)
    if layout == "misaligned":
        memory = np.zeros(x.nbytes + 1, np.uint8)
        view = memory[1:].view(x.dtype).reshape(x.shape) if x.size else x
        view[...] = x
        return view
    if layout == "swapped" and not is_bfloat16(x.dtype):
        return x.astype(x.dtype.newbyteorder())
    if layout == "read-only":
        x.flags.writeable = False
    return x


def parameters(rng, name, how, shape, dtype):
    """Parameters as they are passed, and for each element."""
    values = [p * rng.uniform(0.5, 1.5) + 0.01 for p in fa.get(name).params.values()]
    if how == "none" or not values:
        values = []
    elif how != "numbers":
        values[0] = np.asarray(values[0] * rng.uniform(0.5, 1.5, shape if how == "array" else shape[-1:])).astype(dtype)
    return values, [np.broadcast_to(v, shape) if isinstance(v, np.ndarray) else v for v in values]


def check_elementwise(case):
    """Any kind of an elementwise function: the bits of one element at a time, in the dtype and the place that are asked for."""
    done["elementwise"] += 1
    (name, kind), shape, rng = case["call"], case["shape"], np.random.default_rng(case["seed"])
    call, (first, second) = function(name, kind), case["dtypes"]
    if not floating(first) and name in INTEGERS:
        first = "f4"
    given = [laid(content(rng, shape, first), case["layout"][0])]
    if kind.startswith("backward"):
        given.insert(0, laid(content(rng, shape, second if floating(second) else "f4"), case["layout"][1]))
    wanted = case["dtype"]
    if wanted == "f2" and any(is_bfloat16(a.dtype) for a in given):
        wanted = "f4"  # NumPy has no such cast
    params, full = parameters(rng, name, case["params"], shape, wanted or "f4")
    in_arrays = [np.asarray(a) for a in (*given, *(p for p in params if isinstance(p, np.ndarray)))]
    dtype = dtype_of(*in_arrays) if wanted is None else np.dtype(wanted)
    nout, keywords = call.ufunc.nout, {}
    if wanted is not None:
        keywords["dtype"] = dtype
    mask = np.ones(shape, bool)
    outs = outputs(rng, case["out"], given, shape, dtype, nout)
    expected = [np.array(np.broadcast_to(np.asarray(o), shape)) for o in outs]
    if outs and case["where"]:
        mask = rng.random(shape) < 0.6
        keywords["where"] = mask
    if outs:
        keywords["out"] = outs if nout == 2 else outs[0]
    places = some(rng, np.flatnonzero(mask), 60)
    with np.errstate(all="ignore"):
        want = [results(call(*one)) for one in singles((*given, *full), places, dtype)]
        found = results(call(*given, *params, **keywords))
    for j, got in enumerate(found):
        flat = np.asarray(got).reshape(-1)
        assert np.shape(got) == shape
        assert flat.dtype == (outs[j].dtype if outs else dtype)
        for i, w in zip(places, want, strict=True):
            assert_same_bits(flat[i : i + 1].astype(flat.dtype.newbyteorder("=")), np.asarray(w[j]).astype(flat.dtype), f"at {i}")
        if outs:
            assert got is outs[j]
            assert_same_bits(np.asarray(got)[~mask], expected[j][~mask], "outside where")


def singles(given, places, dtype):
    """The arguments of one element at each place; numbers of Python's have no say in the dtype, and keep their digits."""
    return [[a if isinstance(a, float) else np.array([a.reshape(-1)[i]]).astype(dtype) for a in given] for i in places]


def check_second(case):
    """Double backward: the bits of one element at a time and of backward, and the product of three numbers."""
    done["second"] += 1
    f, shape, rng = fa.get(case["name"]), case["shape"], np.random.default_rng(case["seed"])
    given = [laid(content(rng, shape, d), layout) for d, layout in zip(case["dtypes"], case["layout"], strict=True)]
    params, full = parameters(rng, case["name"], case["params"], shape, "f4")
    dtype = dtype_of(*given, *(p for p in params if isinstance(p, np.ndarray)))
    outs = None
    if case["out"] != "none":
        own = case["out"] == "given" and given[0].dtype == dtype and given[0].flags.writeable
        outs = (given[0] if own else np.empty(shape, dtype), np.empty(shape, "f8"))
    places = some(rng, np.arange(int(np.prod(shape))), 20)
    one = singles((*given, *full), places, dtype)
    with np.errstate(all="ignore"):
        want = [f.backward_backward(*o) for o in one]
        found = f.backward_backward(*given, *params, out=outs)
        for k, got in enumerate(found):
            assert np.shape(got) == shape
            assert got is outs[k] if outs else got.dtype == dtype
            for i, w in zip(places, want, strict=True):
                assert_same_bits(np.asarray(got).reshape(-1)[i : i + 1], w[k].astype(got.dtype), f"result {k} at {i}")
        products = []
        for (grad_grad, grad, x, *own), (first, _) in zip(one, want, strict=True):
            assert_same_bits(first, f.backward(grad_grad, x, *own), "backward")
            slope = f.second_derivative(x.astype(work_dtype(dtype)), *own)[0]
            products.append(np.longdouble(slope) * np.longdouble(grad[0]) * np.longdouble(grad_grad[0]))
        most, eps, least = (float(getattr(limits(dtype), key)) for key in ("max", "eps", "smallest_subnormal"))
        got = np.array([w[1][0] for w in want], np.longdouble)
        np.testing.assert_allclose(*np.clip([got, products], -most, most), rtol=4 * eps, atol=2 * least)


def outputs(rng, how, given, shape, dtype, nout):
    """Arrays for out=: fresh, of another dtype, the input itself, or memory that overlaps with it, where it is put then."""
    x = given[-1]
    if how == "none" or (how == "x" and (nout == 2 or x.dtype != dtype or not x.flags.writeable)):
        return ()
    if how == "x":
        return (x,)
    plain = x.ndim == 1 and x.dtype == dtype and x.base is None and x.flags.writeable
    if how == "shifted" and nout == 1 and plain and x.size > 3:
        memory = np.empty(x.size + 3, dtype)
        memory[3:] = x
        given[-1] = memory[3:]
        return (memory[:-3],)
    made = tuple(content(rng, shape, "f8" if how == "wider" else dtype) for _ in range(nout))
    return tuple(np.array(m, order="F") for m in made) if rng.random() < 0.3 else made


INTEGERS = {"relu", "relu6", "identity", "sign", "step", "squared_relu", "hard_tanh", "threshold"}


def close(got, want, message, least=0.0):
    """Equal but for what the order of a sum may change; its terms are as large as the results, or as ``least``."""
    if not floating(got.dtype):
        np.testing.assert_array_equal(got, want, err_msg=message)
        return
    eps = float(limits(got.dtype).eps)
    got, want = (a.astype("f8") if is_bfloat16(a.dtype) else a for a in (got, want))
    scale = np.max(np.abs(want), where=np.isfinite(want), initial=least)
    np.testing.assert_array_equal(np.isfinite(got), np.isfinite(want), err_msg=message)
    np.testing.assert_allclose(got, want, rtol=16 * eps, atol=16 * eps * min(float(scale), 1e300), err_msg=message)


def check_rows(case):
    """A row-wise function: what one row alone gives, backward too."""
    done["rows"] += 1
    name, rng = case["name"], np.random.default_rng(case["seed"])
    call, shape = getattr(fa, name), case["shape"]
    axis = case["axis"] % len(shape)
    plain = content(rng, shape, case["dtype"])
    x = laid(plain, case["layout"])
    keywords = {"axis": axis - len(shape) * (case["axis"] < 0), "temperature": case["temperature"]}
    mask = rng.random(shape) < 0.7 if case["where"] else np.ones(shape, bool)
    if case["where"]:
        keywords["where"] = mask
    sums = name in ("logsumexp", "logmeanexp")
    if case["out"] and not sums:
        keywords["out"] = np.empty(shape, dtype_of(plain))
    with np.errstate(all="ignore"):
        got = np.asarray(call(x, **keywords))
        numbers, masks = (np.moveaxis(np.asarray(a), axis, -1).reshape(-1, shape[axis]) for a in (x, mask))
        found = got.reshape(-1, 1) if sums else np.moveaxis(got, axis, -1).reshape(-1, shape[axis])
        for i in some(rng, range(len(numbers)), 12):
            own = {"where": masks[i].copy()} if case["where"] else {}
            row = np.ascontiguousarray(numbers[i]).astype(plain.dtype)
            want = np.asarray(call(row, temperature=case["temperature"], **own)).reshape(found[i].shape)
            close(found[i], want, f"row {i}", 12.0 * sums)  # the logarithm of a sum is added, and may cancel
        if case["backward"] and name != "hardmax" and case["dtype"] != "i2" and not sums:
            grad = np.where(np.abs(content(rng, shape, case["dtype"])) < 100, 1.0, 0.5).astype(case["dtype"])
            back = np.asarray(call.backward(grad, got, axis=axis, temperature=case["temperature"]))
            grads, backs = (np.moveaxis(a, axis, -1).reshape(-1, shape[axis]) for a in (grad, back))
            for i in some(rng, range(len(grads)), 12):
                want = call.backward(grads[i].copy(), found[i].copy(), temperature=case["temperature"])
                close(backs[i], np.asarray(want), f"backward, row {i}", 2.0)


def some(rng, places, count):
    """As many of the places, or all."""
    return places if len(places) <= count else rng.choice(places, count)


def check_gated(case):
    """A gated unit: the bits that two arrays of one piece give, wherever they are asked for."""
    done["gated"] += 1
    name, rng, shape = case["name"], np.random.default_rng(case["seed"]), case["shape"]
    call, axis = getattr(fa, name), case["axis"] % len(case["shape"])
    parts = [content(rng, shape, case["dtype"]) for _ in range(2)]
    flat = [p.reshape(-1) for p in parts]
    keywords = dict(case["keywords"]) if name == "swiglu" else {}
    interleaved = keywords.pop("interleaved", False) and not case["two"]
    layout = [one if one != "broadcast" else "plain" for one in case["layout"]]
    with np.errstate(all="ignore"):
        want, asked = call(*flat, **keywords).reshape(shape), dict(keywords)
        if case["out"]:
            asked["out"] = np.full(shape, 7.0, case["dtype"])
            if case["where"] and not keywords and not interleaved:
                asked["where"] = rng.random(shape) < 0.6
                want = np.where(asked["where"], want, asked["out"])
        if case["two"]:
            assert_same_bits(call(*map(laid, parts, layout), **asked), want)
            return
        both = joined(parts, axis, interleaved)
        more = {"axis": axis, **({"interleaved": True} if interleaved else {})}
        assert_same_bits(call(laid(both, layout[0]), **more, **asked), want)
        if case["backward"]:
            grad = content(rng, shape, case["dtype"])
            want = [g.reshape(shape) for g in call.backward(grad.reshape(-1), *flat, **keywords)]
            found = call.backward(grad, laid(both, layout[0]), **more, **keywords)
            assert_same_bits(found, joined(want, axis, interleaved))


def joined(parts, axis, interleaved):
    """Halves in one array, one behind the other or by turns."""
    if not interleaved:
        return np.concatenate(parts, axis)
    shape = list(parts[0].shape)
    shape[axis] *= 2
    return np.stack(parts, axis + 1).reshape(shape)


class Liar:
    """An object that raises, or says what is not so, wherever NumPy asks it something."""

    def __init__(self, how):
        self.how = how

    def __array__(self, dtype=None, copy=None):
        if self.how == "raises":
            raise ZeroDivisionError("array")
        return "no array" if self.how == "string" else np.array([1.0, None], object)

    def __len__(self):
        return -1 if self.how == "length" else 3

    def __getitem__(self, index):
        raise KeyError(index)

    def __index__(self):
        raise OverflowError("index")

    def __float__(self):
        raise ZeroDivisionError("float")


class Refuses:
    """What wants no ufunc."""

    __array_ufunc__ = None


HOSTILE = {
    "none": None, "object": object(), "complex": 1j, "text": "abc", "bytes": b"x", "dict": {}, "set": {1.0}, "type": float,
    "ragged": [[1.0], [1.0, 2.0]], "objects": np.array([1.0, None], object), "dates": np.array(["2020"], "M8[D]"),
    "structured": np.zeros(3, "f4,i4"), "huge": 10**400, "lambda": lambda: 1.0, "nan": float("nan"), "refuses": Refuses(),
    "raises": Liar("raises"), "string": Liar("string"), "length": Liar("length"), "liar": Liar("objects"), "negative": -5,
    "empty": np.empty((0, 3)), "wide": np.ones((3, 4, 5)), "tuple": (np.ones(3), np.ones(3)), "long": np.ones(3, np.longdouble),
    "ellipsis": ..., "big": 2**70, "true": True, "mask": np.ma.masked, "matrix": np.ones((2, 2)), "zero": 0,
}  # fmt: skip
PLACES = ("x", "grad", "param", "out", "where", "axis", "temperature", "dtype", "casting", "order", "unknown")
hostile = st.fixed_dictionaries({
    "name": st.sampled_from([*sorted({n for n, _ in CALLS}), *ROWWISE, *GATED, "maxout", "max_affine", "crelu", "rrelu"]),
    "kind": st.sampled_from(["value", "derivative", "value_and_derivative", "backward", "backward_from_output",
                             "parameter_gradients"]),
    "what": st.dictionaries(st.sampled_from(PLACES), st.sampled_from(sorted(HOSTILE)), min_size=1, max_size=3),
    "size": st.sampled_from([3, 40_000]),
})  # fmt: skip
EXPECTED = (TypeError, ValueError, OverflowError, ZeroDivisionError, KeyError, AttributeError)


def check_hostile(case):
    """An error of a kind that callers expect, or a result; no output is written before an error, no input ever."""
    done["hostile"] += 1
    f = getattr(fa, case["name"])
    call = f if case["kind"] == "value" else getattr(f, case["kind"], None)
    if call is None:
        return
    x = np.linspace(-2.0, 2.0, case["size"])
    names = list(inspect.signature(call).parameters)
    given, keywords, out = [], {}, np.full(x.shape, 7.0)
    wrong = {place: HOSTILE[key] for place, key in case["what"].items()}
    if names and names[0] == "grad":
        given.append(wrong.get("grad", x))
    given.append(wrong.get("x", x))
    if "param" in wrong:
        given.append(wrong["param"])
    for place in ("where", "axis", "temperature", "dtype", "casting", "order", "unknown"):
        if place in wrong:
            keywords[place] = wrong[place]
    outs = (out,)
    if "out" in wrong:
        keywords["out"] = wrong["out"]
    elif "out" in names:
        outs = (out, out.copy()) if case["kind"] == "value_and_derivative" else outs
        keywords["out"] = outs if len(outs) > 1 else out
    before, error = x.copy(), None
    try:
        with np.errstate(all="ignore"):
            call(*given, **keywords)
    except EXPECTED as caught:
        error = caught
    if error is not None:
        assert all((o == 7.0).all() for o in outs), f"{error}: the output was written to"
    assert_same_bits(x, before, "the input")


CHECKS = {"elementwise": (elementwise, check_elementwise), "second": (second, check_second), "rows": (rows, check_rows),
          "gated": (gated, check_gated), "hostile": (hostile, check_hostile)}  # fmt: skip


def corpus():
    """(check, case) for each line of the corpus: what was wrong once, and cases that between them go wherever calls can go."""
    lines = Path(__file__).with_name("fuzzing_corpus.txt").read_text().splitlines()
    lines = [line for line in lines if line[:1] not in "#" and ("bfloat16" in FLOATS or "bfloat16" not in line)]
    return [(name, ast.literal_eval(case)) for name, _, case in (line.partition(" ") for line in lines)]
