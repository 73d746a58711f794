/* What the kernels' driver needs of the platform: CPU level, threads and fork. */
#ifndef FASTACT_RUNTIME_H
#define FASTACT_RUNTIME_H

#ifdef _OPENMP
#include <omp.h>
#endif
#if defined(__unix__) || defined(__APPLE__)
#include <pthread.h>
#define FA_PTHREAD 1
#endif
#if defined(__x86_64__) || defined(_M_X64)
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

/* The number of threads that calls from this thread use; 0: what holds for the process. */
static _Thread_local int fa_own_threads = 0;

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

#endif
