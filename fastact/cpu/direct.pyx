# cython: language_level=3, boundscheck=False, wraparound=False, initializedcheck=False
"""Objects that Python calls without making a tuple of the arguments and a dict of the keywords (PEP 590).

What is made of these where the fast way does not suit goes to `__call__`, as without this module.
"""

from cpython.ref cimport Py_INCREF, PyObject
from cpython.tuple cimport PyTuple_New, PyTuple_SET_ITEM

cdef extern from "Python.h":
    size_t PY_VECTORCALL_ARGUMENTS_OFFSET
    unsigned long Py_TPFLAGS_HAVE_VECTORCALL
    ctypedef struct PyTypeObject:
        Py_ssize_t tp_vectorcall_offset
        unsigned long tp_flags
    void PyType_Modified(PyTypeObject*)

cdef extern from "<stdatomic.h>" nogil:
    ctypedef int atomic_int
    int atomic_fetch_add(atomic_int*, int)

cdef tuple none = ()
cdef atomic_int redirected = 0  # while it is not 0, the general path finds out on which device a call runs


def redirect(int change):
    """Enter (1) or leave (-1) a block in which no call takes the fast way."""
    atomic_fetch_add(&redirected, change)


cpdef bint is_redirected() noexcept:
    """Whether no call takes the fast way."""
    return redirected != 0


cdef class Direct:
    """A callable with a fast way for what most calls are; a subclass has that and `__call__` for all others."""

    def __cinit__(self):
        self.entry = <void*> enter

    cdef object attempt(self, PyObject* const* args, Py_ssize_t given, tuple names):
        """The result for so many arguments by position and, after them, those by name; None where the fast way does not suit."""
        return None


cdef object enter(Direct function, PyObject* const* args, size_t counted, PyObject* names):
    """What Python calls."""
    cdef Py_ssize_t given = counted & ~PY_VECTORCALL_ARGUMENTS_OFFSET, j
    cdef tuple keywords = none if names == NULL else <tuple> names
    cdef object found = function.attempt(args, given, keywords) if redirected == 0 else None
    cdef tuple packed
    if found is not None:
        return found
    packed = PyTuple_New(given + 1)
    for j in range(given + 1):
        item = function if j == 0 else <object> args[j - 1]
        Py_INCREF(item)
        PyTuple_SET_ITEM(packed, j, item)
    return type(function).__call__(*packed, **{name: <object> args[given + j] for j, name in enumerate(keywords)})


cpdef enable(object cls):
    """Let Python call the objects of a class by their `entry`, which no class of Python's inherits before 3.12; returns the class."""
    cdef PyTypeObject* kind = <PyTypeObject*> cls
    kind.tp_vectorcall_offset = offset
    kind.tp_flags |= Py_TPFLAGS_HAVE_VECTORCALL
    PyType_Modified(kind)
    return cls


cdef Direct probe = Direct.__new__(Direct)
cdef Py_ssize_t offset = <char*> &probe.entry - <char*> <PyObject*> probe
