/* sim.c - see sim.h: the run's phases. */
#include "tests/sim/sim.h"

#include <inttypes.h>
#include <string.h>

#include "coordd/paxos/paxos.h"
#include "libcoord/base/check.h"
#include "libcoord/base/hash.h"
#include "tests/sim/check_belief.h"
#include "tests/sim/check_end.h"
#include "tests/sim/check_stall.h"
#include "tests/sim/fault.h"
#include "tests/sim/recorder.h"

enum {
    TICK_MS = 50,
    BOOT_MS = 500,
    FOUNDING_MS_MAX = 60 * 1000,
    CALLS_MS_MAX = 120 * 1000,     /* after healing, for what calls the run lacks */
    OPERATOR_COMES_MS = 20 * 1000, /* after those, if the members cannot know who is right */
    PROGRESS_MS_MAX = 60 * 1000,   /* after those, for everything to be well again */
    QUIET_MS = 600,                /* without anything new: then the end is looked at */
    EVENTS_MAX = 3 * 1000 * 1000,
};

void sim_after(struct sim *s, int64_t delay_ns, queue_run *run, void *object, uint64_t a,
               uint64_t b, uint64_t c, struct blob *bytes)
{
    CHECK(delay_ns >= 0);
    queue_add(&s->queue, (struct queue_item){.at_ns = s->now_ns + delay_ns,
                                             .run = run,
                                             .object = object,
                                             .a = a,
                                             .b = b,
                                             .c = c,
                                             .bytes = bytes});
}

int64_t sim_around_ms(struct prng *random, uint32_t mean_ms)
{
    int64_t mean_us = (int64_t)mean_ms * 1000;
    return NS_PER_US *
           (int64_t)prng_between(random, (uint64_t)(mean_us / 2), (uint64_t)(mean_us * 3 / 2));
}

/* ---- set-up ---- */

static uint64_t stream_seed(uint64_t seed, const char *name)
{
    return hash_bytes(seed, slice_of_string(name));
}

static void draw_clock(struct sim *s, struct clock *c)
{
    int64_t most = s->swarm.clock_ppm;
    int64_t up_ns = (int64_t)prng_below(&s->clock_random, UINT64_C(1000000) * NS_PER_S);
    int64_t ppm = (int64_t)prng_below(&s->clock_random, (uint64_t)(2 * most + 1)) - most;
    if (prng_chance(&s->clock_random, 1, 3)) /* the extremes meet often */
        ppm = ppm < 0 ? -most : most;
    int64_t unix_ms = INT64_C(1700000000000) + (int64_t)prng_below(&s->clock_random, 100000);
    clock_init(c, up_ns + NS_PER_S, ppm, unix_ms);
}

/* One runs as slow as it may and all others as fast: the whole of the margin that
 * leases leave for it is used up. */
static void draw_clocks_apart(struct sim *s)
{
    uint64_t slow = prng_below(&s->clock_random, s->swarm.members);
    for (uint32_t i = 0; i < s->swarm.members; i++)
        s->servers[i].clock.ppm = i == slow ? -(int64_t)s->swarm.clock_ppm : s->swarm.clock_ppm;
}

static void on_boot(void *object, const struct queue_item *item)
{
    (void)item;
    server_start(object);
}

static void on_tick(void *object, const struct queue_item *item);

static void set_up(struct sim *s)
{
    const struct model_listener listener = {check_belief_on_grant, check_belief_on_expiry,
                                            check_delay_began, check_delay_over, s};
    queue_init(&s->queue);
    channels_init(&s->channels);
    net_init(&s->net, &s->swarm, &s->journal, stream_seed(s->seed, "net"));
    prng_init(&s->disk_random, stream_seed(s->seed, "disk"));
    prng_init(&s->clock_random, stream_seed(s->seed, "clock"));
    prng_init(&s->work_random, stream_seed(s->seed, "work"));
    prng_init(&s->fault_random, stream_seed(s->seed, "fault"));
    prng_init(&s->channel_random, stream_seed(s->seed, "channel"));
    truth_init(&s->truth, &s->journal, s->swarm.members, s->swarm.members / 2 + 1);
    model_init(&s->model, &s->journal, &listener, s->swarm.history_bytes);
    recorder_begin(s);
    s->next_content = 1;
    for (uint32_t i = 0; i < s->swarm.members; i++) {
        server_init(s, i);
        draw_clock(s, &s->servers[i].clock);
        sim_after(s, sim_around_ms(&s->fault_random, BOOT_MS), on_boot, &s->servers[i], 0, 0, 0,
                  NULL);
    }
    if (prng_chance(&s->clock_random, 1, 5))
        draw_clocks_apart(s);
    for (uint32_t i = 0; i < s->swarm.hosts; i++) {
        host_init(s, i);
        draw_clock(s, &s->hosts[i].clock);
    }
    for (uint32_t i = 0; i < s->swarm.clients; i++)
        client_init(s, i);
    sim_after(s, ms_to_ns(TICK_MS), on_tick, s, 0, 0, 0, NULL);
}

/* ---- phases ---- */

static void begin_faults(struct sim *s)
{
    s->phase = PHASE_FAULTS;
    s->phase_began_ns = s->now_ns;
    fault_begin(s);
    for (uint32_t i = 0; i < s->swarm.clients; i++) {
        player_reopen_later(&s->clients[i]);
        player_start(&s->clients[i]);
    }
}

/* A cell that was never opened needs all its members for that. */
static bool is_open(const struct sim *s)
{
    for (uint64_t slot = 1; slot <= s->truth.prefix; slot++)
        if (truth_chosen(&s->truth, slot)->kind == ENTRY_OPEN)
            return true;
    return false;
}

static void heal(struct sim *s)
{
    if (!is_open(s))
        s->swarm.dead_at_end = 0;
    s->phase = PHASE_HEALED;
    s->phase_began_ns = s->now_ns;
    fault_heal(s);
}

/* Once they have made the calls that belong to a run, on a sound cell if need be. */
static void let_clients_finish(struct sim *s)
{
    if (s->journal.counts[COUNT_CALLS] < s->swarm.calls) {
        if (s->now_ns - s->phase_began_ns > ms_to_ns(CALLS_MS_MAX))
            journal_fail(&s->journal, VERDICT_LIVENESS,
                         "%d s after healing the clients have made only %" PRIu64 " calls",
                         CALLS_MS_MAX / 1000, s->journal.counts[COUNT_CALLS]);
        return;
    }
    s->finishing = true;
    s->phase_began_ns = s->now_ns;
    for (uint32_t i = 0; i < s->swarm.clients; i++)
        player_finish(&s->clients[i]);
}

/* One member's state is wrong, and those that could say so have copies of others', which
 * count for nothing: nobody can know who is right, and all warn. An operator, who sees that
 * most agree, then takes its state from the one that differs (docs/operating.md). */
static void call_the_operator(struct sim *s)
{
    bool copied = false;
    if (s->operator_came || s->now_ns - s->phase_began_ns < ms_to_ns(OPERATOR_COMES_MS))
        return;
    for (uint32_t i = 0; i < s->swarm.members; i++)
        copied |= s->servers[i].view.copied;
    for (uint32_t i = 0; copied && i < s->swarm.members; i++) {
        struct server *n = &s->servers[i];
        if (!n->flipped || n->is_sick || !server_is_up(n) || n->view.quarantined)
            continue;
        server_ends(n, "the operator stops it");
        server_lose_state(n, "the operator took it");
        s->operator_came = true;
    }
}

static void look_for_the_end(struct sim *s)
{
    char why[160];
    call_the_operator(s);
    if (s->truth.prefix != s->quiet_prefix || !check_end_reached(s, why, sizeof(why))) {
        s->quiet_prefix = s->truth.prefix;
        s->quiet_since_ns = s->now_ns;
        if (s->now_ns - s->phase_began_ns > ms_to_ns(PROGRESS_MS_MAX))
            journal_fail(&s->journal, VERDICT_LIVENESS, "%d s after all was healed: %s",
                         PROGRESS_MS_MAX / 1000, why);
        return;
    }
    if (s->now_ns - s->quiet_since_ns < ms_to_ns(QUIET_MS))
        return;
    check_end(s);
    s->over = true;
}

static void on_tick(void *object, const struct queue_item *item)
{
    struct sim *s = object;
    (void)item;
    int64_t passed = s->now_ns - s->phase_began_ns, length = ms_to_ns(s->swarm.fault_ms);
    sim_after(s, ms_to_ns(TICK_MS), on_tick, s, 0, 0, 0, NULL);
    for (uint32_t i = 0; i < s->swarm.members; i++) {
        const struct server *n = &s->servers[i];
        const char *broken = server_is_up(n) ? paxos_check(replica_paxos(n->replica)) : NULL;
        if (broken != NULL)
            journal_fail(&s->journal, VERDICT_SAFETY, "member %" PRIu32 ": %s", n->id, broken);
        check_stall(s, n);
    }
    switch (s->phase) {
    case PHASE_FOUNDING:
        if (s->swarm.faults_from_start || is_open(s))
            begin_faults(s);
        else if (passed > ms_to_ns(FOUNDING_MS_MAX))
            journal_fail(&s->journal, VERDICT_LIVENESS, "the cell is not founded after %d s",
                         FOUNDING_MS_MAX / 1000);
        break;
    case PHASE_FAULTS:
        if (passed > 2 * length ||
            (passed > length && s->journal.counts[COUNT_CALLS] >= s->swarm.calls))
            heal(s);
        break;
    case PHASE_HEALED:
        if (!s->finishing)
            let_clients_finish(s);
        else
            look_for_the_end(s);
        break;
    }
}

void sim_run(struct sim *s, uint64_t seed, const struct swarm *swarm, FILE *trace, bool hash_trace)
{
    struct queue_item item;
    uint64_t events = 0;
    memset(s, 0, sizeof(*s));
    s->seed = seed;
    s->swarm = *swarm;
    journal_init(&s->journal, &s->now_ns, trace);
    s->journal.tells |= hash_trace;
    set_up(s);
    while (!s->over && !journal_failed(&s->journal) && queue_take(&s->queue, &item)) {
        s->now_ns = item.at_ns;
        item.run(item.object, &item);
        blob_unref(item.bytes);
        if (++events > EVENTS_MAX)
            journal_fail(&s->journal, VERDICT_LIVENESS, "too much happens: %d events", EVENTS_MAX);
    }
    if (s->over && !journal_failed(&s->journal))
        recorder_judge(s);
    journal_mix(&s->journal, events, s->model.revision);
}

void sim_release(struct sim *s)
{
    queue_release(&s->queue);
    for (uint32_t i = 0; i < s->swarm.clients; i++)
        client_release(&s->clients[i]);
    for (uint32_t i = 0; i < s->swarm.hosts; i++)
        host_release(&s->hosts[i]);
    for (uint32_t i = 0; i < s->swarm.members; i++)
        server_release(&s->servers[i]);
    channels_release(&s->channels);
    recorder_end(s);
    model_release(&s->model);
    truth_release(&s->truth);
}
