/* check_lease.c - see check_lease.h. */
#include "tests/sim/check_lease.h"

#include <inttypes.h>

#include "coordd/paxos/paxos.h"
#include "tests/sim/sim.h"

/* Whoever is down waits when it comes back. */
static bool is_free(const struct server *n)
{
    return server_is_up(n) &&
           paxos_may_promise(replica_paxos(n->replica), clock_local(&n->clock, n->sim->now_ns));
}

/* So that nobody can be elected while a lease is valid. */
static void check_bound(struct sim *s, const struct server *n)
{
    uint32_t free_count = 0;
    for (uint32_t i = 0; i < s->swarm.members; i++)
        free_count += is_free(&s->servers[i]);
    if (free_count > s->swarm.members / 2)
        journal_fail(&s->journal, VERDICT_SAFETY,
                     "member %" PRIu32 " (ballot %" PRIu64 ") has the leader's lease, but %" PRIu32
                     " are free to promise another",
                     n->id, n->view.ballot, free_count);
}

void check_lease(struct sim *s, const struct server *n)
{
    if (s->swarm.wild_clocks != 0)
        return;
    for (uint32_t i = 0; i < s->swarm.members; i++) {
        const struct server *other = &s->servers[i];
        if (!server_has_lease(other))
            continue;
        check_bound(s, other);
        if (other != n && server_has_lease(n))
            journal_fail(&s->journal, VERDICT_SAFETY,
                         "members %" PRIu32 " (ballot %" PRIu64 ") and %" PRIu32 " (ballot %" PRIu64
                         ") both have the leader's lease",
                         n->id, n->view.ballot, other->id, other->view.ballot);
    }
}
