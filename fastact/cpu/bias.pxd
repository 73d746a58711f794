from fastact._kernels cimport Job

cdef int add_bias(Job* job, const void* bias, Py_ssize_t length) except -1 nogil
