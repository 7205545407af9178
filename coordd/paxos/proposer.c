/* proposer.c - see proposer.h. */
#include "coordd/paxos/proposer.h"

#include <stdlib.h>
#include <string.h>

#include "coordd/paxos/core.h"
#include "libcoord/base/check.h"

void proposer_reset(struct proposer *r)
{
    for (uint64_t i = 0; i < r->best_count; i++)
        blob_unref(r->best[i].value);
    free(r->best);
    memset(r, 0, sizeof *r);
}

void proposer_stand(struct paxos *p, struct paxos_effects *out)
{
    struct proposer *r = &p->proposer;
    uint64_t highest = p->acceptor.promised > p->election.highest_ballot
                           ? p->acceptor.promised
                           : p->election.highest_ballot;

    proposer_reset(r);
    r->phase = PROPOSER_PERSISTING;
    r->ballot = ballot_make(ballot_round(highest) + 1, p->config.self);
    r->attempt_until_ns = p->now_ns + election_patience_ns(p, ATTEMPT_MS);
    p->role = PAXOS_CANDIDATE;
    p->leader_id = 0;
    paxos_effects_note(out, PAXOS_NOTE_ROLE, 0);
    acceptor_promise(&p->acceptor, r->ballot, out);
}

/* ---- collecting ---- */

/* A promiser knows slots to here to be chosen: their values will be fetched, and
 * what others reported for them is not needed. */
static void forget_through(struct proposer *r, uint64_t chosen)
{
    uint64_t drop = chosen < r->base ? 0 : chosen + 1 - r->base;
    uint64_t kept = drop < r->best_count ? r->best_count - drop : 0;

    if (drop == 0)
        return;
    for (uint64_t i = 0; i < r->best_count - kept; i++)
        blob_unref(r->best[i].value);
    if (kept > 0)
        memmove(r->best, r->best + drop, kept * sizeof *r->best);
    r->best_count = kept;
    r->base = chosen + 1;
}

/* The value of the highest ballot wins its slot. */
static void offer(struct proposer *r, const struct log_entry *entry)
{
    uint64_t at = entry->slot - r->base;

    if (entry->slot < r->base)
        return;
    if (at >= r->best_capacity) {
        r->best_capacity = r->best_capacity == 0 ? 16 : r->best_capacity;
        while (r->best_capacity <= at)
            r->best_capacity *= 2;
        r->best = check_realloc(r->best, r->best_capacity * sizeof *r->best);
    }
    for (; r->best_count <= at; r->best_count++)
        r->best[r->best_count] = (struct log_entry){0};
    if (r->best[at].value != NULL && r->best[at].ballot >= entry->ballot)
        return;
    blob_ref(entry->value);
    blob_unref(r->best[at].value);
    r->best[at] = *entry;
}

static uint32_t promised_mask(const struct paxos *p)
{
    uint32_t mask = 0;

    for (uint32_t i = 0; i < p->membership.quorums.members_count; i++)
        if (p->proposer.from[i].done)
            mask |= 1u << i;
    return mask;
}

static void fetch_more(struct paxos *p, struct paxos_effects *out)
{
    struct message *m = paxos_effects_send(out, 1u << p->proposer.source, MESSAGE_FETCH);

    m->first_slot = p->acceptor.chosen + 1;
    m->last_slot = p->proposer.recover_through;
    p->proposer.resend_at_ns = p->now_ns + ms_to_ns(ATTEMPT_MS / 4);
}

/* A quorum has promised: what remains is to know all that is chosen. */
static void judge(struct paxos *p, struct paxos_effects *out)
{
    struct proposer *r = &p->proposer;

    if (r->phase != PROPOSER_PREPARING ||
        !quorum_prepared(&p->membership.quorums, promised_mask(p)))
        return;
    r->recover_through = p->acceptor.chosen;
    for (uint32_t i = 0; i < p->membership.quorums.members_count; i++) {
        if (r->from[i].done && r->from[i].chosen > r->recover_through) {
            r->recover_through = r->from[i].chosen;
            r->source = i;
        }
    }
    if (r->recover_through == p->acceptor.chosen) {
        leader_begin(p, out);
        return;
    }
    r->phase = PROPOSER_RECOVERING;
    r->attempt_until_ns = p->now_ns + election_patience_ns(p, ATTEMPT_MS);
    fetch_more(p, out);
}

void proposer_on_learned(struct paxos *p, struct paxos_effects *out)
{
    if (p->acceptor.chosen >= p->proposer.recover_through) {
        leader_begin(p, out);
        return;
    }
    p->proposer.attempt_until_ns = p->now_ns + election_patience_ns(p, ATTEMPT_MS);
    fetch_more(p, out);
}

void proposer_on_promise(struct paxos *p, uint32_t from, const struct message *m,
                         struct paxos_effects *out)
{
    struct proposer *r = &p->proposer;
    struct proposer_from *f = &r->from[from];

    if (p->role != PAXOS_CANDIDATE || r->phase != PROPOSER_PREPARING || m->ballot != r->ballot ||
        f->done)
        return;
    if (m->chunk == 0) {
        f->chosen = m->chosen;
        f->through = m->chosen > r->first_slot - 1 ? m->chosen : r->first_slot - 1;
        f->next_chunk = 0;
        forget_through(r, m->chosen);
    }
    if (m->chunk != f->next_chunk || m->chosen != f->chosen)
        return; /* part of another sending of the same; that will be complete or come again */
    for (uint32_t i = 0; i < m->entries_count; i++) {
        if (m->entries[i].slot < r->first_slot)
            continue; /* the promiser does not know yet that it is chosen; we do */
        if (m->entries[i].slot != f->through + 1) {
            f->next_chunk = 0;
            return;
        }
        f->through++;
        offer(r, &m->entries[i]);
    }
    f->next_chunk++;
    f->done = m->done;
    judge(p, out);
}

/* ---- sending ---- */

static void send_prepare(struct paxos *p, struct paxos_effects *out)
{
    struct proposer *r = &p->proposer;
    uint32_t to = membership_others(&p->membership) & ~promised_mask(p);

    if (to != 0) {
        struct message *m = paxos_effects_send(out, to, MESSAGE_PREPARE);

        m->ballot = r->ballot;
        m->first_slot = r->first_slot;
    }
    r->resend_at_ns = p->now_ns + ms_to_ns(PREPARE_RESEND_MS);
}

void proposer_on_persisted(struct paxos *p, struct paxos_effects *out)
{
    struct proposer *r = &p->proposer;
    struct proposer_from *self = &r->from[p->membership.self];

    if (p->role != PAXOS_CANDIDATE || r->phase != PROPOSER_PERSISTING ||
        !acceptor_promise_durable(&p->acceptor))
        return;
    r->phase = PROPOSER_PREPARING;
    r->first_slot = r->base = p->acceptor.chosen + 1;
    r->sent_ns = p->now_ns;
    self->done = true;
    self->chosen = p->acceptor.chosen;
    for (uint64_t slot = r->first_slot; slot <= p->acceptor.log.last; slot++)
        offer(r, log_get(&p->acceptor.log, slot));
    send_prepare(p, out);
    judge(p, out);
}

void proposer_tick(struct paxos *p, struct paxos_effects *out)
{
    struct proposer *r = &p->proposer;

    if (p->now_ns >= r->attempt_until_ns) {
        become_follower(p, out);
        election_back_off(p);
        election_lose_patience(p);
    } else if (r->phase == PROPOSER_PREPARING && p->now_ns >= r->resend_at_ns) {
        send_prepare(p, out);
    } else if (r->phase == PROPOSER_RECOVERING && p->now_ns >= r->resend_at_ns) {
        fetch_more(p, out);
    }
}
