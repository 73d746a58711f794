/* Moving elements: float16, stores past the caches, transposition, and the floating-point flags. */
#ifndef FASTACT_MEMORY_H
#define FASTACT_MEMORY_H

#include <fenv.h>
#include <stdint.h>
#include <string.h>

#if defined(__x86_64__) || defined(_M_X64)
#include <emmintrin.h>
#include <xmmintrin.h>
#define FA_SSE 1
#endif

/* Kernels compute both sides of a select, so the flags they leave say nothing about the result. */
static inline void fa_clear_float_status(void)
{
#ifdef FA_SSE
    _mm_setcsr(_mm_getcsr() & ~0x3fu);
#else
    feclearexcept(FE_ALL_EXCEPT);
#endif
}

/* float16 by integer arithmetic that vectorises. A float16 shifted into float32's fields has an
 * exponent too small by 112; the multiplication mends it, subnormals included. */
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

/* Past the caches: no read for ownership, and nothing useful evicted. */
static inline void fa_stream_copy(void *dst, const void *src, int64_t size)
{
#ifdef FA_SSE
    char *d = (char *)dst;
    const char *s = (const char *)src;
    if (((uintptr_t)d & 15) == 0) {
        int64_t i, whole = size & ~(int64_t)15;
        for (i = 0; i < whole; i += 16)
            _mm_stream_ps((float *)(d + i), _mm_loadu_ps((const float *)(s + i)));
        memcpy(d + whole, s + whole, (size_t)(size - whole));
        _mm_sfence();
        return;
    }
#endif
    memcpy(dst, src, (size_t)size);
}

/* n elements of an array into a buffer of the kernel's type, and back. Types: 0 is the buffer's own, the others
 * stand in FA_TYPES; fastact/_layouts.pyx knows them by NumPy's letters. */
#define FA_TYPES(X) \
    X(2, int8_t) X(3, uint8_t) X(4, int16_t) X(5, uint16_t) X(6, int32_t) X(7, uint32_t) X(8, int64_t) X(9, uint64_t) \
    X(10, float) X(11, double)

#define FA_CONVERT(number, type_) \
    case number: \
        for (i = 0; i < n; i++) { \
            type_ value; \
            memcpy(&value, src + i * stride, sizeof value); \
            dst[i] = (__typeof__(*dst))value; \
        } \
        break;

#define FA_GATHER(name, own) \
    static inline void name(const char *src, int64_t stride, int type, own *dst, int64_t n) \
    { \
        int64_t i; \
        switch (type) { \
        case 0: \
            if (stride == sizeof(own)) \
                memcpy(dst, src, (size_t)n * sizeof(own)); \
            else \
                for (i = 0; i < n; i++) \
                    dst[i] = *(const own *)(src + i * stride); \
            break; \
        case 1: \
            for (i = 0; i < n; i++) \
                dst[i] = fa_half_to_float(*(const uint16_t *)(src + i * stride)); \
            break; \
            FA_TYPES(FA_CONVERT) \
        } \
    }

FA_GATHER(fa_gather_f32, float)
FA_GATHER(fa_gather_f64, double)

static inline void fa_scatter_f32(const float *src, char *dst, int64_t stride, int type, int64_t n)
{
    int64_t i;
    if (type)
        for (i = 0; i < n; i++)
            *(uint16_t *)(dst + i * stride) = fa_float_to_half(src[i]);
    else if (stride == 4)
        memcpy(dst, src, (size_t)n * 4);
    else
        for (i = 0; i < n; i++)
            *(float *)(dst + i * stride) = src[i];
}

static inline void fa_scatter_f64(const double *src, char *dst, int64_t stride, int64_t n)
{
    int64_t i;
    if (stride == 8)
        memcpy(dst, src, (size_t)n * 8);
    else
        for (i = 0; i < n; i++)
            *(double *)(dst + i * stride) = src[i];
}

/* dst[j][i] = src[i][j]; steps in elements. */
static inline void fa_transpose_f32(const float *src, int64_t src_step, float *dst, int64_t dst_step, int64_t rows, int64_t columns)
{
    int64_t i = 0, j;
#ifdef FA_SSE
    for (; i + 4 <= rows; i += 4) {
        const float *s = src + i * src_step;
        for (j = 0; j + 4 <= columns; j += 4) {
            __m128 a = _mm_loadu_ps(s + j), b = _mm_loadu_ps(s + src_step + j);
            __m128 c = _mm_loadu_ps(s + 2 * src_step + j), d = _mm_loadu_ps(s + 3 * src_step + j);
            _MM_TRANSPOSE4_PS(a, b, c, d);
            _mm_storeu_ps(dst + j * dst_step + i, a);
            _mm_storeu_ps(dst + (j + 1) * dst_step + i, b);
            _mm_storeu_ps(dst + (j + 2) * dst_step + i, c);
            _mm_storeu_ps(dst + (j + 3) * dst_step + i, d);
        }
        for (; j < columns; j++) {
            float *t = dst + j * dst_step + i;
            t[0] = s[j];
            t[1] = s[src_step + j];
            t[2] = s[2 * src_step + j];
            t[3] = s[3 * src_step + j];
        }
    }
#endif
    for (; i < rows; i++)
        for (j = 0; j < columns; j++)
            dst[j * dst_step + i] = src[i * src_step + j];
}

static inline void fa_transpose_f64(const double *src, int64_t src_step, double *dst, int64_t dst_step, int64_t rows, int64_t columns)
{
    int64_t i = 0, j;
#ifdef FA_SSE
    for (; i + 2 <= rows; i += 2) {
        const double *s = src + i * src_step;
        for (j = 0; j + 2 <= columns; j += 2) {
            __m128d a = _mm_loadu_pd(s + j), b = _mm_loadu_pd(s + src_step + j);
            _mm_storeu_pd(dst + j * dst_step + i, _mm_unpacklo_pd(a, b));
            _mm_storeu_pd(dst + (j + 1) * dst_step + i, _mm_unpackhi_pd(a, b));
        }
        for (; j < columns; j++) {
            dst[j * dst_step + i] = s[j];
            dst[j * dst_step + i + 1] = s[src_step + j];
        }
    }
#endif
    for (; i < rows; i++)
        for (j = 0; j < columns; j++)
            dst[j * dst_step + i] = src[i * src_step + j];
}

#endif
