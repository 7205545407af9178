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
#include "tests/sim/said.h"
#include "tests/sim/server_step.h"
#include "tests/sim/sim.h"

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
    c->log_unapplied_entries = s->swarm.log_unapplied_entries;
    c->distrusts_clocks = s->swarm.distrusts_clocks != 0;
    c->checkpoint_slots = s->swarm.checkpoint_slots;
    c->compare_ms = s->swarm.compare_ms;
    c->checkpoint_step_bytes = s->swarm.checkpoint_step_bytes;
    c->log_keep_slots = s->swarm.log_keep_slots;
    c->pid = 1000 + index;
    if (prng_chance(&s->disk_random, 1, 2))
        n->slow_log_us = s->swarm.slow_log_us;
    if (prng_chance(&s->disk_random, 1, 2))
        n->slow_state_us = s->swarm.slow_state_us;
    s->journal.counts[COUNT_SLOW_LOGS] += n->slow_log_us > 0;
    s->journal.counts[COUNT_SLOW_CHECKPOINTS] += n->slow_state_us > 0;
    c->version = "sim";
}

void server_release(struct server *n)
{
    replica_free(n->replica);
    n->replica = NULL;
    server_inbox_drop(n);
    free(n->inbox);
    effects_release(&n->effects);
    disk_release(&n->disk);
    saver_release(&n->saver);
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
    uint32_t unsynced = n->disk.committing;
    uint32_t kept = death == SERVER_POWER_CUT
                        ? disk_power_cut(&n->disk, &s->disk_random, s->swarm.torn_ppm)
                        : disk_crash(&n->disk, &s->disk_random);
    s->journal.counts[death == SERVER_POWER_CUT ? COUNT_POWER_CUTS : COUNT_CRASHES]++;
    journal_trace(&s->journal, "%" PRIu32 " %s (%" PRIu32 " unsynced steps kept)", n->id,
                  death == SERVER_POWER_CUT ? "loses power" : "crashes", kept);
    journal_mix(&s->journal, 2, n->id);
    s->journal.counts[COUNT_TORN_WRITES] += kept < unsynced;
    saver_crash(&n->saver, n->saver_busy, &s->disk_random);
    replica_free(n->replica);
    n->replica = NULL;
    server_inbox_drop(n);
    n->saver_busy = false;
    n->paused = false;
    n->doom = SERVER_NEVER;
    n->pauses_in_step = n->effects_left = false;
    n->failing_syncs = 0;
    n->disk_busy = n->disk_told_full = false;
    n->was_serving = n->was_lost = false;
    n->judged_slot = 0;
    memset(&n->view, 0, sizeof(n->view));
    link_review(s, n->index);
    channel_server_died(s, n->index);
    if (restart_after_ns >= 0)
        sim_after(s, restart_after_ns, on_restart, n, n->life, 0, 0, NULL);
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
        if (e->bytes != n->judged_message) /* the same goes to several */
            said_check(&s->truth, n->id, n->life, &n->disk, saver_slot(&n->saver),
                       blob_slice(e->bytes));
        n->judged_message = e->bytes;
        if (server_gives_wrong_state(n, blob_slice(e->bytes)))
            break; /* it never arrives: a second wrong state could make a majority */
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
        server_step(n, &(struct server_input){.kind = REPLICA_EVENT_TIME});
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

/* Without a state it holds no more than it may. */
static void judge_crowded(struct server *n, bool was_crowded, uint64_t last_before)
{
    struct journal *j = &n->sim->journal;
    if (!n->view.crowded)
        return;
    j->counts[COUNT_CROWDED] += !was_crowded;
    if (was_crowded && n->view.last_slot > last_before)
        journal_fail(j, VERDICT_SAFETY,
                     "member %" PRIu32 " has no state, and took slot %" PRIu64
                     " beyond what it keeps",
                     n->id, n->view.last_slot);
}

/* The log would write it, and the report of that would count for what it has dropped. */
static void judge_refused(struct server *n, enum replica_event_kind kind)
{
    if (kind == REPLICA_EVENT_PERSIST_FULL && disk_would_write(n->effects.list, n->effects.count))
        journal_fail(&n->sim->journal, VERDICT_SAFETY,
                     "member %" PRIu32 " hands out writes beside those that found no space", n->id);
}

static void look(struct server *n)
{
    struct sim *s = n->sim;
    uint64_t floor_before = n->view.floor, last_before = n->view.last_slot;
    bool was_crowded = n->view.crowded;
    bool was_quarantined = n->view.quarantined;
    replica_view(n->replica, clock_local(&n->clock, s->now_ns), &n->view);
    server_judge_state(n, was_quarantined);
    judge_crowded(n, was_crowded, last_before);
    for (uint32_t i = 0; i < s->swarm.members; i++)
        truth_counted(&s->truth, n->id, n->view.ballot, s->servers[i].id,
                      paxos_counted(replica_paxos(n->replica), s->servers[i].id));
    check_lease(s, n);
    if (n->view.floor > floor_before && n->view.floor == n->view.checkpoint)
        s->journal.counts[COUNT_TRANSFERS]++;
    s->journal.counts[COUNT_REPAIRS] += n->was_lost && !n->view.lost;
    n->was_lost = n->view.lost;
    s->journal.counts[COUNT_LEADERS_STALLED] +=
        n->was_serving && !n->view.serving && n->stalled_until_ns[SERVER_LOG] > s->now_ns;
    if (!n->disk_told_full)
        truth_rows(&s->truth, n->id, &n->disk, &n->view, &n->judged_slot);
    if (n->view.serving && !n->was_serving && s->leader != n->id) {
        s->leader = n->id;
        s->journal.counts[COUNT_LEADER_CHANGES]++;
    }
    n->was_serving = n->view.serving;
}

void server_step(struct server *n, const struct server_input *input)
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
        .low = input->low,
        .room = input->room,
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
    if (n->disk.committing == 0 || input->kind == REPLICA_EVENT_PERSISTED ||
        input->kind == REPLICA_EVENT_PERSIST_FULL)
        n->disk_spoke_ns = s->now_ns;
    if (input->kind == REPLICA_EVENT_PERSIST_FULL)
        disk_accept_again(&n->disk);
    if (input->kind == REPLICA_EVENT_STREAM_LAGS || input->kind == REPLICA_EVENT_STREAM_DRAINED)
        channel_server_knows_lag(s, input->stream, input->kind == REPLICA_EVENT_STREAM_LAGS);
    replica_step(n->replica, &event, &n->effects);
    judge_refused(n, input->kind);

    uint32_t count = n->effects.count;
    bool dies = n->doom == SERVER_IN_STEP && count > 0;
    bool pauses = n->pauses_in_step && !dies && count > 0;
    bool handed = !dies || prng_chance(&s->fault_random, 1, 2);
    if (dies || pauses)
        count = (uint32_t)prng_below(&s->fault_random, count);
    if (handed && disk_hand_over(&n->disk, n->effects.list, n->effects.count))
        server_disk_go_on(n);
    n->effects_done = 0;
    server_finish_step(n, count);
    if (dies) {
        (void)server_is_doomed(n, SERVER_IN_STEP);
    } else if (pauses) {
        n->effects_left = true;
        n->pauses_in_step = false;
        s->journal.counts[COUNT_PAUSES_IN_STEP]++;
        server_pause(n, n->pause_ns);
    }
}

/* Executes the effects up to `until`; the last of them ends the step. */
void server_finish_step(struct server *n, uint32_t until)
{
    n->judged_message = NULL;
    for (; n->effects_done < until; n->effects_done++)
        execute(n, &n->effects.list[n->effects_done]);
    n->effects_left = false;
    if (until < n->effects.count)
        return;
    look(n);
    wake_later(n, n->effects.wake_at_ns);
}

bool server_is_doomed(struct server *n, enum server_moment at)
{
    static const enum count counts[] = {[SERVER_IN_STEP] = COUNT_DEATHS_IN_STEP,
                                        [SERVER_AT_COMMIT] = COUNT_DEATHS_AT_COMMIT,
                                        [SERVER_AT_CHECKPOINT] = COUNT_DEATHS_AT_CHECKPOINT};
    if (n->doom != at)
        return false;
    n->sim->journal.counts[counts[at]]++;
    server_die(n, n->death, n->restart_after_ns);
    return true;
}

/* Asked of the replica itself: the last look may be older than a step in which the server
 * was paused, and which gave the lease up. */
bool server_has_lease(const struct server *n)
{
    return n->replica != NULL &&
           paxos_lease_until(replica_paxos(n->replica)) > clock_local(&n->clock, n->sim->now_ns);
}
