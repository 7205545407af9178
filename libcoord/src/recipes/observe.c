/* observe.c - hears of every leader of an election, in order.
 *
 * The present is read, and a watch tells all that is later than what was read. An
 * election is one revision: CREATED if the node is new, CONTENT with the value, and
 * LOCK_HELD last; that revision is the generation in the leader's sequencer, so that a
 * leader is known by name also from history, which keeps no values. A RESYNC is what
 * history cannot tell: the present is read again, and what is told next says so.
 *
 * All is told from the callback thread. Whatever is read was queued there behind the
 * events up to it, but perhaps behind later ones too: what is older than an event
 * that was told is not believed.
 *
 * The mutex is recursive: a callback may close its own observer. */
#define _GNU_SOURCE
#include <stdlib.h>
#include <string.h>

#include "libcoord/base/check.h"
#include "libcoord/src/inner.h"

/* Of our own, to our own watch: begins to tell. No watch has an event of this kind. */
enum { BEGIN = COORD__V1__EVENT__KIND__PROGRESS };

struct coord_observer {
    atomic_uint references; /* the application's, and one of each read under way */
    pthread_mutex_t mutex;
    coord_session *session; /* counted */
    char *path;             /* owned, inside the cell */
    coord_watch *watch;
    coord_leader_callback *callback;
    void *context;
    bool closed;

    struct content first; /* owned: what was read to begin with, until it is told */
    bool begun;
    uint64_t seen;       /* highest revision of an event or of what was read */
    uint64_t instance;   /* of the node at `seen`; 0: there is none, or unknown */
    uint64_t content_at; /* revision of the last change of content */
    uint64_t told;       /* generation of the last grant told */
    bool value_told;     /* ... with its value */
    bool led;            /* told that somebody leads */
    bool missed;         /* since then leaders may have come and gone */
    bool reading;        /* the present */
};

static void observer_unref(struct coord_observer *o)
{
    if (atomic_fetch_sub(&o->references, 1) != 1)
        return;
    session_unref(o->session);
    pthread_mutex_destroy(&o->mutex);
    free(o->first.data);
    free(o->path);
    free(o);
}

/* ---- telling ---- */

static void tell(struct coord_observer *o, coord_leadership *leadership)
{
    leadership->size = sizeof *leadership;
    leadership->missed = o->missed;
    o->missed = false;
    o->led = leadership->sequencer != NULL;
    if (!o->closed)
        o->callback(o->context, leadership);
}

static void tell_leader(struct coord_observer *o, uint64_t generation, const void *value,
                        size_t length)
{
    bool again = generation == o->told && o->led && !o->value_told && value != NULL;
    if (generation <= o->told && !again)
        return;
    o->told = generation;
    o->value_told = value != NULL;
    char *sequencer =
        sequencer_text(o->session->client->cell, o->instance, true, generation, o->path);
    coord_leadership leadership = {.sequencer = sequencer,
                                   .value = value != NULL ? value : "",
                                   .length = length,
                                   .superseded = value == NULL};
    tell(o, &leadership);
    free(sequencer);
}

static void tell_nobody(struct coord_observer *o)
{
    if (o->led || o->missed)
        tell(o, &(coord_leadership){.sequencer = NULL});
}

static bool is_led(const coord_stat *stat)
{
    return stat->lock_exclusive && stat->content_generation >= stat->lock_generation;
}

/* What was read shows the node so. */
static void tell_present(struct coord_observer *o, const coord_stat *stat, const void *value,
                         size_t length)
{
    o->instance = stat->size != 0 ? stat->instance : 0;
    if (stat->size == 0 || !is_led(stat)) {
        tell_nobody(o);
        return;
    }
    if (stat->lock_generation == o->told)
        o->missed = false; /* it has led all the time */
    tell_leader(o, stat->lock_generation, value, length);
}

static void begin(struct coord_observer *o)
{
    if (o->begun)
        return;
    o->begun = true;
    tell_present(o, &o->first.stat, o->first.data, o->first.length);
    free(o->first.data);
    o->first.data = NULL;
}

/* ---- reading ---- */

static void on_read(void *context, const coord_result *result);

/* Refused, if the session is at its end; or too busy, then the next event tries again. */
static void read_present(struct coord_observer *o)
{
    if (o->reading || o->closed)
        return;
    atomic_fetch_add(&o->references, 1);
    o->reading = async_get_always(o->session, o->path, on_read, o) == COORD_OK;
    if (!o->reading)
        (void)atomic_fetch_sub(&o->references, 1); /* not the last: the caller has one */
}

static void on_read(void *context, const coord_result *result)
{
    struct coord_observer *o = context;
    bool shown = result->error == COORD_OK || result->error == COORD_ERR_NO_NODE;
    pthread_mutex_lock(&o->mutex);
    o->reading = false;
    if (shown && result->revision >= o->seen) {
        o->seen = result->revision;
        tell_present(o, &result->stat, result->content, result->length);
    } else if (result->error != COORD_ERR_EXPIRED && result->error != COORD_ERR_CANCELLED &&
               o->missed) {
        read_present(o);
    }
    pthread_mutex_unlock(&o->mutex);
    observer_unref(o);
}

/* ---- events ---- */

static void granted(struct coord_observer *o, const coord_event *event)
{
    if (o->content_at != event->revision)
        tell_nobody(o); /* a lock that is no election's */
    else if (o->instance != 0)
        tell_leader(o, event->revision, NULL, 0); /* unless its value was */
    else
        o->missed = true; /* it cannot be named: what is read for the RESYNC comes yet */
}

static void content_set(struct coord_observer *o, const coord_event *event)
{
    o->content_at = event->revision;
    if (!event->exists)
        return; /* it has changed again since */
    o->instance = event->stat.instance;
    if (is_led(&event->stat) && event->value != NULL)
        tell_leader(o, event->stat.lock_generation, event->value, event->value_length);
}

static void take_event(struct coord_observer *o, const coord_event *event)
{
    o->seen = event->revision > o->seen ? event->revision : o->seen;
    switch (event->kind) {
    case COORD_EVENT_CREATED:
        o->instance = event->revision;
        content_set(o, event);
        break;
    case COORD_EVENT_CONTENT:
        content_set(o, event);
        break;
    case COORD_EVENT_LOCK_HELD:
        granted(o, event);
        break;
    case COORD_EVENT_DELETED:
        o->instance = 0;
        tell_nobody(o);
        break;
    case COORD_EVENT_LOCK_FREE:
        tell_nobody(o);
        break;
    case COORD_EVENT_RESYNC:
        o->instance = 0;
        o->missed = true;
        break;
    case COORD_EVENT_CHILD_ADDED:
    case COORD_EVENT_CHILD_REMOVED:
        break; /* not asked for */
    }
}

static void on_event(void *context, const coord_event *event)
{
    struct coord_observer *o = context;
    atomic_fetch_add(&o->references, 1); /* the callback may close it */
    pthread_mutex_lock(&o->mutex);
    begin(o);
    if ((int)event->kind != BEGIN)
        take_event(o, event);
    if (o->missed)
        read_present(o);
    pthread_mutex_unlock(&o->mutex);
    observer_unref(o);
}

/* ---- the public calls ---- */

static struct coord_observer *observer_new(coord_session *session, char *path,
                                           coord_leader_callback *callback, void *context)
{
    struct coord_observer *o = check_calloc(1, sizeof *o);
    pthread_mutexattr_t recursive;
    atomic_init(&o->references, 1);
    CHECK(pthread_mutexattr_init(&recursive) == 0);
    CHECK(pthread_mutexattr_settype(&recursive, PTHREAD_MUTEX_RECURSIVE) == 0);
    CHECK(pthread_mutex_init(&o->mutex, &recursive) == 0);
    pthread_mutexattr_destroy(&recursive);
    o->session = session_ref(session);
    o->path = path;
    o->callback = callback;
    o->context = context;
    return o;
}

static void take_first(void *context, const Coord__V1__Answer *answer)
{
    struct coord_observer *o = context;
    content_take(&o->first, answer);
    o->seen = answer->revision;
}

static coord_error start(struct coord_observer *o, int64_t deadline_ms)
{
    int64_t deadline_ns = deadline_of(deadline_ms);
    Coord__V1__Get m = COORD__V1__GET__INIT;
    Coord__V1__Read read = COORD__V1__READ__INIT;
    m.path = o->path;
    read.op_case = COORD__V1__READ__OP_GET;
    read.get = &m;
    struct call call = call_begin(o->session, deadline_ms);
    coord_error e = call_read_refused(&call, &read, take_first, o);
    if (e != COORD_OK && e != COORD_ERR_NO_NODE)
        return e;
    if (o->seen == 0 || (e == COORD_OK && o->first.data == NULL))
        return call_odd_answer();
    coord_watch_options options = COORD_WATCH_OPTIONS_INIT;
    options.what = COORD_WATCH_CONTENT | COORD_WATCH_LOCK | COORD_WATCH_VALUE;
    options.from_revision = o->seen;
    int64_t left_ms = deadline_ms;
    if (deadline_ns != NEVER_NS)
        left_ms = ns_max(deadline_ns - now_ns(), 0) / NS_PER_MS;
    return coord_watch_open_with(o->session, o->path, &options, on_event, o, left_ms, NULL,
                                 &o->watch);
}

coord_error coord_observe(coord_session *session, const char *path, coord_leader_callback *callback,
                          void *context, int64_t deadline_ms, coord_observer **ret_observer)
{
    char *inside = NULL;
    coord_error e = check_by_name(session, path, deadline_ms, &inside);
    if (e != COORD_OK)
        return e;
    if (callback == NULL || ret_observer == NULL) {
        free(inside);
        return fail(COORD_ERR_INVALID, "%s: is NULL",
                    callback == NULL ? "callback" : "ret_observer");
    }
    struct coord_observer *o = observer_new(session, inside, callback, context);
    e = start(o, deadline_ms);
    if (e != COORD_OK) {
        coord_observe_close(o);
        return e;
    }
    Coord__V1__Event event = COORD__V1__EVENT__INIT;
    event.kind = (Coord__V1__Event__Kind)BEGIN;
    event.revision = 1;
    dispatch_event(&session->client->dispatch, o->watch, &event);
    *ret_observer = o;
    return COORD_OK;
}

void coord_observe_close(coord_observer *o)
{
    if (o == NULL)
        return;
    pthread_mutex_lock(&o->mutex);
    o->closed = true;
    pthread_mutex_unlock(&o->mutex);
    coord_watch_close(o->watch);
    observer_unref(o);
}
