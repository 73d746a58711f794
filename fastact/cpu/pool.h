/* A pool of threads in which nobody waits for a thread that has not begun.
 *
 * A job is cut into parts. The caller takes parts from the front, helpers take them from the back, so that in a loop of calls
 * each finds in its cache what it left there; whoever comes late finds nothing left. The caller then waits only for parts that
 * a helper is working on: it spins for some microseconds and sleeps, which gives the helper this processor if it has none. An
 * idle helper spins shortly, because the next call is often near, and sleeps. Spins end by the clock: an instruction that
 * waits takes from 4 to 140 cycles, depending on the processor.
 */
#ifndef FASTACT_POOL_H
#define FASTACT_POOL_H

#include <stdatomic.h>
#include <stdint.h>
#include "platform_threads.h"

typedef void (*fa_part_fn)(const void *job, int64_t part, int worker);

enum {
    FA_BATCH = 1 << 15,         /* parts that are given out at a time */
    FA_MOST_HELPERS = 1023,
    FA_IDLE = 50000,            /* nanoseconds that a helper looks for another job */
    FA_WAIT = 20000,            /* and the caller for the last part */
    FA_RETRY = 1000,            /* calls after which a thread that could not be created is asked for again */
    FA_VAIN = 6,                /* at most 2^6 - 1 calls wake nobody, after as many wakings in vain */
    FA_STREAM = 100000,         /* nanoseconds between calls that follow each other */
    FA_LONG = 40000,            /* and of a call that is worth waking somebody for, whether others follow or not */
    FA_ALONE = 63               /* calls without helpers, after one that had to sleep until a helper was done */
};

static struct {
    /* The number of the job, and the first part and the one after the last of those that nobody has taken: 32, 16, 16 bits. */
    _Alignas(64) _Atomic uint64_t left;
    _Alignas(64) _Atomic uint32_t done; /* parts that helpers have computed */
    _Atomic uint32_t waiting;           /* whether the caller sleeps until that changes */
    _Alignas(64) _Atomic uint32_t news; /* changes with every job; what helpers sleep on */
    _Atomic int32_t sleepers;
    _Alignas(64) _Atomic(fa_part_fn) part;
    _Atomic(const void *) job;
    _Atomic int64_t first;              /* of the parts that are given out */
    _Atomic int threads;                /* that may take part, the caller among them */
    int helpers, refused;               /* threads that there are; calls until another is asked for */
    int missed, asleep, alone;          /* wakings in a row that were in vain; calls until the next; calls without helpers */
    int64_t ended, took;                /* when the last call ended, and how long it took */
    atomic_int spins;                   /* whether anybody spins: not where threads share processors */
} fa_pool;

/* Take a part of a job; -1: there is none. Fields of the job may be read afterwards: it cannot end before the part does. */
static inline int64_t fa_take(uint32_t number, int from_the_back)
{
    uint64_t left = atomic_load_explicit(&fa_pool.left, memory_order_acquire), next;
    do {
        uint32_t first = (uint32_t)(left >> 16) & 0xffff, end = (uint32_t)left & 0xffff;
        if ((uint32_t)(left >> 32) != number || first >= end)
            return -1;
        next = from_the_back ? left - 1 : left + (1 << 16);
    } while (!atomic_compare_exchange_weak_explicit(&fa_pool.left, &left, next, memory_order_acq_rel, memory_order_acquire));
    return from_the_back ? (int64_t)(left & 0xffff) - 1 : (int64_t)((left >> 16) & 0xffff);
}

/* Whether there is a job after one with parts that nobody has taken; its number, anyway, in `number`. */
static inline int fa_is_new(uint32_t seen, uint32_t *number)
{
    uint64_t left = atomic_load(&fa_pool.left);
    *number = (uint32_t)(left >> 32);
    return *number != seen && ((left >> 16) & 0xffff) < (left & 0xffff);
}

static uint32_t fa_next_job(uint32_t seen)
{
    uint32_t number, news;
    if (fa_pool.spins)
        for (int64_t end = fa_now() + FA_IDLE; fa_now() < end;)
            for (int i = 0; i < 16; i++) {
                if (fa_is_new(seen, &number))
                    return number;
                fa_pause();
            }
    for (;;) {
        news = atomic_load(&fa_pool.news);
        atomic_fetch_add(&fa_pool.sleepers, 1);
        if (!fa_is_new(seen, &number))
            fa_sleep(&fa_pool.news, news);
        atomic_fetch_sub(&fa_pool.sleepers, 1);
        if (fa_is_new(seen, &number))
            return number;
    }
}

static void fa_help(int worker)
{
    uint32_t number = 0;
    for (;;) {
        int64_t part;
        number = fa_next_job(number);
        if (worker >= atomic_load_explicit(&fa_pool.threads, memory_order_relaxed))
            continue;
        while ((part = fa_take(number, 1)) >= 0) {
            fa_part_fn compute = atomic_load_explicit(&fa_pool.part, memory_order_relaxed);
            int64_t first = atomic_load_explicit(&fa_pool.first, memory_order_relaxed);
            compute(atomic_load_explicit(&fa_pool.job, memory_order_relaxed), first + part, worker);
            atomic_fetch_add(&fa_pool.done, 1);
            if (atomic_load(&fa_pool.waiting))
                fa_wake(&fa_pool.done);
        }
    }
}

/* Have so many helpers, or as many as the system allows. */
static void fa_have_helpers(int wanted)
{
    if (fa_pool.refused > 0) {
        fa_pool.refused--;
        return;
    }
    while (fa_pool.helpers < wanted && fa_pool.helpers < FA_MOST_HELPERS) {
        if (!fa_start_thread(fa_help, fa_pool.helpers + 1)) {
            fa_pool.refused = FA_RETRY;
            return;
        }
        fa_pool.helpers++;
    }
}

/* Wake helpers, unless they would come too late: a waking is a system call, and it takes until a thread has a processor. So a
 * short call wakes nobody unless others have just preceded it; and where wakings were in vain, they become rare. */
static int fa_wake_helpers(int64_t start)
{
    if (atomic_load(&fa_pool.sleepers) == 0 || (fa_pool.took < FA_LONG && start - fa_pool.ended > FA_STREAM))
        return 0;
    if (fa_pool.asleep > 0) {
        fa_pool.asleep--;
        return 0;
    }
    fa_wake(&fa_pool.news);
    return 1;
}

/* Whether helpers have computed so many parts; waits for that by the clock, not to let go of the processor. */
static int fa_all_done(uint32_t parts)
{
    int64_t end = 0;
    do {
        for (int i = 0; i < 16; i++) {
            if (atomic_load_explicit(&fa_pool.done, memory_order_acquire) == parts)
                return 1;
            fa_pause();
        }
        end = end ? end : fa_now() + FA_WAIT;
    } while (atomic_load_explicit(&fa_pool.spins, memory_order_relaxed) && fa_now() < end);
    return 0;
}

static void fa_call_ends(int64_t start)
{
    fa_pool.ended = fa_now();
    fa_pool.took = fa_pool.ended - start;
}

/* Compute so many parts, at most FA_BATCH, from one on. */
static void fa_batch(fa_part_fn part, const void *job, int64_t first, int64_t parts, int threads, int processors)
{
    uint32_t number = (uint32_t)(atomic_load_explicit(&fa_pool.left, memory_order_relaxed) >> 32) + 1, mine = 0, done;
    int64_t taken, start = fa_now();
    int woken;
    if (fa_pool.alone > 0) {
        fa_pool.alone--;
        for (taken = 0; taken < parts; taken++)
            part(job, first + taken, 0);
        fa_call_ends(start);
        return;
    }
    fa_have_helpers(threads - 1);
    atomic_store_explicit(&fa_pool.spins, threads <= processors, memory_order_relaxed);
    atomic_store_explicit(&fa_pool.part, part, memory_order_relaxed);
    atomic_store_explicit(&fa_pool.job, job, memory_order_relaxed);
    atomic_store_explicit(&fa_pool.first, first, memory_order_relaxed);
    atomic_store_explicit(&fa_pool.threads, threads, memory_order_relaxed);
    atomic_store_explicit(&fa_pool.done, 0, memory_order_relaxed);
    atomic_store(&fa_pool.left, (uint64_t)number << 32 | (uint64_t)parts);
    atomic_fetch_add(&fa_pool.news, 1);
    woken = fa_wake_helpers(start);
    while ((taken = fa_take(number, 0)) >= 0) {
        part(job, first + taken, 0);
        mine++;
    }
    if (mine != (uint32_t)parts)
        fa_pool.missed = fa_pool.asleep = 0;
    else if (woken) {
        fa_pool.missed += fa_pool.missed < FA_VAIN;
        fa_pool.asleep = (1 << fa_pool.missed) - 1;
    }
    if (!fa_all_done((uint32_t)parts - mine)) {
        fa_pool.alone = FA_ALONE;
        atomic_store(&fa_pool.waiting, 1);
        while ((done = atomic_load(&fa_pool.done)) + mine != (uint32_t)parts)
            fa_sleep(&fa_pool.done, done);
        atomic_store(&fa_pool.waiting, 0);
    }
    fa_call_ends(start);
}

/* Compute all parts of a job on up to so many threads; one caller at a time (threads.h). */
static void fa_parallel(fa_part_fn part, const void *job, int64_t parts, int threads, int processors)
{
    for (int64_t first = 0; first < parts; first += FA_BATCH)
        fa_batch(part, job, first, parts - first < FA_BATCH ? parts - first : FA_BATCH, threads, processors);
}

/* In a forked child there are no helpers; it makes its own when it first needs them. */
static void fa_forget_helpers(void)
{
    fa_pool.helpers = fa_pool.refused = fa_pool.missed = fa_pool.asleep = fa_pool.alone = 0;
    atomic_store(&fa_pool.sleepers, 0);
    atomic_store(&fa_pool.waiting, 0);
}
static void fa_watch_pool(void)
{
#if !defined(_WIN32)
    pthread_atfork(NULL, NULL, fa_forget_helpers);
#endif
}

#endif
