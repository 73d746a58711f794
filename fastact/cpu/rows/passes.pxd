# What the functions of rows take from passes.pyx.

from fastact.cpu.rows.view cimport Array, View

cdef void sweep(const View* v, int number, const Array* a, const Array* b, const Array* out) noexcept nogil
cdef void reduce(View* v, int number, const Array* a, const Array* b, const Array* out) noexcept nogil
cdef void once(View* v, int number) noexcept nogil
cdef Py_ssize_t whole(const View* v) noexcept nogil
