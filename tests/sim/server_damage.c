/* server_damage.c - what a disk does to a server: rows and records that rot, files
 * that are lost, syncs that fail.
 *
 * A member that loses what it had counts among those that fail: a majority of the
 * others must be left with what it had. So there is one at a time, and not in runs
 * in which as many stay dead as may. */
#include <inttypes.h>

#include "tests/sim/sim.h"

static bool is_damaged(const struct server *n)
{
    return n->flipped || n->disk.durable.log_damaged || n->disk.rotten != 0 ||
           saver_is_rotten(&n->saver) || n->disk.durable.floor > saver_slot(&n->saver);
}

bool server_may_lose(const struct server *n)
{
    const struct sim *s = n->sim;
    if (s->phase != PHASE_FAULTS || s->swarm.dead_at_end >= (s->swarm.members - 1) / 2)
        return false;
    for (uint32_t i = 0; i < s->swarm.members; i++)
        if (&s->servers[i] != n && is_damaged(&s->servers[i]))
            return false;
    return true;
}

/* ---- while it runs ---- */

void server_rot(struct server *n)
{
    struct sim *s = n->sim;
    bool log = prng_chance(&s->disk_random, 1, 2);
    if (!server_may_lose(n))
        return;
    if (log) {
        uint64_t slot = disk_rot(&n->disk, &s->disk_random);
        if (slot == 0)
            return;
        s->journal.counts[COUNT_ROWS_ROTTEN]++;
        journal_trace(&s->journal, "%" PRIu32 "'s row of slot %" PRIu64 " rots", n->id, slot);
    } else if (saver_rot(&n->saver, &s->disk_random)) {
        s->journal.counts[COUNT_RECORDS_ROTTEN]++;
        journal_trace(&s->journal, "a record of %" PRIu32 "'s checkpoint rots", n->id);
    }
}

void server_ends(struct server *n, const char *why)
{
    journal_trace(&n->sim->journal, "%" PRIu32 " ends: %s", n->id, why);
    server_die(n, SERVER_CRASH, sim_around_ms(&n->sim->disk_random, n->sim->swarm.restart_ms));
}

bool server_sync_fails(struct server *n, enum server_file file)
{
    bool fails = (n->failing_syncs >> file & 1) != 0;
    n->failing_syncs &= ~(UINT32_C(1) << file);
    if (!fails)
        return false;
    n->sim->journal.counts[COUNT_SYNCS_FAILED]++;
    server_ends(n, file == SERVER_LOG ? "its log cannot be synced"
                                      : "its checkpoint cannot be synced");
    return true;
}

/* ---- at a start ---- */

void server_lose_state(struct server *n, const char *why)
{
    journal_trace(&n->sim->journal, "%" PRIu32 " has lost its checkpoint of slot %" PRIu64 ": %s",
                  n->id, saver_slot(&n->saver), why);
    saver_lose(&n->saver);
    n->sim->journal.counts[COUNT_STATES_LOST]++;
}

static void lose_log(struct server *n, const char *why)
{
    journal_trace(&n->sim->journal, "%" PRIu32 " cannot read its log up to slot %" PRIu64 ": %s",
                  n->id, n->disk.rows_count, why);
    disk_lose_log(&n->disk);
    n->sim->journal.counts[COUNT_LOGS_DAMAGED]++;
}

void server_find_damage(struct server *n)
{
    struct sim *s = n->sim;
    bool state = prng_chance(&s->disk_random, s->swarm.lose_state_ppm, PPM);
    bool log = prng_chance(&s->disk_random, s->swarm.damage_log_ppm, PPM);
    if (saver_is_rotten(&n->saver))
        server_lose_state(n, "a record has rotted");
    else if (state && n->saver.durable != NULL && server_may_lose(n))
        server_lose_state(n, "the file is gone");
    if (n->disk.rotten != 0)
        lose_log(n, "a row has rotted");
    else if (log && n->disk.rows_count > 0 && server_may_lose(n))
        lose_log(n, "its header is damaged");
}
