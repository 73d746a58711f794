# The passes of the picked ISA level, and what each works on.

from fastact.cpu.rows.view cimport NOPS

# Across rows: (in0, in1, out, accumulators, rows, width, steps of in0, in1 and out, numbers of the call and of the rows).
ctypedef void (*across_fn)(
    const void*, const void*, void*, void*, void*, void*,
    Py_ssize_t, Py_ssize_t, Py_ssize_t, Py_ssize_t, Py_ssize_t, const void* const*) noexcept nogil
# Along a row: (in0, in1, out, accumulators, elements from one of these to the next, whether they start here, elements of the
# row, those by which the inputs are fetched ahead, numbers of the call and of the row).
ctypedef void (*along_fn)(
    const void*, const void*, void*, void*, Py_ssize_t, bint, Py_ssize_t, Py_ssize_t, const void* const*) noexcept nogil
# All passes over many rows: (in0, in1, out, rows, elements of a row, from row to row in each, numbers of the call); how many
# are done.
ctypedef Py_ssize_t (*whole_fn)(
    const void*, const void*, void*, Py_ssize_t, Py_ssize_t, Py_ssize_t, Py_ssize_t, Py_ssize_t, const void* const*) noexcept nogil

cdef enum Pass:
    ROW_MAX, LARGEST, EXP_SHIFT, EXP_SUM, EXP_SUM_SCALED, EXP_TOTAL, INVERSE, ROW_MAX_NULL, INVERSE_NULL, SCALED, SCALED_SURE, EXP_SCALED
    EXP_SUM_OTHERS, EXP_SUM_OTHERS_SCALED, LOG_TOTAL, LOG_SHIFTED, LOG_SCALED, LOG_SUM_EXP
    HARD_COUNT, HARD_PART, FIRST_MAX
    SPARSE_START, SPARSE_EXCESS, SPARSE_STEP, SPARSE_PART, ENTMAX_EXCESS, ENTMAX_STEP, ENTMAX_PART
    POWER_START, POWER_EXCESS, POWER_STEP, POWER_PART
    STEEP_START, STEEP_STEP, STEEP_EXCESS, STEEP_LOW, STEEP_HIGH, STEEP_END, STEEP_PART
    DOT, SOFTMAX_SLOPE, GRAD_SUM, LOG_SOFTMAX_SLOPE, SPARSE_DOT, SPARSE_SLOPE, ENTMAX_DOT, ENTMAX_SLOPE, WEIGHTED_MEAN
    NPASSES

cdef struct Kernel:
    along_fn along[2]       # float32, float64; NULL: computed once a row
    across_fn across[2]
    int ninputs
    int nlanes
    int nstate
    bint takes_x            # its first input
    bint in_place           # along a row its input lies where its output goes
    double start[2]         # of the first accumulator, the others start with 0
    int inputs[2]           # slots, of passes that are computed once a row
    int lanes[6]
    int state[3]

cdef Kernel kernels[NPASSES]
cdef whole_fn wholes[2][NOPS]   # NULL: there is none
cdef int SLOT_M, SLOT_B, SLOT_STEP, SLOT_Y, SLOT_COUNT, SLOT_AT, SLOT_TOP
