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

/* The flags as they are, and as they were. */
static inline unsigned fa_float_status(void)
{
#ifdef FA_SSE
    return _mm_getcsr();
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
