# cython: language_level=3, cdivision=True, boundscheck=False, wraparound=False, initializedcheck=False
"""One pass over a row, tile or panel.

The passes are printed from fastact/activations/rowwise.py and sparse.py. Along a row WIDTH lanes walk side by side and are folded
into one at the end, the row's lane among those of its neighbours: what is computed once a row is computed for all of
these at once. Across rows each lane is a row of its own, or, where rows are few, one of several copies of a row that
share out its positions. A row longer than SEGMENT is cut into segments, which threads share; sums are folded in the order
of segments, whoever computed them. Passes read and write disjoint buffers: an output that is also an input, and what is
shorter than WIDTH, go through a cache-resident one. Only exponentials that are kept become results where they lie.
"""

from libc.math cimport INFINITY
from libc.stdint cimport uintptr_t
from libc.string cimport memcpy, memset
from fastact._kernels cimport BLOCK, movers, parallel
from fastact.cpu.rows.accumulators cimport fold_row, settle
from fastact.cpu.rows.table cimport Kernel, across_fn, along_fn, kernels, wholes
from fastact.cpu.rows.view cimport NSCALARS, SEGMENT, WIDTH, Array, Job, View, padded, segments, slot

cdef extern from "scratch.h" nogil:
    char* fa_scratch()

cdef extern from "memory.h" nogil:
    void fa_stream_end()


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
        p.numbers[j] = v.numbers + j * size
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


cdef struct Share:
    const View* v
    const Run* p
    const char* a
    const char* b
    char* out


cdef void segment_part(const void* given, Py_ssize_t part, int worker) noexcept nogil:
    """A segment of a long row."""
    cdef const Share* s = <const Share*> given
    along(s.v, s.p, s.a, s.b, s.out, 0, <int> part)
    if s.p.stream:
        fa_stream_end()


cdef void lengthwise(const View* v, Run* p) noexcept nogil:
    """A pass over each row in turn."""
    cdef Py_ssize_t row
    cdef int t, j, count = <int> segments(v.n)
    cdef const char* a = p.a.data
    cdef const char* b = p.b.data
    # By the pass that computes most: the one before the last, in backward the last.
    cdef Py_ssize_t ahead = v.ahead if (p.k.nstate > 1) == (p.k.ninputs == 1) else 0
    cdef char* out = p.out.data
    cdef Share share
    for row in range(v.w):
        if v.threads > 1:
            share = Share(v, p, a, b, out)
            parallel(segment_part, &share, count, v.threads)
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
    cdef char* buffer = fa_scratch()
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


cdef void reduce(View* v, int number, const Array* a, const Array* b, const Array* out) noexcept nogil:
    """A pass that accumulates."""
    cdef Run p
    prepare(&p, v, number, a, b, out)
    if v.along:
        lengthwise(v, &p)
        return
    start(v, &p, padded(v.w))
    across(v, &p)
    settle(v, p.k, p.sums[0])


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
    """A function of rows by one kernel; returns how many are done before one whose maximum is far."""
    cdef const void* numbers[NSCALARS]
    cdef int j, size = v.job.size
    for j in range(NSCALARS):
        numbers[j] = v.numbers + j * size
    return wholes[size == 8][v.job.op](v.a.data, v.b.data, v.out.data, v.w, v.n, v.a.row // size, v.b.row // size, v.out.row // size,
                                       numbers)
