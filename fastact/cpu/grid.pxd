# An elementwise call over several dimensions, as layouts.pyx, arrange.pyx and tiles.pyx share it.

from libc.stdlib cimport llabs
from fastact._kernels cimport BLOCK, GROUP, MAX_OUT, MAX_PARAMS, Job, Op, Operand

cdef extern from "scratch.h" nogil:
    char* fa_scratch()

cdef enum:
    MAX_DIMS = 64
    LONG = 256          # elements of a row that need no gathering
    DIRECT = 32         # the same where kernels can use the operands as they are
    SIDE = 128          # elements of a tile along the rows, if there are as many
    TILE = 1 << 14      # bytes of a tile, at most
    ROOM = 1 << 16      # bytes of a thread's buffers
    OPERANDS = 2 + MAX_PARAMS + MAX_OUT

cdef struct Grid:
    Job job                                 # operands at the first element, strides along the last dimension
    int ndim                                # of the dimensions around a row
    int count                               # operands: x, (grad,) parameters, outputs
    Py_ssize_t length                       # of a row
    Py_ssize_t rows
    Py_ssize_t shape[MAX_DIMS]              # until it is arranged, of all dimensions, as are the steps
    Py_ssize_t steps[OPERANDS][MAX_DIMS]
    Operand* operands[OPERANDS]
    bint flat[OPERANDS]                     # lies in one piece, in this order
    bint varying
    bint scalars                            # parameters are numbers
    bint buffered
    bint stream
    bint direct                             # kernels compute rows where they are: is_direct()
    Py_ssize_t tile                         # elements of a tile, at most
    Py_ssize_t width                        # of a tile, along the rows
    Py_ssize_t height                       # of a tile, along the last of the other dimensions; 0: no tiles


cdef inline bint is_parameter(const Grid* g, int k) noexcept nogil:
    """Whether an operand is a parameter: they lie between the inputs and the outputs."""
    return 1 + g.job.op.grad <= k < g.count - g.job.op.nout


cdef inline bint is_number(const Grid* g, int k) noexcept nogil:
    """Whether an operand is a parameter that is a number, as all of them are."""
    return g.scalars and is_parameter(g, k)


cdef inline bint lies_across(const Grid* g, int k) noexcept nogil:
    """Whether an operand's neighbours are in the last of the other dimensions."""
    return 0 < llabs(g.steps[k][g.ndim - 1]) < llabs(g.operands[k].stride)


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


cdef inline Job buffers_of(const Grid* g, char** buffers) noexcept nogil:
    """A job whose operands are buffers, of a tile where they lie across, else of a block; numbers stay where they are."""
    cdef char* room = fa_scratch()
    cdef int k, size = g.job.op.size
    cdef Job job = g.job
    for k in range(g.count):
        if is_number(g, k):
            buffers[k] = g.operands[k].data
        else:
            buffers[k] = room
            room += (g.tile if g.height and lies_across(g, k) else <Py_ssize_t> BLOCK) * size
    job.x = job.grad = Operand(NULL, size, 0)
    for k in range(0 if g.scalars else job.op.nparams):
        job.params[k] = Operand(NULL, size, 0)
    for k in range(job.op.nout):
        job.out[k] = Operand(NULL, size, 0)
    place(g, &job, buffers)
    return job


cdef inline bint runs_along(const Grid* g, int k) noexcept nogil:
    """Whether kernels can use an operand where it is, a row at a time."""
    cdef const Operand* part = g.operands[k]
    return part.type == 0 and (part.stride == g.job.op.size or is_parameter(g, k) and not g.varying)


cdef inline bint is_direct(const Grid* g, bint tiled) noexcept nogil:
    """Whether kernels can use all operands where they are, but for those that lie across the rows of tiles."""
    cdef int k
    for k in range(g.count):
        if not (runs_along(g, k) or tiled and lies_across(g, k)):
            return False
    return not g.buffered


cdef inline void run_row(const Grid* g, char** here, Py_ssize_t width) noexcept nogil:
    """Compute a row of at least GROUP elements where they are. Its last step may go over some once more: outputs are no inputs."""
    cdef const Op* op = g.job.op
    cdef const void* p[MAX_PARAMS + 1]
    cdef Py_ssize_t start = 0, n = width & ~(GROUP - 1), to
    cdef int k, x = op.grad, out = x + 1 + op.nparams
    while start < width:
        to = start * op.size
        for k in range(op.nparams):
            p[k] = here[x + 1 + k] + (to if g.varying else 0)
        if op.grad:
            p[op.nparams] = here[0] + to
        (op.varying if g.varying else op.uniform)(here[x] + to, here[out] + to, here[out + op.nout - 1] + to, n, p)
        start += n
        if start < width:
            start, n = width - GROUP, GROUP
