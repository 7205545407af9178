/* session_link.c - finding the leader and staying with it.
 *
 *   NONE --pause over--> CONNECTING --up--> BEGINNING --begun--> ATTACHED
 *     ^                      |                  |                   |
 *     +--- all were tried ---+-- down, silent, redirected elsewhere +
 *
 * Servers are tried in turn, each at most once before a pause, and a redirect is
 * followed unless it names one that was silent or broke a moment ago: then the
 * followers do not know yet that their leader is gone. The pause is random and
 * grows, for many clients lose one leader at the same time. */
#include <string.h>

#include "libcoord/base/check.h"
#include "libcoord/src/session_internal.h"

static bool address_sound(const char *address)
{
    size_t length = strlen(address);
    if (length == 0 || length > CLIENT_SESSION_ADDRESS_BYTES_MAX)
        return false;
    for (size_t i = 0; i < length; i++)
        if ((unsigned char)address[i] <= ' ' || address[i] == 0x7f)
            return false;
    return true;
}

static void endpoint_set(struct client_endpoint *e, const char *address, bool learned)
{
    *e = (struct client_endpoint){.learned = learned};
    memcpy(e->address, address, strlen(address) + 1);
}

void client_link_init(struct client_session *s, const struct client_session_config *config)
{
    CHECK(config->endpoints_count >= 1 && config->endpoints_count <= CLIENT_SESSION_ENDPOINTS_MAX);
    for (uint32_t i = 0; i < config->endpoints_count; i++) {
        CHECK(address_sound(config->endpoints[i]));
        endpoint_set(&s->endpoints[i], config->endpoints[i], false);
    }
    s->endpoints_count = config->endpoints_count;
    s->current = s->turn = (uint32_t)prng_below(&s->prng, s->endpoints_count);
    s->link = CLIENT_LINK_NONE;
    s->backoff_ms = 2 * CLIENT_SESSION_BACKOFF_MIN_MS;
    s->begin_timeout_ms = CLIENT_SESSION_BEGIN_TIMEOUT_MS;
}

static void connect_to(struct client_session *s, uint32_t endpoint)
{
    s->current = endpoint;
    s->link = CLIENT_LINK_CONNECTING;
    s->link_number++;
    s->link_since_ns = s->now_ns;
    s->tried_count++;
    struct client_effect *e = client_effect_add(s, CLIENT_EFFECT_CONNECT);
    e->address = s->endpoints[endpoint].address;
    e->link = s->link_number;
}

uint32_t client_link_patience_ms(const struct client_session *s, uint32_t most_ms, uint32_t part)
{
    return s->ttl_ms / part < most_ms ? s->ttl_ms / part : most_ms;
}

static void pause(struct client_session *s)
{
    s->link = CLIENT_LINK_NONE;
    s->tried_count = 0;
    s->redirects_count = 0;
    s->retry_at_ns =
        s->now_ns + (int64_t)prng_between(&s->prng, ms_to_ns(CLIENT_SESSION_BACKOFF_MIN_MS),
                                          ms_to_ns(s->backoff_ms));
    s->backoff_ms += s->backoff_ms / 2;
    if (s->backoff_ms > CLIENT_SESSION_BACKOFF_MAX_MS)
        s->backoff_ms = CLIENT_SESSION_BACKOFF_MAX_MS;
}

static void connect_in_turn(struct client_session *s, uint32_t endpoint)
{
    s->turn = endpoint;
    connect_to(s, endpoint);
}

/* The next server in turn that is not to be avoided; with `any`, the next one if
 * all are. Wherever redirects led in between: else two servers that know no better
 * than to name each other would be all that is ever asked. */
static bool connect_next(struct client_session *s, bool any)
{
    CHECK(s->endpoints_count > 0);
    for (uint32_t i = 1; i <= s->endpoints_count; i++) {
        uint32_t next = (s->turn + i) % s->endpoints_count;
        if (s->endpoints[next].avoid_until_ns <= s->now_ns) {
            connect_in_turn(s, next);
            return true;
        }
    }
    if (any)
        connect_in_turn(s, (s->turn + 1) % s->endpoints_count);
    return any;
}

/* Leaves what may still come from the stream without effect. */
static void unlink_stream(struct client_session *s)
{
    if (s->link == CLIENT_LINK_ATTACHED)
        client_calls_unlinked(s);
    if (s->link == CLIENT_LINK_ATTACHED || s->link == CLIENT_LINK_BEGINNING)
        client_watches_unlinked(s);
    s->link = CLIENT_LINK_NONE;
    s->beat_since_ns = 0;
    s->retry_at_ns = NEVER_NS;
}

static void try_next(struct client_session *s)
{
    if (s->tried_count < s->endpoints_count && connect_next(s, false))
        return;
    pause(s);
    client_effect_add(s, CLIENT_EFFECT_DISCONNECT);
}

void client_link_drop(struct client_session *s)
{
    bool stands = s->link != CLIENT_LINK_NONE;
    unlink_stream(s);
    if (stands)
        client_effect_add(s, CLIENT_EFFECT_DISCONNECT);
}

void client_link_lost(struct client_session *s, int64_t avoid_ms)
{
    unlink_stream(s);
    s->endpoints[s->current].avoid_until_ns = s->now_ns + ms_to_ns(avoid_ms);
    try_next(s);
}

static bool endpoint_find(const struct client_session *s, const char *address, uint32_t *ret)
{
    for (uint32_t i = 0; i < s->endpoints_count; i++) {
        if (strcmp(s->endpoints[i].address, address) == 0) {
            *ret = i;
            return true;
        }
    }
    return false;
}

static bool endpoint_learn(struct client_session *s, const char *address, uint32_t *ret)
{
    if (endpoint_find(s, address, ret))
        return true;
    if (!address_sound(address))
        return false;
    uint32_t i = s->endpoints_count;
    if (i < CLIENT_SESSION_ENDPOINTS_MAX) {
        s->endpoints_count++;
    } else {
        for (i = 0; i < s->endpoints_count; i++)
            if (s->endpoints[i].learned && i != s->current)
                break;
        if (i == s->endpoints_count)
            return false;
    }
    endpoint_set(&s->endpoints[i], address, true);
    *ret = i;
    return true;
}

void client_link_redirect(struct client_session *s, const char *address)
{
    if (s->link == CLIENT_LINK_NONE)
        return;
    uint32_t from = s->current, to = 0;
    unlink_stream(s);
    if (address == NULL || !endpoint_learn(s, address, &to)) {
        try_next(s);
        return;
    }
    if (to == from || s->endpoints[to].avoid_until_ns > s->now_ns ||
        s->redirects_count >= CLIENT_REDIRECTS_MAX) {
        pause(s);
        client_effect_add(s, CLIENT_EFFECT_DISCONNECT);
        return;
    }
    s->redirects_count++;
    connect_to(s, to);
}

void client_link_up(struct client_session *s)
{
    if (s->link != CLIENT_LINK_CONNECTING)
        return;
    s->link = CLIENT_LINK_BEGINNING;
    if (s->id == 0 && s->open_sent_ns == 0)
        s->open_sent_ns = s->now_ns;
    client_wire_begin(s);
    /* In the same message, so that no answer which the server holds for this
     * session comes before the events that belong before it. */
    s->sending = s->out->count;
    client_watches_send(s);
}

void client_link_attached(struct client_session *s)
{
    s->link = CLIENT_LINK_ATTACHED;
    s->turn = s->current;
    s->tried_count = 0;
    s->redirects_count = 0;
    s->backoff_ms = 2 * CLIENT_SESSION_BACKOFF_MIN_MS;
    s->begin_timeout_ms = client_link_patience_ms(s, CLIENT_SESSION_BEGIN_TIMEOUT_MS,
                                                  CLIENT_SESSION_BEGIN_TIMEOUT_PART);
    s->endpoints[s->current].avoid_until_ns = 0;
    s->beat_since_ns = 0;
    s->beat_at_ns = s->now_ns;
    s->heard_ns = s->now_ns;
}

void client_link_keepalive(struct client_session *s, const struct client_event *event)
{
    if (event->status == ERR_NOT_LEADER) {
        /* Unless it is of a server that was left meanwhile. */
        if (s->link == CLIENT_LINK_ATTACHED && s->beat_since_ns != 0 &&
            !(event->link != 0 && event->link != s->link_number))
            client_link_redirect(s, event->address);
        return;
    }
    if (s->id == 0 || s->beat_last_ns == 0 || event->stamp > (uint64_t)s->beat_last_ns)
        return; /* none of ours */
    if (event->status == ERR_EXPIRED) {
        client_gone(s);
        return;
    }
    if (event->status == ERR_CANCELLED) {
        client_killed(s);
        return;
    }
    bool held = event->status == ERR_NOT_HELD;
    if (event->status != ERR_OK && !held)
        return; /* as if there had been no answer */
    int64_t stamp = (int64_t)event->stamp;
    if (s->beat_since_ns != 0 && stamp >= s->beat_since_ns) {
        s->beat_since_ns = 0;
        /* What holds the lease back is a Release that is on its way. */
        s->beat_at_ns = s->beat_last_ns +
                        (held ? ms_to_ns(CLIENT_SESSION_BEAT_RETRY_MS) : ms_to_ns(s->ttl_ms) / 3);
        s->heard_ns = s->now_ns;
    }
    if (!held)
        client_believe(s, stamp);
}

/* When a KeepAlive is due although it is not time yet, since calls wait for a
 * server that says nothing. */
static int64_t probe_at(const struct client_session *s)
{
    if (s->prompt_count == 0 || s->beat_since_ns != 0)
        return NEVER_NS;
    return s->heard_ns + ms_to_ns(CLIENT_SESSION_PROBE_MS);
}

/* When the link is given up for silence. */
static int64_t silence_at(const struct client_session *s)
{
    switch (s->link) {
    case CLIENT_LINK_CONNECTING:
    case CLIENT_LINK_BEGINNING:
        return s->link_since_ns + ms_to_ns(s->begin_timeout_ms);
    case CLIENT_LINK_ATTACHED:
        if (s->beat_since_ns != 0)
            return s->beat_since_ns +
                   ms_to_ns(client_link_patience_ms(s, CLIENT_SESSION_BEAT_TIMEOUT_MS,
                                                    CLIENT_SESSION_BEAT_TIMEOUT_PART));
        break;
    case CLIENT_LINK_NONE:
        break;
    }
    return NEVER_NS;
}

static void silent(struct client_session *s)
{
    if (s->link != CLIENT_LINK_ATTACHED &&
        s->begin_timeout_ms < CLIENT_SESSION_BEGIN_TIMEOUT_MAX_MS)
        s->begin_timeout_ms *= 2;
    client_link_lost(
        s, client_link_patience_ms(s, CLIENT_SESSION_SUSPECT_MS, CLIENT_SESSION_SUSPECT_PART));
    /* A new stream to the next server takes the place of the silent one; if there
     * is none yet, try_next asked to drop it. */
}

void client_link_tick(struct client_session *s)
{
    if (silence_at(s) <= s->now_ns)
        silent(s);
    if (s->link == CLIENT_LINK_NONE && s->retry_at_ns <= s->now_ns)
        connect_next(s, true);
    if (s->link != CLIENT_LINK_ATTACHED)
        return;
    if (s->beat_at_ns <= s->now_ns || probe_at(s) <= s->now_ns) {
        if (s->beat_since_ns == 0)
            s->beat_since_ns = s->now_ns;
        s->beat_last_ns = s->now_ns;
        s->beat_at_ns = s->now_ns + ms_to_ns(CLIENT_SESSION_BEAT_RETRY_MS);
        client_wire_beat(s);
    }
}

int64_t client_link_wake(const struct client_session *s)
{
    if (s->link == CLIENT_LINK_NONE)
        return s->retry_at_ns;
    int64_t at = silence_at(s);
    if (s->link == CLIENT_LINK_ATTACHED)
        at = ns_min(at, ns_min(s->beat_at_ns, probe_at(s)));
    return at;
}
