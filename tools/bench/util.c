/* util.c - see measure.h. */
#define _GNU_SOURCE
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "tools/bench/measure.h"

char value[VALUE_BYTES];
struct bench_options options = {
    .medium = "disk", .seconds = 10, .warmup_s = 7, .clients = 10, .inflight = 1000};

void die(const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    fprintf(stderr, "%s: ", program_invocation_short_name);
    (void)vfprintf(stderr, format, arguments);
    fputc('\n', stderr);
    va_end(arguments);
    (void)fflush(stderr);
    _exit(EXIT_FAILURE); /* threads are under way: no destructors */
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

void value_fill(void)
{
    memset(value, 'x', sizeof value);
}

void key_path(uint32_t number, char path[32])
{
    (void)snprintf(path, 32, "/bench/k%06u", number);
}

uint32_t count_or(uint32_t defined)
{
    return options.count != 0 ? options.count : defined;
}

double option_number(const char *option, const char *text, double max)
{
    char *end;
    errno = 0;
    double n = strtod(text, &end);
    if (errno != 0 || end == text || *end != '\0' || !(n >= 0 && n <= max))
        die("--%s: a number from 0 to %.0f", option, max);
    return n;
}

const char *option_word(const char *option, const char *text)
{
    if (strspn(text, "abcdefghijklmnopqrstuvwxyz0123456789-") != strlen(text))
        die("--%s: lower-case letters, digits and dashes", option);
    return text;
}
