# What _rowwise.pyx takes from _passes.pyx.

cdef enum:
    WIDTH = 32              # lanes of a row (fastact/_codegen.py)
    SEGMENT = 1 << 16       # elements of a long row that one thread takes
    SLOTS = 20
    NSCALARS = 3

cdef enum Pass:
    ROW_MAX, EXP_SHIFT, EXP_SUM, EXP_SUM_SCALED, INVERSE, SCALED, EXP_SCALED
    EXP_SUM_OTHERS, LOG_TOTAL, LOG_SCALED, LOG_SUM_EXP
    SPARSE_START, SPARSE_EXCESS, SPARSE_STEP, SPARSE_PART, ENTMAX_EXCESS, ENTMAX_STEP, ENTMAX_PART
    DOT, SOFTMAX_SLOPE, GRAD_SUM, LOG_SOFTMAX_SLOPE, SPARSE_DOT, SPARSE_SLOPE, ENTMAX_DOT, ENTMAX_SLOPE, WEIGHTED_MEAN
    NPASSES

cdef struct Array:
    char* data
    Py_ssize_t step         # elements from one position along n to the next; 0: one place, written over and over

cdef struct Job:
    int op
    int size                # bytes of an element
    bint unit               # temperature 1, not negated
    bint stream             # the output goes past the caches
    bint shared             # the output is an input, so a pass must not write where it reads
    double scalars[NSCALARS]
    char typed[NSCALARS * 8]

cdef struct View:
    const Job* job
    Py_ssize_t n            # positions along the rows
    Py_ssize_t w            # lanes: 1 row, or that many
    bint along
    int threads             # that share one long row
    char* slots
    Py_ssize_t room         # bytes of a slot
    char* kept              # room for n * w elements, or NULL
    Array a
    Array b
    Array out

cdef Py_ssize_t padded(Py_ssize_t w) noexcept nogil
cdef void sweep(const View* v, int number, const Array* a, const Array* b, const Array* out) noexcept nogil
cdef void reduce(View* v, int number, const Array* a, const Array* b, const Array* out, double start) noexcept nogil
cdef void once(View* v, int number) noexcept nogil
cdef bint moves(const View* v) noexcept nogil
cdef void result(const View* v, char* out) noexcept nogil
