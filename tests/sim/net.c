/* net.c - see net.h. */
#include "tests/sim/net.h"

#include <string.h>

#include "libcoord/base/check.h"

enum { NS_PER_US = 1000, PPM = 1000000 };

void net_init(struct net *n, const struct swarm *swarm, struct journal *journal, uint64_t seed)
{
    memset(n, 0, sizeof(*n));
    n->swarm = swarm;
    n->journal = journal;
    prng_init(&n->random, seed);
}

void net_cut(struct net *n, uint32_t from, uint32_t to)
{
    if (n->cuts[from][to]++ == 0)
        n->cut_number[from][to]++;
}

void net_mend(struct net *n, uint32_t from, uint32_t to)
{
    /* net_calm may have mended it before. */
    if (n->cuts[from][to] > 0)
        n->cuts[from][to]--;
}

void net_calm(struct net *n)
{
    memset(n->cuts, 0, sizeof(n->cuts));
    n->calm = true;
}

bool net_reaches(const struct net *n, uint32_t from, uint32_t to)
{
    return n->cuts[from][to] == 0;
}

int64_t net_delay_ns(struct net *n)
{
    const struct swarm *s = n->swarm;
    uint64_t us = s->delay_us + prng_below(&n->random, (uint64_t)s->delay_spread_us + 1);
    if (!n->calm && s->tail_ppm > 0 && prng_chance(&n->random, s->tail_ppm, PPM))
        us += prng_below(&n->random, (uint64_t)s->tail_us + 1);
    return (int64_t)us * NS_PER_US;
}

struct net_fate net_fate(struct net *n, uint32_t from, uint32_t to)
{
    const struct swarm *s = n->swarm;
    struct net_fate fate = {.copies = 1};
    if (!net_reaches(n, from, to)) {
        fate.copies = 0;
        return fate;
    }
    if (!n->calm && s->loss_ppm > 0 && prng_chance(&n->random, s->loss_ppm, PPM)) {
        n->journal->counts[COUNT_MESSAGES_LOST]++;
        fate.copies = 0;
        return fate;
    }
    if (!n->calm && s->duplicate_ppm > 0 && prng_chance(&n->random, s->duplicate_ppm, PPM)) {
        n->journal->counts[COUNT_MESSAGES_DUPLICATED]++;
        fate.copies = 2;
    }
    for (uint32_t i = 0; i < fate.copies; i++) {
        fate.copy[i].delay_ns = net_delay_ns(n);
        /* The second copy is the stray one. */
        fate.copy[i].overtakes = i == 1 || (!n->calm && s->reorder_ppm > 0 &&
                                            prng_chance(&n->random, s->reorder_ppm, PPM));
        if (!fate.copy[i].overtakes)
            continue;
        n->journal->counts[COUNT_MESSAGES_REORDERED]++;
        fate.copy[i].delay_ns += (int64_t)prng_below(&n->random, s->reorder_us + 1) * NS_PER_US;
    }
    return fate;
}
