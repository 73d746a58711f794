# cython: language_level=3, cdivision=True, boundscheck=False, wraparound=False, initializedcheck=False
"""The C interface: kernels by name for compiled code (include/fastact.h says what each function does)."""

from cpython.pycapsule cimport PyCapsule_GetContext, PyCapsule_New, PyCapsule_SetContext
from libc.math cimport INFINITY, fma, isnan
from libc.stdint cimport uintptr_t
from libc.stdlib cimport free, malloc
from libc.string cimport memcpy, memset
from fastact._kernels cimport GROUP, MAX_PARAMS, Job, Kernel, Op, Operand, movers, run
from fastact.cpu.rows.view cimport LOGSUMEXP
from fastact.cpu.rows.ways cimport run_rows

cdef extern from "memory.h" nogil:
    unsigned int fa_float_status()
    void fa_restore_float_status(unsigned int)

cdef extern from "../include/fastact.h" nogil:
    enum: FASTACT_API_VERSION, FA_FLOAT16, FA_FLOAT32, FA_FLOAT64
    ctypedef struct fa_kernel:
        pass
    ctypedef struct fa_interface:
        int version
        const fa_kernel* (*find)(const char*, const char*, int) noexcept
        int (*parameters)(const fa_kernel*) noexcept
        void (*run)(const fa_kernel*, Py_ssize_t, const void*, const void*, void*, void*, const double*) noexcept
        void (*run_parallel)(const fa_kernel*, Py_ssize_t, const void*, const void*, void*, void*, const double*) noexcept
        int (*rows)(
            const fa_kernel*, Py_ssize_t, Py_ssize_t, const void*, Py_ssize_t, const void*, Py_ssize_t, void*, Py_ssize_t,
            double) noexcept
        int (*rows_parallel)(
            const fa_kernel*, Py_ssize_t, Py_ssize_t, const void*, Py_ssize_t, const void*, Py_ssize_t, void*, Py_ssize_t,
            double) noexcept
        int (*along)(
            const fa_kernel*, Py_ssize_t, Py_ssize_t, Py_ssize_t, const void*, const void*, void*, double, int) noexcept
        void (*run_arrays)(
            const fa_kernel*, Py_ssize_t, const void*, const void*, void*, void*, const void* const*, const Py_ssize_t*) noexcept

ctypedef fused real:
    float
    double

cdef enum:
    PIECE = 256                 # elements that go through buffers at a time

cdef struct Found:              # what a fa_kernel is
    Op op
    bint half                   # float16
    double defaults[MAX_PARAMS]
    int row_op                  # -1: elementwise
    double sign

# ---------------------------------------------------------------------------------------------------
# Finding
# ---------------------------------------------------------------------------------------------------

cdef dict known = {}            # addresses, by name, kind and dtype
cdef object look_up = None


def set_look_up(function):
    """Take what finds ``(Kernel, defaults)`` or ``(number, sign)`` of rows for a name and a kind, or None."""
    global look_up
    look_up = function


def address_of(str name, str kind, int dtype):
    """The address of a kernel for the C interface; 0: there is none."""
    cdef Found* f
    cdef Kernel kernel
    if (name, kind, dtype) in known:
        return known[name, kind, dtype]
    entry = look_up(name, kind) if FA_FLOAT16 <= dtype <= FA_FLOAT64 else None
    if entry is None or (dtype == FA_FLOAT16 and not isinstance(entry[0], Kernel)):
        return 0
    f = <Found*> malloc(sizeof(Found))    # for good
    if f == NULL:
        raise MemoryError("fastact: no memory for a kernel of the C interface")
    memset(f, 0, sizeof(Found))
    f.row_op = -1
    if isinstance(entry[0], Kernel):
        kernel = entry[0]
        f.op = kernel.f64 if dtype == FA_FLOAT64 else kernel.f32
        f.half = dtype == FA_FLOAT16
        for j, value in enumerate(entry[1]):
            f.defaults[j] = value
    else:
        f.row_op, f.sign = entry
        f.op.size = 8 if dtype == FA_FLOAT64 else 4
    return known.setdefault((name, kind, dtype), <size_t> f)


cdef const fa_kernel* find(const char* name, const char* kind, int dtype) noexcept with gil:
    try:
        return <const fa_kernel*> <uintptr_t> <size_t> address_of(name.decode(), kind.decode(), dtype)
    except (UnicodeDecodeError, MemoryError):
        return NULL


cdef int parameters(const fa_kernel* kernel) noexcept nogil:
    cdef const Found* f = <const Found*> kernel
    return f.op.nparams if f.row_op < 0 else -1

# ---------------------------------------------------------------------------------------------------
# Elements
# ---------------------------------------------------------------------------------------------------

cdef inline bint aligned(const Found* f, const void* data) noexcept nogil:
    """Whether elements lie there as they should; NULL does."""
    return <uintptr_t> data % (2 if f.half else f.op.size) == 0


cdef inline void typed(const Found* f, int j, const double* given, void* number) noexcept nogil:
    """A parameter in the kernel's type."""
    cdef double value = f.defaults[j] if given == NULL else given[j]
    if f.op.size == 4:
        (<float*> number)[0] = <float> value
    else:
        (<double*> number)[0] = value


cdef inline const void* load(const Found* f, const char* data, Py_ssize_t m, char* buffer, bint whole) noexcept nogil:
    """Where a kernel finds m elements: in place, where they are its own and a multiple of GROUP, else copied."""
    cdef char odd[2 * PIECE]
    cdef Py_ssize_t size = f.op.size, wide = (m + GROUP - 1) & ~(GROUP - 1)
    if whole and not f.half and m == wide:
        return data
    if f.half:
        if not aligned(f, data):
            memcpy(odd, data, 2 * m)
            data = odd
        movers[0].gather(data, 0, 1, 2, 1, buffer, m)
    else:
        memcpy(buffer, data, m * size)
    memset(buffer + m * size, 0, (wide - m) * size)
    return buffer


cdef inline void store(const Found* f, const void* result, char* data, Py_ssize_t m) noexcept nogil:
    cdef char odd[2 * PIECE]
    if result == data:
        return
    if not f.half:
        memcpy(data, result, m * f.op.size)
    elif aligned(f, data):
        movers[0].scatter(result, data, 0, 1, 2, 1, m)
    else:
        movers[0].scatter(result, odd, 0, 1, 2, 1, m)
        memcpy(data, odd, 2 * m)


cdef void piece(
    const Found* f, Py_ssize_t m, const char* x, const char* grad, char* y, char* z, const void** p, bint whole, bint apart
) noexcept nogil:
    """At most PIECE elements, or a multiple of GROUP of them that need no buffer."""
    cdef char buffer[4][PIECE * 8]
    cdef const void* from_x = load(f, x, m, buffer[0], whole)
    cdef void* to_y = y if whole and apart and not f.half and m % GROUP == 0 else buffer[1]
    cdef void* to_z = z if z == NULL or to_y == y else buffer[2]
    if f.op.grad:
        p[f.op.nparams] = load(f, grad, m, buffer[3], whole)
    if f.op.uniform != NULL:
        f.op.uniform(from_x, to_y, to_z, (m + GROUP - 1) & ~(GROUP - 1), p)
    else:
        f.op.varying(from_x, to_y, to_z, (m + GROUP - 1) & ~(GROUP - 1), p)
    store(f, to_y, y, m)
    if z != NULL:
        store(f, to_z, z, m)


cdef void run_here(
    const fa_kernel* kernel, Py_ssize_t n, const void* x, const void* grad, void* y, void* z, const double* params
) noexcept nogil:
    cdef const Found* f = <const Found*> kernel
    cdef double numbers[MAX_PARAMS]
    cdef char spread[MAX_PARAMS][PIECE * 8]
    cdef const void* p[MAX_PARAMS + 1]
    cdef Py_ssize_t done = 0, m, step = 2 if f.half else f.op.size, i
    cdef int j
    cdef unsigned int status = fa_float_status()
    cdef bint whole = aligned(f, x) and aligned(f, y) and aligned(f, z) and aligned(f, grad)
    cdef bint apart = y != x and y != grad and (z == NULL or (z != x and z != grad))
    for j in range(f.op.nparams):
        typed(f, j, params, &numbers[j])
        p[j] = &numbers[j]
        if f.op.uniform == NULL:
            for i in range(PIECE):
                memcpy(spread[j] + i * f.op.size, &numbers[j], f.op.size)
            p[j] = spread[j]
    if whole and apart and not f.half and f.op.uniform != NULL and n >= GROUP:
        done = n & ~<Py_ssize_t> (GROUP - 1)
        piece(f, done, <const char*> x, <const char*> grad, <char*> y, <char*> z, p, True, True)
    while done < n:
        m = min(<Py_ssize_t> PIECE, n - done)
        piece(
            f, m, <const char*> x + done * step, (<const char*> grad + done * step) if f.op.grad else NULL,
            <char*> y + done * step, (<char*> z + done * step) if z != NULL else NULL, p, whole, apart,
        )
        done += m
    fa_restore_float_status(status)


cdef inline void fill(
    Job* job, const Found* f, Py_ssize_t n, const void* x, const void* grad, const void* y, const void* z
) noexcept nogil:
    """A job but for its parameters."""
    cdef int step = 2 if f.half else f.op.size
    job.op = &f.op
    job.n = n
    job.x = Operand(<char*> x, step, f.half)
    job.grad = Operand(<char*> grad, step, f.half)
    job.out[0] = Operand(<char*> y, step, f.half)
    job.out[1] = Operand(<char*> z, step, f.half)


cdef void run_parallel(
    const fa_kernel* kernel, Py_ssize_t n, const void* x, const void* grad, void* y, void* z, const double* params
) noexcept nogil:
    cdef const Found* f = <const Found*> kernel
    cdef double numbers[MAX_PARAMS]
    cdef Job job
    cdef int j
    cdef unsigned int status = fa_float_status()
    if not aligned(f, x) or not aligned(f, y) or not aligned(f, z) or not aligned(f, grad) or n * f.op.cost < 1000.0:
        run_here(kernel, n, x, grad, y, z, params)
        return
    fill(&job, f, n, x, grad, y, z)
    for j in range(f.op.nparams):
        typed(f, j, params, &numbers[j])
        job.params[j] = Operand(<char*> &numbers[j], 0, 0)
    run(&job)
    fa_restore_float_status(status)


cdef void run_arrays(
    const fa_kernel* kernel, Py_ssize_t n, const void* x, const void* grad, void* y, void* z, const void* const* params,
    const Py_ssize_t* strides
) noexcept nogil:
    cdef const Found* f = <const Found*> kernel
    cdef Job job
    cdef int j
    cdef unsigned int status = fa_float_status()
    fill(&job, f, n, x, grad, y, z)
    for j in range(f.op.nparams):
        job.params[j] = Operand(<char*> params[j], strides[j], f.half)
    run(&job)
    fa_restore_float_status(status)

# ---------------------------------------------------------------------------------------------------
# Rows
# ---------------------------------------------------------------------------------------------------

cdef inline void mend_sums(const real* x, real* y, Py_ssize_t outer, Py_ssize_t n, Py_ssize_t inner, Py_ssize_t x_row,
                           Py_ssize_t y_row) noexcept nogil:
    """logsumexp of rows with +inf and no NaN, and of empty ones; rows are so many elements apart."""
    cdef Py_ssize_t o, i, j
    cdef real best, v
    for o in range(outer):
        for i in range(inner):
            if n == 0:
                y[o * y_row + i] = <real> -INFINITY
            elif isnan(y[o * y_row + i]):
                best = x[o * x_row + i]
                for j in range(1, n):
                    v = x[o * x_row + j * inner + i]
                    best = v if v > best or isnan(v) else best
                y[o * y_row + i] = best


cdef int run_of_rows(
    const fa_kernel* kernel, Py_ssize_t outer, Py_ssize_t columns, Py_ssize_t inner, const void* x, Py_ssize_t x_stride,
    const void* grad, Py_ssize_t grad_stride, void* y, Py_ssize_t y_stride, double temperature, bint several
) noexcept nogil:
    cdef const Found* f = <const Found*> kernel
    cdef double t = 1.0, t_low = 0.0
    cdef unsigned int status = fa_float_status()
    cdef int failed, size = f.op.size
    if f.row_op < 0:
        return -1
    if temperature != 1.0:
        t = 1.0 / temperature
        if size == 4:
            t_low = t - <float> t
            t = <float> t
        else:
            t_low = fma(-t, temperature, 1.0) / temperature
    if grad == NULL:
        failed = run_rows(f.row_op, size, f.sign, t, t_low, outer, columns, inner, x, x_stride, NULL, 0, y, y_stride, several)
    else:
        failed = run_rows(
            f.row_op, size, f.sign, t, t_low, outer, columns, inner, grad, grad_stride, x, x_stride, y, y_stride, several
        )
    if f.row_op == LOGSUMEXP and size == 4:
        mend_sums[float](<const float*> x, <float*> y, outer, columns, inner, x_stride // size, y_stride // size)
    elif f.row_op == LOGSUMEXP:
        mend_sums[double](<const double*> x, <double*> y, outer, columns, inner, x_stride // size, y_stride // size)
    fa_restore_float_status(status)
    return -1 if failed else 0


cdef int rows_here(
    const fa_kernel* kernel, Py_ssize_t rows, Py_ssize_t columns, const void* x, Py_ssize_t x_stride, const void* grad,
    Py_ssize_t grad_stride, void* y, Py_ssize_t y_stride, double temperature
) noexcept nogil:
    return run_of_rows(kernel, rows, columns, 1, x, x_stride, grad, grad_stride, y, y_stride, temperature, False)


cdef int rows_parallel(
    const fa_kernel* kernel, Py_ssize_t rows, Py_ssize_t columns, const void* x, Py_ssize_t x_stride, const void* grad,
    Py_ssize_t grad_stride, void* y, Py_ssize_t y_stride, double temperature
) noexcept nogil:
    return run_of_rows(kernel, rows, columns, 1, x, x_stride, grad, grad_stride, y, y_stride, temperature, True)


cdef int along(
    const fa_kernel* kernel, Py_ssize_t outer, Py_ssize_t columns, Py_ssize_t inner, const void* x, const void* grad, void* y,
    double temperature, int several
) noexcept nogil:
    cdef const Found* f = <const Found*> kernel
    cdef Py_ssize_t row = columns * inner * f.op.size, result = inner * f.op.size if f.row_op == LOGSUMEXP else row
    return run_of_rows(kernel, outer, columns, inner, x, row, grad, row, y, result, temperature, several != 0)

# ---------------------------------------------------------------------------------------------------
# What others get
# ---------------------------------------------------------------------------------------------------

cdef fa_interface interface
interface.version = FASTACT_API_VERSION
interface.find = find
interface.parameters = parameters
interface.run = run_here
interface.run_parallel = run_parallel
interface.rows = rows_here
interface.rows_parallel = rows_parallel
interface.along = along
interface.run_arrays = run_arrays

FLOAT32, FLOAT64 = FA_FLOAT32, FA_FLOAT64
capsule = PyCapsule_New(&interface, b"fastact._C_API", NULL)

cdef struct Scalar:
    const fa_kernel* kernel
    double params[MAX_PARAMS]


cdef double scalar(double x, void* data) noexcept nogil:
    """One value: what scipy.LowLevelCallable calls."""
    cdef Scalar* s = <Scalar*> data
    cdef double y = 0.0
    run_here(s.kernel, 1, &x, NULL, &y, NULL, s.params)
    return y


cdef void release(object capsule) noexcept:
    free(PyCapsule_GetContext(capsule))


def rows_at(
    size_t kernel, Py_ssize_t outer, Py_ssize_t columns, Py_ssize_t inner, size_t x, size_t grad, size_t y, double temperature
):
    """A kernel of rows over arrays at addresses, as ``along`` of the C interface; grad is 0 for none."""
    cdef int failed
    with nogil:
        failed = along(
            <const fa_kernel*> <uintptr_t> kernel, outer, columns, inner, <const void*> <uintptr_t> x,
            <const void*> <uintptr_t> grad, <void*> <uintptr_t> y, temperature, True,
        )
    if failed:
        raise MemoryError("fastact: no memory for rows")


def scalar_capsule(size_t kernel, params):
    """A capsule of ``double (double, void *)``: one value of a float64 kernel with these parameters, its context."""
    cdef Scalar* s = <Scalar*> malloc(sizeof(Scalar))
    if s == NULL:
        raise MemoryError("fastact: no memory for the parameters of a low-level callable")
    s.kernel = <const fa_kernel*> <uintptr_t> kernel
    for j, value in enumerate(params):
        s.params[j] = value
    made = PyCapsule_New(<void*> scalar, b"double (double, void *)", release)
    PyCapsule_SetContext(made, s)
    return made
