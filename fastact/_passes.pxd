# What _rowwise.pyx takes from _passes.pyx.

cdef enum:
    WIDTH = 32              # lanes of a row (fastact/_row_codegen.py)
    SEGMENT = 1 << 16       # elements of a long row that one thread takes
    SLOTS = 20
    NSCALARS = 3
    MOST_COPIES = 128

cdef enum Pass:
    ROW_MAX, LARGEST, EXP_SHIFT, EXP_SUM, EXP_SUM_SCALED, EXP_TOTAL, INVERSE, SCALED, SCALED_SURE, EXP_SCALED
    EXP_SUM_OTHERS, EXP_SUM_OTHERS_SCALED, LOG_TOTAL, LOG_SHIFTED, LOG_SCALED, LOG_SUM_EXP
    HARD_COUNT, HARD_PART, FIRST_MAX
    SPARSE_START, SPARSE_EXCESS, SPARSE_STEP, SPARSE_PART, ENTMAX_EXCESS, ENTMAX_STEP, ENTMAX_PART
    DOT, SOFTMAX_SLOPE, GRAD_SUM, LOG_SOFTMAX_SLOPE, SPARSE_DOT, SPARSE_SLOPE, ENTMAX_DOT, ENTMAX_SLOPE, WEIGHTED_MEAN
    NPASSES

cdef struct Array:
    char* data
    Py_ssize_t step         # elements from one position along n to the next
    Py_ssize_t row          # bytes from one row to the next, where the passes go along rows

cdef struct Job:
    int op
    int size                # bytes of an element
    bint unit               # temperature 1, not negated
    bint stream             # the output goes past the caches
    int index_size          # bytes of a winner's number, 0: not wanted
    bint shared             # the output is an input, so a pass must not write where it reads
    double scalars[NSCALARS]
    char typed[NSCALARS * 8]

cdef struct View:
    const Job* job
    Py_ssize_t n            # positions along the rows
    Py_ssize_t w            # lanes: rows, or copies of each
    int copies              # positions side by side, in lanes of their own
    Py_ssize_t rest         # positions after the last n * copies
    bint along              # passes go along each row in turn; else across: a row is a lane
    int threads             # that share one long row
    char* slots             # numbers of the rows, and accumulators across rows
    Py_ssize_t room         # bytes of a slot
    char* sums              # accumulators along a row
    Py_ssize_t ahead        # the rows after so many of which are fetched meanwhile, 0: none
    char* kept              # room for n * w elements, or NULL
    Array a
    Array b
    Array out

cdef Py_ssize_t padded(Py_ssize_t w) noexcept nogil
cdef Py_ssize_t segments(Py_ssize_t n) noexcept nogil
cdef void sweep(const View* v, int number, const Array* a, const Array* b, const Array* out) noexcept nogil
cdef void reduce(View* v, int number, const Array* a, const Array* b, const Array* out) noexcept nogil
cdef void once(View* v, int number) noexcept nogil
cdef Py_ssize_t whole(const View* v) noexcept nogil
cdef bint far(const View* v) noexcept nogil
cdef bint sure(const View* v) noexcept nogil
cdef bint moves(const View* v) noexcept nogil
cdef void result(const View* v, char* out, bint maximum) noexcept nogil
cdef void winners(const View* v, char* index, Py_ssize_t rows) noexcept nogil
cdef void first_only(const View* v) noexcept nogil
