# cython: language_level=3, cdivision=True, boundscheck=False, wraparound=False, initializedcheck=False
"""Row-wise functions of float16 and bfloat16: some rows at a time as float32, in a buffer that stays in the cache."""

from libc.stdlib cimport free, malloc
cimport numpy as cnp
from fastact._kernels cimport movers
from fastact.cpu.buffers cimport kept_empty
from fastact.cpu.dtypes cimport stored
from fastact.cpu.rows.ways cimport run_rows
from fastact.cpu.threads cimport threads_now

cnp.import_array()

cdef extern from "numpy/arrayobject.h":
    bint PyArray_CheckExact(object)
    bint PyArray_ISCARRAY_RO(cnp.ndarray)
    bint PyArray_SAMESHAPE(cnp.ndarray, cnp.ndarray)

cdef enum:
    ROOM = 1 << 13              # elements of a buffer, unless a row is longer
    SPREAD = 1 << 16            # elements from which on several threads pay, which convert whole arrays


cdef inline bint is_half(a):
    """Whether something is a contiguous array of a half with an axis."""
    return (PyArray_CheckExact(a) and cnp.PyArray_NDIM(<cnp.ndarray> a) > 0 and stored(<cnp.ndarray> a) > 0
            and PyArray_ISCARRAY_RO(<cnp.ndarray> a))


def halves(int op, a, b, axis, double sign):
    """The result for contiguous arrays of one half and shape, and one axis, as ``ways.plain``; None if these are not such."""
    cdef cnp.ndarray first, second = None, result
    cdef Py_ssize_t outer = 1, inner = 1, n, size, step, done = 0, m
    cdef int ndim, d, number, type_, failed = 0
    cdef char* room
    cdef char* other
    cdef char* to
    cdef const char* x
    cdef const char* y = NULL
    if type(axis) is not int or not is_half(a):
        return None
    first = a
    if b is not None:
        if not is_half(b):
            return None
        second = b
        if cnp.PyArray_TYPE(second) != cnp.PyArray_TYPE(first) or not PyArray_SAMESHAPE(first, second):
            return None
        y = <const char*> cnp.PyArray_DATA(second)
    ndim = cnp.PyArray_NDIM(first)
    if not -ndim <= axis < ndim:
        return None
    number = axis + ndim if axis < 0 else axis
    for d in range(ndim):
        if d < number:
            outer *= cnp.PyArray_DIMS(first)[d]
        elif d > number:
            inner *= cnp.PyArray_DIMS(first)[d]
    n = cnp.PyArray_DIMS(first)[number]
    size = n * inner
    if outer * size == 0 or (outer * size >= SPREAD and threads_now() > 1):
        return None
    step = min(outer, max(<Py_ssize_t> 1, ROOM // size))
    room = <char*> malloc(8 * step * size)
    if room == NULL:
        raise MemoryError("fastact: no memory for rows as float32")
    result = kept_empty(first, cnp.PyArray_TYPE(first), False)
    type_ = stored(first)
    x = <const char*> cnp.PyArray_DATA(first)
    to = <char*> cnp.PyArray_DATA(result)
    other = NULL if y == NULL else room + 4 * step * size
    with nogil:
        while done < outer and not failed:
            m = min(step, outer - done)
            movers[0].gather(x + 2 * done * size, 0, 1, 2, type_, room, m * size)
            if y != NULL:
                movers[0].gather(y + 2 * done * size, 0, 1, 2, type_, other, m * size)
            failed = run_rows(op, 4, sign, 1.0, 0.0, m, n, inner, room, 4 * size, other, 4 * size, room, 4 * size, False)
            movers[0].scatter(room, to + 2 * done * size, 0, 1, 2, type_, m * size)
            done += m
    free(room)
    if failed:
        raise MemoryError("fastact: no memory for the accumulators of rows")
    return result
