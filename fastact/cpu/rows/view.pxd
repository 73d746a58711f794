# What the modules of this folder know of rows, tiles and panels: declarations alone.

from fastact._kernels cimport GROUP

cdef enum:
    WIDTH = 32              # lanes of a row (fastact/cpu/rows/printer.py)
    SEGMENT = 1 << 16       # elements of a long row that one thread takes
    SLOTS = 32
    NSCALARS = 5
    MOST_COPIES = 128

cdef enum Op:               # the functions of rows
    SOFTMAX, LOG_SOFTMAX, SOFTMAX1, LOGSUMEXP, SPARSEMAX, ENTMAX15, ENTMAX, ENTMAX_STEEP, HARDMAX, MAXOUT
    SOFTMAX_BACK, LOG_SOFTMAX_BACK, SPARSEMAX_BACK, ENTMAX15_BACK
    NOPS

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
    const char* numbers     # NSCALARS of the call or of this row
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


cdef inline Py_ssize_t padded(Py_ssize_t w) noexcept nogil:
    """Lanes, filled up to whole vectors."""
    return (w + GROUP - 1) & ~(GROUP - 1)


cdef inline Py_ssize_t segments(Py_ssize_t n) noexcept nogil:
    """The pieces that a row of n elements is cut into."""
    return (n + SEGMENT - 1) // SEGMENT


cdef inline char* slot(const View* v, int number) noexcept nogil:
    """Where a number of the rows, or an accumulator across rows, lies."""
    return v.slots + number * v.room
