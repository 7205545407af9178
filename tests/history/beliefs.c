/* beliefs.c - while somebody believes that it holds a lock nobody else does, one of them
 * exclusively.
 *
 * A belief ends before it said it would when its holder gave the lock away: by a release,
 * by deleting the node, by closing the session. One that was lost by force ended at some
 * time after somebody asked for that, when the holder's library let go; when is not
 * recorded, so it counts until it was asked for. */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "libcoord/base/check.h"
#include "tests/history/facts.h"
#include "tests/history/judge.h"

/* What can end a belief, to be found by what it names. */
struct ending {
    enum { OF_GRANT, OF_PATH, OF_SESSION } kind;
    uint64_t what, generation; /* string number of the path, or the session; generation: OF_GRANT */
    const struct history_call *call;
};

struct endings {
    struct ending *list; /* owned; sorted */
    size_t count, capacity;
    const struct history_call **grants; /* owned; by generation */
    size_t grants_count;
};

static void add(struct endings *e, const struct ending *ending)
{
    if (e->count == e->capacity) {
        e->capacity = e->capacity == 0 ? 64 : 2 * e->capacity;
        e->list = check_realloc(e->list, e->capacity * sizeof(e->list[0]));
    }
    e->list[e->count++] = *ending;
}

static int by_what(const void *left, const void *right)
{
    const struct ending *a = left, *b = right;
    if (a->kind != b->kind)
        return a->kind < b->kind ? -1 : 1;
    if (a->what != b->what)
        return a->what < b->what ? -1 : 1;
    return a->generation < b->generation ? -1 : a->generation > b->generation;
}

static int by_grant(const void *left, const void *right)
{
    const struct history_call *a = *(const struct history_call *const *)left;
    const struct history_call *b = *(const struct history_call *const *)right;
    return a->told.grant < b->told.grant ? -1 : a->told.grant > b->told.grant;
}

static void gather_call(struct endings *e, const struct history_call *c)
{
    uint32_t count;
    const struct history_ask *parts = history_parts(c, &count);
    if (c->ask.op == HISTORY_KILL || c->ask.op == HISTORY_CLOSE)
        add(e, &(struct ending){OF_SESSION, c->session, 0, c});
    for (uint32_t i = 0; i < count; i++) {
        const struct history_ask *a = &parts[i];
        uint64_t path = a->path == NULL ? 0 : history_number(a->path);
        if (a->path != NULL && a->op == HISTORY_RELEASE)
            add(e, &(struct ending){OF_GRANT, path, a->generation, c});
        else if (a->path != NULL && (a->op == HISTORY_DELETE || a->op == HISTORY_FORCE))
            add(e, &(struct ending){OF_PATH, path, 0, c});
    }
    if (c->told.grant != 0)
        e->grants[e->grants_count++] = c;
}

static void gather(struct endings *e, const struct history *h)
{
    e->grants = check_calloc(h->calls_count + 1, sizeof(e->grants[0]));
    for (size_t i = 0; i < h->calls_count; i++)
        gather_call(e, &h->calls[i]);
    qsort(e->grants, e->grants_count, sizeof(e->grants[0]), by_grant);
    if (e->count > 0)
        qsort(e->list, e->count, sizeof(e->list[0]), by_what);
}

/* The first that is not before `wanted`. */
static const struct ending *first_of(const struct endings *e, const struct ending *wanted)
{
    size_t low = 0, high = e->count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (by_what(&e->list[middle], wanted) < 0)
            low = middle + 1;
        else
            high = middle;
    }
    return e->list + low;
}

static const struct history_call *grant_of(const struct endings *e, const struct history_belief *b)
{
    size_t low = 0, high = e->grants_count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (e->grants[middle]->told.grant < b->generation)
            low = middle + 1;
        else
            high = middle;
    }
    for (; low < e->grants_count && e->grants[low]->told.grant == b->generation; low++)
        if (e->grants[low]->client == b->client && e->grants[low]->ask.path == b->path)
            return e->grants[low];
    return NULL;
}

static void cut(struct history_belief *b, int64_t at_ns)
{
    if (at_ns < b->until_ns)
        b->until_ns = at_ns;
}

/* False: it was not lost by force. */
static bool cut_by_loss(const struct history *h, struct history_belief *b)
{
    bool lost = false;
    for (size_t k = 0; k < h->losses_count; k++)
        if (h->losses[k].client == b->client && h->losses[k].path == b->path &&
            h->losses[k].generation == b->generation) {
            cut(b, h->losses[k].at_ns);
            lost = true;
        }
    return lost;
}

static void shorten(const struct history *h, const struct endings *e, struct history_belief *b)
{
    const struct history_call *grant = grant_of(e, b);
    int64_t granted_ns = grant == NULL ? b->from_ns : grant->invoked_ns;
    bool lost = cut_by_loss(h, b);
    const struct ending wanted[] = {
        {OF_GRANT, history_number(b->path), b->generation, NULL},
        {OF_PATH, history_number(b->path), 0, NULL},
        {OF_SESSION, grant == NULL ? 0 : grant->session, 0, NULL},
    };
    for (int i = 0; i < 3; i++) {
        const struct ending *at = first_of(e, &wanted[i]);
        for (; at < e->list + e->count && by_what(at, &wanted[i]) == 0; at++) {
            const struct history_call *c = at->call;
            bool own = c->client == b->client;
            bool force = c->ask.op == HISTORY_FORCE && lost;
            bool session = at->kind == OF_SESSION && at->what != 0;
            if (c->returned_ns >= granted_ns && (own || force || session))
                cut(b, c->invoked_ns);
        }
    }
}

static int by_holder(const void *left, const void *right)
{
    const struct history_belief *a = left, *b = right;
    uint32_t x = history_number(a->path), y = history_number(b->path);
    if (x != y)
        return x < y ? -1 : 1;
    if (a->generation != b->generation)
        return a->generation < b->generation ? -1 : 1;
    return a->client < b->client ? -1 : a->client > b->client;
}

/* One for each grant. What lies between two beliefs in one grant counts, too: who believes
 * in it again has held it all along. Returns how many are left. */
static size_t unite(struct history_belief *list, size_t count)
{
    size_t kept = 0;
    qsort(list, count, sizeof(list[0]), by_holder);
    for (size_t i = 0; i < count; i++) {
        struct history_belief *last = kept == 0 ? NULL : &list[kept - 1];
        if (list[i].until_ns <= list[i].from_ns)
            continue;
        if (last == NULL || by_holder(last, &list[i]) != 0) {
            list[kept++] = list[i];
            continue;
        }
        if (list[i].from_ns < last->from_ns)
            last->from_ns = list[i].from_ns;
        if (list[i].until_ns > last->until_ns)
            last->until_ns = list[i].until_ns;
    }
    return kept;
}

static int by_start(const void *left, const void *right)
{
    const struct history_belief *a = left, *b = right;
    uint32_t x = history_number(a->path), y = history_number(b->path);
    if (x != y)
        return x < y ? -1 : 1;
    if (a->from_ns != b->from_ns)
        return a->from_ns < b->from_ns ? -1 : 1;
    return a->generation < b->generation ? -1 : a->generation > b->generation;
}

static void tell(struct history_report *r, const struct history_belief *a,
                 const struct history_belief *b)
{
    history_anomaly(
        r, HISTORY_BY_BELIEFS,
        "%.100s: client %" PRIu32 " believes in generation %" PRIu64 " (%s) until %" PRId64
        ", client %" PRIu32 " in %" PRIu64 " (%s) from %" PRId64 " on",
        a->path, a->client, a->generation, a->exclusive ? "exclusive" : "shared", a->until_ns,
        b->client, b->generation, b->exclusive ? "exclusive" : "shared", b->from_ns);
}

/* Those that may still go on stand in `open`. They are few: as many as hold it together. */
static void sweep(struct history_report *r, struct history_belief *list, size_t count)
{
    struct history_belief **open = check_calloc(count + 1, sizeof(*open));
    size_t open_count = 0;
    for (size_t i = 0; i < count; i++) {
        struct history_belief *b = &list[i];
        size_t kept = 0;
        if (b->until_ns <= b->from_ns)
            continue;
        r->judged[HISTORY_BY_BELIEFS]++;
        for (size_t k = 0; k < open_count; k++) {
            if (open[k]->path != b->path || open[k]->until_ns <= b->from_ns)
                continue;
            if (open[k]->exclusive || b->exclusive)
                tell(r, open[k], b);
            open[kept++] = open[k];
        }
        open[kept] = b;
        open_count = kept + 1;
    }
    free(open);
}

void history_beliefs(const struct history *h, struct history_report *r)
{
    struct endings e = {0};
    if (h->beliefs_count == 0)
        return;
    gather(&e, h);
    struct history_belief *list = check_calloc(h->beliefs_count, sizeof(list[0]));
    memcpy(list, h->beliefs, h->beliefs_count * sizeof(list[0]));
    size_t count = unite(list, h->beliefs_count);
    for (size_t i = 0; i < count; i++)
        shorten(h, &e, &list[i]);
    qsort(list, count, sizeof(list[0]), by_start);
    sweep(r, list, count);
    free(list);
    free(e.list);
    free(e.grants);
}
