/* coord/coord.h - the public interface of libcoord, the client of Coord: locks,
 * leader election, small files and watches, kept by a cell of servers.
 *
 * A coord_client is one connection pool to one cell with its own threads; a
 * process may have several. A coord_session is a lease: while it lives, so do
 * its locks and ephemeral nodes. A coord_node is a handle on one node, a
 * coord_lock a lock that was granted to such a handle.
 *
 * Conventions. Calls block until done or until their deadline (milliseconds;
 * COORD_FOREVER never gives up). Every function may be called from any thread,
 * except that callbacks must not call functions that block. `ret_` arguments are
 * written on success only. Strings are UTF-8; paths are absolute, "/a/b", or
 * "/ls/local/a/b", or "/ls/<cell name>/a/b". Options structs start with their
 * size and are made with their _INIT, so that later versions can add fields.
 * Free functions accept NULL. No state is global to the process. A process must
 * not fork without exec while it has a client.
 *
 * Ownership. Arguments are borrowed for the call; what is kept of them is copied. What
 * a `ret_` argument hands out is the caller's, and its comment names what frees it;
 * structs like coord_stat are values and need no freeing. Nobody may use an object while
 * another thread frees it. Objects are freed in any order, but before their client is
 * closed they are best closed from the inside out: locks, nodes, session, client.
 *
 * Memory. When it runs out the process ends (abort) with a line on stderr, as it does in
 * gRPC, on which this library is built: no call reports it.
 *
 * Deadlines. A call that changes something and whose deadline passes says
 * COORD_ERR_TIMEOUT if it was certainly not applied, COORD_ERR_MAYBE_APPLIED if
 * it may have been or still be; the library sees to it that it is not applied
 * twice. A call that only reads says COORD_ERR_TIMEOUT. While the session is in
 * jeopardy calls wait, at most until their deadline.
 *
 * Errors. COORD_ERR_INVALID names the argument in coord_error_detail(), and nothing was
 * sent. Besides what its comment lists, each call that asks the cell may return
 * COORD_ERR_TIMEOUT and COORD_ERR_MAYBE_APPLIED as above; COORD_ERR_EXPIRED, the session
 * is gone, and the detail says whether a change may have been applied;
 * COORD_ERR_CANCELLED, see coord_session_cancel(); COORD_ERR_THROTTLED, too much is under
 * way (1024 changes and 4096 reads of a session, or what the cell can take): wait a
 * moment; COORD_ERR_NO_SPACE, from calls that create, write or acquire, the servers' disks
 * are full and nothing was changed; COORD_ERR_INTERNAL, a server answers what no server should.
 *
 * Source: M. Burrows, The Chubby lock service, OSDI 2006. Since 0.1. */
#ifndef COORD_COORD_H
#define COORD_COORD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#if defined(__GNUC__)
#define COORD_API      __attribute__((visibility("default")))
#define COORD_MUST_USE __attribute__((warn_unused_result))
#else
#define COORD_API
#define COORD_MUST_USE
#endif

#define COORD_FOREVER INT64_C(-1)

/* What a call says. Grouped by what the caller should do. */
typedef enum coord_error {
    COORD_OK = 0,
    /* Mend the call. Nothing was sent or changed. */
    COORD_ERR_INVALID = 1,
    COORD_ERR_TOO_LARGE = 17,
    COORD_ERR_UNSUPPORTED = 23,
    /* Look at the state of the cell; nothing was changed. */
    COORD_ERR_NO_NODE = 2,
    COORD_ERR_NODE_EXISTS = 3,
    COORD_ERR_NOT_EMPTY = 4,
    COORD_ERR_EPHEMERAL = 5,
    COORD_ERR_BAD_GENERATION = 6,
    COORD_ERR_INSTANCE_GONE = 7,
    COORD_ERR_STALE_SEQUENCER = 8,
    COORD_ERR_LOCK_HELD = 9,
    COORD_ERR_NOT_HELD = 20,
    COORD_ERR_PERMISSION = 14,
    COORD_ERR_QUOTA = 15,
    COORD_ERR_DEADLOCK = 18,
    /* Try again; certainly nothing was changed. */
    COORD_ERR_TIMEOUT = 10,
    COORD_ERR_THROTTLED = 16,
    COORD_ERR_UNAVAILABLE = 22,
    COORD_ERR_CANCELLED = 21,
    /* The servers' disks are full; nothing was changed. What frees space or a lock, and
     * what opens or ends a session, still succeeds. */
    COORD_ERR_NO_SPACE = 25,
    /* Find out before trying again. */
    COORD_ERR_MAYBE_APPLIED = 11,
    COORD_ERR_JEOPARDY = 12,
    /* Start over with a new session. */
    COORD_ERR_EXPIRED = 13,
    COORD_ERR_INTERNAL = 19,
} coord_error;

/* A constant phrase for a person, never NULL. */
COORD_API const char *coord_error_text(coord_error error);
/* A constant such as "NO_NODE", never NULL. */
COORD_API const char *coord_error_name(coord_error error);
/* What the last failed call of this thread had to add, such as the name of the
 * wrong argument; "" if nothing. Valid until the thread's next call. */
COORD_API const char *coord_error_detail(void);

typedef struct coord_client coord_client;
typedef struct coord_session coord_session;
typedef struct coord_node coord_node;
typedef struct coord_lock coord_lock;
typedef struct coord_watch coord_watch;
typedef struct coord_election coord_election;
typedef struct coord_txn coord_txn;
typedef struct coord_observer coord_observer;

/* ---- client ---- */

typedef struct coord_client_options {
    size_t size;
    int64_t connect_timeout_ms; /* for coord_client_open to find a server; default 10000 */
} coord_client_options;
#define COORD_CLIENT_OPTIONS_INIT           \
    {                                       \
        sizeof(coord_client_options), 10000 \
    }

/* @endpoints "host:port,host:port,..." (also "unix:/path"); copied. Some servers of
 *            the cell are enough: the others are found.
 * @options   NULL for the defaults.
 * Returns COORD_OK; COORD_ERR_INVALID (an endpoint that is none); COORD_ERR_UNAVAILABLE. */
COORD_API COORD_MUST_USE coord_error coord_client_open(const char *endpoints,
                                                       const coord_client_options *options,
                                                       coord_client **ret_client);
/* Ends what is left of its sessions without telling the servers, and waits for
 * its threads. Handles of the client may only be closed afterwards, but its
 * sessions are gone and must not be used at all. */
COORD_API void coord_client_close(coord_client *client);

/* ---- session ---- */

typedef enum coord_session_state {
    COORD_SESSION_SAFE = 1,
    COORD_SESSION_JEOPARDY = 2, /* the lease may have run out: calls wait, hold back */
    COORD_SESSION_EXPIRED = 3,  /* locks and ephemeral nodes are gone */
    COORD_SESSION_ENDED = 4,
} coord_session_state;

/* From the client's callback thread, in order, each once per episode: JEOPARDY, then
 * SAFE or EXPIRED. What opening and closing come to is told by those calls alone. */
typedef void coord_session_callback(void *context, coord_session *session,
                                    coord_session_state state);

/* A lock that was taken by force (coord_unlock_force). All of it lives for the callback. */
typedef struct coord_loss {
    size_t size;
    const char *path;
    const char *sequencer; /* as coord_lock_sequencer gave it */
    uint64_t generation;   /* of the lock, as in the sequencer */
} coord_loss;

/* From the client's callback thread, once for each lock that was handed out (by an
 * acquire, a campaign, an adoption) and was then taken by force; it must not block. The
 * lock is lost from before this call on, and must still be unlocked, to be freed. May
 * come while, or just after, another thread unlocks it. With the whole session gone
 * there is only the EXPIRED of coord_session_callback. */
typedef void coord_loss_callback(void *context, coord_session *session, const coord_loss *loss);

typedef struct coord_session_options {
    size_t size;
    uint32_t ttl_ms;                  /* lease: 2000 to 60000; default 12000 */
    uint32_t grace_ms;                /* how long calls wait in jeopardy; default 45000 */
    coord_session_callback *callback; /* may be NULL */
    void *context;                    /* of both callbacks */
    int64_t deadline_ms;              /* for opening; default 10000 */
    coord_loss_callback *on_loss;     /* may be NULL */
    /* A lock that is taken by force is lost at once in any case, but with this nobody else
     * gets it before coord_unlock or coord_resign was called: time to end what relies on
     * it. There is as much of it as coord_session_safe_ms says, for the lease is not renewed
     * meanwhile. A session that is killed then ends with its lease. Of a lock that was not
     * adopted (coord_lock_adopt) the library lets go at once. */
    bool lets_go_late;
} coord_session_options;
#define COORD_SESSION_OPTIONS_INIT                                                  \
    {                                                                               \
        sizeof(coord_session_options), 12000, 45000, NULL, NULL, 10000, NULL, false \
    }

/* Waits until the cell has opened a session, at most options->deadline_ms.
 * @options      NULL for the defaults.
 * @ret_session  owned, to coord_session_close().
 * Returns COORD_OK; COORD_ERR_UNAVAILABLE, nobody led in time, and the detail has the last
 * reason; COORD_ERR_QUOTA, the cell has as many sessions as it takes; COORD_ERR_INVALID. */
COORD_API COORD_MUST_USE coord_error coord_session_open(coord_client *client,
                                                        const coord_session_options *options,
                                                        coord_session **ret_session);
/* Go on with a session that another process opened, which must not use it any more: its
 * locks and ephemeral nodes live on. What was a coord_lock there is none here until
 * coord_lock_adopt makes it one; it is held until then too. @secret has COORD_SECRET_BYTES, as
 * coord_session_secret gave them there; who has it can do what the session can. @options as of
 * coord_session_open, but the lease stays what it is. COORD_ERR_EXPIRED: there is none of
 * this id, or the secret is not its own. */
COORD_API COORD_MUST_USE coord_error coord_session_attach(coord_client *client,
                                                          const coord_session_options *options,
                                                          uint64_t id, const void *secret,
                                                          coord_session **ret_session);
enum { COORD_SECRET_BYTES = 16 };
/* Writes COORD_SECRET_BYTES. Keep it as secret as a password. */
COORD_API void coord_session_secret(const coord_session *session, void *ret_secret);
/* Ends it at the servers too (its locks pass on at once), waiting at most deadline_ms;
 * frees it in any case. What was opened in it must still be closed, before or
 * after, but not be used otherwise. COORD_ERR_EXPIRED: it had ended before.
 * COORD_ERR_TIMEOUT, COORD_ERR_MAYBE_APPLIED: it may live on until its lease runs
 * out. */
COORD_API coord_error coord_session_close(coord_session *session, int64_t deadline_ms);
/* Every call of this session that blocks now, in whatever thread, soon returns
 * COORD_ERR_CANCELLED, unless its answer came first; of a change that was sent
 * already COORD_ERR_MAYBE_APPLIED. An acquire or campaign leaves the line in the
 * background, as after a timeout, and says COORD_ERR_CANCELLED. Later calls are not
 * concerned. */
COORD_API void coord_session_cancel(coord_session *session);
/* Unique in the cell for ever; never 0. */
COORD_API uint64_t coord_session_id(const coord_session *session);
/* As of now: may say JEOPARDY a moment before the callback does. Does not block. */
COORD_API coord_session_state coord_session_state_now(coord_session *session);
/* Milliseconds for which the session is certainly live, from the moment of the
 * call; 0 in jeopardy or after. Does not block. */
COORD_API int64_t coord_session_safe_ms(coord_session *session);

/* ---- nodes ---- */

/* A revision counts the changes of the whole cell and never goes back; an instance or a
 * generation is the revision of the change that made it. So a node made again has higher
 * ones than before. */
typedef struct coord_stat {
    size_t size; /* set by the library */
    uint64_t instance, content_generation, lock_generation, acl_generation, children_generation;
    uint64_t modified_revision;       /* the highest of these */
    uint64_t created_ms, modified_ms; /* Unix time, as the leader had it */
    uint32_t content_bytes, children_count;
    uint64_t content_checksum; /* XXH3, 64 bits */
    uint64_t owner_session;    /* of an ephemeral node, else 0 */
    bool lock_exclusive, lock_shared;
    uint32_t lock_holders_count, lock_waiters_count;
    bool lock_delayed; /* a holder's session died: for its delay nobody more gets the lock */
} coord_stat;

enum {
    COORD_CREATE = 1,      /* make the node if it is missing */
    COORD_EPHEMERAL = 2,   /* ... as an ephemeral one of this session */
    COORD_EXCLUSIVE = 4,   /* fail with NODE_EXISTS if it is there */
    COORD_PARENTS = 8,     /* make missing ancestors too */
    COORD_SEQUENTIAL = 16, /* of coord_txn_create: as coord_create_sequential */
};

/* A handle on the node as it is now: once that instance is deleted every call
 * fails with COORD_ERR_INSTANCE_GONE, also if the name is made again.
 * @flags     0, or COORD_CREATE with others of the above, but COORD_SEQUENTIAL.
 * @ret_node  owned, to coord_node_close().
 * Returns COORD_OK; COORD_ERR_NO_NODE, it or its parent is missing; with COORD_EXCLUSIVE
 * COORD_ERR_NODE_EXISTS; COORD_ERR_EPHEMERAL, its parent is; COORD_ERR_QUOTA. */
COORD_API COORD_MUST_USE coord_error coord_open(coord_session *session, const char *path,
                                                uint32_t flags, int64_t deadline_ms,
                                                coord_node **ret_node);
/* Frees the handle; the node stays. Its lock must have been unlocked before. */
COORD_API void coord_node_close(coord_node *node);
/* As it is inside the cell, without /ls; lives as long as the handle. */
COORD_API const char *coord_node_path(const coord_node *node);

/* Conditions and choices of a write; 0 and NULL: none. */
typedef struct coord_write_options {
    size_t size;
    uint64_t if_content_generation; /* else COORD_ERR_BAD_GENERATION */
    const char *if_sequencer;       /* the lock it names must be held still, else
                                       COORD_ERR_STALE_SEQUENCER */
    uint64_t if_instance;           /* else COORD_ERR_INSTANCE_GONE */
    uint32_t flags;                 /* COORD_CREATE, COORD_EPHEMERAL, COORD_PARENTS */
} coord_write_options;
#define COORD_WRITE_OPTIONS_INIT                   \
    {                                              \
        sizeof(coord_write_options), 0, NULL, 0, 0 \
    }

/* By name. @ret_content is NUL-terminated behind its length (in bytes), to be freed with
 * coord_free; @ret_stat may be NULL. COORD_ERR_NO_NODE. */
COORD_API COORD_MUST_USE coord_error coord_get(coord_session *session, const char *path,
                                               int64_t deadline_ms, void **ret_content,
                                               size_t *ret_length, coord_stat *ret_stat);
COORD_API COORD_MUST_USE coord_error coord_stat_get(coord_session *session, const char *path,
                                                    int64_t deadline_ms, coord_stat *ret_stat);
/* Replace the content of a node that exists (or make it, with COORD_CREATE).
 * @content   @length bytes, at most as many as the cell is configured to take (256 KiB by
 *            default, never more than 1 MiB), else COORD_ERR_TOO_LARGE; NULL if 0.
 * @options   NULL for none.
 * @ret_stat  of the node as this left it; may be NULL.
 * Returns COORD_OK; COORD_ERR_NO_NODE; what the options' conditions say. */
COORD_API COORD_MUST_USE coord_error coord_set(coord_session *session, const char *path,
                                               const void *content, size_t length,
                                               const coord_write_options *options,
                                               int64_t deadline_ms, coord_stat *ret_stat);
/* Make a node that does not exist. Arguments as of coord_set(); options->flags may have
 * COORD_EPHEMERAL and COORD_PARENTS. Returns COORD_OK; COORD_ERR_NODE_EXISTS;
 * COORD_ERR_NO_NODE, the parent is missing; COORD_ERR_EPHEMERAL, the parent is;
 * COORD_ERR_QUOTA; COORD_ERR_STALE_SEQUENCER. */
COORD_API COORD_MUST_USE coord_error coord_create(coord_session *session, const char *path,
                                                  const void *content, size_t length,
                                                  const coord_write_options *options,
                                                  int64_t deadline_ms, coord_stat *ret_stat);
/* Make a node whose name gets a suffix of 20 decimal digits, higher than any in the
 * cell before. @ret_path is the whole name, to be freed with coord_free. */
COORD_API COORD_MUST_USE coord_error coord_create_sequential(
    coord_session *session, const char *path, const void *content, size_t length,
    const coord_write_options *options, int64_t deadline_ms, coord_stat *ret_stat, char **ret_path);
/* Returns COORD_OK; COORD_ERR_NO_NODE; COORD_ERR_NOT_EMPTY, it has children;
 * COORD_ERR_LOCK_HELD, somebody holds its lock, or waits for it; what the options'
 * conditions say. */
COORD_API COORD_MUST_USE coord_error coord_delete(coord_session *session, const char *path,
                                                  const coord_write_options *options,
                                                  int64_t deadline_ms);

typedef enum coord_freshness {
    COORD_LEASE = 0,  /* the latest, trusting the leader's lease */
    COORD_QUORUM = 1, /* the latest, trusting no clock: costs a round to a quorum */
    COORD_STALE = 2,  /* what any one server has, also while there is no leader */
} coord_freshness;
typedef struct coord_read_options {
    size_t size;
    coord_freshness freshness;
} coord_read_options;
#define COORD_READ_OPTIONS_INIT                 \
    {                                           \
        sizeof(coord_read_options), COORD_LEASE \
    }
/* As coord_get, as fresh as is asked for. @ret_revision (may be NULL): of the state
 * that was read. */
COORD_API COORD_MUST_USE coord_error coord_get_with(coord_session *session, const char *path,
                                                    const coord_read_options *options,
                                                    int64_t deadline_ms, void **ret_content,
                                                    size_t *ret_length, coord_stat *ret_stat,
                                                    uint64_t *ret_revision);
/* As coord_stat_get, likewise. What a lock's holder may rely on is not what COORD_STALE
 * shows: it may be old. */
COORD_API COORD_MUST_USE coord_error coord_stat_get_with(coord_session *session, const char *path,
                                                         const coord_read_options *options,
                                                         int64_t deadline_ms, coord_stat *ret_stat,
                                                         uint64_t *ret_revision);
/* As coord_get_with and COORD_STALE, but without a session: also while nobody leads. */
COORD_API COORD_MUST_USE coord_error coord_get_stale(coord_client *client, const char *path,
                                                     int64_t deadline_ms, void **ret_content,
                                                     size_t *ret_length, coord_stat *ret_stat,
                                                     uint64_t *ret_revision);

typedef struct coord_entry {
    const char *name; /* the last component */
    coord_stat stat;
} coord_entry;
typedef struct coord_listing {
    coord_entry *entries; /* in the order of their names, as bytes */
    size_t count;
    uint64_t revision; /* of the page */
    bool more;         /* there are names behind the last one */
} coord_listing;
/* One page of children, behind the name @after (NULL: from the start); @limit 0:
 * as many as the server gives. To be freed with coord_listing_free. A name that is there
 * all the time is on exactly one page. COORD_ERR_NO_NODE. */
COORD_API COORD_MUST_USE coord_error coord_list(coord_session *session, const char *path,
                                                const char *after, uint32_t limit,
                                                int64_t deadline_ms, coord_listing **ret_listing);
/* As fresh as is asked for; and what any one server has, without a session. Pages of one
 * listing that are stale may come from different servers: each names its revision. */
COORD_API COORD_MUST_USE coord_error coord_list_with(coord_session *session, const char *path,
                                                     const char *after, uint32_t limit,
                                                     const coord_read_options *options,
                                                     int64_t deadline_ms,
                                                     coord_listing **ret_listing);
COORD_API COORD_MUST_USE coord_error coord_list_stale(coord_client *client, const char *path,
                                                      const char *after, uint32_t limit,
                                                      int64_t deadline_ms,
                                                      coord_listing **ret_listing);
COORD_API void coord_listing_free(coord_listing *listing);

/* The same through a handle, bound to its instance: COORD_ERR_INSTANCE_GONE instead of
 * COORD_ERR_NO_NODE. Who holds the node's lock through this handle may delete it. */
COORD_API COORD_MUST_USE coord_error coord_node_get(coord_node *node, int64_t deadline_ms,
                                                    void **ret_content, size_t *ret_length,
                                                    coord_stat *ret_stat);
COORD_API COORD_MUST_USE coord_error coord_node_set(coord_node *node, const void *content,
                                                    size_t length,
                                                    const coord_write_options *options,
                                                    int64_t deadline_ms, coord_stat *ret_stat);
COORD_API COORD_MUST_USE coord_error coord_node_delete(coord_node *node, int64_t deadline_ms);

/* ---- transactions ---- */

/* Checks and changes together; one more is COORD_ERR_TOO_LARGE. */
enum { COORD_TXN_PARTS_MAX = 128 };

/* All or nothing, in one revision. First come the checks, then the changes, each in
 * the order in which they were added; each sees what those before it did. What is
 * added is copied, and what is plainly wrong is refused when it is added, with
 * COORD_ERR_INVALID or COORD_ERR_TOO_LARGE. One thread at a time.
 * @ret_txn  owned, to coord_txn_free(); it may be committed more than once. */
COORD_API COORD_MUST_USE coord_error coord_txn_new(coord_session *session, coord_txn **ret_txn);
/* @instance 0: any. */
COORD_API COORD_MUST_USE coord_error coord_txn_check_exists(coord_txn *txn, const char *path,
                                                            uint64_t instance);
COORD_API COORD_MUST_USE coord_error coord_txn_check_absent(coord_txn *txn, const char *path);
COORD_API COORD_MUST_USE coord_error coord_txn_check_generation(coord_txn *txn, const char *path,
                                                                uint64_t content_generation);
COORD_API COORD_MUST_USE coord_error coord_txn_check_sequencer(coord_txn *txn,
                                                               const char *sequencer);
/* As coord_create, coord_set and coord_delete. */
COORD_API COORD_MUST_USE coord_error coord_txn_create(coord_txn *txn, const char *path,
                                                      const void *content, size_t length,
                                                      const coord_write_options *options);
COORD_API COORD_MUST_USE coord_error coord_txn_set(coord_txn *txn, const char *path,
                                                   const void *content, size_t length,
                                                   const coord_write_options *options);
COORD_API COORD_MUST_USE coord_error coord_txn_delete(coord_txn *txn, const char *path,
                                                      const coord_write_options *options);

typedef struct coord_txn_node {
    char *path;
    coord_stat stat; /* size 0 in it: the node was deleted */
} coord_txn_node;
typedef struct coord_txn_result {
    uint64_t revision;
    /* 0, or the place of what did not hold: from 1, checks first. */
    uint32_t failed;
    coord_txn_node *nodes; /* one for each change, in order */
    size_t count;
} coord_txn_result;
/* Do it. What does not hold is what this returns, as the call for that one thing would;
 * @ret_result (may be NULL) is set on
 * success, and also after a refusal if the cell said which part it was; set it to NULL
 * before. To be freed with coord_txn_result_free. */
COORD_API COORD_MUST_USE coord_error coord_txn_commit(coord_txn *txn, int64_t deadline_ms,
                                                      coord_txn_result **ret_result);
COORD_API void coord_txn_result_free(coord_txn_result *result);
COORD_API void coord_txn_free(coord_txn *txn);

/* ---- calls that do not block ---- */

/* How many such calls a session may have whose callbacks did not begin; beside
 * the 1024 writes, also blocking ones, that it may have under way at all. */
enum { COORD_ASYNC_MAX = 1024 };

/* What came of a call. All of it lives for the callback. */
typedef struct coord_result {
    size_t size;
    coord_error error;
    const char *detail;  /* as coord_error_detail, never NULL */
    const void *content; /* of a read that succeeded, NUL-terminated behind its length */
    size_t length;
    coord_stat stat;   /* of the node; size 0 in it: none */
    uint64_t revision; /* of the state that this shows; 0: no server answered */
} coord_result;

/* From the client's callback thread, one at a time. It may begin other calls of
 * this kind, and must not block. */
typedef void coord_done_callback(void *context, const coord_result *result);

/**
 * Begin what coord_set() does, and return at once.
 *
 * Arguments as of coord_set(): all are copied, also the content.
 *
 * @deadline_ms  from now; then @done hears COORD_ERR_TIMEOUT if nothing was sent,
 *               COORD_ERR_MAYBE_APPLIED else.
 * @done         called exactly once if this returns COORD_OK, and else never:
 *               with the answer, at the deadline, when the session expires, or, at
 *               the latest, before coord_session_close() or coord_client_close()
 *               returns (COORD_ERR_CANCELLED or _EXPIRED if it was not applied,
 *               COORD_ERR_MAYBE_APPLIED or _EXPIRED if nobody knows).
 *               coord_session_cancel() concerns it like a call that blocks.
 *
 * Returns COORD_OK: it is under way. Or, and nothing is changed:
 *   COORD_ERR_INVALID, _TOO_LARGE  as coord_set(); coord_error_detail() says more.
 *   COORD_ERR_THROTTLED            as much is under way as may be. Go on from a
 *                                  callback.
 *   COORD_ERR_EXPIRED, _CANCELLED  the session is over, or ends just now.
 *
 * Calls that are under way together take effect in any order. What is begun while
 * a message leaves goes together in the next one, so it pays to keep many under way.
 * Thread safety: any thread, also a callback. Since 0.1.
 */
COORD_API COORD_MUST_USE coord_error coord_set_async(coord_session *session, const char *path,
                                                     const void *content, size_t length,
                                                     const coord_write_options *options,
                                                     int64_t deadline_ms, coord_done_callback *done,
                                                     void *context);
/**
 * Begin what coord_get() does, and return at once. All else as of coord_set_async(),
 * but a read past its deadline is always COORD_ERR_TIMEOUT.
 */
COORD_API COORD_MUST_USE coord_error coord_get_async(coord_session *session, const char *path,
                                                     int64_t deadline_ms, coord_done_callback *done,
                                                     void *context);

/* ---- locks ---- */

/**
 * Acquire the exclusive lock of an open node, waiting in line for at most
 * @timeout_ms.
 *
 * @node        borrowed; must outlive the lock. One handle holds a lock once: a
 *              second acquire through it is COORD_ERR_INVALID. Two threads that
 *              are to exclude each other open two handles.
 * @timeout_ms  0 tries once, COORD_FOREVER never gives up.
 * @ret_lock    on success owned by the caller, to coord_unlock().
 *
 * Returns COORD_OK, or:
 *   COORD_ERR_TIMEOUT        it was not granted in time; we left the line.
 *   COORD_ERR_LOCK_HELD      someone else holds it, of a try.
 *   COORD_ERR_CANCELLED      coord_session_cancel; we left the line.
 *   COORD_ERR_EXPIRED        every lock of this session is gone.
 *   COORD_ERR_INSTANCE_GONE  the node was deleted.
 *   COORD_ERR_EPHEMERAL      another session's ephemeral node.
 *   COORD_ERR_QUOTA          this session holds or waits for too many locks.
 *   COORD_ERR_INVALID        a bad argument; nothing was sent.
 *
 * If no answer comes in time the library leaves the line in the background, for
 * as long as the session lives; a grant that crosses is released.
 * Advisory: a server that must not obey a stale holder checks the sequencer.
 * Blocks; never from a callback. Source: Burrows 2006, 2.4 and 2.8. Since 0.1.
 */
COORD_API COORD_MUST_USE coord_error coord_lock_acquire(coord_node *node, int64_t timeout_ms,
                                                        coord_lock **ret_lock);
COORD_API COORD_MUST_USE coord_error coord_trylock(coord_node *node, int64_t deadline_ms,
                                                   coord_lock **ret_lock);

/* How a lock is to be held. */
typedef struct coord_lock_options {
    size_t size;
    bool shared;       /* with others that share it; who waits exclusively goes first */
    uint32_t delay_ms; /* if our session dies with the lock, nobody gets it for so long: time
                          for what it sent to servers that check no sequencer to arrive. At
                          most 60000; of several holders' the longest counts */
} coord_lock_options;
#define COORD_LOCK_OPTIONS_INIT              \
    {                                        \
        sizeof(coord_lock_options), false, 0 \
    }
/* As coord_lock_acquire and coord_trylock; @options NULL: exclusive, no delay. */
COORD_API COORD_MUST_USE coord_error coord_lock_acquire_with(coord_node *node,
                                                             const coord_lock_options *options,
                                                             int64_t timeout_ms,
                                                             coord_lock **ret_lock);
COORD_API COORD_MUST_USE coord_error coord_trylock_with(coord_node *node,
                                                        const coord_lock_options *options,
                                                        int64_t deadline_ms, coord_lock **ret_lock);
/**
 * Take up a lock that this session holds already, as one that its process before
 * coord_session_attach() acquired, or waited for and got since.
 *
 * @node      borrowed, as of coord_lock_acquire(); opened anew on the locked path.
 * @handle    which holder, as coord_locks() shows it (coord_claim.handle, where
 *            coord_claim.session is this one); 0: any of them that is no coord_lock of
 *            this process yet.
 * @ret_lock  as of coord_lock_acquire(): the same sequencer, generation, mode and delay
 *            as before. It is unlocked by coord_unlock() alone, whatever handle it had.
 *
 * Changes nothing in the cell. Returns COORD_OK, or:
 *   COORD_ERR_NOT_HELD       there is none such: the session never held it, waits for it
 *                            still, or has lost it, also if it is just being lost by force.
 *   COORD_ERR_INSTANCE_GONE  the node was deleted since it was opened.
 *   COORD_ERR_TIMEOUT, _CANCELLED, _EXPIRED, _INVALID  as coord_lock_acquire().
 *
 * Blocks; never from a callback. Any thread. Since 0.1.
 */
COORD_API COORD_MUST_USE coord_error coord_lock_adopt(coord_node *node, uint64_t handle,
                                                      int64_t deadline_ms, coord_lock **ret_lock);
/* Give it back; frees @lock in any case. COORD_ERR_MAYBE_APPLIED: the library
 * goes on releasing it in the background. COORD_ERR_NOT_HELD: it was taken by force. */
COORD_API coord_error coord_unlock(coord_lock *lock, int64_t deadline_ms);
/* The printable name of this grant; lives as long as the lock. */
COORD_API const char *coord_lock_sequencer(const coord_lock *lock);
/* Milliseconds for which this lock is certainly ours, from the moment of the
 * call: 0 in jeopardy or after it was lost. Does not block. */
COORD_API int64_t coord_lock_safe_ms(coord_lock *lock);
/* Whether it is gone for ever: taken by force, or with its session. It must still be
 * unlocked, to be freed. Does not block. */
COORD_API bool coord_lock_lost(coord_lock *lock);
/* Ask the cell whether the lock that @sequencer names is held still: COORD_OK, or
 * COORD_ERR_STALE_SEQUENCER. */
COORD_API COORD_MUST_USE coord_error coord_check_sequencer(coord_session *session,
                                                           const char *sequencer,
                                                           int64_t deadline_ms);

typedef struct coord_sequencer {
    size_t size;
    char cell[33];
    const char *path; /* points into the string that was parsed */
    uint64_t instance, generation;
    bool exclusive;
} coord_sequencer;
/* Take one apart, without a session: a resource server keeps the highest
 * (instance, generation) seen of a path and refuses older ones. */
COORD_API COORD_MUST_USE coord_error coord_sequencer_parse(const char *text, coord_sequencer *ret);
/* Negative, 0, positive as a is older than, equal to, newer than b; they must
 * name the same cell and path, else *ret_comparable is false. */
COORD_API int coord_sequencer_compare(const coord_sequencer *a, const coord_sequencer *b,
                                      bool *ret_comparable);

/* ---- watches ---- */

typedef enum coord_event_kind {
    COORD_EVENT_CREATED = 1,
    COORD_EVENT_CONTENT = 2,
    COORD_EVENT_DELETED = 3,
    COORD_EVENT_LOCK_HELD = 4,
    COORD_EVENT_LOCK_FREE = 5,
    COORD_EVENT_CHILD_ADDED = 6, /* `path` is the child's */
    COORD_EVENT_CHILD_REMOVED = 7,
    /* Changes may have been missed, for they are too many or too long ago. All that is
     * later than `revision` is told: read the present, and go on from there. */
    COORD_EVENT_RESYNC = 9,
} coord_event_kind;

typedef struct coord_event {
    size_t size;
    coord_event_kind kind;
    const char *path;
    uint64_t revision;
    bool exists; /* then stat is what the node became; not if it was deleted or has
                    changed again since, which is told next */
    coord_stat stat;
    const void *value; /* with COORD_WATCH_VALUE: the content, if it has not changed since;
                          NUL-terminated behind its length; else NULL */
    size_t value_length;
} coord_event;

/* From the client's callback thread, one at a time. @event lives for the call. */
typedef void coord_watch_callback(void *context, const coord_event *event);

enum {
    COORD_WATCH_CONTENT = 1,  /* content, creation, deletion */
    COORD_WATCH_LOCK = 2,     /* held, free */
    COORD_WATCH_CHILDREN = 4, /* added, removed */
    COORD_WATCH_SUBTREE = 8,  /* ... of all nodes below, too */
    COORD_WATCH_VALUE = 16,   /* events of content carry it */
};

/* Watch the present state of a name, which need not exist. @ret_stat (may be
 * NULL) is the state that the events start from; size 0 in it: no such node. An
 * event precedes any answer that shows its state. Across a lost link or a change
 * of leader, or if the application leaves 1024 events of one watch waiting, the
 * last state is never missed; states between may be. After a lost link that a node
 * is missing may be told again, for it may have come and gone. The first events may
 * come before this call has returned. */
COORD_API COORD_MUST_USE coord_error coord_watch_open(coord_session *session, const char *path,
                                                      uint32_t what, coord_watch_callback *callback,
                                                      void *context, int64_t deadline_ms,
                                                      coord_stat *ret_stat,
                                                      coord_watch **ret_watch);

typedef struct coord_watch_options {
    size_t size;
    uint32_t what;          /* COORD_WATCH_CONTENT and so on, at least one of the first three */
    uint64_t from_revision; /* of an event or answer that is known: every change after it is
                               told, in order, or a RESYNC is. 0: from now */
} coord_watch_options;
#define COORD_WATCH_OPTIONS_INIT                            \
    {                                                       \
        sizeof(coord_watch_options), COORD_WATCH_CONTENT, 0 \
    }
/* As coord_watch_open, but every change is told in order, also across a lost link or
 * a change of leader; where that cannot be (the history does not reach back, or the
 * application leaves 1024 events of it waiting), there is a RESYNC instead. */
COORD_API COORD_MUST_USE coord_error coord_watch_open_with(coord_session *session, const char *path,
                                                           const coord_watch_options *options,
                                                           coord_watch_callback *callback,
                                                           void *context, int64_t deadline_ms,
                                                           coord_stat *ret_stat,
                                                           coord_watch **ret_watch);
/* After it returns the callback does not run any more (from within the callback
 * itself: after this call of it). */
COORD_API void coord_watch_close(coord_watch *watch);

/* ---- election ---- */

/**
 * Stand for election on @path and wait until elected, at most @timeout_ms. The
 * node is made if it is missing; @value (an address, say) becomes its content in
 * the very entry that elects.
 *
 * @ret_election  owned; ends with coord_resign(). Leadership lasts while
 *                coord_election_safe_ms() > 0; work that outlives it is guarded by
 *                coord_election_sequencer() alone.
 * Returns as coord_lock_acquire().
 */
COORD_API COORD_MUST_USE coord_error coord_campaign(coord_session *session, const char *path,
                                                    const void *value, size_t length,
                                                    int64_t timeout_ms,
                                                    coord_election **ret_election);
/* @options as of coord_lock_acquire_with; a leader shares nothing. NULL: as above. */
COORD_API COORD_MUST_USE coord_error coord_campaign_with(coord_session *session, const char *path,
                                                         const void *value, size_t length,
                                                         const coord_lock_options *options,
                                                         int64_t timeout_ms,
                                                         coord_election **ret_election);
/* Give leadership up and clear the value; frees @election in any case. */
COORD_API coord_error coord_resign(coord_election *election, int64_t deadline_ms);
/* As coord_lock_sequencer and coord_lock_safe_ms, of the lock that is the leadership. */
COORD_API const char *coord_election_sequencer(const coord_election *election);
COORD_API int64_t coord_election_safe_ms(coord_election *election);
/* Who leads: its value (free with coord_free, NUL-terminated behind its length)
 * and sequencer (same). COORD_ERR_NOT_HELD: nobody leads. COORD_ERR_NO_NODE. */
COORD_API COORD_MUST_USE coord_error coord_leader(coord_session *session, const char *path,
                                                  int64_t deadline_ms, void **ret_value,
                                                  size_t *ret_length, char **ret_sequencer);

/* Who leads from now on. All of it lives for the callback. */
typedef struct coord_leadership {
    size_t size;
    const char *sequencer; /* NULL: nobody leads */
    const void *value;     /* NUL-terminated behind its length; NULL if nobody leads */
    size_t length;
    bool superseded; /* it was replaced before it could be told, so that its value is not
                        known any more ("" here); who came after it is told next */
    bool missed;     /* leaders between the one told before and this one may be missing: the
                        cell's history does not reach back, or the callback fell behind */
} coord_leadership;
/* From the client's callback thread, one at a time; it must not block. */
typedef void coord_leader_callback(void *context, const coord_leadership *leadership);

/* Hear of the leader that there is, and then of every leader after it, each once and in
 * order, also across a lost link or a change of the cell's own leader: those that came
 * and went meanwhile are told with `superseded`. Where that cannot be, `missed` says so
 * with the next that is told; the last is always told. That nobody leads is told
 * likewise, if it was so when it could be told. The node need not exist.
 * COORD_ERR_* as coord_watch_open(); the callback may have run even if this fails. */
COORD_API COORD_MUST_USE coord_error coord_observe(coord_session *session, const char *path,
                                                   coord_leader_callback *callback, void *context,
                                                   int64_t deadline_ms,
                                                   coord_observer **ret_observer);
/* After it returns the callback does not run any more. */
COORD_API void coord_observe_close(coord_observer *observer);

/* ---- looking around ---- */

typedef struct coord_member {
    uint32_t id;
    /* role: leader, follower, candidate, waiting, unreachable; or quarantined: its state is
     * not that of the majority, and it does nothing with it until it has got another's */
    char *address, *role;
    uint64_t pid, ballot, applied, chosen, revision;
    uint64_t sessions_count, nodes_count;
    char state_hash[33];
    char *version;
    uint64_t compared; /* the last slot behind which the servers found, through their log, that
                          its state is the majority's; 0: none yet */
    char *unreached;   /* why it did not answer; "" if it did, or was not asked */
    bool crowded;      /* it has lost its state, and holds as much of the log as it keeps without
                          one: it takes nothing new until it has got the state of another */
} coord_member;
typedef struct coord_status {
    char cell[33];
    char *cell_name;
    uint64_t revision; /* of the leader, or the highest seen */
    uint32_t leader;   /* member id, 0 if nobody leads */
    coord_member *members;
    size_t members_count;
    uint32_t *awaited; /* ids: a new cell is founded when they have been up, too */
    size_t awaited_count;
} coord_status;
/* Asks every member of itself; needs no session. To be freed with coord_status_free.
 * COORD_ERR_UNAVAILABLE: none answered within @deadline_ms. */
COORD_API COORD_MUST_USE coord_error coord_status_get(coord_client *client, int64_t deadline_ms,
                                                      coord_status **ret_status);
COORD_API void coord_status_free(coord_status *status);

/* Who holds a lock, or waits for it. */
typedef struct coord_claim {
    uint64_t session, handle;
    uint64_t since_ms;      /* Unix time: holds, or waits, since then */
    uint64_t generation;    /* of a holder, as in its sequencer */
    uint64_t lease_left_ms; /* of the session, as the leader sees it */
    uint32_t pid;
    char *host; /* where the session was opened, and the process that did */
    bool exclusive;
    bool revoking; /* of a holder: taken by force, and not let go yet */
} coord_claim;
typedef struct coord_lock_info {
    char *path, *sequencer; /* sequencer: "" when free */
    coord_claim *holders;
    size_t holders_count;
    coord_claim *waiters; /* in the order of service */
    size_t waiters_count;
    uint64_t delay_left_ms; /* a holder's session died, and nobody more gets it for so long */
} coord_lock_info;
typedef struct coord_lock_listing {
    coord_lock_info *locks;
    size_t count;
    bool more;
    uint64_t revision; /* of the page */
} coord_lock_listing;
/* Locks held or waited for at @path and below, behind the path @after (NULL: from the
 * start); @limit 0: as many as the server gives. To be freed with coord_lock_listing_free.
 * It is no error if there is no such node. */
COORD_API COORD_MUST_USE coord_error coord_locks(coord_session *session, const char *path,
                                                 const char *after, uint32_t limit,
                                                 int64_t deadline_ms,
                                                 coord_lock_listing **ret_listing);
COORD_API void coord_lock_listing_free(coord_lock_listing *listing);

typedef struct coord_session_info {
    uint64_t session;
    uint64_t opened_ms;     /* Unix time */
    uint64_t lease_left_ms; /* as the leader sees it */
    uint32_t ttl_ms, pid, ephemerals_count, locks_count, waits_count;
    char *host, *principal;
    bool killed; /* by coord_session_kill: ends when its library agrees, or with its lease */
} coord_session_info;
typedef struct coord_session_listing {
    coord_session_info *sessions;
    size_t count;
    bool more;
    uint64_t revision; /* of the page */
} coord_session_listing;
/* Those with an id above @after, in the order of their ids; @limit as of coord_locks. To be
 * freed with coord_session_listing_free. */
COORD_API COORD_MUST_USE coord_error coord_sessions(coord_session *session, uint64_t after,
                                                    uint32_t limit, int64_t deadline_ms,
                                                    coord_session_listing **ret_listing);
COORD_API void coord_session_listing_free(coord_session_listing *listing);

/* ---- by force ---- */

/* Take the lock of a node from its holders. Each loses it when its library has let go,
 * which it does at once, or when its session has ended; then who waits gets it.
 * COORD_ERR_NOT_HELD: nobody holds it. */
COORD_API COORD_MUST_USE coord_error coord_unlock_force(coord_session *session, const char *path,
                                                        int64_t deadline_ms);
/* End the session @id: when its library agrees, which it does at its next KeepAlive,
 * or else when its lease has run out. COORD_ERR_NO_NODE: there is none. */
COORD_API COORD_MUST_USE coord_error coord_session_kill(coord_session *session, uint64_t id,
                                                        int64_t deadline_ms);
/* Have the leader hand over to the member @to, or to whom it chooses (0). Nothing is
 * lost by it, and calls are at most slow for a moment. */
COORD_API COORD_MUST_USE coord_error coord_step_down(coord_client *client, uint32_t to,
                                                     int64_t deadline_ms);

/* Frees what this library handed out as content, value or sequencer. */
COORD_API void coord_free(void *p);
/* "0.1.0" */
COORD_API const char *coord_version(void);

#ifdef __cplusplus
}
#endif
#endif
