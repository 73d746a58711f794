# cython: language_level=3, cdivision=True, boundscheck=False, wraparound=False, initializedcheck=False
"""The dimensions of an elementwise call in the order of memory, as few as possible, and what memory its operands share."""

from libc.stdlib cimport llabs
from fastact._kernels cimport Operand
from fastact.cpu.grid cimport MAX_DIMS, OPERANDS, Grid


cdef void arrange(Grid* g) noexcept nogil:
    """Sort the dimensions, join those that follow each other in all operands, and make the last one that of the rows."""
    cdef int order[MAX_DIMS]
    cdef Py_ssize_t shape[MAX_DIMS]
    cdef Py_ssize_t steps[OPERANDS][MAX_DIMS]
    cdef int d, i, k, n = sort(g, order), m = 0
    for i in range(n):
        d = order[n - 1 - i]
        turn_round(g, d)
        if m > 0 and follows(g, d, steps, m - 1):
            m -= 1
            shape[m] *= g.shape[d]
        else:
            shape[m] = g.shape[d]
        for k in range(g.count):
            steps[k][m] = g.steps[k][d]
        m += 1
    g.ndim = max(m - 1, 0)
    g.length = shape[m - 1] if m else 1
    g.rows = 1
    for d in range(g.ndim):
        g.shape[d] = shape[d]
        g.rows *= shape[d]
    for k in range(g.count):
        g.operands[k].stride = steps[k][m - 1] if m else 0
        for d in range(g.ndim):
            g.steps[k][d] = steps[k][d]
        g.flat[k] = is_flat(g, k)


cdef int sort(const Grid* g, int* order) noexcept nogil:
    """The dimensions of more than one element, those with the smallest steps first: as NumPy's iterator sorts them.

    Where operands do not agree, the order of the indices counts.
    """
    cdef int d, i, j, place, n = 0, found
    for d in range(g.ndim - 1, -1, -1):
        if g.shape[d] == 1:
            continue
        place = n
        for i in range(n - 1, -1, -1):
            found = compare(g, d, order[i])
            if found < 0:
                place = i
            elif found > 0:
                break
        for j in range(n, place, -1):
            order[j] = order[j - 1]
        order[place] = d
        n += 1
    return n


cdef inline int compare(const Grid* g, int outer, int inner) noexcept nogil:
    """1: the steps of the second dimension are not the larger ones for some operand; -1: they are for all; 0: nobody takes both."""
    cdef int k, found = 0
    cdef Py_ssize_t a, b
    for k in range(g.count):
        a, b = llabs(g.steps[k][outer]), llabs(g.steps[k][inner])
        if a and b:
            if b <= a:
                return 1
            found = -1
    return found


cdef inline void turn_round(Grid* g, int d) noexcept nogil:
    """Go through a dimension from its other end, if nobody goes upwards there."""
    cdef int k
    cdef bint downwards = False
    for k in range(g.count):
        if g.steps[k][d] > 0:
            return
        downwards |= g.steps[k][d] < 0
    if downwards:
        for k in range(g.count):
            g.operands[k].data += g.steps[k][d] * (g.shape[d] - 1)
            g.steps[k][d] = -g.steps[k][d]


cdef inline bint follows(const Grid* g, int d, Py_ssize_t[MAX_DIMS]* steps, int before) noexcept nogil:
    """Whether a dimension and the one before are as one for all operands."""
    cdef int k
    for k in range(g.count):
        if steps[k][before] != g.steps[k][d] * g.shape[d]:
            return False
    return True


cdef inline bint is_flat(const Grid* g, int k) noexcept nogil:
    """Whether an operand is what kernels take, in one piece, in this order."""
    cdef const Operand* part = g.operands[k]
    cdef Py_ssize_t step = part.stride * g.length
    cdef int d
    if part.type or part.stride != g.job.op.size:
        return False
    for d in range(g.ndim - 1, -1, -1):
        if g.steps[k][d] != step:
            return False
        step *= g.shape[d]
    return True


cdef inline int size_of(const Operand* part, const Grid* g) noexcept nogil:
    """Bytes of an element, which is of the kernel's type or a half."""
    return 2 if part.type else g.job.op.size


cdef bint crosses_itself(const Grid* g, int k) noexcept nogil:
    """Whether two elements of an operand may share memory: unless each step goes beyond all that the smaller ones reach."""
    cdef Py_ssize_t steps[MAX_DIMS], lengths[MAX_DIMS], reach = size_of(g.operands[k], g), step
    cdef int d, i
    for d in range(g.ndim + 1):
        step = llabs(g.operands[k].stride if d == g.ndim else g.steps[k][d])
        i = d
        while i > 0 and steps[i - 1] > step:
            steps[i], lengths[i] = steps[i - 1], lengths[i - 1]
            i -= 1
        steps[i], lengths[i] = step, g.length if d == g.ndim else g.shape[d]
    for d in range(g.ndim + 1):
        if lengths[d] > 1:
            if steps[d] < reach:
                return True
            reach += steps[d] * (lengths[d] - 1)
    return False


cdef inline void bounds(const Grid* g, int k, char** low, char** high) noexcept nogil:
    """The first byte of an operand and the one after its last."""
    cdef Py_ssize_t reach
    cdef int d
    low[0] = g.operands[k].data
    high[0] = low[0] + size_of(g.operands[k], g)
    for d in range(g.ndim + 1):
        reach = g.operands[k].stride * (g.length - 1) if d == g.ndim else g.steps[k][d] * (g.shape[d] - 1)
        if reach < 0:
            low[0] += reach
        else:
            high[0] += reach


cdef int meet(const Grid* g, int a, int b) noexcept nogil:
    """Whether two operands are the same memory (1), may share some otherwise (2), or do not (0)."""
    cdef char *low, *high, *lower, *higher
    cdef bint same = g.operands[a].data == g.operands[b].data and g.operands[a].stride == g.operands[b].stride
    cdef int d
    for d in range(g.ndim):
        same &= g.steps[a][d] == g.steps[b][d]
    if same:
        return 1
    bounds(g, a, &low, &high)
    bounds(g, b, &lower, &higher)
    return 2 if low < higher and lower < high else 0
