/* api_watch.c - watches. */
#include <stdio.h>
#include <stdlib.h>

#include "libcoord/base/check.h"
#include "libcoord/src/inner.h"

void watch_unref(struct coord_watch *w)
{
    if (w == NULL || atomic_fetch_sub(&w->references, 1) != 1)
        return;
    session_unref(w->session);
    free(w->path);
    free(w);
}

static void take_stat(void *context, const Coord__V1__Answer *answer)
{
    if (answer->body_case == COORD__V1__ANSWER__BODY_STAT)
        stat_take(context, answer->stat);
}

static struct coord_watch *watch_new(struct coord_session *s, char *path,
                                     const coord_watch_options *o, bool in_full,
                                     coord_watch_callback *callback, void *context)
{
    struct coord_watch *w = check_calloc(1, sizeof *w);
    w->session = session_ref(s);
    w->path = path;
    w->in_full = in_full;
    w->value = (o->what & COORD_WATCH_VALUE) != 0;
    w->callback = callback;
    w->context = context;
    atomic_init(&w->references, 1);
    pthread_mutex_lock(&s->mutex);
    w->id = ++s->last_watch_id;
    session_watch_link(s, w);
    pthread_mutex_unlock(&s->mutex);
    return w;
}

static coord_error watch(struct coord_watch *w, const coord_watch_options *o, int64_t deadline_ms,
                         coord_stat *ret_stat)
{
    coord_stat stat = {.size = 0};
    Coord__V1__Watch m = COORD__V1__WATCH__INIT;
    m.id = w->id;
    m.path = w->path;
    m.content = (o->what & COORD_WATCH_CONTENT) != 0;
    m.lock = (o->what & COORD_WATCH_LOCK) != 0;
    m.children = (o->what & COORD_WATCH_CHILDREN) != 0;
    m.subtree = (o->what & COORD_WATCH_SUBTREE) != 0;
    m.value = (o->what & COORD_WATCH_VALUE) != 0;
    m.known_revision = o->from_revision;
    struct call call = call_begin(w->session, deadline_ms);
    coord_error e = call_watch(&call, &m, take_stat, &stat);
    if (e == COORD_OK && ret_stat != NULL)
        *ret_stat = stat;
    return e;
}

static coord_error check(const coord_watch_options *o)
{
    const uint32_t kinds = COORD_WATCH_CONTENT | COORD_WATCH_LOCK | COORD_WATCH_CHILDREN;
    const uint32_t known = kinds | COORD_WATCH_SUBTREE | COORD_WATCH_VALUE;
    if (o == NULL)
        return fail(COORD_ERR_INVALID, "options: is NULL");
    if (o->size != sizeof *o)
        return fail(COORD_ERR_INVALID, "options: size is not that of coord_watch_options");
    if ((o->what & kinds) == 0 || (o->what & ~known) != 0)
        return fail(COORD_ERR_INVALID,
                    "what: 0x%x is not made of COORD_WATCH_CONTENT, _LOCK, _CHILDREN and more",
                    o->what);
    return COORD_OK;
}

static coord_error watch_open(coord_session *session, const char *path,
                              const coord_watch_options *options, bool in_full,
                              coord_watch_callback *callback, void *context, int64_t deadline_ms,
                              coord_stat *ret_stat, coord_watch **ret_watch)
{
    char *inside = NULL;
    detail_clear();
    if (session == NULL || callback == NULL || ret_watch == NULL)
        return fail(COORD_ERR_INVALID, "%s: is NULL",
                    session == NULL    ? "session"
                    : callback == NULL ? "callback"
                                       : "ret_watch");
    coord_error e = check(options);
    if (e == COORD_OK)
        e = check_deadline(deadline_ms);
    if (e == COORD_OK)
        e = path_take(session->client, "path", path, &inside);
    if (e != COORD_OK)
        return e;
    struct coord_watch *w = watch_new(session, inside, options, in_full, callback, context);
    e = watch(w, options, deadline_ms, ret_stat);
    if (e != COORD_OK) {
        char kept[DETAIL_BYTES];
        (void)snprintf(kept, sizeof kept, "%s", coord_error_detail());
        coord_watch_close(w);
        return fail(e, "%s", kept);
    }
    *ret_watch = w;
    return COORD_OK;
}

coord_error coord_watch_open(coord_session *session, const char *path, uint32_t what,
                             coord_watch_callback *callback, void *context, int64_t deadline_ms,
                             coord_stat *ret_stat, coord_watch **ret_watch)
{
    coord_watch_options o = COORD_WATCH_OPTIONS_INIT;
    o.what = what;
    return watch_open(session, path, &o, false, callback, context, deadline_ms, ret_stat,
                      ret_watch);
}

coord_error coord_watch_open_with(coord_session *session, const char *path,
                                  const coord_watch_options *options,
                                  coord_watch_callback *callback, void *context,
                                  int64_t deadline_ms, coord_stat *ret_stat,
                                  coord_watch **ret_watch)
{
    return watch_open(session, path, options, true, callback, context, deadline_ms, ret_stat,
                      ret_watch);
}

void coord_watch_close(coord_watch *w)
{
    if (w == NULL)
        return;
    struct coord_session *s = w->session;
    struct client_event event = {.kind = CLIENT_EVENT_UNWATCH, .watch_id = w->id};
    pthread_mutex_lock(&s->mutex);
    avl_remove(&s->watches, &w->by_id);
    session_step(s, &event);
    pthread_mutex_unlock(&s->mutex);
    struct dispatch *d = &s->client->dispatch;
    pthread_mutex_lock(&d->mutex);
    w->closed = true;
    pthread_mutex_unlock(&d->mutex);
    dispatch_forget(d, w);
    watch_unref(w);
}
