/* session_internal.h - what the files of the pure session share; session.h is the
 * only door for others.
 *
 *   session.c         the step, states and belief
 *   session_link.c    finding the leader, Open and Attach, KeepAlives
 *   session_call.c    writes and reads: taking in, letting go
 *   session_send.c    ... sending, and sending again
 *   session_answer.c  ... what answers do
 *   session_give_up.c ... deadlines and cancels
 *   session_watch.c   watches: register anew, never back in time
 *   session_reply.c   what a server says
 *   session_force.c   what is taken away by force
 *   session_wire.c    bytes of a request
 *
 * Invariants. `sent` is in order of seq and holds every write that was sent and
 * is not settled; its first is the lowest. The slots find exactly the calls in
 * `sent`. A seq is never used before a lower one was, since a server refuses it
 * afterwards. Nothing is sent but on an attached link; nothing is handed to a
 * caller as done but in SAFE. */
#ifndef LIBCOORD_SESSION_INTERNAL_H
#define LIBCOORD_SESSION_INTERNAL_H

#include "libcoord/base/arena.h"
#include "libcoord/base/avl.h"
#include "libcoord/base/list.h"
#include "libcoord/base/prng.h"
#include "libcoord/base/units.h"
#include "libcoord/src/session.h"

enum {
    /* The servers keep the newest 1024 answers of a session: as many writes may be
     * on their way. Some of that is for Cancels and the end alone, for they make
     * room for others. */
    CLIENT_SENT_MAX = 1024,
    CLIENT_SENT_RESERVE = 64,
    CLIENT_SLOTS = 2048,      /* a power of two */
    CLIENT_REDIRECTS_MAX = 4, /* in a row; then nobody leads */
    CLIENT_SECRET_BYTES = 16,
    CLIENT_ARENA_KEPT_BYTES = 64 * 1024, /* one large message must not hold its memory */
};
/* Numbers of reads and watches; a write's seq never gets here. */
#define CLIENT_READ_SEQ_FIRST (UINT64_C(1) << 48)

enum client_link {
    CLIENT_LINK_NONE,       /* backing off until retry_at_ns */
    CLIENT_LINK_CONNECTING, /* CONNECT was asked for */
    CLIENT_LINK_BEGINNING,  /* Open or Attach is sent */
    CLIENT_LINK_ATTACHED,
};

struct client_endpoint {
    char address[CLIENT_SESSION_ADDRESS_BYTES_MAX + 1];
    bool learned;           /* from a redirect; may be forgotten for another */
    int64_t avoid_until_ns; /* it was silent, or its stream broke */
};

enum client_call_kind {
    CLIENT_CALL_READ,
    CLIENT_CALL_WRITE,
    CLIENT_CALL_ACQUIRE,
    CLIENT_CALL_RELEASE, /* this and the next two are never dropped while the session lives */
    CLIENT_CALL_CANCEL,
    CLIENT_CALL_END,
};

struct client_call {
    struct list link;              /* in urgent, queue, sent, read_queue or reads */
    struct client_call *slot_next; /* in `sent` */
    enum client_call_kind kind;
    bool waits;                  /* an Acquire in line: no answer says nothing of the server */
    bool answered;               /* a server has; the answer is `kept` */
    bool resent;                 /* may have reached a server more than once */
    bool prompt;                 /* counted in prompt_count */
    enum err status;             /* once answered */
    uint64_t token;              /* 0: nobody waits for it any more */
    uint64_t seq;                /* 0: never sent */
    uint64_t revoked;            /* of a Release after a REVOKED: the handle; else 0 */
    int64_t deadline_ns;         /* of the token */
    int64_t retry_at_ns;         /* THROTTLED: send it again then; 0: not */
    struct client_call *cancel;  /* of an Acquire that was given up after it was sent */
    struct client_call *acquire; /* of a Cancel: what it cancels; NULL once that is settled */
    struct buffer kept;          /* a packed Answer that came in jeopardy */
    size_t body_length;
    uint8_t body[]; /* the field of a Request, its tag included */
};

struct client_watch {
    struct avl_node node; /* by id */
    struct list link;     /* in watch_queue or watch_asked; else registered on this link */
    uint64_t id;
    char *path; /* owned */
    bool content, lock, subtree, children, value;
    bool from_past;      /* the caller knows a revision: what is later comes before the answer */
    bool answered;       /* the first answer came; `kept` if it is not told yet */
    bool asked;          /* on this link */
    uint64_t token;      /* 0 once told */
    int64_t deadline_ns; /* of the token */
    uint64_t request;    /* number of the registration on this link */
    uint64_t floor;      /* events up to here were seen before this registration */
    uint64_t seen;       /* highest revision told */
    int64_t retry_at_ns;
    struct buffer kept;
};

struct client_session {
    uint32_t ttl_ms, grace_ms, rate_ppm;
    uint8_t nonce[16];
    char *host; /* owned */
    uint32_t pid;
    struct prng prng;
    int64_t now_ns;

    enum client_session_state state;
    bool lets_go_late;
    bool adopting; /* opened by another process: which seqs were used is not known yet */
    bool closing;
    bool parting; /* killed, and EXPIRED: only its EndSession is still on its way */
    int64_t parting_until_ns;
    uint64_t id; /* 0 until the answer to Open */
    uint8_t secret[CLIENT_SECRET_BYTES];
    int64_t open_sent_ns; /* the first Open; 0: none yet */
    int64_t belief_until_ns;
    int64_t jeopardy_until_ns;

    struct client_endpoint endpoints[CLIENT_SESSION_ENDPOINTS_MAX];
    uint32_t endpoints_count, current;
    uint32_t turn; /* the endpoint that was tried last of itself, not for a redirect */
    enum client_link link;
    uint64_t link_number;
    int64_t link_since_ns;    /* CONNECT */
    int64_t retry_at_ns;      /* of CLIENT_LINK_NONE */
    uint32_t tried_count;     /* endpoints since the last pause or attachment */
    uint32_t redirects_count; /* in a row */
    uint32_t backoff_ms, begin_timeout_ms;

    int64_t beat_at_ns;    /* the next KeepAlive */
    int64_t beat_since_ns; /* first one that is unanswered on this link; 0: none */
    int64_t beat_last_ns;  /* when, and with which stamp, the last one was sent */
    int64_t heard_ns;      /* anything from the server, or the first call sent since */

    struct list urgent; /* Cancels and the end, unsent */
    struct list queue;  /* writes, unsent */
    struct list sent;
    struct client_call *slots[CLIENT_SLOTS]; /* of `sent`, chained, by seq */
    uint64_t next_seq;
    uint32_t sent_count;
    bool resend; /* `sent` was not sent on this link yet */
    struct list read_queue, reads;
    uint64_t next_read_seq;
    uint32_t writes_count; /* of callers, without Releases */
    uint32_t reads_count;
    uint32_t prompt_count; /* sent and unanswered, though an answer should come at once */
    size_t calls_bytes;
    int64_t deadline_min_ns; /* no deadline is earlier; it may be too early itself */
    int64_t retry_min_ns;    /* likewise of retry_at_ns of calls and watches */

    struct avl watches;
    struct list watch_queue, watch_asked;

    struct arena arena;         /* what the last step's effects point into */
    struct client_effects *out; /* of the step under way */
    uint32_t sending;           /* index + 1 in `out` of the SEND that is being filled; 0: none */
};

/* session.c */
struct client_effect *client_effect_add(struct client_session *s, enum client_effect_kind kind);
static inline bool client_over(const struct client_session *s)
{
    return s->state >= CLIENT_SESSION_EXPIRED;
}
void client_believe(struct client_session *s, int64_t from_ns);
/* The end, of whatever kind: tells it and answers every call. */
void client_finish(struct client_session *s, enum client_session_state state, enum err status,
                   const Coord__V1__Answer *answer);

/* A server said that there is no such session. */
void client_gone(struct client_session *s);

/* session_link.c */
void client_link_init(struct client_session *s, const struct client_session_config *config);
void client_link_up(struct client_session *s);
/* The stream is of no use: `avoid_ms` without this server. */
void client_link_lost(struct client_session *s, int64_t avoid_ms);
void client_link_drop(struct client_session *s);
void client_link_attached(struct client_session *s);
void client_link_redirect(struct client_session *s, const char *address);
void client_link_tick(struct client_session *s);
int64_t client_link_wake(const struct client_session *s);
/* How long a server may be silent: most_ms, or that part of a short lease. */
uint32_t client_link_patience_ms(const struct client_session *s, uint32_t most_ms, uint32_t part);
void client_link_keepalive(struct client_session *s, const struct client_event *event);

/* session_call.c */
void client_calls_init(struct client_session *s);
void client_call_write(struct client_session *s, const struct client_event *event);
void client_call_read(struct client_session *s, const struct client_event *event);
void client_call_close(struct client_session *s, const struct client_event *event);
void client_calls_finish(struct client_session *s);
int64_t client_calls_wake(const struct client_session *s);
void client_call_submit(struct client_session *s, struct client_call *c, struct list *queue);
static inline struct client_call *client_call_first(const struct list *calls)
{
    return container_of_or_null(list_first(calls), struct client_call, link);
}
static inline bool client_call_is_read(const struct client_call *c)
{
    return c->kind == CLIENT_CALL_READ;
}
/* Where the call of this seq is, or would be, in the slots. */
struct client_call **client_call_slot(struct client_session *s, uint64_t seq);
void client_call_tell(struct client_session *s, struct client_call *c, enum err status,
                      const Coord__V1__Answer *answer);
void client_call_heard(struct client_session *s, struct client_call *c); /* not prompt any more */
void client_call_free(struct client_session *s, struct client_call *c);

/* session_give_up.c */
void client_call_give_up(struct client_session *s, uint64_t token);
/* The caller waits no longer; it is told `status` if nothing can have come of it. */
void client_call_abandon(struct client_session *s, struct client_call *c, enum err status);
void client_call_abandon_acquire(struct client_session *s, struct client_call *c, enum err status);
void client_calls_tick(struct client_session *s);

/* session_answer.c */
void client_call_answered(struct client_session *s, uint64_t seq, const Coord__V1__Answer *answer);
void client_calls_safe(struct client_session *s); /* tell what was kept */

/* session_send.c */
/* Send what may be sent: nothing unless attached. */
void client_calls_send(struct client_session *s);
void client_calls_unlinked(struct client_session *s); /* what was sent may be lost */

/* session_watch.c */
void client_watch_add(struct client_session *s, const struct client_event *event);
void client_watch_remove(struct client_session *s, uint64_t id);
bool client_watch_give_up(struct client_session *s, uint64_t token); /* true if it is one */
void client_watch_answered(struct client_session *s, uint64_t request,
                           const Coord__V1__Answer *answer);
void client_watch_event(struct client_session *s, const Coord__V1__Event *event);
void client_watches_tick(struct client_session *s); /* deadlines */
void client_watches_send(struct client_session *s);
void client_watches_unlinked(struct client_session *s);
void client_watches_safe(struct client_session *s);
void client_watches_finish(struct client_session *s, bool tell);

/* session_force.c */
void client_revoked(struct client_session *s, const Coord__V1__Event *event);
/* A Release of this handle, because of a REVOKED, is on its way. */
bool client_is_released(const struct client_session *s, uint64_t handle);
void client_killed(struct client_session *s);
void client_part_tick(struct client_session *s);
void client_part_over(struct client_session *s);

/* session_reply.c */
void client_reply(struct client_session *s, struct slice bytes);
enum err client_status_of(const Coord__V1__Answer *answer);
/* Unpacked into the arena; NULL if it is none. */
const Coord__V1__Answer *client_answer_unpack(struct client_session *s, const struct buffer *kept);
void client_answer_keep(struct buffer *kept, const Coord__V1__Answer *answer);
void client_tell(struct client_session *s, uint64_t token, enum err status,
                 const Coord__V1__Answer *answer, bool maybe_applied);

/* session_wire.c */
enum client_field { /* of coord.v1.Request */
                    CLIENT_FIELD_WRITE = 1,
                    CLIENT_FIELD_READ = 2,
                    CLIENT_FIELD_WATCH = 3,
                    CLIENT_FIELD_UNWATCH = 4,
};
/* A call whose body is `message` as that field of a Request. */
struct client_call *client_call_new(enum client_field field, const ProtobufCMessage *message);
void client_wire_begin(struct client_session *s); /* Open or Attach */
void client_wire_beat(struct client_session *s);
/* Adds a Request to the SEND that is being filled. */
void client_wire_request(struct client_session *s, const uint8_t *body, size_t body_length,
                         uint64_t seq);
void client_wire_message(struct client_session *s, enum client_field field,
                         const ProtobufCMessage *message, uint64_t seq);

#endif
