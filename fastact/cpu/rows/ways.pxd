# What the C interface takes from ways.pyx.

cdef int run_rows(
    int op, int size, double sign, double t, double t_low, Py_ssize_t outer, Py_ssize_t n, Py_ssize_t inner, const void* a,
    Py_ssize_t a_row, const void* b, Py_ssize_t b_row, void* out, Py_ssize_t out_row, bint several
) noexcept nogil
