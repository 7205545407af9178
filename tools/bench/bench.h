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

#include "tools/bench/measure.h"

enum {
    CONNECTIONS_MAX = 1001,
    CALL_MS = 60000, /* no call may take longer */
};

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
void servers_report_rss(void);
void servers_leave(void);
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

/* Dies unless it is COORD_OK. */
void check(coord_error e, const char *what);

struct conn {
    coord_client *client;
    coord_session *session;
    struct samples latencies;
};
extern struct conn conns[CONNECTIONS_MAX];
void conns_open(uint32_t count);
void conns_close(uint32_t count);
coord_node *node_open(coord_session *session, const char *path);
void keys_make(void); /* unless they are there */

/* ---- the workloads ---- */

void warm_up(double seconds); /* flow.c */
void write_latency(void);
void read_latency(void);
void write_throughput_1000(void);
void write_throughput_100x1(void);
void write_throughput(void);
void read_throughput(void);
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
