# cython: language_level=3
"""Large outputs in memory that is kept when they are gone: NumPy's memory handler (NEP 49) over buffers.h."""

cimport numpy as cnp
import os
from operator import index
from cpython.pycapsule cimport PyCapsule_New
from libc.stdint cimport uint64_t
from libc.string cimport strcpy

cnp.import_array()

cdef extern from "buffers.h":
    size_t FA_LEAST  # bytes: smaller arrays cost the system nothing worth keeping
    ctypedef struct fa_blocks:
        int count
        size_t held, limit
        uint64_t hits, misses
    fa_blocks fa_cache
    void fa_guard_cache()
    void fa_set_limit(size_t) nogil
    void fa_clear_cache() nogil
    void* fa_buffer_malloc(void*, size_t) noexcept nogil
    void* fa_buffer_calloc(void*, size_t, size_t) noexcept nogil
    void* fa_buffer_realloc(void*, void*, size_t) noexcept nogil
    void fa_buffer_free(void*, void*, size_t) noexcept nogil

cdef extern from "numpy/arrayobject.h":
    object PyArray_EMPTY(int, cnp.npy_intp*, int, int)
    ctypedef struct PyDataMemAllocator:
        void* ctx
        void* (*malloc)(void*, size_t) noexcept nogil
        void* (*calloc)(void*, size_t, size_t) noexcept nogil
        void* (*realloc)(void*, void*, size_t) noexcept nogil
        void (*free)(void*, void*, size_t) noexcept nogil
    ctypedef struct PyDataMem_Handler:
        char name[127]
        cnp.npy_uint8 version
        PyDataMemAllocator allocator

cdef PyDataMem_Handler handler
strcpy(handler.name, b"fastact")
handler.version = 1
handler.allocator = PyDataMemAllocator(NULL, fa_buffer_malloc, fa_buffer_calloc, fa_buffer_realloc, fa_buffer_free)
cdef object capsule = PyCapsule_New(&handler, b"mem_handler", NULL)


def keeping(function, *args, **kwargs):
    """Call a function; the arrays that it makes get their memory here."""
    cdef object before = cnp.PyDataMem_SetHandler(capsule)
    try:
        return function(*args, **kwargs)
    finally:
        cnp.PyDataMem_SetHandler(before)


cdef object kept_empty(cnp.ndarray like, int type_num, bint fortran):
    """A new contiguous array of that shape."""
    return kept_of(cnp.PyArray_NDIM(like), cnp.PyArray_DIMS(like), type_num, fortran, cnp.PyArray_NBYTES(like))


cdef object kept_of(int ndim, cnp.npy_intp* shape, int type_num, bint fortran, size_t size):
    """A new contiguous array of a shape, which takes about so many bytes."""
    cdef object before
    if size < FA_LEAST:
        return PyArray_EMPTY(ndim, shape, type_num, fortran)
    before = cnp.PyDataMem_SetHandler(capsule)
    try:
        return PyArray_EMPTY(ndim, shape, type_num, fortran)
    finally:
        cnp.PyDataMem_SetHandler(before)


def set_cache_limit(limit):
    """Set how much memory of outputs that are gone is kept for the next ones.

    Memory that the system hands out is zeroed page by page when it is first written to, which takes longer than most
    activations. Arrays of 128 KiB and more that fastact made therefore leave their memory to the next output of about
    their size. Environment variable: ``FASTACT_CACHE``, in bytes.

    Parameters
    ----------
    limit : int
        Bytes; 0 switches it off. The default is 256 MiB, or a sixteenth of the machine's memory if that is less.

    Raises
    ------
    TypeError, ValueError
        If ``limit`` is no integer, or negative.

    See Also
    --------
    clear_cache : Give back what is kept now.

    Examples
    --------
    >>> import fastact as fa
    >>> fa.set_cache_limit(64 << 20)
    >>> fa.show_config()  # doctest: +ELLIPSIS
    fastact ...
    output cache ... of 64 MiB held, ...
    """
    if index(limit) < 0:
        raise ValueError(f"fastact.set_cache_limit: limit must be at least 0 bytes, got {limit}")
    fa_set_limit(min(index(limit), <size_t> -1 // 2))


def clear_cache():
    """Give the memory that is kept for coming outputs back to the system.

    See Also
    --------
    set_cache_limit : Set how much is kept.

    Examples
    --------
    >>> import numpy as np
    >>> import fastact as fa
    >>> y = fa.relu(np.zeros(1_000_000))
    >>> del y
    >>> fa.clear_cache()
    >>> fa.show_config()  # doctest: +ELLIPSIS
    fastact ...
    output cache       0.0 of ...
    """
    fa_clear_cache()


def cache_info():
    """Return what is held, the limit (bytes), blocks held, and how many outputs found one or not."""
    return {"held": fa_cache.held, "limit": fa_cache.limit, "blocks": fa_cache.count, "hits": fa_cache.hits,
            "misses": fa_cache.misses}


cdef default_limit():
    given = os.environ.get("FASTACT_CACHE", "")
    try:
        if given:
            limit = int(given)
            if limit < 0:
                raise ValueError
            return limit
        return min(256 << 20, os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") // 16)
    except (AttributeError, OSError):  # no sysconf
        return 256 << 20
    except ValueError:
        raise ImportError(f"FASTACT_CACHE: expected a number of bytes, at least 0, got {given!r}") from None


fa_guard_cache()
set_cache_limit(default_limit())
