/* net.h - who reaches whom, and how long it takes.
 *
 * Pure bookkeeping. A place is a machine: replicas first, then client hosts.
 * Cuts have a direction and are counted, since several faults may cut one way.
 * What a cut means to a link or a stream is said in link.c and channel.c. */
#ifndef TESTS_SIM_NET_H
#define TESTS_SIM_NET_H

#include <stdbool.h>
#include <stdint.h>

#include "libcoord/base/prng.h"
#include "tests/sim/journal.h"
#include "tests/sim/swarm.h"

enum {
    NET_REPLICAS_MAX = 8,
    NET_HOSTS_MAX = 8,
    NET_PLACES_MAX = NET_REPLICAS_MAX + NET_HOSTS_MAX,
};
static inline uint32_t net_host_place(uint32_t host)
{
    return NET_REPLICAS_MAX + host;
}

struct net {
    const struct swarm *swarm; /* borrowed */
    struct journal *journal;   /* borrowed */
    struct prng random;
    uint32_t cuts[NET_PLACES_MAX][NET_PLACES_MAX];
    uint64_t cut_number[NET_PLACES_MAX][NET_PLACES_MAX]; /* rises with each cut that begins */
    bool calm; /* healed: nothing is lost, doubled or overtaken any more */
};

void net_init(struct net *n, const struct swarm *swarm, struct journal *journal, uint64_t seed);
void net_cut(struct net *n, uint32_t from, uint32_t to);
void net_mend(struct net *n, uint32_t from, uint32_t to);
void net_calm(struct net *n); /* mends all */
bool net_reaches(const struct net *n, uint32_t from, uint32_t to);
/* Of one message, one way. */
int64_t net_delay_ns(struct net *n);

/* What becomes of one message between replicas. */
struct net_fate {
    uint32_t copies; /* 0: lost */
    struct {
        int64_t delay_ns;
        bool overtakes; /* does not wait for those sent before it */
    } copy[2];
};
struct net_fate net_fate(struct net *n, uint32_t from, uint32_t to);

#endif
