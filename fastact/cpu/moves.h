/* Elements from arrays of any stride and type into the kernels' buffers and back, past the caches too, and the folding of
 * accumulators. Compiled once per ISA level: float16 has instructions of its own, and strides of 2 and -1
 * are shuffles. */
#ifndef FASTACT_MOVES_H
#define FASTACT_MOVES_H

#include <stdint.h>
#include <string.h>

#if defined(__x86_64__) || defined(_M_X64)
#include <immintrin.h>
#define FA_SSE 1
#endif

/* GCC makes a call of memcpy of a loop that copies, which takes longer for a few dozen bytes. */
#if defined(__GNUC__) && !defined(__clang__)
#pragma GCC optimize("no-tree-loop-distribute-patterns")
#endif

/* ---- float16 ---- */

/* By integer arithmetic that vectorises. A float16 shifted into float32's fields has an exponent too small by 112; the
 * multiplication mends it, subnormals included. */
static inline float fa_half_to_float(uint16_t h)
{
    uint32_t magnitude = (uint32_t)(h & 0x7fff) << 13, bits;
    float f;
    memcpy(&f, &magnitude, 4);
    f *= 5.192296858534828e33f; /* 2^112 */
    memcpy(&bits, &f, 4);
    bits |= (h & 0x7fff) >= 0x7c00 ? 0x7f800000u : 0u; /* inf and NaN */
    bits |= (uint32_t)(h & 0x8000) << 16;
    memcpy(&f, &bits, 4);
    return f;
}

static inline uint16_t fa_float_to_half(float x)
{
    uint32_t bits, sign, magnitude, normal, tiny;
    float f;
    memcpy(&bits, &x, 4);
    sign = (bits >> 16) & 0x8000;
    magnitude = bits & 0x7fffffff;
    /* subnormal: adding 0.5 leaves units of 2^-24, rounded to even, in the low bits */
    memcpy(&f, &magnitude, 4);
    f += 0.5f;
    memcpy(&tiny, &f, 4);
    tiny -= 0x3f000000;
    /* normal: rebias, round to nearest even on bit 13 */
    normal = (magnitude - (112u << 23) + 0xfff + ((magnitude >> 13) & 1)) >> 13;
    normal = magnitude >= 0x477ff000 ? 0x7c00 : normal;                            /* 65520 and more */
    normal = magnitude > 0x7f800000 ? 0x7e00 | ((magnitude >> 13) & 0x3ff) : normal; /* NaN */
    return (uint16_t)(sign | (magnitude < (113u << 23) ? tiny : normal));
}

static inline void fa_halves_to_floats(const uint16_t *__restrict__ src, float *__restrict__ dst, int64_t n)
{
    int64_t i = 0;
#if defined(__AVX512F__)
    for (; i + 16 <= n; i += 16)
        _mm512_storeu_ps(dst + i, _mm512_cvtph_ps(_mm256_loadu_si256((const __m256i *)(src + i))));
#elif defined(__F16C__)
    for (; i + 8 <= n; i += 8)
        _mm256_storeu_ps(dst + i, _mm256_cvtph_ps(_mm_loadu_si128((const __m128i *)(src + i))));
#endif
    for (; i < n; i++)
        dst[i] = fa_half_to_float(src[i]);
}

static inline void fa_floats_to_halves(const float *__restrict__ src, uint16_t *__restrict__ dst, int64_t n)
{
    int64_t i = 0;
#if defined(__AVX512F__)
    for (; i + 16 <= n; i += 16)
        _mm256_storeu_si256((__m256i *)(dst + i), _mm512_cvtps_ph(_mm512_loadu_ps(src + i), 0));
#elif defined(__F16C__)
    for (; i + 8 <= n; i += 8)
        _mm_storeu_si128((__m128i *)(dst + i), _mm256_cvtps_ph(_mm256_loadu_ps(src + i), 0));
#endif
    for (; i < n; i++)
        dst[i] = fa_float_to_half(src[i]);
}

/* ---- rows of n elements, each `stride` bytes from the next, into a buffer of the kernel's type ---- */

/* Types: 0 is the buffer's own, 1 float16; fastact/cpu/layouts.pyx knows them all by NumPy's letters. */
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

static inline void fa_gather_halves_f32(const char *src, int64_t stride, float *dst, int64_t n)
{
    uint16_t few[64];
    int64_t i, m;
    if (stride == 2) {
        fa_halves_to_floats((const uint16_t *)src, dst, n);
        return;
    }
    for (; n > 0; n -= m, src += m * stride, dst += m) {
        m = n < 64 ? n : 64;
        for (i = 0; i < m; i++)
            few[i] = *(const uint16_t *)(src + i * stride);
        fa_halves_to_floats(few, dst, m);
    }
}

static inline void fa_gather_halves_f64(const char *src, int64_t stride, double *dst, int64_t n)
{
    int64_t i;
    for (i = 0; i < n; i++)
        dst[i] = fa_half_to_float(*(const uint16_t *)(src + i * stride));
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
            case 1: \
                fa_gather_halves_##suffix(src, stride, dst, n); \
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

/* ---- and back; an output has the kernel's type, or is float16 of float32 kernels ---- */

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

static inline void fa_scatter_halves(const float *src, char *dst, int64_t stride, int64_t n)
{
    uint16_t few[64];
    int64_t i, m;
    if (stride == 2) {
        fa_floats_to_halves(src, (uint16_t *)dst, n);
        return;
    }
    for (; n > 0; n -= m, src += m, dst += m * stride) {
        m = n < 64 ? n : 64;
        fa_floats_to_halves(src, few, m);
        for (i = 0; i < m; i++)
            *(uint16_t *)(dst + i * stride) = few[i];
    }
}

static void fa_scatter_f32(const void *from, char *dst, int64_t row, int64_t rows, int64_t stride, int type, int64_t n)
{
    const float *src = (const float *)from;
    for (; rows > 0; rows--, src += n, dst += row)
        if (type)
            fa_scatter_halves(src, dst, stride, n);
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
