/* float16 and bfloat16 to float32 and back, rounded to nearest even. Compiled once per ISA level: float16 has instructions of
 * its own. */
#ifndef FASTACT_HALVES_H
#define FASTACT_HALVES_H

#include <stdint.h>
#include <string.h>

#if defined(__x86_64__) || defined(_M_X64)
#include <immintrin.h>
#endif

/* Their numbers among the types that elements may have (moves.h). */
enum { FA_FLOAT16_STORED = 1, FA_BFLOAT16_STORED = 12 };

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

/* ---- bfloat16: the upper bits of a float32 ---- */

static inline float fa_bfloat_to_float(uint16_t h)
{
    uint32_t bits = (uint32_t)h << 16;
    float f;
    memcpy(&f, &bits, 4);
    return f;
}

static inline void fa_bfloats_to_floats(const uint16_t *__restrict__ src, float *__restrict__ dst, int64_t n)
{
    int64_t i;
    for (i = 0; i < n; i++)
        dst[i] = fa_bfloat_to_float(src[i]);
}

static inline void fa_floats_to_bfloats(const float *__restrict__ src, uint16_t *__restrict__ dst, int64_t n)
{
    int64_t i;
    for (i = 0; i < n; i++) {
        uint32_t bits, rounded;
        memcpy(&bits, src + i, 4);
        rounded = bits + 0x7fff + ((bits >> 16) & 1);
        rounded = src[i] != src[i] ? bits | 0x400000 : rounded; /* NaN: quiet, and not rounded to inf */
        dst[i] = (uint16_t)(rounded >> 16);
    }
}

/* ---- either ---- */

static inline void fa_widen(const uint16_t *__restrict__ src, float *__restrict__ dst, int64_t n, int type)
{
    if (type == FA_FLOAT16_STORED)
        fa_halves_to_floats(src, dst, n);
    else
        fa_bfloats_to_floats(src, dst, n);
}

static inline void fa_narrow(const float *__restrict__ src, uint16_t *__restrict__ dst, int64_t n, int type)
{
    if (type == FA_FLOAT16_STORED)
        fa_floats_to_halves(src, dst, n);
    else
        fa_floats_to_bfloats(src, dst, n);
}

#endif
