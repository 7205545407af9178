/* watches.c - of each watch: its events are of what it asked for, in the order of revisions,
 * none twice, each of a change that some call made, and all of those that are known to have
 * been made, up to the last that it was told. Behind a RESYNC events go on behind its revision.
 *
 * Where only the last state is promised (no HISTORY_WATCH_EVERY), what is in between may
 * be missing: then only what it says to have been told (`told`) is held against it. */
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "libcoord/base/check.h"
#include "tests/history/facts.h"
#include "tests/history/judge.h"

struct watch {
    const struct history_call *call;     /* that opened it */
    const struct history_event **events; /* borrowed; in order */
    size_t count;
};

struct watches {
    struct history_report *report;
    struct facts facts;
    const struct history_call **grants; /* owned; by path, then generation */
    size_t grants_count;
    const struct history_event **events; /* owned; by client and watch, in order */
    size_t events_count;
};

__attribute__((format(printf, 4, 5))) static void wrong(struct watches *s, const struct watch *w,
                                                        const struct history_event *e,
                                                        const char *form, ...)
{
    char text[200];
    va_list list;
    va_start(list, form);
    vsnprintf(text, sizeof(text), form, list);
    va_end(list);
    history_anomaly(s->report, HISTORY_BY_WATCHES,
                    "client %" PRIu32 ", watch %" PRIu64 " of %.80s: %s of %.80s, revision %" PRIu64
                    " %s",
                    w->call->client, w->call->watch, w->call->ask.path, history_event_name(e->kind),
                    e->path == NULL ? "all" : e->path, e->revision, text);
}

/* ---- what it asks for ---- */

enum relation { APART, SAME, CHILD, BELOW };

static enum relation relation(const char *top, const char *path)
{
    size_t length = strcmp(top, "/") == 0 ? 0 : strlen(top);
    if (strcmp(top, path) == 0)
        return SAME;
    if (strncmp(top, path, length) != 0 || path[length] != '/')
        return APART;
    return strchr(path + length + 1, '/') == NULL ? CHILD : BELOW;
}

/* Whether the watch is told that the node's content or lock changes. */
static bool covers(const struct watch *w, const char *path, uint32_t what)
{
    enum relation r = relation(w->call->ask.path, path);
    bool in = r == SAME || (r != APART && (w->call->watches & HISTORY_WATCH_SUBTREE) != 0);
    return in && (w->call->watches & what) != 0;
}

static bool is_asked_for(const struct watch *w, const struct history_event *e)
{
    switch (e->kind) {
    case HISTORY_EVENT_CREATED:
    case HISTORY_EVENT_CONTENT:
    case HISTORY_EVENT_DELETED:
        return covers(w, e->path, HISTORY_WATCH_CONTENT);
    case HISTORY_EVENT_LOCK_HELD:
    case HISTORY_EVENT_LOCK_FREE:
        return covers(w, e->path, HISTORY_WATCH_LOCK);
    case HISTORY_EVENT_CHILD_ADDED:
    case HISTORY_EVENT_CHILD_REMOVED:
        return (w->call->watches & HISTORY_WATCH_CHILDREN) != 0 &&
               relation(w->call->ask.path, e->path) == CHILD;
    default:
        return true;
    }
}

/* ---- what happened ---- */

static bool removes(const struct history_event *e)
{
    return e->kind == HISTORY_EVENT_DELETED || e->kind == HISTORY_EVENT_CHILD_REMOVED;
}

/* How often such an event can come of its revision; 0: it cannot. */
static uint32_t can_come(struct watches *s, const struct history_event *e)
{
    size_t count;
    const struct fact *list = facts_of(&s->facts, e->path, &count);
    const struct fact *f = facts_find(&s->facts, e->path, e->revision);
    uint32_t times = 0;
    bool known = f != NULL;
    for (; f != NULL && f < list + count && f->revision == e->revision; f++)
        times += (f->kind == FACT_DELETE) == removes(e);
    if (known)
        return times;
    for (size_t i = 0; i < count && list[i].revision == 0; i++)
        if (list[i].call->invoked_ns <= e->at_ns)
            times += (list[i].kind == FACT_DELETE) == removes(e);
    return times;
}

static void check_happened(struct watches *s, const struct watch *w, const struct history_event *e,
                           uint32_t before)
{
    size_t count;
    bool lock = e->kind == HISTORY_EVENT_LOCK_HELD || e->kind == HISTORY_EVENT_LOCK_FREE;
    facts_of(&s->facts, e->path, &count);
    if (lock) {
        if (before > 0)
            wrong(s, w, e, "is told again");
        return;
    }
    if (count == 0 || s->facts.on_the_way[history_number(e->path)])
        return; /* made by whom is not known */
    uint32_t times = can_come(s, e);
    if (times == 0) {
        wrong(s, w, e, "did not happen");
        return;
    }
    if (before >= times)
        wrong(s, w, e, "is told again");
    const struct fact *f = facts_find(&s->facts, e->path, e->revision);
    if (f == NULL)
        return;
    if (f->call->invoked_ns > e->at_ns)
        wrong(s, w, e, "is told before its cause was called");
    if (e->value != NULL && f->alone && f->kind != FACT_DELETE && e->value != f->value &&
        f->call->ask.op != HISTORY_RELEASE)
        wrong(s, w, e, "has value %.60s, but %.60s was written", e->value, f->value);
}

/* ---- what is missing ---- */

static bool was_told(const struct watch *w, const char *path, uint64_t revision, bool lock)
{
    size_t low = 0, high = w->count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (w->events[middle]->revision < revision)
            low = middle + 1;
        else
            high = middle;
    }
    for (; low < w->count && w->events[low]->revision == revision; low++) {
        const struct history_event *e = w->events[low];
        bool of_lock = e->kind == HISTORY_EVENT_LOCK_HELD || e->kind == HISTORY_EVENT_LOCK_FREE;
        bool of_child =
            e->kind == HISTORY_EVENT_CHILD_ADDED || e->kind == HISTORY_EVENT_CHILD_REMOVED;
        if (e->path == path && of_lock == lock && !of_child)
            return true;
    }
    return false;
}

static void missed(struct watches *s, const struct watch *w, const struct history_call *cause,
                   uint64_t revision)
{
    char name[HISTORY_NAME_BYTES];
    history_anomaly(s->report, HISTORY_BY_WATCHES,
                    "client %" PRIu32 ", watch %" PRIu64
                    " of %.80s was not told of revision %" PRIu64 ": %s",
                    w->call->client, w->call->watch, w->call->ask.path, revision,
                    history_call_name(cause, name));
}

/* Whether one of the RESYNCs stands for it. */
static bool is_excused(const struct watch *w, uint64_t revision)
{
    for (size_t i = 0; i < w->count; i++)
        if (w->events[i]->kind == HISTORY_EVENT_RESYNC && w->events[i]->revision >= revision &&
            (i == 0 || w->events[i - 1]->revision <= revision))
            return true;
    return false;
}

static bool was_promised(const struct watch *w, const struct fact *list, size_t count, size_t at,
                         uint64_t end)
{
    bool every = (w->call->watches & HISTORY_WATCH_EVERY) != 0;
    bool last = at + 1 == count || list[at + 1].revision > end;
    return list[at].revision <= end && (every || last);
}

/* Of who is promised the last state alone a later event will do. */
static bool was_told_later(const struct watch *w, const char *path, uint64_t revision)
{
    if ((w->call->watches & HISTORY_WATCH_EVERY) != 0)
        return false;
    for (size_t i = 0; i < w->count; i++)
        if (w->events[i]->path == path && w->events[i]->revision >= revision)
            return true;
    return false;
}

/* What is known to have happened in (start, end], and was asked for, but not told. */
static void check_missed(struct watches *s, const struct watch *w, uint64_t start, uint64_t end)
{
    for (size_t i = 0; i < s->facts.count; i++) {
        const char *path = s->facts.list[i].path;
        if (i > 0 && s->facts.list[i - 1].path == path)
            continue;
        size_t count;
        const struct fact *list = facts_of(&s->facts, path, &count);
        if (!covers(w, path, HISTORY_WATCH_CONTENT))
            continue;
        for (size_t k = 0; k < count; k++)
            if (list[k].revision > start && was_promised(w, list, count, k, end) &&
                !was_told(w, path, list[k].revision, false) &&
                !was_told_later(w, path, list[k].revision) && !is_excused(w, list[k].revision))
                missed(s, w, list[k].call, list[k].revision);
    }
    if ((w->call->watches & HISTORY_WATCH_EVERY) == 0)
        return;
    for (size_t i = 0; i < s->grants_count; i++) {
        const struct history_call *c = s->grants[i];
        if (c->told.grant > start && c->told.grant <= end &&
            covers(w, c->ask.path, HISTORY_WATCH_LOCK) &&
            !was_told(w, c->ask.path, c->told.grant, true) && !is_excused(w, c->told.grant))
            missed(s, w, c, c->told.grant);
    }
}

/* ---- one watch ---- */

/* How often the same was told before. */
static uint32_t times_before(const struct watch *w, size_t at)
{
    const struct history_event *e = w->events[at];
    uint32_t times = 0;
    for (size_t i = at; i-- > 0 && w->events[i]->revision == e->revision;) {
        const struct history_event *other = w->events[i];
        bool told = other->kind == e->kind && other->path == e->path;
        /* That of a change to the content is told as the one or the other. */
        bool changed = (other->kind == HISTORY_EVENT_CREATED && e->kind == HISTORY_EVENT_CONTENT) ||
                       (other->kind == HISTORY_EVENT_CONTENT && e->kind == HISTORY_EVENT_CREATED);
        times += told || (changed && other->path == e->path);
    }
    return times;
}

/* Where it began to be told; events come behind it. */
static uint64_t start_of(const struct watch *w)
{
    if (w->call->from != 0)
        return w->call->from;
    return history_outcome(w->call) == HISTORY_DONE ? w->call->told.revision : 0;
}

static void check_watch(struct watches *s, const struct watch *w)
{
    bool every = (w->call->watches & HISTORY_WATCH_EVERY) != 0;
    uint64_t start = start_of(w), last = start, behind = start, told = 0;
    for (size_t i = 0; i < w->count; i++) {
        const struct history_event *e = w->events[i];
        s->report->judged[HISTORY_BY_WATCHES]++;
        if (e->revision < last)
            wrong(s, w, e, "comes behind revision %" PRIu64, last);
        if (e->revision > last)
            last = e->revision;
        if (e->kind == HISTORY_EVENT_RESYNC)
            behind = e->revision;
        if (e->kind == HISTORY_EVENT_TOLD && e->revision > told)
            told = e->revision;
        if (e->kind == HISTORY_EVENT_RESYNC || e->kind == HISTORY_EVENT_TOLD)
            continue;
        if (e->revision <= behind && behind != 0)
            wrong(s, w, e, "is not behind revision %" PRIu64 ", at which it began", behind);
        if (!is_asked_for(w, e))
            wrong(s, w, e, "was not asked for");
        else if (every || !removes(e))
            check_happened(s, w, e, times_before(w, i));
    }
    if (history_outcome(w->call) != HISTORY_DONE || w->count == 0)
        return;
    if (start == 0)
        start = w->events[0]->revision;
    /* More of the last revision may have been on its way. */
    uint64_t end = every && last > 0 && last - 1 > told ? last - 1 : told;
    check_missed(s, w, start, end);
}

/* ---- all of them ---- */

static int by_watch(const void *left, const void *right)
{
    const struct history_event *a = *(const struct history_event *const *)left;
    const struct history_event *b = *(const struct history_event *const *)right;
    if (a->client != b->client)
        return a->client < b->client ? -1 : 1;
    if (a->watch != b->watch)
        return a->watch < b->watch ? -1 : 1;
    return a < b ? -1 : a > b;
}

static int by_opener(const void *left, const void *right)
{
    const struct history_call *a = *(const struct history_call *const *)left;
    const struct history_call *b = *(const struct history_call *const *)right;
    if (a->client != b->client)
        return a->client < b->client ? -1 : 1;
    return a->watch < b->watch ? -1 : a->watch > b->watch;
}

static void gather(struct watches *s, const struct history *h)
{
    s->events = check_calloc(h->events_count + 1, sizeof(s->events[0]));
    s->grants = check_calloc(h->calls_count + 1, sizeof(s->grants[0]));
    for (size_t i = 0; i < h->events_count; i++)
        s->events[s->events_count++] = &h->events[i];
    qsort(s->events, s->events_count, sizeof(s->events[0]), by_watch);
    for (size_t i = 0; i < h->calls_count; i++)
        if (h->calls[i].told.grant != 0 && history_outcome(&h->calls[i]) == HISTORY_DONE)
            s->grants[s->grants_count++] = &h->calls[i];
}

/* Both are sorted by client and watch. */
static void match(struct watches *s, const struct history_call **openers, size_t count)
{
    size_t at = 0;
    for (size_t i = 0; i < count; i++) {
        const struct history_call *c = openers[i];
        for (; at < s->events_count; at++) {
            const struct history_event *e = s->events[at];
            if (e->client > c->client || (e->client == c->client && e->watch >= c->watch))
                break;
            history_anomaly(s->report, HISTORY_BY_WATCHES,
                            "client %" PRIu32 " is told of watch %" PRIu64
                            ", which it never opened",
                            e->client, e->watch);
        }
        struct watch w = {c, s->events + at, 0};
        while (at < s->events_count && s->events[at]->client == c->client &&
               s->events[at]->watch == c->watch)
            at++;
        w.count = (size_t)(s->events + at - w.events);
        check_watch(s, &w);
    }
    if (at < s->events_count)
        history_anomaly(s->report, HISTORY_BY_WATCHES,
                        "client %" PRIu32 " is told of watch %" PRIu64 ", which it never opened",
                        s->events[at]->client, s->events[at]->watch);
}

void history_watches(const struct history *h, struct history_report *r)
{
    struct watches s = {.report = r};
    if (h->events_count == 0)
        return;
    const struct history_call **openers = check_calloc(h->calls_count + 1, sizeof(openers[0]));
    size_t count = 0;
    for (size_t i = 0; i < h->calls_count; i++)
        if (h->calls[i].ask.op == HISTORY_WATCH)
            openers[count++] = &h->calls[i];
    qsort(openers, count, sizeof(openers[0]), by_opener);
    facts_init(&s.facts, h);
    gather(&s, h);
    match(&s, openers, count);
    facts_release(&s.facts);
    free(openers);
    free(s.events);
    free(s.grants);
}
