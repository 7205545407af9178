/* search_lock.c - a node's lock as an object to search an order for.
 *
 * Who holds it is known by generation. A grant whose release succeeded was held until then,
 * if nobody used force, which the library answers on its own; any other may have ended at
 * any time since. What is refused to a try is not judged (it may be delayed, or somebody may
 * wait), nor what acquires of unknown outcome did: they only let others in later. */
#include <stdlib.h>
#include <string.h>

#include "libcoord/base/check.h"
#include "tests/history/facts.h"
#include "tests/history/search_paths.h"

enum what {
    WHAT_GRANT,
    WHAT_RELEASE,
    WHAT_END, /* by itself */
    WHAT_VALID,
    WHAT_STALE,
};

struct grant {
    uint32_t path;
    uint64_t generation;
    const struct history_call *call;
    const struct history_call *release; /* that succeeded */
};

/* Indexes of grants + 1, rising. */
struct holders {
    uint32_t count, list[HISTORY_SEARCH_HOLDERS_MAX];
};
_Static_assert(sizeof(struct holders) <= SEARCH_STATE_BYTES, "the state has room for it");

struct locks {
    const struct history *history;
    struct grant *grants; /* owned; by path, then generation */
    size_t grants_count;
    struct search_paths paths;
    bool *forced;  /* owned; by string number of the path: somebody used force */
    bool *perhaps; /* likewise: an acquire of unknown outcome */
    bool crowded;  /* more hold it than there is room for */
};

static const struct grant *grant_of(const struct locks *l, const struct search_op *op)
{
    return &l->grants[(size_t)((const struct grant *)op->detail - l->grants)];
}

/* ---- the lock ---- */

static bool is_exclusive(const struct locks *l, uint32_t holder)
{
    return l->grants[holder - 1].call->ask.exclusive;
}

/* Of those who share a generation any will do. */
static bool holds(const struct locks *l, const struct holders *h, const struct grant *g)
{
    for (uint32_t i = 0; i < h->count; i++) {
        const struct grant *other = &l->grants[h->list[i] - 1];
        if (other->generation == g->generation &&
            other->call->ask.exclusive == g->call->ask.exclusive)
            return true;
    }
    return false;
}

static bool join(struct locks *l, struct holders *h, const struct grant *g)
{
    uint32_t holder = (uint32_t)(g - l->grants) + 1, at = h->count;
    if (h->count > 0 && (g->call->ask.exclusive || is_exclusive(l, h->list[0])))
        return false;
    if (h->count == HISTORY_SEARCH_HOLDERS_MAX) {
        l->crowded = true;
        return false;
    }
    for (; at > 0 && h->list[at - 1] > holder; at--)
        h->list[at] = h->list[at - 1];
    h->list[at] = holder;
    h->count++;
    return true;
}

static bool leave(const struct locks *l, struct holders *h, const struct grant *g)
{
    uint32_t holder = (uint32_t)(g - l->grants) + 1, at = 0;
    while (at < h->count && h->list[at] != holder)
        at++;
    if (at == h->count)
        return false;
    for (h->count--; at < h->count; at++)
        h->list[at] = h->list[at + 1];
    h->list[h->count] = 0;
    return true;
}

static bool step(const void *context, const struct search_op *op, const struct search_state *from,
                 struct search_state *ret)
{
    struct locks *l = (struct locks *)(uintptr_t)context;
    const struct grant *g = grant_of(l, op);
    struct holders h;
    bool fits = false;
    memcpy(&h, from->bytes, sizeof(h));
    switch (op->what) {
    case WHAT_GRANT:
        fits = join(l, &h, g);
        break;
    case WHAT_RELEASE:
    case WHAT_END:
        fits = leave(l, &h, g);
        break;
    case WHAT_VALID:
        fits = holds(l, &h, g);
        break;
    default:
        fits = !holds(l, &h, g);
        break;
    }
    if (fits) {
        memset(ret, 0, sizeof(*ret));
        memcpy(ret->bytes, &h, sizeof(h));
    }
    return fits;
}

/* ---- which calls there are ---- */

static int by_generation(const void *left, const void *right)
{
    const struct grant *a = left, *b = right;
    if (a->path != b->path)
        return a->path < b->path ? -1 : 1;
    if (a->generation != b->generation)
        return a->generation < b->generation ? -1 : 1;
    return a->call < b->call ? -1 : a->call > b->call;
}

/* The first of this path and generation, or behind where it would be. */
static size_t find(const struct locks *l, const char *path, uint64_t generation)
{
    size_t low = 0, high = l->grants_count;
    const struct grant wanted = {history_number(path), generation, NULL, NULL};
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (by_generation(&l->grants[middle], &wanted) < 0)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

static bool is_of(const struct locks *l, size_t at, const char *path, uint64_t generation)
{
    return at < l->grants_count && l->grants[at].path == history_number(path) &&
           l->grants[at].generation == generation;
}

static void gather_grants(struct locks *l)
{
    const struct history *h = l->history;
    for (size_t i = 0; i < h->calls_count; i++) {
        const struct history_call *c = &h->calls[i];
        if (c->told.grant != 0 && history_outcome(c) == HISTORY_DONE)
            l->grants[l->grants_count++] =
                (struct grant){history_number(c->ask.path), c->told.grant, c, NULL};
        if ((c->ask.op == HISTORY_ACQUIRE || c->ask.op == HISTORY_TRY) &&
            history_outcome(c) == HISTORY_UNKNOWN)
            l->perhaps[history_number(c->ask.path)] = true;
    }
    if (l->grants_count > 0)
        qsort(l->grants, l->grants_count, sizeof(l->grants[0]), by_generation);
    for (size_t i = 0; i < h->calls_count; i++) {
        const struct history_call *c = &h->calls[i];
        uint32_t count;
        const struct history_ask *parts = history_parts(c, &count);
        for (uint32_t k = 0; k < count; k++)
            if (parts[k].path != NULL && parts[k].op == HISTORY_FORCE)
                l->forced[history_number(parts[k].path)] = true;
        if (c->ask.op != HISTORY_RELEASE || history_outcome(c) != HISTORY_DONE)
            continue;
        /* One of them: a client may share with itself, by several handles. */
        size_t at = find(l, c->ask.path, c->ask.generation);
        while (is_of(l, at, c->ask.path, c->ask.generation) &&
               (l->grants[at].call->client != c->client || l->grants[at].release != NULL))
            at++;
        if (is_of(l, at, c->ask.path, c->ask.generation))
            l->grants[at].release = c;
    }
}

static void add(struct locks *l, const struct grant *g, const struct history_call *c,
                enum what what, int64_t returned_ns)
{
    bool reads = what == WHAT_VALID || what == WHAT_STALE;
    search_paths_add(&l->paths, g->path,
                     &(struct search_op){c->invoked_ns, returned_ns, c, reads, what, 0, 0, g});
}

static void add_check(struct locks *l, const struct history_call *c, const struct history_guard *s,
                      enum what what)
{
    size_t at = find(l, s->path, s->generation);
    /* Of a grant that nobody was told of locks.c judges; and another may share one who was
     * never told. */
    if (what == WHAT_VALID && !s->exclusive && l->perhaps[history_number(s->path)])
        return;
    for (; is_of(l, at, s->path, s->generation); at++)
        if (l->grants[at].call->ask.exclusive == s->exclusive) {
            add(l, &l->grants[at], c, what, c->returned_ns);
            return;
        }
}

static void add_call(struct locks *l, const struct history_call *c)
{
    enum history_outcome outcome = history_outcome(c);
    uint32_t count;
    const struct history_ask *parts = history_parts(c, &count);
    bool stale = outcome == HISTORY_REFUSED && c->error == ERR_STALE_SEQUENCER;
    if (c->freshness == HISTORY_STALE || (outcome != HISTORY_DONE && !stale))
        return;
    for (uint32_t i = 0; i < count; i++) {
        const struct history_ask *a = &parts[i];
        if (stale && c->ask.op == HISTORY_TRANSACTION && c->told.failed != i + 1)
            continue;
        enum what what = stale ? WHAT_STALE : WHAT_VALID;
        if (a->op == HISTORY_CHECK)
            add_check(l, c, &(struct history_guard){a->path, a->generation, a->exclusive}, what);
        else if (a->guard.generation != 0)
            add_check(l, c, &a->guard, what);
    }
}

static void gather(struct locks *l)
{
    gather_grants(l);
    for (size_t i = 0; i < l->grants_count; i++) {
        const struct grant *g = &l->grants[i];
        add(l, g, g->call, WHAT_GRANT, g->call->returned_ns);
        if (g->release == NULL || l->forced[g->path])
            add(l, g, g->call, WHAT_END, HISTORY_NEVER);
        if (g->release != NULL)
            add(l, g, g->release, WHAT_RELEASE,
                l->forced[g->path] ? HISTORY_NEVER : g->release->returned_ns);
    }
    for (size_t i = 0; i < l->history->calls_count; i++)
        add_call(l, &l->history->calls[i]);
    search_paths_sort(&l->paths);
}

void search_locks(const struct history *h, struct history_report *r)
{
    struct locks l = {.history = h};
    l.grants = check_calloc(h->calls_count + 1, sizeof(l.grants[0]));
    l.forced = check_calloc(history_strings_count(h) + 1, sizeof(l.forced[0]));
    l.perhaps = check_calloc(history_strings_count(h) + 1, sizeof(l.perhaps[0]));
    gather(&l);
    struct search_object object = {&l, step, NULL, {{0}}, &l.crowded};
    for (size_t i = 0, count; i < l.paths.count; i += count) {
        const struct grant *g = l.paths.list[i].op.detail;
        count = search_paths_take(&l.paths, i);
        l.crowded = false;
        search_judge(r, &object, l.paths.ops, count, g->call->ask.path, " (lock)");
    }
    search_paths_release(&l.paths);
    free(l.grants);
    free(l.forced);
    free(l.perhaps);
}
