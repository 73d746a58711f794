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

/* What is worked on when this is done with: blocks of halves are converted to and fro, and meanwhile memory would rest. */
#if defined(__AVX2__)
#define FA_AHEAD(at) _mm_prefetch((const char *)(at) + 2048, _MM_HINT_T0)
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
#define FA_WIDEN_8(j) _mm256_storeu_ps(dst + i + (j), _mm256_cvtph_ps(_mm_loadu_si128((const __m128i *)(src + i + (j)))))
    for (; i + 32 <= n; i += 32) {
        FA_AHEAD(src + i);
        FA_WIDEN_8(0);
        FA_WIDEN_8(8);
        FA_WIDEN_8(16);
        FA_WIDEN_8(24);
    }
    for (; i + 8 <= n; i += 8)
        FA_WIDEN_8(0);
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
#define FA_NARROW_8(j) _mm_storeu_si128((__m128i *)(dst + i + (j)), _mm256_cvtps_ph(_mm256_loadu_ps(src + i + (j)), 0))
    for (; i + 32 <= n; i += 32) {
        FA_AHEAD(dst + i);
        FA_NARROW_8(0);
        FA_NARROW_8(8);
        FA_NARROW_8(16);
        FA_NARROW_8(24);
    }
    for (; i + 8 <= n; i += 8)
        FA_NARROW_8(0);
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
    int64_t i = 0;
#if defined(__AVX2__)
    __m256i zero = _mm256_setzero_si256();
    for (; i + 32 <= n; i += 32) {
        __m256i a = _mm256_permute4x64_epi64(_mm256_loadu_si256((const __m256i *)(src + i)), 0xd8);
        __m256i b = _mm256_permute4x64_epi64(_mm256_loadu_si256((const __m256i *)(src + i + 16)), 0xd8);
        FA_AHEAD(src + i);
        _mm256_storeu_si256((__m256i *)(dst + i), _mm256_unpacklo_epi16(zero, a));
        _mm256_storeu_si256((__m256i *)(dst + i + 8), _mm256_unpackhi_epi16(zero, a));
        _mm256_storeu_si256((__m256i *)(dst + i + 16), _mm256_unpacklo_epi16(zero, b));
        _mm256_storeu_si256((__m256i *)(dst + i + 24), _mm256_unpackhi_epi16(zero, b));
    }
#endif
    for (; i < n; i++)
        dst[i] = fa_bfloat_to_float(src[i]);
}

static inline uint16_t fa_float_to_bfloat(float x)
{
    uint32_t bits, rounded;
    memcpy(&bits, &x, 4);
    rounded = bits + 0x7fff + ((bits >> 16) & 1);
    return (uint16_t)((x != x ? bits | 0x400000 : rounded) >> 16); /* NaN: quiet, and not rounded to inf */
}

#if defined(__AVX2__)
static inline __m256i fa_round_to_bfloat(__m256 x)
{
    __m256i bits = _mm256_castps_si256(x), last = _mm256_set1_epi32(0x10000);
    __m256i odd = _mm256_cmpeq_epi32(_mm256_and_si256(bits, last), last); /* -1 */
    return _mm256_srli_epi32(_mm256_sub_epi32(_mm256_add_epi32(bits, _mm256_set1_epi32(0x7fff)), odd), 16);
}
#endif

static inline void fa_floats_to_bfloats(const float *__restrict__ src, uint16_t *__restrict__ dst, int64_t n)
{
    int64_t i = 0, j;
#if defined(__AVX2__)
    for (; i + 32 <= n; i += 32) {
        __m256 a = _mm256_loadu_ps(src + i), b = _mm256_loadu_ps(src + i + 8);
        __m256 c = _mm256_loadu_ps(src + i + 16), d = _mm256_loadu_ps(src + i + 24);
        __m256 nan = _mm256_or_ps(_mm256_cmp_ps(a, b, _CMP_UNORD_Q), _mm256_cmp_ps(c, d, _CMP_UNORD_Q));
        __m256i first = _mm256_packus_epi32(fa_round_to_bfloat(a), fa_round_to_bfloat(b));
        __m256i second = _mm256_packus_epi32(fa_round_to_bfloat(c), fa_round_to_bfloat(d));
        FA_AHEAD(dst + i);
        if (_mm256_testz_ps(nan, nan)) { /* the sign bits: no NaN */
            _mm256_storeu_si256((__m256i *)(dst + i), _mm256_permute4x64_epi64(first, 0xd8));
            _mm256_storeu_si256((__m256i *)(dst + i + 16), _mm256_permute4x64_epi64(second, 0xd8));
        } else {
            for (j = 0; j < 32; j++)
                dst[i + j] = fa_float_to_bfloat(src[i + j]);
        }
    }
#else
    (void)j;
#endif
    for (; i < n; i++)
        dst[i] = fa_float_to_bfloat(src[i]);
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
