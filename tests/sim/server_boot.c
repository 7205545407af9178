/* server_boot.c - a server starts: what its disk holds becomes a replica. The part
 * that coordd/main/load.c plays. */
#include <inttypes.h>

#include "libcoord/base/check.h"
#include "tests/sim/limit.h"
#include "tests/sim/sim.h"

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

/* The checkpoint was durable before what the log should have held by then. */
static bool has_old_rows(const struct server *n)
{
    uint64_t last =
        saver_slot(&n->saver) < n->disk.rows_count ? saver_slot(&n->saver) : n->disk.rows_count;
    for (uint64_t slot = n->disk.durable.floor + 1; slot <= last; slot++) {
        const struct log_entry *row = disk_row(&n->disk, slot);
        if (row != NULL && !truth_is_chosen(&n->sim->truth, slot, truth_value_hash(row)))
            return true;
    }
    return false;
}

void server_start(struct server *n)
{
    struct sim *s = n->sim;
    const char *why = NULL;
    CHECK(n->replica == NULL);
    n->life++;
    n->config.seed = prng_next(&s->fault_random);
    server_find_damage(n);
    n->disk.durable.last_slot = n->disk.rows_count;
    if (replica_new(&n->config, &n->disk.durable, &n->replica, &why) != ERR_OK) {
        journal_fail(&s->journal, VERDICT_SAFETY, "member %" PRIu32 " cannot be made: %s", n->id,
                     why);
        return;
    }
    s->journal.counts[COUNT_STARTS_WITH_OLD_ROWS] += has_old_rows(n);
    n->disk.durable.used = 1;
    if (s->swarm.history_bytes != 0 && n->saver.durable == NULL)
        limit_history(n->replica, s->swarm.history_bytes);
    if (!load_checkpoint(n))
        return;
    uint64_t base = saver_slot(&n->saver) > n->disk.durable.floor ? saver_slot(&n->saver)
                                                                  : n->disk.durable.floor;
    if (n->disk.durable.log_damaged)
        base = n->disk.rows_count; /* none of them is there */
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
    server_take(n, &(struct server_input){.kind = REPLICA_EVENT_TIME});
    n->low_told = false;
    n->room_told = UINT64_MAX;
    server_space_changed(n);
    link_review(s, n->index);
}
