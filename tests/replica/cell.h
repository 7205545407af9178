/* cell.h - five whole replicas, the messages between them, their disks, and clients'
 * streams at any of them: for stories with a known course. Time is turned by hand,
 * and what does not serve a story is instant. Chance has its own place, tests/sim. */
#ifndef COORD_TESTS_REPLICA_CELL_H
#define COORD_TESTS_REPLICA_CELL_H

#include "coord/v1/coord.pb-c.h"
#include "coord/v1/replica.pb-c.h"
#include "coordd/replica/replica.h"
#include "tests/replica/saved.h"

enum {
    CELL_MEMBERS = 5,
    CELL_LETTERS_MAX = 4096,
    CELL_ROWS_MAX = 1024,
    CELL_STREAMS_MAX = 64,
    CELL_TOLD_MAX = 64,
    CELL_SETTLE_MS = 1500,
};

/* What a member's storage has to say of its checkpoints, a step later. */
struct cell_told {
    struct replica_event event;
    struct buffer bytes, about;
};

struct cell_letter {
    int from, to;
    struct blob *bytes;
};

struct cell_member {
    struct replica *replica; /* NULL: down */
    struct replica_durable durable;
    struct log_entry rows[CELL_ROWS_MAX]; /* by slot - 1; value NULL: none */
    struct saved saved;
    struct cell_told told[CELL_TOLD_MAX];
    int told_count;
    struct effect waiting[CELL_ROWS_MAX]; /* persist effects, not durable yet */
    int waiting_count;
    bool disk_stuck; /* they do not get durable */
    bool save_stuck; /* a checkpoint is committed, and nothing says so */
    bool cut;        /* neither hears nor reaches the others */
    bool paused;     /* does nothing; what is sent to it waits */
    int64_t wake_at_ns;
    uint64_t applied; /* the highest it ever had, since it started */
    bool halted;
};

struct cell_stream {
    int member;
    struct buffer out; /* all that was sent on it, joined */
    bool closed;
};

struct cell {
    struct replica_config config; /* of all; what a test sets before cell_start_all */
    int64_t now_ns, wall_offset_ms;
    struct cell_member members[CELL_MEMBERS];
    struct cell_letter letters[CELL_LETTERS_MAX];
    int letters_count;
    bool (*intercept)(struct cell *c, const struct cell_letter *l); /* true: it is lost */
    struct cell_stream streams[CELL_STREAMS_MAX];                   /* by id */
    uint64_t last_stream;
};

struct cell *cell_new(void); /* nothing runs yet */
void cell_start_all(struct cell *c);
void cell_free(struct cell *c);
void cell_start(struct cell *c, int i);
void cell_crash(struct cell *c, int i);
/* As a start does. */
enum err cell_load_saved(const struct image *image, struct replica *r);
/* Delivers and lets time pass in steps of 1 ms. */
void cell_run(struct cell *c, int ms);
/* Whoever serves; it must be so within 5 s. */
int cell_leader(struct cell *c);
void cell_view(const struct cell *c, int i, struct replica_view *ret);
void cell_step(struct cell *c, int i, struct replica_event *e);

/* A client's stream at this member. */
uint64_t cell_open(struct cell *c, int i, enum replica_stream_kind kind);
void cell_send(struct cell *c, uint64_t stream, const ProtobufCMessage *m);
/* What it got since the last call; to be freed with free_unpacked. */
Coord__V1__SessionReply *cell_replies(struct cell *c, uint64_t stream);

struct cell_session {
    uint64_t stream, session;
    uint8_t secret[16];
};
struct cell_session cell_session(struct cell *c, int i, uint8_t nonce);
/* Comes back with it at another member: the status of the answer, -1 if none came. */
int cell_attach(struct cell *c, int i, struct cell_session *s);
void cell_send_attach(struct cell *c, int i, struct cell_session *s); /* ... waiting for nothing */
/* The number of answers to one KeepAlive within `ms`; their status. */
int cell_beat(struct cell *c, int i, const struct cell_session *s, int ms, int *ret_status);
/* Sends a put without a session, and waits for nothing: the stream. */
uint64_t cell_put(struct cell *c, int i, const char *path, const char *content);
/* The same, and waits: the status. */
int cell_put_done(struct cell *c, int i, const char *path, const char *content);
/* The status of the answer on such a stream, -1 if none came. */
int cell_put_answer(struct cell *c, uint64_t stream);
/* The content that a read under the lease answers, at once or within `ms`; "" if none
 * came. Valid until the next call. */
const char *cell_get(struct cell *c, int i, const char *path, int ms);
/* So many changes by one session, one after the other; *seq counts on. */
void cell_change(struct cell *c, const struct cell_session *s, uint64_t *seq, int count);
/* Asks who leads to hand over to this one; and the same, until it serves. */
void cell_ask_hand_over(struct cell *c, int from, int to);
void cell_hand_over(struct cell *c, int from, int to);

bool cell_same_state(const struct cell *c, int i, int k);
/* Lets things settle; then all have the same state. */
void cell_settle(struct cell *c);
/* What is in the letter, to be freed with coord__v1__message__free_unpacked. */
Coord__V1__Message *cell_message(const struct cell_letter *l);

#endif
