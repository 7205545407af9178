/* fault.c - see fault.h. */
#include "tests/sim/fault.h"

#include <inttypes.h>
#include <string.h>

#include "tests/sim/fault_net.h"
#include "tests/sim/sim.h"

typedef void fault(struct sim *s);

bool fault_chance(struct sim *s, uint32_t ppm)
{
    return ppm > 0 && prng_chance(&s->fault_random, ppm, PPM);
}

/* A replica: often the leader, for that is where it hurts. */
struct server *fault_victim(struct sim *s)
{
    if (fault_chance(s, s->swarm.leader_bias_ppm))
        for (uint32_t i = 0; i < s->swarm.members; i++)
            if (server_is_up(&s->servers[i]) && s->servers[i].view.serving)
                return &s->servers[i];
    return &s->servers[prng_below(&s->fault_random, s->swarm.members)];
}

static int64_t restart_after(struct sim *s)
{
    return sim_around_ms(&s->fault_random, s->swarm.restart_ms);
}

/* ---- processes ---- */

static void kill_one(struct sim *s, enum server_death death)
{
    struct server *n = fault_victim(s);
    if (!server_is_up(n))
        return;
    bool in_step = fault_chance(s, s->swarm.crash_in_step_ppm);
    bool at_commit = fault_chance(s, s->swarm.crash_at_commit_ppm);
    if (in_step || at_commit) {
        n->doom = at_commit ? SERVER_AT_COMMIT : SERVER_IN_STEP;
        n->death = death;
        n->restart_after_ns = restart_after(s);
        return;
    }
    if (death == SERVER_CRASH && prng_chance(&s->fault_random, 1, 5))
        server_take(n, &(struct server_input){.kind = REPLICA_EVENT_STOP});
    server_die(n, death, restart_after(s));
}

static void crash(struct sim *s)
{
    kill_one(s, SERVER_CRASH);
}

static void power_cut(struct sim *s)
{
    kill_one(s, SERVER_POWER_CUT);
}

static void blackout(struct sim *s)
{
    s->journal.counts[COUNT_BLACKOUTS]++;
    journal_trace(&s->journal, "all lose power");
    for (uint32_t i = 0; i < s->swarm.members; i++)
        server_die(&s->servers[i], SERVER_POWER_CUT, restart_after(s));
}

static void pause_server(struct sim *s)
{
    struct server *n = fault_victim(s);
    if (!server_is_up(n) || server_is_paused(n))
        return;
    s->journal.counts[COUNT_REPLICA_PAUSES]++;
    int64_t for_ns = sim_around_ms(&s->fault_random, s->swarm.pause_ms);
    n->pauses_in_step = fault_chance(s, s->swarm.pause_in_step_ppm);
    n->pause_ns = for_ns;
    if (!n->pauses_in_step)
        server_pause(n, for_ns);
}

static void on_host_resume(void *object, const struct queue_item *item)
{
    (void)item;
    host_resume(object);
}

static void pause_host(struct sim *s)
{
    struct host *h = &s->hosts[prng_below(&s->fault_random, s->swarm.hosts)];
    if (h->paused)
        return;
    s->journal.counts[COUNT_CLIENT_PAUSES]++;
    host_pause(h);
    sim_after(s, sim_around_ms(&s->fault_random, s->swarm.client_pause_ms), on_host_resume, h, 0, 0,
              0, NULL);
}

static void slow_down(struct sim *s)
{
    const struct client *c = &s->clients[prng_below(&s->fault_random, s->swarm.clients)];
    int64_t slow_ns = sim_around_ms(&s->fault_random, s->swarm.slow_ms);
    if (c->channel == 0)
        return;
    journal_trace(&s->journal, "c%" PRIu32 " reads slowly", c->index);
    channel_read_slowly(s, c->channel, slow_ns);
}

static void crash_client(struct sim *s)
{
    struct client *c = &s->clients[prng_below(&s->fault_random, s->swarm.clients)];
    if (c->session == NULL || c->host->paused)
        return;
    s->journal.counts[COUNT_CLIENT_CRASHES]++;
    client_crash(c);
    player_reopen_later(c);
}

/* ---- disks and clocks ---- */

static void stall(struct sim *s)
{
    struct server *n = fault_victim(s);
    int64_t length = sim_around_ms(&s->fault_random, s->swarm.stall_ms);
    uint32_t files = (uint32_t)prng_between(&s->fault_random, 1, (1 << SERVER_FILES) - 1);
    s->journal.counts[COUNT_DISK_STALLS]++;
    journal_trace(&s->journal, "%" PRIu32 "'s disk stalls (files %#" PRIx32 ")", n->id, files);
    for (uint32_t i = 0; i < SERVER_FILES; i++)
        if ((files >> i & 1) != 0)
            n->stalled_until_ns[i] = ns_max(n->stalled_until_ns[i], s->now_ns + length);
}

static void on_space(void *object, const struct queue_item *item)
{
    struct server *n = object;
    (void)item;
    n->disk_full = n->disk_scarce = false;
    server_space_changed(n);
}

static void fill_one(struct sim *s, struct server *n)
{
    if (n->disk_full || n->disk_scarce)
        return;
    s->journal.counts[COUNT_DISK_FULL]++;
    journal_trace(&s->journal, "%" PRIu32 "'s disk is full", n->id);
    n->disk_scarce = fault_chance(s, s->swarm.scarce_ppm);
    n->disk_full = !n->disk_scarce;
    server_space_changed(n);
    sim_after(s, sim_around_ms(&s->fault_random, s->swarm.full_ms), on_space, n, 0, 0, 0, NULL);
}

static void fill(struct sim *s)
{
    if (!fault_chance(s, s->swarm.full_all_ppm)) {
        fill_one(s, fault_victim(s));
        return;
    }
    s->journal.counts[COUNT_ALL_FULL]++;
    for (uint32_t i = 0; i < s->swarm.members; i++)
        fill_one(s, &s->servers[i]);
}

static void rot(struct sim *s)
{
    struct server *n = fault_victim(s);
    server_rot(n);
}

static void fail_sync(struct sim *s)
{
    struct server *n = fault_victim(s);
    enum server_file file = prng_chance(&s->fault_random, 2, 3) ? SERVER_LOG : SERVER_STATE;
    if (server_is_up(n))
        n->failing_syncs |= UINT32_C(1) << file;
}

static void flip(struct sim *s)
{
    server_flip(fault_victim(s));
}

static struct clock *some_clock(struct sim *s)
{
    uint64_t at = prng_below(&s->clock_random, s->swarm.members + s->swarm.hosts);
    return at < s->swarm.members ? &s->servers[at].clock : &s->hosts[at - s->swarm.members].clock;
}

static void turn(struct sim *s)
{
    int64_t most = s->swarm.clock_ppm;
    s->journal.counts[COUNT_CLOCK_TURNS]++;
    clock_turn(some_clock(s), s->now_ns,
               (int64_t)prng_below(&s->clock_random, (uint64_t)(2 * most + 1)) - most);
}

/* Time that nobody lived through: only where clocks may do what they want. */
static void leap(struct sim *s)
{
    uint64_t at = prng_below(&s->clock_random, s->swarm.members + s->swarm.hosts);
    int64_t ahead_ns = sim_around_ms(&s->clock_random, s->swarm.leap_ms);
    bool is_server = at < s->swarm.members;
    s->journal.counts[COUNT_CLOCK_LEAPS]++;
    clock_leap(is_server ? &s->servers[at].clock : &s->hosts[at - s->swarm.members].clock,
               s->now_ns, ahead_ns);
    if (is_server) /* its timers ring */
        server_take(&s->servers[at], &(struct server_input){.kind = REPLICA_EVENT_TIME});
}

static void calm_clocks(struct sim *s)
{
    s->swarm.clock_ppm = s->swarm.rate_ppm / 2;
    for (uint32_t i = 0; i < s->swarm.members; i++)
        clock_turn(&s->servers[i].clock, s->now_ns, 0);
    for (uint32_t i = 0; i < s->swarm.hosts; i++)
        clock_turn(&s->hosts[i].clock, s->now_ns, 0);
}

static void jump(struct sim *s)
{
    enum { JUMP_MS_MAX = 3600 * 1000 };
    struct clock *c = some_clock(s);
    s->journal.counts[COUNT_WALL_JUMPS]++;
    c->wall_ms += (int64_t)prng_below(&s->clock_random, 2 * JUMP_MS_MAX) - JUMP_MS_MAX;
}

/* ---- timers ---- */

static fault *const faults[] = {
    crash,     power_cut,         blackout,   pause_server, pause_host, crash_client,
    fault_cut, fault_cut_clients, fault_flap, stall,        fill,       turn,
    jump,      slow_down,         rot,        fail_sync,    leap,       flip};
enum { FAULT_KINDS = sizeof(faults) / sizeof(faults[0]) };

static uint32_t mean_of(const struct swarm *w, uint32_t kind)
{
    const uint32_t means[FAULT_KINDS] = {
        w->crash_every_ms,     w->power_every_ms,        w->blackout_every_ms,
        w->pause_every_ms,     w->client_pause_every_ms, w->client_crash_every_ms,
        w->cut_every_ms,       w->client_cut_every_ms,   w->flap_every_ms,
        w->stall_every_ms,     w->full_every_ms,         w->turn_every_ms,
        w->wall_jump_every_ms, w->slow_every_ms,         w->rot_every_ms,
        w->sync_fail_every_ms, w->leap_every_ms,         w->flip_every_ms,
    };
    return means[kind];
}

/* a: kind, b: number */
static void on_fault(void *object, const struct queue_item *item)
{
    struct sim *s = object;
    if (item->b != s->faults_number)
        return;
    faults[item->a](s);
    sim_after(s, sim_around_ms(&s->fault_random, mean_of(&s->swarm, (uint32_t)item->a)), on_fault,
              s, item->a, item->b, 0, NULL);
}

void fault_begin(struct sim *s)
{
    s->faults_number++;
    for (uint32_t kind = 0; kind < FAULT_KINDS; kind++)
        if (mean_of(&s->swarm, kind) > 0)
            sim_after(s, sim_around_ms(&s->fault_random, mean_of(&s->swarm, kind)), on_fault, s,
                      kind, s->faults_number, 0, NULL);
}

/* For good: dead, or with a disk that stands still, or cut off from the others. That
 * it runs must not make it worse than dead, least of all if it leads. */
static void let_down(struct sim *s, struct server *n)
{
    n->is_sick = true;
    switch (prng_below(&s->fault_random, 3)) {
    case 0:
        server_die(n, SERVER_CRASH, -1);
        break;
    case 1:
        journal_trace(&s->journal, "%" PRIu32 "'s disk stands still from now on", n->id);
        for (uint32_t i = 0; i < SERVER_FILES; i++)
            n->stalled_until_ns[i] = NEVER_NS;
        break;
    default:
        journal_trace(&s->journal, "%" PRIu32 " is cut off from now on", n->id);
        fault_isolate(s, n);
        break;
    }
}

void fault_heal(struct sim *s)
{
    s->faults_number++;
    journal_trace(&s->journal, "all is healed");
    if (s->swarm.wild_clocks != 0)
        calm_clocks(s);
    net_calm(&s->net);
    uint32_t dead = s->swarm.dead_at_end;
    for (uint32_t i = 0; i < s->swarm.members; i++) {
        struct server *n = &s->servers[i];
        n->disk_full = n->disk_scarce = false;
        server_space_changed(n);
        memset(n->stalled_until_ns, 0, sizeof(n->stalled_until_ns));
        n->doom = SERVER_NEVER;
        n->pauses_in_step = false;
        n->failing_syncs = 0;
        server_resume(n);
        if (!server_is_up(n))
            server_start(n);
    }
    while (dead > 0) {
        struct server *n = fault_victim(s);
        if (n->is_sick)
            n = &s->servers[prng_below(&s->fault_random, s->swarm.members)];
        if (n->is_sick)
            continue;
        let_down(s, n);
        dead--;
    }
    for (uint32_t i = 0; i < s->swarm.hosts; i++)
        host_resume(&s->hosts[i]);
    link_review_all(s);
}
