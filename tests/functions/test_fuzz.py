"""The corpus of fuzzing.py and a few hundred calls of every kind at random, and whether they would find a fault."""

from types import SimpleNamespace

import fuzzing
import helpers
import numpy as np
import pytest
from hypothesis import Phase, given, settings

import fastact as fa

brief = settings(max_examples=80)
pytestmark = pytest.mark.filterwarnings("ignore:overflow encountered:RuntimeWarning")


@pytest.mark.parametrize("check", fuzzing.CHECKS)
def test_corpus(check):
    cases = [case for name, case in fuzzing.corpus() if name == check]
    assert cases
    for case in cases:
        try:
            fuzzing.CHECKS[check][1](case)
        except Exception as error:
            error.add_note(f"{check} {case}")
            raise


@pytest.mark.parametrize("check", fuzzing.CHECKS)
def test_at_random(check):
    strategy, run = fuzzing.CHECKS[check]
    brief(given(strategy)(run))()


class Faulty:
    """A function of the package with a fault: what it returns goes through ``fault(x, results, keywords)``."""

    def __init__(self, right, fault):
        self.right, self.fault = right, fault

    def __getattr__(self, name):
        found = getattr(self.right, name)
        return Faulty(found, self.fault) if name.startswith("backward") else found

    def __call__(self, *given, **keywords):
        found = self.right(*given, **keywords)
        x = max(map(np.asarray, given), key=np.size)
        changed = self.fault(x, helpers.results(found), keywords)
        return changed if isinstance(found, tuple) else changed[0]


def tail(x, found, keywords):
    """The last element, where registers do not divide the length."""
    if x.size > 16 and x.size % 16:
        found[0][...].reshape(-1)[-1:] *= 2
    return found


def wider(x, found, keywords):
    """float16 comes back as float32."""
    return tuple(f.astype("f4") if f.dtype == "f2" and x.ndim > 1 and "out" not in keywords else f for f in found)


def everywhere(x, found, keywords):
    """What where= leaves out is written."""
    if "where" in keywords and "out" in keywords:
        for f in found:
            f[~keywords["where"]] = 1.5
    return found


def another_row(x, found, keywords):
    """A column is a row."""
    return tuple(f[..., ::-1] if keywords.get("axis") == 0 and f.ndim > 1 else f for f in found)


def strided(x, found, keywords):
    """An element is missed where the input does not lie in one piece."""
    if not x.flags.c_contiguous and found[0].size > 4:
        found[0][...].reshape(-1)[3] = 7
    return found


@pytest.mark.parametrize(
    ("check", "fault"),
    [("elementwise", tail), ("elementwise", wider), ("elementwise", everywhere), ("elementwise", strided), ("rows", another_row),
     ("rows", strided), ("gated", strided), ("gated", everywhere), ("second", tail)],
)  # fmt: skip
def test_a_fault_is_found(check, fault, monkeypatch):
    """A fault that is planted, in a few cases: 3 to 67, as these came."""
    monkeypatch.setattr(fuzzing, "function", lambda *which: Faulty(helpers.function(*which), fault))
    names = {n: Faulty(getattr(fa, n), fault) for n in (*fuzzing.ROWWISE, *fuzzing.GATED)}
    monkeypatch.setattr(fuzzing, "fa", SimpleNamespace(get=lambda name: Faulty(fa.get(name), fault), **names))
    strategy, run = fuzzing.CHECKS[check]
    once = settings(max_examples=1000, phases=[Phase.generate], print_blob=False, report_multiple_bugs=False)
    with pytest.raises(AssertionError):
        once(given(strategy)(run))()
