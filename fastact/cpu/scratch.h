/* Room to compute in that belongs to the thread and not to its stack, which may be small. */
#ifndef FASTACT_SCRATCH_H
#define FASTACT_SCRATCH_H

#include <stdint.h>

/* In each module that asks for it, one piece a thread: whoever uses it calls nobody who does in the same module. */
#define FA_SCRATCH 65792 /* 8 blocks of 1024 float64, and what aligns them */
static _Thread_local char fa_room[FA_SCRATCH];

static inline char *fa_scratch(void) { return (char *)(((uintptr_t)fa_room + 63) & ~(uintptr_t)63); }

#endif
