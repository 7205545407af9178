/* leader.c - see leader.h. */
#include "coordd/paxos/leader.h"

#include <string.h>

#include "coordd/paxos/core.h"
#include "libcoord/base/check.h"

static int64_t lease_ns(const struct paxos *p)
{
    return ms_to_ns(p->config.lease_ms);
}

/* ---- the lease ---- */

static int64_t since_of_quorum(const struct paxos *p, bool granted)
{
    int64_t each[PAXOS_MEMBERS_MAX];

    for (uint32_t i = 0; i < p->membership.quorums.members_count; i++)
        each[i] = granted ? p->leader.peers[i].granted_ns : p->leader.peers[i].answered_ns;
    each[p->membership.self] = INT64_MAX;
    return quorum_accepted_since(&p->membership.quorums, each);
}

int64_t paxos_lease_until(const struct paxos *p)
{
    int64_t since;

    if (p->role != PAXOS_LEADER)
        return 0;
    since = since_of_quorum(p, true);
    if (since == INT64_MAX)
        return NEVER_NS; /* a cell of one */
    if (since == LEADER_LONG_AGO_NS)
        return 0;
    return since + lease_ns(p) - lease_ns(p) / 1000000 * 2 * p->config.rate_ppm;
}

bool paxos_lease_valid(const struct paxos *p, int64_t now_ns)
{
    return p->role == PAXOS_LEADER && now_ns < paxos_lease_until(p);
}

/* What followers need to hear to be content: a quorum answers, and things get
 * chosen. A new leader is given one lease to get there. */
static bool healthy(const struct paxos *p)
{
    const struct leader *l = &p->leader;

    if (p->stopped || p->now_ns - l->progress_ns > lease_ns(p) * LEADER_STALL_LEASES / 2)
        return false;
    return p->now_ns - l->began_ns < lease_ns(p) ||
           p->now_ns - since_of_quorum(p, false) < lease_ns(p);
}

/* ---- proposing ---- */

void leader_propose(struct paxos *p, uint32_t kind, struct blob *value, struct paxos_effects *out)
{
    struct leader *l = &p->leader;

    if (l->next_slot == p->acceptor.chosen + 1)
        l->progress_ns = p->now_ns; /* nothing was outstanding until now */
    acceptor_accept(&p->acceptor, l->next_slot, kind, value, out);
    l->next_slot++;
    l->dirty = true;
}

static void propose_empty(struct paxos *p, uint32_t kind, struct paxos_effects *out)
{
    struct blob *nothing = blob_new(0);

    leader_propose(p, kind, nothing, out);
    blob_unref(nothing);
}

/* The barrier names its ballot in its value: a later leader may have to propose
 * it again, and every replica must read the same. */
static void propose_barrier(struct paxos *p, struct paxos_effects *out)
{
    struct buffer b = BUFFER_INIT;
    struct blob *value;

    buffer_put_u64(&b, p->leader.ballot);
    value = blob_copy(buffer_slice(&b));
    buffer_release(&b);
    leader_propose(p, ENTRY_LEADER_START, value, out);
    blob_unref(value);
}

void leader_begin(struct paxos *p, struct paxos_effects *out)
{
    struct proposer *r = &p->proposer;
    struct leader *l = &p->leader;
    uint64_t chosen = p->acceptor.chosen;

    CHECK(p->acceptor.promised == r->ballot && p->acceptor.held == chosen);
    memset(l, 0, sizeof *l);
    p->role = PAXOS_LEADER;
    p->leader_id = p->config.self;
    l->ballot = r->ballot;
    l->next_slot = chosen + 1;
    l->began_ns = l->progress_ns = p->now_ns;
    p->election.happy_until_ns = p->now_ns + lease_ns(p);
    p->election.patience = 0;
    for (uint32_t i = 0; i < p->membership.quorums.members_count; i++) {
        struct leader_peer *peer = &l->peers[i];
        uint64_t known = r->from[i].done && r->from[i].chosen < chosen ? r->from[i].chosen : chosen;

        peer->next = known + 1;
        peer->anchor = known;
        peer->answered_ns = peer->granted_ns = peer->cut_told_ns = LEADER_LONG_AGO_NS;
        peer->progress_ns = p->now_ns;
    }
    for (uint64_t i = 0; i < r->best_count; i++) {
        if (r->base + i <= chosen)
            continue; /* learned meanwhile */
        if (r->best[i].value == NULL)
            propose_empty(p, ENTRY_NOOP, out);
        else
            leader_propose(p, r->best[i].kind, r->best[i].value, out);
    }
    l->barrier_slot = l->next_slot;
    propose_barrier(p, out);
    proposer_reset(r);
    paxos_effects_note(out, PAXOS_NOTE_ROLE, p->config.self);
}

/* The two entries that found a cell (membership.h). */
static void found(struct paxos *p, struct paxos_effects *out)
{
    struct membership *m = &p->membership;
    struct leader *l = &p->leader;

    if (!l->established || l->opening || m->open)
        return;
    if (m->founded_slot == 0) {
        if (membership_can_found(m)) {
            struct blob *value = membership_encode(m);

            leader_propose(p, ENTRY_FOUND, value, out);
            blob_unref(value);
            l->opening = true;
        }
        return;
    }
    for (uint32_t i = 0; i < m->quorums.members_count; i++) {
        uint64_t held = i == m->self ? acceptor_held_durable(&p->acceptor) : l->peers[i].held;

        if (held < m->founded_slot)
            return;
    }
    propose_empty(p, ENTRY_OPEN, out);
    l->opening = true;
}

void leader_on_applied(struct paxos *p, const struct log_entry *entry, struct paxos_effects *out)
{
    struct leader *l = &p->leader;

    if (entry->slot == l->barrier_slot)
        l->established = true;
    if (entry->kind == ENTRY_FOUND || entry->kind == ENTRY_OPEN)
        l->opening = false;
    found(p, out);
}

/* ---- sending ---- */

static uint64_t new_round(struct paxos *p)
{
    struct leader *l = &p->leader;

    if (l->fresh_round || l->round == 0 ||
        p->now_ns - l->round_sent_ns[l->round % LEADER_ROUNDS] >= ms_to_ns(LEADER_ROUND_MIN_MS)) {
        l->round++;
        l->round_sent_ns[l->round % LEADER_ROUNDS] = p->now_ns;
        l->fresh_round = false;
    }
    return l->round;
}

static struct message *start_accept(struct paxos *p, uint32_t to_mask, uint64_t previous_slot,
                                    struct paxos_effects *out)
{
    struct message *m = paxos_effects_send(out, to_mask, MESSAGE_ACCEPT);

    m->ballot = p->leader.ballot;
    m->previous_slot = previous_slot;
    m->chosen = p->acceptor.chosen;
    m->round = new_round(p);
    m->healthy = healthy(p);
    m->lease_ms = p->config.lease_ms;
    return m;
}

/* Members whose link stands, and whose next slot is `next`. */
static uint32_t peers_at(const struct paxos *p, uint64_t next)
{
    uint32_t mask = 0;

    for (uint32_t i = 0; i < p->membership.quorums.members_count; i++)
        if (i != p->membership.self && (p->up_mask >> i & 1) != 0 &&
            p->leader.peers[i].next == next && p->leader.peers[i].read_token == 0)
            mask |= 1u << i;
    return mask;
}

/* Those of them that get what the others get: of the rest each is sent one entry, and
 * waited for. */
static uint32_t without_probed(const struct paxos *p, uint32_t mask)
{
    for (uint32_t i = 0; i < p->membership.quorums.members_count; i++)
        if (p->leader.peers[i].probing)
            mask &= ~(1u << i);
    return mask;
}

static void advance_peers(struct paxos *p, uint32_t mask, uint64_t count)
{
    for (uint32_t i = 0; i < p->membership.quorums.members_count; i++) {
        struct leader_peer *peer = &p->leader.peers[i];

        if ((mask >> i & 1) == 0)
            continue;
        if (peer->anchor + 1 == peer->next)
            peer->progress_ns = p->now_ns; /* nothing was in flight */
        peer->next += count;
    }
}

/* What is no longer in memory is read for one member at a time. */
static void read_for(struct paxos *p, uint32_t index, struct paxos_effects *out)
{
    struct leader_peer *peer = &p->leader.peers[index];
    struct paxos_read *read = paxos_effects_read(out);

    peer->read_token = ++p->last_token;
    read->token = peer->read_token;
    read->first_slot = peer->next;
    read->last_slot = peer->probing ? peer->next : p->acceptor.log.first - 1;
    read->bytes_max = READ_BYTES_MAX;
}

/* Send entries to `index` and to all that stand where it stands. Returns the
 * members that got some. */
static uint32_t send_entries(struct paxos *p, uint32_t index, struct paxos_effects *out)
{
    struct leader *l = &p->leader;
    struct leader_peer *peer = &l->peers[index];
    uint64_t slot = peer->next;
    uint32_t mask = peers_at(p, peer->next);
    uint64_t window = peer->probing ? 1 : LEADER_PEER_WINDOW;
    struct message *m;

    if ((mask >> index & 1) == 0 || slot >= l->next_slot || slot - 1 - peer->anchor >= window)
        return 0;
    mask = peer->probing ? 1u << index : without_probed(p, mask);
    if (slot <= p->acceptor.floor) {
        if (p->now_ns - peer->cut_told_ns >= ms_to_ns(LEADER_RESEND_MS)) {
            peer->cut_told_ns = p->now_ns;
            learner_tell_cut(p, index, slot, out);
        }
        return 0;
    }
    if (slot < p->acceptor.log.first) {
        read_for(p, index, out);
        return 0;
    }
    m = start_accept(p, mask, slot - 1, out);
    while (slot < l->next_slot && slot - peer->next < window &&
           message_add(m, log_get(&p->acceptor.log, slot)))
        slot++;
    advance_peers(p, mask, m->entries_count);
    return mask;
}

void leader_flush(struct paxos *p, struct paxos_effects *out)
{
    struct leader *l = &p->leader;
    bool heartbeat = p->now_ns >= l->heartbeat_at_ns;
    uint32_t told = 0;

    if (p->role != PAXOS_LEADER || (!l->dirty && !heartbeat))
        return;
    l->dirty = false;
    for (uint32_t i = 0; i < p->membership.quorums.members_count; i++) {
        uint32_t mask;

        while ((mask = send_entries(p, i, out)) != 0)
            told |= mask;
    }
    if (heartbeat || (told == membership_others(&p->membership) && told != 0))
        l->heartbeat_at_ns = p->now_ns + ms_to_ns(p->config.heartbeat_ms);
    for (uint32_t i = 0; heartbeat && i < p->membership.quorums.members_count; i++) {
        uint32_t mask;

        if ((p->up_mask >> i & 1) == 0 || i == p->membership.self || (told >> i & 1) != 0)
            continue;
        mask = peers_at(p, l->peers[i].next) & ~told;
        mask |= 1u << i; /* also while a read for it is under way */
        start_accept(p, mask, l->peers[i].next - 1, out);
        told |= mask;
    }
}

/* ---- counting ---- */

static void rewind_peer(struct paxos *p, struct leader_peer *peer)
{
    if (peer->held > 0)
        peer->next = peer->held + 1;
    else
        peer->next = peer->anchor + 1;
    peer->anchor = peer->next - 1;
    peer->progress_ns = p->now_ns;
    peer->read_token = 0;
    p->leader.dirty = true;
}

static void count(struct paxos *p, struct paxos_effects *out)
{
    struct leader *l = &p->leader;
    uint64_t each[PAXOS_MEMBERS_MAX];
    uint64_t chosen;

    for (uint32_t i = 0; i < p->membership.quorums.members_count; i++)
        each[i] = l->peers[i].held;
    each[p->membership.self] = acceptor_held_durable(&p->acceptor);
    chosen = quorum_accepted_through(&p->membership.quorums, each);
    if (chosen > p->acceptor.chosen) {
        l->progress_ns = p->now_ns;
        learner_advance(p, chosen);
    }
    found(p, out);
}

/* Every message behind a gap reports it; one rewinding is enough, until it has had
 * time to arrive. Else two messages in flight beget four. */
static void on_gap(struct paxos *p, struct leader_peer *peer, uint64_t held)
{
    if (peer->next <= held + 1 || held >= p->leader.next_slot ||
        (peer->gap_ns != 0 && peer->gap_held == held &&
         p->now_ns - peer->gap_ns < ms_to_ns(LEADER_RESEND_MS)))
        return;
    peer->gap_held = held;
    peer->gap_ns = p->now_ns;
    peer->held = held > peer->held ? held : peer->held;
    peer->anchor = held;
    peer->next = held + 1;
    peer->read_token = 0;
    p->leader.dirty = true;
}

void leader_on_accepted(struct paxos *p, uint32_t from, const struct message *m,
                        struct paxos_effects *out)
{
    struct leader *l = &p->leader;
    struct leader_peer *peer = &l->peers[from];

    if (p->role != PAXOS_LEADER || m->ballot != l->ballot)
        return;
    if (m->round != 0 && m->round <= l->round && l->round - m->round < LEADER_ROUNDS) {
        int64_t sent_ns = l->round_sent_ns[m->round % LEADER_ROUNDS];

        peer->answered_ns = ns_max(peer->answered_ns, sent_ns);
        peer->low = m->low;
        peer->answered_round = m->round > peer->answered_round ? m->round : peer->answered_round;
        if (m->granted)
            peer->granted_ns = ns_max(peer->granted_ns, sent_ns);
    }
    if (m->held < l->next_slot && (m->held > peer->held || m->held >= peer->next)) {
        /* The second also without the first: what it held once, lost, and got back
         * from another. */
        peer->held = m->held > peer->held ? m->held : peer->held;
        peer->progress_ns = p->now_ns;
        peer->probing = false;
        peer->anchor = m->held > peer->anchor ? m->held : peer->anchor;
        if (peer->next <= m->held)
            peer->next = m->held + 1;
        l->dirty = true;
    }
    if (m->gap)
        on_gap(p, peer, m->held);
    count(p, out);
}

void leader_on_persisted(struct paxos *p, struct paxos_effects *out)
{
    if (p->role == PAXOS_LEADER)
        count(p, out);
}

bool leader_on_read(struct paxos *p, const struct paxos_event *e, struct paxos_effects *out)
{
    if (p->role != PAXOS_LEADER)
        return false;
    for (uint32_t i = 0; i < p->membership.quorums.members_count; i++) {
        struct leader_peer *peer = &p->leader.peers[i];
        struct message *m;

        if (peer->read_token == 0 || peer->read_token != e->token)
            continue;
        peer->read_token = 0;
        p->leader.dirty = true;
        if (e->entries_count == 0 || e->entries[0].slot != peer->next)
            return true;
        m = start_accept(p, 1u << i, peer->next - 1, out);
        for (uint32_t k = 0; k < e->entries_count && (k == 0 || !peer->probing); k++)
            if (!message_add(m, &e->entries[k]))
                break;
        advance_peers(p, 1u << i, m->entries_count);
        return true;
    }
    return false;
}

/* ---- time ---- */

void leader_on_link(struct paxos *p, uint32_t from, bool up, struct paxos_effects *out)
{
    (void)out;
    if (p->role != PAXOS_LEADER)
        return;
    if (up)
        p->leader.heartbeat_at_ns = p->now_ns;
    p->leader.peers[from].probing = false;
    rewind_peer(p, &p->leader.peers[from]);
}

void leader_tick(struct paxos *p, struct paxos_effects *out)
{
    struct leader *l = &p->leader;
    int64_t heard_ns = ns_max(since_of_quorum(p, false), l->began_ns);
    bool idle = l->next_slot == p->acceptor.chosen + 1;

    if (idle)
        l->progress_ns = p->now_ns;
    if (p->now_ns - heard_ns > lease_ns(p) * LEADER_DEAF_LEASES ||
        p->now_ns - l->progress_ns > lease_ns(p) * LEADER_STALL_LEASES ||
        p->now_ns - p->disk_ns > lease_ns(p) * LEADER_STALL_LEASES) {
        paxos_effects_note(out, PAXOS_NOTE_STALLED, p->config.self);
        become_follower(p, out);
        election_back_off(p);
        return;
    }
    for (uint32_t i = 0; i < p->membership.quorums.members_count; i++) {
        struct leader_peer *peer = &l->peers[i];

        if (i != p->membership.self && peer->next > peer->anchor + 1 &&
            p->now_ns - peer->progress_ns > ms_to_ns(LEADER_RESEND_MS)) {
            /* Its disk is full or stands still, or the link lost something. */
            peer->probing = true;
            rewind_peer(p, peer);
        }
    }
}

/* ---- rounds, for reads by quorum ---- */

void leader_begin_round(struct paxos *p)
{
    p->leader.fresh_round = true;
    p->leader.heartbeat_at_ns = p->now_ns;
    p->leader.dirty = true;
    (void)new_round(p);
}

uint64_t paxos_round(const struct paxos *p)
{
    return p->leader.round;
}

bool paxos_round_answered(const struct paxos *p, uint64_t round)
{
    uint32_t mask = 1u << p->membership.self;

    for (uint32_t i = 0; i < p->membership.quorums.members_count; i++)
        if (p->leader.peers[i].answered_round >= round)
            mask |= 1u << i;
    return p->role == PAXOS_LEADER && round <= p->leader.round &&
           quorum_accepted(&p->membership.quorums, mask);
}

int64_t leader_wake_at(const struct paxos *p)
{
    return p->leader.heartbeat_at_ns;
}
