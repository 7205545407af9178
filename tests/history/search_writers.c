/* search_writers.c - see search_writers.h. */
#include "tests/history/search_writers.h"

#include <stdlib.h>

#include "libcoord/base/check.h"
#include "tests/history/facts.h"

uint64_t search_node_revision(const struct history_call *c)
{
    if (history_outcome(c) != HISTORY_DONE)
        return 0;
    if (c->told.grant != 0)
        return c->told.grant;
    return c->told.content_generation != 0 ? c->told.content_generation : c->told.revision;
}

const struct history_ask *search_node_last_write(const struct search_node *x,
                                                 const struct history_call *c)
{
    uint32_t count;
    const struct history_ask *parts = history_parts(c, &count), *last = NULL;
    for (uint32_t i = 0; i < count; i++) {
        enum history_op op = parts[i].op;
        bool lock = op == HISTORY_ACQUIRE || op == HISTORY_TRY;
        bool changes = op == HISTORY_PUT || op == HISTORY_CREATE || op == HISTORY_DELETE ||
                       (lock && parts[i].value != NULL) ||
                       (op == HISTORY_RELEASE && parts[i].clears);
        if (changes && history_place(c, &parts[i]) == x->path)
            last = &parts[i];
    }
    return last;
}

struct written {
    const char *value;
    uint64_t generation;
    uint32_t id;
};

static int by_value(const void *left, const void *right)
{
    const struct written *a = left, *b = right;
    return a->value < b->value ? -1 : a->value > b->value;
}

static int by_generation(const void *left, const void *right)
{
    const struct written *a = left, *b = right;
    return a->generation < b->generation ? -1 : a->generation > b->generation;
}

/* The only one of its kind, or 0. */
static uint32_t only(const struct written *list, size_t count, const struct written *wanted,
                     int (*compare)(const void *, const void *))
{
    size_t low = 0, high = count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (compare(&list[middle], wanted) < 0)
            low = middle + 1;
        else
            high = middle;
    }
    if (low == count || compare(&list[low], wanted) != 0)
        return 0;
    return low + 1 < count && compare(&list[low + 1], wanted) == 0 ? 0 : list[low].id;
}

static size_t list_writers(const struct search_node *x, struct search_op *ops, size_t count,
                           struct written *values, struct written *generations,
                           size_t *ret_generations)
{
    size_t written = 0, known = 0;
    for (size_t i = 0; i < count; i++) {
        const struct history_ask *last = search_node_last_write(x, ops[i].call);
        ops[i].id = (uint32_t)i + 1;
        if (ops[i].what != SEARCH_NODE_CALL || ops[i].reads || last == NULL ||
            last->op == HISTORY_DELETE)
            continue;
        struct written w = {last->value == NULL ? x->empty : last->value,
                            search_node_revision(ops[i].call), ops[i].id};
        values[written++] = w;
        /* Who is elected as a leader resigns has the same, and may never have been told. */
        if (last->op != HISTORY_RELEASE && w.generation != 0)
            generations[known++] = w;
    }
    qsort(values, written, sizeof(values[0]), by_value);
    qsort(generations, known, sizeof(generations[0]), by_generation);
    *ret_generations = known;
    return written;
}

void search_node_name_writers(const struct search_node *x, struct search_op *ops, size_t count)
{
    struct written *values = check_calloc(count + 1, sizeof(values[0]));
    struct written *generations = check_calloc(count + 1, sizeof(generations[0]));
    size_t known, written = list_writers(x, ops, count, values, generations, &known);
    for (size_t i = 0; i < count; i++) {
        const struct history_call *c = ops[i].call;
        struct written wanted = {c->told.value, 0, 0};
        bool is_read = c->ask.op == HISTORY_GET || c->ask.op == HISTORY_STAT;
        if (history_outcome(c) != HISTORY_DONE || ops[i].what != SEARCH_NODE_CALL)
            continue;
        if (is_read)
            wanted.generation = c->told.content_generation;
        else if (c->ask.op == HISTORY_PUT || c->ask.op == HISTORY_DELETE)
            wanted.generation = c->ask.generation;
        if (is_read && wanted.value != NULL && *wanted.value != '\0')
            ops[i].needs = only(values, written, &wanted, by_value);
        if (ops[i].needs == 0 && wanted.generation != 0)
            ops[i].needs = only(generations, known, &wanted, by_generation);
    }
    free(values);
    free(generations);
}
