# cython: language_level=3, cdivision=True, boundscheck=False, wraparound=False, initializedcheck=False
"""Row-wise functions as sequences of passes, and the ways through an array: rows, tiles and panels.

An array comes as (outer, n, inner), the function working along n:

- rows (inner = 1): each along itself; threads share out the rows, or the segments of a long one.
- tiles (inner = 1, short rows): rows are transposed into a cache-resident tile with one row in each lane.
- panels (inner > 1): some columns at a time, one in each lane, read where they lie.
"""

from libc.stdint cimport int64_t, uintptr_t
from libc.stdlib cimport free, malloc
from libc.string cimport memset
from cython.parallel cimport prange
cimport numpy as cnp
from fastact._buffers cimport kept_empty
from fastact._kernels cimport GROUP, acquire_team, release_team
from fastact._passes cimport *

cnp.import_array()

cdef extern from "memory.h" nogil:
    void fa_clear_float_status()
    void fa_transpose_f32(const float* src, int64_t src_step, float* dst, int64_t dst_step, int64_t rows, int64_t columns)
    void fa_transpose_f64(const double* src, int64_t src_step, double* dst, int64_t dst_step, int64_t rows, int64_t columns)

cdef extern from "numpy/arrayobject.h":
    bint PyArray_CheckExact(object)
    bint PyArray_ISCARRAY_RO(cnp.ndarray)
    bint PyArray_SAMESHAPE(cnp.ndarray, cnp.ndarray)

cdef enum:
    LANES = 256                 # lanes of a tile, at most
    SHORT = 64                  # rows up to this long go through tiles
    TILE = 4096                 # elements of a tile
    KEPT = 1 << 19              # bytes of exponentials kept between two passes
    PANEL = 512                 # bytes of a panel's width
    STREAM_ABOVE = 32 << 20     # bytes of output

cdef enum Op:
    SOFTMAX, LOG_SOFTMAX, LOGSUMEXP, SPARSEMAX, ENTMAX15
    SOFTMAX_BACK, LOG_SOFTMAX_BACK, SPARSEMAX_BACK, ENTMAX15_BACK

OPS = {
    "softmax": SOFTMAX, "log_softmax": LOG_SOFTMAX, "logsumexp": LOGSUMEXP, "sparsemax": SPARSEMAX, "entmax15": ENTMAX15,
    "softmax_backward": SOFTMAX_BACK, "log_softmax_backward": LOG_SOFTMAX_BACK, "sparsemax_backward": SPARSEMAX_BACK,
    "entmax15_backward": ENTMAX15_BACK,
}


# ---------------------------------------------------------------------------------------------------
# The functions
# ---------------------------------------------------------------------------------------------------

cdef void threshold(View* v, int excess, int step, int part, const Array* none) noexcept nogil:
    cdef int _i
    once(v, SPARSE_START)
    for _i in range(100):
        reduce(v, excess, &v.a, none, none, 0.0)
        once(v, step)
        if not moves(v):
            break
    sweep(v, part, &v.a, none, &v.out)


cdef void backward(View* v, int dot_pass, int slope, bint weighted) noexcept nogil:
    cdef Array none = Array(NULL, 0)
    reduce(v, dot_pass, &v.a, &v.b, &none, 0.0)
    if weighted:
        once(v, WEIGHTED_MEAN)
    sweep(v, slope, &v.a, &v.b, &v.out)


cdef void solve(View* v) noexcept nogil:
    """One row, tile or panel."""
    cdef int op = v.job.op
    cdef Array none = Array(NULL, 0)
    cdef Array kept = Array(v.kept, padded(v.w))
    cdef double start = 33554432.0 if v.job.size == 4 else 18014398509481984.0  # 2^25, 2^54: above the exponentials
    if op <= ENTMAX15:
        reduce(v, ROW_MAX, &v.a, &none, &none, 0.0)
    if op == SOFTMAX:
        once(v, EXP_SHIFT)
        if v.kept != NULL:
            reduce(v, EXP_SUM if v.job.unit else EXP_SUM_SCALED, &v.a, &none, &kept, start)
            once(v, INVERSE)
            sweep(v, SCALED, &kept, &none, &v.out)
        else:
            reduce(v, EXP_SUM_SCALED, &v.a, &none, &none, start)
            once(v, INVERSE)
            sweep(v, EXP_SCALED, &v.a, &none, &v.out)
    elif op == LOG_SOFTMAX or op == LOGSUMEXP:
        once(v, EXP_SHIFT)
        reduce(v, EXP_SUM_OTHERS, &v.a, &none, &none, 0.0)
        once(v, LOG_TOTAL)
        if op == LOG_SOFTMAX:
            sweep(v, LOG_SCALED, &v.a, &none, &v.out)
        else:
            once(v, LOG_SUM_EXP)
            result(v, v.out.data)
    elif op == SPARSEMAX:
        threshold(v, SPARSE_EXCESS, SPARSE_STEP, SPARSE_PART, &none)
    elif op == ENTMAX15:
        threshold(v, ENTMAX_EXCESS, ENTMAX_STEP, ENTMAX_PART, &none)
    elif op == SOFTMAX_BACK:
        backward(v, DOT, SOFTMAX_SLOPE, False)
    elif op == LOG_SOFTMAX_BACK:
        backward(v, GRAD_SUM, LOG_SOFTMAX_SLOPE, False)
    elif op == SPARSEMAX_BACK:
        backward(v, SPARSE_DOT, SPARSE_SLOPE, True)
    elif op == ENTMAX15_BACK:
        backward(v, ENTMAX_DOT, ENTMAX_SLOPE, True)


# ---------------------------------------------------------------------------------------------------
# Rows, tiles, panels
# ---------------------------------------------------------------------------------------------------

cdef struct Grid:
    Job job
    Py_ssize_t outer
    Py_ssize_t n
    Py_ssize_t inner
    Py_ssize_t width        # of a tile or panel
    Py_ssize_t per_outer    # panels side by side
    Py_ssize_t room         # bytes of a slot
    Py_ssize_t kept         # bytes
    Py_ssize_t memory       # bytes for each thread
    bint one                # logsumexp: one number a row
    Array a
    Array b
    Array out
    Py_ssize_t outer_step[3]    # bytes


cdef void transpose(const Grid* g, const char* src, Py_ssize_t src_step, char* dst, Py_ssize_t dst_step,
                    Py_ssize_t rows, Py_ssize_t columns) noexcept nogil:
    if g.job.size == 4:
        fa_transpose_f32(<const float*> src, src_step, <float*> dst, dst_step, rows, columns)
    else:
        fa_transpose_f64(<const double*> src, src_step, <double*> dst, dst_step, rows, columns)


cdef void tile(const Grid* g, View* v, Py_ssize_t first, Py_ssize_t w, char* memory) noexcept nogil:
    """Rows first to first + w through a tile."""
    cdef int size = g.job.size
    cdef Py_ssize_t wide = padded(w), tile_bytes = g.n * g.width * size
    cdef bint two = g.b.data != NULL
    v.w = wide
    v.a = Array(memory, wide)
    v.b = Array(memory + tile_bytes, wide)
    v.out = Array(memory + 2 * tile_bytes, wide)
    if wide != w:
        memset(memory, 0, 2 * tile_bytes)
    transpose(g, g.a.data + first * g.outer_step[0], g.outer_step[0] // size, v.a.data, wide, w, g.n)
    if two:
        transpose(g, g.b.data + first * g.outer_step[1], g.outer_step[1] // size, v.b.data, wide, w, g.n)
    solve(v)
    transpose(g, v.out.data, wide, g.out.data + first * g.outer_step[2], g.outer_step[2] // size, 1 if g.one else g.n, w)


cdef void work(const Grid* g, Py_ssize_t start, Py_ssize_t stop, int threads, char* memory) noexcept nogil:
    """Units start to stop: rows, tiles or panels."""
    cdef View v
    cdef Py_ssize_t u, o, column
    cdef int size = g.job.size
    v.job = &g.job
    v.n = g.n
    v.threads = threads
    v.slots = memory
    v.room = g.room
    memory += SLOTS * g.room
    v.kept = memory if g.kept and g.job.op == SOFTMAX else NULL
    v.along = g.inner == 1 and g.width == 1
    memory += g.kept
    for u in range(start, stop):
        if g.inner == 1 and g.width > 1:
            tile(g, &v, u * g.width, min(g.width, g.outer - u * g.width), memory)
            continue
        o = u // g.per_outer
        column = u % g.per_outer * g.width
        v.w = min(g.width, g.inner - column)
        v.a = Array(g.a.data + o * g.outer_step[0] + column * size, g.a.step)
        v.b = Array(g.b.data, g.b.step)
        if g.b.data != NULL:
            v.b.data += o * g.outer_step[1] + column * size
        v.out = Array(g.out.data + o * g.outer_step[2] + column * size, g.out.step)
        solve(&v)


cdef int run_grid(Grid* g, Py_ssize_t units, double cost) noexcept nogil:
    cdef int t, threads = 1
    cdef bint long_row = g.inner == 1 and g.width == 1 and g.n > SEGMENT and units < 8
    cdef char* memory
    threads = acquire_team(cost, (g.n + SEGMENT - 1) // SEGMENT if long_row else units)
    memory = <char*> malloc((1 if long_row else threads) * g.memory + 64)
    if memory != NULL:
        if long_row or threads == 1:
            work(g, 0, units, threads, <char*> ((<uintptr_t> memory + 63) & ~<uintptr_t> 63))
        else:
            for t in prange(threads, num_threads=threads, schedule="static", chunksize=1):
                work(g, units * t // threads, units * (t + 1) // threads, 1,
                     <char*> ((<uintptr_t> memory + 63) & ~<uintptr_t> 63) + t * g.memory)
    if threads > 1:
        release_team()
    free(memory)
    fa_clear_float_status()
    return memory == NULL


cdef void prepare(Grid* g, int op, int size, double sign, double t, double t_low) noexcept nogil:
    """Fill in a job but for its arrays."""
    cdef int j
    memset(g, 0, sizeof(Grid))
    g.job.op = op
    g.job.size = size
    g.job.unit = sign == 1.0 and t == 1.0 and t_low == 0.0
    g.job.scalars[0] = sign
    g.job.scalars[1] = t
    g.job.scalars[2] = t_low
    for j in range(NSCALARS):
        if size == 4:
            (<float*> g.job.typed)[j] = <float> g.job.scalars[j]
        else:
            (<double*> g.job.typed)[j] = g.job.scalars[j]
    g.one = op == LOGSUMEXP


cdef int launch(Grid* g) except -1:
    """Choose the way through the arrays of a job and go it."""
    cdef Py_ssize_t units, count
    cdef int failed, size = g.job.size
    cdef double cost = <double> (g.outer * g.n * g.inner) * 0.5 * (size // 4)
    g.job.shared = g.a.data == g.out.data or g.b.data == g.out.data
    if g.inner > 1:
        g.width = min(g.inner, <Py_ssize_t> PANEL // size)
        g.per_outer = (g.inner + g.width - 1) // g.width
        units = g.outer * g.per_outer
        g.room = max(padded(g.width), <Py_ssize_t> WIDTH) * size
    elif g.n <= SHORT and g.outer > 1:
        g.width = max(<Py_ssize_t> GROUP, min(<Py_ssize_t> LANES, TILE // g.n)) & ~(GROUP - 1)
        g.per_outer = 1
        units = (g.outer + g.width - 1) // g.width
        g.room = g.width * size
        g.memory = 3 * g.n * g.width * size
    else:
        g.width = g.per_outer = 1
        units = g.outer
        count = (g.n + SEGMENT - 1) // SEGMENT
        g.room = count * WIDTH * size
    if padded(g.width) * g.n * size <= KEPT:
        g.kept = padded(max(padded(g.width) * g.n, WIDTH)) * size
    g.job.stream = g.outer * g.n * g.inner * size > STREAM_ABOVE and not g.job.shared and g.memory == 0 and not g.one
    g.memory += SLOTS * g.room + g.kept + 64
    g.memory = (g.memory + 63) & ~63
    if cost < 1000.0:
        failed = run_grid(g, units, cost)
    else:
        with nogil:
            failed = run_grid(g, units, cost)
    if failed:
        raise MemoryError("fastact: no memory for the accumulators of rows")
    return 0


def run(int op, cnp.ndarray a, b, cnp.ndarray out, double sign, double t, double t_low):
    """Compute one function over arrays of shape (outer, n, inner).

    All have one dtype, float32 or float64. Where inner is 1 the elements along n are contiguous, else those along
    inner are. The output is an input, or shares no memory with one.
    """
    cdef Grid g
    cdef cnp.ndarray second
    cdef int size = a.itemsize
    prepare(&g, op, size, sign, t, t_low)
    g.outer, g.n, g.inner = a.shape[0], a.shape[1], a.shape[2]
    if g.outer * g.n * g.inner == 0:
        return
    g.a = Array(<char*> cnp.PyArray_DATA(a), a.strides[1] // size)
    g.out = Array(<char*> cnp.PyArray_DATA(out), out.strides[1] // size)
    g.outer_step[0], g.outer_step[2] = a.strides[0], out.strides[0]
    if b is not None:
        second = b
        g.b = Array(<char*> cnp.PyArray_DATA(second), second.strides[1] // size)
        g.outer_step[1] = second.strides[0]
    launch(&g)


def plain(int op, a, b, axis, double sign):
    """The result for contiguous arrays of one float dtype and shape, and one axis; None if these are not such.

    `a` is the input, `b` None; in a backward pass they are the gradient and the output.
    """
    cdef Grid g
    cdef cnp.ndarray first, second, out
    cdef int ndim, d, number
    if type(axis) is not int or not plain_array(a):
        return None
    first = a
    ndim = cnp.PyArray_NDIM(first)
    if not -ndim <= axis < ndim:
        return None
    number = axis + ndim if axis < 0 else axis
    prepare(&g, op, cnp.PyArray_ITEMSIZE(first), sign, 1.0, 0.0)
    g.outer = g.inner = 1
    for d in range(ndim):
        if d < number:
            g.outer *= cnp.PyArray_DIMS(first)[d]
        elif d > number:
            g.inner *= cnp.PyArray_DIMS(first)[d]
    g.n = cnp.PyArray_DIMS(first)[number]
    if g.outer * g.n * g.inner == 0:
        return None
    g.a = Array(<char*> cnp.PyArray_DATA(first), g.inner)
    g.outer_step[0] = g.outer_step[1] = g.outer_step[2] = g.n * g.inner * g.job.size
    if b is not None:
        if not plain_array(b):
            return None
        second = b
        if cnp.PyArray_TYPE(second) != cnp.PyArray_TYPE(first) or not PyArray_SAMESHAPE(first, second):
            return None
        g.b = Array(<char*> cnp.PyArray_DATA(second), g.inner)
    out = kept_empty(first, cnp.PyArray_TYPE(first), False)
    g.out = Array(<char*> cnp.PyArray_DATA(out), g.inner)
    launch(&g)
    return out


cdef inline bint plain_array(a):
    return PyArray_CheckExact(a) and cnp.PyArray_TYPE(a) in (cnp.NPY_FLOAT, cnp.NPY_DOUBLE) and PyArray_ISCARRAY_RO(a)
