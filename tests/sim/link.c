/* link.c - see link.h. */
#include "tests/sim/link.h"

#include <inttypes.h>

#include "tests/sim/said.h"
#include "tests/sim/sim.h"

static uint32_t low_of(uint32_t one, uint32_t other)
{
    return one < other ? one : other;
}

static uint32_t high_of(uint32_t one, uint32_t other)
{
    return one < other ? other : one;
}

static void tell(struct sim *s, uint32_t server, uint32_t peer, enum replica_link link)
{
    struct server_input input = {
        .kind = REPLICA_EVENT_PEER_LINK, .peer = s->servers[peer].id, .link = link};
    server_take(&s->servers[server], &input);
}

static void tell_down(struct sim *s, uint32_t server, uint32_t peer)
{
    bool *mourning =
        &s->links.pair[low_of(server, peer)][high_of(server, peer)].mourning[server < peer ? 0 : 1];
    if (*mourning)
        tell(s, server, peer, REPLICA_LINK_DOWN);
    *mourning = false;
}

/* a: server, b: peer, c: the link's number when it was queued */
static void on_tell_up(void *object, const struct queue_item *item)
{
    struct sim *s = object;
    uint32_t server = (uint32_t)item->a, peer = (uint32_t)item->b;
    if (s->links.pair[low_of(server, peer)][high_of(server, peer)].number == item->c)
        tell(s, server, peer, REPLICA_LINK_UP);
}

static void on_dial(void *object, const struct queue_item *item);

static bool both_ways(const struct sim *s, uint32_t one, uint32_t other)
{
    return net_reaches(&s->net, one, other) && net_reaches(&s->net, other, one);
}

static void dial_later(struct sim *s, uint32_t low, uint32_t high)
{
    struct link *l = &s->links.pair[low][high];
    if (l->up || l->dialling || !server_is_up(&s->servers[high]))
        return;
    l->dialling = true;
    sim_after(s, sim_around_ms(&s->net.random, s->swarm.reconnect_ms) + net_delay_ns(&s->net),
              on_dial, s, low, high, 0, NULL);
}

/* a: low, b: high */
static void on_dial(void *object, const struct queue_item *item)
{
    struct sim *s = object;
    uint32_t low = (uint32_t)item->a, high = (uint32_t)item->b;
    struct link *l = &s->links.pair[low][high];
    l->dialling = false;
    if (l->up || !server_is_up(&s->servers[high]))
        return;
    if (both_ways(s, low, high) && !server_is_up(&s->servers[low])) {
        tell(s, high, low, REPLICA_LINK_REFUSED);
        dial_later(s, low, high);
        return;
    }
    if (!both_ways(s, low, high) || server_is_paused(&s->servers[low]) ||
        server_is_paused(&s->servers[high])) {
        dial_later(s, low, high);
        return;
    }
    l->up = true;
    l->number++;
    /* The acceptor knows first; what it says at once arrives behind the news. */
    int64_t delay = net_delay_ns(&s->net);
    l->free_ns[0] = s->now_ns + delay;
    l->free_ns[1] = s->now_ns;
    journal_trace(&s->journal, "link %" PRIu32 "-%" PRIu32 " up", s->servers[low].id,
                  s->servers[high].id);
    sim_after(s, delay, on_tell_up, s, high, low, l->number, NULL);
    /* Whoever takes a new link knows that the old one is gone. */
    tell_down(s, low, high);
    tell_down(s, high, low);
    tell(s, low, high, REPLICA_LINK_UP);
}

/* a: server, b: peer, c: life of the server */
static void on_tell_down(void *object, const struct queue_item *item)
{
    struct sim *s = object;
    if (s->servers[item->a].life == item->c)
        tell_down(s, (uint32_t)item->a, (uint32_t)item->b);
}

void link_break(struct sim *s, uint32_t one, uint32_t other)
{
    uint32_t low = low_of(one, other), high = high_of(one, other);
    struct link *l = &s->links.pair[low][high];
    if (!l->up)
        return;
    l->up = false;
    l->number++;
    journal_trace(&s->journal, "link %" PRIu32 "-%" PRIu32 " down", s->servers[low].id,
                  s->servers[high].id);
    for (int end = 0; end < 2; end++) {
        uint32_t server = end == 0 ? low : high, peer = end == 0 ? high : low;
        l->mourning[end] = server_is_up(&s->servers[server]);
        if (!l->mourning[end])
            continue;
        int64_t delay = both_ways(s, low, high)
                            ? net_delay_ns(&s->net)
                            : sim_around_ms(&s->net.random, s->swarm.silence_ms);
        sim_after(s, delay, on_tell_down, s, server, peer, s->servers[server].life, NULL);
    }
    dial_later(s, low, high);
}

/* a: low, b: high, c: the link's number */
static void on_silence(void *object, const struct queue_item *item)
{
    struct sim *s = object;
    uint32_t low = (uint32_t)item->a, high = (uint32_t)item->b;
    const struct link *l = &s->links.pair[low][high];
    bool silent = !both_ways(s, low, high) || server_is_paused(&s->servers[low]) ||
                  server_is_paused(&s->servers[high]);
    if (l->up && l->number == item->c && silent)
        link_break(s, low, high);
}

static void review_pair(struct sim *s, uint32_t low, uint32_t high)
{
    struct link *l = &s->links.pair[low][high];
    bool alive = server_is_up(&s->servers[low]) && server_is_up(&s->servers[high]);
    l->mourning[0] &= server_is_up(&s->servers[low]);
    l->mourning[1] &= server_is_up(&s->servers[high]);
    if (l->up && !alive)
        link_break(s, low, high);
    else if (l->up && (!both_ways(s, low, high) || server_is_paused(&s->servers[low]) ||
                       server_is_paused(&s->servers[high])))
        sim_after(s, sim_around_ms(&s->net.random, s->swarm.silence_ms), on_silence, s, low, high,
                  l->number, NULL);
    else
        dial_later(s, low, high);
}

void link_review(struct sim *s, uint32_t server)
{
    for (uint32_t peer = 0; peer < s->swarm.members; peer++)
        if (peer != server)
            review_pair(s, low_of(server, peer), high_of(server, peer));
}

void link_review_all(struct sim *s)
{
    for (uint32_t low = 0; low < s->swarm.members; low++)
        for (uint32_t high = low + 1; high < s->swarm.members; high++)
            review_pair(s, low, high);
}

/* a: from, b: to, c: the link's number */
static void on_arrive(void *object, const struct queue_item *item)
{
    struct sim *s = object;
    uint32_t from = (uint32_t)item->a, to = (uint32_t)item->b;
    const struct link *l = &s->links.pair[low_of(from, to)][high_of(from, to)];
    if (l->number != item->c || !net_reaches(&s->net, from, to))
        return;
    struct server_input input = {
        .kind = REPLICA_EVENT_PEER_MESSAGE, .peer = s->servers[from].id, .bytes = item->bytes};
    if (s->journal.tells) {
        char text[160];
        said_text(blob_slice(item->bytes), text, sizeof(text));
        journal_trace(&s->journal, "%" PRIu32 " <- %" PRIu32 "  %s", s->servers[to].id,
                      s->servers[from].id, text);
    }
    server_take(&s->servers[to], &input);
}

void link_send(struct sim *s, uint32_t from, uint32_t to, struct blob *bytes)
{
    struct link *l = &s->links.pair[low_of(from, to)][high_of(from, to)];
    if (!l->up)
        return;
    int64_t *free_ns = &l->free_ns[from < to ? 0 : 1];
    struct net_fate fate = net_fate(&s->net, from, to);
    for (uint32_t i = 0; i < fate.copies; i++) {
        int64_t at = s->now_ns + fate.copy[i].delay_ns;
        if (!fate.copy[i].overtakes) {
            at = ns_max(at, *free_ns);
            *free_ns = at;
        }
        sim_after(s, at - s->now_ns, on_arrive, s, from, to, l->number, blob_ref(bytes));
    }
}
