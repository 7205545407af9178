/* lab.h - a state, and short words for what tests do to it.
 *
 * Each call below applies one batch of one command, checks every invariant, and
 * returns the status that it was answered with, or LAB_WAITS if it was not. The
 * answer is then in lab->answer, decoded, until the next call. Sequence numbers
 * count up by themselves; time passes by one millisecond with each batch. */
#ifndef COORD_TESTS_STATE_LAB_H
#define COORD_TESTS_STATE_LAB_H

#include "coord/v1/coord.pb-c.h"
#include "coordd/state/state.h"

enum { LAB_WAITS = 1000, LAB_SESSIONS_MAX = 4096, LAB_HISTORY_BYTES = 4000 };

struct lab {
    struct state *state;
    struct state_output out;
    Coord__V1__Answer *answer; /* NULL: it waits */
    uint64_t time_ms;
    uint64_t seq[LAB_SESSIONS_MAX];    /* last used, by session id */
    uint64_t lowest[LAB_SESSIONS_MAX]; /* as the next command will say */
};

extern const uint8_t lab_cell[STATE_CELL_ID_BYTES];

void lab_init(struct lab *l);
void lab_release(struct lab *l);

/* A state that is checked after every step had better remember little. */
void lab_limit_history(struct state *s, uint32_t bytes);

/* Any command, as it is. */
int lab_run(struct lab *l, Coord__V1__Command *c);
/* Packs a batch, to be released by the caller. */
struct buffer lab_batch(uint64_t time_ms, Coord__V1__Command **commands, size_t count);

/* Opens a session with this number as nonce; its id, or 0 if refused. */
uint64_t lab_open(struct lab *l, uint64_t nonce);
int lab_end(struct lab *l, uint64_t session);
int lab_expire(struct lab *l, uint64_t session, uint64_t ballot);

/* Session 0: without one. */
int lab_create(struct lab *l, uint64_t session, const char *path, const char *content);
int lab_create_parents(struct lab *l, uint64_t session, const char *path);
int lab_create_ephemeral(struct lab *l, uint64_t session, const char *path);
int lab_put(struct lab *l, uint64_t session, const char *path, const char *content);
int lab_put_if(struct lab *l, uint64_t session, const char *path, const char *content,
               uint64_t content_generation, uint64_t instance, const char *sequencer);
int lab_delete(struct lab *l, uint64_t session, const char *path);
int lab_delete_as(struct lab *l, uint64_t session, const char *path, uint64_t handle);
int lab_acquire(struct lab *l, uint64_t session, uint64_t handle, const char *path);
int lab_try(struct lab *l, uint64_t session, uint64_t handle, const char *path);
int lab_share(struct lab *l, uint64_t session, uint64_t handle, const char *path);
int lab_acquire_as(struct lab *l, uint64_t session, uint64_t handle, const char *path,
                   Coord__V1__LockMode mode, bool wait, uint32_t lock_delay_ms);
int lab_end_delay(struct lab *l, const char *path, uint64_t instance, uint64_t generation,
                  uint64_t ballot);
int lab_force(struct lab *l, uint64_t session, const char *path);
int lab_kill(struct lab *l, uint64_t session, uint64_t killed);
/* How often the last output tells this of the session. */
int lab_notes(const struct lab *l, uint64_t session, enum state_session_change change);
/* The delay that the state tells of next, behind `after`, must be of this path and
 * time: ends it. */
int lab_end_first_delay(struct lab *l, const char *path, uint32_t delay_ms);
int lab_campaign(struct lab *l, uint64_t session, uint64_t handle, const char *path,
                 const char *value);
int lab_release_lock(struct lab *l, uint64_t session, uint64_t handle, const char *path);
int lab_cancel(struct lab *l, uint64_t session, uint64_t acquire_seq);

/* The status of the answer to (session, seq) in the last output, or LAB_WAITS. */
int lab_answered(const struct lab *l, uint64_t session, uint64_t seq);
/* The printable name of the grant in the last answer; to be freed. */
char *lab_sequencer(const struct lab *l);
/* The last output's events as "kind path, kind path"; into `out`. */
const char *lab_events(const struct lab *l, char *out, size_t out_bytes);
/* The node's stat, to be freed with coord__v1__stat__free_unpacked; NULL: none. */
Coord__V1__Stat *lab_stat(const struct lab *l, const char *path);
/* A read's answer, to be freed with coord__v1__answer__free_unpacked. */
Coord__V1__Answer *lab_read(const struct lab *l, const Coord__V1__Read *read);
/* The content of a node with a NUL, to be freed; NULL: no such node. */
char *lab_content(const struct lab *l, const char *path);
/* The sequencer check's status. */
int lab_check(const struct lab *l, const char *sequencer);

/* Another state from the records of this one. */
struct state *lab_reload(const struct state *s);
/* All that an output says, as bytes. */
void lab_put_output(const struct state_output *o, struct buffer *b);
bool lab_same_hash(const struct state *a, const struct state *b);

#endif
