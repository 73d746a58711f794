/* Elements from arrays of any stride and type into the kernels' buffers and back, past the caches too, and the folding of
 * accumulators. Compiled once per ISA level: strides of 2 and -1 are shuffles. */
#ifndef FASTACT_MOVES_H
#define FASTACT_MOVES_H

#include <stdint.h>
#include <string.h>

#include "halves.h"

#if defined(__x86_64__) || defined(_M_X64)
#include <immintrin.h>
#define FA_SSE 1
#endif

/* GCC makes a call of memcpy of a loop that copies, which takes longer for a few dozen bytes. */
#if defined(__GNUC__) && !defined(__clang__)
#pragma GCC optimize("no-tree-loop-distribute-patterns")
#endif

/* ---- rows of n elements, each `stride` bytes from the next, into a buffer of the kernel's type ---- */

/* Types: 0 is the buffer's own, 1 float16, 12 bfloat16; fastact/cpu/dtypes.pyx knows them all by NumPy's numbers. */
#define FA_TYPES(X) \
    X(2, int8_t) X(3, uint8_t) X(4, int16_t) X(5, uint16_t) X(6, int32_t) X(7, uint32_t) X(8, int64_t) X(9, uint64_t) \
    X(10, float) X(11, double)

/* A loop with the stride as a constant vectorises, one with a variable does not. memcpy: elements may be misaligned. */
#define FA_STRIDED(type_, step) \
    for (i = 0; i < n; i++) { \
        type_ value; \
        memcpy(&value, src + i * (step), sizeof value); \
        dst[i] = (__typeof__(*dst))value; \
    }

#define FA_CONVERT(number, type_) \
    case number: \
        if (stride == (int64_t)sizeof(type_)) { \
            FA_STRIDED(type_, (int64_t)sizeof(type_)) \
        } else { \
            FA_STRIDED(type_, stride) \
        } \
        break;

#define FA_COPY(bytes) (memcpy(dst, src, bytes), src += (bytes), dst += (bytes))

static inline void fa_copy(const char *__restrict__ src, char *__restrict__ dst, int64_t size)
{
    for (; size >= 64; size -= 64)
        FA_COPY(64);
    if (size & 32)
        FA_COPY(32);
    if (size & 16)
        FA_COPY(16);
    if (size & 8)
        FA_COPY(8);
    if (size & 4)
        FA_COPY(4);
}

/* Rows into a buffer where they follow each other: each in whole pieces, beyond its end, as long as what lies there
 * belongs to the rows as well. */
#define FA_COPY_ROWS(piece) \
    for (; rows > few; rows--, src += row, dst += size) \
        for (i = 0; i < size; i += (piece)) \
            memcpy(dst + i, src + i, piece);

static void fa_copy_rows(const char *__restrict__ src, int64_t row, int64_t rows, char *__restrict__ dst, int64_t size)
{
    int64_t piece = size <= 16 ? 16 : size <= 32 ? 32 : 64;
    int64_t beyond = (size + piece - 1) / piece * piece - size;
    int64_t few = beyond == 0 ? 0 : row <= 0 ? rows : (beyond - 1) / (row < size ? row : size) + 1; /* at the end */
    int64_t i;
    if (piece == 16) {
        FA_COPY_ROWS(16)
    } else if (piece == 32) {
        FA_COPY_ROWS(32)
    } else {
        FA_COPY_ROWS(64)
    }
    for (; rows > 0; rows--, src += row, dst += size)
        fa_copy(src, dst, size);
}

#define FA_GATHER_OWN(name, own) \
    static inline void name(const char *__restrict__ src, int64_t stride, own *__restrict__ dst, int64_t n) \
    { \
        int64_t i; \
        if (stride == 2 * (int64_t)sizeof(own)) { \
            FA_STRIDED(own, 2 * (int64_t)sizeof(own)) \
        } else if (stride == -(int64_t)sizeof(own)) { \
            FA_STRIDED(own, -(int64_t)sizeof(own)) \
        } else { \
            FA_STRIDED(own, stride) \
        } \
    }

FA_GATHER_OWN(fa_gather_own_f32, float)
FA_GATHER_OWN(fa_gather_own_f64, double)

#define FA_FEW 64 /* elements taken together from where they lie apart */

static inline void fa_gather_halves_f32(const char *src, int64_t stride, int type, float *dst, int64_t n)
{
    uint16_t few[FA_FEW];
    int64_t i, m;
    if (stride == 2) {
        fa_widen((const uint16_t *)src, dst, n, type);
        return;
    }
    for (; n > 0; n -= m, src += m * stride, dst += m) {
        m = n < FA_FEW ? n : FA_FEW;
        for (i = 0; i < m; i++)
            few[i] = *(const uint16_t *)(src + i * stride);
        fa_widen(few, dst, m, type);
    }
}

static inline void fa_gather_halves_f64(const char *src, int64_t stride, int type, double *dst, int64_t n)
{
    float few[FA_FEW];
    int64_t i, m;
    for (; n > 0; n -= m, src += m * stride, dst += m) {
        m = n < FA_FEW ? n : FA_FEW;
        fa_gather_halves_f32(src, stride, type, few, m);
        for (i = 0; i < m; i++)
            dst[i] = few[i];
    }
}

#define FA_GATHER(suffix, own) \
    static void fa_gather_##suffix(const char *src, int64_t row, int64_t rows, int64_t stride, int type, void *to, int64_t n) \
    { \
        own *__restrict__ dst = (own *)to; \
        int64_t i; \
        if (type == 0 && stride == (int64_t)sizeof(own)) { \
            fa_copy_rows(src, row, rows, (char *)to, n * (int64_t)sizeof(own)); \
            return; \
        } \
        for (; rows > 0; rows--, src += row, dst += n) \
            switch (type) { \
            case 0: \
                fa_gather_own_##suffix(src, stride, dst, n); \
                break; \
            case FA_FLOAT16_STORED: \
            case FA_BFLOAT16_STORED: \
                fa_gather_halves_##suffix(src, stride, type, dst, n); \
                break; \
                FA_TYPES(FA_CONVERT) \
            } \
    }

FA_GATHER(f32, float)
FA_GATHER(f64, double)

/* ---- what is added to elements on their way into a buffer ---- */

#define FA_ADD(name, own) \
    static inline void name(const void *from, const void *more, void *to, int64_t n) \
    { \
        const own *__restrict__ a = (const own *)from, *__restrict__ b = (const own *)more; \
        own *__restrict__ dst = (own *)to; \
        int64_t i; \
        for (i = 0; i < n; i++) \
            dst[i] = a[i] + b[i]; \
    }

FA_ADD(fa_add_f32, float)
FA_ADD(fa_add_f64, double)

/* ---- and back; an output has the kernel's type, or is float16 or bfloat16 of float32 kernels ---- */

#define FA_SCATTER_OWN(name, own) \
    static inline void name(const own *__restrict__ src, char *__restrict__ dst, int64_t stride, int64_t n) \
    { \
        int64_t i; \
        if (stride == (int64_t)sizeof(own)) \
            fa_copy((const char *)src, dst, n * (int64_t)sizeof(own)); \
        else if (stride == -(int64_t)sizeof(own)) \
            for (i = 0; i < n; i++) \
                ((own *)dst)[-i] = src[i]; \
        else \
            for (i = 0; i < n; i++) \
                *(own *)(dst + i * stride) = src[i]; \
    }

FA_SCATTER_OWN(fa_scatter_own_f32, float)
FA_SCATTER_OWN(fa_scatter_own_f64, double)

static inline void fa_scatter_halves(const float *src, char *dst, int64_t stride, int type, int64_t n)
{
    uint16_t few[FA_FEW];
    int64_t i, m;
    if (stride == 2) {
        fa_narrow(src, (uint16_t *)dst, n, type);
        return;
    }
    for (; n > 0; n -= m, src += m, dst += m * stride) {
        m = n < FA_FEW ? n : FA_FEW;
        fa_narrow(src, few, m, type);
        for (i = 0; i < m; i++)
            *(uint16_t *)(dst + i * stride) = few[i];
    }
}

static void fa_scatter_f32(const void *from, char *dst, int64_t row, int64_t rows, int64_t stride, int type, int64_t n)
{
    const float *src = (const float *)from;
    for (; rows > 0; rows--, src += n, dst += row)
        if (type)
            fa_scatter_halves(src, dst, stride, type, n);
        else
            fa_scatter_own_f32(src, dst, stride, n);
}

static void fa_scatter_f64(const void *from, char *dst, int64_t row, int64_t rows, int64_t stride, int type, int64_t n)
{
    const double *src = (const double *)from;
    (void)type;
    for (; rows > 0; rows--, src += n, dst += row)
        fa_scatter_own_f64(src, dst, stride, n);
}

/* ---- past the caches: no read for ownership, and nothing useful evicted ---- */

#if defined(__AVX512F__)
#define FA_STREAM_LINE(d, s) _mm512_stream_ps((float *)(d), _mm512_loadu_ps((const float *)(s)))
#elif defined(__AVX__)
#define FA_STREAM_LINE(d, s) \
    (_mm256_stream_ps((float *)(d), _mm256_loadu_ps((const float *)(s))), \
     _mm256_stream_ps((float *)(d) + 8, _mm256_loadu_ps((const float *)(s) + 8)))
#elif defined(FA_SSE)
#define FA_STREAM_LINE(d, s) \
    (_mm_stream_ps((float *)(d), _mm_loadu_ps((const float *)(s))), \
     _mm_stream_ps((float *)(d) + 4, _mm_loadu_ps((const float *)(s) + 4)), \
     _mm_stream_ps((float *)(d) + 8, _mm_loadu_ps((const float *)(s) + 8)), \
     _mm_stream_ps((float *)(d) + 12, _mm_loadu_ps((const float *)(s) + 12)))
#endif

#if defined(FA_SSE)
static inline void fa_stream_words(char *dst, const char *src, int64_t size)
{
    int word;
    for (; size > 0; dst += 4, src += 4, size -= 4) {
        memcpy(&word, src, 4);
        _mm_stream_si32((int *)dst, word);
    }
}
#endif

/* Copy; meanwhile as many bytes from `next` on are fetched, unless that is NULL. Reading would rest otherwise, and takes
 * a third of the time of a function that memory limits. After a thread's last copy: fa_stream_end() (memory.h). */
static void fa_stream(void *to, const void *from, int64_t size, const void *next)
{
#if defined(FA_SSE)
    char *dst = (char *)to;
    const char *src = (const char *)from, *ahead = (const char *)next;
    int64_t head = (int64_t)(-(uintptr_t)dst & 63);
    if (((uintptr_t)dst & 3) == 0 && (size & 3) == 0) { /* else an array that is not aligned */
        if (head > size)
            head = size;
        fa_stream_words(dst, src, head);
        for (dst += head, src += head, size -= head; size >= 64; dst += 64, src += 64, size -= 64) {
            if (ahead) {
                _mm_prefetch(ahead, _MM_HINT_T0);
                ahead += 64;
            }
            FA_STREAM_LINE(dst, src);
        }
        fa_stream_words(dst, src, size);
        return;
    }
#else
    (void)next;
#endif
    memcpy(to, from, (size_t)size);
}

#endif
