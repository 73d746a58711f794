# cython: language_level=3, cdivision=True, boundscheck=False, wraparound=False, initializedcheck=False
"""The loops of ``verify`` that see every input: bit patterns in order, errors in ULP, what is counted of them."""

from libc.math cimport INFINITY, copysign, fabs, isfinite, isnan
from libc.stdint cimport int64_t, uint8_t, uint32_t
from libc.string cimport memcpy

cdef enum:
    BIAS = 1023                 # of float64
    LEAST = BIAS - 126          # biased exponents of float32's least normal number, of 1/4, and of its greatest
    QUARTER = BIAS - 2
    GREATEST = BIAS + 127

cdef double MAX = 3.4028234663852886e38     # float32's greatest number


def patterns(uint32_t first, uint32_t step, uint32_t[::1] out):
    """Fill ``out`` with bit patterns of float32, ``step`` ordinals apart: ascending from NaN and -inf to inf and NaN."""
    cdef Py_ssize_t i
    cdef uint32_t o
    with nogil:
        for i in range(out.shape[0]):
            o = first + <uint32_t> i * step
            out[i] = o ^ ((o >> 31) - 1 | 0x80000000u)


cdef inline double per_ulp(double want, int64_t least) noexcept nogil:
    """1 / the float32 spacing at ``want``, whose biased exponent counts as ``least`` or more."""
    cdef int64_t bits
    cdef double unit
    memcpy(&bits, &want, 8)
    bits = (bits >> 52) & 0x7FF
    bits = least if bits < least else bits
    bits = GREATEST if bits > GREATEST else bits
    bits = (2 * BIAS + 23 - bits) << 52
    memcpy(&unit, &bits, 8)
    return unit


cdef inline bint right(double got, double want) noexcept nogil:
    """Whether a result is right whose error is no finite number: an infinity is, too, for what overflows."""
    return got == want or (isnan(got) and isnan(want)) or (fabs(want) > MAX and got == copysign(INFINITY, want))


def errors(const float[::1] got, const double[::1] want, const uint8_t[::1] near, double[::1] error, double[::1] size,
           double[::1] scaled):
    """Errors of float32 results in ULP and absolutely, and by the contract: in ULP of max(abs(want), 1/4) where near.

    ``near`` may be empty: nowhere. A wrong NaN or infinity counts as an infinite error.
    """
    cdef Py_ssize_t i
    cdef bint some = near.shape[0] > 0
    cdef double s
    with nogil:
        for i in range(got.shape[0]):
            s = fabs(<double> got[i] - want[i])
            size[i] = s
            error[i] = s * per_ulp(want[i], LEAST)
            scaled[i] = s * per_ulp(want[i], QUARTER if some and near[i] else LEAST)
        for i in range(got.shape[0]):
            if not isfinite(error[i]):
                s = 0.0 if right(got[i], want[i]) else INFINITY
                size[i] = error[i] = scaled[i] = s


ctypedef fused real:
    float
    double


def count(const real[::1] x, const real[::1] got, const uint8_t[::1] near, const double[::1] error, const double[::1] size,
          const double[::1] scaled, bint monotonic, double low, double high, double last):
    """Count errors at ascending inputs.

    Returns
    -------
    tuple
        The indices of the greatest error and of the greatest by the contract; the greatest error in ULP where that
        counts and the greatest absolute one elsewhere; how many inputs are NaN, the sum of the errors by the contract
        and how many of them are at most 1/2; how often a result is less than the one before (``last`` is before the
        first); how many lie outside [low, high].
    """
    cdef Py_ssize_t i, n = x.shape[0], worst = 0, contract = 0, nans = 0, rounded = 0, falls = 0, strays = 0
    cdef double e, s, most = error[0], most_scaled = scaled[0], outside = 0.0, inside = 0.0, total = 0.0
    cdef bint some = near.shape[0] > 0
    with nogil:
        for i in range(n):
            e, s = error[i], scaled[i]
            if e > most:
                most, worst = e, i
            if s > most_scaled:
                most_scaled, contract = s, i
            if some and near[i]:
                inside = max(inside, size[i])
            else:
                outside = max(outside, e)
            total += s
            rounded += s <= 0.5
            nans += x[i] != x[i]
            falls += got[i] < last
            last = got[i]
            strays += (got[i] < low) | (got[i] > high)
    return worst, contract, outside, inside, nans, total, rounded, falls if monotonic else 0, strays
