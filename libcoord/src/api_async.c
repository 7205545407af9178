/* api_async.c - calls that do not block.
 *
 * A call is a token of the pure session, as a blocking one is. Its outcome goes
 * from session.results, with all others of the same step, to the callback thread.
 * What can be said at once is returned instead, and there is no callback.
 *
 * The bound counts calls until their callback begins, not until they are answered:
 * so callbacks that are too slow stop those who begin calls, and no queue grows. */
#include <stdlib.h>
#include <string.h>

#include "libcoord/base/check.h"
#include "libcoord/src/inner.h"

/* In session.waiters until it is answered, then in a list of results. */
struct async {
    struct waiter waiter;
    coord_done_callback *done;
    void *context;
    bool reads;
    bool always;   /* COORD_ASYNC_MAX is not for this one */
    char *content; /* owned */
    coord_result result;
};

static struct async *async_of(struct list *link)
{
    return container_of(container_of(link, struct waiter, link), struct async, waiter);
}

static void take(struct async *a, const Coord__V1__Answer *answer)
{
    coord_result *r = &a->result;
    const Coord__V1__Stat *stat = NULL;
    if (answer->body_case == COORD__V1__ANSWER__BODY_STAT) {
        stat = answer->stat;
    } else if (answer->body_case == COORD__V1__ANSWER__BODY_CONTENT) {
        stat = answer->content->stat;
        r->length = answer->content->data.len;
        a->content = check_strndup((const char *)answer->content->data.data, r->length);
        r->content = a->content;
    }
    if (stat != NULL)
        stat_take(&r->stat, stat);
    if (a->reads && a->content == NULL) {
        r->error = COORD_ERR_INTERNAL; /* no server of ours says OK and shows nothing */
        r->detail = "a server's answer lacks what was asked for";
    }
}

static void answered(struct waiter *w, const struct client_effect *e)
{
    struct async *a = container_of(w, struct async, waiter);
    struct coord_session *s = w->context;
    CHECK(e->status != ERR_NOT_LEADER);
    a->result.error = (coord_error)e->status;
    a->result.revision = e->answer != NULL ? e->answer->revision : 0;
    w->done = true;
    if (e->status != ERR_OK)
        waiter_detail(w, e);
    else if (e->answer != NULL)
        take(a, e->answer);
    if (s->submitting != a)
        list_append(&s->results, &w->link);
}

void asyncs_tell(struct coord_session *s, struct list *results)
{
    for (struct list *at; (at = list_first(results)) != NULL;) {
        struct async *a = async_of(at);
        list_remove(at);
        atomic_fetch_sub(&s->asyncs_count, 1);
        a->done(a->context, &a->result);
        free(a->content);
        free(a);
    }
}

static struct async *async_new(struct coord_session *s, bool reads, coord_done_callback *done,
                               void *context)
{
    struct async *a = check_malloc(sizeof *a);
    a->waiter.answered = answered;
    a->waiter.context = s;
    a->waiter.done = false;
    a->waiter.detail[0] = '\0';
    a->done = done;
    a->reads = reads;
    a->always = false;
    a->context = context;
    a->content = NULL;
    a->result = (coord_result){.size = sizeof a->result, .detail = a->waiter.detail};
    return a;
}

/* Frees `a` unless it is under way. */
static coord_error submit(struct coord_session *s, struct client_event *event, int64_t deadline_ms,
                          struct async *a)
{
    event->token = (uint64_t)(uintptr_t)&a->waiter;
    event->deadline_ns = deadline_of(deadline_ms);
    a->result.error = COORD_ERR_THROTTLED;
    a->waiter.done = true;
    pthread_mutex_lock(&s->mutex);
    if (s->closed) {
        a->result.error = COORD_ERR_EXPIRED;
    } else if (a->always || atomic_load(&s->asyncs_count) < ASYNCS_MAX) {
        a->waiter.done = false;
        list_append(&s->waiters, &a->waiter.link);
        s->submitting = a;
        session_step(s, event);
        s->submitting = NULL;
    }
    bool over = a->waiter.done;
    if (!over)
        atomic_fetch_add(&s->asyncs_count, 1);
    pthread_mutex_unlock(&s->mutex);
    if (!over)
        return COORD_OK;
    coord_error e = a->result.error;
    CHECK(e != COORD_OK && a->content == NULL); /* nothing is answered before it was sent */
    (void)fail(e, "%s", a->waiter.detail);
    free(a);
    return e;
}

static coord_error begin(struct coord_session *session, const char *path, int64_t deadline_ms,
                         coord_done_callback *done, char **ret_path)
{
    detail_clear();
    if (session == NULL || done == NULL)
        return fail(COORD_ERR_INVALID, "%s: is NULL", session == NULL ? "session" : "done");
    coord_error e = check_deadline(deadline_ms);
    return e != COORD_OK ? e : path_take(session->client, "path", path, ret_path);
}

coord_error coord_set_async(coord_session *session, const char *path, const void *content,
                            size_t length, const coord_write_options *options, int64_t deadline_ms,
                            coord_done_callback *done, void *context)
{
    char *inside = NULL;
    const coord_write_options *o = write_options_or_default(options);
    coord_error e = begin(session, path, deadline_ms, done, &inside);
    if (e != COORD_OK)
        return e;
    e = check_content("content", content, length);
    if (e == COORD_OK)
        e = write_options_check(o, COORD_CREATE | COORD_PARENTS);
    if (e == COORD_OK) {
        struct put_message m;
        put_message_init(&m, inside, content, length, o);
        struct client_event event = {.kind = CLIENT_EVENT_SUBMIT_WRITE, .write = &m.write};
        e = submit(session, &event, deadline_ms, async_new(session, false, done, context));
    }
    free(inside);
    return e;
}

static coord_error get(struct coord_session *s, char *path, int64_t deadline_ms, struct async *a)
{
    Coord__V1__Get m = COORD__V1__GET__INIT;
    Coord__V1__Read read = COORD__V1__READ__INIT;
    m.path = path;
    read.op_case = COORD__V1__READ__OP_GET;
    read.get = &m;
    struct client_event event = {.kind = CLIENT_EVENT_SUBMIT_READ, .read = &read};
    return submit(s, &event, deadline_ms, a);
}

coord_error coord_get_async(coord_session *session, const char *path, int64_t deadline_ms,
                            coord_done_callback *done, void *context)
{
    char *inside = NULL;
    coord_error e = begin(session, path, deadline_ms, done, &inside);
    if (e != COORD_OK)
        return e;
    e = get(session, inside, deadline_ms, async_new(session, true, done, context));
    free(inside);
    return e;
}

coord_error async_get_always(struct coord_session *s, char *path, coord_done_callback *done,
                             void *context)
{
    struct async *a = async_new(s, true, done, context);
    a->always = true;
    return get(s, path, COORD_FOREVER, a);
}
