/* paxos.c - the step: one event in, effects out. Which file answers what:
 *
 *   Prepare, Accept, Relinquish   follower.c       Promise          proposer.c
 *   Accepted                      leader.c         Fetch, Fetched   learner.c
 *   Probe, Probed                 election.c       Refused          here */
#include "coordd/paxos/paxos.h"

#include <stdlib.h>

#include "coordd/paxos/core.h"
#include "libcoord/base/check.h"

/* ---- life ---- */

static const char *config_defaults(struct paxos_config *c)
{
    if (c->members_count == 0 || c->members_count > PAXOS_MEMBERS_MAX)
        return "members: there must be 1 to 16 of them";
    if (c->incarnation == 0)
        return "incarnation: must not be 0";
    for (uint32_t i = 0; i < c->members_count; i++) {
        if (c->ids[i] == 0 || c->ids[i] > UINT16_MAX)
            return "members: an id must be 1 to 65535";
        for (uint32_t j = 0; j < i; j++)
            if (c->ids[i] == c->ids[j])
                return "members: an id is there twice";
    }
    if (c->lease_ms == 0)
        c->lease_ms = PAXOS_LEASE_MS_DEFAULT;
    if (c->heartbeat_ms == 0)
        c->heartbeat_ms = c->lease_ms / 7 + 1;
    if (c->log_keep_entries == 0)
        c->log_keep_entries = LOG_KEEP_ENTRIES_DEFAULT;
    if (c->log_unapplied_entries == 0)
        c->log_unapplied_entries = LOG_UNAPPLIED_ENTRIES_DEFAULT;
    if (c->rate_ppm == 0)
        c->rate_ppm = PAXOS_RATE_PPM_DEFAULT;
    if (c->lease_ms < 20 || c->lease_ms > 60000)
        return "lease-ms: must be 20 to 60000";
    if (c->heartbeat_ms * 2 > c->lease_ms)
        return "heartbeat-ms: must be at most half of the lease";
    if (c->rate_ppm > 200000)
        return "rate-ppm: must be at most 200000";
    return NULL;
}

enum err paxos_new(const struct paxos_config *config, struct paxos **ret, const char **ret_why)
{
    struct paxos *p = check_calloc(1, sizeof *p);
    int self;

    p->config = *config;
    *ret_why = config_defaults(&p->config);
    if (*ret_why != NULL)
        goto invalid;
    *ret_why = "quorums: a prepare and an accept quorum must always meet";
    if (!quorums_init(&p->membership.quorums, config->members_count, config->prepare_quorum,
                      config->accept_quorum))
        goto invalid;
    for (uint32_t i = 0; i < config->members_count; i++)
        p->membership.ids[i] = config->ids[i];
    *ret_why = "id: is not among the members";
    self = membership_index(&p->membership, config->self);
    if (self < 0)
        goto invalid;
    p->membership.self = (uint32_t)self;
    p->yielded_ns = LEADER_LONG_AGO_NS;
    p->membership.heard[self] = config->incarnation;
    acceptor_init(&p->acceptor, config->promised, config->longest_lease_ms);
    if (config->log_damaged) {
        p->mute_through = config->last_slot;
        p->lost = true;
    }
    if (config->floor > 0) {
        /* Without a checkpoint it begins there, but lacks what the state was. */
        log_restart(&p->acceptor.log, config->floor);
        p->acceptor.floor = p->acceptor.chosen = p->acceptor.held = p->applied = config->floor;
        p->lost = true;
    }
    prng_init(&p->prng, config->seed);
    p->role = PAXOS_FOLLOWER;
    *ret_why = NULL;
    *ret = p;
    return ERR_OK;
invalid:
    free(p);
    return ERR_INVALID;
}

void paxos_free(struct paxos *p)
{
    if (p == NULL)
        return;
    proposer_reset(&p->proposer);
    acceptor_release(&p->acceptor);
    free(p);
}

enum err paxos_load_checkpoint(struct paxos *p, uint64_t slot, struct slice membership,
                               const char **ret_why)
{
    struct acceptor *a = &p->acceptor;

    CHECK(a->log.last <= p->config.floor && slot > 0);
    *ret_why = "the checkpoint is older than what the log begins with";
    if (slot < p->config.floor)
        return ERR_INVALID;
    *ret_why = membership_load(&p->membership, membership);
    if (*ret_why != NULL)
        return ERR_INVALID;
    log_restart(&a->log, slot);
    a->chosen = a->held = p->applied = slot;
    p->lost = learner_is_mute(p);
    /* Rows up to here may be older than what was chosen: the checkpoint became durable
     * on another thread than they, or came from another member. Nobody gets them. */
    if (!p->lost && slot > p->config.floor)
        p->floor_owed = slot;
    return ERR_OK;
}

enum err paxos_load(struct paxos *p, const struct log_entry *entry)
{
    struct acceptor *a = &p->acceptor;

    CHECK(!p->config.log_damaged);
    if (entry->slot != a->log.last + 1 || entry->chosen >= entry->slot)
        return ERR_INVALID;
    log_put(&a->log, entry);
    if (entry->ballot > a->promised)
        a->promised = entry->ballot;
    if (entry->chosen > a->chosen)
        a->held = a->chosen = entry->chosen;
    return ERR_OK;
}

void paxos_loaded(struct paxos *p, int64_t now_ns)
{
    int64_t longest_ns = ms_to_ns(p->acceptor.longest_lease_ms);

    p->now_ns = p->disk_ns = now_ns;
    if (longest_ns > 0)
        p->acceptor.wait_until_ns =
            now_ns + longest_ns + longest_ns / 1000000 * 2 * p->config.rate_ppm;
}

void become_follower(struct paxos *p, struct paxos_effects *out)
{
    bool changed = p->role != PAXOS_FOLLOWER || p->leader_id != 0;

    p->role = PAXOS_FOLLOWER;
    p->leader_id = 0;
    p->election.happy_until_ns = ns_min(p->election.happy_until_ns, p->now_ns);
    p->election.probing = false;
    p->accepted_owed = p->promise_owed = false;
    proposer_reset(&p->proposer);
    if (changed)
        paxos_effects_note(out, PAXOS_NOTE_ROLE, 0);
}

/* ---- messages ---- */

static void on_refused(struct paxos *p, const struct message *m, struct paxos_effects *out)
{
    if (m->stranger) {
        if (p->membership.founded_slot == 0)
            out->halt = "the cell knows this member by another data directory: restore that "
                        "directory, or leave this member down; the cell runs on without it";
        return;
    }
    if (m->ballot > p->election.highest_ballot)
        p->election.highest_ballot = m->ballot;
    if (m->lease)
        return; /* it may promise later; the attempt has a deadline of its own */
    if ((p->role == PAXOS_CANDIDATE && m->ballot > p->proposer.ballot) ||
        (p->role == PAXOS_LEADER && m->ballot > p->leader.ballot)) {
        become_follower(p, out);
        election_back_off(p);
    }
}

static void on_message(struct paxos *p, const struct paxos_event *e, struct paxos_effects *out)
{
    const struct message *m = e->message;
    int index = membership_index(&p->membership, e->from);
    uint32_t from = (uint32_t)index;

    if (index < 0 || from == p->membership.self)
        return;
    if (!membership_hear(&p->membership, from, e->incarnation)) {
        struct message *no = paxos_effects_send(out, 1u << from, MESSAGE_REFUSED);

        no->stranger = true;
        paxos_effects_note(out, PAXOS_NOTE_STRANGER, e->from);
        return;
    }
    switch (m->kind) {
    case MESSAGE_PREPARE:
        follower_on_prepare(p, from, m, out);
        break;
    case MESSAGE_PROMISE:
        proposer_on_promise(p, from, m, out);
        break;
    case MESSAGE_ACCEPT:
        follower_on_accept(p, from, m, out);
        break;
    case MESSAGE_ACCEPTED:
        leader_on_accepted(p, from, m, out);
        break;
    case MESSAGE_REFUSED:
        on_refused(p, m, out);
        break;
    case MESSAGE_PROBE:
        election_on_probe(p, from, m, out);
        break;
    case MESSAGE_PROBED:
        election_on_probed(p, from, m, out);
        break;
    case MESSAGE_FETCH:
        learner_on_fetch(p, from, m, out);
        break;
    case MESSAGE_FETCHED:
        learner_on_fetched(p, from, m, out);
        break;
    case MESSAGE_RELINQUISH:
        follower_on_relinquish(p, from, m, out);
        break;
    case MESSAGE_TRANSFER:
    case MESSAGE_TRANSFERRED:
    case MESSAGE_STATE_HASH:
        break; /* not for consensus */
    }
}

/* ---- the other events ---- */

static void on_link(struct paxos *p, const struct paxos_event *e, struct paxos_effects *out)
{
    int index = membership_index(&p->membership, e->from);

    if (index < 0)
        return;
    if (e->up)
        p->up_mask |= 1u << (uint32_t)index;
    else
        p->up_mask &= ~(1u << (uint32_t)index);
    if (!e->up && p->role == PAXOS_FOLLOWER && p->leader_id == e->from)
        p->election.happy_until_ns = ns_min(p->election.happy_until_ns, p->now_ns);
    leader_on_link(p, (uint32_t)index, e->up, out);
}

/* Lead no longer, and spare the others the wait; `to` is to stand at once, 0: the
 * one that holds most. */
static void relinquish(struct paxos *p, uint32_t to, struct paxos_effects *out)
{
    uint64_t ballot = p->leader.ballot;
    uint32_t heir = to == 0 && p->role == PAXOS_LEADER ? leader_heir(p) : to;
    bool led = p->role == PAXOS_LEADER;
    struct message *m;

    become_follower(p, out); /* the lease ends first */
    if (!led)
        return;
    m = paxos_effects_send(out, membership_others(&p->membership), MESSAGE_RELINQUISH);
    m->ballot = ballot;
    m->number = heir;
    /* Not at once against the one that was named. */
    p->election.yielding = true;
    p->election.pause_until_ns = p->now_ns + ms_to_ns(PROMISE_PAUSE_MS);
}

void paxos_lose_state(struct paxos *p, struct paxos_effects *out)
{
    if (p->role != PAXOS_FOLLOWER)
        relinquish(p, 0, out);
    p->election.probing = false;
    p->lost = true;
}

static void on_full(struct paxos *p, const struct paxos_event *e, struct paxos_effects *out)
{
    acceptor_full(&p->acceptor, e->sequence);
    p->full_retry_ns = p->now_ns + ms_to_ns(FULL_RETRY_MS);
    p->disk_ns = p->now_ns;
    paxos_effects_note(out, PAXOS_NOTE_FULL, p->config.self);
    if (p->role != PAXOS_FOLLOWER)
        relinquish(p, 0, out);
}

static void on_persisted(struct paxos *p, const struct paxos_event *e, struct paxos_effects *out)
{
    uint64_t held_before = acceptor_held_durable(&p->acceptor);

    acceptor_persisted(&p->acceptor, e->sequence);
    p->disk_ns = p->now_ns;
    proposer_on_persisted(p, out);
    leader_on_persisted(p, out);
    follower_on_persisted(p, held_before, out);
}

static void tick(struct paxos *p, struct paxos_effects *out)
{
    if (p->acceptor.full && p->now_ns >= p->full_retry_ns)
        acceptor_retry(&p->acceptor, out);
    if (!p->acceptor.full)
        acceptor_remember_lease(&p->acceptor, p->config.lease_ms, out);
    switch (p->role) {
    case PAXOS_WAITING:
    case PAXOS_FOLLOWER:
        election_tick(p, out);
        break;
    case PAXOS_CANDIDATE:
        proposer_tick(p, out);
        break;
    case PAXOS_LEADER:
        leader_tick(p, out);
        break;
    }
}

void paxos_step(struct paxos *p, const struct paxos_event *e, struct paxos_effects *out)
{
    p->now_ns = ns_max(p->now_ns, e->now_ns);
    if (p->acceptor.pending_count == 0)
        p->disk_ns = p->now_ns;
    acceptor_begin(&p->acceptor);
    if (p->floor_owed != 0 && !p->acceptor.full) {
        acceptor_cut(&p->acceptor, p->floor_owed, out);
        p->floor_owed = 0;
    }
    switch (e->kind) {
    case PAXOS_EVENT_TIME:
        break;
    case PAXOS_EVENT_LINK:
        on_link(p, e, out);
        break;
    case PAXOS_EVENT_MESSAGE:
        on_message(p, e, out);
        break;
    case PAXOS_EVENT_PERSISTED:
        on_persisted(p, e, out);
        break;
    case PAXOS_EVENT_FULL:
        on_full(p, e, out);
        break;
    case PAXOS_EVENT_SPACE:
        space_on_event(p, e->low);
        break;
    case PAXOS_EVENT_LOG_READ:
        if (!leader_on_read(p, e, out))
            (void)learner_on_read(p, e, out);
        break;
    case PAXOS_EVENT_PROPOSE:
        CHECK(paxos_can_propose(p));
        leader_propose(p, ENTRY_BATCH, e->value, out);
        break;
    case PAXOS_EVENT_ROUND:
        leader_begin_round(p);
        break;
    case PAXOS_EVENT_HAND_OVER:
        relinquish(p, e->from, out);
        break;
    case PAXOS_EVENT_STOP:
        p->stopped = true;
        relinquish(p, 0, out);
        break;
    case PAXOS_EVENT_CUT:
        acceptor_cut(&p->acceptor, e->slot, out);
        break;
    case PAXOS_EVENT_INSTALL: {
        const char *why = learner_install(p, e->slot, e->bytes, out);

        if (why != NULL)
            out->halt = why;
        break;
    }
    }
    tick(p, out);
    leader_flush(p, out);
}

const struct log_entry *paxos_next_chosen(struct paxos *p, struct paxos_effects *out)
{
    const struct log_entry *entry;

    if (p->applied == p->acceptor.chosen || p->lost) {
        leader_flush(p, out);
        learner_trim(p);
        return NULL;
    }
    p->applied++;
    entry = log_get(&p->acceptor.log, p->applied);
    CHECK(entry != NULL);
    if (entry->kind == ENTRY_FOUND) {
        const char *why = membership_found(&p->membership, entry->slot, blob_slice(entry->value));

        if (why != NULL)
            out->halt = why;
    } else if (entry->kind == ENTRY_OPEN) {
        p->membership.open = true;
    }
    if (p->role == PAXOS_LEADER)
        leader_on_applied(p, entry, out);
    return log_get(&p->acceptor.log, p->applied);
}
