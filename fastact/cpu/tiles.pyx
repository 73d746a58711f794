# cython: language_level=3, cdivision=True, boundscheck=False, wraparound=False, initializedcheck=False
"""Tiles of two dimensions, for operands of which one runs along the rows and another across them."""

from libc.stdlib cimport llabs
from fastact._kernels cimport BLOCK, GROUP, Job, Moves, Operand, movers, run_range
from fastact.cpu.grid cimport (
    MAX_DIMS, OPERANDS, ROOM, SIDE, TILE, Grid, buffers_of, find, is_direct, is_number, lies_across, place, run_row,
)


cdef void find_tiles(Grid* g) noexcept nogil:
    """Whether an operand has its neighbours in another dimension than the rows, which becomes the last of the others."""
    cdef int d, k, across = -1, last = g.ndim - 1
    cdef Py_ssize_t step, least = 0
    for k in range(g.count):
        for d in range(g.ndim):
            step = llabs(g.steps[k][d])
            if 0 < step < llabs(g.operands[k].stride) and g.shape[d] > 1 and (across < 0 or step < least):
                across = d
                least = step
    g.height = 0
    if across < 0 or g.length == 1:
        return
    for d in range(across, last):
        swap(&g.shape[d], &g.shape[d + 1])
        for k in range(g.count):
            swap(&g.steps[k][d], &g.steps[k][d + 1])
    across = 0
    for k in range(g.count):
        across += lies_across(g, k)
    g.tile = min(TILE, (ROOM - (g.count - across) * BLOCK * g.job.op.size) // across) // g.job.op.size
    g.direct = is_direct(g, True)
    g.width = side_of(g.length)
    g.height = min(g.shape[last], g.tile // g.width)
    if not g.direct:
        g.width = min(g.length, g.tile // g.height, <Py_ssize_t> BLOCK)
    g.direct &= min(g.width, (g.length - 1) % g.width + 1) >= GROUP  # the last one of a row too


cdef inline Py_ssize_t side_of(Py_ssize_t length) noexcept nogil:
    """The width of tiles: so many elements that the last one, along a row, is not short of a kernel's step."""
    cdef Py_ssize_t side = SIDE
    while side < min(length, <Py_ssize_t> 2 * SIDE) and 0 < length % side < GROUP:
        side += GROUP
    return min(side, length)


cdef inline void swap(Py_ssize_t* a, Py_ssize_t* b) noexcept nogil:
    a[0], b[0] = b[0], a[0]


cdef Py_ssize_t tiles_of(const Grid* g) noexcept nogil:
    """How many there are."""
    return g.rows // g.shape[g.ndim - 1] * strips(g) * tiles(g)


cdef inline Py_ssize_t tiles(const Grid* g) noexcept nogil:
    """How many lie side by side along a row."""
    return (g.length + g.width - 1) // g.width


cdef inline Py_ssize_t strips(const Grid* g) noexcept nogil:
    """How many rows of tiles cover the last dimension around the rows."""
    return (g.shape[g.ndim - 1] + g.height - 1) // g.height


cdef void run_tiles(const Grid* g, Py_ssize_t unit, Py_ssize_t stop) noexcept nogil:
    """Tiles of two dimensions, whatever lies across the rows transposed."""
    cdef char* buffers[OPERANDS]    # of a tile where an operand lies across, else of a block
    cdef char* here[OPERANDS]
    cdef char* data[OPERANDS]
    cdef Py_ssize_t at[MAX_DIMS]
    cdef Py_ssize_t start, first, width, height, row, some, columns = tiles(g), around = strips(g), rows = g.shape[g.ndim - 1]
    cdef int k, size = g.job.op.size, inputs = g.count - g.job.op.nout
    cdef Job job = buffers_of(g, buffers)
    for unit in range(unit, stop):
        start = unit % columns * g.width
        first = unit // columns % around * g.height
        width = min(g.width, g.length - start)
        height = min(g.height, rows - first)
        row = 0
        find(g, 0, g.count, unit // columns // around * rows + first, at, data)
        for k in range(g.count):
            data[k] += start * g.operands[k].stride
            if k < inputs and lies_across(g, k):
                move_tile(g, k, data[k], height, width, buffers[k], True)
        while g.direct and row < height:
            for k in range(g.count):
                here[k] = buffers[k] + row * width * size if lies_across(g, k) else data[k] + row * g.steps[k][g.ndim - 1]
            run_row(g, here, width)
            row += 1
        while row < height:
            some = min(BLOCK // width, height - row)
            for k in range(g.count):
                here[k] = buffers[k] + (row * width * size if lies_across(g, k) else 0)
                if k < inputs and not lies_across(g, k) and not is_number(g, k):
                    move_tile(g, k, data[k] + row * g.steps[k][g.ndim - 1], some, width, here[k], True)
            place(g, &job, here)
            run_range(&job, 0, some * width, job.op.nparams > 0 and not g.scalars, False, False)
            for k in range(inputs, g.count):
                if not lies_across(g, k):
                    move_tile(g, k, data[k] + row * g.steps[k][g.ndim - 1], some, width, here[k], False)
            row += some
        for k in range(inputs, g.count):
            if lies_across(g, k):
                move_tile(g, k, data[k], height, width, buffers[k], False)


cdef inline void move_tile(const Grid* g, int k, char* data, Py_ssize_t height, Py_ssize_t width, char* buffer, bint into) noexcept nogil:
    """Gather a tile of an operand into a buffer, or scatter it."""
    cdef const Operand* part = g.operands[k]
    cdef Py_ssize_t step = g.steps[k][g.ndim - 1], size = g.job.op.size
    cdef const Moves* moves = &movers[size == 8]
    if part.type == 0 and step == size and part.stride % size == 0:
        if into:
            moves.transpose(data, part.stride // size, buffer, width, width, height)
        else:
            moves.transpose(buffer, width, data, part.stride // size, height, width)
    elif into:
        moves.gather(data, step, height, part.stride, part.type, buffer, width)
    else:
        moves.scatter(buffer, data, step, height, part.stride, part.type, width)
