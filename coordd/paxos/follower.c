/* follower.c - the acceptor's answers: to Prepare, to Accept, and what it says
 * once the storage has spoken.
 *
 * The rule behind every line: nothing leaves that is not durable, and no promise
 * is made while a lease is out. */
#include "coordd/paxos/core.h"
#include "libcoord/base/check.h"

void follower_refuse(struct paxos *p, uint32_t to, bool lease, struct paxos_effects *out)
{
    struct message *m = paxos_effects_send(out, 1u << to, MESSAGE_REFUSED);

    m->ballot = p->acceptor.promised;
    m->lease = lease;
}

/* ---- phase 1b ---- */

static void send_promise(struct paxos *p, uint32_t to, struct paxos_effects *out)
{
    uint64_t slot = p->acceptor.chosen + 1;
    uint32_t chunk = 0;
    bool done;

    do {
        struct message *m = paxos_effects_send(out, 1u << to, MESSAGE_PROMISE);

        m->ballot = p->acceptor.promised;
        m->chosen = p->acceptor.chosen;
        m->checkpoint = p->acceptor.floor;
        m->chunk = chunk++;
        while (slot <= p->acceptor.log.last && message_add(m, log_get(&p->acceptor.log, slot)))
            slot++;
        done = slot > p->acceptor.log.last;
        m->done = done;
    } while (!done);
}

/* Does this ballot have to wait? Says no to its sender if so. */
static bool refuses(struct paxos *p, uint32_t from, uint64_t ballot, struct paxos_effects *out)
{
    int64_t lease_until = paxos_lease_until(p);

    if (ballot < p->acceptor.promised) {
        /* Our own ballot, which nobody was asked to promise before it is durable, is no
         * reason for a leader to go: with a disk that stands still it never will be. */
        if (ballot_member(p->acceptor.promised) != p->config.self ||
            acceptor_promise_durable(&p->acceptor))
            follower_refuse(p, from, false, out);
        return true;
    }
    if (ballot == p->acceptor.promised)
        return false;
    if (!acceptor_free(&p->acceptor, p->now_ns) || p->now_ns < lease_until || p->acceptor.full) {
        follower_refuse(p, from, true, out);
        return true;
    }
    return false;
}

/* Raise the promise for another, leaving whatever role was ours. */
static void yield_to(struct paxos *p, uint64_t ballot, struct paxos_effects *out)
{
    become_follower(p, out);
    p->round = 0;
    p->round_healthy = false;
    p->election.happy_until_ns = 0;
    acceptor_promise(&p->acceptor, ballot, out);
}

/* The candidate would have to learn from this one what it has in no log, and would
 * wait for a state that is lost here. The others may know it all between them. */
static bool lacks_its_past(const struct paxos *p, uint64_t first_slot)
{
    return p->lost && first_slot <= p->acceptor.floor;
}

void follower_on_prepare(struct paxos *p, uint32_t from, const struct message *m,
                         struct paxos_effects *out)
{
    if (ballot_member(m->ballot) != p->membership.ids[from])
        return;
    if (learner_is_mute(p) || lacks_its_past(p, m->first_slot)) {
        if (!p->silent_told)
            paxos_effects_note(out, PAXOS_NOTE_SILENT, p->membership.ids[from]);
        p->silent_told = true;
        return;
    }
    if (refuses(p, from, m->ballot, out))
        return;
    if (m->ballot > p->acceptor.promised) {
        yield_to(p, m->ballot, out);
        p->election.probing = false;
        p->election.yielding = true;
        p->election.pause_until_ns = p->now_ns + ms_to_ns(PROMISE_PAUSE_MS);
    }
    /* Asked again, or for the first time: said when it is durable. */
    if (p->role != PAXOS_LEADER && acceptor_promise_durable(&p->acceptor))
        send_promise(p, from, out);
    else
        p->promise_owed = true;
}

/* ---- phase 2b ---- */

/* Grant what may be granted, and tell the leader how far we hold. The lease we
 * give runs from now; the leader counts it from before it asked. */
static void send_accepted(struct paxos *p, bool gap, struct paxos_effects *out)
{
    int leader = membership_index(&p->membership, ballot_member(p->acceptor.promised));
    struct message *m;

    if (leader < 0 || (uint32_t)leader == p->membership.self ||
        !acceptor_promise_durable(&p->acceptor))
        return;
    m = paxos_effects_send(out, 1u << (uint32_t)leader, MESSAGE_ACCEPTED);
    m->ballot = p->acceptor.promised;
    m->held = acceptor_held_durable(&p->acceptor);
    m->round = p->round;
    m->gap = gap;
    m->low = p->low || p->acceptor.full || learner_is_half_crowded(p);
    m->granted = p->round_healthy && !p->stopped && p->now_ns >= p->acceptor.wait_until_ns &&
                 acceptor_lease_durable(&p->acceptor, p->round_lease_ms);
    if (m->granted)
        p->acceptor.grant_until_ns =
            ns_max(p->acceptor.grant_until_ns, p->now_ns + ms_to_ns(p->round_lease_ms));
}

/* There is no room for the slot behind `held`: on disk; or among what cannot be applied, if
 * it would make that longer. */
static bool has_no_room(const struct paxos *p)
{
    const struct acceptor *a = &p->acceptor;

    return a->full || (a->held >= a->log.last && paxos_crowded(p));
}

static void note_crowded(struct paxos *p, struct paxos_effects *out)
{
    if (!p->crowded_told && paxos_crowded(p))
        paxos_effects_note(out, PAXOS_NOTE_CROWDED, p->config.self);
    p->crowded_told = paxos_crowded(p);
}

/* Take the entries that join on. Returns true if they left a gap. */
static bool take_entries(struct paxos *p, const struct message *m, struct paxos_effects *out)
{
    struct acceptor *a = &p->acceptor;

    if (m->previous_slot > a->held)
        return !has_no_room(p); /* else nothing that is sent again could be taken */
    for (uint32_t i = 0; i < m->entries_count; i++) {
        const struct log_entry *entry = &m->entries[i];
        const struct log_entry *mine = log_get(&a->log, entry->slot);

        CHECK(entry->slot == m->previous_slot + 1 + i); /* the codec numbers them */
        if (entry->slot <= a->held)
            continue; /* a duplicate */
        if (mine != NULL && mine->ballot == m->ballot) {
            acceptor_hold(a, entry->slot); /* accepted before a restart */
            continue;
        }
        if (has_no_room(p))
            break;
        acceptor_accept(a, entry->slot, entry->kind, entry->value, out);
    }
    return false;
}

void follower_on_accept(struct paxos *p, uint32_t from, const struct message *m,
                        struct paxos_effects *out)
{
    uint64_t pending_before = p->acceptor.pending_count;
    bool gap;

    if (ballot_member(m->ballot) != p->membership.ids[from])
        return;
    if (learner_is_mute(p)) {
        p->leader_id = m->healthy ? p->membership.ids[from] : p->leader_id;
        return;
    }
    if (refuses(p, from, m->ballot, out))
        return;
    if (m->ballot > p->acceptor.promised)
        yield_to(p, m->ballot, out);
    if (p->leader_id != p->membership.ids[from]) {
        p->leader_id = p->membership.ids[from];
        paxos_effects_note(out, PAXOS_NOTE_ROLE, p->leader_id);
    }
    if (m->round > p->round || p->round == 0) {
        p->round = m->round;
        p->round_healthy = m->healthy;
        p->round_lease_ms = m->lease_ms;
    }
    if (!p->acceptor.full)
        acceptor_remember_lease(&p->acceptor, m->lease_ms, out);
    if (m->healthy) {
        p->election.happy_until_ns = p->now_ns + ms_to_ns(m->lease_ms);
        p->election.probing = false;
        p->election.patience = 0;
    }
    gap = take_entries(p, m, out);
    note_crowded(p, out);
    learner_advance(p, m->chosen < p->acceptor.held ? m->chosen : p->acceptor.held);
    /* What was just taken is answered for when it is durable. */
    if (gap || p->acceptor.pending_count == pending_before)
        send_accepted(p, gap, out);
    else
        p->accepted_owed = true;
}

void follower_on_persisted(struct paxos *p, uint64_t held_before, struct paxos_effects *out)
{
    if (p->role == PAXOS_LEADER || p->role == PAXOS_CANDIDATE ||
        !acceptor_promise_durable(&p->acceptor))
        return;
    if (p->promise_owed) {
        int to = membership_index(&p->membership, ballot_member(p->acceptor.promised));

        p->promise_owed = false;
        if (to >= 0 && (uint32_t)to != p->membership.self && p->leader_id == 0)
            send_promise(p, (uint32_t)to, out);
    }
    if (p->leader_id != 0 &&
        (p->accepted_owed || acceptor_held_durable(&p->acceptor) > held_before))
        send_accepted(p, false, out);
    if (p->acceptor.pending_count == 0)
        p->accepted_owed = false;
}

void follower_on_relinquish(struct paxos *p, uint32_t from, const struct message *m,
                            struct paxos_effects *out)
{
    if (p->role != PAXOS_FOLLOWER || m->ballot != p->acceptor.promised ||
        ballot_member(m->ballot) != p->membership.ids[from])
        return;
    p->acceptor.grant_until_ns = 0;
    p->election.happy_until_ns = 0;
    p->round_healthy = false;
    if (m->number == p->config.self && election_can_stand(p) &&
        acceptor_free(&p->acceptor, p->now_ns)) {
        p->election.probing = false;
        proposer_stand(p, out);
    } else if (m->number != 0) {
        p->election.yielding = true;
        p->election.pause_until_ns = p->now_ns + ms_to_ns(PROMISE_PAUSE_MS);
    }
}
