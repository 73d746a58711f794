# cython: language_level=3, cdivision=True, boundscheck=False, wraparound=False, initializedcheck=False
"""Gated units: an activation's block times another array's, in cache-resident blocks.

Arrays come as (rows, run), each run contiguous: the halves of a split array are such views of it. They are worked on
as one sequence of rows * run elements, cut into blocks; a block that is not a multiple of GROUP or crosses the end of
a row is gathered, as are all blocks where the elements of a run lie apart, which interleaved halves' do, or are of another
type than is computed in.
"""

from libc.math cimport INFINITY, isinf
from libc.string cimport memset
from fastact._kernels cimport BLOCK, GROUP, PART, SHARES, Operand, meets, movers, parallel, worth_streaming
from fastact.cpu.threads cimport acquire_team, release_team

cdef extern from "scratch.h" nogil:
    char* fa_scratch()

cdef extern from "memory.h" nogil:
    void fa_clear_float_status()
    unsigned int fa_float_status()
    void fa_restore_float_mode(unsigned int)
    void fa_stream_end()

ctypedef fused real:
    float
    double

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


cdef inline void gather(const Job* job, const Rows* a, Py_ssize_t start, Py_ssize_t m, char* buffer) noexcept nogil:
    cdef Py_ssize_t column = start % job.run, row = start // job.run, count
    cdef int size = job.size
    cdef Py_ssize_t wide = (m + GROUP - 1) & ~(GROUP - 1)
    memset(buffer + m * size, 0, (wide - m) * size)
    while m > 0:
        count = min(m, job.run - column)
        movers[size == 8].gather(a.data + row * a.stride + column * a.step, 0, 1, a.step, a.type, buffer, count)
        buffer += count * size
        m -= count
        row += 1
        column = 0


cdef inline void scatter(const Job* job, const Rows* a, Py_ssize_t start, Py_ssize_t m, const char* buffer) noexcept nogil:
    cdef Py_ssize_t column = start % job.run, row = start // job.run, count
    cdef int size = job.size
    while m > 0:
        count = min(m, job.run - column)
        if job.stream and a.step == size and a.type == 0:
            movers[size == 8].stream(a.data + row * a.stride + column * size, buffer, count * size, NULL)
        else:
            movers[size == 8].scatter(buffer, a.data + row * a.stride + column * a.step, 0, 1, a.step, a.type, count)
        buffer += count * size
        m -= count
        row += 1
        column = 0


cdef inline char* place(const Job* job, const Rows* a, Py_ssize_t start, Py_ssize_t m) noexcept nogil:
    """Where m elements lie side by side in a multiple of GROUP; NULL: nowhere."""
    cdef Py_ssize_t column = start % job.run
    if m % GROUP or column + m > job.run or a.step != job.size or a.type:
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


cdef int shared(const Job* job, const Rows* out) noexcept nogil:
    """Whether an output is an input (1), or, of one run, shares memory with one otherwise (2)."""
    cdef const Rows* inputs[3]
    cdef Operand a, b
    cdef int j, found = 0
    inputs[0], inputs[1], inputs[2] = &job.gate, &job.linear, &job.grad
    for j in range(3 if job.back else 2):
        if job.n == job.run:
            a = Operand(out.data, out.step, out.type)
            b = Operand(inputs[j].data, inputs[j].step, inputs[j].type)
            found |= meets(&a, &b, job.n, job.size)
        else:
            found |= out.data == inputs[j].data
    return found


cdef void launch(Job* job) noexcept nogil:
    """Compute a job, on several threads where it is large enough to pay."""
    cdef Py_ssize_t blocks = (job.n + BLOCK - 1) // BLOCK
    cdef int threads = 1, found = shared(job, &job.out)
    cdef unsigned int status
    if job.n == 0:
        return
    status = fa_float_status()
    if job.back:
        found |= shared(job, &job.out_linear)
    job.stream = not found and job.out.step == job.size and job.out.type == 0 and worth_streaming(job.n * job.size)
    job.buffered = found or job.stream
    if found < 2:  # else blocks must be finished in order, as in _kernels.run
        threads = acquire_team(job.n * job.cost * (job.size // 4) * (2 if job.back else 1), blocks)
    if threads > 1:
        job.blocks = blocks
        job.parts = blocks // PART if job.stream else min(blocks, <Py_ssize_t> SHARES * threads)
        parallel(run_part, job, job.parts, threads)
        release_team()
    else:
        run_range(job, 0, job.n)
    fa_clear_float_status()
    fa_restore_float_mode(status)
