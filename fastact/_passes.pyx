# cython: language_level=3, cdivision=True, boundscheck=False, wraparound=False, initializedcheck=False
"""One pass over a row, tile or panel, and the accumulators that it leaves.

The passes are printed from fastact/activations/rowwise.py. Along a row WIDTH lanes walk side by side and are folded
into one at the end; across rows each lane is a row of its own. A row longer than SEGMENT is cut into segments, which
threads share; sums are folded in the order of segments, whoever computed them. Passes read and write disjoint
buffers: remainders, and an output that is also an input, go through a cache-resident one.
"""

from libc.math cimport INFINITY
from libc.stdint cimport uintptr_t
from libc.string cimport memcpy, memset
from cython.parallel cimport prange
from fastact._kernels cimport BLOCK, GROUP

cdef extern from "memory.h" nogil:
    void fa_stream_copy(void* dst, const void* src, Py_ssize_t size)

# (in0, in1, out, accumulators, rows, width, steps of in0, in1 and out, numbers of the call and of the row)
ctypedef void (*pass_fn)(
    const void*, const void*, void*, void*, void*, void*,
    Py_ssize_t, Py_ssize_t, Py_ssize_t, Py_ssize_t, Py_ssize_t, const void* const*) noexcept nogil

cdef tuple PASS_NAMES = (
    "row_max", "exp_shift", "exp_sum", "exp_sum_scaled", "inverse", "scaled", "exp_scaled",
    "exp_sum_others", "log_total", "log_scaled", "log_sum_exp",
    "sparse_start", "sparse_excess", "sparse_step", "sparse_part", "entmax_excess", "entmax_step", "entmax_part",
    "dot", "softmax_slope", "grad_sum", "log_softmax_slope", "sparse_dot", "sparse_slope", "entmax_dot", "entmax_slope",
    "weighted_mean",
)

cdef struct Kernel:
    pass_fn along[2]        # float32, float64
    pass_fn across[2]
    int ninputs
    int nlanes
    int nstate
    bint takes_x            # and is padded with what no maximum or sum sees
    int inputs[2]           # slots, of passes that are computed once a row
    int lanes[6]
    int state[3]

cdef Kernel kernels[NPASSES]
cdef int SLOT_M, SLOT_STEP, SLOT_Y


def load(tables, passes):
    """Take the addresses of the passes from the kernel tables; `passes` says what each works on.

    Accumulators and numbers of a row that have the same name share a slot.
    """
    global SLOT_M, SLOT_STEP, SLOT_Y
    cdef Kernel* kernel
    cdef int j
    slots = {}
    for number, name in enumerate(PASS_NAMES):
        entry = passes[name]
        kernel = &kernels[number]
        for j in range(2):
            kernel.across[j] = <pass_fn> <uintptr_t> <size_t> tables[j]["rows", name, False][0]
            kernel.along[j] = kernel.across[j] if entry.once else <pass_fn> <uintptr_t> <size_t> tables[j]["rows", name, True][0]
        kernel.takes_x = entry.inputs[0] == "x"
        kernel.ninputs, kernel.nlanes, kernel.nstate = len(entry.inputs), len(entry.lanes), len(entry.state)
        for j, n in enumerate(entry.lanes):
            kernel.lanes[j] = slots.setdefault(n, len(slots))
        for j, n in enumerate(entry.state):
            kernel.state[j] = slots.setdefault(n, len(slots))
        if entry.once:
            for j, n in enumerate(entry.inputs):
                kernel.inputs[j] = slots.setdefault(n, len(slots))
    if len(slots) > SLOTS:
        raise AssertionError(f"{len(slots)} slots")
    SLOT_M, SLOT_STEP, SLOT_Y = slots["m"], slots["step"], slots["y"]


# ---------------------------------------------------------------------------------------------------
# One pass
# ---------------------------------------------------------------------------------------------------

cdef Py_ssize_t padded(Py_ssize_t w) noexcept nogil:
    return (w + GROUP - 1) & ~(GROUP - 1)


cdef inline char* slot(const View* v, int number) noexcept nogil:
    return v.slots + number * v.room


cdef inline void place(const Job* job, char* dst, const char* src, Py_ssize_t m, bint stream) noexcept nogil:
    if stream:
        fa_stream_copy(dst, src, m * job.size)
    else:
        memcpy(dst, src, m * job.size)


cdef void call(const View* v, int number, const char* a, Py_ssize_t a_step, const char* b, Py_ssize_t b_step,
               char* out, Py_ssize_t out_step, Py_ssize_t rows, Py_ssize_t width, int segment) noexcept nogil:
    """Run the kernel of a pass over disjoint buffers."""
    cdef const Kernel* k = &kernels[number]
    cdef int j, wide = v.job.size == 8, size = v.job.size
    cdef const void* p[NSCALARS + 6]
    cdef char* s[3]
    for j in range(NSCALARS):
        p[j] = v.job.typed + j * size
    for j in range(k.nlanes):
        p[NSCALARS + j] = slot(v, k.lanes[j])
    for j in range(3):
        s[j] = NULL
        if j < k.nstate:
            s[j] = slot(v, k.state[j]) + segment * WIDTH * size
    if v.along:
        k.along[wide](a, b, out, s[0], s[1], s[2], rows, width, a_step, b_step, out_step, p)
    else:
        k.across[wide](a, b, out, s[0], s[1], s[2], rows, width, a_step, b_step, out_step, p)


cdef void along(const View* v, int number, const Array* a, const Array* b, const Array* out, Py_ssize_t start, Py_ssize_t stop,
                int segment, bint buffered, bint stream) noexcept nogil:
    """A pass over part of one row; what exceeds a multiple of WIDTH goes through a buffer."""
    cdef char memory[3 * BLOCK * 8 + 64]
    cdef char* buffer = <char*> ((<uintptr_t> memory + 63) & ~<uintptr_t> 63)
    cdef const Kernel* k = &kernels[number]
    cdef int size = v.job.size
    cdef Py_ssize_t m, whole = start + ((stop - start) & ~(WIDTH - 1)), offset
    cdef Py_ssize_t step = WIDTH if out.step else 0, i
    cdef char* extra[3]
    cdef char* target
    while start < stop:
        m = whole - start
        if buffered:
            m = min(m, <Py_ssize_t> BLOCK)
        offset = start * size
        if m:
            target = buffer
            if out.step and not buffered:
                target = out.data + offset
            if k.nstate:
                call(v, number, a.data + offset, WIDTH, b.data + offset, WIDTH, target, step, m // WIDTH, WIDTH, segment)
            else:
                call(v, number, a.data + offset, WIDTH, b.data + offset, WIDTH, target, step, 1, m, segment)
            if buffered:
                place(v.job, out.data + offset, buffer, m, stream)
            start += m
            continue
        m = stop - start
        for i in range(3):
            extra[i] = buffer + i * WIDTH * 8
        if k.takes_x:
            for i in range(WIDTH):
                if size == 4:
                    (<float*> extra[0])[i] = <float> (-INFINITY * v.job.scalars[0])
                else:
                    (<double*> extra[0])[i] = -INFINITY * v.job.scalars[0]
        else:
            memset(extra[0], 0, WIDTH * 8)
        memcpy(extra[0], a.data + offset, m * size)
        if k.ninputs == 2:
            memset(extra[1], 0, WIDTH * 8)
            memcpy(extra[1], b.data + offset, m * size)
        call(v, number, extra[0], WIDTH, extra[1], WIDTH, extra[2], WIDTH, 1, WIDTH, segment)
        if out.data != NULL and out.step:
            memcpy(out.data + offset, extra[2], m * size)
        start = stop


cdef void across(const View* v, int number, const Array* a, const Array* b, const Array* out, bint buffered, bint stream) noexcept nogil:
    """A pass over a tile or panel; a width that is no multiple of GROUP is copied into one that is."""
    cdef char memory[3 * BLOCK * 8 + 64]
    cdef char* buffer = <char*> ((<uintptr_t> memory + 63) & ~<uintptr_t> 63)
    cdef const Kernel* k = &kernels[number]
    cdef int size = v.job.size, i
    cdef Py_ssize_t wide = padded(v.w), rows = v.n, start = 0, m = v.n, j
    cdef Py_ssize_t dummy = 0 if not out.step else wide
    cdef bint copied = wide != v.w
    cdef const Array* given[2]
    cdef const char* source[2]
    cdef Py_ssize_t step[2]
    cdef char* target
    buffered |= copied
    if buffered:
        rows = BLOCK // wide
    given[0] = a
    given[1] = b
    source[1] = NULL
    step[1] = 0
    while start < v.n:
        m = min(rows, v.n - start)
        for i in range(k.ninputs):
            source[i] = given[i].data + start * given[i].step * size
            step[i] = given[i].step
            if copied:
                for j in range(m):
                    memcpy(buffer + (i * BLOCK + j * wide) * size, source[i] + j * step[i] * size, v.w * size)
                    memset(buffer + (i * BLOCK + j * wide + v.w) * size, 0, (wide - v.w) * size)
                source[i] = buffer + i * BLOCK * size
                step[i] = wide
        target = out.data + start * out.step * size
        if buffered or not out.step:
            call(v, number, source[0], step[0], source[1], step[1], buffer + 2 * BLOCK * size, dummy, m, wide, 0)
            if out.data != NULL and out.step:
                for j in range(m):
                    place(v.job, target + j * out.step * size, buffer + (2 * BLOCK + j * wide) * size, v.w, stream)
        else:
            call(v, number, source[0], step[0], source[1], step[1], target, out.step, m, wide, 0)
        start += m


cdef void sweep(const View* v, int number, const Array* a, const Array* b, const Array* out) noexcept nogil:
    """A pass over everything."""
    cdef bint final = out.data == v.out.data and out.data != NULL
    cdef bint stream = final and v.job.stream
    cdef bint buffered = stream or (final and v.job.shared)
    cdef int t, count
    if not v.along:
        across(v, number, a, b, out, buffered, stream)
        return
    count = <int> ((v.n + SEGMENT - 1) // SEGMENT)
    if v.threads > 1:
        for t in prange(count, num_threads=v.threads, schedule="static"):
            along(v, number, a, b, out, <Py_ssize_t> t * SEGMENT, min(<Py_ssize_t> (t + 1) * SEGMENT, v.n), t, buffered, stream)
    else:
        for t in range(count):
            along(v, number, a, b, out, <Py_ssize_t> t * SEGMENT, min(<Py_ssize_t> (t + 1) * SEGMENT, v.n), t, buffered, stream)


# ---------------------------------------------------------------------------------------------------
# Accumulators
# ---------------------------------------------------------------------------------------------------

ctypedef fused real:
    float
    double


cdef inline void fill(real* p, Py_ssize_t n, double value) noexcept nogil:
    cdef Py_ssize_t i
    for i in range(n):
        p[i] = <real> value


cdef inline void fold_max(real* m, Py_ssize_t n) noexcept nogil:
    cdef Py_ssize_t i
    cdef int q
    cdef real best[8]
    for q in range(8):
        best[q] = m[q]
    for i in range(8, n, 8):
        for q in range(8):
            best[q] = m[i + q] if m[i + q] > best[q] else best[q]
    for q in range(8):
        best[0] = best[q] if best[q] > best[0] else best[0]
    fill(m, GROUP, best[0])


cdef inline void fold_sum(real* s, Py_ssize_t n) noexcept nogil:
    """A plain sum in float64."""
    cdef Py_ssize_t i
    cdef int q
    cdef double total[4]
    for q in range(4):
        total[q] = s[q]
    for i in range(4, n, 4):
        for q in range(4):
            total[q] += s[i + q]
    fill(s, GROUP, (total[0] + total[1]) + (total[2] + total[3]))


cdef inline void fold_pair(real* s, real* c, Py_ssize_t n, double start) noexcept nogil:
    """The sum of all s - start and c, compensated, in float64; as s + c in the end."""
    cdef Py_ssize_t i
    cdef int q
    cdef double total[4]
    cdef double error[4]
    cdef double a, sum_, v
    for q in range(4):
        total[q] = error[q] = 0.0
    for i in range(0, n, 4):
        for q in range(4):
            a = s[i + q] - start
            sum_ = total[q] + a
            v = sum_ - total[q]
            error[q] += ((total[q] - (sum_ - v)) + (a - v)) + c[i + q]
            total[q] = sum_
    for q in range(1, 4):
        sum_ = total[0] + total[q]
        v = sum_ - total[0]
        error[0] += ((total[0] - (sum_ - v)) + (total[q] - v)) + error[q]
        total[0] = sum_
    a = <real> (total[0] + error[0])
    fill(s, GROUP, a)
    fill(c, GROUP, (total[0] - a) + error[0])


cdef inline void settle(real* s, Py_ssize_t n, double start) noexcept nogil:
    cdef Py_ssize_t i
    if start != 0.0:
        for i in range(n):
            s[i] = <real> (s[i] - start)


cdef void gather_up(View* v, int number, double start, bint before, real* tag) noexcept nogil:
    """Set the accumulators of a pass before it, and fold them after it."""
    cdef const Kernel* k = &kernels[number]
    cdef Py_ssize_t n = padded(v.w)
    cdef real* s[3]
    cdef int j
    if v.along:
        n = (v.n + SEGMENT - 1) // SEGMENT * WIDTH
    for j in range(k.nstate):
        s[j] = <real*> slot(v, k.state[j])
    if before:
        for j in range(k.nstate):
            fill(s[j], n, -INFINITY if k.state[0] == SLOT_M else start if j == 0 else 0.0)
    elif not v.along:
        settle(s[0], n, start)
    elif k.state[0] == SLOT_M:
        fold_max(s[0], n)
    else:
        fold_pair(s[0], s[1], n, start)
        if k.nstate == 3:
            fold_sum(s[2], n)


cdef void reduce(View* v, int number, const Array* a, const Array* b, const Array* out, double start) noexcept nogil:
    """A pass that accumulates; `start` is where its sum starts."""
    if v.job.size == 4:
        gather_up[float](v, number, start, True, NULL)
        sweep(v, number, a, b, out)
        gather_up[float](v, number, start, False, NULL)
    else:
        gather_up[double](v, number, start, True, NULL)
        sweep(v, number, a, b, out)
        gather_up[double](v, number, start, False, NULL)


cdef void once(View* v, int number) noexcept nogil:
    """A pass over the numbers of the rows."""
    cdef const Kernel* k = &kernels[number]
    cdef const char* second = NULL
    if k.ninputs == 2:
        second = slot(v, k.inputs[1])
    call(v, number, slot(v, k.inputs[0]), 0, second, 0, NULL, 0, 1, GROUP if v.along else padded(v.w), 0)


cdef bint moves(const View* v) noexcept nogil:
    """Whether Newton's method still moves in any lane."""
    cdef Py_ssize_t i
    for i in range(1 if v.along else v.w):
        if v.job.size == 4 and (<float*> slot(v, SLOT_STEP))[i] > 0:
            return True
        if v.job.size == 8 and (<double*> slot(v, SLOT_STEP))[i] > 0:
            return True
    return False


cdef void result(const View* v, char* out) noexcept nogil:
    """Copy the one number of each row."""
    memcpy(out, slot(v, SLOT_Y), (1 if v.along else v.w) * v.job.size)
