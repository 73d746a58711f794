/* The other layer that runs threads: OpenMP, for programs that are OpenMP themselves (pool.h is what is used else). */
#ifndef FASTACT_OPENMP_H
#define FASTACT_OPENMP_H

#include <stdatomic.h>
#include <stdint.h>
#include "platform_threads.h"

#ifdef _OPENMP
#include <omp.h>
#endif

/* Compute all parts of a job on so many threads; each takes the next part that nobody has. Who calls waits until all have left,
 * by a count of their own: a block that nobody had written was found after the barrier at the region's end (libgomp 12, 32 callers
 * on two processors, once in some hundred thousand calls), for a cause that is not known. */
static void fa_openmp_parallel(void (*part)(const void *job, int64_t part, int worker), const void *job, int64_t parts, int threads)
{
#ifdef _OPENMP
    atomic_llong next = 0;
    atomic_int left = 0;
    int team = 1;
#pragma omp parallel num_threads(threads) default(shared)
    {
        int worker = omp_get_thread_num();
        int64_t mine;
        if (worker == 0)
            team = omp_get_num_threads();
        while ((mine = atomic_fetch_add_explicit(&next, 1, memory_order_relaxed)) < parts)
            part(job, mine, worker);
        atomic_fetch_add_explicit(&left, 1, memory_order_release);
    }
    while (atomic_load_explicit(&left, memory_order_acquire) < team)
        fa_pause();
#else
    (void)threads;
    for (int64_t mine = 0; mine < parts; mine++)
        part(job, mine, 0);
#endif
}

#endif
