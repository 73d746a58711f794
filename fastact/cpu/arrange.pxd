from fastact.cpu.grid cimport Grid

cdef void arrange(Grid* g) noexcept nogil
cdef bint crosses_itself(const Grid* g, int k) noexcept nogil
cdef int meet(const Grid* g, int a, int b) noexcept nogil
