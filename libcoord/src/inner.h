/* inner.h - what the files of libcoord that do I/O share.
 *
 * Threads of a client: one pulls the completion queue (everything that arrives),
 * one keeps the time (deadlines, KeepAlives), one runs the application's
 * callbacks. The application's own threads step their session themselves and
 * start what it wants to send. So no callback, however slow, delays a KeepAlive.
 *
 * Locks, outer before inner: session.mutex, then one of client.mutex,
 * conn.mutex, timers.mutex, dispatch.mutex, stream.mutex. No application code
 * runs under any. A session is counted: by the client, by each handle, by each
 * stream that may still call it, by each thread inside a call.
 *
 * The process must not fork without exec while a client is open: gRPC's threads
 * would be missing in the child. */
#ifndef LIBCOORD_INNER_H
#define LIBCOORD_INNER_H

#include <coord/coord.h>
#include <grpc/grpc.h>
#include <pthread.h>
#include <stdatomic.h>

#include "libcoord/base/avl.h"
#include "libcoord/base/list.h"
#include "libcoord/base/units.h"
#include "libcoord/src/address.h"
#include "libcoord/src/session.h"

enum {
    DETAIL_BYTES = 256, /* of coord_error_detail, with the NUL */
    CELL_ID_BYTES = 16,
    CELL_NAME_BYTES_MAX = 63,
    CLIENT_CONNS_MAX = 64,           /* servers' addresses ever met; one more is not reachable */
    WATCH_EVENTS_QUEUED_MAX = 1024,  /* of one watch; at the bound its oldest is dropped */
    CONTENT_BYTES_MAX = 1024 * 1024, /* no cell is configured to take more */
    ASYNCS_MAX = COORD_ASYNC_MAX,    /* of one session, whose callback did not begin */
    TRY_DEADLINE_MS = 10000,         /* of coord_lock_acquire with a timeout of 0 */
    STATUS_WAIT_MS = 2000,           /* for one member to tell its status */
};

int64_t now_ns(void); /* CLOCK_BOOTTIME */

/* ---- time (timer.c) ---- */

struct timers {
    pthread_mutex_t mutex;
    pthread_t thread;
    int fd;             /* a timerfd on CLOCK_BOOTTIME */
    struct avl by_time; /* of struct coord_session */
    bool stop;
};
void timers_start(struct timers *t);
void timers_stop(struct timers *t);
/* Step the session not later than at_ns. */
void timers_set(struct timers *t, struct coord_session *s, int64_t at_ns);
void timers_remove(struct timers *t, struct coord_session *s);

/* ---- callbacks (dispatch.c) ---- */

struct dispatch {
    pthread_mutex_t mutex;
    pthread_cond_t changed;
    pthread_t thread;
    struct list queue;   /* of struct dispatch_item */
    const void *running; /* the session or watch whose callback runs now */
    bool stop;
};
void dispatch_start(struct dispatch *d);
void dispatch_stop(struct dispatch *d);
void dispatch_release(struct dispatch *d);
void dispatch_state(struct dispatch *d, struct coord_session *s, coord_session_state state);
void dispatch_loss(struct dispatch *d, struct coord_session *s, const struct coord_lock *lock);
void dispatch_event(struct dispatch *d, struct coord_watch *w, const Coord__V1__Event *event);
/* Takes all of s->results, of which there is one; session.mutex is held. */
void dispatch_results(struct dispatch *d, struct coord_session *s);
/* Waits until the results handed over have been told. Not from a callback. */
void dispatch_settle(struct dispatch *d, struct coord_session *s);
/* Afterwards no callback of it runs or will: `who` is a session (then of its
 * watches too) or a watch. */
void dispatch_forget(struct dispatch *d, const void *who);

/* ---- gRPC (stream.c, unary.c, conn.c) ---- */

struct tag {
    void (*done)(struct tag *tag, bool ok); /* from the completion thread */
};
grpc_slice slice_to_grpc(struct slice s);
/* Borrowed from `message` or held in *joined. */
struct slice message_bytes(grpc_byte_buffer *message, grpc_slice *joined);
void batch_start(grpc_call *call, const grpc_op *ops, size_t count, struct tag *tag);

struct stream;
/* From the completion thread, without locks. */
struct stream_calls {
    void (*message)(void *owner, struct stream *stream, struct slice bytes);
    void (*end)(void *owner, struct stream *stream, const char *why);
    void (*gone)(void *owner); /* the last call for this owner */
    size_t joined_bytes_max;   /* of a message that was joined; 0: STREAM_MESSAGE_BYTES_MAX */
};
struct stream *stream_open(struct coord_client *client, grpc_channel *channel, const char *method,
                           void *owner, const struct stream_calls *calls);
void stream_send(struct stream *stream, struct slice bytes);
/* The owner wants it no more. Accepts NULL. */
void stream_drop(struct stream *stream);

/* One server, whoever uses it. */
struct conn {
    struct list link;
    struct coord_client *client;
    pthread_mutex_t mutex;
    struct address address;
    char text[CLIENT_SESSION_ADDRESS_BYTES_MAX + 1];
    grpc_channel *channel; /* owned; NULL until used */
    struct stream *keepalive;
};
/* NULL if the address is none, or there are too many. */
struct conn *conn_get(struct coord_client *client, const char *address);
struct stream *conn_session_stream(struct conn *c, struct coord_session *s);
void conn_beat(struct conn *c, struct slice beat);
grpc_call *conn_call(struct conn *c, const char *method, gpr_timespec deadline);
/* Fills a SEND_INITIAL_METADATA: whose cell we want, if we know. */
void conn_greet(struct coord_client *client, grpc_op *op);
void conn_close(struct conn *c); /* streams first */
void conn_free(struct conn *c);

/* One Execute to each of several servers at once. */
struct unary_reply {
    const char *address;  /* in */
    struct buffer answer; /* out: a packed Answer; empty if there was none */
    bool answered;
    char why[DETAIL_BYTES];
};
void unary_all(struct coord_client *client, const Coord__V1__ExecuteRequest *request,
               struct unary_reply *replies, size_t count, int64_t timeout_ms);

/* The answer of any server; `take` sees it if it is OK. */
coord_error unary_any(struct coord_client *client, const Coord__V1__ExecuteRequest *request,
                      int64_t deadline_ms, void (*take)(void *, const Coord__V1__Answer *),
                      void *context);
/* The leader's, wherever it is. */
coord_error unary_leader(struct coord_client *client, const Coord__V1__ExecuteRequest *request,
                         int64_t deadline_ms);
enum err client_status_of(const Coord__V1__Answer *answer); /* session_reply.c */

/* ---- client (client.c) ---- */

/* Counted by the application and by each session: handles may outlive it, if
 * only to be freed. */
struct coord_client {
    atomic_uint references;
    pthread_mutex_t mutex;
    pthread_cond_t idle; /* calls_count fell to 0 */
    struct list conns;
    uint32_t conns_count;
    struct list sessions;      /* of struct coord_session */
    struct list turns_waiting; /* of struct coord_session: turn.c */
    uint32_t turns_count;
    struct avl by_id;     /* those that are open at the servers */
    uint32_t calls_count; /* gRPC calls that are not over */
    bool closing;
    char cell[2 * CELL_ID_BYTES + 1]; /* "" until a server said; then for ever */
    char cell_name[CELL_NAME_BYTES_MAX + 1];
    grpc_metadata greeting;        /* owned, once `cell` is known */
    struct address_list endpoints; /* as given, then the other members */

    grpc_completion_queue *queue;
    pthread_t queue_thread;
    struct timers timers;
    struct dispatch dispatch;
};
void client_unref(struct coord_client *c);
void client_call_began(struct coord_client *c);
void client_call_over(struct coord_client *c);
/* With a reference, or NULL. */
struct coord_session *client_session_of(struct coord_client *c, uint64_t id);

/* ---- sessions (driver.c) ---- */

enum turn { TURN_NONE, TURN_WAITS, TURN_HAS };

struct coord_session {
    struct coord_client *client;
    atomic_uint references;
    struct list place;       /* in client->sessions */
    struct avl_node by_id;   /* in client->by_id */
    struct avl_node by_time; /* in timers */
    int64_t timer_ns;        /* timers.mutex */
    bool timed;              /* timers.mutex: linked */

    pthread_mutex_t mutex;
    pthread_cond_t changed; /* of state */
    struct client_session *pure;
    struct client_effects out;
    struct stream *stream;
    struct conn *conn; /* of `stream`, or of the one that is to be made when it is our turn */
    uint64_t link;
    bool begins;                 /* nothing has come on `stream` yet: our turn is not over */
    enum turn turn;              /* client.mutex */
    struct list in_turn;         /* client.mutex: in client->turns_waiting */
    bool link_made, link_failed; /* to be told to the pure session */
    bool closed;                 /* stepped no more */
    bool opened;
    uint64_t id;
    coord_session_state state;
    enum err failed;        /* why it could not be opened */
    char why[DETAIL_BYTES]; /* what the servers last had to say about it */
    int64_t open_deadline_ns;
    struct list waiters;    /* of struct waiter */
    uint64_t cancels_count; /* coord_session_cancel */
    struct list results;    /* of struct async: answered, not handed to `dispatch` yet */
    struct async *submitting;
    atomic_uint asyncs_count;      /* whose callback did not begin */
    uint32_t results_queued_count; /* dispatch.mutex: handed over, not told to the last */
    struct avl watches;            /* of struct coord_watch, by id */
    uint64_t last_watch_id, last_handle;
    struct list locks;   /* of struct coord_lock: held, or being asked for */
    struct list orphans; /* of struct orphan: taken by force, and no lock of this process */

    coord_session_callback *callback;
    coord_loss_callback *on_loss;
    bool lets_go_late;
    void *context;
};
/* May its stream be made now? If not, session_time is called when it may. (turn.c) */
bool turn_take(struct coord_session *s);
/* It has begun, or wants to no more. */
void turn_over(struct coord_session *s);

struct coord_session *session_ref(struct coord_session *s);
void session_unref(struct coord_session *s);
/* All with session.mutex held. */
void session_step(struct coord_session *s, struct client_event *event);
void session_time(struct coord_session *s);
/* Leaves the servers without a word; calls that wait end. */
void session_abandon(struct coord_session *s);
void session_cancel_waiters(struct coord_session *s);
/* For conn.c. */
extern const struct stream_calls session_stream_calls;
void session_keepalive(struct coord_client *c, const Coord__V1__KeepAliveReply *reply,
                       struct conn *from);

/* ---- calls (call.c) ---- */

/* Runs under session.mutex, in whatever thread: copies what it needs. */
typedef void call_take(void *context, const Coord__V1__Answer *answer);

/* The page of a listing that `ask` gets. */
typedef coord_error listing_asker(void *context, Coord__V1__Read *read, call_take *take,
                                  void *take_context);
coord_error listing_ask(struct coord_client *client, const char *path, const char *after,
                        uint32_t limit, listing_asker *ask, void *context,
                        coord_listing **ret_listing);

struct waiter {
    struct list link;
    /* Instead of all below, if it is no thread that waits. session.mutex is held. */
    void (*answered)(struct waiter *w, const struct client_effect *effect);
    pthread_cond_t done_cond;
    bool done;
    enum err status;
    char detail[DETAIL_BYTES];
    call_take *take;
    void *context;
    bool take_refused; /* `take` sees also an answer that is not OK */
};

/* One blocking public call, which may ask the servers several times. */
struct call {
    struct coord_session *session;
    int64_t deadline_ns;
    uint64_t cancels_count;
};
struct call call_begin(struct coord_session *session, int64_t deadline_ms);
/* Each sets the detail of a failure. `take` (may be NULL) sees the answer if OK. */
coord_error call_write(const struct call *c, const Coord__V1__Write *write, call_take *take,
                       void *context);
/* `take` sees also the answer that refuses. */
coord_error call_write_refused(const struct call *c, const Coord__V1__Write *write, call_take *take,
                               void *context);
/* A Release of a lock that was taken by force. */
coord_error call_let_go(const struct call *c, const Coord__V1__Write *write);
coord_error call_read(const struct call *c, const Coord__V1__Read *read, call_take *take,
                      void *context);
coord_error call_read_refused(const struct call *c, const Coord__V1__Read *read, call_take *take,
                              void *context); /* likewise */
coord_error call_watch(const struct call *c, const Coord__V1__Watch *watch, call_take *take,
                       void *context);
coord_error call_close(const struct call *c);
/* Waits until the session is SAFE: COORD_OK, EXPIRED, TIMEOUT, CANCELLED. */
coord_error call_until_safe(const struct call *c);
void waiter_answered(struct waiter *w, const struct client_effect *effect);
void waiter_detail(struct waiter *w, const struct client_effect *effect);
int64_t deadline_of(int64_t timeout_ms); /* from now; COORD_FOREVER: NEVER_NS */

/* ---- calls that do not block (api_async.c) ---- */

/* coord_get_async without a deadline and beyond COORD_ASYNC_MAX, for what must be read in
 * the end. `path` is inside the cell. */
coord_error async_get_always(struct coord_session *s, char *path, coord_done_callback *done,
                             void *context);
/* Runs the callbacks and frees the list's elements; from the callback thread. */
void asyncs_tell(struct coord_session *s, struct list *results);

/* ---- errors (error.c) ---- */

void detail_clear(void);
__attribute__((format(printf, 1, 2))) void detail_set(const char *format, ...);
/* The error, after its detail was set. A macro, so that it is plain to see for an
 * analyzer what comes of it. */
#define fail(error, ...) (detail_set(__VA_ARGS__), (error))

/* ---- arguments (path.c) ---- */

/* The path inside the cell of one that may begin with /ls/<cell>; to be freed.
 * Otherwise INVALID, with `name` in the detail. */
coord_error path_take(const struct coord_client *client, const char *name, const char *path,
                      char **ret);
coord_error check_deadline(int64_t deadline_ms);
/* What all calls by name have in common; *ret_path is as of path_take. */
coord_error check_by_name(const struct coord_session *session, const char *path,
                          int64_t deadline_ms, char **ret_path);
coord_error check_content(const char *name, const void *content, size_t length);
coord_error check_sequencer(const char *name, const char *text, coord_sequencer *ret);

/* ---- what is asked of a node (node_call.c) ---- */

struct content {
    void *data; /* NUL-terminated behind its length; NULL: none came */
    size_t length;
    coord_stat stat;
    uint64_t revision;
};
call_take content_take;

coord_error call_get(const struct call *call, char *path, uint64_t instance, void **ret_content,
                     size_t *ret_length, coord_stat *ret_stat);
coord_error call_stat(const struct call *call, char *path, coord_stat *ret_stat);
coord_error call_put(const struct call *call, char *path, const void *content, size_t length,
                     const coord_write_options *o, coord_stat *ret_stat);
/* With `ret_path` a sequential one: the name that came of it, to be freed. */
coord_error call_create(const struct call *call, char *path, const void *content, size_t length,
                        const coord_write_options *o, coord_stat *ret_stat, char **ret_path);
/* `handle`: of the lock that the caller holds on it, or 0. */
coord_error call_delete(const struct call *call, char *path, const coord_write_options *o,
                        uint64_t handle);
/* INTERNAL: a server says OK and does not show what was asked for. */
coord_error call_odd_answer(void);
void stat_take(coord_stat *ret, const Coord__V1__Stat *stat);

/* What a write asks for, as a message that points into itself and its arguments. */
struct put_message {
    Coord__V1__Condition condition;
    Coord__V1__Put put;
    Coord__V1__Write write;
};
void put_message_init(struct put_message *m, char *path, const void *content, size_t length,
                      const coord_write_options *o);
const coord_write_options *write_options_or_default(const coord_write_options *options);
/* `flags` is what the call knows. */
coord_error write_options_check(const coord_write_options *o, uint32_t flags);

/* ---- handles ---- */

struct coord_node {
    struct coord_session *session;
    char *path;
    uint64_t instance;
    atomic_uint_fast64_t holding; /* handle of the lock held or asked for; 0: none */
};

struct coord_lock {
    struct list place; /* in session->locks */
    bool lost;         /* session.mutex: taken by force */
    bool handed_out;   /* session.mutex: the application is to hear of its loss */
    struct coord_node *node;
    uint64_t handle;
    char *sequencer;
    uint64_t generation;
};
struct lock_wish {
    bool wait, shared;
    uint32_t delay_ms;
    const struct slice *content; /* becomes the node's with the grant; NULL: none does */
};
coord_error lock_acquire(struct coord_node *node, const struct lock_wish *wish, int64_t timeout_ms,
                         struct coord_lock **ret);
/* Lets it out, unless it was taken by force meanwhile: then NOT_HELD. */
coord_error lock_hand_out(struct coord_lock *lock);
void lock_free(struct coord_lock *lock); /* as far as this process is concerned */
/* session.mutex is held. False if no lock here is of this handle. */
bool locks_revoked(struct coord_session *s, uint64_t handle);
/* Of a lock that was taken by force, in a session that lets go late. session.mutex is
 * held. */
void lock_let_go(struct coord_session *s, char *path, uint64_t handle);
coord_error lock_options_check(const coord_lock_options *options); /* NULL is good */
coord_error lock_release(struct coord_lock *lock, bool clear_content, int64_t deadline_ms);
char *sequencer_text(const char *cell, uint64_t instance, bool exclusive, uint64_t generation,
                     const char *path);

struct coord_watch {
    struct coord_session *session;
    atomic_uint references;
    struct avl_node by_id; /* in session->watches */
    uint64_t id;
    char *path;
    coord_watch_callback *callback;
    void *context;
    bool in_full;          /* what is dropped is told as a RESYNC */
    bool value;            /* events of content carry it */
    uint32_t queued_count; /* dispatch.mutex */
    uint64_t resynced;     /* dispatch.mutex; up to here it is to be read anew, not told */
    bool closed;           /* dispatch.mutex */
};
struct coord_watch *session_watch(struct coord_session *s, uint64_t id);
void session_watch_link(struct coord_session *s, struct coord_watch *w);
void watch_unref(struct coord_watch *w);

#endif
