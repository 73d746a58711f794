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
cdef int stored(cnp.ndarray array) except -2
cdef object teach(object ufunc)
