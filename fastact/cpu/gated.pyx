# cython: language_level=3, cdivision=True, boundscheck=False, wraparound=False, initializedcheck=False
"""Gated units: an activation's block times another array's, in cache-resident blocks.

Arrays come as (rows, run), each run contiguous: the halves of a split array are such views of it. They are worked on
as one sequence of rows * run elements, cut into blocks; a block that is not a multiple of GROUP or crosses the end of
a row is gathered, as are all blocks where the elements of a run lie apart, which interleaved halves' do.
"""

from libc.math cimport INFINITY
from libc.stdint cimport uintptr_t
from libc.string cimport memcpy, memset
cimport numpy as cnp
from fastact._kernels cimport BLOCK, GROUP, MAX_PARAMS, PART, SHARES, block_fn, movers, parallel, worth_streaming
from fastact.cpu.buffers cimport kept_empty
from fastact.cpu.gate_parts cimport bounded, infinite, mend, spread, stopped
from fastact.cpu.call import is_redirected
from fastact.cpu.threads cimport acquire_team, release_team

cnp.import_array()

cdef extern from "numpy/arrayobject.h":
    bint PyArray_CheckExact(object)
    bint PyArray_ISCARRAY_RO(cnp.ndarray)
    bint PyArray_SAMESHAPE(cnp.ndarray, cnp.ndarray)

cdef extern from "scratch.h" nogil:
    char* fa_scratch()

cdef extern from "memory.h" nogil:
    void fa_clear_float_status()
    void fa_stream_end()

cdef enum:
    PLAIN = 1 << 17             # bytes of an array that is split, beyond which its result is worth memory that is kept

cdef struct Rows:
    char* data
    Py_ssize_t stride           # bytes from row to row
    Py_ssize_t step             # elements from one of a run to the next

cdef struct Job:
    block_fn value
    block_fn both               # value and derivative; for backward
    block_fn multiply
    int size
    int nparams
    bint back
    bint steep                  # the slope may exceed 1, so that its product with the other half may overflow
    bint grows                  # so may the value exceed the gate; where that overflows it is the slope times the gate
    bint buffered               # outputs are inputs, or go past the caches
    bint stream
    Py_ssize_t n
    Py_ssize_t run
    Rows gate
    Rows linear
    Rows grad
    Rows out                    # of backward: the gradient by the gate's input
    Rows out_linear
    Py_ssize_t blocks
    Py_ssize_t parts
    double params[MAX_PARAMS]
    bint clamped                # the other half becomes itself, clamped, plus an offset, and the gate is bounded above
    double limit
    double offset


cdef inline void gather(const Job* job, const Rows* a, Py_ssize_t start, Py_ssize_t m, char* buffer) noexcept nogil:
    cdef Py_ssize_t column = start % job.run, row = start // job.run, count
    cdef int size = job.size
    cdef Py_ssize_t wide = (m + GROUP - 1) & ~(GROUP - 1)
    memset(buffer + m * size, 0, (wide - m) * size)
    while m > 0:
        count = min(m, job.run - column)
        if a.step != 1:
            spread(buffer, 1, a.data + row * a.stride + column * a.step * size, a.step, count, size)
        else:
            memcpy(buffer, a.data + row * a.stride + column * size, count * size)
        buffer += count * size
        m -= count
        row += 1
        column = 0


cdef inline void scatter(const Job* job, const Rows* a, Py_ssize_t start, Py_ssize_t m, const char* buffer) noexcept nogil:
    cdef Py_ssize_t column = start % job.run, row = start // job.run, count
    cdef int size = job.size
    while m > 0:
        count = min(m, job.run - column)
        if a.step != 1:
            spread(a.data + row * a.stride + column * a.step * size, a.step, buffer, 1, count, size)
        elif job.stream:
            movers[size == 8].stream(a.data + row * a.stride + column * size, buffer, count * size, NULL)
        else:
            memcpy(a.data + row * a.stride + column * size, buffer, count * size)
        buffer += count * size
        m -= count
        row += 1
        column = 0


cdef inline char* place(const Job* job, const Rows* a, Py_ssize_t start, Py_ssize_t m) noexcept nogil:
    """Where m elements lie side by side in a multiple of GROUP; NULL: nowhere."""
    cdef Py_ssize_t column = start % job.run
    if m % GROUP or column + m > job.run or a.step != 1:
        return NULL
    return a.data + start // job.run * a.stride + column * job.size


cdef inline const char* source(const Job* job, const Rows* a, Py_ssize_t start, Py_ssize_t m, char* buffer) noexcept nogil:
    cdef char* found = place(job, a, start, m)
    if found == NULL:
        gather(job, a, start, m, buffer)
        return buffer
    return found


cdef inline char* target(const Job* job, const Rows* a, Py_ssize_t start, Py_ssize_t m, char* buffer) noexcept nogil:
    cdef char* found = NULL if job.buffered else place(job, a, start, m)
    return buffer if found == NULL else found


cdef void block(const Job* job, Py_ssize_t start, Py_ssize_t m, char* scratch) noexcept nogil:
    cdef Py_ssize_t room = BLOCK * 8, wide = (m + GROUP - 1) & ~(GROUP - 1)
    cdef const void* p[MAX_PARAMS]
    cdef float single[MAX_PARAMS]
    cdef const void* factor[1]
    cdef int j
    cdef char* out = target(job, &job.out, start, m, scratch + 3 * room)
    cdef char* out_linear
    cdef const char* linear = source(job, &job.linear, start, m, scratch + room)
    cdef const char* gate = source(job, &job.gate, start, m, scratch)
    cdef const char* grad
    cdef const char* raw_gate = gate
    cdef const char* raw_linear = linear
    for j in range(job.nparams):
        single[j] = <float> job.params[j]
        if job.size == 4:
            p[j] = &single[j]
        else:
            p[j] = &job.params[j]
    if job.clamped:
        # The other half goes where nothing is yet: in backward what is there last is its gradient.
        out_linear = target(job, &job.out_linear, start, m, scratch + 7 * room) if job.back else scratch + 7 * room
        if job.size == 4:
            bounded[float](<float*> (scratch + 6 * room), <const float*> gate, wide, -INFINITY, job.limit, -0.0)
            bounded[float](<float*> out_linear, <const float*> linear, wide, -job.limit, job.limit, job.offset)
        else:
            bounded[double](<double*> (scratch + 6 * room), <const double*> gate, wide, -INFINITY, job.limit, -0.0)
            bounded[double](<double*> out_linear, <const double*> linear, wide, -job.limit, job.limit, job.offset)
        gate = scratch + 6 * room
        linear = out_linear
    if not job.back:
        job.value(gate, scratch + 4 * room, NULL, wide, p)
        factor[0] = linear
        job.multiply(scratch + 4 * room, out, NULL, wide, factor)
        if job.grows and infinite(job.size, scratch + 4 * room, wide):
            job.both(gate, scratch + 4 * room, scratch + 5 * room, wide, p)
            mend(job.size, out, scratch + 4 * room, scratch + 5 * room, gate, linear, wide)
        if out == scratch + 3 * room:
            scatter(job, &job.out, start, m, out)
        return
    grad = source(job, &job.grad, start, m, scratch + 2 * room)
    out_linear = target(job, &job.out_linear, start, m, scratch + 7 * room)
    job.both(gate, scratch + 4 * room, scratch + 5 * room, wide, p)
    # The slope first: its product with an infinite or a tiny grad may be lost where that with the other half is not.
    factor[0] = linear
    job.multiply(scratch + 5 * room, scratch + 6 * room, NULL, wide, factor)
    factor[0] = grad
    job.multiply(scratch + 6 * room, out, NULL, wide, factor)
    job.multiply(scratch + 4 * room, out_linear, NULL, wide, factor)
    if job.steep:
        mend(job.size, out, scratch + 6 * room, scratch + 5 * room, linear, grad, wide)
    if job.grows:
        mend(job.size, out_linear, scratch + 4 * room, scratch + 5 * room, gate, grad, wide)
    if job.clamped and job.size == 4:
        stopped[float](<float*> out, <const float*> raw_gate, wide, -INFINITY, job.limit)
        stopped[float](<float*> out_linear, <const float*> raw_linear, wide, -job.limit, job.limit)
    elif job.clamped:
        stopped[double](<double*> out, <const double*> raw_gate, wide, -INFINITY, job.limit)
        stopped[double](<double*> out_linear, <const double*> raw_linear, wide, -job.limit, job.limit)
    if out == scratch + 3 * room:
        scatter(job, &job.out, start, m, out)
    if out_linear == scratch + 7 * room:
        scatter(job, &job.out_linear, start, m, out_linear)


cdef void run_range(const Job* job, Py_ssize_t start, Py_ssize_t stop) noexcept nogil:
    cdef char* scratch = fa_scratch()
    cdef Py_ssize_t m, left
    while start < stop:
        m = min(<Py_ssize_t> BLOCK, stop - start)
        left = job.run - start % job.run
        if GROUP <= left < m and job.run >= BLOCK:
            m = left & ~(GROUP - 1)     # up to the end of a long row without copying
        elif m > GROUP:
            m &= ~(GROUP - 1)
        block(job, start, m, scratch)
        start += m
    if job.stream:
        fa_stream_end()


cdef void run_part(const void* given, Py_ssize_t part, int worker) noexcept nogil:
    cdef const Job* job = <const Job*> given
    run_range(job, job.blocks * part // job.parts * BLOCK, min(job.blocks * (part + 1) // job.parts * BLOCK, job.n))


cdef Rows rows_of(cnp.ndarray array):
    """An array of shape (rows, run)."""
    return Rows(<char*> cnp.PyArray_DATA(array), array.strides[0], array.strides[1] // array.itemsize if array.shape[1] > 1 else 1)


cdef inline size_t address(cnp.ndarray array):
    return <size_t> <uintptr_t> cnp.PyArray_DATA(array)


cdef inline bint plain_array(object x) noexcept:
    """Whether something is a contiguous array of float32 or float64 with an axis."""
    cdef int number
    if not PyArray_CheckExact(x) or cnp.PyArray_NDIM(<cnp.ndarray> x) == 0:
        return False
    number = cnp.PyArray_TYPE(<cnp.ndarray> x)
    return (number == cnp.NPY_FLOAT or number == cnp.NPY_DOUBLE) and PyArray_ISCARRAY_RO(<cnp.ndarray> x)


cdef inline bint alike(cnp.ndarray x, cnp.ndarray other) noexcept:
    return cnp.PyArray_TYPE(x) == cnp.PyArray_TYPE(other) and PyArray_SAMESHAPE(x, other)


cdef void compute(Job* job, double cost) noexcept nogil:
    """On as many threads as it is worth."""
    cdef Py_ssize_t blocks = (job.n + BLOCK - 1) // BLOCK
    cdef int threads = acquire_team(job.n * cost * (job.size // 4) * (2 if job.back else 1), blocks)
    if threads > 1:
        job.blocks = blocks
        job.parts = blocks // PART if job.stream else min(blocks, <Py_ssize_t> SHARES * threads)
        parallel(run_part, job, job.parts, threads)
        release_team()
    else:
        run_range(job, 0, job.n)
    fa_clear_float_status()


cdef class Gate:
    """The kernels of one gated unit.

    Parameters
    ----------
    tables : tuple of dict
        (address, cost) by (key, kind, varying), for float32 and float64.
    name : str
        The activation.
    params : sequence of float
        Its parameters.
    steep, grows : bool
        Whether its slope exceeds 1 anywhere, and for large gates.
    first : bool
        Whether the gate is the first of two arrays.
    """

    cdef Job jobs[2]
    cdef double cost
    cdef bint first

    def __init__(self, tuple tables, str name, params, bint steep, bint grows, bint first):
        cdef int j, k
        self.first = first
        for j in range(2):
            table = tables[j]
            self.jobs[j].value = <block_fn> <uintptr_t> <size_t> table[name, "value", False][0]
            self.jobs[j].both = <block_fn> <uintptr_t> <size_t> table[name, "both", False][0]
            self.jobs[j].multiply = <block_fn> <uintptr_t> <size_t> table["multiply", "value", True][0]
            self.jobs[j].size = 4 * (j + 1)
            self.jobs[j].steep, self.jobs[j].grows = steep, grows
            self.jobs[j].nparams = len(params)
            for k, value in enumerate(params):
                self.jobs[j].params[k] = value
        self.cost = max(0.3, 0.02 * tables[0][name, "value", False][1])

    def run(
        self, cnp.ndarray gate, cnp.ndarray linear, cnp.ndarray out, grad=None, out_linear=None, params=None, limit=None,
        double offset=0.0,
    ):
        """Compute ``out = activation(gate) * linear``, or with grad the gradients by gate and linear.

        All are (rows, run) of one dtype, of whose runs the elements follow each other, or every other one. `out` is an
        input or shares no memory with one; gradients share none. `params` are those of the activation in place of its
        defaults; the gate is clamped above to `limit`, the other half on both sides, and the offset added to that.
        """
        cdef Job job = self.jobs[gate.itemsize == 8]
        cdef Py_ssize_t rows = gate.shape[0]
        cdef int k
        job.run = gate.shape[1]
        job.n = rows * job.run
        job.gate = rows_of(gate)
        job.linear = rows_of(linear)
        job.out = rows_of(out)
        job.clamped = limit is not None or offset != 0
        job.limit = INFINITY if limit is None else limit
        job.offset = offset if offset != 0 else -0.0
        for k, value in enumerate(params or ()):
            job.params[k] = value
        job.back = grad is not None
        job.buffered = job.out.data == job.gate.data or job.out.data == job.linear.data
        if job.back:
            job.grad = rows_of(grad)
            job.out_linear = rows_of(out_linear)
        job.stream = not job.buffered and job.out.step == 1 and worth_streaming(job.n * job.size)
        job.buffered |= job.stream
        if job.n:
            with nogil:
                compute(&job, self.cost)

    def at(
        self, size_t a, size_t b, size_t y, Py_ssize_t rows, Py_ssize_t run, Py_ssize_t apart, bint double_, size_t grad=0,
        size_t other=0,
    ):
        """The same from addresses to an address: rows of a and b begin so many elements apart, those of the result and of grad
        follow each other. With grad to two addresses, the gradients by a and b, which lie as these do."""
        cdef Job job = self.jobs[double_]
        cdef Py_ssize_t stride = apart * job.size, row = run * job.size
        cdef Rows first = Rows(<char*> <uintptr_t> a, stride, 1), second = Rows(<char*> <uintptr_t> b, stride, 1)
        job.run = run
        job.n = rows * run
        job.gate, job.linear = (first, second) if self.first else (second, first)
        job.clamped, job.limit, job.offset = False, INFINITY, -0.0
        job.back = grad != 0
        job.out = Rows(<char*> <uintptr_t> y, row, 1)
        if job.back:
            job.grad = Rows(<char*> <uintptr_t> grad, row, 1)
            first, second = Rows(<char*> <uintptr_t> y, stride, 1), Rows(<char*> <uintptr_t> other, stride, 1)
            job.out, job.out_linear = (first, second) if self.first else (second, first)
        job.stream = job.buffered = worth_streaming(job.n * job.size)
        if job.n:
            with nogil:
                compute(&job, self.cost)

    def plain(self, a, b, grad):
        """The result for contiguous arrays of float32 or float64 and one shape, or both gradients; None if these are not such.

        b may be None, for an array that is split along its last axis, and so may grad.
        """
        cdef cnp.ndarray first, y, z
        cdef cnp.npy_intp shape[32]     # NPY_MAXDIMS_LEGACY
        cdef Py_ssize_t n, rows
        cdef int d, ndim
        cdef size_t incoming = 0, half
        cdef bint wide
        if not plain_array(a) or is_redirected():
            return None
        first = a
        wide = first.itemsize == 8
        n = cnp.PyArray_SIZE(first)
        if b is not None:
            if not plain_array(b) or not alike(first, b):
                return None
            if grad is not None:
                if not plain_array(grad) or not alike(first, grad):
                    return None
                z = kept_empty(first, cnp.PyArray_TYPE(first), False)
                incoming = address(grad)
            y = kept_empty(first, cnp.PyArray_TYPE(first), False)
            self.at(address(first), address(b), address(y), 1, n, n, wide, incoming, 0 if grad is None else address(z))
            return y if grad is None else (y, z)
        ndim = cnp.PyArray_NDIM(first)
        if ndim > 32 or n == 0 or cnp.PyArray_NBYTES(first) > PLAIN:
            return None
        for d in range(ndim):
            shape[d] = cnp.PyArray_DIMS(first)[d]
        if shape[ndim - 1] % 2:
            return None
        rows = n // shape[ndim - 1]
        shape[ndim - 1] //= 2
        half = shape[ndim - 1] * first.itemsize
        if grad is None:
            y = cnp.PyArray_EMPTY(ndim, shape, cnp.PyArray_TYPE(first), False)
            self.at(address(first), address(first) + half, address(y), rows, shape[ndim - 1], 2 * shape[ndim - 1], wide)
            return y
        if not plain_array(grad) or cnp.PyArray_TYPE(grad) != cnp.PyArray_TYPE(first) or cnp.PyArray_NDIM(grad) != ndim:
            return None
        for d in range(ndim):
            if cnp.PyArray_DIMS(grad)[d] != shape[d]:
                return None
        y = kept_empty(first, cnp.PyArray_TYPE(first), False)
        self.at(
            address(first), address(first) + half, address(y), rows, shape[ndim - 1], 2 * shape[ndim - 1], wide, address(grad),
            address(y) + half,
        )
        return y
