/* What the kernels' driver needs of the platform: CPU level, processors, compiler, OpenMP. */
#ifndef FASTACT_RUNTIME_H
#define FASTACT_RUNTIME_H

#if defined(_WIN32)
#define WIN32_LEAN_AND_MEAN
#include <windows.h>
#else
#include <unistd.h>
#endif
#if defined(__linux__)
#include <sched.h>
#endif
#if defined(__x86_64__) || defined(_M_X64)
#define FA_X86_64 1
#if defined(__GNUC__) || defined(__clang__)
#include <cpuid.h>
#endif
#endif

#include <stddef.h>
_Static_assert(sizeof(ptrdiff_t) == 8, "fastact needs a 64-bit platform");

#if defined(FA_X86_64) && (defined(__GNUC__) || defined(__clang__))
/* What x86-64-v3 has and __builtin_cpu_supports knows only in newer compilers: F16C, MOVBE and LZCNT. */
static inline int fa_has_rest_of_v3(void)
{
    unsigned a, b, common, extended, d;
    return __get_cpuid(1, &a, &b, &common, &d) && common >> 29 & 1 && common >> 22 & 1
        && __get_cpuid(0x80000001, &a, &b, &extended, &d) && extended >> 5 & 1;
}
#endif

/* 0: baseline; 3 and 4: x86-64-v3 and x86-64-v4. The builtin also asks whether the OS saves the
 * wide registers. */
static inline int fa_cpu_level(void)
{
#if defined(FA_X86_64) && (defined(__GNUC__) || defined(__clang__))
    __builtin_cpu_init();
    if (!(__builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma") && __builtin_cpu_supports("bmi")
          && __builtin_cpu_supports("bmi2") && fa_has_rest_of_v3()))
        return 0;
    if (__builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") && __builtin_cpu_supports("avx512cd")
        && __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512vl"))
        return 4;
    return 3;
#else
    return 0;
#endif
}

/* The processors that this process may run on. */
static inline int fa_processors(void)
{
#if defined(_WIN32)
    SYSTEM_INFO info;
    GetSystemInfo(&info);
    return (int)info.dwNumberOfProcessors;
#else
#if defined(__linux__)
    cpu_set_t set;
    if (sched_getaffinity(0, sizeof(set), &set) == 0)
        return CPU_COUNT(&set);
#endif
    return (int)sysconf(_SC_NPROCESSORS_ONLN);
#endif
}

/* The version of OpenMP that this was compiled with; 0: none. */
static inline int fa_openmp(void)
{
#ifdef _OPENMP
    return _OPENMP;
#else
    return 0;
#endif
}

#define FA_TEXT_(x) #x
#define FA_TEXT(x) FA_TEXT_(x)
static inline const char *fa_compiler(void)
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

#endif
