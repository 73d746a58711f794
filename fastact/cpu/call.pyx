# cython: language_level=3, cdivision=True, boundscheck=False, wraparound=False, initializedcheck=False
"""The fast path from a Python call to a kernel.

Most calls are float arrays of one shape and scalar parameters; for these the way through NumPy's
ufunc machinery would cost more than a small array's arithmetic. Contiguous ones are one loop, others go to
layouts.pyx. Every other call goes to the general path in Python (fastact/functions/general.py), which ends in the real ufunc.
"""

from libc.stdint cimport uintptr_t
from libc.stdlib cimport llabs
cimport numpy as cnp
import numpy as np
from cpython.float cimport PyFloat_AS_DOUBLE, PyFloat_CheckExact
from cpython.long cimport PyLong_AsLongLong, PyLong_CheckExact
from cpython.ref cimport PyObject
from fastact.cpu.buffers cimport kept_empty
from fastact.cpu.bias cimport add_bias, sum_bias
from fastact.cpu.direct cimport Direct, enable
from fastact.cpu.dtypes cimport stored
from fastact.cpu.layouts cimport lay
from fastact._kernels cimport MAX_PARAMS, Job, Kernel, Op, Operand, run

cnp.import_array()

cdef object float64 = np.float64
cdef long long EXACT = 1 << 53
SPREAD_FROM = 1 << 14  # elements; below, a ufunc is as fast as NumPy's iterator and layouts.pyx

cdef extern from "Python.h":
    PyObject** PySequence_Fast_ITEMS(object)

cdef extern from "numpy/arrayobject.h":
    bint PyArray_CheckExact(object)
    bint PyArray_ISCARRAY_RO(cnp.ndarray)
    bint PyArray_ISCARRAY(cnp.ndarray)
    bint PyArray_ISFARRAY_RO(cnp.ndarray)
    bint PyArray_ISBEHAVED(cnp.ndarray)
    bint PyArray_ISBEHAVED_RO(cnp.ndarray)
    bint PyArray_SAMESHAPE(cnp.ndarray, cnp.ndarray)


cdef class Call(Direct):
    """A callable kind of an activation: value, derivative, backward, ...

    Parameters
    ----------
    kernel : Kernel
    names : tuple of str
        The parameters.
    defaults : tuple of float
        Their default values.
    general : callable
        ``general(call, args, kwargs)``, for whatever is not plain.
    least : tuple of float
        What the parameters must not be below; -inf: anything.
    """

    cdef readonly Kernel kernel
    cdef object general
    cdef tuple names
    cdef tuple defaults
    cdef int nin
    cdef int nparams
    cdef float f32[MAX_PARAMS]
    cdef double f64[MAX_PARAMS]
    cdef double least[MAX_PARAMS]
    cdef readonly bint takes_bias   # added to x; two functions have a parameter of that name

    def __init__(self, Kernel kernel, tuple names, tuple defaults, general, tuple least):
        cdef int j
        self.kernel = kernel
        self.general = general
        self.names = names
        self.defaults = tuple(map(float, defaults))
        self.nin = kernel.nin
        self.nparams = len(names)
        self.takes_bias = (kernel.nin == 1 or kernel.kind == "backward") and "bias" not in names
        for j in range(self.nparams):
            self.f32[j] = self.f64[j] = defaults[j]
            self.least[j] = least[j]

    @property
    def ufunc(self):
        """The NumPy ufunc underneath: ``ufunc(*arrays, *parameters)``."""
        return self.kernel.ufunc

    @property
    def mixed_ufunc(self):
        """The same for float16 and bfloat16 arrays with float32 parameters; None without parameters."""
        return self.kernel.mixed_ufunc

    def __call__(self, *args, **kwargs):
        return self.general(self, args, kwargs)

    cdef object attempt(self, PyObject* const* args, Py_ssize_t given, tuple names):
        cdef object out = None
        if self.nin <= given <= self.nin + self.nparams:
            if PyArray_CheckExact(<object> args[0]):
                out = self.plain(args, given, names)
            elif given == 1 and self.nin == 1 and not names and is_double(<object> args[0]):
                out = self.scalar(PyFloat_AS_DOUBLE(<object> args[0]))
        return out

    def direct(self, tuple args, dict kwargs):
        """The result by the fast path, which the general one takes once it knows that it may; None where that is not for them."""
        cdef tuple values = (*args, *kwargs.values())
        if self.nin <= len(args) <= self.nin + self.nparams and PyArray_CheckExact(args[0]):
            return self.plain(PySequence_Fast_ITEMS(values), len(args), tuple(kwargs))
        return None

    def at(self, size_t x, size_t y, Py_ssize_t n, int held, tuple params=(), size_t grad=0):
        """Compute n elements from addresses to an address, all of them aligned and in one piece; y is neither x nor grad.

        held: the number of what lies there among the types of ``moves.h``, 0 for float32 and -1 for float64. params: floats, all
        of them or none. On which device a call runs is for the caller to know, before it has memory for the result.
        """
        cdef Job job
        cdef float f32[MAX_PARAMS]
        cdef double f64[MAX_PARAMS]
        cdef bint single = held >= 0
        cdef int j, size = 2 if held > 0 else 4 if single else 8
        job.op = &self.kernel.f32 if single else &self.kernel.f64
        job.n = n
        job.x = Operand(<char*> <uintptr_t> x, size, max(held, 0))
        job.grad = Operand(<char*> <uintptr_t> grad, size, max(held, 0))
        job.out[0] = Operand(<char*> <uintptr_t> y, size, max(held, 0))
        for j in range(self.nparams):
            f64[j] = PyFloat_AS_DOUBLE(params[j]) if params else self.f64[j]
            f32[j] = <float> f64[j]
            job.params[j].data = <char*> &f32[j]
            if not single:
                job.params[j].data = <char*> &f64[j]
            job.params[j].stride = job.params[j].type = 0
        if job.n * job.op.cost < 1000.0:
            run(&job)
        else:
            with nogil:
                run(&job)

    cdef object scalar(self, double value):
        """The result for a Python float or a NumPy one, with the parameters' defaults: a NumPy float64 as np.exp gives."""
        cdef Job job
        cdef double y, z
        cdef int j
        job.op = &self.kernel.f64
        job.n = 1
        job.x = Operand(<char*> &value, 8, 0)
        job.out[0] = Operand(<char*> &y, 8, 0)
        job.out[1] = Operand(<char*> &z, 8, 0)
        for j in range(self.nparams):
            job.params[j] = Operand(<char*> &self.f64[j], 0, 0)
        run(&job)
        if job.op.nout == 1:
            return float64(y)
        return float64(y), float64(z)

    cdef bint parameter(self, int j, PyObject* given, cnp.ndarray x, float* f32, double* f64, PyObject** array) except -1:
        """Take a float, an integer or an array that broadcasts to x for a parameter; False: it is none, or out of its range."""
        cdef object value = <object> given
        if PyFloat_CheckExact(value):
            f64[0] = PyFloat_AS_DOUBLE(value)
        elif PyLong_CheckExact(value):
            if not -EXACT <= value <= EXACT:
                return False
            f64[0] = <double> PyLong_AsLongLong(value)
        else:
            array[0] = given
            return stretches(value, x)
        f32[0] = <float> f64[0]
        return not f64[0] < self.least[j]

    cdef object plain(self, PyObject* const* args, Py_ssize_t given, tuple names):
        """The result for plain arrays of one shape, with numbers or such arrays as parameters; None if these are not such."""
        cdef cnp.ndarray first = <cnp.ndarray> args[0], x, y, z
        cdef int type_num = cnp.PyArray_TYPE(first), held = stored(first), fortran = 0, size, j
        cdef Py_ssize_t places = given
        cdef Job job
        cdef float f32[MAX_PARAMS]
        cdef double f64[MAX_PARAMS]
        cdef PyObject* arrays[MAX_PARAMS]
        cdef bint wanted = False, flat = True, single = type_num != cnp.NPY_DOUBLE
        cdef object target = None, other = None, bias = None, key, value
        if held < 0 or cnp.PyArray_NDIM(first) == 0:
            return None
        if not PyArray_ISCARRAY_RO(first):
            fortran = PyArray_ISFARRAY_RO(first)
            flat = fortran
            if not flat and not PyArray_ISBEHAVED_RO(first):
                return None
        job.op = &self.kernel.f32 if single else &self.kernel.f64
        size = cnp.PyArray_ITEMSIZE(first)
        x = first
        if self.nin == 2:
            if not alike(first, <object> args[1]):
                return None
            x = <cnp.ndarray> args[1]
            flat = flat and (PyArray_ISFARRAY_RO(x) if fortran else PyArray_ISCARRAY_RO(x))
            if not flat and not PyArray_ISBEHAVED_RO(x):
                return None
            job.grad = Operand(<char*> cnp.PyArray_DATA(first), size, held)
        for j in range(self.nparams):
            f32[j] = self.f32[j]
            f64[j] = self.f64[j]
            arrays[j] = NULL
            if self.nin + j < given and not self.parameter(j, args[self.nin + j], x, &f32[j], &f64[j], &arrays[j]):
                return None
            flat = flat and arrays[j] == NULL
            if single:
                job.params[j].data = <char*> &f32[j]
            else:
                job.params[j].data = <char*> &f64[j]
            job.params[j].stride = 0
            job.params[j].type = 0
        for key in names:
            value = <object> args[given]
            given += 1
            if key == "out" and self.kernel.f32.nout == 1 and PyArray_CheckExact(value):
                target = value
            elif key == "out" and self.kernel.f32.nout == 2 and type(value) is tuple and len(<tuple> value) == 2:
                target, other = <tuple> value
                if not PyArray_CheckExact(target) or not PyArray_CheckExact(other):
                    return None
            elif key in self.names:
                j = self.names.index(key)
                if self.nin + j < places:  # given twice
                    return None
                if not self.parameter(j, <PyObject*> value, x, &f32[j], &f64[j], &arrays[j]):
                    return None
                flat = flat and arrays[j] == NULL
            elif key == "bias" and self.takes_bias and flat and not fortran and held == 0 and along(value, x):
                bias = value
            elif key == "return_bias_grad" and value is True and self.takes_bias and self.nin == 2 and "bias" in names:
                wanted = True
            else:
                return None
        if target is not None and flat:
            flat = not fortran and takes(target, type_num, x) and not overlaps(x, target)
            flat = flat and (self.nin == 1 or not overlaps(first, target))
        if other is not None and flat:
            flat = takes(other, type_num, x) and not overlaps(x, other) and not shares(target, other)
        if not flat:
            return None if bias is not None else laid(job.op, job.params, arrays, held, first, x, target, other)
        y = kept_empty(x, type_num, fortran) if target is None else target
        job.n = cnp.PyArray_SIZE(x)
        job.x = Operand(<char*> cnp.PyArray_DATA(x), size, held)
        job.out[0] = Operand(<char*> cnp.PyArray_DATA(y), size, held)
        if job.op.nout == 1:
            if wanted:
                return y, sum_bias(&job, bias)
            if bias is not None:
                shifted(&job, bias)
            elif job.n * job.op.cost < 1000.0:
                run(&job)
            else:
                with nogil:
                    run(&job)
            return y
        z = kept_empty(x, type_num, fortran) if other is None else other
        job.out[1] = Operand(<char*> cnp.PyArray_DATA(z), size, held)
        if bias is not None:
            shifted(&job, bias)
        else:
            with nogil:
                run(&job)
        return y, z


cdef object laid(
    const Op* op, const Operand* params, PyObject* const* arrays, int held, cnp.ndarray first, cnp.ndarray x, object y, object z
):
    """The result for arrays of any layout; None where outputs are not such, or share memory with something else."""
    cdef int order = order_of(first, x)
    cdef cnp.ndarray target
    cdef object made
    if y is None and order < 0:
        return None
    if y is None:
        y = kept_empty(x, cnp.PyArray_TYPE(x), order)
        z = kept_empty(x, cnp.PyArray_TYPE(x), order) if op.nout == 2 else None
    made = (y,) if op.nout == 1 else (y, z)
    for target in made:
        if not alike(x, target) or not PyArray_ISBEHAVED(target):
            return None
    if not lay(op, params, arrays, held, first, x, made):
        return None
    return y if op.nout == 1 else made


cdef int order_of(cnp.ndarray first, cnp.ndarray x) noexcept:
    """The order in which NumPy would lay out a result: C (0), also where inputs do not agree, Fortran's (1), another (-1)."""
    cdef int d, forwards = 0, backwards = 0, ambiguous = 0
    cdef Py_ssize_t a, b, c, e
    for d in range(cnp.PyArray_NDIM(x) - 1):
        a, b = llabs(cnp.PyArray_STRIDES(x)[d]), llabs(cnp.PyArray_STRIDES(x)[d + 1])
        c, e = llabs(cnp.PyArray_STRIDES(first)[d]), llabs(cnp.PyArray_STRIDES(first)[d + 1])
        if a == 0 or b == 0 or c == 0 or e == 0 or cnp.PyArray_DIMS(x)[d] == 1 or cnp.PyArray_DIMS(x)[d + 1] == 1:
            ambiguous += 1
        elif b <= a or e <= c:
            forwards += 1
        else:
            backwards += 1
    return 0 if backwards == 0 else 1 if forwards == 0 and ambiguous == 0 else -1


cdef inline bint is_double(object value):
    """Whether something is a Python float or a NumPy float64."""
    return PyFloat_CheckExact(value) or type(value) is float64


cdef int shifted(Job* job, cnp.ndarray bias) except -1:
    """Compute a job of x + bias."""
    cdef const void* data = cnp.PyArray_DATA(bias)
    cdef Py_ssize_t length = cnp.PyArray_SIZE(bias)
    with nogil:
        add_bias(job, data, length)
    return 0


cdef inline bint along(object bias, cnp.ndarray x) noexcept:
    """Whether something is a plain contiguous array of the dtype of x with an element for each of its last axis."""
    return (PyArray_CheckExact(bias) and cnp.PyArray_TYPE(bias) == cnp.PyArray_TYPE(x) and cnp.PyArray_NDIM(bias) == 1
            and PyArray_ISCARRAY_RO(bias) and cnp.PyArray_DIMS(bias)[0] == cnp.PyArray_DIMS(x)[cnp.PyArray_NDIM(x) - 1])


cdef inline bint alike(cnp.ndarray x, object other) noexcept:
    """Whether something is an array of the dtype and shape of x."""
    return PyArray_CheckExact(other) and cnp.PyArray_TYPE(other) == cnp.PyArray_TYPE(x) and PyArray_SAMESHAPE(x, other)


cdef inline bint stretches(object value, cnp.ndarray x) noexcept:
    """Whether something is a plain array of the dtype of x, float32 or float64, that broadcasts to its shape."""
    cdef int d, apart
    if not PyArray_CheckExact(value) or cnp.PyArray_TYPE(value) != cnp.PyArray_TYPE(x) or not PyArray_ISBEHAVED_RO(value):
        return False
    apart = cnp.PyArray_NDIM(x) - cnp.PyArray_NDIM(value)
    if apart < 0 or apart == cnp.PyArray_NDIM(x) or cnp.PyArray_TYPE(x) not in (cnp.NPY_FLOAT, cnp.NPY_DOUBLE):
        return False
    for d in range(cnp.PyArray_NDIM(value)):
        if cnp.PyArray_DIMS(value)[d] != cnp.PyArray_DIMS(x)[d + apart] and cnp.PyArray_DIMS(value)[d] != 1:
            return False
    return True


cdef inline bint takes(cnp.ndarray y, int type_num, cnp.ndarray x) noexcept:
    """Whether y is a contiguous output for x."""
    return cnp.PyArray_TYPE(y) == type_num and PyArray_ISCARRAY(y) and PyArray_SAMESHAPE(x, y)


cdef inline bint shares(cnp.ndarray x, cnp.ndarray y) noexcept:
    """Whether two contiguous arrays of one shape share memory."""
    return overlaps(x, y) or cnp.PyArray_DATA(x) == cnp.PyArray_DATA(y)


cdef inline bint overlaps(cnp.ndarray x, cnp.ndarray y) noexcept:
    """Whether two contiguous arrays of one shape share memory without being the same memory."""
    cdef Py_ssize_t distance = <char*> cnp.PyArray_DATA(x) - <char*> cnp.PyArray_DATA(y)
    return distance != 0 and -cnp.PyArray_NBYTES(x) < distance < cnp.PyArray_NBYTES(x)


enable(Call)
