/* check_lease.c - see check_lease.h. */
#include "tests/sim/check_lease.h"

#include <inttypes.h>

#include "tests/sim/sim.h"

void check_lease(struct sim *s, const struct server *n)
{
    if (s->swarm.wild_clocks != 0 || !server_has_lease(n))
        return;
    for (uint32_t i = 0; i < s->swarm.members; i++) {
        const struct server *other = &s->servers[i];
        if (other != n && server_has_lease(other))
            journal_fail(&s->journal, VERDICT_SAFETY,
                         "members %" PRIu32 " (ballot %" PRIu64 ") and %" PRIu32 " (ballot %" PRIu64
                         ") both have the leader's lease",
                         n->id, n->view.ballot, other->id, other->view.ballot);
    }
}
