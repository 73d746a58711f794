# cython: language_level=3, cdivision=True, boundscheck=False, wraparound=False, initializedcheck=False
"""Row-wise functions as generalised ufuncs of NumPy: ``(n)->(n)``, ``(n)->()`` and, backward, ``(n),(n)->(n)``."""

from libc.math cimport INFINITY, isnan
from libc.stdlib cimport calloc, free, malloc
cimport numpy as cnp
from fastact._kernels cimport PyUFuncGenericFunction, movers
from fastact.cpu.dtypes cimport FLOAT16, Loop, teach
from fastact.cpu.rows.view cimport LOGSUMEXP
from fastact.cpu.rows.ways cimport run_rows

cnp.import_array()
cnp.import_ufunc()

cdef extern from "numpy/arrayobject.h":
    enum: NPY_HALF

cdef extern from "numpy/ufuncobject.h":
    object PyUFunc_FromFuncAndDataAndSignature(
        PyUFuncGenericFunction*, void**, char*, int, int, int, int, char*, char*, int, const char*)

cdef extern from "memory.h" nogil:
    unsigned int fa_float_status()
    void fa_restore_float_mode(unsigned int)

cdef extern from "Python.h":
    void PyErr_SetString(object, const char*)

cdef enum: CHUNK = 1 << 16      # bytes of the rows that are moved at a time

cdef struct Function:
    int op
    double sign
    int size                    # bytes of what is computed in
    int nin
    bint one                    # one number a row


cdef void gufunc_loop(char** args, const cnp.npy_intp* counts, const cnp.npy_intp* steps, void* data) noexcept nogil:
    """Rows, as NumPy calls it: from row to row by the first steps, along them by the others."""
    cdef const Loop* loop = <const Loop*> data
    cdef const Function* f = <const Function*> loop.op
    cdef Py_ssize_t rows = counts[0], n = counts[1], done = 0, some, step, size = f.size
    cdef int j, nin = f.nin, lack = 0
    cdef const cnp.npy_intp* along = steps + nin + 1
    cdef bint lies = loop.type == 0
    cdef char* memory
    cdef char* at[3]
    cdef Py_ssize_t width = 1 if f.one else n
    cdef unsigned int status
    for j in range(nin + 1 - f.one):
        lies &= along[j] == size or n == 1
    if n == 0 and not f.one:
        return
    if lies and n and (not f.one or steps[nin] == size):
        if not compute(f, rows, n, args[0], steps[0], args[1], steps[1], args[nin], steps[nin]):
            return
        lack = 1
    status = fa_float_status()
    some = max(<Py_ssize_t> 1, min(rows, CHUNK // (n * size + 1)))
    memory = <char*> malloc(some * (nin * n + width) * size + 64)
    lack |= memory == NULL
    while not lack and done < rows:
        some = min(some, rows - done)
        at[0], at[1] = memory, memory + some * n * size
        at[nin] = memory + nin * some * n * size
        for j in range(nin):
            movers[size == 8].gather(args[j] + done * steps[j], steps[j], some, along[j], loop.type, at[j], n)
        lack = compute(f, some, n, at[0], n * size, at[1], n * size, at[nin], width * size)
        step = size if f.one else along[nin]
        movers[size == 8].scatter(at[nin], args[nin] + done * steps[nin], steps[nin], some, step, loop.type, width)
        done += some
    free(memory)
    fa_restore_float_mode(status)
    if lack:
        with gil:
            PyErr_SetString(MemoryError, b"fastact: no memory for rows")  # for NumPy, which asks after a loop


cdef int compute(
    const Function* f, Py_ssize_t rows, Py_ssize_t n, char* a, Py_ssize_t a_row, char* b, Py_ssize_t b_row, char* out,
    Py_ssize_t out_row
) noexcept nogil:
    """Rows that lie; what is not 0 is a lack of memory."""
    cdef Py_ssize_t i
    if n and run_rows(f.op, f.size, f.sign, 1.0, 0.0, rows, n, 1, a, a_row, b if f.nin == 2 else NULL, b_row, out, out_row, True):
        return 1
    if not f.one:
        return 0
    for i in range(rows):
        if n == 0:
            settle(f.size, out + i * out_row, -INFINITY)
        elif is_nan(f.size, out + i * out_row, 1) and not is_nan(f.size, a + i * a_row, n):
            settle(f.size, out + i * out_row, INFINITY)
    return 0


cdef inline bint is_nan(int size, const char* v, Py_ssize_t n) noexcept nogil:
    """Whether any of n numbers is NaN."""
    cdef Py_ssize_t i
    for i in range(n):
        if isnan((<const float*> v)[i]) if size == 4 else isnan((<const double*> v)[i]):
            return True
    return False


cdef inline void settle(int size, char* at, double value) noexcept nogil:
    if size == 4:
        (<float*> at)[0] = <float> value
    else:
        (<double*> at)[0] = value


cdef list kept = []             # the bytes that ufuncs point to


def gufunc(str name, str doc, int op, double sign, bint back):
    """The generalised ufunc of a function of rows, or of its gradient from that by the output and the output."""
    cdef PyUFuncGenericFunction* functions = <PyUFuncGenericFunction*> calloc(3, sizeof(void*))
    cdef void** data = <void**> calloc(3, sizeof(void*))
    cdef Loop* loops = <Loop*> calloc(3, sizeof(Loop))
    cdef Function* of = <Function*> calloc(2, sizeof(Function))
    cdef char* types = <char*> calloc(3, 3)
    cdef int j, k, nin = 1 + back
    signature = b"(n),(n)->(n)" if back else b"(n)->()" if op == LOGSUMEXP else b"(n)->(n)"
    texts = (name.encode(), doc.encode(), signature)
    kept.append(texts)
    for j in range(2):
        of[j] = Function(op, sign, 4 * (j + 1), nin, op == LOGSUMEXP)
    for j, number in enumerate((NPY_HALF, cnp.NPY_FLOAT, cnp.NPY_DOUBLE)):
        loops[j].op = &of[j == 2]
        loops[j].type = 0 if j else FLOAT16
        functions[j] = <PyUFuncGenericFunction> gufunc_loop
        data[j] = &loops[j]
        for k in range(nin + 1):
            types[j * (nin + 1) + k] = number
    return teach(PyUFunc_FromFuncAndDataAndSignature(functions, data, types, 3, nin, 1, -1, texts[0], texts[1], 0, signature))
