/* facts.h - what calls changed of nodes' contents: for the checkers that rest on revisions.
 *
 * A fact is a change of one path by one call, in the order of parts. `revision` is that of
 * the change as an answer told it; 0: it is not known, or it is not known whether it
 * happened. Pure: no answer is judged here. */
#ifndef TESTS_HISTORY_FACTS_H
#define TESTS_HISTORY_FACTS_H

#include "tests/history/history.h"

enum fact_kind {
    FACT_PUT,    /* of a node that is there */
    FACT_MAKE,   /* of one that is there or is made by it */
    FACT_CREATE, /* of one that is not there */
    FACT_DELETE,
};

struct fact {
    enum fact_kind kind;
    bool done;    /* it happened, whenever it was */
    bool implied; /* the end of an ephemeral node: no call asked for it */
    bool alone;   /* the only change that its call made to this path */
    const char *path;
    const char *value; /* of all but FACT_DELETE */
    uint64_t revision;
    uint64_t condition; /* on the generation of the content before; 0: none */
    uint64_t found;     /* by a checker: the revision of one whose own is not known; 0: not yet */
    size_t order;       /* its place in the list */
    const struct history_call *call;
};

struct facts {
    struct fact *list; /* owned; by path, and then by revision, and then as they were made */
    size_t count, capacity;
    size_t *first;    /* owned; of the path with each string number; one more at the end */
    bool *on_the_way; /* owned; by string number: a call may make it for one below */
    size_t strings;
};

void facts_init(struct facts *f, const struct history *h);
void facts_release(struct facts *f);
/* Those of a path. */
struct fact *facts_of(const struct facts *f, const char *path, size_t *ret_count);
/* The first of this path and revision; NULL: none is known. */
struct fact *facts_find(const struct facts *f, const char *path, uint64_t revision);

/* The parts of a call: those of a transaction, or what it asks alone. */
const struct history_ask *history_parts(const struct history_call *c, uint32_t *ret_count);
/* Where an ask of a call is about: of a sequential create the name that it was given; NULL: not
 * known. */
const char *history_place(const struct history_call *c, const struct history_ask *a);

#endif
