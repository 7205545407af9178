/* check_stall.c - see check_stall.h. */
#include "tests/sim/check_stall.h"

#include <inttypes.h>

#include "tests/sim/sim.h"

enum {
    LEASE_MS_DEFAULT = 350,
    LEASES_MAX = 5,  /* it steps down after four without a word of the storage, and looks often */
    LATE_MS = 100,   /* until it looks */
    MARGIN_PART = 50 /* for its clock */
};

void check_stall(struct sim *s, const struct server *n)
{
    int64_t lease_ns = ms_to_ns(s->swarm.lease_ms == 0 ? LEASE_MS_DEFAULT : s->swarm.lease_ms);
    int64_t most_ns = LEASES_MAX * lease_ns + lease_ns / MARGIN_PART + ms_to_ns(LATE_MS);
    if (s->swarm.wild_clocks != 0 || server_is_paused(n) || !n->view.serving)
        return;
    if (n->disk.committing > 0 && s->now_ns - n->disk_spoke_ns > most_ns)
        journal_fail(&s->journal, VERDICT_LIVENESS,
                     "member %" PRIu32 " leads, but its log has not moved for %" PRId64 " ms",
                     n->id, (s->now_ns - n->disk_spoke_ns) / NS_PER_MS);
}
