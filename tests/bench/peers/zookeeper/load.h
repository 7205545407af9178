/* load.h - what the files of zookeeper-load share. */
#ifndef ZOOKEEPER_LOAD_H
#define ZOOKEEPER_LOAD_H

#include <pthread.h>
#include <zookeeper/zookeeper.h>

#include "tools/bench/measure.h"

enum {
    LEASE_MS = 12000,
    PATIENCE_MS = 30000, /* until connected, led, or told */
    CONNS_MAX = SESSIONS_COUNT + 1,
    PATH_BYTES = 256,
};

/* Of this program alone; the rest is in struct bench_options. */
struct zookeeper_options {
    const char *pids, *placement;
};
extern struct zookeeper_options zookeeper;

/* ---- servers.c ---- */

uint32_t servers_count(void);
int server_pid(uint32_t number); /* from 1 */
uint32_t server_leading(void);   /* waits for one */
void servers_report_rss(void);

/* ---- conns.c: connections, which are sessions here ---- */

struct conn {
    zhandle_t *handle;
    struct samples latencies;
    uint32_t server;
};
extern struct conn conns[CONNS_MAX];
void must(int code, const char *doing); /* dies unless it is ZOK */
zhandle_t *connect_to(const char *endpoints);
void conns_open(uint32_t first, uint32_t count);
void conns_close(uint32_t count);
void conn_again(struct conn *c); /* closes it, and opens another to the same server */
void node_make(zhandle_t *handle, const char *path); /* and those above; there may be one */
void keys_make(void);

/* ---- tally.c: a count that callbacks raise, and one thread waits for ---- */

struct tally {
    pthread_mutex_t mutex;
    pthread_cond_t changed;
    uint32_t count;
    uint64_t last_ns; /* when it was raised last */
};
#define TALLY_INIT                                                \
    {                                                             \
        PTHREAD_MUTEX_INITIALIZER, PTHREAD_COND_INITIALIZER, 0, 0 \
    }
void tally_reset(struct tally *t);
void tally_add(struct tally *t);
/* Dies if it takes longer than that. */
void tally_wait(struct tally *t, uint32_t count, uint64_t limit_ms);

/* ---- the workloads ---- */

enum operation { WRITE, READ, READ_STALE, MAKE };
void warm_up(void);
void one_by_one(enum operation what);
void many(enum operation what, uint32_t clients, uint32_t inflight);
void make_nodes(uint32_t count);
void lock_cycle(void);
void lock_contended(void);
void elect(bool closes);
void fan_out(uint32_t clients);
void servers_alone(void);
void idle_sessions(void);
void failover(void);

#endif
