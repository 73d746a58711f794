# What other Cython modules of the package share with _kernels.pyx.

cdef enum:
    BLOCK = 1024      # elements of a cache-resident block
    GROUP = 16        # blocks run over multiples of this (fastact/_codegen.py)
    MAX_PARAMS = 4
    MAX_OUT = 2

# y[i] (and z[i]) from x[i] for i < n; p points to scalars or, for varying parameters, to arrays.
ctypedef void (*block_fn)(const void* x, void* y, void* z, Py_ssize_t n, const void* const* p) noexcept nogil

cdef struct Op:
    block_fn uniform        # parameters are scalars
    block_fn varying        # parameters change along the loop; NULL: there are none
    block_fn multiply       # y[i] = x[i] * p[0][i], for backward; NULL: no gradient comes in
    int nparams
    int nout
    int size                # bytes of an element: 4 or 8
    double cost             # rough nanoseconds an element on one thread

cdef struct Operand:
    char* data
    Py_ssize_t stride       # bytes
    int type                # what lies in memory: 0: the kernel's own, 1: float16, else one that an input is converted from

cdef struct Job:
    const Op* op
    Py_ssize_t n
    Operand x
    Operand grad
    Operand out[MAX_OUT]
    Operand params[MAX_PARAMS]

cdef class Kernel:
    cdef Op f32
    cdef Op f64
    cdef readonly object ufunc
    cdef readonly object mixed_ufunc    # float16 arrays with float32 parameters; None without parameters
    cdef readonly int nin       # arrays before the parameters: (grad,) x
    cdef readonly str kind
    cdef object _keep           # the bytes that the ufunc points to
    cdef make_ufunc(self, tuple loops)

cdef enum:
    SCRATCH = (1 + MAX_OUT + 2 + MAX_PARAMS) * BLOCK * 8 + 64

cdef void run(Job* job) noexcept nogil
cdef void run_range(const Job* job, Py_ssize_t start, Py_ssize_t stop, bint varying, bint buffered, bint stream) noexcept nogil
cdef void scatter(const Operand* a, Py_ssize_t start, Py_ssize_t m, const char* buffer, int size, bint stream) noexcept nogil
cdef bint worth_streaming(Py_ssize_t size) noexcept nogil
cdef int acquire_team(double work, Py_ssize_t units) noexcept nogil
cdef void release_team() noexcept nogil
