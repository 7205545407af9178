/* channel.c - see channel.h. */
#include "tests/sim/channel.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "libcoord/base/check.h"
#include "tests/sim/sim.h"

enum { RETRY_MS = 20, MERGE_BYTES_MAX = 64 * 1024 };

void channels_init(struct channels *c)
{
    memset(c, 0, sizeof(*c));
}

/* ---- the table ---- */

struct channel *channel_find(struct sim *s, uint64_t id)
{
    CHECK(id > 0 && id <= s->channels.count);
    return s->channels.list[id - 1];
}

static void free_channel(struct channel *c)
{
    pipe_release(&c->up);
    pipe_release(&c->down);
    free(c);
}

static void end_if_over(struct sim *s, struct channel *c)
{
    if (c->server_has || c->host_has || c->up.count > 0 || c->down.count > 0 || c->up.pumping ||
        c->down.pumping)
        return;
    s->channels.list[c->id - 1] = NULL;
    free_channel(c);
}

void channels_release(struct channels *c)
{
    for (uint64_t i = 0; i < c->count; i++)
        if (c->list[i] != NULL)
            free_channel(c->list[i]);
    free(c->list);
    channels_init(c);
}

/* ---- ends hear ---- */

static void tell_host(struct sim *s, struct channel *c, enum host_input_kind kind,
                      struct blob *bytes)
{
    if (!c->host_has)
        return;
    if (kind == HOST_CHANNEL_DOWN)
        c->host_has = false;
    host_take(&s->hosts[c->host], &(struct host_input){.kind = kind,
                                                       .channel = c->id,
                                                       .channel_kind = c->kind,
                                                       .server = c->server,
                                                       .owner = c->owner,
                                                       .bytes = bytes});
}

static bool server_lives(struct sim *s, const struct channel *c)
{
    return server_is_up(&s->servers[c->server]) && s->servers[c->server].life == c->life;
}

static void tell_server(struct sim *s, struct channel *c, enum replica_event_kind kind,
                        struct blob *bytes)
{
    if (!c->server_has || !server_lives(s, c))
        return;
    if (kind == REPLICA_EVENT_STREAM_CLOSED)
        c->server_has = false;
    server_take(&s->servers[c->server],
                &(struct server_input){
                    .kind = kind, .stream = c->id, .stream_kind = c->kind, .bytes = bytes});
}

static void on_pump(void *object, const struct queue_item *item);
static void review_lag(struct sim *s, struct channel *c);

static void post(struct sim *s, struct channel *c, struct pipe *p, enum parcel_kind kind,
                 struct blob *bytes)
{
    pipe_add(p, kind, s->now_ns + net_delay_ns(&s->net), bytes);
    if (p->pumping)
        return;
    p->pumping = true;
    sim_after(s, p->last_ns - s->now_ns, on_pump, s, c->id, p == &c->up, 0, NULL);
}

/* Whatever the way: both ends learn by themselves that it is over. */
static void break_channel(struct sim *s, struct channel *c)
{
    s->journal.counts[COUNT_STREAMS_BROKEN]++;
    pipe_clear(&c->up);
    pipe_clear(&c->down);
    tell_server(s, c, REPLICA_EVENT_STREAM_CLOSED, NULL);
    c->server_has = false;
    tell_host(s, c, HOST_CHANNEL_DOWN, NULL);
    end_if_over(s, c);
}

static void arrive_at_server(struct sim *s, struct channel *c, const struct parcel *parcel)
{
    struct server *n = &s->servers[c->server];
    switch (parcel->kind) {
    case PARCEL_OPEN:
        if (!server_is_up(n)) {
            post(s, c, &c->down, PARCEL_CLOSE, NULL); /* refused */
            break;
        }
        c->arrived = c->server_has = true;
        c->life = n->life;
        tell_server(s, c, REPLICA_EVENT_STREAM_OPENED, NULL);
        post(s, c, &c->down, PARCEL_OPEN, NULL);
        break;
    case PARCEL_MESSAGE:
        tell_server(s, c, REPLICA_EVENT_STREAM_MESSAGE, parcel->bytes);
        break;
    case PARCEL_CLOSE:
        tell_server(s, c, REPLICA_EVENT_STREAM_CLOSED, NULL);
        break;
    }
}

static void arrive_at_host(struct sim *s, struct channel *c, const struct parcel *parcel)
{
    switch (parcel->kind) {
    case PARCEL_OPEN:
        c->heard = true;
        tell_host(s, c, HOST_CHANNEL_UP, NULL);
        break;
    case PARCEL_MESSAGE:
        tell_host(s, c, HOST_CHANNEL_MESSAGE, parcel->bytes);
        break;
    case PARCEL_CLOSE:
        tell_host(s, c, HOST_CHANNEL_DOWN, NULL);
        if (c->server_has)
            post(s, c, &c->up, PARCEL_CLOSE, NULL);
        break;
    }
}

/* Appended serialized messages are one message with all their items. */
static void merge_followers(struct sim *s, struct pipe *p, struct parcel *parcel)
{
    if (parcel->kind != PARCEL_MESSAGE || s->swarm.merge_ppm == 0)
        return;
    while (p->count > 0) {
        const struct parcel *next = &p->list[p->first];
        if (next->kind != PARCEL_MESSAGE ||
            parcel->bytes->length + next->bytes->length > MERGE_BYTES_MAX ||
            !prng_chance(&s->channel_random, s->swarm.merge_ppm, PPM))
            return;
        struct parcel taken = pipe_take(p);
        struct blob *merged = blob_new(parcel->bytes->length + taken.bytes->length);
        memcpy(merged->data, parcel->bytes->data, parcel->bytes->length);
        memcpy(merged->data + parcel->bytes->length, taken.bytes->data, taken.bytes->length);
        blob_unref(parcel->bytes);
        blob_unref(taken.bytes);
        parcel->bytes = merged;
    }
}

/* a: channel, b: upwards */
static void on_pump(void *object, const struct queue_item *item)
{
    struct sim *s = object;
    struct channel *c = channel_find(s, item->a);
    CHECK(c != NULL); /* while it pumps it is not over */
    bool up = item->b != 0;
    struct pipe *p = up ? &c->up : &c->down;
    uint32_t host = net_host_place(c->host);
    p->pumping = false;
    if (p->count > 0 && !net_reaches(&s->net, up ? host : c->server, up ? c->server : host)) {
        p->pumping = true;
        sim_after(s, sim_around_ms(&s->channel_random, RETRY_MS), on_pump, s, c->id, up, 0, NULL);
        return;
    }
    if (p->count > 0 && !up && c->slow_until_ns > s->now_ns) {
        p->pumping = true;
        sim_after(s, c->slow_until_ns - s->now_ns, on_pump, s, c->id, up, 0, NULL);
        return;
    }
    if (p->count > 0 && p->list[p->first].ready_ns <= s->now_ns) {
        struct parcel parcel = pipe_take(p);
        merge_followers(s, p, &parcel);
        if (!up)
            review_lag(s, c);
        if (up)
            arrive_at_server(s, c, &parcel);
        else
            arrive_at_host(s, c, &parcel);
        blob_unref(parcel.bytes);
    }
    if (p->count > 0 && !p->pumping) {
        p->pumping = true;
        int64_t wait = ns_max(p->list[p->first].ready_ns - s->now_ns, 0);
        sim_after(s, wait, on_pump, s, c->id, up, 0, NULL);
    }
    end_if_over(s, c);
}

/* ---- the host's side ---- */

/* a: channel. An opening that does not get through is given up. */
static void on_connect_timeout(void *object, const struct queue_item *item)
{
    struct sim *s = object;
    struct channel *c = channel_find(s, item->a);
    if (c != NULL && !c->heard && c->host_has)
        break_channel(s, c);
}

uint64_t channel_open(struct sim *s, uint32_t host, uint32_t server, enum replica_stream_kind kind,
                      uint64_t owner)
{
    struct channels *all = &s->channels;
    if (all->count == all->capacity) {
        all->capacity = all->capacity == 0 ? 64 : 2 * all->capacity;
        all->list = check_realloc(all->list, all->capacity * sizeof(all->list[0]));
    }
    struct channel *c = check_calloc(1, sizeof(*c));
    all->list[all->count++] = c;
    c->id = all->count;
    c->kind = kind;
    c->host = host;
    c->server = server;
    c->owner = owner;
    c->host_has = true;
    post(s, c, &c->up, PARCEL_OPEN, NULL);
    sim_after(s, sim_around_ms(&s->channel_random, s->swarm.client_silence_ms), on_connect_timeout,
              s, c->id, 0, 0, NULL);
    return c->id;
}

void channel_send_to_server(struct sim *s, uint64_t id, struct slice bytes)
{
    struct channel *c = channel_find(s, id);
    if (c != NULL && c->host_has)
        post(s, c, &c->up, PARCEL_MESSAGE, blob_copy(bytes));
}

void channel_drop(struct sim *s, uint64_t id)
{
    struct channel *c = channel_find(s, id);
    if (c == NULL || !c->host_has)
        return;
    c->host_has = false;
    pipe_clear(&c->down);
    /* A cancelled stream may take with it what was sent before. */
    if (c->arrived && prng_chance(&s->channel_random, 1, 2))
        pipe_clear(&c->up);
    post(s, c, &c->up, PARCEL_CLOSE, NULL);
}

void channel_read_slowly(struct sim *s, uint64_t id, int64_t for_ns)
{
    struct channel *c = channel_find(s, id);
    if (c != NULL)
        c->slow_until_ns = s->now_ns + for_ns;
}

/* ---- the server's side ---- */

/* a: channel, b: too much waits, or all has left */
static void on_lag(void *object, const struct queue_item *item)
{
    struct sim *s = object;
    struct channel *c = channel_find(s, item->a);
    if (c == NULL)
        return;
    journal_trace(&s->journal, "%" PRIu32 " -> c%" PRIu64 "  %s", c->server + 1, c->owner,
                  item->b != 0 ? "lags" : "has drained");
    tell_server(s, c, item->b != 0 ? REPLICA_EVENT_STREAM_LAGS : REPLICA_EVENT_STREAM_DRAINED,
                NULL);
}

/* Behind the step that sent too much, and once all has left. */
static void review_lag(struct sim *s, struct channel *c)
{
    bool lags = c->lags ? c->down.count > 0 : c->down.bytes >= s->swarm.lag_bytes;
    if (lags == c->lags || c->kind == REPLICA_STREAM_EXECUTE || s->swarm.lag_bytes == 0)
        return;
    c->lags = lags;
    s->journal.counts[COUNT_SLOW_READERS] += lags && c->kind == REPLICA_STREAM_SESSION;
    sim_after(s, 0, on_lag, s, c->id, lags, 0, NULL);
}

void channel_server_knows_lag(struct sim *s, uint64_t id, bool lags)
{
    struct channel *c = channel_find(s, id);
    if (c != NULL)
        c->server_knows = lags;
}

void channel_send_to_host(struct sim *s, uint32_t server, uint64_t id, struct blob *bytes)
{
    struct channel *c = channel_find(s, id);
    if (c != NULL && c->server == server && c->server_has) {
        post(s, c, &c->down, PARCEL_MESSAGE, blob_ref(bytes));
        review_lag(s, c);
    }
}

void channel_close_by_server(struct sim *s, uint32_t server, uint64_t id)
{
    struct channel *c = channel_find(s, id);
    if (c != NULL && c->server == server && c->server_has)
        post(s, c, &c->down, PARCEL_CLOSE, NULL);
}

/* ---- death and silence ---- */

void channel_server_died(struct sim *s, uint32_t server)
{
    for (uint64_t i = 0; i < s->channels.count; i++) {
        struct channel *c = s->channels.list[i];
        if (c == NULL || c->server != server || !c->server_has)
            continue;
        c->server_has = false;
        pipe_clear(&c->up);
        post(s, c, &c->down, PARCEL_CLOSE, NULL);
    }
}

void channel_host_died(struct sim *s, uint32_t host)
{
    for (uint64_t i = 0; i < s->channels.count; i++) {
        struct channel *c = s->channels.list[i];
        if (c != NULL && c->host == host && c->host_has)
            channel_drop(s, c->id);
    }
}

static bool silent(struct sim *s, const struct channel *c)
{
    uint32_t host = net_host_place(c->host);
    return !net_reaches(&s->net, host, c->server) || !net_reaches(&s->net, c->server, host) ||
           server_is_paused(&s->servers[c->server]) || s->hosts[c->host].paused;
}

/* a: channel. Silence that ended and began again meanwhile counts as one: a
 * keep-alive that is unlucky twice does so too. */
static void on_silence(void *object, const struct queue_item *item)
{
    struct sim *s = object;
    struct channel *c = channel_find(s, item->a);
    if (c != NULL && (c->host_has || c->server_has) && silent(s, c))
        break_channel(s, c);
}

static void expect_silence(struct sim *s, struct channel *c)
{
    sim_after(s, sim_around_ms(&s->channel_random, s->swarm.client_silence_ms), on_silence, s,
              c->id, 0, 0, NULL);
}

void channel_server_silent(struct sim *s, uint32_t server)
{
    for (uint64_t i = 0; i < s->channels.count; i++)
        if (s->channels.list[i] != NULL && s->channels.list[i]->server == server)
            expect_silence(s, s->channels.list[i]);
}

void channel_host_silent(struct sim *s, uint32_t host)
{
    for (uint64_t i = 0; i < s->channels.count; i++)
        if (s->channels.list[i] != NULL && s->channels.list[i]->host == host)
            expect_silence(s, s->channels.list[i]);
}
