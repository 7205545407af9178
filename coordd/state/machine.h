/* machine.h - struct state, for the modules of this folder only. */
#ifndef COORD_STATE_MACHINE_H
#define COORD_STATE_MACHINE_H

#include "coordd/state/history.h"
#include "coordd/state/journal.h"
#include "coordd/state/ledger.h"
#include "coordd/state/limits.h"
#include "coordd/state/record.h"
#include "coordd/state/state.h"
#include "libcoord/base/arena.h"
#include "libcoord/base/avl.h"

struct hand_over;
struct node;

/* The counters and limits are the META record. */
struct state {
    struct record record;
    uint8_t cell[STATE_CELL_ID_BYTES];
    uint32_t feature_level;
    uint64_t revision;        /* never falls; 1 in a new cell, whose root was just made */
    uint64_t time_ms;         /* latest of any batch */
    uint64_t leader_ballot;   /* of the last barrier */
    uint64_t sessions_opened; /* the last session's id: ids never repeat */
    uint64_t tickets_given;   /* the last ticket: places in lines never repeat */
    uint64_t suffixes_given;  /* the last number of a sequential name */
    struct limits limits;

    struct node *root; /* owned, never NULL */
    uint64_t nodes_count;
    struct avl sessions; /* of struct session, by id */
    struct avl nonces;   /* the same sessions, by nonce */
    struct avl locks;    /* of struct lock, by path in the tree's order */
    struct avl delays;   /* of struct delay, in the same order */
    struct history history;
    struct hand_over *hand_over; /* owned; NULL: none */

    struct journal journal;
    struct ledger ledger;
    struct arena arena;     /* the batch at hand, and what its output points to */
    struct buffer last_key; /* while loading */
};

static inline int compare_numbers(uint64_t a, uint64_t b)
{
    return (a > b) - (a < b);
}

#endif
