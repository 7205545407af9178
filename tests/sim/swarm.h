/* swarm.h - what this run is like: sizes, rates, and which faults exist at all.
 *
 * Every run draws its own (Groce et al. 2012, "Swarm testing"): a fault that is
 * always on hides what only shows when it is off. A value of 0 turns a kind of
 * fault off. `_every_ms` are mean intervals, `_ppm` chances in a million. */
#ifndef TESTS_SIM_SWARM_H
#define TESTS_SIM_SWARM_H

#include <stdint.h>
#include <stdio.h>

struct swarm {
    /* the cell */
    uint32_t members, lease_ms, rate_ppm, log_keep_entries;
    uint32_t checkpoint_slots, checkpoint_step_bytes, log_keep_slots, transfer_bytes;
    uint32_t log_unapplied_entries;
    uint32_t compare_ms;
    /* the run */
    uint32_t calls, fault_ms, faults_from_start, dead_at_end;
    /* clients */
    uint32_t hosts, clients, ttl_min_ms, ttl_max_ms, grace_ms, think_ms, outstanding;
    uint32_t deadline_ms, hold_ms, lock_delay_ms, lock_paths, data_paths;
    uint32_t history_bytes; /* kept for watches that come back; 0: all */
    uint32_t weight_put, weight_put_if, weight_put_guarded, weight_create, weight_ephemeral,
        weight_delete, weight_get, weight_list, weight_check, weight_lock, weight_shared,
        weight_try, weight_elect, weight_watch, weight_unwatch, weight_give_up, weight_close,
        weight_execute, weight_expire, weight_transaction, weight_sequential, weight_force,
        weight_kill, weight_step_down;
    uint32_t quorum_ppm, stale_ppm; /* of reads */
    /* network */
    uint32_t delay_us, delay_spread_us, tail_ppm, tail_us;
    uint32_t loss_ppm, duplicate_ppm, reorder_ppm, reorder_us, merge_ppm;
    uint32_t silence_ms, reconnect_ms, client_silence_ms;
    uint32_t lag_bytes, slow_every_ms, slow_ms; /* clients that read slowly */
    uint32_t cut_every_ms, cut_ms, one_way_ppm, isolate_ppm, client_cut_every_ms;
    uint32_t flap_every_ms, flap_times, flap_ms;
    /* disks */
    uint32_t commit_us, commit_spread_us, stall_every_ms, stall_ms, full_every_ms, full_ms;
    uint32_t full_all_ppm;                   /* of these: all disks at once */
    uint32_t reserve_commits;                /* that a full disk still takes; 0: none */
    uint32_t scarce_ppm;                     /* of them: it will be full, and takes all so far */
    uint32_t room_bytes;                     /* for a checkpoint, then */
    uint32_t checkpoint_full_ppm;            /* of the pieces of checkpoints: there is no space */
    uint32_t slow_log_us, slow_state_us;     /* more, of some servers' log or checkpoint */
    uint32_t lose_state_ppm, damage_log_ppm; /* of restarts */
    uint32_t flip_every_ms;                  /* of one bit of one state, once in a run */
    uint32_t rot_every_ms, sync_fail_every_ms, torn_ppm;
    /* clocks */
    uint32_t distrusts_clocks, clock_ppm, turn_every_ms, wall_jump_every_ms, late_us;
    uint32_t leap_every_ms, leap_ms; /* only with: */
    uint32_t wild_clocks;            /* they break the bound: what rests on it is not judged */
    /* processes */
    uint32_t crash_every_ms, power_every_ms, blackout_every_ms, restart_ms;
    uint32_t crash_in_step_ppm, crash_at_commit_ppm; /* of these deaths */
    uint32_t crash_at_checkpoint_ppm;                /* of checkpoints */
    uint32_t pause_every_ms, pause_ms, pause_in_step_ppm, client_pause_every_ms, client_pause_ms,
        client_crash_every_ms;
    uint32_t leader_bias_ppm; /* chance that a fault looks for the leader */
};

void swarm_draw(struct swarm *s, uint64_t seed);
/* One "name value" pair after the other, the zeros of faults that are off too. */
void swarm_print(const struct swarm *s, FILE *out);

#endif
