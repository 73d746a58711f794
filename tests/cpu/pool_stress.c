/* Jobs of all sizes on changing numbers of threads, with rests, for ThreadSanitizer: every part once, nothing after the end. */
#include <stdio.h>
#include <string.h>
#include "pool.h"

enum { MOST = 70000 };
typedef struct { int sum_of, parts; unsigned char *seen; int *by; } Job;
static unsigned char seen[MOST];
static int by[MOST];

static void part(const void *given, int64_t number, int worker)
{
    const Job *job = given;
    volatile int spin = 0;
    job->seen[number]++; /* not atomic: that nobody else does so is what is tested */
    job->by[number] = worker;
    for (int i = 0; i < 50 * (1 + number % 7); i++)
        spin += i;
}

int main(void)
{
    long helped = 0;
    fa_watch_pool();
    fa_pool.threads = 2; /* as in a child whose parent was computing */
    atomic_store(&fa_pool.left, (uint64_t)7 << 32 | 3 << 16 | 9);
    fa_forget_helpers();
    fa_have_helpers(1); /* which must find nothing to do */
    for (int64_t end = fa_now() + 20000000; fa_now() < end;)
        fa_pause();
    for (int call = 0; call < 3000; call++) {
        int parts = call % 100 == 0 ? MOST - call : 1 + call % 37, threads = 2 + call % 5;
        Job job = {call, parts, seen, by};
        memset(seen, 0, sizeof(seen));
        fa_parallel(part, &job, parts, threads, call % 2 ? 64 : 2, call % 3 ? 1e9 : 1e4);
        for (int i = 0; i < parts; i++) {
            helped += by[i] != 0;
            if (seen[i] != 1 || by[i] < 0 || by[i] >= threads) {
                printf("call %d: part %d of %d came %d times, by %d\n", call, i, parts, seen[i], by[i]);
                return 1;
            }
        }
        if (call % 50 == 0)
            for (int64_t end = fa_now() + 200000; fa_now() < end;)
                fa_pause();
    }
    printf("right, %s\n", helped > 0 ? "with help" : "alone");
    return 0;
}
