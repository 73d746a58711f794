# cython: language_level=3, cdivision=True, boundscheck=False, wraparound=False, initializedcheck=False
"""From calls to gated units: the fast path for plain arrays, ufuncs of two arrays, and what Python calls for any layout."""

from cpython.ref cimport PyObject
from libc.math cimport INFINITY
from libc.stdint cimport uintptr_t
from libc.stdlib cimport calloc
cimport numpy as cnp
from fastact._kernels cimport PyUFuncGenericFunction, block_fn, in_turn
from fastact.cpu.buffers cimport kept_empty, kept_of
from fastact.cpu.direct cimport Direct, enable
from fastact.cpu.dtypes cimport FLOAT16, Loop, number_of, teach
from fastact.cpu.gated cimport Job, Rows, launch

cnp.import_array()
cnp.import_ufunc()

cdef extern from "numpy/arrayobject.h":
    enum: NPY_HALF
    bint PyArray_CheckExact(object)
    bint PyArray_ISCARRAY_RO(cnp.ndarray)
    bint PyArray_ISCARRAY(cnp.ndarray)
    bint PyArray_SAMESHAPE(cnp.ndarray, cnp.ndarray)

cdef extern from "numpy/ufuncobject.h":
    object PyUFunc_FromFuncAndData(PyUFuncGenericFunction*, void**, char*, int, int, int, int, char*, char*, int)

cdef enum: MOST = 64        # dimensions


cdef void ufunc_loop(char** args, const cnp.npy_intp* n, const cnp.npy_intp* steps, void* data) noexcept nogil:
    """a, b -> y, or grad, a, b -> gradients by a and b, as NumPy calls it."""
    cdef const Loop* loop = <const Loop*> data
    cdef Job job = (<const Job*> loop.op)[0]
    cdef Rows given[5]
    cdef int j, first = job.back
    if not first and in_turn(ufunc_loop, args, n, steps, data):
        return
    for j in range(3 + 2 * first):
        given[j] = Rows(args[j], 0, steps[j], loop.type)
    job.grad = given[0]
    job.gate, job.linear = given[first + job.second], given[first + 1 - job.second]
    job.out = given[3 + job.second] if first else given[2]
    if first:
        job.out_linear = given[4 - job.second]
    job.n = job.run = n[0]
    launch(&job)


cdef class Gate:
    """The kernels of one gated unit, and its ufuncs.

    Parameters
    ----------
    name, doc : str
        Of the ufuncs.
    tables : tuple of dict
        (address, cost) by (key, kind, varying), for float32 and float64.
    activation : str
    params : sequence of float
        Its parameters.
    steep, grows : bool
        Whether its slope exceeds 1 anywhere, and for large gates.
    second : bool
        The second array is the gate.
    """

    cdef Job jobs[2]
    cdef readonly object ufunc, ufunc_backward
    cdef object _keep           # the bytes that the ufuncs point to

    def __init__(self, str name, str doc, tuple tables, str activation, params, bint steep, bint grows, bint second):
        cdef int j, k
        cdef Job* job
        for j in range(2):
            table, job = tables[j], &self.jobs[j]
            job.value = <block_fn> <uintptr_t> <size_t> table[activation, "value", False][0]
            job.both = <block_fn> <uintptr_t> <size_t> table[activation, "both", False][0]
            job.multiply = <block_fn> <uintptr_t> <size_t> table["multiply", "value", True][0]
            job.size = 4 * (j + 1)
            job.steep, job.grows, job.second = steep, grows, second
            job.cost = max(0.3, 0.02 * tables[0][activation, "value", False][1])
            job.nparams = len(params)
            for k, value in enumerate(params):
                job.params[k] = value
        self._keep = (name.encode(), f"{name}_backward".encode(), doc.encode())
        self.ufunc = self.make_ufunc(self._keep[0], self._keep[2], False)
        self.ufunc_backward = self.make_ufunc(self._keep[1], self._keep[2], True)

    def at(
        self, size_t a, size_t b, size_t y, Py_ssize_t rows, Py_ssize_t run, Py_ssize_t apart, bint double, size_t grad=0,
        size_t other=0,
    ):
        """Compute from addresses to an address, in float64 if `double`.

        Rows of a and b begin so many elements apart, those of the result and of grad follow each other. With grad the gradients by
        a and b go to y and to the other address, and lie as these do.
        """
        cdef Job job = self.jobs[double]
        cdef Py_ssize_t size = job.size, stride = apart * size
        cdef Rows first = Rows(<char*> <uintptr_t> a, stride, size, 0), second = Rows(<char*> <uintptr_t> b, stride, size, 0)
        job.run, job.n, job.back = run, rows * run, grad != 0
        job.gate, job.linear = (second, first) if job.second else (first, second)
        job.out = Rows(<char*> <uintptr_t> y, run * size, size, 0)
        if job.back:
            job.grad = Rows(<char*> <uintptr_t> grad, run * size, size, 0)
            first, second = Rows(<char*> <uintptr_t> y, stride, size, 0), Rows(<char*> <uintptr_t> other, stride, size, 0)
            job.out, job.out_linear = (second, first) if job.second else (first, second)
        with nogil:
            launch(&job)

    def slopes(self, a, b, grad):
        """Both gradients, or with None for b that by an array that is split along its last axis; None where `attempt` would be."""
        cdef cnp.ndarray first, y, z
        cdef Py_ssize_t run, rows, size
        cdef int ndim
        if not plain(a) or not plain(grad):
            return None
        first = a
        ndim, size = cnp.PyArray_NDIM(first), cnp.PyArray_ITEMSIZE(first)
        if ndim == 0 or cnp.PyArray_SIZE(first) == 0 or cnp.PyArray_TYPE(grad) != cnp.PyArray_TYPE(first):
            return None
        if b is not None:
            if not plain(b) or not alike(first, b) or not alike(first, grad):
                return None
            y, z = kept_empty(first, cnp.PyArray_TYPE(first), False), kept_empty(first, cnp.PyArray_TYPE(first), False)
            run = cnp.PyArray_SIZE(first)
            self.at(address(first), address(b), address(y), 1, run, run, size == 8, address(grad), address(z))
            return y, z
        run = cnp.PyArray_DIMS(first)[ndim - 1] // 2
        rows = cnp.PyArray_SIZE(first) // (2 * run) if run else 0
        if 2 * run * rows != cnp.PyArray_SIZE(first) or not halved(first, grad):
            return None
        y = kept_empty(first, cnp.PyArray_TYPE(first), False)
        self.at(
            address(first), address(first) + run * size, address(y), rows, run, 2 * run, size == 8, address(grad),
            address(y) + run * size,
        )
        return y

    cdef make_ufunc(self, char* name, char* doc, bint back):
        """The ufunc of two arrays, or of a gradient and two arrays; NumPy keeps what it points to for good."""
        cdef PyUFuncGenericFunction* functions = <PyUFuncGenericFunction*> calloc(3, sizeof(void*))
        cdef void** data = <void**> calloc(3, sizeof(void*))
        cdef Loop* loops = <Loop*> calloc(3, sizeof(Loop))
        cdef Job* jobs = <Job*> calloc(2, sizeof(Job))
        cdef char* types = <char*> calloc(3, 5)
        cdef int j, k, nargs = 5 if back else 3
        for j in range(2):
            jobs[j] = self.jobs[j]
            jobs[j].back = back
        for j, number in enumerate((NPY_HALF, cnp.NPY_FLOAT, cnp.NPY_DOUBLE)):
            loops[j].op = &jobs[j == 2]
            loops[j].type = 0 if j else FLOAT16
            functions[j] = <PyUFuncGenericFunction> ufunc_loop
            data[j] = &loops[j]
            for k in range(nargs):
                types[j * nargs + k] = number
        return teach(PyUFunc_FromFuncAndData(functions, data, types, 3, 2 + back, 1 + back, -1, name, doc, 0))


cdef Rows rows_of(cnp.ndarray array, bint double):
    """An array of shape (rows, run)."""
    cdef int own = cnp.NPY_DOUBLE if double else cnp.NPY_FLOAT
    return Rows(
        <char*> cnp.PyArray_DATA(array), array.strides[0], array.strides[1] if array.shape[1] > 1 else array.itemsize,
        0 if cnp.PyArray_TYPE(array) == own else number_of(array),
    )


def run(
    Gate kernels, cnp.ndarray gate, cnp.ndarray linear, cnp.ndarray out, bint double, grad=None, out_linear=None, params=None,
    limit=None, double offset=0.0,
):
    """Compute ``out = activation(gate) * linear``, or with grad the gradients by gate and linear, in float64 if `double`.

    All are (rows, run), of what is computed in or, inputs, of any dtype that it is promoted from; outputs may be halves. `out`
    is an input or shares no memory with one; gradients share none. `params` are those of the activation in place of its
    defaults; the gate is clamped above to `limit`, the other half on both sides, and the offset added to that.
    """
    cdef Job job = kernels.jobs[double]
    cdef int k
    job.run = gate.shape[1]
    job.n = gate.shape[0] * job.run
    job.gate = rows_of(gate, double)
    job.linear = rows_of(linear, double)
    job.out = rows_of(out, double)
    job.clamped = limit is not None or offset != 0
    job.limit = INFINITY if limit is None else limit
    job.offset = offset if offset != 0 else -0.0
    for k, value in enumerate(params or ()):
        job.params[k] = value
    job.back = grad is not None
    if job.back:
        job.grad = rows_of(grad, double)
        job.out_linear = rows_of(out_linear, double)
    with nogil:
        launch(&job)


# ---------------------------------------------------------------------------------------------------
# The fast path
# ---------------------------------------------------------------------------------------------------

cdef class GateCall(Direct):
    """A gated unit's call ``(a, b, *, out=None)``, or ``(x, *, axis=-1, out=None)``.

    Attributes
    ----------
    kernels : Gate
    """

    cdef public Gate kernels

    cdef object attempt(self, PyObject* const* args, Py_ssize_t given, tuple names):
        cdef object out = None, axis = None
        cdef cnp.ndarray a, b, y
        cdef Job job
        cdef cnp.npy_intp shape[MOST]
        cdef int d, ndim
        cdef Py_ssize_t size, half
        cdef bint split = given == 1
        for d, name in enumerate(names):
            if name == "out":
                out = <object> args[given + d]
            elif name == "axis" and split:
                axis = <object> args[given + d]
            else:
                return None
        if not 1 <= given <= 2 or not plain(<object> args[0]):
            return None
        a = <cnp.ndarray> args[0]
        ndim, size = cnp.PyArray_NDIM(a), cnp.PyArray_ITEMSIZE(a)
        if ndim == 0 or cnp.PyArray_SIZE(a) == 0:
            return None
        if split:
            if axis is not None and (type(axis) is not int or (axis != -1 and axis != ndim - 1)) or cnp.PyArray_DIMS(a)[ndim - 1] % 2:
                return None
            b = a
        else:
            if not plain(<object> args[1]):
                return None
            b = <cnp.ndarray> args[1]
            if not alike(a, b):
                return None
        for d in range(ndim):
            shape[d] = cnp.PyArray_DIMS(a)[d]
        half = shape[ndim - 1] = shape[ndim - 1] // 2 if split else shape[ndim - 1]
        if out is None:
            y = kept_of(ndim, shape, cnp.PyArray_TYPE(a), False, cnp.PyArray_NBYTES(a) // (2 if split else 1))
        elif not PyArray_CheckExact(out) or not PyArray_ISCARRAY(out) or cnp.PyArray_TYPE(out) != cnp.PyArray_TYPE(a):
            return None
        else:
            y = out
            if not (halved(a, y) if split else alike(a, y)) or overlaps(a, y, split) or overlaps(b, y, split):
                return None
        job = self.kernels.jobs[size == 8]
        job.run = half if split else cnp.PyArray_SIZE(a)
        job.n = cnp.PyArray_SIZE(y)
        job.gate = Rows(<char*> cnp.PyArray_DATA(a), 2 * half * size, size, 0)
        job.linear = Rows(<char*> cnp.PyArray_DATA(b) + (half * size if split else 0), 2 * half * size, size, 0)
        if job.second:
            job.gate, job.linear = job.linear, job.gate
        job.out = Rows(<char*> cnp.PyArray_DATA(y), half * size, size, 0)
        if job.n * job.cost < 1000.0:
            launch(&job)
        else:
            with nogil:
                launch(&job)
        return y


cdef inline bint plain(object a):
    return PyArray_CheckExact(a) and cnp.PyArray_TYPE(a) in (cnp.NPY_FLOAT, cnp.NPY_DOUBLE) and PyArray_ISCARRAY_RO(a)


cdef inline size_t address(cnp.ndarray array):
    return <size_t> <uintptr_t> cnp.PyArray_DATA(array)


cdef inline bint alike(cnp.ndarray a, cnp.ndarray b):
    return cnp.PyArray_TYPE(a) == cnp.PyArray_TYPE(b) and PyArray_SAMESHAPE(a, b)


cdef bint halved(cnp.ndarray x, cnp.ndarray half):
    """Whether an array has the shape of another whose last axis is twice as long."""
    cdef int d, last = cnp.PyArray_NDIM(x) - 1
    if cnp.PyArray_NDIM(half) - 1 != last or 2 * cnp.PyArray_DIMS(half)[last] != cnp.PyArray_DIMS(x)[last]:
        return False
    for d in range(last):
        if cnp.PyArray_DIMS(half)[d] != cnp.PyArray_DIMS(x)[d]:
            return False
    return True


cdef inline bint overlaps(cnp.ndarray x, cnp.ndarray y, bint split):
    """Whether an output shares memory with an input, other than all of it, which it may where that is not split."""
    cdef Py_ssize_t distance = <char*> cnp.PyArray_DATA(x) - <char*> cnp.PyArray_DATA(y)
    return -cnp.PyArray_NBYTES(x) < distance < cnp.PyArray_NBYTES(y) and (split or distance != 0)


enable(GateCall)
