/* api_session.c - the public calls about a session as a whole. */
#define _GNU_SOURCE
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <unistd.h>

#include "libcoord/base/check.h"
#include "libcoord/src/inner.h"

enum { TTL_MS_MIN = 2000, TTL_MS_MAX = 60000 };

static void random_fill(void *out, size_t length)
{
    for (uint8_t *at = out; length > 0;) {
        ssize_t got = getrandom(at, length, 0);
        if (got < 0 && errno == EINTR)
            continue;
        CHECK(got > 0);
        at += got;
        length -= (size_t)got;
    }
}

static coord_error check_options(const coord_session_options *o)
{
    if (o->size != sizeof *o)
        return fail(COORD_ERR_INVALID, "options: size is not that of coord_session_options");
    if (o->ttl_ms < TTL_MS_MIN || o->ttl_ms > TTL_MS_MAX)
        return fail(COORD_ERR_INVALID, "options: ttl_ms is not between %d and %d", TTL_MS_MIN,
                    TTL_MS_MAX);
    if (o->deadline_ms < COORD_FOREVER)
        return fail(COORD_ERR_INVALID, "options: deadline_ms is negative");
    return COORD_OK;
}

/* One that another process opened. */
struct origin {
    uint64_t session; /* 0: none, open a new one */
    const uint8_t *secret;
};

static struct client_session *pure_new(const struct coord_client *client,
                                       const coord_session_options *options,
                                       const struct origin *origin)
{
    char host[CLIENT_SESSION_HOST_BYTES_MAX + 1] = "";
    (void)gethostname(host, sizeof host);
    host[sizeof host - 1] = '\0';
    const char *endpoints[CLIENT_SESSION_ENDPOINTS_MAX];
    for (uint32_t i = 0; i < client->endpoints.count; i++)
        endpoints[i] = client->endpoints.list[i];
    struct client_session_config config = {
        .ttl_ms = options->ttl_ms,
        .grace_ms = options->grace_ms,
        .host = host,
        .pid = (uint32_t)getpid(),
        .lets_go_late = options->lets_go_late,
        .endpoints = endpoints,
        .endpoints_count = client->endpoints.count,
    };
    if (origin->session != 0) {
        config.session = origin->session;
        (void)memcpy(config.secret, origin->secret, sizeof config.secret);
    }
    random_fill(config.nonce, sizeof config.nonce);
    random_fill(&config.seed, sizeof config.seed);
    return client_session_new(&config);
}

static struct coord_session *session_new(struct coord_client *client,
                                         const coord_session_options *options,
                                         const struct origin *origin)
{
    struct coord_session *s = check_calloc(1, sizeof *s);
    s->client = client;
    atomic_fetch_add(&client->references, 1);
    atomic_init(&s->references, 1); /* the application's: coord_session_close */
    CHECK(pthread_mutex_init(&s->mutex, NULL) == 0);
    pthread_condattr_t monotonic;
    CHECK(pthread_condattr_init(&monotonic) == 0);
    CHECK(pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC) == 0);
    CHECK(pthread_cond_init(&s->changed, &monotonic) == 0);
    pthread_condattr_destroy(&monotonic);
    list_init(&s->place);
    list_init(&s->waiters);
    list_init(&s->results);
    list_init(&s->locks);
    list_init(&s->orphans);
    s->watches = (struct avl)AVL_INIT;
    client_effects_init(&s->out);
    s->pure = pure_new(client, options, origin);
    if (origin->session != 0) { /* so that no handle is one that was used before */
        uint32_t high = 0;
        random_fill(&high, sizeof high);
        s->last_handle = (uint64_t)high << 31 | UINT64_C(1) << 62;
    }
    s->state = COORD_SESSION_JEOPARDY;
    s->callback = options->callback;
    s->on_loss = options->on_loss;
    s->lets_go_late = options->lets_go_late;
    s->context = options->context;
    s->open_deadline_ns = deadline_of(options->deadline_ms);
    pthread_mutex_lock(&client->mutex);
    list_append(&client->sessions, &s->place);
    pthread_mutex_unlock(&client->mutex);
    return s;
}

/* COORD_ERR_EXPIRED: the nonce was used up by a session that died meanwhile. */
static coord_error wait_open(struct coord_session *s)
{
    coord_error e = COORD_OK;
    pthread_mutex_lock(&s->mutex);
    session_time(s); /* its first step: it connects */
    while (!s->opened && s->failed == ERR_OK && s->state != COORD_SESSION_EXPIRED &&
           s->open_deadline_ns != NEVER_NS)
        pthread_cond_wait(&s->changed, &s->mutex);
    if (s->failed != ERR_OK)
        e = fail((coord_error)s->failed, "%s", s->why);
    else if (!s->opened && s->state == COORD_SESSION_EXPIRED)
        e = COORD_ERR_EXPIRED;
    else if (!s->opened)
        e = fail(COORD_ERR_UNAVAILABLE, "no leader answered in time%s%.200s",
                 s->why[0] != '\0' ? ": " : "", s->why);
    pthread_mutex_unlock(&s->mutex);
    return e;
}

static void discard(struct coord_session *s)
{
    pthread_mutex_lock(&s->mutex);
    session_abandon(s);
    pthread_mutex_unlock(&s->mutex);
    dispatch_settle(&s->client->dispatch, s);
    dispatch_forget(&s->client->dispatch, s);
    session_unref(s);
}

static coord_error session_begin(coord_client *client, const coord_session_options *options,
                                 const struct origin *origin, coord_session **ret_session)
{
    static const coord_session_options defaults = COORD_SESSION_OPTIONS_INIT;
    if (options == NULL)
        options = &defaults;
    coord_error e = check_options(options);
    if (e != COORD_OK)
        return e;
    struct coord_session *s = session_new(client, options, origin);
    e = wait_open(s);
    if (e != COORD_OK) {
        discard(s);
        return e;
    }
    *ret_session = s;
    return COORD_OK;
}

coord_error coord_session_open(coord_client *client, const coord_session_options *options,
                               coord_session **ret_session)
{
    static const struct origin none = {.session = 0};
    detail_clear();
    if (client == NULL || ret_session == NULL)
        return fail(COORD_ERR_INVALID, "%s: is NULL", client == NULL ? "client" : "ret_session");
    return session_begin(client, options, &none, ret_session);
}

coord_error coord_session_attach(coord_client *client, const coord_session_options *options,
                                 uint64_t id, const void *secret, coord_session **ret_session)
{
    detail_clear();
    if (client == NULL || secret == NULL || ret_session == NULL)
        return fail(COORD_ERR_INVALID, "%s: is NULL",
                    client == NULL   ? "client"
                    : secret == NULL ? "secret"
                                     : "ret_session");
    if (id == 0)
        return fail(COORD_ERR_INVALID, "id: is 0, which no session has");
    const struct origin origin = {id, secret};
    return session_begin(client, options, &origin, ret_session);
}

void coord_session_secret(const coord_session *session, void *ret_secret)
{
    if (session != NULL && ret_secret != NULL)
        (void)memcpy(ret_secret, client_session_secret(session->pure), COORD_SECRET_BYTES);
}

coord_error coord_session_close(coord_session *s, int64_t deadline_ms)
{
    detail_clear();
    if (s == NULL)
        return COORD_OK;
    coord_error wrong = check_deadline(deadline_ms);
    struct call call = call_begin(s, wrong == COORD_OK ? deadline_ms : 0);
    coord_error e = call_close(&call);
    discard(s);
    return wrong != COORD_OK ? fail(wrong, "deadline_ms: is negative") : e;
}

void coord_session_cancel(coord_session *s)
{
    if (s == NULL)
        return;
    pthread_mutex_lock(&s->mutex);
    session_cancel_waiters(s);
    pthread_mutex_unlock(&s->mutex);
}

uint64_t coord_session_id(const coord_session *session)
{
    return session == NULL ? 0 : session->id; /* set before the session was handed out */
}

coord_session_state coord_session_state_now(coord_session *s)
{
    if (s == NULL)
        return COORD_SESSION_ENDED;
    pthread_mutex_lock(&s->mutex);
    coord_session_state state = s->state;
    /* The lease may have run out a moment ago, before the timer said so. */
    if (state == COORD_SESSION_SAFE && client_session_safe_ns(s->pure, now_ns()) == 0)
        state = COORD_SESSION_JEOPARDY;
    pthread_mutex_unlock(&s->mutex);
    return state;
}

int64_t coord_session_safe_ms(coord_session *s)
{
    if (s == NULL)
        return 0;
    pthread_mutex_lock(&s->mutex);
    int64_t safe_ns = s->closed ? 0 : client_session_safe_ns(s->pure, now_ns());
    pthread_mutex_unlock(&s->mutex);
    return safe_ns / NS_PER_MS;
}
