/* Who has the team of threads. */
#ifndef FASTACT_THREADS_H
#define FASTACT_THREADS_H

#include <stdatomic.h>
#include <stdint.h>
#include "platform_threads.h"
#include "runtime.h"

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

/* Where Python threads have met at the team, each that has called within FA_CROWD keeps a processor to itself for so long: helpers
 * on processors where others compute would gain nothing. Threads that only call after one another never meet. */
enum { FA_CROWD = 4000000 /* nanoseconds */, FA_SEEN = 64 };
static _Atomic int64_t fa_crowded = 0, fa_called[FA_SEEN]; /* the end of it, and when each thread called last */
static atomic_uint fa_callers = 0;

#if defined(_MSC_VER)
static __declspec(thread) unsigned fa_caller = 0;
#else
static _Thread_local unsigned fa_caller = 0; /* its place in fa_called, from 1 on; beyond FA_SEEN they share places */
#endif

/* How many other threads have called just now; this one has, from now on. */
static inline int fa_other_callers(void)
{
    int64_t now = fa_now();
    unsigned own, count;
    int others = 0;
    if (!fa_caller)
        fa_caller = 1 + atomic_fetch_add_explicit(&fa_callers, 1, memory_order_relaxed);
    own = (fa_caller - 1) % FA_SEEN;
    atomic_store_explicit(&fa_called[own], now, memory_order_relaxed);
    if (now > atomic_load_explicit(&fa_crowded, memory_order_relaxed))
        return 0;
    count = atomic_load_explicit(&fa_callers, memory_order_relaxed);
    for (unsigned i = 0; i < count && i < FA_SEEN; i++)
        others += i != own && now - atomic_load_explicit(&fa_called[i], memory_order_relaxed) < FA_CROWD;
    return others;
}

/* One team of threads at a time: a second Python thread that comes meanwhile computes alone, which is no slower than two teams
 * on the same processors. In a forked child nobody has it. */
static atomic_int fa_team_busy = 0;

static inline int fa_team_acquire(void)
{
    int idle = 0;
    if (atomic_compare_exchange_strong_explicit(&fa_team_busy, &idle, 1, memory_order_acquire, memory_order_relaxed))
        return 1;
    atomic_store_explicit(&fa_crowded, fa_now() + FA_CROWD, memory_order_relaxed);
    return 0;
}
static inline void fa_team_release(void) { atomic_store_explicit(&fa_team_busy, 0, memory_order_release); }

static void fa_after_fork(void) { fa_team_busy = 0; }
static void fa_watch_fork(void)
{
#ifdef FA_PTHREAD
    pthread_atfork(NULL, NULL, fa_after_fork);
#endif
}

#endif
