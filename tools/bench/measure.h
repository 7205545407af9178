/* measure.h - what is measured, and how it is told, whatever the service.
 *
 * A program that loads a service and includes this prints one line, a JSON object,
 * with the fields of all the others. The program says what its servers use; the rest
 * is here. Whatever goes wrong ends it. */
#ifndef COORD_BENCH_MEASURE_H
#define COORD_BENCH_MEASURE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* The shapes: those of all programs are the same. */
enum {
    KEYS = 1000,
    VALUE_BYTES = 100,
    LATENCY_COUNT = 2000,
    LATENCY_UNCOUNTED = 50,
    CYCLES_COUNT = 1000,
    CYCLES_UNCOUNTED = 20,
    CONTENDERS = 50,
    CANDIDATES = 10,
    TRANSFERS_COUNT = 50,
    LEAD_MS = 20,
    KILLS_COUNT = 5,
    WRITING_MS = 1000,   /* before a kill */
    RESTARTED_MS = 2000, /* after a killed server serves again */
    AGAIN_MS = 10,       /* after a write that failed */
    WATCHES = 1000,
    FANOUT_WRITES_COUNT = 50,
    FANOUT_PAUSE_MS = 20,
    SESSIONS_COUNT = 2000,
    NODES_100K = 100000,
    MAKERS = 10,
    MADE_AT_ONCE = 100, /* by each */
    REST_MS = 2000,     /* until memory is looked at */
    SERVERS_MAX = 16,
    INFLIGHT_MAX = 100000,
    NS_PER_MS = 1000000,
    NS_PER_S = 1000000000,
};

struct bench_options {
    const char *endpoints, *medium, *restart;
    double seconds;             /* how long a throughput is measured */
    double warmup_s;            /* of load before */
    uint32_t count;             /* operations of a workload that counts them; 0: as defined */
    uint32_t clients, inflight; /* of a workload that leaves them open */
    uint32_t repetition;
    bool details;
};
extern struct bench_options options;
uint32_t count_or(uint32_t defined);
double option_number(const char *option, const char *text, double max);
const char *option_word(const char *option, const char *text);

/* ---- util.c ---- */

__attribute__((format(printf, 1, 2), noreturn)) void die(const char *format, ...);
uint64_t clock_ns(void); /* CLOCK_MONOTONIC */
void sleep_ms(uint32_t ms);
void *allocate(size_t count, size_t bytes); /* zeroed */
extern char value[VALUE_BYTES];
void value_fill(void);
void key_path(uint32_t number, char path[32]);

/* ---- report.c: the line, latencies, the clock ---- */

struct samples {
    uint32_t *us;
    size_t count, capacity;
};
void samples_add(struct samples *s, uint64_t ns);
void samples_move(struct samples *to, struct samples *from);
void samples_release(struct samples *s);

__attribute__((format(printf, 1, 2))) void report(const char *format, ...);
void report_shape(uint32_t clients, uint32_t inflight);
/* Sorts them; the prefix is of the fields' names. With --details, how many there were
 * of what length: pairs of the shortest, in microseconds, and the number. */
void report_latencies(const char *prefix, struct samples *s);
void report_end(const char *peer, const char *workload, const char *placement); /* prints it */

/* Time, and the processor time of servers and of this process, between the two. */
void meter_start(void);
void meter_stop(size_t operations, bool with_rate);

/* On a terminal, how far it is: from start to stop. */
void progress_start(const char *what);
void progress_stop(void);

/* ---- timeline.c: the writes around a kill, with --details ---- */

void timeline_start(void);       /* of the next kill */
void timeline_add(uint64_t now); /* a write was acknowledged */
void timeline_kill(uint64_t now);
void report_timelines(void);

/* ---- process.c ---- */

double process_cpu_s(int pid);
uint64_t process_rss_kib(int pid);
/* Dies unless that is the name of the program that runs there. */
void process_named(int pid, const char *name);
/* Runs --restart's command, with the server's number for each {id}. */
void server_restart(uint32_t id);

/* ---- the program's own ---- */

double servers_cpu_s(void);
uint64_t servers_rss_kib(void);

#endif
