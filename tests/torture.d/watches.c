/* watches.c - workers that watch all that the others do, or one node, and note what they
 * are told. From time to time one reads something in its own session: by what that shows
 * of revisions it must have been told everything (an event precedes any answer that shows
 * it), and says so. */
#define _GNU_SOURCE
#include <stdio.h>
#include <stdlib.h>

#include "tests/history/format.h"
#include "tests/torture.d/worker.h"

enum { MARK_MS = 150, OPEN_FOR_MARKS_MAX = 120, FIRST_REGISTER = 0 };

struct watching {
    struct worker *worker; /* borrowed */
    uint64_t number;       /* of the watch */
    coord_watch *watch;    /* owned */
    uint64_t told;         /* revision of the last event; of the thread of callbacks */
    atomic_bool is_over;   /* nothing is told any more, but reads are answered still */
};

static void note(struct worker *w, const struct history_event *event)
{
    if (!history_write_event(w->run->file, event)) {
        perror("torture-client: history");
        exit(1);
    }
}

static void on_event(void *context, const coord_event *event)
{
    struct watching *own = context;
    char value[HISTORY_VALUE_BYTES + 1];
    struct history_event e = {.client = own->worker->client,
                              .watch = own->number,
                              .kind = (enum history_event_kind)event->kind,
                              .revision = event->revision,
                              .at_ns = worker_now_ns()};
    if (event->kind != COORD_EVENT_RESYNC)
        e.path = event->path;
    if (event->exists) {
        e.instance = event->stat.instance;
        e.content_generation = event->stat.content_generation;
    }
    if (event->value != NULL) {
        history_value(event->value, event->value_length, value);
        e.value = value;
    }
    note(own->worker, &e);
    own->told = event->revision;
}

static bool watch_open(struct watching *own, const char *path, bool every)
{
    struct worker *w = own->worker;
    coord_stat stat = {.size = 0};
    coord_watch_options options = COORD_WATCH_OPTIONS_INIT;
    struct history_call call = {.ask = {.op = HISTORY_WATCH, .path = path}};
    options.what = COORD_WATCH_CONTENT | COORD_WATCH_VALUE;
    call.watches = HISTORY_WATCH_CONTENT;
    if (every) {
        options.what |= COORD_WATCH_LOCK | COORD_WATCH_CHILDREN | COORD_WATCH_SUBTREE;
        call.watches |= HISTORY_WATCH_LOCK | HISTORY_WATCH_CHILDREN | HISTORY_WATCH_SUBTREE |
                        HISTORY_WATCH_EVERY;
    }
    call.watch = own->number = w->number + 1;
    worker_begins(w, &call);
    coord_error error = every ? coord_watch_open_with(w->session, path, &options, on_event, own,
                                                      WORKER_CALL_MS, &stat, &own->watch)
                              : coord_watch_open(w->session, path, options.what, on_event, own,
                                                 WORKER_CALL_MS, &stat, &own->watch);
    if (error == COORD_OK && stat.size > 0) {
        call.told.instance = stat.instance;
        call.told.content_generation = stat.content_generation;
        call.told.lock_generation = stat.lock_generation;
    }
    worker_ended(w, &call, error);
    return error == COORD_OK;
}

static void watch_close(struct watching *own)
{
    struct worker *w = own->worker;
    atomic_store(&own->is_over, true);
    struct history_call call = {.ask = {.op = HISTORY_UNWATCH}, .watch = own->number};
    worker_begins(w, &call);
    coord_watch_close(own->watch);
    worker_ended(w, &call, COORD_OK);
    own->watch = NULL;
}

/* From the thread of callbacks, behind all events of what it shows. */
static void on_mark(void *context, const coord_result *result)
{
    struct watching *own = context;
    if (result->error != COORD_OK && result->error != COORD_ERR_NO_NODE)
        return;
    if (atomic_load(&own->is_over))
        return;
    if (result->revision < own->told || result->revision == 0)
        return; /* answered before the last event was; the order of both is free */
    struct history_event e = {.client = own->worker->client,
                              .watch = own->number,
                              .kind = HISTORY_EVENT_TOLD,
                              .revision = result->revision,
                              .at_ns = worker_now_ns()};
    note(own->worker, &e);
}

static void watch_for_a_while(struct watching *own, const char *path, bool every)
{
    struct worker *w = own->worker;
    uint32_t marks = 10 + worker_below(w, OPEN_FOR_MARKS_MAX);
    if (!watch_open(own, path, every))
        return;
    for (uint32_t i = 0; i < marks && !worker_stops(w); i++) {
        if (coord_session_state_now(w->session) == COORD_SESSION_EXPIRED)
            break;
        if (every && coord_get_async(w->session, path, WORKER_CALL_MS, on_mark, own) != COORD_OK)
            break;
        worker_sleep_ms(MARK_MS);
    }
    watch_close(own);
}

/* Those whose number is even watch all of it, the others one node. */
void watches_work(struct worker *w)
{
    char path[WORKER_PATH_BYTES];
    bool every = w->client % 2 == 0;
    worker_path(w, 'r', FIRST_REGISTER, path);
    while (!worker_stops(w)) {
        struct watching own = {.worker = w};
        if (!worker_session(w, NULL))
            continue;
        watch_for_a_while(&own, every ? w->run->folder : path, every);
        /* Reads may be answered still, with a mark: until their session has ended. */
        worker_session_end(w);
    }
}
