/* client.c - see client.h. */
#include "tests/sim/client.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "libcoord/base/check.h"
#include "tests/sim/check_belief.h"
#include "tests/sim/recorder.h"
#include "tests/sim/sim.h"

static const char *const state_names[] = {
    [CLIENT_SESSION_OPENING] = "opening",   [CLIENT_SESSION_SAFE] = "safe",
    [CLIENT_SESSION_JEOPARDY] = "jeopardy", [CLIENT_SESSION_EXPIRED] = "expired",
    [CLIENT_SESSION_ENDED] = "ended",       [CLIENT_SESSION_FAILED] = "failed",
};

void client_init(struct sim *s, uint32_t index)
{
    struct client *c = &s->clients[index];
    memset(c, 0, sizeof(*c));
    c->sim = s;
    c->index = index;
    c->host = &s->hosts[index % s->swarm.hosts];
    client_effects_init(&c->effects);
    player_init(c);
    watcher_init(&c->watcher);
}

static void end_session(struct client *c)
{
    if (c->channel != 0)
        channel_drop(c->sim, c->channel);
    c->channel = 0;
    client_session_free(c->session);
    c->session = NULL;
    c->id = 0;
    c->life++;
    player_forget(c);
    watcher_forget(&c->watcher);
}

void client_release(struct client *c)
{
    client_session_free(c->session);
    c->session = NULL;
    client_effects_release(&c->effects);
    player_release(c);
    watcher_release(&c->watcher);
}

void client_open(struct client *c)
{
    struct sim *s = c->sim;
    const struct swarm *w = &s->swarm;
    char text[NET_REPLICAS_MAX][16];
    const char *endpoints[NET_REPLICAS_MAX];
    uint32_t first = (uint32_t)prng_below(&s->work_random, w->members);
    /* Enough to know one that lives when a minority stays dead. */
    uint32_t count = (uint32_t)prng_between(&s->work_random, w->members / 2 + 1, w->members);
    for (uint32_t i = 0; i < count; i++) {
        snprintf(text[i], sizeof(text[i]), "sim:%" PRIu32, 1 + (first + i) % w->members);
        endpoints[i] = text[i];
    }
    struct client_session_config config = {
        .ttl_ms = (uint32_t)prng_between(&s->work_random, w->ttl_min_ms, w->ttl_max_ms),
        .grace_ms = w->grace_ms,
        .rate_ppm = w->rate_ppm,
        .seed = prng_next(&s->work_random),
        .host = "sim",
        .pid = c->index,
        .endpoints = endpoints,
        .endpoints_count = count,
    };
    prng_fill(&s->work_random, config.nonce, sizeof(config.nonce));
    CHECK(c->session == NULL);
    c->session = client_session_new(&config);
    c->state = CLIENT_SESSION_OPENING;
    c->was_safe = false;
    c->resync = 0;
    journal_trace(&s->journal, "c%" PRIu32 " opens a session, ttl %" PRIu32 " ms", c->index,
                  config.ttl_ms);
    client_step(c, &(struct client_event){.kind = CLIENT_EVENT_TIME});
}

void client_crash(struct client *c)
{
    if (c->session == NULL)
        return;
    journal_trace(&c->sim->journal, "c%" PRIu32 " crashes", c->index);
    end_session(c);
}

bool client_is_safe(const struct client *c)
{
    return c->session != NULL && client_session_safe_ns(c->session, host_now_ns(c->host)) > 0;
}

/* ---- what the session asks for ---- */

static uint32_t server_of(const struct sim *s, const char *address)
{
    for (uint32_t i = 0; i < s->swarm.members; i++)
        if (strcmp(s->servers[i].config.members[i].address, address) == 0)
            return i;
    return UINT32_MAX;
}

static void connect_to(struct client *c, const struct client_effect *e)
{
    struct sim *s = c->sim;
    if (c->channel != 0)
        channel_drop(s, c->channel);
    c->channel = 0;
    c->link = e->link;
    c->server = server_of(s, e->address);
    if (c->server == UINT32_MAX) {
        journal_fail(&s->journal, VERDICT_SAFETY, "client %" PRIu32 " was sent to '%s'", c->index,
                     e->address);
        return;
    }
    journal_trace(&s->journal, "c%" PRIu32 " connects to %s", c->index, e->address);
    c->channel = channel_open(s, c->host->index, c->server, REPLICA_STREAM_SESSION, c->index);
}

static void change_state(struct client *c, const struct client_effect *e)
{
    struct journal *j = &c->sim->journal;
    journal_trace(j, "c%" PRIu32 " session %" PRIu64 " is %s", c->index,
                  client_session_id(c->session), state_names[e->state]);
    if (e->state == c->state)
        journal_fail(j, VERDICT_SAFETY, "client %" PRIu32 " is told twice that it is %s", c->index,
                     state_names[e->state]);
    if (e->state == CLIENT_SESSION_JEOPARDY)
        j->counts[COUNT_JEOPARDIES]++;
    if (e->state == CLIENT_SESSION_SAFE && c->state == CLIENT_SESSION_JEOPARDY)
        j->counts[COUNT_JEOPARDIES_SURVIVED]++;
    c->state = e->state;
}

static void execute(struct client *c, const struct client_effect *e)
{
    struct sim *s = c->sim;
    switch (e->kind) {
    case CLIENT_EFFECT_CONNECT:
        connect_to(c, e);
        break;
    case CLIENT_EFFECT_DISCONNECT:
        if (c->channel != 0)
            channel_drop(s, c->channel);
        c->channel = 0;
        break;
    case CLIENT_EFFECT_SEND:
        if (c->channel != 0)
            channel_send_to_server(s, c->channel, buffer_slice(&e->bytes));
        break;
    case CLIENT_EFFECT_KEEPALIVE:
        if (c->channel != 0)
            host_keepalive(c->host, c->server, buffer_slice(&e->bytes));
        break;
    case CLIENT_EFFECT_ANSWER:
        player_answered(c, e);
        break;
    case CLIENT_EFFECT_WATCHED:
        watcher_event(c, e->event);
        break;
    case CLIENT_EFFECT_STATE:
        change_state(c, e);
        break;
    case CLIENT_EFFECT_REVOKED:
        player_revoked(c, e->event->handle);
        break;
    case CLIENT_EFFECT_LATE_GRANT:
        s->journal.counts[COUNT_GRANTS_THAT_CROSSED_A_CANCEL]++;
        break;
    }
}

/* a: life, b: wake number */
static void on_wake(void *object, const struct queue_item *item)
{
    struct client *c = object;
    if (c->life == item->a && c->wake_number == item->b && !c->host->paused)
        client_step(c, &(struct client_event){.kind = CLIENT_EVENT_TIME});
}

static void wake_later(struct client *c)
{
    struct sim *s = c->sim;
    c->wake_number++;
    int64_t at = clock_true(&c->host->clock, c->effects.wake_at_ns);
    if (at == NEVER_NS)
        return;
    int64_t late = NS_PER_US * (int64_t)prng_below(&s->clock_random, s->swarm.late_us + 1);
    sim_after(s, ns_max(at - s->now_ns, 0) + late, on_wake, c, c->life, c->wake_number, 0, NULL);
}

void client_step(struct client *c, const struct client_event *event)
{
    if (c->session == NULL)
        return;
    struct client_event e = *event;
    e.now_ns = host_now_ns(c->host);
    e.link = c->link;
    client_session_step(c->session, &e, &c->effects);
    if (c->id == 0)
        c->id = client_session_id(c->session);
    for (uint32_t i = 0; i < c->effects.count; i++)
        execute(c, &c->effects.list[i]);
    wake_later(c);

    bool over = c->state == CLIENT_SESSION_EXPIRED || c->state == CLIENT_SESSION_ENDED ||
                c->state == CLIENT_SESSION_FAILED;
    bool safe = client_is_safe(c);
    if (safe && !c->was_safe)
        check_belief(c->sim, c);
    if (safe)
        check_alive(c->sim, c);
    c->was_safe = safe;
    if (safe)
        record_beliefs(c);
    if (over) {
        player_session_over(c);
        end_session(c);
        player_reopen_later(c);
    }
}

void client_channel_input(struct client *c, const struct host_input *input)
{
    if (c->channel != input->channel)
        return;
    struct client_event e = {0};
    switch (input->kind) {
    case HOST_CHANNEL_UP:
        e.kind = CLIENT_EVENT_LINK_UP;
        break;
    case HOST_CHANNEL_DOWN:
        e.kind = CLIENT_EVENT_LINK_DOWN;
        c->channel = 0;
        break;
    case HOST_CHANNEL_MESSAGE:
        e.kind = CLIENT_EVENT_MESSAGE;
        e.bytes = blob_slice(input->bytes);
        break;
    }
    client_step(c, &e);
}
