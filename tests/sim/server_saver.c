/* server_saver.c - the checkpoint's thread of a server: one job at a time. */
#include "tests/sim/sim.h"

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
    if (said->kind == REPLICA_EVENT_CHECKPOINTED)
        n->sim->journal.counts[COUNT_CHECKPOINTS]++;
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

/* a: life */
static void on_job(void *object, const struct queue_item *item)
{
    struct server *n = object;
    const struct saver_job *job = saver_first(&n->saver);
    struct saver_said said;
    if (n->life != item->a || n->replica == NULL)
        return;
    n->saver_busy = false;
    if (n->disk_full && job->kind != EFFECT_READ_CHECKPOINT) {
        saver_refuse(&n->saver);
        said = (struct saver_said){.kind = REPLICA_EVENT_CHECKPOINT_LOST};
    } else {
        said = saver_done(&n->saver, n->sim->swarm.transfer_bytes);
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
    int64_t delay = NS_PER_US * (int64_t)(w->commit_us + prng_below(&n->sim->disk_random,
                                                                    w->commit_spread_us + 1));
    n->saver_busy = true;
    sim_after(n->sim, ns_max(delay, n->stalled_until_ns - n->sim->now_ns), on_job, n, n->life, 0, 0,
              NULL);
}
