/* What the kernels' driver needs of the platform: CPU level, threads and fork, float16, streaming. */
#ifndef FASTACT_RUNTIME_H
#define FASTACT_RUNTIME_H

#include <fenv.h>
#include <stdint.h>
#include <string.h>

#ifdef _OPENMP
#include <omp.h>
#endif
#if defined(__unix__) || defined(__APPLE__)
#include <pthread.h>
#define FA_PTHREAD 1
#endif
#if defined(__x86_64__) || defined(_M_X64)
#include <emmintrin.h>
#include <xmmintrin.h>
#define FA_X86_64 1
#endif

/* 0: baseline; 3 and 4: x86-64-v3 and x86-64-v4. The builtin also asks whether the OS saves the
 * wide registers. */
static int fa_cpu_level(void)
{
#if defined(FA_X86_64) && (defined(__GNUC__) || defined(__clang__))
    __builtin_cpu_init();
    if (!(__builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma") && __builtin_cpu_supports("bmi")
          && __builtin_cpu_supports("bmi2")))
        return 0;
    if (__builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") && __builtin_cpu_supports("avx512cd")
        && __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512vl"))
        return 4;
    return 3;
#else
    return 0;
#endif
}

static int fa_openmp(void)
{
#ifdef _OPENMP
    return _OPENMP;
#else
    return 0;
#endif
}

static int fa_max_threads(void)
{
#ifdef _OPENMP
    return omp_get_max_threads();
#else
    return 1;
#endif
}

#define FA_TEXT_(x) #x
#define FA_TEXT(x) FA_TEXT_(x)
static const char *fa_compiler(void)
{
#if defined(__clang__)
    return "clang " __clang_version__;
#elif defined(__GNUC__)
    return "gcc " __VERSION__;
#elif defined(_MSC_VER)
    return "msvc " FA_TEXT(_MSC_VER);
#else
    return "unknown";
#endif
}

/* One team of threads at a time: a second Python thread that comes meanwhile computes alone, which
 * is no slower than two teams on the same cores. In a forked child the team's threads do not exist,
 * so the flag stays taken there for good. */
static int fa_team_busy = 0;

#if defined(__GNUC__) || defined(__clang__)
static int fa_team_acquire(void)
{
    int idle = 0;
#ifdef _OPENMP
    if (omp_in_parallel())
        return 0;
#endif
    return __atomic_compare_exchange_n(&fa_team_busy, &idle, 1, 0, __ATOMIC_ACQUIRE, __ATOMIC_RELAXED);
}
static void fa_team_release(void) { __atomic_store_n(&fa_team_busy, 0, __ATOMIC_RELEASE); }
#else
static int fa_team_acquire(void) { return 0; }
static void fa_team_release(void) {}
#endif

static void fa_after_fork(void) { fa_team_busy = 1; }
static void fa_watch_fork(void)
{
#ifdef FA_PTHREAD
    pthread_atfork(NULL, NULL, fa_after_fork);
#endif
}

/* Kernels compute both sides of a select, so the flags they leave say nothing about the result. */
static inline void fa_clear_float_status(void)
{
#ifdef FA_X86_64
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
#ifdef FA_X86_64
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

#endif
