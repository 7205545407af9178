/* search_memo.h - which pairs of set and state a search has been at: a set of 128-bit names. */
#ifndef TESTS_HISTORY_SEARCH_MEMO_H
#define TESTS_HISTORY_SEARCH_MEMO_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Not both 0. */
struct search_name {
    uint64_t a, b;
};

struct search_memo {
    struct search_name *slots; /* owned; open addressing; {0, 0}: free */
    size_t count, capacity;
};

enum search_memo_result { SEARCH_MEMO_NEW, SEARCH_MEMO_KNOWN, SEARCH_MEMO_FULL };

/* Begins as zeros; of HISTORY_SEARCH_MEMO_MAX at the most. */
enum search_memo_result search_memo_add(struct search_memo *m, struct search_name name);
void search_memo_release(struct search_memo *m);

#endif
