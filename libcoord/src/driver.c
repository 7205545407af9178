/* driver.c - runs one pure session: hands it events, carries its effects out.
 *
 * A stream counts as up as soon as it is made: what is sent waits inside gRPC
 * for the connection, which saves a round trip, and a connection that cannot be
 * made ends the stream. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "libcoord/base/check.h"
#include "libcoord/src/inner.h"

struct coord_session *session_ref(struct coord_session *s)
{
    if (s != NULL)
        atomic_fetch_add(&s->references, 1);
    return s;
}

void session_unref(struct coord_session *s)
{
    if (s == NULL || atomic_fetch_sub(&s->references, 1) != 1)
        return;
    CHECK(s->stream == NULL && list_empty(&s->waiters) && list_empty(&s->orphans));
    client_effects_release(&s->out);
    client_session_free(s->pure);
    pthread_cond_destroy(&s->changed);
    pthread_mutex_destroy(&s->mutex);
    client_unref(s->client);
    free(s);
}

/* ---- watches ---- */

static int by_watch_id(const void *key, const struct avl_node *node)
{
    uint64_t a = *(const uint64_t *)key;
    uint64_t b = container_of(node, struct coord_watch, by_id)->id;
    return a < b ? -1 : a > b;
}

struct coord_watch *session_watch(struct coord_session *s, uint64_t id)
{
    return container_of_or_null(avl_find(&s->watches, &id, by_watch_id), struct coord_watch, by_id);
}

void session_watch_link(struct coord_session *s, struct coord_watch *w)
{
    CHECK(avl_insert(&s->watches, &w->by_id, &w->id, by_watch_id) == NULL);
}

/* ---- effects ---- */

static void drop(struct coord_session *s)
{
    stream_drop(s->stream);
    s->stream = NULL;
    s->conn = NULL;
    s->begins = false;
}

static void leave(struct coord_session *s)
{
    drop(s);
    turn_over(s);
}

static void make_stream(struct coord_session *s)
{
    if (!turn_take(s))
        return;
    s->stream = conn_session_stream(s->conn, s);
    s->begins = true;
    s->link_made = true;
}

/* A turn that it has is kept. */
static void connect_to(struct coord_session *s, const struct client_effect *e)
{
    drop(s);
    s->link = e->link;
    s->link_made = s->link_failed = false;
    s->conn = conn_get(s->client, e->address);
    if (s->conn != NULL) {
        make_stream(s);
        return;
    }
    (void)snprintf(s->why, sizeof s->why, "%.200s: no address of a server", e->address);
    s->link_failed = true;
}

static coord_session_state public_state(enum client_session_state state)
{
    switch (state) {
    case CLIENT_SESSION_SAFE:
        return COORD_SESSION_SAFE;
    case CLIENT_SESSION_OPENING:
    case CLIENT_SESSION_JEOPARDY:
        return COORD_SESSION_JEOPARDY;
    case CLIENT_SESSION_ENDED:
        return COORD_SESSION_ENDED;
    case CLIENT_SESSION_EXPIRED:
    case CLIENT_SESSION_FAILED:
        break;
    }
    return COORD_SESSION_EXPIRED;
}

static int by_session_id(const void *key, const struct avl_node *node)
{
    uint64_t a = *(const uint64_t *)key;
    uint64_t b = container_of(node, struct coord_session, by_id)->id;
    return a < b ? -1 : a > b;
}

struct coord_session *client_session_of(struct coord_client *c, uint64_t id)
{
    pthread_mutex_lock(&c->mutex);
    struct coord_session *s = session_ref(
        container_of_or_null(avl_find(&c->by_id, &id, by_session_id), struct coord_session, by_id));
    pthread_mutex_unlock(&c->mutex);
    return s;
}

static void state_changed(struct coord_session *s, const struct client_effect *e)
{
    bool opening = !s->opened;
    s->state = public_state(e->state);
    if (e->state == CLIENT_SESSION_SAFE)
        s->opened = true;
    if (e->state == CLIENT_SESSION_FAILED) {
        s->failed = e->status;
        if (e->answer != NULL)
            (void)snprintf(s->why, sizeof s->why, "%s", e->answer->message);
    }
    pthread_cond_broadcast(&s->changed);
    /* The outcome of opening and of closing is what those calls return. */
    bool told = s->callback != NULL && !opening && s->state != COORD_SESSION_ENDED;
    if (told)
        dispatch_state(&s->client->dispatch, s, s->state);
}

/* So that answers to its KeepAlives find it. */
static void publish_id(struct coord_session *s)
{
    if (s->id != 0 || s->closed || client_session_id(s->pure) == 0)
        return;
    pthread_mutex_lock(&s->client->mutex);
    s->id = client_session_id(s->pure);
    if (avl_insert(&s->client->by_id, &s->by_id, &s->id, by_session_id) != NULL)
        s->id = 0; /* no cell gives one id to two: it gets no KeepAlive answered */
    pthread_mutex_unlock(&s->client->mutex);
}

static void watched(struct coord_session *s, const Coord__V1__Event *event)
{
    struct coord_watch *w = session_watch(s, event->watch);
    if (w != NULL)
        dispatch_event(&s->client->dispatch, w, event);
}

/* A lock of the process before, in a session that lets its application let go: nobody
 * here has it, so it is for us to do. */
struct orphan {
    struct list link;
    uint64_t handle;
    char *path; /* owned */
};

static void revoked(struct coord_session *s, const Coord__V1__Event *event)
{
    if (locks_revoked(s, event->handle) || !s->lets_go_late)
        return;
    struct orphan *o = check_calloc(1, sizeof *o);
    o->handle = event->handle;
    o->path = check_strdup(event->path);
    list_append(&s->orphans, &o->link);
}

static struct orphan *take_orphan(struct coord_session *s)
{
    struct list *first = list_first(&s->orphans);
    if (first != NULL)
        list_remove(first);
    return container_of_or_null(first, struct orphan, link);
}

static void orphan_free(struct orphan *o)
{
    free(o->path);
    free(o);
}

static void carry_out(struct coord_session *s, struct client_effect *e)
{
    switch (e->kind) {
    case CLIENT_EFFECT_CONNECT:
        connect_to(s, e);
        break;
    case CLIENT_EFFECT_DISCONNECT:
        leave(s);
        break;
    case CLIENT_EFFECT_SEND:
        if (s->stream != NULL && e->link == s->link)
            stream_send(s->stream, buffer_slice(&e->bytes));
        break;
    case CLIENT_EFFECT_KEEPALIVE:
        if (s->conn != NULL)
            conn_beat(s->conn, buffer_slice(&e->bytes));
        break;
    case CLIENT_EFFECT_ANSWER:
        /* The pure session answers each token once, so the waiter is still there. */
        waiter_answered((struct waiter *)(uintptr_t)e->token, e);
        break;
    case CLIENT_EFFECT_WATCHED:
        watched(s, e->event);
        break;
    case CLIENT_EFFECT_STATE:
        state_changed(s, e);
        break;
    case CLIENT_EFFECT_REVOKED:
        revoked(s, e->event);
        break;
    case CLIENT_EFFECT_LATE_GRANT:
        break;
    }
}

static void step(struct coord_session *s, struct client_event *event)
{
    event->now_ns = now_ns();
    client_session_step(s->pure, event, &s->out);
    publish_id(s);
    for (uint32_t i = 0; i < s->out.count; i++)
        carry_out(s, &s->out.list[i]);
}

void session_step(struct coord_session *s, struct client_event *event)
{
    if (s->closed)
        return;
    step(s, event);
    while (s->link_made || s->link_failed) {
        struct client_event link = {
            .kind = s->link_made ? CLIENT_EVENT_LINK_UP : CLIENT_EVENT_LINK_DOWN,
            .link = s->link,
        };
        s->link_made = s->link_failed = false;
        step(s, &link);
    }
    /* Behind the events of the same message, once for all. */
    if (!list_empty(&s->results))
        dispatch_results(&s->client->dispatch, s);
    int64_t at_ns = s->out.wake_at_ns;
    if (!s->opened)
        at_ns = ns_min(at_ns, s->open_deadline_ns);
    timers_set(&s->client->timers, s, at_ns);
    for (struct orphan *o; (o = take_orphan(s)) != NULL; orphan_free(o))
        lock_let_go(s, o->path, o->handle); /* a step of its own */
}

void session_time(struct coord_session *s)
{
    struct client_event event = {.kind = CLIENT_EVENT_TIME};
    if (!s->opened && s->open_deadline_ns <= now_ns()) {
        s->open_deadline_ns = NEVER_NS;
        pthread_cond_broadcast(&s->changed);
    }
    if (s->stream == NULL && s->conn != NULL && !s->closed)
        make_stream(s);
    session_step(s, &event);
}

/* ---- what arrives ---- */

static void stream_message(void *owner, struct stream *stream, struct slice bytes)
{
    struct coord_session *s = owner;
    pthread_mutex_lock(&s->mutex);
    if (s->stream == stream) {
        struct client_event event = {.kind = CLIENT_EVENT_MESSAGE, .link = s->link, .bytes = bytes};
        session_step(s, &event);
        if (s->begins && s->stream == stream) { /* it was no redirect */
            s->begins = false;
            turn_over(s);
        }
    }
    pthread_mutex_unlock(&s->mutex);
}

static void stream_end(void *owner, struct stream *stream, const char *why)
{
    struct coord_session *s = owner;
    pthread_mutex_lock(&s->mutex);
    if (s->stream == stream) {
        (void)snprintf(s->why, sizeof s->why, "%.80s: %.160s", s->conn->text,
                       why[0] != '\0' ? why : "it does not lead");
        leave(s);
        struct client_event event = {.kind = CLIENT_EVENT_LINK_DOWN, .link = s->link};
        session_step(s, &event);
    }
    pthread_mutex_unlock(&s->mutex);
}

static void stream_gone(void *owner)
{
    session_unref(owner);
}

const struct stream_calls session_stream_calls = {
    .message = stream_message,
    .end = stream_end,
    .gone = stream_gone,
};

/* The server does not lead: whoever of our sessions is with it must look on. */
static void redirect_all(struct coord_client *c, const char *address, struct conn *from)
{
    uint64_t after = 0;
    while (true) {
        pthread_mutex_lock(&c->mutex);
        struct coord_session *s = session_ref(container_of_or_null(
            avl_above(&c->by_id, &after, by_session_id), struct coord_session, by_id));
        pthread_mutex_unlock(&c->mutex);
        if (s == NULL)
            return;
        after = s->id;
        pthread_mutex_lock(&s->mutex);
        if (s->conn == from) {
            struct client_event event = {
                .kind = CLIENT_EVENT_KEEPALIVE, .status = ERR_NOT_LEADER, .address = address};
            session_step(s, &event);
        }
        pthread_mutex_unlock(&s->mutex);
        session_unref(s);
    }
}

void session_keepalive(struct coord_client *c, const Coord__V1__KeepAliveReply *reply,
                       struct conn *from)
{
    for (size_t i = 0; i < reply->n_answers; i++) {
        const Coord__V1__BeatAnswer *a = reply->answers[i];
        struct coord_session *s = client_session_of(c, a->session);
        if (s == NULL)
            continue;
        struct client_event event = {
            .kind = CLIENT_EVENT_KEEPALIVE,
            .status = (enum err)a->status,
            .stamp = a->stamp,
        };
        pthread_mutex_lock(&s->mutex);
        session_step(s, &event);
        pthread_mutex_unlock(&s->mutex);
        session_unref(s);
    }
    if (reply->redirect != NULL)
        redirect_all(c, reply->redirect->address, from);
}

/* ---- leaving ---- */

void session_cancel_waiters(struct coord_session *s)
{
    s->cancels_count++;
    pthread_cond_broadcast(&s->changed);
    while (!list_empty(&s->waiters)) {
        struct list *first = list_first(&s->waiters);
        struct waiter *w = container_of(first, struct waiter, link);
        struct client_event event = {.kind = CLIENT_EVENT_GIVE_UP, .token = (uint64_t)(uintptr_t)w};
        session_step(s, &event);
        CHECK(list_first(&s->waiters) != first); /* it may be gone already */
    }
}

void session_abandon(struct coord_session *s)
{
    if (s->closed)
        return;
    session_cancel_waiters(s);
    s->closed = true;
    leave(s);
    timers_remove(&s->client->timers, s);
    pthread_mutex_lock(&s->client->mutex);
    if (s->id != 0)
        avl_remove(&s->client->by_id, &s->by_id);
    list_remove(&s->place);
    pthread_mutex_unlock(&s->client->mutex);
    pthread_cond_broadcast(&s->changed);
}
