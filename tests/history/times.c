/* times.c - see times.h. */
#include "tests/history/times.h"

#include <inttypes.h>
#include <stdlib.h>

#include "libcoord/base/check.h"

static int by_time(const void *left, const void *right)
{
    const struct shown *a = left, *b = right;
    return a->at_ns < b->at_ns ? -1 : a->at_ns > b->at_ns;
}

static bool shows_revision(const struct history_call *c)
{
    enum history_outcome outcome = history_outcome(c);
    return c->told.revision != 0 && (outcome == HISTORY_DONE || outcome == HISTORY_REFUSED);
}

/* It has a revision of its own. */
static bool is_change(const struct history_call *c)
{
    if (history_outcome(c) != HISTORY_DONE)
        return false;
    switch (c->ask.op) {
    case HISTORY_PUT:
    case HISTORY_CREATE:
    case HISTORY_DELETE:
        return true;
    case HISTORY_TRANSACTION:
        for (uint32_t i = 0; i < c->parts_count; i++)
            if (c->parts[i].op == HISTORY_PUT || c->parts[i].op == HISTORY_CREATE ||
                c->parts[i].op == HISTORY_DELETE)
                return true;
        return false;
    default:
        return false;
    }
}

void floors_init(struct floors *f, const struct history *h)
{
    f->list = check_calloc(h->calls_count + h->events_count + 1, sizeof(f->list[0]));
    f->count = 0;
    for (size_t i = 0; i < h->calls_count; i++)
        if (shows_revision(&h->calls[i]))
            f->list[f->count++] =
                (struct shown){h->calls[i].returned_ns, h->calls[i].told.revision, &h->calls[i]};
    for (size_t i = 0; i < h->events_count; i++)
        f->list[f->count++] = (struct shown){h->events[i].at_ns, h->events[i].revision, NULL};
    qsort(f->list, f->count, sizeof(f->list[0]), by_time);
    for (size_t i = 1; i < f->count; i++)
        if (f->list[i - 1].revision > f->list[i].revision) {
            f->list[i].revision = f->list[i - 1].revision;
            f->list[i].call = f->list[i - 1].call;
        }
}

void floors_release(struct floors *f)
{
    free(f->list);
}

struct shown floor_before(const struct floors *f, int64_t at_ns)
{
    size_t low = 0, high = f->count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (f->list[middle].at_ns < at_ns)
            low = middle + 1;
        else
            high = middle;
    }
    return low == 0 ? (struct shown){0} : f->list[low - 1];
}

static void check_revisions(const struct floors *f, const struct history *h,
                            struct history_report *r)
{
    char name[HISTORY_NAME_BYTES], other[HISTORY_NAME_BYTES];
    for (size_t i = 0; i < h->calls_count; i++) {
        const struct history_call *c = &h->calls[i];
        if (!shows_revision(c) || c->freshness == HISTORY_STALE)
            continue;
        struct shown floor = floor_before(f, c->invoked_ns);
        r->judged[HISTORY_BY_REPLAY]++;
        bool taken = is_change(c) && c->told.revision == floor.revision;
        if (c->told.revision >= floor.revision && !taken)
            continue;
        history_anomaly(r, HISTORY_BY_REPLAY,
                        "%s is of revision %" PRIu64 ", but %s had shown revision %" PRIu64
                        " before it was made",
                        history_call_name(c, name), c->told.revision,
                        floor.call == NULL ? "an event" : history_call_name(floor.call, other),
                        floor.revision);
    }
}

/* What an answer without a revision shows is at least what had been shown of this path. */
static void check_generations(const struct history *h, struct history_report *r)
{
    uint64_t *floor = check_calloc(history_strings_count(h) + 1, sizeof(*floor));
    struct shown *ends = check_calloc(2 * h->calls_count + 1, sizeof(*ends));
    size_t count = 0;
    for (size_t i = 0; i < h->calls_count; i++) {
        const struct history_call *c = &h->calls[i];
        bool one = c->ask.op == HISTORY_GET || c->ask.op == HISTORY_STAT ||
                   c->ask.op == HISTORY_PUT || c->ask.op == HISTORY_CREATE;
        if (!one || c->ask.sequential || c->told.content_generation == 0 ||
            history_outcome(c) != HISTORY_DONE)
            continue;
        /* An invocation at the moment of a return may be before it. */
        ends[count++] = (struct shown){2 * c->invoked_ns, 0, c};
        ends[count++] = (struct shown){2 * c->returned_ns + 1, c->told.content_generation, c};
    }
    qsort(ends, count, sizeof(*ends), by_time);
    uint64_t *at_start = check_calloc(h->calls_count + 1, sizeof(*at_start));
    for (size_t i = 0; i < count; i++) {
        const struct history_call *c = ends[i].call;
        uint64_t *known = &floor[history_number(c->ask.path)];
        size_t place = (size_t)(c - h->calls);
        char name[HISTORY_NAME_BYTES];
        if (ends[i].revision == 0) {
            at_start[place] = *known;
            continue;
        }
        if (ends[i].revision < at_start[place] && c->freshness != HISTORY_STALE)
            history_anomaly(r, HISTORY_BY_REPLAY,
                            "%s shows generation %" PRIu64 ", but %" PRIu64
                            " had been shown before it was made",
                            history_call_name(c, name), ends[i].revision, at_start[place]);
        if (ends[i].revision > *known)
            *known = ends[i].revision;
    }
    free(at_start);
    free(floor);
    free(ends);
}

void check_times(const struct floors *f, const struct history *h, struct history_report *r)
{
    check_revisions(f, h, r);
    check_generations(h, r);
}
