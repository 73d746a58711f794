# The C interface for Cython (fastact.h says what each does): `cimport fastact` and, before anything else, `fastact.fastact_import()`.

cdef extern from *:
    """
    #include <Python.h>
    #include "fastact.h"
    """
    enum: FA_FLOAT16, FA_FLOAT32, FA_FLOAT64
    ctypedef struct fa_kernel:
        pass
    int fastact_import() except -1
    const fa_kernel* fa_find(const char* name, const char* kind, int dtype) noexcept
    int fa_parameters(const fa_kernel* kernel) noexcept nogil
    void fa_run(
        const fa_kernel* kernel, Py_ssize_t n, const void* x, const void* grad, void* y, void* z, const double* params
    ) noexcept nogil
    void fa_run_parallel(
        const fa_kernel* kernel, Py_ssize_t n, const void* x, const void* grad, void* y, void* z, const double* params
    ) noexcept nogil
    int fa_rows(
        const fa_kernel* kernel, Py_ssize_t rows, Py_ssize_t columns, const void* x, Py_ssize_t x_stride, const void* grad,
        Py_ssize_t grad_stride, void* y, Py_ssize_t y_stride, double temperature
    ) noexcept nogil
    int fa_rows_parallel(
        const fa_kernel* kernel, Py_ssize_t rows, Py_ssize_t columns, const void* x, Py_ssize_t x_stride, const void* grad,
        Py_ssize_t grad_stride, void* y, Py_ssize_t y_stride, double temperature
    ) noexcept nogil
    int fa_along(
        const fa_kernel* kernel, Py_ssize_t outer, Py_ssize_t columns, Py_ssize_t inner, const void* x, const void* grad, void* y,
        double temperature, int several
    ) noexcept nogil
