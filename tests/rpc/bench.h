/* bench.h - a server under test that keeps a record of all its events, and
 * moves servers and clients on until something has come true. */
#ifndef COORD_TESTS_RPC_BENCH_H
#define COORD_TESTS_RPC_BENCH_H

#include "coordd/rpc/rpc.h"
#include "tests/rpc/client.h"

enum {
    BENCH_SERVERS_MAX = 4,
    BENCH_CLIENTS_MAX = 4,
    BENCH_WAIT_MS_MAX = 10000,
    BENCH_EVENTS_MAX = 4096,
    BENCH_TEXT_BYTES = 160,
    BENCH_NOBODY = 4,
};

/* What an event was, without what it borrowed. */
struct seen {
    enum replica_event_kind kind;
    enum replica_link link;
    uint32_t peer;
    uint64_t stream;
    size_t length;
    uint8_t first; /* byte of the message */
};

struct server {
    struct rpc *rpc;
    bool echoes; /* every message of a client goes back to it */
    struct seen seen[BENCH_EVENTS_MAX];
    unsigned seen_count;
    uint64_t stream; /* the last one opened */
    unsigned opened, messages, closed, lagged, drained;
    enum rpc_note note;
    char noted[BENCH_TEXT_BYTES];
    unsigned notes;
};

struct bench {
    struct server *servers[BENCH_SERVERS_MAX];
    unsigned servers_count;
    struct client *clients[BENCH_CLIENTS_MAX];
    unsigned clients_count;
};

/* Where members 1 to 3 listen, in this process, and 4 does not; and how to dial them. */
uint16_t bench_port(uint32_t member);
const char *bench_address(uint32_t member);
const char *bench_target(uint32_t member);

/* Member `self` of a cell of 1 to 3; `cell` fills the cell id. */
void server_open(struct server *s, uint32_t self, uint8_t cell);
void server_close(struct server *s);
enum replica_link server_link(const struct server *s, uint32_t peer); /* as told last */

/* True as soon as `done` says so; false when it did not within BENCH_WAIT_MS_MAX. */
bool bench_until(struct bench *b, bool (*done)(void *context), void *context);
/* Moves everything on for a while, for what must not happen. */
void bench_for_ms(struct bench *b, int ms);

#endif
