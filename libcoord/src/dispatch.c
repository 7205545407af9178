/* dispatch.c - the thread that runs the application's callbacks, one at a time.
 *
 * A callback that takes long holds back other callbacks and nothing else. What
 * piles up is bounded: of each watch at most WATCH_EVENTS_QUEUED_MAX events wait,
 * then its oldest is dropped, for the last tells the present state; or all of them
 * become one RESYNC, if the watch is to be told of each change. Session states and
 * lost locks are few. */
#include <stdlib.h>

#include "libcoord/base/check.h"
#include "libcoord/src/inner.h"

struct dispatch_item {
    struct list link;
    struct coord_session *session; /* counted; NULL if it is of a watch */
    coord_session_state state;
    coord_loss loss;           /* size 0: it is of something else */
    struct list results;       /* of struct async, of one session; else empty */
    struct coord_watch *watch; /* counted */
    coord_event event;
    char *path;  /* owned; event.path or loss.path */
    char *value; /* owned; event.value or loss.sequencer */
};

static void item_free(struct dispatch_item *i)
{
    session_unref(i->session);
    watch_unref(i->watch);
    free(i->path);
    free(i->value);
    free(i);
}

static struct dispatch_item *item_of(struct list *at)
{
    return container_of_or_null(at, struct dispatch_item, link);
}

static void push(struct dispatch *d, struct dispatch_item *i)
{
    list_append(&d->queue, &i->link);
    pthread_cond_broadcast(&d->changed);
}

static struct dispatch_item *item_new(void)
{
    struct dispatch_item *i = check_calloc(1, sizeof *i);
    list_init(&i->link);
    list_init(&i->results);
    return i;
}

void dispatch_state(struct dispatch *d, struct coord_session *s, coord_session_state state)
{
    struct dispatch_item *i = item_new();
    i->session = session_ref(s);
    i->state = state;
    pthread_mutex_lock(&d->mutex);
    push(d, i);
    pthread_mutex_unlock(&d->mutex);
}

void dispatch_loss(struct dispatch *d, struct coord_session *s, const struct coord_lock *lock)
{
    struct dispatch_item *i = item_new();
    i->session = session_ref(s);
    i->path = check_strdup(lock->node->path);
    i->value = check_strdup(lock->sequencer);
    i->loss = (coord_loss){.size = sizeof i->loss,
                           .path = i->path,
                           .sequencer = i->value,
                           .generation = lock->generation};
    pthread_mutex_lock(&d->mutex);
    push(d, i);
    pthread_mutex_unlock(&d->mutex);
}

/* Takes the oldest event of the watch out. */
static struct dispatch_item *oldest_of(struct dispatch *d, const struct coord_watch *w)
{
    for (struct list *at = d->queue.next; at != &d->queue; at = at->next) {
        struct dispatch_item *i = item_of(at);
        if (i->watch == w) {
            list_remove(&i->link);
            return i;
        }
    }
    return NULL;
}

/* An empty one does not show in the message. */
static bool has_value(const struct coord_watch *w, const Coord__V1__Event *event)
{
    const Coord__V1__Stat *stat = event->stat;
    return event->value.len > 0 || (w->value && stat != NULL && stat->content_bytes == 0 &&
                                    stat->content_generation == event->revision);
}

/* All that is queued of the watch makes way for one that says so. */
static void become_resync(struct dispatch *d, struct coord_watch *w, struct dispatch_item *last,
                          struct list *dropped)
{
    for (struct dispatch_item *i; (i = oldest_of(d, w)) != NULL;)
        list_append(dropped, &i->link);
    w->queued_count = 0;
    w->resynced = last->event.revision; /* others of that revision may be behind it */
    last->event = (coord_event){.size = sizeof last->event,
                                .kind = COORD_EVENT_RESYNC,
                                .path = w->path, /* which lives as long as this item */
                                .revision = last->event.revision};
}

static void items_free(struct list *items)
{
    for (struct list *at; (at = list_first(items)) != NULL;) {
        list_remove(at);
        item_free(item_of(at));
    }
}

void dispatch_event(struct dispatch *d, struct coord_watch *w, const Coord__V1__Event *event)
{
    struct dispatch_item *i = item_new();
    struct list dropped;
    list_init(&dropped);
    i->watch = w;
    atomic_fetch_add(&w->references, 1);
    i->path = check_strdup(event->path[0] != '\0' ? event->path : w->path);
    i->event = (coord_event){.size = sizeof i->event,
                             .kind = (coord_event_kind)event->kind,
                             .path = i->path,
                             .revision = event->revision,
                             .exists = event->stat != NULL};
    if (event->stat != NULL)
        stat_take(&i->event.stat, event->stat);
    if (has_value(w, event)) {
        i->value = check_strndup(event->value.len > 0 ? (const char *)event->value.data : "",
                                 event->value.len);
        i->event.value = i->value;
        i->event.value_length = event->value.len;
    }
    pthread_mutex_lock(&d->mutex);
    if (w->closed || event->revision <= w->resynced) {
        list_append(&dropped, &i->link);
    } else {
        if (w->queued_count >= WATCH_EVENTS_QUEUED_MAX && w->in_full) {
            become_resync(d, w, i, &dropped);
        } else if (w->queued_count >= WATCH_EVENTS_QUEUED_MAX) {
            list_append(&dropped, &oldest_of(d, w)->link);
            w->queued_count--;
        }
        w->queued_count++;
        push(d, i);
    }
    pthread_mutex_unlock(&d->mutex);
    items_free(&dropped);
}

/* The head takes over what another head has. */
static void move_all(struct list *to, struct list *from)
{
    list_append(from, to);
    list_remove(from);
}

void dispatch_results(struct dispatch *d, struct coord_session *s)
{
    struct dispatch_item *i = item_new();
    i->session = session_ref(s);
    move_all(&i->results, &s->results);
    pthread_mutex_lock(&d->mutex);
    s->results_queued_count++;
    list_append(&d->queue, &i->link);
    pthread_mutex_unlock(&d->mutex);
    pthread_cond_broadcast(&d->changed); /* now it need not wait for the mutex */
}

void dispatch_settle(struct dispatch *d, struct coord_session *s)
{
    pthread_mutex_lock(&d->mutex);
    bool within = pthread_equal(pthread_self(), d->thread);
    while (s->results_queued_count > 0 && !within)
        pthread_cond_wait(&d->changed, &d->mutex);
    pthread_mutex_unlock(&d->mutex);
}

/* Results are never dropped: each call is answered once. */
static bool concerns(const struct dispatch_item *i, const void *who)
{
    if (!list_empty(&i->results))
        return false;
    return i->session == who || i->watch == who || (i->watch != NULL && i->watch->session == who);
}

void dispatch_forget(struct dispatch *d, const void *who)
{
    struct list dropped;
    list_init(&dropped);
    pthread_mutex_lock(&d->mutex);
    for (struct list *at = d->queue.next, *next; at != &d->queue; at = next) {
        next = at->next;
        if (concerns(item_of(at), who)) {
            list_remove(at);
            list_append(&dropped, at);
        }
    }
    bool within = pthread_equal(pthread_self(), d->thread);
    while (d->running == who && !within)
        pthread_cond_wait(&d->changed, &d->mutex);
    pthread_mutex_unlock(&d->mutex);
    items_free(&dropped);
}

static void call_back(struct dispatch_item *i)
{
    if (!list_empty(&i->results))
        asyncs_tell(i->session, &i->results);
    else if (i->loss.size != 0)
        i->session->on_loss(i->session->context, i->session, &i->loss);
    else if (i->session != NULL)
        i->session->callback(i->session->context, i->session, i->state);
    else if (i->watch != NULL)
        i->watch->callback(i->watch->context, &i->event);
}

/* In the end only results are told. */
static struct dispatch_item *next_of(const struct dispatch *d)
{
    for (struct list *at = d->queue.next; at != &d->queue; at = at->next)
        if (!d->stop || !list_empty(&item_of(at)->results))
            return item_of(at);
    return NULL;
}

static void *run(void *argument)
{
    struct dispatch *d = argument;
    pthread_mutex_lock(&d->mutex);
    while (true) {
        struct dispatch_item *i = next_of(d);
        if (i == NULL && d->stop)
            break;
        if (i == NULL) {
            pthread_cond_wait(&d->changed, &d->mutex);
            continue;
        }
        bool results = !list_empty(&i->results);
        list_remove(&i->link);
        if (i->watch != NULL)
            i->watch->queued_count--;
        bool wanted = i->watch == NULL || !i->watch->closed;
        d->running = i->watch != NULL ? (const void *)i->watch : (const void *)i->session;
        pthread_mutex_unlock(&d->mutex);
        if (wanted)
            call_back(i);
        pthread_mutex_lock(&d->mutex);
        d->running = NULL;
        if (results)
            i->session->results_queued_count--;
        pthread_cond_broadcast(&d->changed);
        pthread_mutex_unlock(&d->mutex);
        item_free(i);
        pthread_mutex_lock(&d->mutex);
    }
    pthread_mutex_unlock(&d->mutex);
    return NULL;
}

void dispatch_start(struct dispatch *d)
{
    CHECK(pthread_mutex_init(&d->mutex, NULL) == 0);
    CHECK(pthread_cond_init(&d->changed, NULL) == 0);
    list_init(&d->queue);
    d->running = NULL;
    d->stop = false;
    CHECK(pthread_create(&d->thread, NULL, run, d) == 0);
}

/* Results are told before, what else is queued is dropped. */
void dispatch_stop(struct dispatch *d)
{
    pthread_mutex_lock(&d->mutex);
    d->stop = true;
    pthread_cond_broadcast(&d->changed);
    pthread_mutex_unlock(&d->mutex);
    pthread_join(d->thread, NULL);
    for (struct list *at; (at = list_first(&d->queue)) != NULL;) {
        list_remove(at);
        item_free(item_of(at));
    }
}

void dispatch_release(struct dispatch *d)
{
    pthread_cond_destroy(&d->changed);
    pthread_mutex_destroy(&d->mutex);
}
