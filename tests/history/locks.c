/* locks.c - grants and sequencers. Generations of grants of one lock rise with time, but for
 * those who share it and were let in together. A sequencer that is said to be valid was given
 * out, was not given back before, and no newer one was that excludes it; one that is said not
 * to be is not one that was given back later. */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "libcoord/base/check.h"
#include "tests/history/facts.h"
#include "tests/history/judge.h"

struct grant {
    const char *path;
    uint64_t generation;
    bool exclusive;
    const struct history_call *call;
    const struct history_call *release; /* that succeeded; NULL: none did */
};

struct locks {
    struct history_report *report;
    struct grant *grants; /* owned; by path, then generation */
    size_t count;
    bool *perhaps; /* owned; by string number of the path: an acquire of unknown outcome */
    bool *forced;  /* likewise: somebody used force, which the library answers on its own */
};

static int by_generation(const void *left, const void *right)
{
    const struct grant *a = left, *b = right;
    uint32_t x = history_number(a->path), y = history_number(b->path);
    if (x != y)
        return x < y ? -1 : 1;
    if (a->generation != b->generation)
        return a->generation < b->generation ? -1 : 1;
    return a->call < b->call ? -1 : a->call > b->call;
}

static bool is_acquire(const struct history_call *c)
{
    return c->ask.op == HISTORY_ACQUIRE || c->ask.op == HISTORY_TRY;
}

/* The first of this path that is not below `generation`. */
static size_t find(const struct locks *l, const char *path, uint64_t generation)
{
    size_t low = 0, high = l->count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        const struct grant *g = &l->grants[middle];
        uint32_t x = history_number(g->path), y = history_number(path);
        if (x < y || (x == y && g->generation < generation))
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

static bool is_of(const struct locks *l, size_t at, const char *path)
{
    return at < l->count && l->grants[at].path == path;
}

static void gather(struct locks *l, const struct history *h)
{
    for (size_t i = 0; i < h->calls_count; i++) {
        const struct history_call *c = &h->calls[i];
        enum history_outcome outcome = history_outcome(c);
        if (c->ask.op == HISTORY_FORCE)
            l->forced[history_number(c->ask.path)] = true;
        if (!is_acquire(c))
            continue;
        if (outcome == HISTORY_UNKNOWN)
            l->perhaps[history_number(c->ask.path)] = true;
        if (outcome == HISTORY_DONE && c->told.grant != 0)
            l->grants[l->count++] =
                (struct grant){c->ask.path, c->told.grant, c->ask.exclusive, c, NULL};
    }
    if (l->count > 0)
        qsort(l->grants, l->count, sizeof(l->grants[0]), by_generation);
    for (size_t i = 0; i < h->calls_count; i++) {
        const struct history_call *c = &h->calls[i];
        if (c->ask.op != HISTORY_RELEASE || history_outcome(c) != HISTORY_DONE)
            continue;
        /* One of them: a client may share with itself, by several handles. */
        size_t at = find(l, c->ask.path, c->ask.generation);
        while (is_of(l, at, c->ask.path) && l->grants[at].generation == c->ask.generation &&
               (l->grants[at].call->client != c->client || l->grants[at].release != NULL))
            at++;
        if (is_of(l, at, c->ask.path) && l->grants[at].generation == c->ask.generation)
            l->grants[at].release = c;
    }
}

/* In the order of generations, none was granted wholly before one with a lower generation. */
static void check_rising(struct locks *l)
{
    char name[HISTORY_NAME_BYTES], other[HISTORY_NAME_BYTES];
    const struct grant *late = NULL; /* of those so far the one that was asked for the latest */
    for (size_t i = 0; i < l->count; i++) {
        const struct grant *g = &l->grants[i];
        l->report->judged[HISTORY_BY_LOCKS]++;
        if (i == 0 || l->grants[i - 1].path != g->path) {
            late = g;
            continue;
        }
        const struct grant *last = &l->grants[i - 1];
        if (last->generation == g->generation && (last->exclusive || g->exclusive))
            history_anomaly(l->report, HISTORY_BY_LOCKS,
                            "%s and %s were both granted generation %" PRIu64,
                            history_call_name(last->call, name), history_call_name(g->call, other),
                            g->generation);
        if (g->call->returned_ns < late->call->invoked_ns)
            history_anomaly(l->report, HISTORY_BY_LOCKS,
                            "%s was granted generation %" PRIu64
                            ", and %s, which was made later, only %" PRIu64,
                            history_call_name(g->call, name), g->generation,
                            history_call_name(late->call, other), late->generation);
        if (g->call->invoked_ns > late->call->invoked_ns)
            late = g;
    }
}

/* By the time that the call was made, or before the entry that it was answered in. */
static bool was_given_back(const struct grant *g, const struct history_call *c)
{
    const struct history_call *given = g->release;
    return given != NULL && (given->returned_ns < c->invoked_ns ||
                             (c->told.revision != 0 && given->told.revision != 0 &&
                              given->told.revision <= c->told.revision));
}

/* The sequencer was said to be valid, or allowed a write, in this call. */
static void check_valid(struct locks *l, const struct history_call *c,
                        const struct history_guard *s)
{
    char name[HISTORY_NAME_BYTES], other[HISTORY_NAME_BYTES];
    size_t at = find(l, s->path, s->generation);
    const struct grant *own = NULL; /* of those who share it one who has it still */
    l->report->judged[HISTORY_BY_LOCKS]++;
    history_call_name(c, name);
    for (; is_of(l, at, s->path) && l->grants[at].generation == s->generation; at++)
        if (l->grants[at].exclusive == s->exclusive && (own == NULL || was_given_back(own, c)))
            own = &l->grants[at];
    if (own == NULL) {
        if (!l->perhaps[history_number(s->path)])
            history_anomaly(l->report, HISTORY_BY_LOCKS,
                            "%s: the sequencer %" PRIu64 " of %.80s counts, which nobody was given",
                            name, s->generation, s->path);
        return;
    }
    /* Another may share it who was never told. */
    bool alone = s->exclusive || !l->perhaps[history_number(s->path)];
    if (alone && was_given_back(own, c))
        history_anomaly(l->report, HISTORY_BY_LOCKS,
                        "%s: the sequencer %" PRIu64 " of %.80s counts, which %s gave back", name,
                        s->generation, s->path, history_call_name(own->release, other));
    for (; is_of(l, at, s->path); at++) {
        const struct grant *newer = &l->grants[at];
        bool before = newer->call->returned_ns < c->invoked_ns;
        bool shown = c->told.revision != 0 && newer->generation <= c->told.revision;
        if ((!before && !shown) || (!newer->exclusive && !s->exclusive))
            continue;
        history_anomaly(l->report, HISTORY_BY_LOCKS,
                        "%s: the sequencer %" PRIu64 " of %.80s counts, though %" PRIu64
                        " was granted by then to %s",
                        name, s->generation, s->path, newer->generation,
                        history_call_name(newer->call, other));
        return;
    }
}

/* It was said not to be valid: but whoever could give it back later had held it all along. */
static void check_stale(struct locks *l, const struct history_call *c)
{
    char name[HISTORY_NAME_BYTES];
    const struct history_ask *a = &c->ask;
    size_t at = find(l, a->path, a->generation);
    l->report->judged[HISTORY_BY_LOCKS]++;
    if (!is_of(l, at, a->path) || l->grants[at].generation != a->generation)
        return;
    const struct grant *g = &l->grants[at];
    if (g->release == NULL || g->release->invoked_ns <= c->returned_ns ||
        g->call->returned_ns >= c->invoked_ns || g->exclusive != a->exclusive ||
        l->forced[history_number(a->path)])
        return;
    history_anomaly(l->report, HISTORY_BY_LOCKS,
                    "%s: the sequencer %" PRIu64
                    " of %.80s is called stale, which was held until later",
                    history_call_name(c, name), a->generation, a->path);
}

static void check_call(struct locks *l, const struct history_call *c)
{
    enum history_outcome outcome = history_outcome(c);
    uint32_t count;
    const struct history_ask *parts = history_parts(c, &count);
    if (c->freshness == HISTORY_STALE)
        return;
    if (c->ask.op == HISTORY_CHECK && c->error == ERR_STALE_SEQUENCER)
        check_stale(l, c);
    if (outcome != HISTORY_DONE)
        return;
    for (uint32_t i = 0; i < count; i++) {
        if (parts[i].op == HISTORY_CHECK)
            check_valid(
                l, c,
                &(struct history_guard){parts[i].path, parts[i].generation, parts[i].exclusive});
        if (parts[i].guard.generation != 0)
            check_valid(l, c, &parts[i].guard);
    }
}

void history_locks(const struct history *h, struct history_report *r)
{
    struct locks l = {.report = r};
    l.grants = check_calloc(h->calls_count + 1, sizeof(l.grants[0]));
    l.perhaps = check_calloc(history_strings_count(h) + 1, sizeof(l.perhaps[0]));
    l.forced = check_calloc(history_strings_count(h) + 1, sizeof(l.forced[0]));
    gather(&l, h);
    check_rising(&l);
    for (size_t i = 0; i < h->calls_count; i++)
        check_call(&l, &h->calls[i]);
    free(l.grants);
    free(l.perhaps);
    free(l.forced);
}
