/* Folding the accumulators of a row, n of each: a multiple of 16; and the totals of columns.
 *
 * Compilers leave the loops of a known length below as so many scalar instructions, which is most of what a short row takes: for
 * AVX they are written out, in the same order. */
#ifndef FASTACT_FOLD_H
#define FASTACT_FOLD_H

#include <stdint.h>

#if defined(__AVX__)
#include <immintrin.h>
#endif

/* What is read before is not read again after it. */
static inline void fa_settled(void)
{
    __asm__ volatile("" ::: "memory");
}

/* The number of each lane, of 32 at most: what it is compared with is of the same type as the elements. */
static const float fa_lanes_f32[32] = {
    0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18, 19, 20, 21, 22, 23, 24, 25, 26, 27, 28, 29, 30, 31};
static const double fa_lanes_f64[32] = {
    0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18, 19, 20, 21, 22, 23, 24, 25, 26, 27, 28, 29, 30, 31};

#define FA_LARGER(a, b) ((b) > (a) ? (b) : (a))

/* By halves, in whole vectors: the last four one by one. */
#define FA_FOLD_MAX(name, own) \
    static inline void name(const void *from, int64_t n, void *out) \
    { \
        const own *m = (const own *)from; \
        own most[16]; \
        int64_t i; \
        int q; \
        for (q = 0; q < 16; q++) \
            most[q] = m[q]; \
        for (i = 16; i < n; i += 16) \
            for (q = 0; q < 16; q++) \
                most[q] = FA_LARGER(most[q], m[i + q]); \
        for (q = 0; q < 8; q++) \
            most[q] = FA_LARGER(most[q], most[q + 8]); \
        for (q = 0; q < 4; q++) \
            most[q] = FA_LARGER(most[q], most[q + 4]); \
        most[0] = FA_LARGER(most[0], most[1]); \
        most[2] = FA_LARGER(most[2], most[3]); \
        *(own *)out = FA_LARGER(most[0], most[2]); \
    }

#if defined(__AVX__)
/* The second if it is larger than the first, as above. */
static inline void fa_fold_max_f32(const void *from, int64_t n, void *out)
{
    const float *m = (const float *)from;
    __m256 most = _mm256_loadu_ps(m), next = _mm256_loadu_ps(m + 8);
    __m128 four;
    int64_t i;
    for (i = 16; i < n; i += 16) {
        most = _mm256_max_ps(_mm256_loadu_ps(m + i), most);
        next = _mm256_max_ps(_mm256_loadu_ps(m + i + 8), next);
    }
    most = _mm256_max_ps(next, most);
    four = _mm_max_ps(_mm256_extractf128_ps(most, 1), _mm256_castps256_ps128(most));
    four = _mm_max_ps(_mm_movehdup_ps(four), four);
    _mm_store_ss((float *)out, _mm_max_ss(_mm_movehl_ps(four, four), four));
}

static inline void fa_fold_max_f64(const void *from, int64_t n, void *out)
{
    const double *m = (const double *)from;
    __m256d most[4], four;
    __m128d low, high;
    int64_t i;
    int q;
    for (q = 0; q < 4; q++)
        most[q] = _mm256_loadu_pd(m + 4 * q);
    for (i = 16; i < n; i += 16)
        for (q = 0; q < 4; q++)
            most[q] = _mm256_max_pd(_mm256_loadu_pd(m + i + 4 * q), most[q]);
    four = _mm256_max_pd(_mm256_max_pd(most[3], most[1]), _mm256_max_pd(most[2], most[0]));
    low = _mm256_castpd256_pd128(four);
    high = _mm256_extractf128_pd(four, 1);
    low = _mm_max_sd(_mm_unpackhi_pd(low, low), low);
    high = _mm_max_sd(_mm_unpackhi_pd(high, high), high);
    _mm_store_sd((double *)out, _mm_max_sd(high, low));
}
#else
FA_FOLD_MAX(fa_fold_max_f32, float)
FA_FOLD_MAX(fa_fold_max_f64, double)
#endif

/* The sum of n accumulators, and that of all s - start and c: float64 has digits to spare for float32. */
#if defined(__AVX__)
static inline __m256d fa_four(const float *p)
{
    return _mm256_cvtps_pd(_mm_loadu_ps(p));
}

static inline double fa_sum_of_eight(__m256d a, __m256d b)
{
    __m256d four = _mm256_add_pd(a, b);
    __m128d pairs = _mm_hadd_pd(_mm256_castpd256_pd128(four), _mm256_extractf128_pd(four, 1));
    return _mm_cvtsd_f64(pairs) + _mm_cvtsd_f64(_mm_unpackhi_pd(pairs, pairs));
}

static inline double fa_sum_f32(const float *s, int64_t n)
{
    __m256d total = fa_four(s), next = fa_four(s + 4);
    int64_t i;
    for (i = 8; i < n; i += 8) {
        total = _mm256_add_pd(total, fa_four(s + i));
        next = _mm256_add_pd(next, fa_four(s + i + 4));
    }
    return fa_sum_of_eight(total, next);
}

static inline double fa_sum_of_both_f32(const float *s, const float *c, int64_t n, double start)
{
    const __m256d first = _mm256_set1_pd(start);
    __m256d total = _mm256_setzero_pd(), next = total;
    int64_t i;
    for (i = 0; i < n; i += 8) {
        total = _mm256_add_pd(total, _mm256_add_pd(_mm256_sub_pd(fa_four(s + i), first), fa_four(c + i)));
        next = _mm256_add_pd(next, _mm256_add_pd(_mm256_sub_pd(fa_four(s + i + 4), first), fa_four(c + i + 4)));
    }
    return fa_sum_of_eight(total, next);
}
#else
static inline double fa_sum_of_eight(double *total)
{
    int q;
    for (q = 0; q < 4; q++)
        total[q] += total[q + 4];
    return (total[0] + total[1]) + (total[2] + total[3]);
}

static inline double fa_sum_f32(const float *s, int64_t n)
{
    double total[8];
    int64_t i;
    int q;
    for (q = 0; q < 8; q++)
        total[q] = s[q];
    for (i = 8; i < n; i += 8)
        for (q = 0; q < 8; q++)
            total[q] += s[i + q];
    return fa_sum_of_eight(total);
}

static inline double fa_sum_of_both_f32(const float *s, const float *c, int64_t n, double start)
{
    double total[8] = {0};
    int64_t i;
    int q;
    for (i = 0; i < n; i += 8)
        for (q = 0; q < 8; q++)
            total[q] += ((double)s[i + q] - start) + c[i + q];
    return fa_sum_of_eight(total);
}
#endif

static inline void fa_in_two_parts(double all, float *out)
{
    out[0] = (float)all;
    out[1] = (float)(all - out[0]);
}

/* Of the first two accumulators the sum of all s - start and c in two parts, and the sum of the third, if there is one. */
static inline void fa_fold_sums_f32(const void *sums, int64_t n, int count, double start, void *folded)
{
    const float *s = (const float *)sums;
    float *out = (float *)folded;
    fa_in_two_parts(fa_sum_of_both_f32(s, s + n, n, start), out);
    if (count > 2)
        out[2] = (float)fa_sum_f32(s + 2 * n, n);
}

/* The same of a plain sum, and of the second accumulator, if there is one. */
static inline void fa_fold_plain_f32(const void *sums, int64_t n, int count, void *folded)
{
    const float *s = (const float *)sums;
    float *out = (float *)folded;
    fa_in_two_parts(fa_sum_f32(s, n), out);
    if (count > 1)
        out[2] = (float)fa_sum_f32(s + n, n);
}

static inline void fa_two_sum(double *total, double *error, double a)
{
    double sum = *total + a, v = sum - *total;
    *error += (*total - (sum - v)) + (a - v);
    *total = sum;
}

#if defined(__AVX__)
/* Four sums and what their additions left. */
static inline void fa_two_sums(const double *p, int64_t n, double start, double *total, double *error)
{
    const __m256d first = _mm256_set1_pd(start);
    __m256d t = _mm256_setzero_pd(), e = t, a, sum, v;
    int64_t i;
    for (i = 0; i < n; i += 4) {
        a = _mm256_sub_pd(_mm256_loadu_pd(p + i), first);
        sum = _mm256_add_pd(t, a);
        v = _mm256_sub_pd(sum, t);
        e = _mm256_add_pd(e, _mm256_add_pd(_mm256_sub_pd(t, _mm256_sub_pd(sum, v)), _mm256_sub_pd(a, v)));
        t = sum;
    }
    _mm256_storeu_pd(total, t);
    _mm256_storeu_pd(error, e);
}
#else
static inline void fa_two_sums(const double *p, int64_t n, double start, double *total, double *error)
{
    int64_t i;
    int q;
    for (q = 0; q < 4; q++)
        total[q] = error[q] = 0;
    for (i = 0; i < n; i += 4)
        for (q = 0; q < 4; q++)
            fa_two_sum(&total[q], &error[q], p[i + q] - start);
}
#endif

static inline void fa_fold_sums_f64(const void *sums, int64_t n, int count, double start, void *folded)
{
    const double *s = (const double *)sums, *c = s + n, *third = c + n;
    double *out = (double *)folded;
    double total[4], error[4], more[4], less[4];
    int64_t i;
    int q;
    fa_two_sums(s, n, start, total, error);
    for (i = 0; i < n; i += 4)
        for (q = 0; q < 4; q++)
            error[q] += c[i + q];
    for (q = 1; q < 4; q++) {
        fa_two_sum(&total[0], &error[0], total[q]);
        error[0] += error[q];
    }
    out[0] = total[0] + error[0];
    out[1] = (total[0] - out[0]) + error[0];
    if (count < 3)
        return;
    fa_two_sums(third, n, 0.0, more, less);
    for (q = 1; q < 4; q++)
        fa_two_sum(&more[0], &less[0], more[q]);
    out[2] = more[0];
}

/* A row added to totals of its columns, which float64 carries for float32, and compensated for itself. */
static inline void fa_total_f32(const void *row, double *total, double *error, int64_t n)
{
    const float *a = (const float *)row;
    int64_t i;
    (void)error;
    for (i = 0; i < n; i++)
        total[i] += (double)a[i];
}

static inline void fa_total_f64(const void *row, double *__restrict__ total, double *__restrict__ error, int64_t n)
{
    const double *__restrict__ a = (const double *)row;
    int64_t i;
    for (i = 0; i < n; i++) {
        double sum = total[i] + a[i], v = sum - total[i];
        error[i] += (total[i] - (sum - v)) + (a[i] - v);
        total[i] = sum;
    }
}

#endif
