/* inner.h - struct replica and what the files of this folder share; not for
 * others.
 *
 *   replica.c   the step: events in, consensus, what was chosen
 *   loading.c   the start: the saved state, and the log
 *   drain.c     what consensus owes, as effects
 *   streams.c   the queue of each client's stream
 *   incoming.c  what clients send
 *   requests.c  writes into batches, reads from the state
 *   parked.c    what has to wait before it is served
 *   deliver.c   what an entry had to say, to those who wait for it
 *   leases.c    sessions' timers at the leader
 *   watches.c   who is to be told of what, and telling it
 *   catch_up.c  watches that come back, and slow readers
 *   delays.c    locks whose holder died, at the leader
 *   hand_over.c leadership that is passed on by request, or for want of space
 *   checkpoint.c, transfer.c   the state, saved and sent: headers of their own
 *   divergence.c               ... and compared: likewise */
#ifndef COORD_REPLICA_INNER_H
#define COORD_REPLICA_INNER_H

#include "coord/v1/coord.pb-c.h"
#include "coordd/paxos/paxos.h"
#include "coordd/replica/batch.h"
#include "coordd/replica/checkpoint.h"
#include "coordd/replica/divergence.h"
#include "coordd/replica/replica.h"
#include "coordd/replica/transfer.h"
#include "coordd/state/state.h"
#include "libcoord/base/arena.h"
#include "libcoord/base/avl.h"
#include "libcoord/base/units.h"

enum {
    ARENA_BYTES_MAX = 64 * 1024 * 1024,            /* of one message, decoded */
    PRINCIPAL_BYTES_MAX = 255,                     /* longer ones are cut */
    STREAM_WATCHES_MAX = 4096,                     /* beyond it QUOTA */
    STREAM_PARKED_MAX = 4096,                      /* requests that wait; beyond it THROTTLED */
    STREAM_PARKED_BYTES_MAX = 1024 * 1024,         /* of them; beyond it THROTTLED */
    WATCH_BYTES_MAX = STATE_PATH_BYTES_HARD + 128, /* of the asking for one, about */
    /* Of messages that wait with an Attach or behind it: room for the asking for every
     * watch that a session may have, which a client sends right behind. */
    STREAM_ATTACH_BYTES_MAX = STREAM_WATCHES_MAX * WATCH_BYTES_MAX,
    /* Sent on a stream in one step; beyond it the stream ends. */
    STREAM_STEP_BYTES_MAX = 8 * 1024 * 1024,
    KEEPALIVE_BEATS_MAX = 8192,  /* in one message; more end the stream */
    PROGRESS_MS = 5000,          /* between two marks to a stream with watches */
    CATCH_UP_EVENTS_MAX = 20000, /* of the history, looked at for a stream; else RESYNC */
    /* Events of one step, beyond which its stream lags: behind a whole revision,
     * and within one. */
    STREAM_EVENTS_BYTES_MAX = 4 * 1024 * 1024,
    STREAM_TORN_BYTES_MAX = 6 * 1024 * 1024,
    STREAM_FLUSH_BYTES = 256 * 1024, /* a message to a client is closed at this size */
    PIPELINE_COMMANDS_MIN = 64,      /* a smaller batch waits for the slot under way */
    PIPELINE_BYTES_MIN = 64 * 1024,
    LEASE_SLACK_MS = 250, /* by which expiry is later than the lease */
    LEASE_STALL_MS = 200, /* longer between two steps: we stalled, not the clients */
};

/* One stream of a client. */
struct client_stream {
    struct avl_node by_id;
    struct list dirty; /* in replica.dirty while out is not empty */
    uint64_t id;
    enum replica_stream_kind kind;
    char principal[PRINCIPAL_BYTES_MAX + 1];
    uint8_t random[16];
    bool begun;            /* SESSION: Open or Attach came; EXECUTE: the request came */
    bool closing;          /* its end is under way: what it says is ignored */
    bool overflown;        /* more was to be sent in this step than may be: it ends with the step */
    uint64_t session;      /* once it is opened or attached */
    uint64_t last_slot;    /* of its last write: later reads wait for it */
    uint64_t settled_slot; /* what the session sent on another stream is not behind it */
    struct list waiting;   /* in replica.waiting while something is parked or due */
    struct list parked;    /* of struct parked, in the order in which they came */
    uint32_t parked_count;
    uint32_t watches_parked;  /* among them: answers to writes go behind them */
    uint32_t messages_parked; /* among them: an Attach, and what came behind it */
    size_t parked_bytes;      /* without the messages' */
    size_t messages_bytes;
    uint64_t step; /* the last in which something was sent, and how much */
    size_t step_bytes;
    uint64_t last_event_revision; /* of the item queued last, 0: no event */
    struct avl watches;           /* of struct watch, by id */
    bool lagging;                 /* too much waits to leave: its watches are told nothing */
    uint32_t missed_count;        /* watches that missed something */
    uint32_t due_count;           /* watches whose asking is not answered yet */
    uint64_t told_revision;       /* of the event told last as it happened */
    uint64_t progress;            /* every watch was told all up to this revision */
    struct buffer out;
};

enum parked_kind { PARKED_REQUEST, PARKED_WATCH, PARKED_ANSWER, PARKED_MESSAGE };

/* A request that cannot be served yet, or an answer behind one. */
struct parked {
    struct list place;
    enum parked_kind kind;
    uint64_t seq; /* of the write that it answers */
    uint64_t wait_slot;
    uint64_t wait_round; /* of the leader's, to be answered by a quorum; 0: the lease will do */
    size_t length;
    /* A packed Request that is no write, an Answer, or a message: a KeepAliveRequest, or a
     * SessionRequest that attaches or stands behind one that does. */
    uint8_t bytes[];
};

/* A name that somebody watches; it need not exist. */
struct watched {
    struct avl_node by_path;
    struct list watches; /* of struct watch, in the order of asking */
    size_t length;
    uint8_t path[]; /* with a NUL */
};

struct watch {
    struct avl_node by_id;
    struct list place; /* in watched.watches */
    struct watched *watched;
    uint64_t stream;
    uint64_t id;
    uint64_t told; /* every event up to this revision was told, while it is behind */
    uint64_t last; /* revision of the event told last as it happened */
    uint64_t seq;  /* of its asking, while that is due */
    bool content, lock, subtree, children, value;
    bool missed; /* behind: it comes back, or its stream lags */
    bool torn;   /* of the revision behind told, some was told */
    bool due;    /* its asking is answered once it is not behind any more */
};

/* The delay of a lock whose holder died; only a leader has them. */
struct delay {
    struct avl_node by_path, by_deadline;
    int64_t deadline_ns; /* on the leases' clock */
    uint64_t instance, generation;
    size_t length;
    uint8_t path[]; /* with a NUL */
};

/* A session's timer; only a leader has them. */
struct lease {
    struct avl_node by_session, by_deadline;
    uint64_t session;
    int64_t deadline_ns; /* on the leases' clock, which stands still while we stall */
    uint32_t ttl_ms;
    bool expiring;   /* its Expire is proposed: no KeepAlive is answered any more */
    uint64_t stream; /* attached, 0: none */
};

struct replica {
    struct replica_config config;
    struct paxos *paxos;
    struct paxos_effects owed;
    struct state *state;
    struct state_output said;
    struct checkpointer checkpoint;
    struct checkpoint_about loading; /* of the checkpoint that is being loaded */
    struct transfers transfers;
    struct divergence divergence;
    struct arena arena;
    struct buffer scratch;

    struct effects *out; /* of the step under way */
    int64_t now_ns, wall_ms, last_step_ns;
    int64_t wake_at_ns; /* as the last step asked */

    struct avl streams;
    struct list dirty;
    struct list waiting; /* of struct client_stream */
    struct avl watched;  /* of struct watched, by path */

    int64_t progress_at_ns; /* of the next marks */

    struct avl leases, deadlines;
    struct avl delays, delay_deadlines;
    int64_t stalled_ns; /* in sum */

    struct batch_queue queue;
    struct list in_flight; /* of struct batch, by slot */
    uint64_t steps;
    bool leading; /* established, and the cell is open */
    uint64_t leading_ballot;
    bool disk_low;             /* the storage lives on what it kept back, or soon will */
    bool low;                  /* ... or what is not saved needs all the room that there is */
    uint64_t room;             /* so much a checkpoint would find on the disk */
    bool handing_over;         /* nothing new is taken */
    uint32_t successor;        /* member id, 0: whoever has most */
    uint64_t hand_over_stream; /* who asked */
    uint64_t hand_over_slot;   /* of the last entry, 0: not proposed yet */
    bool hand_over_due;        /* it is applied */
    uint64_t round_asked;      /* for reads by quorum: under way, 0: none */
    bool round_wanted;         /* and another one after it */
    enum paxos_role role_told;
    uint32_t leader_told;
};

/* drain.c */
void replica_note(struct replica *r, enum note_kind note, uint64_t number, const char *text);
void replica_drain(struct replica *r);

/* replica.c */
void replica_apply_chosen(struct replica *r);
void replica_propose(struct replica *r);
const char *replica_address_of(const struct replica *r, uint32_t member); /* "" if unknown */
bool replica_lease_valid(const struct replica *r);
/* The number of a round that leaves with this step. */
uint64_t replica_begin_round(struct replica *r);

/* streams.c */
void streams_opened(struct replica *r, const struct replica_event *e);
void streams_closed(struct replica *r, const struct replica_event *e);
struct client_stream *streams_find(const struct replica *r, uint64_t id);
/* Bytes for this stream in the step under way. */
size_t streams_sent(const struct replica *r, const struct client_stream *s);
void streams_answer(struct replica *r, struct client_stream *s, uint64_t seq, bool read,
                    struct slice answer);
void streams_answer_status(struct replica *r, struct client_stream *s, uint64_t seq, bool read,
                           Coord__V1__Status status, const char *message);
void streams_begun(struct replica *r, struct client_stream *s, struct slice answer);
/* What an event says; empty slices and 0 are left out. */
struct event_text {
    uint64_t watch;
    uint32_t kind;
    uint64_t revision, generation, handle;
    struct slice stat, path, value;
};
void streams_event(struct replica *r, struct client_stream *s, const struct event_text *event);
/* Tell a session what was taken from it by force. */
void streams_revoked(struct replica *r, struct client_stream *s);
void streams_lags(struct replica *r, const struct replica_event *e);
void streams_drained(struct replica *r, const struct replica_event *e);
void streams_end(struct replica *r, struct client_stream *s, enum stream_status status,
                 const char *text);
void streams_redirect(struct replica *r, struct client_stream *s);
void streams_redirect_all(struct replica *r);
void streams_beat_answer(struct replica *r, struct client_stream *s, Coord__V1__BeatAnswer *answer);
void streams_flush(struct replica *r);
void streams_free_all(struct replica *r);

/* requests.c */
void requests_open(struct replica *r, struct client_stream *s, const Coord__V1__Open *open);
void requests_write(struct replica *r, struct client_stream *s, uint64_t seq, uint64_t lowest,
                    const Coord__V1__Write *write);
/* A Request that is no write: served now, or parked. `round`: the answered one that was
 * asked for when it came, 0: none. */
void requests_look(struct replica *r, struct client_stream *s, const Coord__V1__Request *q,
                   uint64_t round);
void requests_execute(struct replica *r, struct client_stream *s,
                      const Coord__V1__ExecuteRequest *m);
/* The same, when nothing is to be waited for any more. */
void requests_look_now(struct replica *r, struct client_stream *s, const Coord__V1__Request *q);
void requests_expire(struct replica *r, uint64_t session);
/* Of all that was taken so far. */
uint64_t requests_last_slot(const struct replica *r);

/* incoming.c */
void incoming_message(struct replica *r, const struct replica_event *e);
/* `round`: the answered one for which it has waited, 0: it has just come. */
void incoming_session(struct replica *r, struct client_stream *s, struct slice bytes,
                      uint64_t round);
/* `confirmed`: it has waited for what it had to wait for. */
void incoming_beats(struct replica *r, struct client_stream *s, struct slice bytes, bool confirmed);

/* parked.c */
bool parked_may(const struct client_stream *s, size_t length);
bool parked_may_message(const struct client_stream *s, size_t length);
void parked_add(struct replica *r, struct client_stream *s, enum parked_kind kind,
                uint64_t wait_slot, uint64_t wait_round, struct slice bytes);
/* The answer to a write: now, or behind what it must not overtake. */
void parked_answer(struct replica *r, struct client_stream *s, uint64_t seq, struct slice encoded);
bool parked_reader_has_room(const struct replica *r, const struct client_stream *s);
bool parked_ready(const struct replica *r, const struct client_stream *s, uint64_t wait_slot,
                  uint64_t wait_round);
void parked_drop_all(struct client_stream *s);
/* The round that what came now has to wait for: one that is not sent yet. */
uint64_t parked_want_round(struct replica *r);
/* After each step: whether the round that reads wait for is answered. */
void parked_rounds(struct replica *r);
void parked_serve(struct replica *r);

/* deliver.c */
void deliver_entry(struct replica *r, uint64_t slot);

/* leases.c */
void leases_begin(struct replica *r);
void leases_end(struct replica *r);
void leases_step(struct replica *r); /* notices our own stall */
void leases_tick(struct replica *r); /* proposes what has run out */
void leases_opened(struct replica *r, uint64_t session, uint32_t ttl_ms);
int64_t leases_clock_ns(const struct replica *r);
void leases_ended(struct replica *r, uint64_t session);
struct lease *leases_find(const struct replica *r, uint64_t session);
void leases_renew(struct replica *r, struct lease *l);
uint64_t leases_left_ms(void *replica, uint64_t session);
void leases_expire_later(struct replica *r, uint64_t session);
int64_t leases_wake_at(const struct replica *r);

/* watches.c */
void watches_add(struct replica *r, struct client_stream *s, uint64_t seq,
                 const Coord__V1__Watch *watch);
void watches_remove(struct replica *r, struct client_stream *s, uint64_t id);
void watches_remove_all(struct replica *r, struct client_stream *s);
void watches_tell(struct replica *r, const struct state_event *event);
/* Whether this watch wants to hear of this; *ret_kind is what it is to it. */
bool watches_wants(const struct watch *w, enum state_event_kind kind, struct slice path,
                   uint32_t *ret_kind);
void watches_send(struct replica *r, struct client_stream *s, const struct watch *w, uint32_t kind,
                  uint64_t revision, struct slice path, struct slice stat);

/* The answer to its asking: the present state. */
void watches_answer(struct replica *r, struct client_stream *s, struct watch *w);

/* catch_up.c */
/* Every event after `told` is still to be told. */
void catch_up_later(struct client_stream *s, struct watch *w, uint64_t told);
/* Tell the watches that are behind what they missed, as far as there is room, or RESYNC. */
void catch_up_stream(struct replica *r, struct client_stream *s);
/* Before an answer leaves: no watch may be behind. */
void catch_up_before_answer(struct replica *r, struct client_stream *s);
/* Answer those who asked for watches, once none is behind. */
void catch_up_due(struct replica *r, struct client_stream *s);
void catch_up_tick(struct replica *r); /* progress marks */

/* delays.c */
void delays_look(struct replica *r); /* for new ones */
void delays_end(struct replica *r);
void delays_tick(struct replica *r);
uint64_t delays_left_ms(void *replica, struct slice path);
int64_t delays_wake_at(const struct replica *r);

/* hand_over.c */
void hand_over_asked(struct replica *r, struct client_stream *s, const Coord__V1__StepDown *asked);
void hand_over_tick(struct replica *r);
void hand_over_applied(struct replica *r, uint64_t slot);
void hand_over_drop(struct replica *r); /* leadership is gone */

#endif
