/* search_memo.c - see search_memo.h. */
#include "tests/history/search_memo.h"

#include <stdlib.h>

#include "libcoord/base/check.h"
#include "tests/history/judge.h"

static bool is_same(struct search_name x, struct search_name y)
{
    return x.a == y.a && x.b == y.b;
}

static bool is_free(struct search_name x)
{
    return (x.a | x.b) == 0;
}

static struct search_name *slot_of(struct search_name *slots, size_t capacity,
                                   struct search_name name)
{
    size_t at = name.a & (capacity - 1);
    while (!is_free(slots[at]) && !is_same(slots[at], name))
        at = (at + 1) & (capacity - 1);
    return &slots[at];
}

static void grow(struct search_memo *m)
{
    size_t capacity = m->capacity == 0 ? 256 : 2 * m->capacity;
    struct search_name *slots = check_calloc(capacity, sizeof(slots[0]));
    for (size_t i = 0; i < m->capacity; i++)
        if (!is_free(m->slots[i]))
            *slot_of(slots, capacity, m->slots[i]) = m->slots[i];
    free(m->slots);
    m->slots = slots;
    m->capacity = capacity;
}

enum search_memo_result search_memo_add(struct search_memo *m, struct search_name name)
{
    if (2 * (m->count + 1) > m->capacity)
        grow(m);
    struct search_name *slot = slot_of(m->slots, m->capacity, name);
    if (is_same(*slot, name))
        return SEARCH_MEMO_KNOWN;
    if (m->count == HISTORY_SEARCH_MEMO_MAX)
        return SEARCH_MEMO_FULL;
    *slot = name;
    m->count++;
    return SEARCH_MEMO_NEW;
}

void search_memo_release(struct search_memo *m)
{
    free(m->slots);
}
