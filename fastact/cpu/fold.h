/* Folding the accumulators of a row, n of each: a multiple of 16; and the totals of columns. */
#ifndef FASTACT_FOLD_H
#define FASTACT_FOLD_H

#include <stdint.h>

/* What is read before is not read again after it. */
static inline void fa_settled(void)
{
    __asm__ volatile("" ::: "memory");
}

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

FA_FOLD_MAX(fa_fold_max_f32, float)
FA_FOLD_MAX(fa_fold_max_f64, double)

/* Of the first two accumulators the sum of all s - start and c in two parts, and the sum of the third, if there is one.
 * float64 has digits to spare for float32. */
static inline void fa_fold_sums_f32(const void *sums, int64_t n, int count, double start, void *folded)
{
    const float *s = (const float *)sums, *c = s + n, *third = c + n;
    float *out = (float *)folded;
    double total[8] = {0}, more[8] = {0}, all;
    int64_t i;
    int q;
    for (i = 0; i < n; i += 8)
        for (q = 0; q < 8; q++)
            total[q] += ((double)s[i + q] - start) + c[i + q];
    for (q = 0; q < 4; q++)
        total[q] += total[q + 4];
    all = (total[0] + total[1]) + (total[2] + total[3]);
    out[0] = (float)all;
    out[1] = (float)(all - out[0]);
    if (count < 3)
        return;
    for (i = 0; i < n; i += 8)
        for (q = 0; q < 8; q++)
            more[q] += third[i + q];
    for (q = 0; q < 4; q++)
        more[q] += more[q + 4];
    out[2] = (float)((more[0] + more[1]) + (more[2] + more[3]));
}

static inline void fa_two_sum(double *total, double *error, double a)
{
    double sum = *total + a, v = sum - *total;
    *error += (*total - (sum - v)) + (a - v);
    *total = sum;
}

static inline void fa_fold_sums_f64(const void *sums, int64_t n, int count, double start, void *folded)
{
    const double *s = (const double *)sums, *c = s + n, *third = c + n;
    double *out = (double *)folded;
    double total[4] = {0}, error[4] = {0}, more[4] = {0}, less[4] = {0};
    int64_t i;
    int q;
    for (i = 0; i < n; i += 4)
        for (q = 0; q < 4; q++)
            fa_two_sum(&total[q], &error[q], s[i + q] - start);
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
    for (i = 0; i < n; i += 4)
        for (q = 0; q < 4; q++)
            fa_two_sum(&more[q], &less[q], third[i + q]);
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
