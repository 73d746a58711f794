cimport numpy as cnp

cdef object kept_empty(cnp.ndarray like, int type_num, bint fortran)
