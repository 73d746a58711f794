# What other Cython modules of the package take from threads.pyx.

cdef double team_work               # nanoseconds that the present job takes one thread, about

cdef int threads_now() noexcept nogil
cdef int processors() noexcept nogil
cdef int acquire_team(double work, Py_ssize_t units) noexcept nogil
cdef void release_team() noexcept nogil
