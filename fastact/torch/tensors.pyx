# cython: language_level=3, boundscheck=False, wraparound=False, initializedcheck=False
"""What a short call wants to know of tensors, from torch's table of C functions (DLPack's) where there is one.

Knows torch by what it is given, and kernels by `Call.at`.
"""

from cpython.exc cimport PyErr_Clear
from cpython.pycapsule cimport PyCapsule_GetPointer
from libc.stdint cimport int32_t, int64_t, uint8_t, uint16_t, uint32_t, uint64_t, uintptr_t
from libc.string cimport memcmp
from fastact.cpu.direct cimport is_redirected
from ..cpu.api import rows_at

cdef enum:
    MAJOR = 1                   # of DLPack
    CPU = 1                     # kDLCPU
    FLOAT = 2                   # kDLFloat
    BFLOAT = 4                  # kDLBfloat
    DIMS = 8                    # of tensors that are asked
    MOST = 5                    # tensors of a call: x and its parameters
    LARGE = 1 << 14             # elements from which memory is better taken from fastact, which keeps it for the next result

cdef struct DLTensor:
    char* data
    int32_t device
    int32_t device_number
    int32_t ndim
    uint8_t code
    uint8_t bits
    uint16_t lanes
    int64_t* shape
    int64_t* strides
    uint64_t byte_offset
    int64_t room[DIMS]          # of ours, behind it: for shapes that are asked for

cdef struct DLPackExchangeAPI:
    uint32_t major
    uint32_t minor
    void* previous
    void* functions[3]
    int (*read)(void*, DLTensor*) noexcept

cdef DLPackExchangeAPI* table = NULL
cdef tuple watchers = None
cdef object own = None, level = None, grad_enabled = None, empty_like = None
cdef dict kinds = {}


def watch(tuple asked, forward):
    """Take what is called to know whether anybody watches, each of which says something false if not, and what has ``_current_level``."""
    global watchers, level
    watchers, level = asked, forward


def take(capsule, types, enabled, empty, dtypes):
    """Take DLPack's functions or None, the types of plain tensors, whether gradients are enabled, and ``torch.empty_like``.

    dtypes: DLPack's code and the bits of each; without functions tensors are asked for what they are, which takes longer.
    """
    global table, own, grad_enabled, empty_like, kinds
    cdef DLPackExchangeAPI* found = NULL
    if capsule is not None:
        found = <DLPackExchangeAPI*> PyCapsule_GetPointer(capsule, b"dlpack_exchange_api")
    table = found if found != NULL and found.major == MAJOR else NULL
    own, grad_enabled, empty_like, kinds = types, enabled, empty, dtypes


cpdef bint is_watched() except -1:
    """Whether anybody but autograd may want to know what is computed."""
    if watchers is None:
        return True
    for ask in watchers:
        if ask():
            return True
    return level._current_level >= 0


cdef inline Py_ssize_t size_of(const DLTensor* t) noexcept:
    """The number of elements."""
    cdef Py_ssize_t size = 1
    cdef int j
    for j in range(t.ndim):
        size *= t.shape[j]
    return size


cdef inline bint small(const DLTensor* t) noexcept:
    """Whether memory is better taken from torch; and there is any."""
    return 0 < size_of(t) < LARGE


cdef int look(object tensor, DLTensor* t) except -1:
    """What a tensor is; not 0 where that cannot be said."""
    cdef int j
    if table != NULL:
        if table.read(<void*> tensor, t):
            PyErr_Clear()
            return 1
        return 0
    kind = kinds.get(tensor.dtype)
    if kind is None or tensor.is_nested or tensor.is_sparse or tensor.is_mkldnn or not tensor.is_cpu or tensor.dim() > DIMS:
        return 1
    try:
        if not tensor.is_contiguous():
            return 1
        t.data = <char*> <uintptr_t> tensor.data_ptr()
    except RuntimeError:  # other layouts, and tensors without memory
        return 1
    t.device, t.strides, t.shape = CPU, NULL, t.room
    t.code, t.bits = kind
    t.ndim = tensor.dim()
    for j, length in enumerate(tensor.shape):
        t.room[j] = length
    return 0


cdef bint read(object tensor, DLTensor* t) except -1:
    """Whether a tensor, if nobody watches, is dense, of a dtype with kernels, on the CPU and in one piece; and what it is."""
    cdef int64_t size = 1
    cdef int j
    if type(tensor) not in own:
        return False
    if look(tensor, t):
        return False
    if t.device != CPU or not (t.code == FLOAT and 16 <= t.bits <= 64 or t.code == BFLOAT and t.bits == 16):
        return False
    for j in range(t.ndim - 1, -1, -1):
        if t.strides != NULL and t.shape[j] != 1 and t.strides[j] != size:
            return False
        size *= t.shape[j]
    return t.data != NULL and not tensor.is_neg()  # a zero that takes no memory; one whose sign is yet to be changed


cdef int reread(object tensor, DLTensor* t) except -1:
    """What a tensor is that has been read before, or is new."""
    if look(tensor, t):
        raise RuntimeError("fastact.torch: a tensor has lost its memory")
    return 0


cdef inline bint alike(const DLTensor* a, const DLTensor* b) noexcept:
    """Whether tensors have one dtype and shape."""
    return a.code == b.code and a.bits == b.bits and a.ndim == b.ndim and (
        a.ndim == 0 or memcmp(a.shape, b.shape, a.ndim * sizeof(int64_t)) == 0
    )


cdef class Short:
    """A function ``(numbers, *tensors)`` of such tensors; None for others, and where somebody but autograd watches.

    apply: of the `autograd.Function` whose forward method is `forward`, for where gradients are wanted. of_output: whether the
    gradient needs the output instead of the tensors. otherwise: the same function for large tensors, and for what the kernels do
    not know.
    """

    cdef public object apply
    cdef public bint of_output
    cdef object otherwise

    def __init__(self, otherwise):
        self.otherwise = otherwise

    def __call__(self, numbers, *tensors):
        return self.call(numbers, tensors)

    cdef object call(self, object numbers, tuple tensors):
        cdef DLTensor given[MOST]
        cdef Py_ssize_t j, count = len(tensors)
        cdef bint wanted = False
        if own is None or count > MOST or is_redirected() or is_watched():
            return None
        for j in range(count):
            if not read(tensors[j], &given[j]):
                return None
            wanted = wanted or tensors[j].requires_grad
        if not self.fits(numbers, given, count):
            return None
        if wanted and grad_enabled():
            return self.apply(numbers, *tensors)
        found = self.run(numbers, tensors, given)
        return self.otherwise(numbers, *tensors) if found is None else found

    def forward(self, ctx, numbers, *tensors):
        """Compute, and keep what the gradient needs; as a method of the `autograd.Function`."""
        cdef DLTensor given[MOST]
        cdef Py_ssize_t j
        for j in range(len(tensors)):
            reread(tensors[j], &given[j])
        found = self.run(numbers, tensors, given)
        if found is None:
            found = self.otherwise(numbers, *tensors)
        if numbers:
            ctx.numbers = numbers
        ctx.to_save = (found,) if self.of_output else tensors  # what its `save_for_backward` does
        return found

    cdef bint fits(self, object numbers, const DLTensor* given, Py_ssize_t count) except -1:
        """Whether this is a function of these."""
        return True

    cdef object run(self, object numbers, tuple tensors, const DLTensor* given):
        """Compute by the kernels; None where there are none."""
        return None


cdef bint read_gradient(object grad, object tensor, DLTensor* a, DLTensor* b) except -1:
    """Whether a gradient and what it is a gradient of, or was computed from, are such tensors of one dtype."""
    if is_redirected() or is_watched() or not read(grad, a) or not read(tensor, b):
        return False
    return a.code == b.code and a.bits == b.bits


cdef object elements(call, x, const DLTensor* t, tuple numbers, const DLTensor* grad):
    """A kind of an elementwise function."""
    cdef DLTensor result
    cdef int held = 12 if t.code == BFLOAT else 1 if t.bits == 16 else 0 if t.bits == 32 else -1  # see fastact/cpu/moves.h
    y = empty_like(x)
    reread(y, &result)
    call.at(
        <uintptr_t> t.data, <uintptr_t> result.data, size_of(t), held, numbers, 0 if grad == NULL else <uintptr_t> grad.data
    )
    return y


cdef class Elementwise(Short):
    """Of x and its parameters; numbers are these if none is a tensor, or nothing for the defaults.

    large: ``large(call, x, numbers, grad)`` for large tensors.
    """

    cdef object value, slope, large
    cdef tuple names, defaults

    def __init__(self, function, large):
        super().__init__(None)
        self.value, self.slope, self.large = function, function.backward, large
        self.names, self.defaults = tuple(function.params), tuple(map(float, function.params.values()))

    def bound(self, x, tuple params, dict named):
        """The result for parameters by position and by name, all of them numbers, or tensors of one number as PReLU's weight is."""
        cdef list values = list(params)
        cdef Py_ssize_t j, count = len(self.names), floats = 0, taken = 0
        if not params and not named:
            return self.call((), (x,))
        for j in range(len(params), count):
            values.append(named.get(self.names[j], self.defaults[j]))
            taken += self.names[j] in named
        if len(values) > count or taken < len(named):
            return None  # an error, or a variant
        for value in values:
            floats += type(value) is float
        if floats == count:
            return self.call(tuple(values), (x,))
        return None if floats else self.call((), (x, *values))

    cdef bint fits(self, object numbers, const DLTensor* given, Py_ssize_t count) except -1:
        cdef Py_ssize_t j
        for j in range(1, count):
            if given[j].bits != (64 if given[0].bits == 64 else 32) or given[j].ndim > given[0].ndim or size_of(&given[j]) != 1:
                return False
        return True

    cdef object run(self, object numbers, tuple tensors, const DLTensor* given):
        cdef Py_ssize_t j
        if len(tensors) > 1:
            numbers = tuple([
                (<double*> given[j].data)[0] if given[j].bits == 64 else <double> (<float*> given[j].data)[0]
                for j in range(1, len(tensors))
            ])
        if not small(given):
            return self.large(self.value, tensors[0], numbers, None)
        return elements(self.value, tensors[0], given, numbers, NULL)

    def backward(self, numbers, grad, x):
        """The gradient by x; None where these are no such tensors."""
        cdef DLTensor a, b
        if not read_gradient(grad, x, &a, &b) or not alike(&a, &b):
            return None
        return elements(self.slope, x, &b, numbers, &a) if small(&b) else self.large(self.slope, x, numbers, grad)


cdef object rows(size_t kernel, dim, double temperature, x, const DLTensor* t, const DLTensor* grad, result):
    """A kernel over rows; where there is a gradient, x is the output."""
    cdef DLTensor y
    cdef int j, along = dim
    cdef Py_ssize_t inner = 1
    along += t.ndim if along < 0 else 0
    for j in range(along + 1, t.ndim):
        inner *= t.shape[j]
    reread(result, &y)
    rows_at(
        kernel, size_of(t) // (t.shape[along] * inner), t.shape[along], inner, <uintptr_t> t.data,
        0 if grad == NULL else <uintptr_t> grad.data, <uintptr_t> y.data, temperature,
    )
    return result


cdef class Rows(Short):
    """Of x along one dimension; numbers are this, a temperature, and whether the dimension is kept by what has one result a row.

    kernels: addresses of the value in float32 and float64, and of the gradient, or 0. sums: whether there is one result a row.
    """

    cdef size_t values[2]
    cdef size_t slopes[2]
    cdef bint sums

    def __init__(self, kernels, sums, otherwise):
        super().__init__(otherwise)
        (self.values[0], self.values[1]), (self.slopes[0], self.slopes[1]) = kernels
        self.sums = sums

    cdef bint fits(self, object numbers, const DLTensor* given, Py_ssize_t count) except -1:
        dim, temperature, keepdim = numbers
        return (
            type(dim) is int and -given.ndim <= dim < given.ndim and type(keepdim) is bool
            and type(temperature) is float and 1e-30 <= temperature <= 1e30
        )

    cdef object run(self, object numbers, tuple tensors, const DLTensor* given):
        cdef size_t kernel = 0 if given.bits == 16 else self.values[given.bits == 64]
        cdef int j
        dim, temperature, keepdim = numbers
        x = tensors[0]
        if kernel == 0 or not small(given):
            return None
        if not self.sums:
            return rows(kernel, dim, temperature, x, given, NULL, empty_like(x))
        shape = [given.shape[j] for j in range(given.ndim)]
        shape[dim:dim + 1 or None] = [1] * keepdim
        return rows(kernel, dim, temperature, x, given, NULL, x.new_empty(shape))

    def backward(self, numbers, grad, y):
        """The gradient by x, from the output; None where these are no such tensors."""
        cdef DLTensor a, b
        if not read_gradient(grad, y, &a, &b) or not alike(&a, &b) or b.bits == 16 or self.slopes[b.bits == 64] == 0 or not small(&b):
            return None
        return rows(self.slopes[b.bits == 64], numbers[0], numbers[1], y, &b, &a, empty_like(y))


cdef class Gated(Short):
    """Of two tensors or of one that is split; numbers are the unit's own, for which there is no kernel, and the dimension split."""

    cdef object at

    def __init__(self, at, otherwise):
        super().__init__(otherwise)
        self.at = at

    cdef bint fits(self, object numbers, const DLTensor* given, Py_ssize_t count) except -1:
        if count == 2:
            return alike(&given[0], &given[1])
        return 0 <= numbers[1][0] < given.ndim and given.shape[<Py_ssize_t> numbers[1][0]] % 2 == 0

    cdef tuple told(self, object numbers, const DLTensor* a, const DLTensor* b):
        """What the kernel is told: both addresses, rows, their length and distance, whether they are float64; None without one."""
        cdef Py_ssize_t size = size_of(a), row
        own, dims = numbers
        if own or a.bits == 16 or not small(a):
            return None
        if b != NULL:
            return <uintptr_t> a.data, <uintptr_t> b.data, 1, size, size, a.bits == 64
        if dims[0] != a.ndim - 1:
            return None
        row = a.shape[a.ndim - 1]
        return <uintptr_t> a.data, <uintptr_t> a.data + row // 2 * (a.bits // 8), size // row, row // 2, row, a.bits == 64

    cdef object run(self, object numbers, tuple tensors, const DLTensor* given):
        cdef DLTensor result
        cdef int j
        cdef bint both = len(tensors) == 2
        cdef tuple told = self.told(numbers, given, &given[1] if both else NULL)
        if told is None:
            return None
        if both:
            y = empty_like(tensors[0])
        else:
            y = tensors[0].new_empty([given.shape[j] if j < given.ndim - 1 else told[3] for j in range(given.ndim)])
        reread(y, &result)
        self.at(told[0], told[1], <uintptr_t> result.data, *told[2:])
        return y

    def backward(self, numbers, grad, a, b=None):
        """The gradients by the tensors; None where these are no such tensors."""
        cdef DLTensor given[3]
        cdef DLTensor by_a, by_b
        cdef tuple told
        cdef bint both = b is not None
        if not read_gradient(grad, a, &given[0], &given[1]) or (both and not (read(b, &given[2]) and alike(&given[1], &given[2]))):
            return None
        told = self.told(numbers, &given[1], &given[2] if both else NULL)
        if told is None or size_of(&given[0]) != told[2] * told[3] or given[0].ndim != given[1].ndim:
            return None
        y = empty_like(a)
        z = empty_like(b) if both else y
        reread(y, &by_a)
        reread(z, &by_b)
        other = <uintptr_t> by_b.data + (0 if both else told[3] * (given[1].bits // 8))
        self.at(told[0], told[1], <uintptr_t> by_a.data, *told[2:], <uintptr_t> given[0].data, other)
        return (y, z) if both else (y,)
