# cython: language_level=3, cdivision=True, boundscheck=False, wraparound=False, initializedcheck=False
"""The ways through an array, for row-wise functions: rows, tiles and panels.

An array comes as (outer, n, inner), the function working along n:

- rows (inner = 1): each along itself, several by turns; threads share out the rows, or the segments of a long one. For
  softmax and log_softmax all passes over a row are one kernel while the row stays in the first cache: results are written
  over the exponentials there, so that memory is reached while something else is computed.
- tiles (inner = 1, short rows): rows are transposed into a cache-resident tile with one row in each lane.
- panels (inner > 1): some columns at a time, one in each lane, read where they lie. Where columns are few, several
  positions lie side by side in the lanes.
"""

from libc.stdint cimport uintptr_t
from libc.stdlib cimport free, malloc
from libc.string cimport memset
cimport numpy as cnp
from fastact._kernels cimport BLOCK, GROUP, movers, parallel, transpose_fn, worth_streaming
from fastact.cpu.rows.accumulators cimport winners
from fastact.cpu.rows.functions cimport *
from fastact.cpu.rows.passes cimport whole
from fastact.cpu.rows.table cimport wholes
from fastact.cpu.rows.view cimport *
from fastact.cpu.threads cimport acquire_team, release_team, threads_now

cnp.import_array()

cdef extern from "memory.h" nogil:
    void fa_clear_float_status()
    unsigned int fa_float_status()
    void fa_restore_float_mode(unsigned int)
    void fa_stream_end()

cdef enum:
    LANES = 256                 # lanes of a tile, at most
    SHORT = 64                  # rows up to this long go through tiles
    SHORT_EXP = 192             # and of functions that compute an exponential and more for each row
    SHORT_BACK = 144            # and of backward passes
    TILE = 4096                 # elements of a tile
    KEPT = 1 << 19              # bytes of exponentials kept between two passes
    NEAR = 1 << 21              # bytes of an array that the caches need no help with
    BATCH = 1 << 16             # bytes of the rows that take turns, pass by pass
    BATCH_BACK = 1 << 13        # and in backward passes, where rows come in pairs and exponentials are not kept
    UNITS = 8                   # units that a thread takes at a time where memory is the limit
    SHARES = 4                  # parts that rows are divided into, at least, for each thread
    LEAST = 64                  # elements of a row for which all passes are one kernel, at least
    LEAST_DOT = 128             # the same in the backward pass of softmax, in bytes
    LINE = 1 << 16              # bytes of such a row, at most
    PANEL = 512                 # bytes of a panel's width

# ---------------------------------------------------------------------------------------------------
# Rows, tiles, panels
# ---------------------------------------------------------------------------------------------------

cdef void tile(const Grid* g, View* v, Py_ssize_t first, Py_ssize_t w, char* memory) noexcept nogil:
    """Rows first to first + w through a tile."""
    cdef int size = g.job.size
    cdef Py_ssize_t wide = padded(w), tile_bytes = g.n * g.width * size
    cdef bint two = g.b.data != NULL
    cdef transpose_fn transpose = movers[size == 8].transpose
    v.w = wide
    v.a = Array(memory, wide, 0)
    v.b = Array(memory + tile_bytes, wide, 0)
    v.out = Array(memory + 2 * tile_bytes, wide, 0)
    if wide != w:
        memset(memory, 0, 2 * tile_bytes)
    transpose(g.a.data + first * g.a.row, g.a.row // size, v.a.data, wide, w, g.n)
    if two:
        transpose(g.b.data + first * g.b.row, g.b.row // size, v.b.data, wide, w, g.n)
    solve(v)
    winners(v, g.index + first * g.job.index_size, w)
    transpose(v.out.data, wide, g.out.data + first * g.out.row, g.out.row // size, 1 if g.one else g.n, w)


cdef void whole_rows(const Grid* g, View* v, Py_ssize_t first, Py_ssize_t stop) noexcept nogil:
    """Rows by the kernel of all passes, and each whose maximum is far pass by pass: what a row becomes depends on itself."""
    v.ahead = 0
    while first < stop:
        at(g, v, first, stop - first)
        first += whole(v)
        if first < stop:
            at(g, v, first, 1)
            solve(v)
            first += 1


cdef inline void at(const Grid* g, View* v, Py_ssize_t first, Py_ssize_t rows) noexcept nogil:
    """Look at so many rows."""
    v.w = rows
    v.a = Array(g.a.data + first * g.a.row, g.a.step, g.a.row)
    v.b = Array(g.b.data + (first * g.b.row if g.b.data != NULL else 0), g.b.step, g.b.row)
    v.out = Array(g.out.data + first * g.out.row, g.out.step, g.out.row)


cdef void work(const Grid* g, Py_ssize_t start, Py_ssize_t stop, int threads, char* memory) noexcept nogil:
    """Units start to stop: rows, tiles or panels."""
    cdef View v
    cdef Py_ssize_t u, o, column
    cdef int size = g.job.size
    v.job = &g.job
    v.numbers = <const char*> g.job.typed
    v.threads = threads
    v.slots = memory
    v.room = g.room
    memory += SLOTS * g.room
    v.sums = memory
    memory += g.sums
    v.kept = memory if g.kept else NULL
    memory += g.kept
    v.along = g.inner == 1 and not g.tiled
    v.copies = g.copies
    v.n = g.n // g.copies
    v.rest = g.n % g.copies
    if g.whole:
        whole_rows(g, &v, start * g.width, min(stop * g.width, g.outer))
        return
    for u in range(start, stop):
        if g.tiled:
            tile(g, &v, u * g.width, min(g.width, g.outer - u * g.width), memory)
            continue
        o = u * g.width if v.along else u // g.per_outer
        if g.numbers != NULL:
            v.numbers = g.numbers + o * NSCALARS * size
        column = 0 if v.along else u % g.per_outer * g.width
        v.w = min(g.width, g.outer - o if v.along else g.inner - column) * g.copies
        v.a = Array(g.a.data + o * g.a.row + column * size, g.a.step * g.copies, g.a.row)
        v.b = Array(g.b.data, g.b.step * g.copies, g.b.row)
        if g.b.data != NULL:
            v.b.data += o * g.b.row + column * size
        v.ahead = g.ahead if u + 1 < stop and o + g.width + g.ahead <= g.outer else 0
        v.out = Array(g.out.data + o * g.out.row + column * size, g.out.step * g.copies, g.out.row)
        solve(&v)
        winners(&v, g.index + (o * g.inner + column) * g.job.index_size, v.w)
    if g.job.stream:
        fa_stream_end()


cdef struct Share:
    const Grid* g
    char* memory
    Py_ssize_t units
    Py_ssize_t parts


cdef void work_part(const void* given, Py_ssize_t part, int worker) noexcept nogil:
    """Some of the units; each thread has memory of its own."""
    cdef const Share* s = <const Share*> given
    work(s.g, s.units * part // s.parts, s.units * (part + 1) // s.parts, 1, s.memory + worker * s.g.memory)


cdef int run_grid(Grid* g, Py_ssize_t units, double cost) noexcept nogil:
    cdef int threads = 1
    cdef Share share
    cdef bint long_row = g.inner == 1 and g.n > SEGMENT and units < 8
    cdef char* memory
    cdef char* first
    cdef unsigned int status = fa_float_status()
    threads = acquire_team(cost, segments(g.n) if long_row else units)
    memory = <char*> malloc((1 if long_row else threads) * g.memory + 64)
    if memory != NULL:
        first = <char*> ((<uintptr_t> memory + 63) & ~<uintptr_t> 63)
        if long_row or threads == 1:
            work(g, 0, units, threads, first)
        else:  # as in _kernels.run
            share = Share(g, first, units, min(units, <Py_ssize_t> SHARES * threads))
            if (g.job.stream or g.whole) and units > UNITS * threads:
                share.parts = units // UNITS
            parallel(work_part, &share, share.parts, threads)
    if threads > 1:
        release_team()
    free(memory)
    fa_clear_float_status()
    fa_restore_float_mode(status)
    return memory == NULL


cdef void prepare(Grid* g, int op, int size, double sign, double t, double t_low, double a) noexcept nogil:
    """Fill in a job but for its arrays."""
    cdef int j
    memset(g, 0, sizeof(Grid))
    g.job.op = op
    g.job.size = size
    g.job.unit = sign == 1.0 and t == 1.0 and t_low == 0.0
    g.job.scalars[0] = sign
    g.job.scalars[1] = t
    g.job.scalars[2] = t_low
    g.job.scalars[3] = a
    g.job.scalars[4] = 1.0 / a
    for j in range(NSCALARS):
        if size == 4:
            (<float*> g.job.typed)[j] = <float> g.job.scalars[j]
        else:
            (<double*> g.job.typed)[j] = g.job.scalars[j]
    g.one = op == LOGSUMEXP or op == MAXOUT


cdef int side_by_side(const Grid* g) noexcept nogil:
    """How many positions are worked on at once where there are few columns: as many as fill whole vectors."""
    cdef int copies = 1
    if g.width < g.inner or g.a.step != g.inner or (g.b.data != NULL and g.b.step != g.inner):
        return 1
    if g.job.op in (HARDMAX, MAXOUT) or (g.out.step != g.inner and not g.one):
        return 1
    while copies * g.inner % GROUP:
        copies *= 2
    while 2 * copies * g.inner <= LANES:
        copies *= 2
    return copies if copies * g.inner <= BLOCK and 4 * copies <= g.n else 1


cdef Py_ssize_t choose(Grid* g) noexcept nogil:
    """Choose the way through the arrays of a job; the number of units on it."""
    cdef Py_ssize_t units, rows, kept
    cdef int size = g.job.size
    cdef bint kernels = wholes[size == 8][g.job.op] != NULL and g.numbers == NULL and (g.job.unit or g.b.data != NULL)
    cdef int least = LEAST_DOT // size if g.job.op == SOFTMAX_BACK else LEAST
    cdef int short_rows = least - 1 if kernels else SHORT_EXP if g.job.op <= LOGSUMEXP else SHORT_BACK if g.b.data != NULL else SHORT
    g.copies = 1
    g.job.shared = g.a.data == g.out.data or g.b.data == g.out.data
    g.whole = (kernels and g.inner == 1 and least <= g.n <= LINE // size
               and g.a.row % size == 0 and g.b.row % size == 0 and g.out.row % size == 0)
    g.tiled = g.inner == 1 and g.numbers == NULL and (g.job.op == MAXOUT or (g.n <= short_rows and g.outer > 1))
    if g.inner > 1:
        g.width = min(g.inner, <Py_ssize_t> PANEL // size)
        g.per_outer = (g.inner + g.width - 1) // g.width
        units = g.outer * g.per_outer
        g.copies = side_by_side(g)
        rows = padded(g.width * g.copies)
    elif g.tiled:
        g.width = max(<Py_ssize_t> GROUP, min(<Py_ssize_t> LANES, TILE // g.n)) & ~(GROUP - 1)
        units = (g.outer + g.width - 1) // g.width
        rows = g.width
        g.memory = 3 * g.n * g.width * size
    else:
        rows = BATCH if g.job.op <= LOGSUMEXP else BATCH_BACK if g.b.data != NULL else 0
        rows = min(<Py_ssize_t> GROUP, rows // (g.n * size), g.outer // (SHARES * threads_now()))
        g.width = rows = 1 if g.numbers != NULL else max(rows, <Py_ssize_t> 1)
        units = (g.outer + g.width - 1) // g.width
        g.sums = 3 * segments(g.n) * WIDTH * size
        if g.n * size <= KEPT and g.outer * g.n * size > NEAR:
            g.ahead = g.width
    g.room = padded(rows) * size
    kept = rows * padded(g.n // g.copies + 1) * size
    g.job.stream = worth_streaming(g.outer * g.n * g.inner * size) and not (g.job.shared or g.tiled or g.whole or g.one)
    if g.job.op in (SOFTMAX, SOFTMAX1) and kept <= KEPT:
        g.kept = kept
    g.memory += SLOTS * g.room + g.sums + g.kept + 64
    g.memory = (g.memory + 63) & ~63
    return units


cdef double cost_of(const Grid* g) noexcept nogil:
    """Nanoseconds on one thread, about."""
    return <double> (g.outer * g.n * g.inner) * 0.5 * (g.job.size // 4)


cdef int launch(Grid* g) except -1:
    """Compute a job."""
    cdef Py_ssize_t units = choose(g)
    cdef int failed
    cdef double cost = cost_of(g)
    if cost < 1000.0:
        failed = run_grid(g, units, cost)
    else:
        with nogil:
            failed = run_grid(g, units, cost)
    if failed:
        raise MemoryError("fastact: no memory for the accumulators of rows")
    return 0


cdef int run_rows(
    int op, int size, double sign, double t, double t_low, Py_ssize_t outer, Py_ssize_t n, Py_ssize_t inner, const void* a,
    Py_ssize_t a_row, const void* b, Py_ssize_t b_row, void* out, Py_ssize_t out_row, bint several
) noexcept nogil:
    """One function along n, (n, inner) being contiguous, on several threads if asked to; what is not 0 is a lack of memory."""
    cdef Grid g
    prepare(&g, op, size, sign, t, t_low, 1.0)
    g.outer, g.n, g.inner = outer, n, inner
    g.a = Array(<char*> a, inner, a_row)
    g.b = Array(<char*> b, inner, b_row)
    g.out = Array(<char*> out, inner, out_row)
    return run_grid(&g, choose(&g), cost_of(&g) if several else 0.0) if outer * n * inner else 0


def run(int op, cnp.ndarray a, b, cnp.ndarray out, double sign, double t, double t_low, index=None, numbers=None, double power=1.0):
    """Compute one function over arrays of shape (outer, n, inner).

    All have one dtype, float32 or float64. Where inner is 1 the elements along n are contiguous, else those along
    inner are. The output is an input, or shares no memory with one. `index` takes the winners: int16 or int64. `numbers`
    is an array (outer, NSCALARS) of that dtype with sign, t, t_low, a and 1/a of each row, where inner is 1.
    """
    cdef Grid g
    cdef cnp.ndarray second
    cdef int size = a.itemsize
    prepare(&g, op, size, sign, t, t_low, power)
    g.outer, g.n, g.inner = a.shape[0], a.shape[1], a.shape[2]
    if g.outer * g.n * g.inner == 0:
        return
    g.a = Array(<char*> cnp.PyArray_DATA(a), a.strides[1] // size, a.strides[0])
    g.out = Array(<char*> cnp.PyArray_DATA(out), out.strides[1] // size, out.strides[0])
    if b is not None:
        second = b
        g.b = Array(<char*> cnp.PyArray_DATA(second), second.strides[1] // size, second.strides[0])
    if index is not None:
        second = index
        g.index = <char*> cnp.PyArray_DATA(second)
        g.job.index_size = second.itemsize
    if numbers is not None:
        second = numbers
        g.numbers = <const char*> cnp.PyArray_DATA(second)
        g.job.unit = False
    launch(&g)
