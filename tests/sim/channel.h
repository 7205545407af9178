/* channel.h - the streams between clients and servers.
 *
 * A channel is one gRPC stream: in order both ways, nothing lost or doubled while
 * it stands. A cut holds its messages up; when that lasts, or an end dies, it
 * breaks as a whole, and what was under way is lost. Messages that have queued up
 * may arrive merged into one, as a busy stream's do. */
#ifndef TESTS_SIM_CHANNEL_H
#define TESTS_SIM_CHANNEL_H

#include <stdbool.h>

#include "coordd/replica/event.h"
#include "libcoord/base/bytes.h"
#include "tests/sim/pipe.h"

struct sim;

struct channel {
    uint64_t id;
    enum replica_stream_kind kind;
    uint32_t host, server, life; /* of the server that took it */
    uint64_t owner;              /* the host's: whose it is there */
    uint64_t session;            /* that the server was heard to speak of on it */
    struct pipe up, down;        /* to the server, to the host */
    bool server_has, host_has;   /* the end knows it, and it has not ended there */
    bool arrived;                /* its opening reached the server */
    bool heard;                  /* ... and the host knows */
    bool lags;                   /* the server was told that too much waits */
    int64_t slow_until_ns;       /* the host reads nothing before */
    bool server_knows;           /* that too much waits: it took the event */
};

struct channels {
    struct channel **list; /* owned; by id - 1; NULL: over */
    uint64_t count, capacity;
};

void channels_init(struct channels *c);
void channels_release(struct channels *c);
/* NULL when it is over. */
struct channel *channel_find(struct sim *s, uint64_t id);

/* The host dials. It hears of it through host_take: UP, or DOWN if it cannot be. */
uint64_t channel_open(struct sim *s, uint32_t host, uint32_t server, enum replica_stream_kind kind,
                      uint64_t owner);
void channel_send_to_server(struct sim *s, uint64_t id, struct slice bytes);
/* The host wants it no longer, and hears no more of it. */
void channel_drop(struct sim *s, uint64_t id);

void channel_send_to_host(struct sim *s, uint32_t server, uint64_t id, struct blob *bytes);
/* Ends once what was sent is out. */
void channel_close_by_server(struct sim *s, uint32_t server, uint64_t id);
void channel_server_died(struct sim *s, uint32_t server);
void channel_host_died(struct sim *s, uint32_t host);
/* The server takes the event that too much waits, or that all has left. */
void channel_server_knows_lag(struct sim *s, uint64_t id, bool lags);
/* The host reads nothing from it for a while. */
void channel_read_slowly(struct sim *s, uint64_t id, int64_t for_ns);
/* From now on nothing comes from there: its channels break if that lasts. */
void channel_server_silent(struct sim *s, uint32_t server);
void channel_host_silent(struct sim *s, uint32_t host);

#endif
