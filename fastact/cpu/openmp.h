/* The other layer that runs threads: OpenMP, for programs that are OpenMP themselves (pool.h is what is used else). */
#ifndef FASTACT_OPENMP_H
#define FASTACT_OPENMP_H

#include <stdatomic.h>
#include <stdint.h>

#ifdef _OPENMP
#include <omp.h>
#endif

/* Compute all parts of a job on so many threads; each takes the next part that nobody has. */
static void fa_openmp_parallel(void (*part)(const void *job, int64_t part, int worker), const void *job, int64_t parts, int threads)
{
#ifdef _OPENMP
    atomic_llong next = 0;
#pragma omp parallel num_threads(threads) default(shared)
    {
        int64_t mine;
        while ((mine = atomic_fetch_add_explicit(&next, 1, memory_order_relaxed)) < parts)
            part(job, mine, omp_get_thread_num());
    }
#else
    (void)threads;
    for (int64_t mine = 0; mine < parts; mine++)
        part(job, mine, 0);
#endif
}

#endif
