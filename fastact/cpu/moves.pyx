# cython: language_level=3
"""The addresses of what moves, adds, transposes and folds elements, by name and bytes of an element; compiled once per ISA level."""

from libc.stdint cimport int64_t

cdef extern from "moves.h" nogil:
    void fa_gather_f32(const char* src, int64_t row, int64_t rows, int64_t stride, int type, void* dst, int64_t n)
    void fa_gather_f64(const char* src, int64_t row, int64_t rows, int64_t stride, int type, void* dst, int64_t n)
    void fa_scatter_f32(const void* src, char* dst, int64_t row, int64_t rows, int64_t stride, int type, int64_t n)
    void fa_scatter_f64(const void* src, char* dst, int64_t row, int64_t rows, int64_t stride, int type, int64_t n)
    void fa_add_f32(const void* src, const void* more, void* dst, int64_t n)
    void fa_add_f64(const void* src, const void* more, void* dst, int64_t n)
    void fa_stream(void* dst, const void* src, int64_t size, const void* next)

cdef extern from "fold.h" nogil:
    void fa_fold_max_f32(const void* m, int64_t n, void* out)
    void fa_fold_max_f64(const void* m, int64_t n, void* out)
    void fa_fold_sums_f32(const void* sums, int64_t n, int count, double start, void* out)
    void fa_fold_sums_f64(const void* sums, int64_t n, int count, double start, void* out)
    void fa_total_f32(const void* row, double* total, double* error, int64_t n)
    void fa_total_f64(const void* row, double* total, double* error, int64_t n)

cdef extern from "transpose.h" nogil:
    void fa_transpose_f32(const void* src, int64_t src_step, void* dst, int64_t dst_step, int64_t rows, int64_t columns)
    void fa_transpose_f64(const void* src, int64_t src_step, void* dst, int64_t dst_step, int64_t rows, int64_t columns)

table = {
    ("gather", 4): <size_t> &fa_gather_f32, ("gather", 8): <size_t> &fa_gather_f64,
    ("scatter", 4): <size_t> &fa_scatter_f32, ("scatter", 8): <size_t> &fa_scatter_f64,
    ("add", 4): <size_t> &fa_add_f32, ("add", 8): <size_t> &fa_add_f64,
    ("stream", 4): <size_t> &fa_stream, ("stream", 8): <size_t> &fa_stream,
    ("transpose", 4): <size_t> &fa_transpose_f32, ("transpose", 8): <size_t> &fa_transpose_f64,
    ("fold_max", 4): <size_t> &fa_fold_max_f32, ("fold_max", 8): <size_t> &fa_fold_max_f64,
    ("fold_sums", 4): <size_t> &fa_fold_sums_f32, ("fold_sums", 8): <size_t> &fa_fold_sums_f64,
    ("total", 4): <size_t> &fa_total_f32, ("total", 8): <size_t> &fa_total_f64,
}
