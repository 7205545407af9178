/* view.c - what can be asked of the core without changing it, and its
 * invariants. */
#include "coordd/paxos/core.h"

int64_t paxos_wake_at(const struct paxos *p)
{
    int64_t at = NEVER_NS;

    switch (p->role) {
    case PAXOS_WAITING:
    case PAXOS_FOLLOWER:
        at = election_wake_at(p);
        break;
    case PAXOS_CANDIDATE:
        at = ns_min(p->proposer.attempt_until_ns,
                    p->proposer.phase == PROPOSER_PERSISTING ? NEVER_NS : p->proposer.resend_at_ns);
        break;
    case PAXOS_LEADER:
        at = leader_wake_at(p);
        break;
    }
    return p->acceptor.full ? ns_min(at, p->full_retry_ns) : at;
}

enum paxos_role paxos_role(const struct paxos *p)
{
    if (p->role == PAXOS_FOLLOWER && p->leader_id == 0 && p->now_ns < p->acceptor.wait_until_ns)
        return PAXOS_WAITING;
    return p->role;
}

uint64_t paxos_ballot(const struct paxos *p)
{
    return p->role == PAXOS_LEADER ? p->leader.ballot : p->acceptor.promised;
}

uint32_t paxos_leader(const struct paxos *p)
{
    return p->leader_id;
}

bool paxos_follows(const struct paxos *p, int64_t now_ns)
{
    return p->role == PAXOS_FOLLOWER && p->leader_id != 0 && now_ns < p->election.happy_until_ns &&
           !p->stopped;
}

uint64_t paxos_counted(const struct paxos *p, uint32_t member)
{
    int index = membership_index(&p->membership, member);

    return p->role == PAXOS_LEADER && index >= 0 ? p->leader.peers[index].held : 0;
}

bool paxos_may_promise(const struct paxos *p, int64_t now_ns)
{
    return !learner_is_mute(p) && acceptor_free(&p->acceptor, now_ns) &&
           now_ns >= paxos_lease_until(p);
}

bool paxos_established(const struct paxos *p)
{
    return p->role == PAXOS_LEADER && p->leader.established;
}

uint32_t paxos_outstanding(const struct paxos *p)
{
    return p->role != PAXOS_LEADER ? 0 : (uint32_t)(p->leader.next_slot - 1 - p->acceptor.chosen);
}

bool paxos_can_propose(const struct paxos *p)
{
    return paxos_established(p) && p->membership.open && !p->acceptor.full && !p->stopped &&
           paxos_outstanding(p) < PAXOS_WINDOW;
}

uint64_t paxos_next_slot(const struct paxos *p)
{
    return p->leader.next_slot;
}

bool paxos_open(const struct paxos *p)
{
    return p->membership.open;
}

bool paxos_awaits(const struct paxos *p, uint32_t member)
{
    const struct membership *m = &p->membership;
    const struct log_entry *last = log_get(&p->acceptor.log, p->acceptor.log.last);
    int index = membership_index(m, member);

    if (m->open || p->lost || index < 0 || (uint32_t)index == m->self)
        return false;
    if (last != NULL && last->kind == ENTRY_OPEN)
        return false; /* it began again, and has not heard yet that this was chosen */
    if (m->heard[index] == 0)
        return (p->up_mask >> index & 1) == 0; /* else it is there, with nothing to say to us */
    return p->role == PAXOS_LEADER && m->founded_slot != 0 &&
           p->leader.peers[index].held < m->founded_slot;
}

uint64_t paxos_promised(const struct paxos *p)
{
    return p->acceptor.promised;
}

uint64_t paxos_chosen(const struct paxos *p)
{
    return p->acceptor.chosen;
}

uint64_t paxos_applied(const struct paxos *p)
{
    return p->applied;
}

uint64_t paxos_last_slot(const struct paxos *p)
{
    return p->acceptor.log.last;
}

uint64_t paxos_floor(const struct paxos *p)
{
    return p->acceptor.floor;
}

bool paxos_lost(const struct paxos *p)
{
    return p->lost;
}

bool paxos_knows(const struct paxos *p, uint32_t member, uint64_t incarnation)
{
    int index = membership_index(&p->membership, member);

    return index >= 0 &&
           (p->membership.bound[index] == 0 || p->membership.bound[index] == incarnation);
}

void paxos_put_membership(const struct paxos *p, struct buffer *bytes)
{
    membership_save(&p->membership, bytes);
}

const char *paxos_check(const struct paxos *p)
{
    const struct acceptor *a = &p->acceptor;
    const struct log *log = &a->log;

    if (a->floor > a->chosen)
        return "the log was cut above what is chosen";
    if (p->lost && p->role != PAXOS_FOLLOWER)
        return "stands or leads without a state";
    if (p->applied > a->chosen)
        return "applied above chosen";
    if (a->chosen > a->held)
        return "chosen above held (A2)";
    if (a->held > log->last)
        return "held above the log (A2)";
    if (log->first > p->applied + 1 && log->first <= log->last)
        return "an entry that is not applied is not in memory";
    for (uint64_t slot = a->chosen + 1; slot <= log->last; slot++) {
        const struct log_entry *entry = log_get(log, slot);

        if (entry == NULL || entry->slot != slot)
            return "the log has a gap";
        if (entry->ballot > a->promised)
            return "an entry of a ballot above the promise (A1)";
        if (slot <= a->held && entry->ballot != a->promised)
            return "held covers an entry of another ballot (A2)";
    }
    if (p->role == PAXOS_LEADER && p->leader.ballot != a->promised)
        return "leads a ballot that it does not promise (L2)";
    if (p->role == PAXOS_LEADER && p->leader.next_slot != a->held + 1)
        return "a leader proposed more than it accepted";
    return NULL;
}
