/* learner.c - what is chosen, and getting what was missed.
 *
 * chosen (in the acceptor, for its invariant A2) rises only over slots whose
 * chosen value this replica holds. applied follows it, entry by entry. */
#include "coordd/paxos/core.h"
#include "libcoord/base/check.h"

void learner_advance(struct paxos *p, uint64_t chosen)
{
    if (chosen > p->acceptor.chosen)
        acceptor_chosen(&p->acceptor, chosen);
}

/* Keep in memory what is not applied, what the storage has not got yet, and as
 * much of the rest as the bounds allow. */
void learner_trim(struct paxos *p)
{
    struct log *log = &p->acceptor.log;
    uint64_t needed_from = p->applied + 1;

    for (uint32_t i = 0; i < p->acceptor.pending_count; i++)
        if (p->acceptor.pending[i].kind == PAXOS_PERSIST_ENTRY &&
            p->acceptor.pending[i].slot < needed_from)
            needed_from = p->acceptor.pending[i].slot;
    while (log->first < needed_from && log->first <= log->last &&
           (log->last - log->first >= p->config.log_keep_entries || log->bytes > LOG_KEEP_BYTES))
        log_drop_before(log, log->first + 1);
}

/* ---- serving others ---- */

void learner_tell_cut(struct paxos *p, uint32_t to, uint64_t slot, struct paxos_effects *out)
{
    struct message *m = paxos_effects_send(out, 1u << to, MESSAGE_FETCHED);

    m->first_slot = slot;
    m->checkpoint = p->acceptor.floor;
}

static void send_fetched(struct paxos *p, uint32_t to, const struct log_entry *entries,
                         uint32_t count, struct paxos_effects *out)
{
    struct message *m = paxos_effects_send(out, 1u << to, MESSAGE_FETCHED);

    if (count > 0)
        m->first_slot = entries[0].slot;
    for (uint32_t i = 0; i < count && entries[i].slot <= p->acceptor.chosen; i++)
        if (!message_add(m, &entries[i]))
            break;
}

void learner_on_fetch(struct paxos *p, uint32_t from, const struct message *m,
                      struct paxos_effects *out)
{
    uint64_t first = m->first_slot;
    uint64_t last = m->last_slot < p->acceptor.chosen ? m->last_slot : p->acceptor.chosen;
    struct message *answer;

    if (first == 0 || first > last)
        return; /* it will ask somebody else */
    if (first <= p->acceptor.floor) {
        learner_tell_cut(p, from, first, out);
        return;
    }
    if (log_get(&p->acceptor.log, first) == NULL) {
        struct paxos_read *read = paxos_effects_read(out);

        read->token = ++p->last_token;
        read->first_slot = first;
        read->last_slot = last;
        read->bytes_max = READ_BYTES_MAX;
        p->fetch_tokens[from] = read->token;
        return;
    }
    answer = paxos_effects_send(out, 1u << from, MESSAGE_FETCHED);
    answer->first_slot = first;
    for (uint64_t slot = first; slot <= last; slot++)
        if (!message_add(answer, log_get(&p->acceptor.log, slot)))
            break;
}

bool learner_on_read(struct paxos *p, const struct paxos_event *e, struct paxos_effects *out)
{
    for (uint32_t i = 0; i < p->membership.quorums.members_count; i++) {
        if (p->fetch_tokens[i] != e->token)
            continue;
        p->fetch_tokens[i] = 0;
        send_fetched(p, i, e->entries, e->entries_count, out);
        return true;
    }
    return false;
}

/* ---- catching up ---- */

/* What comes next is in no log that this one knows: a candidate cannot lead. */
static void told_cut(struct paxos *p, uint32_t from, uint64_t floor, struct paxos_effects *out)
{
    if (p->role == PAXOS_LEADER)
        return;
    if (p->behind <= p->acceptor.chosen)
        paxos_effects_note(out, PAXOS_NOTE_BEHIND, p->membership.ids[from]);
    p->behind = floor;
    p->behind_from = p->membership.ids[from];
    if (p->role == PAXOS_CANDIDATE) {
        become_follower(p, out);
        election_back_off(p);
    }
}

bool paxos_behind(const struct paxos *p, uint32_t *ret_from)
{
    *ret_from = p->behind_from != 0 ? p->behind_from : p->leader_id;
    return p->role == PAXOS_FOLLOWER && (p->lost || p->behind > p->acceptor.chosen);
}

bool learner_is_mute(const struct paxos *p)
{
    return p->acceptor.chosen < p->mute_through;
}

/* While the state is lost nothing can be dropped of what is accepted: it may be needed, for
 * this one's vote was counted. So what is taken must have a bound of its own. */
static bool holds_unapplied(const struct paxos *p, uint64_t entries, uint64_t bytes)
{
    return p->lost &&
           (p->acceptor.log.last - p->applied >= entries || p->acceptor.log.bytes >= bytes);
}

bool paxos_crowded(const struct paxos *p)
{
    return holds_unapplied(p, p->config.log_unapplied_entries, LOG_UNAPPLIED_BYTES_MAX);
}

bool learner_is_half_crowded(const struct paxos *p)
{
    return holds_unapplied(p, p->config.log_unapplied_entries / 2, LOG_UNAPPLIED_BYTES_MAX / 2);
}

uint64_t paxos_needs(const struct paxos *p)
{
    if (!p->lost)
        return p->acceptor.chosen + 1;
    return p->applied > p->mute_through ? p->applied : p->mute_through;
}

bool paxos_can_install(const struct paxos *p, uint64_t slot)
{
    return p->role == PAXOS_FOLLOWER && !p->acceptor.full && slot >= paxos_needs(p);
}

/* The state behind the slot is here. */
const char *learner_install(struct paxos *p, uint64_t slot, struct slice membership,
                            struct paxos_effects *out)
{
    const char *why = membership_load(&p->membership, membership);

    if (why != NULL)
        return why;
    if (slot > p->acceptor.chosen)
        acceptor_install(&p->acceptor, slot, out);
    p->applied = slot;
    p->lost = p->crowded_told = p->silent_told = false;
    return NULL;
}

void learner_on_fetched(struct paxos *p, uint32_t from, const struct message *m,
                        struct paxos_effects *out)
{
    bool learned = false;

    if (m->entries_count == 0 && m->checkpoint > p->acceptor.chosen) {
        told_cut(p, from, m->checkpoint, out);
        return;
    }
    if (p->role != PAXOS_CANDIDATE || p->proposer.phase != PROPOSER_RECOVERING || p->acceptor.full)
        return;
    for (uint32_t i = 0; i < m->entries_count; i++) {
        if (m->entries[i].slot != p->acceptor.chosen + 1)
            continue; /* known already, or a duplicate that came late */
        acceptor_learn(&p->acceptor, &m->entries[i], out);
        learned = true;
    }
    if (learned)
        proposer_on_learned(p, out);
}
