/* swarm.c - see swarm.h. */
#include "tests/sim/swarm.h"

#include <inttypes.h>
#include <stddef.h>
#include <string.h>

#include "libcoord/base/prng.h"

static bool often(struct prng *p, uint32_t percent)
{
    return prng_chance(p, percent, 100);
}

static uint32_t between(struct prng *p, uint32_t low, uint32_t high)
{
    return (uint32_t)prng_between(p, low, high);
}

/* Small values are as interesting as large ones: even over the magnitudes. */
static uint32_t spread(struct prng *p, uint32_t low, uint32_t high)
{
    uint32_t top = low;
    while (top < high && often(p, 70))
        top = top > high / 2 ? high : 2 * top;
    return between(p, low, top);
}

static uint32_t maybe(struct prng *p, uint32_t percent, uint32_t low, uint32_t high)
{
    uint32_t v = spread(p, low, high);
    return often(p, percent) ? v : 0;
}

static void draw_cell(struct swarm *s, struct prng *p)
{
    s->members = often(p, 85) ? 5 : between(p, 3, 4);
    s->lease_ms = often(p, 60) ? 0 : between(p, 150, 2500);
    s->rate_ppm = 5000;
    s->log_keep_entries = spread(p, 4, 1024);
    s->calls = between(p, 1000, 1300);
    s->fault_ms = between(p, 8000, 20000);
    s->faults_from_start = often(p, 20);
    s->dead_at_end = often(p, 30) ? between(p, 1, (s->members - 1) / 2) : 0;
}

static void draw_clients(struct swarm *s, struct prng *p)
{
    s->hosts = between(p, 2, 4);
    s->clients = between(p, 3, 9);
    s->ttl_min_ms = between(p, 2000, 3000);
    s->ttl_max_ms = s->ttl_min_ms + maybe(p, 50, 1000, 4000);
    s->grace_ms = often(p, 70) ? 45000 : between(p, 2000, 10000);
    s->think_ms = spread(p, 20, 160);
    s->outstanding = often(p, 30) ? 1 : between(p, 2, 12);
    s->deadline_ms = often(p, 50) ? between(p, 300, 3000) : between(p, 2000, 20000);
    s->hold_ms = spread(p, 20, 3000);
    s->lock_delay_ms = maybe(p, 60, 100, 5000);
    s->lock_paths = between(p, 1, 3);
    s->data_paths = between(p, 1, 6);
    s->history_bytes = maybe(p, 40, 50, 20000);
}

static void draw_weights(struct swarm *s, struct prng *p)
{
    s->weight_put = maybe(p, 90, 1, 20);
    s->weight_put_if = maybe(p, 60, 1, 15);
    s->weight_put_guarded = maybe(p, 60, 1, 15);
    s->weight_create = maybe(p, 60, 1, 10);
    s->weight_ephemeral = maybe(p, 60, 1, 10);
    s->weight_delete = maybe(p, 60, 1, 10);
    s->weight_get = maybe(p, 90, 1, 30);
    s->weight_list = maybe(p, 40, 1, 5);
    s->weight_check = maybe(p, 50, 1, 8);
    s->weight_lock = maybe(p, 95, 4, 40);
    s->weight_shared = maybe(p, 60, 1, 40);
    s->weight_try = maybe(p, 40, 1, 20);
    s->weight_elect = maybe(p, 50, 1, 20);
    s->weight_watch = maybe(p, 60, 1, 5);
    s->weight_unwatch = maybe(p, 40, 1, 3);
    s->weight_give_up = maybe(p, 50, 1, 8);
    s->weight_close = often(p, 50) ? 1 : 0;
    s->weight_execute = maybe(p, 40, 1, 8);
    s->weight_expire = maybe(p, 50, 1, 2);
    s->weight_transaction = maybe(p, 60, 1, 15);
    s->weight_sequential = maybe(p, 40, 1, 5);
    s->weight_force = maybe(p, 40, 1, 5);
    s->weight_kill = maybe(p, 30, 1, 2);
    s->weight_step_down = maybe(p, 30, 1, 2);
    s->quorum_ppm = maybe(p, 40, 20000, 600000);
    s->stale_ppm = maybe(p, 40, 20000, 600000);
    s->weight_get += 1; /* so that there is always something to do */
    s->weight_put += 1;
}

static void draw_network(struct swarm *s, struct prng *p)
{
    s->delay_us = spread(p, 50, 20000);
    s->delay_spread_us = spread(p, 50, 40000);
    s->tail_ppm = maybe(p, 40, 1000, 50000);
    s->tail_us = spread(p, 1000, 800000);
    s->loss_ppm = maybe(p, 40, 1000, 300000);
    s->duplicate_ppm = maybe(p, 40, 1000, 100000);
    s->reorder_ppm = maybe(p, 40, 1000, 200000);
    s->reorder_us = spread(p, 1000, 3000000);
    s->merge_ppm = maybe(p, 60, 50000, 900000);
    s->silence_ms = between(p, 300, 1500);
    s->reconnect_ms = between(p, 20, 400);
    s->client_silence_ms = between(p, 1000, 4000);
    s->lag_bytes = maybe(p, 60, 100, 20000);
    s->slow_every_ms = maybe(p, 50, 200, 4000);
    s->slow_ms = spread(p, 50, 4000);
    s->cut_every_ms = maybe(p, 45, 1000, 10000);
    s->cut_ms = spread(p, 100, 8000);
    s->one_way_ppm = often(p, 50) ? between(p, 100000, 900000) : 0;
    s->isolate_ppm = between(p, 200000, 800000);
    s->flap_every_ms = maybe(p, 35, 1000, 8000);
    s->flap_times = spread(p, 1, 16);
    s->flap_ms = spread(p, 5, 600);
    s->client_cut_every_ms = maybe(p, 40, 1000, 10000);
}

static void draw_disks(struct swarm *s, struct prng *p)
{
    s->commit_us = spread(p, 20, 5000);
    s->commit_spread_us = spread(p, 20, 20000);
    s->stall_every_ms = maybe(p, 30, 1000, 10000);
    s->stall_ms = spread(p, 50, 4000);
    s->full_every_ms = maybe(p, 20, 2000, 15000);
    s->full_ms = spread(p, 50, 4000);
    s->slow_log_us = maybe(p, 25, 2000, 80000);
    s->slow_state_us = maybe(p, 25, 2000, 80000);
    s->lose_state_ppm = maybe(p, 25, 50000, 400000);
    s->damage_log_ppm = maybe(p, 25, 50000, 400000);
    s->rot_every_ms = maybe(p, 25, 1000, 10000);
    s->sync_fail_every_ms = maybe(p, 25, 1000, 10000);
    s->torn_ppm = often(p, 70) ? between(p, 50000, 700000) : 0;
}

static void draw_clocks(struct swarm *s, struct prng *p)
{
    /* Two clocks differ by the bound at most. */
    s->clock_ppm = often(p, 70) ? between(p, 0, s->rate_ppm / 2) : s->rate_ppm / 2;
    s->turn_every_ms = maybe(p, 40, 500, 10000);
    s->wall_jump_every_ms = maybe(p, 30, 1000, 10000);
    s->late_us = spread(p, 10, 3000);
}

static void draw_processes(struct swarm *s, struct prng *p)
{
    s->crash_every_ms = maybe(p, 50, 700, 8000);
    s->power_every_ms = maybe(p, 35, 700, 8000);
    s->blackout_every_ms = maybe(p, 20, 4000, 15000);
    s->restart_ms = spread(p, 10, 5000);
    s->crash_in_step_ppm = between(p, 200000, 800000);
    s->crash_at_commit_ppm = maybe(p, 50, 50000, 900000);
    s->crash_at_checkpoint_ppm = maybe(p, 50, 2000, 200000);
    s->pause_every_ms = maybe(p, 35, 1000, 10000);
    s->pause_ms = spread(p, 50, 5000);
    s->pause_in_step_ppm = often(p, 70) ? between(p, 100000, 900000) : 0;
    s->client_pause_every_ms = maybe(p, 50, 2000, 12000);
    s->client_pause_ms = between(p, s->ttl_min_ms / 2, s->ttl_max_ms + 1000);
    s->client_crash_every_ms = maybe(p, 30, 1000, 10000);
    s->leader_bias_ppm = often(p, 70) ? between(p, 200000, 800000) : 0;
}

/* A leader that nobody but the clients hears, again and again, while others write
 * through the next one: for what a deposed leader must not say. */
static void draw_deposed(struct swarm *s, struct prng *p)
{
    s->cut_every_ms = between(p, 1000, 2500);
    s->cut_ms = between(p, 600, 1800);
    s->isolate_ppm = s->leader_bias_ppm = 900000;
    s->crash_every_ms = s->power_every_ms = s->client_cut_every_ms = 0;
    s->crash_at_checkpoint_ppm = s->sync_fail_every_ms = 0;
    s->delay_us = spread(p, 50, 2000);
    s->delay_spread_us = spread(p, 50, 2000);
    s->weight_get += s->weight_put;
    s->weight_execute += 10;
    if (often(p, 50))
        return;
    /* It takes long to notice; who cannot reach it finds the next one soon. */
    s->lease_ms = between(p, 800, 2500);
    s->cut_every_ms = between(p, 2000, 5000);
    s->cut_ms = between(p, 2000, 8000);
    s->client_silence_ms = between(p, 300, 1500);
    s->client_pause_ms = s->ttl_max_ms + 500;
    s->client_pause_every_ms = between(p, 2000, 6000);
}

/* Messages that outlive the reign they belong to, and leaders that come back: for
 * what must be told apart by its ballot. */
static void draw_slow_network(struct swarm *s, struct prng *p)
{
    s->members = between(p, 3, 5);
    s->dead_at_end = 0;
    s->lease_ms = between(p, 100, 400);
    s->delay_us = spread(p, 50, 5000);
    s->delay_spread_us = spread(p, 50, 5000);
    s->loss_ppm = between(p, 50000, 300000);
    s->tail_ppm = s->reorder_ppm = between(p, 20000, 300000);
    s->tail_us = between(p, 10000, 400000);
    s->reorder_us = between(p, 100000, 2000000);
    s->commit_us = spread(p, 1000, 30000);
    s->commit_spread_us = spread(p, 1000, 60000);
    s->stall_every_ms = between(p, 300, 2000);
    s->stall_ms = between(p, 200, 1500);
    s->crash_every_ms = s->power_every_ms = s->blackout_every_ms = s->flap_every_ms = 0;
    s->crash_at_checkpoint_ppm = s->sync_fail_every_ms = 0;
    s->leader_bias_ppm = 900000;
}

/* Large ones are never reached: then the log is all there is. */
static void draw_checkpoints(struct swarm *s, struct prng *p)
{
    s->checkpoint_slots = often(p, 80) ? spread(p, 3, 200) : 1000000;
    s->checkpoint_step_bytes = spread(p, 64, 4096);
    s->log_keep_slots = spread(p, 1, 200);
    s->transfer_bytes = spread(p, 100, 20000);
    s->compare_ms = spread(p, 100, 5000);
}

/* Clocks that nobody can rely on: reads by quorum, sequencers and the log itself
 * must not. */
static void draw_wild_clocks(struct swarm *s, struct prng *p)
{
    s->wild_clocks = 1;
    /* Whoever cannot reach the one that still believes to lead has found another by then. */
    s->lease_ms = between(p, 800, 2500);
    s->client_silence_ms = between(p, 300, 1000);
    s->cut_every_ms = between(p, 2000, 5000);
    s->cut_ms = between(p, 2000, 8000);
    s->clock_ppm = between(p, 50000, 600000);
    s->turn_every_ms = spread(p, 200, 4000);
    s->leap_every_ms = maybe(p, 60, 500, 8000);
    s->leap_ms = spread(p, 50, 30000);
    s->quorum_ppm = between(p, 300000, 900000);
    s->weight_put += 5;
    s->weight_get += 10;
    s->weight_check += 3;
}

/* Disks that fill up together, and what is kept back for that. */
static void draw_space(struct swarm *s, struct prng *p)
{
    s->reserve_commits = often(p, 70) ? spread(p, 4, 3000) : 0;
    s->full_all_ppm = maybe(p, 50, 200000, 900000);
    s->scarce_ppm = maybe(p, 40, 100000, 900000);
    s->room_bytes = spread(p, 1000, 1000000);
    s->checkpoint_full_ppm = maybe(p, 15, 1000, 100000);
    if (!often(p, 6))
        return;
    s->full_every_ms = between(p, 2000, 6000);
    s->full_ms = between(p, 1000, 6000);
    s->full_all_ppm = 800000;
}

void swarm_draw(struct swarm *s, uint64_t seed)
{
    struct prng p;
    prng_init(&p, seed);
    memset(s, 0, sizeof(*s));
    draw_cell(s, &p);
    draw_clients(s, &p);
    draw_weights(s, &p);
    draw_network(s, &p);
    draw_disks(s, &p);
    draw_clocks(s, &p);
    draw_processes(s, &p);
    uint64_t kind = prng_below(&p, 100);
    if (kind >= 15 && kind < 25)
        draw_slow_network(s, &p);
    if (kind < 15)
        draw_deposed(s, &p);
    if (kind < 8)
        draw_wild_clocks(s, &p);
    draw_checkpoints(s, &p);
    s->distrusts_clocks = often(&p, s->wild_clocks != 0 ? 60 : 10);
    s->flip_every_ms = maybe(&p, 5, 500, 10000);
    draw_space(s, &p);
    s->log_unapplied_entries = maybe(&p, 60, 2, 300);
}

struct field {
    const char *name;
    size_t offset;
};
#define FIELD(name)                         \
    {                                       \
#name, offsetof(struct swarm, name) \
    }

static const struct field fields[] = {
    FIELD(members),
    FIELD(lease_ms),
    FIELD(rate_ppm),
    FIELD(log_keep_entries),
    FIELD(checkpoint_slots),
    FIELD(checkpoint_step_bytes),
    FIELD(log_keep_slots),
    FIELD(log_unapplied_entries),
    FIELD(transfer_bytes),
    FIELD(compare_ms),
    FIELD(calls),
    FIELD(fault_ms),
    FIELD(faults_from_start),
    FIELD(dead_at_end),
    FIELD(hosts),
    FIELD(clients),
    FIELD(ttl_min_ms),
    FIELD(ttl_max_ms),
    FIELD(grace_ms),
    FIELD(think_ms),
    FIELD(outstanding),
    FIELD(deadline_ms),
    FIELD(hold_ms),
    FIELD(lock_delay_ms),
    FIELD(lock_paths),
    FIELD(data_paths),
    FIELD(history_bytes),
    FIELD(weight_put),
    FIELD(weight_put_if),
    FIELD(weight_put_guarded),
    FIELD(weight_create),
    FIELD(weight_ephemeral),
    FIELD(weight_delete),
    FIELD(weight_get),
    FIELD(weight_list),
    FIELD(weight_check),
    FIELD(weight_lock),
    FIELD(weight_shared),
    FIELD(weight_try),
    FIELD(weight_elect),
    FIELD(weight_watch),
    FIELD(weight_unwatch),
    FIELD(weight_give_up),
    FIELD(weight_close),
    FIELD(weight_execute),
    FIELD(weight_expire),
    FIELD(weight_transaction),
    FIELD(weight_sequential),
    FIELD(weight_force),
    FIELD(weight_kill),
    FIELD(weight_step_down),
    FIELD(quorum_ppm),
    FIELD(stale_ppm),
    FIELD(delay_us),
    FIELD(delay_spread_us),
    FIELD(tail_ppm),
    FIELD(tail_us),
    FIELD(loss_ppm),
    FIELD(duplicate_ppm),
    FIELD(reorder_ppm),
    FIELD(reorder_us),
    FIELD(merge_ppm),
    FIELD(silence_ms),
    FIELD(reconnect_ms),
    FIELD(client_silence_ms),
    FIELD(lag_bytes),
    FIELD(slow_every_ms),
    FIELD(slow_ms),
    FIELD(cut_every_ms),
    FIELD(cut_ms),
    FIELD(one_way_ppm),
    FIELD(isolate_ppm),
    FIELD(flap_every_ms),
    FIELD(flap_times),
    FIELD(flap_ms),
    FIELD(client_cut_every_ms),
    FIELD(commit_us),
    FIELD(commit_spread_us),
    FIELD(stall_every_ms),
    FIELD(stall_ms),
    FIELD(full_every_ms),
    FIELD(full_ms),
    FIELD(full_all_ppm),
    FIELD(reserve_commits),
    FIELD(scarce_ppm),
    FIELD(room_bytes),
    FIELD(checkpoint_full_ppm),
    FIELD(slow_log_us),
    FIELD(slow_state_us),
    FIELD(lose_state_ppm),
    FIELD(damage_log_ppm),
    FIELD(flip_every_ms),
    FIELD(rot_every_ms),
    FIELD(sync_fail_every_ms),
    FIELD(torn_ppm),
    FIELD(distrusts_clocks),
    FIELD(clock_ppm),
    FIELD(turn_every_ms),
    FIELD(wall_jump_every_ms),
    FIELD(late_us),
    FIELD(leap_every_ms),
    FIELD(leap_ms),
    FIELD(wild_clocks),
    FIELD(crash_every_ms),
    FIELD(power_every_ms),
    FIELD(blackout_every_ms),
    FIELD(restart_ms),
    FIELD(crash_in_step_ppm),
    FIELD(crash_at_commit_ppm),
    FIELD(crash_at_checkpoint_ppm),
    FIELD(pause_every_ms),
    FIELD(pause_ms),
    FIELD(pause_in_step_ppm),
    FIELD(client_pause_every_ms),
    FIELD(client_pause_ms),
    FIELD(client_crash_every_ms),
    FIELD(leader_bias_ppm),
};

void swarm_print(const struct swarm *s, FILE *out)
{
    int column = 0;
    for (size_t i = 0; i < sizeof(fields) / sizeof(fields[0]); i++) {
        uint32_t value;
        memcpy(&value, (const char *)s + fields[i].offset, sizeof(value));
        int width = fprintf(out, "%s%s %" PRIu32, column == 0 ? "  " : "  ", fields[i].name, value);
        column += width;
        if (column > 84) {
            fputc('\n', out);
            column = 0;
        }
    }
    if (column > 0)
        fputc('\n', out);
}
