/* buffers.h where pages are larger than 4 KiB: what it maps, unmaps and touches. mmap and munmap are played, and a mistake ends. */
#define _GNU_SOURCE
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

static size_t page;
static long mapped = 0; /* bytes that are held */

static void *play_map(void *where, size_t size, int protection, int flags, int file, long offset)
{
    size_t whole = (size + page - 1) / page * page;
    char *base = mmap(where, whole + page, protection, flags, file, offset);
    char *aligned = (char *)(((size_t)base + page - 1) / page * page);
    if (aligned > base)
        munmap(base, aligned - base);
    if (base + page > aligned)
        munmap(aligned + whole, base + page - aligned);
    mapped += whole;
    return aligned;
}

/* As the system does it: the address must lie on a page's border, and whole pages go. */
static int play_unmap(void *where, size_t size)
{
    size_t whole = (size + page - 1) / page * page;
    if ((size_t)where % page) {
        printf("munmap of an address within a page\n");
        exit(1);
    }
    mapped -= whole;
    return munmap(where, whole);
}
static long play_page(int name)
{
    (void)name;
    return (long)page;
}

#define mmap play_map
#define munmap play_unmap
#define sysconf play_page
#include "buffers.h"

int main(void)
{
    static const size_t pages[] = {4096, 16384, 65536};
    for (int i = 0; i < 3; i++) {
        page = pages[i];
        fa_guard_cache();
        for (size_t size = FA_LEAST; size < (size_t)48 << 20; size = size * 5 / 4 + 4097) {
            char *data[3];
            fa_set_limit((size_t)64 << 20);
            for (int j = 0; j < 3; j++) {
                data[j] = fa_buffer_malloc(NULL, size);
                memset(data[j], j, size);
                if ((size_t)data[j] % page || fa_head_of(data[j])->size != size)
                    return printf("a block of %zu bytes is not what it should be\n", size), 1;
            }
            for (int j = 0; j < 3; j++)
                fa_buffer_free(NULL, data[j], size);
            data[0] = fa_buffer_realloc(NULL, NULL, size);
            fa_buffer_free(NULL, data[0], size);
            fa_clear_cache();
            if (mapped)
                return printf("%ld bytes are left of blocks of %zu with pages of %zu\n", mapped, size, page), 1;
        }
    }
    puts("right");
    return 0;
}
