/* replica.c - the step: an event goes to consensus or to the clients' streams;
 * what got chosen is applied; what follows from it goes out. */
#include "coordd/replica/replica.h"

#include <stdlib.h>
#include <string.h>

#include "coordd/replica/inner.h"
#include "coordd/replica/peer_codec.h"
#include "libcoord/base/check.h"

/* ---- life ---- */

enum err replica_new(const struct replica_config *config, const struct replica_durable *durable,
                     struct replica **ret, const char **ret_why)
{
    struct paxos_config pc = {.self = config->self,
                              .members_count = config->members_count,
                              .incarnation = config->incarnation,
                              .prepare_quorum = config->prepare_quorum,
                              .accept_quorum = config->accept_quorum,
                              .lease_ms = config->lease_ms,
                              .heartbeat_ms = config->heartbeat_ms,
                              .rate_ppm = config->rate_ppm,
                              .log_keep_entries = config->log_keep_entries,
                              .log_unapplied_entries = config->log_unapplied_entries,
                              .seed = config->seed,
                              .promised = durable->promised,
                              .longest_lease_ms = durable->longest_lease_ms,
                              .floor = durable->floor,
                              .last_slot = durable->last_slot,
                              .log_damaged = durable->log_damaged};
    struct paxos *paxos;
    struct replica *r;

    if (config->members_count > REPLICA_MEMBERS_MAX) {
        *ret_why = "members: too many";
        return ERR_INVALID;
    }
    for (uint32_t i = 0; i < config->members_count; i++)
        pc.ids[i] = config->members[i].id;
    if (paxos_new(&pc, &paxos, ret_why) != ERR_OK)
        return ERR_INVALID;
    r = check_calloc(1, sizeof *r);
    r->room = UINT64_MAX; /* until the storage says */
    r->config = *config;
    if (r->config.version == NULL)
        r->config.version = "";
    r->paxos = paxos;
    paxos_effects_init(&r->owed);
    r->state = state_new(config->cell);
    checkpoint_init(&r->checkpoint, &r->config);
    divergence_init(&r->config);
    state_output_init(&r->said);
    arena_init(&r->arena, ARENA_BYTES_MAX);
    list_init(&r->dirty);
    list_init(&r->waiting);
    r->wake_at_ns = NEVER_NS;
    list_init(&r->in_flight);
    batch_queue_init(&r->queue);
    *ret = r;
    return ERR_OK;
}

static void drop_in_flight(struct replica *r)
{
    struct list *at;

    while ((at = list_first(&r->in_flight)) != NULL) {
        struct batch *b = container_of(at, struct batch, place);

        list_remove(at);
        batch_free(b);
    }
}

void replica_free(struct replica *r)
{
    if (r == NULL)
        return;
    streams_free_all(r);
    leases_end(r);
    delays_end(r);
    drop_in_flight(r);
    batch_queue_clear(&r->queue);
    buffer_release(&r->scratch);
    arena_release(&r->arena);
    state_output_release(&r->said);
    transfer_release(r);
    state_free(r->state);
    paxos_effects_release(&r->owed);
    paxos_free(r->paxos);
    free(r);
}

/* ---- what others ask ---- */

const char *replica_address_of(const struct replica *r, uint32_t member)
{
    for (uint32_t i = 0; i < r->config.members_count; i++)
        if (r->config.members[i].id == member)
            return r->config.members[i].address;
    return "";
}

bool replica_lease_valid(const struct replica *r)
{
    return r->leading && paxos_lease_valid(r->paxos, r->now_ns);
}

const struct state *replica_state(const struct replica *r)
{
    return r->state;
}

const struct paxos *replica_paxos(const struct replica *r)
{
    return r->paxos;
}

static const char *role_text(enum paxos_role role)
{
    static const char *const text[] = {"waiting", "follower", "candidate", "leader"};

    return text[role];
}

void replica_view(const struct replica *r, int64_t now_ns, struct replica_view *ret)
{
    memset(ret, 0, sizeof *ret);
    ret->quarantined = r->divergence.quarantined;
    ret->copied = r->divergence.copied;
    ret->compared = r->divergence.compared;
    ret->role = ret->quarantined ? "quarantined" : role_text(paxos_role(r->paxos));
    ret->leader = paxos_leader(r->paxos);
    ret->ballot = paxos_ballot(r->paxos);
    ret->promised = paxos_promised(r->paxos);
    ret->chosen = paxos_chosen(r->paxos);
    ret->applied = paxos_applied(r->paxos);
    ret->last_slot = paxos_last_slot(r->paxos);
    ret->checkpoint = r->checkpoint.slot;
    ret->floor = paxos_floor(r->paxos);
    ret->lost = paxos_lost(r->paxos);
    ret->crowded = paxos_crowded(r->paxos);
    ret->revision = state_revision(r->state);
    state_hash(r->state, ret->state_hash);
    ret->serving = r->leading && paxos_lease_valid(r->paxos, now_ns);
    ret->lease_until_ns = paxos_lease_until(r->paxos);
    ret->cell_open = paxos_open(r->paxos);
    ret->led = ret->serving || (ret->cell_open && paxos_follows(r->paxos, now_ns));
    for (uint32_t i = 0; !ret->cell_open && i < r->config.members_count; i++)
        if (paxos_awaits(r->paxos, r->config.members[i].id))
            ret->awaited[ret->awaited_count++] = r->config.members[i].id;
}

/* ---- applying ---- */

/* The slots in flight are ours only in the ballot in which we proposed them; a
 * step that brings another leader's value for one of them must not answer with
 * it those who asked for ours. */
static bool leads_still(const struct replica *r)
{
    return r->leading && paxos_established(r->paxos) && paxos_ballot(r->paxos) == r->leading_ballot;
}

static void deliver(struct replica *r, uint64_t slot)
{
    deliver_entry(r, slot);
    hand_over_applied(r, slot);
}

static void apply(struct replica *r, const struct log_entry *entry)
{
    checkpoint_applied(r, entry);
    if (entry->kind == ENTRY_BATCH) {
        state_apply(r->state, blob_slice(entry->value), &r->said);
        divergence_applied(r, entry);
        if (leads_still(r)) /* not with a state that was just found to be wrong */
            deliver(r, entry->slot);
    } else if (entry->kind == ENTRY_LEADER_START) {
        struct reader reader = reader_of(blob_slice(entry->value));
        uint64_t ballot = reader_u64(&reader);

        CHECK(reader_done(&reader));
        state_apply_leader_start(r->state, ballot);
        divergence_applied(r, entry);
    }
}

void replica_apply_chosen(struct replica *r)
{
    const struct log_entry *entry;

    while ((entry = paxos_next_chosen(r->paxos, &r->owed)) != NULL)
        apply(r, entry);
}

/* ---- leading ---- */

static void follow_leadership(struct replica *r)
{
    bool leading = paxos_established(r->paxos) && paxos_open(r->paxos);

    if (r->leading && !leads_still(r)) {
        r->leading = false;
        streams_redirect_all(r);
        leases_end(r);
        delays_end(r);
        drop_in_flight(r);
        batch_queue_clear(&r->queue);
        hand_over_drop(r);
        r->round_asked = 0;
        r->round_wanted = false;
    }
    if (leading && !r->leading) {
        r->leading = true;
        r->leading_ballot = paxos_ballot(r->paxos);
        leases_begin(r);
        delays_look(r);
        r->progress_at_ns = r->now_ns + ms_to_ns(PROGRESS_MS);
        replica_note(r, NOTE_SERVING, r->leading_ballot, "");
    }
}

/* A small batch waits while a slot is under way, so that it gathers; a large one
 * does not. */
void replica_propose(struct replica *r)
{
    const struct batch *first;

    while ((first = batch_queue_first(&r->queue)) != NULL && paxos_can_propose(r->paxos)) {
        struct paxos_event e = {.kind = PAXOS_EVENT_PROPOSE, .now_ns = r->now_ns};
        struct batch *batch;

        if (paxos_outstanding(r->paxos) > 0 && first->commands_count < PIPELINE_COMMANDS_MIN &&
            first->bytes.length < PIPELINE_BYTES_MIN)
            return;
        batch = batch_queue_take(&r->queue);
        batch->slot = paxos_next_slot(r->paxos);
        list_append(&r->in_flight, &batch->place);
        e.value = batch_value(batch, r->wall_ms < 0 ? 0 : (uint64_t)r->wall_ms);
        paxos_step(r->paxos, &e, &r->owed);
        blob_unref(e.value);
        replica_apply_chosen(r); /* a cell of one may choose at once */
        replica_drain(r);
    }
}

static void tell_role(struct replica *r)
{
    enum paxos_role role = paxos_role(r->paxos);
    uint32_t leader = paxos_leader(r->paxos);

    if (role == r->role_told && leader == r->leader_told)
        return;
    r->role_told = role;
    r->leader_told = leader;
    replica_note(r, NOTE_ROLE, paxos_ballot(r->paxos), role_text(role));
    r->out->list[r->out->count - 1].peer = leader;
}

/* ---- the step ---- */

static void to_paxos(struct replica *r, struct paxos_event *e)
{
    e->now_ns = r->now_ns;
    paxos_step(r->paxos, e, &r->owed);
    replica_apply_chosen(r);
}

static void on_time(struct replica *r)
{
    struct paxos_event e = {.kind = PAXOS_EVENT_TIME};

    to_paxos(r, &e);
    replica_drain(r);
    follow_leadership(r);
}

static void peer_message(struct replica *r, const struct replica_event *e)
{
    struct paxos_event pe = {.kind = PAXOS_EVENT_MESSAGE};
    struct peer_envelope envelope;
    struct message message;

    if (!peer_decode(&r->config, &r->arena, e->bytes, &envelope, &message) ||
        envelope.from != e->peer) {
        message_release(&message);
        replica_note(r, NOTE_PEER, e->peer, "sent what is not a message of this cell; dropped");
        return;
    }
    if (message.kind >= MESSAGE_TRANSFER) {
        bool known = paxos_knows(r->paxos, envelope.from, envelope.incarnation);

        if (known && message.kind == MESSAGE_STATE_HASH)
            divergence_message(r, envelope.from, &message);
        else if (known)
            transfer_message(r, envelope.from, &message);
        message_release(&message);
        return;
    }
    pe.from = envelope.from;
    pe.incarnation = envelope.incarnation;
    pe.message = &message;
    to_paxos(r, &pe);
    message_release(&message);
}

static void dispatch(struct replica *r, const struct replica_event *e)
{
    struct paxos_event pe = {0};

    switch (e->kind) {
    case REPLICA_EVENT_TIME:
        pe.kind = PAXOS_EVENT_TIME;
        break;
    case REPLICA_EVENT_PEER_LINK:
        pe.kind = PAXOS_EVENT_LINK;
        pe.from = e->peer;
        pe.up = e->link == REPLICA_LINK_UP;
        break;
    case REPLICA_EVENT_PEER_MESSAGE:
        peer_message(r, e);
        return;
    case REPLICA_EVENT_PERSISTED:
        pe.kind = PAXOS_EVENT_PERSISTED;
        pe.sequence = e->sequence;
        break;
    case REPLICA_EVENT_PERSIST_FULL:
        pe.kind = PAXOS_EVENT_FULL;
        pe.sequence = e->sequence;
        break;
    case REPLICA_EVENT_SPACE:
        checkpoint_space(r, e->low, e->room);
        return;
    case REPLICA_EVENT_LOG_READ:
        pe.kind = PAXOS_EVENT_LOG_READ;
        pe.token = e->token;
        pe.entries = e->entries;
        pe.entries_count = e->entries_count;
        break;
    case REPLICA_EVENT_CHECKPOINT_TAKEN:
        checkpoint_taken(r);
        transfer_room(r);
        return;
    case REPLICA_EVENT_CHECKPOINTED:
        if (!transfer_saved(r, e->slot))
            checkpoint_saved(r, e->slot);
        return;
    case REPLICA_EVENT_CHECKPOINT_LOST:
        transfer_lost(r);
        checkpoint_lost(r);
        return;
    case REPLICA_EVENT_CHECKPOINT_READ:
        transfer_read(r, e);
        return;
    case REPLICA_EVENT_STREAM_OPENED:
        streams_opened(r, e);
        return;
    case REPLICA_EVENT_STREAM_MESSAGE:
        incoming_message(r, e);
        return;
    case REPLICA_EVENT_STREAM_CLOSED:
        streams_closed(r, e);
        return;
    case REPLICA_EVENT_STREAM_LAGS:
        streams_lags(r, e);
        return;
    case REPLICA_EVENT_STREAM_DRAINED:
        streams_drained(r, e);
        return;
    case REPLICA_EVENT_STOP:
        pe.kind = PAXOS_EVENT_STOP;
        break;
    }
    to_paxos(r, &pe);
}

uint64_t replica_begin_round(struct replica *r)
{
    struct paxos_event e = {.kind = PAXOS_EVENT_ROUND};

    to_paxos(r, &e);
    replica_drain(r);
    return paxos_round(r->paxos);
}

/* What a leader does at the end of each step. */
static void serve_step(struct replica *r, bool all_is_read)
{
    if (all_is_read &&
        !r->handing_over) { /* the driver sends TIME when it has read all that came */
        leases_tick(r);
        delays_tick(r);
    }
    hand_over_tick(r);
    divergence_tick(r);
    replica_propose(r);
    parked_rounds(r);
    parked_serve(r);
    catch_up_tick(r);
    if (r->hand_over_due) {
        struct paxos_event e = {.kind = PAXOS_EVENT_HAND_OVER, .from = r->successor};

        to_paxos(r, &e);
        replica_drain(r);
    }
}

void replica_step(struct replica *r, const struct replica_event *event, struct effects *out)
{
    effects_clear(out);
    r->out = out;
    r->now_ns = ns_max(r->now_ns, event->now_ns);
    r->wall_ms = event->wall_ms;
    r->steps++;
    leases_step(r);
    /* The log has dropped all that it was handed up to now, and takes what comes from now
     * on: nothing may be handed out between. */
    bool found_no_space = event->kind == REPLICA_EVENT_PERSIST_FULL;
    if (found_no_space)
        dispatch(r, event);
    if (r->now_ns >= paxos_wake_at(r->paxos))
        on_time(r); /* whoever leads no longer must know before it serves */
    if (!found_no_space)
        dispatch(r, event);
    transfer_step(r);
    replica_apply_chosen(r);
    replica_drain(r);
    follow_leadership(r);
    if (r->leading) {
        serve_step(r, event->kind == REPLICA_EVENT_TIME);
        follow_leadership(r);
    }
    streams_flush(r);
    divergence_step(r);
    checkpoint_step(r);
    tell_role(r);
    r->last_step_ns = r->now_ns;
    out->wake_at_ns = paxos_wake_at(r->paxos);
    if (r->leading)
        out->wake_at_ns = ns_min(ns_min(out->wake_at_ns, r->progress_at_ns),
                                 ns_min(leases_wake_at(r), delays_wake_at(r)));
    out->wake_at_ns = ns_min(out->wake_at_ns, ns_min(checkpoint_wake_at(r), transfer_wake_at(r)));
    out->wake_at_ns = ns_min(out->wake_at_ns, divergence_wake_at(r));
    r->wake_at_ns = out->wake_at_ns;
    r->out = NULL;
}
