/* call.c - a blocking call: submits, waits, and says what came of it.
 *
 * The pure session ends every call at its deadline, so a waiter needs no timed
 * wait. What the caller is to get is copied by `take` while the answer is there,
 * in whichever thread that is. */
#define _GNU_SOURCE
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "libcoord/base/check.h"
#include "libcoord/src/inner.h"

_Static_assert((int)COORD_OK == (int)ERR_OK && (int)COORD_ERR_INVALID == (int)ERR_INVALID &&
                   (int)COORD_ERR_EXPIRED == (int)ERR_EXPIRED &&
                   (int)COORD_ERR_UNSUPPORTED == (int)ERR_UNSUPPORTED,
               "one table of outcomes");

int64_t deadline_of(int64_t timeout_ms)
{
    const int64_t century_ms = INT64_C(100) * 366 * 24 * 3600 * 1000;
    if (timeout_ms < 0 || timeout_ms > century_ms)
        return NEVER_NS;
    return now_ns() + ms_to_ns(timeout_ms);
}

struct call call_begin(struct coord_session *session, int64_t deadline_ms)
{
    struct call c = {.session = session, .deadline_ns = deadline_of(deadline_ms)};
    pthread_mutex_lock(&session->mutex);
    c.cancels_count = session->cancels_count;
    pthread_mutex_unlock(&session->mutex);
    return c;
}

static const char *detail_of(const struct client_effect *e)
{
    if (e->status == ERR_EXPIRED)
        return e->maybe_applied ? "the session expired; the call may have been applied"
                                : "the session expired; the call was not applied";
    return e->answer != NULL ? e->answer->message : "";
}

void waiter_detail(struct waiter *w, const struct client_effect *e)
{
    (void)snprintf(w->detail, sizeof w->detail, "%s", detail_of(e));
}

void waiter_answered(struct waiter *w, const struct client_effect *e)
{
    list_remove(&w->link);
    if (w->answered != NULL) {
        w->answered(w, e);
        return;
    }
    w->status = e->status;
    w->done = true;
    if (e->status != ERR_OK)
        waiter_detail(w, e);
    if ((e->status == ERR_OK || w->take_refused) && w->take != NULL && e->answer != NULL)
        w->take(w->context, e->answer);
    pthread_cond_signal(&w->done_cond);
}

static coord_error outcome(const struct waiter *w)
{
    CHECK(w->status != ERR_NOT_LEADER);
    if (w->status == ERR_OK)
        return COORD_OK;
    return fail((coord_error)w->status, "%s", w->detail);
}

static coord_error submit_waiter(const struct call *c, struct client_event *event, struct waiter w)
{
    struct coord_session *s = c->session;
    CHECK(pthread_cond_init(&w.done_cond, NULL) == 0);
    event->token = (uint64_t)(uintptr_t)&w;
    event->deadline_ns = c->deadline_ns;
    pthread_mutex_lock(&s->mutex);
    if (s->closed) {
        w.status = ERR_EXPIRED;
        w.done = true;
    } else if (s->cancels_count != c->cancels_count) {
        w.status = ERR_CANCELLED;
        w.done = true;
    } else {
        list_append(&s->waiters, &w.link);
        session_step(s, event);
    }
    while (!w.done)
        pthread_cond_wait(&w.done_cond, &s->mutex);
    pthread_mutex_unlock(&s->mutex);
    pthread_cond_destroy(&w.done_cond);
    event->token = 0; /* it named this frame */
    return outcome(&w);
}

static coord_error submit(const struct call *c, struct client_event *event, call_take *take,
                          void *context)
{
    return submit_waiter(c, event, (struct waiter){.take = take, .context = context});
}

coord_error call_write_refused(const struct call *c, const Coord__V1__Write *write, call_take *take,
                               void *context)
{
    struct client_event event = {.kind = CLIENT_EVENT_SUBMIT_WRITE, .write = write};
    return submit_waiter(c, &event,
                         (struct waiter){.take = take, .context = context, .take_refused = true});
}

coord_error call_write(const struct call *c, const Coord__V1__Write *write, call_take *take,
                       void *context)
{
    struct client_event event = {.kind = CLIENT_EVENT_SUBMIT_WRITE, .write = write};
    return submit(c, &event, take, context);
}

coord_error call_let_go(const struct call *c, const Coord__V1__Write *write)
{
    struct client_event event = {.kind = CLIENT_EVENT_LET_GO, .write = write};
    return submit(c, &event, NULL, NULL);
}

coord_error call_read(const struct call *c, const Coord__V1__Read *read, call_take *take,
                      void *context)
{
    struct client_event event = {.kind = CLIENT_EVENT_SUBMIT_READ, .read = read};
    return submit(c, &event, take, context);
}

coord_error call_read_refused(const struct call *c, const Coord__V1__Read *read, call_take *take,
                              void *context)
{
    struct client_event event = {.kind = CLIENT_EVENT_SUBMIT_READ, .read = read};
    return submit_waiter(c, &event,
                         (struct waiter){.take = take, .context = context, .take_refused = true});
}

coord_error call_watch(const struct call *c, const Coord__V1__Watch *watch, call_take *take,
                       void *context)
{
    struct client_event event = {.kind = CLIENT_EVENT_WATCH, .watch = watch};
    return submit(c, &event, take, context);
}

coord_error call_close(const struct call *c)
{
    struct client_event event = {.kind = CLIENT_EVENT_CLOSE};
    return submit(c, &event, NULL, NULL);
}

/* Not through a waiter: it asks the servers nothing. The wait is cut into pieces,
 * since nobody signals a deadline here; it is rare. */
static void wait_a_little(struct coord_session *s)
{
    struct timespec until;
    CHECK(clock_gettime(CLOCK_MONOTONIC, &until) == 0);
    until.tv_nsec += 50 * NS_PER_MS;
    if (until.tv_nsec >= NS_PER_S) {
        until.tv_nsec -= NS_PER_S;
        until.tv_sec++;
    }
    (void)pthread_cond_timedwait(&s->changed, &s->mutex, &until);
}

coord_error call_until_safe(const struct call *c)
{
    struct coord_session *s = c->session;
    coord_error e = COORD_OK;
    pthread_mutex_lock(&s->mutex);
    while (client_session_safe_ns(s->pure, now_ns()) == 0) {
        if (s->closed || s->state == COORD_SESSION_EXPIRED || s->state == COORD_SESSION_ENDED)
            e = COORD_ERR_EXPIRED;
        else if (s->cancels_count != c->cancels_count)
            e = COORD_ERR_CANCELLED;
        else if (c->deadline_ns <= now_ns())
            e = COORD_ERR_TIMEOUT;
        if (e != COORD_OK)
            break;
        wait_a_little(s);
    }
    pthread_mutex_unlock(&s->mutex);
    return e;
}
