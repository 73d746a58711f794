# cython: language_level=3
"""A Cython client: rows of matrices through kernels, without the GIL. Arrays come as addresses."""

cimport fastact as fa

fa.fastact_import()


def gelu_rows(size_t x, size_t y, Py_ssize_t rows, Py_ssize_t columns):
    """Row by row, as a loop would that does more with each."""
    cdef const fa.fa_kernel* kernel = fa.fa_find("gelu", "value", fa.FA_FLOAT32)
    cdef Py_ssize_t i
    with nogil:
        for i in range(rows):
            fa.fa_run(kernel, columns, <float*> x + i * columns, NULL, <float*> y + i * columns, NULL, NULL)


def softmax(size_t x, size_t y, Py_ssize_t rows, Py_ssize_t columns, double temperature):
    """All rows at once, on threads."""
    cdef const fa.fa_kernel* kernel = fa.fa_find("softmax", "value", fa.FA_FLOAT64)
    cdef int failed
    with nogil:
        failed = fa.fa_rows_parallel(
            kernel, rows, columns, <double*> x, columns * 8, NULL, 0, <double*> y, columns * 8, temperature)
    return failed
