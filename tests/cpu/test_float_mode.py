"""Subnormal numbers count in threads that take them for 0, and this stays as it was for them."""

import ctypes
import mmap
import platform
import sys

import numpy as np
import pytest
from helpers import NAMES, assert_same_bits

import fastact as fa

pytestmark = pytest.mark.skipif(
    platform.machine() not in ("x86_64", "AMD64") or sys.platform == "win32", reason="sets the mode by instructions of x86"
)
FLUSH, UPWARDS = 0x8040, 0x4000  # FTZ and DAZ, as torch.set_flush_denormal has them; a rounding mode


@pytest.fixture(scope="module")
def mode():
    """Functions that read the mode of this thread and set it."""
    code = mmap.mmap(-1, mmap.PAGESIZE, prot=mmap.PROT_READ | mmap.PROT_WRITE | mmap.PROT_EXEC)
    code.write(bytes.fromhex("0fae1fc3") + bytes.fromhex("0fae17c3"))  # stmxcsr [rdi], ret; ldmxcsr [rdi], ret
    start = ctypes.addressof(ctypes.c_char.from_buffer(code))
    store, load = (ctypes.CFUNCTYPE(None, ctypes.POINTER(ctypes.c_uint))(start + at) for at in (0, 4))
    value = ctypes.c_uint()

    def read():
        store(value)
        return value.value & 0xE040

    def set_(bits):
        store(value)
        value.value = value.value & ~0xE040 | bits
        load(value)

    yield read, set_
    set_(0)


def under(mode, bits, call):
    """What a call gives in such a mode, which it must leave alone."""
    read, set_ = mode
    set_(bits)
    try:
        found = call()
        assert read() == bits
    finally:
        set_(0)
    return found


X = np.array([0.0, -0.0, 1e-40, -1e-40, 1e-38, -1e-38, -1e-30, -87.5, -90.0, -100.0, 0.3, -0.3, 3.0, np.inf, np.nan], "f4")
WIDE = np.array([1e-310, -1e-310, -1e-307, -710.0, -740.0, 0.5, -0.5], "f8")


def test_elementwise(mode):
    for name in NAMES:
        f = getattr(fa, name)
        many = np.tile(X, 5000)
        for x in (X, X[::-1], np.asfortranarray(np.tile(X, (40, 3)))[::2], X.astype("f2"), many, WIDE):
            for call in (f, f.derivative, f.ufunc if not f.params else f, lambda v, f=f: f.backward(v, v)):
                assert_same_bits(under(mode, FLUSH, lambda c=call, x=x: c(x)), call(x))


@pytest.mark.parametrize("bits", [FLUSH, UPWARDS], ids=["flushing", "upwards"])
def test_families(mode, bits):
    def elu(x):
        return fa.elu.derivative(x, alpha=1.5)

    rows = np.repeat(np.array([[0.0, -88.0, -100.0, 1e-40]], "f4"), 5, 0)
    calls = [lambda: elu(X), lambda: fa.elu(X, alpha=np.full(len(X), 1.5, "f4")), lambda: fa.gelu(rows, bias=rows[0])]
    for f in (fa.softmax, fa.log_softmax, fa.softmax1, fa.logsumexp, fa.sparsemax, fa.entmax15, fa.hardmax):
        for x in (rows, rows.T, rows.astype("f2"), np.tile(rows, (3000, 8)), rows.astype("f8")[::2]):
            calls.append(lambda f=f, x=x: f(x))
    for f in (fa.swiglu, fa.glu, fa.geglu):
        calls += [lambda f=f: f(X, X[::-1]), lambda f=f: f(X[:14]), lambda f=f: f.backward(X, X, X)[1]]
    calls.append(lambda: fa.maxout(rows, 2))
    for call in calls:
        assert_same_bits(under(mode, bits, call), call())
    assert under(mode, FLUSH, lambda: fa.relu(1e-310)) == 1e-310


def test_threads_begin_in_order(mode):
    """Those of the pool do not take over the mode of whoever makes them."""
    threads = fa.get_num_threads()
    x = np.full(1 << 20, -1e-40, "f4")
    try:
        fa.set_num_threads(2)
        got = under(mode, FLUSH, lambda: [fa.sigmoid.derivative(x), fa.leaky_relu(x, 0.5)][1])
        assert_same_bits(got, np.full(1 << 20, -5e-41, "f4"))
    finally:
        fa.set_num_threads(threads)
