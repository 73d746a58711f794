/* A pool of threads in which nobody waits for a thread that has not begun.
 *
 * A job is cut into parts. The caller takes parts from the front, helpers take them from the back, so that in a loop of calls
 * each finds in its cache what it left there; whoever comes late finds nothing left. The caller then waits only for parts that
 * a helper is working on: it spins for some microseconds and sleeps, which gives the helper this processor if it has none. An
 * idle helper spins shortly, because the next call is often near, and sleeps. Spins end by the clock: an instruction that
 * waits takes from 4 to 140 cycles, depending on the processor.
 *
 * What helpers cost depends on what else the machine does: a waking takes a system call, and is in vain if the call is over
 * before the helper has a processor; a helper that loses its processor in the middle of a part lets the caller wait for
 * milliseconds. So each call reckons what its helpers have given (their parts, at its own speed) and what they have cost
 * (the waking, the waiting). What they cost more than they gave is owed: until as much computing time has passed as FA_RATE
 * times that, nobody is woken, or the caller computes alone, unless the call itself is so long. So about one part in FA_RATE of
 * a program's time can be lost. What they gave before counts, up to FA_CREDIT, which is as long as a scheduler lets another
 * program run: where one runs now and then, helpers give more than they cost.
 */
#ifndef FASTACT_POOL_H
#define FASTACT_POOL_H

#include <stdatomic.h>
#include <stdint.h>
#include "memory.h"
#include "platform_threads.h"

typedef void (*fa_part_fn)(const void *job, int64_t part, int worker);

enum {
    FA_BATCH = 1 << 15,         /* parts that are given out at a time */
    FA_MOST_HELPERS = 1023,
    FA_IDLE = 50000,            /* nanoseconds that a helper looks for another job */
    FA_WAIT = 20000,            /* and the caller for the last part */
    FA_RETRY = 1000,            /* calls after which a thread that could not be created is asked for again */
    FA_CREDIT = 3000000,        /* nanoseconds of gain that are kept in mind */
    FA_RATE = 16                /* nanoseconds of computing for each nanosecond owed */
};

static struct {
    /* The number of the job, and the first part and the one after the last of those that nobody has taken: 32, 16, 16 bits. */
    _Alignas(64) _Atomic uint64_t left;
    _Alignas(64) _Atomic uint32_t done; /* parts that helpers have computed */
    _Atomic uint32_t waiting;           /* whether the caller sleeps until that changes */
    _Alignas(64) _Atomic(fa_part_fn) part;
    _Atomic(const void *) job;
    _Atomic int64_t first;              /* of the parts that are given out */
    _Atomic int threads;                /* that may take part, the caller among them */
    atomic_int spins, wakes;            /* whether anybody spins: not where threads share processors; or is woken */
    int helpers, refused;               /* threads that there are; calls until another is asked for */
    int64_t owed_to_wake, owed_to_wait; /* nanoseconds of computing */
    _Atomic uint32_t asleep[FA_MOST_HELPERS + 1]; /* each helper's; what it sleeps on */
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

static uint32_t fa_next_job(uint32_t seen, int worker)
{
    uint32_t number;
    if (fa_pool.spins)
        for (int64_t end = fa_now() + FA_IDLE; fa_now() < end;)
            for (int i = 0; i < 16; i++) {
                if (fa_is_new(seen, &number))
                    return number;
                fa_pause();
            }
    for (;;) {
        atomic_store(&fa_pool.asleep[worker], 1);
        if (fa_is_new(seen, &number)) {
            atomic_store(&fa_pool.asleep[worker], 0);
            return number;
        }
        fa_sleep(&fa_pool.asleep[worker], 1);
    }
}

static void fa_wake_helper(int worker, int threads)
{
    if (worker < threads && atomic_load(&fa_pool.asleep[worker]) && atomic_exchange(&fa_pool.asleep[worker], 0))
        fa_wake(&fa_pool.asleep[worker]);
}

static void fa_help(int worker)
{
    uint32_t number = 0;
    fa_float_status(); /* a thread begins with the mode of whoever makes it */
    for (;;) {
        int64_t part;
        int threads;
        number = fa_next_job(number, worker);
        threads = atomic_load_explicit(&fa_pool.threads, memory_order_relaxed);
        if (worker >= threads)
            continue;
        if (atomic_load_explicit(&fa_pool.wakes, memory_order_relaxed)) {
            fa_wake_helper(2 * worker, threads);
            fa_wake_helper(2 * worker + 1, threads);
        }
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

/* Wait until helpers have computed so many parts: by the clock, not to let go of the processor, then asleep. */
static void fa_await(uint32_t parts)
{
    uint32_t done;
    int64_t end = 0;
    do {
        for (int i = 0; i < 16; i++) {
            if (atomic_load_explicit(&fa_pool.done, memory_order_acquire) == parts)
                return;
            fa_pause();
        }
        end = end ? end : fa_now() + FA_WAIT;
    } while (atomic_load_explicit(&fa_pool.spins, memory_order_relaxed) && fa_now() < end);
    atomic_store(&fa_pool.waiting, 1);
    while ((done = atomic_load(&fa_pool.done)) != parts)
        fa_sleep(&fa_pool.done, done);
    atomic_store(&fa_pool.waiting, 0);
}

static int64_t fa_owed(int64_t before, int64_t took, int64_t loss)
{
    int64_t owed = before + FA_RATE * loss - (before > 0 ? took : 0);
    return owed > -FA_RATE * FA_CREDIT ? owed : -FA_RATE * FA_CREDIT;
}

/* Reckon what helpers have cost a call and what they gave, in nanoseconds. */
static void fa_reckon(int64_t took, int64_t waking, int64_t waiting, int64_t gain)
{
    fa_pool.owed_to_wait = fa_owed(fa_pool.owed_to_wait, took, waiting - gain);
    fa_pool.owed_to_wake = fa_owed(fa_pool.owed_to_wake, took, waking + waiting - gain);
}

/* Compute so many parts, at most FA_BATCH, from one on; `work` is about how many nanoseconds they take one thread. */
static void fa_batch(fa_part_fn part, const void *job, int64_t first, int64_t parts, int threads, int processors, int64_t work)
{
    uint32_t number = (uint32_t)(atomic_load_explicit(&fa_pool.left, memory_order_relaxed) >> 32) + 1, mine = 0;
    int64_t taken, start = fa_now(), begun, ended, gain = 0;
    int wakes = fa_pool.owed_to_wake <= work;
    if (fa_pool.owed_to_wait > work || (!wakes && atomic_load(&fa_pool.asleep[1]))) {
        for (taken = 0; taken < parts; taken++)
            part(job, first + taken, 0);
        fa_reckon(fa_now() - start, 0, 0, 0);
        return;
    }
    if (fa_pool.helpers < threads - 1) {
        fa_have_helpers(threads - 1);
        start = fa_now(); /* they are not made again */
    }
    atomic_store_explicit(&fa_pool.spins, threads <= processors, memory_order_relaxed);
    atomic_store_explicit(&fa_pool.wakes, wakes, memory_order_relaxed);
    atomic_store_explicit(&fa_pool.part, part, memory_order_relaxed);
    atomic_store_explicit(&fa_pool.job, job, memory_order_relaxed);
    atomic_store_explicit(&fa_pool.first, first, memory_order_relaxed);
    atomic_store_explicit(&fa_pool.threads, threads, memory_order_relaxed);
    atomic_store_explicit(&fa_pool.done, 0, memory_order_relaxed);
    atomic_store(&fa_pool.left, (uint64_t)number << 32 | (uint64_t)parts);
    begun = start;
    if (wakes && atomic_load(&fa_pool.asleep[1])) {
        fa_wake_helper(1, threads);
        begun = fa_now();
    }
    while ((taken = fa_take(number, 0)) >= 0) {
        part(job, first + taken, 0);
        mine++;
    }
    ended = fa_now();
    if (mine != (uint32_t)parts) {
        fa_await((uint32_t)parts - mine);
        gain = mine ? (ended - begun) / mine * (parts - mine) : 0;
        fa_reckon(ended - begun, begun - start, fa_now() - ended, gain);
    } else
        fa_reckon(ended - begun, begun - start, 0, 0);
}

/* Compute all parts of a job on up to so many threads; one caller at a time (threads.h). */
static void fa_parallel(fa_part_fn part, const void *job, int64_t parts, int threads, int processors, double work)
{
    for (int64_t first = 0; first < parts; first += FA_BATCH) {
        int64_t count = parts - first < FA_BATCH ? parts - first : FA_BATCH;
        fa_batch(part, job, first, count, threads, processors, (int64_t)(work * (double)count / (double)parts));
    }
}

/* In a forked child there are no helpers; it makes its own when it first needs them. What the parent was computing at the moment
 * is nobody's business here: a helper must not find its parts. */
static void fa_forget_helpers(void)
{
    atomic_store(&fa_pool.left, atomic_load(&fa_pool.left) & ~(uint64_t)0xffffffff);
    fa_pool.helpers = fa_pool.refused = 0;
    fa_pool.owed_to_wake = fa_pool.owed_to_wait = 0;
    for (int worker = 0; worker <= FA_MOST_HELPERS; worker++)
        atomic_store(&fa_pool.asleep[worker], 0);
    atomic_store(&fa_pool.waiting, 0);
}
static void fa_watch_pool(void)
{
#if !defined(_WIN32)
    pthread_atfork(NULL, NULL, fa_forget_helpers);
#endif
}

#endif
