from fastact.cpu.grid cimport Grid

cdef void find_tiles(Grid* g) noexcept nogil
cdef Py_ssize_t tiles_of(const Grid* g) noexcept nogil
cdef void run_tiles(const Grid* g, Py_ssize_t unit, Py_ssize_t stop) noexcept nogil
