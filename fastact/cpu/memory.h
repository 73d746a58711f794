/* Memory fetched ahead, the end of stores past the caches, and the floating-point flags. */
#ifndef FASTACT_MEMORY_H
#define FASTACT_MEMORY_H

#include <fenv.h>
#include <stdint.h>
#include <string.h>

#if defined(__x86_64__) || defined(_M_X64)
#include <emmintrin.h>
#include <xmmintrin.h>
#define FA_SSE 1
#endif

/* Kernels compute both sides of a select, so the flags they leave say nothing about the result. */
static inline void fa_clear_float_status(void)
{
#ifdef FA_SSE
    _mm_setcsr(_mm_getcsr() & ~0x3fu);
#else
    feclearexcept(FE_ALL_EXCEPT);
#endif
}

/* Flags and mode as they are, and as they were; in between subnormal numbers count, which kernels rely on and which XLA and
 * torch.set_flush_denormal, among others, set threads to take for 0, and results are rounded to nearest. */
#if !defined(FA_SSE) && defined(__aarch64__) && defined(__GNUC__)
#define FA_FPCR_MODE 0x01c00000u /* FZ and the rounding mode */
#endif
static inline unsigned fa_float_status(void)
{
#ifdef FA_SSE
    unsigned status = _mm_getcsr();
    if (status & 0xe040)
        _mm_setcsr(status & ~0xe040u);
    return status;
#elif defined(FA_FPCR_MODE)
    uint64_t mode;
    __asm__ volatile("mrs %0, fpcr" : "=r"(mode));
    if (mode & FA_FPCR_MODE)
        __asm__ volatile("msr fpcr, %0" : : "r"(mode & ~(uint64_t)FA_FPCR_MODE));
    return (unsigned)fetestexcept(FE_ALL_EXCEPT) | ((unsigned)mode & FA_FPCR_MODE);
#else
    return (unsigned)fetestexcept(FE_ALL_EXCEPT);
#endif
}
static inline void fa_restore_float_status(unsigned status)
{
#ifdef FA_SSE
    _mm_setcsr(status);
#else
    feclearexcept(FE_ALL_EXCEPT & ~(int)status);
#ifdef FA_FPCR_MODE
    if (status & FA_FPCR_MODE) {
        uint64_t mode;
        __asm__ volatile("mrs %0, fpcr" : "=r"(mode));
        __asm__ volatile("msr fpcr, %0" : : "r"(mode | (status & FA_FPCR_MODE)));
    }
#endif
#endif
}

/* The mode alone, for whoever has nothing to do with flags. */
static inline void fa_restore_float_mode(unsigned status)
{
#ifdef FA_SSE
    if (status & 0xe040)
        _mm_setcsr((_mm_getcsr() & ~0xe040u) | (status & 0xe040u));
#elif defined(FA_FPCR_MODE)
    if (status & FA_FPCR_MODE)
        fa_restore_float_status((unsigned)fetestexcept(FE_ALL_EXCEPT) | (status & FA_FPCR_MODE));
#else
    (void)status;
#endif
}

/* Into the second-level cache, while something else is computed. */
static inline void fa_prefetch(const void *src, int64_t size)
{
#ifdef FA_SSE
    const char *s = (const char *)src;
    for (; size > 0; s += 64, size -= 64)
        _mm_prefetch(s, _MM_HINT_T1);
#endif
}

/* After a thread's last store past the caches (moves.h). */
static inline void fa_stream_end(void)
{
#ifdef FA_SSE
    _mm_sfence();
#endif
}

#endif
