# What computes a function of rows.

from fastact.cpu.rows.view cimport View

cdef void solve(View* v) noexcept nogil
