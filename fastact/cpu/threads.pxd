# What other Cython modules of the package take from threads.pyx.

cdef int threads_now() noexcept nogil
cdef int acquire_team(double work, Py_ssize_t units) noexcept nogil
cdef void release_team() noexcept nogil
