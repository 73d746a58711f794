"""A few hundred calls of every kind at random (fuzzing.py), and those that were wrong once; tools/fuzz.py makes many more."""

import fuzzing
import pytest
from hypothesis import example, given, settings

PLAIN = ("plain",) * 3
brief = settings(max_examples=80)
pytestmark = pytest.mark.filterwarnings("ignore:overflow encountered:RuntimeWarning")


def elementwise(call, shape, layout=PLAIN, dtypes=("f4", "f4"), params="none", out="none", where=False, dtype=None):
    return {"call": call, "shape": shape, "seed": 1, "layout": layout, "dtypes": dtypes, "params": params, "out": out,
            "where": where, "dtype": dtype}  # fmt: skip


def rows(name, shape, layout, axis=0, dtype="f4", where=False, out=False, backward=True):
    return {"name": name, "shape": shape, "seed": 1, "layout": layout, "axis": axis, "dtype": dtype, "temperature": 1.0,
            "where": where, "out": out, "backward": backward}  # fmt: skip


@example(elementwise(("gelu", "backward"), (130, 130), ("F", "plain", "plain")))
@example(elementwise(("hard_sigmoid", "value"), (1000,), dtypes=("f2", "f2")))  # numbers keep their digits beside float16
@example(elementwise(("relu", "value"), (40_001,), out="shifted"))
@example(elementwise(("softplus", "value_and_derivative"), (3, 7, 999), ("swapped",) * 3, ("f8", "f8"), "row", "wider", True))
@given(fuzzing.elementwise)
@brief
def test_elementwise(case):
    fuzzing.check_elementwise(case)


@example(rows("softmax", (130, 130), "misaligned"))  # elements where no register may be moved to
@example(rows("hardmax", (1000,), "plain", dtype="i2", backward=False))  # integers stay
@example(rows("entmax15", (3, 3), "plain", dtype="f2"))
@given(fuzzing.rows)
@brief
def test_rows(case):
    fuzzing.check_rows(case)


@given(fuzzing.gated)
@brief
def test_gated(case):
    fuzzing.check_gated(case)


@example({"name": "softmax", "kind": "value", "what": {"where": "refuses", "out": "tuple"}, "size": 3})
@given(fuzzing.hostile)
@brief
def test_hostile(case):
    fuzzing.check_hostile(case)
