# cython: language_level=3, cdivision=True, boundscheck=False, wraparound=False, initializedcheck=False
"""What a pass leaves of each row: accumulators, folded from many lanes into one, and the numbers made of them."""

from libc.stdint cimport int16_t, int64_t
from libc.string cimport memcpy
from fastact._kernels cimport Moves, movers
from fastact.cpu.rows.table cimport Kernel, SLOT_AT, SLOT_B, SLOT_COUNT, SLOT_M, SLOT_STEP, SLOT_TOP, SLOT_Y
from fastact.cpu.rows.view cimport MOST_COPIES, WIDTH, View, padded, segments, slot

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


cdef void settle_as(View* v, const Kernel* k, real* sums) noexcept nogil:
    cdef real first = <real> k.start[sizeof(real) == 8]
    cdef Py_ssize_t i
    if v.copies > 1:
        share[real](v, k, NULL)
    elif first > 0:
        for i in range(padded(v.w)):
            sums[i] -= first

cdef void settle(View* v, const Kernel* k, char* sums) noexcept nogil:
    """Fold the copies of each row, or take from sums what they started with."""
    if v.job.size == 4:
        settle_as[float](v, k, <float*> sums)
    else:
        settle_as[double](v, k, <double*> sums)


# ---------------------------------------------------------------------------------------------------
# Numbers of the rows
# ---------------------------------------------------------------------------------------------------

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
