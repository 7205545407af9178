/* election.c - when to stand.
 *
 * A replica stands only if it is unhappy, every neighbour that answers is
 * unhappy too, and enough answer for a prepare quorum (Omni-Paxos: being
 * connected to a quorum decides, not having missed a heartbeat). A replica that
 * one link cuts off from a healthy leader so never disturbs it.
 *
 * A link that goes down may make a replica ask earlier; it never shortens what
 * it granted. */
#include "coordd/paxos/core.h"

bool election_happy(const struct paxos *p)
{
    const struct election *e = &p->election;

    if (p->role == PAXOS_LEADER)
        return paxos_lease_valid(p, p->now_ns) || p->now_ns < e->happy_until_ns;
    return p->now_ns < e->happy_until_ns || (e->yielding && p->now_ns < e->pause_until_ns);
}

void election_back_off(struct paxos *p)
{
    p->election.probing = false;
    p->election.yielding = false;
    p->election.pause_until_ns =
        p->now_ns + ms_to_ns((int64_t)prng_between(&p->prng, BACKOFF_MIN_MS, BACKOFF_MAX_MS));
}

/* How fast answers can come is not known beforehand: each attempt that found no
 * quorum in its time gives the next one twice as much, up to a bound. */
int64_t election_patience_ns(const struct paxos *p, int64_t ms)
{
    return ms_to_ns(ms) << p->election.patience;
}

void election_lose_patience(struct paxos *p)
{
    if (p->election.patience < PATIENCE_DOUBLINGS_MAX)
        p->election.patience++;
}

static void ask(struct paxos *p, struct paxos_effects *out)
{
    struct election *e = &p->election;
    struct message *m;

    e->probing = true;
    e->yielding = false;
    e->number++;
    e->answered_mask = 1u << p->membership.self;
    e->happy_mask = 0;
    e->asked_ns = e->answered_ns = p->now_ns;
    e->spread = false;
    e->probe_until_ns = p->now_ns + election_patience_ns(p, PROBE_WINDOW_MS);
    e->stand_at_ns = ns_max(p->now_ns, p->acceptor.grant_until_ns) +
                     (int64_t)prng_below(&p->prng, (uint64_t)ms_to_ns(STAGGER_MS)) +
                     (p->low ? ms_to_ns(LOW_STAND_MS) : 0);
    m = paxos_effects_send(out, membership_others(&p->membership), MESSAGE_PROBE);
    m->number = e->number;
}

/* Whose answer is worth waiting for: those whose link stands, but for the leader
 * that we miss. */
static uint32_t expected(const struct paxos *p)
{
    uint32_t mask = p->up_mask | 1u << p->membership.self;
    int leader = membership_index(&p->membership, p->leader_id);

    if (leader >= 0 && (uint32_t)leader != p->membership.self)
        mask &= ~(1u << (uint32_t)leader);
    return mask;
}

/* Two that stand within a one-way delay of each other both come to nothing. Where
 * the answers took long, draw anew from a span that is long beside that delay: all
 * asked at the same time because all had left the field to the same one. */
static void spread_out(struct paxos *p)
{
    struct election *e = &p->election;
    int64_t span_ns = (e->answered_ns - e->asked_ns) * STAGGER_ROUND_TRIPS;

    if (!e->spread && span_ns > ms_to_ns(STAGGER_MS))
        e->stand_at_ns = ns_max(p->now_ns, p->acceptor.grant_until_ns) +
                         (int64_t)prng_below(&p->prng, (uint64_t)span_ns) +
                         (p->low ? ms_to_ns(LOW_STAND_MS) : 0);
    e->spread = true;
}

static void judge(struct paxos *p, struct paxos_effects *out)
{
    struct election *e = &p->election;
    bool all = (expected(p) & ~e->answered_mask) == 0;

    if (e->happy_mask != 0) {
        election_back_off(p);
        return;
    }
    if (!quorum_prepared(&p->membership.quorums, e->answered_mask)) {
        if (p->now_ns >= e->probe_until_ns) {
            election_back_off(p);
            election_lose_patience(p);
        }
        return;
    }
    if (!all && p->now_ns < e->probe_until_ns)
        return;
    spread_out(p);
    if (!acceptor_free(&p->acceptor, p->now_ns) || p->now_ns < e->stand_at_ns)
        return; /* what we granted has to run out first; judged again then */
    e->probing = false;
    proposer_stand(p, out);
}

/* One whose storage has not yet taken its last promise could not stand: it would only
 * raise the ballot that the others have to get over. */
bool election_can_stand(const struct paxos *p)
{
    return !p->stopped && !p->acceptor.full && !p->lost && acceptor_promise_durable(&p->acceptor);
}

void election_tick(struct paxos *p, struct paxos_effects *out)
{
    struct election *e = &p->election;

    if (!election_can_stand(p) || p->now_ns < p->acceptor.wait_until_ns ||
        p->now_ns < e->happy_until_ns || p->now_ns < e->pause_until_ns) {
        e->probing = false;
        return;
    }
    if (!e->probing)
        ask(p, out);
    judge(p, out);
}

int64_t election_wake_at(const struct paxos *p)
{
    const struct election *e = &p->election;

    if (!election_can_stand(p))
        return NEVER_NS;
    if (e->probing) {
        int64_t stand_at_ns = ns_max(e->stand_at_ns, p->acceptor.grant_until_ns);

        return p->now_ns < stand_at_ns ? stand_at_ns
                                       : ns_max(e->probe_until_ns, p->now_ns + NS_PER_MS);
    }
    return ns_max(p->acceptor.wait_until_ns, ns_max(e->happy_until_ns, e->pause_until_ns));
}

void election_on_probe(struct paxos *p, uint32_t from, const struct message *m,
                       struct paxos_effects *out)
{
    struct message *answer = paxos_effects_send(out, 1u << from, MESSAGE_PROBED);

    answer->number = m->number;
    answer->happy = election_happy(p) && !learner_is_mute(p);
    answer->ballot = p->acceptor.promised;
    answer->chosen = p->acceptor.chosen;
}

void election_on_probed(struct paxos *p, uint32_t from, const struct message *m,
                        struct paxos_effects *out)
{
    struct election *e = &p->election;

    if (m->ballot > e->highest_ballot)
        e->highest_ballot = m->ballot;
    if (!e->probing || m->number != e->number)
        return;
    e->answered_mask |= 1u << from;
    if (m->happy)
        e->happy_mask |= 1u << from;
    e->answered_ns = p->now_ns;
    election_tick(p, out);
}
