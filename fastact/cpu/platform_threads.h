/* Threads, sleeping until a number changes, and the clock, as the systems have them. */
#ifndef FASTACT_PLATFORM_THREADS_H
#define FASTACT_PLATFORM_THREADS_H

#include <stdatomic.h>
#include <stdint.h>

#define FA_STACK (1 << 20) /* bytes of a helper's stack */

/* Wait a little, on the processor. */
static inline void fa_pause(void)
{
#if defined(__x86_64__) || defined(_M_X64) || defined(__i386__)
    __builtin_ia32_pause();
#elif defined(__aarch64__)
    __asm__ volatile("isb" ::: "memory");
#endif
}

#if defined(_WIN32)

#define WIN32_LEAN_AND_MEAN
#include <windows.h>
#include <stdlib.h>
#ifdef _MSC_VER
#pragma comment(lib, "synchronization") /* WaitOnAddress */
#endif

static inline int64_t fa_now(void)
{
    LARGE_INTEGER count, second;
    QueryPerformanceCounter(&count);
    QueryPerformanceFrequency(&second);
    return (int64_t)((double)count.QuadPart * 1e9 / (double)second.QuadPart);
}
static inline void fa_sleep(_Atomic uint32_t *number, uint32_t while_it_is)
{
    WaitOnAddress(number, &while_it_is, sizeof(uint32_t), INFINITE);
}
static inline void fa_wake(_Atomic uint32_t *number) { WakeByAddressAll((void *)number); }

typedef struct { void (*run)(int); int argument; } fa_start;
static DWORD WINAPI fa_run_thread(void *given)
{
    fa_start start = *(fa_start *)given;
    free(given);
    start.run(start.argument);
    return 0;
}
static int fa_start_thread(void (*run)(int), int argument)
{
    fa_start *start = malloc(sizeof(*start));
    HANDLE thread;
    if (start == NULL)
        return 0;
    start->run = run;
    start->argument = argument;
    thread = CreateThread(NULL, FA_STACK, fa_run_thread, start, STACK_SIZE_PARAM_IS_A_RESERVATION, NULL);
    if (thread == NULL) {
        free(start);
        return 0;
    }
    CloseHandle(thread);
    return 1;
}

#else

#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

static inline int64_t fa_now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (int64_t)t.tv_sec * 1000000000 + t.tv_nsec;
}

#if defined(__linux__)
#include <limits.h>
#include <linux/futex.h>
#include <sys/syscall.h>

static inline void fa_sleep(_Atomic uint32_t *number, uint32_t while_it_is)
{
    syscall(SYS_futex, number, FUTEX_WAIT_PRIVATE, while_it_is, NULL, NULL, 0);
}
static inline void fa_wake(_Atomic uint32_t *number) { syscall(SYS_futex, number, FUTEX_WAKE_PRIVATE, INT_MAX, NULL, NULL, 0); }
#else
static pthread_mutex_t fa_lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t fa_changed = PTHREAD_COND_INITIALIZER;

static inline void fa_sleep(_Atomic uint32_t *number, uint32_t while_it_is)
{
    pthread_mutex_lock(&fa_lock);
    if (atomic_load(number) == while_it_is)
        pthread_cond_wait(&fa_changed, &fa_lock);
    pthread_mutex_unlock(&fa_lock);
}
static inline void fa_wake(_Atomic uint32_t *number)
{
    (void)number;
    pthread_mutex_lock(&fa_lock); /* who has looked at the number and found it unchanged waits by now */
    pthread_cond_broadcast(&fa_changed);
    pthread_mutex_unlock(&fa_lock);
}
#endif

typedef struct { void (*run)(int); int argument; } fa_start;
static void *fa_run_thread(void *given)
{
    fa_start *start = given, copy = *start;
    free(start);
    copy.run(copy.argument);
    return NULL;
}

/* A thread that takes no signals, which are the interpreter's business; 0: the system refuses one. */
static int fa_start_thread(void (*run)(int), int argument)
{
    fa_start *start = malloc(sizeof(*start));
    pthread_attr_t attributes;
    pthread_t thread;
    sigset_t all, before;
    int failed;
    if (start == NULL)
        return 0;
    start->run = run;
    start->argument = argument;
    if (pthread_attr_init(&attributes) != 0) {
        free(start);
        return 0;
    }
    pthread_attr_setdetachstate(&attributes, PTHREAD_CREATE_DETACHED);
    pthread_attr_setstacksize(&attributes, FA_STACK);
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    failed = pthread_create(&thread, &attributes, fa_run_thread, start);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    pthread_attr_destroy(&attributes);
    if (failed)
        free(start);
    return !failed;
}

#endif
#endif
