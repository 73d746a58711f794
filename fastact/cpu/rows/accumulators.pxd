# What the passes and the functions of rows take from accumulators.pyx.

from fastact.cpu.rows.table cimport Kernel
from fastact.cpu.rows.view cimport View

cdef void fold_row(const View* v, const Kernel* k, const char* sums, Py_ssize_t row) noexcept nogil
cdef void settle(View* v, const Kernel* k, char* sums) noexcept nogil
cdef bint far(const View* v) noexcept nogil
cdef bint sure(const View* v) noexcept nogil
cdef bint moves(const View* v) noexcept nogil
cdef void result(const View* v, char* out, bint maximum) noexcept nogil
cdef void winners(const View* v, char* index, Py_ssize_t rows) noexcept nogil
cdef void first_only(const View* v) noexcept nogil
