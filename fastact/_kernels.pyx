# cython: language_level=3, cdivision=True, boundscheck=False, wraparound=False, initializedcheck=False
"""Blocks, the loop over them and ufuncs: everything between an array and a printed kernel.

The printed kernels (fastact/cpu/printer.py) run over contiguous, disjoint buffers in multiples of GROUP
elements. This module cuts any array into such blocks: contiguous data are handed over as they are,
anything else (strides, float16, bfloat16, remainders, an output that is also an input) goes through a
cache-resident buffer. It knows no formula.
"""

from libc.stdint cimport uintptr_t
from libc.stdlib cimport calloc
from libc.string cimport memset
cimport numpy as cnp
import numpy as np
from fastact.cpu.dtypes cimport FLOAT16, Loop, teach
from fastact.cpu.threads cimport acquire_team, processors, release_team, team_work
# Pickles of 0.1 look for these here.
from fastact.cpu.threads import get_num_threads, set_num_threads  # no-cython-lint

cnp.import_array()
cnp.import_ufunc()

cdef extern from "runtime.h" nogil:
    int fa_cpu_level()
    const char* fa_compiler()

cdef extern from "pool.h" nogil:
    void fa_parallel(part_fn part, const void* job, Py_ssize_t parts, int threads, int processors, double work)
    void fa_watch_pool()

cdef extern from "scratch.h" nogil:
    char* fa_scratch()

cdef extern from "memory.h" nogil:
    void fa_clear_float_status()
    unsigned int fa_float_status()
    void fa_restore_float_mode(unsigned int)
    void fa_stream_end()

cdef extern from "numpy/ufuncobject.h":
    object PyUFunc_FromFuncAndData(PyUFuncGenericFunction*, void**, char*, int, int, int, int, char*, char*, int)

cdef Py_ssize_t stream_above = 32 << 20     # bytes of output

fa_watch_pool()


def set_moves(table):
    """Take the addresses of what moves and folds elements (fastact/cpu/moves.pyx)."""
    cdef int j
    for j in range(2):
        movers[j].gather = <gather_fn> <uintptr_t> <size_t> table["gather", 4 * (j + 1)]
        movers[j].scatter = <scatter_fn> <uintptr_t> <size_t> table["scatter", 4 * (j + 1)]
        movers[j].add = <add_fn> <uintptr_t> <size_t> table["add", 4 * (j + 1)]
        movers[j].stream = <stream_fn> <uintptr_t> <size_t> table["stream", 4 * (j + 1)]
        movers[j].transpose = <transpose_fn> <uintptr_t> <size_t> table["transpose", 4 * (j + 1)]
        movers[j].fold_max = <fold_max_fn> <uintptr_t> <size_t> table["fold_max", 4 * (j + 1)]
        movers[j].fold_sums = <fold_sums_fn> <uintptr_t> <size_t> table["fold_sums", 4 * (j + 1)]
        movers[j].total = <total_fn> <uintptr_t> <size_t> table["total", 4 * (j + 1)]


def build_info():
    """Return the compiler and the CPU's best ISA level (0, 3 or 4)."""
    return {"compiler": fa_compiler().decode(), "cpu_level": fa_cpu_level()}


# ---------------------------------------------------------------------------------------------------
# One block
# ---------------------------------------------------------------------------------------------------

cdef void gather(const Operand* a, Py_ssize_t start, Py_ssize_t m, char* buffer, int size) noexcept nogil:
    """Copy m elements into a buffer, converted, with zeros up to the next multiple of GROUP."""
    cdef Py_ssize_t padded = (m + GROUP - 1) & ~(GROUP - 1)
    movers[size == 8].gather(a.data + start * a.stride, 0, 1, a.stride, a.type, buffer, m)
    memset(buffer + m * size, 0, (padded - m) * size)


cdef void scatter(const Operand* a, Py_ssize_t start, Py_ssize_t m, const char* buffer, int size) noexcept nogil:
    """The way back: m elements from a buffer to an output."""
    movers[size == 8].scatter(buffer, a.data + start * a.stride, 0, 1, a.stride, a.type, m)


cdef inline const char* source(const Operand* a, Py_ssize_t start, Py_ssize_t m, char* buffer, int size) noexcept nogil:
    """Where a kernel finds m elements: in place if it can read a multiple of GROUP there, else copied."""
    if a.stride == size and a.type == 0 and m % GROUP == 0:
        return a.data + start * size
    gather(a, start, m, buffer, size)
    return buffer


cdef inline const char* number(const Operand* a, char* buffer, int size) noexcept nogil:
    """Where a kernel finds a parameter."""
    if a.type == 0 and <uintptr_t> a.data % size == 0:
        return a.data
    gather(a, 0, 1, buffer, size)
    return buffer


cdef inline const char* next_of(const Job* job, int output, Py_ssize_t start) noexcept nogil:
    """What is read next while an output is written, or NULL: x, while a second output is written nothing."""
    if output or job.x.stride != job.op.size or job.x.type or start + BLOCK > job.n:
        return NULL
    return job.x.data + start * job.op.size


cdef void block(const Job* job, Py_ssize_t start, Py_ssize_t m, char* scratch, bint varying, bint buffered, bint stream) noexcept nogil:
    cdef const Op* op = job.op
    cdef int j, size = op.size
    cdef Py_ssize_t padded = (m + GROUP - 1) & ~(GROUP - 1)
    cdef Py_ssize_t room = BLOCK * 8
    cdef const void* p[MAX_PARAMS + 1]
    cdef char* out[MAX_OUT]
    cdef bint scattered[MAX_OUT]
    cdef const char* x = source(&job.x, start, m, scratch, size)
    scratch += room
    for j in range(op.nout):
        scattered[j] = buffered or job.out[j].stride != size or job.out[j].type != 0 or padded != m
        out[j] = scratch + j * room if scattered[j] else job.out[j].data + start * size
    scratch += MAX_OUT * room
    if op.grad:
        p[op.nparams] = source(&job.grad, start, m, scratch, size)
    scratch += room
    for j in range(op.nparams):
        if varying:
            p[j] = source(&job.params[j], start, m, scratch, size)
            scratch += room
        else:
            p[j] = number(&job.params[j], scratch + j * room, size)
    if varying:
        op.varying(x, out[0], out[1], padded, p)
    else:
        op.uniform(x, out[0], out[1], padded, p)
    for j in range(op.nout):
        if stream:
            movers[size == 8].stream(job.out[j].data + start * size, out[j], m * size, next_of(job, j, start + m))
        elif scattered[j]:
            scatter(&job.out[j], start, m, out[j], size)


# ---------------------------------------------------------------------------------------------------
# Threads
# ---------------------------------------------------------------------------------------------------

cdef void parallel(part_fn part, const void* job, Py_ssize_t parts, int threads) noexcept nogil:
    """Compute all parts of a job on so many threads, which acquire_team() has given: the one place where threads are used.

    A part is computed by whatever thread takes it; `worker` numbers the threads from 0.
    """
    fa_parallel(part, job, parts, threads, processors(), team_work)


# ---------------------------------------------------------------------------------------------------
# A whole loop
# ---------------------------------------------------------------------------------------------------

cdef bint worth_streaming(Py_ssize_t size) noexcept nogil:
    """Whether so many bytes of output are better written past the caches."""
    return size > stream_above


cdef bint in_place(const Job* job, bint varying) noexcept nogil:
    """Whether a kernel can read and write all operands where they lie."""
    cdef const Op* op = job.op
    cdef int j
    cdef bint found = job.x.stride == op.size and job.x.type == 0
    if op.grad:
        found &= job.grad.stride == op.size and job.grad.type == 0
    for j in range(op.nout):
        found &= job.out[j].stride == op.size and job.out[j].type == 0
    if varying:
        for j in range(op.nparams):
            found &= job.params[j].stride == op.size and job.params[j].type == 0
    return found


cdef void run_range(const Job* job, Py_ssize_t start, Py_ssize_t stop, bint varying, bint buffered, bint stream) noexcept nogil:
    cdef char* scratch = fa_scratch()
    cdef Py_ssize_t most = STREAMED if stream else BLOCK if buffered or not in_place(job, varying) else stop - start, m
    cdef Py_ssize_t first = start
    while start < stop:
        m = min(most, stop - start)
        if m > GROUP:
            m &= ~(GROUP - 1)  # the remainder is a block of its own
        elif m < GROUP <= stop - first and not buffered:
            start, m = stop - GROUP, GROUP  # which begins early rather than being short: outputs are no inputs
        block(job, start, m, scratch, varying, buffered, stream)
        start += m


cdef inline char* lowest(const Operand* a, Py_ssize_t n) noexcept nogil:
    """The first byte of an operand."""
    return a.data + min((n - 1) * a.stride, <Py_ssize_t> 0)


cdef inline char* beyond(const Operand* a, Py_ssize_t n, int size) noexcept nogil:
    """The byte after an operand's last."""
    return a.data + max((n - 1) * a.stride, <Py_ssize_t> 0) + (2 if a.type else size)


cdef int meets(const Operand* a, const Operand* b, Py_ssize_t n, int size) noexcept nogil:
    """Whether two operands are the same memory (1), share some otherwise (2), or none (0)."""
    if a.data == b.data and a.stride == b.stride:
        return 1
    return 2 if lowest(a, n) < beyond(b, n, size) and lowest(b, n) < beyond(a, n, size) else 0


cdef struct Work:
    const Job* job
    Py_ssize_t blocks
    Py_ssize_t parts
    bint varying
    bint buffered
    bint stream


cdef void run_part(const void* given, Py_ssize_t part, int worker) noexcept nogil:
    """One of the parts that a job is cut into."""
    cdef const Work* w = <const Work*> given
    cdef Py_ssize_t start = w.blocks * part // w.parts * BLOCK, stop = w.blocks * (part + 1) // w.parts * BLOCK
    run_range(w.job, start, min(stop, w.job.n), w.varying, w.buffered, w.stream)
    if w.stream:
        fa_stream_end()


cdef void run(Job* job) noexcept nogil:
    """Compute a job, on several threads where it is large enough to pay."""
    cdef const Op* op = job.op
    cdef int j, k, threads, shared = 0
    cdef Work work
    cdef bint varying = op.uniform == NULL, buffered, stream, large = worth_streaming(job.n * op.size)
    cdef Py_ssize_t blocks = (job.n + BLOCK - 1) // BLOCK
    cdef unsigned int status = fa_float_status()
    for j in range(op.nparams):
        varying |= job.params[j].stride != 0 and job.n > 1
    # Kernels need outputs that are no input. An output may be exactly an input, or, since NumPy knows that
    # it goes forward, lie somewhat before it: then blocks must be finished in order.
    for k in range(op.nout):
        shared |= meets(&job.out[k], &job.x, job.n, op.size)
        if op.grad:
            shared |= meets(&job.out[k], &job.grad, job.n, op.size)
        for j in range(op.nparams):
            shared |= meets(&job.out[k], &job.params[j], job.n, op.size)
    buffered = shared != 0
    stream = large and shared == 0
    for k in range(op.nout):
        stream &= job.out[k].stride == op.size and job.out[k].type == 0
    buffered |= stream
    work.job = job
    work.blocks = blocks
    work.varying, work.buffered, work.stream = varying, buffered, stream
    threads = acquire_team(job.n * op.cost, blocks) if shared < 2 else 1
    if threads > 1:
        work.parts = blocks // PART if large else min(blocks, <Py_ssize_t> SHARES * threads)
        parallel(run_part, &work, work.parts, threads)
        release_team()
    else:
        run_range(job, 0, job.n, varying, buffered, stream)
        if stream:
            fa_stream_end()
    fa_restore_float_mode(status)


# ---------------------------------------------------------------------------------------------------
# ufuncs
# ---------------------------------------------------------------------------------------------------

cdef bint in_turn(PyUFuncGenericFunction loop, char** args, const cnp.npy_intp* n, const cnp.npy_intp* steps, void* data) noexcept nogil:
    """Compute what `reduce` and `accumulate` ask a loop of two arrays for: each result from the one before it; False: it is no such."""
    cdef bint same = args[0] == args[2] and steps[0] == 0
    cdef cnp.npy_intp single = 1, i
    cdef char* at[3]
    if n[0] < 2 or steps[0] != steps[2] or not (same or args[0] + steps[0] == args[2]):
        return False
    for i in range(n[0]):
        at[0], at[1], at[2] = args[0] + i * steps[0], args[1] + i * steps[1], args[2] + i * steps[2]
        loop(at, &single, steps, data)
    return True


cdef void ufunc_loop(char** args, const cnp.npy_intp* n, const cnp.npy_intp* steps, void* data) noexcept nogil:
    """(grad,) x, params... -> outputs, as NumPy calls it."""
    cdef const Loop* loop = <const Loop*> data
    cdef Job job
    cdef int j, i = 0
    job.op = <const Op*> loop.op
    if job.op.grad and job.op.nparams == 0 and in_turn(ufunc_loop, args, n, steps, data):
        return
    job.n = n[0]
    if job.op.grad:
        job.grad = Operand(args[0], steps[0], loop.type)
        i = 1
    job.x = Operand(args[i], steps[i], loop.type)
    for j in range(job.op.nparams):
        job.params[j] = Operand(args[i + 1 + j], steps[i + 1 + j], loop.param_type)
    i += 1 + job.op.nparams
    for j in range(job.op.nout):
        job.out[j] = Operand(args[i + j], steps[i + j], loop.type)
    run(&job)
    fa_clear_float_status()


cdef class Kernel:
    """One kind (value, derivative, ...) of one activation, both precisions, and its ufunc.

    Parameters
    ----------
    name, doc : str
        Of the ufunc.
    kind : str
        For the record.
    tables : tuple of dict
        (address, cost) by (key, kind, varying), for float32 and float64.
    key : tuple
        (activation, printed kind).
    nparams, nout : int
    backward : bool
        An incoming gradient is the first argument.
    """

    def __init__(self, str name, str doc, str kind, tuple tables, tuple key, int nparams, int nout, bint backward):
        cdef Op* op
        cdef int j
        self.kind = kind
        self.nin = 2 if backward else 1
        for j in range(2):
            op = &self.f32 if j == 0 else &self.f64
            table = tables[j]
            op.uniform = op.varying = NULL
            if nparams:
                address, cost = table[*key, True]
                op.varying = <block_fn> <uintptr_t> <size_t> address
            if (*key, False) in table:  # a partial derivative has none
                address, cost = table[*key, False]
                op.uniform = <block_fn> <uintptr_t> <size_t> address
            op.nparams = nparams
            op.grad = backward
            op.nout = nout
            op.size = 4 if j == 0 else 8
            op.cost = max(0.07, 0.0115 * cost) * (1 + j)
        self._keep = (name.encode(), doc.encode(), f"_{name}_mixed".encode())  # a name of its own, by which it is pickled
        self.ufunc = self.make_ufunc(("ee", "ff", "dd"), 0)
        self.mixed_ufunc = self.make_ufunc(("ef",), 2) if nparams else None

    @property
    def costs(self):
        """Rough nanoseconds an element on one thread, in float32 and float64."""
        return self.f32.cost, self.f64.cost

    cdef make_ufunc(self, tuple loops, int name):
        """A ufunc with a loop for each pair of letters: dtype of the arrays, dtype of the parameters. The first is for float16.

        NumPy keeps the pointers for good; ufuncs live as long as the process.
        """
        cdef int nparams = self.f32.nparams, nout = self.f32.nout, j, k, nargs = self.nin + nparams + nout
        cdef int nloops = len(loops)
        cdef PyUFuncGenericFunction* functions = <PyUFuncGenericFunction*> calloc(nloops, sizeof(void*))
        cdef void** data = <void**> calloc(nloops, sizeof(void*))
        cdef char* types = <char*> calloc(nloops, nargs)
        cdef Op* ops = <Op*> calloc(2, sizeof(Op))
        cdef Loop* loop
        ops[0] = self.f32
        ops[1] = self.f64
        for k, (main, param) in enumerate(loops):
            loop = <Loop*> calloc(1, sizeof(Loop))
            loop.op = &ops[1 if main == "d" else 0]
            loop.type = FLOAT16 if main == "e" else 0
            loop.param_type = FLOAT16 if param == "e" else 0
            functions[k] = <PyUFuncGenericFunction> ufunc_loop
            data[k] = loop
            for j in range(nargs):
                letter = param if self.nin <= j < self.nin + nparams else main
                types[k * nargs + j] = np.dtype(letter).num
        return teach(PyUFunc_FromFuncAndData(
            functions, data, types, nloops, self.nin + nparams, nout, -1, self._keep[name], self._keep[1], 0
        ))
