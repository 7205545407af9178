/* server_disk.c - the log thread of a server: one transaction at a time, whatever
 * gathers meanwhile is the next. */
#include <stdlib.h>

#include "libcoord/base/check.h"
#include "tests/sim/sim.h"

static int64_t commit_ns(struct server *n)
{
    const struct swarm *w = &n->sim->swarm;
    uint64_t spread_us = (uint64_t)w->commit_spread_us + n->slow_log_us;
    int64_t delay =
        NS_PER_US * (int64_t)(w->commit_us + prng_below(&n->sim->disk_random, spread_us + 1));
    return ns_max(delay, n->stalled_until_ns[SERVER_LOG] - n->sim->now_ns);
}

/* a: life, b: sequence, c: event kind */
static void on_disk_tells(void *object, const struct queue_item *item)
{
    struct server *n = object;
    if (n->life != item->a)
        return;
    server_take(
        n, &(struct server_input){.kind = (enum replica_event_kind)item->c, .sequence = item->b});
}

static void disk_tells(struct server *n, enum replica_event_kind kind, uint64_t sequence)
{
    int64_t delay = NS_PER_US * (int64_t)prng_below(&n->sim->disk_random, 20);
    sim_after(n->sim, delay, on_disk_tells, n, n->life, sequence, kind, NULL);
}

/* What a full disk keeps back is in use, or there is space again. */
void server_space_changed(struct server *n)
{
    if (!n->disk_full)
        n->reserve = n->sim->swarm.reserve_commits;
    bool low = n->disk_scarce || n->reserve < n->sim->swarm.reserve_commits;
    uint64_t room = n->disk_scarce || n->disk_full ? n->sim->swarm.room_bytes : UINT64_MAX;
    if (n->replica == NULL || (low == n->low_told && room == n->room_told))
        return;
    n->low_told = low;
    n->room_told = room;
    server_take(n, &(struct server_input){.kind = REPLICA_EVENT_SPACE, .low = low, .room = room});
}

/* a: life */
static void on_commit(void *object, const struct queue_item *item)
{
    struct server *n = object;
    if (n->life != item->a || n->replica == NULL)
        return;
    if (server_sync_fails(n, SERVER_LOG))
        return; /* whether it is there nobody knows */
    n->disk_busy = false;
    bool takes_reserve = n->disk_full && n->reserve > 0;
    n->reserve -= takes_reserve;
    n->sim->journal.counts[COUNT_ON_RESERVE] += takes_reserve;
    if (n->disk_full && !takes_reserve) {
        n->disk_told_full = true;
        disk_tells(n, REPLICA_EVENT_PERSIST_FULL, disk_refuse(&n->disk));
    } else {
        uint64_t sequence = disk_finish(&n->disk);
        journal_mix(&n->sim->journal, 3, n->id);
        if (server_is_doomed(n, SERVER_AT_COMMIT))
            return;
        if (n->disk.jobs_count == 0)
            n->disk_told_full = false;
        disk_tells(n, REPLICA_EVENT_PERSISTED, sequence);
    }
    server_disk_go_on(n);
    server_space_changed(n);
}

/* a: life */
static void on_read(void *object, const struct queue_item *item)
{
    struct server *n = object;
    if (n->life != item->a || n->replica == NULL)
        return;
    const struct disk_job job = *disk_read(&n->disk);
    if (disk_reads_rot(&n->disk, job.first_slot, job.last_slot)) {
        server_ends(n, "a row of its log is damaged");
        return;
    }
    struct server_input input = {.kind = REPLICA_EVENT_LOG_READ, .token = job.token};
    uint64_t bytes = 0;
    for (uint64_t slot = job.first_slot; slot <= job.last_slot; slot++) {
        const struct log_entry *row = disk_row(&n->disk, slot);
        if (row == NULL)
            break;
        input.entries =
            check_realloc(input.entries, (input.entries_count + 1) * sizeof(input.entries[0]));
        input.entries[input.entries_count++] = *row;
        bytes += row->value->length;
        if (job.bytes_max > 0 && bytes >= job.bytes_max)
            break;
    }
    disk_read_done(&n->disk);
    n->disk_busy = false;
    server_disk_go_on(n);
    /* The rows may change under a step; a reference keeps their values. */
    for (uint32_t i = 0; i < input.entries_count; i++)
        blob_ref(input.entries[i].value);
    n->sim->journal.counts[COUNT_CATCH_UPS]++;
    server_take(n, &input);
    for (uint32_t i = 0; i < input.entries_count; i++)
        blob_unref(input.entries[i].value);
    free(input.entries);
}

void server_disk_go_on(struct server *n)
{
    if (n->disk_busy)
        return;
    if (disk_read(&n->disk) != NULL) {
        n->disk_busy = true;
        sim_after(n->sim, commit_ns(n), on_read, n, n->life, 0, 0, NULL);
    } else if (disk_begin(&n->disk) > 0) {
        n->disk_busy = true;
        sim_after(n->sim, commit_ns(n), on_commit, n, n->life, 0, 0, NULL);
    }
}
