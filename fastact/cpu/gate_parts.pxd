# What the gated units do to the elements of a block.

from libc.math cimport INFINITY, isinf

ctypedef fused real:
    float
    double


cdef inline void spread(char* dst, Py_ssize_t to, const char* src, Py_ssize_t by, Py_ssize_t m, int size) noexcept nogil:
    """Copy elements that lie apart."""
    cdef Py_ssize_t i
    if size == 4:
        for i in range(m):
            (<float*> dst)[i * to] = (<const float*> src)[i * by]
    else:
        for i in range(m):
            (<double*> dst)[i * to] = (<const double*> src)[i * by]


cdef inline void bounded(real* dst, const real* src, Py_ssize_t m, double least, double most, double offset) noexcept nogil:
    """Clamp, and add, where -0.0 changes nothing; NaN stays."""
    cdef real low = <real> least, high = <real> most, more = <real> offset, v
    cdef Py_ssize_t i
    for i in range(m):
        v = src[i]
        v = low if v < low else v
        v = high if v > high else v
        dst[i] = v + more


cdef inline void stopped(real* slope, const real* src, Py_ssize_t m, double least, double most) noexcept nogil:
    """0 where what a slope belongs to has been clamped."""
    cdef real low = <real> least, high = <real> most
    cdef Py_ssize_t i
    for i in range(m):
        slope[i] = 0 if (src[i] < low) | (src[i] > high) else slope[i]


cdef inline bint overflown(const real* v, Py_ssize_t m) noexcept nogil:
    """Whether any is infinite."""
    cdef int found = 0
    cdef Py_ssize_t i
    for i in range(m):
        found |= (v[i] == <real> INFINITY) | (v[i] == <real> -INFINITY)
    return found != 0


cdef inline bint infinite(int size, const char* v, Py_ssize_t m) noexcept nogil:
    return overflown[float](<const float*> v, m) if size == 4 else overflown[double](<const double*> v, m)


cdef inline void mended(real* out, const real* first, const real* slope, const real* factor, const real* other,
                        Py_ssize_t m) noexcept nogil:
    """slope * (factor * other) where the product of the first two is infinite, and neither of them is."""
    cdef Py_ssize_t i
    if overflown[real](first, m):
        for i in range(m):
            if isinf(first[i]) and not isinf(factor[i]) and not isinf(slope[i]):
                out[i] = slope[i] * (factor[i] * other[i])


cdef inline void mend(int size, char* out, const char* first, const char* slope, const char* factor, const char* other,
                      Py_ssize_t m) noexcept nogil:
    if size == 4:
        mended[float](<float*> out, <const float*> first, <const float*> slope, <const float*> factor, <const float*> other, m)
    else:
        mended[double](<double*> out, <const double*> first, <const double*> slope, <const double*> factor, <const double*> other, m)
