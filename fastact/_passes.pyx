# cython: language_level=3, cdivision=True, boundscheck=False, wraparound=False, initializedcheck=False
"""One pass over a row, tile or panel, and the accumulators that it leaves.

The passes are printed from fastact/activations/rowwise.py. Along a row WIDTH lanes walk side by side and are folded
into one at the end, the row's lane among those of its neighbours: what is computed once a row is computed for all of
these at once. Across rows each lane is a row of its own, or, where rows are few, one of several copies of a row that
share out its positions. A row longer than SEGMENT is cut into segments, which
threads share; sums are folded in the order of segments, whoever computed them. Passes read and write disjoint
buffers: remainders, and an output that is also an input, go through a cache-resident one.
"""

from libc.math cimport INFINITY
from libc.stdint cimport int16_t, int64_t, uintptr_t
from libc.string cimport memcpy, memset
from cython.parallel cimport prange
from fastact._kernels cimport BLOCK, GROUP, Moves, movers

cdef extern from "memory.h" nogil:
    void fa_stream_copy(void* dst, const void* src, Py_ssize_t size)
    void fa_stream_end()
    void fa_prefetch(const void* src, Py_ssize_t size)

# (in0, in1, out, accumulators, rows, width, steps of in0, in1 and out, numbers of the call and of the row)
ctypedef void (*pass_fn)(
    const void*, const void*, void*, void*, void*, void*,
    Py_ssize_t, Py_ssize_t, Py_ssize_t, Py_ssize_t, Py_ssize_t, const void* const*) noexcept nogil

cdef tuple PASS_NAMES = (
    "row_max", "exp_shift", "exp_sum", "exp_sum_scaled", "inverse", "scaled", "exp_scaled",
    "exp_sum_others", "exp_sum_others_scaled", "log_total", "log_shifted", "log_scaled", "log_sum_exp",
    "hard_count", "hard_part", "first_max", "sparse_start", "sparse_excess", "sparse_step", "sparse_part", "entmax_excess", "entmax_step", "entmax_part",
    "dot", "softmax_slope", "grad_sum", "log_softmax_slope", "sparse_dot", "sparse_slope", "entmax_dot", "entmax_slope",
    "weighted_mean",
)

cdef struct Kernel:
    pass_fn along[2]        # float32, float64
    pass_fn across[2]
    int ninputs
    int nlanes
    int nstate
    bint takes_x            # its first input
    int inputs[2]           # slots, of passes that are computed once a row
    int lanes[6]
    int state[3]

cdef Kernel kernels[NPASSES]
cdef int SLOT_M, SLOT_STEP, SLOT_Y, SLOT_COUNT, SLOT_AT


def load(tables, passes):
    """Take the addresses of the passes from the kernel tables; `passes` says what each works on.

    Accumulators and numbers of a row that have the same name share a slot.
    """
    global SLOT_M, SLOT_STEP, SLOT_Y, SLOT_COUNT, SLOT_AT
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
    SLOT_M, SLOT_STEP, SLOT_Y, SLOT_COUNT, SLOT_AT = (slots[n] for n in ("m", "step", "y", "count", "at"))


# ---------------------------------------------------------------------------------------------------
# One pass
# ---------------------------------------------------------------------------------------------------

cdef Py_ssize_t padded(Py_ssize_t w) noexcept nogil:
    return (w + GROUP - 1) & ~(GROUP - 1)


cdef Py_ssize_t segments(Py_ssize_t n) noexcept nogil:
    return (n + SEGMENT - 1) // SEGMENT


cdef inline char* slot(const View* v, int number) noexcept nogil:
    return v.slots + number * v.room


cdef inline void place(const Job* job, char* dst, const char* src, Py_ssize_t m, bint stream) noexcept nogil:
    if stream:
        fa_stream_copy(dst, src, m * job.size)
    else:
        memcpy(dst, src, m * job.size)


cdef void call(const View* v, int number, const char* a, Py_ssize_t a_step, const char* b, Py_ssize_t b_step,
               char* out, Py_ssize_t out_step, Py_ssize_t rows, Py_ssize_t width, Py_ssize_t row, int segment) noexcept nogil:
    """Run the kernel of a pass over disjoint buffers; along one row, or across them all."""
    cdef const Kernel* k = &kernels[number]
    cdef int j, wide = v.job.size == 8, size = v.job.size
    cdef bint lengthwise = v.along and k.along[wide] != k.across[wide]  # else a pass over the numbers of the rows
    cdef const void* p[NSCALARS + 6]
    cdef char* s[3]
    for j in range(NSCALARS):
        p[j] = v.job.typed + j * size
    for j in range(k.nlanes):
        p[NSCALARS + j] = slot(v, k.lanes[j]) + row * size
    for j in range(3):
        s[j] = NULL
        if j < k.nstate:
            s[j] = v.sums + (j * segments(v.n) + segment) * WIDTH * size if lengthwise else slot(v, k.state[j])
    if lengthwise:
        k.along[wide](a, b, out, s[0], s[1], s[2], rows, width, a_step, b_step, out_step, p)
    else:
        k.across[wide](a, b, out, s[0], s[1], s[2], rows, width, a_step, b_step, out_step, p)


cdef inline void neutral(const View* v, const Kernel* k, char* p, Py_ssize_t n) noexcept nogil:
    """Fill with what no maximum or sum sees."""
    cdef Py_ssize_t i
    cdef double value = -INFINITY * v.job.scalars[0] if k.takes_x else 0.0
    for i in range(n):
        if v.job.size == 4:
            (<float*> p)[i] = <float> value
        else:
            (<double*> p)[i] = value


cdef void along(const View* v, int number, const char* a, const char* b, char* out, bint keep, const char* ahead, Py_ssize_t row,
                int segment, bint buffered, bint stream) noexcept nogil:
    """A pass over a segment of one row, WIDTH elements at a time.

    A maximum, and what leaves no accumulators, may see elements twice: the last WIDTH again if there is a remainder.
    For sums that goes through a buffer. `ahead` is a row that is fetched meanwhile, or NULL.
    """
    cdef char memory[(BLOCK + 3 * WIDTH) * 8 + 64]
    cdef char* buffer = <char*> ((<uintptr_t> memory + 63) & ~<uintptr_t> 63)
    cdef const Kernel* k = &kernels[number]
    cdef int size = v.job.size, i
    cdef Py_ssize_t start = <Py_ssize_t> segment * SEGMENT, stop = min(start + SEGMENT, v.n)
    cdef Py_ssize_t m, whole, rest, last, step = WIDTH if keep else 0
    cdef const char* first
    cdef const char* second
    cdef char* target
    cdef char* extra[3]
    for i in range(3):
        extra[i] = buffer + (BLOCK + i * WIDTH) * 8
    while start < stop:
        m = min(stop - start, <Py_ssize_t> BLOCK) if buffered or ahead != NULL else stop - start
        if ahead != NULL:
            fa_prefetch(ahead + start * size, m * size)
        rest = m % WIDTH
        whole = m - rest
        last = (m - WIDTH) * size
        first = a + start * size
        second = b + start * size
        target = out + start * size if keep and not buffered else buffer
        if whole and k.nstate:
            call(v, number, first, WIDTH, second, WIDTH, target, step, whole // WIDTH, WIDTH, row, segment)
        elif whole:
            call(v, number, first, WIDTH, second, WIDTH, target, step, 1, whole, row, segment)
        if rest and whole and (k.nstate == 0 or k.state[0] == SLOT_M):
            call(v, number, first + last, WIDTH, second + last, WIDTH, target + last if keep else target, step, 1, WIDTH, row, segment)
        elif rest:
            neutral(v, k, extra[0], WIDTH)
            memcpy(extra[0], first + whole * size, rest * size)
            if k.ninputs == 2:
                neutral(v, k, extra[1], WIDTH)
                memcpy(extra[1], second + whole * size, rest * size)
            call(v, number, extra[0], WIDTH, extra[1], WIDTH, extra[2], WIDTH, 1, WIDTH, row, segment)
            if keep:
                memcpy(target + whole * size, extra[2], rest * size)
        if buffered:
            place(v.job, out + start * size, buffer, m, stream)
        start += m


cdef void across(const View* v, int number, const Array* a, const Array* b, const Array* out) noexcept nogil:
    """A pass over a tile or panel; a width that is no multiple of GROUP is copied into one that is."""
    cdef bint final = out.data == v.out.data and out.data != NULL
    cdef bint stream = final and v.job.stream
    cdef char memory[3 * BLOCK * 8 + 64]
    cdef char* buffer = <char*> ((<uintptr_t> memory + 63) & ~<uintptr_t> 63)
    cdef const Kernel* k = &kernels[number]
    cdef int size = v.job.size, i
    cdef Py_ssize_t wide = padded(v.w), rows = v.n, start = 0, m = v.n, j
    cdef Py_ssize_t dummy = 0 if not out.step else wide
    cdef Py_ssize_t left = v.rest * (v.w // v.copies) * size    # bytes of the last positions
    cdef bint copied = wide != v.w
    cdef bint buffered = copied or stream or (final and v.job.shared)
    cdef const Array* given[2]
    cdef const char* source[2]
    cdef Py_ssize_t step[2]
    cdef char* target
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
            call(v, number, source[0], step[0], source[1], step[1], buffer + 2 * BLOCK * size, dummy, m, wide, 0, 0)
            if out.data != NULL and out.step:
                for j in range(m):
                    place(v.job, target + j * out.step * size, buffer + (2 * BLOCK + j * wide) * size, v.w, stream)
        else:
            call(v, number, source[0], step[0], source[1], step[1], target, out.step, m, wide, 0, 0)
        start += m
    if left:
        for i in range(k.ninputs):
            source[i] = buffer + i * BLOCK * size
            neutral(v, k, buffer + i * BLOCK * size, wide)
            memcpy(buffer + i * BLOCK * size, given[i].data + v.n * given[i].step * size, left)
        call(v, number, source[0], 0, source[1], 0, buffer + 2 * BLOCK * size, 0, 1, wide, 0, 0)
        if out.data != NULL and out.step:
            memcpy(out.data + v.n * out.step * size, buffer + 2 * BLOCK * size, left)


cdef void along_row(const View* v, int number, const Array* a, const Array* b, const Array* out, Py_ssize_t row) noexcept nogil:
    """A pass over one row of several."""
    cdef bint final = out.data == v.out.data and out.data != NULL
    cdef bint stream = final and v.job.stream
    cdef bint buffered = stream or (final and v.job.shared)
    cdef const char* first = a.data + row * a.row
    cdef const char* second = b.data + row * b.row
    cdef char* target = out.data + row * out.row
    cdef const char* ahead = NULL
    cdef int t, count = <int> segments(v.n)
    if v.ahead != NULL and kernels[number].nstate > 1:
        ahead = v.ahead + row * a.row
    if v.threads > 1:
        for t in prange(count, num_threads=v.threads, schedule="static"):
            along(v, number, first, second, target, out.step != 0, NULL, row, t, buffered, stream)
            if stream:
                fa_stream_end()
    else:
        for t in range(count):
            along(v, number, first, second, target, out.step != 0, ahead, row, t, buffered, stream)


cdef void sweep(const View* v, int number, const Array* a, const Array* b, const Array* out) noexcept nogil:
    """A pass over everything that leaves no accumulators."""
    cdef Py_ssize_t row
    if v.along:
        for row in range(v.w):
            along_row(v, number, a, b, out, row)
    else:
        across(v, number, a, b, out)


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


cdef inline void settle(real* s, Py_ssize_t n, double start) noexcept nogil:
    cdef Py_ssize_t i
    if start != 0.0:
        for i in range(n):
            s[i] = <real> (s[i] - start)


cdef inline double origin(const Kernel* k, int j, double start) noexcept nogil:
    """What the accumulators of a pass start with."""
    return 0.0 if j else -INFINITY if k.state[0] == SLOT_M else start


cdef void fold(const Kernel* k, const real* sums, Py_ssize_t n, double start, real** lanes) noexcept nogil:
    """Fold the accumulators of one row, n of each."""
    cdef const Moves* with_ = &movers[sizeof(real) == 8]
    cdef double parts[2]
    if k.state[0] == SLOT_M:
        with_.fold_max(sums, n, lanes[0])
        return
    with_.fold_sum(sums, sums + n, n, start, parts)
    lanes[0][0] = <real> (parts[0] + parts[1])
    lanes[1][0] = <real> ((parts[0] - lanes[0][0]) + parts[1])
    if k.nstate == 3:
        with_.fold_sum(sums + 2 * n, NULL, n, 0.0, parts)
        lanes[2][0] = <real> parts[0]


cdef void share(View* v, const Kernel* k, real* tag) noexcept nogil:
    """Fold the copies of each row, and give all of them the result."""
    cdef Py_ssize_t rows = v.w // v.copies, row, n = padded(v.copies)
    cdef real lanes[3 * MOST_COPIES]
    cdef real folded[3]
    cdef real* s[3]
    cdef real* target[3]
    cdef int i, j
    for j in range(k.nstate):
        s[j] = <real*> slot(v, k.state[j])
        target[j] = &folded[j]
    for row in range(rows):
        for j in range(k.nstate):
            fill(lanes + j * n, n, origin(k, j, 0.0))
            for i in range(v.copies):
                lanes[j * n + i] = s[j][i * rows + row]
        fold(k, lanes, n, 0.0, target)
        for j in range(k.nstate):
            for i in range(v.copies):
                s[j][i * rows + row] = folded[j]


cdef void reduce_as(View* v, int number, const Array* a, const Array* b, const Array* out, double start, real* tag) noexcept nogil:
    cdef const Kernel* k = &kernels[number]
    cdef Py_ssize_t n = segments(v.n) * WIDTH, row
    cdef real* lanes[3]
    cdef int j
    if v.along:
        for row in range(v.w):
            for j in range(k.nstate):
                fill(<real*> v.sums + j * n, n, origin(k, j, start))
                lanes[j] = <real*> slot(v, k.state[j]) + row
            along_row(v, number, a, b, out, row)
            fold(k, <real*> v.sums, n, start, lanes)
        return
    n = padded(v.w)
    for j in range(k.nstate):
        fill(<real*> slot(v, k.state[j]), n, origin(k, j, start))
    across(v, number, a, b, out)
    settle(<real*> slot(v, k.state[0]), n, start)
    if v.copies > 1:
        share[real](v, k, NULL)


cdef void reduce(View* v, int number, const Array* a, const Array* b, const Array* out, double start) noexcept nogil:
    """A pass that accumulates; `start` is where its sum starts."""
    if v.job.size == 4:
        reduce_as[float](v, number, a, b, out, start, NULL)
    else:
        reduce_as[double](v, number, a, b, out, start, NULL)


cdef void once(View* v, int number) noexcept nogil:
    """A pass over the numbers of the rows."""
    cdef const Kernel* k = &kernels[number]
    cdef const char* second = NULL
    if k.ninputs == 2:
        second = slot(v, k.inputs[1])
    call(v, number, slot(v, k.inputs[0]), 0, second, 0, NULL, 0, 1, padded(v.w), 0, 0)


cdef inline double number(const View* v, int which, Py_ssize_t row) noexcept nogil:
    """A number of a row."""
    if v.job.size == 4:
        return (<float*> slot(v, which))[row]
    return (<double*> slot(v, which))[row]


cdef bint moves(const View* v) noexcept nogil:
    """Whether Newton's method still moves in any lane."""
    cdef Py_ssize_t i
    for i in range(v.w):
        if number(v, SLOT_STEP, i) > 0:
            return True
    return False


cdef void result(const View* v, char* out, bint maximum) noexcept nogil:
    """Copy the one number of each row."""
    memcpy(out, slot(v, SLOT_M if maximum else SLOT_Y), v.w // v.copies * v.job.size)


cdef void winners(const View* v, char* index, Py_ssize_t rows) noexcept nogil:
    """Write the places of the maxima as integers, if they are wanted."""
    cdef Py_ssize_t i
    if v.job.index_size == 2:
        for i in range(rows):
            (<int16_t*> index)[i] = <int16_t> number(v, SLOT_AT, i)
    elif v.job.index_size == 8:
        for i in range(rows):
            (<int64_t*> index)[i] = <int64_t> number(v, SLOT_AT, i)


cdef void first_only(const View* v) noexcept nogil:
    """Of several ones in a row leave the first."""
    cdef Py_ssize_t row, _i, seen, step = (1 if v.along else v.out.step) * v.job.size
    cdef char* p
    for row in range(v.w):
        if not number(v, SLOT_COUNT, row) > 1:
            continue
        p = v.out.data + row * (v.out.row if v.along else v.job.size)
        seen = 0
        for _i in range(v.n):
            if v.job.size == 4 and (<float*> p)[0] == 1:
                (<float*> p)[0] = <float> (seen == 0)
                seen = 1
            elif v.job.size == 8 and (<double*> p)[0] == 1:
                (<double*> p)[0] = seen == 0
                seen = 1
            p += step
