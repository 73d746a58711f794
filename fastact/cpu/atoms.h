/* The atoms for C (what each means: language/atoms.py). Inline functions that GCC and Clang if-convert and
 * vectorise at -O3 -fno-math-errno -fno-trapping-math; bit casts go through memcpy.
 *
 * This file must not know any activation. It is compiled once per ISA level. */
#ifndef FASTACT_ATOMS_H
#define FASTACT_ATOMS_H

#include <stdint.h>
#include <string.h>
#include <math.h>

#if defined(__GNUC__) || defined(__clang__)
#define FA_ATOM static inline __attribute__((always_inline))
#define FA_RESTRICT __restrict__
#else
#define FA_ATOM static inline
#define FA_RESTRICT __restrict
#endif

/* Blocks read and write through restricted pointers: the driver hands them disjoint buffers. */
typedef const float *FA_RESTRICT fa_in_f32;
typedef float *FA_RESTRICT fa_out_f32;
typedef const double *FA_RESTRICT fa_in_f64;
typedef double *FA_RESTRICT fa_out_f64;

/* Into the second-level cache, while something else is computed; any address will do. */
#if defined(__GNUC__) || defined(__clang__)
#define fa_fetch(address) __builtin_prefetch(address, 0, 2)
#else
#define fa_fetch(address) ((void)0)
#endif

#if defined(__FMA__) || defined(__ARM_FEATURE_FMA) || defined(__aarch64__)
#define FA_HAS_FMA 1
#else
#define FA_HAS_FMA 0
#endif

FA_ATOM int32_t fa_bits_f32(float x) { int32_t b; memcpy(&b, &x, 4); return b; }
FA_ATOM float fa_from_bits_f32(int32_t b) { float x; memcpy(&x, &b, 4); return x; }
FA_ATOM int64_t fa_bits_f64(double x) { int64_t b; memcpy(&b, &x, 8); return b; }
FA_ATOM double fa_from_bits_f64(int64_t b) { double x; memcpy(&x, &b, 8); return x; }

FA_ATOM float fa_select_f32(int c, float a, float b) { return c ? a : b; }
FA_ATOM double fa_select_f64(int c, double a, double b) { return c ? a : b; }

/* x, or c where it lies beyond it. GCC makes one instruction of `x < c ? c : x`, which keeps NaN as it should, but two or
 * three where it knows c to be a constant; so it is not told that nobody ever writes to fa_nothing. */
#if (defined(__GNUC__) || defined(__clang__)) && !defined(_WIN32)
__attribute__((weak, visibility("hidden"))) int fa_nothing = 0;
#else
static const int fa_nothing = 0;
#endif
FA_ATOM float fa_variable_f32(float c) { return fa_from_bits_f32(fa_bits_f32(c) ^ fa_nothing); }
FA_ATOM double fa_variable_f64(double c) { return fa_from_bits_f64(fa_bits_f64(c) ^ fa_nothing); }
FA_ATOM float fa_at_least_f32(float x, float c) { c = fa_variable_f32(c); return x < c ? c : x; }
FA_ATOM double fa_at_least_f64(double x, double c) { c = fa_variable_f64(c); return x < c ? c : x; }
FA_ATOM float fa_at_most_f32(float x, float c) { c = fa_variable_f32(c); return x > c ? c : x; }
FA_ATOM double fa_at_most_f64(double x, double c) { c = fa_variable_f64(c); return x > c ? c : x; }

FA_ATOM float fa_abs_f32(float x) { return fabsf(x); }
FA_ATOM double fa_abs_f64(double x) { return fabs(x); }
FA_ATOM float fa_sqrt_f32(float x) { return sqrtf(x); }
FA_ATOM double fa_sqrt_f64(double x) { return sqrt(x); }
FA_ATOM float fa_copysign_f32(float m, float s) { return copysignf(m, s); }
FA_ATOM double fa_copysign_f64(double m, double s) { return copysign(m, s); }

#if FA_HAS_FMA
FA_ATOM float fa_fma_f32(float a, float b, float c) { return fmaf(a, b, c); }
FA_ATOM double fa_fma_f64(double a, double b, double c) { return fma(a, b, c); }
FA_ATOM float fa_mul_add_f32(float a, float b, float c) { return fmaf(a, b, c); }
FA_ATOM double fa_mul_add_f64(double a, double b, double c) { return fma(a, b, c); }
#else
FA_ATOM float fa_mul_add_f32(float a, float b, float c) { return a * b + c; }
FA_ATOM double fa_mul_add_f64(double a, double b, double c) { return a * b + c; }
/* The product of two float32 is exact in float64; the sum is rounded to float64, then to float32. */
FA_ATOM float fa_fma_f32(float a, float b, float c) { return (float)((double)a * b + c); }
/* Dekker's product by Veltkamp's splitting, then a two-sum with c: the result has an error of about
 * 2^-105 of its largest term before the last rounding. Arguments beyond 2^995 would overflow in the
 * splitting; there the plain product is used, as it is where the error term would be subnormal. Where nothing was lost the
 * sum stays as it is: -0 plus nothing would be 0. */
FA_ATOM double fa_fma_f64(double a, double b, double c)
{
    const double splitter = 134217729.0; /* 2^27 + 1 */
    double p = a * b;
    double ta = splitter * a, tb = splitter * b;
    double ah = ta - (ta - a), al = a - ah;
    double bh = tb - (tb - b), bl = b - bh;
    double e = al * bl - (((p - ah * bh) - al * bh) - ah * bl);
    double s = p + c;
    double v = s - p;
    double t = (p - (s - v)) + (c - v);
    double r = s + (t + e);
    return (r - r == 0.0) & (r != s) ? r : s;
}
#endif

/* Adding 1.5 * 2^(p-1) leaves the nearest integer in the low bits of the sum. */
#define FA_ROUND_F32 12582912.0f       /* 1.5 * 2^23 */
#define FA_ROUND_F64 6755399441055744.0 /* 1.5 * 2^52 */
FA_ATOM float fa_round_product_f32(float a, float b) { return fa_mul_add_f32(a, b, FA_ROUND_F32) - FA_ROUND_F32; }
FA_ATOM double fa_round_product_f64(double a, double b) { return fa_mul_add_f64(a, b, FA_ROUND_F64) - FA_ROUND_F64; }

/* From 2^23 (2^52) on every number is an integer already. */
FA_ATOM float fa_round_to_int_f32(float x)
{
    float m = fabsf(x);
    float r = (m + 8388608.0f) - 8388608.0f;
    return m < 8388608.0f ? copysignf(r, x) : x;
}
FA_ATOM double fa_round_to_int_f64(double x)
{
    double m = fabs(x);
    double r = (m + 4503599627370496.0) - 4503599627370496.0;
    return m < 4503599627370496.0 ? copysign(r, x) : x;
}

/* The sum k + bias stands in the low bits, as above; shifted left it is the exponent of 2^k. */
FA_ATOM float fa_pow2_shifted_f32(float n) { return fa_from_bits_f32((int32_t)((uint32_t)fa_bits_f32(n) << 23)); }
FA_ATOM double fa_pow2_shifted_f64(double n) { return fa_from_bits_f64((int64_t)((uint64_t)fa_bits_f64(n) << 52)); }
FA_ATOM float fa_scale_by_pow2_f32(float x, float k) { return x * fa_pow2_shifted_f32(k + (FA_ROUND_F32 + 127.0f)); }
FA_ATOM double fa_scale_by_pow2_f64(double x, double k) { return x * fa_pow2_shifted_f64(k + (FA_ROUND_F64 + 1023.0)); }

/* Subtracting the bits of sqrt(1/2) puts the exponent's step at sqrt(1/2) * 2^k; the biased field
 * is turned into a float by placing it in the low mantissa bits of 2^23 (2^52). */
FA_ATOM float fa_exponent_f32(float x)
{
    uint32_t field = ((uint32_t)fa_bits_f32(x) - 0x3f3504f3U + (128U << 23)) >> 23;
    return fa_from_bits_f32((int32_t)(field | 0x4b000000)) - (8388608.0f + 128.0f);
}
FA_ATOM double fa_exponent_f64(double x)
{
    uint64_t field = ((uint64_t)fa_bits_f64(x) - 0x3fe6a09e667f3bcdULL + (1024ULL << 52)) >> 52;
    return fa_from_bits_f64((int64_t)(field | 0x4330000000000000ULL)) - (4503599627370496.0 + 1024.0);
}

#endif
