# cython: language_level=3, cdivision=True, boundscheck=False, wraparound=False, initializedcheck=False
"""The fast path from a Python call to rows: contiguous float arrays and one axis, forward and backward.

Everything else goes to the general path in Python (fastact/functions/rows.py).
"""

cimport numpy as cnp
from cpython.ref cimport Py_INCREF, PyObject
from libc.math cimport isnan
from libc.stdlib cimport free, malloc
from fastact._kernels cimport movers
from fastact.cpu.buffers cimport kept_empty
from fastact.cpu.direct cimport Direct, enable
from fastact.cpu.dtypes cimport stored
from fastact.cpu.rows.view cimport *
from fastact.cpu.rows.ways cimport Grid, launch, prepare, run_rows
from fastact.cpu.threads cimport threads_now

cnp.import_array()

cdef extern from "memory.h" nogil:
    unsigned int fa_float_status()
    void fa_restore_float_mode(unsigned int)

cdef extern from "numpy/arrayobject.h":
    bint PyArray_CheckExact(object)
    bint PyArray_ISCARRAY_RO(cnp.ndarray)
    bint PyArray_ISWRITEABLE(cnp.ndarray)
    bint PyArray_SAMESHAPE(cnp.ndarray, cnp.ndarray)
    object PyArray_EMPTY(int, cnp.npy_intp*, int, int)
    object PyArray_Return(cnp.ndarray)      # takes the reference

cdef enum:
    MOST = 64               # dimensions
    ROOM = 1 << 13          # elements of a buffer of halves as float32, unless a row is longer
    SPREAD = 1 << 16        # elements from which on several threads pay, which convert whole arrays


cdef class RowCall(Direct):
    """A row-wise function's call ``(x, axis=-1, *, out=None)``.

    Attributes
    ----------
    number : int
        Of the function; -1: nothing of it is plain.
    sign : float
        -1: of the input negated.
    """

    cdef public int number
    cdef public double sign

    cdef object attempt(self, PyObject* const* args, Py_ssize_t given, tuple names):
        cdef object axis = -1, out = None
        cdef Py_ssize_t j
        if self.number < 0 or not 1 <= given <= 2:
            return None
        if given == 2:
            axis = <object> args[1]
        for j, name in enumerate(names):
            if name == "out":
                out = <object> args[given + j]
            elif name == "axis" and given == 1:
                axis = <object> args[given + j]
            else:
                return None
        found = plain(self.number, <object> args[0], None, axis, self.sign, out)
        if found is None and out is None:
            found = halves(self.number, <object> args[0], None, axis, self.sign)
        return found


def plain(int op, a, b, axis, double sign, out):
    """The result for contiguous arrays of one float dtype and shape, and one axis; None if these are not such.

    `a` is the input, `b` None; in a backward pass they are the gradient and the output. `out` may be None, or an input.
    logsumexp has no `out` here, and none of its results is NaN.
    """
    cdef Grid g
    cdef cnp.ndarray first, second, result
    cdef int number
    cdef Py_ssize_t row
    if type(axis) is not int or not plain_array(a):
        return None
    first = a
    prepare(&g, op, cnp.PyArray_ITEMSIZE(first), sign, 1.0, 0.0, 1.0)
    number = rows_of(first, axis, &g.outer, &g.n, &g.inner)
    if number < 0:
        return None
    row = g.n * g.inner * g.job.size
    g.a = Array(<char*> cnp.PyArray_DATA(first), g.inner, row)
    if b is not None:
        if not plain_array(b):
            return None
        second = b
        if cnp.PyArray_TYPE(second) != cnp.PyArray_TYPE(first) or not PyArray_SAMESHAPE(first, second):
            return None
        g.b = Array(<char*> cnp.PyArray_DATA(second), g.inner, row)
    if g.one:
        return None if out is not None else one_number(&g, first, number)
    if out is None:
        result = kept_empty(first, cnp.PyArray_TYPE(first), False)
    else:
        if not plain_array(out):
            return None
        result = out
        if cnp.PyArray_TYPE(result) != cnp.PyArray_TYPE(first) or not PyArray_SAMESHAPE(first, result):
            return None
        if not PyArray_ISWRITEABLE(result) or meet(result, g.a.data) or (g.b.data != NULL and meet(result, g.b.data)):
            return None
    g.out = Array(<char*> cnp.PyArray_DATA(result), g.inner, row)
    launch(&g)
    return result


cdef int rows_of(cnp.ndarray x, axis, Py_ssize_t* outer, Py_ssize_t* n, Py_ssize_t* inner):
    """The number of an axis from 0, and the array as (outer, n, inner); -1: it has not that axis, or no elements."""
    cdef int d, number, ndim = cnp.PyArray_NDIM(x)
    if not -ndim <= axis < ndim:
        return -1
    number = axis + ndim if axis < 0 else axis
    outer[0] = inner[0] = 1
    for d in range(ndim):
        if d < number:
            outer[0] *= cnp.PyArray_DIMS(x)[d]
        elif d > number:
            inner[0] *= cnp.PyArray_DIMS(x)[d]
    n[0] = cnp.PyArray_DIMS(x)[number]
    return number if outer[0] * n[0] * inner[0] else -1


cdef cnp.ndarray without(cnp.ndarray x, int axis):
    """An array of the shape of x without an axis."""
    cdef cnp.npy_intp shape[MOST]
    cdef int d, ndim = cnp.PyArray_NDIM(x)
    for d in range(ndim - 1):
        shape[d] = cnp.PyArray_DIMS(x)[d + (d >= axis)]
    return PyArray_EMPTY(ndim - 1, shape, cnp.PyArray_TYPE(x), 0)


cdef object one_number(Grid* g, cnp.ndarray x, int axis):
    """The result of a function with one number a row; None if one is NaN, which is for +inf too."""
    cdef Py_ssize_t i
    cdef cnp.ndarray result = without(x, axis)
    cdef char* data = <char*> cnp.PyArray_DATA(result)
    g.out = Array(data, g.inner, g.inner * g.job.size)
    launch(g)
    for i in range(g.outer * g.inner):
        if isnan((<float*> data)[i]) if g.job.size == 4 else isnan((<double*> data)[i]):
            return None
    Py_INCREF(result)
    return PyArray_Return(result)


cdef inline bint meet(cnp.ndarray out, const char* data) noexcept:
    """Whether an array of the size of `out` begins elsewhere and shares memory with it."""
    cdef Py_ssize_t apart = data - <const char*> cnp.PyArray_DATA(out), size = cnp.PyArray_NBYTES(out)
    return apart != 0 and -size < apart < size


cdef inline bint plain_array(a):
    return PyArray_CheckExact(a) and cnp.PyArray_TYPE(a) in (cnp.NPY_FLOAT, cnp.NPY_DOUBLE) and PyArray_ISCARRAY_RO(a)


# ---------------------------------------------------------------------------------------------------
# Halves
# ---------------------------------------------------------------------------------------------------

cdef inline bint is_half(a):
    """Whether something is a contiguous array of a half with an axis."""
    return (PyArray_CheckExact(a) and cnp.PyArray_NDIM(<cnp.ndarray> a) > 0 and stored(<cnp.ndarray> a) > 0
            and PyArray_ISCARRAY_RO(<cnp.ndarray> a))


def halves(int op, a, b, axis, double sign):
    """The result for contiguous arrays of float16 or bfloat16, of one shape, and one axis; None if these are not such.

    Some rows at a time are float32, in a buffer that stays in the cache. No result of logsumexp is NaN.
    """
    cdef cnp.ndarray first, second = None, result
    cdef Py_ssize_t outer = 1, inner = 1, n = 0, size, step, done = 0, m, i, wide
    cdef int type_, failed = 0, number
    cdef bint one = op == LOGSUMEXP, mended = False
    cdef unsigned int status
    cdef char* room
    cdef char* other
    cdef char* target
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
    number = rows_of(first, axis, &outer, &n, &inner)
    if number < 0:
        return None
    size = n * inner
    wide = inner if one else size
    if outer * size >= SPREAD and threads_now() > 1:
        return None
    result = without(first, number) if one else kept_empty(first, cnp.PyArray_TYPE(first), False)
    step = min(outer, max(<Py_ssize_t> 1, ROOM // size))
    room = <char*> malloc(8 * step * size)
    if room == NULL:
        raise MemoryError("fastact: no memory for rows as float32")
    type_ = stored(first)
    x = <const char*> cnp.PyArray_DATA(first)
    to = <char*> cnp.PyArray_DATA(result)
    other = NULL if y == NULL else room + 4 * step * size
    target = room + 4 * step * size if y == NULL else room
    with nogil:
        status = fa_float_status()
        while done < outer and not failed and not mended:
            m = min(step, outer - done)
            movers[0].gather(x + 2 * done * size, 0, 1, 2, type_, room, m * size)
            if y != NULL:
                movers[0].gather(y + 2 * done * size, 0, 1, 2, type_, other, m * size)
            failed = run_rows(op, 4, sign, 1.0, 0.0, m, n, inner, room, 4 * size, other, 4 * size, target, 4 * wide, False)
            if one:
                for i in range(m * wide):
                    mended |= isnan((<float*> target)[i])
            movers[0].scatter(target, to + 2 * done * wide, 0, 1, 2, type_, m * wide)
            done += m
        fa_restore_float_mode(status)
    free(room)
    if failed:
        raise MemoryError("fastact: no memory for the accumulators of rows")
    if mended:
        return None
    if one:
        Py_INCREF(result)
        return PyArray_Return(result)
    return result


enable(RowCall)
