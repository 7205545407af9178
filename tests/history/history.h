/* history.h - what clients did and were told, recorded so that it can be judged later.
 *
 * A history is a list of calls, each with the times of its invocation and its return
 * by ONE clock (CLOCK_MONOTONIC of one machine, or the simulator's), and beside them
 * what is no call: beliefs in locks, losses, states of sessions, events of watches.
 * The same structs are filled by the simulator and, over files (format.h), by real
 * clients; the checkers (judge.h) see nothing else, and no part of the server.
 *
 * Invariants. What was invoked and never seen to return is of unknown outcome, as is
 * what returned and did not know. Within a client the numbers of calls are unique.
 * Strings are interned: of one history, equal text is the same pointer. Everything
 * that writes a path is recorded, else judging that path means nothing.
 *
 * Pure: no clock, no I/O. The fields of all structs here may be left 0 where nothing
 * is known, but for those said to be needed. README.md has the whole contract. */
#ifndef TESTS_HISTORY_HISTORY_H
#define TESTS_HISTORY_HISTORY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "libcoord/base/err.h"

#define HISTORY_NEVER INT64_MAX /* of returned_ns: the end is not known */

enum {
    HISTORY_PARTS_MAX = 128,
    HISTORY_PATH_BYTES = 1024,
    /* Longer values are recorded by their hash: history_value. */
    HISTORY_VALUE_BYTES = 64,
};

enum history_op {
    HISTORY_NONE,
    /* Reads of one node. */
    HISTORY_GET,  /* shows value, generations */
    HISTORY_STAT, /* shows generations */
    /* Changes of one node. */
    HISTORY_PUT,
    HISTORY_CREATE,
    HISTORY_DELETE,
    /* Several, all or nothing; they are in `parts`. */
    HISTORY_TRANSACTION,
    /* Checks, as parts of a transaction only; HISTORY_CHECK may be one, too. */
    HISTORY_EXISTS,
    HISTORY_ABSENT,
    HISTORY_GENERATION,
    /* Locks. With `value` set, the first two are a campaign and write it as they are granted. */
    HISTORY_ACQUIRE,
    HISTORY_TRY,
    HISTORY_RELEASE, /* `clears`: and empties the content, as a leader does who resigns */
    HISTORY_FORCE,   /* coord_unlock_force */
    HISTORY_CHECK, /* is the sequencer (path, exclusive, generation) valid? OK or STALE_SEQUENCER */
    /* Watches. */
    HISTORY_WATCH,
    HISTORY_UNWATCH,
    /* Sessions. */
    HISTORY_OPEN,
    HISTORY_CLOSE, /* the caller's own */
    HISTORY_KILL,  /* coord_session_kill of `session` */
    HISTORY_OPS,
};

enum history_freshness { HISTORY_LEASE, HISTORY_QUORUM, HISTORY_STALE };

/* Of HISTORY_WATCH. */
enum {
    HISTORY_WATCH_CONTENT = 1,
    HISTORY_WATCH_LOCK = 2,
    HISTORY_WATCH_CHILDREN = 4,
    HISTORY_WATCH_SUBTREE = 8,
    HISTORY_WATCH_EVERY =
        16, /* promised every change (coord_watch_open_with), not the last state */
};

/* A sequencer that guards a write; generation 0: none. */
struct history_guard {
    const char *path;
    uint64_t generation;
    bool exclusive;
};

/* What is asked of one node. */
struct history_ask {
    enum history_op op;  /* needed */
    const char *path;    /* needed, but of OPEN, CLOSE, KILL, UNWATCH, TRANSACTION; absolute,
                            without /ls; of a sequential create what the name begins with */
    const char *value;   /* what is written, through history_value; NULL: writes none */
    uint64_t generation; /* PUT, DELETE: if the content has it (0: any). GENERATION: likewise.
                            RELEASE, CHECK: of the grant, as in its sequencer */
    uint64_t instance;   /* if the node has it; 0: any */
    struct history_guard guard; /* if it is held still */
    bool makes;                 /* PUT: COORD_CREATE */
    bool parents;               /* COORD_PARENTS */
    bool ephemeral;             /* of `session` of the call */
    bool sequential;            /* the answer's `path` has the name */
    bool clears;                /* RELEASE */
    bool exclusive;             /* ACQUIRE, TRY, CHECK; else shared */
};

/* What an answer shows; 0 and NULL: it does not say. */
struct history_told {
    uint64_t revision; /* of the state that it shows; a change's own */
    uint64_t instance, content_generation, lock_generation;
    uint64_t grant;    /* of an acquire: the generation in its sequencer */
    uint64_t session;  /* of OPEN */
    uint32_t failed;   /* of a refused transaction: the part, from 1; checks and changes as in
                          `parts` */
    const char *value; /* of GET */
    const char *path;  /* of a sequential create */
};

struct history_call {
    uint32_t client;                 /* needed; unique over all files that are judged together */
    uint64_t number;                 /* needed; unique in the client */
    int64_t invoked_ns, returned_ns; /* needed; taken before the call and after it */
    uint64_t session;                /* in which it was made, or of KILL; 0: none */
    struct history_ask ask;
    struct history_ask *parts; /* of a transaction, checks first; owned by the history */
    uint32_t parts_count;
    enum history_freshness freshness; /* of reads */
    uint64_t watch;                   /* WATCH, UNWATCH: unique in the client */
    uint32_t watches;                 /* WATCH: HISTORY_WATCH_* */
    uint64_t from;                    /* WATCH: from_revision; 0: from the answer's on */
    /* Of the return. */
    enum err error;   /* numbered as coord_error */
    bool not_applied; /* an error that usually means `perhaps` means `no` here, as
                         COORD_ERR_EXPIRED does if its detail says so */
    struct history_told told;
};

/* "I certainly held this from .. until ..": what coord_lock_safe_ms said. `from_ns` is
 * taken behind the call that said it, or behind the acquire that returned; `until_ns` is
 * a time taken BEFORE the call plus what it said. One for each time that it is asked;
 * they may overlap. The release of the grant, if it is recorded, ends them by itself; a
 * loss by force does (struct history_loss). */
struct history_belief {
    uint32_t client;
    const char *path;
    bool exclusive;
    uint64_t generation; /* as in its sequencer */
    int64_t from_ns, until_ns;
};

/* coord_loss_callback ran. */
struct history_loss {
    uint32_t client;
    const char *path;
    uint64_t generation;
    int64_t at_ns;
};

enum history_session_state {
    HISTORY_SESSION_OPENED = 1,
    HISTORY_SESSION_SAFE,
    HISTORY_SESSION_JEOPARDY,
    HISTORY_SESSION_EXPIRED,
    HISTORY_SESSION_CLOSED,
};
struct history_session {
    uint32_t client;
    uint64_t session;
    enum history_session_state state;
    int64_t at_ns;
};

/* Numbered as coord_event_kind. */
enum history_event_kind {
    HISTORY_EVENT_CREATED = 1,
    HISTORY_EVENT_CONTENT = 2,
    HISTORY_EVENT_DELETED = 3,
    HISTORY_EVENT_LOCK_HELD = 4,
    HISTORY_EVENT_LOCK_FREE = 5,
    HISTORY_EVENT_CHILD_ADDED = 6,
    HISTORY_EVENT_CHILD_REMOVED = 7,
    /* All up to `revision` was told; said by the client when it has waited until then, or
     * learned it otherwise. coord_event_kind has no such thing. */
    HISTORY_EVENT_TOLD = 8,
    HISTORY_EVENT_RESYNC = 9,
};
struct history_event {
    uint32_t client;
    uint64_t watch; /* of the call that opened it */
    enum history_event_kind kind;
    const char *path; /* NULL of TOLD, RESYNC */
    uint64_t revision;
    const char *value;                     /* NULL: it carries none */
    uint64_t instance, content_generation; /* 0: it carries no stat */
    int64_t at_ns;
};

struct history_strings;

struct history {
    struct history_call *calls; /* owned, as are the next; in the order in which they were added */
    size_t calls_count, calls_capacity;
    struct history_belief *beliefs;
    size_t beliefs_count, beliefs_capacity;
    struct history_loss *losses;
    size_t losses_count, losses_capacity;
    struct history_session *sessions;
    size_t sessions_count, sessions_capacity;
    struct history_event *events; /* of each watch in the order in which they were told */
    size_t events_count, events_capacity;
    struct history_strings *strings; /* owned */
};

void history_init(struct history *h);
void history_release(struct history *h);
/* Empty, but keeps its memory. */
void history_clear(struct history *h);

/* Strings and parts are copied. The call is of unknown outcome until history_return. Returns
 * its place in `calls`. */
size_t history_invoke(struct history *h, const struct history_call *call);
/* Of the call at `place`; error, not_applied, told and returned_ns are taken from `answer`. */
void history_return(struct history *h, size_t place, const struct history_call *answer);
void history_believe(struct history *h, const struct history_belief *belief);
void history_lose(struct history *h, const struct history_loss *loss);
void history_session(struct history *h, const struct history_session *session);
void history_event(struct history *h, const struct history_event *event);
/* The history's own copy; NULL stays NULL. */
const char *history_intern(struct history *h, const char *text);
/* Likewise; NULL: it has none. */
const char *history_known(const struct history *h, const char *text);
/* Of such a copy: in the order in which they first came, from 0. */
uint32_t history_number(const char *own);
size_t history_strings_count(const struct history *h);

/* What came of a call, as far as the client can know. */
enum history_outcome {
    HISTORY_DONE,    /* it took effect once, between invocation and return */
    HISTORY_REFUSED, /* it changed nothing, and its error shows the state at some time between */
    HISTORY_NOTHING, /* it changed nothing and shows nothing */
    HISTORY_UNKNOWN, /* it took effect once at some time after its invocation, or never will */
};
enum history_outcome history_outcome(const struct history_call *call);

/* What is recorded as the value `content`: itself if it is short and has no NUL in it, else
 * "#LENGTH:HASH". Equal contents give equal texts. */
void history_value(const void *content, size_t length, char ret[HISTORY_VALUE_BYTES + 1]);

/* Constant lower-case names, as in files. */
const char *history_op_name(enum history_op op);
const char *history_event_name(enum history_event_kind kind);
const char *history_session_name(enum history_session_state state);

#endif
