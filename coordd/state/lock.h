/* lock.h - the lock of a node: who holds it, and who stands in line.
 *
 * A lock exists while somebody holds it or waits for it, or while it is delayed:
 * a holder that wished for it died, and until the delay is over nobody is let in.
 * Claims come in at the end of the line with a ticket, a number that never repeats
 * in the cell; they are granted from the front only, so the line is first come,
 * first served, and who shares does not overtake who waits to be alone.
 *
 * Invariants: line not empty => delayed, or held by somebody whom the first in line
 * cannot join. An exclusive holder is alone, and its lock is not delayed. Tickets
 * rise through holders, then line. Each grant's generation is the revision of the
 * command that granted it, so those let in together share one; of an exclusive
 * holder it is also the node's lock generation. Only holders are revoked.
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

struct delay {
    struct record record;
    struct avl_node by_path; /* in s->delays */
    struct lock *lock;
    uint64_t generation; /* the revision in which it began, or began anew: its name */
    uint32_t delay_ms;
};

struct lock {
    struct avl_node by_path; /* in s->locks */
    struct node *node;
    struct list holders, line; /* of struct claim */
    struct delay *delay;       /* owned; NULL: none */
    uint32_t holders_count, waiters_count;
    /* Between lock_leave and lock_settled only. */
    struct list left; /* for whoever gathers such locks */
    bool vacated;     /* a holder left */
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
    bool revoked;         /* taken by force: passes on when its holder has let go */
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

/* Nobody holds it whom `mode` could not join, nobody waits, and it is not delayed. */
bool lock_is_free_for(const struct node *node, Coord__V1__LockMode mode);
/* Go to the end of the node's line. Its record is marked. */
struct claim *lock_join(struct state *s, struct node *node, struct session *session,
                        const struct claim_terms *terms);
/* The first in line if holders and delay let it in, else NULL. */
struct claim *lock_next(const struct lock *lock);
/* Makes the first in line a holder, with what it set as content. */
void lock_grant(struct state *s, struct claim *first, uint64_t revision);
/* Leaves the line, or holds no longer. The lock stays, be it unused, so that the
 * caller can see who is next; lock_settled must follow. */
void lock_leave(struct state *s, struct claim *claim);
/* The lock goes if nobody holds it or waits, and it is not delayed. */
void lock_settled(struct state *s, struct lock *lock);
/* Nobody is let in until the delay ends. Of two, the longer counts, in full. */
void lock_begin_delay(struct state *s, struct lock *lock, uint32_t delay_ms, uint64_t revision);
void lock_end_delay(struct state *s, struct lock *lock);
void lock_revoke(struct state *s, struct claim *holder);
bool claim_is_held(const struct claim *claim);

struct claim *claim_of_seq(const struct session *session, uint64_t seq);
struct claim *claim_of_handle(const struct session *session, uint64_t handle);
struct claim *claim_above_handle(const struct session *session, uint64_t handle);

struct slice lock_path(const struct lock *lock);
/* In the tree's order: the first lock at or behind `path`, or behind it. */
struct lock *lock_at_least(const struct state *s, struct slice path);
struct lock *lock_above(const struct state *s, struct slice path);
struct lock *lock_next_in_tree(const struct lock *lock);
Coord__V1__LockMode lock_mode(const struct lock *lock); /* NULL, or no holder: LOCK_NONE */
/* In the tree's order: the first delay behind `path`; empty: of all. */
struct delay *delay_above(const struct state *s, struct slice path);

/* For loading: at the end of the holders (generation not 0) or of the line. NULL
 * if it contradicts what is there. */
struct claim *lock_attach(struct state *s, struct node *node, struct session *session,
                          const struct claim_terms *terms, uint64_t ticket, uint64_t generation,
                          uint64_t since_ms);
void lock_attach_revoked(struct claim *holder);
/* For the journal: a holder that lock_leave took out comes back. */
void lock_put_back(struct state *s, struct node *node, struct claim *claim);
void claim_free(struct claim *claim);
/* NULL if the lock has one. */
struct delay *lock_attach_delay(struct state *s, struct node *node, uint32_t delay_ms,
                                uint64_t generation);
/* Frees every lock and claim without a word to the ledger. */
void lock_free_all(struct state *s);

#endif
