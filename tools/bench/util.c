/* util.c - see bench.h. */
#define _GNU_SOURCE
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#include "tools/bench/bench.h"

void die(const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    fputs("coord-bench: ", stderr);
    (void)vfprintf(stderr, format, arguments);
    fputc('\n', stderr);
    va_end(arguments);
    (void)fflush(stderr);
    _exit(EXIT_FAILURE); /* threads are under way: no destructors */
}

void check(coord_error e, const char *what)
{
    if (e != COORD_OK)
        die("%s: %s: %s", what, coord_error_name(e), coord_error_detail());
}

uint64_t clock_ns(void)
{
    struct timespec t;
    (void)clock_gettime(CLOCK_MONOTONIC, &t);
    return (uint64_t)t.tv_sec * NS_PER_S + (uint64_t)t.tv_nsec;
}

void sleep_ms(uint32_t ms)
{
    struct timespec t = {.tv_sec = ms / 1000, .tv_nsec = (long)(ms % 1000) * NS_PER_MS};
    while (nanosleep(&t, &t) != 0 && errno == EINTR)
        continue;
}

void *allocate(size_t count, size_t bytes)
{
    void *p = calloc(count, bytes);
    if (p == NULL)
        die("no memory");
    return p;
}
