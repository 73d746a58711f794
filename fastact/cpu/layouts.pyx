# cython: language_level=3, cdivision=True, boundscheck=False, wraparound=False, initializedcheck=False
"""Arrays of any layout and dtype, several dimensions at a time and on all threads.

A ufunc would get one row after the other, converted beforehand, on one thread. Here the dimensions are put in order
(arrange.pyx), long rows are handed to the blocks of _kernels.pyx as they are, and of short ones as many as fill a block are
gathered; what lies in one piece stays there. Where one array runs along the rows and another across them, tiles of both
directions are taken, transposed in the caches (tiles.pyx).
"""

cimport numpy as cnp
from cpython.ref cimport PyObject
from fastact._kernels cimport BLOCK, SHARES, Job, Kernel, Op, Operand, movers, parallel, run_range, worth_streaming
from fastact.cpu.arrange cimport arrange, crosses_itself, meet
from fastact.cpu.dtypes cimport number_of
from fastact.cpu.grid cimport (
    DIRECT, LONG, MAX_DIMS, OPERANDS, Grid, advance, buffers_of, find, is_direct, is_number, is_parameter, place, run_row,
)
from fastact.cpu.threads cimport acquire_team, release_team
from fastact.cpu.tiles cimport find_tiles, run_tiles, tiles_of

cdef extern from "memory.h" nogil:
    void fa_clear_float_status()
    unsigned int fa_float_status()
    void fa_restore_float_mode(unsigned int)
    void fa_prefetch(const void* src, Py_ssize_t size)
    void fa_stream_end()


cdef void start(Grid* g, const Op* op, cnp.ndarray like) noexcept:
    """Begin with the shape of an array, which all operands have."""
    cdef int d
    g.job.op = op
    g.count = 0
    g.ndim = cnp.PyArray_NDIM(like)
    for d in range(g.ndim):
        g.shape[d] = cnp.PyArray_DIMS(like)[d]


cdef void take(Grid* g, Operand* operand, cnp.ndarray array, int type) noexcept:
    """Make an array the next operand, broadcast to the shape."""
    cdef int d, apart = g.ndim - cnp.PyArray_NDIM(array)
    operand.data = <char*> cnp.PyArray_DATA(array)
    operand.type = type
    for d in range(g.ndim):
        g.steps[g.count][d] = 0
        if d >= apart and cnp.PyArray_DIMS(array)[d - apart] == g.shape[d]:
            g.steps[g.count][d] = cnp.PyArray_STRIDES(array)[d - apart]
    g.operands[g.count] = operand
    g.count += 1


cdef void take_number(Grid* g, Operand* operand, const Operand* number) noexcept:
    """Make a number the next operand."""
    cdef int d
    operand[0] = number[0]
    for d in range(g.ndim):
        g.steps[g.count][d] = 0
    g.operands[g.count] = operand
    g.count += 1


cdef int type_of(cnp.ndarray array, int own) except -1:
    """What an array holds, as an Operand has it."""
    cdef int number = number_of(array)
    return 0 if number == own else number


def spread(Kernel kernel, bint wide, views):
    """Compute a kind over views of one shape.

    Parameters
    ----------
    kernel : Kernel
    wide : bool
        In float64.
    views : sequence of numpy.ndarray
        As the ufunc takes them, then the outputs: of the kernel's dtype, or float16 or bfloat16 for float32. An output may be
        exactly an input.
    """
    cdef Grid g
    cdef const Op* op = &kernel.f64 if wide else &kernel.f32
    cdef int own = 11 if wide else 10, j, i = 0
    if cnp.PyArray_NDIM(views[0]) > MAX_DIMS:
        raise ValueError("spread: views of at most 64 dimensions")
    start(&g, op, views[0])
    if op.grad:
        take(&g, &g.job.grad, views[0], type_of(views[0], own))
        i = 1
    take(&g, &g.job.x, views[i], type_of(views[i], own))
    i += 1
    for j in range(op.nparams):
        take(&g, &g.job.params[j], views[i + j], type_of(views[i + j], own))
    i += op.nparams
    for j in range(op.nout):
        take(&g, &g.job.out[j], views[i + j], type_of(views[i + j], own))
    with nogil:
        arrange(&g)
        compute(&g)


cdef bint lay(
    const Op* op, const Operand* params, PyObject* const* arrays, int held, cnp.ndarray grad, cnp.ndarray x, tuple outputs
) except -1:
    """Compute over arrays of one shape, which all hold the same and are aligned.

    Parameters are numbers, or where `arrays` is not NULL arrays that broadcast to that shape. Returns False, and does nothing,
    where an output shares memory with itself, with another, or with an input that is not exactly the same.
    """
    cdef Grid g
    cdef int j, k, inputs
    start(&g, op, x)
    if op.grad:
        take(&g, &g.job.grad, grad, held)
    take(&g, &g.job.x, x, held)
    for j in range(op.nparams):
        if arrays[j] == NULL:
            take_number(&g, &g.job.params[j], &params[j])
        else:
            take(&g, &g.job.params[j], <cnp.ndarray> arrays[j], 0)
    inputs = g.count
    for j in range(op.nout):
        take(&g, &g.job.out[j], outputs[j], held)
    arrange(&g)
    for k in range(inputs, g.count):
        if crosses_itself(&g, k):
            return False
        for j in range(k):
            if meet(&g, j, k) > (j < inputs):
                return False
    if g.rows * g.length * op.cost < 1000.0:
        compute(&g)
    else:
        with nogil:
            compute(&g)
    return True


cdef void compute(Grid* g) noexcept nogil:
    """Choose a way, and go it."""
    cdef const Op* op = g.job.op
    cdef int d, j, k, inputs = g.count - op.nout
    cdef bint shared = False                # an output is an input
    if g.rows * g.length == 0:
        return
    g.varying = op.uniform == NULL
    g.scalars = not g.varying
    for k in range(inputs):
        if is_parameter(g, k):
            g.varying |= g.operands[k].stride != 0
            g.scalars &= g.operands[k].stride == 0
            for d in range(g.ndim):
                g.scalars &= g.steps[k][d] == 0
    for j in range(inputs):
        for k in range(inputs, g.count):
            shared |= g.operands[j].data == g.operands[k].data
    g.stream = not shared and worth_streaming(g.rows * g.length * op.size)
    for j in range(op.nout):
        g.stream &= g.job.out[j].stride == op.size and g.job.out[j].type == 0
    g.buffered = shared or g.stream
    g.direct = is_direct(g, False)
    find_tiles(g)
    divide(g)
    fa_clear_float_status()


cdef struct Work:
    const Grid* g
    Py_ssize_t units
    Py_ssize_t parts


cdef void run_part(const void* given, Py_ssize_t part, int worker) noexcept nogil:
    cdef const Work* w = <const Work*> given
    run_units(w.g, w.units * part // w.parts, w.units * (part + 1) // w.parts)


cdef void divide(const Grid* g) noexcept nogil:
    """Cut the rows into pieces for the threads."""
    cdef Py_ssize_t total = g.rows * g.length, units = (total + BLOCK - 1) // BLOCK
    cdef int threads
    cdef unsigned int status = fa_float_status()
    cdef Work work
    if g.height:
        units = tiles_of(g)
    elif has_long_rows(g):
        units = g.rows * pieces(g)
    # What is gathered costs about a nanosecond more.
    threads = acquire_team(total * (g.job.op.cost + 1.0), units)
    if threads > 1:
        work.g = g
        work.units = units
        work.parts = min(units, <Py_ssize_t> SHARES * threads)
        parallel(run_part, &work, work.parts, threads)
        release_team()
    else:
        run_units(g, 0, units)
    fa_restore_float_mode(status)


cdef void run_units(const Grid* g, Py_ssize_t start, Py_ssize_t stop) noexcept nogil:
    """Tiles, pieces of long rows, or blocks of short ones."""
    if g.height:
        run_tiles(g, start, stop)
    elif has_long_rows(g):
        run_rows(g, start, stop)
    else:
        run_blocks(g, start * BLOCK, min(stop * BLOCK, g.rows * g.length))
    fa_stream_end()


cdef inline bint has_long_rows(const Grid* g) noexcept nogil:
    """Whether rows are computed one by one."""
    return g.length >= (DIRECT if g.direct else LONG)


cdef inline Py_ssize_t pieces(const Grid* g) noexcept nogil:
    """How many blocks a long row is cut into."""
    return (g.length + BLOCK - 1) // BLOCK


cdef void run_rows(const Grid* g, Py_ssize_t unit, Py_ssize_t stop) noexcept nogil:
    """Long rows, from one piece to another."""
    cdef Job job = g.job
    cdef Py_ssize_t at[MAX_DIMS]
    cdef char* data[OPERANDS]
    cdef Py_ssize_t begin, end, count = pieces(g)
    if unit >= stop:
        return
    find(g, 0, g.count, unit // count, at, data)
    while unit < stop:
        begin = unit % count
        end = min(count, begin + stop - unit)
        if g.direct and count == 1:
            run_row(g, data, g.length)
        else:
            place(g, &job, data)
            run_range(&job, begin * BLOCK, min(end * BLOCK, g.length), g.varying, g.buffered, g.stream)
        unit += end - begin
        advance(g, 0, g.count, at, data)


cdef void run_blocks(const Grid* g, Py_ssize_t start, Py_ssize_t stop) noexcept nogil:
    """Short rows, gathered until they fill a block."""
    cdef char* buffers[OPERANDS]
    cdef int k, size = g.job.op.size, inputs = g.count - g.job.op.nout
    cdef Job job = buffers_of(g, buffers)
    cdef Py_ssize_t m
    while start < stop:
        m = min(<Py_ssize_t> BLOCK, stop - start)
        for k in range(g.count):
            if g.flat[k]:
                buffers[k] = g.operands[k].data + start * size
            elif k < inputs and not is_number(g, k):
                move(g, k, start, m, buffers[k], size, True)
        place(g, &job, buffers)
        run_range(&job, 0, m, job.op.nparams > 0 and not g.scalars, g.buffered, g.stream and g.flat[inputs])
        for k in range(inputs, g.count):
            if not g.flat[k]:
                move(g, k, start, m, buffers[k], size, False)
        start += m


cdef void move(const Grid* g, int k, Py_ssize_t start, Py_ssize_t m, char* buffer, int size, bint into) noexcept nogil:
    """Gather m elements of an operand into a buffer, or scatter them."""
    cdef Py_ssize_t at[MAX_DIMS]
    cdef char* data[OPERANDS]
    cdef Py_ssize_t offset = start % g.length, run
    cdef Operand part = g.operands[k][0]
    cdef int inner = g.ndim - 1
    cdef Py_ssize_t rows, ahead, step = g.steps[k][inner] if g.ndim else 0
    find(g, k, k + 1, start // g.length, at, data)
    while m > 0:
        run = min(m, g.length - offset)
        rows = 1
        if g.ndim and offset == 0 and run == g.length:
            rows = min(m // g.length, g.shape[inner] - at[inner])   # to the end of the dimension around a row
        if into:
            movers[size == 8].gather(data[k] + offset * part.stride, step, rows, part.stride, part.type, buffer, run)
            if step >= 128 and at[inner] + 3 * rows <= g.shape[inner]:  # lines lie between the rows
                for ahead in range(2 * rows, 3 * rows):
                    fa_prefetch(data[k] + ahead * step, run * part.stride)
        else:
            movers[size == 8].scatter(buffer, data[k] + offset * part.stride, step, rows, part.stride, part.type, run)
        buffer += rows * run * size
        m -= rows * run
        offset = 0
        if rows > 1:
            at[inner] += rows - 1
            data[k] += (rows - 1) * step
        advance(g, k, k + 1, at, data)
