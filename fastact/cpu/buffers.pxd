cimport numpy as cnp

cdef object kept_empty(cnp.ndarray like, int type_num, bint fortran)
cdef object kept_of(int ndim, cnp.npy_intp* shape, int type_num, bint fortran, size_t size)
