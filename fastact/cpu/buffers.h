/* Memory of large arrays that is kept for the next array of about that size.
 *
 * The system hands out large blocks as pages that are zeroed when first written to, which costs more
 * than an activation does, and takes them back as soon as the array is gone. These functions are a
 * NumPy memory handler (NEP 49): an array made under it returns its block here. Blocks are page
 * aligned, large ones lie in huge pages where the system has them. */
#ifndef FASTACT_BUFFERS_H
#define FASTACT_BUFFERS_H

#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#if defined(__linux__) || defined(__APPLE__)
#include <pthread.h>
#include <sys/mman.h>
#include <unistd.h>
#ifndef MAP_ANONYMOUS
#define MAP_ANONYMOUS MAP_ANON
#endif
#define FA_CACHE 1
#endif

enum { FA_BLOCKS = 16, FA_HEAD = 64, FA_HUGE = 2 << 20, FA_LEAST = 128 << 10 };

/* What lies before the data of every block. */
typedef struct {
    size_t size; /* asked for */
    size_t room; /* mapped; 0: from malloc */
} fa_head;

typedef struct {
    char *block[FA_BLOCKS]; /* the longest unused first */
    int count;
    size_t held, limit;
    uint64_t hits, misses;
} fa_blocks;

static fa_blocks fa_cache;

static fa_head *fa_head_of(void *data) { return (fa_head *)((char *)data - FA_HEAD); }

#ifdef FA_CACHE
static pthread_mutex_t fa_cache_lock = PTHREAD_MUTEX_INITIALIZER;
static void fa_lock(void) { pthread_mutex_lock(&fa_cache_lock); }
static void fa_unlock(void) { pthread_mutex_unlock(&fa_cache_lock); }
static size_t fa_page = 4096; /* 16 or 64 KiB on some processors */

static void fa_guard_cache(void)
{
    long page = sysconf(_SC_PAGESIZE);
    if (page > 0)
        fa_page = (size_t)page;
    pthread_atfork(fa_lock, fa_unlock, fa_unlock);
}

/* The page in front of the data holds its head. */
static void fa_unmap(char *data) { munmap(data - fa_page, fa_page + fa_head_of(data)->room); }

/* Size classes an eighth of a power of two apart; whole huge pages from two of them on. */
static size_t fa_room(size_t size)
{
    size_t step = fa_page;
    while (step << 4 <= size)
        step <<= 1;
    if (size >= 2 * FA_HUGE && step < FA_HUGE)
        step = FA_HUGE;
    return (size + step - 1) / step * step;
}

static char *fa_map(size_t room)
{
    size_t align = room >= 2 * FA_HUGE ? FA_HUGE : fa_page, whole = room + align, extra; /* a page and what aligns */
    char *base = (char *)mmap(NULL, whole, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0), *data;
    if (base == (char *)MAP_FAILED)
        return NULL;
    data = (char *)(((uintptr_t)base + fa_page + align - 1) & ~(uintptr_t)(align - 1));
    extra = (size_t)(data - fa_page - base);
    if (extra)
        munmap(base, extra);
    extra = (size_t)(base + whole - (data + room));
    if (extra)
        munmap(data + room, extra);
#ifdef MADV_HUGEPAGE
    if (align == FA_HUGE)
        madvise(data, room, MADV_HUGEPAGE);
#endif
    fa_head_of(data)->room = room;
    return data;
}

/* Give back the longest unused blocks until no more than `most` bytes are held. */
static void fa_shrink(size_t most)
{
    int gone = 0;
    for (; gone < fa_cache.count && fa_cache.held > most; gone++) {
        fa_cache.held -= fa_head_of(fa_cache.block[gone])->room;
        fa_unmap(fa_cache.block[gone]);
    }
    fa_cache.count -= gone;
    memmove(fa_cache.block, fa_cache.block + gone, fa_cache.count * sizeof(char *));
}

/* The block last returned among those that are large enough and no more than a quarter larger. */
static char *fa_take(size_t room)
{
    char *found = NULL;
    int i;
    fa_lock();
    for (i = fa_cache.count - 1; i >= 0 && !found; i--) {
        size_t there = fa_head_of(fa_cache.block[i])->room;
        if (there >= room && there - room <= room / 4) {
            found = fa_cache.block[i];
            fa_cache.held -= there;
            fa_cache.count--;
            memmove(fa_cache.block + i, fa_cache.block + i + 1, (fa_cache.count - i) * sizeof(char *));
        }
    }
    if (found)
        fa_cache.hits++;
    else
        fa_cache.misses++;
    fa_unlock();
    if (!found)
        found = fa_map(room);
    if (!found) { /* no memory: what is held may be what is missing */
        fa_lock();
        fa_shrink(0);
        fa_unlock();
        found = fa_map(room);
    }
    return found;
}

static void fa_give(char *data)
{
    size_t room = fa_head_of(data)->room;
    fa_lock();
    if (room > fa_cache.limit) {
        fa_unlock();
        fa_unmap(data);
        return;
    }
    fa_shrink(fa_cache.limit - room);
    if (fa_cache.count == FA_BLOCKS)
        fa_shrink(fa_cache.held - 1);
    fa_cache.block[fa_cache.count++] = data;
    fa_cache.held += room;
    fa_unlock();
}

static void fa_set_limit(size_t limit)
{
    fa_lock();
    __atomic_store_n(&fa_cache.limit, limit, __ATOMIC_RELAXED); /* it is read without the lock, too */
    fa_shrink(limit);
    fa_unlock();
}

static void fa_clear_cache(void)
{
    fa_lock();
    fa_shrink(0);
    fa_unlock();
}
#else
static void fa_guard_cache(void) {}
static void fa_give(char *data) { (void)data; }
static void fa_set_limit(size_t limit) { (void)limit; }
static void fa_clear_cache(void) {}
#endif

static void *fa_buffer_malloc(void *context, size_t size)
{
    char *data = NULL;
    (void)context;
    if (size > SIZE_MAX / 2)
        return NULL;
#ifdef FA_CACHE
    if (size >= FA_LEAST && __atomic_load_n(&fa_cache.limit, __ATOMIC_RELAXED)) {
        data = fa_take(fa_room(size));
        if (!data)
            return NULL;
    }
#endif
    if (!data) {
        data = (char *)malloc(size + FA_HEAD);
        if (!data)
            return NULL;
        data += FA_HEAD;
        fa_head_of(data)->room = 0;
    }
    fa_head_of(data)->size = size;
    return data;
}

static void fa_buffer_free(void *context, void *data, size_t size)
{
    (void)context;
    (void)size; /* NumPy's count of it, which resizing and zero sizes make differ from what was asked for */
    if (!data)
        return;
    if (fa_head_of(data)->room)
        fa_give((char *)data);
    else
        free((char *)data - FA_HEAD);
}

static void *fa_buffer_calloc(void *context, size_t count, size_t size)
{
    void *data;
    if (size && count > SIZE_MAX / 2 / size)
        return NULL;
    data = fa_buffer_malloc(context, count * size);
    return data ? memset(data, 0, count * size) : NULL;
}

static void *fa_buffer_realloc(void *context, void *data, size_t size)
{
    size_t before = data ? fa_head_of(data)->size : 0;
    void *moved = fa_buffer_malloc(context, size);
    if (!moved)
        return NULL;
    if (data) {
        memcpy(moved, data, before < size ? before : size);
        fa_buffer_free(context, data, before);
    }
    return moved;
}

#endif
