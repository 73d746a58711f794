cimport numpy as cnp

cdef enum:
    LEAST = 131072  # bytes: smaller arrays cost the system nothing worth keeping

cdef object kept_empty(cnp.ndarray like, int type_num, bint fortran)
