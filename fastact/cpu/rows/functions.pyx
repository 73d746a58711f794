# cython: language_level=3, cdivision=True, boundscheck=False, wraparound=False, initializedcheck=False
"""Row-wise functions as sequences of passes over a row, tile or panel."""

from fastact.cpu.rows.accumulators cimport far, first_only, moves, result, sure
from fastact.cpu.rows.passes cimport once, reduce, sweep
from fastact.cpu.rows.table cimport *
from fastact.cpu.rows.view cimport *

#: The functions by name, for Python.
OPS = {
    "softmax": SOFTMAX, "log_softmax": LOG_SOFTMAX, "softmax1": SOFTMAX1, "logsumexp": LOGSUMEXP, "sparsemax": SPARSEMAX,
    "entmax15": ENTMAX15, "entmax": ENTMAX, "entmax_steep": ENTMAX_STEEP, "hardmax": HARDMAX, "maxout": MAXOUT,
    "softmax_backward": SOFTMAX_BACK, "softmax1_backward": SOFTMAX_BACK, "log_softmax_backward": LOG_SOFTMAX_BACK, "sparsemax_backward": SPARSEMAX_BACK,
    "entmax15_backward": ENTMAX15_BACK,
}


cdef void threshold(View* v, int excess, int step, int part, const Array* none) noexcept nogil:
    cdef int _i
    once(v, SPARSE_START)
    if part == POWER_PART:
        once(v, POWER_START)
    for _i in range(100):
        reduce(v, excess, &v.a, none, none)
        once(v, step)
        if not moves(v):
            break
    sweep(v, part, &v.a, none, &v.out)


cdef void bisection(View* v, const Array* none) noexcept nogil:
    """entmax of any alpha, whose largest result is sought."""
    cdef int _i
    once(v, SPARSE_START)
    once(v, POWER_START)
    once(v, STEEP_START)
    for _i in range(120):
        once(v, STEEP_STEP)
        if not moves(v):
            break
        reduce(v, STEEP_EXCESS, &v.a, none, none)
        once(v, STEEP_LOW)
        once(v, STEEP_HIGH)
    once(v, STEEP_END)
    sweep(v, STEEP_PART, &v.a, none, &v.out)


cdef void backward(View* v, int dot_pass, int slope, bint weighted) noexcept nogil:
    cdef Array none = Array(NULL, 0, 0)
    reduce(v, dot_pass, &v.a, &v.b, &none)
    if weighted:
        once(v, WEIGHTED_MEAN)
    sweep(v, slope, &v.a, &v.b, &v.out)


cdef void solve(View* v) noexcept nogil:
    """One row, tile or panel."""
    cdef int op = v.job.op
    cdef Array none = Array(NULL, 0, 0)
    cdef Array kept = Array(v.kept, padded(v.w), padded(v.n) * v.job.size)
    cdef bint plainly = False
    if op == SOFTMAX1:
        reduce(v, ROW_MAX_NULL, &v.a, &none, &none)
    elif op <= HARDMAX:
        reduce(v, LARGEST if v.job.unit else ROW_MAX, &v.a, &none, &none)
    if op <= LOGSUMEXP:
        once(v, EXP_SHIFT)
        plainly = v.job.unit and not far(v)
    if op == SOFTMAX or op == SOFTMAX1:
        if v.kept != NULL:
            reduce(v, EXP_SUM if plainly else EXP_SUM_SCALED, &v.a, &none, &kept)
        else:
            reduce(v, EXP_TOTAL, &v.a, &none, &none)
        once(v, INVERSE if op == SOFTMAX else INVERSE_NULL)
        if v.kept != NULL:
            sweep(v, SCALED_SURE if sure(v) else SCALED, &kept, &none, &v.out)
        else:
            sweep(v, EXP_SCALED, &v.a, &none, &v.out)
    elif op == LOG_SOFTMAX or op == LOGSUMEXP:
        reduce(v, EXP_SUM_OTHERS if plainly else EXP_SUM_OTHERS_SCALED, &v.a, &none, &none)
        once(v, LOG_TOTAL)
        if op == LOG_SOFTMAX:
            sweep(v, LOG_SHIFTED if v.job.unit else LOG_SCALED, &v.a, &none, &v.out)
        else:
            once(v, LOG_SUM_EXP)
            result(v, v.out.data, False)
    elif op == SPARSEMAX:
        threshold(v, SPARSE_EXCESS, SPARSE_STEP, SPARSE_PART, &none)
    elif op == ENTMAX15:
        threshold(v, ENTMAX_EXCESS, ENTMAX_STEP, ENTMAX_PART, &none)
    elif op == ENTMAX:
        threshold(v, POWER_EXCESS, POWER_STEP, POWER_PART, &none)
    elif op == ENTMAX_STEEP:
        bisection(v, &none)
    elif op == HARDMAX:
        reduce(v, HARD_COUNT, &v.a, &none, &none)
        sweep(v, HARD_PART, &v.a, &none, &v.out)
        first_only(v)
    elif op == MAXOUT:
        reduce(v, FIRST_MAX, &v.a, &none, &none)
        result(v, v.out.data, True)
    elif op == SOFTMAX_BACK:
        backward(v, DOT, SOFTMAX_SLOPE, False)
    elif op == LOG_SOFTMAX_BACK:
        backward(v, GRAD_SUM, LOG_SOFTMAX_SLOPE, False)
    elif op == SPARSEMAX_BACK:
        backward(v, SPARSE_DOT, SPARSE_SLOPE, True)
    elif op == ENTMAX15_BACK:
        backward(v, ENTMAX_DOT, ENTMAX_SLOPE, True)
