cimport numpy as cnp
from fastact._kernels cimport Job

cdef int add_bias(Job* job, const void* bias, Py_ssize_t length) except -1 nogil
cdef object sum_bias(Job* job, cnp.ndarray bias)
