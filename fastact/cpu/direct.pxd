from cpython.ref cimport PyObject

cdef class Direct:
    cdef void* entry            # what Python calls, where `Py_TPFLAGS_HAVE_VECTORCALL` says that it may
    cdef object attempt(self, PyObject* const* args, Py_ssize_t given, tuple names)

cpdef enable(object cls)
cpdef bint is_redirected() noexcept
