/* space.c - whose disks are full, and what a leader makes of it.
 *
 * A member is low when its storage says so; each Accepted tells the leader. Nothing
 * here is needed for safety: it decides what is refused before it is ordered, and who
 * should lead. */
#include "coordd/paxos/core.h"

void space_on_event(struct paxos *p, bool low)
{
    if (low && !p->low)
        p->low_ns = p->now_ns;
    p->low = low;
}

static bool is_low(const struct paxos *p, uint32_t index)
{
    return index == p->membership.self ? p->low || p->acceptor.full : p->leader.peers[index].low;
}

/* A new leader does not refuse on a guess: who has not answered it yet is given the time
 * in which it would answer. But who is away has no space for anything, and meanwhile those
 * that are low would live on what they kept back. */
static bool is_there(const struct paxos *p, uint32_t index)
{
    const struct leader *l = &p->leader;
    int64_t since_ns = ns_max(l->peers[index].answered_ns, l->began_ns);

    return index == p->membership.self ||
           ((p->up_mask >> index & 1) != 0 &&
            p->now_ns - since_ns <= ms_to_ns(p->config.lease_ms) * LEADER_DEAF_LEASES);
}

static bool has_space(const struct paxos *p, uint32_t index)
{
    return is_there(p, index) && !is_low(p, index);
}

bool paxos_short_of_space(const struct paxos *p)
{
    bool anybody = false;
    uint32_t mask = 0;

    if (p->role != PAXOS_LEADER)
        return false;
    for (uint32_t i = 0; i < p->membership.quorums.members_count; i++) {
        anybody |= is_low(p, i);
        mask |= has_space(p, i) ? 1u << i : 0;
    }
    return anybody && !quorum_accepted(&p->membership.quorums, mask);
}

/* It has said in this reign that it has space. */
static bool told_of_space(const struct paxos *p, uint32_t index)
{
    return index != p->membership.self && has_space(p, index) &&
           p->leader.peers[index].answered_ns != LEADER_LONG_AGO_NS;
}

/* The one that should follow: its link stands, and it holds most; with a disk that is
 * not full, if there is one. Its index, or the number of members: none. */
static uint32_t heir(const struct paxos *p, bool *ret_space)
{
    uint32_t count = p->membership.quorums.members_count, best = count;
    uint64_t held = 0;

    *ret_space = false;
    for (uint32_t i = 0; i < count; i++) {
        const struct leader_peer *peer = &p->leader.peers[i];
        bool space = told_of_space(p, i);

        if (i == p->membership.self || (p->up_mask >> i & 1) == 0 || space < *ret_space ||
            (space == *ret_space && peer->held < held))
            continue;
        best = i;
        held = peer->held;
        *ret_space = space;
    }
    return best;
}

uint32_t leader_heir(const struct paxos *p)
{
    bool space;
    uint32_t index = heir(p, &space);

    return index < p->membership.quorums.members_count ? p->membership.ids[index] : 0;
}

/* The others get on without its disk, and one of them has said that its own is better.
 * Neither at once nor often: disks that fill up and empty in turn move no leadership. */
bool paxos_should_yield(const struct paxos *p)
{
    int64_t least_ns = ms_to_ns(LOW_YIELD_MS);
    bool space;

    if (p->role != PAXOS_LEADER || !p->leader.established || !p->low || paxos_short_of_space(p) ||
        p->now_ns - p->low_ns < least_ns || p->now_ns - p->leader.began_ns < least_ns ||
        (p->yielded_ns != LEADER_LONG_AGO_NS &&
         p->now_ns - p->yielded_ns < ms_to_ns(LOW_YIELD_AGAIN_MS)))
        return false;
    (void)heir(p, &space);
    return space;
}

void paxos_yields(struct paxos *p)
{
    p->yielded_ns = p->now_ns;
}
