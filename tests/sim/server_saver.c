/* server_saver.c - the checkpoint's thread of a server: one job at a time. */
#include "tests/sim/sim.h"

enum {
    NOT_SYNCED = 8, /* a job is so much faster than a commit */
};

/* a: life, b: slot or token, c: event kind */
static void on_saver_tells(void *object, const struct queue_item *item)
{
    struct server *n = object;
    if (n->life == item->a)
        server_take(
            n, &(struct server_input){.kind = (enum replica_event_kind)item->c, .slot = item->b});
}

static void tell(struct server *n, const struct saver_said *said)
{
    if (said->kind == REPLICA_EVENT_TIME)
        return;
    if (said->kind != REPLICA_EVENT_CHECKPOINT_READ) {
        int64_t delay = NS_PER_US * (int64_t)prng_below(&n->sim->disk_random, 20);
        sim_after(n->sim, delay, on_saver_tells, n, n->life, said->slot, said->kind, NULL);
        return;
    }
    server_take(n, &(struct server_input){.kind = said->kind,
                                          .token = said->token,
                                          .slot = said->slot,
                                          .last = said->last,
                                          .bytes = said->bytes,
                                          .about = said->about});
}

/* Is the checkpoint durable before what its log should hold by then, and does the
 * log hold something else instead? */
static void look_ahead(const struct server *n, bool *ret_ahead, bool *ret_replaces)
{
    for (uint32_t i = 0; i < n->disk.jobs_count; i++) {
        const struct disk_job *job = &n->disk.jobs[i];
        for (uint32_t k = 0; k < job->entries_count; k++) {
            const struct log_entry *row = disk_row(&n->disk, job->entries[k].slot);
            if (job->entries[k].slot > saver_slot(&n->saver))
                continue;
            *ret_ahead = true;
            *ret_replaces |=
                row != NULL && truth_value_hash(row) != truth_value_hash(&job->entries[k]);
        }
    }
}

/* The checkpoint is durable, and nobody knows. True if that was the last. */
static bool is_over(struct server *n)
{
    struct sim *s = n->sim;
    bool ahead = false, replaces = false;
    look_ahead(n, &ahead, &replaces);
    uint64_t ppm = s->swarm.crash_at_checkpoint_ppm;
    if (ppm > 0 && replaces) /* seldom enough to be looked for */
        ppm = PPM / 2;
    s->journal.counts[COUNT_CHECKPOINTS]++;
    s->journal.counts[COUNT_CHECKPOINTS_AHEAD] += ahead;
    if (n->doom == SERVER_NEVER && s->phase == PHASE_FAULTS &&
        prng_chance(&s->disk_random, ppm, PPM)) {
        n->doom = SERVER_AT_CHECKPOINT;
        n->death = prng_chance(&s->disk_random, 1, 2) ? SERVER_CRASH : SERVER_POWER_CUT;
        n->restart_after_ns = sim_around_ms(&s->disk_random, s->swarm.restart_ms);
    }
    return server_is_doomed(n, SERVER_AT_CHECKPOINT);
}

/* a: life */
static void on_job(void *object, const struct queue_item *item)
{
    struct server *n = object;
    const struct saver_job *job = saver_first(&n->saver);
    struct saver_said said;
    if (n->life != item->a || n->replica == NULL)
        return;
    bool commits = job->kind == EFFECT_CHECKPOINT_COMMIT;
    if (commits && server_sync_fails(n, SERVER_STATE))
        return;
    n->saver_busy = false;
    bool writes =
        job->kind == EFFECT_CHECKPOINT_BEGIN || job->kind == EFFECT_CHECKPOINT_PUT || commits;
    bool finds_none = (n->disk_full && n->reserve <= n->sim->swarm.reserve_commits / 2) ||
                      (n->sim->phase == PHASE_FAULTS &&
                       prng_chance(&n->sim->disk_random, n->sim->swarm.checkpoint_full_ppm, PPM));
    if (finds_none && writes) {
        n->sim->journal.counts[COUNT_CHECKPOINTS_FULL]++;
        saver_refuse(&n->saver);
        said = (struct saver_said){.kind = REPLICA_EVENT_CHECKPOINT_LOST};
    } else {
        said = saver_done(&n->saver, n->sim->swarm.transfer_bytes);
    }
    if (said.kind == REPLICA_EVENT_CHECKPOINTED && is_over(n))
        return;
    if (said.rotten) {
        blob_unref(said.bytes);
        blob_unref(said.about);
        server_ends(n, "a record of its checkpoint is damaged");
        return;
    }
    server_saver_go_on(n);
    tell(n, &said);
    blob_unref(said.bytes);
    blob_unref(said.about);
}

void server_saver_go_on(struct server *n)
{
    const struct swarm *w = &n->sim->swarm;
    if (n->saver_busy || saver_first(&n->saver) == NULL)
        return;
    uint64_t spread_us = (uint64_t)w->commit_spread_us + n->slow_state_us;
    int64_t delay =
        NS_PER_US * (int64_t)(w->commit_us + prng_below(&n->sim->disk_random, spread_us + 1));
    if (saver_first(&n->saver)->kind != EFFECT_CHECKPOINT_COMMIT)
        delay /= NOT_SYNCED;
    n->saver_busy = true;
    sim_after(n->sim, ns_max(delay, n->stalled_until_ns[SERVER_STATE] - n->sim->now_ns), on_job, n,
              n->life, 0, 0, NULL);
}
