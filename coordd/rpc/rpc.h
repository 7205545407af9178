/* rpc.h - the network of one replica: gRPC's C core behind a few calls that
 * move bytes. Nothing here knows what a message means.
 *
 * Clients' streams and links between replicas become replica_events, handed to
 * the callback given at rpc_new; what the replica wants sent is queued here.
 *
 * - One thread uses an rpc: the one that calls rpc_poll. Only rpc_wake may be
 *   called from another.
 * - Nothing is written to a socket before rpc_flush (or the next rpc_poll): all
 *   that a round of events made for one stream leaves as one message. That works
 *   because serialized messages of one type merge by being joined; links carry
 *   one message for each envelope.
 * - A call handed to the callback may call every rpc_send_* and rpc_close_*;
 *   no callback is ever made from inside those.
 * - STREAM_LAGS comes right after the callback whose sending was too much, or at
 *   the begin of the next rpc_poll if it was sent outside of one.
 * - Messages to one stream or over one link arrive in order or the stream ends.
 *
 * May include: coordd/replica (the contract's structs), proto, libcoord/base, gRPC. */
#ifndef COORD_RPC_RPC_H
#define COORD_RPC_RPC_H

#include "coordd/replica/effects.h"
#include "coordd/replica/replica.h"
#include "libcoord/base/err.h"

enum {
    /* A message from a client; a larger one ends its stream with RESOURCE_EXHAUSTED. */
    RPC_CLIENT_MESSAGE_BYTES_MAX = 4 * 1024 * 1024,
    /* A message between replicas; a larger one breaks the link. */
    RPC_PEER_MESSAGE_BYTES_MAX = 8 * 1024 * 1024,
    /* Clients' streams at one time, one for each session and one for each connection's
     * KeepAlives; one more is refused with RESOURCE_EXHAUSTED. */
    RPC_STREAMS_MAX = 65536,
    /* Calls of grpc.health.v1.Health at one time; one more is refused likewise. */
    RPC_HEALTH_CALLS_MAX = 1024,
    /* What may wait for one client to read; at the bound its stream is ended with
     * RESOURCE_EXHAUSTED, so that one slow reader costs nobody else. */
    RPC_STREAM_QUEUE_BYTES_MAX = 8 * 1024 * 1024,
    /* The same over all clients' streams: whoever asks for more is ended. */
    RPC_ALL_QUEUES_BYTES_MAX = 256 * 1024 * 1024,
    /* What may wait for one peer; at the bound the link is broken. */
    RPC_LINK_QUEUE_BYTES_MAX = 64 * 1024 * 1024,
    /* A stream that is to end waits this long for its client to read the rest. */
    RPC_LINGER_MS = 5000,
    /* Completions taken before what they caused is written. */
    RPC_ROUND_EVENTS_MAX = 64,

    RPC_WHY_BYTES = 256,
    RPC_PRINCIPAL_BYTES_MAX = 64,
};

enum rpc_result {
    RPC_OK = 0,
    RPC_ADDRESS_INVALID, /* not host:port */
    RPC_ADDRESS_TAKEN,   /* another process listens there */
    RPC_ADDRESS_FAILED,  /* the system refuses for another reason */
};

enum rpc_note {
    RPC_NOTE_LINK_REJECTED, /* the peer refused us: wrong cell, wrong member */
    RPC_NOTE_LINK_REFUSED,  /* we refused somebody */
    RPC_NOTE_LINK_BROKEN,   /* a link that stood ended */
};

/* The event has no time yet; it and its bytes are borrowed. */
typedef void rpc_take_event(void *context, struct replica_event *event);
/* For the log file. `peer` is a member id or 0. */
typedef void rpc_take_note(void *context, enum rpc_note note, uint32_t peer, const char *text);

struct rpc_options {
    uint8_t cell[REPLICA_CELL_ID_BYTES];
    uint32_t self;
    uint64_t incarnation;
    const struct replica_member *members; /* copied; includes self */
    uint32_t members_count;
    const char *listen; /* host:port */
    rpc_take_event *take_event;
    rpc_take_note *take_note; /* may be NULL */
    void *context;
};

struct rpc;

/* Listens on options->listen and, if that is reachable over loopback, on the
 * abstract UNIX socket coord-<IP address>-<port>. Links are dialled by the first
 * rpc_poll. `why` (RPC_WHY_BYTES) names what was wrong, for a person. */
MUST_USE enum rpc_result rpc_new(const struct rpc_options *options, struct rpc **ret, char *why);

/* Ends every client's stream with UNAVAILABLE and `text`, breaks the links, and
 * gives what is under way a moment to leave. No callbacks any more. Accepts NULL. */
void rpc_free(struct rpc *rpc, const char *text);

/* Sends what is queued, then waits until something happened or deadline_ns
 * (CLOCK_BOOTTIME) came, and hands over what has arrived, at most
 * RPC_ROUND_EVENTS_MAX completions. Returns at once after an rpc_wake. */
void rpc_poll(struct rpc *rpc, int64_t deadline_ns);

/* From any thread: makes the current or the next rpc_poll return. Must not be
 * called again before a rpc_poll has returned since (one wake-up is one entry in
 * a queue). */
void rpc_wake(struct rpc *rpc);

/* The bytes are copied. A stream that is unknown or ending is ignored. The
 * answer to an Execute ends its stream. */
void rpc_send_stream(struct rpc *rpc, uint64_t stream, const struct blob *bytes);
/* What was queued leaves first. STREAM_CLOSED follows as an event. */
void rpc_close_stream(struct rpc *rpc, uint64_t stream, enum stream_status status,
                      const char *text);
/* Dropped if no link stands. The same blob sent to several peers in a row is
 * copied once. */
void rpc_send_peer(struct rpc *rpc, uint32_t peer, struct blob *bytes);

/* Whether clients that come here get on: what grpc.health.v1.Health says of
 * coord.v1.Coord and of the whole server. False at first. */
void rpc_set_serving(struct rpc *rpc, bool serving);

/* Starts writing what is queued. */
void rpc_flush(struct rpc *rpc);

/* For tests and the log file. */
uint32_t rpc_streams_count(const struct rpc *rpc);
uint16_t rpc_port(const struct rpc *rpc);

#endif
