/* Threads: OpenMP, one team at a time, and what becomes of it in a forked child. */
#ifndef FASTACT_THREADS_H
#define FASTACT_THREADS_H

#include "runtime.h"

#ifdef _OPENMP
#include <omp.h>
#endif
#if defined(__unix__) || defined(__APPLE__)
#include <pthread.h>
#define FA_PTHREAD 1
#endif

static inline int fa_max_threads(void)
{
#ifdef _OPENMP
    return omp_get_max_threads();
#else
    return 1;
#endif
}

/* The number of threads that calls from this thread use; 0: what holds for the process. */
static _Thread_local int fa_own_threads = 0;

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
