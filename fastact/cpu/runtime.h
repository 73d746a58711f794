/* What the kernels' driver needs of the platform: CPU level, processors, compiler. */
#ifndef FASTACT_RUNTIME_H
#define FASTACT_RUNTIME_H

#include <stddef.h>
_Static_assert(sizeof(ptrdiff_t) == 8, "fastact needs a 64-bit platform");

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

/* 0: baseline; 3 and 4: x86-64-v3 and x86-64-v4, as far as kernels are compiled for them (setup.py) and the system saves the
 * registers. By hand: __builtin_cpu_supports knows F16C, MOVBE and LZCNT only in newer compilers, and needs a library that
 * clang-cl does not link. */
#if defined(FA_X86_64) && (defined(__GNUC__) || defined(__clang__))
#define FA_ALL(bits, mask) (((bits) & (mask)) == (mask))
static inline int fa_cpu_level(void)
{
    const unsigned fma_movbe_osxsave_avx_f16c = 1u << 12 | 1u << 22 | 1u << 27 | 1u << 28 | 1u << 29;
    const unsigned bmi_avx2_bmi2 = 1u << 3 | 1u << 5 | 1u << 8, lzcnt = 1u << 5;
    const unsigned avx512_f_dq_cd_bw_vl = 1u << 16 | 1u << 17 | 1u << 28 | 1u << 30 | 1u << 31;
    unsigned a, b, c, d, saved, high;
    if (!__get_cpuid(1, &a, &b, &c, &d) || !FA_ALL(c, fma_movbe_osxsave_avx_f16c))
        return 0;
    __asm__ volatile("xgetbv" : "=a"(saved), "=d"(high) : "c"(0));
    if (!FA_ALL(saved, 0x06u)) /* xmm, ymm */
        return 0;
    if (!__get_cpuid(0x80000001, &a, &b, &c, &d) || !FA_ALL(c, lzcnt))
        return 0;
    if (!__get_cpuid_count(7, 0, &a, &b, &c, &d) || !FA_ALL(b, bmi_avx2_bmi2))
        return 0;
#if defined(__APPLE__)
    saved |= 0xe0u; /* which macOS saves from their first use on */
#endif
    return FA_ALL(b, avx512_f_dq_cd_bw_vl) && FA_ALL(saved, 0xe6u) ? 4 : 3; /* k, zmm */
}
#else
static inline int fa_cpu_level(void) { return 0; }
#endif

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
