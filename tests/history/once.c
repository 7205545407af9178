/* once.c - where values come from. A value that one call writes and no other is seen on its
 * path alone, not before that call was made, with one generation for ever, and not at all if
 * the call did not happen. The empty value says nothing: nodes are made with it. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "libcoord/base/check.h"
#include "tests/history/facts.h"
#include "tests/history/judge.h"

struct origin {
    const struct history_call *call; /* that wrote it; the first if there are more */
    const char *path;
    uint32_t writers;
    uint64_t generation; /* with which it was seen; 0: not yet */
    const struct history_call *seen_by;
};

struct once {
    struct history_report *report;
    struct origin *origins; /* owned; by string number of the value */
    bool *written;          /* owned; by string number of the path: some call writes there */
};

static void note_writer(struct once *o, const struct history_call *c, const struct history_ask *a)
{
    bool writes = a->op == HISTORY_PUT || a->op == HISTORY_CREATE || a->op == HISTORY_ACQUIRE ||
                  a->op == HISTORY_TRY;
    if (!writes || a->path == NULL)
        return;
    if (history_place(c, a) != NULL)
        o->written[history_number(history_place(c, a))] = true;
    if (a->value == NULL)
        return;
    struct origin *origin = &o->origins[history_number(a->value)];
    if (origin->writers++ == 0) {
        origin->call = c;
        origin->path = history_place(c, a);
    }
}

/* Somebody was shown `value` on `path`, at the latest at `at_ns`; `by` is NULL for an event. */
static void seen(struct once *o, const char *path, const char *value, uint64_t generation,
                 int64_t at_ns, const struct history_call *by, const char *who)
{
    char name[HISTORY_NAME_BYTES];
    if (value == NULL || *value == '\0' || path == NULL || !o->written[history_number(path)])
        return;
    struct origin *origin = &o->origins[history_number(value)];
    o->report->judged[HISTORY_BY_ONCE]++;
    if (origin->writers == 0) {
        history_anomaly(o->report, HISTORY_BY_ONCE, "%s: the value %s, which nobody wrote", who,
                        value);
        return;
    }
    if (origin->writers > 1)
        return;
    history_call_name(origin->call, name);
    enum history_outcome outcome = history_outcome(origin->call);
    bool elsewhere = origin->path != NULL && origin->path != path;
    if (elsewhere)
        history_anomaly(o->report, HISTORY_BY_ONCE, "%s: the value %s, written elsewhere by %s",
                        who, value, name);
    if (outcome == HISTORY_REFUSED || outcome == HISTORY_NOTHING)
        history_anomaly(o->report, HISTORY_BY_ONCE, "%s: the value %s of %s, which was told: %s",
                        who, value, name, err_name(origin->call->error));
    if (at_ns < origin->call->invoked_ns)
        history_anomaly(o->report, HISTORY_BY_ONCE, "%s: the value %s before %s was made", who,
                        value, name);
    if (generation == 0 || elsewhere)
        return;
    if (origin->generation != 0 && origin->generation != generation)
        history_anomaly(o->report, HISTORY_BY_ONCE,
                        "%s: the value %s of %s with generation %" PRIu64
                        ", and it was seen with %" PRIu64 ": applied twice",
                        who, value, name, generation, origin->generation);
    origin->generation = generation;
    origin->seen_by = by;
}

static void see_call(struct once *o, const struct history_call *c)
{
    char name[HISTORY_NAME_BYTES];
    if (history_outcome(c) != HISTORY_DONE)
        return;
    history_call_name(c, name);
    if (c->ask.op == HISTORY_GET)
        seen(o, c->ask.path, c->told.value, c->told.content_generation, c->returned_ns, c, name);
    else if (c->ask.op == HISTORY_PUT || c->ask.op == HISTORY_CREATE)
        seen(o, history_place(c, &c->ask), c->ask.value, c->told.content_generation, c->returned_ns,
             c, name);
    else if (c->ask.op == HISTORY_ACQUIRE || c->ask.op == HISTORY_TRY)
        seen(o, c->ask.path, c->ask.value, c->told.grant, c->returned_ns, c, name);
}

static void see_event(struct once *o, const struct history_event *e)
{
    char name[HISTORY_NAME_BYTES];
    snprintf(name, sizeof(name), "client %" PRIu32 ", watch %" PRIu64 ", event of %.80s", e->client,
             e->watch, e->path);
    seen(o, e->path, e->value, e->content_generation, e->at_ns, NULL, name);
}

void history_once(const struct history *h, struct history_report *r)
{
    struct once o = {.report = r};
    o.origins = check_calloc(history_strings_count(h) + 1, sizeof(o.origins[0]));
    o.written = check_calloc(history_strings_count(h) + 1, sizeof(o.written[0]));
    for (size_t i = 0; i < h->calls_count; i++) {
        uint32_t count;
        const struct history_ask *parts = history_parts(&h->calls[i], &count);
        for (uint32_t k = 0; k < count; k++)
            note_writer(&o, &h->calls[i], &parts[k]);
    }
    for (size_t i = 0; i < h->calls_count; i++)
        see_call(&o, &h->calls[i]);
    for (size_t i = 0; i < h->events_count; i++)
        if (h->events[i].value != NULL)
            see_event(&o, &h->events[i]);
    free(o.origins);
    free(o.written);
}
