# What other Cython modules of the package share with _kernels.pyx.

from numpy cimport npy_intp

cdef extern from "numpy/ufuncobject.h":
    ctypedef void (*PyUFuncGenericFunction)(char**, const npy_intp*, const npy_intp*, void*) noexcept nogil

cdef enum:
    BLOCK = 1024      # elements of a cache-resident block
    STREAMED = 256    # elements computed before they are written past the caches, while the next ones are computed
    PART = 64         # blocks that a thread takes at a time where memory is the limit
    SHARES = 4        # parts for each thread where it is not
    GROUP = 16        # blocks run over multiples of this (fastact/cpu/printer.py)
    MAX_PARAMS = 4
    MAX_OUT = 2

# y[i] (and z[i]) from x[i] for i < n; p points to scalars or, for varying parameters, to arrays, then to a gradient's.
ctypedef void (*block_fn)(const void* x, void* y, void* z, Py_ssize_t n, const void* const* p) noexcept nogil

cdef struct Op:
    block_fn uniform        # parameters are scalars
    block_fn varying        # parameters change along the loop; NULL: there are none
    int nparams
    bint grad               # an incoming gradient follows the parameters
    int nout
    int size                # bytes of an element: 4 or 8
    double cost             # rough nanoseconds an element on one thread

cdef struct Operand:
    char* data
    Py_ssize_t stride       # bytes
    int type                # what lies in memory: 0: the kernel's own, 1: float16, 12: bfloat16, else one that an input is converted from

cdef struct Job:
    const Op* op
    Py_ssize_t n
    Operand x
    Operand grad
    Operand out[MAX_OUT]
    Operand params[MAX_PARAMS]

# One part of a job, on the thread `worker`.
ctypedef void (*part_fn)(const void* job, Py_ssize_t part, int worker) noexcept nogil

# What moves elements between arrays and buffers, and folds accumulators, at the level of the kernels (moves.h).
ctypedef void (*gather_fn)(
    const char* src, Py_ssize_t row, Py_ssize_t rows, Py_ssize_t stride, int type, void* dst, Py_ssize_t n) noexcept nogil
ctypedef void (*scatter_fn)(
    const void* src, char* dst, Py_ssize_t row, Py_ssize_t rows, Py_ssize_t stride, int type, Py_ssize_t n) noexcept nogil
ctypedef void (*add_fn)(const void* src, const void* more, void* dst, Py_ssize_t n) noexcept nogil
ctypedef void (*stream_fn)(void* dst, const void* src, Py_ssize_t size, const void* next) noexcept nogil
ctypedef void (*transpose_fn)(
    const void* src, Py_ssize_t src_step, void* dst, Py_ssize_t dst_step, Py_ssize_t rows, Py_ssize_t columns) noexcept nogil
ctypedef void (*fold_max_fn)(const void* m, Py_ssize_t n, void* out) noexcept nogil
ctypedef void (*fold_sums_fn)(const void* sums, Py_ssize_t n, int count, double start, void* out) noexcept nogil
ctypedef void (*total_fn)(const void* row, double* total, double* error, Py_ssize_t n) noexcept nogil

cdef struct Moves:
    gather_fn gather
    scatter_fn scatter
    add_fn add
    stream_fn stream
    transpose_fn transpose
    fold_max_fn fold_max
    fold_sums_fn fold_sums
    total_fn total

cdef Moves movers[2]             # float32, float64

cdef class Kernel:
    cdef Op f32
    cdef Op f64
    cdef readonly object ufunc
    cdef readonly object mixed_ufunc    # float16 or bfloat16 arrays with float32 parameters; None without
    cdef readonly int nin       # arrays before the parameters: (grad,) x
    cdef readonly str kind
    cdef object _keep           # the bytes that the ufunc points to
    cdef make_ufunc(self, tuple loops, int name)

cdef bint in_turn(PyUFuncGenericFunction loop, char** args, const npy_intp* n, const npy_intp* steps, void* data) noexcept nogil
cdef int meets(const Operand* a, const Operand* b, Py_ssize_t n, int size) noexcept nogil
cdef void run(Job* job) noexcept nogil
cdef void run_range(const Job* job, Py_ssize_t start, Py_ssize_t stop, bint varying, bint buffered, bint stream) noexcept nogil
cdef bint worth_streaming(Py_ssize_t size) noexcept nogil
cdef void parallel(part_fn part, const void* job, Py_ssize_t parts, int threads) noexcept nogil
