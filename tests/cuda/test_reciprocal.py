"""The reciprocal of the CUDA kernels: a Newton step from any approximation within 1 ULP, over every significand.

A quarter of them by default; the rest with -m release.
"""

import numpy as np
import pytest

numba = pytest.importorskip("numba")

from fastact.numba.atoms import Atoms  # noqa: E402


def exact_step(d, r):
    """fma(fma(-d, r, 1), r, r) of float32 numbers, each rounded once."""
    d, r = d.astype(np.float64), r.astype(np.float64)
    residual = (1.0 - d * r).astype(np.float32).astype(np.float64)  # the product has 48 digits; so has the difference
    product = residual * r
    total = r + product
    low = product - (total - r)  # r + product is total + low
    near = total.astype(np.float32)
    # The sum was rounded to float64 first: where it lies midway between two float32 numbers, the rest decides.
    other = np.nextafter(near, np.where(total > near, np.float32(np.inf), np.float32(-np.inf)), dtype=np.float32)
    tie = (np.abs(total - near) == np.abs(other.astype(np.float64) - total)) & (low != 0) & (total != near)
    up = np.maximum(near, other)
    return np.where(tie, np.where(low > 0, up, np.minimum(near, other)), near).astype(np.float32)


@pytest.mark.parametrize("starts", [
    [0, (1 << 23) - (1 << 20)], pytest.param(range(1 << 20, 7 << 20, 1 << 20), marks=pytest.mark.release),
], ids=["ends", "rest"])  # fmt: skip
def test_every_significand(starts):
    wrong = []
    for start in starts:
        d = (np.arange(start, start + (1 << 20), dtype=np.uint32) + np.uint32(0x3F800000)).view(np.float32)
        exact = 1.0 / d.astype(np.float64)
        want = exact.astype(np.float32)
        ulp = np.spacing(np.nextafter(want, np.float32(0))).astype(np.float64)
        for step in range(-2, 3):
            r = (want.view(np.int32) + step).view(np.float32)
            within = np.abs(r - exact) <= ulp
            off = within & (exact_step(d, r) != want)
            wrong.extend(d[off].tolist())
            np.testing.assert_array_less(np.abs(exact_step(d, r) - exact)[within], ulp[within])
    assert set(wrong) <= {2.0 - 2.0**-23}, "only the significand of all ones"


def test_where_the_step_has_no_meaning():
    """What is emitted, on the approximations that a GPU has of 0, infinities, NaN, the least and the largest numbers."""


    from numba.extending import intrinsic

    from fastact.cuda.emit import CudaAtoms

    @intrinsic
    def newton(typingctx, a, r):
        def code(context, builder, signature, values):
            class Plain(Atoms):
                newton = CudaAtoms.newton

            return Plain(builder, "float32").newton(*values)

        return numba.types.float32(a, r), code

    @numba.njit
    def step(a, r):
        return newton(a, r)


    with np.errstate(divide="ignore", over="ignore"):
        for a in (0.0, -0.0, np.inf, -np.inf, np.nan, 1e-45, -1e-39, 2.0**-128, 1.5 * 2.0**-127, 3e38, -(2.0**127), 1.0, -3.0):
            a = np.float32(a)
            want = np.float32(1) / a
            np.testing.assert_array_equal(np.float32(step(a, want)), want, err_msg=str(a))
            assert np.signbit(step(a, want)) == np.signbit(want)
    for a in (2.0**126 * 1.9, 2.0**-126 * 1.3, 7.0):  # an approximation that is off
        a = np.float32(a)
        assert abs(step(a, np.nextafter(np.float32(1) / a, np.float32(1))) - 1.0 / float(a)) <= np.spacing(np.float32(1) / a)
