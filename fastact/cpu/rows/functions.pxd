# The functions of rows by number, and what computes one.

from fastact.cpu.rows.view cimport View

cdef enum Op:
    SOFTMAX, LOG_SOFTMAX, SOFTMAX1, LOGSUMEXP, SPARSEMAX, ENTMAX15, ENTMAX, ENTMAX_STEEP, HARDMAX, MAXOUT
    SOFTMAX_BACK, LOG_SOFTMAX_BACK, SPARSEMAX_BACK, ENTMAX15_BACK

cdef void solve(View* v) noexcept nogil
