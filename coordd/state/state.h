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
 * Invariants: each module's header says its own; state_check walks them all.
 * May include: libcoord/base, proto (command.proto and the reads of coord.proto). */
#ifndef COORD_STATE_STATE_H
#define COORD_STATE_STATE_H

#include <stdbool.h>
#include <stdint.h>

#include "coord/v1/coord.pb-c.h"
#include "libcoord/base/bytes.h"
#include "libcoord/base/err.h"

enum {
    STATE_CELL_ID_BYTES = 16,
    STATE_SECRET_BYTES = 16,
    STATE_NONCE_BYTES = 16,
    STATE_HASH_BYTES = 16,
};

/* What no cell can ever allow, whatever its replicated limits. */
enum {
    STATE_CONTENT_BYTES_HARD = 1024 * 1024,
    STATE_PATH_BYTES_HARD = 1024,
    STATE_HOST_BYTES_MAX = 255,
    STATE_PRINCIPAL_BYTES_MAX = 1024,
    STATE_COMPARED_MAX = 16, /* members in one comparison */
};

/* Pages of listings end at these counts, or behind the entry that reaches the
 * bytes. A lock shows its first READ_CLAIMS_MAX holders and waiters. */
enum {
    READ_LIST_ENTRIES_MAX = 1000,
    READ_LOCKS_MAX = 1000,
    READ_SESSIONS_MAX = 1000,
    READ_CLAIMS_MAX = 256,
    READ_PAGE_BYTES_MAX = 256 * 1024,
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
    LIMIT_SESSION_LOCKS = 1024,  /* held and waited for: a grant always has room */
    LIMIT_SESSION_WAITS = 1024,  /* in line */
    LIMIT_SESSION_WINDOW = 1024, /* answers kept, the newest: see state_session_seq */
    LIMIT_LOCK_DELAY_MS = 60000,
    LIMIT_SESSIONS = 100000,
    LIMIT_TRANSACTION_PARTS = 128,             /* checks and changes together */
    LIMIT_TRANSACTION_BYTES = 2 * 1024 * 1024, /* the content of all changes together */
    LIMIT_HISTORY_BYTES = 4 * 1024 * 1024,     /* of events kept for watches that come back */
};
enum { STATE_FEATURE_LEVEL = 1 };

/* To be raised by every change after which the same log gives another hash: of the
 * encoding of a record, of what a command does, of the hash itself. States of different
 * numbers are not compared (coordd/replica/divergence.h). */
enum { STATE_ENCODING = 1 };

struct state;

/* A new cell: revision 1, in which the root was made. */
struct state *state_new(const uint8_t cell[STATE_CELL_ID_BYTES]);
void state_free(struct state *s); /* accepts NULL */

/* An answer that became known by an apply: to the command itself, or to an
 * Acquire that had been waiting in line. */
struct state_answer {
    uint64_t session; /* 0: the command had none */
    uint64_t seq;
    uint32_t index;       /* of the command in this batch that brought it about */
    struct slice encoded; /* a packed coord.v1.Answer; borrowed until the next apply */
};

enum state_event_kind { /* the numbers of coord.v1.Event.Kind */
                        STATE_EVENT_CREATED = 1,
                        STATE_EVENT_CONTENT = 2,
                        STATE_EVENT_DELETED = 3,
                        STATE_EVENT_LOCK_HELD = 4,
                        /* Nobody holds it; with lock_delayed in the Stat nobody gets
                           it yet, and another event tells when that is over. */
                        STATE_EVENT_LOCK_FREE = 5,
};

struct state_event {
    enum state_event_kind kind;
    uint64_t revision;
    struct slice path; /* borrowed until the next apply; a NUL stands behind it */
    struct slice stat; /* a packed coord.v1.Stat after the command; empty when deleted */
};

enum state_session_change {
    STATE_SESSION_OPENED,
    STATE_SESSION_ENDED,
    STATE_SESSION_EXPIRED,
    STATE_SESSION_KILLED, /* by KillSession: it ends when its client agrees or its lease runs out */
    STATE_SESSION_REVOKED,  /* for each lock of it that ForceUnlock took: see state_revoked_next */
    STATE_SESSION_RESTORED, /* it let go of all that was taken: KeepAlives again */
};

/* A lock whose holder died is not free before its delay is over (proto EndLockDelay).
 * A delay begins, or begins anew, only when a session ends; it ends only by its
 * EndLockDelay. Who still shares the lock keeps it meanwhile, but nobody is let in. */
struct state_delay {
    struct slice path;
    uint64_t instance, generation; /* the revision in which it began: its name */
    uint32_t delay_ms;
};

struct state_session_note {
    enum state_session_change change;
    uint64_t session;
    uint32_t ttl_ms;
};

/* What the members said of their states behind a slot (proto CompareStates). The
 * state itself has no opinion. */
struct state_comparison {
    bool asked; /* the batch has one */
    bool alone; /* ... and nothing else */
    uint64_t slot;
    uint32_t encoding; /* STATE_ENCODING of those who said it */
    uint32_t count;
    struct {
        uint32_t member;
        uint64_t hash[2];
    } said[STATE_COMPARED_MAX];
};

/* What one apply had to say, each list in order. All that one command changes
 * carries one revision: answer_revisions[i] is the cell's when answers[i] was
 * given, and every event up to it belongs before that answer.
 *
 * Every command is answered, but for an Acquire that went in line (its answer
 * comes with a later command) or is asked again while it is there. A session
 * that ends or is killed leaves its waiting Acquires unanswered: the note tells. */
struct state_output {
    struct state_answer *answers; /* owned by the output */
    uint32_t answers_count, answers_capacity;
    uint64_t *answer_revisions; /* parallel to answers */
    struct state_event *events;
    uint32_t events_count, events_capacity;
    struct state_session_note *sessions;
    uint32_t sessions_count, sessions_capacity;
    struct state_comparison comparison;
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

/* Judges a complete command before it is ordered: well-formed, and within what no
 * state could ever allow? Never refuses what an entry in flight could make right.
 * ERR_INVALID, ERR_TOO_LARGE or ERR_UNSUPPORTED (a field that this version does
 * not know); `why` then holds a phrase that names the argument, with a NUL. A NUL
 * within a string cannot be seen here any more: scan.h looks at packed bytes. */
MUST_USE enum err state_check_command(const Coord__V1__Command *command, char *why,
                                      size_t why_bytes);

/* Serve a read (get, stat, list, check, locks, sessions) from the state as it
 * is. Appends one packed coord.v1.Answer to `answer`. The two functions tell the
 * leader's view of a session's lease, and of a lock's delay, in ms, or 0; each may
 * be NULL. */
typedef uint64_t state_lease_left(void *context, uint64_t session);
typedef uint64_t state_delay_left(void *context, struct slice path);
void state_read(const struct state *s, const Coord__V1__Read *read, state_lease_left *lease_left,
                state_delay_left *delay_left, void *context, struct buffer *answer);

/* The content of a node, borrowed until the next apply, and its generation; false
 * if there is no such node. */
bool state_content(const struct state *s, struct slice path, struct slice *ret_content,
                   uint64_t *ret_generation);
/* Append a packed coord.v1.Stat of the node; false if there is none. */
bool state_stat(const struct state *s, struct slice path, struct buffer *stat);

uint64_t state_revision(const struct state *s);
uint64_t state_time_ms(const struct state *s);
uint64_t state_nodes_count(const struct state *s);
uint64_t state_sessions_count(const struct state *s);
void state_hash(const struct state *s, uint64_t ret[2]);
/* As it stands in messages: two numbers, little-endian. */
void state_hash_put(const uint64_t hash[2], uint8_t out[STATE_HASH_BYTES]);
void state_hash_take(const uint8_t bytes[STATE_HASH_BYTES], uint64_t ret[2]);

struct state_session {
    uint64_t session;
    uint32_t ttl_ms;
};
/* Sessions in the order of their ids; false when there is none above `after`. */
bool state_session_next(const struct state *s, uint64_t after, struct state_session *ret);
/* True if it exists and the secret is its own (compared in constant time). */
bool state_session_authentic(const struct state *s, uint64_t session, struct slice secret);
bool state_session_exists(const struct state *s, uint64_t session);
/* The highest seq of a write of it that was applied; 0 if none was, or no session is. */
uint64_t state_session_last_seq(const struct state *s, uint64_t session);
/* What would become of this seq: new; waiting in line; or answered, then with the
 * kept answer, borrowed until the next apply. Refused: below the highest applied,
 * and passed over or its answer forgotten; it is never applied. An answer is
 * forgotten when the session says that it had it (`lowest`), or when
 * LIMIT_SESSION_WINDOW later ones were given. An unknown session's are refused. */
enum state_seq { STATE_SEQ_NEW, STATE_SEQ_WAITING, STATE_SEQ_ANSWERED, STATE_SEQ_REFUSED };
enum state_seq state_session_seq(const struct state *s, uint64_t session, uint64_t seq,
                                 struct slice *ret_answer);

/* Records in key order, for checkpoints, comparison and tests (record.h). */
typedef void state_record(void *context, struct slice key, struct slice value);
void state_records(const struct state *s, state_record *take, void *context);
/* Only records changed or removed (value.data NULL) since the last call of
 * state_clean, in key order. */
void state_dirty_records(const struct state *s, state_record *take, void *context);
void state_clean(struct state *s);
/* How many of those there are; and some of them, in no order, at least one if there
 * are any, until the keys and values taken reach `bytes`: they are clean from then
 * on. Between two batches. So a checkpoint is written in pieces while the state goes
 * on changing: once none is left, what was taken is the state as it then is. */
size_t state_changes(const struct state *s);
void state_take_changes(struct state *s, size_t bytes, state_record *take, void *context);
/* A checkpoint begins, of changes: with `keeps`, those that it takes are remembered until
 * it is saved. If it is lost instead they count as changes again, for the next one; false
 * if they were not remembered. */
void state_changes_begin(struct state *s, bool keeps);
void state_changes_saved(struct state *s);
MUST_USE bool state_changes_lost(struct state *s);
/* The last checkpoint does not count any more: everything is to be written. */
void state_unclean(struct state *s);
/* Build a state from records in key order, all of them, into a state that is new;
 * ERR_INVALID if they are no state, which is then good for state_free only. */
MUST_USE enum err state_load_record(struct state *s, struct slice key, struct slice value);
MUST_USE enum err state_loaded(struct state *s);

/* Unless NONE, no KeepAlive of the session may be answered OK: it holds a lock that
 * was taken by force, or is killed. Of a session that is not there: NONE. */
enum state_hold { STATE_HOLD_NONE, STATE_HOLD_REVOKED, STATE_HOLD_KILLED };
enum state_hold state_session_hold(const struct state *s, uint64_t session);

/* What was taken by force from a session and not let go yet, in the order of its
 * handles; false when there is none above `after`, which is a handle. */
struct state_revoked {
    struct slice path; /* borrowed until the next apply; a NUL stands behind it */
    uint64_t instance, generation, handle;
};
bool state_revoked_next(const struct state *s, uint64_t session, uint64_t after,
                        struct state_revoked *ret);

/* Locks in their delay, in the tree's order behind `after` (empty: the first). The
 * path is borrowed until the next apply. */
bool state_delay_next(const struct state *s, struct slice after, struct state_delay *ret);

/* The history of events: everything later than the floor is there in full. It is
 * part of the state and bounded in bytes (limits.history_bytes). */
uint64_t state_history_floor(const struct state *s);
struct state_past {
    uint64_t revision;
    uint32_t index; /* among those of its revision, from 0 */
    enum state_event_kind kind;
    struct slice path; /* borrowed until the next apply */
};
/* The first event behind (revision, index); index UINT32_MAX: behind the revision. */
bool state_history_next(const struct state *s, uint64_t revision, uint32_t index,
                        struct state_past *ret);

/* What is left of leases and delays as the leader before handed them over, if its
 * HandOver was the last batch before the last barrier; else false and nothing is
 * written. Each is asked for by key. It counts from that barrier on, and says
 * nothing of what happened since: ask when the barrier is applied. */
bool state_handed_over(const struct state *s);
bool state_lease_handed_over(const struct state *s, uint64_t session, uint32_t *ret_left_ms);
bool state_delay_handed_over(const struct state *s, struct slice path, uint64_t generation,
                             uint32_t *ret_left_ms);

/* Walks every invariant; NULL, or a constant that names the broken one. */
const char *state_check(const struct state *s);

#endif
