# A call of a row-wise function, and what computes one.

from fastact.cpu.rows.view cimport Array, Job

cdef struct Grid:
    Job job
    Py_ssize_t outer
    Py_ssize_t n
    Py_ssize_t inner
    Py_ssize_t width        # of a tile or panel, or the number of rows that take turns
    bint tiled
    int copies              # positions side by side
    Py_ssize_t per_outer    # panels side by side
    Py_ssize_t room         # bytes of a slot
    Py_ssize_t sums         # bytes
    Py_ssize_t kept         # bytes
    Py_ssize_t memory       # bytes for each thread
    bint one                # one number a row
    Py_ssize_t ahead        # the rows after so many are fetched meanwhile, 0: none
    bint whole              # all passes over a row are one kernel
    char* index
    const char* numbers     # each row's own in place of the job's, or NULL
    Array a
    Array b
    Array out

cdef void prepare(Grid* g, int op, int size, double sign, double t, double t_low, double a) noexcept nogil
cdef int launch(Grid* g) except -1
cdef int run_rows(
    int op, int size, double sign, double t, double t_low, Py_ssize_t outer, Py_ssize_t n, Py_ssize_t inner, const void* a,
    Py_ssize_t a_row, const void* b, Py_ssize_t b_row, void* out, Py_ssize_t out_row, bint several
) noexcept nogil
