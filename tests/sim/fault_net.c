/* fault_net.c - see fault_net.h. */
#include "tests/sim/fault_net.h"

#include <inttypes.h>

#include "tests/sim/sim.h"

/* For each of a place of `from` and one of `to`. */
static void for_pairs(struct sim *s, uint64_t from, uint64_t to,
                      void (*change)(struct net *, uint32_t, uint32_t))
{
    for (uint32_t a = 0; a < NET_PLACES_MAX; a++)
        for (uint32_t b = 0; b < NET_PLACES_MAX; b++)
            if (a != b && (from >> a & 1) != 0 && (to >> b & 1) != 0)
                change(&s->net, a, b);
}

static void network_changed(struct sim *s, uint64_t places)
{
    link_review_all(s);
    for (uint32_t i = 0; i < s->swarm.hosts; i++)
        if ((places >> net_host_place(i) & 1) != 0)
            channel_host_silent(s, i);
}

/* a: from, b: to, c: both ways */
static void on_mend(void *object, const struct queue_item *item)
{
    struct sim *s = object;
    if (s->net.calm)
        return;
    for_pairs(s, item->a, item->b, net_mend);
    if (item->c != 0)
        for_pairs(s, item->b, item->a, net_mend);
    journal_trace(&s->journal, "%#" PRIx64 " and %#" PRIx64 " reach each other again", item->a,
                  item->b);
    link_review_all(s);
}

static void cut_for_a_while(struct sim *s, uint64_t from, uint64_t to)
{
    bool both = !fault_chance(s, s->swarm.one_way_ppm);
    if (from == 0 || to == 0)
        return;
    if (!both && prng_chance(&s->fault_random, 1, 2)) {
        uint64_t swap = from;
        from = to;
        to = swap;
    }
    s->journal.counts[both ? COUNT_PARTITIONS : COUNT_ONE_WAY_PARTITIONS]++;
    journal_trace(&s->journal, "places %#" PRIx64 " %s %#" PRIx64, from,
                  both ? "are cut off from" : "no longer reach", to);
    for_pairs(s, from, to, net_cut);
    if (both)
        for_pairs(s, to, from, net_cut);
    network_changed(s, from | to);
    sim_after(s, sim_around_ms(&s->fault_random, s->swarm.cut_ms), on_mend, s, from, to, both,
              NULL);
}

static uint64_t all_servers(const struct sim *s)
{
    return (UINT64_C(1) << s->swarm.members) - 1;
}

static uint64_t some_hosts(struct sim *s)
{
    uint64_t mask = 0;
    for (uint32_t i = 0; i < s->swarm.hosts; i++)
        if (prng_chance(&s->fault_random, 1, 2))
            mask |= UINT64_C(1) << net_host_place(i);
    return mask;
}

void fault_cut(struct sim *s)
{
    uint64_t group;
    if (fault_chance(s, s->swarm.isolate_ppm))
        group = UINT64_C(1) << fault_victim(s)->index;
    else
        group = prng_next(&s->fault_random) & all_servers(s);
    /* Clients stand on either side, or see both. */
    uint64_t near = 0, far = 0;
    if (prng_chance(&s->fault_random, 1, 2)) {
        near = some_hosts(s);
        far = some_hosts(s) & ~near;
    }
    cut_for_a_while(s, group | near, (all_servers(s) & ~group) | far);
}

void fault_cut_clients(struct sim *s)
{
    uint64_t servers = prng_chance(&s->fault_random, 1, 2)
                           ? all_servers(s)
                           : prng_next(&s->fault_random) & all_servers(s);
    cut_for_a_while(s, some_hosts(s), servers);
}

/* A link that goes and comes: it breaks, or is cut for a moment, some times.
 * a: the ends, as places; b: how often still; c: number of the faults */
static void on_flap(void *object, const struct queue_item *item)
{
    struct sim *s = object;
    uint32_t one = (uint32_t)(item->a & 0xff), other = (uint32_t)(item->a >> 8);
    uint64_t ends = UINT64_C(1) << one, far = UINT64_C(1) << other;
    if (item->c != s->faults_number)
        return;
    s->journal.counts[COUNT_FLAPS]++;
    if (prng_chance(&s->fault_random, 1, 2)) {
        link_break(s, one, other);
    } else {
        for_pairs(s, ends, far, net_cut);
        for_pairs(s, far, ends, net_cut);
        link_review_all(s);
        sim_after(s, sim_around_ms(&s->fault_random, s->swarm.flap_ms), on_mend, s, ends, far, 1,
                  NULL);
    }
    if (item->b > 1)
        sim_after(s, 2 * sim_around_ms(&s->fault_random, s->swarm.flap_ms), on_flap, s, item->a,
                  item->b - 1, item->c, NULL);
}

void fault_flap(struct sim *s)
{
    uint32_t one = (uint32_t)prng_below(&s->fault_random, s->swarm.members);
    uint32_t other = (uint32_t)prng_below(&s->fault_random, s->swarm.members);
    if (one == other)
        return;
    sim_after(s, 0, on_flap, s, one | (uint64_t)other << 8,
              prng_between(&s->fault_random, 1, s->swarm.flap_times), s->faults_number, NULL);
}

void fault_isolate(struct sim *s, const struct server *n)
{
    uint64_t self = UINT64_C(1) << n->index, others = all_servers(s) & ~self;
    for_pairs(s, self, others, net_cut);
    for_pairs(s, others, self, net_cut);
}
