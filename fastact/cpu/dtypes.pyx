# cython: language_level=3, cdivision=True, boundscheck=False, wraparound=False, initializedcheck=False
"""What arrays may hold, by the movers' numbers (moves.h); and bfloat16 for ufuncs.

bfloat16 is no dtype of NumPy's but of the package ml_dtypes (or of any other that calls it so), and has a number there from the
moment on when that is imported. Nothing here imports it: a ufunc that comes upon an array of it learns a loop for it, which is
that for float16 with another type.
"""

from libc.stdlib cimport calloc
cimport numpy as cnp
import numpy as np
from cpython.ref cimport PyObject

cnp.import_array()
cnp.import_ufunc()

cdef extern from "numpy/arrayobject.h":
    enum: NPY_HALF, NPY_USERDEF
    void* PyArray_DescrFromType(int number)     # a new reference

cdef extern from "numpy/ufuncobject.h":
    ctypedef void PyUFunc_TypeResolutionFunc    # a function; called as a `resolver`
    ctypedef struct PyUFuncObject:
        int nin
        int nargs
        cnp.PyUFuncGenericFunction* functions
        void** data
        const char* types
        PyObject* userloops
        PyUFunc_TypeResolutionFunc* type_resolver

ctypedef int (*resolver)(PyUFuncObject*, int, PyObject**, PyObject*, PyObject**) except -1

#: What the kernels convert from, by NumPy's letter.
TYPES = {"e": FLOAT16, "b": 2, "?": 3, "B": 3, "h": 4, "H": 5, "i": 6, "I": 7, "f": 10, "d": 11}
TYPES |= {"l": 8, "q": 8, "L": 9, "Q": 9} if sizeof(long) == 8 else {"l": 6, "q": 8, "L": 7, "Q": 9}

cdef enum: MOST = 32        # arguments of a ufunc, and numbers of NumPy's own dtypes

cdef int numbers[MOST]      # by NumPy's number
cdef int seen = -1          # NumPy's number for the bfloat16 that was met last
cdef resolver usual = NULL  # how ufuncs without a loop for their arguments look for one

for _letter, _number in TYPES.items():
    numbers[<int> np.dtype(_letter).num] = _number


cdef bint is_bfloat16(cnp.dtype dtype):
    """Whether a dtype is some package's bfloat16, as `fastact.arguments.is_bfloat16` says it."""
    global seen
    if dtype.type_num < NPY_USERDEF:
        return False
    if dtype.type_num != seen and dtype.name == "bfloat16":
        seen = dtype.type_num
    return dtype.type_num == seen


cdef int number_of(cnp.ndarray array) except -1:
    """The movers' number of what an array holds, which is one of `TYPES` or bfloat16."""
    cdef int number = cnp.PyArray_TYPE(array)
    return numbers[number] if number < MOST else BFLOAT16


cdef int half(cnp.ndarray array) except -2:
    """FLOAT16, BFLOAT16, or -1 for anything else."""
    if cnp.PyArray_TYPE(array) == NPY_HALF:
        return FLOAT16
    return BFLOAT16 if is_bfloat16(array.descr) else -1


# ---------------------------------------------------------------------------------------------------
# ufuncs
# ---------------------------------------------------------------------------------------------------

cdef int learn(PyUFuncObject* ufunc, cnp.dtype dtype, int* types) except -1:
    """Give a ufunc its first loop, which is for float16, for a bfloat16 too, and say of which types; 0: it is no bfloat16."""
    cdef Loop* first = <Loop*> ufunc.data[0]
    cdef Loop* loop
    cdef int j
    if not is_bfloat16(dtype):
        return 0
    for j in range(ufunc.nargs):
        types[j] = dtype.type_num if ufunc.types[j] == NPY_HALF else ufunc.types[j]
    if ufunc.userloops != NULL and dtype.type_num in <dict> ufunc.userloops:
        return 1
    loop = <Loop*> calloc(1, sizeof(Loop))      # for good, as NumPy keeps it
    if loop == NULL:
        raise MemoryError("fastact: no memory for a loop of bfloat16")
    loop.op = first.op
    loop.type = BFLOAT16
    loop.param_type = BFLOAT16 if first.param_type == FLOAT16 else first.param_type
    cnp.PyUFunc_RegisterLoopForType(<object> <PyObject*> ufunc, dtype.type_num, ufunc.functions[0], types, loop)
    return 1


cdef int resolve(PyUFuncObject* ufunc, int casting, PyObject** operands, PyObject* wanted, PyObject** found) except -1:
    """What NumPy calls where a ufunc has no loop for its arguments: learn one for bfloat16, then look as usual.

    Where dtype= or a signature asks for bfloat16 that loop it is; NumPy would look for it only if an array is of it too.
    """
    cdef int types[MOST]
    cdef int j
    if wanted != NULL:
        for dtype in <tuple> wanted:
            if isinstance(dtype, np.dtype) and learn(ufunc, dtype, types):
                for j in range(ufunc.nargs):
                    found[j] = <PyObject*> PyArray_DescrFromType(types[j])
                return 0
    for j in range(ufunc.nargs):
        if operands[j] != NULL:
            learn(ufunc, (<cnp.ndarray> operands[j]).descr, types)
    return usual(ufunc, casting, operands, wanted, found)


cdef object teach(object ufunc):
    """Let a ufunc whose first loop is for float16 learn bfloat16 when it meets it; returns the ufunc."""
    global usual
    cdef PyUFuncObject* it = <PyUFuncObject*> <PyObject*> ufunc
    usual = <resolver> it.type_resolver
    it.type_resolver = <PyUFunc_TypeResolutionFunc*> resolve
    return ufunc
