/* dst[j][i] = src[i][j], in blocks that registers hold; steps in elements. Compiled once per ISA level. */
#ifndef FASTACT_TRANSPOSE_H
#define FASTACT_TRANSPOSE_H

#include <stdint.h>

#if defined(__x86_64__) || defined(_M_X64)
#include <immintrin.h>
#define FA_SSE 1
#endif

/* FA_SMALL and FA_LARGE: the elements of a block's side, where there are such blocks. */
#if defined(FA_SSE)
#define FA_SMALL(own) (16 / (int64_t)sizeof(own))

static inline void fa_transpose_small_f32(const float *src, int64_t src_step, float *dst, int64_t dst_step)
{
    __m128 a = _mm_loadu_ps(src), b = _mm_loadu_ps(src + src_step);
    __m128 c = _mm_loadu_ps(src + 2 * src_step), d = _mm_loadu_ps(src + 3 * src_step);
    _MM_TRANSPOSE4_PS(a, b, c, d);
    _mm_storeu_ps(dst, a);
    _mm_storeu_ps(dst + dst_step, b);
    _mm_storeu_ps(dst + 2 * dst_step, c);
    _mm_storeu_ps(dst + 3 * dst_step, d);
}

static inline void fa_transpose_small_f64(const double *src, int64_t src_step, double *dst, int64_t dst_step)
{
    __m128d a = _mm_loadu_pd(src), b = _mm_loadu_pd(src + src_step);
    _mm_storeu_pd(dst, _mm_unpacklo_pd(a, b));
    _mm_storeu_pd(dst + dst_step, _mm_unpackhi_pd(a, b));
}
#else
#define FA_SMALL(own) 1
#define fa_transpose_small_f32(src, src_step, dst, dst_step) (*(dst) = *(src))
#define fa_transpose_small_f64(src, src_step, dst, dst_step) (*(dst) = *(src))
#endif

#if defined(__AVX__)
#define FA_LARGE(own) (32 / (int64_t)sizeof(own))

/* Half of one row above half of another: what remains is to transpose the upper and the lower blocks at once. */
static inline __m256 fa_halves_f32(const float *above, const float *below)
{
    return _mm256_insertf128_ps(_mm256_castps128_ps256(_mm_loadu_ps(above)), _mm_loadu_ps(below), 1);
}

static inline __m256d fa_halves_f64(const double *above, const double *below)
{
    return _mm256_insertf128_pd(_mm256_castpd128_pd256(_mm_loadu_pd(above)), _mm_loadu_pd(below), 1);
}

static inline void fa_transpose_large_f32(const float *src, int64_t src_step, float *dst, int64_t dst_step)
{
    const float *low = src + 4 * src_step;
    __m256 a, b, c, d, ab, cd;
    int half;
    for (half = 0; half < 2; half++, src += 4, low += 4, dst += 4 * dst_step) {
        a = fa_halves_f32(src, low);
        b = fa_halves_f32(src + src_step, low + src_step);
        c = fa_halves_f32(src + 2 * src_step, low + 2 * src_step);
        d = fa_halves_f32(src + 3 * src_step, low + 3 * src_step);
        ab = _mm256_unpacklo_ps(a, b);
        cd = _mm256_unpacklo_ps(c, d);
        _mm256_storeu_ps(dst, _mm256_shuffle_ps(ab, cd, 0x44));
        _mm256_storeu_ps(dst + dst_step, _mm256_shuffle_ps(ab, cd, 0xee));
        ab = _mm256_unpackhi_ps(a, b);
        cd = _mm256_unpackhi_ps(c, d);
        _mm256_storeu_ps(dst + 2 * dst_step, _mm256_shuffle_ps(ab, cd, 0x44));
        _mm256_storeu_ps(dst + 3 * dst_step, _mm256_shuffle_ps(ab, cd, 0xee));
    }
}

static inline void fa_transpose_large_f64(const double *src, int64_t src_step, double *dst, int64_t dst_step)
{
    const double *low = src + 2 * src_step;
    __m256d a, b;
    int half;
    for (half = 0; half < 2; half++, src += 2, low += 2, dst += 2 * dst_step) {
        a = fa_halves_f64(src, low);
        b = fa_halves_f64(src + src_step, low + src_step);
        _mm256_storeu_pd(dst, _mm256_unpacklo_pd(a, b));
        _mm256_storeu_pd(dst + dst_step, _mm256_unpackhi_pd(a, b));
    }
}
#else
#define FA_LARGE(own) FA_SMALL(own)
#define fa_transpose_large_f32 fa_transpose_small_f32
#define fa_transpose_large_f64 fa_transpose_small_f64
#endif

/* The last blocks overlap those before them. */
#define FA_TRANSPOSE_BLOCK(block, side) \
    do { \
        const int64_t r = i + (side) > rows ? rows - (side) : i, c = j + (side) > columns ? columns - (side) : j; \
        block(src + r * src_step + c, src_step, dst + c * dst_step + r, dst_step); \
    } while (0)

/* Blocks follow each other along the longer step: lines that lie far apart push each other out of the caches. */
#define FA_TRANSPOSE_BLOCKS(block, side) \
    if (dst_step > src_step) { \
        for (j = 0; j < columns; j += (side)) \
            for (i = 0; i < rows; i += (side)) \
                FA_TRANSPOSE_BLOCK(block, side); \
    } else { \
        for (i = 0; i < rows; i += (side)) \
            for (j = 0; j < columns; j += (side)) \
                FA_TRANSPOSE_BLOCK(block, side); \
    }

#define FA_TRANSPOSE(suffix, own) \
    static void fa_transpose_##suffix(const void *from, int64_t src_step, void *to, int64_t dst_step, int64_t rows, int64_t columns) \
    { \
        const own *src = (const own *)from; \
        own *dst = (own *)to; \
        const int64_t shorter = rows < columns ? rows : columns; \
        int64_t i, j; \
        if (shorter >= FA_LARGE(own)) { \
            FA_TRANSPOSE_BLOCKS(fa_transpose_large_##suffix, FA_LARGE(own)) \
        } else if (shorter >= FA_SMALL(own)) { \
            FA_TRANSPOSE_BLOCKS(fa_transpose_small_##suffix, FA_SMALL(own)) \
        } else { \
            for (i = 0; i < rows; i++) \
                for (j = 0; j < columns; j++) \
                    dst[j * dst_step + i] = src[i * src_step + j]; \
        } \
    }

FA_TRANSPOSE(f32, float)
FA_TRANSPOSE(f64, double)

#endif
