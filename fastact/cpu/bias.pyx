# cython: language_level=3, cdivision=True, boundscheck=False, wraparound=False, initializedcheck=False
"""A bias along the last axis, added to each block of x while it is loaded, and the sums of a gradient by it.

Arrays are contiguous and taken as one sequence. Of the bias there is a copy that goes on from its start for one more block, so
that a block finds its part of it in one piece wherever in a row it begins, be the rows long or short. The sums by columns are
gathered the same way, in float64, while a block is in the caches: each chunk of rows has totals of its own, which are added in
order. How rows are cut into chunks depends on the shape alone, and so no bit depends on threads.
"""

from libc.math cimport isfinite
from libc.stdlib cimport free, malloc
from libc.string cimport memcpy, memset
cimport numpy as cnp
import numpy as np
from fastact._kernels cimport (
    BLOCK, GROUP, MAX_OUT, MAX_PARAMS, PART, SHARES, STREAMED, Job, Kernel, Operand, movers, parallel, worth_streaming,
)
from fastact.cpu.dtypes cimport number_of
from fastact.cpu.threads cimport acquire_team, release_team

cnp.import_array()

cdef extern from "scratch.h" nogil:
    char* fa_scratch()

cdef extern from "memory.h" nogil:
    void fa_clear_float_status()
    unsigned int fa_float_status()
    void fa_restore_float_mode(unsigned int)
    void fa_stream_end()

cdef enum:
    CHUNKS = 64                 # of rows, at most, times strips of columns
    CHUNK = 64 * BLOCK          # elements of a chunk's strip, at least
    STRIP = 8 * BLOCK           # columns whose totals stay in the second-level cache

cdef double ADDING = 0.05       # rough nanoseconds for an element's bias, as long again for its part in a sum

cdef struct Work:
    const Job* job              # of one piece each: x, grad and outputs; without a kernel x alone, which is summed
    int size
    const char* bias
    Py_ssize_t length           # of the bias
    bint buffered[MAX_OUT]      # an output that is grad, or that is written past the caches
    bint stream
    Py_ssize_t blocks
    Py_ssize_t parts
    Py_ssize_t rows
    Py_ssize_t tall             # rows of a chunk
    bint narrow                 # blocks go on from row to row; else each is in one
    Py_ssize_t strips           # of STRIP columns
    Py_ssize_t lanes            # totals of a chunk; as many errors follow
    double* totals              # NULL: no sums


# ---------------------------------------------------------------------------------------------------
# One block
# ---------------------------------------------------------------------------------------------------

cdef inline void fill_up(char* buffer, Py_ssize_t m, Py_ssize_t padded, int size) noexcept nogil:
    memset(buffer + m * size, 0, (padded - m) * size)


cdef void load(const Work* w, Py_ssize_t start, Py_ssize_t m, char* room, char* x) noexcept nogil:
    """x + bias."""
    cdef const Operand* a = &w.job.x
    cdef const char* source = a.data + start * a.stride
    if a.type:
        movers[w.size == 8].gather(source, 0, 1, a.stride, a.type, room, m)
        source = room
    movers[w.size == 8].add(source, w.bias + start % w.length * w.size, x, m)


cdef void block(const Work* w, Py_ssize_t start, Py_ssize_t m, char* x, double* totals) noexcept nogil:
    """m elements from one on; x is where there is room for five blocks."""
    cdef const Job* job = w.job
    cdef Py_ssize_t room = BLOCK * 8, padded = (m + GROUP - 1) & ~(GROUP - 1), column = start % w.length
    cdef int j, size = w.size
    cdef const void* p[MAX_PARAMS + 1]
    cdef char* out[MAX_OUT]
    cdef const char* ahead = NULL
    if job.op == NULL:
        movers[size == 8].total(job.x.data + start * size, totals + column, totals + w.lanes + column, m)
        return
    load(w, start, m, x + 3 * room, x)
    fill_up(x, m, padded, size)
    for j in range(job.op.nparams):
        p[j] = job.params[j].data
    if job.op.grad:
        p[job.op.nparams] = job.grad.data + start * size
        if job.grad.type or padded != m:
            movers[size == 8].gather(job.grad.data + start * job.grad.stride, 0, 1, job.grad.stride, job.grad.type, x + 3 * room, m)
            fill_up(x + 3 * room, m, padded, size)
            p[job.op.nparams] = x + 3 * room
    for j in range(job.op.nout):
        out[j] = job.out[j].data + start * size
        if w.buffered[j] or job.out[j].type or padded != m:
            out[j] = x + (1 + j) * room
    job.op.uniform(x, out[0], out[1], padded, p)
    if totals != NULL:
        movers[size == 8].total(out[0], totals + column, totals + w.lanes + column, m)
    for j in range(job.op.nout):
        if w.stream:
            if j == 0 and start + m + BLOCK <= job.n and job.x.type == 0:
                ahead = job.x.data + (start + m) * size
            movers[size == 8].stream(job.out[j].data + start * size, out[j], m * size, ahead)
            ahead = NULL
        elif w.buffered[j] or job.out[j].type or padded != m:
            movers[size == 8].scatter(out[j], job.out[j].data + start * job.out[j].stride, 0, 1, job.out[j].stride, job.out[j].type, m)


cdef void walk(const Work* w, Py_ssize_t start, Py_ssize_t stop, double* totals) noexcept nogil:
    """Block after block; where a block goes on in the next row, its part in sums is the same however results are written."""
    cdef char* scratch = fa_scratch()
    cdef Py_ssize_t most = STREAMED if w.stream and (totals == NULL or not w.narrow) else BLOCK, m
    while start < stop:
        m = min(most, stop - start)
        if m > GROUP:
            m &= ~(GROUP - 1)   # the remainder is a block of its own
        block(w, start, m, scratch, totals)
        start += m


# ---------------------------------------------------------------------------------------------------
# All of it
# ---------------------------------------------------------------------------------------------------

cdef void run_part(const void* given, Py_ssize_t part, int worker) noexcept nogil:
    """One of the parts without sums."""
    cdef const Work* w = <const Work*> given
    walk(w, w.blocks * part // w.parts * BLOCK, min(w.blocks * (part + 1) // w.parts * BLOCK, w.job.n), NULL)
    if w.stream:
        fa_stream_end()


cdef void run_chunk(const void* given, Py_ssize_t unit, int worker) noexcept nogil:
    """A strip of columns, or all of these where they are few, in the rows of a chunk."""
    cdef const Work* w = <const Work*> given
    cdef Py_ssize_t chunk = unit // w.strips, first = unit % w.strips * STRIP, width = min(<Py_ssize_t> STRIP, w.length - first), row
    cdef Py_ssize_t start = chunk * w.tall, stop = min(w.rows, start + w.tall)
    cdef double* totals = w.totals + 2 * chunk * w.lanes
    if w.narrow:
        walk(w, start * w.length, stop * w.length, totals)
    else:
        for row in range(start, stop):
            walk(w, row * w.length + first, row * w.length + first + width, totals)
    if w.stream:
        fa_stream_end()


cdef void go(Work* w) noexcept nogil:
    """Compute, on several threads where it is large enough to pay."""
    cdef const Job* job = w.job
    cdef Py_ssize_t units, unit
    cdef double cost = ADDING * w.size / 4
    cdef int threads
    cdef unsigned int status = fa_float_status()
    if job.op != NULL:
        cost += job.op.cost
    if w.totals != NULL:
        cost += ADDING * w.size / 4
        units = w.strips * ((w.rows + w.tall - 1) // w.tall)
    else:
        units = (job.n + BLOCK - 1) // BLOCK
    threads = acquire_team(job.n * cost, units)
    w.blocks = units
    w.parts = units // PART if w.stream else min(units, <Py_ssize_t> SHARES * threads)
    if threads == 1:
        if w.totals != NULL:
            for unit in range(units):
                run_chunk(w, unit, 0)
        else:
            w.parts = 1
            run_part(w, 0, 0)
    elif w.totals != NULL:
        parallel(run_chunk, w, units, threads)
    else:
        parallel(run_part, w, w.parts, threads)
    if threads > 1:
        release_team()
    fa_restore_float_mode(status)


cdef int add_bias(Job* job, const void* bias, Py_ssize_t length) except -1 nogil:
    """Compute a job of x + bias; outputs are inputs or share no memory with one. Everything is of the kernel's type."""
    return compute(job, bias, length, NULL)


cdef object sum_bias(Job* job, cnp.ndarray bias):
    """The same of a contiguous bias, and the sums of the first output by columns, in the kernel's type."""
    cdef Work w
    cdef const void* data = cnp.PyArray_DATA(bias)
    cdef Py_ssize_t length = cnp.PyArray_SIZE(bias), column
    cdef cnp.ndarray single, totals = totals_of(&w, job.n, length)
    with nogil:
        compute(job, data, length, &w)
    cdef cnp.ndarray found = folded(totals, length)
    if job.op.size == 8:
        return found
    single = np.empty(length, np.float32)
    for column in range(length):
        (<float*> cnp.PyArray_DATA(single))[column] = <float> (<double*> cnp.PyArray_DATA(found))[column]
    return single


cdef int compute(Job* job, const void* bias, Py_ssize_t length, Work* sums) except -1 nogil:
    """The same, of inputs of any type, with float16 and bfloat16 outputs too, and with sums."""
    cdef Work w
    cdef int k, size = job.op.size
    cdef Py_ssize_t have = length, want = length + min(job.n, <Py_ssize_t> BLOCK), more
    cdef char* copy
    if job.n == 0:
        return 0
    copy = <char*> malloc(want * size)
    if copy == NULL:
        with gil:
            raise MemoryError("fastact: no memory for a bias")
    memcpy(copy, bias, length * size)
    while have < want:
        more = min(have, want - have)
        memcpy(copy + have * size, copy, more * size)
        have += more
    if sums != NULL:
        w = sums[0]
    else:
        w.totals = NULL
    w.job, w.size, w.bias, w.length = job, size, copy, length
    w.stream = worth_streaming(job.n * size)
    for k in range(job.op.nout):
        w.buffered[k] = job.op.grad and job.out[k].data == job.grad.data
        w.stream &= not w.buffered[k] and job.out[k].type == 0 and job.out[k].data != job.x.data
    for k in range(job.op.nout):
        w.buffered[k] |= w.stream
    go(&w)
    free(copy)
    return 0


# ---------------------------------------------------------------------------------------------------
# From Python
# ---------------------------------------------------------------------------------------------------

cdef Operand operand(cnp.ndarray array, int own):
    """A contiguous array as an operand."""
    cdef int number = number_of(array)
    return Operand(<char*> cnp.PyArray_DATA(array), cnp.PyArray_ITEMSIZE(array), 0 if number == own else number)


cdef bint collides(cnp.ndarray a, cnp.ndarray b):
    """Whether two contiguous arrays share memory other than element by element."""
    cdef char* x = <char*> cnp.PyArray_DATA(a)
    cdef char* y = <char*> cnp.PyArray_DATA(b)
    if x == y and cnp.PyArray_ITEMSIZE(a) == cnp.PyArray_ITEMSIZE(b):
        return False
    return x < y + cnp.PyArray_NBYTES(b) and y < x + cnp.PyArray_NBYTES(a)


def biased(Kernel kernel, bint wide, tuple arrays, cnp.ndarray bias, tuple params, tuple outputs, bint sums=False):
    """Compute a kind of x + bias into outputs.

    Parameters
    ----------
    kernel : Kernel
    wide : bool
        In float64.
    arrays : tuple of numpy.ndarray
        (grad,) x: contiguous, aligned, of one shape and any dtypes of `dtypes.TYPES`, or bfloat16.
    bias : numpy.ndarray
        Contiguous, of the kernel's dtype, as long as the last axis.
    params : tuple of float
        All of them.
    outputs : tuple of numpy.ndarray
        Of the same shape, contiguous, of the kernel's dtype, or float16 or bfloat16 for float32.
    sums : bool
        Whether to sum the first output by columns, before it is rounded to float16 or bfloat16.

    Returns
    -------
    bool or numpy.ndarray
        False if an output shares memory with another array other than element by element: nothing is computed then. The sums,
        in float64, if they are wanted, else True.
    """
    cdef Job job
    cdef Work w
    cdef int j, own = 11 if wide else 10
    cdef float f32[MAX_PARAMS]
    cdef double f64[MAX_PARAMS]
    cdef object result = True
    cdef Py_ssize_t length = cnp.PyArray_SIZE(bias)
    for j, out in enumerate(outputs):
        if any(collides(out, a) for a in arrays) or any(np.may_share_memory(out, o) for o in outputs[:j]):
            return False
    job.op = &kernel.f64 if wide else &kernel.f32
    job.n = cnp.PyArray_SIZE(arrays[0])
    job.x = operand(arrays[len(arrays) - 1], own)
    if job.op.grad:
        job.grad = operand(arrays[0], own)
    for j in range(job.op.nout):
        job.out[j] = operand(outputs[j], own)
    for j in range(job.op.nparams):
        f64[j] = params[j]
        f32[j] = <float> f64[j]
        job.params[j] = Operand(<char*> (f64 + j), 0, 0)
        if not wide:
            job.params[j].data = <char*> (f32 + j)
    if sums:
        result = totals_of(&w, job.n, length)
    with nogil:
        compute(&job, cnp.PyArray_DATA(bias), length, &w if sums else NULL)
        fa_clear_float_status()
    return folded(result, length) if sums else result


def column_sums(cnp.ndarray array, Py_ssize_t length):
    """The sums by columns of a contiguous array of float32 or float64 whose last axis is so long, in float64."""
    cdef Job job
    cdef Work w
    job.op = NULL
    job.n = cnp.PyArray_SIZE(array)
    job.x = Operand(<char*> cnp.PyArray_DATA(array), cnp.PyArray_ITEMSIZE(array), 0)
    totals = totals_of(&w, job.n, length)
    w.job, w.size, w.length, w.stream = &job, cnp.PyArray_ITEMSIZE(array), length, False
    if job.n:
        with nogil:
            go(&w)
            fa_clear_float_status()
    return folded(totals, length)


cdef object totals_of(Work* w, Py_ssize_t n, Py_ssize_t length):
    """Cut rows into chunks; an array of their totals and errors, of zeros."""
    cdef Py_ssize_t least
    w.rows = n // length if length else 0
    w.narrow = length <= BLOCK
    w.strips = max(<Py_ssize_t> 1, (length + STRIP - 1) // STRIP)
    least = CHUNK // min(max(length, <Py_ssize_t> 1), <Py_ssize_t> STRIP)
    w.tall = max(least, (w.rows * w.strips + CHUNKS - 1) // CHUNKS)
    w.lanes = length + (BLOCK if w.narrow else 0)
    cdef cnp.ndarray totals = np.zeros(((w.rows + w.tall - 1) // w.tall, 2, w.lanes))
    w.totals = <double*> cnp.PyArray_DATA(totals)
    return totals


cdef object folded(double[:, :, ::1] totals, Py_ssize_t length):
    """The totals of chunks, chunk by chunk, and in these lane by lane."""
    cdef cnp.ndarray found = np.zeros(length), errors = np.zeros((2, length))
    cdef double* total = <double*> cnp.PyArray_DATA(found)
    cdef double* error = <double*> cnp.PyArray_DATA(errors)
    cdef Py_ssize_t chunk, lane, column, m
    for chunk in range(totals.shape[0]):
        for lane in range(0, totals.shape[2], max(length, 1)):
            m = min(length, totals.shape[2] - lane)
            movers[1].total(&totals[chunk, 0, lane], total, error, m)
            movers[1].total(&totals[chunk, 1, lane], error, error + length, m)
    for column in range(length):
        if isfinite(error[column]):     # an infinite total has none
            total[column] += error[column]
    fa_clear_float_status()
    return found
