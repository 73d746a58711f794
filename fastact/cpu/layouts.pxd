cimport numpy as cnp
from cpython.ref cimport PyObject
from fastact._kernels cimport Op, Operand

cdef bint lay(
    const Op* op, const Operand* params, PyObject* const* arrays, int held, cnp.ndarray grad, cnp.ndarray x, tuple outputs
) except -1
