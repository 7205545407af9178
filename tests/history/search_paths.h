/* search_paths.h - what the objects of a search share: the operations on one path after the
 * other, and what is told of what was found. */
#ifndef TESTS_HISTORY_SEARCH_PATHS_H
#define TESTS_HISTORY_SEARCH_PATHS_H

#include "tests/history/search.h"

struct search_placed {
    uint32_t path; /* its string number */
    struct search_op op;
};

/* Begins as zeros. */
struct search_paths {
    struct search_placed *list; /* owned; when sorted by path, then by call */
    size_t count, capacity;
    struct search_op *ops; /* owned; those that search_paths_take gave last */
};

void search_paths_add(struct search_paths *p, uint32_t path, const struct search_op *op);
/* When all have been added. Details must be of one array, or NULL. */
void search_paths_sort(struct search_paths *p);
/* Those of the path that is at `at`; how many, which are to be passed for the next. */
size_t search_paths_take(struct search_paths *p, size_t at);
void search_paths_release(struct search_paths *p);

/* Makes the search, and tells what came of it. `what` is "" or " (lock)". */
void search_judge(struct history_report *r, const struct search_object *o, struct search_op *ops,
                  size_t count, const char *path, const char *what);

#endif
