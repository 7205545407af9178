/* server_wrong.c - a member whose state has a wrong bit: what is expected of it, and of
 * the others, until it has what they have. One in a run at most. */
#include <inttypes.h>

#include "tests/sim/limit.h"
#include "tests/sim/said.h"
#include "tests/sim/sim.h"

void server_flip(struct server *n)
{
    struct sim *s = n->sim;
    if (!server_is_up(n) || n->view.lost || n->view.applied == 0 || !server_may_lose(n) ||
        s->journal.counts[COUNT_STATES_FLIPPED] > 0 || !limit_flip(n->replica))
        return;
    journal_trace(&s->journal, "%" PRIu32 " has a wrong bit in its state of slot %" PRIu64, n->id,
                  n->view.applied);
    n->flipped = true;
    n->wrong_from = n->view.applied;
    n->wrong_to = UINT64_MAX;
    s->journal.counts[COUNT_STATES_FLIPPED]++;
}

/* Until it has what others had it is not judged; from then on it is as good as any. */
void server_judge_state(struct server *n, bool was_quarantined)
{
    struct sim *s = n->sim;
    if (n->flipped && truth_same_state(&s->truth, &n->view)) {
        n->flipped = false;
        n->wrong_to = n->view.applied;
    }
    struct replica_view shown = n->view;
    shown.lost = shown.lost || n->flipped;
    truth_view(&s->truth, n->id, &shown);
    if (!n->view.quarantined || was_quarantined)
        return;
    s->journal.counts[COUNT_QUARANTINES]++;
    if (n->wrong_to == 0)
        journal_fail(&s->journal, VERDICT_SAFETY,
                     "member %" PRIu32 " is quarantined, and its state is right", n->id);
}

bool server_gives_wrong_state(const struct server *n, struct slice message)
{
    if (n->wrong_to == 0)
        return false;
    uint64_t slot = said_state_slot(message);
    return slot >= n->wrong_from && slot < n->wrong_to;
}
