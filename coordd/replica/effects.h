/* effects.h - everything that a replica asks of the world.
 *
 * The driver executes effects in their order. It never has to know what must be
 * durable before what: the core holds back every message until the event
 * PERSISTED tells that its condition is met. The driver's only duties are that
 * persist effects become durable in order, all of a step together or not at all,
 * and that messages to one peer or stream leave in order or the link breaks.
 *
 * Pure. */
#ifndef COORD_REPLICA_EFFECTS_H
#define COORD_REPLICA_EFFECTS_H

#include <stdbool.h>
#include <stdint.h>

#include "coordd/replica/event.h"
#include "libcoord/base/bytes.h"

enum effect_kind {
    EFFECT_PERSIST_PROMISE, /* .ballot: promised, and the highest ballot ever used */
    EFFECT_PERSIST_ENTRY,   /* .entry: replaces what the slot held */
    EFFECT_PERSIST_LEASE,   /* .lease_ms: longest lease ever granted or asked for */
    EFFECT_PERSIST_FLOOR,   /* .last_slot: no slot up to it is needed any more, and entries follow
                               behind it even if the log ended before it; rises only */
    EFFECT_SEND_PEER,       /* .peer, .bytes */
    EFFECT_SEND_STREAM,     /* .stream, .bytes */
    EFFECT_CLOSE_STREAM,    /* .stream, .status, .text: end it once what was sent is out */
    EFFECT_READ_LOG,        /* .token, .first_slot, .last_slot, .bytes_max */
    /* A checkpoint is one transaction from BEGIN to COMMIT, on a thread of its own;
       one at a time. Nothing of it is there before it is committed. */
    EFFECT_CHECKPOINT_BEGIN,  /* .whole: what the last one holds is dropped in it */
    EFFECT_CHECKPOINT_PUT,    /* .bytes: records put and removed (chunk.h) */
    EFFECT_CHECKPOINT_COMMIT, /* .last_slot: the state is that behind this slot; .bytes: what
                                 is to be kept beside the records */
    EFFECT_CHECKPOINT_ABORT,  /* forget the one under way */
    /* Records of the last durable checkpoint in the order of their keys, for a peer.
       The first read of a token begins at the first record; later ones go on, in the
       same checkpoint, however many are made meanwhile. .bytes_max 0: it is read no
       more. At most CHECKPOINT_READERS_MAX tokens are open. */
    EFFECT_READ_CHECKPOINT, /* .token, .bytes_max: stop behind the record that reaches it, or
                               earlier */
    EFFECT_NOTE,            /* .note, .text, .number: for the log file */
    EFFECT_HALT,            /* .text: stop the process now; going on would be unsafe */
};

enum {
    CHECKPOINT_READERS_MAX = 2,
    CHECKPOINT_PUTS_MAX = 8, /* not yet spoken of by CHECKPOINT_TAKEN, but for a last lot */
};

/* How a stream ends, in gRPC's terms. */
enum stream_status {
    STREAM_STATUS_OK = 0,
    STREAM_STATUS_INVALID_ARGUMENT = 3,
    STREAM_STATUS_RESOURCE_EXHAUSTED = 8,
    STREAM_STATUS_UNAVAILABLE = 14,
};

enum note_kind {
    NOTE_ROLE,    /* text: leader, follower, candidate, waiting; number: ballot */
    NOTE_SERVING, /* the barrier is applied; number: ballot */
    NOTE_SESSION, /* opened, ended, expired; number: id */
    NOTE_PEER,    /* something is wrong with a peer; number: its id */
    NOTE_WARNING,
};

struct effect {
    enum effect_kind kind;
    enum note_kind note;
    enum stream_status status;
    uint32_t peer;
    uint32_t lease_ms;
    uint64_t sequence; /* of persist effects: rises by one for each STEP that has any */
    uint64_t ballot;
    uint64_t stream;
    uint64_t token;
    uint64_t first_slot, last_slot; /* inclusive */
    uint64_t bytes_max;             /* stop behind the entry that reaches it; at least one */
    uint64_t number;
    bool whole;
    struct log_entry entry;
    struct blob *bytes; /* owned: a reference; the same blob may go to several peers */
    char text[160];
};

struct effects {
    struct effect *list; /* owned */
    uint32_t count, capacity;
    /* Send REPLICA_EVENT_TIME not later than this; NEVER_NS if not needed. */
    int64_t wake_at_ns;
};

void effects_init(struct effects *e);
void effects_clear(struct effects *e); /* drops the references, keeps the memory */
void effects_release(struct effects *e);
struct effect *effects_add(struct effects *e, enum effect_kind kind); /* zeroed */
/* Copies the text, cut to what fits. */
void effect_say(struct effect *e, const char *text);

#endif
