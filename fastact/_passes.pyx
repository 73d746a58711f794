# cython: language_level=3, cdivision=True, boundscheck=False, wraparound=False, initializedcheck=False
"""One pass over a row, tile or panel, and the accumulators that it leaves.

The passes are printed from fastact/activations/rowwise.py. Along a row WIDTH lanes walk side by side and are folded
into one at the end, the row's lane among those of its neighbours: what is computed once a row is computed for all of
these at once. Across rows each lane is a row of its own, or, where rows are few, one of several copies of a row that
share out its positions. A row longer than SEGMENT is cut into segments, which threads share; sums are folded in the order
of segments, whoever computed them. Passes read and write disjoint buffers: an output that is also an input, and what is
shorter than WIDTH, go through a cache-resident one. Only exponentials that are kept become results where they lie.
"""

from libc.math cimport INFINITY
from libc.stdint cimport int16_t, int64_t, uintptr_t
from libc.string cimport memcpy, memset
from cython.parallel cimport prange
from fastact._kernels cimport BLOCK, GROUP, Moves, movers

cdef extern from "memory.h" nogil:
    void fa_stream_end()

# Across rows: (in0, in1, out, accumulators, rows, width, steps of in0, in1 and out, numbers of the call and of the rows).
ctypedef void (*across_fn)(
    const void*, const void*, void*, void*, void*, void*,
    Py_ssize_t, Py_ssize_t, Py_ssize_t, Py_ssize_t, Py_ssize_t, const void* const*) noexcept nogil
# Along a row: (in0, in1, out, accumulators, elements from one of these to the next, whether they start here, elements of the
# row, those by which the inputs are fetched ahead, numbers of the call and of the row).
ctypedef void (*along_fn)(
    const void*, const void*, void*, void*, Py_ssize_t, bint, Py_ssize_t, Py_ssize_t, const void* const*) noexcept nogil
# All passes over many rows: (in, out, rows, elements of a row, from row to row in both, numbers of the call); how many are done.
ctypedef Py_ssize_t (*whole_fn)(
    const void*, void*, Py_ssize_t, Py_ssize_t, Py_ssize_t, Py_ssize_t, const void* const*) noexcept nogil

cdef tuple PASS_NAMES = (
    "row_max", "largest", "exp_shift", "exp_sum", "exp_sum_scaled", "exp_total", "inverse", "scaled", "scaled_sure", "exp_scaled",
    "exp_sum_others", "exp_sum_others_scaled", "log_total", "log_shifted", "log_scaled", "log_sum_exp",
    "hard_count", "hard_part", "first_max", "sparse_start", "sparse_excess", "sparse_step", "sparse_part", "entmax_excess", "entmax_step", "entmax_part",
    "dot", "softmax_slope", "grad_sum", "log_softmax_slope", "sparse_dot", "sparse_slope", "entmax_dot", "entmax_slope",
    "weighted_mean",
)

cdef struct Kernel:
    along_fn along[2]       # float32, float64; NULL: computed once a row
    across_fn across[2]
    int ninputs
    int nlanes
    int nstate
    bint takes_x            # its first input
    bint in_place           # along a row its input lies where its output goes
    double start[2]         # of the first accumulator, the others start with 0
    int inputs[2]           # slots, of passes that are computed once a row
    int lanes[6]
    int state[3]

cdef Kernel kernels[NPASSES]
cdef whole_fn wholes[2][2]  # float32, float64; softmax, log_softmax
cdef int SLOT_M, SLOT_B, SLOT_STEP, SLOT_Y, SLOT_COUNT, SLOT_AT, SLOT_TOP


def load(tables, passes):
    """Take the addresses of the passes from the kernel tables; `passes` says what each works on.

    Accumulators and numbers of a row that have the same name share a slot.
    """
    global SLOT_M, SLOT_B, SLOT_STEP, SLOT_Y, SLOT_COUNT, SLOT_AT, SLOT_TOP
    cdef Kernel* kernel
    cdef int j
    slots = {}
    for j in range(2):
        wholes[j][0] = <whole_fn> <uintptr_t> <size_t> tables[j]["whole", "softmax"]
        wholes[j][1] = <whole_fn> <uintptr_t> <size_t> tables[j]["whole", "log_softmax"]
    for number, name in enumerate(PASS_NAMES):
        entry = passes[name]
        kernel = &kernels[number]
        for j in range(2):
            kernel.across[j] = <across_fn> <uintptr_t> <size_t> tables[j]["across", name]
            kernel.along[j] = NULL if entry.once else <along_fn> <uintptr_t> <size_t> tables[j]["along", name]
        kernel.takes_x = entry.inputs[0] == "x"
        kernel.in_place = entry.inputs[0] == "p"
        kernel.start = entry.start
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
    SLOT_M, SLOT_B, SLOT_STEP, SLOT_Y, SLOT_COUNT, SLOT_AT, SLOT_TOP = (
        slots[n] for n in ("m", "b", "step", "y", "count", "at", "top"))


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
        movers[job.size == 8].stream(dst, src, m * job.size, NULL)
    else:
        memcpy(dst, src, m * job.size)


cdef struct Run:
    const Kernel* k
    along_fn along          # NULL: across
    across_fn across
    const Array* a
    const Array* b
    const Array* out
    bint stream             # past the caches
    bint buffered           # through a buffer: past the caches, or where it is read
    char* sums[3]
    const void* numbers[NSCALARS + 6]


cdef void prepare(Run* p, const View* v, int number, const Array* a, const Array* b, const Array* out) noexcept nogil:
    """A pass with its arrays, and the numbers and accumulators of the first row, or of all if it goes across them."""
    cdef int j, wide = v.job.size == 8, size = v.job.size
    cdef bint final = out.data == v.out.data and out.data != NULL
    p.k = &kernels[number]
    p.along = p.k.along[wide] if v.along else NULL
    p.across = p.k.across[wide]
    p.a, p.b, p.out = a, b, out
    p.stream = final and v.job.stream
    p.buffered = final and (v.job.stream or v.job.shared) and not (v.along and p.k.in_place)
    for j in range(NSCALARS):
        p.numbers[j] = v.job.typed + j * size
    for j in range(p.k.nlanes):
        p.numbers[NSCALARS + j] = slot(v, p.k.lanes[j])
    for j in range(3):
        p.sums[j] = NULL
        if j < p.k.nstate:
            p.sums[j] = v.sums if p.along != NULL else slot(v, p.k.state[j])


cdef inline void call(const Run* p, const char* a, Py_ssize_t a_step, const char* b, Py_ssize_t b_step, char* out, Py_ssize_t out_step,
                      Py_ssize_t rows, Py_ssize_t width) noexcept nogil:
    """Run the kernel of a pass across rows, over disjoint buffers."""
    p.across(a, b, out, p.sums[0], p.sums[1], p.sums[2], rows, width, a_step, b_step, out_step, p.numbers)


cdef inline void fill(char* p, int size, Py_ssize_t n, double value) noexcept nogil:
    cdef Py_ssize_t i
    if size == 4:
        for i in range(n):
            (<float*> p)[i] = <float> value
    else:
        for i in range(n):
            (<double*> p)[i] = value


cdef inline void start(const View* v, const Run* p, Py_ssize_t n) noexcept nogil:
    """What n accumulators start with."""
    cdef int j
    fill(p.sums[0], v.job.size, n, p.k.start[v.job.size == 8])
    for j in range(1, p.k.nstate):
        fill(p.sums[j], v.job.size, n, 0.0)


cdef inline void neutral(const View* v, const Kernel* k, char* p, Py_ssize_t n) noexcept nogil:
    """Fill with what no maximum or sum sees."""
    fill(p, v.job.size, n, -INFINITY * v.job.scalars[0] if k.takes_x else 0.0)


cdef void little(const View* v, const Run* p, const char* a, const char* b, char* out, Py_ssize_t m, char* sums) noexcept nogil:
    """A pass over fewer than WIDTH elements, through buffers."""
    cdef char memory[3 * WIDTH * 8 + 64]
    cdef char* buffer = <char*> ((<uintptr_t> memory + 63) & ~<uintptr_t> 63)
    cdef char* second = buffer + WIDTH * 8
    cdef char* target = second + WIDTH * 8
    neutral(v, p.k, buffer, WIDTH)
    memcpy(buffer, a, m * v.job.size)
    if p.k.ninputs == 2:
        neutral(v, p.k, second, WIDTH)
        memcpy(second, b, m * v.job.size)
    p.along(buffer, second, buffer if p.k.in_place else target, sums, segments(v.n) * WIDTH, True, WIDTH, 0, p.numbers)
    if p.out.data != NULL:
        memcpy(out, buffer if p.k.in_place else target, m * v.job.size)


cdef void along(const View* v, const Run* p, const char* a, const char* b, char* out, Py_ssize_t ahead, int segment) noexcept nogil:
    """A pass over a segment of one row; the row so many further on is fetched meanwhile, unless 0."""
    cdef char memory[(BLOCK + WIDTH) * 8 + 64]
    cdef char* buffer = <char*> ((<uintptr_t> memory + 63) & ~<uintptr_t> 63)
    cdef int size = v.job.size
    cdef Py_ssize_t begin = <Py_ssize_t> segment * SEGMENT, n = min(v.n - begin, <Py_ssize_t> SEGMENT), m
    cdef char* sums = p.sums[0] + segment * WIDTH * size
    cdef char* target
    cdef bint fresh = True
    a += begin * size
    b += begin * size
    out += begin * size
    if n < WIDTH:
        little(v, p, a, b, out, n, sums)
        return
    while n > 0:
        target = <char*> a if p.k.in_place else buffer if p.buffered else out
        m = BLOCK if target != out and n >= BLOCK + WIDTH else n    # a kernel takes no fewer than WIDTH
        p.along(a, b, target, sums, segments(v.n) * WIDTH, fresh, m, ahead * p.a.row // size, p.numbers)
        if target != out:
            place(v.job, out, target, m, p.stream)
        fresh = False
        n -= m
        a += m * size
        b += m * size
        out += m * size


cdef void lengthwise(const View* v, Run* p) noexcept nogil:
    """A pass over each row in turn."""
    cdef Py_ssize_t row
    cdef int t, j, count = <int> segments(v.n)
    cdef const char* a = p.a.data
    cdef const char* b = p.b.data
    # By the pass that computes most: the one before the last, in backward the last.
    cdef Py_ssize_t ahead = v.ahead if (p.k.nstate > 1) == (p.k.ninputs == 1) else 0
    cdef char* out = p.out.data
    for row in range(v.w):
        if v.threads > 1:
            for t in prange(count, num_threads=v.threads, schedule="static"):
                along(v, p, a, b, out, 0, t)
                if p.stream:
                    fa_stream_end()
        else:
            for t in range(count):
                along(v, p, a, b, out, ahead, t)
        if p.k.nstate:
            fold_row(v, p.k, v.sums, row)
        for j in range(p.k.nlanes):
            p.numbers[NSCALARS + j] = <const char*> p.numbers[NSCALARS + j] + v.job.size
        a += p.a.row
        b += p.b.row
        out += p.out.row


cdef void across(const View* v, const Run* p) noexcept nogil:
    """A pass over a tile or panel; a width that is no multiple of GROUP is copied into one that is."""
    cdef char memory[3 * BLOCK * 8 + 64]
    cdef char* buffer = <char*> ((<uintptr_t> memory + 63) & ~<uintptr_t> 63)
    cdef int size = v.job.size, i
    cdef Py_ssize_t wide = padded(v.w), rows = v.n, done = 0, m, j
    cdef Py_ssize_t left = v.rest * (v.w // v.copies) * size    # bytes of the last positions
    cdef bint copied = wide != v.w
    cdef const Array* given[2]
    cdef const char* source[2]
    cdef Py_ssize_t step[2]
    cdef char* result = buffer + 2 * BLOCK * size
    cdef char* target
    if copied or p.buffered:
        rows = BLOCK // wide
    given[0] = p.a
    given[1] = p.b
    source[1] = NULL
    step[1] = 0
    while done < v.n:
        m = min(rows, v.n - done)
        for i in range(p.k.ninputs):
            source[i] = given[i].data + done * given[i].step * size
            step[i] = given[i].step
            if copied:
                for j in range(m):
                    memcpy(buffer + (i * BLOCK + j * wide) * size, source[i] + j * step[i] * size, v.w * size)
                    memset(buffer + (i * BLOCK + j * wide + v.w) * size, 0, (wide - v.w) * size)
                source[i] = buffer + i * BLOCK * size
                step[i] = wide
        target = p.out.data + done * p.out.step * size
        if copied or p.buffered:
            call(p, source[0], step[0], source[1], step[1], result, wide, m, wide)
            if p.out.data != NULL:
                for j in range(m):
                    place(v.job, target + j * p.out.step * size, result + j * wide * size, v.w, p.stream)
        else:
            call(p, source[0], step[0], source[1], step[1], target, p.out.step, m, wide)
        done += m
    if left:
        for i in range(p.k.ninputs):
            source[i] = buffer + i * BLOCK * size
            neutral(v, p.k, buffer + i * BLOCK * size, wide)
            memcpy(buffer + i * BLOCK * size, given[i].data + v.n * given[i].step * size, left)
        call(p, source[0], wide, source[1], wide, result, wide, 1, wide)
        if p.out.data != NULL:
            memcpy(p.out.data + v.n * p.out.step * size, result, left)


cdef void sweep(const View* v, int number, const Array* a, const Array* b, const Array* out) noexcept nogil:
    """A pass over everything that leaves no accumulators."""
    cdef Run p
    prepare(&p, v, number, a, b, out)
    if v.along:
        lengthwise(v, &p)
    else:
        across(v, &p)


# ---------------------------------------------------------------------------------------------------
# Accumulators
# ---------------------------------------------------------------------------------------------------

ctypedef fused real:
    float
    double


cdef void fold(const Kernel* k, const real* sums, Py_ssize_t n, real** lanes) noexcept nogil:
    """Fold the accumulators of one row, n of each."""
    cdef const Moves* with_ = &movers[sizeof(real) == 8]
    cdef real folded[3]
    cdef int j
    if k.state[0] == SLOT_M:
        with_.fold_max(sums, n, lanes[0])
        return
    with_.fold_sums(sums, n, k.nstate, k.start[sizeof(real) == 8], folded)
    for j in range(k.nstate):
        lanes[j][0] = folded[j]


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
            for i in range(n):
                lanes[j * n + i] = s[j][i * rows + row] if i < v.copies else 0 if j else <real> k.start[sizeof(real) == 8]
        fold(k, lanes, n, target)
        for j in range(k.nstate):
            for i in range(v.copies):
                s[j][i * rows + row] = folded[j]


cdef void fold_as(const View* v, const Kernel* k, const real* sums, Py_ssize_t row) noexcept nogil:
    cdef real* lanes[3]
    cdef int j
    for j in range(k.nstate):
        lanes[j] = <real*> slot(v, k.state[j]) + row
    fold(k, sums, segments(v.n) * WIDTH, lanes)


cdef void fold_row(const View* v, const Kernel* k, const char* sums, Py_ssize_t row) noexcept nogil:
    """Fold the accumulators of a row into its lane."""
    if v.job.size == 4:
        fold_as[float](v, k, <const float*> sums, row)
    else:
        fold_as[double](v, k, <const double*> sums, row)


cdef void settle(View* v, const Run* p, real* tag) noexcept nogil:
    """Fold the copies of each row, or take from sums what they started with."""
    cdef real first = <real> p.k.start[sizeof(real) == 8]
    cdef real* sums = <real*> p.sums[0]
    cdef Py_ssize_t i
    if v.copies > 1:
        share[real](v, p.k, NULL)
    elif first > 0:
        for i in range(padded(v.w)):
            sums[i] -= first


cdef void reduce(View* v, int number, const Array* a, const Array* b, const Array* out) noexcept nogil:
    """A pass that accumulates."""
    cdef Run p
    prepare(&p, v, number, a, b, out)
    if v.along:
        lengthwise(v, &p)
        return
    start(v, &p, padded(v.w))
    across(v, &p)
    if v.job.size == 4:
        settle[float](v, &p, NULL)
    else:
        settle[double](v, &p, NULL)


cdef void once(View* v, int number) noexcept nogil:
    """A pass over the numbers of the rows."""
    cdef Array none = Array(NULL, 0, 0)
    cdef Run p
    cdef const char* second = NULL
    prepare(&p, v, number, &none, &none, &none)
    if p.k.ninputs == 2:
        second = slot(v, p.k.inputs[1])
    call(&p, slot(v, p.k.inputs[0]), 0, second, 0, NULL, 0, 1, padded(v.w))


cdef Py_ssize_t whole(const View* v) noexcept nogil:
    """Softmax or log_softmax of rows by one kernel; returns how many are done before one whose maximum is far."""
    cdef const void* numbers[NSCALARS]
    cdef int j, size = v.job.size
    for j in range(NSCALARS):
        numbers[j] = v.job.typed + j * size
    return wholes[size == 8][v.job.op](v.a.data, v.out.data, v.w, v.n, v.a.row // size, v.out.row // size, numbers)


cdef inline double number(const View* v, int which, Py_ssize_t row) noexcept nogil:
    """A number of a row."""
    if v.job.size == 4:
        return (<float*> slot(v, which))[row]
    return (<double*> slot(v, which))[row]


cdef bint far(const View* v) noexcept nogil:
    """Whether anything is subtracted from the elements of a row before their exponentials."""
    cdef Py_ssize_t i
    for i in range(v.w):
        if number(v, SLOT_B, i) != 0:
            return True
    return False


cdef bint sure(const View* v) noexcept nogil:
    """Whether the maximum alone makes up the sum of any row."""
    cdef Py_ssize_t i
    for i in range(v.w):
        if number(v, SLOT_TOP, i) < 1e30:
            return True
    return False


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
