/* event.h - everything that can happen to a replica.
 *
 * With effects.h this is the whole contract between the pure core and the world
 * (the driver in coordd/main, or the simulator in tests/sim). One event goes in,
 * effects come out; time and randomness come in with the event. Nothing in an
 * event is kept after the step unless the field says so.
 *
 * Pure: see docs/architecture.md. */
#ifndef COORD_REPLICA_EVENT_H
#define COORD_REPLICA_EVENT_H

#include <stdbool.h>
#include <stdint.h>

#include "coordd/paxos/entry.h"
#include "libcoord/base/bytes.h"

enum replica_event_kind {
    REPLICA_EVENT_TIME,             /* now_ns has come; also to be sent once after loading */
    REPLICA_EVENT_PEER_LINK,        /* .peer, .link */
    REPLICA_EVENT_PEER_MESSAGE,     /* .peer, .bytes: one Envelope */
    REPLICA_EVENT_PERSISTED,        /* .sequence: all persist effects up to it are durable */
    REPLICA_EVENT_PERSIST_FULL,     /* .sequence: it and all later ones handed out so far were NOT
                                       written (no space) and never will be; the core hands
                                       them out anew, with new sequences, when it tries again.
                                       The step that is told hands out nothing */
    REPLICA_EVENT_SPACE,            /* .low: the disk is full, and the storage goes on with what it
                                       keeps back for that; or it has all of that again.
                                       .room: so many bytes a checkpoint would find */
    REPLICA_EVENT_LOG_READ,         /* .token, .entries: answer to EFFECT_READ_LOG */
    REPLICA_EVENT_CHECKPOINT_TAKEN, /* the oldest EFFECT_CHECKPOINT_PUT not yet spoken of is
                                       written, if not durable: at most CHECKPOINT_PUTS_MAX wait */
    REPLICA_EVENT_CHECKPOINTED,     /* .slot: the checkpoint of it is durable, whole */
    REPLICA_EVENT_CHECKPOINT_LOST,  /* no space: nothing of the one under way was kept, and what was
                                       handed out for it until now will not be */
    REPLICA_EVENT_CHECKPOINT_READ,  /* .token, .slot, .bytes, .about, .last: answer to
                                       EFFECT_READ_CHECKPOINT; slot 0: there is none */
    REPLICA_EVENT_STREAM_OPENED,    /* .stream, .stream_kind, .principal */
    REPLICA_EVENT_STREAM_MESSAGE,   /* .stream, .bytes: one message of the stream's type */
    REPLICA_EVENT_STREAM_CLOSED,    /* .stream: gone for whatever reason; never named again */
    REPLICA_EVENT_STREAM_LAGS,      /* .stream: STREAM_LAG_BYTES or more wait to leave */
    REPLICA_EVENT_STREAM_DRAINED,   /* .stream: after that, all has left */
    REPLICA_EVENT_STOP,             /* the process is about to stop: a leader gives its lease up so
                                       that the others need not wait for it to run out */
};

enum replica_link {
    REPLICA_LINK_UP,      /* a stream to the peer stands; no proof of life */
    REPLICA_LINK_DOWN,    /* it ended or broke */
    REPLICA_LINK_REFUSED, /* nobody listens there: the process is probably gone */
};

/* A reader that has this much waiting for it is slow: its watches are told no more
 * until it has read all (docs/semantics.md). */
enum { STREAM_LAG_BYTES = 1024 * 1024 };

/* What a client's stream carries (proto/coord/v1/coord.proto). */
enum replica_stream_kind {
    REPLICA_STREAM_SESSION,   /* SessionRequest in, SessionReply out */
    REPLICA_STREAM_KEEPALIVE, /* KeepAliveRequest in, KeepAliveReply out */
    REPLICA_STREAM_EXECUTE,   /* one ExecuteRequest in, one Answer out, then it ends */
};

struct replica_event {
    enum replica_event_kind kind;
    int64_t now_ns;  /* CLOCK_BOOTTIME, read AFTER the event was taken; never falls */
    int64_t wall_ms; /* Unix time; may jump */
    uint32_t peer;   /* member id */
    enum replica_link link;
    uint64_t sequence;
    uint64_t token;
    uint64_t slot;
    bool last;
    bool low;
    uint64_t room;
    struct slice about;              /* borrowed: what EFFECT_CHECKPOINT_COMMIT said of itself */
    const struct log_entry *entries; /* borrowed */
    uint32_t entries_count;
    uint64_t stream; /* chosen by the transport, never 0, never used twice in one process */
    enum replica_stream_kind stream_kind;
    const char *principal; /* borrowed */
    uint8_t random[16];    /* of STREAM_OPENED: from the OS's generator; becomes the secret of a
                              session that is opened on it */
    struct slice bytes;    /* borrowed */
};

#endif
