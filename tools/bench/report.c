/* report.c - the result, one JSON object in one line; latencies; the meter.
 *
 * p50 is element n/2 of the sorted latencies, p99 element floor(0.99 (n - 1)). */
#define _GNU_SOURCE
#include <pthread.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "tools/bench/measure.h"

enum { LINE_BYTES = 65536, BUCKETS_OF_A_POWER = 16 };

static char line[LINE_BYTES];
static size_t line_length;

/* ---- latencies ---- */

void samples_add(struct samples *s, uint64_t ns)
{
    if (s->count == s->capacity) {
        s->capacity = s->capacity == 0 ? 4096 : 2 * s->capacity;
        s->us = realloc(s->us, s->capacity * sizeof *s->us);
        if (s->us == NULL)
            die("no memory");
    }
    s->us[s->count++] = (uint32_t)(ns / 1000);
}

void samples_move(struct samples *to, struct samples *from)
{
    for (size_t i = 0; i < from->count; i++)
        samples_add(to, (uint64_t)from->us[i] * 1000);
    samples_release(from);
}

void samples_release(struct samples *s)
{
    free(s->us);
    *s = (struct samples){.us = NULL};
}

static int by_value(const void *a, const void *b)
{
    uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;
    return x < y ? -1 : x > y;
}

/* ---- the line ---- */

void report(const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    int n = vsnprintf(line + line_length, sizeof line - line_length, format, arguments);
    va_end(arguments);
    if (n < 0 || (size_t)n >= sizeof line - line_length)
        die("the result is too long");
    line_length += (size_t)n;
}

void report_shape(uint32_t clients, uint32_t inflight)
{
    report("\"clients\":%u,\"inflight\":%u,", clients, inflight);
}

/* The lower end of its bucket: sixteen of them between a power of two and the next. */
static uint32_t bucket_of(uint32_t us)
{
    uint32_t shift = 0;
    while (us >> shift >= 2 * BUCKETS_OF_A_POWER)
        shift++;
    return us >> shift << shift;
}

static void report_buckets(const char *prefix, const struct samples *sorted)
{
    report("\"%sbuckets\":[", prefix);
    for (size_t i = 0, next; i < sorted->count; i = next) {
        uint32_t bucket = bucket_of(sorted->us[i]);
        for (next = i; next < sorted->count && bucket_of(sorted->us[next]) == bucket;)
            next++;
        report("%s[%u,%zu]", i > 0 ? "," : "", bucket, next - i);
    }
    report("],");
}

void report_latencies(const char *prefix, struct samples *s)
{
    uint64_t total = 0;
    if (s->count == 0)
        return;
    qsort(s->us, s->count, sizeof *s->us, by_value);
    for (size_t i = 0; i < s->count; i++)
        total += s->us[i];
    report("\"%sp50_us\":%u,\"%sp99_us\":%u,", prefix, s->us[s->count / 2], prefix,
           s->us[(size_t)((double)(s->count - 1) * 0.99)]);
    report("\"%smax_us\":%u,\"%smean_us\":%llu,", prefix, s->us[s->count - 1], prefix,
           (unsigned long long)(total / s->count));
    if (options.details)
        report_buckets(prefix, s);
}

void report_end(const char *peer, const char *workload, const char *placement)
{
    report("\"peer\":\"%s\",\"workload\":\"%s\",", peer, workload);
    report("\"placement\":\"%s\",", placement);
    report("\"medium\":\"%s\",\"rep\":%u,\"tries\":1", options.medium, options.repetition);
    printf("{%s}\n", line);
    if (fflush(stdout) != 0)
        die("stdout cannot be written");
}

/* ---- the meter ---- */

static struct {
    uint64_t began_ns;
    double servers_s, own_s;
} meter;

static double own_cpu_s(void)
{
    struct rusage u;
    (void)getrusage(RUSAGE_SELF, &u);
    return (double)(u.ru_utime.tv_sec + u.ru_stime.tv_sec) +
           (double)(u.ru_utime.tv_usec + u.ru_stime.tv_usec) / 1e6;
}

void meter_start(void)
{
    meter.servers_s = servers_cpu_s();
    meter.own_s = own_cpu_s();
    meter.began_ns = clock_ns();
}

void meter_stop(size_t operations, bool with_rate)
{
    double took = (double)(clock_ns() - meter.began_ns) / NS_PER_S;
    double own = own_cpu_s() - meter.own_s;
    report("\"seconds\":%.3f,\"ops\":%zu,", took, operations);
    if (with_rate)
        report("\"ops_per_s\":%.1f,", (double)operations / took);
    report("\"server_cpu_s\":%.2f,\"client_cpu_s\":%.2f,\"server_rss_kib\":%llu,",
           servers_cpu_s() - meter.servers_s, own, (unsigned long long)servers_rss_kib());
}

/* ---- progress ---- */

static struct {
    pthread_t thread;
    pthread_mutex_t mutex;
    bool runs, stop;
    const char *what;
} progress = {.mutex = PTHREAD_MUTEX_INITIALIZER};

static bool progress_stopped(void)
{
    pthread_mutex_lock(&progress.mutex);
    bool stop = progress.stop;
    pthread_mutex_unlock(&progress.mutex);
    return stop;
}

static void *show(void *ignored)
{
    (void)ignored;
    uint64_t began = clock_ns();
    while (!progress_stopped()) {
        fprintf(stderr, "\r%s: %.0f s", progress.what, (double)(clock_ns() - began) / NS_PER_S);
        (void)fflush(stderr);
        sleep_ms(250);
    }
    fputs("\r\033[K", stderr);
    (void)fflush(stderr);
    return NULL;
}

void progress_start(const char *what)
{
    progress.what = what;
    progress.stop = false;
    progress.runs =
        isatty(STDERR_FILENO) == 1 && pthread_create(&progress.thread, NULL, show, NULL) == 0;
}

void progress_stop(void)
{
    if (!progress.runs)
        return;
    pthread_mutex_lock(&progress.mutex);
    progress.stop = true;
    pthread_mutex_unlock(&progress.mutex);
    pthread_join(progress.thread, NULL);
    progress.runs = false;
}
