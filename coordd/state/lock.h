/* lock.h - the lock of a node: who holds it, and who stands in line.
 *
 * A lock exists while somebody holds it or waits for it. Claims come in at the
 * end of the line with a ticket, a number that never repeats in the cell; they
 * are granted from the front only, so the line is first come, first served.
 *
 * Invariants: line not empty => held, by somebody whom the first in line cannot
 * join. An exclusive holder is alone. Tickets rise through holders, then line.
 * Each grant's generation is the revision of the command that granted it; of an
 * exclusive holder that is also the node's lock generation.
 *
 * As in node.h: these functions change and mark; what is allowed is judged
 * before, and events and answers are the callers'. */
#ifndef COORD_STATE_LOCK_H
#define COORD_STATE_LOCK_H

#include "coord/v1/command.pb-c.h"
#include "coordd/state/machine.h"
#include "libcoord/base/list.h"

struct node;
struct session;

struct lock {
    struct avl_node by_path; /* in s->locks */
    struct node *node;
    struct list holders, line; /* of struct claim */
    uint32_t holders_count, waiters_count;
    uint32_t path_length;
    char path[]; /* with a NUL */
};

struct claim {
    struct record record;
    struct lock *lock;
    struct session *session;
    struct list place;                 /* in holders or line */
    struct avl_node by_seq, by_handle; /* in the session */
    uint64_t handle, seq;              /* seq: of the Acquire */
    uint64_t ticket;
    uint64_t generation; /* of the grant; 0 while waiting */
    uint64_t since_ms;   /* granted, or joined the line */
    Coord__V1__LockMode mode;
    uint32_t lock_delay_ms;
    bool sets_content;    /* when granted; false once it is */
    struct slice content; /* owned copy; only with sets_content */
};

struct claim_terms {
    uint64_t handle, seq;
    Coord__V1__LockMode mode;
    uint32_t lock_delay_ms;
    bool sets_content;
    struct slice content; /* copied */
};

/* Nobody holds it whom `mode` could not join, and nobody waits. */
bool lock_is_free_for(const struct node *node, Coord__V1__LockMode mode);
/* Go to the end of the node's line. Its record is marked. */
struct claim *lock_join(struct state *s, struct node *node, struct session *session,
                        const struct claim_terms *terms);
/* The first in line if the holders let it in, else NULL. */
struct claim *lock_next(const struct lock *lock);
/* Makes the first in line a holder, with what it set as content. */
void lock_grant(struct state *s, struct claim *first, uint64_t revision);
/* Leaves the line, or holds no longer. The lock goes with its last claim. */
void lock_drop(struct state *s, struct claim *claim);
bool claim_is_held(const struct claim *claim);

struct claim *claim_of_seq(const struct session *session, uint64_t seq);
struct claim *claim_of_handle(const struct session *session, uint64_t handle);

struct slice lock_path(const struct lock *lock);
/* In the tree's order: the first lock at or behind `path`, or behind it. */
struct lock *lock_at_least(const struct state *s, struct slice path);
struct lock *lock_above(const struct state *s, struct slice path);
struct lock *lock_next_in_tree(const struct lock *lock);
Coord__V1__LockMode lock_mode(const struct lock *lock); /* NULL: LOCK_NONE */

/* For loading: at the end of the holders (generation not 0) or of the line. NULL
 * if it contradicts what is there. */
struct claim *lock_attach(struct state *s, struct node *node, struct session *session,
                          const struct claim_terms *terms, uint64_t ticket, uint64_t generation,
                          uint64_t since_ms);
/* Frees every lock and claim without a word to the ledger. */
void lock_free_all(struct state *s);

#endif
