/* server.c - see server.h. */
#include "tests/sim/server.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "coordd/paxos/paxos.h"
#include "libcoord/base/check.h"
#include "tests/sim/check_lease.h"
#include "tests/sim/check_reply.h"
#include "tests/sim/limit.h"
#include "tests/sim/said.h"
#include "tests/sim/sim.h"

static void step(struct server *n, const struct server_input *input);

/* ---- birth and death ---- */

static void on_disk_write(void *context, const struct disk *d, const struct disk_job *job)
{
    struct server *n = context;
    truth_writes(&n->sim->truth, n->id, d, job);
    if (job->floor > saver_slot(&n->saver) && !n->view.lost)
        journal_fail(&n->sim->journal, VERDICT_SAFETY,
                     "member %" PRIu32 " cuts its log at slot %" PRIu64
                     ", but its checkpoint is of slot %" PRIu64,
                     n->id, job->floor, saver_slot(&n->saver));
    model_follow(&n->sim->model, &n->sim->truth);
}

void server_init(struct sim *s, uint32_t index)
{
    struct server *n = &s->servers[index];
    memset(n, 0, sizeof(*n));
    n->sim = s;
    n->index = index;
    n->id = index + 1;
    effects_init(&n->effects);
    disk_init(&n->disk, on_disk_write, n);

    struct replica_config *c = &n->config;
    memset(c->cell, 0xce, sizeof(c->cell));
    snprintf(c->cell_name, sizeof(c->cell_name), "sim");
    c->self = n->id;
    c->incarnation = prng_next(&s->fault_random) | 1;
    c->members_count = s->swarm.members;
    for (uint32_t i = 0; i < c->members_count; i++) {
        c->members[i].id = i + 1;
        snprintf(c->members[i].address, sizeof(c->members[i].address), "sim:%" PRIu32, i + 1);
    }
    c->lease_ms = s->swarm.lease_ms;
    c->rate_ppm = s->swarm.rate_ppm;
    c->log_keep_entries = s->swarm.log_keep_entries;
    c->distrusts_clocks = s->swarm.distrusts_clocks != 0;
    c->checkpoint_slots = s->swarm.checkpoint_slots;
    c->checkpoint_step_bytes = s->swarm.checkpoint_step_bytes;
    c->log_keep_slots = s->swarm.log_keep_slots;
    c->pid = 1000 + index;
    c->version = "sim";
}

static void inbox_drop(struct server *n);

void server_release(struct server *n)
{
    replica_free(n->replica);
    n->replica = NULL;
    inbox_drop(n);
    free(n->inbox);
    effects_release(&n->effects);
    disk_release(&n->disk);
    saver_release(&n->saver);
}

static bool load_checkpoint(struct server *n)
{
    const struct image *image = n->saver.durable;
    const char *why = "a record does not fit";
    if (image == NULL)
        return true;
    bool good =
        replica_load_checkpoint(n->replica, image->slot, blob_slice(image->about), &why) == ERR_OK;
    for (struct avl_node *at = avl_first(&image->records); good && at != NULL; at = avl_next(at)) {
        const struct image_record *r = container_of(at, struct image_record, by_key);
        good = replica_load_record(n->replica, r->key, r->value) == ERR_OK;
    }
    good = good && replica_load_checkpoint_end(n->replica) == ERR_OK;
    if (!good)
        journal_fail(&n->sim->journal, VERDICT_SAFETY,
                     "member %" PRIu32 " cannot load its own checkpoint of slot %" PRIu64 ": %s",
                     n->id, image->slot, why == NULL ? "it is no state" : why);
    return good;
}

/* A member that loses what it had counts among those that fail: a majority of the
 * others must be left with what it had. */
static bool may_lose(const struct server *n)
{
    const struct sim *s = n->sim;
    if (s->phase != PHASE_FAULTS || s->swarm.dead_at_end >= (s->swarm.members - 1) / 2)
        return false;
    for (uint32_t i = 0; i < s->swarm.members; i++) {
        const struct server *other = &s->servers[i];
        if (other != n && (other->disk.durable.log_damaged ||
                           other->disk.durable.floor > saver_slot(&other->saver)))
            return false;
    }
    return true;
}

static void maybe_lose_state(struct server *n)
{
    struct sim *s = n->sim;
    bool chance = prng_chance(&s->disk_random, s->swarm.lose_state_ppm, PPM);
    if (!chance || n->saver.durable == NULL || !may_lose(n))
        return;
    journal_trace(&s->journal, "%" PRIu32 " has lost its checkpoint of slot %" PRIu64, n->id,
                  saver_slot(&n->saver));
    saver_lose(&n->saver);
    s->journal.counts[COUNT_STATES_LOST]++;
}

/* A damaged log stays so until the floor lies above it. Such a member has no vote, so
 * the others must be enough without it. */
static void maybe_damage_log(struct server *n)
{
    struct sim *s = n->sim;
    bool chance = prng_chance(&s->disk_random, s->swarm.damage_log_ppm, PPM);
    if (!chance || n->disk.rows_count == 0 || !may_lose(n))
        return;
    journal_trace(&s->journal, "%" PRIu32 " cannot read its log up to slot %" PRIu64, n->id,
                  n->disk.rows_count);
    n->disk.durable.log_damaged = true;
    s->journal.counts[COUNT_LOGS_DAMAGED]++;
}

void server_start(struct server *n)
{
    struct sim *s = n->sim;
    const char *why = NULL;
    CHECK(n->replica == NULL);
    n->life++;
    n->config.seed = prng_next(&s->fault_random);
    maybe_lose_state(n);
    maybe_damage_log(n);
    n->disk.durable.last_slot = n->disk.rows_count;
    if (replica_new(&n->config, &n->disk.durable, &n->replica, &why) != ERR_OK) {
        journal_fail(&s->journal, VERDICT_SAFETY, "member %" PRIu32 " cannot be made: %s", n->id,
                     why);
        return;
    }
    n->disk.durable.used = 1;
    if (s->swarm.history_bytes != 0 && n->saver.durable == NULL)
        limit_history(n->replica, s->swarm.history_bytes);
    if (!load_checkpoint(n))
        return;
    uint64_t base = saver_slot(&n->saver) > n->disk.durable.floor ? saver_slot(&n->saver)
                                                                  : n->disk.durable.floor;
    if (n->disk.durable.log_damaged)
        base = n->disk.rows_count;
    for (uint64_t slot = base + 1; slot <= n->disk.rows_count; slot++) {
        const struct log_entry *row = disk_row(&n->disk, slot);
        if (row == NULL || replica_load_entry(n->replica, row) != ERR_OK) {
            journal_fail(&s->journal, VERDICT_SAFETY,
                         "member %" PRIu32 " cannot load slot %" PRIu64 " of its own log", n->id,
                         slot);
            return;
        }
    }
    journal_trace(&s->journal, "%" PRIu32 " starts, %" PRIu64 " slots, promised %" PRIu64, n->id,
                  n->disk.rows_count, n->disk.durable.promised);
    journal_mix(&s->journal, 1, n->id);
    replica_loaded(n->replica, clock_local(&n->clock, s->now_ns));
    step(n, &(struct server_input){.kind = REPLICA_EVENT_TIME});
    link_review(s, n->index);
}

/* a: life */
static void on_restart(void *object, const struct queue_item *item)
{
    struct server *n = object;
    if (n->life == item->a && n->replica == NULL)
        server_start(n);
}

void server_die(struct server *n, enum server_death death, int64_t restart_after_ns)
{
    struct sim *s = n->sim;
    if (n->replica == NULL)
        return;
    uint32_t kept = death == SERVER_POWER_CUT ? disk_power_cut(&n->disk, &s->disk_random)
                                              : disk_crash(&n->disk, &s->disk_random);
    s->journal.counts[death == SERVER_POWER_CUT ? COUNT_POWER_CUTS : COUNT_CRASHES]++;
    journal_trace(&s->journal, "%" PRIu32 " %s (%" PRIu32 " unsynced steps kept)", n->id,
                  death == SERVER_POWER_CUT ? "loses power" : "crashes", kept);
    journal_mix(&s->journal, 2, n->id);
    saver_crash(&n->saver, n->saver_busy, &s->disk_random);
    replica_free(n->replica);
    n->replica = NULL;
    inbox_drop(n);
    n->saver_busy = false;
    n->paused = false;
    n->dies_in_step = false;
    n->disk_busy = false;
    n->was_serving = false;
    memset(&n->view, 0, sizeof(n->view));
    link_review(s, n->index);
    channel_server_died(s, n->index);
    if (restart_after_ns >= 0)
        sim_after(s, restart_after_ns, on_restart, n, n->life, 0, 0, NULL);
}

/* ---- pausing ---- */

static void inbox_drop(struct server *n)
{
    for (uint32_t i = 0; i < n->inbox_count; i++) {
        for (uint32_t k = 0; k < n->inbox[i].entries_count; k++)
            blob_unref(n->inbox[i].entries[k].value);
        free(n->inbox[i].entries);
        blob_unref(n->inbox[i].bytes);
        blob_unref(n->inbox[i].about);
    }
    n->inbox_count = 0;
}

static void inbox_add(struct server *n, const struct server_input *input)
{
    if (n->inbox_count == n->inbox_capacity) {
        n->inbox_capacity = n->inbox_capacity == 0 ? 64 : 2 * n->inbox_capacity;
        n->inbox = check_realloc(n->inbox, n->inbox_capacity * sizeof(n->inbox[0]));
    }
    struct server_input *kept = &n->inbox[n->inbox_count++];
    *kept = *input;
    if (kept->bytes != NULL)
        blob_ref(kept->bytes);
    if (kept->about != NULL)
        blob_ref(kept->about);
    if (kept->entries_count > 0) {
        kept->entries = check_calloc(input->entries_count, sizeof(kept->entries[0]));
        for (uint32_t i = 0; i < input->entries_count; i++) {
            kept->entries[i] = input->entries[i];
            blob_ref(kept->entries[i].value);
        }
    } else {
        kept->entries = NULL;
    }
}

void server_pause(struct server *n)
{
    if (n->replica == NULL || n->paused)
        return;
    n->paused = true;
    n->pause_number++;
    journal_trace(&n->sim->journal, "%" PRIu32 " is paused", n->id);
    link_review(n->sim, n->index);
    channel_server_silent(n->sim, n->index);
}

void server_resume(struct server *n)
{
    if (n->replica == NULL || !n->paused)
        return;
    journal_trace(&n->sim->journal, "%" PRIu32 " goes on, %" PRIu32 " events late", n->id,
                  n->inbox_count);
    n->paused = false;
    struct server_input *late = n->inbox;
    uint32_t count = n->inbox_count;
    n->inbox = NULL;
    n->inbox_count = n->inbox_capacity = 0;
    uint32_t life = n->life;
    /* Its timer is late too, before or behind the rest. */
    bool timer_first = prng_chance(&n->sim->fault_random, 1, 2);
    if (timer_first)
        step(n, &(struct server_input){.kind = REPLICA_EVENT_TIME});
    for (uint32_t i = 0; i < count; i++) {
        if (n->replica != NULL && n->life == life)
            server_take(n, &late[i]);
        for (uint32_t k = 0; k < late[i].entries_count; k++)
            blob_unref(late[i].entries[k].value);
        free(late[i].entries);
        blob_unref(late[i].bytes);
        blob_unref(late[i].about);
    }
    free(late);
    if (n->replica != NULL && n->life == life && !timer_first)
        step(n, &(struct server_input){.kind = REPLICA_EVENT_TIME});
    link_review(n->sim, n->index);
}

void server_take(struct server *n, const struct server_input *input)
{
    if (n->replica == NULL)
        return;
    if (n->paused)
        inbox_add(n, input);
    else
        step(n, input);
}

/* ---- one step ---- */

static void note(struct server *n, const struct effect *e)
{
    journal_trace(&n->sim->journal, "%" PRIu32 " notes: %s %" PRIu64, n->id, e->text, e->number);
}

static void execute(struct server *n, const struct effect *e)
{
    struct sim *s = n->sim;
    switch (e->kind) {
    case EFFECT_PERSIST_PROMISE:
    case EFFECT_PERSIST_ENTRY:
    case EFFECT_PERSIST_LEASE:
    case EFFECT_PERSIST_FLOOR:
        break; /* handed over together, before the first effect */
    case EFFECT_SEND_PEER:
        journal_mix(&s->journal, 4, (uint64_t)n->id << 32 | e->peer);
        said_check(&s->truth, n->id, n->life, &n->disk, saver_slot(&n->saver),
                   blob_slice(e->bytes));
        if (e->peer >= 1 && e->peer <= s->swarm.members && e->peer != n->id)
            link_send(s, n->index, e->peer - 1, e->bytes);
        break;
    case EFFECT_SEND_STREAM:
        journal_mix(&s->journal, 5, e->stream);
        check_reply(s, n, e->stream, blob_slice(e->bytes));
        channel_send_to_host(s, n->index, e->stream, e->bytes);
        break;
    case EFFECT_CLOSE_STREAM:
        journal_mix(&s->journal, 6, e->stream);
        channel_close_by_server(s, n->index, e->stream);
        break;
    case EFFECT_READ_LOG:
        disk_hand_over_read(&n->disk, e);
        server_disk_go_on(n);
        break;
    case EFFECT_CHECKPOINT_BEGIN:
    case EFFECT_CHECKPOINT_PUT:
    case EFFECT_CHECKPOINT_COMMIT:
    case EFFECT_CHECKPOINT_ABORT:
    case EFFECT_READ_CHECKPOINT:
        (void)saver_hand_over(&n->saver, e);
        server_saver_go_on(n);
        break;
    case EFFECT_NOTE:
        note(n, e);
        break;
    case EFFECT_HALT:
        journal_fail(&s->journal, VERDICT_SAFETY, "member %" PRIu32 " halts: %s", n->id, e->text);
        break;
    }
}

/* a: life, b: wake number */
static void on_wake(void *object, const struct queue_item *item)
{
    struct server *n = object;
    if (n->life == item->a && n->wake_number == item->b && !n->paused && n->replica != NULL)
        step(n, &(struct server_input){.kind = REPLICA_EVENT_TIME});
}

static void wake_later(struct server *n, int64_t wake_at_ns)
{
    struct sim *s = n->sim;
    n->wake_number++;
    int64_t at = clock_true(&n->clock, wake_at_ns);
    if (at == NEVER_NS)
        return;
    int64_t late = NS_PER_US * (int64_t)prng_below(&s->clock_random, s->swarm.late_us + 1);
    sim_after(s, ns_max(at - s->now_ns, 0) + late, on_wake, n, n->life, n->wake_number, 0, NULL);
}

static void look(struct server *n)
{
    struct sim *s = n->sim;
    uint64_t floor_before = n->view.floor;
    replica_view(n->replica, clock_local(&n->clock, s->now_ns), &n->view);
    truth_view(&s->truth, n->id, &n->view);
    for (uint32_t i = 0; i < s->swarm.members; i++)
        truth_counted(&s->truth, n->id, n->view.ballot, s->servers[i].id,
                      paxos_counted(replica_paxos(n->replica), s->servers[i].id));
    check_lease(s, n);
    if (n->view.floor > floor_before && n->view.floor == n->view.checkpoint)
        s->journal.counts[COUNT_TRANSFERS]++;
    if (n->view.serving && !n->was_serving && s->leader != n->id) {
        s->leader = n->id;
        s->journal.counts[COUNT_LEADER_CHANGES]++;
    }
    n->was_serving = n->view.serving;
}

static void step(struct server *n, const struct server_input *input)
{
    struct sim *s = n->sim;
    struct replica_event event = {
        .kind = input->kind,
        .now_ns = clock_local(&n->clock, s->now_ns),
        .wall_ms = clock_wall_ms(&n->clock, s->now_ns),
        .peer = input->peer,
        .link = input->link,
        .sequence = input->sequence,
        .token = input->token,
        .slot = input->slot,
        .last = input->last,
        .entries = input->entries,
        .entries_count = input->entries_count,
        .stream = input->stream,
        .stream_kind = input->stream_kind,
        .principal = "sim",
    };
    if (input->bytes != NULL)
        event.bytes = blob_slice(input->bytes);
    if (input->about != NULL)
        event.about = blob_slice(input->about);
    if (input->kind == REPLICA_EVENT_CHECKPOINT_LOST)
        saver_accept_again(&n->saver);
    if (input->kind == REPLICA_EVENT_STREAM_OPENED)
        prng_fill(&s->channel_random, event.random, sizeof(event.random));
    journal_mix(&s->journal, 16 + (uint64_t)input->kind, n->id);
    if (input->kind == REPLICA_EVENT_PERSIST_FULL)
        disk_accept_again(&n->disk);
    if (input->kind == REPLICA_EVENT_STREAM_LAGS || input->kind == REPLICA_EVENT_STREAM_DRAINED)
        channel_server_knows_lag(s, input->stream, input->kind == REPLICA_EVENT_STREAM_LAGS);
    replica_step(n->replica, &event, &n->effects);

    uint32_t count = n->effects.count;
    bool dies = n->dies_in_step && count > 0;
    bool handed = true;
    if (dies) {
        count = (uint32_t)prng_below(&s->fault_random, count);
        handed = prng_chance(&s->fault_random, 1, 2);
    }
    if (handed && disk_hand_over(&n->disk, n->effects.list, n->effects.count))
        server_disk_go_on(n);
    for (uint32_t i = 0; i < count; i++)
        execute(n, &n->effects.list[i]);
    if (dies) {
        server_die(n, n->death, n->restart_after_ns);
        return;
    }
    look(n);
    wake_later(n, n->effects.wake_at_ns);
}

bool server_has_lease(const struct server *n)
{
    return n->replica != NULL && n->view.lease_until_ns > clock_local(&n->clock, n->sim->now_ns);
}
