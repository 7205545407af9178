/* bench.h - what the files of coord-bench share.
 *
 * A workload measures one thing and leaves one JSON object on stdout. Its shape
 * (connections, calls under way, what is timed) is fixed, so that the numbers of
 * two runs, or of another service's load generator of the same shape, can be held
 * against each other. Whatever goes wrong ends the program: a number is either
 * measured as it should be or not there. */
#ifndef COORD_BENCH_H
#define COORD_BENCH_H

#include <coord/coord.h>
#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

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
    CONNECTIONS_MAX = 1001,
    SERVERS_MAX = 16,
    CALL_MS = 60000, /* no call may take longer */
    NS_PER_MS = 1000000,
    NS_PER_S = 1000000000,
};

struct bench_options {
    const char *endpoints, *medium, *restart;
    double seconds;  /* how long a throughput is measured */
    double warmup_s; /* of load before */
    uint32_t count;  /* operations of a workload that counts them; 0: as defined */
    uint32_t repetition;
};
extern struct bench_options options;
uint32_t count_or(uint32_t defined);

/* ---- util.c ---- */

__attribute__((format(printf, 1, 2), noreturn)) void die(const char *format, ...);
/* Dies unless it is COORD_OK. */
void check(coord_error e, const char *what);
uint64_t clock_ns(void); /* CLOCK_MONOTONIC */
void sleep_ms(uint32_t ms);
void *allocate(size_t count, size_t bytes); /* zeroed */

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
/* Sorts them; the prefix is of the fields' names. */
void report_latencies(const char *prefix, struct samples *s);
void report_end(const char *workload); /* prints the line */

/* Time, and the processor time of servers and of this process, between the two. */
void meter_start(void);
void meter_stop(size_t operations, bool with_rate);

/* On a terminal, how far it is: from start to stop. */
void progress_start(const char *what);
void progress_stop(void);

/* ---- servers.c: the servers' processes, as the cell names them ---- */

struct server {
    uint32_t id;
    int pid;
};
struct servers {
    struct server list[SERVERS_MAX];
    uint32_t count, leader; /* leader: an id, or 0 */
};
void servers_find(void); /* opens a connection of its own */
/* Who is there now; false if somebody does not answer, or nobody leads. */
bool servers_look(struct servers *ret);
double servers_cpu_s(void);
uint64_t servers_rss_kib(void);
void servers_report_rss(void);
void servers_leave(void);
uint64_t process_rss_kib(int pid);
/* Dies if it is no coordd of this machine. */
void process_check(int pid);

/* What is used by servers, the leader among them, and this process; idle.c. */
struct memory {
    uint64_t servers, leader, own; /* KiB */
};
struct memory memory_now(void);
/* How much more it is now, for each of so many. */
void report_memory(const char *of, const struct memory *before, uint32_t count);

/* ---- pool.c: connections, a session each ---- */

struct conn {
    coord_client *client;
    coord_session *session;
    struct samples latencies;
};
extern struct conn conns[CONNECTIONS_MAX];
void conns_open(uint32_t count);
void conns_close(uint32_t count);
coord_node *node_open(coord_session *session, const char *path);
extern char value[VALUE_BYTES]; /* filled by main */
void key_path(uint32_t number, char path[32]);
void keys_make(void); /* unless they are there */

/* ---- the workloads ---- */

void warm_up(double seconds); /* flow.c */
void write_latency(void);
void read_latency(void);
void write_throughput_1000(void);
void write_throughput_100x1(void);
void read_throughput_1000(void);
void read_throughput_100x1(void);
void lock_cycle(void); /* locks.c */
void lock_contended(void);
void election(void); /* election.c */
void failover(void); /* failover.c */
void election_close(void);
void servers_alone(void); /* idle.c */
void sessions_of_one(void);
void sessions(void);
void sessions_20000(void);
void sessions_2000conns(void);
void watch_fanout(void); /* watches.c */
void watch_fanout_1000conns(void);
void watch_session(void);
void nodes_100k(void); /* nodes.c */
void nodes_1m(void);

#endif
