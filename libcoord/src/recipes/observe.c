/* observe.c - hears of every leader of an election, in order.
 *
 * A watch tells of grants and of the values set with them. What it cannot tell, for
 * it was there before or the watch was too far behind, is read without blocking. An
 * event precedes any answer that shows it, and both come on the callback thread, so
 * the grants only rise; one that is not newer than the last was told.
 *
 * The mutex is recursive: a callback may close its own observer. */
#define _GNU_SOURCE
#include <stdlib.h>
#include <string.h>

#include "libcoord/base/check.h"
#include "libcoord/src/inner.h"

enum { READ_MS = 30000 };

struct coord_observer {
    atomic_uint references; /* the application's, and one of each read under way */
    pthread_mutex_t mutex;
    coord_session *session; /* counted */
    char *path;             /* owned, inside the cell */
    coord_watch *watch;
    coord_leader_callback *callback;
    void *context;
    uint64_t told; /* generation of the last grant told */
    bool led;      /* told that somebody leads */
    bool closed;
};

static void observer_unref(struct coord_observer *o)
{
    if (atomic_fetch_sub(&o->references, 1) != 1)
        return;
    session_unref(o->session);
    pthread_mutex_destroy(&o->mutex);
    free(o->path);
    free(o);
}

static void tell(struct coord_observer *o, const coord_leadership *leadership)
{
    o->led = leadership->sequencer != NULL;
    if (!o->closed)
        o->callback(o->context, leadership);
}

static void tell_leader(struct coord_observer *o, const coord_stat *stat, const void *value,
                        size_t length)
{
    if (stat->lock_generation <= o->told)
        return;
    o->told = stat->lock_generation;
    char *sequencer = sequencer_text(o->session->client->cell, stat->instance, true,
                                     stat->lock_generation, o->path);
    coord_leadership leadership = {
        .size = sizeof leadership, .sequencer = sequencer, .value = value, .length = length};
    tell(o, &leadership);
    free(sequencer);
}

static void tell_nobody(struct coord_observer *o)
{
    coord_leadership leadership = {.size = sizeof leadership};
    if (o->led)
        tell(o, &leadership);
}

static bool is_led(const coord_stat *stat)
{
    return stat->lock_exclusive && stat->content_generation >= stat->lock_generation;
}

static void on_read(void *context, const coord_result *result)
{
    struct coord_observer *o = context;
    pthread_mutex_lock(&o->mutex);
    if (result->error == COORD_OK && is_led(&result->stat))
        tell_leader(o, &result->stat, result->content, result->length);
    else if (result->error == COORD_OK || result->error == COORD_ERR_NO_NODE)
        tell_nobody(o);
    pthread_mutex_unlock(&o->mutex);
    observer_unref(o);
}

static coord_error read_present(struct coord_observer *o)
{
    atomic_fetch_add(&o->references, 1);
    coord_error e = coord_get_async(o->session, o->path, READ_MS, on_read, o);
    if (e != COORD_OK)
        observer_unref(o);
    return e;
}

/* A grant that is an election is told twice, with one revision: the lock is held, and
 * the content is its value. The second has all. */
static void on_event(void *context, const coord_event *event)
{
    struct coord_observer *o = context;
    atomic_fetch_add(&o->references, 1); /* the callback may close it */
    pthread_mutex_lock(&o->mutex);
    if (event->kind == COORD_EVENT_LOCK_FREE || event->kind == COORD_EVENT_DELETED)
        tell_nobody(o);
    else if (event->exists && is_led(&event->stat) && event->value != NULL)
        tell_leader(o, &event->stat, event->value, event->value_length);
    else if (!event->exists)
        (void)read_present(o); /* refused only if the session is at its end, or too busy */
    pthread_mutex_unlock(&o->mutex);
    observer_unref(o);
}

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

coord_error coord_observe(coord_session *session, const char *path, coord_leader_callback *callback,
                          void *context, int64_t deadline_ms, coord_observer **ret_observer)
{
    char *inside = NULL;
    coord_watch_options options = COORD_WATCH_OPTIONS_INIT;
    coord_error e = check_by_name(session, path, deadline_ms, &inside);
    if (e != COORD_OK)
        return e;
    if (callback == NULL || ret_observer == NULL) {
        free(inside);
        return fail(COORD_ERR_INVALID, "%s: is NULL",
                    callback == NULL ? "callback" : "ret_observer");
    }
    struct coord_observer *o = observer_new(session, inside, callback, context);
    options.what = COORD_WATCH_CONTENT | COORD_WATCH_LOCK | COORD_WATCH_VALUE;
    e = coord_watch_open_with(session, o->path, &options, on_event, o, deadline_ms, NULL,
                              &o->watch);
    if (e == COORD_OK)
        e = read_present(o);
    if (e != COORD_OK) {
        coord_observe_close(o);
        return e;
    }
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
