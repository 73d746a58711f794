cimport numpy as cnp
from fastact._kernels cimport Op, Operand

cdef bint lay(const Op* op, const Operand* params, int held, cnp.ndarray grad, cnp.ndarray x, tuple outputs) except -1
