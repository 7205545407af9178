/* search.h - is there an order of these operations, which agrees with their times and with
 * an object? Between search.c, which knows no object, and search_node.c, search_lock.c.
 *
 * An operation that came back must stand somewhere between its invocation and its return;
 * one of unknown outcome anywhere behind its invocation, or nowhere. */
#ifndef TESTS_HISTORY_SEARCH_H
#define TESTS_HISTORY_SEARCH_H

#include "tests/history/judge.h"

enum { SEARCH_STATE_BYTES = 72 };

/* Compared and hashed as bytes: what is not used is 0. */
struct search_state {
    _Alignas(8) uint8_t bytes[SEARCH_STATE_BYTES];
};

struct search_op {
    int64_t invoked_ns, returned_ns; /* HISTORY_NEVER: need not have happened */
    const struct history_call *call;
    bool reads;    /* it changes nothing, whatever the state; at most more is known then */
    uint32_t what; /* the object's */
    /* Its name, from 1, and that of the only one which can have left the state that it was
     * answered in; 0: there is none, or it is not known. */
    uint32_t id, needs;
    const void *detail;
};

struct search_object {
    const void *context;
    /* False: it cannot be next. */
    bool (*step)(const void *context, const struct search_op *op, const struct search_state *from,
                 struct search_state *ret);
    /* The id of who left the state; 0: nobody is known to have. May be NULL. */
    uint32_t (*writer)(const struct search_state *state);
    struct search_state start;
    const bool *crowded; /* set by step: a state had no room, so nothing is known; or NULL */
};

enum search_result { SEARCH_FOUND, SEARCH_NONE, SEARCH_GAVE_UP };

struct search_outcome {
    enum search_result result;
    uint64_t steps;
    const struct search_op
        *stuck; /* of SEARCH_NONE: it must be next, at the furthest, and cannot */
};

/* Orders `ops` anew. */
void search(const struct search_object *o, struct search_op *ops, size_t count, uint64_t steps_max,
            struct search_outcome *ret);

/* The objects: all paths of the history, and all locks. */
void search_nodes(const struct history *h, struct history_report *r);
void search_locks(const struct history *h, struct history_report *r);

#endif
