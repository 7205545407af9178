/* search_writers.h - of the operations on a node: what each wrote, and which was answered in
 * what another wrote. */
#ifndef TESTS_HISTORY_SEARCH_WRITERS_H
#define TESTS_HISTORY_SEARCH_WRITERS_H

#include "tests/history/search.h"

/* search_op.what */
enum search_node_what {
    SEARCH_NODE_CALL,
    SEARCH_NODE_SESSION_ENDS, /* of who made it, if it is ephemeral */
};

/* What a search is about; strings of the history. */
struct search_node {
    const char *path, *empty;
};

/* The revision of the change that a call made; 0: it is not known. */
uint64_t search_node_revision(const struct history_call *c);
/* The last part of this path that changes it; NULL: none does. */
const struct history_ask *search_node_last_write(const struct search_node *x,
                                                 const struct history_call *c);
/* Gives each its id, and the id of the one that it needs: a value that one operation wrote, or
 * else a generation that one was told, comes from it. */
void search_node_name_writers(const struct search_node *x, struct search_op *ops, size_t count);

#endif
