/* Who has the team of threads, and how many OpenMP would use. */
#ifndef FASTACT_THREADS_H
#define FASTACT_THREADS_H

#include <stdatomic.h>
#include "runtime.h"

#ifdef _OPENMP
#include <omp.h>
#endif
#if defined(__unix__) || defined(__APPLE__)
#include <pthread.h>
#define FA_PTHREAD 1
#endif

/* By which threadpoolctl knows this library (threadpool.py). */
#if defined(_WIN32)
__declspec(dllexport)
#else
__attribute__((visibility("default")))
#endif
int fastact_threads = 1;

/* As OMP_NUM_THREADS and threadpoolctl have it at the time of a call; 0: there is no OpenMP to ask. */
static inline int fa_openmp_threads(void)
{
#ifdef _OPENMP
    return omp_get_max_threads();
#else
    return 0;
#endif
}

/* One team of threads at a time: a second Python thread that comes meanwhile computes alone, which is no slower than two teams
 * on the same processors; and none within another's parallel region. In a forked child the pool makes threads of its own, while
 * those of OpenMP are gone for good. */
static atomic_int fa_team_busy = 0, fa_forked = 0;

static inline int fa_team_acquire(int openmp)
{
    int idle = 0;
#ifdef _OPENMP
    if (omp_in_parallel())
        return 0;
#endif
    if (openmp && fa_forked)
        return 0;
    return atomic_compare_exchange_strong_explicit(&fa_team_busy, &idle, 1, memory_order_acquire, memory_order_relaxed);
}
static inline void fa_team_release(void) { atomic_store_explicit(&fa_team_busy, 0, memory_order_release); }

static void fa_after_fork(void)
{
    fa_forked = 1;
    fa_team_busy = 0;
}
static void fa_watch_fork(void)
{
#ifdef FA_PTHREAD
    pthread_atfork(NULL, NULL, fa_after_fork);
#endif
}

#endif
