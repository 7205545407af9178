/* Cuts, losses and channels. The channels run in a world without replicas: what
 * reaches the far end shows in the pipes. */
#include "tests/sim/net.h"
#include "tests/sim/sim.h"
#include "tests/support/runner.h"

#include <string.h>

static struct swarm calm_swarm(void)
{
    struct swarm w;
    memset(&w, 0, sizeof w);
    w.members = 3;
    w.hosts = 1;
    w.delay_us = 100;
    w.delay_spread_us = 50;
    w.reorder_us = 1000;
    w.client_silence_ms = 1000;
    return w;
}

static void test_net__a_cut_has_a_direction(void)
{
    struct swarm w = calm_swarm();
    struct net n;
    net_init(&n, &w, NULL, 1);
    net_cut(&n, 0, 1);
    CU_ASSERT_FALSE(net_reaches(&n, 0, 1));
    CU_ASSERT_TRUE(net_reaches(&n, 1, 0));
    CU_ASSERT_EQUAL(net_fate(&n, 0, 1).copies, 0);
    CU_ASSERT_EQUAL(net_fate(&n, 1, 0).copies, 1);
}

static void test_net__a_way_cut_twice_is_mended_twice(void)
{
    struct swarm w = calm_swarm();
    struct net n;
    net_init(&n, &w, NULL, 1);
    net_cut(&n, 0, 1);
    net_cut(&n, 0, 1);
    net_mend(&n, 0, 1);
    CU_ASSERT_FALSE(net_reaches(&n, 0, 1));
    net_mend(&n, 0, 1);
    CU_ASSERT_TRUE(net_reaches(&n, 0, 1));
}

static void test_net__calm_mends_all_and_loses_nothing(void)
{
    struct swarm w = calm_swarm();
    struct net n;
    w.loss_ppm = w.duplicate_ppm = w.reorder_ppm = 500000;
    net_init(&n, &w, NULL, 1);
    net_cut(&n, 0, 1);
    net_calm(&n);
    net_mend(&n, 0, 1); /* of the old cut: too late, and harmless */
    for (int i = 0; i < 100; i++) {
        struct net_fate fate = net_fate(&n, 0, 1);
        CU_ASSERT_EQUAL(fate.copies, 1);
        CU_ASSERT_FALSE(fate.copy[0].overtakes);
    }
}

static void test_net__rates_are_what_they_say(void)
{
    struct swarm w = calm_swarm();
    struct journal journal;
    struct net n;
    int64_t now_ns = 0;
    uint32_t lost = 0, doubled = 0;
    w.loss_ppm = 250000;
    w.duplicate_ppm = 100000;
    journal_init(&journal, &now_ns, NULL);
    net_init(&n, &w, &journal, 7);
    for (int i = 0; i < 10000; i++) {
        uint32_t copies = net_fate(&n, 0, 1).copies;
        lost += copies == 0;
        doubled += copies == 2;
    }
    CU_ASSERT_TRUE(lost > 2300 && lost < 2700);
    CU_ASSERT_TRUE(doubled > 600 && doubled < 900);
}

/* ---- channels: nobody listens at a server that is down ---- */

struct world {
    struct sim sim;
};

static void begin(struct world *w)
{
    struct sim *s = &w->sim;
    memset(s, 0, sizeof *s);
    s->swarm = calm_swarm();
    journal_init(&s->journal, &s->now_ns, NULL);
    queue_init(&s->queue);
    channels_init(&s->channels);
    net_init(&s->net, &s->swarm, &s->journal, 1);
    prng_init(&s->channel_random, 1);
    host_init(s, 0);
    s->hosts[0].paused = true; /* keeps what it hears */
}

static void run_ms(struct world *w, int64_t ms)
{
    struct sim *s = &w->sim;
    int64_t until = s->now_ns + ms_to_ns(ms);
    struct queue_item item;
    while (s->queue.count > 0 && s->queue.heap[0].at_ns <= until && queue_take(&s->queue, &item)) {
        s->now_ns = item.at_ns;
        item.run(item.object, &item);
        blob_unref(item.bytes);
    }
    s->now_ns = until;
}

static void end(struct world *w)
{
    queue_release(&w->sim.queue);
    channels_release(&w->sim.channels);
    host_release(&w->sim.hosts[0]);
}

static void test_channel__a_dead_server_refuses_at_once(void)
{
    static struct world w;
    begin(&w);
    channel_open(&w.sim, 0, 1, REPLICA_STREAM_SESSION, 0);
    run_ms(&w, 10);
    CU_ASSERT_EQUAL_FATAL(w.sim.hosts[0].inbox_count, 1);
    CU_ASSERT_EQUAL(w.sim.hosts[0].inbox[0].kind, HOST_CHANNEL_DOWN);
    end(&w);
}

static void test_channel__a_cut_holds_messages_up_and_then_breaks_the_channel(void)
{
    static struct world w;
    begin(&w);
    net_cut(&w.sim.net, net_host_place(0), 1);
    uint64_t id = channel_open(&w.sim, 0, 1, REPLICA_STREAM_SESSION, 0);
    channel_send_to_server(&w.sim, id, slice_of_string("lost with it"));
    run_ms(&w, 300);
    CU_ASSERT_EQUAL(w.sim.hosts[0].inbox_count, 0);
    run_ms(&w, 1500);
    CU_ASSERT_EQUAL_FATAL(w.sim.hosts[0].inbox_count, 1);
    CU_ASSERT_EQUAL(w.sim.hosts[0].inbox[0].kind, HOST_CHANNEL_DOWN);
    CU_ASSERT_PTR_NULL(channel_find(&w.sim, id));
    end(&w);
}

static void test_channel__a_dropped_channel_says_no_more(void)
{
    static struct world w;
    begin(&w);
    uint64_t id = channel_open(&w.sim, 0, 1, REPLICA_STREAM_SESSION, 0);
    channel_drop(&w.sim, id);
    run_ms(&w, 5000);
    CU_ASSERT_EQUAL(w.sim.hosts[0].inbox_count, 0);
    end(&w);
}

int main(int argc, char **argv)
{
    static const struct test_case cases[] = {
        TEST(test_net__a_cut_has_a_direction),
        TEST(test_net__a_way_cut_twice_is_mended_twice),
        TEST(test_net__calm_mends_all_and_loses_nothing),
        TEST(test_net__rates_are_what_they_say),
        TEST(test_channel__a_dead_server_refuses_at_once),
        TEST(test_channel__a_cut_holds_messages_up_and_then_breaks_the_channel),
        TEST(test_channel__a_dropped_channel_says_no_more),
    };
    return run_suite("sim_net", cases, sizeof cases / sizeof cases[0], argc, argv);
}
