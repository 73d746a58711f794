/* Stores past the caches, and the floating-point flags. */
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

/* Past the caches: no read for ownership, and nothing useful evicted. Each thread calls fa_stream_end() after its last. */
static inline void fa_stream_copy(void *dst, const void *src, int64_t size)
{
#ifdef FA_SSE
    char *d = (char *)dst;
    const char *s = (const char *)src;
    if (((uintptr_t)d & 3) == 0 && (size & 3) == 0) { /* else an array that is not aligned */
        int four;
        for (; ((uintptr_t)d & 15) && size; d += 4, s += 4, size -= 4) {
            memcpy(&four, s, 4);
            _mm_stream_si32((int *)d, four);
        }
        for (; size >= 16; d += 16, s += 16, size -= 16)
            _mm_stream_ps((float *)d, _mm_loadu_ps((const float *)s));
        for (; size; d += 4, s += 4, size -= 4) {
            memcpy(&four, s, 4);
            _mm_stream_si32((int *)d, four);
        }
        return;
    }
#endif
    memcpy(dst, src, (size_t)size);
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

static inline void fa_stream_end(void)
{
#ifdef FA_SSE
    _mm_sfence();
#endif
}

#endif
