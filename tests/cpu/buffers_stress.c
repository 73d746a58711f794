/* Blocks that come and go on several threads, freed by others than their makers, while the limit changes: for ThreadSanitizer. */
#define _GNU_SOURCE
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "buffers.h"

enum { THREADS = 6, ROUNDS = 3000, SHELF = 8 };
static struct { char *data; size_t size; } shelf[SHELF]; /* handed from one thread to another */
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static int wrong = 0;

static void *work(void *given)
{
    unsigned int seed = (unsigned int)(size_t)given;
    for (int i = 0; i < ROUNDS; i++) {
        size_t size = FA_LEAST + (size_t)rand_r(&seed) % (4 * FA_LEAST);
        char *data = fa_buffer_malloc(NULL, size), mark = (char)rand_r(&seed);
        int place = rand_r(&seed) % SHELF;
        if (!data)
            continue;
        for (size_t at = 0; at < size; at += 512)
            data[at] = mark; /* nobody else may have it */
        for (size_t at = 0; at < size; at += 512)
            if (data[at] != mark)
                __atomic_store_n(&wrong, 1, __ATOMIC_RELAXED);
        pthread_mutex_lock(&lock);
        char *other = shelf[place].data;
        size_t other_size = shelf[place].size;
        shelf[place].data = data;
        shelf[place].size = size;
        pthread_mutex_unlock(&lock);
        if (other)
            fa_buffer_free(NULL, other, other_size);
        if (i % 500 == 0)
            fa_set_limit((size_t)(1 + rand_r(&seed) % 32) << 20);
        if (i % 700 == 0)
            fa_clear_cache();
    }
    return NULL;
}

int main(void)
{
    pthread_t threads[THREADS];
    fa_guard_cache();
    fa_set_limit((size_t)16 << 20);
    for (size_t i = 0; i < THREADS; i++)
        pthread_create(&threads[i], NULL, work, (void *)(i + 1));
    for (int i = 0; i < THREADS; i++)
        pthread_join(threads[i], NULL);
    for (int i = 0; i < SHELF; i++)
        if (shelf[i].data)
            fa_buffer_free(NULL, shelf[i].data, shelf[i].size);
    fa_clear_cache();
    puts(wrong ? "two threads had one block" : "right");
    return wrong;
}
