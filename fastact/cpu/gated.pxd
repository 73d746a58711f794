# A call of a gated unit, and what computes one.

from fastact._kernels cimport MAX_PARAMS, block_fn

cdef struct Rows:
    char* data
    Py_ssize_t stride           # bytes from row to row
    Py_ssize_t step             # and from one element of a run to the next
    int type                    # as an Operand has it

cdef struct Job:
    block_fn value
    block_fn both               # value and derivative; for backward
    block_fn multiply
    int size                    # bytes of what is computed in
    int nparams
    bint back
    bint second                 # of two arrays the second is the gate
    bint steep                  # the slope may exceed 1, so that its product with the other half may overflow
    bint grows                  # so may the value exceed the gate; where that overflows it is the slope times the gate
    bint buffered               # outputs are inputs, or go past the caches
    bint stream
    double cost                 # nanoseconds an element, about
    Py_ssize_t n
    Py_ssize_t run
    Rows gate
    Rows linear
    Rows grad
    Rows out                    # of backward: the gradient by the gate's input
    Rows out_linear
    Py_ssize_t blocks
    Py_ssize_t parts
    double params[MAX_PARAMS]
    bint clamped                # the other half becomes itself, clamped, plus an offset, and the gate is bounded above
    double limit
    double offset

cdef void launch(Job* job) noexcept nogil
