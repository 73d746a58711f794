cimport numpy as cnp

cdef enum:
    FLOAT16 = 1
    BFLOAT16 = 12

# What a ufunc's loop knows.
cdef struct Loop:
    const void* op
    int type            # of x, grad and outputs, as an Operand has it
    int param_type

cdef int number_of(cnp.ndarray array) except -1
cdef int half(cnp.ndarray array) except -2
cdef object teach(object ufunc)


cdef inline int stored(cnp.ndarray array) except -2:
    """How float32 or float64 kernels find what an array holds: 0 for these two, FLOAT16, BFLOAT16; -1 for anything else."""
    cdef int number = cnp.PyArray_TYPE(array)
    return 0 if number == cnp.NPY_FLOAT or number == cnp.NPY_DOUBLE else half(array)
