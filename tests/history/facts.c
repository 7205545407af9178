/* facts.c - see facts.h. */
#include "tests/history/facts.h"

#include <stdlib.h>
#include <string.h>

#include "libcoord/base/check.h"

const struct history_ask *history_parts(const struct history_call *c, uint32_t *ret_count)
{
    bool several = c->ask.op == HISTORY_TRANSACTION;
    *ret_count = several ? c->parts_count : 1;
    return several ? c->parts : &c->ask;
}

const char *history_place(const struct history_call *c, const struct history_ask *a)
{
    return a->sequential ? c->told.path : a->path;
}

static void add(struct facts *f, const struct fact *fact)
{
    if (f->count == f->capacity) {
        f->capacity = f->capacity == 0 ? 256 : 2 * f->capacity;
        f->list = check_realloc(f->list, f->capacity * sizeof(f->list[0]));
    }
    f->list[f->count++] = *fact;
}

/* The revision of a change is the generation that it gave. */
static uint64_t revision_of(const struct history_call *c)
{
    if (history_outcome(c) != HISTORY_DONE)
        return 0;
    if (c->ask.op == HISTORY_ACQUIRE || c->ask.op == HISTORY_TRY)
        return c->told.grant;
    if (c->told.revision != 0)
        return c->told.revision;
    return c->ask.op == HISTORY_DELETE || c->ask.op == HISTORY_RELEASE ? 0
                                                                       : c->told.content_generation;
}

/* False: it changes no content. */
static bool kind_of(const struct history_ask *a, enum fact_kind *ret)
{
    switch (a->op) {
    case HISTORY_PUT:
        *ret = a->makes ? FACT_MAKE : FACT_PUT;
        return true;
    case HISTORY_CREATE:
        *ret = FACT_CREATE;
        return true;
    case HISTORY_DELETE:
        *ret = FACT_DELETE;
        return true;
    case HISTORY_ACQUIRE:
    case HISTORY_TRY:
        *ret = FACT_PUT;
        return a->value != NULL;
    case HISTORY_RELEASE:
        *ret = FACT_PUT;
        return a->clears;
    default:
        return false;
    }
}

static void add_call(struct facts *f, const struct history_call *c, const char *empty)
{
    enum history_outcome outcome = history_outcome(c);
    if (outcome != HISTORY_DONE && outcome != HISTORY_UNKNOWN)
        return;
    uint32_t count;
    const struct history_ask *parts = history_parts(c, &count);
    for (uint32_t i = 0; i < count; i++) {
        const struct history_ask *a = &parts[i];
        const char *path = history_place(c, a);
        struct fact fact = {.done = outcome == HISTORY_DONE,
                            .alone = true,
                            .path = path,
                            .value = a->value == NULL ? empty : a->value,
                            .revision = revision_of(c),
                            .condition = a->generation,
                            .call = c};
        if (path == NULL || !kind_of(a, &fact.kind))
            continue;
        bool lock = a->op == HISTORY_ACQUIRE || a->op == HISTORY_TRY || a->op == HISTORY_RELEASE;
        if (lock)
            fact.condition = 0;
        for (uint32_t k = 0; k < count; k++)
            fact.alone &= k == i || history_place(c, &parts[k]) != path;
        add(f, &fact);
        if (!a->ephemeral)
            continue;
        fact.kind = FACT_DELETE;
        fact.implied = true;
        fact.done = false;
        fact.revision = fact.condition = 0;
        add(f, &fact);
    }
}

static int compare(const void *left, const void *right)
{
    const struct fact *a = left, *b = right;
    uint32_t x = history_number(a->path), y = history_number(b->path);
    if (x != y)
        return x < y ? -1 : 1;
    if (a->revision != b->revision)
        return a->revision < b->revision ? -1 : 1;
    /* A leader's release and the grant to the next are one. */
    bool p = a->call->ask.op == HISTORY_RELEASE, q = b->call->ask.op == HISTORY_RELEASE;
    if (p != q)
        return p ? -1 : 1;
    return a->order < b->order ? -1 : a->order > b->order;
}

static void sort(struct facts *f)
{
    for (size_t i = 0; i < f->count; i++)
        f->list[i].order = i;
    if (f->count > 0)
        qsort(f->list, f->count, sizeof(f->list[0]), compare);
    for (size_t i = 0; i < f->count; i++)
        f->list[i].order = i;
    f->first = check_calloc(f->strings + 1, sizeof(f->first[0]));
    size_t at = 0;
    for (size_t number = 0; number <= f->strings; number++) {
        while (at < f->count && history_number(f->list[at].path) < number)
            at++;
        f->first[number] = at;
    }
}

static void mark_ancestors(struct facts *f, const struct history *h, const char *path)
{
    char text[HISTORY_PATH_BYTES + 1];
    size_t length = strlen(path);
    if (length > HISTORY_PATH_BYTES)
        return;
    memcpy(text, path, length + 1);
    for (char *slash; (slash = strrchr(text, '/')) != NULL && slash != text;) {
        *slash = '\0';
        const char *known = history_known(h, text);
        if (known != NULL)
            f->on_the_way[history_number(known)] = true;
    }
}

void facts_init(struct facts *f, const struct history *h)
{
    memset(f, 0, sizeof(*f));
    const char *empty = history_known(h, "");
    f->strings = history_strings_count(h);
    f->on_the_way = check_calloc(f->strings + 1, sizeof(f->on_the_way[0]));
    for (size_t i = 0; i < h->calls_count; i++) {
        uint32_t count;
        const struct history_ask *parts = history_parts(&h->calls[i], &count);
        for (uint32_t k = 0; k < count; k++)
            if (parts[k].parents && parts[k].path != NULL)
                mark_ancestors(f, h, parts[k].path);
        add_call(f, &h->calls[i], empty == NULL ? "" : empty);
    }
    sort(f);
}

void facts_release(struct facts *f)
{
    free(f->list);
    free(f->first);
    free(f->on_the_way);
}

struct fact *facts_of(const struct facts *f, const char *path, size_t *ret_count)
{
    uint32_t number = history_number(path);
    *ret_count = f->first[number + 1] - f->first[number];
    return f->list + f->first[number];
}

struct fact *facts_find(const struct facts *f, const char *path, uint64_t revision)
{
    size_t count;
    struct fact *list = facts_of(f, path, &count);
    size_t low = 0, high = count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (list[middle].revision < revision)
            low = middle + 1;
        else
            high = middle;
    }
    return low < count && list[low].revision == revision ? &list[low] : NULL;
}
