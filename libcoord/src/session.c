/* session.c - the step: what one event does to a session, and how long the
 * session is believed in.
 *
 * Time comes first: a deadline or a belief that has passed is dealt with before
 * the event that came with that time, except that an answered KeepAlive renews
 * belief before it is judged. */
#include "libcoord/src/session.h"

#include <stdlib.h>
#include <string.h>

#include "libcoord/base/check.h"
#include "libcoord/src/session_internal.h"

enum { PPM = 1000000 };

struct client_session *client_session_new(const struct client_session_config *config)
{
    struct client_session *s = check_calloc(1, sizeof *s);
    s->ttl_ms = config->ttl_ms != 0 ? config->ttl_ms : CLIENT_SESSION_TTL_MS_DEFAULT;
    s->grace_ms = config->grace_ms;
    s->rate_ppm = config->rate_ppm != 0 ? config->rate_ppm : CLIENT_SESSION_RATE_PPM_DEFAULT;
    CHECK(s->rate_ppm < PPM);
    memcpy(s->nonce, config->nonce, sizeof s->nonce);
    const char *host = config->host != NULL ? config->host : "";
    CHECK(strlen(host) <= CLIENT_SESSION_HOST_BYTES_MAX);
    s->host = check_strdup(host);
    s->pid = config->pid;
    s->lets_go_late = config->lets_go_late;
    s->id = config->session;
    s->adopting = s->id != 0;
    memcpy(s->secret, config->secret, sizeof s->secret);
    s->state = CLIENT_SESSION_OPENING;
    prng_init(&s->prng, config->seed);
    client_calls_init(s);
    s->watches = (struct avl)AVL_INIT;
    list_init(&s->watch_queue);
    list_init(&s->watch_asked);
    client_link_init(s, config);
    arena_init_small(&s->arena, CLIENT_SESSION_MESSAGE_BYTES_MAX, CLIENT_ARENA_KEPT_BYTES);
    return s;
}

void client_session_free(struct client_session *s)
{
    if (s == NULL)
        return;
    s->out = NULL;
    client_calls_finish(s);
    client_watches_finish(s, false);
    arena_release(&s->arena);
    free(s->host);
    free(s);
}

/* ttl * (1 - rho) / (1 + rho): our clock may run slow by rho, the server's fast. */
static int64_t belief_ns(const struct client_session *s)
{
    return ms_to_ns(s->ttl_ms) * (PPM - s->rate_ppm) / (PPM + s->rate_ppm);
}

static void enter(struct client_session *s, enum client_session_state state)
{
    s->state = state;
    client_effect_add(s, CLIENT_EFFECT_STATE)->state = state;
}

void client_believe(struct client_session *s, int64_t from_ns)
{
    s->belief_until_ns = ns_max(s->belief_until_ns, from_ns + belief_ns(s));
    bool waits = s->state == CLIENT_SESSION_OPENING || s->state == CLIENT_SESSION_JEOPARDY;
    if (!waits || s->id == 0 || s->belief_until_ns <= s->now_ns)
        return;
    enter(s, CLIENT_SESSION_SAFE);
    client_calls_safe(s);
    client_watches_safe(s);
}

static void belief_tick(struct client_session *s)
{
    if (s->state == CLIENT_SESSION_SAFE && s->belief_until_ns <= s->now_ns) {
        s->jeopardy_until_ns = s->belief_until_ns + ms_to_ns(s->grace_ms);
        enter(s, CLIENT_SESSION_JEOPARDY);
    }
    if (s->state == CLIENT_SESSION_JEOPARDY && s->jeopardy_until_ns <= s->now_ns)
        client_finish(s, CLIENT_SESSION_EXPIRED, ERR_EXPIRED, NULL);
}

void client_finish(struct client_session *s, enum client_session_state state, enum err status,
                   const Coord__V1__Answer *answer)
{
    if (client_over(s))
        return;
    if (!s->parting)
        client_link_drop(s);
    s->belief_until_ns = 0;
    s->state = state;
    struct client_effect *e = client_effect_add(s, CLIENT_EFFECT_STATE);
    e->state = state;
    e->status = status;
    e->answer = answer;
    client_calls_finish(s);
    client_watches_finish(s, true);
}

void client_gone(struct client_session *s)
{
    if (s->parting) {
        client_part_over(s);
        return;
    }
    /* If we asked for its end, then its end is what we asked for. */
    if (s->closing)
        client_finish(s, CLIENT_SESSION_ENDED, ERR_OK, NULL);
    else
        client_finish(s, CLIENT_SESSION_EXPIRED, ERR_EXPIRED, NULL);
}

static int64_t wake_at(const struct client_session *s)
{
    if (s->parting)
        return ns_min(s->parting_until_ns, client_calls_wake(s));
    if (client_over(s))
        return NEVER_NS;
    int64_t at = ns_min(client_link_wake(s), client_calls_wake(s));
    if (s->state == CLIENT_SESSION_SAFE)
        at = ns_min(at, s->belief_until_ns);
    if (s->state == CLIENT_SESSION_JEOPARDY)
        at = ns_min(at, s->jeopardy_until_ns);
    return at;
}

static void dispatch(struct client_session *s, const struct client_event *event)
{
    switch (event->kind) {
    case CLIENT_EVENT_TIME:
    case CLIENT_EVENT_KEEPALIVE:
        break; /* done before */
    case CLIENT_EVENT_LINK_UP:
        client_link_up(s);
        break;
    case CLIENT_EVENT_LINK_DOWN:
        if (s->parting)
            client_part_over(s);
        else if (s->link != CLIENT_LINK_NONE)
            client_link_lost(s, CLIENT_SESSION_REFUSED_MS);
        break;
    case CLIENT_EVENT_MESSAGE:
        client_reply(s, event->bytes);
        break;
    case CLIENT_EVENT_SUBMIT_WRITE:
    case CLIENT_EVENT_LET_GO:
        client_call_write(s, event);
        break;
    case CLIENT_EVENT_SUBMIT_READ:
        client_call_read(s, event);
        break;
    case CLIENT_EVENT_WATCH:
        client_watch_add(s, event);
        break;
    case CLIENT_EVENT_UNWATCH:
        client_watch_remove(s, event->watch_id);
        break;
    case CLIENT_EVENT_GIVE_UP:
        if (!client_watch_give_up(s, event->token))
            client_call_give_up(s, event->token);
        break;
    case CLIENT_EVENT_CLOSE:
        client_call_close(s, event);
        break;
    }
}

static bool of_an_old_link(const struct client_session *s, const struct client_event *event)
{
    bool linked = event->kind == CLIENT_EVENT_LINK_UP || event->kind == CLIENT_EVENT_LINK_DOWN ||
                  event->kind == CLIENT_EVENT_MESSAGE;
    return linked && event->link != 0 && event->link != s->link_number;
}

void client_session_step(struct client_session *s, const struct client_event *event,
                         struct client_effects *out)
{
    client_effects_clear(out);
    arena_reset(&s->arena);
    s->out = out;
    s->sending = 0;
    s->now_ns = ns_max(s->now_ns, event->now_ns);

    if (event->kind == CLIENT_EVENT_KEEPALIVE && !client_over(s))
        client_link_keepalive(s, event);
    belief_tick(s);
    client_calls_tick(s);
    if (!of_an_old_link(s, event))
        dispatch(s, event);
    if (!client_over(s)) {
        client_link_tick(s);
        /* Watches first: an answer must not show what their events have yet to tell. */
        client_watches_send(s);
        client_calls_send(s);
    }
    if (s->parting)
        client_part_tick(s);
    out->wake_at_ns = wake_at(s);
    s->out = NULL;
}

enum client_session_state client_session_state(const struct client_session *s)
{
    return s->state;
}

int64_t client_session_safe_ns(const struct client_session *s, int64_t now_ns)
{
    if (s->state != CLIENT_SESSION_SAFE || s->belief_until_ns <= now_ns)
        return 0;
    return s->belief_until_ns - now_ns;
}

uint64_t client_session_id(const struct client_session *s)
{
    return s->id;
}

const uint8_t *client_session_secret(const struct client_session *s)
{
    return s->secret;
}

uint32_t client_session_ttl_ms(const struct client_session *s)
{
    return s->ttl_ms;
}
