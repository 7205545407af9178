/* state.h - the replicated state machine: nodes, sessions, locks.
 *
 * Deterministic: equal histories of state_apply give equal states, equal outputs
 * and equal hashes on every replica. Time, principal and limits come from the
 * commands or from the state itself. Iteration is in key order only.
 *
 * The state is a set of records (key, value), each with one canonical encoding
 * (record.h). The hash is the sum of the records' hashes, kept up to date as they
 * change; records changed since the last checkpoint are known (dirty tracking).
 * So a checkpoint writes what changed, and comparing replicas costs nothing.
 *
 * Invariants (state_check walks them): docs/semantics of each module's header.
 * May include: libcoord/base, proto (command.proto and the reads of coord.proto). */
#ifndef COORD_STATE_STATE_H
#define COORD_STATE_STATE_H

#include <stdbool.h>
#include <stdint.h>

#include "libcoord/base/bytes.h"
#include "libcoord/base/err.h"

enum {
    STATE_CELL_ID_BYTES = 16,
    STATE_SECRET_BYTES = 16,
    STATE_NONCE_BYTES = 16,
};

/* Replicated; these are the values of a new cell. */
enum {
    LIMIT_CONTENT_BYTES = 256 * 1024,
    LIMIT_PATH_BYTES = 1024,
    LIMIT_COMPONENT_BYTES = 255,
    LIMIT_PATH_LEVELS = 64,
    LIMIT_SESSION_TTL_MIN_MS = 2000,
    LIMIT_SESSION_TTL_MAX_MS = 60000,
    LIMIT_SESSION_EPHEMERALS = 1024,
    LIMIT_SESSION_LOCKS = 1024,   /* held */
    LIMIT_SESSION_WAITS = 1024,   /* in line */
    LIMIT_SESSION_WINDOW = 1024,  /* writes not yet known to be answered */
    LIMIT_LOCK_DELAY_MS = 60000,
    LIMIT_SESSIONS = 100000,
};
enum { STATE_FEATURE_LEVEL = 1 };

struct state;

struct state *state_new(const uint8_t cell[STATE_CELL_ID_BYTES]);
void state_free(struct state *s);

/* An answer that became known by an apply: to the command itself, or to an
 * Acquire that had been waiting in line. */
struct state_answer {
    uint64_t session; /* 0: of command `index` of this batch, which had none */
    uint64_t seq;
    uint32_t index;
    struct slice encoded; /* a packed coord.v1.Answer; valid until the next apply */
};

enum state_event_kind { /* the numbers of coord.v1.Event.Kind */
    STATE_EVENT_CREATED = 1,
    STATE_EVENT_CONTENT = 2,
    STATE_EVENT_DELETED = 3,
    STATE_EVENT_LOCK_HELD = 4,
    STATE_EVENT_LOCK_FREE = 5,
};

struct state_event {
    enum state_event_kind kind;
    uint64_t revision;
    struct slice path;    /* valid until the next apply */
    struct slice stat;    /* a packed coord.v1.Stat after the change; empty when deleted */
};

enum state_session_change { STATE_SESSION_OPENED, STATE_SESSION_ENDED, STATE_SESSION_EXPIRED };

struct state_session_note {
    enum state_session_change change;
    uint64_t session;
    uint32_t ttl_ms;
};

/* What one apply had to say, in order. `answers` and `events` are two lists with
 * one order between them: an answer's `events_before` would be redundant, since
 * each event carries its revision and an answer shows the state of its own:
 * deliver every event with a revision <= the answer's before it. */
struct state_output {
    struct state_answer *answers; /* owned by the output */
    uint32_t answers_count, answers_capacity;
    uint64_t *answer_revisions;   /* parallel to answers */
    struct state_event *events;
    uint32_t events_count, events_capacity;
    struct state_session_note *sessions;
    uint32_t sessions_count, sessions_capacity;
    struct buffer bytes; /* behind the slices */
};
void state_output_init(struct state_output *o);
void state_output_release(struct state_output *o);

/* Apply one batch (a packed coord.v1.Batch). *out is cleared first. Never fails:
 * a batch or command that cannot be decoded was checked before it was proposed,
 * so it is a bug or corruption and ends the process. */
void state_apply(struct state *s, struct slice batch, struct state_output *out);

/* The barrier of a new leader: from here on, an ExpireSession of an older ballot
 * is refused. */
void state_apply_leader_start(struct state *s, uint64_t ballot);

/* A packed coord.v1.Write or Open, as a client sent it: well-formed and within
 * what no state could ever allow? Never refuses what an entry in flight could
 * make right. On ERR_INVALID or ERR_TOO_LARGE writes a phrase that names the
 * argument into why (NUL-terminated). */
struct _Coord__V1__Command;
MUST_USE enum err state_check_command(const struct _Coord__V1__Command *command, char *why,
                                      size_t why_bytes);

/* Serve a read (get, stat, list, check, locks, sessions) from the state as it
 * is. Appends one packed coord.v1.Answer to `answer`. lease_left tells the
 * leader's view of a session's lease in ms, or 0; may be NULL. */
struct _Coord__V1__Read;
typedef uint64_t state_lease_left(void *context, uint64_t session);
void state_read(const struct state *s, const struct _Coord__V1__Read *read,
                state_lease_left *lease_left, void *context, struct buffer *answer);

/* Append a packed coord.v1.Stat of the node; false if there is none. */
bool state_stat(const struct state *s, struct slice path, struct buffer *stat);

uint64_t state_revision(const struct state *s);
uint64_t state_time_ms(const struct state *s);
uint64_t state_nodes_count(const struct state *s);
uint64_t state_sessions_count(const struct state *s);
void state_hash(const struct state *s, uint64_t ret[2]);

struct state_session {
    uint64_t session;
    uint32_t ttl_ms;
};
/* Sessions in the order of their ids; false when there is none above `after`. */
bool state_session_next(const struct state *s, uint64_t after, struct state_session *ret);
/* True if it exists and the secret is its own (compared in constant time). */
bool state_session_authentic(const struct state *s, uint64_t session, struct slice secret);
bool state_session_exists(const struct state *s, uint64_t session);
/* The kept answer to (session, seq), or an empty slice: never applied, still
 * waiting in line, or below the window. */
enum state_seq { STATE_SEQ_NEW, STATE_SEQ_WAITING, STATE_SEQ_ANSWERED, STATE_SEQ_REFUSED };
enum state_seq state_session_seq(const struct state *s, uint64_t session, uint64_t seq,
                                 struct slice *ret_answer);

/* Records in key order, for checkpoints, comparison and tests. */
typedef void state_record(void *context, struct slice key, struct slice value);
void state_records(const struct state *s, state_record *take, void *context);
/* Only records changed or removed (value.data NULL) since the last call of
 * state_clean, in key order. */
void state_dirty_records(const struct state *s, state_record *take, void *context);
void state_clean(struct state *s);
/* Build a state from records in key order; ERR_INVALID if they are no state. */
MUST_USE enum err state_load_record(struct state *s, struct slice key, struct slice value);
MUST_USE enum err state_loaded(struct state *s);

/* Walks every invariant; NULL, or a constant that names the broken one. */
const char *state_check(const struct state *s);

#endif
