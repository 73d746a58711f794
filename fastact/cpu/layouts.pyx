# cython: language_level=3, cdivision=True, boundscheck=False, wraparound=False, initializedcheck=False
"""Large arrays of any layout and dtype, several dimensions at a time and on all threads.

NumPy's iterator says in which order the elements are best visited and how (`spread` takes its views); a ufunc would
get one row after the other, converted beforehand, on one thread. Here long rows are handed to the blocks of
_kernels.pyx as they are, and of short ones as many as fill a block are gathered; what lies in one piece stays there.
Where one array runs along the rows and another across them, tiles of both directions are taken, transposed in the caches.
"""

from libc.stdlib cimport llabs
cimport numpy as cnp
from fastact._kernels cimport (
    BLOCK, MAX_OUT, MAX_PARAMS, SHARES, Job, Kernel, Moves, Op, Operand, movers, parallel, run_range,
    worth_streaming,
)
from fastact.cpu.dtypes cimport number_of
from fastact.cpu.threads cimport acquire_team, release_team

cdef extern from "scratch.h" nogil:
    char* fa_scratch()

cdef extern from "memory.h" nogil:
    void fa_clear_float_status()
    unsigned int fa_float_status()
    void fa_restore_float_mode(unsigned int)
    void fa_prefetch(const void* src, Py_ssize_t size)
    void fa_stream_end()

cdef enum:
    MAX_DIMS = 64
    LONG = 256          # elements of a row that need no gathering
    SIDE = 64           # elements of a tile's side, if there are as many: where lines lie apart, four of each at a time
    TILE = 1 << 14      # bytes of a tile, at most
    ROOM = 1 << 16      # bytes of a thread's buffers
    OPERANDS = 2 + MAX_PARAMS + MAX_OUT

cdef struct Grid:
    Job job                                 # operands at the first element, strides along the last dimension
    int ndim                                # of the dimensions around a row
    int count                               # operands: x, (grad,) parameters, outputs
    Py_ssize_t length                       # of a row
    Py_ssize_t rows
    Py_ssize_t shape[MAX_DIMS]
    Py_ssize_t steps[OPERANDS][MAX_DIMS]
    Operand* operands[OPERANDS]
    bint flat[OPERANDS]                     # lies in one piece, in this order
    bint varying
    bint buffered
    bint stream
    Py_ssize_t tile                         # elements of a tile, at most
    Py_ssize_t width                        # of a tile, along the rows
    Py_ssize_t height                       # of a tile, along the last of the other dimensions; 0: no tiles


cdef void take(Operand* operand, Grid* g, cnp.ndarray view, int own) except *:
    """Make an array an operand."""
    cdef Py_ssize_t flat        # the step of a dimension if it does
    cdef int d, number = number_of(view)
    operand.data = <char*> cnp.PyArray_DATA(view)
    operand.stride = cnp.PyArray_STRIDES(view)[g.ndim]
    operand.type = 0 if number == own else number
    flat = cnp.PyArray_STRIDES(view)[g.ndim] * g.length
    g.flat[g.count] = number == own and operand.stride == cnp.PyArray_ITEMSIZE(view)
    for d in range(g.ndim - 1, -1, -1):
        g.steps[g.count][d] = cnp.PyArray_STRIDES(view)[d]
        g.flat[g.count] &= g.steps[g.count][d] == flat
        flat *= g.shape[d]
    g.operands[g.count] = operand
    g.count += 1


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
    cdef cnp.ndarray first = views[0]
    cdef int own = 11 if wide else 10, j, k, i = 0
    cdef Py_ssize_t d
    g.job.op = op
    g.count = 0
    g.rows = 1
    g.ndim = cnp.PyArray_NDIM(first) - 1
    if not 0 <= g.ndim < MAX_DIMS:
        raise ValueError("spread: views of 1 to 64 dimensions")
    for d in range(g.ndim):
        g.shape[d] = cnp.PyArray_DIMS(first)[d]
        g.rows *= g.shape[d]
    g.length = cnp.PyArray_DIMS(first)[g.ndim]
    if op.grad:
        take(&g.job.grad, &g, views[0], own)
        i = 1
    take(&g.job.x, &g, views[i], own)
    for j in range(op.nparams):
        take(&g.job.params[j], &g, views[i + 1 + j], own)
    for j in range(op.nout):
        take(&g.job.out[j], &g, views[i + 1 + op.nparams + j], own)
    g.varying = op.uniform == NULL
    for j in range(op.nparams):
        g.varying |= g.job.params[j].stride != 0
    k = g.count - op.nout
    g.buffered = False
    for i in range(k):
        for j in range(k, g.count):
            g.buffered |= g.operands[i].data == g.operands[j].data
    g.stream = not g.buffered and worth_streaming(g.rows * g.length * op.size)
    for j in range(op.nout):
        g.stream &= g.job.out[j].stride == op.size and g.job.out[j].type == 0
    g.buffered |= g.stream
    find_tiles(&g)
    with nogil:
        divide(&g)
        fa_clear_float_status()


cdef void find_tiles(Grid* g) noexcept nogil:
    """Whether an operand has its neighbours in another dimension than the rows, which becomes the last of the others."""
    cdef int d, k, across = -1, last = g.ndim - 1
    cdef Py_ssize_t step, least = 0
    for k in range(g.count):
        for d in range(g.ndim):
            step = llabs(g.steps[k][d])
            if 0 < step < llabs(g.operands[k].stride) and g.shape[d] > 1 and (across < 0 or step < least):
                across = d
                least = step
    g.height = 0
    if across < 0 or g.length == 1:
        return
    for d in range(across, last):
        swap(&g.shape[d], &g.shape[d + 1])
        for k in range(g.count):
            swap(&g.steps[k][d], &g.steps[k][d + 1])
    across = 0
    for k in range(g.count):
        across += lies_across(g, k)
    g.tile = min(TILE, (ROOM - (g.count - across) * BLOCK * g.job.op.size) // across) // g.job.op.size
    g.width = min(g.length, SIDE)
    g.height = min(g.shape[last], g.tile // g.width)
    g.width = min(g.length, g.tile // g.height, <Py_ssize_t> BLOCK)


cdef inline bint lies_across(const Grid* g, int k) noexcept nogil:
    """Whether an operand's neighbours are in the last of the other dimensions."""
    return 0 < llabs(g.steps[k][g.ndim - 1]) < llabs(g.operands[k].stride)


cdef inline void swap(Py_ssize_t* a, Py_ssize_t* b) noexcept nogil:
    a[0], b[0] = b[0], a[0]


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
        units = g.rows // g.shape[g.ndim - 1] * strips(g) * tiles(g)
    elif g.length >= LONG:
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
    elif g.length >= LONG:
        run_rows(g, start, stop)
    else:
        run_blocks(g, start * BLOCK, min(stop * BLOCK, g.rows * g.length))
    fa_stream_end()


cdef inline Py_ssize_t pieces(const Grid* g) noexcept nogil:
    """How many blocks a long row is cut into."""
    return (g.length + BLOCK - 1) // BLOCK


cdef inline void find(const Grid* g, int first, int stop, Py_ssize_t row, Py_ssize_t* at, char** data) noexcept nogil:
    """The place of a row in every dimension, and where the operands from first to stop begin."""
    cdef int d, k
    for k in range(first, stop):
        data[k] = g.operands[k].data
    for d in range(g.ndim - 1, -1, -1):
        at[d] = row % g.shape[d]
        row //= g.shape[d]
        for k in range(first, stop):
            data[k] += at[d] * g.steps[k][d]


cdef inline void advance(const Grid* g, int first, int stop, Py_ssize_t* at, char** data) noexcept nogil:
    """Take those operands to the next row."""
    cdef int d, k
    for d in range(g.ndim - 1, -1, -1):
        at[d] += 1
        for k in range(first, stop):
            data[k] += g.steps[k][d]
        if at[d] < g.shape[d]:
            return
        for k in range(first, stop):
            data[k] -= at[d] * g.steps[k][d]
        at[d] = 0


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
        place(g, &job, data)
        begin = unit % count
        end = min(count, begin + stop - unit)
        run_range(&job, begin * BLOCK, min(end * BLOCK, g.length), g.varying, g.buffered, g.stream)
        unit += end - begin
        advance(g, 0, g.count, at, data)


cdef inline void place(const Grid* g, Job* job, char** data) noexcept nogil:
    """Point the operands of a job to the current row."""
    cdef int j, k = 0
    if job.op.grad:
        job.grad.data = data[0]
        k = 1
    job.x.data = data[k]
    k += 1
    for j in range(job.op.nparams):
        job.params[j].data = data[k + j]
    k += job.op.nparams
    for j in range(job.op.nout):
        job.out[j].data = data[k + j]


cdef Job buffers_of(const Grid* g, char** buffers) noexcept nogil:
    """A job whose operands are buffers of a block each."""
    cdef char* scratch = fa_scratch()
    cdef int k, size = g.job.op.size
    cdef Job job = g.job
    for k in range(g.count):
        buffers[k] = scratch + k * BLOCK * 8
    job.x = job.grad = Operand(NULL, size, 0)
    for k in range(job.op.nparams):
        job.params[k] = Operand(NULL, size, 0)
    for k in range(job.op.nout):
        job.out[k] = Operand(NULL, size, 0)
    place(g, &job, buffers)
    return job


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
            elif k < inputs:
                move(g, k, start, m, buffers[k], size, True)
        place(g, &job, buffers)
        run_range(&job, 0, m, job.op.nparams > 0, g.buffered, g.stream and g.flat[inputs])
        for k in range(inputs, g.count):
            if not g.flat[k]:
                move(g, k, start, m, buffers[k], size, False)
        start += m


cdef inline Py_ssize_t tiles(const Grid* g) noexcept nogil:
    """How many lie side by side along a row."""
    return (g.length + g.width - 1) // g.width


cdef inline Py_ssize_t strips(const Grid* g) noexcept nogil:
    """How many rows of tiles cover the last dimension around the rows."""
    return (g.shape[g.ndim - 1] + g.height - 1) // g.height


cdef void run_tiles(const Grid* g, Py_ssize_t unit, Py_ssize_t stop) noexcept nogil:
    """Tiles of two dimensions, whatever lies across the rows transposed."""
    cdef char* buffers[OPERANDS]    # of a tile where an operand lies across, else of a block
    cdef char* here[OPERANDS]
    cdef char* data[OPERANDS]
    cdef Py_ssize_t at[MAX_DIMS]
    cdef Py_ssize_t start, first, width, height, row, some, columns = tiles(g), around = strips(g), rows = g.shape[g.ndim - 1]
    cdef int k, size = g.job.op.size, inputs = g.count - g.job.op.nout
    cdef Job job = buffers_of(g, buffers)
    for k in range(1, g.count):
        buffers[k] = buffers[k - 1] + (g.tile if lies_across(g, k - 1) else BLOCK) * size
    for unit in range(unit, stop):
        start = unit % columns * g.width
        first = unit // columns % around * g.height
        width = min(g.width, g.length - start)
        height = min(g.height, rows - first)
        row = 0
        find(g, 0, g.count, unit // columns // around * rows + first, at, data)
        for k in range(g.count):
            data[k] += start * g.operands[k].stride
            if k < inputs and lies_across(g, k):
                move_tile(g, k, data[k], height, width, buffers[k], True)
        while row < height:
            some = min(BLOCK // width, height - row)
            for k in range(g.count):
                here[k] = buffers[k] + (row * width * size if lies_across(g, k) else 0)
                if k < inputs and not lies_across(g, k):
                    move_tile(g, k, data[k] + row * g.steps[k][g.ndim - 1], some, width, here[k], True)
            place(g, &job, here)
            run_range(&job, 0, some * width, job.op.nparams > 0, False, False)
            for k in range(inputs, g.count):
                if not lies_across(g, k):
                    move_tile(g, k, data[k] + row * g.steps[k][g.ndim - 1], some, width, here[k], False)
            row += some
        for k in range(inputs, g.count):
            if lies_across(g, k):
                move_tile(g, k, data[k], height, width, buffers[k], False)


cdef inline void move_tile(const Grid* g, int k, char* data, Py_ssize_t height, Py_ssize_t width, char* buffer, bint into) noexcept nogil:
    """Gather a tile of an operand into a buffer, or scatter it."""
    cdef const Operand* part = g.operands[k]
    cdef Py_ssize_t step = g.steps[k][g.ndim - 1], size = g.job.op.size
    cdef const Moves* moves = &movers[size == 8]
    if part.type == 0 and step == size and part.stride % size == 0:
        if into:
            moves.transpose(data, part.stride // size, buffer, width, width, height)
        else:
            moves.transpose(buffer, width, data, part.stride // size, height, width)
    elif into:
        moves.gather(data, step, height, part.stride, part.type, buffer, width)
    else:
        moves.scatter(buffer, data, step, height, part.stride, part.type, width)


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
